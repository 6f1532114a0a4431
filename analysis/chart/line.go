package chart

import (
	"html/template"
	"strings"
)

// Point is one value of a line, with the range that it may lie in where Ranged.
type Point struct {
	X, Y      float64
	Low, High float64
	Ranged    bool
	Label     string // what it says of itself, such as "90 days: 31.2 %"
	Quiet     bool   // it says so only where the chart is explored, and has no mark
}

// Line is a row of points with a name.
type Line struct {
	Name   string
	Points []Point
}

// LineChart is lines over a common axis from 0.
type LineChart struct {
	Title, Words string // what it shows, and what it says
	Lines        []Line
	XTicks       []Tick // along the bottom
	YLabel       func(float64) string
	Highest      float64 // the top of the chart at least
}

// Tick is a mark of an axis.
type Tick struct {
	At    float64
	Label string
}

// The size of a chart in its own units, and what is left free around it for labels.
const (
	width, height          = 720.0, 280.0
	left, right, top, base = 64.0, 16.0, 12.0, 30.0
)

// frame places values in a chart.
type frame struct{ xLow, xHigh, yHigh float64 }

func (f frame) x(v float64) float64 {
	if f.xHigh <= f.xLow {
		return left
	}
	return left + (finite(v)-f.xLow)/(f.xHigh-f.xLow)*(width-left-right)
}

func (f frame) y(v float64) float64 { return height - base - finite(v)/f.yHigh*(height-top-base) }

// Lines draws a chart of lines, each with a class of its own, s0 to s7.
func Lines(c LineChart) template.HTML {
	f := c.frame()
	d := open("lines", width, height, c.Title, c.Words)
	f.grid(d, f.yHigh, c.YLabel)
	for _, t := range c.XTicks {
		d.add(`<text class="tick" text-anchor="middle" x="%s" y="%s">%s</text>`, number(f.x(t.At)), number(height-8), text(t.Label))
	}
	for i, l := range c.Lines {
		f.line(d, i%8, l)
	}
	return d.html()
}

func (c LineChart) frame() frame {
	f := frame{yHigh: c.Highest}
	first := true
	widen := func(x, y float64) {
		x = finite(x)
		if first {
			f.xLow, f.xHigh, first = x, x, false
		}
		f.xLow, f.xHigh, f.yHigh = min(f.xLow, x), max(f.xHigh, x), max(f.yHigh, finite(y))
	}
	for _, l := range c.Lines {
		for _, p := range l.Points {
			widen(p.X, p.Y)
			if p.Ranged {
				widen(p.X, p.High)
			}
		}
	}
	for _, t := range c.XTicks {
		widen(t.At, 0)
	}
	all := ticks(f.yHigh)
	f.yHigh = all[len(all)-1]
	return f
}

// grid draws the levels and their labels.
func (f frame) grid(d *drawing, high float64, label func(float64) string) {
	for _, v := range ticks(high) {
		y := number(f.y(v))
		d.add(`<line class="grid" x1="%s" x2="%s" y1="%s" y2="%s"/>`, number(left), number(width-right), y, y)
		if label != nil {
			d.add(`<text class="tick" text-anchor="end" dominant-baseline="middle" x="%s" y="%s">%s</text>`, number(left-8), y, text(label(v)))
		}
	}
}

// line draws one line, its range behind it, and its points with what they say.
func (f frame) line(d *drawing, class int, l Line) {
	var path, low []string
	ranged := len(l.Points) > 1
	for _, p := range l.Points {
		path = append(path, number(f.x(p.X))+","+number(f.y(p.Y)))
		ranged = ranged && p.Ranged
	}
	if ranged {
		var high []string
		for i := range l.Points {
			p, q := l.Points[i], l.Points[len(l.Points)-1-i]
			high = append(high, number(f.x(p.X))+","+number(f.y(p.High)))
			low = append(low, number(f.x(q.X))+","+number(f.y(q.Low)))
		}
		d.add(`<polygon class="range s%d" points="%s %s"/>`, class, strings.Join(high, " "), strings.Join(low, " "))
	}
	d.add(`<polyline class="line s%d" points="%s"/>`, class, strings.Join(path, " "))
	for _, p := range l.Points {
		if p.Label != "" && !p.Quiet {
			d.add(`<circle class="point s%d" cx="%s" cy="%s" r="3"><title>%s</title></circle>`, class, number(f.x(p.X)), number(f.y(p.Y)), text(p.Label))
		}
	}
}
