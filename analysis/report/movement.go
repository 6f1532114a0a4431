package report

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"time"

	"github.com/shopspring/decimal"

	"github.com/perennial-cvo/perennial/analysis"
	"github.com/perennial-cvo/perennial/analysis/segment"
)

// Direction says what a flow is to the shop.
type Direction string

// The directions. Up and down go by analysis.Ranks.
const (
	Up     Direction = "up"
	Down   Direction = "down"
	Stayed Direction = "stayed"
	Came   Direction = "came"  // had no segment before
	Left   Direction = "left"  // has none any more
	Moved  Direction = "moved" // neither up nor down: the present rules do not know both segments
)

// Movement is who went from where to where between two days in one scheme. Money is what those people brought so far, after
// refunds, and not what they had brought on either day.
type Movement struct {
	Scheme string `json:"scheme"`
	Title  string `json:"title"`
	From   string `json:"from"` // the days; membership is as of their start
	To     string `json:"to"`
	Note   string `json:"note"` // why there is nothing to tell yet; empty where there is
	// Changes are days after From and up to To on which other rules began to hold: then part of the movement is theirs.
	Changes []string `json:"rule_changes"`
	Flows   []Flow   `json:"flows"` // those who stayed included
}

// Flow is everybody who went from one segment to another.
type Flow struct {
	From      string          `json:"from"` // empty: none
	FromName  string          `json:"from_name"`
	To        string          `json:"to"` // empty: none
	ToName    string          `json:"to_name"`
	Direction Direction       `json:"direction"`
	Customers int             `json:"customers"`
	Share     float64         `json:"share"` // of the customers of From, 0 to 1; of newcomers, of all newcomers
	Money     decimal.Decimal `json:"money"`
}

// Movements is the movement of one shop in one set of segments: one for most, one for each of the owner's segments.
type Movements struct {
	Store      string     `json:"store"`
	Incomplete *Gap       `json:"incomplete,omitempty"` // nil where all orders are known
	Currency   string     `json:"currency"`
	Set        string     `json:"set"`
	Movements  []Movement `json:"movements"`
}

// Between says of which set and between which days movement is asked. A zero To is the day of the last analysis, a zero From
// so many Days before To, or a month where there are none, or the first day of history where that is later.
type Between struct {
	Set      string
	From, To time.Time // midnight UTC of local days
	Days     int
}

// DayError is returned for days of which there is no history.
type DayError struct{ Text, Remedy string }

func (e *DayError) Error() string { return e.Text }

// CollectMovement gathers the movement of one shop. The error is a *DayError where the days make no sense.
func CollectMovement(ctx context.Context, facts Facts, asked Between) (Movements, error) {
	overview, err := facts.Overview(ctx)
	if err != nil {
		return Movements{}, fmt.Errorf("overview: %w", err)
	}
	return MovementOf(ctx, facts, overview, asked)
}

// MovementOf is CollectMovement for who has the overview already, which in a large shop takes as long to read as the moves.
func MovementOf(ctx context.Context, facts Facts, overview Overview, asked Between) (Movements, error) {
	all, err := snapshots(ctx, facts)
	if err != nil {
		return Movements{}, err
	}
	m := Movements{
		Store: overview.Store, Incomplete: missing(overview), Currency: overview.Currency, Set: asked.Set, Movements: []Movement{},
	}
	for _, scheme := range slices.Sorted(maps.Keys(all)) {
		if setOf(scheme) != asked.Set {
			continue
		}
		one, err := movement(ctx, facts, all[scheme], asked)
		if err != nil {
			return Movements{}, err
		}
		m.Movements = append(m.Movements, one)
	}
	return m, nil
}

// lastMonth is the movement between RFM groups up to the last analysis; nil before the first.
func lastMonth(ctx context.Context, facts Facts, rfm Snapshot) (*Movement, error) {
	if rfm.AsOf.IsZero() {
		return nil, nil
	}
	m, err := movement(ctx, facts, rfm, Between{Set: analysis.SchemeRFM})
	return &m, err
}

