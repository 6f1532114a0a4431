package brevo

import (
	"fmt"
	"net/http/httptest"
	"os"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/perennial-cvo/perennial/connectors"
	"github.com/perennial-cvo/perennial/connectors/brevo/brevotest"
	"github.com/perennial-cvo/perennial/connectors/commerce"
	"github.com/perennial-cvo/perennial/connectors/connectortest"
	"github.com/perennial-cvo/perennial/connectors/connectortest/openapitest"
	"github.com/perennial-cvo/perennial/connectors/simulator"
)

const canary = "xkeysib-canary-4711"

// hurry makes everything quick that waits for the clock.
var hurry = tuning{backOff: 10 * time.Millisecond, poll: time.Millisecond, stalled: 1500 * time.Millisecond, highest: 5000}

// bench is a Brevo filled from an invented shop.
type bench struct {
	*brevotest.Server
	url  string
	shop *simulator.Shop
	set  connectors.Settings
}

// startBench starts one. Where the reference is at hand, every exchange of the test is judged by it.
func startBench(t *testing.T, changes ...func(*brevotest.Options)) *bench {
	t.Helper()
	options := brevotest.Options{APIKey: canary, Rate: 100_000, Hourly: 100_000, Now: time.Now}
	if os.Getenv("PERENNIAL_REFERENCE_DIR") != "" || os.Getenv("PERENNIAL_REQUIRE_REFERENCE") == "1" {
		options.Validate = openapitest.New(t, "brevo-trimmed-fixed.json").Check
	}
	for _, change := range changes {
		change(&options)
	}
	shop := simulator.New(simulator.Options{Customers: 40})
	b := &bench{Server: brevotest.New(shop, options), shop: shop}
	server := httptest.NewServer(b.Server)
	t.Cleanup(server.Close)
	t.Cleanup(func() { require.Empty(t, b.Complaints(), "exchanges that do not fit Brevo's own reference") })
	b.url = server.URL + "/v3"
	b.set = connectors.Settings{"url": b.url, "api_key": canary, "create_missing": true, "batch": 3, "rate": 5000, "import_from": 0}
	return b
}

// people returns those of the shop whose newsletter state is the given one.
func (b *bench) people(state simulator.SubscriberState) []connectors.Person {
	var all []connectors.Person
	for i, s := range b.shop.Subscribers() {
		if s.State == state {
			all = append(all, connectors.Person{ID: int64(i + 1), Email: s.Email, FirstName: s.Name})
		}
	}
	return all
}

// state is everything in Brevo, ours apart from the rest.
func (b *bench) state() connectortest.State {
	s := connectortest.State{Ours: map[string]string{}, Foreign: map[string]string{}}
	ours := map[int64]bool{}
	for _, l := range b.Lists() {
		ours[l.ID] = l.Folder == "perennial"
		put(s, ours[l.ID], fmt.Sprintf("list %d", l.ID), l.Name)
	}
	for _, p := range b.People() {
		s.Foreign[p.Email] = fmt.Sprint(p.ID, p.Blacklisted)
		for _, id := range p.Lists {
			put(s, ours[id], fmt.Sprintf("%s on list %d", p.Email, id), fmt.Sprint(slices.Contains(p.Left, id)))
		}
		for name, value := range p.Attributes {
			put(s, strings.HasPrefix(name, "PERENNIAL_"), p.Email+" "+name, fmt.Sprint(value))
		}
	}
	return s
}

func put(s connectortest.State, ours bool, key, value string) {
	if ours {
		s.Ours[key] = value
	} else {
		s.Foreign[key] = value
	}
}

func idOf(a connectors.Audience) int64 {
	id, _ := strconv.ParseInt(a.ID, 10, 64)
	return id
}

// members returns who is on a list and has not left it.
func (b *bench) members(a connectors.Audience) []string {
	var all []string
	for _, p := range b.People() {
		if slices.Contains(p.Lists, idOf(a)) && !slices.Contains(p.Left, idOf(a)) {
			all = append(all, p.Email)
		}
	}
	return all
}

func (b *bench) requests() []connectortest.Request {
	var all []connectortest.Request
	for _, r := range b.Requests() {
		all = append(all, connectortest.Request{Method: r.Method, Path: r.Path, Body: r.Body, Status: r.Status, Write: r.Write})
	}
	return all
}

func (b *bench) rig() connectortest.DestinationRig {
	return connectortest.DestinationRig{
		Settings: b.set, Secrets: []string{canary}, Batch: 3,
		Reachable: func(n int) []connectors.Person { return b.people(simulator.Subscribed)[:n] },
		Stranger:  func() connectors.Person { return connectors.Person{ID: 9001, Email: "stranger@example.com"} },
		Bad: func() (connectors.Person, commerce.ConsentState) {
			return connectors.Person{ID: 9002, Email: "two..dots@example.com"}, commerce.ConsentSubscribed
		},
		Members: b.members, State: b.state, Requests: b.requests,
		Fault: func(f connectortest.Fault) {
			b.Fault(brevotest.Fault{Kind: brevotest.FaultKind(f.Kind), Times: f.Times, RetryAfter: f.RetryAfter, Writes: f.Writes})
		},
		Revoke: b.Revoke,
		Unsubscribe: func(p connectors.Person, a connectors.Audience) {
			_ = b.Unsubscribe(p.Email, idOf(a))
		},
		Delete:          func(p connectors.Person) { _ = b.Delete(p.Email) },
		Suppress:        func(p connectors.Person) { _ = b.Blacklist(p.Email) },
		Mailed:          func(a connectors.Audience) []string { return b.Mailed(idOf(a)) },
		ForeignAudience: func() connectors.Audience { return connectors.Audience{Key: "x", ID: fmt.Sprint(b.Newsletter())} },
		Job:             func(f connectortest.JobFault) { b.Job(brevotest.JobFault(f)) },
	}
}

func harness(importFrom int) connectortest.DestinationHarness {
	return connectortest.DestinationHarness{
		Factory: factory(hurry),
		Start: func(t *testing.T) connectortest.DestinationRig {
			b := startBench(t)
			b.set["import_from"] = importFrom
			return b.rig()
		},
		Skips: map[string]string{
			"missing permission is named": "a key of Brevo may do everything or nothing: it has no permissions to take away",
		},
	}
}

// TestDestination runs the suite with few people, who are updated at once.
func TestDestination(t *testing.T) {
	h := harness(0)
	withoutJobs(h)
	connectortest.Destination(t, h)
}

func withoutJobs(h connectortest.DestinationHarness) {
	for _, fault := range []connectortest.JobFault{connectortest.JobStalls, connectortest.JobPartly, connectortest.JobDoesNone} {
		h.Skips[string(fault)] = "updates are confirmed at once; TestDestinationByImport has the jobs"
	}
}

// TestDestinationByImport runs the same suite with everybody who joins a list imported.
func TestDestinationByImport(t *testing.T) { connectortest.Destination(t, harness(1)) }
