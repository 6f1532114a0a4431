package analysis

import (
	"context"
	"fmt"
	"slices"

	"github.com/perennial-cvo/perennial/analysis/segment"
)

// matchOwn finds who belongs to which of the owner's segments.
func (p *placing) matchOwn(ctx context.Context, facts Facts, customers []Customer, changed []Member) error {
	if len(p.run.own) == 0 || p.past {
		return nil
	}
	p.own = make([][]string, len(customers))
	members := make(map[int64]Member, len(changed))
	for _, m := range changed {
		members[m.Person] = m
	}
	sets := map[string][]string{} // few sets differ: each is kept once
	match := func(i int, person *segment.Person) {
		member, found := members[customers[i].Person]
		if !found {
			member = Member{Score: customers[i].Score, Segment: customers[i].Segment}
		}
		p.complete(person, customers, i, member)
		p.own[i] = p.matches(person, sets)
	}
	seen := make([]bool, len(customers))
	if fields := p.traits(); len(fields) > 0 {
		at := make(map[int64]int, len(customers))
		for i := range customers {
			at[customers[i].Person] = i
		}
		err := facts.Traits(ctx, fields, p.asOf, func(id int64, person *segment.Person) {
			if i, known := at[id]; known && !customers[i].Gone {
				seen[i] = true
				match(i, person)
			}
		})
		if err != nil {
			return fmt.Errorf("traits: %w", err)
		}
	}
	for i := range customers {
		if !seen[i] && !customers[i].Gone {
			match(i, &segment.Person{})
		}
	}
	return nil
}

// traits are the fields of the owner's rules that have to be asked for.
func (p *placing) traits() []string {
	var fields []string
	for _, f := range segment.Fields() {
		if f.Trait() && slices.ContainsFunc(p.run.own, func(r segment.Rule) bool { return slices.Contains(r.Uses(), f.Name) }) {
			fields = append(fields, f.Name)
		}
	}
	return fields
}

// matches are the ids of the segments that a person belongs to, sorted.
func (p *placing) matches(person *segment.Person, sets map[string][]string) []string {
	var ids []string
	for i := range p.run.own {
		if rule := &p.run.own[i]; rule.Matches(person) {
			ids = append(ids, rule.ID)
		}
	}
	if ids == nil {
		return nil
	}
	slices.Sort(ids)
	key := fmt.Sprint(ids)
	if sets[key] == nil {
		sets[key] = ids
	}
	return sets[key]
}

// complete fills in what the run knows of a person: purchases, scores and predictions.
func (p *placing) complete(person *segment.Person, customers []Customer, i int, member Member) {
	c := &customers[i]
	person.AsOf, person.Gross, person.Net = p.day, c.Gross, c.Net
	stage := p.stage(c)
	person.Stage, person.Interval = stage.Stage, stage.Interval
	if c.Orders <= 0 {
		return
	}
	person.Orders, person.PurchaseDays, person.FirstDay, person.LastDay = c.Orders, c.Days, c.FirstDay, c.LastDay
	person.R, person.F, person.M, person.Segment = member.Score.R, member.Score.F, member.Score.M, member.Segment
	at := p.standing(customers, i).At()
	person.Tier, person.Churn = at.Tier, at.Churn
	a := p.outlooks[i]
	person.Predicted = p.foretold
	person.PredictedValue, person.PredictedOrders, person.Alive, person.NextOrder = a.value, a.orders, a.alive, int(a.next)
}
