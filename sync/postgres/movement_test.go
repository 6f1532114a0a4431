package postgres_test

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	"github.com/perennial-cvo/perennial/analysis"
	"github.com/perennial-cvo/perennial/analysis/segment"
)

// firstDay is the day from which the histories of these tests count.
const firstDay = 20_500

// drawHistory makes the intervals of a few people, some with a gap between, some following each other in the same segment.
func drawHistory(t *rapid.T) []segment.Interval {
	var history []segment.Interval
	for person := range int64(rapid.IntRange(0, 6).Draw(t, "people")) {
		day := firstDay + rapid.IntRange(0, 9).Draw(t, "first day")
		for range rapid.IntRange(0, 5).Draw(t, "intervals") {
			i := segment.Interval{
				Person: 60 + person, Segment: rapid.SampledFrom([]string{"champions", "loyal", "lost"}).Draw(t, "segment"),
				First: day, Last: day + rapid.IntRange(0, 6).Draw(t, "length"),
			}
			day = i.Last + 1 + rapid.SampledFrom([]int{0, 0, 0, 1, 4}).Draw(t, "gap")
			history = append(history, i)
		}
		if n := len(history); n > 0 && history[n-1].Person == 60+person && rapid.Bool().Draw(t, "stands") {
			history[n-1].Last = segment.Open
		}
	}
	return history
}

// keep writes intervals as they are, each under a version of its own.
func (s *shop) keep(t require.TestingT, scheme string, history []segment.Interval) {
	for n, i := range history {
		var last any = i.Last
		if i.Last == segment.Open {
			last = nil
		}
		_, err := s.raw.Exec(`INSERT INTO memberships (store_id, scheme, person_id, first_day, last_day, version, segment)
			VALUES ($1, $2, $3, DATE '1970-01-01' + $4::int, DATE '1970-01-01' + $5::int, $6, $7)`,
			s.id, scheme, i.Person, i.First, last, fmt.Sprint("v", n), i.Segment)
		require.NoError(t, err)
	}
}

// TestMovementIsThatOfTheIntervals holds moves, steps and events against those of the same intervals in memory, beside a
// shop and a scheme whose history must not show.
func TestMovementIsThatOfTheIntervals(t *testing.T) {
	base := newShop(t)
	runs := 0
	rapid.Check(t, func(t *rapid.T) {
		runs++
		ctx, s := context.Background(), base.another(fmt.Sprint("movement-", runs))
		history := drawHistory(t)
		s.keep(t, "rfm", history)
		s.keep(t, "tier", []segment.Interval{{Person: 61, Segment: "top", First: firstDay, Last: segment.Open}})
		money := map[int64]int64{}
		for person := int64(60); person < 64; person++ { // the others have no figures
			money[person] = rapid.Int64Range(-1_000_000, 1_000_000).Draw(t, "money")
			_, err := s.raw.Exec(`INSERT INTO person_stats (store_id, person_id, orders, gross, net) VALUES ($1, $2, 1, 0, $3::numeric / 10000)`,
				s.id, person, money[person])
			require.NoError(t, err)
		}
		day := rapid.IntRange(firstDay-2, firstDay+40)

		before, after := day.Draw(t, "before"), day.Draw(t, "after")
		flows, err := s.Moves(ctx, "rfm", before, after)
		require.NoError(t, err)
		order := []string{"champions", "loyal", "lost"}
		got := segment.NewMatrix(order)
		for _, f := range flows {
			got.AddFlow(f)
		}
		want := segment.History(history).Between(before, after, order, func(person int64) int64 { return money[person] })
		require.Equal(t, want.Flows(), got.Flows())

		days := rapid.SliceOfNDistinct(day, 0, 8, rapid.ID).Draw(t, "days")
		slices.Sort(days)
		steps, err := s.MovementSteps(ctx, "rfm", days)
		require.NoError(t, err)
		require.Equal(t, segment.Steps(history, days), steps)

		var events []segment.Event
		require.NoError(t, s.Events(ctx, "rfm", before, after, func(e segment.Event) error {
			events = append(events, e)
			return nil
		}))
		require.Equal(t, segment.Events(history, before, after), events)
	})
}

