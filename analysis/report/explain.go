package report

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/perennial-cvo/perennial/analysis"
	"github.com/perennial-cvo/perennial/analysis/segment"
)

// Explanation is everything that explains where one person stands. It names them by e-mail address and account only.
type Explanation struct {
	Store      string               `json:"store"`
	Incomplete *Gap                 `json:"incomplete,omitempty"` // nil where all orders are known
	Currency   string               `json:"currency"`
	TimeZone   string               `json:"time_zone"`
	AsOf       time.Time            `json:"as_of,omitzero"` // of the last analysis
	Rule       *analysis.Rule       `json:"rule,omitempty"`
	Thresholds *analysis.Thresholds `json:"thresholds,omitempty"` // in force as of AsOf
	// Outlook is what the person is expected to do; nil before the first appraisal, and for whoever has bought nothing.
	Outlook *analysis.Outlook `json:"outlook,omitempty"`
	// Grounds is why the person stands where they do beside the RFM groups; nil before the first analysis, and during a
	// first load.
	Grounds *analysis.Grounds `json:"standing,omitempty"`
	Next    []PersonNext      `json:"next_segment"`
	Person  Person            `json:"person"`

	groups  definitions
	counted *Report // of everybody; nil: not yet
}

// explain fills in what follows from the last analysis.
func (e *Explanation) explain(ctx context.Context, facts PersonFacts) error {
	all, err := snapshots(ctx, facts)
	if err != nil {
		return err
	}
	if e.groups, err = define(ctx, facts, all); err != nil {
		return err
	}
	for i := range e.Person.History {
		at := &e.Person.History[i]
		at.Name = e.groups.name(at.Scheme, at.Segment)
	}
	for i := range e.Person.Sides {
		e.Person.Sides[i].Name = e.groups.audience(e.Person.Sides[i].Audience)
	}
	worth, err := last(ctx, facts.Worth)
	if err != nil {
		return fmt.Errorf("worth: %w", err)
	}
	if err := e.ground(ctx, facts, all, worth); err != nil {
		return err
	}
	if e.Outlook, err = outlook(ctx, facts, *e, worth); err != nil {
		return err
	}
	courses, err := nextSegments(ctx, facts, all)
	if err != nil {
		return err
	}
	e.Next = personNext(courses, e.Person.History)
	return nil
}

// outlook foretells the person from the last appraisal and from what they bought by the last analysis.
func outlook(ctx context.Context, facts PersonFacts, e Explanation, worth *analysis.Worth) (*analysis.Outlook, error) {
	if worth == nil {
		return nil, nil
	}
	history, ok, err := facts.HistoryOf(ctx, e.Person.ID, e.AsOf)
	if !ok || err != nil {
		return nil, err
	}
	o, err := worth.Outlook(history, analysis.Day(e.AsOf, e.location()))
	if err != nil {
		return nil, err
	}
	return &o, nil
}

// ground asks why the person stands where they do; it stays open while a new first load is under way.
func (e *Explanation) ground(ctx context.Context, facts PersonFacts, all map[string]Snapshot, worth *analysis.Worth) error {
	q := analysis.Question{Person: e.Person.ID, AsOf: e.AsOf, Rules: map[string]string{}, Worth: worth}
	for scheme, s := range all {
		q.Rules[scheme] = s.Rule
	}
	if e.counted != nil {
		var err error
		if q.Known, err = e.known(ctx, facts); err != nil {
			return err
		}
	}
	grounds, err := analysis.Explain(ctx, facts, q)
	switch {
	case errors.Is(err, analysis.ErrNotLoaded):
		return nil
	case err != nil:
		return fmt.Errorf("standing: %w", err)
	}
	e.Thresholds, e.Grounds = &grounds.Thresholds, &grounds
	return nil
}

// Explain writes one person's values, the thresholds they meet, the segment that follows, and what was delivered.
func Explain(w io.Writer, e Explanation, width int, colour bool) error {
	p := newPage(w, width, colour)
	p.say(bold, "", "%s", e.Person.Email)
	p.gap(e.Incomplete)
	p.say(dim, "", "%s in %s. Consent: %s.", account(e.Person), e.Store, known(e.Person.Consent))
	p.values(e)
	p.membership(e)
	p.grounds(e)
	p.personNext(e)
	p.history(e)
	p.outlook(e)
	p.orders(e)
	for _, d := range e.Person.Deliveries {
		p.personDelivery(e, d)
	}
	if len(e.Person.Deliveries) == 0 {
		p.heading("Deliveries")
		p.say(plain, "  ", "Nothing of ours stands anywhere for this person.")
	}
	p.sides(e.Person.Sides)
	return p.done("explanation")
}

