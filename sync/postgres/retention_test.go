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
	"github.com/shopspring/decimal"
	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	"github.com/perennial-cvo/perennial/analysis"
	"github.com/perennial-cvo/perennial/analysis/retention"
	"github.com/perennial-cvo/perennial/connectors/commerce"
	"github.com/perennial-cvo/perennial/sync/schedule"
)

// invented is an order with its refund, as the shop tells it.
type invented struct {
	commerce.Order
	refund   decimal.Decimal
	given    time.Time // when it was given back
	products []string
}

// shelves are the categories of the products of these tests.
var shelves = map[string][]string{"tea": {"drinks", "gifts"}, "cup": {"gifts"}, "pot": nil}

// invent draws the orders of a shop around the changes of the clock.
func invent(t *rapid.T, from time.Time, days int) []invented {
	var all []invented
	for n := range rapid.IntRange(0, 40).Draw(t, "orders") {
		o := invented{Order: order(fmt.Sprint("o", n), "", "")}
		switch who := rapid.IntRange(0, 9).Draw(t, "who"); {
		case who == 0: // nobody
		case who < 4:
			o.Email = fmt.Sprintf("guest%d@example.com", who)
		default:
			o.CustomerID = fmt.Sprint("c", who)
		}
		o.PlacedAt = from.Add(time.Duration(rapid.IntRange(0, days*48).Draw(t, "half hours")) * 30 * time.Minute)
		o.Goods = decimal.New(rapid.Int64Range(0, 40).Draw(t, "goods")*3333, -3)
		if o.Total = o.Goods; rapid.Bool().Draw(t, "costed") {
			o.Cost = decimal.NewNullDecimal(o.Goods.Mul(money("0.4")))
		}
		if rapid.IntRange(0, 3).Draw(t, "refunded") == 0 {
			o.refund, o.given = o.Goods.Mul(rapid.SampledFrom([]decimal.Decimal{money("0.5"), money("1")}).Draw(t, "part")), o.PlacedAt.Add(72*time.Hour)
		}
		o.Status = rapid.SampledFrom([]string{"completed", "completed", "completed", "cancelled"}).Draw(t, "status")
		o.Attribution = commerce.Attribution{
			Source: rapid.SampledFrom([]string{"", "letter"}).Draw(t, "source"), Campaign: rapid.SampledFrom([]string{"", "spring", "autumn"}).Draw(t, "campaign"),
		}
		o.Coupons = rapid.SampledFrom([][]string{nil, {"welcome"}, {"welcome", "ten"}, {"ten", "ten"}}).Draw(t, "coupons")
		o.products = rapid.SampledFrom([][]string{{"tea"}, {"tea", "cup"}, {"cup", "cup", "pot"}, {"gone"}, {""}}).Draw(t, "products")
		all = append(all, o)
	}
	return all
}

func (o invented) batch() commerce.Batch {
	b := commerce.Batch{Orders: []commerce.Order{o.Order}, Complete: []string{o.ID}}
	for i, product := range o.products {
		line := commerce.Line{OrderID: o.ID, ID: fmt.Sprint(i), ProductID: product, Name: "line of " + product, Quantity: money("1")}
		if i == 0 {
			line.Subtotal, line.Total = o.Goods, o.Goods
		}
		b.Lines = append(b.Lines, line)
	}
	if o.refund.IsPositive() {
		b.Refunds = []commerce.Refund{{
			OrderID: o.ID, ID: "r", At: o.given, Currency: "EUR", Amount: o.refund, Goods: o.refund,
			Cost: decimal.NewNullDecimal(money("0.1")),
		}}
	}
	return b
}

