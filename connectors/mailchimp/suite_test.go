package mailchimp

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
	"github.com/perennial-cvo/perennial/connectors/commerce"
	"github.com/perennial-cvo/perennial/connectors/connectortest"
	"github.com/perennial-cvo/perennial/connectors/connectortest/openapitest"
	"github.com/perennial-cvo/perennial/connectors/mailchimp/mailchimptest"
	"github.com/perennial-cvo/perennial/connectors/simulator"
)

const (
	canary = "canarykey4711canarykey-us21"
	file   = "mailchimp-trimmed.json"
)

// Waits for tests: quick gives up a batch that stands still, patient waits for one that a busy machine works on.
var (
	quick   = timing{backOff: 10 * time.Millisecond, poll: time.Millisecond, stall: 2 * time.Second}
	patient = timing{backOff: 10 * time.Millisecond, poll: time.Millisecond, stall: time.Hour}
)

// unjudged leaves the OpenAPI file aside where there are so many of the same exchanges that it would take long.
func unjudged(o *mailchimptest.Options) { o.Validate = nil }

// validator judges by the OpenAPI file. Where that is not here and nobody demands it, the rest is tested without it.
func validator(t *testing.T) mailchimptest.Validator {
	t.Helper()
	if os.Getenv("PERENNIAL_REFERENCE_DIR") == "" && os.Getenv("PERENNIAL_REQUIRE_REFERENCE") != "1" {
		return nil
	}
	return openapitest.New(t, file).Check
}

// bench is an audience filled from an invented shop, every exchange of which is judged by the OpenAPI file.
type bench struct {
	*mailchimptest.Server
	url  string
	shop *simulator.Shop
	bulk int // the setting bulk_from
}

// TestExchangesAreJudged shows by a skip or a failure that the OpenAPI file is not here, and else that what it does not allow
// is seen.
func TestExchangesAreJudged(t *testing.T) {
	server := mailchimptest.New(nil, mailchimptest.Options{Validate: openapitest.New(t, file).Check})
	ask := func(method, path, body string) {
		r := httptest.NewRequest(method, "/3.0/lists/"+server.Audience()+path, strings.NewReader(body))
		r.SetBasicAuth(user, server.Key())
		r.Header.Set("Content-Type", "application/json")
		server.ServeHTTP(httptest.NewRecorder(), r)
	}
	ask("GET", "/members?count=1000", "")
	require.Empty(t, server.Violations())
	ask("GET", "/members?count=1001", "")
	ask("PUT", "/members/x", `{"email_address":"a@example.com","status_if_new":"perhaps"}`)
	ask("POST", "/segments", `{}`)
	require.Len(t, server.Violations(), 3)
}

func startBench(t *testing.T, options ...func(*mailchimptest.Options)) *bench {
	t.Helper()
	shop := simulator.New(simulator.Options{Customers: 40})
	o := mailchimptest.Options{Key: canary, Validate: validator(t)}
	for _, change := range options {
		change(&o)
	}
	b := &bench{Server: mailchimptest.New(shop, o), shop: shop, bulk: 1000}
	server := httptest.NewServer(b.Server)
	t.Cleanup(func() {
		server.Close()
		require.Empty(t, b.Violations(), "the OpenAPI file does not allow it")
	})
	b.url = server.URL
	return b
}

