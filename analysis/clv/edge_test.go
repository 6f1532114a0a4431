package clv

import (
	"math"
	"testing"

	"github.com/stretchr/testify/require"
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
	} {
		t.Log(m.Kind(), m.Params())
		requireFinite(t, m)
	}
}
