package chart

import "html/template"

// Column is one column of a chart, from the bottom up.
type Column struct {
	Name  string
	Parts []Part
}

// Part is one part of a column.
type Part struct {
	Value float64 // below 0 counts as 0
	Label string  // what it says of itself
	Link  string  // where it leads; empty: nowhere
}

// ColumnChart is columns of parts side by side.
type ColumnChart struct {
	Title, Words string
	Columns      []Column
	YLabel       func(float64) string
}

// labelled is how many names fit under the columns.
const labelled = 13

// Columns draws a chart of columns; the parts have the classes s0 to s7 from the bottom up.
func Columns(c ColumnChart) template.HTML {
	high := 0.0
	for _, column := range c.Columns {
		sum := 0.0
		for _, p := range column.Parts {
			sum += max(0, finite(p.Value))
		}
		high = max(high, sum)
	}
	all := ticks(high)
	f := frame{yHigh: all[len(all)-1]}
	d := open("columns", width, height, c.Title, c.Words)
	f.grid(d, high, c.YLabel)
	room := (width - left - right) / max(1, float64(len(c.Columns)))
	every := (len(c.Columns) + labelled - 1) / labelled
	for i, column := range c.Columns {
		x := left + room*float64(i)
		f.column(d, x+room*0.12, room*0.76, column)
		if (len(c.Columns)-1-i)%every == 0 { // the last one always has its name
			d.add(`<text class="tick" text-anchor="middle" x="%s" y="%s">%s</text>`, number(x+room/2), number(height-8), text(column.Name))
		}
	}
	return d.html()
}

func (f frame) column(d *drawing, x, wide float64, c Column) {
	below := 0.0
	for i, p := range c.Parts {
		v := max(0, finite(p.Value))
		if v == 0 {
			continue
		}
		if p.Link != "" {
			d.add(`<a href="%s">`, text(p.Link))
		}
		d.add(`<rect class="fill s%d" x="%s" y="%s" width="%s" height="%s"><title>%s</title></rect>`,
			i%8, number(x), number(f.y(below+v)), number(wide), number(f.y(below)-f.y(below+v)), text(p.Label))
		if p.Link != "" {
			d.add(`</a>`)
		}
		below += v
	}
}
