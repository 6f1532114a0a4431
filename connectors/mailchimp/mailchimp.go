// Package mailchimp fills audiences in one Mailchimp audience: a tag (a static segment, as the API calls it) named
// "<prefix>: <name>" for each of our audiences, and a merge field for each attribute.
//
// What is special here is that consent is one status per contact, which Mailchimp itself heeds in every campaign. So this
// package never writes that status, reads it before it writes anything else, and withholds whoever unsubscribed or was
// cleaned. Attributes of few people are patched one by one, those of many go as batch operations: a pending job whose
// result is a packed archive with an answer for each person.
package mailchimp

import (
	"encoding/base64"
	"fmt"
	"log/slog"
	"net/http"
	"regexp"
	"strings"
	"sync"
	"time"

	"github.com/perennial-cvo/perennial/config/secret"
	"github.com/perennial-cvo/perennial/connectors"
	"github.com/perennial-cvo/perennial/connectors/httpapi"
)

// Kind is the kind of this connector in the configuration.
const Kind = "mailchimp"

// The documented limits of Mailchimp, and how close we go to them.
const (
	mostConnections   = 10     // that one user may have open at a time
	usualConnections  = 9      // of them: one is left to whatever else works with the same user
	largestBatch      = 1000   // operations in one batch
	largestTagBatch   = 500    // people added, and people removed, in one change of a tag
	largestPage       = 1000   // contacts in one page
	peopleAtOnce      = 50_000 // people whom Apply wants at once, for one walk: 50 of the 500 batches that may be open
	defaultBulkFrom   = 10     // people from whom on attributes go as a batch: it takes about four requests
	usualMergeFields  = 30     // of one audience; more with a Premium plan
	neededMergeFields = 16     // for every attribute that there is, and for the audiences where they are one
)

type settings struct {
	Key           secret.Text       `mapstructure:"api_key"`
	Audience      string            `mapstructure:"audience"`
	Mode          connectors.Extent `mapstructure:"mode"`
	CreateMissing bool              `mapstructure:"create_missing"`
	BulkFrom      int               `mapstructure:"bulk_from"`
	Batch         int               `mapstructure:"batch"`
	TagBatch      int               `mapstructure:"tag_batch"`
	Connections   int               `mapstructure:"connections"`
	URL           string            `mapstructure:"url"`
}

// timing are the waits that tests shorten, and the way that requests take, which they replace.
type timing struct {
	backOff   time.Duration // 0 is the usual one
	poll      time.Duration // the shortest time between two questions about a batch
	stall     time.Duration // how long a batch may stand still
	transport http.RoundTripper
}

// New returns the factory of this connector.
func New() connectors.Factory {
	return factory(timing{poll: 5 * time.Second, stall: 6 * time.Hour})
}

func factory(t timing) connectors.Factory {
	f := connectors.Factory{
		Kind: Kind, Title: "Mailchimp", NeedsConsent: true,
		Fields: []connectors.Field{
			{Name: "api_key", Title: "API key", Help: "made under Profile > Extras > API keys; it ends in the data centre, such as -us21", Secret: true, Required: true},
			{Name: "audience", Title: "Audience ID", Help: "under Audience > Settings > Audience name and defaults", Required: true},
			{Name: "mode", Title: "What is written", Help: "both, attributes (merge fields only) or lists (tags only)", Default: string(connectors.Both)},
			{Name: "create_missing", Title: "Create missing people", Help: "also store people whom Mailchimp does not know, where the shop or you say that they agreed; never as subscribed", Default: "false"},
			{Name: "bulk_from", Title: "People from whom on batches are used", Help: "1 to 1000", Default: fmt.Sprint(defaultBulkFrom)},
			{Name: "batch", Title: "People per batch", Help: "1 to 1000", Default: fmt.Sprint(largestBatch)},
			{Name: "tag_batch", Title: "People per change of a tag", Help: "1 to 500", Default: fmt.Sprint(largestTagBatch)},
			{Name: "connections", Title: "Connections at a time", Help: "1 to 10; share them out where several shops or programs use the keys of one user", Default: fmt.Sprint(usualConnections)},
			{Name: "url", Title: "Address of the API", Help: "only where something stands between you and Mailchimp; the data centre in the key tells it otherwise"},
		},
	}
	f.NewDestination = func(s connectors.Settings, deps connectors.Deps) (connectors.Destination, error) {
		return newDestination(f, s, deps, t)
	}
	return f
}

