package retention_test

import (
	"math"
	"math/rand/v2"
	"slices"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	"github.com/perennial-cvo/perennial/analysis/retention"
)

const january2026 = 20454 // 2026-01-01

func TestPeriodsHoldTheirDays(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		day := rapid.Int32Range(-40_000, 60_000).Draw(t, "day")
		for _, unit := range []retention.Unit{retention.Month, retention.Week} {
			p := unit.Of(day)
			require.LessOrEqual(t, unit.Start(p), day)
			require.Greater(t, unit.Start(p+1), day)
			require.Equal(t, p, unit.Of(unit.Start(p)))
		}
		require.Equal(t, time.Monday, time.Unix(int64(retention.Week.Start(retention.Week.Of(day)))*86400, 0).UTC().Weekday())
	})
}

// shop is a small invented shop.
func shop(t *rapid.T) ([]retention.Order, retention.Question) {
	n := rapid.IntRange(1, 60).Draw(t, "orders")
	all := make([]retention.Order, n)
	for i := range all {
		all[i] = retention.Order{
			Person: rapid.Int64Range(1, 15).Draw(t, "person"), Place: int64(i), Day: january2026 + rapid.Int32Range(0, 200).Draw(t, "day"),
			Revenue: rapid.Int64Range(-50_000, 5_000_000).Draw(t, "revenue"), Key: rapid.SampledFrom([]string{"", "spring", "brand"}).Draw(t, "key"),
		}
		all[i].Costed, all[i].Margin = all[i].Revenue/2, all[i].Revenue/5
	}
	return all, retention.Question{
		Unit: rapid.SampledFrom([]retention.Unit{retention.Month, retention.Week}).Draw(t, "unit"), Within: 30,
		Window: retention.Window{AsOf: january2026 + rapid.Int32Range(201, 250).Draw(t, "as of")},
	}
}

// answers asks everything.
type answers struct {
	Cohorts  []retention.Cohort
	Curve    []retention.Share
	Periods  []retention.Period
	Revenues []retention.Revenue
	Repeat   retention.Repeat
	Survival retention.Survival
	Rhythm   retention.Rhythm
	Stick    retention.Stick
}

func ask(t require.TestingT, orders []retention.Order, q retention.Question) answers {
	c := retention.Count(orders, q)
	var a answers
	var errs [7]error
	a.Cohorts, errs[0] = retention.Cohorts(c.Cells, q.Unit, q.Window)
	a.Curve = retention.Curve(a.Cohorts)
	a.Periods, errs[1] = retention.Periods(c.Visits, q.Unit, q.Window)
	a.Revenues, errs[2] = retention.Revenues(c.Sales, q.Unit, q.Window)
	a.Repeat, errs[3] = retention.Repeats(c.Tallies)
	a.Survival, errs[4] = retention.KaplanMeier(c.Waits)
	a.Rhythm, errs[5] = retention.Rhythms(c.Gaps, c.Pairs)
	a.Stick, errs[6] = retention.Stay(c.All, c.Newcomers, 1)
	for _, err := range errs {
		require.NoError(t, err)
	}
	return a
}

func TestOrderOfRowsDoesNotMatter(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		all, q := shop(t)
		shuffled := slices.Clone(all)
		r := rand.New(rand.NewPCG(1, rapid.Uint64().Draw(t, "seed")))
		r.Shuffle(len(shuffled), func(i, j int) { shuffled[i], shuffled[j] = shuffled[j], shuffled[i] })
		require.Equal(t, ask(t, all, q), ask(t, shuffled, q))
	})
}

