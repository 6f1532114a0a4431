package postgres_test

import (
	"cmp"
	"context"
	"fmt"
	"maps"
	"slices"
	"testing"
	"time"

	gocmp "github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
	"github.com/shopspring/decimal"
	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	"github.com/perennial-cvo/perennial/analysis"
	"github.com/perennial-cvo/perennial/analysis/experiment"
	"github.com/perennial-cvo/perennial/analysis/report"
	"github.com/perennial-cvo/perennial/connectors/commerce"
)

// experiments reads all trials.
func (s *shop) experiments(asOf time.Time) []experiment.Facts {
	s.t.Helper()
	var all []experiment.Facts
	require.NoError(s.t, s.Experiments(context.Background(), asOf, func(f experiment.Facts) error {
		all = append(all, f)
		return nil
	}))
	return all
}

func (s *shop) tried(audience, since string, until any) {
	s.t.Helper()
	_, err := s.raw.Exec(`INSERT INTO holdouts VALUES ($1, $2, $3, $4, 0.25)`, s.id, audience, since, until)
	require.NoError(s.t, err)
}

func (s *shop) wasDue(audience string, person int64, day string, held bool) {
	s.t.Helper()
	_, err := s.raw.Exec(`INSERT INTO exposures VALUES ($1, $2, $3, $4, $5, 0.25)`, s.id, audience, person, day, held)
	require.NoError(s.t, err)
}

// TestWhatCountsAsAnOutcome goes along the edges of the three times, in local days of the shop.
func TestWhatCountsAsAnOutcome(t *testing.T) {
	s := newShop(t)
	due := at(1, 0) // March 1st, and the clock goes forward on the 29th
	on := func(day int, change ...time.Duration) time.Time {
		when := analysis.StartOfDay(marchDay(1)+day, must(commerce.Location("Europe/Berlin")))
		for _, c := range change {
			when = when.Add(c)
		}
		return when
	}
	require.Equal(t, due, on(0).UTC())
	const w, year = experiment.Window, experiment.Earlier
	worth := func(id string, when time.Time, goods string) commerce.Order {
		o := placed(id, "ann", when)
		o.Goods, o.Total = money(goods), money(goods)
		return o
	}
	costed := worth("7", on(w, -time.Second), "64")
	costed.Cost = decimal.NewNullDecimal(money("24"))
	b := whole(worth("1", on(-year, -time.Second), "1"), worth("2", on(-year), "2"), worth("3", on(-w, -time.Second), "4"), worth("4", on(-w), "8"),
		worth("5", on(0, -time.Second), "16"), worth("6", on(0), "32"), costed, worth("8", on(w), "128"),
		worth("9", on(5), "256"), worth("10", on(6), "512"), worth("11", on(7), "0"))
	back := func(order, id, amount string, when time.Time) commerce.Refund {
		return commerce.Refund{OrderID: order, ID: id, At: when, Currency: "EUR", Amount: money(amount), Goods: money(amount)}
	}
	loose := back("", "l1", "5", on(w-1))
	loose.CustomerID = "ann"
	late := back("", "l2", "7", on(w))
	late.CustomerID = "ann"
	b.Refunds = []commerce.Refund{back("9", "r", "56", on(60)), back("10", "r", "512", on(60)), loose, late}
	other := order("99", "bob", "bob@example.com")
	other.PlacedAt = on(3)
	b.Orders, b.Complete = append(b.Orders, other), append(b.Complete, "99")
	s.put(commerce.Orders, b)
	s.put(commerce.Customers, commerce.Batch{Customers: []commerce.Customer{{ID: "ann", Email: "ann@example.com"}, {ID: "bob", Email: "bob@example.com"}}})
	ann := one[int64](s, `SELECT person_id FROM persons WHERE customer_id = 'ann'`)
	person := func() []report.PersonSide {
		p, _, err := s.Person(context.Background(), "ann@example.com")
		require.NoError(t, err)
		return p.Sides
	}
	require.Empty(t, person())
	s.tried("lapsed", "2026-02-01", nil)
	s.wasDue("lapsed", ann, "2026-03-01", true)
	s.wasDue("lapsed", 1<<40, "2026-03-01", true) // who never ordered
	s.wasDue("lapsed", 1<<41, "2026-03-01", true)

	require.Equal(t, []report.PersonSide{{Audience: "lapsed", Since: "2026-03-01", Held: true}}, person())
	require.Empty(t, s.experiments(on(w - 1))[0].People, "the window is not over")
	seen := func(asOf time.Time) []experiment.People {
		people := s.experiments(asOf)[0].People
		slices.SortFunc(people, func(a, b experiment.People) int { return cmp.Compare(a.Number, b.Number) })
		return people
	}
	want := []experiment.People{{
		Number: 1, Held: true, Share: 0.25,
		After:   experiment.Totals{Orders: 5, Revenue: (32 + 64 + 256 + 512 - 5) * 1e4, Margin: 40 * 1e4, Costed: 64 * 1e4},
		Before:  experiment.Totals{Orders: 2, Revenue: (8 + 16) * 1e4},
		Earlier: experiment.Totals{Orders: 2, Revenue: (2 + 4) * 1e4},
	}, {Number: 2, Held: true, Share: 0.25}}
	require.Equal(t, want, seen(on(w)))
	want[0].After.Orders, want[0].After.Revenue = 4, (32+64+200-5)*1e4
	require.Equal(t, want, seen(on(61)), "given back later: one order in part, one as if it had never been")
}

