package clv

import (
	"math"
	"math/rand/v2"
	"slices"
	"testing"

	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"
)

func chosen(t require.TestingT, h Holdout, o ChoiceOptions) Choice {
	c, err := Choose(h, o)
	require.NoError(t, err)
	return c
}

// invented is a shop of n customers who joined over a year and buy as a model says, with half a year kept back; orders are
// worth 20 to 60, more from some customers than from others.
func invented(m simulation, n int) Holdout {
	const holdout = 180
	rng := rand.New(rand.NewPCG(5, uint64(n)))
	h := Holdout{Days: holdout}
	for range n {
		age := rng.Int32N(365)
		level := 20 + 20*rng.Float64()
		purchases := []Purchase{{Day: 0, Value: level}}
		for _, at := range m.customer(rng, age+holdout).at {
			purchases = append(purchases, Purchase{Day: int32(math.Ceil(at * 7)), Value: level * (1 + 0.5*rng.Float64())})
		}
		c, _ := NewCase(purchases, age, age+holdout)
		h.Cases = append(h.Cases, c)
	}
	return h
}

var leaving = simulation{kind: MBGNBD, r: 1.2, alpha: 6.183, a: .8914, b: 1.614, k: 1}

func TestChoiceForRealShops(t *testing.T) {
	holdouts := realHoldouts(t)
	sample := chosen(t, holdouts["cdnow_sample"], ChoiceOptions{})
	require.Equal(t, MBGNBD, sample.Kind, "ties with the best, and tells something of one-time buyers")
	require.Len(t, sample.Candidates, 5)
	require.False(t, sample.Candidates[0].Ties, "customers leave: the NBD foretells half as many orders too much")
	require.Equal(t, []string{"mbg_nbd", NaivePast}, []string{sample.Use("orders", PerPerson), sample.Use("value", Ranking)})
	require.Equal(t, ParetoNBD, chosen(t, holdouts["cdnow_sample"], ChoiceOptions{Standing: ParetoNBD}).Kind, "what is in use stays while it ties")
	require.Equal(t, MBGNBD, chosen(t, holdouts["cdnow_sample"], ChoiceOptions{Standing: NBD}).Kind)

	full := chosen(t, holdouts["cdnow_full"], ChoiceOptions{Kinds: []Kind{BGNBD, NBD}})
	require.Equal(t, BGNBD, full.Kind)
	require.Contains(t, full.Finding, "everybody who ordered once")
	require.Equal(t, NaivePast, full.Use("value", Ranking), "plain past spend ranks these customers better")
	require.Equal(t, "bg_nbd", full.Use("value", Totals))
	for _, v := range full.Verdicts {
		require.Equal(t, v.Worse, v.Use != "bg_nbd", v.Words)
		require.NotEmpty(t, v.Words)
	}
	require.Equal(t, BGNBD, full.Evaluation.Models[0].Kind, "the chosen one comes first")
	require.Positive(t, full.Evaluation.Models[0].ByConstruction)

	retail := chosen(t, holdouts["online_retail"], ChoiceOptions{})
	require.Equal(t, MBGCNBDK, retail.Kind, "only with regular intervals is leaving told from pausing")
	require.Equal(t, 1378, retail.Late)
	for _, c := range retail.Candidates {
		if c.Kind == BGNBD || c.Kind == MBGNBD || c.Kind == ParetoNBD {
			require.False(t, c.Usable)
			require.Contains(t, c.Fit.Finding, FindingNoChurn)
		}
	}
	without := chosen(t, holdouts["online_retail"], ChoiceOptions{Kinds: []Kind{NBD, MBGNBD}})
	require.Equal(t, NBD, without.Kind)
	require.Contains(t, without.Finding, FindingNoChurn)
	require.Contains(t, without.Finding, "everybody counts as alive")
}