// destination is one Mailchimp audience. What it remembers is only what saves requests, and which tag is which audience.
type destination struct {
	*api
	set    settings
	timing timing
	prefix string
	now    func() time.Time
	log    *slog.Logger

	mu       sync.Mutex
	segments map[string]int    // ids of our tags by audience key, as the last Ensure found them
	ours     map[int]bool      // tags that carry our prefix, whatever they are for
	fields   map[string]string // merge tags of ours by attribute key; nil until read
	taken    map[string]bool   // merge tags of everybody, in upper case
}

var (
	keyShape      = regexp.MustCompile(`-([a-z]{2,4}[0-9]{1,4})$`)
	audienceShape = regexp.MustCompile(`^[0-9A-Za-z]{4,40}$`)
)

func newDestination(f connectors.Factory, raw connectors.Settings, deps connectors.Deps, t timing) (connectors.Destination, error) {
	s := settings{Mode: connectors.Both, BulkFrom: defaultBulkFrom, Batch: largestBatch, TagBatch: largestTagBatch, Connections: usualConnections}
	if err := f.Decode(raw, &s); err != nil {
		return nil, err
	}
	if err := s.check(); err != nil {
		return nil, refuse(err)
	}
	credentials := secret.New(base64.StdEncoding.EncodeToString([]byte(user + ":" + s.Key.Reveal())))
	var client *httpapi.Client
	client, err := httpapi.New(httpapi.Options{
		BaseURL: s.URL, Deps: deps, Secrets: []secret.Text{s.Key, credentials}, Concurrency: s.Connections, BackOff: t.backOff,
		Transport:     t.transport,
		HeaderTimeout: 2 * time.Minute, // Mailchimp itself gives up on a request then
		Sign: func(r *http.Request) error {
			r.SetBasicAuth(user, s.Key.Reveal())
			return nil
		},
		Classify: func(r httpapi.Response) *connectors.Error { return classify(r, client.Harmless) },
	})
	if err != nil {
		return nil, refuse(fmt.Errorf(`setting "url": %w`, err))
	}
	d := &destination{
		api: &api{client: client, list: s.Audience}, set: s, timing: t, prefix: deps.Prefix, now: deps.Now, log: deps.Log,
		segments: map[string]int{}, ours: map[int]bool{},
	}
	if d.prefix == "" {
		d.prefix = "perennial"
	}
	if d.now == nil {
		d.now = time.Now
	}
	if d.log == nil {
		d.log = slog.New(slog.DiscardHandler)
	}
	if s.Mode == connectors.OnlyAttributes {
		return rolled{d}, nil
	}
	return d, nil
}

// user is the name beside the key; Mailchimp takes any.
const user = "perennial"

// check refuses what cannot work, and finds the address of the API.
func (s *settings) check() error {
	if !audienceShape.MatchString(s.Audience) {
		return fmt.Errorf(`setting "audience" is %q: it is the Audience ID, letters and digits such as 1a2b3c4d5e`, s.Audience)
	}
	switch s.Mode {
	case connectors.Both, connectors.OnlyAttributes, connectors.OnlyLists:
	default:
		return fmt.Errorf(`setting "mode" is %q: both, attributes and lists are possible`, s.Mode)
	}
	for _, n := range []struct {
		name         string
		value, limit int
	}{{"bulk_from", s.BulkFrom, 1000}, {"batch", s.Batch, largestBatch}, {"tag_batch", s.TagBatch, largestTagBatch}, {"connections", s.Connections, mostConnections}} {
		if n.value < 1 || n.value > n.limit {
			return fmt.Errorf("setting %q is %d: 1 to %d are possible", n.name, n.value, n.limit)
		}
	}
	if s.URL != "" {
		return nil
	}
	centre := keyShape.FindStringSubmatch(strings.TrimSpace(s.Key.Reveal()))
	if centre == nil {
		return fmt.Errorf(`setting "api_key" does not end in a data centre, such as -us21: copy the whole key`)
	}
	s.URL = "https://" + centre[1] + ".api.mailchimp.com/3.0"
	return nil
}

func refuse(err error) error {
	return &connectors.Error{Kind: connectors.KindPermanent, Op: Kind + " settings", Err: err, Remedy: "correct this setting"}
}

// BatchSize is how many people Apply wants at once: Mailchimp takes them in batches of thousands, and one walk over all
// contacts tells what it has of all of them.
func (d *destination) BatchSize() int { return peopleAtOnce }
