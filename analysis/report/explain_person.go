package report

import (
	"context"
	"fmt"
	"time"

	"github.com/perennial-cvo/perennial/analysis"
	"github.com/perennial-cvo/perennial/connectors/commerce"
)

// PersonFacts is what an explanation reads: the report's facts, and the analysis's for the thresholds in force.
type PersonFacts interface {
	Facts
	analysis.Facts

	// HistoryOf reads what one person bought before a moment; ok is false where that is nothing.
	HistoryOf(ctx context.Context, person int64, asOf time.Time) (h analysis.History, ok bool, err error)

	// CustomerOf reads one of the customers of analysis.Facts; ok is false where they are not among them.
	CustomerOf(ctx context.Context, person int64) (c analysis.Customer, ok bool, err error)

	// PersonOf explains the person with an id; ok is false where there is none.
	PersonOf(ctx context.Context, id int64) (person Person, ok bool, err error)
}

// CollectPerson explains the person with an e-mail address, in any spelling; ok is false where nobody is known by it.
// Only what is stored is read, and the rule is that of the last analysis, whatever the configuration says by now.
func CollectPerson(ctx context.Context, facts PersonFacts, email string) (e Explanation, ok bool, err error) {
	overview, err := facts.Overview(ctx)
	if err != nil {
		return Explanation{}, false, fmt.Errorf("overview: %w", err)
	}
	person, ok, err := facts.Person(ctx, commerce.Email(email))
	if err != nil || !ok {
		return Explanation{}, false, named("person", err)
	}
	e, err = explanation(ctx, facts, person, shared{overview: overview})
	return e, err == nil, err
}

// CollectPersonByID explains the person with an id as CollectPerson does. What would have to be counted of everybody is taken
// from a report of the shop; thresholds are left open where that is of another analysis than the last.
func CollectPersonByID(ctx context.Context, facts PersonFacts, id int64, r *Report) (e Explanation, ok bool, err error) {
	person, ok, err := facts.PersonOf(ctx, id)
	if err != nil || !ok {
		return Explanation{}, false, named("person", err)
	}
	e, err = explanation(ctx, facts, person, shared{overview: r.Overview, counted: r})
	return e, err == nil, err
}

// named says what an error is about.
func named(what string, err error) error {
	if err == nil {
		return nil
	}
	return fmt.Errorf("%s: %w", what, err)
}

// shared is what an explanation needs to know of everybody.
type shared struct {
	overview Overview
	counted  *Report // nil: everybody is read
}

// explanation explains a person.
func explanation(ctx context.Context, facts PersonFacts, person Person, of shared) (Explanation, error) {
	person.Orders, person.History, person.Deliveries = list(person.Orders), list(person.History), list(person.Deliveries)
	person.Sides = list(person.Sides)
	for i := range person.Deliveries {
		person.Deliveries[i].Audiences = list(person.Deliveries[i].Audiences)
	}
	snapshot, err := facts.Groups(ctx, analysis.SchemeRFM)
	if err != nil {
		return Explanation{}, fmt.Errorf("segments: %w", err)
	}
	overview := of.overview
	e := Explanation{
		Store: overview.Store, Incomplete: missing(overview), Currency: overview.Currency, TimeZone: overview.TimeZone,
		AsOf: snapshot.AsOf, Next: []PersonNext{}, Person: person, counted: of.counted,
	}
	if snapshot.Rule == "" {
		return e, nil
	}
	rule, err := analysis.ParseRule(snapshot.Rule)
	if err != nil {
		return Explanation{}, err
	}
	e.Rule = &rule
	return e, e.explain(ctx, facts)
}

// known is the person among the customers, with thresholds out of the report, so that nobody else has to be read.
func (e *Explanation) known(ctx context.Context, facts PersonFacts) (*analysis.Known, error) {
	customer, ok, err := facts.CustomerOf(ctx, e.Person.ID)
	if err != nil {
		return nil, fmt.Errorf("customer: %w", err)
	}
	k := &analysis.Known{}
	if ok {
		k.Customer = &customer
	}
	if e.counted.Segments.AsOf.Equal(e.AsOf) {
		k.Thresholds = thresholds(e.counted.Grid, *e.Rule, analysis.Day(e.AsOf, e.location()))
	}
	return k, nil
}
