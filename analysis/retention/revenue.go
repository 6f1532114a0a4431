package retention

import (
	"cmp"
	"fmt"
	"slices"
)

// Buyer says whose order it is.
type Buyer string

// The buyers. Unknown is an order that belongs to nobody: it has neither a customer nor an e-mail address.
const (
	New       Buyer = "new"       // the person's first order
	Returning Buyer = "returning" // any later order, on the same day or not
	Unknown   Buyer = "unknown"
)

// Sale counts orders of one period by buyer. Period may be any day of it.
//
// SQL: row_number() OVER (PARTITION BY person ORDER BY placed_at, order) = 1 as first, NULL persons apart; GROUP BY
// date_trunc(unit, day), buyer with count(DISTINCT person), count(*) and the sums: three rows a period.
type Sale struct {
	Period    int32
	Buyer     Buyer
	Customers int // different persons; 0 for unknown
	Amounts
}

// Revenue is one period's orders by buyer. A person whose first and second order are in one period is in both New and
// Returning.
type Revenue struct {
	Number, Start           int32
	New, Returning, Unknown Amounts
	NewCustomers            int
	ReturningCustomers      int
	// ReturningShare is returning revenue / (new + returning revenue), ok where that is positive and nothing negative.
	ReturningShare float64
	Defined        bool
	Complete       bool
	Whole          bool // orders are known from before the period on; else some returning ones are taken for new
}

// Revenues arranges sales by period, without gaps up to the window's last period.
func Revenues(sales []Sale, unit Unit, window Window) ([]Revenue, error) {
	if !unit.known() {
		return nil, fmt.Errorf("revenue by buyer: unit %q is neither month nor week", unit)
	}
	if len(sales) == 0 {
		return nil, nil
	}
	first := unit.Of(slices.MinFunc(sales, func(a, b Sale) int { return cmp.Compare(a.Period, b.Period) }).Period)
	all := make([]Revenue, max(0, window.last(unit)-first+1))
	for _, s := range sales {
		at := int(unit.Of(s.Period) - first)
		if at >= len(all) {
			return nil, fmt.Errorf("revenue by buyer: orders on day %d, after the end of what is known", s.Period)
		}
		r := &all[at]
		switch s.Buyer {
		case New:
			r.New, r.NewCustomers = r.New.Add(s.Amounts), r.NewCustomers+s.Customers
		case Returning:
			r.Returning, r.ReturningCustomers = r.Returning.Add(s.Amounts), r.ReturningCustomers+s.Customers
		case Unknown:
			r.Unknown = r.Unknown.Add(s.Amounts)
		default:
			return nil, fmt.Errorf("revenue by buyer: %q is no buyer", s.Buyer)
		}
	}
	for i := range all {
		r := &all[i]
		r.Number = first + int32(i)
		r.Start, r.Complete, r.Whole = unit.Start(r.Number), window.complete(unit, r.Number), window.whole(unit, r.Number)
		if known := r.New.Revenue + r.Returning.Revenue; known > 0 && r.New.Revenue >= 0 && r.Returning.Revenue >= 0 {
			r.ReturningShare, r.Defined = float64(r.Returning.Revenue)/float64(known), true
		}
	}
	return all, nil
}
