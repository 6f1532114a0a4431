// Package klaviyo fills audiences in Klaviyo: one list for each, named with our prefix, and one custom property for each
// attribute, likewise.
//
// What is special here: properties of many people go in one import that Klaviyo works through later, lists take only the
// ids of profiles, and Klaviyo mails everybody on a list who is not suppressed, whether they ever subscribed or not. So
// this package reads everybody's consent before it writes and again before it puts anybody on a list, never calls the
// endpoints that subscribe (they lift suppressions), and calls nobody delivered whose profile does not show what was
// written.
package klaviyo

import (
	"context"
	"fmt"
	"log/slog"
	"net/http"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/perennial-cvo/perennial/config/secret"
	"github.com/perennial-cvo/perennial/connectors"
	"github.com/perennial-cvo/perennial/connectors/httpapi"
)

// Kind is the kind of this connector in the configuration.
const Kind = "klaviyo"

// revision is the version of the API that this package was written for; it goes with every request.
const revision = "2026-07-15"

const (
	largestBatch     = 10_000 // profiles in one import
	largestListBatch = 1_000  // profiles in one change of a list
	connections      = 4
	stallLimit       = 6 * time.Hour   // after which an import is not waited for any more
	graceLimit       = 2 * time.Minute // for profiles to show what a finished import wrote
)

type settings struct {
	Key           secret.Text       `mapstructure:"api_key"`
	URL           string            `mapstructure:"url"`
	Mode          connectors.Extent `mapstructure:"mode"`
	CreateMissing bool              `mapstructure:"create_missing"`
	Events        bool              `mapstructure:"events"`
	Batch         int               `mapstructure:"batch"`
	ListBatch     int               `mapstructure:"list_batch"`
}

// New returns the factory of this connector.
func New() connectors.Factory {
	return factory(timing{stall: stallLimit, poll: firstPoll, grace: graceLimit})
}

// timing is what tests change: the back-off, where 0 is the usual one, the time after which an import has stalled, the
// shortest between two questions about it, how long profiles may take to show what it wrote, and what carries requests,
// nil for the network.
type timing struct {
	backOff, stall, poll, grace time.Duration
	transport                   http.RoundTripper
}

// factory makes the factory with times of its own.
func factory(times timing) connectors.Factory {
	f := connectors.Factory{
		Kind: Kind, Title: "Klaviyo", NeedsConsent: true,
		Fields: []connectors.Field{
			{Name: "api_key", Title: "Private API key", Help: "made under Settings > API keys, with the scopes of the README", Secret: true, Required: true},
			{Name: "mode", Title: "What is written", Help: "both, attributes (profile properties only) or lists", Default: string(connectors.Both)},
			{Name: "create_missing", Title: "Create missing people", Help: "also create people whom Klaviyo does not know, where the shop or you say that they agreed", Default: "false"},
			{Name: "events", Title: "Send events", Help: "an event for everybody who enters or leaves an audience, by which flows can start", Default: "false"},
			{Name: "batch", Title: "People per import", Help: "1 to 10000", Default: fmt.Sprint(largestBatch)},
			{Name: "list_batch", Title: "People per list change", Help: "1 to 1000", Default: fmt.Sprint(largestListBatch)},
			{Name: "url", Title: "Address of the API", Help: "only for tests", Default: "https://a.klaviyo.com"},
		},
	}
	f.NewDestination = func(s connectors.Settings, deps connectors.Deps) (connectors.Destination, error) {
		return newDestination(f, s, deps, times)
	}
	return f
}

// destination is one Klaviyo account. What it remembers is what Ensure found; it is found again by the next one.
type destination struct {
	api       *api
	prefix    string
	store     string // the shop, by its name in the configuration
	extent    connectors.Extent
	create    bool
	events    bool
	batch     int
	listBatch int
	times     timing
	now       func() time.Time
	log       *slog.Logger

	eventBatch int

	mu    sync.Mutex
	lists map[string]string // ids of lists by key of their audience
	names map[string]string // for people, by key of the audience
	ours  map[string]bool   // ids of every list of ours, those of former audiences too
	// surveyed: the account's lists have been read, so ours is complete.
	surveyed bool
}

