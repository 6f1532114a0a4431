package experiment

import (
	"math"
	"testing"

	"github.com/stretchr/testify/require"
	"gonum.org/v1/gonum/stat/distuv"
	"pgregory.net/rapid"
)

// TestBoundary against the formula of the paper, reckoned elsewhere: the root of the people times the half width of a variance
// of one.
func TestBoundary(t *testing.T) {
	require.InDelta(t, 0.0039680773008687826, mixture(), 1e-15)
	for _, c := range []struct{ people, alpha, want float64 }{
		{200, 0.05, 3.855054633530311},
		{200, 0.01, 4.704921483294095},
		{2000, 0.05, 3.035208990376253},
		{2000, 0.01, 3.582871174252305},
		{20000, 0.05, 3.2417231454053836},
		{1e6, 0.01, 4.183424272962965},
	} {
		require.InDelta(t, c.want, boundary(c.people, c.alpha), 1e-9)
	}
	for _, people := range []float64{500, 1000, 4000, 20000} {
		require.Less(t, boundary(tuned, 0.05), boundary(people, 0.05), "it is narrowest for as many as it is tuned for")
	}
}

func TestEvidenceIsTheLevelAtWhichTheBoundaryIsMet(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		people, alpha := rapid.Float64Range(10, 1e6).Draw(t, "people"), rapid.Float64Range(1e-6, 0.5).Draw(t, "alpha")
		z := boundary(people, alpha)
		require.InEpsilon(t, alpha, evidence(z, people), 1e-9)
		require.InEpsilon(t, alpha, evidence(-z, people), 1e-9)
		require.Less(t, evidence(z+0.1, people), alpha)
	})
	require.Equal(t, 1.0, evidence(0, 100))
}

// TestDealingAnewTendsToTheExactChance, which is counted over all ways to deal seven people.
func TestDealingAnewTendsToTheExactChance(t *testing.T) {
	amounts := []int64{12, 0, 30, 7, 0, 4, 1}
	var all []People
	for i, a := range amounts {
		all = append(all, People{Number: 1, Held: i >= 4, Share: 0.4, After: Totals{Revenue: a * perUnit}})
	}
	from := strata(all, revenue)
	d := newDeck(from[0], [values]float64{})
	require.Equal(t, 3, d.small)
	seen := inErrors([]deck{d})
	above, below, ways := 0, 0, 0
	for mask := range 1 << 7 {
		var front, back []float64
		for i, v := range d.value {
			if mask>>i&1 == 1 {
				front = append(front, v)
			} else {
				back = append(back, v)
			}
		}
		if len(front) != 3 {
			continue
		}
		ways++
		other := d
		other.value = append(front, back...)
		at := inErrors([]deck{other})
		if at >= seen-1e-12 {
			above++
		}
		if at <= seen+1e-12 {
			below++
		}
	}
	require.Equal(t, 35, ways)
	exact := 2 * float64(min(above, below)) / 35
	p, least := reshuffle(from, [values]float64{})
	require.InDelta(t, exact, p, 0.02)
	require.InDelta(t, 2.0/(deals+1), least, 1e-12)
	again, _ := reshuffle(from, [values]float64{})
	require.Equal(t, p, again, "the same answer every time")
}

func TestQuantilesOfOutliers(t *testing.T) {
	var all []People
	for i := range int64(200) {
		all = append(all, People{Number: 1, Held: i%2 == 0, Share: 0.5, After: Totals{Revenue: (i + 1) * perUnit}})
	}
	all = append(all, People{Number: 1000, Share: 0.5}, People{Number: 1000, Share: 0.5, Held: true})
	c := cut(strata(all, revenue))
	require.Equal(t, 198.0, c.To, "of 200 who bought, two brought more")
	require.Zero(t, c.From)
	// Not held out are 2, 4 ... 200, of which 200 counts as 198; held out are 1, 3 ... 199, of which 199 does.
	require.InDelta(t, (10100.0-2-(10000-1))/1100, c.Difference, 1e-9)
}

// TestHowManyPeopleItTakes as docs/experiments.md has it: one in ten buys, for amounts that differ by three quarters of their mean.
func TestHowManyPeopleItTakes(t *testing.T) {
	const buying, differ = 0.1, 0.775
	one := math.Sqrt((1+differ*differ)/buying - 1) // the standard deviation of one person, in means
	for _, c := range []struct{ effect, half, tenth float64 }{{1, 900, 2500}, {0.5, 3600, 11_000}, {0.2, 25_000, 75_000}, {0.1, 110_000, 330_000}} {
		for share, people := range map[float64]float64{0.5: c.half, 0.1: c.tenth} {
			smallest := (boundary(people, 1-Level) + distuv.UnitNormal.Quantile(Power)) * one / math.Sqrt(people*share*(1-share))
			require.InEpsilon(t, c.effect, smallest, 0.02, "%v of %v", c.effect, share)
		}
	}
}

func TestAFindingHasToBeFirm(t *testing.T) {
	seldom, often := 0.0005, 0.02
	e := Effect{
		Adjusted: Estimate{Difference: 5, Error: 1, Freedom: 500}, Cautious: 1, Cut: Cut{Estimate: Estimate{Difference: 4}},
		Held: 10, P: 0.01, Reshuffled: &seldom, least: 0.0004, people: 2000, got: 1000,
	}
	verdict := func(change func(*Effect)) (Verdict, Lack) {
		other := e
		change(&other)
		other.decide(0.05, true)
		return other.Verdict, other.Lack
	}
	v, lack := verdict(func(*Effect) {})
	require.Equal(t, Helps, v)
	require.Empty(t, lack)
	for what, change := range map[string]func(*Effect){
		"other lots give it often":       func(e *Effect) { e.Reshuffled = &often },
		"lots were not dealt anew":       func(e *Effect) { e.Reshuffled = nil },
		"without outliers it is a loss":  func(e *Effect) { e.Cut.Difference = -0.1 },
		"without outliers there is none": func(e *Effect) { e.Cut.Difference = 0 },
		"a loss that is a gain without":  func(e *Effect) { e.Adjusted.Difference = -5 },
	} {
		v, lack := verdict(change)
		require.Equal(t, TooEarly, v, what)
		require.Equal(t, Firmness, lack, what)
	}
	v, _ = verdict(func(e *Effect) { e.Adjusted.Difference, e.Cut.Difference = -5, -4 })
	require.Equal(t, Harms, v)
}
