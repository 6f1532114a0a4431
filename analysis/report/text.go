package report

import (
	"fmt"
	"io"
	"math"
	"strings"
	"unicode"

	"github.com/mattn/go-runewidth"
)

// minWidth is the narrowest page: below it columns would only be cut, so lines run over instead.
const minWidth = 60

// cells measures text in terminal columns. Characters of ambiguous width count as one, so that the same report looks the
// same on every machine.
var cells = &runewidth.Condition{EastAsianWidth: false}

// clean takes out of a shop's text what could steer a terminal or turn the direction of writing around: control
// characters, and invisible format characters other than the joiners that some scripts need. Line breaks become spaces.
func clean(text string) string {
	return strings.Map(func(r rune) rune {
		switch {
		case r == '\n' || r == '\t' || r == '\u2028' || r == '\u2029':
			return ' '
		case r == '\u200c' || r == '\u200d':
			return r
		case unicode.IsControl(r) || unicode.Is(unicode.Cf, r):
			return -1
		default:
			return r
		}
	}, strings.ToValidUTF8(text, "\uFFFD"))
}

// style is how a piece of text is set off.
type style string

const (
	plain  style = ""
	bold   style = "1"
	dim    style = "2"
	green  style = "32"
	yellow style = "33"
)

// page writes lines of a terminal page and keeps the first error.
type page struct {
	w      io.Writer
	width  int
	colour bool
	full   bool // everything is told, not only what an owner reads every week
	err    error
}

func newPage(w io.Writer, width int, colour bool) *page {
	return &page{w: w, width: max(width, minWidth), colour: colour}
}

// paint sets text off, where the page is in colour.
func (p *page) paint(s style, text string) string {
	if !p.colour || s == plain || text == "" {
		return text
	}
	return "\x1b[" + string(s) + "m" + text + "\x1b[0m"
}

// line writes text as it is: everything in it is ours or cleaned.
func (p *page) line(text string) {
	if p.err == nil {
		_, p.err = fmt.Fprintln(p.w, strings.TrimRight(text, " "))
	}
}

// heading begins a section.
func (p *page) heading(format string, args ...any) {
	p.line("")
	for _, text := range wrap(clean(fmt.Sprintf(format, args...)), p.width) {
		p.line(p.paint(bold, cells.Truncate(text, p.width, "…")))
	}
}

// say writes a paragraph, wrapped at the width of the page, after a mark such as "! " under which further lines align.
func (p *page) say(s style, mark, format string, args ...any) {
	indent := cells.StringWidth(mark)
	for i, text := range wrap(clean(fmt.Sprintf(format, args...)), p.width-indent) {
		lead := mark
		if i > 0 {
			lead = strings.Repeat(" ", indent)
		}
		p.line(lead + p.paint(s, text))
	}
}

// wrap breaks text at spaces so that no line is wider than width, unless a single word is.
func wrap(text string, width int) []string {
	var lines []string
	current := ""
	for _, word := range strings.Fields(text) {
		switch {
		case current == "":
			current = word
		case cells.StringWidth(current)+1+cells.StringWidth(word) <= width:
			current += " " + word
		default:
			lines = append(lines, current)
			current = word
		}
	}
	return append(lines, current)
}

// align says to which side a column is set.
type align bool

const (
	left  align = false
	right align = true
)

// row is one line of a table.
type row struct {
	style style
	cells []string
}

// table writes rows in columns as wide as their widest cell, two spaces apart and indented by two. Where that is wider
// than the page, the widest column set to the left gives way.
func (p *page) table(aligns []align, rows []row) {
	widths := make([]int, len(aligns))
	for _, r := range rows {
		for i, text := range r.cells {
			r.cells[i] = clean(text)
			widths[i] = max(widths[i], cells.StringWidth(r.cells[i]))
		}
	}
	p.squeeze(aligns, widths)
	for _, r := range rows {
		var b strings.Builder
		for i, text := range r.cells {
			b.WriteString("  ")
			text = cells.Truncate(text, widths[i], "…")
			gap := strings.Repeat(" ", widths[i]-cells.StringWidth(text))
			if aligns[i] == right {
				b.WriteString(gap + text)
			} else {
				b.WriteString(text + gap)
			}
		}
		p.line(p.paint(r.style, strings.TrimRight(b.String(), " ")))
	}
}

func (p *page) squeeze(aligns []align, widths []int) {
	const narrowest = 12
	over := -p.width
	for _, w := range widths {
		over += w + 2
	}
	for over > 0 {
		widest := -1
		for i, a := range aligns {
			if a == left && widths[i] > narrowest && (widest < 0 || widths[i] > widths[widest]) {
				widest = i
			}
		}
		if widest < 0 {
			return
		}
		widths[widest]--
		over--
	}
}

// bar draws a share from 0 to 1 in so many columns, to half a column; anything above zero shows.
func bar(share float64, width int) string {
	halves := int(share*float64(width)*2 + 0.5)
	if share > 0 {
		halves = max(halves, 1)
	}
	halves = max(0, min(halves, 2*width))
	return strings.Repeat("█", halves/2) + strings.Repeat("▌", halves%2)
}

// Count writes a whole number with thousands apart.
func Count(n int) string { return group(fmt.Sprint(n)) }

// Of writes a number and its noun.
func Of(n int, one, many string) string {
	if n == 1 {
		return "1 " + one
	}
	return Count(n) + " " + many
}

// Percent writes a share, such as "12.3 %". What rounds to nothing has no sign.
func Percent(share float64) string { return fmt.Sprintf("%.1f %%", math.Round(share*1000)/10+0) }