func must[T any](value T, err error) T {
	if err != nil {
		panic(err)
	}
	return value
}

func TestWhoWasSeenForAWholeWindow(t *testing.T) {
	s := newShop(t)
	require.Empty(t, s.experiments(noon))
	s.tried("lost", "2026-01-01", nil)
	s.tried("lapsed", "2025-11-01", "2025-12-01")
	s.tried("lapsed", "2026-01-01", "2026-01-01") // begun and ended on one day
	s.tried("lapsed", "2026-01-10", nil)
	for i, day := range []string{
		"2025-10-31",                             // before
		"2025-11-02", "2025-11-03", "2025-11-04", // the second is seen for 28 days until the trial pauses, the third is not
		"2025-12-01", "2026-01-01", // in pauses
		"2026-01-10", "2026-02-01", "2026-02-02", // the last is seen until today but one day
		"2026-03-01", // today: the data end before
	} {
		s.wasDue("lapsed", int64(100+i), day, i%2 == 0)
	}
	all := s.experiments(at(1, 0))
	require.Len(t, all, 2)
	require.Equal(t, []string{"lapsed", "lost"}, []string{all[0].Audience, all[1].Audience})
	day := func(text string) int32 {
		return int32(must(time.Parse(time.DateOnly, text)).Unix() / 86400)
	}
	f := all[0]
	require.Equal(t, day("2026-01-10"), f.Since)
	require.Zero(t, f.Until)
	require.Equal(t, day("2026-03-01"), f.AsOf)
	require.Equal(t, []experiment.Entry{
		{Day: day("2025-11-02"), Share: 0.25, Got: 1},
		{Day: day("2025-11-03"), Share: 0.25, Held: 1},
		{Day: day("2025-11-04"), Share: 0.25, Got: 1},
		{Day: day("2026-01-10"), Share: 0.25, Held: 1},
		{Day: day("2026-02-01"), Share: 0.25, Got: 1},
		{Day: day("2026-02-02"), Share: 0.25, Held: 1},
	}, f.Entries)
	require.ElementsMatch(t, []experiment.People{{Number: 2, Held: true, Share: 0.25}, {Number: 2, Share: 0.25}}, f.People)
	_, err := s.raw.Exec(`UPDATE holdouts SET until = '2026-02-20' WHERE audience = 'lapsed' AND until IS NULL`)
	require.NoError(t, err)
	f = s.experiments(at(1, 0))[0]
	require.Equal(t, day("2026-02-20"), f.Until)
	require.ElementsMatch(t, []experiment.People{{Number: 2, Held: true, Share: 0.25}, {Number: 1, Share: 0.25}}, f.People, "the rest was not seen for long enough before it ended")
}

