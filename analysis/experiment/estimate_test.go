package experiment_test

import (
	"math"
	"math/rand/v2"
	"testing"

	"github.com/stretchr/testify/require"
	"gonum.org/v1/gonum/mat"
	"pgregory.net/rapid"

	"github.com/perennial-cvo/perennial/analysis/experiment"
)

// amounts are people of one side, each of whom brought an amount.
func amounts(held bool, all ...float64) []experiment.People {
	var people []experiment.People
	for _, a := range all {
		people = append(people, experiment.People{Number: 1, Held: held, Share: 0.5, After: experiment.Totals{Revenue: int64(math.Round(a * 10_000))}})
	}
	return people
}

// TestWelch against published answers: the sleep data of Student (1908), as R prints them in ?t.test (t = -1.8608, df = 17.776,
// from -3.3654832 to 0.2054832), and a common worked example (t = -2.46, df = 25.0).
func TestWelch(t *testing.T) {
	sleep := append(amounts(false, 0.7, -1.6, -0.2, -1.2, -0.1, 3.4, 3.7, 0.8, 0.0, 2.0),
		amounts(true, 1.9, 0.8, 1.1, 0.1, -0.1, 4.4, 5.5, 1.6, 4.6, 3.4)...)
	e := experiment.Measure(experiment.Facts{People: sleep}).Revenue
	require.InDelta(t, -1.58, e.Plain.Difference, 1e-12)
	require.InDelta(t, -1.8608134674868526, e.Plain.Difference/e.Plain.Error, 1e-12)
	require.InDelta(t, 17.776473516178495, e.Plain.Freedom, 1e-10)
	require.InDelta(t, -3.3654832, e.Plain.Low, 1e-7)
	require.InDelta(t, 0.2054832, e.Plain.High, 1e-7)
	require.Equal(t, e.Plain, e.Adjusted, "nothing is known of before")
	require.Zero(t, e.Removed)

	example := append(amounts(false, 27.5, 21.0, 19.0, 23.6, 17.0, 17.9, 16.9, 20.1, 21.9, 22.6, 23.1, 19.6, 19.0, 21.7, 21.4),
		amounts(true, 27.1, 22.0, 20.8, 23.4, 23.4, 23.5, 25.8, 22.0, 24.8, 20.2, 21.9, 22.1, 22.9, 20.5, 24.4)...)
	e = experiment.Measure(experiment.Facts{People: example}).Revenue
	require.InDelta(t, -2.45535639828601, e.Plain.Difference/e.Plain.Error, 1e-12)
	require.InDelta(t, 24.98852929023142, e.Plain.Freedom, 1e-10)
}

// invented are people with any amounts, who may be many alike.
func invented(t *rapid.T, shares ...float64) []experiment.People {
	totals := func(name string) experiment.Totals {
		return experiment.Totals{
			Orders: rapid.Int64Range(0, 9).Draw(t, name+" orders"), Revenue: rapid.Int64Range(-1e7, 1e8).Draw(t, name+" revenue"),
			Margin: rapid.Int64Range(-1e7, 1e7).Draw(t, name+" margin"), Costed: rapid.Int64Range(0, 1e7).Draw(t, name+" costed"),
		}
	}
	return rapid.SliceOfN(rapid.Custom(func(t *rapid.T) experiment.People {
		return experiment.People{
			Number: rapid.IntRange(1, 5).Draw(t, "number"), Held: rapid.Bool().Draw(t, "held"), Share: rapid.SampledFrom(shares).Draw(t, "share"),
			After: totals("after"), Before: totals("before"), Earlier: totals("earlier"),
		}
	}), 12, 40).Draw(t, "people")
}

// TestAdjustingIsRegression: the adjusted difference is the coefficient of the side in the least squares of what people brought on
// side and times before.
func TestAdjustingIsRegression(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		people := append(invented(t, 0.1), amounts(true, 1, 2)...)
		people = append(people, amounts(false, 3, 4)...)
		var x, y []float64
		n := 0
		for i := range people {
			p := &people[i]
			p.Share = 0.1
			for range p.Number {
				side := 1.0
				if p.Held {
					side = 0
				}
				x = append(x, 1, side, float64(p.Before.Revenue)/1e4, float64(p.Earlier.Revenue)/1e4)
				y = append(y, float64(p.After.Revenue)/1e4)
				n++
			}
		}
		var beta mat.VecDense
		require.NoError(t, beta.SolveVec(mat.NewDense(n, 4, x), mat.NewVecDense(n, y)))
		e := experiment.Measure(experiment.Facts{People: people}).Revenue
		require.InEpsilon(t, 1+math.Abs(beta.AtVec(1)), 1+math.Abs(e.Adjusted.Difference), 1e-6)
		require.InDelta(t, beta.AtVec(1), e.Adjusted.Difference, 1e-6*(1+math.Abs(beta.AtVec(1))))
	})
}