func newDestination(f connectors.Factory, raw connectors.Settings, deps connectors.Deps, times timing) (connectors.Destination, error) {
	s := settings{URL: "https://a.klaviyo.com", Mode: connectors.Both, Batch: largestBatch, ListBatch: largestListBatch}
	if err := f.Decode(raw, &s); err != nil {
		return nil, err
	}
	if err := s.check(); err != nil {
		return nil, refuse(err)
	}
	client, err := newClient(s, deps, times)
	if err != nil {
		return nil, refuse(fmt.Errorf(`setting "url": %w`, err))
	}
	if deps.Prefix == "" {
		deps.Prefix = "perennial"
	}
	if deps.Now == nil {
		deps.Now = time.Now
	}
	if deps.Log == nil {
		deps.Log = slog.New(slog.DiscardHandler)
	}
	d := &destination{
		api: &api{client: client, quotas: newQuotas()}, prefix: deps.Prefix, store: deps.Store, extent: s.Mode, create: s.CreateMissing, events: s.Events,
		batch: s.Batch, listBatch: s.ListBatch, eventBatch: largestEventBatch, times: times, now: deps.Now, log: deps.Log,
		lists: map[string]string{}, names: map[string]string{}, ours: map[string]bool{},
	}
	if s.Mode == connectors.OnlyAttributes {
		return rolled{d}, nil
	}
	return d, nil
}

func (s settings) check() error {
	switch {
	case s.Mode != connectors.Both && s.Mode != connectors.OnlyAttributes && s.Mode != connectors.OnlyLists:
		return fmt.Errorf(`setting "mode" is %q: both, attributes and lists are possible`, s.Mode)
	case s.Batch < 1 || s.Batch > largestBatch:
		return fmt.Errorf(`setting "batch" is %d: 1 to %d are possible`, s.Batch, largestBatch)
	case s.ListBatch < 1 || s.ListBatch > largestListBatch:
		return fmt.Errorf(`setting "list_batch" is %d: 1 to %d are possible`, s.ListBatch, largestListBatch)
	case strings.ContainsAny(s.Key.Reveal(), " \t\r\n"):
		return fmt.Errorf(`setting "api_key" holds a space or a line break`)
	}
	return nil
}

func refuse(err error) error {
	return &connectors.Error{Kind: connectors.KindPermanent, Op: Kind + " settings", Err: err, Remedy: "correct this setting"}
}

func newClient(s settings, deps connectors.Deps, times timing) (client *httpapi.Client, err error) {
	client, err = httpapi.New(httpapi.Options{
		BaseURL: s.URL, Deps: deps, Secrets: []secret.Text{s.Key}, Concurrency: connections,
		BackOff: times.backOff, Transport: times.transport,
		Sign: func(r *http.Request) error {
			r.Header.Set("Authorization", "Klaviyo-API-Key "+s.Key.Reveal())
			r.Header.Set("Revision", revision)
			return nil
		},
		Classify: func(r httpapi.Response) *connectors.Error { return classify(r, client.Harmless) },
		Left:     left,
	})
	return client, err
}

// left reads what is left of the minute at the endpoint that answered.
func left(r httpapi.Response) (int, time.Duration, bool) {
	remaining, err := strconv.Atoi(r.Header.Get("RateLimit-Remaining"))
	reset, wrong := strconv.Atoi(r.Header.Get("RateLimit-Reset"))
	return remaining, time.Duration(reset) * time.Second, err == nil && wrong == nil
}

// BatchSize is how many people Apply wants at once: as many as one import holds.
func (d *destination) BatchSize() int { return d.batch }

// Extent says what the settings let be written.
func (d *destination) Extent() connectors.Extent { return d.extent }

// attributesOnly reports whether lists are left alone.
func (d *destination) attributesOnly() bool { return d.extent == connectors.OnlyAttributes }

// rolled is a destination without lists: everybody is read back in one walk.
type rolled struct{ *destination }

// Everybody reads one page of all profiles and returns those that carry a property of ours.
func (d rolled) Everybody(ctx context.Context, cursor connectors.Cursor) (connectors.MemberPage, error) {
	return d.marked(ctx, cursor, "")
}
