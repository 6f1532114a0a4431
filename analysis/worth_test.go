package analysis_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"math"
	"math/rand/v2"
	"slices"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/shopspring/decimal"
	"github.com/stretchr/testify/require"

	"github.com/perennial-cvo/perennial/analysis"
	"github.com/perennial-cvo/perennial/analysis/clv"
)

// Histories sums up what was bought, by day, in the plainest way.
func (m *memory) Histories(_ context.Context, asOf time.Time) ([]analysis.History, error) {
	if m.fail != nil {
		return nil, m.fail
	}
	days := map[int64]map[int]int64{}
	for _, o := range m.orders {
		if !o.counted || !o.at.Before(asOf) {
			continue
		}
		if days[o.person] == nil {
			days[o.person] = map[int]int64{}
		}
		days[o.person][analysis.Day(o.at, m.shop.Location)] += o.net
	}
	var all []analysis.History
	for person, bought := range days {
		h := analysis.History{Person: person, Days: int32(len(bought)), FirstDay: math.MaxInt32}
		for day, net := range bought {
			h.FirstDay, h.LastDay, h.Net = min(h.FirstDay, int32(day)), max(h.LastDay, int32(day)), h.Net+net
		}
		h.FirstNet = bought[int(h.FirstDay)]
		before := h.FirstDay
		for day := h.FirstDay + 1; day <= h.LastDay; day++ {
			if _, ok := bought[int(day)]; ok {
				h.LogGaps += math.Log(float64(day-before) / 7)
				before = day
			}
		}
		h.Cost, h.Costed = m.costs[person]
		all = append(all, h)
	}
	return all, nil
}

// appraise also sends the answer through JSON, as it is stored.
func appraise(t *testing.T, m *memory, o analysis.WorthOptions) analysis.Worth {
	t.Helper()
	if o.Now == nil {
		o.Now = clock(2026, 3, 21, 3)
	}
	w, err := analysis.Appraise(t.Context(), m, o)
	require.NoError(t, err)
	text, err := json.Marshal(w)
	require.NoError(t, err)
	require.NotContains(t, string(text), "null")
	var back analysis.Worth
	require.NoError(t, json.Unmarshal(text, &back))
	require.Empty(t, cmp.Diff(w, back), "what is stored is what was found")
	return back
}

// outlooks foretells everybody and sees that nothing is absurd.
func outlooks(t *testing.T, m *memory, w analysis.Worth) []analysis.Outlook {
	t.Helper()
	all, err := m.Histories(t.Context(), analysis.StartOfDay(w.Day, m.shop.Location))
	require.NoError(t, err)
	var out []analysis.Outlook
	for _, h := range all {
		o, err := w.Outlook(h, w.Day)
		require.NoError(t, err)
		require.True(t, o.Alive >= 0 && o.Alive <= 1, "%+v", o)
		for _, v := range []float64{o.Orders, o.Value, o.Terms.Discounted, o.Terms.OrderValue} {
			require.True(t, v >= 0 && !math.IsInf(v, 0), "%+v", o)
		}
		out = append(out, o)
	}
	return out
}

// TestPublishedParametersOfCDNOW appraises the sample as of the 39th week's end with one model after the other.
func TestPublishedParametersOfCDNOW(t *testing.T) {
	want := map[string][]float64{}
	table(t, func(row map[string]string) {
		if row["dataset"] != "cdnow_sample_days" {
			return
		}
		for _, name := range []string{"LL", "r", "alpha", "a", "b"} {
			v, err := decimal.NewFromString(row[name])
			if err == nil {
				f, _ := v.Float64()
				want[row["model"]] = append(want[row["model"]], f)
			}
		}
	}, "expected", "btyd_fitted_parameters.csv")
	var orders []order
	table(t, func(row map[string]string) {
		amount := decimal.RequireFromString(row["amount"]).Shift(4).IntPart()
		orders = append(orders, order{person: whole(t, row["customer_id"]), at: day(t, row["date"]), gross: amount, net: amount, counted: true})
	}, "data", "cdnow_sample.csv.gz")
	m := realShop("cdnow_sample", orders)
	end := day(t, "1997-10-01")
	for kind, name := range map[clv.Kind]string{clv.BGNBD: "bgnbd", clv.MBGNBD: "mbgnbd"} {
		w := appraise(t, m, analysis.WorthOptions{Now: func() time.Time { return end }, Kinds: []clv.Kind{kind}})
		require.Equal(t, 2357, w.Customers)
		require.Equal(t, kind, w.Kind)
		require.True(t, w.Fit.Converged)
		require.InEpsilon(t, want[name][0], w.Fit.LogLikelihood, 1e-9)
		for i, p := range w.Fit.Params {
			require.InEpsilon(t, want[name][i+1], p.Value, 1e-5, p.Name)
		}
		require.Equal(t, 90, w.Evaluation.Days)
		require.InEpsilon(t, 6.249574, w.Spend.P, 1e-5)
		require.InEpsilon(t, 3.744224, w.Spend.Q, 1e-5)
		require.InEpsilon(t, 15.44351, w.Spend.Gamma, 1e-5)
		checkOutlooksOfCDNOW(t, m, w)
	}
}