func TestOrdersByFrequencyOfTheCDNOWSample(t *testing.T) {
	b, err := newBacktest(split(t, cdnow(t, "cdnow_sample.csv.gz"), "1997-09-30", "1998-06-30"))
	require.NoError(t, err)
	tables := map[string][]Frequency{}
	for column, kind := range map[string]Kind{"bgnbd": BGNBD, "mbgnbd": MBGNBD, "pnbd": ParetoNBD} {
		fit, err := FitModel(kind, b.groups())
		require.NoError(t, err)
		tables[column] = byFrequency(b.cases, b.expected(fit.Model))
	}
	rows := 0
	table(t, func(row map[string]string) {
		for column, frequencies := range tables {
			f := frequencies[rows]
			require.EqualValues(t, number(t, row["x"]), f.Repeats)
			require.EqualValues(t, number(t, row["n"]), f.Customers)
			require.InDelta(t, number(t, row["actual"]), f.Actual, 1e-6)
			require.InEpsilon(t, number(t, row[column]), f.Predicted, 3e-4, "%s, %s repeats", column, row["x"])
		}
		rows++
	}, "expected", "btyd_cdnow_sample_cond_exp_by_frequency.csv")
	require.Equal(t, 8, rows)
}

func TestTheRightModelIsChosenForInventedShops(t *testing.T) {
	staying := chosen(t, invented(simulation{kind: NBD, r: 0.8, alpha: 9}, 2000), ChoiceOptions{})
	require.Equal(t, NBD, staying.Kind)
	moving := chosen(t, invented(leaving, 4000), ChoiceOptions{Kinds: []Kind{NBD, MBGNBD}})
	require.Equal(t, MBGNBD, moving.Kind)
	bins := moving.Evaluation.Models[0].Alive
	require.Greater(t, len(bins), 4)
	last := AliveBin{}
	for _, b := range bins {
		require.GreaterOrEqual(t, b.Alive, b.From)
		require.LessOrEqual(t, b.Alive, b.To)
		require.LessOrEqual(t, b.Ordered, b.Alive+0.1, "who orders is alive")
		last = b
	}
	require.Greater(t, last.Ordered, bins[0].Ordered)
}

func TestChoiceDoesNotDependOnTheOrderOfCustomers(t *testing.T) {
	h := invented(leaving, 1500)
	o := ChoiceOptions{Kinds: []Kind{NBD, MBGNBD}, Sample: 1000}
	first := chosen(t, h, o)
	require.Equal(t, 1000, first.Compared)
	require.Contains(t, first.Finding, "1000 of 1500 customers")
	rand.New(rand.NewPCG(1, 1)).Shuffle(len(h.Cases), func(i, j int) { h.Cases[i], h.Cases[j] = h.Cases[j], h.Cases[i] })
	require.Equal(t, first, chosen(t, h, o))
}

func TestScalingMoneyScalesTheBacktestOfValues(t *testing.T) {
	h := invented(leaving, 1500)
	o := ChoiceOptions{Kinds: []Kind{NBD, MBGNBD}}
	first := chosen(t, h, o)
	for i := range h.Cases {
		c := &h.Cases[i]
		c.Mean, c.Past, c.Value = 100*c.Mean, 100*c.Past, 100*c.Value
	}
	second := chosen(t, h, o)
	require.Equal(t, first.Evaluation.Orders, second.Evaluation.Orders)
	for i, m := range first.Evaluation.Value {
		n := second.Evaluation.Value[i]
		require.InEpsilon(t, 100*m.Predicted, n.Predicted, 1e-6)
		require.InEpsilon(t, 100*m.MAE, n.MAE, 1e-6)
		require.InDelta(t, m.Gini, n.Gini, 1e-9)
	}
	for i, v := range first.Verdicts {
		require.Equal(t, v.Use, second.Verdicts[i].Use)
	}
}

