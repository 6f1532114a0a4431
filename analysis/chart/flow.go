package chart

import (
	"html/template"
	"math"
	"slices"
)

// Stream is how much goes from one node on the left to one on the right.
type Stream struct {
	From, To int // in FlowChart.Left and FlowChart.Right
	Value    float64
	Class    string // such as "up" or "down"
	Label    string // what it says of itself
	Link     string // where it leads; empty: nowhere
}

// FlowChart is what goes from where to where between two moments.
type FlowChart struct {
	Title, Words string
	Left, Right  []string // names of the nodes, from the top down
	Streams      []Stream
}

// The measures of a flow chart.
const (
	flowWidth = 720.0
	nodeWidth = 10.0
	nodeGap   = 8.0
	nameWidth = 150.0
	thinnest  = 1.0
	perNode   = 44.0 // height for each node, gaps included
)

// side is one column of nodes.
type side struct {
	names     []string
	sums      []float64 // what goes through each node
	tops      []float64 // where each begins, once the scale is known
	x, aside  float64   // of the nodes, and of their names beside them
	alignment string    // of the names
}

// Flows draws a chart of streams between two columns of nodes. Nodes without any stream are left out.
func Flows(c FlowChart) template.HTML {
	left := side{names: c.Left, sums: make([]float64, len(c.Left)), x: nameWidth, aside: -8, alignment: "end"}
	right := side{names: c.Right, sums: make([]float64, len(c.Right)), x: flowWidth - nameWidth - nodeWidth, aside: nodeWidth + 8, alignment: "start"}
	for _, s := range c.Streams {
		left.sums[s.From] += max(0, finite(s.Value))
		right.sums[s.To] += max(0, finite(s.Value))
	}
	high := perNode * max(1, left.used(), right.used())
	scale := finite(min(left.scale(high), right.scale(high)))
	left.stack(scale)
	right.stack(scale)
	d := open("flows", flowWidth, high, c.Title, c.Words)
	from, to := slices.Clone(left.tops), slices.Clone(right.tops)
	for _, s := range c.Streams {
		if v := max(0, finite(s.Value)) * scale; v > 0 {
			s.draw(d, band{from: from[s.From], to: to[s.To], thick: max(v, thinnest)})
			from[s.From] += v
			to[s.To] += v
		}
	}
	left.draw(d, scale)
	right.draw(d, scale)
	return d.html()
}

// used is how many nodes anything goes through.
func (n side) used() float64 {
	used := 0.0
	for _, s := range n.sums {
		if s > 0 {
			used++
		}
	}
	return used
}

// scale is how high one unit is drawn where the column just fits.
func (n side) scale(high float64) float64 {
	total := 0.0
	for _, s := range n.sums {
		total += s
	}
	if total == 0 {
		return math.Inf(1)
	}
	return (high - nodeGap*(n.used()-1)) / total
}

// stack finds the top of each node.
func (n *side) stack(scale float64) {
	n.tops = make([]float64, len(n.sums))
	y := 0.0
	for i, s := range n.sums {
		n.tops[i] = y
		if s > 0 {
			y += s*scale + nodeGap
		}
	}
}

// draw draws the nodes with their names.
func (n side) draw(d *drawing, scale float64) {
	for i, name := range n.names {
		if n.sums[i] <= 0 {
			continue
		}
		tall := max(thinnest, n.sums[i]*scale)
		d.add(`<rect class="node" x="%s" y="%s" width="%s" height="%s"/>`, number(n.x), number(n.tops[i]), number(nodeWidth), number(tall))
		d.add(`<text class="name" dominant-baseline="middle" text-anchor="%s" x="%s" y="%s">%s</text>`,
			n.alignment, number(n.x+n.aside), number(n.tops[i]+tall/2), text(name))
	}
}

// band is where a stream begins and ends at its upper edge, and how thick it is.
type band struct{ from, to, thick float64 }

// draw draws a stream as a band that bends from left to right.
func (s Stream) draw(d *drawing, b band) {
	x0, x1 := nameWidth+nodeWidth, flowWidth-nameWidth-nodeWidth
	middle := number((x0 + x1) / 2)
	if s.Link != "" {
		d.add(`<a href="%s">`, text(s.Link))
	}
	d.add(`<path class="stream %s" d="M%s,%s C%s,%s %s,%s %s,%s V%s C%s,%s %s,%s %s,%s Z"><title>%s</title></path>`, text(s.Class),
		number(x0), number(b.from), middle, number(b.from), middle, number(b.to), number(x1), number(b.to),
		number(b.to+b.thick), middle, number(b.to+b.thick), middle, number(b.from+b.thick), number(x0), number(b.from+b.thick), text(s.Label))
	if s.Link != "" {
		d.add(`</a>`)
	}
}
