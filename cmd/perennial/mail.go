package main

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"encoding/base64"
	"errors"
	"fmt"
	"net"
	"strings"
	"time"

	"github.com/wneessen/go-mail"

	"github.com/perennial-cvo/perennial/config"
)

// mailTimeout is how long one conversation with the server may take.
const mailTimeout = time.Minute

// mailer hands mails to the server of the configuration.
type mailer struct {
	cfg   config.Digest
	roots *x509.CertPool // whom to trust; nil: whom the system does
}

// letter is one mail to one person.
type letter struct {
	to, id, subject, text, html string
	date                        time.Time
}

// client is a conversation that is still to begin.
func (m mailer) client() (*mail.Client, error) {
	options := []mail.Option{
		mail.WithPort(m.cfg.PortOf()), mail.WithTimeout(mailTimeout),
		mail.WithTLSConfig(&tls.Config{ServerName: m.cfg.Host, MinVersion: tls.VersionTLS12, RootCAs: m.roots}),
	}
	plain, login := mail.SMTPAuthPlain, mail.SMTPAuthLogin
	switch m.cfg.TLS {
	case config.TLS:
		options = append(options, mail.WithSSL())
	case config.NoTLS: // with a password only on this machine
		options = append(options, mail.WithTLSPolicy(mail.NoTLS))
		plain, login = mail.SMTPAuthPlainNoEnc, mail.SMTPAuthLoginNoEnc
	default:
		options = append(options, mail.WithTLSPolicy(mail.TLSMandatory))
	}
	if m.cfg.Username != "" {
		options = append(options, mail.WithUsername(m.cfg.Username), mail.WithPassword(m.cfg.Password.Reveal()),
			mail.WithOpportunisticSMTPAuth(mail.SMTPAuthSCRAMSHA256, mail.SMTPAuthSCRAMSHA1, plain, login, mail.SMTPAuthCramMD5))
	}
	return mail.NewClient(m.cfg.Host, options...)
}

// check logs in and out.
func (m mailer) check(ctx context.Context) error {
	client, err := m.client()
	if err != nil {
		return m.explain(err)
	}
	if err := client.DialWithContext(ctx); err != nil {
		return m.explain(err)
	}
	_ = client.Close() // it has let us in
	return nil
}

// send hands over letters, each by itself, so that one address that is refused does not keep the others from theirs. It calls
// reached with each that the server took, and returns what went wrong with the rest.
func (m mailer) send(ctx context.Context, letters []letter, reached func(letter) error) error {
	client, err := m.client()
	if err != nil {
		return m.explain(err)
	}
	if err := client.DialWithContext(ctx); err != nil {
		return m.explain(err)
	}
	defer func() { _ = client.Close() }() // the server has said what it took
	var failures []error
	for _, l := range letters {
		if ctx.Err() != nil {
			return errors.Join(append(failures, ctx.Err())...)
		}
		msg, err := m.message(l)
		if err != nil {
			failures = append(failures, err)
			continue
		}
		err = client.Send(msg)
		if msg.IsDelivered() { // whatever was said after that
			err = reached(l)
		} else if err != nil {
			err = m.explain(err)
		}
		failures = append(failures, err)
	}
	return errors.Join(failures...)
}

func (m mailer) message(l letter) (*mail.Msg, error) {
	msg := mail.NewMsg()
	if err := errors.Join(msg.FromFormat("Perennial", m.cfg.From), msg.To(l.to)); err != nil {
		return nil, fail(exitUsage, "weekly mail: an address that is none", "correct from and to under [digest]", err)
	}
	msg.Subject(l.subject)
	msg.SetDateWithValue(l.date)
	msg.SetMessageIDWithValue(l.id)
	msg.SetUserAgent("Perennial " + version)
	msg.SetGenHeader("Auto-Submitted", "auto-generated") // no answer from who is on holiday
	msg.SetBodyString(mail.TypeTextPlain, l.text)
	msg.AddAlternativeString(mail.TypeTextHTML, l.html)
	return msg, nil
}

// explain says what a conversation failed at and what to do. No secret is in it, whatever the server repeats.
func (m mailer) explain(err error) error {
	if errors.Is(err, context.Canceled) {
		return err
	}
	place := net.JoinHostPort(m.cfg.Host, fmt.Sprint(m.cfg.PortOf()))
	clean := errors.New(m.clean(err.Error()))
	var certificate *tls.CertificateVerificationError
	var refused *mail.SendError
	var network *net.OpError
	switch text := strings.ToLower(err.Error()); {
	case errors.As(err, &certificate):
		return fail(exitUsage, "weekly mail: the certificate of "+place+" does not hold",
			"write as digest.host the name that stands in the certificate; a certificate of your own has to be trusted by this machine", clean)
	case errors.As(err, &refused):
		return m.refused(refused, clean)
	case strings.Contains(text, "starttls"):
		return fail(exitUsage, "weekly mail: "+place+" does not encrypt by STARTTLS",
			`try digest.tls = "tls" with port 465; "none" only for a server on this machine`, clean)
	case strings.Contains(text, "first record does not look like a tls handshake"):
		return fail(exitUsage, "weekly mail: "+place+" does not begin with encryption", `try digest.tls = "starttls", usually with port 587`, clean)
	case strings.Contains(text, "auth"):
		return fail(exitCredentials, "weekly mail: "+place+" does not let us in",
			"correct username and password under [digest]; many providers want a password made for programs", clean)
	case errors.As(err, &network), errors.Is(err, context.DeadlineExceeded):
		return fail(exitUnavailable, "weekly mail: "+place+" cannot be reached",
			"see that host and port under [digest] are right and that no firewall stands between; many providers close port 25", clean)
	}
	return fail(exitUnavailable, "weekly mail: "+place+" broke off", "see the server's own log; it is tried again", clean)
}

// refused says what to do about a mail that the server did not take.
func (m mailer) refused(e *mail.SendError, clean error) error {
	switch {
	case e.IsTemp():
		return fail(exitUnavailable, "weekly mail: the server asks for patience", "nothing: it is tried again", clean)
	case e.Reason == mail.ErrSMTPRcptTo:
		return fail(exitFindings, "weekly mail: the server refuses a recipient",
			"see that the address under [digest] to is right, and that the account may write to it", clean)
	case e.Reason == mail.ErrSMTPMailFrom:
		return fail(exitFindings, "weekly mail: the server refuses the sender", "write as digest.from the address that belongs to the account", clean)
	}
	return fail(exitUnavailable, "weekly mail: the server did not take it", "the server's words say why; it is tried again", clean)
}

// clean takes what must not be seen out of a server's words.
func (m mailer) clean(text string) string {
	password := m.cfg.Password.Reveal()
	if password == "" {
		return text
	}
	encode := base64.StdEncoding.EncodeToString
	for _, secret := range []string{password, encode([]byte(password)), encode([]byte("\x00" + m.cfg.Username + "\x00" + password))} {
		text = strings.ReplaceAll(text, secret, "***")
	}
	return text
}
