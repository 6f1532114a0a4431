package segment

import (
	"cmp"
	"slices"
)

// Move counts the customers who went from one segment to another between two moments; those who stayed have From equal
// to To.
type Move struct {
	From      string `json:"from"` // empty: had no membership before
	To        string `json:"to"`   // empty: has none any more
	Customers int    `json:"customers"`
}

// Movement counts moves one customer at a time.
type Movement map[Move]int

// Add counts one customer.
func (m Movement) Add(from, to string) { m[Move{From: from, To: to}]++ }

// Moves returns the counts in the order of the segments; newcomers come first, those who left come last.
func (m Movement) Moves() []Move {
	moves := make([]Move, 0, len(m))
	for move, n := range m {
		moves = append(moves, Move{From: move.From, To: move.To, Customers: n})
	}
	order := idsOf(definitions[:])
	slices.SortFunc(moves, func(a, b Move) int { return inOrder(order, a, b) })
	return moves
}

// inOrder compares moves by where their segments stand in an order. From none comes first, to none comes last, and what
// the order does not know comes after what it does, by name.
func inOrder(order []string, a, b Move) int {
	place := func(id string, none int) int {
		if id == "" {
			return none
		}
		if at := slices.Index(order, id); at >= 0 {
			return at
		}
		return len(order)
	}
	return cmp.Or(
		place(a.From, -1)-place(b.From, -1), cmp.Compare(a.From, b.From),
		place(a.To, len(order)+1)-place(b.To, len(order)+1), cmp.Compare(a.To, b.To),
	)
}

// Compare counts the moves between two memberships, segment by person.
func Compare(before, after map[int64]string) []Move {
	m := Movement{}
	for person, to := range after {
		m.Add(before[person], to)
	}
	for person, from := range before {
		if _, ok := after[person]; !ok {
			m.Add(from, "")
		}
	}
	return m.Moves()
}