// checkOutlooksOfCDNOW compares figures of every customer with those that others computed.
func checkOutlooksOfCDNOW(t *testing.T, m *memory, w analysis.Worth) {
	t.Helper()
	all, err := m.Histories(t.Context(), analysis.StartOfDay(w.Day, time.UTC))
	require.NoError(t, err)
	people := map[int64]analysis.Outlook{}
	for _, h := range all {
		people[h.Person], err = w.Outlook(h, w.Day)
		require.NoError(t, err)
	}
	compared := 0
	table(t, func(row map[string]string) {
		compared++
		o := people[whole(t, row["customer_id"])]
		number := func(name string) float64 {
			f, _ := decimal.RequireFromString(row[name]).Float64()
			return f
		}
		require.Equal(t, number("x"), float64(o.Purchases-1))
		require.InDelta(t, number("t_x_days"), 7*o.LastWeeks, 1e-9)
		require.InDelta(t, number("T_days"), 7*o.AgeWeeks, 1e-9)
		require.InDelta(t, number("zbar"), o.Mean, 1e-6)
		require.InEpsilon(t, number("exp_spend"), o.Terms.OrderValue, 1e-5)
		if w.Kind == clv.BGNBD {
			require.InDelta(t, number("tx52_bg"), o.Terms.Orders, 0.003*number("tx52_bg")+1e-6, "52 weeks are a day less than a year")
		}
	}, "expected", "clv_12m_cdnow_sample.csv")
	require.Equal(t, len(people), compared)
}

// TestModelOfAShop: a shop large enough has a model, one that it keeps while that ties, and its outlook restores it.
func TestModelOfAShop(t *testing.T) {
	m := living(600, 1)
	w := appraise(t, m, analysis.WorthOptions{})
	require.NotEqual(t, clv.SimpleFormula, w.Kind, w.Findings)
	require.Len(t, w.Verdicts, 6)
	require.NotNil(t, w.Evaluation)
	require.Len(t, w.Choice.Candidates, 5)
	for _, o := range outlooks(t, m, w) {
		require.Equal(t, w.Kind, o.Kind)
		if o.OrdersBy == string(w.Kind) {
			require.Equal(t, o.Terms.Orders, o.Orders)
		}
	}
	for _, c := range w.Choice.Candidates {
		if c.Usable && c.Ties {
			again := appraise(t, m, analysis.WorthOptions{Standing: c.Asked})
			require.Equal(t, c.Asked, again.Choice.Kind, "the model in use stays where it ties")
		}
	}
}

// living is a shop whose customers order at rates of their own and stop one day.
func living(n int, seed uint64) *memory {
	r := rand.New(rand.NewPCG(seed, 2))
	m := &memory{shop: analysis.Shop{Name: "Example", Location: berlin, Loaded: true}, standing: map[int64]analysis.Member{}}
	end := time.Date(2026, 3, 20, 18, 0, 0, 0, berlin)
	for i := range n {
		begin := 30 + r.IntN(690)
		rate, stop := r.ExpFloat64()/40, r.ExpFloat64()*200
		for at := 0.0; at < min(stop, float64(begin)); at += r.ExpFloat64() / rate {
			net := int64((10 + 40*r.Float64()) * 10_000)
			m.orders = append(m.orders, order{person: int64(i + 1), at: end.AddDate(0, 0, int(at)-begin), gross: net, net: net, counted: true})
		}
	}
	return m
}

