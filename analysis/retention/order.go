package retention

import (
	"cmp"
	"slices"
)

// Order is one counted order of a known person.
type Order struct {
	Person         int64
	Place          int64 // tells orders of one person and day apart: the earlier the smaller (moment, then number)
	Day            int32
	Revenue        int64
	Margin, Costed int64
	Key            string // what stickiness asks for; that of the first order counts
}

// Counts are what the questions of this package take, made from single orders.
type Counts struct {
	Cells     []Cell
	Visits    []Visit
	Sales     []Sale // without those of unknown buyers
	Tallies   []Tally
	Waits     []Wait // by purchase days
	Gaps      []Gap
	Pairs     []Pair
	Newcomers []Newcomers
	All       Newcomers
}

// Question is what Count needs to know beside the orders.
type Question struct {
	Unit   Unit
	Window Window // orders outside of it are left out
	Within int32  // days within which a newcomer's second order counts as staying
}

// Count makes all counts from single orders, in any order. It needs memory for a copy of them.
func Count(orders []Order, q Question) Counts {
	sorted := slices.DeleteFunc(slices.Clone(orders), func(o Order) bool {
		return o.Day >= q.Window.AsOf || q.Window.From != 0 && o.Day < q.Window.From
	})
	slices.SortFunc(sorted, func(a, b Order) int {
		return cmp.Or(cmp.Compare(a.Person, b.Person), cmp.Compare(a.Day, b.Day), cmp.Compare(a.Place, b.Place))
	})
	c := counter{Question: q}
	c.cells, c.visits, c.sales = map[Cell]*Cell{}, map[Visit]*Visit{}, map[Sale]*Sale{}
	c.tallies, c.waits, c.gaps, c.pairs, c.keys = map[Tally]*Tally{}, map[Wait]int{}, map[int32]int{}, map[Pair]int{}, map[string]*Newcomers{}
	for len(sorted) > 0 {
		n := slices.IndexFunc(sorted, func(o Order) bool { return o.Person != sorted[0].Person })
		if n < 0 {
			n = len(sorted)
		}
		c.person(sorted[:n])
		sorted = sorted[n:]
	}
	return c.counts()
}

// counter holds the groups; keys are the groups' own rows without their sums.
type counter struct {
	Question
	cells   map[Cell]*Cell
	visits  map[Visit]*Visit
	sales   map[Sale]*Sale
	tallies map[Tally]*Tally
	waits   map[Wait]int
	gaps    map[int32]int
	pairs   map[Pair]int
	keys    map[string]*Newcomers
	all     Newcomers
}

// at returns the row of a group, made when first asked for.
func at[K comparable, V any](groups map[K]*V, key K, fresh V) *V {
	row := groups[key]
	if row == nil {
		row = new(V)
		*row = fresh
		groups[key] = row
	}
	return row
}

// person counts one person's orders, in order.
func (c *counter) person(orders []Order) {
	first := orders[0]
	cohort := c.Unit.Start(c.Unit.Of(first.Day))
	var days []int32
	var revenue int64
	previous, seen := Visit{New: true}, map[Sale]bool{}
	var visit *Visit
	for i, o := range orders {
		amounts := Amounts{Orders: 1, Revenue: o.Revenue, Margin: o.Margin, Costed: o.Costed}
		period := c.Unit.Start(c.Unit.Of(o.Day))
		cell := at(c.cells, Cell{Cohort: cohort, Period: period}, Cell{Cohort: cohort, Period: period})
		if visit == nil || visit.Period != period {
			key := Visit{Period: period, Previous: previous.Period, New: previous.New}
			visit = at(c.visits, key, key)
			visit.Customers++
			cell.Customers++
			previous = Visit{Period: period}
		}
		cell.Amounts, visit.Amounts = cell.Add(amounts), visit.Add(amounts)
		sale := Sale{Period: period, Buyer: Returning}
		if i == 0 {
			sale.Buyer = New
		}
		row := at(c.sales, sale, sale)
		if !seen[sale] {
			seen[sale] = true
			row.Customers++
		}
		row.Amounts = row.Add(amounts)
		if len(days) == 0 || days[len(days)-1] != o.Day {
			days = append(days, o.Day)
		}
		revenue += o.Revenue
	}
	tally := Tally{Orders: len(orders), Days: len(days)}
	row := at(c.tallies, tally, tally)
	row.Customers++
	row.Revenue += revenue
	c.rhythm(days)
	c.newcomer(orders)
}

// rhythm counts one person's purchase days.
func (c *counter) rhythm(days []int32) {
	wait := Wait{Days: c.Window.AsOf - 1 - days[0]}
	if len(days) > 1 {
		wait = Wait{Days: days[1] - days[0], Again: true}
	}
	c.waits[wait]++
	for i := range len(days) - 1 {
		c.gaps[days[i+1]-days[i]]++
	}
	if n := len(days); n > 2 {
		c.pairs[Pair{Earlier: days[n-2] - days[n-3], Later: days[n-1] - days[n-2]}]++
	}
}

func (c *counter) newcomer(orders []Order) {
	first := orders[0]
	for _, n := range []*Newcomers{&c.all, at(c.keys, first.Key, Newcomers{Key: first.Key})} {
		switch {
		case first.Day+c.Within >= c.Window.AsOf:
			n.Young++
		case len(orders) > 1 && orders[1].Day-first.Day <= c.Within:
			n.Returned++
			n.Observed++
		default:
			n.Observed++
		}
	}
}

// counts writes the groups down. Their order means nothing.
func (c *counter) counts() Counts {
	out := Counts{All: c.all, Cells: rows(c.cells), Visits: rows(c.visits), Sales: rows(c.sales), Tallies: rows(c.tallies), Newcomers: rows(c.keys)}
	for w, n := range c.waits {
		w.Customers = n
		out.Waits = append(out.Waits, w)
	}
	for days, n := range c.gaps {
		out.Gaps = append(out.Gaps, Gap{Days: days, Count: n})
	}
	for p, n := range c.pairs {
		p.Customers = n
		out.Pairs = append(out.Pairs, p)
	}
	return out
}

func rows[K comparable, V any](groups map[K]*V) []V {
	out := make([]V, 0, len(groups))
	for _, row := range groups {
		out = append(out, *row)
	}
	return out
}
