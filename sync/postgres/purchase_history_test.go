package postgres_test

import (
	"cmp"
	"context"
	"fmt"
	"math"
	"slices"
	"testing"
	"time"

	gocmp "github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
	"github.com/shopspring/decimal"
	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	"github.com/perennial-cvo/perennial/analysis"
	"github.com/perennial-cvo/perennial/connectors/commerce"
)

// TestHistoriesAreByDaysOfTheShop: 22:30 in UTC is the next day in Berlin, and two orders of a day are one purchase.
func TestHistoriesAreByDaysOfTheShop(t *testing.T) {
	s := newShop(t)
	placed := func(id, at string) commerce.Order {
		o := order(id, "7", "")
		moment, err := time.Parse(time.RFC3339, at)
		require.NoError(t, err)
		o.PlacedAt = moment
		return o
	}
	costed := placed("5", "2026-03-16T10:00:00Z")
	costed.CustomerID, costed.Cost = "8", decimal.NewNullDecimal(money("4"))
	back := commerce.Refund{OrderID: "4", ID: "r", At: noon, Currency: "EUR", Amount: money("10")}
	partly := commerce.Refund{OrderID: "3", ID: "p", At: noon, Currency: "EUR", Amount: money("4")}
	b := whole(placed("1", "2026-03-02T22:30:00Z"), placed("2", "2026-03-02T23:30:00Z"), placed("3", "2026-03-09T23:30:00Z"),
		placed("4", "2026-03-20T10:00:00Z"), costed)
	b.Refunds = append(b.Refunds, back, partly)
	s.put(commerce.Orders, b)
	all, err := s.Histories(context.Background(), noon.AddDate(1, 0, 0))
	require.NoError(t, err)
	slices.SortFunc(all, func(a, b analysis.History) int { return cmp.Compare(a.FirstDay, b.FirstDay) })
	berlin, err := time.LoadLocation("Europe/Berlin")
	require.NoError(t, err)
	first := int32(analysis.Day(b.Orders[0].PlacedAt, berlin))
	require.Len(t, all, 2)
	require.Equal(t, analysis.History{
		Person: s.personOf("1"), Days: 3, FirstDay: first, LastDay: first + 8, Net: 260_000, FirstNet: 100_000,
		LogGaps: math.Log(1.0/7) + math.Log(7.0/7),
	}, all[0])
	require.Equal(t, analysis.History{
		Person: s.personOf("5"), Days: 1, FirstDay: first + 14, LastDay: first + 14, Net: 100_000, FirstNet: 100_000, Cost: 40_000, Costed: true,
	}, all[1])
}

// TestHistoriesEqualThoseByHand computes them from random orders and refunds in the plainest way.
func TestHistoriesEqualThoseByHand(t *testing.T) {
	base := newShop(t)
	shops := 0
	rapid.Check(t, func(rt *rapid.T) {
		shops++
		s := base.another(fmt.Sprint("history ", shops))
		asOf := noon.AddDate(0, 0, 40)
		nets := map[string]map[int]int64{}
		for n := range rapid.IntRange(0, 12).Draw(rt, "orders") {
			o := order(fmt.Sprint("o", n), rapid.SampledFrom([]string{"a", "b", "c"}).Draw(rt, "customer"), "")
			o.PlacedAt = noon.Add(time.Duration(rapid.IntRange(0, 50*24).Draw(rt, "hours")) * time.Hour)
			o.Goods = money(fmt.Sprint(rapid.IntRange(0, 20).Draw(rt, "goods")))
			b := whole(o)
			net := o.Goods
			if rapid.Bool().Draw(rt, "refunded") {
				amount := money(fmt.Sprint(rapid.IntRange(1, 20).Draw(rt, "refund")))
				at := o.PlacedAt.Add(time.Hour)
				b.Refunds = append(b.Refunds, commerce.Refund{OrderID: o.ID, ID: "r", At: at, Currency: "EUR", Amount: amount})
				if at.Before(asOf) {
					net = net.Sub(amount)
				}
			}
			s.put(commerce.Orders, b)
			if o.PlacedAt.Before(asOf) && (!o.Goods.IsPositive() || net.IsPositive()) {
				if nets[o.CustomerID] == nil {
					nets[o.CustomerID] = map[int]int64{}
				}
				nets[o.CustomerID][analysis.Day(o.PlacedAt, time.UTC)] += net.Shift(4).IntPart()
			}
		}
		var want []analysis.History
		for _, days := range nets {
			want = append(want, byHand(days))
		}
		got, err := s.Histories(context.Background(), asOf)
		require.NoError(rt, err)
		for i := range got {
			got[i].Person = 0
		}
		less := func(a, b analysis.History) bool { return fmt.Sprint(a) < fmt.Sprint(b) }
		if diff := gocmp.Diff(want, got, cmpopts.SortSlices(less), cmpopts.EquateApprox(0, 1e-9), cmpopts.EquateEmpty()); diff != "" {
			rt.Fatalf("(-by hand +database):\n%s", diff)
		}
	})
}

func byHand(nets map[int]int64) analysis.History {
	var days []int
	h := analysis.History{Days: int32(len(nets))}
	for day, net := range nets {
		days = append(days, day)
		h.Net += net
	}
	slices.Sort(days)
	h.FirstDay, h.LastDay, h.FirstNet = int32(days[0]), int32(days[len(days)-1]), nets[days[0]]
	for i := range days[1:] {
		h.LogGaps += math.Log(float64(days[i+1]-days[i]) / 7)
	}
	return h
}
