package segment_test

import (
	"math"
	"strconv"
	"testing"

	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	"github.com/perennial-cvo/perennial/analysis/segment"
)

// known are the monthly moves of the real shops, by data set, in order of time, and the days they end on.
func known(t *testing.T) (steps map[string][][]segment.Move, days map[string][]string) {
	t.Helper()
	steps, days = map[string][][]segment.Move{}, map[string][]string{}
	byName := map[string]string{"(new)": ""}
	for _, d := range segment.Definitions() {
		byName[d.Name] = d.ID
	}
	for _, r := range reference(t, "segment_migration_monthly_rank_min.csv") {
		set, day := r[0], r[1]
		if n := len(days[set]); n == 0 || days[set][n-1] != day {
			days[set], steps[set] = append(days[set], day), append(steps[set], nil)
		}
		customers, err := strconv.Atoi(r[4])
		require.NoError(t, err)
		last := len(steps[set]) - 1
		from, ok := byName[r[2]]
		require.True(t, ok, r[2])
		steps[set][last] = append(steps[set][last], segment.Move{From: from, To: byName[r[3]], Customers: customers})
	}
	return steps, days
}

func eleven() []string {
	var all []string
	for _, d := range segment.Definitions() {
		all = append(all, d.ID)
	}
	return all
}

func TestNextSegmentsOfRealShopsAreForecastAsWellAsExpected(t *testing.T) {
	want := map[string][]float64{}
	for _, r := range reference(t, "markov_next_segment_eval.csv") {
		for _, text := range r[2:] {
			value, err := strconv.ParseFloat(text, 64)
			require.NoError(t, err)
			want[r[0]+r[1]] = append(want[r[0]+r[1]], value)
		}
	}
	require.Len(t, want, 14+9)
	judged := 0
	steps, days := known(t)
	for set := range steps {
		evaluations, _ := segment.Backtest(eleven(), steps[set])
		for _, e := range evaluations {
			expected := want[set+days[set][e.Step]]
			require.Len(t, expected, 6, "%s %s", set, days[set][e.Step])
			require.EqualValues(t, expected[0], e.Customers)
			for i, got := range []float64{e.Chain, e.Persistence, e.Marginal, e.Accuracy, e.Stayed} {
				require.InDelta(t, expected[i+1], got, 5.01e-7, "%s %s, number %d", set, days[set][e.Step], i)
			}
			require.True(t, e.Better())
			require.Contains(t, e.Finding(), "better than both")
			judged++
		}
	}
	require.Equal(t, len(want), judged)
}

func TestChampionsOfOnlineRetailStayOrBecomeLoyal(t *testing.T) {
	steps, _ := known(t)
	_, all := segment.Backtest(eleven(), steps["online_retail"])
	chain := all.Chain()
	next := chain.Next("champions")
	require.InDelta(t, 0.695, next[chain.State("champions")], 0.002)
	require.InDelta(t, 0.276, next[chain.State("loyal")], 0.002)
	likeliest, p := chain.Likeliest("champions")
	require.Equal(t, "champions", likeliest)
	require.Equal(t, next[0], p)
	chances := chain.Chances("champions")
	require.Equal(t, segment.Chance{Segment: "champions", Probability: p}, chances[0])
	require.Equal(t, "loyal", chances[1].Segment)
	require.Len(t, chances, 11)

	kept := segment.NewTransitions(eleven())
	kept.Add(all.Moves())
	require.Equal(t, all, kept, "what is kept can be taken up again")
}

func TestAForecastThatIsWorseSaysSo(t *testing.T) {
	counted := segment.NewTransitions([]string{"a", "b"})
	counted.Add([]segment.Move{{From: "a", To: "b", Customers: 50}, {From: "b", To: "a", Customers: 50}})
	e := counted.Evaluate([]segment.Move{{From: "a", To: "a", Customers: 7}})
	require.False(t, e.Better())
	require.Contains(t, e.Finding(), "do not rely on it")
	require.Zero(t, counted.Evaluate([]segment.Move{{To: "a", Customers: 3}}).Customers, "newcomers come from nowhere")
}

func TestProbabilitiesAreProbabilities(t *testing.T) {
	states := []string{"a", "b", "c", "d"}
	rapid.Check(t, func(t *rapid.T) {
		counted := segment.NewTransitions(states)
		steps := rapid.SliceOf(rapid.Custom(func(t *rapid.T) segment.Move {
			ids := rapid.SampledFrom(append([]string{"", "stranger"}, states...))
			return segment.Move{From: ids.Draw(t, "from"), To: ids.Draw(t, "to"), Customers: rapid.IntRange(0, 1_000_000).Draw(t, "n")}
		})).Draw(t, "moves")
		counted.Add(steps)
		reversed := segment.NewTransitions(states)
		for i := range steps {
			reversed.Add(steps[len(steps)-1-i:][:1])
		}
		require.Equal(t, counted, reversed, "the order does not matter")
		for _, chain := range []segment.Chain{counted.Chain(), counted.Chain().Ahead(rapid.IntRange(0, 24).Draw(t, "steps"))} {
			for _, state := range states {
				sum := 0.0
				for _, p := range chain.Next(state) {
					require.Greater(t, p, 0.0)
					sum += p
				}
				require.InDelta(t, 1, sum, 1e-12)
			}
		}
		require.Nil(t, counted.Chain().Next("stranger"))
		if e := counted.Evaluate(steps); e.Customers > 0 {
			require.False(t, math.IsNaN(e.Chain+e.Persistence+e.Marginal))
			require.GreaterOrEqual(t, e.Accuracy, e.Stayed-1e-12, "what was counted is known best by what was counted")
		}
	})
}

func TestAheadIsStepAfterStep(t *testing.T) {
	counted := segment.NewTransitions([]string{"a", "b"})
	counted.Add([]segment.Move{{From: "a", To: "a", Customers: 90}, {From: "a", To: "b", Customers: 10}, {From: "b", To: "b", Customers: 50}})
	one := counted.Chain()
	a, b := one.Next("a"), one.Next("b")
	two := one.Ahead(2).Next("a")
	require.InDelta(t, a[0]*a[0]+a[1]*b[0], two[0], 1e-15)
	require.Equal(t, a, one.Ahead(1).Next("a"))
	alone := segment.NewTransitions([]string{"a"})
	alone.Add([]segment.Move{{From: "a", To: "a", Customers: 3}})
	require.Zero(t, alone.Evaluate([]segment.Move{{From: "a", To: "a", Customers: 3}}).Persistence)
}

func BenchmarkNextSegment(b *testing.B) {
	chain := segment.NewTransitions(eleven()).Chain()
	ids, sum := chain.States(), 0.0
	for i := 0; b.Loop(); i++ {
		_, p := chain.Likeliest(ids[i%len(ids)])
		sum += p
	}
	b.ReportMetric(float64(b.N)/b.Elapsed().Seconds(), "customers/s")
	require.Positive(b, sum)
}
