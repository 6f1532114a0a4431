package clv

import (
	"math"
	"testing"

	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"
)

// TestYearOfTheCDNOWSample holds the discounted value of twelve months against the known one of every customer.
func TestYearOfTheCDNOWSample(t *testing.T) {
	h := split(t, cdnow(t, "cdnow_sample.csv.gz"), "1997-09-30", "1998-06-30")
	b, err := newBacktest(h)
	require.NoError(t, err)
	spend, err := FitSpend(b.spends())
	require.NoError(t, err)
	bg, err := FitModel(BGNBD, b.groups())
	require.NoError(t, err)
	pareto, err := FitModel(ParetoNBD, b.groups())
	require.NoError(t, err)
	var totalBG, totalPareto, days float64
	at := 0
	table(t, func(row map[string]string) {
		c := h.Cases[at]
		at++
		worth := spend.Expected(c.Repeats, c.Mean)
		ours := worth * Monthly(bg.Model, c.Stats, 12, 0.01)
		theirs := worth * Monthly(pareto.Model, c.Stats, 12, 0.01)
		require.InDelta(t, number(t, row["clv12m_bg"]), ours, 1e-4+1e-5*ours)
		require.InDelta(t, number(t, row["clv12m_pn"]), theirs, 1e-3+3e-4*theirs)
		totalBG += ours
		totalPareto += theirs
		days += Predictor{Orders: bg.Model, Spend: spend, AnnualRate: AnnualRate(0.01), MarginRate: 1}.Predict(c.Stats, c.Mean, 12*MonthDays).Discounted
	}, "expected", "clv_12m_cdnow_sample.csv")
	require.Equal(t, 2357, at)
	require.InDelta(t, 71_354.51, totalBG, 0.1)
	require.InEpsilon(t, 72_158.31, totalPareto, 1e-4)
	require.Greater(t, days, totalBG, "orders discounted on their own day are worth more than at the end of the month")
	require.InEpsilon(t, totalBG, days, 0.006)
}

func TestScalingMoneyScalesValue(t *testing.T) {
	spend := SpendFit{GammaGamma: GammaGamma{6.25, 3.74, 15.44}, Identified: true}
	simple := Simple{AverageOrder: 40, OrdersPerYear: 3, Churn: 0.4, DiscountRate: 0.1, MarginRate: 1}
	rapid.Check(t, func(t *rapid.T) {
		factor := rapid.Float64Range(0.01, 1000).Draw(t, "factor")
		mean := rapid.Float64Range(0, 1000).Draw(t, "mean")
		s := Stats{Repeats: rapid.IntRange(1, 30).Draw(t, "repeats"), Age: 400, Last: rapid.Int32Range(30, 400).Draw(t, "last")}
		scaled := spend
		scaled.Gamma *= factor
		p, q := Predictor{Orders: simple, Spend: spend, AnnualRate: 0.1, MarginRate: 0.4}, Predictor{Orders: simple, Spend: scaled, AnnualRate: 0.1, MarginRate: 0.4}
		one, other := p.Predict(s, mean, 365), q.Predict(s, mean*factor, 365)
		require.InEpsilon(t, factor*one.Value, other.Value, 1e-9)
		require.InEpsilon(t, factor*one.Discounted, other.Discounted, 1e-9)
		require.Equal(t, one.Orders, other.Orders)
		require.Less(t, one.Discounted, one.Value)
	})
}

func TestHistoricValueKnowsMarginOnlyWhereCostIsKnown(t *testing.T) {
	rate, ok := Historic{Revenue: 1000, Costed: 500, Margin: 200}.MarginRate()
	require.True(t, ok)
	require.Equal(t, 0.4, rate)
	_, ok = Historic{Revenue: 1000}.MarginRate()
	require.False(t, ok)
	require.Equal(t, 0.5, Historic{Revenue: 1000, Costed: 500}.Covered())
	require.Zero(t, Historic{Revenue: -5, Costed: 500}.Covered())
}

