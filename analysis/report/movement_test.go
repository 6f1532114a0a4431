package report_test

import (
	"bytes"
	"context"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/perennial-cvo/perennial/analysis"
	"github.com/perennial-cvo/perennial/analysis/report"
	"github.com/perennial-cvo/perennial/analysis/segment"
)

// movement is the history of a shop in memory, and how it divides people beside RFM.
type movement struct {
	sets    map[string]report.Snapshot // beside RFM, by scheme
	spans   map[string]analysis.Span
	flows   map[string][]segment.Flow
	courses map[string]analysis.Course
	traits  map[int64]segment.Person
	between [2]int // days last asked for
}

func (f *facts) Groups(_ context.Context, scheme string) (report.Snapshot, error) {
	if scheme != analysis.SchemeRFM {
		return f.sets[scheme], nil
	}
	return f.snapshot, nil
}

func (f *facts) Rules(context.Context) (map[string]string, error) {
	rules := map[string]string{}
	for scheme, s := range f.sets {
		rules[scheme] = s.Rule
	}
	if f.snapshot.Rule != "" {
		rules[analysis.SchemeRFM] = f.snapshot.Rule
	}
	return rules, nil
}

func (f *facts) Span(_ context.Context, scheme string) (analysis.Span, bool, error) {
	span, ok := f.spans[scheme]
	return span, ok, nil
}

func (f *facts) Moves(_ context.Context, scheme string, before, after int) ([]segment.Flow, error) {
	f.between = [2]int{before, after}
	return f.flows[scheme], nil
}

func (f *facts) MovementSteps(context.Context, string, []int) ([][]segment.Move, error) {
	return nil, nil
}

func (f *facts) Events(context.Context, string, int, int, func(segment.Event) error) error {
	return nil
}

func (f *facts) Course(_ context.Context, scheme string) (analysis.Course, bool, error) {
	course, ok := f.courses[scheme]
	return course, ok, nil
}

func (f *facts) Traits(_ context.Context, _ []string, _ time.Time, each func(int64, *segment.Person)) error {
	for person, p := range f.traits {
		each(person, &p)
	}
	return nil
}

func (f *facts) TraitsOf(_ context.Context, person int64, _ []string, _ time.Time) (segment.Person, error) {
	return f.traits[person], nil
}

func dayNumber(text string) int { return analysis.Day(day(text), time.UTC) }

