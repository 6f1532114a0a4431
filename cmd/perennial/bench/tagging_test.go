package bench

import (
	"context"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/perennial-cvo/perennial/connectors"
	"github.com/perennial-cvo/perennial/connectors/commerce"
	"github.com/perennial-cvo/perennial/connectors/shopify"
	"github.com/perennial-cvo/perennial/connectors/shopify/shopifytest"
	"github.com/perennial-cvo/perennial/connectors/simulator"
)

// measureTagging counts the calls that tagging takes: of everybody at once, and of a night in which some people moved. Polls
// of a running operation and files that go to or come from the storage are not calls of the API that anybody pays points for.
func measureTagging(tb testing.TB, scale float64) []figure {
	people := sized(100_000, scale, 60)
	shop := simulator.New(simulator.Options{Customers: people, Orders: people, GuestShare: -1})
	fake := shopifytest.New(shop, shopifytest.Options{})
	tb.Cleanup(fake.Start().Close)
	source := shopifyAt(tb, fake)
	destination, err := shopify.New().NewDestination(source.settings, connectors.Deps{Prefix: "perennial"})
	require.NoError(tb, err)

	var figures []figure
	everybody := changesFor(shop, "champions", "")
	for _, night := range []struct {
		name    string
		changes []connectors.Change
		target  float64
	}{
		{fmt.Sprintf("tagging %d customers, API calls besides polls", len(everybody)), everybody, 10},
		{"nightly difference of 500, API calls besides polls", changesFor(shop, "loyal", "champions")[:min(500, len(everybody))], 20},
	} {
		fake.ForgetRequests()
		began := time.Now()
		require.Equal(tb, len(night.changes), deliver(tb, destination, night.changes))
		tb.Logf("%s: %d requests of all kinds in %v", night.name, len(fake.Requests()), time.Since(began).Round(time.Millisecond))
		figures = append(figures, figure{name: night.name, unit: "calls", ours: float64(calls(fake.Requests())), target: night.target, alone: true})
	}
	return figures
}

// changesFor moves every account of a shop into one audience and out of another.
func changesFor(shop *simulator.Shop, join, leave string) []connectors.Change {
	var changes []connectors.Change
	for _, c := range shop.Customers() {
		change := connectors.Change{
			Person:    connectors.Person{ID: c.ID, CustomerID: strconv.FormatInt(c.ID, 10), Email: commerce.Email(c.Email)},
			Audiences: []string{join},
			Attributes: map[string]string{
				"segment": join, "segment_name": strings.ToUpper(join), "rfm": "545", "r": "5", "f": "4", "m": "5", "since": "2026-11-01",
				"lifecycle": "active", "value_tier": "top", "predicted_value": "120.00", "next_order_week": "2026-11-30", "churn_risk": "low",
			},
		}
		if leave != "" {
			change.Leave = []string{leave}
		}
		changes = append(changes, change)
	}
	return changes
}

// deliver hands over changes, as many at once as the destination takes, and follows the jobs to their end. It returns how many
// were delivered.
func deliver(tb testing.TB, destination connectors.Destination, changes []connectors.Change) (delivered int) {
	tb.Helper()
	for part := range slices.Chunk(changes, destination.(connectors.Batcher).BatchSize()) {
		delivered += deliverTogether(tb, destination, part)
	}
	return delivered
}

func deliverTogether(tb testing.TB, destination connectors.Destination, changes []connectors.Change) (delivered int) {
	tb.Helper()
	ctx := context.Background()
	result, err := destination.Apply(ctx, changes)
	for {
		require.NoError(tb, err)
		for _, o := range result.Outcomes {
			require.Contains(tb, []connectors.OutcomeState{connectors.Delivered, connectors.Unchanged}, o.State, o.Reason)
			delivered++
		}
		if result.Job == "" {
			return delivered
		}
		time.Sleep(min(50*time.Millisecond, max(0, time.Until(result.NotBefore))))
		result, err = destination.Resume(ctx, result.Job)
	}
}

// calls counts requests to the API that are no polls.
func calls(requests []shopifytest.Request) (n int) {
	for _, r := range requests {
		if strings.HasSuffix(r.Path, "/graphql.json") && !slices.Contains(r.Roots, "bulkOperation") && !slices.Contains(r.Roots, "bulkOperations") {
			n++
		}
	}
	return n
}

// pacedShop is a source with the settings that it was made of.
type pacedShop struct {
	connectors.Source
	settings connectors.Settings
}

func shopifyAt(tb testing.TB, fake *shopifytest.Server) pacedShop {
	tb.Helper()
	settings := connectors.Settings{
		"shop": shopifytest.DefaultDomain, "access_token": shopifytest.DefaultAccessToken, "url": fake.Home(), "bulk_from": 1 << 30,
	}
	source, err := shopify.New().NewSource(settings, connectors.Deps{Prefix: "perennial"})
	require.NoError(tb, err)
	return pacedShop{source, settings}
}

// measurePacing reads a shop page by page against a leaky bucket that leaks fast, so that it takes seconds: the ideal time is
// what the bucket needs to give out all points that the requests cost, beyond those that it holds at first.
func measurePacing(tb testing.TB, scale float64) []figure {
	shop := simulator.New(simulator.Options{Customers: sized(1500, scale, 40)})
	opts := shopifytest.Options{}
	opts.Bucket.Max, opts.Bucket.Restore = 1000, 500
	fake := shopifytest.New(shop, opts)
	tb.Cleanup(fake.Start().Close)
	source := shopifyAt(tb, fake)
	_, err := source.Check(context.Background()) // the bucket is known from here on
	require.NoError(tb, err)
	time.Sleep(time.Second) // and full
	fake.ForgetRequests()
	spent, began := fake.Spent(), time.Now()
	_, err = pullEverything(source)
	require.NoError(tb, err)
	took := time.Since(began).Seconds()
	points, throttled := fake.Spent()-spent, 0
	for _, r := range fake.Requests() {
		if r.Code == "THROTTLED" {
			throttled++
		}
	}
	ideal := max(0, points-opts.Bucket.Max) / opts.Bucket.Restore
	tb.Logf("%d requests of %.0f points in %.2f s, ideally %.2f s", len(fake.Requests()), points, took, ideal)
	return []figure{
		{name: "Shopify pages against a leaky bucket, time", unit: "s", ours: took, bare: ideal, target: 1.2},
		{name: "answers THROTTLED once the bucket is known", unit: "answers", ours: float64(throttled), alone: true},
	}
}
