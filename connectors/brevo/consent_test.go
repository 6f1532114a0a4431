package brevo

import (
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/perennial-cvo/perennial/connectors"
	"github.com/perennial-cvo/perennial/connectors/brevo/brevotest"
	"github.com/perennial-cvo/perennial/connectors/commerce"
	"github.com/perennial-cvo/perennial/connectors/simulator"
)

// TestConsentIsNeverWritten looks through everything that was ever sent for words that turn a no into a yes, or that wipe
// what others wrote.
func TestConsentIsNeverWritten(t *testing.T) {
	for _, importFrom := range []int{0, 1} {
		b := startBench(t)
		d := b.open(t, connectors.Settings{"import_from": importFrom})
		ensure(t, d, champions, atRisk)
		people := append(b.people(simulator.Subscribed)[:4], b.people(simulator.Blocklisted)...)
		apply(t, d, append(joinAll(people, champions), strangers(25, champions)...)...)
		move := join(people[0], atRisk)
		move.Leave, move.Attributes, move.Drop = []string{champions.Key}, nil, []string{"rfm"}
		apply(t, d, move)
		_, err := d.Erase(t.Context(), people[1])
		require.NoError(t, err)
		for _, r := range b.Requests() {
			for _, word := range []string{"lacklist", "emptyContactsAttributes", `"updateEnabled":true`, "smtp", "doubleOptin"} {
				require.NotContains(t, r.Path+r.Body, word)
			}
		}
	}
}

func TestWhoIsBlacklistedIsWithheldAndReadBackAsGone(t *testing.T) {
	b := startBench(t)
	d, p := b.open(t, nil), b.people(simulator.Subscribed)[0]
	list := ensure(t, d, champions)[0]
	require.Equal(t, connectors.Delivered, one(t, d, join(p, champions)).State)
	require.NoError(t, b.Blacklist(p.Email)) // as the link in a mail does

	page, err := d.Everybody(t.Context(), "")
	require.NoError(t, err)
	gone := map[string]commerce.ConsentState{}
	for _, m := range page.Members {
		gone[m.Email] = m.Consent.State
	}
	require.Equal(t, commerce.ConsentUnsubscribed, gone[p.Email])
	change := join(p, champions)
	change.Consent = commerce.ConsentSubscribed // the shop's word is older
	o := one(t, d, change)
	require.Equal(t, connectors.Withheld, o.State)
	require.Equal(t, connectors.ReasonSuppressed, o.Reason)
	require.NotContains(t, b.members(list), p.Email, "taken off our lists, so that nothing of ours mails them should the blacklist be lifted")
}

func TestLeavingOneListOfOursHoldsForAllAndIsNeverForgotten(t *testing.T) {
	b := startBench(t)
	d, p := b.open(t, nil), b.people(simulator.Subscribed)[0]
	lists := ensure(t, d, champions, atRisk)
	one(t, d, join(p, champions, atRisk))
	require.NoError(t, b.Unsubscribe(p.Email, idOf(lists[0])))

	stay := join(p, atRisk)
	stay.Leave = []string{champions.Key}
	for _, c := range []connectors.Change{stay, {Person: p, Leave: []string{champions.Key}}, join(p, champions), join(p, champions, atRisk)} {
		for _, importFrom := range []int{0, 1} {
			again := b.open(t, connectors.Settings{"import_from": importFrom})
			ensure(t, again, lists...)
			apply(t, again, c)
			require.Equal(t, []int64{idOf(lists[0])}, b.person(t, p.Email).Left, "the memory of leaving is kept")
			require.NotContains(t, b.Mailed(idOf(lists[0])), p.Email)
			require.NotContains(t, b.Mailed(idOf(lists[1])), p.Email, "out of one is out of all")
		}
	}
}

func TestConsentComesFromSomebodyElsesListOrTheShop(t *testing.T) {
	b := startBench(t)
	b.Subscribe("invoice@example.com") // a contact on no list, as whoever was sent an invoice
	left := b.AddList("Other news")
	b.Subscribe("left@example.com", left)
	require.NoError(t, b.Unsubscribe("left@example.com", left))
	d := b.open(t, nil)
	ensure(t, d, champions)
	for _, tt := range []struct {
		email  string
		said   commerce.ConsentState
		reason string
	}{
		{"invoice@example.com", commerce.ConsentUnknown, connectors.ReasonNoConsent},
		{"invoice@example.com", commerce.ConsentUnsubscribed, connectors.ReasonUnsubscribed},
		{"left@example.com", commerce.ConsentSubscribed, connectors.ReasonUnsubscribed},
		{"", commerce.ConsentSubscribed, connectors.ReasonNoEmail},
		{"invoice@example.com", commerce.ConsentSubscribed, ""},
		{b.people(simulator.Subscribed)[0].Email, commerce.ConsentUnknown, ""},
	} {
		c := join(connectors.Person{ID: 1, Email: tt.email}, champions)
		c.Consent = tt.said
		require.Equal(t, tt.reason, one(t, d, c).Reason, tt.email)
	}
}