// teaMovement is the history of the tea shop: since the first of September by RFM, by other schemes since they are worked
// out.
func teaMovement() movement {
	last := dayNumber("2026-03-21")
	group := func(id string, people int, net string) report.Group {
		return report.Group{Segment: id, Customers: people, Orders: 2 * people, Gross: amount(net), Net: amount(net)}
	}
	return movement{
		sets: map[string]report.Snapshot{
			segment.SchemeLifecycle: {
				AsOf: midnight, Scheme: segment.SchemeLifecycle, Rule: `{"interval":41,"weight":2,"slipping":1.6,"lapsed":3,"lost":6}`,
				Groups: []report.Group{group("prospect", 12, "0"), group("active", 480, "61000.5"), group("first_time", 300, "9000"), group("lost", 119, "4000")},
			},
			segment.SchemeTier: {
				AsOf: midnight, Scheme: segment.SchemeTier, Rule: `{"cuts":[1000000,2500000,9000000.4],"basis":"whole"}`,
				Groups: []report.Group{group("top", 45, "30000"), group("high", 135, "20000"), group("middle", 270, "15000"), group("low", 449, "9000.5")},
			},
			segment.SchemeChurn: {
				AsOf: midnight, Scheme: segment.SchemeChurn, Rule: `{"cuts":[0.3,0.7]}`, Groups: []report.Group{group("high", 100, "5000"), group("low", 799, "69000.5")},
			},
			"own:tea_lovers": {
				AsOf: midnight, Scheme: "own:tea_lovers", Groups: []report.Group{group("tea_lovers", 61, "7400")},
				Rule: `{"id":"tea_lovers","name":"Tea lovers","rule":"\"tea\" in categories and orders >= 2","action":"Send the tea calendar."}`,
			},
			"own:retired": {
				AsOf: midnight.AddDate(0, 0, -40), Scheme: "own:retired", Groups: []report.Group{group("retired", 5, "50")}, Rule: `{"id":"retired","name":"Retired","rule":"orders > 9"}`,
			},
		},
		spans: map[string]analysis.Span{
			"rfm":                   {First: dayNumber("2025-09-01"), Last: last, Changes: []int{dayNumber("2026-03-03")}},
			segment.SchemeLifecycle: {First: dayNumber("2025-09-01"), Last: last},
			segment.SchemeTier:      {First: dayNumber("2026-03-10"), Last: last},
			segment.SchemeChurn:     {First: last, Last: last},
			"own:tea_lovers":        {First: dayNumber("2026-03-01"), Last: last},
		},
		flows: map[string][]segment.Flow{
			"rfm": {
				{From: "champions", To: "champions", Customers: 131, Money: 1_310_000_000},
				{From: "champions", To: "at_risk", Customers: 12, Money: 452_100_000},
				{From: "loyal", To: "champions", Customers: 7, Money: 70_005_000},
				{From: "lost", To: "new_customers", Customers: 1, Money: 10_000},
				{From: "soulmates", To: "loyal", Customers: 3, Money: 30_000},
				{To: "new_customers", Customers: 20, Money: 400_000},
				{From: "lost", Customers: 2, Money: -5_000},
			},
			segment.SchemeLifecycle: {{From: "prospect", To: "first_time", Customers: 4, Money: 80_000}, {From: "active", To: "slipping", Customers: 9, Money: 900_000}},
			"own:tea_lovers":        {{To: "tea_lovers", Customers: 5, Money: 50_000}, {From: "tea_lovers", Customers: 1, Money: 1_000}},
		},
		courses: map[string]analysis.Course{segment.SchemeLifecycle: {
			Scheme: segment.SchemeLifecycle, Step: analysis.Month, Days: []int{dayNumber("2025-09-01"), dayNumber("2025-10-01"), dayNumber("2025-11-01")},
			States:      []string{"prospect", "first_time", "active", "won_back", "slipping", "lapsed", "lost"},
			Moves:       []segment.Move{{From: "active", To: "active", Customers: 800}, {From: "active", To: "slipping", Customers: 150}, {From: "active", To: "lapsed", Customers: 3}, {From: "won_back", To: "active", Customers: 40}, {From: "won_back", To: "slipping", Customers: 19}},
			Evaluations: []segment.Evaluation{{Step: 3, Customers: 950, Chain: 0.45, Persistence: 0.51, Marginal: 0.49, Accuracy: 0.8, Stayed: 0.8}},
		}},
		traits: map[int64]segment.Person{17: {Categories: []string{"tea"}}},
	}
}

func TestMovementBetweenTwoDays(t *testing.T) {
	f := teaShop()
	m, err := report.CollectMovement(t.Context(), f, report.Between{Set: "rfm"})
	require.NoError(t, err)
	require.Equal(t, [2]int{dayNumber("2026-02-21"), dayNumber("2026-03-21")}, f.between)
	var b bytes.Buffer
	require.NoError(t, report.Moves(&b, m, 80, false))
	golden(t, "moves.txt", b.Bytes())
	b.Reset()
	require.NoError(t, report.JSON(&b, m))
	golden(t, "moves.json", b.Bytes())

	_, err = report.CollectMovement(t.Context(), f, report.Between{Set: "rfm", From: day("2026-01-01"), To: day("2026-02-01")})
	require.NoError(t, err)
	require.Equal(t, [2]int{dayNumber("2026-01-01"), dayNumber("2026-02-01")}, f.between)
	_, err = report.CollectMovement(t.Context(), f, report.Between{Set: "rfm", To: day("2025-09-15")})
	require.NoError(t, err)
	require.Equal(t, [2]int{dayNumber("2025-09-01"), dayNumber("2025-09-15")}, f.between, "no earlier than the history")
	_, err = report.CollectMovement(t.Context(), f, report.Between{Set: "rfm", To: day("2026-03-21"), From: day("2025-10-31")})
	require.NoError(t, err)
}

func TestAMonthBeforeALongMonth(t *testing.T) {
	f := teaShop()
	f.spans["rfm"] = analysis.Span{First: dayNumber("2025-09-01"), Last: dayNumber("2026-03-31")}
	_, err := report.CollectMovement(t.Context(), f, report.Between{Set: "rfm"})
	require.NoError(t, err)
	require.Equal(t, dayNumber("2026-02-28"), f.between[0])
}

