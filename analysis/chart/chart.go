// Package chart draws figures as SVG that stands in a page: small, readable without a script, without a style of its own. What
// it looks like, light or dark or printed, is decided by the style sheet through classes; every figure has a title and tells
// its values to a screen reader.
package chart

import (
	"fmt"
	"html/template"
	"math"
	"strconv"
	"strings"
)

// Steps is how many shades a heat map has; Step returns 0 to Steps-1.
const Steps = 10

// Step is the shade of a share between 0 and the largest one: the class "heat" followed by it.
func Step(share, largest float64) int {
	if !(share > 0) || !(largest > 0) {
		return 0
	}
	return min(Steps-1, int(math.Ceil(share/largest*(Steps-1))))
}

// Bar is a bar as long as a share of a cell, 0 to 1. It says nothing to a screen reader: the number stands beside it.
func Bar(share float64) template.HTML {
	share = min(1, max(0, finite(share)))
	return template.HTML(`<svg class="bar" aria-hidden="true" focusable="false"><rect class="track" width="100%" height="100%"/>` + //nolint:gosec // numbers alone
		`<rect class="fill" width="` + number(100*share) + `%" height="100%"/></svg>`)
}

// utmost is further than anything that is counted goes; beyond it, sums and ratios of coordinates would be no numbers.
const utmost = 1e15

// finite takes what is no number for nothing, and what is beyond everything for the utmost.
func finite(v float64) float64 {
	if math.IsNaN(v) || math.IsInf(v, 0) {
		return 0
	}
	return min(utmost, max(-utmost, v))
}

// number writes a coordinate with two digits at most.
func number(v float64) string {
	return strconv.FormatFloat(math.Round(finite(v)*100)/100, 'f', -1, 64)
}

// drawing is an SVG in the making.
type drawing struct{ strings.Builder }

// add writes a piece; whatever is text in it must have been escaped by text.
func (d *drawing) add(format string, args ...any) { _, _ = fmt.Fprintf(d, format, args...) }

// text is a text as it may stand in an SVG.
func text(s string) string { return template.HTMLEscapeString(s) }

// html closes the drawing.
func (d *drawing) html() template.HTML {
	d.WriteString("</svg>")
	return template.HTML(d.String()) //nolint:gosec // all text went through text
}

// open begins a drawing of a size that fills the width there is. The title is what it shows, the words what it says.
func open(class string, width, height float64, title, words string) *drawing {
	d := &drawing{}
	d.add(`<svg class="chart %s" viewBox="0 0 %s %s" role="img" aria-label="%s">`, class, number(width), number(height), text(strings.TrimSpace(title+". "+words)))
	return d
}

// ticks are round numbers from 0 to at least high, four to six of them.
func ticks(high float64) []float64 {
	if !(high > 0) || math.IsInf(high, 0) {
		return []float64{0, 1}
	}
	size := math.Pow(10, math.Floor(math.Log10(high/4)))
	for _, m := range []float64{1, 2, 2.5, 5, 10} {
		if high/(size*m) <= 5 {
			size *= m
			break
		}
	}
	var all []float64
	for i := 0; ; i++ {
		v := float64(i) * size
		all = append(all, v)
		if v >= high*(1-1e-9) {
			return all
		}
	}
}
