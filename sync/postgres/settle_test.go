package postgres_test

import (
	"context"
	"fmt"
	"testing"

	"github.com/shopspring/decimal"
	"github.com/stretchr/testify/require"

	"github.com/perennial-cvo/perennial/connectors"
	"github.com/perennial-cvo/perennial/connectors/commerce"
)

// line is one of an open order: a unit for so much, of which the shop knows the cost unless that is empty.
func line(order, id, total, cost string) commerce.Line {
	l := commerce.Line{OrderID: order, ID: id, ProductID: "p", Quantity: money("1"), Subtotal: money(total), Total: money(total)}
	if cost != "" {
		l.Cost = decimal.NewNullDecimal(money(cost))
	}
	return l
}

// pulled commits pages of open orders, the last of which settles them.
func (s *shop) pulled(batches ...commerce.Batch) (changed int) {
	s.t.Helper()
	for i, b := range batches {
		w := s.page(commerce.Orders, connectors.Increment, connectors.Page{Records: b, Settled: i == len(batches)-1})
		changed += w.Added + w.Changed
	}
	return changed
}

// loaded makes a shop whose first load is over.
func loaded(t *testing.T) *shop {
	s := newShop(t)
	require.NoError(t, s.MarkLoaded(context.Background(), noon))
	return s
}

// sums are what an order's lines came to.
func (s *shop) sums() []string {
	return all[string](s, `SELECT id || ' ' || complete || ' ' || gift_cards || ' ' || coalesce(CAST(cost AS text), '?') FROM orders ORDER BY id`)
}

func TestOpenOrdersCountOnceSettled(t *testing.T) {
	s := loaded(t)
	card := line("2", "b", "4", "")
	card.GiftCard = true
	pages := []commerce.Batch{
		{Orders: []commerce.Order{order("1", "7", ""), order("2", "7", "")}, Lines: []commerce.Line{line("1", "a", "3", "1.5")}},
		{Orders: []commerce.Order{order("3", "8", "")}, Lines: []commerce.Line{line("2", "a", "6", "2"), card}},
		{Lines: []commerce.Line{line("1", "b", "7", "2"), line("3", "a", "10", "")}, Refunds: []commerce.Refund{
			{OrderID: "3", ID: "r", At: noon, Currency: "EUR", Amount: money("2")},
		}},
	}
	for _, page := range pages[:2] {
		s.put(commerce.Orders, page)
	}
	require.Equal(t, []string{"1 false 10 1", "2 false 10 1", "3 false 10 1"}, s.counts(), "their lines are not all here")
	_, err := s.raw.Exec(`DELETE FROM touched`) // an analysis in between
	require.NoError(t, err)
	s.pulled(pages[2])
	require.ElementsMatch(t, []string{"1 true 10 1", "2 true 6 1", "3 true 10 1", "3/r true 2 2"}, s.counts())
	require.Equal(t, []string{"1 true 0 3.5", "2 true 4 ?", "3 true 0 ?"}, s.sums())
	require.Equal(t, 2, one[int](s, `SELECT count(*) FROM touched`))

	require.Zero(t, s.pulled(pages...), "the same again changes nothing")
	require.Equal(t, []string{"1 true 0 3.5", "2 true 4 ?", "3 true 0 ?"}, s.sums())
}

func TestOtherLinesOpenAnOrderUntilSettled(t *testing.T) {
	s := loaded(t)
	s.pulled(commerce.Batch{Orders: []commerce.Order{order("1", "7", ""), order("2", "8", "")}, Lines: []commerce.Line{
		line("1", "a", "3", "1"), line("2", "a", "10", "2"),
	}})
	_, err := s.raw.Exec(`DELETE FROM touched`)
	require.NoError(t, err)
	s.put(commerce.Orders, commerce.Batch{Lines: []commerce.Line{line("1", "b", "7", "2"), line("2", "a", "10", "2")}})
	require.Equal(t, []string{"1 false 10 1", "2 true 10 1"}, s.counts())
	require.Equal(t, 1, one[int](s, `SELECT count(*) FROM touched`), "whoever lost an order for now is reckoned anew")
	s.pulled(commerce.Batch{})
	require.Equal(t, []string{"1 true 10 1", "2 true 10 1"}, s.counts())
	require.Equal(t, []string{"1 true 0 3", "2 true 0 2"}, s.sums())

	changed := order("1", "7", "")
	changed.Goods = money("12")
	s.put(commerce.Orders, commerce.Batch{Orders: []commerce.Order{changed}})
	require.Equal(t, []string{"1 false 12 1", "2 true 10 1"}, s.counts(), "an order that comes open is open")
	s.pulled(commerce.Batch{})
	require.Equal(t, []string{"1 true 0 3", "2 true 0 2"}, s.sums(), "its lines are summed anew")
}

