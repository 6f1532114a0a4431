package segment

import "slices"

// Flow is one cell of the matrix of moves.
type Flow struct {
	From      string  `json:"from"` // empty: had no membership before
	To        string  `json:"to"`   // empty: has none any more
	Customers int     `json:"customers"`
	Money     int64   `json:"money"` // of those customers, in ten-thousandths of the currency; what it is the caller decides
	Share     float64 `json:"share"` // of the customers of From, 0 to 1
}

// Matrix counts who went from where to where between two days, with the money of those who did. Those who stayed are in it,
// with From equal to To. Customers of a row add up to the segment's customers before, those of a column to those after.
type Matrix struct {
	order []string
	cells map[[2]string]*Flow
}

// NewMatrix returns an empty matrix whose flows are listed in the order of the segments given.
func NewMatrix(order []string) *Matrix {
	return &Matrix{order: slices.Clone(order), cells: map[[2]string]*Flow{}}
}

// Add counts one customer and their money, in ten-thousandths. Empty segments are none; nobody goes from none to none.
func (m *Matrix) Add(from, to string, money int64) {
	m.AddFlow(Flow{From: from, To: to, Customers: 1, Money: money})
}

// AddFlow counts many customers at once, with their money together. Their share is made anew.
func (m *Matrix) AddFlow(f Flow) {
	if f.From == "" && f.To == "" {
		return
	}
	cell := m.cells[[2]string{f.From, f.To}]
	if cell == nil {
		cell = &Flow{From: f.From, To: f.To}
		m.cells[[2]string{f.From, f.To}] = cell
	}
	cell.Customers += f.Customers
	cell.Money += f.Money
}

// Flows returns the cells that are not empty, in the order of the segments: newcomers first, those who left last, segments
// that the order does not know after those that it does, by name.
func (m *Matrix) Flows() []Flow {
	flows := make([]Flow, 0, len(m.cells))
	total := map[string]int{}
	for _, cell := range m.cells {
		flows = append(flows, *cell)
		total[cell.From] += cell.Customers
	}
	for i := range flows {
		flows[i].Share = float64(flows[i].Customers) / float64(total[flows[i].From])
	}
	slices.SortFunc(flows, func(a, b Flow) int {
		return inOrder(m.order, Move{From: a.From, To: a.To}, Move{From: b.From, To: b.To})
	})
	return flows
}

// Moves returns the counts alone, in the same order.
func (m *Matrix) Moves() []Move {
	var moves []Move
	for _, f := range m.Flows() {
		moves = append(moves, Move{From: f.From, To: f.To, Customers: f.Customers})
	}
	return moves
}

// History is who was in which segment when.
type History []Interval

// Between returns the matrix between two days; money gives a person's money in ten-thousandths, and may be nil.
func (h History) Between(before, after int, order []string, money func(person int64) int64) *Matrix {
	m := NewMatrix(order)
	from, to := On(h, before), On(h, after)
	of := func(person int64) int64 {
		if money == nil {
			return 0
		}
		return money(person)
	}
	for person, segment := range to {
		m.Add(from[person], segment, of(person))
	}
	for person, segment := range from {
		if _, stands := to[person]; !stands {
			m.Add(segment, "", of(person))
		}
	}
	return m
}
