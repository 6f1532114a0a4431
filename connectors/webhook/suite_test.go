package webhook

import (
	"encoding/base64"
	"fmt"
	"net/http/httptest"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/perennial-cvo/perennial/connectors"
	"github.com/perennial-cvo/perennial/connectors/commerce"
	"github.com/perennial-cvo/perennial/connectors/connectortest"
	"github.com/perennial-cvo/perennial/connectors/webhook/webhooktest"
)

// canary is the key of the tests in base64.
var canary = base64.StdEncoding.EncodeToString([]byte("a key of thirty-two bytes or so!"))

const batch = 3

// bench is a receiver and where it listens.
type bench struct {
	*webhooktest.Server
	url string
}

func startBench(t *testing.T, change ...func(*webhooktest.Options)) *bench {
	t.Helper()
	options := webhooktest.Options{
		Secret: secretPrefix + canary, Own: map[string]string{"own@example.com": "a contact of the owner's"},
		Refuse: func(email string) string {
			if strings.Contains(email, "..") {
				return "the address " + email + " is malformed"
			}
			return ""
		},
	}
	for _, apply := range change {
		apply(&options)
	}
	b := &bench{Server: webhooktest.New(options)}
	server := httptest.NewServer(b.Server)
	t.Cleanup(server.Close)
	b.url = server.URL + "/hooks/perennial"
	return b
}

func (b *bench) settings() connectors.Settings {
	return connectors.Settings{"url": b.url, "secret": secretPrefix + canary, "batch": batch, "send_unknown": true}
}

func people(n int) []connectors.Person {
	all := make([]connectors.Person, n)
	for i := range all {
		all[i] = connectors.Person{ID: int64(i + 1), CustomerID: fmt.Sprint(1000 + i), Email: fmt.Sprintf("p%d@example.com", i)}
	}
	return all
}

// state is what the receiver holds, told by us and of its own.
func (b *bench) state() connectortest.State {
	s := connectortest.State{Ours: map[string]string{}, Foreign: b.Own()}
	for _, c := range b.Contacts() {
		s.Ours[c.Email] = fmt.Sprint(c.ID, c.CustomerID, c.Consent, c.Audiences, c.Attributes)
	}
	for _, n := range b.News() {
		s.Ours[n.ID] = fmt.Sprint(n.Email, n.What, n.Audience)
	}
	return s
}

func (b *bench) members(a connectors.Audience) []string {
	var all []string
	for _, c := range b.Contacts() {
		if slices.Contains(c.Audiences, a.ID) {
			all = append(all, c.Email)
		}
	}
	return all
}

func (b *bench) attributes(p connectors.Person) map[string]string {
	for _, c := range b.Contacts() {
		if c.Email == p.Email {
			return c.Attributes
		}
	}
	return nil
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
		Settings: b.settings(), Secrets: []string{canary, "a key of thirty-two bytes or so!"}, Batch: batch, Reachable: people,
		Bad: func() (connectors.Person, commerce.ConsentState) {
			return connectors.Person{ID: 9002, Email: "two..dots@example.com"}, commerce.ConsentSubscribed
		},
		Members: b.members, Attributes: b.attributes, State: b.state, Requests: b.requests, Revoke: b.Revoke,
		Fault: func(f connectortest.Fault) {
			b.Fault(webhooktest.Fault{Kind: webhooktest.FaultKind(f.Kind), Times: f.Times, RetryAfter: f.RetryAfter, Writes: f.Writes})
		},
	}
}

func TestDestination(t *testing.T) {
	const noJobs, noLists = "a receiver answers at once: this destination starts no jobs", "an audience is a word in a message, and nothing that could be removed"
	skips := map[string]string{
		"missing permission is named": "a secret has no permissions",
		"remove":                      noLists, "remove spares what is not ours": noLists,
		string(connectortest.JobStalls): noJobs, string(connectortest.JobPartly): noJobs, string(connectortest.JobDoesNone): noJobs,
	}
	for _, name := range connectortest.ReadBackTests() {
		skips[name] = "a receiver tells nothing back; TestConsent says who is not sent"
	}
	connectortest.Destination(t, connectortest.DestinationHarness{
		Factory: factory(10 * time.Millisecond), Skips: skips,
		Start: func(t *testing.T) connectortest.DestinationRig { return startBench(t).rig() },
	})
}