// movement reads the moves of one scheme.
func movement(ctx context.Context, facts Facts, s Snapshot, asked Between) (Movement, error) {
	definitions, err := analysis.Definitions(s.Scheme, s.Rule)
	if err != nil {
		return Movement{}, err
	}
	m := Movement{Scheme: s.Scheme, Title: setTitles[setOf(s.Scheme)], Changes: []string{}, Flows: []Flow{}}
	if asked.Set == segment.SchemeOwn && len(definitions) == 1 {
		m.Title = definitions[0].Name
	}
	span, ok, err := facts.Span(ctx, s.Scheme)
	if err != nil {
		return Movement{}, err
	}
	if !ok {
		m.Note = "There is no history of it yet."
		return m, nil
	}
	before, after, err := asked.within(span)
	if err != nil {
		return Movement{}, err
	}
	m.From, m.To = day(before), day(after)
	if before >= after {
		m.Note = fmt.Sprintf("The history begins on %s, so movement can be told from the next day on.", day(span.First))
		return m, nil
	}
	for _, changed := range span.ChangesIn(before, after) {
		m.Changes = append(m.Changes, day(changed))
	}
	moves, err := facts.Moves(ctx, s.Scheme, before, after)
	if err != nil {
		return Movement{}, err
	}
	m.Flows = flows(s.Scheme, definitions, moves)
	return m, nil
}

// within are the days asked for, as far as there is history.
func (b Between) within(span analysis.Span) (before, after int, err error) {
	after = span.Last
	if !b.To.IsZero() {
		after = analysis.Day(b.To, time.UTC)
	}
	switch {
	case !b.From.IsZero():
		before = analysis.Day(b.From, time.UTC)
	case b.Days > 0:
		before = max(span.First, after-b.Days)
	default:
		before = max(span.First, analysis.Day(monthBefore(analysis.Date(after)), time.UTC))
	}
	known := fmt.Sprintf("history is known from %s to %s", day(span.First), day(span.Last))
	switch {
	case after > span.Last:
		return 0, 0, &DayError{day(after) + " lies after the last analysis", known}
	case after < span.First || before < span.First && b.Set != segment.SchemeOwn:
		return 0, 0, &DayError{day(min(before, after)) + " lies before the first analysis", known}
	case !b.From.IsZero() && before >= after:
		return 0, 0, &DayError{fmt.Sprintf("%s is not before %s", day(before), day(after)), known}
	}
	return max(before, span.First), after, nil // segments of the owner's begin one after another
}

// monthBefore is the same day of the month before, or the last of that month where it is shorter.
func monthBefore(at time.Time) time.Time {
	last := time.Date(at.Year(), at.Month(), 0, 0, 0, 0, 0, time.UTC)
	return time.Date(at.Year(), at.Month()-1, min(at.Day(), last.Day()), 0, 0, 0, 0, time.UTC)
}

// flows names the moves, in the order of the segments, and says which way each goes.
func flows(scheme string, definitions []segment.Definition, moves []segment.Flow) []Flow {
	var order []string
	for _, d := range definitions {
		order = append(order, d.ID)
	}
	matrix := segment.NewMatrix(order)
	for _, move := range moves {
		matrix.AddFlow(move)
	}
	ranks := analysis.Ranks(scheme, definitions)
	all := []Flow{}
	for _, f := range matrix.Flows() {
		all = append(all, Flow{
			From: f.From, FromName: nameIn(definitions, f.From), To: f.To, ToName: nameIn(definitions, f.To),
			Direction: direction(ranks, f.From, f.To), Customers: f.Customers, Share: f.Share, Money: decimal.New(f.Money, -4),
		})
	}
	return all
}

func direction(ranks []string, from, to string) Direction {
	before, after := slices.Index(ranks, from), slices.Index(ranks, to)
	switch {
	case from == to:
		return Stayed
	case from == "":
		return Came
	case to == "":
		return Left
	case before < 0 || after < 0:
		return Moved
	case after < before:
		return Up
	default:
		return Down
	}
}

// nameIn is the name of a segment: that of the rules in force, else that of a preset which was in use before.
func nameIn(definitions []segment.Definition, id string) string {
	for _, d := range definitions {
		if d.ID == id {
			return d.Name
		}
	}
	return segmentName(id)
}

// Towards are the flows of a direction, the largest first, and their sum.
func (m Movement) Towards(d Direction) (flows []Flow, customers int, money decimal.Decimal) {
	for _, f := range m.Flows {
		if f.Direction == d {
			flows = append(flows, f)
			customers += f.Customers
			money = money.Add(f.Money)
		}
	}
	slices.SortStableFunc(flows, func(a, b Flow) int { return b.Customers - a.Customers })
	return flows, customers, money
}

// Words tells a flow in a sentence without its end.
func (f Flow) Words(currency string) string {
	n, worth := Count(f.Customers), Money(f.Money, currency)
	switch f.Direction {
	case Came:
		return fmt.Sprintf("%s came to %s, worth %s", n, f.ToName, worth)
	case Left:
		return fmt.Sprintf("%s left %s, worth %s", n, f.FromName, worth)
	case Stayed:
		return fmt.Sprintf("%s stayed in %s, worth %s", n, f.ToName, worth)
	default:
		return fmt.Sprintf("%s %s became %s, worth %s", n, f.FromName, f.ToName, worth)
	}
}
