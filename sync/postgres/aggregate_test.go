package postgres_test

import (
	"context"
	"fmt"
	"slices"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	"github.com/perennial-cvo/perennial/analysis"
	"github.com/perennial-cvo/perennial/connectors/commerce"
)

// failer is a test or a draw of one.
type failer interface {
	require.TestingT
	Helper()
}

// checkPurchases holds the aggregates against the purchase histories, which are computed in another way.
func (s *shop) checkPurchases(t failer, asOf time.Time) {
	t.Helper()
	ctx := context.Background()
	customers, err := s.Customers(ctx)
	require.NoError(t, err)
	got, want := []analysis.History{}, []analysis.History{}
	for _, c := range customers {
		if c.Orders > 0 {
			got = append(got, c.History())
			h := s.historyOf(t, c.Person, asOf)
			h.LogGaps = 0
			want = append(want, h)
		}
	}
	require.Empty(t, cmp.Diff(want, got))
	everybody, err := s.Histories(ctx, asOf)
	require.NoError(t, err)
	require.Len(t, everybody, len(got), "somebody bought and is not among the customers")
}

func (s *shop) historyOf(t failer, person int64, asOf time.Time) analysis.History {
	h, ok, err := s.HistoryOf(context.Background(), person, asOf)
	require.NoError(t, err)
	require.True(t, ok)
	return h
}

// bought is what one customer bought on one day, by hand.
type bought struct {
	net, cost int64
	costed    bool
}

// customerByHand sums up days with purchases.
func customerByHand(days map[int]bought) analysis.Customer {
	c := analysis.Customer{Days: len(days), Costed: true}
	var all []int
	for day, b := range days {
		all = append(all, day)
		c.Bought, c.Cost, c.Costed = c.Bought+b.net, c.Cost+b.cost, c.Costed && b.costed
	}
	slices.Sort(all)
	for i := range all[1:] {
		c.PreviousDay = all[i]
	}
	if !c.Costed {
		c.Cost = 0
	}
	c.FirstDay, c.LastDay, c.FirstBought = all[0], all[len(all)-1], days[all[0]].net
	return c
}

// TestPurchasesAreThoseByHand draws orders with refunds and costs, some changed between the nights, and computes everybody's
// purchases in the plainest way.
func TestPurchasesAreThoseByHand(t *testing.T) {
	base := newShop(t)
	shops := 0
	rapid.Check(t, func(rt *rapid.T) {
		shops++
		s := base.another(fmt.Sprint("purchases ", shops))
		orders := map[string]commerce.Batch{}
		for night := range rapid.IntRange(1, 3).Draw(rt, "nights") {
			for range rapid.IntRange(0, 8).Draw(rt, "orders") {
				b := drawPurchase(rt)
				orders[b.Orders[0].ID] = b
				s.put(commerce.Orders, b)
			}
			asOf := at(12+5*night, 0)
			s.refresh(asOf, false)
			s.checkPurchases(rt, asOf)
			want := purchasesByHand(orders, asOf)
			for name, c := range s.customersNow() {
				c.Orders, c.Gross, c.Net = 0, 0, 0
				require.Empty(rt, cmp.Diff(want[name], c), name)
				delete(want, name)
			}
			require.Empty(rt, want)
			kept := s.stats()
			s.refresh(asOf, true)
			require.Equal(rt, kept, s.stats(), "kept up and from scratch")
		}
	})
}

func drawPurchase(rt *rapid.T) commerce.Batch {
	o := placed(fmt.Sprint("o", rapid.IntRange(1, 12).Draw(rt, "order")), rapid.SampledFrom([]string{"ann", "bob"}).Draw(rt, "customer"),
		at(1, 0).Add(time.Duration(rapid.IntRange(0, 30*24).Draw(rt, "hours"))*time.Hour))
	o.Goods = money(fmt.Sprint(rapid.IntRange(0, 20).Draw(rt, "goods")))
	o.Cost.Valid = rapid.IntRange(0, 4).Draw(rt, "costed") > 0
	o.Cost.Decimal = money("1.5")
	b := whole(o)
	if rapid.Bool().Draw(rt, "refunded") {
		f := commerce.Refund{
			OrderID: o.ID, ID: "r", At: o.PlacedAt.Add(time.Duration(rapid.IntRange(0, 6).Draw(rt, "later")) * day), Currency: "EUR",
			Amount: money(fmt.Sprint(rapid.IntRange(1, 20).Draw(rt, "refund"))),
		}
		f.Cost.Valid, f.Cost.Decimal = rapid.Bool().Draw(rt, "taken back"), money("0.75")
		b.Refunds = append(b.Refunds, f)
	}
	return b
}

// purchasesByHand has everybody with an account, those without purchases too.
func purchasesByHand(orders map[string]commerce.Batch, asOf time.Time) map[string]analysis.Customer {
	days, all := map[string]map[int]bought{}, map[string]analysis.Customer{}
	for _, batch := range orders {
		o := batch.Orders[0]
		all[o.CustomerID] = analysis.Customer{}
		net, cost := o.Goods, o.Cost.Decimal
		for _, f := range batch.Refunds {
			if f.At.Before(asOf) {
				net = net.Sub(f.Amount)
				if f.Cost.Valid {
					cost = cost.Sub(f.Cost.Decimal)
				}
			}
		}
		if !o.PlacedAt.Before(asOf) || o.Goods.IsPositive() && !net.IsPositive() {
			continue
		}
		if days[o.CustomerID] == nil {
			days[o.CustomerID] = map[int]bought{}
		}
		day := analysis.Day(o.PlacedAt, time.UTC) // the shop tells no zone
		b, more := days[o.CustomerID][day]
		days[o.CustomerID][day] = bought{
			net: b.net + net.Shift(4).IntPart(), cost: b.cost + cost.Shift(4).IntPart(), costed: o.Cost.Valid && (b.costed || !more),
		}
	}
	for name, list := range days {
		all[name] = customerByHand(list)
	}
	return all
}

func TestFullRefreshRewritesNothingThatStands(t *testing.T) {
	s := newShop(t)
	s.put(commerce.Orders, whole(placed("1", "ann", at(1, 1)), placed("2", "ann", at(3, 1)), placed("3", "bob", at(2, 1))))
	s.put(commerce.Orders, refunded(placed("4", "bob", at(1, 10)), "4", at(2, 10)))
	s.refresh(at(9, 0), false)
	const rows = `SELECT string_agg(ctid::text || xmin::text, ' ' ORDER BY person_id) FROM person_stats`
	before := one[string](s, rows)
	s.refresh(at(9, 0), true)
	s.refresh(at(10, 0), true)
	require.Equal(t, before, one[string](s, rows))
}
