package listmonk

import (
	"fmt"
	"net/http"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/perennial-cvo/perennial/connectors"
	"github.com/perennial-cvo/perennial/connectors/commerce"
	"github.com/perennial-cvo/perennial/connectors/simulator"
)

// The traps of consent that listmonk has, one by one: each of these tests fails where a connector does the obvious thing.
// That leaving one segment is forgotten by joining another is TestOneClickUnsubscribeHoldsForEverySegment.

func TestTakingOffAndPuttingOnAgainForgetsNobodyWhoLeft(t *testing.T) {
	b := startBench(t)
	d, p := b.open(t), b.people(simulator.Subscribed)[0]
	list := ensure(t, d, champions)[0]
	apply(t, d, join(p, champions))
	require.NoError(t, b.Unsubscribe(p.Email, b.listID(list)))
	for range 2 {
		apply(t, d, connectors.Change{Person: p, Leave: []string{champions.Key}})
		require.Equal(t, unsubscribed, b.person(t, p.Email).Lists[b.listID(list)], "a row that remembers is not taken away")
		apply(t, d, join(p, champions))
		require.NotContains(t, b.Mailed(b.listID(list)), p.Email)
	}
}

func TestPuttingOnListsSendsNoStatus(t *testing.T) {
	b := startBench(t)
	d, p := b.open(t), b.people(simulator.Subscribed)[0]
	list := ensure(t, d, champions)[0]
	before(t, b, func(_ http.ResponseWriter, r *http.Request) bool { // they leave in the very last moment
		if r.Method == "PUT" && r.URL.Path == "/api/subscribers/lists" {
			require.NoError(t, b.Subscribe(p.Email, b.listID(list), unsubscribed))
		}
		return false
	})
	apply(t, b.open(t), join(p, champions))
	require.NotContains(t, b.Mailed(b.listID(list)), p.Email, "with a status they would be subscribed again")
}

func TestUnconfirmedOnADoubleOptinListIsNoConsent(t *testing.T) {
	b := startBench(t)
	d := b.open(t)
	list := ensure(t, d, champions)[0]
	double, single := b.AddList("Double", "double"), b.AddList("Single", "single")
	asked, joined := connectors.Person{ID: 1, Email: "asked@example.com"}, connectors.Person{ID: 2, Email: "joined@example.com"}
	require.NoError(t, b.Subscribe(asked.Email, double, ""))
	require.NoError(t, b.Subscribe(joined.Email, single, ""))
	require.Equal(t, connectors.ReasonNoConsent, apply(t, d, join(asked, champions)).Reason, "they never confirmed")
	require.Equal(t, connectors.Delivered, apply(t, d, join(joined, champions)).State, "single opt-in lists mail them")
	require.Equal(t, []string{joined.Email}, b.Mailed(b.listID(list)))
}

func TestDisabledPeopleArePutOnNoList(t *testing.T) {
	b := startBench(t)
	d, p := b.open(t), b.people(simulator.Subscribed)[0]
	list := ensure(t, d, champions)[0]
	apply(t, d, join(p, champions))
	require.NoError(t, b.SetStatus(p.Email, "disabled"))
	require.Contains(t, b.Mailed(b.listID(list)), p.Email, "listmonk goes on mailing them")
	for range 2 {
		require.Equal(t, connectors.ReasonSuppressed, apply(t, d, join(p, champions)).Reason)
		require.NotContains(t, b.Mailed(b.listID(list)), p.Email)
	}
	require.Equal(t, "disabled", b.person(t, p.Email).Status)
}