func (e Explanation) location() *time.Location { return location(Overview{TimeZone: e.TimeZone}) }

func account(p Person) string {
	if p.CustomerID == "" {
		return "A guest without an account"
	}
	return "Customer " + p.CustomerID
}

func known(text string) string {
	if text == "" {
		return "not known"
	}
	return text
}

// values writes the three values with the score each gives and what that score covers.
func (p *page) values(e Explanation) {
	lines := e.Scores()
	if len(lines) == 0 {
		p.heading("Score")
		p.say(plain, "  ", "%s", e.Unscored())
		return
	}
	person := e.Person
	p.heading("Score %d%d%d as of %s", person.R, person.F, person.M, e.Day())
	rows := []row{{dim, []string{"", "value", "score", "this score covers"}}}
	for _, l := range lines {
		rows = append(rows, row{plain, []string{l.Name, l.Value, l.Score, l.Covers}})
	}
	p.table([]align{left, right, right, left}, rows)
	if e.Rule != nil {
		p.say(dim, "  ", "%s", e.Rule.Words())
	}
}

// membership writes the segment that stands.
func (p *page) membership(e Explanation) {
	if s, ok := e.Segment(); ok {
		p.stand(s)
	}
}

// history writes where the person stood from when to when, in every set.
func (p *page) history(e Explanation) {
	if len(e.Person.History) == 0 {
		return
	}
	p.heading("History")
	var rows []row
	for _, i := range e.Person.History {
		until := "today"
		if !i.Last.IsZero() {
			until = i.Last.Format(time.DateOnly)
		}
		rows = append(rows, row{plain, []string{i.First.Format(time.DateOnly), "to " + until, cmp.Or(i.Name, i.Segment), setOf(i.Scheme)}})
	}
	p.table([]align{left, left, left, left}, rows)
}

func segmentName(id string) string {
	if d, ok := segment.Find(id); ok {
		return d.Name
	}
	return id
}

// orders writes the orders and whether each counts.
func (p *page) orders(e Explanation) {
	if len(e.Person.Orders) == 0 {
		return
	}
	p.heading("Orders: %s counted", Count(e.Person.Counted))
	rows := []row{{dim, []string{"order", "placed", "status", "total", "refunded", "net", "counts"}}}
	for _, o := range e.Person.Orders {
		counts := "yes"
		switch {
		case !o.Counted:
			counts = "no: " + o.Why
		case !e.AsOf.IsZero() && !o.PlacedAt.Before(e.AsOf):
			counts = "next time" // the analysis counts what came before its day
		}
		rows = append(rows, row{plain, []string{
			o.Number, o.PlacedAt.In(e.location()).Format(time.DateOnly), o.Status,
			Money(o.Total, o.Currency) + " " + o.Currency, Money(o.Refunded, o.Currency), Money(o.Net, e.Currency), counts,
		}})
	}
	p.table([]align{left, left, left, right, right, right, left}, rows)
}

// personDelivery writes what stands at one destination for the person, or why nothing does.
func (p *page) personDelivery(e Explanation, d PersonDelivery) {
	p.heading("%s: %s", Where(d.Destination), known(d.State))
	if d.Reason != "" {
		p.say(yellow, "  ", "Because: %s.", strings.TrimSuffix(d.Reason, "."))
	}
	if !d.At.IsZero() {
		p.say(dim, "  ", "Last tried %s.", d.At.In(e.location()).Format(stamp))
	}
	var rows []row
	for _, key := range d.Audiences {
		rows = append(rows, row{plain, []string{"in the audience", e.groups.audience(key)}})
	}
	for _, key := range slices.Sorted(maps.Keys(d.Attributes)) {
		rows = append(rows, row{plain, []string{key, d.Attributes[key]}})
	}
	p.table([]align{left, left}, rows)
}
