package analysis

import (
	"context"
	"encoding/json"
	"fmt"
	"math"
	"slices"
	"strings"
	"time"

	"github.com/perennial-cvo/perennial/analysis/rfm"
	"github.com/perennial-cvo/perennial/analysis/segment"
)

// Grounds is why one person stands where they do as of the last analysis. Days are local days since 1970-01-01, amounts are
// in the shop's currency.
type Grounds struct {
	Thresholds Thresholds   `json:"-"` // in force, of the RFM scores
	Stage      *StageGround `json:"lifecycle,omitempty"`
	Tier       *BandGround  `json:"tier,omitempty"`
	Churn      *BandGround  `json:"churn,omitempty"`
	Own        []OwnGround  `json:"own"`             // of each segment of the owner's, whether they are in it or not
	Value      *float64     `json:"value,omitempty"` // predicted over the horizon, rounded, as it is shown
	NextWeek   int          `json:"next_week,omitempty"`
}

// StageGround is why somebody is in a stage of the lifecycle, and until when they are, should they not order.
type StageGround struct {
	ID       string            `json:"id"`
	Interval float64           `json:"interval"` // days expected from one purchase to the next; 0 for a prospect
	Until    int               `json:"until"`    // last day of the stage; 0: for ever
	Slipping int               `json:"slipping"` // first day of each later stage; 0 for a prospect, and where the rule leaves it no day
	Lapsed   int               `json:"lapsed"`
	Lost     int               `json:"lost"`
	Rule     segment.Lifecycle `json:"rule"`
}

// BandGround is why somebody is in a tier of value or in a band of risk.
type BandGround struct {
	ID     string    `json:"id"`
	Value  float64   `json:"value"` // what is cut
	Cuts   []float64 `json:"cuts"`
	Margin float64   `json:"margin"`          // who stands in a band leaves it so far past a cut, relative to it
	Basis  string    `json:"basis,omitempty"` // of a tier: TierSpent or TierWhole
}

// OwnGround is whether somebody is in a segment of the owner's, and what its rule found.
type OwnGround struct {
	ID      string          `json:"id"`
	Name    string          `json:"name"`
	Rule    string          `json:"rule"`
	Matches bool            `json:"matches"`
	Inputs  []segment.Input `json:"inputs"`
}

// Question asks why a person stands where they do.
type Question struct {
	Person int64
	AsOf   time.Time         // of the last analysis
	Rules  map[string]string // by which it grouped people, by scheme, as JSON
	Worth  *Worth            // what it foretold by; nil: nothing
	Known  *Known            // nil: everybody is read
}

// Known is what an answer takes from everybody, where that has been counted before.
type Known struct {
	Thresholds Thresholds
	Customer   *Customer // the person; nil where they are not known
}

// Explain answers a question from the aggregates as the last analysis left them, and changes nothing. Of a person who is not
// known it tells the thresholds alone. It fails as Run does.
func Explain(ctx context.Context, facts Facts, q Question) (Grounds, error) {
	o, err := q.options()
	if err != nil {
		return Grounds{}, err
	}
	r, err := prepare(ctx, facts, o)
	if err != nil {
		return Grounds{}, err
	}
	r.past = true
	known := q.Known
	if known == nil {
		if known, err = r.know(ctx, facts, q.Person); err != nil {
			return Grounds{}, err
		}
	}
	g := Grounds{Thresholds: known.Thresholds, Own: []OwnGround{}}
	if known.Customer == nil || known.Customer.Gone {
		return g, nil
	}
	p := placing{run: r, lifecycle: r.lifecycle.WithDefaults(), churn: segment.ChurnBands()}
	if err := p.standingTiers(q.Rules[segment.SchemeTier]); err != nil {
		return Grounds{}, err
	}
	p.foretold = q.Worth != nil && p.tierRule.Basis == TierWhole // else the analysis was made before the first appraisal
	one := []Customer{*known.Customer}
	if err := p.foretell(one); err != nil {
		return Grounds{}, err
	}
	return g, p.explain(ctx, facts, q.Rules, one, &g)
}

// know counts everybody.
func (r run) know(ctx context.Context, facts Facts, person int64) (*Known, error) {
	customers, err := facts.Customers(ctx)
	if err != nil {
		return nil, fmt.Errorf("customers: %w", err)
	}
	out, err := r.group(customers)
	if err != nil {
		return nil, err
	}
	known := &Known{Thresholds: out.Thresholds}
	if at := slices.IndexFunc(customers, func(c Customer) bool { return c.Person == person }); at >= 0 {
		known.Customer = &customers[at]
	}
	return known, nil
}