func TestAnswersAgreeWithEachOther(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		all, q := shop(t)
		a := ask(t, all, q)
		var revenue, byCohort, byPeriod, byBuyer int64
		for _, o := range all {
			revenue += o.Revenue
		}
		size, fresh := 0, 0
		for _, c := range a.Cohorts {
			size += c.Size
			byCohort += c.Periods[len(c.Periods)-1].Cumulative.Revenue
		}
		for i, p := range a.Periods {
			fresh += p.New
			byPeriod += p.FromNew.Revenue + p.FromRetained.Revenue + p.FromOld.Revenue
			if p.Before > 0 {
				require.InDelta(t, 1, p.Retention.Rate+p.Churn.Rate, 1e-12)
			}
			if i > 0 {
				require.Equal(t, a.Periods[i-1].Active(), p.Before)
			}
		}
		for _, r := range a.Revenues {
			byBuyer += r.New.Revenue + r.Returning.Revenue
		}
		require.Equal(t, []int64{revenue, revenue, revenue, revenue}, []int64{byCohort, byPeriod, byBuyer, a.Repeat.Revenue})
		require.Equal(t, a.Repeat.Customers, size)
		require.Equal(t, a.Repeat.Customers, fresh)
		require.Equal(t, a.Repeat.ByDays.Hits, a.Survival.Events)
		last := retention.Step{Waiting: 1, Low: 1, High: 1}
		for _, s := range a.Survival.Steps {
			require.LessOrEqual(t, s.Waiting, last.Waiting)
			require.LessOrEqual(t, s.Low, s.Waiting)
			require.GreaterOrEqual(t, s.High, s.Waiting)
			require.False(t, math.IsNaN(s.Low+s.High+s.StdErr))
			last = s
		}
	})
}

func TestScalingMoneyScalesOnlyMoney(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		all, q := shop(t)
		factor := rapid.Int64Range(2, 9).Draw(t, "factor")
		scaled := slices.Clone(all)
		for i := range scaled {
			scaled[i].Revenue *= factor
		}
		a, b := ask(t, all, q), ask(t, scaled, q)
		require.Equal(t, a.Survival, b.Survival)
		require.Equal(t, a.Curve, b.Curve)
		want := float64(factor) * a.Repeat.AverageOrder
		require.InDelta(t, want, b.Repeat.AverageOrder, 1e-9*(1+math.Abs(want)))
	})
}

func TestKaplanMeierByHand(t *testing.T) {
	s, err := retention.KaplanMeier([]retention.Wait{
		{Days: 5, Again: true, Customers: 1}, {Days: 5, Customers: 1}, {Days: 8, Again: true, Customers: 1}, {Days: 9, Customers: 2},
	})
	require.NoError(t, err)
	require.Equal(t, 5, s.Customers)
	require.InDelta(t, 0.8, s.At(5).Waiting, 1e-15, "who was last seen on the day was at risk on it")
	require.InDelta(t, 0.8*2/3, s.At(8).Waiting, 1e-15)
	require.InDelta(t, 0.8*2/3*math.Sqrt(1.0/20+1.0/6), s.At(8).StdErr, 1e-15)
	require.Equal(t, 3, s.At(6).AtRisk)
	require.Equal(t, 0, s.At(100).AtRisk)
	require.Equal(t, 1.0, s.At(4).Waiting)
	require.False(t, s.Median.Reached)

	all, err := retention.KaplanMeier([]retention.Wait{{Days: 3, Again: true, Customers: 4}})
	require.NoError(t, err)
	require.Equal(t, retention.Step{Day: 3, AtRisk: 4, Events: 4, Low: 0, High: 1}, all.At(3))
	require.True(t, all.Median.Reached)

	none, err := retention.KaplanMeier(nil)
	require.NoError(t, err)
	require.Empty(t, none.Steps)
	require.Equal(t, 1.0, none.At(10).Waiting)
}

func TestPeriodThatIsNotOverAndCustomersFromBefore(t *testing.T) {
	q := retention.Question{Unit: retention.Month, Within: 30, Window: retention.Window{From: january2026 + 5, AsOf: january2026 + 40}}
	a := ask(t, []retention.Order{{Person: 1, Day: january2026 + 6}, {Person: 1, Day: january2026 + 35}, {Person: 2, Day: january2026 + 36}, {Person: 3, Day: january2026 + 41}}, q)
	require.Len(t, a.Cohorts, 2)
	require.False(t, a.Cohorts[0].Whole, "orders before the sixth are not known")
	require.True(t, a.Cohorts[1].Whole)
	require.Equal(t, []bool{true, false}, []bool{a.Cohorts[0].Periods[0].Complete, a.Cohorts[0].Periods[1].Complete})
	require.Empty(t, a.Curve, "no cohort is whole and complete")
	require.Equal(t, 1, a.Periods[1].Retained)
	require.Zero(t, retention.Churn(a.Periods, 12).Of)
}

