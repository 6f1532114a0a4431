// Package retention tells who comes back: cohorts by first order, the repeat rate, the time to a second order, retention
// and churn from one period to the next, how many newcomers stay by what they began with, the rhythm of buying, and how
// much of the revenue is from newcomers.
//
// Every question takes counts that a database makes with one GROUP BY, a few hundred to a few hundred thousand rows
// whatever the size of the shop; Count makes the same from single orders, for small shops, past days and as the oracle of
// those queries. Days are local days of the shop, counted since 1970-01-01; amounts are ten-thousandths of its currency.
// The order of rows never matters. Functions fail only on counts that contradict themselves, naming the row.
package retention

// Amounts sum up orders.
type Amounts struct {
	Orders  int
	Revenue int64 // on the basis that the shop uses: net or gross
	Margin  int64 // Costed minus the cost of what was sold: contribution margin, of the costed part alone
	Costed  int64 // the part of Revenue whose cost is known
}

// Add returns the sum of both.
func (a Amounts) Add(b Amounts) Amounts {
	return Amounts{
		Orders: a.Orders + b.Orders, Revenue: a.Revenue + b.Revenue,
		Margin: a.Margin + b.Margin, Costed: a.Costed + b.Costed,
	}
}

// Less returns what is left without b.
func (a Amounts) Less(b Amounts) Amounts {
	return Amounts{
		Orders: a.Orders - b.Orders, Revenue: a.Revenue - b.Revenue,
		Margin: a.Margin - b.Margin, Costed: a.Costed - b.Costed,
	}
}

// Window is what is known: orders from the day From on (0 where all are known) and before the day AsOf.
type Window struct{ From, AsOf int32 }

// Unit is a kind of period.
type Unit string

// The units. A week begins on Monday.
const (
	Month Unit = "month"
	Week  Unit = "week"
)

// complete says whether a period is over as of the window's end.
func (w Window) complete(unit Unit, period int32) bool { return unit.Start(period+1) <= w.AsOf }

// whole says whether all orders of a period are known from its beginning on.
func (w Window) whole(unit Unit, period int32) bool {
	return w.From == 0 || unit.Start(period) >= w.From
}

// last is the period that the window's last day belongs to.
func (w Window) last(unit Unit) int32 { return unit.Of(w.AsOf - 1) }
