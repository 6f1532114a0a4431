package chart

import "html/template"

// Range is a value and the range that it may lie in, over an axis from Least to Most, which 0 is always on.
type Range struct {
	Title, Words     string
	Low, Value, High float64
	Least, Most      float64
	Class            string // such as "good" or "bad"
	Label            func(float64) string
}

// The measures of a range. It is as narrow as a phone, so that its text is not made smaller there.
const (
	rangeWidth, rangeHeight = 340.0, 58.0
	rangeSide               = 10.0
	rangeLine               = 22.0
)

// Interval draws a range as a bar with its value as a dot, and a mark where nothing would be.
func Interval(c Range) template.HTML {
	low, value, high := finite(c.Low), finite(c.Value), finite(c.High)
	least, most := min(0, finite(c.Least), low, value), max(0, finite(c.Most), high, value)
	x := func(v float64) string {
		if most <= least {
			return number(rangeWidth / 2)
		}
		return number(rangeSide + (v-least)/(most-least)*(rangeWidth-2*rangeSide))
	}
	d := open("interval", rangeWidth, rangeHeight, c.Title, c.Words)
	d.add(`<line class="grid" x1="%s" x2="%s" y1="%s" y2="%s"/>`, x(least), x(most), number(rangeLine), number(rangeLine))
	d.add(`<line class="zero" x1="%s" x2="%s" y1="4" y2="40"/>`, x(0), x(0))
	d.add(`<line class="extent %s" x1="%s" x2="%s" y1="%s" y2="%s"/>`, text(c.Class), x(low), x(high), number(rangeLine), number(rangeLine))
	d.add(`<circle class="value %s" cx="%s" cy="%s" r="6"/>`, text(c.Class), x(value), number(rangeLine))
	if c.Label != nil {
		c.ends(d, least, most)
		d.add(`<text class="tick" text-anchor="%s" x="%s" y="54">%s</text>`, anchored(least, most), x(0), text(c.Label(0)))
	}
	return d.html()
}

// ends writes what the ends of the axis are, where 0 leaves room.
func (c Range) ends(d *drawing, least, most float64) {
	const room = 0.3 // of the axis, that two labels need between them
	if least < -room*(most-least) {
		d.add(`<text class="tick" text-anchor="start" x="%s" y="54">%s</text>`, number(rangeSide), text(c.Label(least)))
	}
	if most > room*(most-least) {
		d.add(`<text class="tick" text-anchor="end" x="%s" y="54">%s</text>`, number(rangeWidth-rangeSide), text(c.Label(most)))
	}
}

// anchored keeps the label of 0 within the drawing.
func anchored(least, most float64) string {
	const edge = 0.1
	switch {
	case -least < edge*(most-least):
		return "start"
	case most < edge*(most-least):
		return "end"
	default:
		return "middle"
	}
}
