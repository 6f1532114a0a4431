package main

import (
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"errors"
	"io"
	"math/big"
	"net"
	"net/mail"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/emersion/go-sasl"
	"github.com/emersion/go-smtp"
	"github.com/stretchr/testify/require"

	"github.com/perennial-cvo/perennial/config"
	"github.com/perennial-cvo/perennial/config/secret"
)

const mailPassword = "geheim & lang"

// postOffice is a mail server on this machine, which keeps what it takes.
type postOffice struct {
	config.Digest                // by which it can be reached
	roots         *x509.CertPool // by which it can be trusted
	refuse        map[string]*smtp.SMTPError
	sender        *smtp.SMTPError // what it says to the sender, nil: welcome

	mu    sync.Mutex
	mails map[string][]string // by recipient
}

// newPostOffice begins to serve in one of the ways in which a server encrypts.
func newPostOffice(t *testing.T, how string, change ...func(*smtp.Server)) *postOffice {
	t.Helper()
	o := &postOffice{mails: map[string][]string{}, refuse: map[string]*smtp.SMTPError{}}
	server := smtp.NewServer(smtp.BackendFunc(func(*smtp.Conn) (smtp.Session, error) { return &visit{office: o}, nil }))
	server.Domain, server.AllowInsecureAuth, server.ErrorLog = "localhost", how == config.NoTLS, silence{}
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	certificate, roots := selfSigned(t)
	o.roots = roots
	switch how {
	case config.TLS:
		listener = tls.NewListener(listener, &tls.Config{Certificates: []tls.Certificate{certificate}})
	case config.StartTLS:
		server.TLSConfig = &tls.Config{Certificates: []tls.Certificate{certificate}}
	}
	for _, c := range change {
		c(server)
	}
	go func() { _ = server.Serve(listener) }()
	t.Cleanup(func() { _ = server.Close() })
	o.Digest = config.Digest{
		To: []string{"owner@example.com"}, From: "perennial@example.com", Host: "localhost", Port: listener.Addr().(*net.TCPAddr).Port, TLS: how,
		Username: "perennial", Password: secret.New(mailPassword), Weekday: "monday", At: "08:00",
	}
	return o
}

// got returns the mails that somebody got.
func (o *postOffice) got(to string) []*mail.Message {
	o.mu.Lock()
	defer o.mu.Unlock()
	var all []*mail.Message
	for _, text := range o.mails[to] {
		m, err := mail.ReadMessage(strings.NewReader(text))
		if err != nil {
			panic(err)
		}
		all = append(all, m)
	}
	return all
}

type silence struct{}

func (silence) Printf(string, ...any) {}
func (silence) Println(...any)        {}

// visit is one conversation.
type visit struct {
	office *postOffice
	inside bool
	to     []string
}

func (v *visit) AuthMechanisms() []string { return []string{sasl.Plain} }

func (v *visit) Auth(string) (sasl.Server, error) {
	return sasl.NewPlainServer(func(_, username, password string) error {
		if username != "perennial" || password != mailPassword {
			return &smtp.SMTPError{Code: 535, EnhancedCode: smtp.EnhancedCode{5, 7, 8}, Message: "no such account: " + password}
		}
		v.inside = true
		return nil
	}), nil
}

func (v *visit) Mail(string, *smtp.MailOptions) error {
	if !v.inside {
		return smtp.ErrAuthRequired
	}
	if v.office.sender != nil {
		return v.office.sender
	}
	return nil
}

func (v *visit) Rcpt(to string, _ *smtp.RcptOptions) error {
	if e := v.office.refuse[to]; e != nil {
		return e
	}
	v.to = append(v.to, to)
	return nil
}

func (v *visit) Data(r io.Reader) error {
	text, err := io.ReadAll(r)
	if err != nil {
		return err
	}
	v.office.mu.Lock()
	defer v.office.mu.Unlock()
	for _, to := range v.to {
		v.office.mails[to] = append(v.office.mails[to], string(text))
	}
	return nil
}

func (v *visit) Reset()        { v.to = nil }
func (v *visit) Logout() error { return nil }

// selfSigned is a certificate for localhost and who trusts it.
func selfSigned(t *testing.T) (tls.Certificate, *x509.CertPool) {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	require.NoError(t, err)
	template := &x509.Certificate{
		SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: "localhost"}, DNSNames: []string{"localhost"},
		NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(time.Hour), IsCA: true, BasicConstraintsValid: true,
	}
	der, err := x509.CreateCertificate(rand.Reader, template, template, &key.PublicKey, key)
	require.NoError(t, err)
	parsed, err := x509.ParseCertificate(der)
	require.NoError(t, err)
	roots := x509.NewCertPool()
	roots.AddCert(parsed)
	return tls.Certificate{Certificate: [][]byte{der}, PrivateKey: key}, roots
}

func testLetter(to string) letter {
	return letter{
		to: to, id: "perennial.1@example.com", subject: "tea\r\nBcc: thief@example.com", text: "Grüße\n", html: "<p>Grüße</p>",
		date: time.Date(2026, 11, 23, 8, 0, 0, 0, time.UTC),
	}
}