// TestOutcomesEqualTheCountOfSingleOrders in invented shops, in zones whose clocks change at midnight or far from Greenwich.
func TestOutcomesEqualTheCountOfSingleOrders(t *testing.T) {
	base := newShop(t)
	shops := 0
	rapid.Check(t, func(rt *rapid.T) {
		shops++
		name := fmt.Sprint("experiment ", shops)
		zone := rapid.SampledFrom([]string{"Pacific/Auckland", "America/Sao_Paulo", "UTC", "+05:30"}).Draw(rt, "zone")
		s := base.another(name)
		require.NoError(rt, base.db.SetShop(context.Background(), s.id, commerce.Shop{Identity: name, Currency: "EUR", TimeZone: zone}))
		loc := must(commerce.Location(zone))
		from, days := time.Date(2018, 9, 28, 0, 0, 0, 0, time.UTC), 60
		all := invent(rt, from, days)
		var page commerce.Batch
		for _, o := range all {
			b := o.batch()
			page.Orders, page.Lines, page.Refunds = append(page.Orders, b.Orders...), append(page.Lines, b.Lines...), append(page.Refunds, b.Refunds...)
			page.Complete = append(page.Complete, o.ID)
		}
		s.put(commerce.Orders, page)
		first := analysis.Day(from, loc)
		since := analysis.Date(first).AddDate(0, 0, -40).Format(time.DateOnly)
		s.tried("lapsed", since, nil)
		asOf := analysis.StartOfDay(first+rapid.IntRange(experiment.Window, days+40).Draw(rt, "as of"), loc)
		want := map[int64]*experiment.People{}
		due, people := map[int64]int{}, s.groups()
		for _, person := range slices.Compact(slices.Sorted(maps.Values(people))) {
			if person == 0 {
				continue // nobody's orders
			}
			due[person] = first + rapid.IntRange(-30, days).Draw(rt, "due")
			held := rapid.Bool().Draw(rt, "held")
			s.wasDue("lapsed", person, analysis.Date(due[person]).Format(time.DateOnly), held)
			if due[person]+experiment.Window <= analysis.Day(asOf, loc) {
				want[person] = &experiment.People{Number: 1, Held: held, Share: 0.25}
			}
		}
		orders, which := counted(all, asOf, loc, false)
		for _, o := range orders {
			person := people[which[o.Place].ID]
			if p := want[person]; p != nil {
				brought(p, int(o.Day)-due[person], experiment.Totals{Orders: 1, Revenue: o.Revenue, Margin: o.Margin, Costed: o.Costed})
			}
		}
		var expected, got []experiment.People
		for _, p := range want {
			expected = append(expected, *p)
		}
		for _, f := range s.experiments(asOf) {
			for _, p := range f.People {
				for range p.Number {
					alone := p
					alone.Number = 1
					got = append(got, alone)
				}
			}
		}
		anyOrder := cmpopts.SortSlices(func(a, b experiment.People) bool { return fmt.Sprint(a) < fmt.Sprint(b) })
		if diff := gocmp.Diff(expected, got, anyOrder, cmpopts.EquateEmpty()); diff != "" {
			rt.Fatalf("%s as of %s (-one by one +database):\n%s", zone, asOf, diff)
		}
	})
}

// brought counts what somebody ordered so many days after they were due.
func brought(p *experiment.People, after int, what experiment.Totals) {
	to := &p.After
	switch {
	case after >= experiment.Window || after < -experiment.Earlier:
		return
	case after < -experiment.Window:
		to = &p.Earlier
	case after < 0:
		to = &p.Before
	}
	to.Orders, to.Revenue, to.Margin, to.Costed = to.Orders+what.Orders, to.Revenue+what.Revenue, to.Margin+what.Margin, to.Costed+what.Costed
}
