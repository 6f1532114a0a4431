package postgres_test

import (
	"context"
	"fmt"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/perennial-cvo/perennial/connectors"
	"github.com/perennial-cvo/perennial/connectors/commerce"
	"github.com/perennial-cvo/perennial/sync/ingest"
	"github.com/perennial-cvo/perennial/sync/postgres"
)

// counts is how orders and refunds count, as one line each.
func (s *shop) counts() []string {
	return all[string](s, `SELECT id || ' ' || counted || ' ' || trim_scale(gross) || ' ' || coalesce(trim_scale(rate)::text, '-') FROM orders
		UNION ALL SELECT order_id || '/' || id || ' ' || counted || ' ' || trim_scale(net) || ' ' || trim_scale(whole) FROM refunds ORDER BY 1`)
}

// ledger is a batch of orders that count in different ways.
func ledger() commerce.Batch {
	plain := order("plain", "1", "")
	plain.Goods, plain.Discount, plain.Shipping, plain.Tax = money("100"), money("10"), money("5"), money("19")
	test := order("test", "1", "")
	test.Test = true
	odd := order("odd", "1", "")
	odd.Status = "wc-strange"
	dollars := order("usd", "1", "")
	dollars.Currency = "USD"
	card := order("card", "1", "")
	card.Goods, card.GiftCards = money("60"), money("50")
	b := whole(plain, test, odd, dollars, card)
	b.Lines = append(b.Lines, commerce.Line{OrderID: "card", ID: "gift", Quantity: money("1"), Subtotal: money("50"), Total: money("50"), GiftCard: true})
	refund := func(order, id string) commerce.Refund {
		return commerce.Refund{OrderID: order, ID: id, At: noon, Currency: "EUR"}
	}
	amountOnly, itemised, partly, cards := refund("plain", "amount"), refund("plain", "items"), refund("plain", "partly"), refund("card", "cards")
	amountOnly.Amount, amountOnly.Tax = money("11.90"), money("1.90")
	itemised.Amount, itemised.Goods, itemised.Shipping, itemised.Tax = money("16.9"), money("10"), money("5"), money("1.9")
	partly.Amount, partly.Goods = money("30"), money("10")
	cards.Amount, cards.Goods, cards.Lines = money("55"), money("55"), []commerce.RefundLine{
		{LineID: "gift", Quantity: money("1"), Amount: money("50")}, {LineID: "1", Quantity: money("1"), Amount: money("5")},
	}
	b.Refunds = []commerce.Refund{amountOnly, itemised, partly, cards, refund("odd", "uncounted")}
	return b
}

func TestOrdersCountByPolicy(t *testing.T) {
	s := newShop(t)
	ctx := context.Background()
	s.put(commerce.Orders, ledger())
	byDefault := []string{
		"card true 10 1", "card/cards true 5 55",
		"odd false 10 1", "odd/uncounted false 0 0",
		"plain true 90 1", "plain/amount true 10 11.9", "plain/items true 10 16.9", "plain/partly true 30 30",
		"test false 10 1", "usd false 0 -",
	}
	require.ElementsMatch(t, byDefault, s.counts())

	policy := euros()
	policy.Statuses["wc-strange"] = true
	policy.IncludeTax, policy.IncludeShipping = true, true
	policy.Rates = []postgres.Rate{{"USD", "2026-03-02", "0.5"}, {"USD", "2026-01-01", "0.9"}, {"USD", "2025-01-01", "0.8"}}
	_, err := s.raw.Exec(`DELETE FROM touched`)
	require.NoError(t, err)
	changed, err := s.db.SavePolicy(ctx, s.id, policy)
	require.NoError(t, err)
	require.True(t, changed)
	byOwner := []string{
		"card true 10 1", "card/cards true 5 55",
		"odd true 10 1", "odd/uncounted true 0 0",
		"plain true 114 1", "plain/amount true 11.9 11.9", "plain/items true 16.9 16.9", "plain/partly true 30 30",
		"test false 10 1", "usd true 9 0.9",
	}
	require.ElementsMatch(t, byOwner, s.counts())
	require.Equal(t, 1, one[int](s, `SELECT count(*) FROM touched`))

	other := s.another("the same, read under the new policy")
	_, err = s.db.SavePolicy(ctx, other.id, policy)
	require.NoError(t, err)
	_, err = s.raw.Exec(`DELETE FROM orders; DELETE FROM refunds; DELETE FROM lines`)
	require.NoError(t, err)
	other.put(commerce.Orders, ledger())
	require.ElementsMatch(t, byOwner, other.counts(), "counted when read equals recounted")

	policy.Rates[0].Rate = "0,5"
	_, err = s.db.SavePolicy(ctx, s.id, policy)
	require.ErrorContains(t, err, `"0,5"`)
}