// counted turns orders into what Count takes, and says which of them belong to nobody.
func counted(all []invented, asOf time.Time, loc *time.Location, gross bool) (orders []retention.Order, from map[int64]invented) {
	from = map[int64]invented{}
	sorted := slices.SortedFunc(slices.Values(all), func(a, b invented) int { return cmp.Or(a.PlacedAt.Compare(b.PlacedAt), cmp.Compare(a.ID, b.ID)) })
	people := map[string]int64{"": 0}
	for i, o := range sorted {
		net := o.Goods
		cost := o.Cost.Decimal
		if o.refund.IsPositive() && o.given.Before(asOf) {
			net, cost = net.Sub(o.refund), cost.Sub(money("0.1"))
		}
		if o.Status != "completed" || !o.PlacedAt.Before(asOf) || o.Goods.IsPositive() && !net.IsPositive() {
			continue
		}
		if gross {
			net, cost = o.Goods, o.Cost.Decimal
		}
		who := o.CustomerID + o.Email
		if _, known := people[who]; !known {
			people[who] = int64(len(people))
		}
		row := retention.Order{
			Person: people[who], Place: int64(i), Day: int32(analysis.Day(o.PlacedAt, loc)), Revenue: net.Shift(4).Round(0).IntPart(),
		}
		if o.Cost.Valid {
			row.Costed, row.Margin = row.Revenue, row.Revenue-cost.Shift(4).Round(0).IntPart()
		}
		orders, from[row.Place] = append(orders, row), o
	}
	return orders, from
}

// expected is what the database should count, by Count.
func expected(all []invented, asOf time.Time, loc *time.Location, gross bool) retention.Facts {
	orders, from := counted(all, asOf, loc, gross)
	window := retention.Window{AsOf: int32(analysis.Day(asOf, loc))}
	var f retention.Facts
	unknown := map[int32]*retention.Sale{}
	orders = slices.DeleteFunc(orders, func(o retention.Order) bool {
		if o.Person == 0 {
			month := retention.Month.Start(retention.Month.Of(o.Day))
			if unknown[month] == nil {
				unknown[month] = &retention.Sale{Period: month, Buyer: retention.Unknown}
			}
			s := unknown[month]
			s.Amounts = s.Add(retention.Amounts{Orders: 1, Revenue: o.Revenue, Margin: o.Margin, Costed: o.Costed})
		}
		return o.Person == 0
	})
	c := retention.Count(orders, retention.Question{Unit: retention.Month, Window: window, Within: retention.Within})
	f.Months, f.Visits, f.Sales, f.Tallies, f.Waits, f.Gaps, f.Beginners = c.Cells, c.Visits, c.Sales, c.Tallies, c.Waits, c.Gaps, c.All
	for _, s := range unknown {
		f.Sales = append(f.Sales, *s)
	}
	oldest := retention.Week.Start(retention.Week.Of(window.AsOf-1) - retention.Weeks + 1)
	for _, cell := range retention.Count(orders, retention.Question{Unit: retention.Week, Window: window}).Cells {
		if cell.Cohort >= oldest {
			f.Weeks = append(f.Weeks, cell)
		}
	}
	for _, p := range c.Pairs {
		d := float64(p.Earlier)/float64(p.Earlier+p.Later) - 0.5
		n := float64(p.Customers)
		f.Spread.Customers, f.Spread.Squares, f.Spread.Fourth = f.Spread.Customers+p.Customers, f.Spread.Squares+n*d*d, f.Spread.Fourth+n*d*d*d*d
	}
	spent := map[int64]int64{}
	var all64 []int64
	var total int64
	for _, o := range orders {
		spent[o.Person] += o.Revenue
		total += o.Revenue
	}
	for _, amount := range spent {
		all64 = append(all64, amount)
	}
	if share, ok := retention.TopShare(all64, retention.BestPart); ok {
		f.Best = int64(share*float64(total) + 0.5)
	}
	for _, kind := range retention.Kinds() {
		f.Origins = append(f.Origins, origin(kind, orders, from, window))
	}
	return f
}