// TestNaiveForecastIsUsedWhereTheModelIsWorse turns a verdict around and sees the outlook follow it.
func TestNaiveForecastIsUsedWhereTheModelIsWorse(t *testing.T) {
	m := living(600, 1)
	w := appraise(t, m, analysis.WorthOptions{})
	for i := range w.Verdicts {
		v := &w.Verdicts[i]
		v.Worse, v.Use = v.Purpose == clv.PerPerson, string(w.Kind)
		if v.Worse {
			v.Use = map[string]string{"orders": clv.NaiveCount, "value": clv.NaivePast}[v.Of]
		}
	}
	for _, o := range outlooks(t, m, w) {
		require.Equal(t, clv.NaiveCount, o.OrdersBy)
		require.InDelta(t, float64(o.Purchases-1)*365/float64(w.Naive.Span), o.Orders, 1e-9)
		require.InDelta(t, o.Spent*365/float64(w.Naive.Span), o.Value, 1e-6)
	}
}

// TestShopsTooSmallOrOdd get the simple formula or the NBD, with a word about it, and nothing absurd.
func TestShopsTooSmallOrOdd(t *testing.T) {
	oneTimers := &memory{shop: analysis.Shop{Location: berlin, Loaded: true}}
	for i := range 500 {
		oneTimers.orders = append(oneTimers.orders, order{
			person: int64(i + 1), at: time.Date(2026, 3, 20, 9, 0, 0, 0, berlin).AddDate(0, 0, -i), net: 300_000, counted: true,
		})
	}
	newborn := &memory{shop: oneTimers.shop, orders: []order{{person: 1, at: time.Date(2026, 3, 20, 9, 0, 0, 0, berlin), net: 1, counted: true}}}
	refunded := living(40, 3)
	for i := range refunded.orders {
		refunded.orders[i].net = -refunded.orders[i].net
	}
	for name, m := range map[string]*memory{
		"empty": {shop: oneTimers.shop}, "one-time buyers": oneTimers, "newborn": newborn, "small": living(40, 3), "negative": refunded,
		"without a zone": {shop: analysis.Shop{Loaded: true}},
	} {
		t.Run(name, func(t *testing.T) {
			w := appraise(t, m, analysis.WorthOptions{})
			require.Equal(t, clv.SimpleFormula, w.Kind)
			require.NotEmpty(t, w.Findings)
			require.Contains(t, w.Findings[0], "the simple formula is used")
			require.Nil(t, w.Fit)
			if m.shop.Location != nil {
				for _, o := range outlooks(t, m, w) {
					require.Nil(t, o.Next)
					require.False(t, o.ByConstruction)
				}
			}
		})
	}
	require.Equal(t, 0.0, appraise(t, oneTimers, analysis.WorthOptions{}).Simple.OrdersPerYear)
}

// TestAliveByConstructionIsTold of whoever ordered once where the model is the BG/NBD.
func TestAliveByConstructionIsTold(t *testing.T) {
	m := living(600, 1)
	w := appraise(t, m, analysis.WorthOptions{Kinds: []clv.Kind{clv.BGNBD}})
	require.Equal(t, clv.BGNBD, w.Kind)
	told := 0
	for _, o := range outlooks(t, m, w) {
		require.Equal(t, o.Purchases == 1, o.ByConstruction)
		if o.ByConstruction {
			require.Equal(t, 1.0, o.Alive)
			told++
		}
	}
	require.Positive(t, told)
	require.Contains(t, w.Findings[0], "it calls everybody who ordered once alive")
}

// returned is a shop in which some people gave back everything that they had bought, by its last day.
type returned struct {
	*memory
	asked []time.Time
}

func (r *returned) Histories(ctx context.Context, asOf time.Time) ([]analysis.History, error) {
	r.asked = append(r.asked, asOf)
	all, err := r.memory.Histories(ctx, asOf)
	if len(r.asked) == 1 {
		all = slices.DeleteFunc(all, func(h analysis.History) bool { return h.Person%10 == 0 })
	}
	return all, err
}

// TestHoldoutIsWhatCameAfterTheCalibrationDay: it ends with yesterday, a third of the days are in it, and money given back
// since is missing from it, also of those who kept nothing.
func TestHoldoutIsWhatCameAfterTheCalibrationDay(t *testing.T) {
	r := &returned{memory: living(600, 1)}
	now := clock(2026, 3, 21, 3)
	w, err := analysis.Appraise(t.Context(), r, analysis.WorthOptions{Now: now})
	require.NoError(t, err)
	first := math.MaxInt
	actual, orders := 0.0, 0.0
	then, _ := r.memory.Histories(t.Context(), r.asked[1])
	known := map[int64]analysis.History{}
	for _, h := range then {
		known[h.Person] = h
		actual -= float64(h.Net) / 10_000
	}
	all, _ := r.memory.Histories(t.Context(), r.asked[0])
	for _, h := range all {
		if h.Person%10 == 0 {
			continue
		}
		first = min(first, int(h.FirstDay))
		if before, ok := known[h.Person]; ok {
			actual += float64(h.Net) / 10_000
			orders += float64(h.Days - before.Days)
		}
	}
	today := analysis.Day(now(), berlin)
	days := (today - 1 - first) / 3
	require.Equal(t, []time.Time{analysis.StartOfDay(today, berlin), analysis.StartOfDay(today-days, berlin)}, r.asked)
	require.Equal(t, days, w.Evaluation.Days)
	require.InDelta(t, actual, w.Evaluation.Value[0].Actual, 1e-6)
	require.InDelta(t, orders, w.Evaluation.Orders[0].Actual, 1e-6)
	require.Equal(t, len(then), w.Choice.Customers)
}

