package dashboard

import (
	"html/template"
	"slices"

	"github.com/perennial-cvo/perennial/analysis"
	"github.com/perennial-cvo/perennial/analysis/chart"
	"github.com/perennial-cvo/perennial/analysis/report"
	"github.com/perennial-cvo/perennial/analysis/segment"
)

// moveMatrix is a movement as a table: where people were down the side, where they are along the top.
type moveMatrix struct {
	report.Movement
	Chart   template.HTML // empty where nobody moved, or there is no up and down
	Thin    int           // moves that the chart leaves out
	Largest []moveCell    // moves, without those who stayed
	More    int           // smaller moves
	Columns []moveHead
	Rows    []moveRow
	All     int
}

type moveHead struct {
	Name      string
	Customers int
}

type moveRow struct {
	moveHead
	Cells []moveCell
}

// moveCell is everybody who made one move; nobody where Customers is 0.
type moveCell struct {
	report.Flow
	Address string // of the people
	Words   string
	Step    int // shade
}

// How many moves are told in words, and drawn: more would be threads that nobody can follow.
const (
	largestMoves = 10
	drawnMoves   = 40
)

// What those are called who were in no segment before, or are in none any more.
const (
	newHere = "New"
	gone    = "Gone"
)

// Matrix arranges a movement.
func (v *view) Matrix(m report.Movement) moveMatrix {
	x := moveMatrix{Movement: m}
	order := v.ranked(m)
	shade := 0.0
	for _, f := range m.Flows {
		if x.All += f.Customers; f.Direction != report.Stayed && f.From != "" {
			shade = max(shade, f.Share)
		}
	}
	cells := map[[2]string]moveCell{}
	for _, f := range m.Flows {
		c := moveCell{Flow: f, Words: report.Capital(f.Words(v.Currency())), Address: v.Link.Page("people", "scheme", m.Scheme, "from", f.From, "to", f.To, "before", m.From, "after", m.To)}
		if f.Direction != report.Stayed {
			if f.From != "" { // the share of newcomers is one of another whole
				c.Step = chart.Step(f.Share, shade)
			}
			x.Largest = append(x.Largest, c)
		}
		cells[[2]string{f.From, f.To}] = c
	}
	slices.SortStableFunc(x.Largest, func(a, b moveCell) int { return b.Customers - a.Customers })
	x.Chart, x.Thin = flowChart(x, order), max(0, len(x.Largest)-drawnMoves)
	x.More = max(0, len(x.Largest)-largestMoves)
	x.Largest = x.Largest[:len(x.Largest)-x.More]
	x.arrange(order, cells)
	return x
}

// arrange fills rows and columns, without those that are empty.
func (x *moveMatrix) arrange(order []moveEnd, cells map[[2]string]moveCell) {
	var columns []moveEnd
	for _, to := range order {
		head := moveHead{Name: to.name}
		if to.id == "" {
			head.Name = gone
		}
		for _, from := range order {
			head.Customers += cells[[2]string{from.id, to.id}].Customers
		}
		if head.Customers > 0 {
			columns = append(columns, to)
			x.Columns = append(x.Columns, head)
		}
	}
	for _, from := range order {
		row := moveRow{moveHead: moveHead{Name: from.name}}
		for _, to := range columns {
			cell := cells[[2]string{from.id, to.id}]
			row.Customers += cell.Customers
			row.Cells = append(row.Cells, cell)
		}
		if row.Customers > 0 {
			x.Rows = append(x.Rows, row)
		}
	}
}

// moveEnd is where a move begins or ends.
type moveEnd struct{ id, name string }

// ranked are the segments of a movement from the best to the worst, then those of other rules, then none.
func (v *view) ranked(m report.Movement) []moveEnd {
	names, definitions := map[string]string{}, []segment.Definition{}
	for _, r := range v.rowsOf(m.Scheme) {
		names[r.ID] = r.Name
		definitions = append(definitions, segment.Definition{ID: r.ID})
	}
	ids := analysis.Ranks(m.Scheme, definitions)
	for _, f := range m.Flows {
		for _, end := range []moveEnd{{f.From, f.FromName}, {f.To, f.ToName}} {
			if names[end.id] = end.name; end.id != "" && !slices.Contains(ids, end.id) {
				ids = append(ids, end.id)
			}
		}
	}
	order := make([]moveEnd, 0, len(ids)+1)
	for _, id := range ids {
		order = append(order, moveEnd{id, names[id]})
	}
	return append(order, moveEnd{"", newHere})
}

// rowsOf are the segments of a scheme.
func (v *view) rowsOf(scheme string) []report.SegmentRow {
	if scheme == analysis.SchemeRFM {
		return v.Report.Segments.Rows
	}
	for _, set := range v.Report.Sets {
		if set.Name == scheme {
			return set.Rows
		}
	}
	return nil
}

// flowChart draws who moved; those who stayed would hide them. Nothing in it is a link: forty threads are no way to walk with
// a keyboard, and the table has them all.
func flowChart(x moveMatrix, order []moveEnd) template.HTML {
	if len(order) < 3 || len(x.Largest) == 0 {
		return ""
	}
	c := chart.FlowChart{Title: x.Title + " from " + x.From + " to " + x.To, Words: "The largest move: " + x.Largest[0].Words + "."}
	at := map[string]int{}
	for i, end := range order {
		at[end.id] = i
		c.Left, c.Right = append(c.Left, end.name), append(c.Right, end.name)
	}
	c.Right[len(order)-1] = gone
	for _, cell := range x.Largest[:min(len(x.Largest), drawnMoves)] {
		c.Streams = append(c.Streams, chart.Stream{
			From: at[cell.From], To: at[cell.To], Value: float64(cell.Customers), Class: string(cell.Direction), Label: cell.Words,
		})
	}
	slices.SortStableFunc(c.Streams, func(a, b chart.Stream) int { return (a.From-b.From)*(len(order)+1) + a.To - b.To })
	return chart.Flows(c)
}

// Of where customers are expected to go next, so many are named, and none that is hardly likely.
const (
	nextMoves    = 3
	hardlyLikely = 0.01
)

// Likeliest are the next segments of a row that are worth a word.
func (v *view) Likeliest(c report.Chances) []report.NextChance {
	n := 0
	for n < min(len(c.Next), nextMoves) && (n == 0 || c.Next[n].Probability >= hardlyLikely) {
		n++
	}
	return c.Next[:n]
}

// MoneyWords says what the money of a movement is.
func (v *view) MoneyWords() string { return report.MoneyWords }