// origin counts newcomers by one thing at a time: Count takes one key an order.
func origin(kind retention.Kind, orders []retention.Order, from map[int64]invented, window retention.Window) retention.Origin {
	keys := func(o invented) (keys []string) {
		switch kind {
		case retention.Campaign:
			keys = []string{o.Attribution.Campaign}
		case retention.Source:
			keys = []string{o.Attribution.Source}
		case retention.Coupon:
			if keys = slices.Clone(o.Coupons); len(keys) == 0 {
				keys = []string{""}
			}
		case retention.Product:
			keys = slices.DeleteFunc(slices.Clone(o.products), func(p string) bool { return p == "" })
		case retention.Category:
			for _, p := range o.products {
				keys = append(keys, shelves[p]...)
			}
		}
		slices.Sort(keys)
		return slices.Compact(keys)
	}
	out := retention.Origin{Kind: kind}
	different := map[string]bool{}
	for _, o := range from {
		for _, key := range keys(o) {
			different[key] = true
		}
	}
	for key := range different {
		marked := slices.Clone(orders)
		for i := range marked {
			marked[i].Key = "without"
			if slices.Contains(keys(from[marked[i].Place]), key) {
				marked[i].Key = "with"
			}
		}
		for _, n := range retention.Count(marked, retention.Question{Unit: retention.Month, Window: window, Within: retention.Within}).Newcomers {
			if n.Key == "with" {
				n.Key = key
				out.Keys = append(out.Keys, n)
			}
		}
	}
	return out
}

// TestRetentionEqualsTheCountOfSingleOrders counts invented shops by the database and one by one, in zones whose clocks change at midnight
// or far from Greenwich.
func TestRetentionEqualsTheCountOfSingleOrders(t *testing.T) {
	base := newShop(t)
	shops := 0
	anyOrder := cmpopts.SortSlices(func(a, b any) bool { return fmt.Sprint(a) < fmt.Sprint(b) })
	rapid.Check(t, func(rt *rapid.T) {
		shops++
		name := fmt.Sprint("retention ", shops)
		zone := rapid.SampledFrom([]string{"Pacific/Auckland", "America/Sao_Paulo", "UTC", "+05:30"}).Draw(rt, "zone")
		s := base.another(name)
		ctx := context.Background()
		require.NoError(rt, base.db.SetShop(ctx, s.id, commerce.Shop{Identity: name, Currency: "EUR", TimeZone: zone}))
		loc, err := commerce.Location(zone)
		require.NoError(rt, err)
		var b commerce.Batch
		for id, categories := range shelves {
			b.Products = append(b.Products, commerce.Product{ID: id, Name: "The " + id, Categories: categories})
		}
		s.put(commerce.Products, b)
		from, days := time.Date(2018, 9, 28, 0, 0, 0, 0, time.UTC), 400
		orders := invent(rt, from, days)
		var page commerce.Batch
		for _, o := range orders {
			b := o.batch()
			page.Orders, page.Lines, page.Refunds = append(page.Orders, b.Orders...), append(page.Lines, b.Lines...), append(page.Refunds, b.Refunds...)
			page.Complete = append(page.Complete, o.ID)
		}
		s.put(commerce.Orders, page)
		for _, after := range []int{days + 4, rapid.IntRange(1, days).Draw(rt, "as of")} {
			asOf := analysis.StartOfDay(analysis.Day(from, loc)+after, loc)
			gross := rapid.Bool().Draw(rt, "gross")
			got, err := s.Retention(ctx, asOf, gross)
			require.NoError(rt, err)
			for i := range got.Origins {
				got.Origins[i].Names = nil
			}
			if diff := gocmp.Diff(expected(orders, asOf, loc, gross), got, anyOrder, cmpopts.EquateApprox(0, 1e-12), cmpopts.EquateEmpty()); diff != "" {
				rt.Fatalf("%s as of %s (-one by one +database):\n%s", zone, asOf, diff)
			}
		}
	})
	require.Positive(t, shops)
}

func TestRetentionNamesProducts(t *testing.T) {
	s := newShop(t)
	b := whole(placed("1", "ann", at(1, 10)), placed("2", "bob", at(1, 10)))
	b.Lines[0].ProductID, b.Lines[1].ProductID, b.Lines[1].Name = "12", "13", "Old teapot"
	b.Products = []commerce.Product{{ID: "12", Name: "Green tea"}}
	s.put(commerce.Orders, b)
	f, err := s.Retention(context.Background(), at(20, 0), false)
	require.NoError(t, err)
	require.Equal(t, map[string]string{"12": "Green tea", "13": "Old teapot"}, f.Origins[3].Names, "what the shop has no more is called as in the order")
}