func TestMailGoesEveryWay(t *testing.T) {
	for _, how := range []string{config.StartTLS, config.TLS, config.NoTLS} {
		t.Run(how, func(t *testing.T) {
			o := newPostOffice(t, how)
			m := mailer{cfg: o.Digest, roots: o.roots}
			require.NoError(t, m.check(t.Context()))
			require.Empty(t, o.got("owner@example.com"), "a check sends nothing")
			var reached []string
			err := m.send(t.Context(), []letter{testLetter("owner@example.com"), testLetter("boss@example.com")}, func(l letter) error {
				reached = append(reached, l.to)
				return nil
			})
			require.NoError(t, err)
			require.Equal(t, []string{"owner@example.com", "boss@example.com"}, reached)
			require.Len(t, o.got("boss@example.com"), 1)
			got := o.got("owner@example.com")[0]
			require.Equal(t, []string{"<owner@example.com>"}, got.Header["To"], "nobody sees who else gets it")
			require.Equal(t, `"Perennial" <perennial@example.com>`, got.Header.Get("From"))
			require.Equal(t, "<perennial.1@example.com>", got.Header.Get("Message-ID"))
			require.Equal(t, "auto-generated", got.Header.Get("Auto-Submitted"))
			require.Contains(t, got.Header.Get("Content-Type"), "multipart/alternative")
			require.Empty(t, got.Header.Get("Bcc"), "no line of the head is made of a name")
			require.Empty(t, o.got("thief@example.com"))
		})
	}
}

func TestMailFailuresSayWhatToDo(t *testing.T) {
	refusal := func(code int, words string) *smtp.SMTPError { return &smtp.SMTPError{Code: code, Message: words} }
	for _, c := range []struct {
		name   string
		how    string
		server func(*smtp.Server)
		change func(*postOffice)
		code   int
		says   string
		todo   string
	}{
		{"wrong password", config.StartTLS, nil, func(o *postOffice) { o.Password = secret.New("falsch") }, exitCredentials, "does not let us in", "username and password"},
		{"password needed", config.StartTLS, nil, func(o *postOffice) { o.Username, o.Password = "", secret.Text{} }, exitFindings, "refuses the sender", "digest.from"},
		{"unknown certificate", config.StartTLS, nil, func(o *postOffice) { o.roots = nil }, exitUsage, "certificate", "digest.host"},
		{"unknown certificate, tls", config.TLS, nil, func(o *postOffice) { o.roots = nil }, exitUsage, "certificate", "digest.host"},
		{"other name", config.TLS, nil, func(o *postOffice) { o.Host = "127.0.0.1" }, exitUsage, "certificate", "digest.host"},
		{"no STARTTLS there", config.NoTLS, nil, func(o *postOffice) { o.TLS = config.StartTLS }, exitUsage, "does not encrypt", "465"},
		{"no TLS there", config.StartTLS, nil, func(o *postOffice) { o.TLS = config.TLS }, exitUsage, "does not begin with encryption", "starttls"},
		{"nobody there", config.NoTLS, nil, func(o *postOffice) { o.Port = 1 }, exitUnavailable, "cannot be reached", "firewall"},
		{"recipient refused", config.TLS, nil, func(o *postOffice) { o.refuse["owner@example.com"] = refusal(550, "no such user") }, exitFindings, "owner@example.com", "[digest] to"},
		{"busy", config.TLS, nil, func(o *postOffice) { o.refuse["owner@example.com"] = refusal(451, "greylisted") }, exitUnavailable, "greylisted", "tried again"},
		{"sender refused", config.TLS, nil, func(o *postOffice) { o.sender = refusal(553, "not yours") }, exitFindings, "not yours", "digest.from"},
		{"too large", config.TLS, func(s *smtp.Server) { s.MaxMessageBytes = 10 }, nil, exitUnavailable, "did not take it", "server's words"},
	} {
		t.Run(c.name, func(t *testing.T) {
			var change []func(*smtp.Server)
			if c.server != nil {
				change = append(change, c.server)
			}
			o := newPostOffice(t, c.how, change...)
			if c.change != nil {
				c.change(o)
			}
			err := mailer{cfg: o.Digest, roots: o.roots}.send(t.Context(), []letter{testLetter("owner@example.com")}, func(letter) error {
				return errors.New("it reached nobody")
			})
			require.Error(t, err)
			code, remedy := classify(err)
			require.Equal(t, c.code, code, err)
			require.Contains(t, err.Error(), c.says)
			require.Contains(t, remedy, c.todo)
			for _, leak := range []string{mailPassword, "falsch", "ZmFsc2No", "Z2VoZWlt"} {
				require.NotContains(t, err.Error(), leak)
			}
			require.Empty(t, o.got("owner@example.com"))
		})
	}
}

func TestOneRefusedAddressKeepsNobodyFromTheirs(t *testing.T) {
	o := newPostOffice(t, config.TLS)
	o.refuse["gone@example.com"] = &smtp.SMTPError{Code: 550, Message: "gone"}
	var reached []string
	err := mailer{cfg: o.Digest, roots: o.roots}.send(t.Context(),
		[]letter{testLetter("gone@example.com"), testLetter("owner@example.com")}, func(l letter) error {
			reached = append(reached, l.to)
			return nil
		})
	require.ErrorContains(t, err, "gone")
	require.Equal(t, []string{"owner@example.com"}, reached)
	require.Len(t, o.got("owner@example.com"), 1)
}

func TestMailIsCalledOff(t *testing.T) {
	silent, err := net.Listen("tcp", "127.0.0.1:0") // takes the call and says nothing
	require.NoError(t, err)
	defer silent.Close()
	ctx, cancel := context.WithTimeout(t.Context(), 50*time.Millisecond)
	defer cancel()
	cfg := config.Digest{Host: "localhost", Port: silent.Addr().(*net.TCPAddr).Port, TLS: config.TLS, From: "a@example.com"}
	require.Error(t, mailer{cfg: cfg}.check(ctx))
}