func TestApartChildrenCountOnceComplete(t *testing.T) {
	s := newShop(t)
	s.put(commerce.Orders, commerce.Batch{Lines: []commerce.Line{{OrderID: "1", ID: "1", Quantity: money("1")}}})
	s.put(commerce.Orders, commerce.Batch{Orders: []commerce.Order{order("1", "7", "")}})
	require.Equal(t, []string{"1 false 10 1"}, s.counts())
	refund := commerce.Refund{OrderID: "1", ID: "r", At: noon, Currency: "EUR", Amount: money("2")}
	s.put(commerce.Orders, commerce.Batch{Refunds: []commerce.Refund{refund}})
	require.Equal(t, []string{"1 false 10 1", "1/r false 2 2"}, s.counts())
	s.put(commerce.Orders, commerce.Batch{
		Lines: []commerce.Line{{OrderID: "1", ID: "2", Quantity: money("1")}}, Refunds: []commerce.Refund{refund}, Complete: []string{"1"},
	})
	require.Equal(t, []string{"1 true 10 1", "1/r true 2 2"}, s.counts())
	require.Equal(t, []string{"2"}, all[string](s, `SELECT id FROM lines`))
	require.Equal(t, s.personOf("1"), one[int64](s, `SELECT person_id FROM refunds`))
}

func TestSweepFindsWhatIsGone(t *testing.T) {
	s := newShop(t)
	ctx := context.Background()
	s.put(commerce.Orders, whole(order("1", "7", ""), order("2", "7", ""), order("3", "7", "")))
	s.page(commerce.Orders, connectors.Increment, connectors.Page{Done: true})
	_, _, err := s.Unseen(ctx, commerce.Orders, time.Time{})
	require.ErrorIs(t, err, ingest.ErrSweepLost, "nothing was swept")
	stand, err := s.Cursor(ctx, commerce.Orders, connectors.Sweep)
	require.NoError(t, err)
	require.True(t, stand.EndedAt.Equal(noon), "the first load is as good as a sweep")

	sweep := func(page connectors.Page, start bool, at time.Time) {
		stand, err := s.Cursor(ctx, commerce.Orders, connectors.Sweep)
		require.NoError(t, err)
		page.Next = stand.Cursor + "."
		_, err = s.Commit(ctx, ingest.Commit{Resource: commerce.Orders, Mode: connectors.Sweep, Old: stand.Cursor, Start: start, Page: page, At: at})
		require.NoError(t, err)
	}
	sweep(connectors.Page{Records: whole(order("1", "7", ""))}, true, noon)
	_, _, err = s.Unseen(ctx, commerce.Orders, time.Time{})
	require.ErrorIs(t, err, ingest.ErrSweepLost, "it is not finished")
	sweep(connectors.Page{Rejected: []connectors.Rejected{{ID: "3", Reason: "unreadable"}}, Done: true}, false, noon.Add(time.Hour))
	stand, err = s.Cursor(ctx, commerce.Orders, connectors.Sweep)
	require.NoError(t, err)
	require.True(t, stand.Unswept)
	ids, living, err := s.Unseen(ctx, commerce.Orders, time.Time{})
	require.NoError(t, err)
	require.Equal(t, []string{"2"}, ids)
	require.Equal(t, 3, living)
	_, err = s.raw.Exec(`DELETE FROM touched`)
	require.NoError(t, err)
	written, err := s.EndSweep(ctx, commerce.Orders, ids)
	require.NoError(t, err)
	require.Equal(t, 1, written.Deleted)
	require.Equal(t, []string{"1 true 10 1", "2 false 10 1", "3 true 10 1"}, s.counts())
	require.Equal(t, 1, one[int](s, `SELECT count(*) FROM touched`))
	stand, err = s.Cursor(ctx, commerce.Orders, connectors.Sweep)
	require.NoError(t, err)
	require.False(t, stand.Unswept)
	require.True(t, stand.EndedAt.Equal(noon.Add(time.Hour)))

	s.put(commerce.Orders, whole(order("2", "7", ""))) // it came back
	require.Equal(t, "2 true 10 1", s.counts()[1])

	sweep(connectors.Page{Records: whole(order("1", "7", "")), Done: true}, true, noon)
	_, err = s.raw.Exec(`TRUNCATE sweep_seen`) // as a crash of the database does
	require.NoError(t, err)
	_, _, err = s.Unseen(ctx, commerce.Orders, time.Time{})
	require.ErrorIs(t, err, ingest.ErrSweepLost)
}

