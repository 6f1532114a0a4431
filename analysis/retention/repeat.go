package retention

import (
	"fmt"
	"math"
	"slices"
)

// Tally counts customers by how often they bought.
//
// SQL: SELECT orders, days, count(*), sum(revenue) ... GROUP BY orders, days over the per-customer aggregates: a few
// thousand rows.
type Tally struct {
	Orders    int   // counted orders, at least 1
	Days      int   // different local days among them
	Customers int   // with exactly so many
	Revenue   int64 // of those customers
}

// Repeat tells how many customers come back.
type Repeat struct {
	Customers, Orders int
	Revenue           int64
	ByOrders          Share   // customers with two or more orders
	ByDays            Share   // customers who bought on two or more days; orders of one day are one visit
	OrdersPerCustomer float64 // Orders / Customers
	AverageOrder      float64 // Revenue / Orders, in ten-thousandths
	// Ladder[k] is, of those with k+1 orders, the share who placed another by now. It is not corrected for customers
	// who have not had the time yet; KaplanMeier is.
	Ladder []Share
}

// ladderSteps is how far the ladder goes.
const ladderSteps = 10

// Repeats sums up tallies. Of no customers everything is zero.
func Repeats(tallies []Tally) (Repeat, error) {
	var r Repeat
	var byOrders, byDays int
	reached := make([]int, ladderSteps+2) // customers with at least so many orders
	for _, t := range tallies {
		if t.Orders < 1 || t.Days < 1 || t.Days > t.Orders || t.Customers < 0 {
			return Repeat{}, fmt.Errorf("repeat rate: %d customers with %d orders on %d days", t.Customers, t.Orders, t.Days)
		}
		r.Customers += t.Customers
		r.Orders += t.Customers * t.Orders
		r.Revenue += t.Revenue
		if t.Orders > 1 {
			byOrders += t.Customers
		}
		if t.Days > 1 {
			byDays += t.Customers
		}
		for k := range min(t.Orders, ladderSteps+1) {
			reached[k+1] += t.Customers
		}
	}
	r.ByOrders, r.ByDays = NewShare(byOrders, r.Customers), NewShare(byDays, r.Customers)
	if r.Customers > 0 {
		r.OrdersPerCustomer = float64(r.Orders) / float64(r.Customers)
		r.AverageOrder = float64(r.Revenue) / float64(r.Orders)
	}
	for k := 1; k <= ladderSteps && reached[k] > 0; k++ {
		r.Ladder = append(r.Ladder, NewShare(reached[k+1], reached[k]))
	}
	return r, nil
}

// TopShare returns which part of all revenue the best customers bring: the ceil(part * customers) who spent most. It
// needs one amount per customer, in any order, and leaves them as they are. Where all revenue together is not positive,
// ok is false.
func TopShare(revenue []int64, part float64) (share float64, ok bool) {
	sorted := slices.Clone(revenue)
	slices.Sort(sorted)
	var all, best int64
	for _, amount := range sorted {
		all += amount
	}
	count := min(len(sorted), max(0, int(math.Ceil(part*float64(len(sorted))))))
	for _, amount := range sorted[len(sorted)-count:] {
		best += amount
	}
	if all <= 0 {
		return 0, false
	}
	return float64(best) / float64(all), true
}
