package postgres_test

import (
	"context"
	"fmt"
	"slices"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	"github.com/perennial-cvo/perennial/analysis"
	"github.com/perennial-cvo/perennial/analysis/rfm"
	"github.com/perennial-cvo/perennial/connectors/commerce"
)

// at is a moment of a day of March 2026 in Berlin, given as local hours.
func at(day, hour int) time.Time {
	berlin, err := time.LoadLocation("Europe/Berlin")
	if err != nil {
		panic(err)
	}
	return time.Date(2026, 3, day, hour, 0, 0, 0, berlin).UTC()
}

// marchDay is a day of March 2026 in days since 1970-01-01.
func marchDay(day int) int { return analysis.Day(at(day, 12), time.UTC) }

func placed(id, customer string, when time.Time) commerce.Order {
	o := order(id, customer, customer+"@example.com")
	o.PlacedAt = when
	return o
}

// refunded is a batch with one order and one refund of it.
func refunded(o commerce.Order, amount string, when time.Time) commerce.Batch {
	b := whole(o)
	b.Refunds = []commerce.Refund{{
		OrderID: o.ID, ID: "r" + o.ID, At: when, Currency: "EUR", Amount: money(amount), Goods: money(amount),
	}}
	return b
}

func (s *shop) refresh(asOf time.Time, full bool) int {
	s.t.Helper()
	n, err := s.Refresh(context.Background(), asOf, full)
	require.NoError(s.t, err)
	return n
}

// customersNow returns the aggregates by account, without person ids.
func (s *shop) customersNow() map[string]analysis.Customer {
	s.t.Helper()
	list, err := s.Customers(context.Background())
	require.NoError(s.t, err)
	named := map[string]analysis.Customer{}
	for _, c := range list {
		id := one[string](s, `SELECT coalesce(customer_id, email) FROM persons WHERE store_id = $1 AND person_id = $2`, s.id, c.Person)
		c.Person = 0
		named[id] = c
	}
	return named
}

// once is somebody with one order.
func once(day int, gross, net int64) analysis.Customer {
	return analysis.Customer{Orders: 1, FirstDay: day, LastDay: day, Gross: gross, Net: net, Days: 1, Bought: net, FirstBought: net}
}

func TestAggregatesKnowOrdersAndRefundsBeforeTheMoment(t *testing.T) {
	s := newShop(t)
	s.put(commerce.Orders, whole(placed("1", "ann", at(2, 0)), placed("2", "ann", at(3, 23)), placed("3", "ann", at(4, 0))))
	s.put(commerce.Orders, refunded(placed("4", "bob", at(1, 10)), "4", at(2, 10)))
	s.put(commerce.Orders, refunded(placed("5", "cid", at(1, 10)), "10", at(2, 10)))  // whole
	s.put(commerce.Orders, refunded(placed("6", "dee", at(1, 10)), "10", at(10, 10))) // whole, later
	require.Equal(t, 4, s.refresh(at(4, 0), false))
	want := map[string]analysis.Customer{
		"ann": {
			Orders: 2, FirstDay: marchDay(2), LastDay: marchDay(3), Gross: 200000, Net: 200000,
			Days: 2, PreviousDay: marchDay(2), Bought: 200000, FirstBought: 100000,
		},
		"bob": once(marchDay(1), 100000, 60000),
		"cid": {},
		"dee": once(marchDay(1), 100000, 100000),
	}
	require.Empty(t, cmp.Diff(want, s.customersNow()))

	require.Equal(t, 2, s.refresh(at(11, 0), false), "those with events after the moment stayed touched")
	want["ann"] = analysis.Customer{
		Orders: 3, FirstDay: marchDay(2), LastDay: marchDay(4), Gross: 300000, Net: 300000,
		Days: 3, PreviousDay: marchDay(3), Bought: 300000, FirstBought: 100000,
	}
	want["dee"] = analysis.Customer{}
	require.Empty(t, cmp.Diff(want, s.customersNow()))
	require.Zero(t, s.refresh(at(11, 0), false), "nobody is touched any more")
}

func TestRefundsWithoutOrdersMakeNoCustomer(t *testing.T) {
	s := newShop(t)
	s.put(commerce.Orders, commerce.Batch{Refunds: []commerce.Refund{{
		ID: "c1", Email: "eve@example.com", At: at(1, 10), Currency: "EUR", Amount: money("7.5"), Goods: money("7.5"),
	}}})
	s.refresh(at(4, 0), false)
	require.Empty(t, s.customersNow())
	require.Equal(t, "-7.5", one[string](s, `SELECT trim_scale(net)::text FROM person_stats WHERE orders = 0`))
}

func TestDaysOfFixedOffsetsCountEastwards(t *testing.T) {
	s := newShop(t)
	ctx := context.Background()
	require.NoError(t, s.db.SetShop(ctx, s.id, commerce.Shop{Identity: "one", Currency: "EUR", TimeZone: "+05:30"}))
	s.put(commerce.Orders, whole(placed("1", "ann", time.Date(2026, 3, 1, 18, 29, 0, 0, time.UTC)),
		placed("2", "ann", time.Date(2026, 3, 1, 18, 31, 0, 0, time.UTC))))
	s.refresh(at(9, 0), false)
	ann := s.customersNow()["ann"]
	require.Equal(t, marchDay(1), ann.FirstDay)
	require.Equal(t, marchDay(2), ann.LastDay)
}