func TestMovementOfOtherSets(t *testing.T) {
	f := teaShop()
	var b bytes.Buffer
	for _, set := range []string{"lifecycle", "tier", "churn", "own"} {
		m, err := report.CollectMovement(t.Context(), f, report.Between{Set: set})
		require.NoError(t, err)
		require.NoError(t, report.Moves(&b, m, 80, false))
		b.WriteString("\n")
	}
	delete(f.sets, "own:tea_lovers")
	m, err := report.CollectMovement(t.Context(), f, report.Between{Set: "own"})
	require.NoError(t, err)
	require.NoError(t, report.Moves(&b, m, 80, false))
	golden(t, "moves_sets.txt", b.Bytes())
}

func TestDaysWithoutHistoryAreRefused(t *testing.T) {
	for _, c := range []struct {
		set, from, to, want string
	}{
		{"rfm", "2025-08-31", "", "2025-08-31 lies before the first analysis"},
		{"rfm", "", "2026-03-22", "2026-03-22 lies after the last analysis"},
		{"rfm", "2026-03-22", "2026-03-25", "2026-03-25 lies after the last analysis"},
		{"rfm", "2026-03-21", "", "2026-03-21 is not before 2026-03-21"},
		{"rfm", "2026-02-02", "2026-02-01", "2026-02-02 is not before 2026-02-01"},
		{"rfm", "", "2025-08-01", "2025-08-01 lies before the first analysis"},
		{"tier", "2026-03-01", "", "2026-03-01 lies before the first analysis"},
	} {
		asked := report.Between{Set: c.set}
		if c.from != "" {
			asked.From = day(c.from)
		}
		if c.to != "" {
			asked.To = day(c.to)
		}
		_, err := report.CollectMovement(t.Context(), teaShop(), asked)
		var wrong *report.DayError
		require.ErrorAs(t, err, &wrong, "%v", c)
		require.Equal(t, c.want, wrong.Text)
		require.Contains(t, wrong.Remedy, "history is known from ")
	}
	_, err := report.CollectMovement(t.Context(), teaShop(), report.Between{Set: "own", From: day("2026-02-01")})
	require.NoError(t, err, "a segment of the owner's is followed from its first day")
}

func TestOneSetOfSegments(t *testing.T) {
	var b bytes.Buffer
	for _, set := range []string{"tier", "own"} {
		s, err := report.CollectSegments(t.Context(), teaShop(), set)
		require.NoError(t, err)
		require.NoError(t, report.Segments(&b, s, 80, false))
	}
	f := teaShop()
	delete(f.sets, "churn")
	s, err := report.CollectSegments(t.Context(), f, "churn")
	require.NoError(t, err)
	require.NoError(t, report.Segments(&b, s, 80, false))
	golden(t, "segments_set.txt", b.Bytes())
}

func TestAPresetShowsItsOwnGroups(t *testing.T) {
	f := teaShop()
	f.snapshot.Rule = `{"convention":"rank_min","bins":0,"used":3,"preset":"klaviyo","groups":4,"basis":"net"}`
	f.snapshot.Groups = []report.Group{{Segment: "loyal", Customers: 12, Orders: 20, Gross: amount("50"), Net: amount("40")}}
	s, err := report.CollectSegments(t.Context(), f, "")
	require.NoError(t, err)
	require.Len(t, s.Rows, 4)
	require.Equal(t, "loyal", s.Rows[0].ID)
	require.Equal(t, 12, s.Rows[0].Customers)
	require.NotEmpty(t, s.Note)
}

func TestExplainSomebodyWhoNeverBought(t *testing.T) {
	f := teaShop()
	f.customers = append(f.customers, analysis.Customer{Person: 500, Standing: analysis.Standing{Place: &analysis.Place{Stage: "prospect"}}})
	f.person = report.Person{ID: 500, Email: "bo@example.com", History: []report.Interval{{Scheme: "lifecycle", Segment: "prospect", First: day("2026-01-01")}}}
	e, ok, err := report.CollectPerson(t.Context(), f, "bo@example.com")
	require.NoError(t, err)
	require.True(t, ok)
	var b bytes.Buffer
	require.NoError(t, report.Explain(&b, e, 80, false))
	golden(t, "explain_prospect.txt", b.Bytes())
}

// TestMovementOfSoManyDays: a period as long as somebody likes, as far as there is history.
func TestMovementOfSoManyDays(t *testing.T) {
	f := teaShop()
	for days, first := range map[int]string{7: "2026-03-14", 30: "2026-02-19", 365: "2025-09-01"} {
		m, err := report.MovementOf(t.Context(), f, f.overview, report.Between{Set: "rfm", Days: days})
		require.NoError(t, err)
		require.Equal(t, first, m.Movements[0].From)
	}
}