// options are those by which the last analysis ran.
func (q Question) options() (Options, error) {
	rule, err := ParseRule(q.Rules[SchemeRFM])
	if err != nil {
		return Options{}, err
	}
	o := Options{
		Now: func() time.Time { return q.AsOf }, AsOf: q.AsOf, Worth: q.Worth,
		Rule: rule.Rule, Preset: rule.Preset, Segments: rule.Segments, Basis: rule.Basis,
	}
	if rule.Convention != rfm.Thresholds {
		o.Rule.Bins = rule.Used
	}
	if text := q.Rules[segment.SchemeLifecycle]; text != "" {
		if err := json.Unmarshal([]byte(text), &o.Lifecycle); err != nil {
			return Options{}, fmt.Errorf("rule of the lifecycle: %w", err)
		}
	}
	for scheme, text := range q.Rules {
		if !strings.HasPrefix(scheme, segment.SchemeOwn+":") {
			continue
		}
		var own OwnRule
		if err := json.Unmarshal([]byte(text), &own); err != nil {
			return Options{}, fmt.Errorf("rule of %s: %w", scheme, err)
		}
		o.Own = append(o.Own, segment.Own{ID: own.ID, Name: own.Name, Rule: own.Rule, Action: own.Action})
	}
	slices.SortFunc(o.Own, func(a, b segment.Own) int { return strings.Compare(a.ID, b.ID) })
	return o, nil
}

// explain fills in the grounds of one customer by the schemes that there are.
func (p *placing) explain(ctx context.Context, facts Facts, rules map[string]string, one []Customer, g *Grounds) error {
	c := &one[0]
	at := c.Standing.At()
	if rules[segment.SchemeLifecycle] != "" {
		g.Stage = p.stageGround(c)
	}
	if at.Tier != "" && rules[segment.SchemeTier] != "" {
		g.Tier = &BandGround{ID: at.Tier, Value: p.whole(one, 0) / unit, Margin: segment.TierMargin, Basis: p.tierRule.Basis}
		for _, cut := range p.tierRule.Cuts {
			g.Tier.Cuts = append(g.Tier.Cuts, cut/unit)
		}
	}
	if alive := p.outlooks[0].alive; rules[segment.SchemeChurn] != "" && at.Churn != "" && !math.IsNaN(alive) {
		g.Churn = &BandGround{ID: at.Churn, Value: 1 - alive, Cuts: p.churn.Cuts(), Margin: segment.ChurnMargin}
	}
	if c.Standing.Valued {
		value := float64(c.Standing.Value) / unit
		g.Value = &value
	}
	g.NextWeek = c.Standing.NextWeek
	return p.ownGrounds(ctx, facts, one, g)
}

func (p *placing) stageGround(c *Customer) *StageGround {
	now := p.stage(c)
	g := &StageGround{ID: now.Stage, Interval: now.Interval, Until: now.Until, Rule: p.lifecycle}
	if now.Until == segment.Open {
		g.Until = 0
	}
	if now.Stage == segment.Prospect {
		return g
	}
	journey, first := c.journey(), map[string]int{}
	for day, last := c.LastDay, 0; last != segment.Open; day = last + 1 {
		then := p.lifecycle.Stage(journey, day)
		first[then.Stage], last = day, then.Until
	}
	g.Slipping, g.Lapsed, g.Lost = first[segment.Slipping], first[segment.Lapsed], first[segment.Lost]
	return g
}

// standingTiers takes the cuts by which tiers were made; before there are any, nobody has a tier.
func (p *placing) standingTiers(rule string) error {
	if rule == "" {
		p.tierRule.Cuts = make([]float64, len(segment.TierShares()))
	} else if err := json.Unmarshal([]byte(rule), &p.tierRule); err != nil {
		return fmt.Errorf("rule of the tiers: %w", err)
	}
	var err error
	p.tiers, err = segment.ValueTiers(p.tierRule.Cuts)
	return err
}

// ownGrounds asks every rule of the owner's about the person, and says what it found.
func (p *placing) ownGrounds(ctx context.Context, facts Facts, one []Customer, g *Grounds) error {
	if len(p.run.own) == 0 {
		return nil
	}
	c, person := &one[0], segment.Person{}
	if fields := p.traits(); len(fields) > 0 {
		var err error
		if person, err = facts.TraitsOf(ctx, c.Person, fields, p.asOf); err != nil {
			return fmt.Errorf("traits: %w", err)
		}
	}
	p.complete(&person, one, 0, Member{Score: c.Score, Segment: c.Segment})
	for i := range p.run.own {
		rule := &p.run.own[i]
		g.Own = append(g.Own, OwnGround{
			ID: rule.ID, Name: rule.Name, Rule: rule.Meaning, Matches: rule.Matches(&person), Inputs: rule.Inputs(&person),
		})
	}
	return nil
}
