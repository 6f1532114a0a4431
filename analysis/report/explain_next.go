package report

import "github.com/perennial-cvo/perennial/analysis"

// PersonNext is where one person is expected to go next in one scheme.
type PersonNext struct {
	Scheme  string        `json:"scheme"`
	Title   string        `json:"title"`
	Step    analysis.Step `json:"step"`    // the time ahead
	Finding string        `json:"finding"` // how well that is known
	// Customers is how many were seen in the segment and a step later, in all steps; where nobody was, nothing can be said.
	Customers int          `json:"customers"`
	Next      []NextChance `json:"next"` // the likeliest first

	better bool
}

// personNext picks the chances of the segments in which a person stands.
func personNext(courses []NextSegment, history []Interval) []PersonNext {
	found := []PersonNext{}
	for _, course := range courses {
		standing := ""
		for _, i := range history {
			if i.Scheme == course.Scheme && i.Last.IsZero() {
				standing = i.Segment
			}
		}
		for _, c := range course.Segments {
			if c.Segment == standing && course.Step != "" {
				found = append(found, PersonNext{
					Scheme: course.Scheme, Title: course.Title, Step: course.Step, Finding: course.Finding,
					Customers: c.Customers, Next: c.Next, better: course.Better(),
				})
			}
		}
	}
	return found
}

// unlikely is from which probability on a next segment is listed by itself.
const unlikely = 0.01

// elsewhere is what the unlikely ones are called together.
const elsewhere = "anywhere else"

// Likely are the segments to which the person may go, those that are unlikely together as the last one.
func (n PersonNext) Likely() []NextChance {
	var all []NextChance
	rest := NextChance{Name: elsewhere}
	for _, c := range n.Next {
		if c.Probability < unlikely {
			rest.Probability += c.Probability
			continue
		}
		all = append(all, c)
	}
	if rest.Probability > 0 {
		all = append(all, rest)
	}
	return all
}

// personNext writes where the person is expected to go next.
func (p *page) personNext(e Explanation) {
	for _, n := range e.Next {
		p.heading("%s: where next, within a %s", n.Title, n.Step)
		if n.Customers == 0 {
			p.say(plain, "  ", "Nothing is known of it: nobody was in this segment for a whole %s so far.", n.Step)
			continue
		}
		var rows []row
		for _, c := range n.Likely() {
			look := plain
			if c.Name == elsewhere {
				look = dim
			}
			rows = append(rows, row{look, []string{c.Name, Percent(c.Probability)}})
		}
		p.table([]align{left, right}, rows)
		look := dim
		if !n.better {
			look = yellow
		}
		p.say(look, "  ", "Seen %s in this segment and a %s later. %s", Of(n.Customers, "time", "times"), n.Step, n.Finding)
	}
}
