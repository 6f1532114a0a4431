// Package listmonk fills audiences in listmonk: one private single opt-in list for each, marked with a tag of ours, and
// one attributes object under our prefix on each person.
//
// What is special here is consent. Being on a list means being mailed, adding somebody to a second list forgets that they
// left the first, and several convenient calls of listmonk subscribe people again or wipe what others wrote. So this
// package never writes a status, never replaces a person, never selects people by a query on the writing side, reads
// everybody's rows before it writes, and withholds whoever left any list of ours.
package listmonk

import (
	"cmp"
	"encoding/base64"
	"fmt"
	"log/slog"
	"net/http"
	"net/url"
	"strings"
	"sync"
	"time"

	"github.com/perennial-cvo/perennial/config/secret"
	"github.com/perennial-cvo/perennial/connectors"
	"github.com/perennial-cvo/perennial/connectors/httpapi"
)

// Kind is the kind of this connector in the configuration.
const Kind = "listmonk"

const (
	defaultBatch     = 500 // people looked up in one request
	largestBatch     = 500
	defaultListBatch = 5000 // people put on or taken off a list in one request
	defaultImport    = 1000 // from how many newcomers of a list on they come by an import
	connections      = 4    // listmonk writes attributes about three times faster over four connections than over one
	membersPage      = 1000
)

type settings struct {
	URL           string      `mapstructure:"url"`
	Username      string      `mapstructure:"username"`
	Token         secret.Text `mapstructure:"token"`
	CreateMissing bool        `mapstructure:"create_missing"`
	Batch         int         `mapstructure:"batch"`
	ListBatch     int         `mapstructure:"list_batch"`
	ImportFrom    int         `mapstructure:"import_from"`

	Mode connectors.Extent `mapstructure:"mode"`
}

// New returns the factory of this connector.
func New() connectors.Factory {
	return factory(0)
}

// factory lets tests shorten the back-off; 0 is the usual one.
func factory(backOff time.Duration) connectors.Factory {
	f := connectors.Factory{
		Kind: Kind, Title: "listmonk", NeedsConsent: true,
		Fields: []connectors.Field{
			{Name: "url", Title: "Address of listmonk", Help: "such as https://lists.example.com", Required: true},
			{Name: "username", Title: "API user", Help: "made under Admin > Users with type API", Required: true},
			{Name: "token", Title: "API token", Help: "shown once when the API user is made", Secret: true, Required: true},
			{Name: "mode", Title: "What is written", Help: "both, attributes (no lists) or lists (nothing in attributes)", Default: string(connectors.Both)},
			{Name: "create_missing", Title: "Create missing people", Help: "also create people whom listmonk does not know, where the shop or you say that they agreed", Default: "false"},
			{Name: "batch", Title: "People per look-up", Help: "1 to 500", Default: fmt.Sprint(defaultBatch)},
			{Name: "list_batch", Title: "People per list change", Help: "1 to 20000", Default: fmt.Sprint(defaultListBatch)},
			{Name: "import_from", Title: "Newcomers per import", Help: "from how many new people of one list on they are created by an import; 0 for never", Default: fmt.Sprint(defaultImport)},
		},
	}
	f.NewDestination = func(s connectors.Settings, deps connectors.Deps) (connectors.Destination, error) {
		return newDestination(f, s, deps, backOff)
	}
	return f
}

// destination is one listmonk. What it remembers is only what saves requests; every instance finds the same state.
type destination struct {
	api    *api
	log    *slog.Logger
	now    func() time.Time
	prefix string
	create bool
	plain  bool // http to another machine
	extent connectors.Extent

	listBatch  int
	importFrom int

	mu       sync.Mutex
	batch    int
	noSQL    bool            // the key may not send SQL conditions
	noImport bool            // the key may not import
	lists    map[string]list // ours, by audience key; nil until read
}

func newDestination(f connectors.Factory, raw connectors.Settings, deps connectors.Deps, backOff time.Duration) (connectors.Destination, error) {
	s := settings{Batch: defaultBatch, ListBatch: defaultListBatch, ImportFrom: defaultImport, Mode: connectors.Both}
	if err := f.Decode(raw, &s); err != nil {
		return nil, err
	}
	if err := s.check(); err != nil {
		return nil, refuse(err)
	}
	credentials := secret.New(base64.StdEncoding.EncodeToString([]byte(s.Username + ":" + s.Token.Reveal())))
	var client *httpapi.Client
	client, err := httpapi.New(httpapi.Options{
		BaseURL: s.URL, Deps: deps, Secrets: []secret.Text{s.Token, credentials}, Concurrency: connections, BackOff: backOff,
		Sign: func(r *http.Request) error {
			r.SetBasicAuth(s.Username, s.Token.Reveal())
			return nil
		},
		Classify: func(r httpapi.Response) *connectors.Error { return classify(r, client.Harmless) },
	})
	if err != nil {
		return nil, refuse(fmt.Errorf(`setting "url": %w`, err))
	}
	d := &destination{
		api: &api{client: client}, log: deps.Log, now: deps.Now, prefix: cmp.Or(deps.Prefix, "perennial"),
		create: s.CreateMissing, plain: isPlain(s.URL), extent: s.Mode,
		batch: s.Batch, listBatch: s.ListBatch, importFrom: s.ImportFrom,
	}
	if d.log == nil {
		d.log = slog.New(slog.DiscardHandler)
	}
	if d.now == nil {
		d.now = time.Now
	}
	if d.attributesOnly() {
		return rolled{d}, nil
	}
	return d, nil
}

// check names the first setting that is out of bounds.
func (s settings) check() error {
	switch {
	case s.Batch < 1 || s.Batch > largestBatch:
		return fmt.Errorf(`setting "batch" is %d: 1 to %d are possible`, s.Batch, largestBatch)
	case s.ListBatch < 1 || s.ListBatch > 20000:
		return fmt.Errorf(`setting "list_batch" is %d: 1 to 20000 are possible`, s.ListBatch)
	case s.ImportFrom < 0:
		return fmt.Errorf(`setting "import_from" is %d: 0 and more are possible`, s.ImportFrom)
	case s.Mode != connectors.Both && s.Mode != connectors.OnlyAttributes && s.Mode != connectors.OnlyLists:
		return fmt.Errorf(`setting "mode" is %q: both, attributes and lists are possible`, s.Mode)
	}
	return nil
}

// Extent says what the settings let be written.
func (d *destination) Extent() connectors.Extent { return d.extent }

// attributesOnly reports whether there are no lists, and audiences are an attribute.
func (d *destination) attributesOnly() bool { return d.extent == connectors.OnlyAttributes }

// BatchSize is how many people one list change holds: with so many at once, each list changes once.
func (d *destination) BatchSize() int { return d.listBatch }

func refuse(err error) error {
	return &connectors.Error{Kind: connectors.KindPermanent, Op: Kind + " settings", Err: err, Remedy: "correct this setting"}
}

// isPlain reports whether the token would travel readable over a network.
func isPlain(address string) bool {
	u, err := url.Parse(address)
	if err != nil || u.Scheme != "http" {
		return false
	}
	host := u.Hostname()
	return host != "localhost" && host != "::1" && !strings.HasPrefix(host, "127.")
}
