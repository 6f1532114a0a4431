package chart

import (
	"encoding/json"
	"slices"
	"strings"
)

// Units of the values of a chart that can be explored.
const (
	Plain = ""
	Parts = "%" // of one, told in per cent
)

// data is a chart as a script reads it that lets somebody explore it.
type data struct {
	Columns bool      `json:"columns,omitempty"`
	Title   string    `json:"title"`
	Unit    string    `json:"unit,omitempty"`
	Names   []string  `json:"names,omitempty"` // of the places along the bottom; else those are numbers
	X       []float64 `json:"x"`
	Rows    []row     `json:"rows"` // in the order in which they are drawn
	Says    []string  `json:"says"` // what each place says
}

// row are the values of one line, or of one part of all columns with those below it.
type row struct {
	Class int       `json:"class"`
	Y     []float64 `json:"y"`
	Low   []float64 `json:"low,omitempty"`
	High  []float64 `json:"high,omitempty"`
}

// Data is the chart as JSON for a script that lets somebody explore it; empty where there is nothing to explore.
func (c ColumnChart) Data(unit string) string {
	d := data{Columns: true, Title: c.Title, Unit: unit}
	for i, column := range c.Columns {
		d.X, d.Names = append(d.X, float64(i)), append(d.Names, column.Name)
		sum, says := 0.0, []string(nil)
		for j, p := range column.Parts {
			if j == len(d.Rows) {
				d.Rows = append(d.Rows, row{Class: j % 8, Y: make([]float64, len(c.Columns))})
			}
			sum += max(0, finite(p.Value))
			d.Rows[j].Y[i] = sum
			says = append(says, p.Label)
		}
		d.Says = append(d.Says, strings.Join(says, "; "))
	}
	slices.Reverse(d.Rows) // the lower parts cover the higher ones
	return d.json()
}

// Data is the chart as JSON for a script that lets somebody explore it; empty where there is nothing to explore, or where the
// lines do not stand over the same places.
func (c LineChart) Data(unit string) string {
	d := data{Title: c.Title, Unit: unit}
	for i, l := range c.Lines {
		r := row{Class: i % 8}
		for j, p := range l.Points {
			if i == 0 {
				d.X, d.Says = append(d.X, finite(p.X)), append(d.Says, p.Label)
			} else if j >= len(d.X) || d.X[j] != finite(p.X) {
				return ""
			} else {
				d.Says[j] += "; " + p.Label
			}
			r.Y = append(r.Y, finite(p.Y))
			if p.Ranged {
				r.Low, r.High = append(r.Low, finite(p.Low)), append(r.High, finite(p.High))
			}
		}
		if len(r.Y) != len(d.X) || len(r.Low) != 0 && len(r.Low) != len(r.Y) {
			return ""
		}
		d.Rows = append(d.Rows, r)
	}
	return d.json()
}

func (d data) json() string {
	if len(d.X) < 2 {
		return ""
	}
	text, err := json.Marshal(d)
	if err != nil {
		panic(err) // numbers are finite, and texts are texts
	}
	return string(text)
}
