package report

import (
	"io"
	"slices"

	"github.com/shopspring/decimal"

	"github.com/perennial-cvo/perennial/analysis"
	"github.com/perennial-cvo/perennial/analysis/segment"
)

// movesListed is how many movements between segments are listed one by one.
const movesListed = 10

// FromOutcome turns what a run found into the same table as a snapshot gives, for runs that are not stored.
func FromOutcome(out analysis.Outcome) Segmentation {
	s := Segmentation{
		Store: out.Shop.Name, Currency: out.Shop.Currency, AsOf: out.Result.AsOf, Basis: out.Rule.Basis,
		Incomplete: NewGap(out.Shop.Since, out.Shop.Location),
		Day:        day(out.Result.Day), Rule: out.Sentence, Note: out.Note, prospects: out.Preset.Prospects,
	}
	var groups []Group
	for _, g := range out.Result.Groups {
		groups = append(groups, Group{
			Segment: g.Segment, Customers: g.Customers, Orders: g.Orders, Gross: decimal.New(g.Gross, -4), Net: decimal.New(g.Net, -4),
		})
	}
	s.sum(groups)
	s.Rows = s.rows(analysis.SchemeRFM, out.Preset.Groups, groups)
	return s
}

// Outcome writes what a run found: the segments, and who moved where most.
func Outcome(w io.Writer, out analysis.Outcome, width int, colour bool) error {
	p := newPage(w, width, colour)
	p.full = true
	s := FromOutcome(out)
	p.line(p.paint(bold, cells.Truncate(clean(s.Store), p.width, "…")))
	p.gap(s.Incomplete)
	p.segments(s)
	if s.Note != "" {
		p.say(yellow, "  ! ", "%s", s.Note)
	}
	p.moves(out.Moves, out.Preset.Groups)
	return p.done("outcome")
}

// moves lists the largest movements from one segment to another.
func (p *page) moves(all []segment.Move, definitions []segment.Definition) {
	moves := slices.DeleteFunc(slices.Clone(all), func(m segment.Move) bool { return m.From == m.To })
	if len(moves) == 0 {
		return
	}
	slices.SortStableFunc(moves, func(a, b segment.Move) int { return b.Customers - a.Customers })
	p.heading("Moved since the last analysis")
	var rows []row
	for _, m := range moves[:min(len(moves), movesListed)] {
		rows = append(rows, row{plain, []string{ends(m.From, "(new)", definitions), "to " + ends(m.To, "(none)", definitions), Count(m.Customers)}})
	}
	p.table([]align{left, left, right}, rows)
	if rest := len(moves) - movesListed; rest > 0 {
		p.say(dim, "  ", "and %s.", Of(rest, "smaller movement", "smaller movements"))
	}
}

func ends(id, none string, definitions []segment.Definition) string {
	if id == "" {
		return none
	}
	return nameIn(definitions, id)
}
