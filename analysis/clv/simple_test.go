package clv

import (
	"math"
	"testing"

	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"
)

func TestSimpleFormulaByHand(t *testing.T) {
	s := Simple{AverageOrder: 50, OrdersPerYear: 4, Churn: 0.25, MarginRate: 0.4}
	require.NoError(t, s.Check())
	require.Equal(t, 4.0, s.Lifespan())
	require.InDelta(t, 50*4*4*0.4, s.Lifetime(), 1e-12)
	// One year: the integral of 0.75^t is 0.25/ln(4/3).
	require.InDelta(t, 50*4*0.4*0.25/math.Log(4.0/3), s.Value(365), 1e-9)
	p := Predictor{Orders: s, Spend: s.Spend(), MarginRate: s.MarginRate}
	require.InDelta(t, s.Value(365), p.Predict(Stats{}, 0, 365).Value, 1e-9, "a new customer is worth the shop's average")
	require.InDelta(t, 80, p.Predict(Stats{Repeats: 2, Last: 30, Age: 30}, 95, 365).OrderValue, 1e-9)
	s.DiscountRate = 0.1
	force := math.Log(1.1) + math.Log(4.0/3)
	require.InDelta(t, 50*4*0.4*(1-math.Exp(-5*force))/force, s.Value(math.Inf(1)), 1e-9)
}

func TestSimpleFormulaAtItsEdges(t *testing.T) {
	forever := Simple{AverageOrder: 50, OrdersPerYear: 4, MarginRate: 1}
	require.Equal(t, 5.0, forever.Lifespan())
	require.InDelta(t, 50*4*5, forever.Value(math.Inf(1)), 1e-9)
	require.InDelta(t, 50*4, forever.Value(365), 1e-9)
	once := Simple{AverageOrder: 50, OrdersPerYear: 4, Churn: 1, MarginRate: 1}
	require.Zero(t, once.Value(365))
	require.Zero(t, once.Expected(Stats{Age: 3}, math.Inf(1)))

	none, err := NewSimple(nil, 0, 0, 0)
	require.NoError(t, err)
	require.Zero(t, none.Lifetime())
	young, err := NewSimple([]Stats{{Repeats: 1, Last: 1, Age: 1}, {Age: -3}}, 20, 0.5, -1)
	require.NoError(t, err)
	require.InDelta(t, 365.0/30, young.OrdersPerYear, 1e-9, "one day is not taken for a habit, nor is who came later counted")
	for _, bad := range []float64{-0.1, 1.1, math.NaN()} {
		_, err := NewSimple(nil, 20, bad, 0.1)
		require.ErrorContains(t, err, "churn")
	}
	require.InDelta(t, 1-math.Pow(0.9, 12), AnnualChurn(0.1, 365.0/12), 1e-12)
}

func TestSimpleForecastsAreFinite(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		s := Simple{
			AverageOrder: rapid.Float64Range(-100, 1000).Draw(t, "order"), OrdersPerYear: rapid.Float64Range(0, 300).Draw(t, "frequency"),
			Churn: rapid.Float64Range(0, 1).Draw(t, "churn"), DiscountRate: rapid.Float64Range(0, 2).Draw(t, "rate"), MarginRate: 1,
		}
		last := rapid.Int32Range(0, 3000).Draw(t, "last")
		c := Stats{Last: last, Age: last + rapid.Int32Range(0, 3000).Draw(t, "silence")}
		days := rapid.SampledFrom([]float64{0, 1, 30, 365, math.Inf(1)}).Draw(t, "days")
		got := s.Expected(c, days)
		require.GreaterOrEqual(t, got, 0.0)
		require.False(t, math.IsInf(got, 0) || math.IsNaN(got))
		require.LessOrEqual(t, s.Discounted(c, days, 0.1), got)
		require.LessOrEqual(t, s.Alive(c), 1.0)
	})
}