func TestChurnPoolsTheLastCompletePeriods(t *testing.T) {
	visits := []retention.Visit{
		{Period: january2026, New: true, Customers: 10},
		{Period: january2026 + 31, Previous: january2026, Customers: 4},
		{Period: january2026 + 31, New: true, Customers: 6},
		{Period: january2026 + 59, Previous: january2026 + 31, Customers: 5},
		{Period: january2026 + 59, Previous: january2026, Customers: 2},
	}
	periods, err := retention.Periods(visits, retention.Month, retention.Window{AsOf: january2026 + 90})
	require.NoError(t, err)
	require.Len(t, periods, 3)
	require.Equal(t, 0.4, periods[1].Retention.Rate)
	require.Equal(t, 2, periods[2].Reactivated)
	require.Equal(t, retention.NewShare(11, 20), retention.Churn(periods, 12))
	require.Equal(t, retention.NewShare(5, 10), retention.Churn(periods, 1))
}

func TestContradictionsAreNamed(t *testing.T) {
	w := retention.Window{AsOf: january2026 + 400}
	for name, ask := range map[string]func() error{
		"nobody in its first period": func() error {
			_, err := retention.Cohorts([]retention.Cell{{Cohort: january2026, Period: january2026 + 40, Customers: 1}}, retention.Month, w)
			return err
		},
		"a second count": func() error {
			c := retention.Cell{Cohort: january2026, Period: january2026, Customers: 1}
			_, err := retention.Cohorts([]retention.Cell{c, c}, retention.Month, w)
			return err
		},
		"2 of 1 customers": func() error {
			_, err := retention.Cohorts([]retention.Cell{{Cohort: january2026, Period: january2026, Customers: 1}, {Cohort: january2026, Period: january2026 + 40, Customers: 2}}, retention.Month, w)
			return err
		},
		"neither month nor week": func() error {
			_, err := retention.Periods(nil, "year", w)
			return err
		},
		"retained of 0": func() error {
			_, err := retention.Periods([]retention.Visit{{Period: january2026, Previous: january2026 - 20, Customers: 3}}, retention.Month, w)
			return err
		},
		"no buyer": func() error {
			_, err := retention.Revenues([]retention.Sale{{Period: january2026, Buyer: "dog"}}, retention.Month, w)
			return err
		},
		"0 orders on 0 days": func() error {
			_, err := retention.Repeats([]retention.Tally{{Customers: 1}})
			return err
		},
		"after -1 days": func() error {
			_, err := retention.KaplanMeier([]retention.Wait{{Days: -1, Customers: 1}})
			return err
		},
		"pauses of 0 days": func() error {
			_, err := retention.Rhythms([]retention.Gap{{Count: 1}}, nil)
			return err
		},
		`of "spring": 3 of 5`: func() error {
			_, err := retention.Stay(retention.Newcomers{Observed: 4, Returned: 2}, []retention.Newcomers{{Key: "spring", Observed: 5, Returned: 3}}, 1)
			return err
		},
	} {
		require.ErrorContains(t, ask(), name)
	}
}

