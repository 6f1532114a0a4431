package clv

import (
	"math"
	"math/rand/v2"
	"testing"

	"github.com/stretchr/testify/require"
	"gonum.org/v1/gonum/stat/distuv"
)

// customers of every odd kind, all of whom Check accepts.
var customers = []Stats{
	{},       // bought today
	{Age: 1}, // yesterday
	{Repeats: 1, Last: 1, Age: 1},
	{Age: 7000},
	{Repeats: 1, Last: 1, Age: 7000},
	{Repeats: 300, Last: 7000, Age: 7000},
	{Repeats: 300, Last: 300, Age: 7000},
	{Repeats: 300, Last: 3500, Age: 7000},
	{Repeats: 7000, Last: 7000, Age: 7000},
	{Repeats: 7000, Last: 7000, Age: 20000},
	{Repeats: 2, Last: 213, Age: 272},
}

// requireFinite asks everything of a model for customers of every odd kind.
func requireFinite(t *testing.T, m Model) {
	t.Helper()
	for _, s := range customers {
		require.NoError(t, s.Check())
		alive := m.Alive(s)
		require.True(t, alive >= 0 && alive <= 1, "%s alive %v for %+v", m.Kind(), alive, s)
		before := 0.0
		for _, days := range []float64{0, 1, 365, 7000, 70000} {
			orders := m.Expected(s, days)
			require.False(t, math.IsNaN(orders) || math.IsInf(orders, 0), "%s %v orders of %+v in %v days", m.Kind(), orders, s, days)
			require.GreaterOrEqual(t, orders, before*(1-1e-9), "%s orders of %+v in %v days", m.Kind(), s, days)
			before = orders
			worth := m.Discounted(s, days, 0.15)
			require.True(t, worth >= 0 && worth <= orders*(1+1e-9), "%s %v discounted of %v orders of %+v in %v days", m.Kind(), worth, orders, s, days)
			require.False(t, math.IsNaN(m.New(days)))
		}
		require.False(t, math.IsNaN(m.Expected(s, math.Inf(1))), "%s %+v", m.Kind(), s)
		residual := m.Discounted(s, math.Inf(1), 0.15)
		require.False(t, math.IsNaN(residual) || math.IsInf(residual, 0), "%s %+v", m.Kind(), s)
		require.GreaterOrEqual(t, residual, m.Discounted(s, 7000, 0.15)*(1-1e-9), "%s %+v", m.Kind(), s)
		quantile := 0.0
		for _, p := range []float64{-1, 0, 0.01, 0.1, 0.5, 0.9, 0.99, 1, 2, math.NaN()} {
			days, ok := m.NextOrder(s, p)
			require.False(t, math.IsNaN(days), "%s next order of %+v with %v", m.Kind(), s, p)
			if !(p > 0 && p < 1) {
				require.False(t, ok)
				continue
			}
			require.GreaterOrEqual(t, days, quantile)
			quantile = days
		}
	}
	for _, p := range m.Params() {
		require.False(t, math.IsNaN(p.Value) || math.IsNaN(p.StdErr) || math.IsInf(p.Value, 0) || math.IsInf(p.StdErr, 0), "%s %+v", m.Kind(), p)
	}
}

func TestOddCustomersAreFinite(t *testing.T) {
	for _, m := range []Model{
		model(t, NBD, .385, 12.07), model(t, NBD, 0, 1),
		model(t, BGNBD, .2426, 4.4136, .7929, 2.4259), model(t, BGNBD, .2426, 4.4136, 1, 2), model(t, BGNBD, .2426, 4.4136, 1.5, .5),
		model(t, BGNBD, 5, 4, .3, .7), model(t, BGNBD, 200, 100, .3, .1), model(t, BGNBD, .7, 9, 1e-8, 3e6), model(t, BGNBD, .01, 1e-3, 5, 5),
		model(t, MBGNBD, .5248, 6.183, .8914, 1.614), model(t, MBGNBD, .5, 6, 1, 1), model(t, MBGNBD, 1e5, 1e6, 1e5, 1e6),
		model(t, MBGCNBDK, .8557, 4.129, .1239, 2.117, 2), model(t, MBGCNBDK, .8557, 4.129, 1, 2, 6),
		model(t, ParetoNBD, .5533, 10.578, .6062, 11.669), model(t, ParetoNBD, .5533, 10.578, 1, 11.669), model(t, ParetoNBD, .5, 10, 2, 1),
		model(t, ParetoNBD, .5, 1e-2, 2, 1e3), model(t, ParetoNBD, .7, 9, 1e-8, 1e4), model(t, ParetoNBD, 1e-3, 9, 1e-3, 9),
		model(t, ParetoNBD, .5, .28, 7e4, 1.2e6), model(t, ParetoNBD, 1e6, 1e6, .5, 1e-3), model(t, ParetoNBD, 1e-5, 1e-5, 1e5, 1e5),
	} {
		t.Log(m.Kind(), m.Params())
		requireFinite(t, m)
	}
}