func TestTooLittleToGoByIsTheSimpleFormula(t *testing.T) {
	enough := invented(leaving, 400)
	short := Holdout{Cases: enough.Cases, Days: 20}
	for i := range short.Cases {
		short.Cases[i].Orders = min(short.Cases[i].Orders, 20)
	}
	once := Holdout{Days: 100, Cases: slices.Repeat([]Case{{Stats: Stats{Age: 200}}}, 500)}
	quiet := invented(leaving, 400)
	for i := range quiet.Cases {
		quiet.Cases[i].Orders, quiet.Cases[i].Value = 0, 0
	}
	young := Holdout{Days: 100, Cases: slices.Repeat([]Case{{Stats: Stats{Age: 5}, Orders: 1}}, 500)}
	for missing, h := range map[string]Holdout{
		"0 customers, ":                           {Days: 100},
		"99 customers, ":                          {Days: 180, Cases: enough.Cases[:99]},
		"20 days of holdout":                      short,
		"0 customers who ordered again":           once,
		"0 orders in the holdout":                 quiet,
		"5 days of history before the holdout":    young,
		"0 customers, and a model takes 100; the": {Days: 100, Cases: slices.Repeat([]Case{{Stats: Stats{Age: -3}, Orders: 2}}, 500)},
	} {
		c := chosen(t, h, ChoiceOptions{})
		require.Equal(t, SimpleFormula, c.Kind)
		require.Contains(t, c.Finding, missing)
		require.Contains(t, c.Finding, "simple formula")
		require.Equal(t, "simple", c.Use("value", Totals))
	}
}

func TestStrangeCustomersAreNoError(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		h := Holdout{Days: rapid.IntRange(28, 400).Draw(t, "days")}
		for range 150 {
			first := rapid.Int32Range(0, 300).Draw(t, "first")
			var purchases []Purchase
			for range rapid.IntRange(1, 6).Draw(t, "purchases") {
				purchases = append(purchases, Purchase{
					Day:   first + rapid.Int32Range(0, 300).Draw(t, "day"),
					Value: rapid.Float64Range(-50, 500).Draw(t, "value"),
				})
			}
			if c, ok := NewCase(purchases, 250, 250+int32(h.Days)); ok {
				h.Cases = append(h.Cases, c)
			}
		}
		c := chosen(t, h, ChoiceOptions{Kinds: []Kind{NBD, MBGNBD}})
		require.NotEmpty(t, c.Kind)
		for _, m := range slices.Concat(c.Evaluation.Orders, c.Evaluation.Value) {
			for _, n := range []float64{m.Bias, m.MAE, m.RMSE, m.Pearson, m.Spearman, m.Gini, m.DecileError} {
				require.False(t, math.IsNaN(n) || math.IsInf(n, 0), m.Forecast)
			}
		}
	})
}

func TestImpossibleCasesAreNamed(t *testing.T) {
	for want, h := range map[string]Holdout{
		"holdout of 0 days": {},
		"Last is after":     {Days: 30, Cases: []Case{{Stats: Stats{Repeats: 1, Last: 9, Age: 8}}}},
		"Orders is 31":      {Days: 30, Cases: []Case{{Orders: 31}}},
		"not finite":        {Days: 30, Cases: []Case{{Value: math.NaN()}}},
	} {
		_, err := Choose(h, ChoiceOptions{})
		require.ErrorContains(t, err, want)
		_, err = Backtest(h, nil, SpendFit{})
		require.ErrorContains(t, err, want)
	}
}

func TestPurchasesBecomeACase(t *testing.T) {
	c, ok := NewCase([]Purchase{{30, 7}, {10, 1}, {10, 2}, {17, 4}, {24, 6}, {17, 1}, {25, 8}, {31, 9}, {40, 100}}, 24, 31)
	require.True(t, ok)
	require.InDelta(t, 0, c.LogGaps, 1e-15, "two gaps of a week")
	c.LogGaps = 0
	require.Equal(t, Case{Stats: Stats{Repeats: 2, Last: 14, Age: 14}, Mean: 5.5, Past: 14, Orders: 3, Value: 24}, c)

	late, ok := NewCase([]Purchase{{30, 7}, {30, 1}}, 24, 31)
	require.True(t, ok)
	require.Equal(t, Case{Stats: Stats{Age: -6}, Orders: 1, Value: 8}, late)
	_, ok = NewCase([]Purchase{{40, 7}}, 24, 31)
	require.False(t, ok)
	require.Equal(t, []int{0, 30, 365}, []int{HoldoutDays(2), HoldoutDays(90), HoldoutDays(3000)})
}

func BenchmarkChooseMillion(b *testing.B) {
	h := invented(leaving, 1_000_000)
	for b.Loop() {
		chosen(b, h, ChoiceOptions{})
	}
}
