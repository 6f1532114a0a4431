package klaviyo

import (
	"fmt"
	"net/http"
	"net/http/httptest"
	"os"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/perennial-cvo/perennial/connectors"
	"github.com/perennial-cvo/perennial/connectors/commerce"
	"github.com/perennial-cvo/perennial/connectors/connectortest"
	"github.com/perennial-cvo/perennial/connectors/connectortest/openapitest"
	"github.com/perennial-cvo/perennial/connectors/klaviyo/klaviyotest"
	"github.com/perennial-cvo/perennial/connectors/simulator"
)

const canary = "pk_canary_4711"

// quick are times fit for tests, and impatient ones for the suite, in which an import stalls.
var (
	quick     = timing{backOff: 10 * time.Millisecond, stall: time.Minute, poll: time.Millisecond, grace: 100 * time.Millisecond}
	impatient = timing{backOff: 10 * time.Millisecond, stall: 5 * time.Second, poll: time.Millisecond, grace: 100 * time.Millisecond}
)

// bench is a Klaviyo filled from an invented shop.
type bench struct {
	*klaviyotest.Server
	url  string
	shop *simulator.Shop
}

// judge returns what judges exchanges by a file of Klaviyo's, or nil where there are no files.
func judge(t *testing.T, file string) func(*http.Request, []byte, int, http.Header, []byte) error {
	t.Helper()
	if os.Getenv("PERENNIAL_REFERENCE_DIR") == "" && os.Getenv("PERENNIAL_REQUIRE_REFERENCE") != "1" {
		t.Log("PERENNIAL_REFERENCE_DIR is unset: nothing is held against Klaviyo's own file")
		return nil
	}
	return openapitest.New(t, file).Check
}

// startBench starts one whose every exchange is judged by Klaviyo's own file, where that can be had.
func startBench(t *testing.T, options ...klaviyotest.Options) *bench {
	t.Helper()
	o := klaviyotest.Options{}
	if len(options) > 0 {
		o = options[0]
	}
	o.Key = canary
	if o.Judge == nil {
		o.Judge = judge(t, "klaviyo-trimmed.json")
	}
	shop := simulator.New(simulator.Options{Customers: 40})
	if o.Now == nil {
		o.Now = time.Now
	}
	b := &bench{Server: klaviyotest.New(shop, o), shop: shop}
	server := httptest.NewServer(b.Server)
	t.Cleanup(server.Close)
	t.Cleanup(func() {
		for _, err := range b.Wrong() {
			t.Errorf("Klaviyo's own file says: %v", err)
		}
	})
	b.url = server.URL
	return b
}

func (b *bench) settings() connectors.Settings {
	return connectors.Settings{"url": b.url, "api_key": canary, "create_missing": true, "batch": 3, "list_batch": 3}
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

// state is everything in Klaviyo, ours apart from the rest.
func (b *bench) state() connectortest.State {
	s := connectortest.State{Ours: map[string]string{}, Foreign: map[string]string{}}
	put := func(ours bool, key, value string) {
		if ours {
			s.Ours[key] = value
		} else {
			s.Foreign[key] = value
		}
	}
	for _, l := range b.Lists() {
		ours := strings.HasPrefix(l.Name, "perennial: ")
		put(ours, "list "+l.ID, l.Name+" "+l.OptIn)
		for _, email := range l.Members {
			put(ours, email+" on list "+l.ID, "is there")
		}
	}
	for _, p := range b.People() {
		s.Foreign[p.Email] = fmt.Sprint(p.ID, p.Name, p.Consent, p.Suppressed, p.Left)
		for name, value := range p.Properties {
			put(strings.HasPrefix(name, "perennial_"), p.Email+" "+name, fmt.Sprint(value))
		}
	}
	return s
}

// members returns who is in an audience, be it a list or a property.
func (b *bench) members(a connectors.Audience) []string {
	var all []string
	if key, is := strings.CutPrefix(a.ID, propertyID); is {
		for _, p := range b.People() {
			list, _ := p.Properties["perennial_audiences"].([]any)
			if slices.Contains(list, any(key)) && p.Consent != unsubscribed {
				all = append(all, p.Email)
			}
		}
	}
	for _, l := range b.Lists() {
		if l.ID == a.ID {
			all = append(all, l.Members...)
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

func (b *bench) rig(t *testing.T) connectortest.DestinationRig {
	return connectortest.DestinationRig{
		Settings: b.settings(), Secrets: []string{canary}, Batch: 3,
		Reachable: func(n int) []connectors.Person { return b.people(simulator.Subscribed)[:n] },
		Stranger:  func() connectors.Person { return connectors.Person{ID: 9001, Email: "stranger@example.com"} },
		Bad: func() (connectors.Person, commerce.ConsentState) {
			return connectors.Person{ID: 9002, Email: "two..dots@example.com"}, commerce.ConsentSubscribed
		},
		Members: b.members, State: b.state, Requests: b.requests,
		Fault: func(f connectortest.Fault) {
			b.Fault(klaviyotest.Fault{Kind: klaviyotest.FaultKind(f.Kind), Times: f.Times, RetryAfter: f.RetryAfter, Writes: f.Writes})
		},
		Revoke:   b.Revoke,
		Restrict: func() string { b.Restrict("profiles:write"); return "profiles:write" },
		Unsubscribe: func(p connectors.Person, a connectors.Audience) {
			require.NoError(t, b.UnsubscribeFrom(p.Email, a.ID))
		},
		Delete:          func(p connectors.Person) { require.NoError(t, b.Delete(p.Email)) },
		Suppress:        func(p connectors.Person) { require.NoError(t, b.Suppress(p.Email, "HARD_BOUNCE")) },
		Mailed:          func(a connectors.Audience) []string { return b.Mailed(a.ID) },
		ForeignAudience: func() connectors.Audience { return connectors.Audience{Key: "x", ID: b.Newsletter()} },
		Job:             func(f connectortest.JobFault) { b.FailJob(klaviyotest.JobFault(f)) },
	}
}

func TestDestination(t *testing.T) {
	connectortest.Destination(t, connectortest.DestinationHarness{
		Factory: factory(impatient),
		Start:   func(t *testing.T) connectortest.DestinationRig { return startBench(t).rig(t) },
	})
}
