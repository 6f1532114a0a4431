package analysis

import (
	"context"
	"fmt"
	"slices"
	"time"

	"github.com/perennial-cvo/perennial/analysis/segment"
)

// Step is how much time lies between the days whose memberships a course compares.
type Step string

// The steps: from one Monday to the next, and from one first of a month to the next.
const (
	Week  Step = "week"
	Month Step = "month"
)

// How many whole steps of history there must be; this project's own choice. Four weeks leave one to judge by.
const (
	minWeeks  = 4
	minMonths = 6
)

// Course is where the customers of each segment of a scheme went over one step of time, and how well that foretells. Only
// steps since the rules in force hold are counted. Its JSON is what is stored.
type Course struct {
	Scheme      string               `json:"scheme"`
	Step        Step                 `json:"step"`
	Days        []int                `json:"days"`   // between which the steps lie, in days since 1970-01-01
	States      []string             `json:"states"` // the segments
	Moves       []segment.Move       `json:"moves"`  // over all steps
	Evaluations []segment.Evaluation `json:"evaluations"`
}

// StepDays returns the days between which the whole steps of a history lie: months where there are six of them, else weeks
// where there are four, else none.
func StepDays(since, last int) (Step, []int) {
	var weeks, months []int
	for day := since; day <= last; day++ {
		at := Date(day)
		if at.Weekday() == time.Monday {
			weeks = append(weeks, day)
		}
		if at.Day() == 1 {
			months = append(months, day)
		}
	}
	switch {
	case len(months) > minMonths:
		return Month, months
	case len(weeks) > minWeeks:
		return Week, weeks
	default:
		return "", nil
	}
}

// CourseFrom is the first day on which a history is long enough for a course.
func CourseFrom(since int) int {
	for Date(since).Weekday() != time.Monday {
		since++
	}
	return since + 7*minWeeks
}

// Chart counts the course of a scheme anew. There is none, and ok is false, before there is enough history under the rules
// in force, and where the course that stands, nil for none, has every step already.
func Chart(ctx context.Context, record Record, scheme string, states []string, standing *Course) (course Course, ok bool, err error) {
	span, known, err := record.Span(ctx, scheme)
	if err != nil || !known {
		return Course{}, false, err
	}
	course = Course{Scheme: scheme, States: states}
	course.Step, course.Days = StepDays(span.Since(), span.Last)
	if len(course.Days) == 0 || standing != nil && standing.covers(course) {
		return Course{}, false, nil
	}
	steps, err := record.MovementSteps(ctx, scheme, course.Days)
	if err != nil {
		return Course{}, false, fmt.Errorf("course: %w", err)
	}
	var counts *segment.Transitions
	course.Evaluations, counts = segment.Backtest(states, steps)
	course.Moves = counts.Moves()
	return course, true, nil
}

func (c Course) covers(other Course) bool {
	return c.Step == other.Step && slices.Equal(c.Days, other.Days) && slices.Equal(c.States, other.States)
}

// InForce says whether the course was counted under the rules that are in force.
func (c Course) InForce(span Span) bool { return len(c.Days) > 0 && c.Days[0] >= span.Since() }

// Chain is the chance of each next segment, one step from now.
func (c Course) Chain() segment.Chain {
	counts := segment.NewTransitions(c.States)
	counts.Add(c.Moves)
	return counts.Chain()
}

// Evaluation is that of all steps judged, each customer in each step counting alike. Customers is 0 where none was.
func (c Course) Evaluation() segment.Evaluation {
	var sum segment.Evaluation
	for _, e := range c.Evaluations {
		n := float64(e.Customers)
		sum.Customers += e.Customers
		sum.Chain += n * e.Chain
		sum.Persistence += n * e.Persistence
		sum.Marginal += n * e.Marginal
		sum.Accuracy += n * e.Accuracy
		sum.Stayed += n * e.Stayed
	}
	if sum.Customers > 0 {
		for _, of := range []*float64{&sum.Chain, &sum.Persistence, &sum.Marginal, &sum.Accuracy, &sum.Stayed} {
			*of /= float64(sum.Customers)
		}
	}
	return sum
}

// Finding says in one sentence how well the course foretells.
func (c Course) Finding() string {
	if e := c.Evaluation(); e.Customers > 0 {
		return e.Finding()
	}
	return "No step could be judged yet, so do not rely on where customers are said to go next."
}

// ChartedSchemes are the schemes that have a course: those in which everybody has one segment and moves on by what they do.
func ChartedSchemes() []string { return []string{SchemeRFM, segment.SchemeLifecycle} }
