package report

import (
	"cmp"
	"fmt"

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

// beginnings writes how many newcomers stay, by what they began with.
func (p *page) beginnings(s retention.Summary) {
	if len(s.Sticks) == 0 {
		return
	}
	if all := s.Sticks[0].All; all.Observed == 0 {
		p.say(dim, "  ", "Nobody's first %d days are over yet: which beginnings make customers stay is told when they are.", s.Within)
		return
	}
	written := false
	for _, stick := range s.Sticks {
		if len(stick.Keys) > 1 { // one alone is everybody
			p.beginning(stick, s.Within)
			written = true
		}
	}
	if written {
		p.say(dim, "  ", "Better and worse are said only where chance is an unlikely reason. What customers began with need not be why they stayed.")
	}
}

func (p *page) beginning(stick retention.Stayed, within int) {
	p.line("")
	p.say(plain, "  ", "Newcomers by %s, and how many placed a second one within %d days:", kinds[stick.Kind].heading, within)
	rows := []row{{dim, []string{"", "newcomers", "stayed", "likely", ""}}}
	add := func(look style, name string, k retention.Stickiness) {
		verdict := ""
		if k.Verdict != retention.Alike {
			verdict = string(k.Verdict)
		}
		rows = append(rows, row{look, []string{name, count(k.Observed), percent(k.Rate), between(k.Low, k.High), verdict}})
	}
	for _, k := range stick.Keys[:min(len(stick.Keys), shownKeys)] {
		look := plain
		if k.Verdict == retention.Better {
			look = green
		}
		add(look, cmp.Or(k.Name, kinds[stick.Kind].none), k.Stickiness)
	}
	add(bold, "Everybody", stick.All)
	p.table([]align{left, right, right, right, left}, rows)
	if more := len(stick.Keys) - shownKeys + stick.Rest; more > 0 {
		p.say(dim, "  ", "%s", fmt.Sprintf("%s with fewer newcomers in `report --json`.", of(more, "more", "more")))
	}
}
