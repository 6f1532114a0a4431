// Package webhook tells an address of the owner's who entered and who left which audience, as signed JSON by the Standard
// Webhooks convention.
//
// What is special here is that nothing comes back: who is subscribed, who left, what was done with it, all of that the
// receiver knows alone. So only people are sent of whom somebody said that they agreed, unless the owner leaves that to the
// receiver, and whoever unsubscribed is sent only as leaving. A request whose answer is lost is sent again; every piece of
// news has the same id at every try, so that the receiver can drop what it had.
package webhook

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/url"
	"strings"
	"sync"
	"time"

	"github.com/perennial-cvo/perennial/config/secret"
	"github.com/perennial-cvo/perennial/connectors"
	"github.com/perennial-cvo/perennial/connectors/httpapi"
)

// Kind is the kind of this connector in the configuration.
const Kind = "webhook"

const (
	defaultBatch   = 500 // people in one request
	largestBatch   = 500
	defaultTimeout = 30 * time.Second
	longestTimeout = 10 * time.Minute
	connectTimeout = 15 * time.Second
	largestAnswer  = 1 << 20
)

type settings struct {
	URL            string        `mapstructure:"url"`
	Secret         secret.Text   `mapstructure:"secret"`
	PreviousSecret secret.Text   `mapstructure:"previous_secret"`
	SendUnknown    bool          `mapstructure:"send_unknown"`
	Batch          int           `mapstructure:"batch"`
	Timeout        time.Duration `mapstructure:"timeout"`
}

// New returns the factory of this connector.
func New() connectors.Factory {
	return factory(0)
}

// factory lets tests shorten the back-off; 0 is the usual one.
func factory(backOff time.Duration) connectors.Factory {
	f := connectors.Factory{
		Kind: Kind, Title: "Webhook", NeedsConsent: true,
		Fields: []connectors.Field{
			{Name: "url", Title: "Address", Help: "where signed JSON is posted to; https, or http on this machine", Required: true},
			{Name: "secret", Title: "Signing secret", Help: "whsec_ and 24 to 64 random bytes in base64, such as: echo whsec_$(openssl rand -base64 32)", Secret: true, Required: true},
			{Name: "previous_secret", Title: "Previous secret", Help: "signs too, while the receiver changes from it to the new one", Secret: true},
			{Name: "send_unknown", Title: "Send without known consent", Help: "also send people of whom nobody knows whether they agreed; the receiver decides", Default: "false"},
			{Name: "batch", Title: "People per request", Help: fmt.Sprintf("1 to %d", largestBatch), Default: fmt.Sprint(defaultBatch)},
			{Name: "timeout", Title: "Time-out", Help: "how long the receiver may take for an answer", Default: defaultTimeout.String()},
		},
	}
	f.NewDestination = func(s connectors.Settings, deps connectors.Deps) (connectors.Destination, error) {
		return newDestination(f, s, deps, backOff)
	}
	return f
}

// destination is one receiver. What it remembers only saves requests and words.
type destination struct {
	client  *httpapi.Client
	path    string
	query   url.Values
	now     func() time.Time
	prefix  string
	store   string
	unknown bool // people without known consent are sent

	mu    sync.Mutex
	batch int
	names map[string]string // of audiences, by key
}

// OneWay says that nothing can be read back.
func (d *destination) OneWay() {}