func TestNobodyIsCreatedUnlessTheOwnerWants(t *testing.T) {
	for _, importFrom := range []int{0, 1} {
		b := startBench(t)
		d := b.open(t, connectors.Settings{"create_missing": false, "import_from": importFrom})
		ensure(t, d, champions)
		before := len(b.People())
		for _, o := range apply(t, d, strangers(30, champions)...) {
			require.Equal(t, connectors.Withheld, o.State)
			require.Equal(t, connectors.ReasonNotThere, o.Reason)
		}
		require.Len(t, b.People(), before)
	}
}

func TestWhoIsCreatedSaidYesAndHasANameOnly(t *testing.T) {
	b := startBench(t)
	d := b.open(t, nil)
	ensure(t, d, champions)
	silent := join(connectors.Person{ID: 1, Email: "silent@example.com"}, champions)
	require.Equal(t, connectors.ReasonNotThere, one(t, d, silent).Reason, "without the shop's word nobody is created")
	willing := join(connectors.Person{ID: 2, Email: "willing@example.com", FirstName: "Wilma"}, champions)
	willing.Consent = commerce.ConsentSubscribed
	require.Equal(t, connectors.Delivered, one(t, d, willing).State)
	require.Equal(t, map[string]any{"FIRSTNAME": "Wilma", "PERENNIAL_RFM": "545"}, b.person(t, "willing@example.com").Attributes)
}

func TestWhoWasDeletedIsNotCreatedAgain(t *testing.T) {
	for _, importFrom := range []int{0, 1} {
		b := startBench(t)
		d := b.open(t, connectors.Settings{"import_from": importFrom})
		ensure(t, d, champions)
		changes := append(strangers(25, champions), joinAll(b.people(simulator.Subscribed)[:3], champions)...)
		outcomes := apply(t, d, changes...)
		before := len(b.People())
		for i := range changes {
			c := &changes[i]
			require.Equal(t, connectors.Delivered, outcomes[c.Person.ID].State)
			c.Person.RemoteID, c.Consent = outcomes[c.Person.ID].RemoteID, commerce.ConsentSubscribed
			require.NotEmpty(t, c.Person.RemoteID)
			require.NoError(t, b.Delete(c.Person.Email))
		}
		for _, o := range apply(t, d, changes...) {
			require.Equal(t, connectors.Withheld, o.State)
			require.Equal(t, connectors.ReasonNotThere, o.Reason)
		}
		require.Len(t, b.People(), before-len(changes))
	}
}

func TestEraseKeepsANo(t *testing.T) {
	b := startBench(t)
	d, people := b.open(t, nil), b.people(simulator.Subscribed)[:3]
	list := ensure(t, d, champions)[0]
	apply(t, d, joinAll(people, champions)...)
	require.NoError(t, b.Blacklist(people[0].Email))
	require.NoError(t, b.Register(people[1].Email))
	for i, word := range []string{"does not want mail", "does not allow", "was deleted"} {
		receipt, err := d.Erase(t.Context(), people[i])
		require.NoError(t, err)
		require.Contains(t, receipt, word)
		require.NotContains(t, receipt, people[i].Email)
		require.NotContains(t, b.members(list), people[i].Email)
	}
	kept := b.person(t, people[0].Email)
	require.True(t, kept.Blacklisted)
	require.NotContains(t, kept.Attributes, "PERENNIAL_RFM")
	require.Contains(t, kept.Attributes, "SHOE_SIZE", "what is not ours stays")
	_, there := b.look(people[2].Email)
	require.False(t, there)
}

func TestAMisplacedPermissionErrorIsExplained(t *testing.T) {
	b := startBench(t)
	b.Fault(brevotest.Fault{Kind: simulator.BareForbidden, Times: 1000})
	_, err := b.open(t, nil).Check(t.Context())
	require.Equal(t, connectors.KindRetry, connectors.KindOf(err), "a 403 without a body comes from a firewall, not from the key")
	b.Fault(brevotest.Fault{})
	b.Revoke()
	_, err = b.open(t, nil).Check(t.Context())
	require.Equal(t, connectors.KindCredentials, connectors.KindOf(err))
	require.Contains(t, connectors.Remedy(err), "API keys")
}
