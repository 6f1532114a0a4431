// Package brevo fills audiences in Brevo: one list for each in a folder of ours, and contact attributes under our prefix.
//
// What is special here is that Brevo keeps silent. An attribute that does not exist, or a value of another type, is
// ignored without a word; an import says "completed" and nothing of what it left out; and it creates whoever is not
// there. So attributes are made before they are written, everybody is looked up before anything is sent, what an import
// did is read back person by person, and whatever can turn somebody's no into a yes is never written.
package brevo

import (
	"fmt"
	"net/http"
	"regexp"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/perennial-cvo/perennial/config/secret"
	"github.com/perennial-cvo/perennial/connectors"
	"github.com/perennial-cvo/perennial/connectors/httpapi"
)

// Kind is the kind of this connector in the configuration.
const Kind = "brevo"

const (
	defaultURL    = "https://api.brevo.com/v3"
	defaultRate   = 10 // requests a second on contacts that Brevo takes under every plan
	highestRate   = 60
	defaultBatch  = 100  // people in one update
	largestBatch  = 150  // the most that a list change takes
	defaultImport = 2000 // people who join the same lists, from whom on they are imported
	peopleAtOnce  = 20_000
	// share of the allowed rate at which requests are sent; a quota sees to it that no second is too full where a network
	// does not carry them evenly.
	share = 0.96
)

type settings struct {
	Key           secret.Text `mapstructure:"api_key"`
	URL           string      `mapstructure:"url"`
	Mode          string      `mapstructure:"mode"`
	CreateMissing bool        `mapstructure:"create_missing"`
	Rate          int         `mapstructure:"rate"`
	Batch         int         `mapstructure:"batch"`
	ImportFrom    int         `mapstructure:"import_from"`
}

// tuning is what tests change; the zero value is the usual one.
type tuning struct {
	backOff   time.Duration
	poll      time.Duration // between two questions about imports
	stalled   time.Duration // after which an import is held to be stuck
	fresh     time.Duration // how old a look-up may be when something is written by it
	highest   int           // rate
	transport http.RoundTripper
}

// New returns the factory of this connector.
func New() connectors.Factory { return factory(tuning{}) }

func factory(tune tuning) connectors.Factory {
	f := connectors.Factory{
		Kind: Kind, Title: "Brevo", NeedsConsent: true,
		Fields: []connectors.Field{
			{Name: "api_key", Title: "API key", Help: "made under Settings > SMTP & API > API keys", Secret: true, Required: true},
			{
				Name: "mode", Title: "What is written", Default: string(connectors.Both),
				Help: "both, lists (nothing is written to contacts) or attributes (no list is made; an attribute names the audiences)",
			},
			{Name: "create_missing", Title: "Create missing people", Help: "also create people whom Brevo does not know, where the shop or you say that they agreed", Default: "false"},
			{Name: "rate", Title: "Requests per second", Help: "10, or what your plan allows on contacts (20 or 60)", Default: fmt.Sprint(defaultRate)},
			{Name: "batch", Title: "People per request", Help: "1 to 150", Default: fmt.Sprint(defaultBatch)},
			{Name: "import_from", Title: "Import from", Help: "so many people who join the same lists are imported as one job; 0 for never", Default: fmt.Sprint(defaultImport)},
			{Name: "url", Title: "Address of the API", Help: "only to ask another host than Brevo's own", Default: defaultURL},
		},
	}
	f.NewDestination = func(s connectors.Settings, deps connectors.Deps) (connectors.Destination, error) {
		return newDestination(f, s, deps, tune)
	}
	return f
}

// destination is one Brevo account. What it remembers is only what saves requests; every instance finds the same state.
type destination struct {
	api    *api
	set    settings
	prefix string
	now    func() time.Time
	tune   tuning

	mu       sync.Mutex
	folder   int64                // ours, 0 until known
	ours     map[int64]bool       // lists of ours; nil until read
	lists    map[string]int64     // lists by audience key, as Ensure found them; 0 where there is none
	former   map[int64]bool       // lists of our audiences from another mode, where no lists are written
	schema   map[string]attribute // all attributes of the account by name; nil until read
	dropped  map[uint64]bool      // addresses that an import left out, by mark
	nextPoll time.Time
}