// TestFirstOf compares the series, used for scales near each other, with the quadrature, used for others.
func TestFirstOf(t *testing.T) {
	for _, shape := range []float64{.01, .6, 3, 40} {
		for _, other := range []float64{.01, .5, 8} {
			for _, scale := range []float64{1e-3, .2, 1.01, 3, 10, 11, 99, 2e4} {
				got := firstOf(shape, scale, other, 10)
				require.InDelta(t, 1, got+firstOf(other, 10, shape, scale), 1e-9, "%v %v %v", shape, scale, other)
				if scale > 1 && scale <= 10 {
					require.InEpsilon(t, shape/(shape+other)*hypergeometricSeries(other, 1, shape+other+1, 1-scale/10), got, 1e-9)
				}
				m := paretoNBD{r: other, alpha: 10, s: shape, beta: scale}
				late, c := 1e15, shape+other
				rest := math.Exp(-other*math.Log1p(late/10)-shape*math.Log1p(late/scale)) * shape / c
				require.InEpsilon(t, math.Exp(m.stopped(other, 0, late).value)+rest, got, 1e-9, "%v %v %v", shape, scale, other)
			}
		}
	}
}

func TestImpossibleStatsAreNamed(t *testing.T) {
	good := Stats{Repeats: 2, Last: 30, Age: 60}
	for field, spoil := range map[string]func(g *Group){
		"Repeats is negative":          func(g *Group) { g.Repeats = -1 },
		"Repeats are more than days":   func(g *Group) { g.Repeats = 31 },
		"Age is negative":              func(g *Group) { g.Age = -1 },
		"Last is negative":             func(g *Group) { g.Last = -1 },
		"Last is after the as-of day":  func(g *Group) { g.Last = 61 },
		"Last is after the as-of":      func(g *Group) { g.Age = 0 },
		"Last is 30 days without":      func(g *Group) { g.Repeats = 0 },
		"LogGaps is not finite: NaN":   func(g *Group) { g.LogGaps = math.NaN() },
		"LogGaps is not finite: +Inf":  func(g *Group) { g.LogGaps = math.Inf(1) },
		"N of a group is not positive": func(g *Group) { g.N = 0 },
	} {
		g := Group{good, 1}
		spoil(&g)
		for _, kind := range Kinds() {
			_, err := FitModel(kind, []Group{{good, 1}, g})
			require.ErrorContains(t, err, field)
			require.ErrorContains(t, err, string(kind))
		}
	}
	require.ErrorContains(t, Stats{Repeats: 1}.Check(), "Repeats are more than days")
	_, err := FitModel("nonsense", nil)
	require.ErrorContains(t, err, "nonsense")

	for field, s := range map[string]Spend{
		"Repeats is negative": {-1, 1, 1}, "N is not positive": {1, 1, 0}, "Mean is not finite: NaN": {1, math.NaN(), 1}, "Mean is not finite: -Inf": {1, math.Inf(-1), 1},
	} {
		_, err := FitSpend([]Spend{s})
		require.ErrorContains(t, err, field)
	}
}

