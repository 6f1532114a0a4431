package analysis_test

import (
	"context"
	"encoding/json"
	"slices"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	"github.com/perennial-cvo/perennial/analysis"
	"github.com/perennial-cvo/perennial/analysis/segment"
)

// diary is a record of memberships in memory.
type diary struct {
	analysis.Record
	span    analysis.Span
	history []segment.Interval
	asked   int
}

func (m *diary) Span(context.Context, string) (analysis.Span, bool, error) {
	return m.span, m.span.Last > 0, nil
}

func (m *diary) MovementSteps(_ context.Context, _ string, days []int) ([][]segment.Move, error) {
	m.asked++
	return segment.Steps(m.history, days), nil
}

func dayOf(text string) int {
	at, err := time.Parse(time.DateOnly, text)
	if err != nil {
		panic(err)
	}
	return analysis.Day(at, time.UTC)
}

func TestStepsAreWeeksFirstAndMonthsLater(t *testing.T) {
	since := dayOf("2026-01-06") // a Tuesday
	for _, c := range []struct {
		last  string
		step  analysis.Step
		first string
		days  int
	}{
		{"2026-01-06", "", "", 0},
		{"2026-02-08", "", "", 0},
		{"2026-02-09", analysis.Week, "2026-01-12", 5},
		{"2026-07-31", analysis.Week, "2026-01-12", 29},
		{"2026-08-01", analysis.Month, "2026-02-01", 7},
		{"2027-08-05", analysis.Month, "2026-02-01", 19},
	} {
		step, days := analysis.StepDays(since, dayOf(c.last))
		require.Equal(t, c.step, step, c.last)
		require.Len(t, days, c.days, c.last)
		if c.days > 0 {
			require.Equal(t, dayOf(c.first), days[0], c.last)
		}
	}
	require.Equal(t, "2026-02-09", analysis.Date(analysis.CourseFrom(since)).Format(time.DateOnly))
}

func TestTheFirstCourseComesOnTheDayThatWasPromised(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		since := rapid.IntRange(20_000, 20_400).Draw(t, "since")
		from := analysis.CourseFrom(since)
		_, days := analysis.StepDays(since, from-1)
		require.Empty(t, days)
		_, days = analysis.StepDays(since, from)
		require.Len(t, days, 5)
		require.Greater(t, len(days)-1, segment.MinSteps, "and one step to judge it by")
	})
}

func TestChartCountsWhatHappenedUnderTheRulesInForce(t *testing.T) {
	states := []string{"active", "lost"}
	since := dayOf("2026-01-05") // a Monday
	m := &diary{span: analysis.Span{First: since - 30, Last: since + 30, Changes: []int{since}}}
	for person := range int64(10) { // one is lost each week
		left := since + 7*int(person) + 1
		m.history = append(m.history,
			segment.Interval{Person: person, Segment: "active", First: since - 30, Last: left - 1},
			segment.Interval{Person: person, Segment: "lost", First: left, Last: segment.Open})
	}
	course, ok, err := analysis.Chart(t.Context(), m, "lifecycle", states, nil)
	require.NoError(t, err)
	require.True(t, ok)
	require.Equal(t, []int{since, since + 7, since + 14, since + 21, since + 28}, course.Days)
	require.Equal(t, []segment.Move{
		{From: "active", To: "active", Customers: 9 + 8 + 7 + 6}, {From: "active", To: "lost", Customers: 4}, {From: "lost", To: "lost", Customers: 1 + 2 + 3},
	}, course.Moves)
	require.Len(t, course.Evaluations, 1)
	require.InDelta(t, 4.5/35, course.Chain().Next("active")[1], 1e-12)
	require.True(t, course.InForce(m.span))
	require.False(t, course.InForce(analysis.Span{First: since, Changes: []int{since + 40}}))

	text, err := json.Marshal(course)
	require.NoError(t, err)
	var again analysis.Course
	require.NoError(t, json.Unmarshal(text, &again))
	require.Equal(t, course, again)

	m.span.Last = since + 34
	_, ok, err = analysis.Chart(t.Context(), m, "lifecycle", states, &course)
	require.NoError(t, err)
	require.False(t, ok, "no new week is over")
	require.Equal(t, 1, m.asked, "nothing is counted for that")
	m.span.Last = since + 35
	course, ok, err = analysis.Chart(t.Context(), m, "lifecycle", states, &course)
	require.NoError(t, err)
	require.True(t, ok)
	require.Len(t, course.Evaluations, 2)
	m.span.Changes = append(m.span.Changes, since+35)
	_, ok, err = analysis.Chart(t.Context(), m, "lifecycle", states, nil)
	require.NoError(t, err)
	require.False(t, ok, "under the new rules there is no history")
}

func TestEvaluationsAreWeighedByCustomers(t *testing.T) {
	course := analysis.Course{Evaluations: []segment.Evaluation{
		{Step: 3, Customers: 10, Chain: 0.5, Persistence: 0.6, Marginal: 1, Accuracy: 0.8, Stayed: 0.7},
		{Step: 4, Customers: 30, Chain: 0.9, Persistence: 1.0, Marginal: 1, Accuracy: 0.4, Stayed: 0.3},
	}}
	e := course.Evaluation()
	require.Equal(t, 40, e.Customers)
	require.InDelta(t, 0.8, e.Chain, 1e-12)
	require.InDelta(t, 0.9, e.Persistence, 1e-12)
	require.InDelta(t, 0.5, e.Accuracy, 1e-12)
	require.Contains(t, course.Finding(), "0.800")
	require.Contains(t, analysis.Course{}.Finding(), "could be judged")
}

func TestRanksGoFromTheBestToTheWorst(t *testing.T) {
	of := func(scheme string) []string {
		definitions, err := analysis.Definitions(scheme, `{"id":"x"}`)
		require.NoError(t, err)
		ranks := analysis.Ranks(scheme, definitions)
		if len(ranks) > 0 {
			require.Len(t, ranks, len(definitions))
		}
		for _, d := range definitions {
			require.True(t, len(ranks) == 0 || slices.Contains(ranks, d.ID), "%s of %s", d.ID, scheme)
		}
		return ranks
	}
	require.Equal(t, "champions", of("rfm")[0])
	require.Equal(t, "active", of("lifecycle")[0])
	require.Equal(t, "top", of("tier")[0])
	require.Equal(t, []string{"low", "medium", "high"}, of("churn"))
	require.Empty(t, of("own:x"))
}
