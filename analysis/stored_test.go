package analysis_test

import (
	"bytes"
	"context"
	"fmt"
	"slices"
	"testing"
	"time"

	"github.com/shopspring/decimal"
	"github.com/stretchr/testify/require"

	"github.com/perennial-cvo/perennial/analysis"
	"github.com/perennial-cvo/perennial/analysis/report"
	"github.com/perennial-cvo/perennial/connectors"
	"github.com/perennial-cvo/perennial/connectors/commerce"
	"github.com/perennial-cvo/perennial/sync/ingest"
	"github.com/perennial-cvo/perennial/sync/postgres"
	"github.com/perennial-cvo/perennial/sync/postgres/postgrestest"
)

// stored puts a shop's orders into a database of its own.
func stored(t *testing.T, m *memory) *postgres.Store {
	t.Helper()
	ctx := context.Background()
	db := postgrestest.New(t)
	id, err := db.Register(ctx, m.shop.Name, "csvfile")
	require.NoError(t, err)
	require.NoError(t, db.SetShop(ctx, id, commerce.Shop{Identity: m.shop.Name, Currency: "EUR", TimeZone: "UTC"}))
	_, err = db.SavePolicy(ctx, id, postgres.Policy{Statuses: map[string]bool{"completed": true}, Currency: "EUR"})
	require.NoError(t, err)
	epoch, ok, err := db.Acquire(ctx, id, "test", time.Hour)
	require.NoError(t, err)
	require.True(t, ok)
	store := db.Store(id, epoch)

	number, cursor := 0, connectors.Cursor("")
	for page := range slices.Chunk(m.orders, 5000) {
		var b commerce.Batch
		for _, o := range page {
			number++
			goods := decimal.New(o.gross, -4)
			b.Orders = append(b.Orders, commerce.Order{
				ID: fmt.Sprint(number), Number: fmt.Sprint(number), Status: "completed", Email: fmt.Sprintf("%d@example.com", o.person),
				PlacedAt: o.at, Currency: "EUR", Goods: goods, Total: goods,
			})
			b.Complete = append(b.Complete, fmt.Sprint(number))
		}
		next := cursor + "."
		_, err := store.Commit(ctx, ingest.Commit{
			Resource: commerce.Orders, Mode: connectors.Increment, Old: cursor, Page: connectors.Page{Records: b, Next: next}, At: time.Now(),
		})
		require.NoError(t, err)
		cursor = next
	}
	require.NoError(t, store.MarkLoaded(ctx, time.Now()))
	return store
}

// TestARealShopLivesThroughItsMonthsInTheDatabase runs the CDNOW shop month by month as nightly runs would: each keeps
// memberships, and moves are counted from those that stand.
func TestARealShopLivesThroughItsMonthsInTheDatabase(t *testing.T) {
	if testing.Short() {
		t.Skip("70,000 orders in a short test run")
	}
	want := migrations(t)
	m := cdnow(t)
	store := stored(t, m)
	end := day(t, "1998-07-01")
	compared := 0
	for _, at := range steps(m.orders, end) {
		out, err := analysis.Run(t.Context(), store, analysis.Options{Now: func() time.Time { return at.Add(3 * time.Hour) }})
		require.NoError(t, err)
		if expected, ok := want[step{m.shop.Name, at.Format(time.DateOnly)}]; ok {
			compared++
			require.Equal(t, expected, named(out.Moves), "as of %s", at.Format(time.DateOnly))
		}
	}
	require.Equal(t, 17, compared)

	again, err := analysis.Run(t.Context(), store, analysis.Options{Now: func() time.Time { return end }})
	require.NoError(t, err)
	require.Equal(t, analysis.Saved{}, again.Saved, "the same day again changes nothing")
	past, err := analysis.Run(t.Context(), store, analysis.Options{Now: func() time.Time { return end }, Past: true})
	require.NoError(t, err)
	require.Equal(t, again.Result.Groups, past.Result.Groups, "the aggregates are those of the orders")

	r, err := report.Collect(t.Context(), store, report.Options{Now: end})
	require.NoError(t, err)
	require.Equal(t, 23570, r.Segments.Customers)
	require.Equal(t, 69659, r.Segments.Orders)
	require.Equal(t, "2500315.63", r.Segments.Revenue.String())
	require.True(t, r.Bridge[len(r.Bridge)-1].Amount.Equal(r.Segments.Revenue), "the bridge leads to the segments")
	explained(t, store)
}

// explained asks for one customer, whose score is known: recency 34 days, 6 orders, 156.46.
func explained(t *testing.T, store *postgres.Store) {
	t.Helper()
	e, ok, err := report.CollectPerson(t.Context(), store, "3@example.com")
	require.NoError(t, err)
	require.True(t, ok)
	var b bytes.Buffer
	require.NoError(t, report.Explain(&b, e, 80, false))
	for _, text := range []string{"Score 555 as of 1998-07-01", "34 days", "6 orders", "156.46", "Segment: Champions", "The map sends 555 here."} {
		require.Contains(t, b.String(), text)
	}
}
