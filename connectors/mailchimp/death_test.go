package mailchimp

import (
	"context"
	"fmt"
	"net/http"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/perennial-cvo/perennial/connectors"
	"github.com/perennial-cvo/perennial/connectors/commerce"
	"github.com/perennial-cvo/perennial/connectors/connectortest"
	"github.com/perennial-cvo/perennial/connectors/simulator"
)

// TestDeathAtEveryRequest ends a push before and after each of its requests, and with it all that it knew, a job too. Another
// process that pushes the same ends where an undisturbed push ends, and nobody's status has changed.
func TestDeathAtEveryRequest(t *testing.T) {
	for _, mode := range []connectors.Settings{nil, onlyAttributes} {
		for _, bulk := range []int{1, 1000} {
			want, _ := pushAndDie(t, mode, bulk, 0, false)
			for _, carriedOut := range []bool{false, true} {
				for k := 1; ; k++ {
					require.Less(t, k, 100)
					state, died := pushAndDie(t, mode, bulk, k, carriedOut)
					require.Equal(t, want, state, "%v, bulk from %d, died at request %d, carried out: %t", mode, bulk, k, carriedOut)
					if !died {
						break
					}
				}
			}
		}
	}
}

// pushAndDie pushes a night after another, the second of which dies at its k-th request, and pushes that again.
func pushAndDie(t *testing.T, mode connectors.Settings, bulk, k int, carriedOut bool) (state connectortest.State, died bool) {
	t.Helper()
	b := startBench(t, unjudged)
	b.bulk = bulk
	people := b.people(simulator.Subscribed)[:7]
	lists := ensure(t, b.open(t, mode), champions, atRisk)
	night := func(d *destination, changes []connectors.Change) {
		ensure(t, d, lists...)
		applyAll(t, d, changes...)
	}
	night(b.open(t, mode), joinAll(people, champions))
	require.NoError(t, b.SetStatus(people[0].Email, unsubscribed))
	today := joinAll(people, atRisk)
	for i := range today {
		today[i].Leave, today[i].Attributes["rfm"] = []string{champions.Key}, fmt.Sprint(i)
	}
	today[1] = connectors.Change{Person: people[1], Leave: []string{champions.Key}, Drop: []string{"rfm"}}
	today[2].Consent = commerce.ConsentUnsubscribed
	fresh := join(connectors.Person{ID: 7001, Email: "fresh@example.com"}, atRisk)
	fresh.Consent = commerce.ConsentSubscribed
	today = append(today, fresh)

	ctx, die := context.WithCancel(t.Context())
	defer die()
	requests := make(chan struct{}, 1) // holds the count, one request at a time
	count := 0
	mortal := &bench{Server: b.Server, shop: b.shop, bulk: bulk}
	before(t, mortal, func(w http.ResponseWriter, r *http.Request) bool {
		requests <- struct{}{}
		defer func() { <-requests }()
		count++
		switch {
		case k == 0 || count < k:
			return false
		case count == k && carriedOut:
			b.ServeHTTP(w, r)
		}
		die()
		return true
	})
	d := mortal.open(t, mode)
	if _, err := d.Ensure(ctx, lists); err == nil {
		result, err := d.Apply(ctx, today)
		for err == nil && result.Job != "" {
			result, err = d.Resume(ctx, result.Job)
		}
	}
	died = ctx.Err() != nil
	night(b.open(t, mode), today)
	return b.state(), died
}