func TestRetentionOfAnEmptyShop(t *testing.T) {
	f, err := newShop(t).Retention(context.Background(), noon, false)
	require.NoError(t, err)
	require.Empty(t, f.Months)
	require.Empty(t, f.Sales)
	require.Zero(t, f.Beginners)
}

// TestNewcomersAreGivenTheirDays: a second order on the last of the days counts, and who has not had them all is too young.
func TestNewcomersAreGivenTheirDays(t *testing.T) {
	s := newShop(t)
	b := whole(placed("1", "ann", at(1, 10)), placed("2", "ann", at(1+retention.Within, 23)), // in time
		placed("3", "bob", at(1, 10)), placed("4", "bob", at(2+retention.Within, 1)), // a day late
		placed("5", "cid", at(1, 10)), placed("6", "cid", at(1, 10)), // on the same day
		placed("7", "dee", at(3, 10)), placed("8", "dee", at(4, 10)))
	s.put(commerce.Orders, b)
	for day, want := range map[int]retention.Newcomers{
		2 + retention.Within: {Observed: 3, Returned: 2, Young: 1},
		3 + retention.Within: {Observed: 3, Returned: 2, Young: 1},
		4 + retention.Within: {Observed: 4, Returned: 3},
		1 + retention.Within: {Young: 4},
	} {
		f, err := s.Retention(context.Background(), at(day, 0), false)
		require.NoError(t, err)
		require.Equal(t, want, f.Beginners, day)
	}
}

func TestTheLatestSummaryIsKept(t *testing.T) {
	s := newShop(t)
	ctx := context.Background()
	_, ok, err := s.RetentionSummary(ctx)
	require.NoError(t, err)
	require.False(t, ok)
	s.put(commerce.Orders, whole(placed("1", "ann", at(1, 10)), placed("2", "ann", at(9, 10)), placed("3", "bob", at(2, 10))))
	require.NoError(t, s.MarkLoaded(ctx, noon))
	for _, day := range []int{10, 10, 12} {
		want, err := analysis.Retain(ctx, s, analysis.RetentionOptions{Now: func() time.Time { return at(day, 14) }})
		require.NoError(t, err)
		require.Equal(t, 2, want.Customers)
		require.Equal(t, 0.5, want.Repeat.ByOrders.Rate)
		require.NoError(t, s.SaveRetention(ctx, want))
		got, ok, err := s.RetentionSummary(ctx)
		require.NoError(t, err)
		require.True(t, ok)
		require.Equal(t, int32(marchDay(day)), int32(got.Day))
		require.Empty(t, gocmp.Diff(want, got, cmpopts.EquateEmpty()))
	}
	require.Equal(t, 1, one[int](s, `SELECT count(*) FROM retention`))
}

// TestOrdersChangedSinceTheLastSummary: by a run on the same day after it, or by one that was interrupted when the sums of
// customers were made already.
func TestOrdersChangedSinceTheLastSummary(t *testing.T) {
	s := newShop(t)
	ctx := context.Background()
	run := func(kind string, state schedule.State, refreshed int) {
		t.Helper()
		id, err := s.db.StartRun(ctx, s.id, kind, noon)
		require.NoError(t, err)
		require.NoError(t, s.db.EndRun(ctx, s.id, id, schedule.End{At: noon, State: state, Counts: map[string]int{"refreshed": refreshed}}))
	}
	changed := func() bool {
		t.Helper()
		changed, err := s.RefreshedSinceRetention(ctx)
		require.NoError(t, err)
		return changed
	}
	require.False(t, changed())
	run("analyze", schedule.Succeeded, 3)
	require.True(t, changed())
	run("retention", schedule.Failed, 0)
	require.True(t, changed())
	run("retention", schedule.Succeeded, 0)
	require.False(t, changed())
	run("analyze", schedule.Succeeded, 0)
	require.False(t, changed())
	run("analyze", schedule.Succeeded, 1)
	run("analyze", schedule.Succeeded, 0)
	require.True(t, changed(), "the last one found nothing left to do")
	run("retention", schedule.Succeeded, 0)
	_, err := s.db.StartRun(ctx, s.id, "worth", noon)
	require.NoError(t, err)
	run("analyze", schedule.Succeeded, 0)
	require.True(t, changed(), "the process ended in the appraisal, after the sums were made")
}
