// Package listmonk fills audiences in listmonk: one private single opt-in list for each, marked with a tag of ours, and
// one attributes object under our prefix on each person.
//
// What is special here is consent. Being on a list means being mailed, adding somebody to a second list forgets that they
// left the first, and several convenient calls of listmonk subscribe people again or wipe what others wrote. So this
// package never writes a status, never replaces a person, never selects people by a query on the writing side, reads
// everybody's rows before it writes, and withholds whoever left any list of ours.
package listmonk

import (
	"context"
	"encoding/base64"
	"fmt"
	"net/http"
	"net/url"
	"slices"
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
	defaultBatch     = 500  // people looked up in one request
	defaultListBatch = 5000 // people put on or taken off a list in one request
	largestBatch     = 500
	connections      = 4 // listmonk writes attributes about three times faster over four connections than over one
	membersPage      = 1000
)

type settings struct {
	URL           string      `mapstructure:"url"`
	Username      string      `mapstructure:"username"`
	Token         secret.Text `mapstructure:"token"`
	CreateMissing bool        `mapstructure:"create_missing"`
	Batch         int         `mapstructure:"batch"`
	ListBatch     int         `mapstructure:"list_batch"`
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
			{Name: "create_missing", Title: "Create missing people", Help: "also create people whom listmonk does not know, where the shop or you say that they agreed", Default: "false"},
			{Name: "batch", Title: "People per look-up", Help: "1 to 500", Default: fmt.Sprint(defaultBatch)},
			{Name: "list_batch", Title: "People per list change", Help: "1 to 20000", Default: fmt.Sprint(defaultListBatch)},
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
	prefix string
	create bool
	plain  bool // http to another machine

	listBatch int

	mu    sync.Mutex
	batch int
	noSQL bool            // the key may not send SQL conditions
	lists map[string]list // ours, by audience key; nil until read
}

func newDestination(f connectors.Factory, raw connectors.Settings, deps connectors.Deps, backOff time.Duration) (connectors.Destination, error) {
	s := settings{Batch: defaultBatch, ListBatch: defaultListBatch}
	if err := f.Decode(raw, &s); err != nil {
		return nil, err
	}
	if s.Batch < 1 || s.Batch > largestBatch {
		return nil, refuse(fmt.Errorf(`setting "batch" is %d: 1 to %d are possible`, s.Batch, largestBatch))
	}
	if s.ListBatch < 1 || s.ListBatch > 20000 {
		return nil, refuse(fmt.Errorf(`setting "list_batch" is %d: 1 to 20000 are possible`, s.ListBatch))
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
	if deps.Prefix == "" {
		deps.Prefix = "perennial"
	}
	return &destination{
		api: &api{client: client}, prefix: deps.Prefix, create: s.CreateMissing, plain: isPlain(s.URL),
		batch: s.Batch, listBatch: s.ListBatch,
	}, nil
}

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

// Check asks listmonk whether it is there, whether the token is right, and what its role may do. It finds permissions by
// asking for what cannot be done, such as a list without a name, so nothing is changed.
func (d *destination) Check(ctx context.Context) (connectors.Report, error) {
	var report connectors.Report
	if err := d.api.health(ctx); err != nil {
		return report, err
	}
	if err := d.checkRole(ctx, &report); err != nil {
		return report, err
	}
	if version := d.api.version(ctx); version != "" {
		report.Shop.Platform = "listmonk " + version
		report.Findings = append(report.Findings, connectors.Finding{Subject: "version", Text: "listmonk " + version})
	}
	if d.plain {
		report.Findings = append(report.Findings, connectors.Finding{
			Level: connectors.Notice, Subject: "connection", Text: "the token travels unencrypted over http",
			Remedy: "use an https address",
		})
	}
	return report, nil
}

// probe is one permission and a request that needs it and changes nothing.
type probe struct {
	permission string
	level      connectors.Level
	missing    string // what does not work without it
	ask        func(context.Context) error
}

func (d *destination) checkRole(ctx context.Context, report *connectors.Report) error {
	var ours []list
	visible := 0
	probes := []probe{
		{"lists:get_all", connectors.Problem, "lists cannot be found again", func(ctx context.Context) (err error) {
			if visible, err = d.api.countLists(ctx); err == nil && visible > 0 {
				ours, err = d.tagged(ctx)
			}
			return err
		}},
		{"lists:manage_all", connectors.Problem, "lists cannot be made", d.api.tryCreateList},
		{"subscribers:get_all", connectors.Problem, "people cannot be looked up", d.api.tryReadPeople},
		{"subscribers:manage", connectors.Problem, "people cannot be put on lists", d.api.tryManagePeople},
		{"subscribers:sql_query", connectors.Notice, "people are looked up one by one, which is slow", d.api.trySQL},
	}
	for _, p := range probes {
		finding := connectors.Finding{Subject: "permission " + p.permission, Text: "granted"}
		err := p.ask(ctx)
		switch {
		case isMissing(err), err == nil && p.permission == "lists:get_all" && visible == 0:
			finding.Level, finding.Text = p.level, "missing: "+p.missing
			finding.Remedy = "grant " + p.permission + " to the API user's role under Admin > User roles"
		case err != nil:
			return err
		}
		report.Findings = append(report.Findings, finding)
	}
	i := slices.IndexFunc(ours, func(l list) bool { return l.Optin != single })
	if i >= 0 {
		report.Findings = append(report.Findings, connectors.Finding{
			Level: connectors.Problem, Subject: "list " + ours[i].Name, Text: "it is double opt-in: people on it would be sent a request to confirm",
			Remedy: "set its opt-in to single",
		})
	}
	return nil
}