func TestStandingMembersWithoutOrdersAreToldToLeave(t *testing.T) {
	s := newShop(t)
	s.put(commerce.Orders, whole(placed("1", "ann", at(1, 10))))
	s.refresh(at(4, 0), false)
	s.save(4, "v1", map[string]string{"ann": "champions"})
	s.put(commerce.Orders, refunded(placed("1", "ann", at(1, 10)), "10", at(2, 10)))
	s.refresh(at(5, 0), false)
	require.Equal(t, analysis.Customer{Segment: "champions", Score: rfm.Score{R: 5, F: 4, M: 5}}, s.customersNow()["ann"])
}

// anyOrder compares customers whatever their order.
var anyOrder = cmpopts.SortSlices(func(a, b analysis.Customer) bool { return a.Person < b.Person })

func TestCustomersAreReadAsTheServerHasThem(t *testing.T) {
	s := newShop(t)
	exec := func(query string) {
		_, err := s.raw.Exec(query, s.id)
		require.NoError(t, err)
	}
	exec(`INSERT INTO person_stats SELECT $1, i * i, i, DATE '1969-12-30' + i::int, DATE '2026-03-01' + i::int / 3, n, -n / 3,
			i + 1, CASE WHEN i > 3 THEN DATE '1970-01-04' END, n, -n, CASE WHEN i % 2 = 1 THEN -n END
		FROM unnest('{0,0.5,12,12.34,-12.34,0.00004,0.00005,-0.00005,-0.00015,99.99995,123456789.123450,-7,922337203685476}'::numeric[])
			WITH ORDINALITY AS u(n, i)`)
	exec(`INSERT INTO rfm_scores SELECT $1, i * 64, i % 5 + 1, 1, 2, 'loyal', DATE '2026-03-01' FROM generate_series(1, 4) i`)
	read, err := s.Customers(context.Background())
	require.NoError(t, err)
	var texts []string
	for _, c := range read {
		texts = append(texts, fmt.Sprint(c.Person, c.Orders, c.FirstDay, c.LastDay, c.Gross, c.Net, c.Score.R, c.Score.F, c.Score.M, " ", c.Segment,
			" ", c.Days, c.PreviousDay, c.Bought, c.FirstBought, c.Cost, " ", c.Costed))
	}
	require.ElementsMatch(t, all[string](s, `SELECT concat_ws(' ', person_id, coalesce(orders, 0), coalesce(first_day - DATE '1970-01-01', 0),
			coalesce(last_day - DATE '1970-01-01', 0), coalesce((gross * 10000)::bigint, 0), coalesce((net * 10000)::bigint, 0),
			coalesce(r, 0), coalesce(f, 0), coalesce(m, 0), coalesce(segment, ''), coalesce(days, 0),
			coalesce(previous_day - DATE '1970-01-01', 0), coalesce((bought * 10000)::bigint, 0),
			coalesce((first_bought * 10000)::bigint, 0), coalesce((cost * 10000)::bigint, 0), CASE WHEN cost IS NULL THEN 'false' ELSE 'true' END)
		FROM (SELECT * FROM person_stats WHERE store_id = $1) p FULL JOIN (SELECT * FROM rfm_scores WHERE store_id = $1) r USING (person_id)`,
		s.id), texts)

	exec(`UPDATE person_stats SET gross = 'NaN' WHERE store_id = $1 AND person_id = 4`)
	_, err = s.Customers(context.Background())
	require.ErrorContains(t, err, "unreadable number")
}

// TestAggregatesKeptUpEqualThoseFromScratch changes orders at random and moves on in time.
func TestAggregatesKeptUpEqualThoseFromScratch(t *testing.T) {
	base := newShop(t)
	ctx := context.Background()
	runs := 0
	rapid.Check(t, func(t *rapid.T) {
		runs++
		s := base.another(fmt.Sprintf("aggregates-%d", runs))
		day := 3
		for range rapid.IntRange(1, 4).Draw(t, "nights") {
			for range rapid.IntRange(0, 4).Draw(t, "edits") {
				o := placed(rapid.SampledFrom([]string{"1", "2", "3", "4", "5"}).Draw(t, "order"),
					rapid.SampledFrom([]string{"ann", "bob"}).Draw(t, "customer"), at(rapid.IntRange(1, 20).Draw(t, "day"), 23))
				o.Status = rapid.SampledFrom([]string{"completed", "completed", "cancelled"}).Draw(t, "status")
				refund := rapid.SampledFrom([]string{"0", "3.33", "10"}).Draw(t, "refund")
				s.put(commerce.Orders, refunded(o, refund, o.PlacedAt.Add(48*time.Hour)))
			}
			asOf := at(day, 0)
			s.refresh(asOf, false)
			kept, err := s.Customers(ctx)
			require.NoError(t, err)
			scratch, err := s.CustomersAsOf(ctx, asOf)
			require.NoError(t, err)
			kept = slices.DeleteFunc(kept, func(c analysis.Customer) bool { return c.Orders == 0 })
			require.Empty(t, cmp.Diff(scratch, kept, anyOrder))
			before := all[string](s, `SELECT person_stats::text FROM person_stats WHERE store_id = $1 ORDER BY person_id`, s.id)
			s.refresh(asOf, true)
			require.Equal(t, before, all[string](s, `SELECT person_stats::text FROM person_stats WHERE store_id = $1 ORDER BY person_id`, s.id))
			day += rapid.IntRange(0, 6).Draw(t, "days")
		}
	})
}
