package listmonk

import (
	"encoding/json"
	"fmt"
	"net/http/httptest"
	"slices"
	"strconv"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/perennial-cvo/perennial/connectors"
	"github.com/perennial-cvo/perennial/connectors/commerce"
	"github.com/perennial-cvo/perennial/connectors/connectortest"
	"github.com/perennial-cvo/perennial/connectors/listmonk/listmonktest"
	"github.com/perennial-cvo/perennial/connectors/simulator"
)

const canary = "canary-token-4711"

// bench is a listmonk filled from an invented shop.
type bench struct {
	*listmonktest.Server
	url  string
	shop *simulator.Shop
}

func startBench(t *testing.T, permissions ...string) *bench {
	t.Helper()
	shop := simulator.New(simulator.Options{Customers: 40})
	options := listmonktest.Options{Username: "pusher", Token: canary}
	if len(permissions) > 0 {
		options.Permissions = permissions
	}
	b := &bench{Server: listmonktest.New(shop, options), shop: shop}
	server := httptest.NewServer(b.Server)
	t.Cleanup(server.Close)
	b.url = server.URL
	return b
}

func (b *bench) settings() connectors.Settings {
	return connectors.Settings{"url": b.url, "username": "pusher", "token": canary, "create_missing": true, "batch": 3, "list_batch": 3}
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

// state is everything in listmonk, ours apart from the rest.
func (b *bench) state() connectortest.State {
	s := connectortest.State{Ours: map[string]string{}, Foreign: map[string]string{}}
	ours := map[int]bool{}
	for _, l := range b.Lists() {
		ours[l.ID] = slices.Contains(l.Tags, "perennial")
		put(s, ours[l.ID], fmt.Sprintf("list %d", l.ID), fmt.Sprint(l.Name, l.Type, l.Optin, l.Tags))
	}
	for _, p := range b.People() {
		s.Foreign[p.Email] = fmt.Sprint(p.ID, p.Name, p.Status)
		for id, status := range p.Lists {
			put(s, ours[id], fmt.Sprintf("%s on list %d", p.Email, id), status)
		}
		for key, value := range p.Attribs {
			if text, _ := json.Marshal(value); value != nil {
				put(s, key == "perennial", p.Email+" "+key, string(text))
			}
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

func (b *bench) listID(a connectors.Audience) int {
	id, _ := strconv.Atoi(a.ID)
	return id
}

// members returns who is on a list and has not left it.
func (b *bench) members(a connectors.Audience) []string {
	var all []string
	for _, p := range b.People() {
		if status, there := p.Lists[b.listID(a)]; there && status != unsubscribed {
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

func (b *bench) rig(t *testing.T) connectortest.DestinationRig {
	return connectortest.DestinationRig{
		Settings: b.settings(), Secrets: []string{canary, "pusher:" + canary}, Batch: 3,
		Reachable: func(n int) []connectors.Person { return b.people(simulator.Subscribed)[:n] },
		Stranger:  func() connectors.Person { return connectors.Person{ID: 9001, Email: "stranger@example.com"} },
		Bad: func() (connectors.Person, commerce.ConsentState) {
			return connectors.Person{ID: 9002, Email: "two..dots@example.com"}, commerce.ConsentSubscribed
		},
		Members: b.members, State: b.state, Requests: b.requests,
		Fault: func(f connectortest.Fault) {
			b.Fault(listmonktest.Fault{Kind: listmonktest.FaultKind(f.Kind), Times: f.Times, RetryAfter: f.RetryAfter, Writes: f.Writes})
		},
		Revoke:   b.Revoke,
		Restrict: func() string { b.Restrict(listmonktest.SubscribersManage); return listmonktest.SubscribersManage },
		Unsubscribe: func(p connectors.Person, a connectors.Audience) {
			require.NoError(t, b.Unsubscribe(p.Email, b.listID(a)))
		},
		Delete:          func(p connectors.Person) { require.NoError(t, b.Delete(p.Email)) },
		Suppress:        func(p connectors.Person) { require.NoError(t, b.Blocklist(p.Email)) },
		Mailed:          func(a connectors.Audience) []string { return b.Mailed(b.listID(a)) },
		ForeignAudience: func() connectors.Audience { return connectors.Audience{Key: "x", ID: strconv.Itoa(b.Newsletter())} },
	}
}

// way is one way to use the connector.
type way struct {
	mode        connectors.Extent
	imports     bool     // every newcomer comes by an import
	permissions []string // all where nil
}

// TestDestination runs the suite in every mode, with and without the permission to send SQL conditions, and with imports.
func TestDestination(t *testing.T) {
	noSQL := []string{listmonktest.ListsGetAll, listmonktest.ListsManageAll, listmonktest.SubscribersGetAll, listmonktest.SubscribersManage}
	for name, w := range map[string]way{
		"both":                   {mode: connectors.Both},
		"both without SQL":       {mode: connectors.Both, permissions: noSQL},
		"both with imports":      {mode: connectors.Both, imports: true},
		"attributes":             {mode: connectors.OnlyAttributes},
		"attributes without SQL": {mode: connectors.OnlyAttributes, permissions: noSQL},
		"lists":                  {mode: connectors.OnlyLists},
		"lists with imports":     {mode: connectors.OnlyLists, imports: true},
	} {
		t.Run(name, func(t *testing.T) { connectortest.Destination(t, w.harness()) })
	}
}

func (w way) harness() connectortest.DestinationHarness {
	const (
		noJobs  = "below import_from newcomers everything is confirmed at once: no job is begun"
		noLists = "in mode attributes an audience is a value of an attribute and goes with the last person who carries it"
		noField = "in mode lists nothing is written to attributes, so nothing of them can be read back; TestModeLists shows who joins and leaves"
	)
	h := connectortest.DestinationHarness{Factory: factory(10 * time.Millisecond), Skips: map[string]string{}}
	if !w.imports {
		h.Skips[string(connectortest.JobStalls)] = noJobs
		h.Skips[string(connectortest.JobPartly)] = noJobs
		h.Skips[string(connectortest.JobDoesNone)] = noJobs
	}
	switch w.mode {
	case connectors.OnlyAttributes:
		h.Skips["remove"] = noLists
	case connectors.OnlyLists:
		h.Skips["join"], h.Skips["attributes"] = noField, noField
	}
	h.Start = func(t *testing.T) connectortest.DestinationRig {
		b := startBench(t, w.permissions...)
		rig := b.rig(t)
		rig.Settings["mode"] = string(w.mode)
		if w.imports {
			rig.Settings["import_from"] = 1
			rig.Now = hurry()
			rig.Job = func(f connectortest.JobFault) { b.SpoilImport(listmonktest.ImportFault(f)) }
			rig.JobPeople = newcomers
		}
		if w.mode == connectors.OnlyAttributes {
			rig.Members, rig.Mailed = b.carriers, b.mailedCarriers
			rig.Unsubscribe = func(p connectors.Person, _ connectors.Audience) {
				require.NoError(t, b.Unsubscribe(p.Email, b.Newsletter()))
			}
		}
		return rig
	}
	return h
}

// hurry is a clock by which five minutes pass between two looks.
func hurry() func() time.Time {
	var looks atomic.Int64
	return func() time.Time {
		return time.Date(2026, 11, 22, 3, 0, 0, 0, time.UTC).Add(time.Duration(looks.Add(1)) * 5 * time.Minute)
	}
}

// newcomers are people whom listmonk does not know and of whom the shop says that they agreed.
func newcomers(n int) []connectors.Change {
	var all []connectors.Change
	for i := range n {
		p := connectors.Person{ID: int64(8000 + i), Email: fmt.Sprintf("newcomer%d@example.com", i), FirstName: "New", LastName: "Comer"}
		all = append(all, connectors.Change{Person: p, Consent: commerce.ConsentSubscribed})
	}
	return all
}

// carriers returns whose attributes name an audience.
func (b *bench) carriers(a connectors.Audience) []string {
	emails := []string{}
	for _, p := range b.People() {
		object, _ := p.Attribs["perennial"].(map[string]any)
		if keys, _ := object["audiences"].([]any); slices.Contains(keys, any(a.Key)) {
			emails = append(emails, p.Email)
		}
	}
	return emails
}

// mailedCarriers returns whom a campaign to the newsletter would reach of those whose attributes name an audience.
func (b *bench) mailedCarriers(a connectors.Audience) []string {
	reached := b.Mailed(b.Newsletter())
	return slices.DeleteFunc(b.carriers(a), func(email string) bool { return !slices.Contains(reached, email) })
}
