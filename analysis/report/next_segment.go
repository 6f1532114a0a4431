package report

import (
	"context"
	"fmt"
	"slices"

	"github.com/perennial-cvo/perennial/analysis"
	"github.com/perennial-cvo/perennial/analysis/segment"
)

// NextSegment is where the customers of each segment of a scheme are expected to go next, and how well that was foretold.
type NextSegment struct {
	Scheme  string `json:"scheme"`
	Title   string `json:"title"`
	Finding string `json:"finding"` // in a sentence; before there is a forecast, from when on there will be one
	// Step is the time ahead, a week or a month; empty before there is a forecast, and then there is none of what follows.
	Step        analysis.Step        `json:"step"`
	Steps       int                  `json:"steps"` // counted
	From        string               `json:"from"`  // first and last day of what was counted
	To          string               `json:"to"`
	Evaluation  *segment.Evaluation  `json:"evaluation,omitempty"` // over all steps judged
	Evaluations []segment.Evaluation `json:"evaluations"`
	Segments    []Chances            `json:"segments"`
}

// Chances are where the customers of one segment go next, the likeliest first.
type Chances struct {
	Segment   string       `json:"segment"`
	Name      string       `json:"name"`
	Customers int          `json:"customers"` // seen in it and a step later, in all steps; of 0 the chances say nothing
	Next      []NextChance `json:"next"`
}

// NextChance is the probability of one next segment.
type NextChance struct {
	Segment     string  `json:"segment"`
	Name        string  `json:"name"`
	Probability float64 `json:"probability"` // 0 to 1
}

// nextSegments gathers the courses of the schemes that have one.
func nextSegments(ctx context.Context, facts Facts, all map[string]Snapshot) ([]NextSegment, error) {
	found := []NextSegment{}
	for _, scheme := range analysis.ChartedSchemes() {
		s, ok := all[scheme]
		if !ok {
			continue
		}
		next, err := nextSegment(ctx, facts, s)
		if err != nil {
			return nil, err
		}
		if next.Finding != "" {
			found = append(found, next)
		}
	}
	return found, nil
}

func nextSegment(ctx context.Context, facts Facts, s Snapshot) (NextSegment, error) {
	n := NextSegment{Scheme: s.Scheme, Title: setTitles[s.Scheme], Evaluations: []segment.Evaluation{}, Segments: []Chances{}}
	definitions, err := analysis.Definitions(s.Scheme, s.Rule)
	if err != nil {
		return n, err
	}
	span, known, err := facts.Span(ctx, s.Scheme)
	if err != nil || !known {
		return n, err
	}
	course, ok, err := facts.Course(ctx, s.Scheme)
	if err != nil {
		return n, err
	}
	if !ok || !course.InForce(span) {
		n.Finding = tooEarly(span)
		return n, nil
	}
	n.Step, n.Steps, n.Evaluations = course.Step, len(course.Days)-1, list(course.Evaluations)
	n.From, n.To, n.Finding = day(course.Days[0]), day(course.Days[n.Steps]), course.Finding()
	if e := course.Evaluation(); e.Customers > 0 {
		n.Evaluation = &e
	}
	chain := course.Chain()
	for _, state := range course.States {
		c := Chances{Segment: state, Name: nameIn(definitions, state)}
		for _, move := range course.Moves {
			if move.From == state {
				c.Customers += move.Customers
			}
		}
		for _, chance := range chain.Chances(state) {
			c.Next = append(c.Next, NextChance{chance.Segment, nameIn(definitions, chance.Segment), chance.Probability})
		}
		n.Segments = append(n.Segments, c)
	}
	return n, nil
}

// tooEarly says from when on there will be a forecast.
func tooEarly(span analysis.Span) string {
	from := analysis.CourseFrom(span.Since())
	if from <= span.Last {
		return "Where customers go next is counted by the next night."
	}
	return fmt.Sprintf("Where customers go next can be told from %s on, after four whole weeks under the rules in force.", day(from))
}

// next writes how well next segments are foretold, in a sentence for each scheme.
func (p *page) next(all []NextSegment) {
	if len(all) == 0 {
		return
	}
	p.heading("Where customers go next")
	if !slices.ContainsFunc(all, func(n NextSegment) bool { return n.Finding != all[0].Finding }) && all[0].Step == "" {
		p.say(plain, "  ", "%s", all[0].Finding)
		return
	}
	for _, n := range all {
		text, look := n.Title+": "+n.Finding, plain
		switch {
		case n.Step == "":
		case !n.Better():
			look = yellow
		case !p.full:
			text = fmt.Sprintf("%s: the forecast for a %s ahead did better than \"everybody stays\" so far. `perennial explain EMAIL` tells "+
				"the chances of one customer.", n.Title, n.Step)
		}
		if n.Step != "" && p.full {
			text += " " + n.Counted()
		}
		p.say(look, "  ", "%s", text)
	}
}

// Better says that the forecast did better than "everybody stays"; else nobody should rely on it.
func (n NextSegment) Better() bool { return n.Evaluation != nil && n.Evaluation.Better() }

// Counted says over which time the chances were counted.
func (n NextSegment) Counted() string {
	return fmt.Sprintf("Counted over %s from %s to %s.", Of(n.Steps, string(n.Step), string(n.Step)+"s"), n.From, n.To)
}
