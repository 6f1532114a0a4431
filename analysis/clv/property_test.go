package clv

import (
	"math"
	"math/rand/v2"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/stretchr/testify/require"
	"gonum.org/v1/gonum/stat/distuv"
	"pgregory.net/rapid"
)

// TestParametersAreRecovered fits shops that were invented with known parameters. Four and a half standard errors are
// exceeded by chance once in 150,000 times; the shops are the same at every run.
func TestParametersAreRecovered(t *testing.T) {
	for i, m := range []simulation{
		{NBD, .8, 9, 0, 0, 1},
		{NBD, 3, 20, 0, 0, 1},
		{BGNBD, .5, 5, .8, 2.5, 1},
		{BGNBD, 1.5, 10, 2, 6, 1},
		{MBGNBD, .6, 6, .9, 1.6, 1},
		{MBGNBD, 1.2, 8, 1, 3, 1},
		{MBGCNBDK, .9, 3, .5, 2, 2},
		{MBGCNBDK, 1.5, 3, .8, 3, 4},
		{ParetoNBD, .6, 10, .6, 11, 1},
		{ParetoNBD, 1.5, 12, 1.2, 30, 1},
	} {
		for seed := range uint64(3) {
			rng := rand.New(rand.NewPCG(uint64(i), seed))
			var lives []life
			for range 6000 {
				lives = append(lives, m.customer(rng, 100+rng.Int32N(500)))
			}
			fit := fitSample(m.kind, exact(lives))
			require.True(t, fit.Converged)
			require.True(t, fit.Identified, "%+v", m)
			params := fit.Model.Params()
			for j, want := range []float64{m.r, m.alpha, m.a, m.b, float64(m.k)}[:len(params)] {
				p := params[j]
				if p.Name == "k" {
					require.Equal(t, want, p.Value)
					continue
				}
				require.Positive(t, p.StdErr)
				// Errors are symmetric by logarithms.
				require.Less(t, math.Abs(math.Log(p.Value/want)), 4.5*p.StdErr/p.Value, "%+v: %s is %v ± %v", m, p.Name, p.Value, p.StdErr)
			}
		}
	}
}

func TestSpendParametersAreRecovered(t *testing.T) {
	for seed := range uint64(5) {
		rng := rand.New(rand.NewPCG(7, seed))
		want := GammaGamma{6, 4, 15}
		var spend, scaled []Spend
		for range 5000 {
			x := 1 + rng.IntN(10)
			rate := distuv.Gamma{Alpha: want.Q, Beta: want.Gamma, Src: rng}.Rand()
			mean := distuv.Gamma{Alpha: want.P * float64(x), Beta: rate * float64(x), Src: rng}.Rand()
			spend = append(spend, Spend{x, mean, 1})
			scaled = append(scaled, Spend{x, mean * 137, 1})
		}
		fit, err := FitSpend(spend)
		require.NoError(t, err)
		require.True(t, fit.Identified)
		for _, p := range [][3]float64{{want.P, fit.P, fit.StdErr.P}, {want.Q, fit.Q, fit.StdErr.Q}, {want.Gamma, fit.Gamma, fit.StdErr.Gamma}} {
			require.Less(t, math.Abs(math.Log(p[1]/p[0])), 4.5*p[2]/p[1])
		}
		other, err := FitSpend(scaled)
		require.NoError(t, err)
		require.InEpsilon(t, fit.P, other.P, 1e-9)
		require.InEpsilon(t, fit.Gamma*137, other.Gamma, 1e-9)
		require.InEpsilon(t, fit.Expected(3, 20)*137, other.Expected(3, 20*137), 1e-9)
	}
}

// anyStats draws stats that Check accepts.
func anyStats(t *rapid.T) Stats {
	s := Stats{Age: rapid.Int32Range(0, 1500).Draw(t, "age")}
	s.Last = rapid.Int32Range(0, s.Age).Draw(t, "last")
	if s.Last > 0 {
		s.Repeats = rapid.IntRange(1, min(int(s.Last), 40)).Draw(t, "repeats")
		x := float64(s.Repeats) // equal gaps have the largest sum of logarithms
		s.LogGaps = x * (math.Log(weeks(float64(s.Last))/x) - rapid.Float64Range(0, 2).Draw(t, "irregularity"))
	}
	return s
}

