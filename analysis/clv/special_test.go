package clv

import (
	"math"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"gonum.org/v1/gonum/mathext"
)

func TestHypergeometric(t *testing.T) {
	for _, c := range []struct{ a, b, c, z, want float64 }{
		{1, 1, 2, 0.5, 2 * math.Ln2}, // -ln(1-z)/z
		{1, 1, 2, 0.95, -math.Log(0.05) / 0.95},
		{0.5, 3, 3, 0.36, 1.25}, // (1-z)^-a
		{-2, 1.5, 3, 0.99, 1 - 2*1.5/3*0.99 + 1.5*2.5/(3*4)*0.99*0.99},
		{0.5, 0.5, 1.5, 0.81, math.Asin(0.9) / 0.9}, // Abramowitz and Stegun 15.1.6
		{1, 0, 302, 0.994263862, 1},                 // these two never end in the general algorithm
		{1, 0, 1002, 0.994263862, 1},
		{2, 3, 10, 0, 1},
	} {
		done := make(chan float64, 1)
		go func() { done <- hypergeometric(c.a, c.b, c.c, c.z) }()
		select {
		case got := <-done:
			require.InEpsilon(t, c.want, got, 1e-12, "%+v", c)
		case <-time.After(5 * time.Second):
			t.Fatalf("no end for %+v", c)
		}
	}
}

func TestTrigamma(t *testing.T) {
	require.InEpsilon(t, math.Pi*math.Pi/6, trigamma(1), 1e-14)
	for _, x := range []float64{1e-8, 0.01, 0.5, 3, 14.9, 15, 100, 1e6} {
		require.InEpsilon(t, mathext.Zeta(2, x), trigamma(x), 1e-13, "%v", x)
	}
}

func TestIntegrate(t *testing.T) {
	require.InEpsilon(t, 10*(1-1/101.), integrate(10, 1000, func(u float64) float64 { return math.Pow(1+u/10, -2) }), 1e-12)
	require.InEpsilon(t, 1/.0027*(1-math.Exp(-45)), integrate(10, 45/.0027, func(u float64) float64 { return math.Exp(-.0027 * u) }), 1e-12)
}

func TestSoftplus(t *testing.T) {
	for _, d := range []float64{-800, -3, 0, 3, 800} {
		value, slope := softplus(d)
		require.InDelta(t, math.Max(d, 0)+math.Log1p(math.Exp(-math.Abs(d))), value, 1e-14)
		require.InDelta(t, 1/(1+math.Exp(-d)), slope, 1e-15)
	}
}

// Discounted orders of a year take fewer places than the general rule, and are the same.
func TestShortIntegrals(t *testing.T) {
	for _, scale := range []float64{0.4, 3, 20, 400} {
		for _, end := range []float64{4, 52, 250} {
			f := func(u float64) float64 { return math.Exp(-0.0018*u) * (1 - math.Pow(scale/(scale+u), 1.7)) }
			require.InEpsilon(t, integrateBy(fine, scale, end, f), integrateBy(smooth(scale, end), scale, end, f), 1e-9, "%v %v", scale, end)
		}
	}
}
