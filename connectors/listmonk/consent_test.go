package listmonk

import (
	"slices"
	"testing"

	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	"github.com/perennial-cvo/perennial/connectors"
	"github.com/perennial-cvo/perennial/connectors/commerce"
	"github.com/perennial-cvo/perennial/connectors/simulator"
)

// TestConsentNeverRises lets people leave, be blocked and sign up between pushes of any kind, and holds after each push
// that it mails nobody who was not reachable before and touches nothing that is not ours.
func TestConsentNeverRises(t *testing.T) {
	b := startBench(t)
	d := b.open(t)
	lists := ensure(t, d, champions, atRisk)
	ours := []int{b.listID(lists[0]), b.listID(lists[1])}
	var people []connectors.Person
	for _, state := range []simulator.SubscriberState{simulator.Subscribed, simulator.Unsubscribed, simulator.Blocklisted, simulator.Unknown} {
		all := b.people(state)
		people = append(people, all[:min(3, len(all))]...)
	}
	rapid.Check(t, func(rt *rapid.T) {
		for range rapid.IntRange(1, 6).Draw(rt, "events") {
			p := rapid.SampledFrom(people).Draw(rt, "person")
			b.happens(rapid.IntRange(0, 5).Draw(rt, "event"), p.Email, rapid.SampledFrom(append(ours, b.Newsletter())).Draw(rt, "list"))
		}
		before, leftOurs := b.state().Foreign, b.leftAny(ours)
		reachable := b.Mailed(b.Newsletter())
		var changes []connectors.Change
		for _, p := range people {
			c := connectors.Change{Person: p, Consent: rapid.SampledFrom([]commerce.ConsentState{"", "", commerce.ConsentUnsubscribed}).Draw(rt, "consent")}
			keys := []string{champions.Key, atRisk.Key}
			split := rapid.IntRange(0, 2).Draw(rt, "audiences")
			c.Audiences, c.Leave = keys[:split], keys[split:]
			changes = append(changes, c)
		}
		result, err := d.Apply(t.Context(), changes)
		require.NoError(rt, err)
		require.Len(rt, result.Outcomes, len(people))
		require.Equal(rt, before, b.state().Foreign)
		for _, email := range b.Mailed(ours...) {
			require.Contains(rt, reachable, email, "mailed through us, though the newsletter does not reach them")
			require.NotContains(rt, leftOurs, email, "mailed though they left a list of ours")
		}
		for _, email := range leftOurs {
			require.Contains(rt, b.leftAny(ours), email, "the memory of leaving was lost")
		}
	})
}

// happens lets one thing happen to a person that is none of our doing.
func (b *bench) happens(event int, email string, listID int) {
	switch event {
	case 0, 1:
		_ = b.Unsubscribe(email, listID) // an error means that they were not on it
	case 2:
		_ = b.Blocklist(email)
	case 3:
		_ = b.SetStatus(email, "disabled")
	case 4:
		_ = b.SetStatus(email, enabled)
	default:
		_ = b.Subscribe(email, b.Newsletter(), confirmed) // they sign up again themselves
	}
}

// leftAny returns who left any of the lists.
func (b *bench) leftAny(lists []int) []string {
	var all []string
	for _, p := range b.People() {
		if slices.ContainsFunc(lists, func(id int) bool { return p.Lists[id] == unsubscribed }) {
			all = append(all, p.Email)
		}
	}
	return all
}