func TestSmallAndOddShopsHaveFindings(t *testing.T) {
	once := []Group{{Stats{}, 3}, {Stats{Age: 400}, 90}}
	for _, kind := range Kinds() {
		fit, err := FitModel(kind, once)
		require.NoError(t, err)
		require.Equal(t, FindingNoRepeats, fit.Finding)
		require.False(t, fit.Identified)
		require.True(t, fit.Converged)
		require.Equal(t, NBD, fit.Model.Kind())
		require.Zero(t, fit.Model.Expected(Stats{Age: 400}, 365))
		require.Zero(t, fit.LogLikelihood)
		require.Zero(t, fit.Model.LogLikelihood(once))
		requireFinite(t, fit.Model)
		restored, err := Restore(fit.Model.Kind(), fit.Model.Params())
		require.NoError(t, err)
		require.Equal(t, fit.Model, restored)

		fit, err = FitModel(kind, nil)
		require.NoError(t, err)
		require.Equal(t, FindingNoCustomers, fit.Finding)
		requireFinite(t, fit.Model)

		// Everybody alike: one order every tenth day, none ever stopping.
		fit, err = FitModel(kind, []Group{{Stats{Repeats: 40, Last: 400, Age: 405, LogGaps: 40 * 500 * math.Log(10./7)}, 500}})
		require.NoError(t, err)
		require.NotEmpty(t, fit.Finding, kind)
		require.True(t, fit.Converged)
		requireFinite(t, fit.Model)
		require.InEpsilon(t, 36.5, fit.Model.Expected(Stats{Repeats: 40, Last: 400, Age: 405}, 365), .1, kind)

		// A huge frequency among ordinary ones.
		fit, err = FitModel(kind, append(once, Group{Stats{Repeats: 3000, Last: 3000, Age: 3000}, 1}, Group{Stats{Repeats: 2, Last: 90, Age: 300}, 20}))
		require.NoError(t, err)
		require.True(t, fit.Converged)
		requireFinite(t, fit.Model)
	}
}

func TestOneTimeBuyersAreAliveByConstructionOnlyWhereSaid(t *testing.T) {
	once, twice := Stats{Age: 300}, Stats{Repeats: 1, Last: 10, Age: 300}
	for kind, want := range map[Kind][2]bool{NBD: {true, true}, BGNBD: {true, false}, MBGNBD: {}, MBGCNBDK: {}, ParetoNBD: {}} {
		m := model(t, kind, .5, 5, .8, 2, 2)
		for i, s := range []Stats{once, twice} {
			require.Equal(t, want[i], AliveByConstruction(m, s), kind)
			require.Equal(t, want[i], m.Alive(s) == 1, kind)
		}
	}
}

func TestRestoreRefusesWhatIsNoModel(t *testing.T) {
	good := []Param{{"b", 2, .1}, {"r", .5, .1}, {"alpha", 5, .1}, {"a", .8, .1}, {"k", 2, 0}}
	m, err := Restore(MBGCNBDK, good)
	require.NoError(t, err)
	again, err := Restore(MBGCNBDK, m.Params())
	require.NoError(t, err)
	require.Equal(t, m, again)
	for _, bad := range []Param{{"b", 0, 0}, {"b", -1, 0}, {"r", math.NaN(), 0}, {"alpha", math.Inf(1), 0}, {"k", 2.5, 0}, {"k", 7, 0}, {"k", 0, 0}} {
		_, err := Restore(MBGCNBDK, append(good[:len(good):len(good)], bad))
		require.ErrorContains(t, err, bad.Name)
	}
	_, err = Restore(ParetoNBD, good)
	require.ErrorContains(t, err, "parameter s missing")
	_, err = Restore("nonsense", good)
	require.Error(t, err)
}

func TestSpendOfOddShops(t *testing.T) {
	fit, err := FitSpend([]Spend{{0, 0, 10}, {2, -5, 1}})
	require.NoError(t, err)
	require.Equal(t, FindingNoSpend+"; "+FindingExcluded, fit.Finding)
	require.False(t, fit.Identified)
	require.Equal(t, 1, fit.Excluded)
	require.Zero(t, fit.Expected(0, 0))
	require.Equal(t, 5., fit.Expected(1, 10))

	// One price for everything.
	fit, err = FitSpend([]Spend{{1, 20, 50}, {4, 20, 30}, {2, 0, 1}})
	require.NoError(t, err)
	require.False(t, fit.Identified)
	require.Contains(t, fit.Finding, FindingExcluded)
	require.InEpsilon(t, 20, fit.Expected(3, 20), 1e-9)
	require.InEpsilon(t, 20, fit.Expected(0, 0), 1e-9)
	require.GreaterOrEqual(t, fit.Expected(3, -100), 0.)

	// Spread without a mean.
	var wild []Spend
	rng := rand.New(rand.NewPCG(3, 4))
	for range 2000 {
		rate := distuv.Gamma{Alpha: .6, Beta: 10, Src: rng}.Rand()
		wild = append(wild, Spend{3, distuv.Gamma{Alpha: 6, Beta: 3 * rate, Src: rng}.Rand(), 1})
	}
	fit, err = FitSpend(wild)
	require.NoError(t, err)
	require.Equal(t, FindingNoMean, fit.Finding)
	require.False(t, fit.Identified)
	require.False(t, math.IsInf(fit.Expected(0, 0), 0))
	require.Equal(t, math.Inf(1), GammaGamma{P: 1, Q: .5, Gamma: 1}.Mean(0, 0))
}
