package analysis

import (
	"cmp"
	"context"
	"encoding/json"
	"fmt"
	"math"
	"runtime"
	"slices"
	"strings"
	"sync/atomic"

	"golang.org/x/sync/errgroup"

	"github.com/perennial-cvo/perennial/analysis/clv"
	"github.com/perennial-cvo/perennial/analysis/segment"
)

// TierTolerance is how far, relative to what stands, a cut between tiers of value has to move before the cuts are given up.
const TierTolerance = 0.1

// placing finds where everybody stands beside the RFM groups.
type placing struct {
	run
	lifecycle  segment.Lifecycle
	tierRule   TierRule
	tiers      segment.Bands
	churn      segment.Bands
	foretold   bool
	outlooks   []ahead // by customer
	unforetold int     // customers whose history contradicts itself
	own        [][]string
	places     map[string]*Place // by their texts
	divisions  []Division
	groups     map[string]groups // by scheme
}

// ahead is what of one customer's outlook decides where they stand.
type ahead struct {
	value, orders float64 // NaN: not known
	alive         float64 // NaN: not known, or so by the form of the model alone
	next          int32   // day; 0: none foretold
}

var notAhead = ahead{value: math.NaN(), orders: math.NaN(), alive: math.NaN()}

// place fills in the standings that differ, and how every scheme divides people.
func (r run) place(ctx context.Context, facts Facts, customers []Customer, result *Result) error {
	p := placing{run: r, churn: segment.ChurnBands(), foretold: r.worth != nil && !r.past, groups: map[string]groups{}}
	for _, step := range []func() error{
		func() error { return p.measureInterval(customers, r.stood[segment.SchemeLifecycle]) },
		func() error { return p.foretell(customers) },
		func() error { return p.cutTiers(customers, r.stood[segment.SchemeTier]) },
		p.divide,
		func() error { return p.matchOwn(ctx, facts, customers, result.Members) },
	} {
		if err := step(); err != nil {
			return err
		}
	}
	p.compare(customers, result, len(r.stood) == 0)
	return nil
}

// measureInterval settles the shop's usual interval, unless the owner gave it.
func (p *placing) measureInterval(customers []Customer, stood string) error {
	p.lifecycle = p.run.lifecycle
	if p.lifecycle.Interval == 0 {
		var last segment.Lifecycle
		if stood != "" {
			if err := json.Unmarshal([]byte(stood), &last); err != nil {
				return fmt.Errorf("rule of the lifecycle: %w", err)
			}
		}
		journeys := make([]segment.Journey, 0, len(customers))
		for i := range customers {
			if customers[i].Days > 1 {
				journeys = append(journeys, customers[i].journey())
			}
		}
		p.lifecycle.Interval, _ = segment.ShopInterval(journeys, last.Interval)
	}
	p.lifecycle = p.lifecycle.WithDefaults()
	return nil
}

func (c *Customer) journey() segment.Journey {
	return segment.Journey{Days: c.Days, First: c.FirstDay, Previous: c.PreviousDay, Last: c.LastDay}
}

// foretell asks the appraisal what everybody will do.
func (p *placing) foretell(customers []Customer) error {
	p.outlooks = make([]ahead, len(customers))
	var forecast *Forecast
	if p.foretold {
		var err error
		if forecast, err = p.worth.Forecast(); err != nil {
			return err
		}
	}
	var unreadable atomic.Int64
	err := inParts(len(customers), func(from, to int) error {
		for i := from; i < to; i++ {
			p.outlooks[i] = notAhead
			c := &customers[i]
			if forecast == nil || c.Days == 0 || c.Orders == 0 {
				continue
			}
			ahead, err := forecast.ahead(c.History(), p.day)
			if err != nil { // one odd history keeps nobody else from being foretold
				unreadable.Add(1)
				continue
			}
			p.outlooks[i] = ahead
		}
		return nil
	})
	p.unforetold = int(unreadable.Load())
	return err
}

// cutTiers settles the cuts between the tiers of value.
func (p *placing) cutTiers(customers []Customer, stood string) error {
	p.tierRule.Basis = TierSpent
	if p.foretold {
		p.tierRule.Basis = TierWhole
	}
	values := make([]float64, 0, len(customers))
	for i := range customers {
		if customers[i].Orders > 0 {
			values = append(values, p.whole(customers, i))
		}
	}
	var last TierRule
	if stood != "" {
		if err := json.Unmarshal([]byte(stood), &last); err != nil {
			return fmt.Errorf("rule of the tiers: %w", err)
		}
	}
	if last.Basis != p.tierRule.Basis {
		last.Cuts = nil
	}
	shares := segment.TierShares()
	if p.tierRule.Cuts = segment.SettleCuts(last.Cuts, segment.Quantiles(values, shares), TierTolerance); p.tierRule.Cuts == nil {
		p.tierRule.Cuts = make([]float64, len(shares)) // of nobody
	}
	var err error
	p.tiers, err = segment.ValueTiers(p.tierRule.Cuts)
	return err
}