var prefixShape = regexp.MustCompile(`^[a-z][a-z0-9]*([_-][a-z0-9]+)*$`)

func newDestination(f connectors.Factory, raw connectors.Settings, deps connectors.Deps, tune tuning) (connectors.Destination, error) {
	s := settings{URL: defaultURL, Mode: string(connectors.Both), Rate: defaultRate, Batch: defaultBatch, ImportFrom: defaultImport}
	if err := f.Decode(raw, &s); err != nil {
		return nil, err
	}
	if deps.Prefix == "" {
		deps.Prefix = "perennial"
	}
	if deps.Now == nil {
		deps.Now = time.Now
	}
	fill(&tune)
	if err := s.check(tune, deps.Prefix); err != nil {
		return nil, refuse(err)
	}
	a, err := newAPI(s, deps, tune)
	if err != nil {
		return nil, refuse(fmt.Errorf(`setting "url": %w`, err))
	}
	return &destination{
		api: a, set: s, prefix: deps.Prefix, now: deps.Now, tune: tune,
		lists: map[string]int64{}, former: map[int64]bool{}, dropped: map[uint64]bool{},
	}, nil
}

func fill(t *tuning) {
	if t.poll == 0 {
		t.poll = 40 * time.Second // 90 questions an hour of the 100 that are allowed
	}
	if t.stalled == 0 {
		t.stalled = 6 * time.Hour
	}
	if t.fresh == 0 {
		t.fresh = 5 * time.Second
	}
	if t.highest == 0 {
		t.highest = highestRate
	}
}

// check refuses settings that cannot be meant.
func (s settings) check(tune tuning, prefix string) error {
	switch {
	case !slices.Contains([]connectors.Extent{connectors.Both, connectors.OnlyAttributes, connectors.OnlyLists}, connectors.Extent(s.Mode)):
		return fmt.Errorf(`setting "mode" is %q: both, attributes and lists are possible`, s.Mode)
	case s.Rate < 1 || s.Rate > tune.highest:
		return fmt.Errorf(`setting "rate" is %d: 1 to %d are possible`, s.Rate, tune.highest)
	case s.Batch < 1 || s.Batch > largestBatch:
		return fmt.Errorf(`setting "batch" is %d: 1 to %d are possible`, s.Batch, largestBatch)
	case s.ImportFrom < 0:
		return fmt.Errorf(`setting "import_from" is %d: it must not be negative`, s.ImportFrom)
	case !prefixShape.MatchString(prefix) || len(prefix) > 30:
		return fmt.Errorf("the prefix %q is not fit for names of attributes: up to 30 lower-case letters, digits, underscores and hyphens", prefix)
	}
	return nil
}

func refuse(err error) error {
	return &connectors.Error{Kind: connectors.KindPermanent, Op: Kind + " settings", Err: err, Remedy: "correct this setting"}
}

// BatchSize is how many people are wanted at once: looking many up is a walk through all contacts.
func (d *destination) BatchSize() int { return peopleAtOnce }

// Extent is what the setting mode says.
func (d *destination) Extent() connectors.Extent { return connectors.Extent(d.set.Mode) }

func (d *destination) writesLists() bool { return d.Extent() != connectors.OnlyAttributes }

func (d *destination) writesAttributes() bool { return d.Extent() != connectors.OnlyLists }

// listName is the name of a new list.
func (d *destination) listName(a connectors.Audience) string { return d.prefix + ": " + a.Name }

// isOurName reports whether a list is called as ours are.
func (d *destination) isOurName(name string) bool { return strings.HasPrefix(name, d.prefix+": ") }

// connections are as many as keep the rate where an answer takes a second.
func (s settings) connections() int { return min(max(4, s.Rate), 32) }

// interval is the time between two requests at a rate.
func interval(rate int) time.Duration {
	return time.Duration(float64(time.Second) / (float64(rate) * share))
}

// options are those of every client of this connector.
func options(s settings, deps connectors.Deps, tune tuning) httpapi.Options {
	return httpapi.Options{
		BaseURL: s.URL, Deps: deps, Secrets: []secret.Text{s.Key}, BackOff: tune.backOff, Transport: tune.transport,
		Sign: func(r *http.Request) error {
			r.Header.Set("api-key", s.Key.Reveal())
			return nil
		},
	}
}