func TestCompressionChangesNothing(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		stats := rapid.SliceOfN(rapid.Custom(anyStats), 1, 60).Draw(t, "stats")
		for i, s := range stats { // some are equal, but for the gaps
			for range i % 4 {
				if s.Repeats > 0 {
					s.LogGaps -= rapid.Float64Range(0, 2).Draw(t, "less")
				}
				stats = append(stats, s)
			}
		}
		groups := Compress(stats)
		var n int
		rows := make([]Group, len(stats))
		for i, s := range stats {
			rows[i] = Group{s, 1}
		}
		seen := map[[3]int]bool{}
		for _, g := range groups {
			n += g.N
			key := [3]int{g.Repeats, int(g.Last), int(g.Age)}
			require.False(t, seen[key], "two groups of the same customers")
			seen[key] = true
		}
		require.Equal(t, len(stats), n)
		shuffled := append([]Stats(nil), stats...)
		rng := rand.New(rand.NewPCG(rapid.Uint64().Draw(t, "order"), 0))
		rng.Shuffle(len(shuffled), func(i, j int) { shuffled[i], shuffled[j] = shuffled[j], shuffled[i] })
		require.Empty(t, cmp.Diff(groups, Compress(shuffled)), "the order of rows is irrelevant")
		for _, m := range models(t) {
			require.InEpsilon(t, 1+math.Abs(m.LogLikelihood(rows)), 1+math.Abs(m.LogLikelihood(groups)), 1e-11)
		}
	})
}

func TestAbsurdStatsAreCompressedTheSame(t *testing.T) {
	stats := []Stats{{Repeats: -1, Age: -5}, {Age: 3}, {Repeats: 1 << 40, Age: 3}, {Age: 3}, {Repeats: -1, Age: -5}}
	require.Equal(t, []Group{{Stats{Repeats: -1, Age: -5}, 2}, {Stats{Age: 3}, 2}, {Stats{Repeats: 1 << 40, Age: 3}, 1}}, Compress(stats))
	require.Empty(t, Compress(nil))
}

func TestFitsOfAnyShop(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		stats := rapid.SliceOfN(rapid.Custom(anyStats), 0, 40).Draw(t, "stats")
		for _, kind := range Kinds() {
			fit, err := FitModel(kind, Compress(stats))
			require.NoError(t, err)
			require.NotNil(t, fit.Model)
			require.False(t, math.IsNaN(fit.LogLikelihood) || math.IsInf(fit.LogLikelihood, 0))
			require.False(t, math.IsNaN(fit.Gradient))
			require.True(t, fit.Converged, "%s %+v", kind, fit)
			require.True(t, fit.Identified || fit.Finding != "", "a fit that is not identified says why")
			for _, p := range fit.Model.Params() {
				require.False(t, math.IsNaN(p.Value) || math.IsInf(p.Value, 0) || math.IsNaN(p.StdErr) || math.IsInf(p.StdErr, 0))
			}
			for _, s := range stats {
				require.False(t, math.IsNaN(fit.Model.Alive(s)) || math.IsNaN(fit.Model.Expected(s, 365)))
			}
		}
	})
}

// models draws one of each kind.
func models(t *rapid.T) []Model {
	part := rapid.Float64Range(0.05, 5)
	r, alpha, a, b := part.Draw(t, "r"), 3*part.Draw(t, "alpha"), part.Draw(t, "a"), part.Draw(t, "b")
	k := rapid.IntRange(1, mostRegular).Draw(t, "k")
	return []Model{
		&nbd{r: r, alpha: alpha},
		build(BGNBD, [5]float64{r, alpha, a, b}, [5]float64{}),
		build(MBGNBD, [5]float64{r, alpha, a, b}, [5]float64{}),
		build(MBGCNBDK, [5]float64{r, alpha, a, b, float64(k)}, [5]float64{}),
		&paretoNBD{r: r, alpha: alpha, s: a, beta: 5 * b},
	}
}

// TestPredictionsMoveTheRightWay: longer silence, less life; longer horizon, more orders; more discount, less worth; later
// quantiles, longer times.
func TestPredictionsMoveTheRightWay(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		s := anyStats(t)
		longer := s
		longer.Age += rapid.Int32Range(1, 500).Draw(t, "silence")
		days := rapid.Float64Range(0, 2000).Draw(t, "days")
		for _, m := range models(t) {
			const slack = 1 + 1e-9
			require.LessOrEqual(t, m.Alive(longer), m.Alive(s)*slack, "%s", m.Kind())
			orders := m.Expected(s, days)
			require.LessOrEqual(t, orders, m.Expected(s, days+30)*slack, "%s", m.Kind())
			worth := m.Discounted(s, days, .1)
			require.LessOrEqual(t, worth, orders*slack+1e-12, "%s", m.Kind())
			require.GreaterOrEqual(t, worth, orders*math.Pow(1.1, -days/365)/slack-1e-12, "%s", m.Kind())
			require.LessOrEqual(t, m.Discounted(s, days, .3), worth*slack+1e-12, "%s", m.Kind())
			require.InDelta(t, orders, m.Discounted(s, days, 0), 1e-9*(1+orders))
			// A prediction of everything says the same as each question by itself.
			whole := Predictor{Orders: m, Spend: SpendFit{Average: 1}, AnnualRate: .1, MarginRate: float64(s.Repeats + 1)}.Predict(s, 0, days)
			require.Equal(t, m.Alive(s), whole.Alive, "%s", m.Kind())
			require.InDelta(t, orders, whole.Orders, 1e-11*orders+1e-300, "%s", m.Kind()) // numbers close to none have few digits
			require.InDelta(t, worth, whole.Discounted, 1e-12*(1+worth), "%s", m.Kind())
			early, _ := m.NextOrder(s, .1)
			middle, ok := m.NextOrder(s, .5)
			late, _ := m.NextOrder(s, .9)
			require.True(t, early < middle && middle < late || math.IsInf(late, 1), "%s", m.Kind())
			if ok {
				require.GreaterOrEqual(t, m.Alive(s), .5)
			}
		}
	})
}