// TestScalingMoneyScalesValue and leaves everything else as it is; so does the order of the rows.
func TestScalingMoneyScalesValue(t *testing.T) {
	m := living(600, 1)
	w := appraise(t, m, analysis.WorthOptions{})
	dear := living(600, 1)
	for i := range dear.orders {
		dear.orders[i].net *= 8
	}
	slices.Reverse(dear.orders)
	v := appraise(t, dear, analysis.WorthOptions{})
	require.Equal(t, w.Fit, v.Fit)
	require.InEpsilon(t, 8*w.Spend.Gamma, v.Spend.Gamma, 1e-6)
	h := analysis.History{Person: 1, Days: 3, FirstDay: int32(w.Day - 100), LastDay: int32(w.Day - 10), Net: 900_000, FirstNet: 300_000}
	o, err := w.Outlook(h, w.Day)
	require.NoError(t, err)
	h.Net, h.FirstNet = 8*h.Net, 8*h.FirstNet
	p, err := v.Outlook(h, w.Day)
	require.NoError(t, err)
	require.InEpsilon(t, 8*o.Value, p.Value, 1e-6)
	require.Equal(t, o.Orders, p.Orders)
}

// TestMarginIsOfThoseWhoseCostIsKnown and what it makes of a value to come.
func TestMarginIsOfThoseWhoseCostIsKnown(t *testing.T) {
	m := living(600, 1)
	require.Nil(t, appraise(t, m, analysis.WorthOptions{}).Margin, "no cost is known")
	histories, err := m.Histories(t.Context(), clock(2026, 3, 21, 0)())
	require.NoError(t, err)
	m.costs = map[int64]int64{}
	var revenue, costed int64
	for _, h := range histories {
		revenue += h.Net
		if h.Person%3 == 0 {
			m.costs[h.Person], costed = h.Net/4, costed+h.Net
		}
	}
	w := appraise(t, m, analysis.WorthOptions{})
	require.InDelta(t, 0.75, w.Margin.Rate, 1e-4)
	require.InDelta(t, float64(costed)/float64(revenue), w.Margin.Covered, 1e-12)
	o, err := w.Outlook(histories[0], w.Day)
	require.NoError(t, err)
	require.InDelta(t, o.Value*w.Margin.Rate, *o.MarginAhead, 1e-9)
}

// TestAppraisalsThatCannotBe say why, and foretell nobody of what is not known.
func TestAppraisalsThatCannotBe(t *testing.T) {
	m := living(10, 1)
	m.shop.Loaded = false
	_, err := analysis.Appraise(t.Context(), m, analysis.WorthOptions{Now: clock(2026, 3, 21, 3)})
	require.ErrorIs(t, err, analysis.ErrNotLoaded)
	m.shop.Loaded = true
	_, err = analysis.Appraise(t.Context(), m, analysis.WorthOptions{Now: clock(2026, 3, 21, 3), AsOf: clock(2026, 3, 22, 3)()})
	require.ErrorIs(t, err, analysis.ErrFuture)
	m.fail = errors.New("the database is gone")
	_, err = analysis.Appraise(t.Context(), m, analysis.WorthOptions{Now: clock(2026, 3, 21, 3)})
	require.ErrorIs(t, err, m.fail)

	w := appraise(t, living(10, 1), analysis.WorthOptions{})
	_, err = w.Outlook(analysis.History{Days: 1, FirstDay: int32(w.Day), LastDay: int32(w.Day)}, w.Day)
	require.Error(t, err, "a purchase on the day itself is not known yet")
	w.Kind = clv.BGNBD
	_, err = w.Outlook(analysis.History{Days: 1}, w.Day)
	require.Error(t, err, fmt.Sprint("no parameters of ", w.Kind))
}
