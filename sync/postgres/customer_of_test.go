package postgres_test

import (
	"context"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/stretchr/testify/require"

	"github.com/perennial-cvo/perennial/analysis"
	"github.com/perennial-cvo/perennial/analysis/report"
	"github.com/perennial-cvo/perennial/connectors/commerce"
)

// checkPeople holds each person, read alone, against everybody, and their orders against those that name them.
func (s *shop) checkPeople(t failer) {
	ctx := context.Background()
	everybody, err := s.Customers(ctx)
	require.NoError(t, err)
	known := map[int64]analysis.Customer{}
	for _, c := range everybody {
		known[c.Person] = c
	}
	for _, person := range all[int64](s, `SELECT person_id FROM persons WHERE store_id = $1`, s.id) {
		c, ok, err := s.CustomerOf(ctx, person)
		require.NoError(t, err)
		want, there := known[person]
		require.Equal(t, there, ok, person)
		require.Empty(t, cmp.Diff(want, c))
		p, ok, err := s.PersonOf(ctx, person)
		require.NoError(t, err)
		require.True(t, ok)
		if p.Email+p.CustomerID != "" { // of erased people, what does not count is nobody's business
			// An order that does not count and names neither their account nor their address any more is not looked for.
			require.Len(t, p.Orders, one[int](s, `SELECT count(*) FROM orders WHERE store_id = $1 AND person_id = $2
				AND (counted OR customer_id <> '' AND customer_id = $3 OR email <> '' AND email = $4)`, s.id, person, p.CustomerID, p.Email))
		}
	}
}

func TestPersonIsFoundByID(t *testing.T) {
	s := newShop(t)
	ctx := context.Background()
	s.put(commerce.Customers, customers(commerce.Customer{ID: "ann", Email: "ann@example.com", FirstName: "Ann", LastName: "Lee"}))
	s.put(commerce.Orders, refunded(placed("3", "ann", at(2, 10)), "4", at(4, 10)))
	s.put(commerce.Reviews, commerce.Batch{Reviews: []commerce.Review{
		{ID: "1", ProductID: "7", Email: "ann@example.com", Rating: 4, Body: "Good tea", Verified: true, Status: "approved", CreatedAt: at(3, 10)},
		{ID: "2", ProductID: "7", Email: "bob@example.com", Rating: 1},
	}})
	s.refresh(at(5, 0), false)
	s.save(5, "v1", map[string]string{"ann": "champions"})
	want, ok, err := s.Person(ctx, "ann@example.com")
	require.NoError(t, err)
	require.True(t, ok)
	got, ok, err := s.PersonOf(ctx, want.ID)
	require.NoError(t, err)
	require.True(t, ok)
	require.Equal(t, want, got)
	require.Len(t, got.Refunds, 1)
	require.Equal(t, []any{"3", "4", at(4, 10)}, []any{got.Refunds[0].Order, got.Refunds[0].Amount.String(), got.Refunds[0].At})
	require.Equal(t, []report.PersonReview{{At: at(3, 10), Rating: 4, Text: "Good tea", Status: "approved", Verified: true}}, got.Reviews)
	_, ok, err = s.PersonOf(ctx, want.ID+1000)
	require.NoError(t, err)
	require.False(t, ok)
	s.checkPeople(t)
}

// TestCellsAreTheScoresInForce holds the cells against what a run counted.
func TestCellsAreTheScoresInForce(t *testing.T) {
	s := newShop(t)
	ctx := context.Background()
	var batch commerce.Batch
	for _, o := range []struct {
		id, customer string
		day          int
	}{{"1", "ann", 1}, {"2", "ann", 4}, {"3", "bob", 2}, {"4", "cid", 3}, {"5", "cid", 3}, {"6", "dan", 5}} {
		batch.Orders = append(batch.Orders, placed(o.id, o.customer, at(o.day, 10)))
	}
	s.put(commerce.Orders, whole(batch.Orders...))
	require.NoError(t, s.MarkLoaded(ctx, noon))
	cells, err := s.Cells(ctx)
	require.NoError(t, err)
	require.Empty(t, cells)
	out, err := analysis.Run(ctx, s.Store, analysis.Options{Now: func() time.Time { return at(9, 3) }})
	require.NoError(t, err)
	cells, err = s.Cells(ctx)
	require.NoError(t, err)
	people, orders := 0, 0
	for _, c := range cells {
		people, orders = people+c.Customers, orders+c.Orders
		require.LessOrEqual(t, c.Spread.Net.Min, c.Spread.Net.Max)
	}
	require.Equal(t, []int{4, 6}, []int{people, orders})
	r, err := report.Collect(ctx, s.Store, report.Options{Now: at(9, 3)})
	require.NoError(t, err)
	for _, email := range []string{"ann@example.com", "dan@example.com"} {
		want, _, err := report.CollectPerson(ctx, s.Store, email)
		require.NoError(t, err)
		got, ok, err := report.CollectPersonByID(ctx, s.Store, want.Person.ID, &r)
		require.NoError(t, err)
		require.True(t, ok)
		require.Equal(t, out.Thresholds, *got.Thresholds)
		require.Equal(t, want.Thresholds, got.Thresholds)
		require.Equal(t, want.Grounds, got.Grounds)
	}
}
