package segment_test

import (
	"slices"
	"testing"

	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	"github.com/perennial-cvo/perennial/analysis/segment"
)

func TestEventsOfAHistory(t *testing.T) {
	history := []segment.Interval{
		{Person: 2, Segment: "lost", First: 5, Last: segment.Open},
		{Person: 1, Segment: "loyal", First: 11, Last: segment.Open}, // a new version of the rules: no event
		{Person: 1, Segment: "loyal", First: 8, Last: 10},
		{Person: 1, Segment: "new_customers", First: 1, Last: 7},
		{Person: 3, Segment: "lost", First: 2, Last: 8},
		{Person: 3, Segment: "lost", First: 12, Last: segment.Open}, // away for three days
	}
	require.Equal(t, []segment.Event{
		{Person: 2, Day: 5, Change: segment.Entered, Segment: "lost"},
		{Person: 1, Day: 8, Change: segment.Left, Segment: "new_customers", Other: "loyal"},
		{Person: 1, Day: 8, Change: segment.Entered, Segment: "loyal", Other: "new_customers"},
		{Person: 3, Day: 9, Change: segment.Left, Segment: "lost"},
		{Person: 3, Day: 12, Change: segment.Entered, Segment: "lost"},
	}, segment.Events(history, 2, 12))
	require.Empty(t, segment.Events(history, 12, 400))
	require.Equal(t, map[int64]string{1: "loyal", 2: "lost"}, segment.On(history, 10))
}

func TestTheMatrixCountsCustomersAndMoney(t *testing.T) {
	history := []segment.Interval{
		{Person: 1, Segment: "lost", First: 1, Last: 4},
		{Person: 1, Segment: "champions", First: 5, Last: segment.Open},
		{Person: 2, Segment: "lost", First: 1, Last: 3},
		{Person: 3, Segment: "lost", First: 1, Last: segment.Open},
		{Person: 4, Segment: "champions", First: 6, Last: segment.Open},
	}
	money := func(person int64) int64 { return person * 10_000 }
	m := segment.History(history).Between(2, 8, []string{"champions", "lost"}, money)
	third := 1.0 / 3
	require.Equal(t, []segment.Flow{
		{From: "", To: "champions", Customers: 1, Money: 40_000, Share: 1},
		{From: "lost", To: "champions", Customers: 1, Money: 10_000, Share: third},
		{From: "lost", To: "lost", Customers: 1, Money: 30_000, Share: third},
		{From: "lost", To: "", Customers: 1, Money: 20_000, Share: third},
	}, m.Flows())
	require.Equal(t, []segment.Move{
		{From: "", To: "champions", Customers: 1},
		{From: "lost", To: "champions", Customers: 1},
		{From: "lost", To: "lost", Customers: 1},
		{From: "lost", To: "", Customers: 1},
	}, m.Moves())
}

// histories draws people who are now and then in a segment.
func histories(t *rapid.T) []segment.Interval {
	var all []segment.Interval
	for person := range int64(rapid.IntRange(0, 6).Draw(t, "people")) {
		day := rapid.IntRange(0, 5).Draw(t, "first")
		for range rapid.IntRange(0, 4).Draw(t, "memberships") {
			last := day + rapid.IntRange(0, 4).Draw(t, "length")
			all = append(all, segment.Interval{
				Person: person, Segment: rapid.SampledFrom([]string{"a", "b", "c"}).Draw(t, "segment"), First: day, Last: last,
			})
			day = last + 1 + rapid.IntRange(0, 2).Draw(t, "gap")
		}
	}
	return rapid.Permutation(all).Draw(t, "order")
}

func TestEventsLeadFromOneDayToAnother(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		history := histories(t)
		from := rapid.IntRange(-1, 20).Draw(t, "from")
		to := from + rapid.IntRange(0, 20).Draw(t, "days")
		members := segment.On(history, from)
		for _, e := range segment.Events(history, from, to) {
			if e.Change == segment.Left {
				require.Equal(t, e.Segment, members[e.Person], "only members leave")
				delete(members, e.Person)
				continue
			}
			require.Empty(t, members[e.Person], "only who left before can enter")
			members[e.Person] = e.Segment
		}
		require.Equal(t, segment.On(history, to), members)

		before, after := map[string]int{}, map[string]int{}
		m := segment.History(history).Between(from, to, []string{"a", "b", "c"}, nil)
		for _, f := range m.Flows() {
			before[f.From] += f.Customers
			after[f.To] += f.Customers
		}
		for _, id := range segment.On(history, from) {
			before[id]--
		}
		for _, id := range segment.On(history, to) {
			after[id]--
		}
		for _, id := range []string{"a", "b", "c"} {
			require.Zero(t, before[id])
			require.Zero(t, after[id])
		}
		require.ElementsMatch(t, segment.Compare(segment.On(history, from), segment.On(history, to)), m.Moves())
	})
}

func TestStepsAreTheMovesBetweenOneDayAndTheNext(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		history := histories(t)
		days := rapid.SliceOfNDistinct(rapid.IntRange(-1, 30), 0, 5, rapid.ID[int]).Draw(t, "days")
		slices.Sort(days)
		steps := segment.Steps(history, days)
		require.Len(t, steps, max(0, len(days)-1))
		for i, step := range steps {
			require.Equal(t, segment.Compare(segment.On(history, days[i]), segment.On(history, days[i+1])), step)
		}
	})
}

func BenchmarkStepsOfAYear(b *testing.B) {
	const people = 200_000
	var history []segment.Interval
	ids := eleven()
	for person := range int64(people) {
		first := int(person) % 300
		history = append(history,
			segment.Interval{Person: person, Segment: ids[person%11], First: first, Last: first + 60},
			segment.Interval{Person: person, Segment: ids[person%7], First: first + 61, Last: segment.Open})
	}
	days := []int{0, 30, 60, 90, 120, 150, 180, 210, 240, 270, 300, 330, 360}
	for b.Loop() {
		segment.Steps(history, days)
	}
	b.ReportMetric(people*float64(b.N)/b.Elapsed().Seconds(), "people/s")
}