func TestManyOpenOrdersSettleInSlices(t *testing.T) {
	s := loaded(t)
	var b commerce.Batch
	for i := range 20_500 {
		id := fmt.Sprint("o", i)
		b.Orders = append(b.Orders, order(id, fmt.Sprint(i%50), ""))
		b.Lines = append(b.Lines, line(id, "1", "10", "4"))
	}
	b.Orders[3].Status, b.Orders[4].Test, b.Orders[5].Currency = "pending", true, "JPY"
	s.pulled(b)
	require.Equal(t, 20_500, one[int](s, `SELECT count(*) FROM orders WHERE complete AND cost = 4`))
	require.Equal(t, 20_497, one[int](s, `SELECT count(*) FROM orders WHERE counted`))
	require.Equal(t, 50, one[int](s, `SELECT count(*) FROM touched`))
}

// TestFirstLoadTakesOrdersForWholeUntilMoreOfThemComes: the outcome is that of settling them all.
func TestFirstLoadTakesOrdersForWholeUntilMoreOfThemComes(t *testing.T) {
	card := line("2", "b", "4", "")
	card.GiftCard = true
	refund := commerce.Refund{OrderID: "1", ID: "r", At: noon, Currency: "EUR", Amount: money("2")}
	pages := []commerce.Batch{
		{
			Orders: []commerce.Order{order("1", "7", ""), order("2", "7", ""), order("3", "8", ""), order("4", "8", ""), order("5", "8", "")},
			Lines: []commerce.Line{
				line("1", "a", "3", "1.5"), line("1", "b", "7", "2"), line("2", "a", "6", "2"), card, line("3", "a", "1", "1"),
				line("5", "a", "4", ""), line("5", "b", "6", "1"),
			},
			Refunds: []commerce.Refund{refund},
		},
		{Lines: []commerce.Line{line("3", "b", "9", ""), line("4", "a", "10", "5")}},
	}
	s := newShop(t)
	s.put(commerce.Orders, pages[0])
	require.ElementsMatch(t, []string{"1 true 10 1", "1/r true 2 2", "2 true 6 1", "3 true 10 1", "4 true 10 1", "5 true 10 1"}, s.counts())
	s.put(commerce.Orders, pages[1])
	require.ElementsMatch(t, []string{"1 true 10 1", "1/r true 2 2", "2 true 6 1", "3 false 10 1", "4 false 10 1", "5 true 10 1"}, s.counts())
	s.pulled(commerce.Batch{})
	settled := []string{"1 true 0 3.5", "2 true 4 ?", "3 true 0 ?", "4 true 0 5", "5 true 0 ?"}
	require.Equal(t, settled, s.sums())
	counts := s.counts()

	late := loaded(t)
	late.pulled(pages...)
	require.Equal(t, settled, late.sums())
	require.ElementsMatch(t, counts, late.counts())
	require.Equal(t, all[string](s, `SELECT encode(hash, 'hex') FROM orders ORDER BY id`),
		all[string](late, `SELECT encode(hash, 'hex') FROM orders ORDER BY id`), "a first load stores the same content")
}

func TestRatingsOfProductsAreStored(t *testing.T) {
	s := newShop(t)
	p := commerce.Product{ID: "1", Name: "Oak"}
	s.put(commerce.Products, commerce.Batch{Products: []commerce.Product{p}})
	p.Rating, p.Ratings = decimal.NewNullDecimal(money("4.5")), 12
	require.Equal(t, 1, s.put(commerce.Products, commerce.Batch{Products: []commerce.Product{p}}).Changed)
	require.Equal(t, "4.5 of 12", one[string](s, `SELECT rating || ' of ' || ratings FROM products`))
	require.Zero(t, s.put(commerce.Products, commerce.Batch{Products: []commerce.Product{p}}).Changed)
}