func TestSweepDropsLooseRefunds(t *testing.T) {
	s := newShop(t)
	refund := func(id string) commerce.Refund {
		return commerce.Refund{ID: id, CustomerID: "7", At: noon, Currency: "EUR", Amount: money("1")}
	}
	s.put(commerce.Orders, commerce.Batch{Refunds: []commerce.Refund{refund("kept"), refund("gone")}})
	s.page(commerce.Orders, connectors.Sweep, connectors.Page{
		Records: commerce.Batch{Refunds: []commerce.Refund{refund("kept")}}, Done: true,
	})
	_, err := s.raw.Exec(`DELETE FROM touched`)
	require.NoError(t, err)
	_, err = s.EndSweep(context.Background(), commerce.Orders, nil)
	require.NoError(t, err)
	require.Equal(t, []string{"kept"}, all[string](s, `SELECT id FROM refunds`))
	require.Equal(t, 1, one[int](s, `SELECT count(*) FROM touched`))
}

func TestResetStartsFromTheBeginning(t *testing.T) {
	s := newShop(t)
	ctx := context.Background()
	s.put(commerce.Orders, whole(order("1", "7", "")))
	s.page(commerce.Orders, connectors.Increment, connectors.Page{Done: true})
	swept, err := s.Cursor(ctx, commerce.Orders, connectors.Sweep)
	require.NoError(t, err)
	require.NoError(t, s.Reset(ctx, commerce.Orders))
	stand, err := s.Cursor(ctx, commerce.Orders, connectors.Increment)
	require.NoError(t, err)
	require.Empty(t, stand.Cursor)
	require.False(t, stand.Done)
	require.True(t, stand.StartedAt.IsZero(), "the next page is the first of its pull")
	after, err := s.Cursor(ctx, commerce.Orders, connectors.Sweep)
	require.NoError(t, err)
	require.Equal(t, swept.EndedAt, after.EndedAt, "reading again is no sweep")
	require.Equal(t, 1, one[int](s, `SELECT count(*) FROM orders`))
}

// TestQuietNightWritesNextToNoLog reads the same pages again: the write-ahead log must hardly grow.
func TestQuietNightWritesNextToNoLog(t *testing.T) {
	s := newShop(t)
	var orders []commerce.Order
	for i := range 1000 {
		orders = append(orders, order(fmt.Sprint(i), "", fmt.Sprintf("p%d@example.com", i)))
	}
	b := whole(orders...)
	s.put(commerce.Orders, b)
	s.put(commerce.Orders, b)
	_, err := s.raw.Exec(`CHECKPOINT`)
	require.NoError(t, err)
	log := func() int64 { return one[int64](s, `SELECT pg_current_wal_insert_lsn() - '0/0'`) }
	least := int64(1 << 60)
	for range 3 { // the server's own housekeeping writes to the same log now and then
		was := log()
		require.Equal(t, ingest.Written{Read: 1000}, s.put(commerce.Orders, b))
		least = min(least, log()-was)
	}
	require.Less(t, least, int64(16_384), "bytes of log for a thousand unchanged orders")
}
