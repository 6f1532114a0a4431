package clv

import (
	"math"
	"testing"

	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"
)

// TestSeriesIsTheIntegral: one sum says what the orders until each moment of the horizon say, added up.
func TestSeriesIsTheIntegral(t *testing.T) {
	taken := 0
	rapid.Check(t, func(t *rapid.T) {
		s, days, rate := anyStats(t), rapid.Float64Range(0, 1000).Draw(t, "days"), rapid.Float64Range(0, 0.3).Draw(t, "rate")
		for _, m := range models(t) {
			m, ok := m.(*betaGeometric)
			if !ok {
				continue
			}
			b, end, force := m.believe(s), weeks(days), discountForce(rate)
			orders, discounted, ok := m.series(&b, end, force)
			if !ok {
				continue
			}
			taken++
			want := m.expect(&b, end)
			require.InDelta(t, want, b.alive*orders, 1e-11*want)
			worth := math.Exp(-force*end)*want + force*integrateBy(fine, b.scale/max(1, b.events), end, func(u float64) float64 {
				return math.Exp(-force*u) * m.expect(&b, u)
			})
			require.InDelta(t, worth, b.alive*discounted, 1e-9*worth)
		}
	})
	require.Greater(t, taken, 30)
}

func TestFading(t *testing.T) {
	for x := 0.0; x <= slightDiscount; x += slightDiscount / 50 {
		for u := 0.0; u <= 1; u += 0.01 {
			c := fading(x)
			require.InDelta(t, math.Exp(-x*u), c[0]+u*(c[1]+u*(c[2]+u*(c[3]+u*c[4]))), 1e-9)
		}
	}
}
