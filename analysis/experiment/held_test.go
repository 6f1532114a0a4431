package experiment_test

import (
	"crypto/sha256"
	"fmt"
	"math"
	"math/big"
	"testing"

	"github.com/stretchr/testify/require"
	"gonum.org/v1/gonum/stat"
	"gonum.org/v1/gonum/stat/distuv"
	"pgregory.net/rapid"

	"github.com/perennial-cvo/perennial/analysis/experiment"
)

// TestDrawIsTheHashAsAFraction pins lots: changing them would deal everybody anew in the middle of a trial.
func TestDrawIsTheHashAsAFraction(t *testing.T) {
	for _, c := range []struct {
		seed, audience string
		person         int64
	}{{"shop", "at_risk", 1}, {"shop", "at_risk", 2}, {"", "", 0}, {"a/b", "lapsed", math.MaxInt64}, {"żółw", "lost", -5}} {
		sum := sha256.Sum256([]byte(fmt.Sprintf("%s/%s/%d", c.seed, c.audience, c.person)))
		whole := new(big.Rat).SetFrac(new(big.Int).SetBytes(sum[:]), new(big.Int).Lsh(big.NewInt(1), 256))
		exact, _ := whole.Float64()
		got := experiment.Draw(c.seed, c.audience, c.person)
		require.LessOrEqual(t, got, exact, c)
		require.InDelta(t, exact, got, math.Ldexp(1, -52), c)
	}
	require.Equal(t, 0.3052833350970101, experiment.Draw("shop", "at_risk", 1))
}

func TestALargerShareHoldsOutTheSameAndMore(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		seed, audience := rapid.String().Draw(t, "seed"), rapid.StringMatching(`[a-z_]{1,20}`).Draw(t, "audience")
		person := rapid.Int64().Draw(t, "person")
		small := rapid.Float64Range(0, 1).Draw(t, "small")
		large := rapid.Float64Range(small, 1).Draw(t, "large")
		held := experiment.Held(seed, audience, person, small)
		require.Equal(t, held, experiment.Held(seed, audience, person, small), "the same for ever")
		if held {
			require.True(t, experiment.Held(seed, audience, person, large))
		}
		for _, none := range []float64{0, -1, math.Inf(-1), math.NaN()} {
			require.False(t, experiment.Held(seed, audience, person, none))
		}
		require.True(t, experiment.Held(seed, audience, person, 1))
	})
}

// TestLotsAreEvenlySpread by the chi-square test over a thousand equal parts, for people numbered in a row, as they are.
func TestLotsAreEvenlySpread(t *testing.T) {
	const people, parts = 200_000, 1000
	for _, audience := range []string{"at_risk", "champions", "lapsed"} {
		seen, expected := make([]float64, parts), make([]float64, parts)
		for person := range people {
			seen[int(experiment.Draw("shop", audience, int64(person))*parts)]++
		}
		for i := range expected {
			expected[i] = float64(people) / parts
		}
		p := distuv.ChiSquared{K: parts - 1}.Survival(stat.ChiSquare(seen, expected))
		require.Greater(t, p, 0.001, audience)
		require.Less(t, p, 0.999, "too even to be by chance")
	}
}

// TestLotsOfTwoAudiencesKnowNothingOfEachOther, nor those of two seeds, nor of people one after another.
func TestLotsOfTwoAudiencesKnowNothingOfEachOther(t *testing.T) {
	const people, share = 200_000, 0.1
	pairs := map[string]func(int64) (bool, bool){
		"audiences": func(p int64) (bool, bool) {
			return experiment.Held("shop", "at_risk", p, share), experiment.Held("shop", "lapsed", p, share)
		},
		"seeds": func(p int64) (bool, bool) {
			return experiment.Held("shop", "at_risk", p, share), experiment.Held("shop2", "at_risk", p, share)
		},
		"neighbours": func(p int64) (bool, bool) {
			return experiment.Held("shop", "at_risk", p, share), experiment.Held("shop", "at_risk", p+1, share)
		},
	}
	for name, pair := range pairs {
		var table [4]float64
		for p := range int64(people) {
			first, second := pair(p)
			cell := 0
			if first {
				cell += 2
			}
			if second {
				cell++
			}
			table[cell]++
		}
		const n = people
		expected := []float64{n * 0.81, n * 0.09, n * 0.09, n * 0.01}
		p := distuv.ChiSquared{K: 3}.Survival(stat.ChiSquare(table[:], expected))
		require.Greater(t, p, 0.001, "%s: %v", name, table)
	}
}