// whole is what a customer is worth to the tiers: net revenue so far and what is expected, in ten-thousandths.
func (p *placing) whole(customers []Customer, i int) float64 {
	if ahead := p.outlooks[i].value; !math.IsNaN(ahead) {
		return float64(customers[i].Net) + ahead*unit
	}
	return float64(customers[i].Net)
}

// divide names the schemes and their groups.
func (p *placing) divide() error {
	add := func(name string, rule any, definitions []segment.Definition) error {
		scheme, err := schemeOf(name, rule)
		p.groups[name] = newGroups(definitions)
		p.divisions = append(p.divisions, Division{Scheme: scheme, Groups: p.groups[name].all})
		return err
	}
	if err := add(segment.SchemeLifecycle, p.lifecycle, segment.Stages()); err != nil {
		return err
	}
	if err := add(segment.SchemeTier, p.tierRule, p.tiers.Definitions()); err != nil {
		return err
	}
	if p.foretold {
		if err := add(segment.SchemeChurn, ChurnRule{Cuts: p.churn.Cuts()}, p.churn.Definitions()); err != nil {
			return err
		}
	}
	if p.past {
		return nil
	}
	for _, rule := range p.run.own {
		kept := OwnRule{ID: rule.ID, Name: rule.Name, Rule: rule.Meaning, Action: rule.Action}
		if err := add(OwnScheme(rule.ID), kept, []segment.Definition{rule.Definition}); err != nil {
			return err
		}
		p.divisions[len(p.divisions)-1].Scheme.Version = rule.Version // names and layout do not count
	}
	return nil
}

// compare finds the standings that differ from what stood, and sums up the schemes.
func (p *placing) compare(customers []Customer, result *Result, first bool) {
	if first && !p.past {
		result.Standings = make([]Placed, 0, len(customers)) // growing a million costs twice their memory
	}
	for i := range customers {
		c := &customers[i]
		var now Standing
		if !c.Gone {
			now = p.standing(customers, i)
			p.count(c, now)
		}
		if !p.past && !now.Equal(c.Standing) {
			result.Standings = append(result.Standings, Placed{Person: c.Person, Standing: now})
		}
	}
	slices.SortFunc(result.Standings, func(a, b Placed) int { return cmp.Compare(a.Person, b.Person) })
	result.Divisions, result.Unforetold = p.divisions, p.unforetold
}

// standing is where a customer stands from now on, everything that stands so far held on to.
func (p *placing) standing(customers []Customer, i int) Standing {
	c := &customers[i]
	stood := c.Standing.At()
	at := Place{Stage: p.stage(c).Stage}
	if p.own != nil {
		at.Own = p.own[i]
	}
	a := p.outlooks[i]
	if c.Orders > 0 {
		at.Tier = p.tiers.Of(p.whole(customers, i), stood.Tier)
		at.Churn = p.churn.Of(1-a.alive, stood.Churn)
	}
	now := Standing{Place: c.Standing.Place}
	if now.Place == nil || !stood.Equal(at) {
		now.Place = p.shared(at)
	}
	if c.Orders <= 0 {
		return now
	}
	if !math.IsNaN(a.value) {
		now.Valued, now.Value = true, clv.Round(int64(math.Round(a.value*unit)), c.Standing.Value, c.Standing.Valued)
	}
	if a.next != 0 {
		now.NextWeek = int(clv.NextWeek(a.next, int32(p.day), int32(c.Standing.NextWeek)))
	}
	return now
}

// shared returns the place that all who stand there share.
func (p *placing) shared(at Place) *Place {
	key := at.Stage + " " + at.Tier + " " + at.Churn + " " + strings.Join(at.Own, " ")
	if p.places == nil {
		p.places = map[string]*Place{}
	}
	if p.places[key] == nil {
		p.places[key] = &at
	}
	return p.places[key]
}

// stage is where a customer is in the lifecycle. Whoever has no order that counts is a prospect.
func (p *placing) stage(c *Customer) segment.Standing {
	if c.Orders <= 0 {
		return p.lifecycle.Stage(segment.Journey{}, p.day)
	}
	return p.lifecycle.Stage(c.journey(), p.day)
}

func (p *placing) count(c *Customer, s Standing) {
	at := s.At()
	p.groups[segment.SchemeLifecycle].add(at.Stage, c)
	if at.Tier != "" {
		p.groups[segment.SchemeTier].add(at.Tier, c)
	}
	if at.Churn != "" {
		p.groups[segment.SchemeChurn].add(at.Churn, c)
	}
	for _, id := range at.Own {
		p.groups[OwnScheme(id)].add(id, c)
	}
}

// inParts does a piece of work for parts of so many items, as many at once as there are processors.
func inParts(items int, work func(from, to int) error) error {
	var group errgroup.Group
	parts := runtime.GOMAXPROCS(0)
	for part := range parts {
		group.Go(func() error { return work(items*part/parts, items*(part+1)/parts) })
	}
	return group.Wait()
}