// TestAdjustingTakesVarianceAway: of outcomes that go with what was before by a correlation of r, the part r squared.
func TestAdjustingTakesVarianceAway(t *testing.T) {
	random := rand.New(rand.NewPCG(3, 4))
	for _, r := range []float64{0, 0.5, 0.9} {
		var people []experiment.People
		for i := range 40_000 {
			x, y := random.NormFloat64(), random.NormFloat64()
			people = append(people, experiment.People{
				Number: 1, Held: i%4 == 0, Share: 0.25, Earlier: experiment.Totals{Revenue: int64(1e8 * x)},
				After: experiment.Totals{Revenue: int64(1e8 * (r*x + math.Sqrt(1-r*r)*y))},
			})
		}
		require.InDelta(t, r*r, experiment.Measure(experiment.Facts{People: people}).Revenue.Removed, 0.02)
	}
}

// TestATimeThatRepeatsTheOtherAddsNothing, nor one in which everybody did the same.
func TestATimeThatRepeatsTheOtherAddsNothing(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		people := append(invented(t, 0.3), amounts(true, 1, 2)...)
		people = append(people, amounts(false, 3, 4)...)
		for i := range people {
			people[i].Share, people[i].Earlier = 0.3, experiment.Totals{Revenue: 70_000}
		}
		alone := experiment.Measure(experiment.Facts{People: people}).Revenue.Adjusted
		for i := range people {
			people[i].Earlier.Revenue = 3*people[i].Before.Revenue + 50_000
		}
		twice := experiment.Measure(experiment.Facts{People: people}).Revenue.Adjusted
		require.InDelta(t, alone.Difference, twice.Difference, 1e-6*(1+math.Abs(alone.Difference)))
		require.InDelta(t, alone.Error, twice.Error, 1e-6*(1+alone.Error))
	})
}

// TestPeopleAreComparedUnderTheirOwnShare: the season changed together with the share, which is no effect of the audience.
func TestPeopleAreComparedUnderTheirOwnShare(t *testing.T) {
	var people []experiment.People
	add := func(number int, held bool, share, amount float64) {
		for i := range 2 { // half a unit more or less, so that there is something to vary
			p := amounts(held, amount+float64(i)-0.5)[0]
			p.Number, p.Share = number/2, share
			people = append(people, p)
		}
	}
	add(900, false, 0.1, 10)
	add(100, true, 0.1, 10)
	add(200, false, 0.8, 50)
	add(800, true, 0.8, 50)
	e := experiment.Measure(experiment.Facts{People: people}).Revenue
	require.InDelta(t, -28.2828, e.Got-e.Held, 1e-3, "thrown together, those who were held out look the better")
	require.InDelta(t, 0, e.Adjusted.Difference, 1e-12)
}

// TestOrderUnitAndBundlingMakeNoDifference.
func TestOrderUnitAndBundlingMakeNoDifference(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		people := invented(t, 0.1, 0.5)
		facts := experiment.Facts{Share: 0.5, AsOf: 90, People: people, Entries: []experiment.Entry{{Share: 0.5, Got: 20, Held: 20}}}
		want := experiment.Judge([]experiment.Facts{facts})[0]

		var single []experiment.People
		for _, p := range people {
			for range p.Number {
				one := p
				one.Number = 1
				single = append(single, one)
			}
		}
		facts.People = rapid.Permutation(single).Draw(t, "order")
		same(t, want.Revenue, experiment.Judge([]experiment.Facts{facts})[0].Revenue, 1)

		const k = 100
		facts.People = nil
		for _, p := range people {
			for _, totals := range []*experiment.Totals{&p.After, &p.Before, &p.Earlier} {
				totals.Revenue *= k
			}
			facts.People = append(facts.People, p)
		}
		same(t, want.Revenue, experiment.Judge([]experiment.Facts{facts})[0].Revenue, k)

		facts.People = nil
		for _, p := range people {
			p.Held, p.Share = !p.Held, 1-p.Share
			facts.People = append(facts.People, p)
		}
		other := experiment.Judge([]experiment.Facts{facts})[0].Revenue.Adjusted
		require.InDelta(t, -want.Revenue.Adjusted.Difference, other.Difference, 1e-6+1e-7*math.Abs(other.Difference))
		require.InDelta(t, want.Revenue.Adjusted.Error, other.Error, 1e-6+1e-7*other.Error)
	})
}

func same(t require.TestingT, want, got experiment.Effect, k float64) {
	for _, pair := range [][2]float64{
		{want.Adjusted.Difference, got.Adjusted.Difference},
		{want.Adjusted.Low, got.Adjusted.Low},
		{want.Adjusted.High, got.Adjusted.High},
		{want.Plain.Difference, got.Plain.Difference},
		{want.Plain.Error, got.Plain.Error},
		{want.Cautious, got.Cautious},
		{want.Cut.Difference, got.Cut.Difference},
		{want.Total, got.Total},
	} {
		require.InDelta(t, k*pair[0], pair[1], 1e-6*k+1e-7*math.Abs(pair[1])) // a variance of none is 1e-14, its root 1e-7
	}
	require.InDelta(t, want.Removed, got.Removed, 1e-7)
	require.InDelta(t, want.P, got.P, 1e-6)
	require.Equal(t, want.Verdict, got.Verdict)
}
