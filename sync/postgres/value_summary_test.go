package postgres_test

import (
	"cmp"
	"context"
	"fmt"
	"slices"
	"testing"
	"time"

	gocmp "github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	"github.com/perennial-cvo/perennial/analysis"
	"github.com/perennial-cvo/perennial/analysis/value"
	"github.com/perennial-cvo/perennial/connectors/commerce"
)

// spentByHand is what somebody bought, and the first of it.
type spentByHand struct {
	net   int64
	first invented
}

// valuesByHand sums up what people brought, one order after the other, without what is foretold.
func valuesByHand(all []invented, asOf time.Time, loc *time.Location) value.Facts {
	people := map[string]*spentByHand{}
	sorted := slices.SortedFunc(slices.Values(all), func(a, b invented) int { return cmp.Or(a.PlacedAt.Compare(b.PlacedAt), cmp.Compare(a.ID, b.ID)) })
	for _, o := range sorted {
		net := o.Goods
		if o.refund.IsPositive() && o.given.Before(asOf) {
			net = net.Sub(o.refund)
		}
		who := o.CustomerID + o.Email
		if who == "" || o.Status != "completed" || !o.PlacedAt.Before(asOf) || o.Goods.IsPositive() && !net.IsPositive() {
			continue
		}
		if people[who] == nil {
			people[who] = &spentByHand{first: o}
		}
		people[who].net += net.Shift(4).Round(0).IntPart()
	}
	sums := map[string]map[string]*value.Sum{}
	add := func(kind, key string, p *spentByHand) {
		if sums[kind] == nil {
			sums[kind] = map[string]*value.Sum{}
		}
		if sums[kind][key] == nil {
			sums[kind][key] = &value.Sum{Key: key}
		}
		s := sums[kind][key]
		s.Customers, s.Net, s.Squares = s.Customers+1, s.Net+p.net, s.Squares+float64(p.net)/1e4*float64(p.net)/1e4
	}
	var f value.Facts
	for _, p := range people {
		f.People = append(f.People, value.Person{Net: p.net})
		add("cohort", p.first.PlacedAt.In(loc).Format("2006-01"), p)
		for _, kind := range value.Kinds() {
			for _, key := range beganWith(kind, p.first) {
				add(string(kind), key, p)
			}
		}
	}
	rows := func(kind string) (rows []value.Sum) {
		for _, s := range sums[kind] {
			rows = append(rows, *s)
		}
		return rows
	}
	f.Cohorts = rows("cohort")
	for _, kind := range value.Kinds() {
		f.Origins = append(f.Origins, value.Origin{Kind: kind, Groups: rows(string(kind))})
	}
	return f
}

func beganWith(kind value.Kind, o invented) (keys []string) {
	switch kind {
	case value.Campaign:
		keys = []string{o.Attribution.Campaign}
	case value.Source:
		keys = []string{o.Attribution.Source}
	case value.Coupon:
		if keys = slices.Clone(o.Coupons); len(keys) == 0 {
			keys = []string{""}
		}
	case value.Product:
		keys = slices.DeleteFunc(slices.Clone(o.products), func(p string) bool { return p == "" })
	case value.Category:
		for _, p := range o.products {
			keys = append(keys, shelves[p]...)
		}
	}
	slices.Sort(keys)
	return slices.Compact(keys)
}

func TestValuesEqualTheSumsOfSingleOrders(t *testing.T) {
	base := newShop(t)
	shops := 0
	rapid.Check(t, func(rt *rapid.T) {
		shops++
		name, ctx := fmt.Sprint("values ", shops), context.Background()
		zone := rapid.SampledFrom([]string{"Pacific/Auckland", "America/Sao_Paulo", "UTC"}).Draw(rt, "zone")
		s := base.another(name)
		require.NoError(rt, base.db.SetShop(ctx, s.id, commerce.Shop{Identity: name, Currency: "EUR", TimeZone: zone}))
		s.shelve()
		loc, from, days := must(commerce.Location(zone)), time.Date(2018, 9, 28, 0, 0, 0, 0, time.UTC), 100
		orders := invent(rt, from, days)
		s.placeAll(orders)
		asOf := analysis.StartOfDay(analysis.Day(from, loc)+rapid.IntRange(1, days+4).Draw(rt, "as of"), loc)
		s.refresh(asOf, true)
		got, err := s.Values(ctx, asOf)
		require.NoError(rt, err)
		require.Empty(rt, gocmp.Diff(valuesByHand(orders, asOf, loc), got, cmpopts.EquateEmpty(), cmpopts.EquateApprox(1e-9, 1e-9),
			cmpopts.IgnoreFields(value.Sum{}, "Name"), cmpopts.SortSlices(func(a, b value.Sum) bool { return a.Key < b.Key }),
			cmpopts.SortSlices(func(a, b value.Person) bool { return a.Net < b.Net })))
	})
}

// TestWhatIsExpectedIsSummedUp: by tier, from the highest down, and of those of whom anything is expected.
func TestWhatIsExpectedIsSummedUp(t *testing.T) {
	s := newShop(t)
	for i, customer := range []string{"ann", "bob", "cid"} {
		s.put(commerce.Orders, boughtOf(fmt.Sprint(i), customer, "tea", "30", at(1+i, 10)))
	}
	s.put(commerce.Customers, commerce.Batch{Customers: []commerce.Customer{{ID: "reader", Email: "reader@example.com"}}})
	s.refresh(at(10, 0), false)
	_, err := s.raw.Exec(`INSERT INTO standings (store_id, person_id, stage, tier, value) SELECT store_id, person_id, 'active',
		CASE customer_id WHEN 'ann' THEN 'low' WHEN 'bob' THEN 'top' ELSE '' END, CASE customer_id WHEN 'bob' THEN 120.5 WHEN 'reader' THEN 7 END FROM persons`)
	require.NoError(t, err)
	f, err := s.Values(context.Background(), at(10, 0))
	require.NoError(t, err)
	require.ElementsMatch(t, []value.Person{{Net: 300_000}, {Net: 300_000, Predicted: 1_205_000, Valued: true}, {Net: 300_000}}, f.People)
	require.Equal(t, []value.Sum{
		{Key: "top", Name: "Top Value", Customers: 1, Net: 300_000, Squares: 900, Valued: 1, Predicted: 1_205_000},
		{Key: "low", Name: "Low Value", Customers: 1, Net: 300_000, Squares: 900},
	}, f.Tiers)
	require.Equal(t, []value.Sum{{Key: "2026-03", Customers: 3, Net: 900_000, Squares: 2700, Valued: 1, Predicted: 1_205_000}}, f.Cohorts)

	f, err = newShop(t).Values(context.Background(), noon)
	require.NoError(t, err)
	require.Empty(t, f.People)
}