func TestRegularityRecoversTheShapeOfPauses(t *testing.T) {
	r := rand.New(rand.NewPCG(7, 11))
	for _, k := range []int{1, 2, 4} {
		pause := func(rate float64) int32 {
			sum := 0.0
			for range k {
				sum += r.ExpFloat64()
			}
			return max(1, int32(math.Round(sum*rate)))
		}
		var pairs []retention.Pair
		for range 20_000 {
			rate := 300 + 3000*r.Float64()
			pairs = append(pairs, retention.Pair{Earlier: pause(rate), Later: pause(rate), Customers: 1})
		}
		rhythm, err := retention.Rhythms(nil, pairs)
		require.NoError(t, err)
		require.InEpsilon(t, float64(k), rhythm.K, 0.05)
		require.Less(t, rhythm.Low, float64(k))
		require.Greater(t, rhythm.High, float64(k))
	}
	few, err := retention.Rhythms(nil, []retention.Pair{{Earlier: 3, Later: 5, Customers: retention.MinPairs - 1}})
	require.NoError(t, err)
	require.False(t, few.Known)
	equal, err := retention.Rhythms(nil, []retention.Pair{{Earlier: 7, Later: 7, Customers: 100}})
	require.NoError(t, err)
	require.False(t, equal.Known, "buying like clockwork has no k")
}

func TestKeysThatStandOutAreTold(t *testing.T) {
	all := retention.Newcomers{Observed: 10_000, Returned: 3_000, Young: 500}
	stick, err := retention.Stay(all, []retention.Newcomers{
		{Key: "spring", Observed: 1000, Returned: 400},
		{Key: "voucher", Observed: 1000, Returned: 200},
		{Key: "brand", Observed: 1000, Returned: 305},
		{Key: "rare", Observed: 9, Returned: 9},
	}, 30)
	require.NoError(t, err)
	require.Equal(t, 1, stick.Small)
	verdicts := map[string]retention.Verdict{}
	for _, k := range stick.Keys {
		verdicts[k.Key] = k.Verdict
		require.GreaterOrEqual(t, k.Q, k.P)
		require.Less(t, k.Low, k.Rate)
		require.Greater(t, k.High, k.Rate)
	}
	require.Equal(t, map[string]retention.Verdict{"spring": retention.Better, "voucher": retention.Worse, "brand": retention.Alike}, verdicts)
}

func TestWilsonInterval(t *testing.T) {
	s := retention.NewShare(10, 100)
	require.InDelta(t, 0.05523, s.Low, 1e-5)
	require.InDelta(t, 0.17437, s.High, 1e-5)
	require.Equal(t, retention.Share{}, retention.NewShare(0, 0))
	require.Zero(t, retention.NewShare(0, 20).Low)
	require.Equal(t, 1.0, retention.NewShare(20, 20).High)
}

func TestShareOfTheBest(t *testing.T) {
	share, ok := retention.TopShare([]int64{10, 50, 20, 20}, 0.25)
	require.True(t, ok)
	require.Equal(t, 0.5, share)
	_, ok = retention.TopShare([]int64{10, -10}, 0.2)
	require.False(t, ok)
}

func TestNewcomersAreJudgedOnceTheirDaysAreOver(t *testing.T) {
	q := retention.Question{Unit: retention.Month, Within: 30, Window: retention.Window{AsOf: january2026 + 60}}
	c := retention.Count([]retention.Order{
		{Person: 1, Day: january2026 + 29},
		{Person: 1, Day: january2026 + 59}, // the thirtieth day counts, and is over
		{Person: 2, Day: january2026 + 30},
		{Person: 2, Day: january2026 + 31}, // back already, but others of that day have a day left
		{Person: 3, Day: january2026},
		{Person: 3, Day: january2026 + 31},
		{Person: 4, Day: january2026, Place: 1},
		{Person: 4, Day: january2026, Place: 2},
	}, q)
	require.Equal(t, retention.Newcomers{Observed: 3, Returned: 2, Young: 1}, c.All)
}

// BenchmarkCountMillion counts 5,000,000 orders of 1,000,000 customers and asks everything.
func BenchmarkCountMillion(b *testing.B) {
	r := rand.New(rand.NewPCG(1, 2))
	all := make([]retention.Order, 5_000_000)
	for i := range all {
		all[i] = retention.Order{Person: r.Int64N(1_000_000), Place: int64(i), Day: january2026 + r.Int32N(1000), Revenue: r.Int64N(1_000_000)}
	}
	q := retention.Question{Unit: retention.Month, Within: 90, Window: retention.Window{AsOf: january2026 + 1000}}
	for b.Loop() {
		ask(b, all, q)
	}
}