func (b *bench) settings(more ...connectors.Settings) connectors.Settings {
	s := connectors.Settings{
		"api_key": canary, "audience": b.Audience(), "url": b.url + "/3.0", "create_missing": true, "bulk_from": b.bulk,
		"batch": 3, "tag_batch": 3,
	}
	for _, some := range more {
		for key, value := range some {
			s[key] = value
		}
	}
	return s
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

// state is everything in the audience, ours apart from the rest.
func (b *bench) state() connectortest.State {
	s := connectortest.State{Ours: map[string]string{}, Foreign: map[string]string{}}
	tags, fields := map[int]bool{}, map[string]bool{}
	for _, tag := range b.Tags() {
		tags[tag.ID] = tag.Type == "static" && strings.HasPrefix(tag.Name, "perennial: ")
		put(s, tags[tag.ID], fmt.Sprintf("tag %d", tag.ID), tag.Name)
	}
	for _, f := range b.Fields() {
		fields[f.Tag] = strings.HasPrefix(f.Name, "perennial: ")
		put(s, fields[f.Tag], "field "+f.Tag, f.Name)
	}
	for _, c := range b.Contacts() {
		s.Foreign[c.Email] = c.Status
		for _, tag := range c.Tags {
			put(s, tags[tag], fmt.Sprintf("%s has tag %d", c.Email, tag), "yes")
		}
		for tag, value := range c.Fields {
			put(s, fields[tag], c.Email+" "+tag, value)
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

func tagID(a connectors.Audience) int {
	id, _ := strconv.Atoi(a.ID)
	return id
}

func (b *bench) contact(t require.TestingT, email string) mailchimptest.Contact {
	all := b.Contacts()
	i := slices.IndexFunc(all, func(c mailchimptest.Contact) bool { return c.Email == email })
	require.GreaterOrEqual(t, i, 0, "no contact %s", email)
	return all[i]
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
		Settings: b.settings(), Secrets: []string{canary, user + ":" + canary}, Batch: 3,
		Reachable: func(n int) []connectors.Person { return b.people(simulator.Subscribed)[:n] },
		Stranger:  func() connectors.Person { return connectors.Person{ID: 9001, Email: "stranger@example.com"} },
		Bad: func() (connectors.Person, commerce.ConsentState) {
			return connectors.Person{ID: 9002, Email: "two..dots@example.com"}, commerce.ConsentSubscribed
		},
		Members: func(a connectors.Audience) []string { return b.Mailed(tagID(a)) },
		Mailed:  func(a connectors.Audience) []string { return b.Mailed(tagID(a)) },
		State:   b.state, Requests: b.requests,
		Fault: func(f connectortest.Fault) {
			b.Fault(mailchimptest.Fault{Kind: mailchimptest.FaultKind(f.Kind), Times: f.Times, RetryAfter: f.RetryAfter, Writes: f.Writes})
		},
		Revoke: b.Revoke, Restrict: func() string { b.Restrict(); return role },
		Unsubscribe: func(p connectors.Person, _ connectors.Audience) {
			require.NoError(t, b.SetStatus(p.Email, mailchimptest.Unsubscribed))
		},
		Delete:          func(p connectors.Person) { require.NoError(t, b.Delete(p.Email)) },
		Suppress:        func(p connectors.Person) { require.NoError(t, b.SetStatus(p.Email, mailchimptest.Cleaned)) },
		ForeignAudience: func() connectors.Audience { return connectors.Audience{Key: "x", ID: strconv.Itoa(b.Tags()[0].ID)} },
		Job:             func(f connectortest.JobFault) { b.FailBatch(mailchimptest.BatchFault(f)) },
	}
}

// TestDestination runs the suite in every mode, with everything written one by one, and with everything written by batches.
func TestDestination(t *testing.T) {
	const (
		noJobs  = "below bulk_from people are written at once, and tags always: no batch is begun"
		noTags  = "in mode attributes an audience is a value of a merge field and goes with the last person who carries it"
		noField = "in mode lists nothing is written to profiles, so nothing of it can be read back; TestModes shows who joins and leaves"
	)
	jobs := []string{string(connectortest.JobStalls), string(connectortest.JobPartly), string(connectortest.JobDoesNone)}
	for _, way := range []struct {
		mode  connectors.Extent
		bulk  int
		why   string
		skips []string
	}{
		{connectors.Both, 1000, noJobs, jobs},
		{connectors.Both, 1, "", nil},
		{connectors.OnlyAttributes, 1000, noJobs, jobs},
		{connectors.OnlyAttributes, 1, "", nil},
		{connectors.OnlyLists, 1, noJobs, jobs},
	} {
		skips := map[string]string{}
		for _, name := range way.skips {
			skips[name] = way.why
		}
		switch way.mode {
		case connectors.OnlyAttributes:
			skips["remove"] = noTags
		case connectors.OnlyLists:
			skips["join"], skips["attributes"] = noField, noField
		}
		t.Run(fmt.Sprintf("%s from %d", way.mode, way.bulk), func(t *testing.T) {
			connectortest.Destination(t, connectortest.DestinationHarness{
				Factory: factory(quick), Skips: skips,
				Start: func(t *testing.T) connectortest.DestinationRig {
					b := startBench(t)
					b.bulk = way.bulk
					rig := b.rig(t)
					rig.Settings["mode"] = string(way.mode)
					if way.mode == connectors.OnlyAttributes {
						rig.Members, rig.Mailed = b.named, b.named
					}
					return rig
				},
			})
		})
	}
}

// named returns who is subscribed and carries the merge field that names the audience, as a search of Mailchimp's does.
func (b *bench) named(a connectors.Audience) []string {
	emails := []string{}
	for _, c := range b.Contacts() {
		if c.Status == mailchimptest.Subscribed && strings.Contains(c.Fields["PE_AUDIENC"], ","+a.Key+",") {
			emails = append(emails, c.Email)
		}
	}
	return emails
}