func TestAnnualRateOfAMonthlyOne(t *testing.T) {
	require.InDelta(t, 0.12682503013197, AnnualRate(0.01), 1e-12)
}

func TestNothingTimesInfinityIsNothing(t *testing.T) {
	p := Predictor{Orders: &nbd{r: 0, alpha: 1}, MarginRate: 1}
	out := p.Predict(Stats{}, 0, math.Inf(1))
	require.Zero(t, out.Value)
	p = Predictor{Orders: &nbd{r: 0.4, alpha: 12}, Spend: SpendFit{Average: 10}, MarginRate: 1}
	require.True(t, math.IsInf(p.Predict(Stats{}, 0, math.Inf(1)).Value, 1), "a customer who never stops buys without end")
}

func TestNextOrderIsADayWithAnInterval(t *testing.T) {
	next, ok := Next(&nbd{r: 3, alpha: 12}, Stats{Repeats: 4, Last: 100, Age: 120}, 20_000)
	require.True(t, ok)
	require.Less(t, next.Early, next.Day)
	require.True(t, next.LateKnown)
	require.Less(t, next.Day, next.Late)
	_, ok = Next(&nbd{r: 0, alpha: 12}, Stats{}, 20_000)
	require.False(t, ok, "nobody orders again")
}

func TestRoundedAmounts(t *testing.T) {
	for amount, want := range map[int64]int64{
		0: 0, 123_4567: 120_0000, 1: 0, 50: 100, 100_0000: 100_0000, 194_9999: 190_0000, 229_0000: 220_0000, 230_0000: 240_0000,
		512_0000: 500_0000, 525_0000: 550_0000, 990_0000: 1000_0000, -123_4567: -120_0000,
	} {
		require.Equal(t, want, Round(amount, 0, false), amount)
	}
	require.EqualValues(t, 120_0000, Round(129_0000, 120_0000, true), "less than a step away")
	require.EqualValues(t, 130_0000, Round(131_0000, 120_0000, true))
	require.EqualValues(t, 130_0000, Round(129_0000, 123_0000, true), "what was shown by another rule does not stand")
}

func TestAQuietNightChangesNoRoundedAmount(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		amount := rapid.Int64Range(-1e13, 1e13).Draw(t, "amount")
		shown := Round(amount, 0, false)
		require.LessOrEqual(t, distance(amount, shown), max(roundStep(amount), roundStep(shown))/2)
		require.Equal(t, shown, Round(shown, 0, false))
		drift := rapid.Int64Range(-roundStep(amount)/2, roundStep(amount)/2).Draw(t, "drift")
		require.Equal(t, shown, Round(amount+drift, shown, true))
	})
}

func TestTheExpectedWeekHolds(t *testing.T) {
	const monday5 = 4 // 1970-01-05
	require.EqualValues(t, monday5, NextWeek(10, 1, 0))
	require.EqualValues(t, monday5+7, NextWeek(11, 1, 0))
	require.EqualValues(t, monday5, NextWeek(13, 1, monday5), "three days outside")
	require.EqualValues(t, monday5+7, NextWeek(14, 1, monday5))
	require.EqualValues(t, monday5+7, NextWeek(11, 11, monday5), "the week is over")
	require.EqualValues(t, monday5+7, NextWeek(5, 12, 0), "an expected day that is past")
	rapid.Check(t, func(t *rapid.T) {
		expected, asOf := rapid.Int32Range(1000, 2000).Draw(t, "expected"), rapid.Int32Range(900, 1000).Draw(t, "as of")
		week := NextWeek(expected, asOf, 0)
		require.LessOrEqual(t, week, expected)
		require.Greater(t, week+7, expected)
		require.Equal(t, week, NextWeek(expected+rapid.Int32Range(-3, 3).Draw(t, "drift"), asOf, week))
	})
}
