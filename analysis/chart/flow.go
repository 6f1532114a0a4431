package chart

import (
	"html/template"
	"math"
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

// Flows draws a chart of streams between two columns of nodes. Nodes without any stream are left out.
func Flows(c FlowChart) template.HTML {
	sums := [2][]float64{make([]float64, len(c.Left)), make([]float64, len(c.Right))}
	for _, s := range c.Streams {
		sums[0][s.From] += max(0, finite(s.Value))
		sums[1][s.To] += max(0, finite(s.Value))
	}
	high := perNode * math.Max(used(sums[0]), used(sums[1]))
	if high == 0 {
		high = perNode
	}
	scale := c.scale(sums, high)
	d := open("flows", flowWidth, high, c.Title, c.Words)
	tops := [2][]float64{stack(sums[0], scale), stack(sums[1], scale)}
	out := [2][]float64{append([]float64(nil), tops[0]...), append([]float64(nil), tops[1]...)}
	for _, s := range c.Streams {
		if v := max(0, finite(s.Value)) * scale; v > 0 {
			stream(d, s, out[0][s.From], out[1][s.To], v)
			out[0][s.From] += v
			out[1][s.To] += v
		}
	}
	nodes(d, c.Left, sums[0], tops[0], scale, nameWidth, -8, "end")
	nodes(d, c.Right, sums[1], tops[1], scale, flowWidth-nameWidth-nodeWidth, nodeWidth+8, "start")
	return d.html()
}

func used(sums []float64) (n float64) {
	for _, s := range sums {
		if s > 0 {
			n++
		}
	}
	return n
}

// scale is how high one unit is drawn, so that the fuller column just fits.
func (c FlowChart) scale(sums [2][]float64, high float64) float64 {
	scale := math.Inf(1)
	for _, side := range sums {
		total := 0.0
		for _, s := range side {
			total += s
		}
		if total > 0 {
			scale = min(scale, (high-nodeGap*(used(side)-1))/total)
		}
	}
	return finite(scale)
}

// stack returns the top of each node.
func stack(sums []float64, scale float64) []float64 {
	tops, y := make([]float64, len(sums)), 0.0
	for i, s := range sums {
		tops[i] = y
		if s > 0 {
			y += s*scale + nodeGap
		}
	}
	return tops
}

// stream draws one stream as a band that bends from left to right.
func stream(d *drawing, s Stream, from, to, thick float64) {
	x0, x1 := nameWidth+nodeWidth, flowWidth-nameWidth-nodeWidth
	middle := number((x0 + x1) / 2)
	thick = max(thick, thinnest)
	if s.Link != "" {
		d.add(`<a href="%s">`, text(s.Link))
	}
	d.add(`<path class="stream %s" d="M%s,%s C%s,%s %s,%s %s,%s V%s C%s,%s %s,%s %s,%s Z"><title>%s</title></path>`, text(s.Class),
		number(x0), number(from), middle, number(from), middle, number(to), number(x1), number(to),
		number(to+thick), middle, number(to+thick), middle, number(from+thick), number(x0), number(from+thick), text(s.Label))
	if s.Link != "" {
		d.add(`</a>`)
	}
}

// nodes draws one column of nodes with their names beside them.
func nodes(d *drawing, names []string, sums, tops []float64, scale, x, aside float64, anchor string) {
	for i, name := range names {
		if sums[i] <= 0 {
			continue
		}
		tall := max(thinnest, sums[i]*scale)
		d.add(`<rect class="node" x="%s" y="%s" width="%s" height="%s"/>`, number(x), number(tops[i]), number(nodeWidth), number(tall))
		d.add(`<text class="name" dominant-baseline="middle" text-anchor="%s" x="%s" y="%s">%s</text>`, anchor, number(x+aside), number(tops[i]+tall/2), text(name))
	}
}