// TestModelsAgreeWhereTheyMeet: the MBG/CNBD-k with k = 1 is the MBG/NBD, and without dropout all are the NBD.
func TestModelsAgreeWhereTheyMeet(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		s := anyStats(t)
		plain := &nbd{r: .8, alpha: 9}
		for _, m := range []Model{
			&betaGeometric{kind: BGNBD, shape: shape{1, 0}, r: .8, alpha: 9, a: 1e-9, b: 1e3},
			&betaGeometric{kind: MBGNBD, shape: shape{1, 1}, r: .8, alpha: 9, a: 1e-9, b: 1e3},
			&paretoNBD{r: .8, alpha: 9, s: 1e-9, beta: 50},
		} {
			odds := math.Exp((.8+float64(s.Repeats))*math.Log(float64(s.Age+63)/float64(s.Last+63))) * 1e-9
			if odds > 1e-3 { // a thousand millionth of dropout tells after a silence as long as this
				continue
			}
			require.InDelta(t, 1, m.Alive(s), 1e-2)
			require.InEpsilon(t, plain.Expected(s, 365), m.Expected(s, 365), 1e-2, "%s", m.Kind())
			one, _ := plain.NextOrder(s, .5)
			other, _ := m.NextOrder(s, .5)
			require.InEpsilon(t, one, other, 1e-5, "%s", m.Kind())
		}
	})
}

// TestPredictionsHoldForInventedCustomers follows customers onward: as many order as expected, as many are alive as
// foretold, and of those who order again half do by the middle.
func TestPredictionsHoldForInventedCustomers(t *testing.T) {
	for i, m := range []simulation{
		{BGNBD, .9, 5, .8, 2.5, 1}, {MBGNBD, 1.2, 8, 1, 3, 1}, {MBGCNBDK, 1.5, 3, .8, 3, 3}, {ParetoNBD, 1.5, 12, 1.2, 30, 1},
	} {
		params := []Param{{"r", m.r, 0}, {"alpha", m.alpha, 0}, {"a", m.a, 0}, {"b", m.b, 0}, {"s", m.a, 0}, {"beta", m.b, 0}, {"k", float64(m.k), 0}}
		model, err := Restore(m.kind, params)
		require.NoError(t, err)
		rng := rand.New(rand.NewPCG(uint64(i), 99))
		const age, horizon = 30., 26.
		var orders, expected, variance, returned, early, alive float64
		for range 40_000 {
			l := m.customer(rng, (age+2000)*7)
			seen := 0
			for seen < len(l.at) && l.at[seen] <= age {
				seen++
			}
			last := 0.0
			if seen > 0 {
				last = l.at[seen-1]
			}
			s := Stats{Repeats: seen, Last: int32(math.Round(last * 7)), Age: age * 7}
			e := model.Expected(s, horizon*7)
			middle, _ := model.NextOrder(s, .5)
			later := 0.0
			for _, at := range l.at[seen:] {
				if at <= age+horizon {
					later++
				}
			}
			orders += later
			expected += e
			variance += (later - e) * (later - e)
			alive += model.Alive(s)
			if seen < len(l.at) {
				returned++
				if (l.at[seen]-age)*7 <= middle {
					early++
				}
			}
		}
		require.InDelta(t, expected, orders, 4.5*math.Sqrt(variance), "%s", m.kind)
		require.InDelta(t, 0.5, early/returned, 4.5*.5/math.Sqrt(returned), "%s", m.kind)
		if m.kind != ParetoNBD { // who is alive orders again
			require.InDelta(t, alive, returned, 4.5*math.Sqrt(40_000*.25), "%s", m.kind)
		}
	}
}

func TestSampleIsFairAndTheSame(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		stats := rapid.SliceOfN(rapid.Custom(anyStats), 1, 200).Draw(t, "stats")
		groups := Compress(append(stats, stats...))
		n := rapid.IntRange(1, 3*len(stats)).Draw(t, "n")
		got := Sample(groups, n)
		size := 0
		for _, g := range got {
			require.NoError(t, g.check())
			size += g.N
		}
		require.Equal(t, min(n, 2*len(stats)), size)
		require.Empty(t, cmp.Diff(got, Sample(groups, n)))
	})
}
