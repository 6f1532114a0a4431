package report

import (
	"fmt"
	"io"
	"slices"
	"strings"

	"github.com/shopspring/decimal"
)

// How many moves are told in words: each way in the report, in all on the page of movement.
const (
	movesEachWay = 5
	movesInWords = 10
)

// movement writes the largest moves up and down in the last month.
func (p *page) movement(m *Movement, currency string) {
	if m == nil {
		return
	}
	if m.Note != "" {
		p.heading("Movement")
		p.say(plain, "  ", "%s", m.Note)
		return
	}
	p.heading("Movement since %s", m.From)
	p.say(plain, "  ", "%s", m.Sums(currency))
	p.changed(m)
	for _, way := range []struct {
		to    Direction
		style style
		mark  string
	}{{Up, green, "  + "}, {Down, yellow, "  - "}} {
		flows, _, _ := m.Towards(way.to)
		for _, f := range flows[:min(len(flows), movesEachWay)] {
			p.say(way.style, way.mark, "%s", f.Words(currency))
		}
		p.rest(len(flows)-movesEachWay, way.mark)
	}
	p.say(dim, "  ", "%s", MoneyWords)
}

// MoneyWords says what the money of a movement is.
const MoneyWords = "Worth is what these people brought so far, after refunds. Up and down go by the order of the segments."

func (p *page) rest(n int, mark string) {
	if n > 0 {
		p.say(dim, mark, "and %s.", Of(n, "smaller move", "smaller moves"))
	}
}

// changed says that the rules moved people too.
func (p *page) changed(m *Movement) {
	if text := m.Changed(); text != "" {
		p.say(yellow, "  ! ", "%s", text)
	}
}

// Changed says that the rules moved people too; it is empty where they did not.
func (m Movement) Changed() string {
	if len(m.Changes) == 0 {
		return ""
	}
	return fmt.Sprintf("Other rules began to hold on %s: part of this movement is theirs, and not the customers'.", strings.Join(m.Changes, ", "))
}

// Sums says how many went which way.
func (m Movement) Sums(currency string) string {
	var parts []string
	for _, way := range []struct {
		to   Direction
		said string
	}{{Up, "moved up"}, {Down, "moved down"}, {Moved, "moved otherwise"}, {Came, "came"}, {Left, "left"}, {Stayed, "stayed where they were"}} {
		if _, n, money := m.Towards(way.to); n > 0 {
			parts = append(parts, fmt.Sprintf("%s %s (worth %s)", Count(n), way.said, Money(money, currency)))
		}
	}
	if len(parts) == 0 {
		return "Nobody was in any of these segments."
	}
	return strings.Join(parts, ", ") + "."
}

// Moves writes the movement between two days: the largest flows in words, then the whole matrix.
func Moves(w io.Writer, m Movements, width int, colour bool) error {
	p := newPage(w, width, colour)
	p.gap(m.Incomplete)
	if len(m.Movements) == 0 {
		p.say(plain, "", "%s: %s", m.Store, MissingSet(m.Set))
	}
	for i, one := range m.Movements {
		if i > 0 {
			p.line("")
		}
		p.matrix(m, one)
	}
	return p.done("movement")
}

func (p *page) matrix(all Movements, m Movement) {
	if m.Note != "" {
		p.say(bold, "", "%s: %s", all.Store, m.Title)
		p.say(plain, "", "%s", m.Note)
		return
	}
	p.say(bold, "", "%s: %s from %s to %s, money in %s", all.Store, m.Title, m.From, m.To, all.Currency)
	p.say(plain, "", "%s", m.Sums(all.Currency))
	p.changed(&m)
	moved := slices.DeleteFunc(slices.Clone(m.Flows), func(f Flow) bool { return f.Direction == Stayed })
	slices.SortStableFunc(moved, func(a, b Flow) int { return b.Customers - a.Customers })
	if len(moved) > 0 {
		p.heading("The largest moves")
	}
	for _, f := range moved[:min(len(moved), movesInWords)] {
		mark, look := "  . ", plain
		switch f.Direction {
		case Up:
			mark, look = "  + ", green
		case Down:
			mark, look = "  - ", yellow
		}
		p.say(look, mark, "%s", f.Words(all.Currency))
	}
	p.rest(len(moved)-movesInWords, "    ")
	if len(m.Flows) == 0 {
		return
	}
	p.cells(m, all.Currency)
	p.say(dim, "  ", "Share is of everybody who was in the first segment. %s", MoneyWords)
}

// cells writes the matrix cell by cell: where people were, where they are, how many, which share, what they brought.
func (p *page) cells(m Movement, currency string) {
	p.heading("Every move")
	rows := []row{{dim, []string{"from", "to", "people", "share", "worth"}}}
	from, all, money := "-", 0, decimal.Zero
	for _, f := range m.Flows {
		label := ""
		if f.FromName != from {
			from, label = f.FromName, f.FromName
			if f.From == "" {
				label = "(new)"
			}
		}
		to, look := f.ToName, plain
		switch f.Direction {
		case Stayed:
			to, look = "(stayed)", dim
		case Left:
			to = "(left)"
		}
		share := Percent(f.Share)
		if f.From == "" {
			share = ""
		}
		rows = append(rows, row{look, []string{label, to, Count(f.Customers), share, Money(f.Money, currency)}})
		all, money = all+f.Customers, money.Add(f.Money)
	}
	rows = append(rows, row{bold, []string{"All", "", Count(all), "", Money(money, currency)}})
	p.table([]align{left, left, right, right, right}, rows)
}