func TestEventsEndWithTheErrorOfWhoListens(t *testing.T) {
	s := newShop(t)
	s.keep(t, "rfm", []segment.Interval{{Person: 1, Segment: "lost", First: 10, Last: 20}, {Person: 2, Segment: "lost", First: 11, Last: segment.Open}})
	enough, calls := errors.New("enough"), 0
	err := s.Events(context.Background(), "rfm", 9, 30, func(segment.Event) error {
		calls++
		return enough
	})
	require.Equal(t, enough, err)
	require.Equal(t, 1, calls)
}

func TestSpanKnowsWhenTheRulesChanged(t *testing.T) {
	s := newShop(t)
	ctx := context.Background()
	_, ok, err := s.Span(ctx, "rfm")
	require.NoError(t, err)
	require.False(t, ok)
	for i, version := range strings.Fields("a a b b a") {
		for _, name := range []string{"champions", "lost"} {
			_, err := s.raw.Exec(`INSERT INTO snapshots (store_id, scheme, day, segment, version, as_of, place, customers, orders, gross, net)
				VALUES ($1, 'rfm', DATE '1970-01-01' + $2::int, $3, $4, now(), 1, 1, 1, 1, 1)`, s.id, firstDay+2*i, name, version)
			require.NoError(t, err)
		}
	}
	span, ok, err := s.Span(ctx, "rfm")
	require.NoError(t, err)
	require.True(t, ok)
	require.Equal(t, analysis.Span{First: firstDay, Last: firstDay + 8, Changes: []int{firstDay + 4, firstDay + 8}}, span)
	require.Equal(t, firstDay+8, span.Since())
	require.Equal(t, []int{firstDay + 4}, span.ChangesIn(firstDay, firstDay+7))
	require.Empty(t, span.ChangesIn(firstDay+4, firstDay+7), "membership on the first day is by the new rules already")
	_, ok, err = s.Span(ctx, "tier")
	require.NoError(t, err)
	require.False(t, ok)
}

func TestMoreSegmentsThanAByteHoldsAreRefused(t *testing.T) {
	s := newShop(t)
	var history []segment.Interval
	for i := range 256 {
		history = append(history, segment.Interval{Person: int64(i), Segment: fmt.Sprint("s", i), First: firstDay, Last: segment.Open})
	}
	s.keep(t, "own:x", history[:255])
	steps, err := s.MovementSteps(context.Background(), "own:x", []int{firstDay, firstDay + 1})
	require.NoError(t, err)
	require.Len(t, steps[0], 255)
	s.keep(t, "own:x", history[255:])
	_, err = s.MovementSteps(context.Background(), "own:x", []int{firstDay, firstDay + 1})
	require.ErrorContains(t, err, "steps in own:x: more segments than 255")
}

func TestCourseIsKeptInPlaceOfTheOneBefore(t *testing.T) {
	s, ctx := newShop(t), context.Background()
	_, ok, err := s.Course(ctx, "rfm")
	require.NoError(t, err)
	require.False(t, ok)
	course := analysis.Course{
		Scheme: "rfm", Step: analysis.Week, Days: []int{firstDay, firstDay + 7}, States: []string{"loyal", "lost"},
		Moves: []segment.Move{{From: "loyal", To: "lost", Customers: 3}}, Evaluations: []segment.Evaluation{{Step: 3, Customers: 2, Chain: 0.1}},
	}
	for range 2 {
		require.NoError(t, s.SaveCourse(ctx, course))
		kept, ok, err := s.Course(ctx, "rfm")
		require.NoError(t, err)
		require.True(t, ok)
		require.Equal(t, course, kept)
		course.Days = append(course.Days, firstDay+14)
	}
	_, ok, err = s.another("other").Course(ctx, "rfm")
	require.NoError(t, err)
	require.False(t, ok)
}