func TestBlocklistedPeopleStayBlocklisted(t *testing.T) {
	b := startBench(t)
	d, p := b.open(t), b.people(simulator.Subscribed)[0]
	list := ensure(t, d, champions)[0]
	require.NoError(t, b.Blocklist(p.Email))
	c := join(p, champions)
	c.Consent = commerce.ConsentSubscribed
	require.Equal(t, connectors.ReasonSuppressed, apply(t, d, c).Reason)
	apply(t, d, connectors.Change{Person: p, Leave: []string{champions.Key}, Drop: []string{"rfm"}})
	require.Equal(t, "blocklisted", b.person(t, p.Email).Status)
	require.NotContains(t, b.person(t, p.Email).Lists, b.listID(list))
}

// TestNobodyIsSentAnOptinMail brings people whom listmonk knows and newcomers, by imports and singly, while lists of ours
// were made double opt-in by hand.
func TestNobodyIsSentAnOptinMail(t *testing.T) {
	for name, imports := range map[string]int{"imports": 1, "singly": 0} {
		t.Run(name, func(t *testing.T) {
			b := startBench(t)
			settings := connectors.Settings{"import_from": imports}
			d := b.open(t, settings)
			list := ensure(t, d, champions)[0]
			changes := append(welcome(3, champions), join(b.people(simulator.Subscribed)[0], champions))
			result, err := d.Apply(t.Context(), changes)
			require.NoError(t, err)
			b.follow(t, result, settings)
			require.Len(t, b.members(list), 4)
			tags := []string{"perennial", "perennial:champions"}
			b.call(t, "PUT", "/api/lists/"+list.ID, map[string]any{"name": "perennial: Champions", "optin": "double", "tags": tags})
			more := newcomers(5)[4]
			more.Audiences = []string{champions.Key}
			_, err = b.open(t, settings).Apply(t.Context(), []connectors.Change{more})
			require.ErrorContains(t, err, "double opt-in")
			_, err = b.open(t, settings).Ensure(t.Context(), []connectors.Audience{list})
			require.ErrorContains(t, err, "double opt-in")
			require.Empty(t, b.OptinMails())
		})
	}
}

// TestAttributesArePatchedAndNothingElse: PUT would take everybody off the blocklist and wipe lists and attributes, and lists
// sent with a PATCH would replace all others.
func TestAttributesArePatchedAndNothingElse(t *testing.T) {
	b := startBench(t)
	d, p := b.open(t), b.people(simulator.Subscribed)[0]
	ensure(t, d, champions)
	before := b.person(t, p.Email)
	apply(t, d, connectors.Change{Person: p, Attributes: map[string]string{"rfm": "111"}})
	after := b.person(t, p.Email)
	require.Equal(t, before.Lists, after.Lists)
	require.Equal(t, before.Name, after.Name)
	require.Equal(t, before.Attribs["shoe_size"], after.Attribs["shoe_size"])
	for _, r := range b.Requests() {
		if strings.HasPrefix(r.Path, fmt.Sprintf("/api/subscribers/%d", after.ID)) {
			require.Equal(t, "PATCH", r.Method)
			require.JSONEq(t, `{"attribs":{"perennial":{"rfm":"111"}}}`, r.Body)
		}
	}
	require.Equal(t, 1, b.asked("PATCH", ""))
}

// TestNoRequestMeansEverybody: without people, without a list or without a condition, listmonk takes a request to be about
// everybody, and empties lists.
func TestNoRequestMeansEverybody(t *testing.T) {
	b := startBench(t)
	d := b.open(t)
	ensure(t, d, champions)
	everybody := b.state()
	_, err := d.Apply(t.Context(), []connectors.Change{{Person: connectors.Person{ID: 1}}, {Person: connectors.Person{ID: 2, Email: "nobody@example.com"}}})
	require.NoError(t, err)
	_, err = d.Members(t.Context(), connectors.Audience{Key: "x"}, "")
	require.Error(t, err)
	require.Error(t, d.Remove(t.Context(), []connectors.Audience{{Key: "x"}}))
	_, err = d.Erase(t.Context(), connectors.Person{ID: 1, RemoteID: "0/"})
	require.NoError(t, err)
	require.Equal(t, everybody, b.state())
}
