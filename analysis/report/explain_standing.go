package report

import (
	"context"
	"fmt"
	"strings"
	"time"

	"github.com/shopspring/decimal"

	"github.com/perennial-cvo/perennial/analysis"
	"github.com/perennial-cvo/perennial/analysis/segment"
)

// definitions are the segments of schemes.
type definitions map[string][]segment.Definition

// define reads what the segments of every scheme are, those that are no longer worked out included.
func define(ctx context.Context, facts Facts, all map[string]Snapshot) (definitions, error) {
	rules, err := facts.Rules(ctx)
	if err != nil {
		return nil, fmt.Errorf("rules: %w", err)
	}
	for scheme, s := range all {
		rules[scheme] = s.Rule
	}
	groups := definitions{}
	for scheme, rule := range rules {
		if groups[scheme], err = analysis.Definitions(scheme, rule); err != nil {
			return nil, err
		}
	}
	return groups, nil
}

// find returns a segment: that of the rules in force, else of a preset which was in use before.
func (g definitions) find(scheme, id string) (segment.Definition, bool) {
	for _, d := range g[scheme] {
		if d.ID == id {
			return d, true
		}
	}
	if scheme == analysis.SchemeRFM {
		return segment.Find(id)
	}
	return segment.Definition{}, false
}

func (g definitions) name(scheme, id string) string {
	if d, ok := g.find(scheme, id); ok {
		return d.Name
	}
	return id
}

// audience is the name of the segment behind an audience key.
func (g definitions) audience(key string) string {
	for scheme, all := range g {
		for _, d := range all {
			if segment.Key(scheme, d.ID) == key {
				return d.Name
			}
		}
	}
	return segmentName(key)
}

// grounds writes where the person stands beside the RFM groups, and why.
func (p *page) grounds(e Explanation) {
	if e.Grounds == nil {
		return
	}
	for _, s := range e.Stands() {
		p.stand(s)
	}
	if shown := e.Shown(); len(shown) > 0 {
		p.heading("Shown to campaigns")
		p.pairs(shown)
		p.say(dim, "  ", "Rounded, and left as it is until it has to change.")
	}
	p.own(e.Grounds.Own)
}

// stand writes where somebody stands in one set.
func (p *page) stand(s Stand) {
	since := ""
	if s.Since != "" {
		since = ", since " + s.Since
	}
	p.heading("%s: %s%s", s.Title, s.Name, since)
	p.say(plain, "  ", "%s", s.Meaning)
	p.say(green, "  > ", "%s", s.Action)
	p.pairs(s.Lines)
	for _, note := range s.Notes {
		p.say(dim, "  ", "%s", note)
	}
}

// pairs writes names with their values.
func (p *page) pairs(lines [][2]string) {
	rows := make([]row, len(lines))
	for i, l := range lines {
		rows[i] = row{plain, []string{l[0], l[1]}}
	}
	p.table([]align{left, left}, rows)
}

// Shown is what campaigns are shown of the person.
func (e Explanation) Shown() [][2]string {
	g := e.Grounds
	if g == nil {
		return nil
	}
	var lines [][2]string
	if g.Value != nil {
		lines = append(lines, [2]string{"Predicted value", Money(decimal.NewFromFloat(*g.Value), e.Currency) + " " + e.Currency})
	}
	if g.NextWeek != 0 {
		lines = append(lines, [2]string{"Next order in the week of", day(g.NextWeek)})
	}
	return lines
}

// Stands says where the person stands beside the RFM groups, and why.
func (e Explanation) Stands() []Stand {
	g := e.Grounds
	var all []Stand
	if g == nil {
		return nil
	}
	if g.Stage != nil {
		all = append(all, e.stage(g.Stage))
	}
	if g.Tier != nil {
		s := e.band(segment.SchemeTier, g.Tier, func(v float64) string { return rounded(v, false, e.Currency) })
		s.Notes = append(s.Notes, "Value: "+tierBasis(g.Tier.Basis)+".")
		all = append(all, s)
	}
	if g.Churn != nil {
		all = append(all, e.band(segment.SchemeChurn, g.Churn, share))
	}
	return all
}

// stage is the stage, until when it holds, and what comes after it should no order come.
func (e Explanation) stage(g *analysis.StageGround) Stand {
	s := e.standing(segment.SchemeLifecycle, "Lifecycle", g.ID)
	if g.ID == segment.Prospect {
		return s
	}
	today := analysis.Day(e.AsOf, e.location())
	s.Lines = [][2]string{{"Expected from one purchase to the next", days(g.Interval)}}
	for _, limit := range []struct {
		name  string
		times float64
		from  int
	}{{"Slipping", g.Rule.Slipping, g.Slipping}, {"Lapsed", g.Rule.Lapsed, g.Lapsed}, {"Lost", g.Rule.Lost, g.Lost}} {
		if limit.from == 0 {
			continue
		}
		said := "from " + day(limit.from) + " on"
		if limit.from <= today {
			said = "since " + day(limit.from)
		}
		s.Lines = append(s.Lines, [2]string{fmt.Sprintf("%s after %g times that", limit.name, limit.times), said})
	}
	s.Notes = []string{fmt.Sprintf("Without another order. The person's own gaps are mixed with the shop's usual one, %s.", days(g.Rule.Interval))}
	return s
}

func (e Explanation) standing(scheme, title, id string) Stand {
	d, _ := e.groups.find(scheme, id)
	return Stand{Title: title, Name: d.Name, Since: since(e, scheme), Meaning: d.Meaning, Action: d.Action}
}

// since is the day on which the person entered the segment of a scheme in which they stand. Another version of the rules
// begins an interval of its own, and changes nothing in that.
func since(e Explanation, scheme string) string {
	var stay Interval
	for _, i := range e.Person.History { // newest first
		switch {
		case i.Scheme != scheme:
			continue
		case stay.Segment == "" && i.Last.IsZero():
			stay = i
			continue
		case stay.Segment != "" && i.Segment == stay.Segment && i.Last.AddDate(0, 0, 1).Equal(stay.First):
			stay.First = i.First
			continue
		}
		break
	}
	if stay.Segment == "" {
		return ""
	}
	return stay.First.Format(time.DateOnly)
}

// band is a tier or a band with its cuts.
func (e Explanation) band(scheme string, g *analysis.BandGround, write func(float64) string) Stand {
	s := e.standing(scheme, map[string]string{segment.SchemeTier: "Value tier", segment.SchemeChurn: "Risk to be gone"}[scheme], g.ID)
	var cuts []string
	for _, cut := range g.Cuts {
		cuts = append(cuts, write(cut))
	}
	s.Lines = [][2]string{{"This person", write(g.Value)}, {"Cuts", strings.Join(cuts, ", ")}}
	s.Notes = []string{fmt.Sprintf("Whoever stands there leaves only %.0f %% beyond a cut, so that small changes move nobody.", g.Margin*100)}
	return s
}

// own writes for each segment of the owner's whether the person is in it, and what its rule found.
func (p *page) own(all []analysis.OwnGround) {
	if len(all) == 0 {
		return
	}
	p.heading("Your own segments")
	for _, g := range all {
		look, said := dim, "not in"
		if g.Matches {
			look, said = green, "in"
		}
		p.say(look, "  ", "%s %s: %s", said, g.Name, g.Rule)
		for _, input := range g.Inputs {
			p.say(dim, "    ", "%s is %s", input.Field, known(input.Value))
		}
	}
}
