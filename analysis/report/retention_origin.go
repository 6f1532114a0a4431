package report

import (
	"cmp"
	"slices"
	"strings"

	"github.com/perennial-cvo/perennial/analysis/retention"
)

// kinds are what newcomers are told apart by, in words: the table's heading, and whoever has none of it.
var kinds = map[retention.Kind]struct{ heading, none string }{
	retention.Campaign: {"campaign of the first order", "no campaign"},
	retention.Source:   {"source of the first order", "no source"},
	retention.Coupon:   {"coupon of the first order", "no coupon"},
	retention.Product:  {"product in the first order", ""},
	retention.Category: {"category in the first order", ""},
}

// OriginWords are what newcomers are told apart by, in words, and what whoever has none of it is called.
func OriginWords(kind retention.Kind) (heading, none string) {
	words := kinds[kind]
	return words.heading, words.none
}

// beginnings writes how many newcomers stay, by what they began with: in a table where anything stands out.
func (p *page) beginnings(s retention.Summary) {
	if len(s.Sticks) == 0 {
		return
	}
	if all := s.Sticks[0].All; all.Observed == 0 {
		p.say(dim, "  ", "Nobody's first %d days are over yet: which beginnings make customers stay is told when they are.", s.Within)
		return
	}
	var alike []string
	written := false
	for _, stick := range s.Sticks {
		switch {
		case len(stick.Keys) < 2: // one alone is everybody
		case slices.ContainsFunc(stick.Keys, standsOut):
			p.beginning(stick, s.Within)
			written = true
		default:
			alike = append(alike, string(stick.Kind))
		}
	}
	if written {
		p.say(dim, "  ", "Better and worse are said only where chance is an unlikely reason. What customers began with need not be why they stayed.")
	}
	if len(alike) > 0 {
		p.line("")
		p.say(plain, "  ", "%s of all newcomers placed a second order within %d days, with no clear difference by %s of the first one. "+
			"`report --json` has each.", Percent(s.Sticks[0].All.Rate), s.Within, strings.Join(alike, " or "))
	}
}

// standsOut says that newcomers with this beginning stay more or less often than others, beyond chance.
func standsOut(k retention.Named) bool { return k.Verdict != retention.Alike }

func (p *page) beginning(stick retention.Stayed, within int) {
	p.line("")
	p.say(plain, "  ", "Newcomers by %s, and how many placed a second one within %d days:", kinds[stick.Kind].heading, within)
	rows := []row{{dim, []string{"", "newcomers", "stayed", "likely", ""}}}
	add := func(look style, name string, k retention.Stickiness) {
		verdict := ""
		if standsOut(retention.Named{Stickiness: k}) {
			verdict = string(k.Verdict)
		}
		rows = append(rows, row{look, []string{name, Count(k.Observed), Percent(k.Rate), between(k.Low, k.High), verdict}})
	}
	for i, k := range stick.Keys {
		if i >= shownKeys && (!standsOut(k) || len(rows) > mostKeys) {
			continue
		}
		look := plain
		if k.Verdict == retention.Better {
			look = green
		}
		add(look, cmp.Or(k.Name, kinds[stick.Kind].none), k.Stickiness)
	}
	add(bold, "Everybody", stick.All)
	p.table([]align{left, right, right, right, left}, rows)
	if more := len(stick.Keys) + stick.Rest - (len(rows) - 2); more > 0 {
		p.say(dim, "  ", "%s more with fewer newcomers in `report --json`.", Count(more))
	}
}
