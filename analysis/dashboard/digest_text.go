package dashboard

import (
	"strings"

	"github.com/mattn/go-runewidth"
)

// textWidth is how long the lines of the plain text are, which mail programs wrap at 78.
const textWidth = 72

// plainText is a text in the making.
type plainText struct{ strings.Builder }

// text is the digest without any form.
func (d digest) text() string {
	var p plainText
	p.say("", d.Shop)
	if d.Day != "" {
		p.say("", "Figures as of the start of "+d.Day+", amounts in "+d.Currency+".")
	}
	for _, n := range d.Notices {
		p.say("! ", n)
	}
	if len(d.Figures) > 0 {
		p.line("")
	}
	for _, f := range d.Figures {
		p.say("", f.Name+": "+f.Value+" ("+f.Note+")")
	}
	p.list("PLEASE LOOK AT", d.Warnings)
	p.bars("NEW CUSTOMERS BY WEEK", d.Weeks)
	p.bars("REVENUE BY MONTH", d.Months)
	if len(d.Segments) > 0 {
		p.heading("SEGMENTS")
		rows := [][]string{{"", "customers", "share", "of revenue", "change"}}
		for _, s := range d.Segments {
			rows = append(rows, []string{s.Name, s.Customers, s.Share, s.RevenueShare, s.Change})
		}
		p.table(rows)
		if d.Since != "" {
			p.say("", "Change: since "+d.Since+", those who came less those who left.")
		}
	}
	if len(d.Stake) > 0 {
		p.heading("MONEY AT STAKE")
		rows := [][]string{{"", "people", "brought so far"}}
		for _, s := range d.Stake {
			rows = append(rows, []string{s.Name, s.Customers, s.Money})
		}
		p.table(rows)
	}
	var trials []string
	for _, t := range d.Trials {
		trials = append(trials, t.Name+": "+t.Words)
	}
	p.list("WHAT THE AUDIENCES BRING", trials)
	if d.Address != "" {
		p.line("")
		p.line("More: " + d.Address)
	}
	p.line("")
	p.say("", digestWhy)
	return p.String()
}

// digestWhy says where the mail comes from.
const digestWhy = "Perennial sends this once a week to the addresses under [digest] in its configuration."

func (p *plainText) line(text string) { p.WriteString(strings.TrimRight(text, " ") + "\n") }

func (p *plainText) heading(text string) {
	p.line("")
	p.line(text)
}

// list writes texts one below the other, where there are any.
func (p *plainText) list(heading string, items []string) {
	if len(items) == 0 {
		return
	}
	p.heading(heading)
	for _, item := range items {
		p.say("- ", item)
	}
}

func (p *plainText) bars(heading string, bars []digestBar) {
	if len(bars) == 0 {
		return
	}
	p.heading(heading)
	var rows [][]string
	for _, b := range bars {
		rows = append(rows, []string{b.Label, b.Value, strings.Repeat("#", (b.Width+4)/5)})
	}
	p.table(rows)
}

// table writes rows in columns: names to the left, figures to the right, bars to the left.
func (p *plainText) table(rows [][]string) {
	var wide []int
	for _, row := range rows {
		for i, cell := range row {
			if i == len(wide) {
				wide = append(wide, 0)
			}
			wide[i] = max(wide[i], runewidth.StringWidth(oneLine(cell)))
		}
	}
	for _, row := range rows {
		var cells []string
		for i, cell := range row {
			cell = oneLine(cell)
			gap := strings.Repeat(" ", wide[i]-runewidth.StringWidth(cell))
			if i == 0 || strings.HasPrefix(cell, "#") {
				cells = append(cells, cell+gap)
			} else {
				cells = append(cells, gap+cell)
			}
		}
		p.line("  " + strings.Join(cells, "  "))
	}
}

// say writes a text in lines that are not too long, the first behind a mark.
func (p *plainText) say(mark, text string) {
	line, margin := mark, strings.Repeat(" ", len(mark))
	for _, word := range strings.Fields(oneLine(text)) {
		if line != mark && line != margin && runewidth.StringWidth(line)+1+runewidth.StringWidth(word) > textWidth {
			p.line(line)
			line = margin
		}
		if line != mark && line != margin {
			line += " "
		}
		line += word
	}
	p.line(line)
}