func newDestination(f connectors.Factory, raw connectors.Settings, deps connectors.Deps, backOff time.Duration) (connectors.Destination, error) {
	s := settings{Batch: defaultBatch, Timeout: defaultTimeout}
	if err := f.Decode(raw, &s); err != nil {
		return nil, err
	}
	if s.Batch < 1 || s.Batch > largestBatch {
		return nil, refuse(fmt.Errorf(`setting "batch" is %d: 1 to %d are possible`, s.Batch, largestBatch))
	}
	if s.Timeout < time.Millisecond || s.Timeout > longestTimeout {
		return nil, refuse(fmt.Errorf(`setting "timeout" is %s: up to %s are possible`, s.Timeout, longestTimeout))
	}
	address, err := parseAddress(s.URL)
	if err != nil {
		return nil, refuse(fmt.Errorf(`setting "url": %w`, err))
	}
	if deps.Now == nil {
		deps.Now = time.Now
	}
	if deps.Prefix == "" {
		deps.Prefix = "perennial"
	}
	signer, err := newSigner(s, deps.Now)
	if err != nil {
		return nil, refuse(err)
	}
	d := &destination{
		path: address.EscapedPath(), query: address.Query(), now: deps.Now, prefix: deps.Prefix, store: deps.Store,
		unknown: s.SendUnknown, batch: s.Batch,
	}
	d.client, err = httpapi.New(httpapi.Options{
		BaseURL: address.Scheme + "://" + address.Host, Deps: deps, Secrets: hidden(s, address), BackOff: backOff,
		Sign: signer.sign, Classify: func(r httpapi.Response) *connectors.Error { return classify(r, d.client.Harmless) },
		ConnectTimeout: min(connectTimeout, s.Timeout), HeaderTimeout: s.Timeout, IdleTimeout: s.Timeout, MaxBody: largestAnswer,
	})
	if err != nil {
		return nil, refuse(fmt.Errorf(`setting "url": %w`, err))
	}
	return d, nil
}

func refuse(err error) error {
	return &connectors.Error{Kind: connectors.KindPermanent, Op: Kind + " settings", Err: err, Remedy: "correct this setting"}
}

// parseAddress reads the address. Its text is not repeated in errors: some services let in whoever knows it.
func parseAddress(text string) (*url.URL, error) {
	u, err := url.Parse(strings.TrimSpace(text))
	switch {
	case err != nil || u.Host == "" || u.Scheme != "https" && u.Scheme != "http":
		return nil, errors.New("it is not a web address beginning with https://")
	case u.User != nil:
		return nil, errors.New("it must not carry a user name or password: the signature says who we are")
	case u.Scheme == "http" && !isLoopback(u.Hostname()):
		return nil, errors.New("http would send people's addresses readable over the network: use https")
	}
	return u, nil
}

// isLoopback reports whether a host is this machine.
func isLoopback(host string) bool {
	if strings.EqualFold(host, "localhost") {
		return true
	}
	ip := net.ParseIP(host)
	return ip != nil && ip.IsLoopback()
}

// hidden is what no error and no log may show: the secrets, and what of the address may be one.
func hidden(s settings, address *url.URL) []secret.Text {
	all := []secret.Text{s.Secret, s.PreviousSecret}
	for _, text := range all {
		all = append(all, secret.New(strings.TrimPrefix(text.Reveal(), secretPrefix)))
	}
	for _, values := range address.Query() {
		for _, value := range values {
			all = append(all, secret.New(value))
		}
	}
	return all
}

// Ensure has nothing to make: an audience is known to the receiver by its key.
func (d *destination) Ensure(_ context.Context, audiences []connectors.Audience) ([]connectors.Audience, error) {
	all := append([]connectors.Audience(nil), audiences...)
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.names == nil {
		d.names = map[string]string{}
	}
	for i := range all {
		all[i].ID = all[i].Key
		d.names[all[i].Key] = all[i].Name
	}
	return all, nil
}

// Members are none: nothing can be read back.
func (d *destination) Members(context.Context, connectors.Audience, connectors.Cursor) (connectors.MemberPage, error) {
	return connectors.MemberPage{Done: true}, nil
}

// Resume has nothing to do: a receiver answers at once.
func (d *destination) Resume(context.Context, connectors.Job) (connectors.Result, error) {
	return connectors.Result{}, &connectors.Error{Kind: connectors.KindPermanent, Op: "job", Err: errors.New("a webhook has no jobs")}
}
