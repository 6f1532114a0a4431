package clv

import (
	"math"
)

// Historic is what a customer has brought so far. Amounts are ten-thousandths of the shop's currency.
type Historic struct {
	Revenue int64 // on the basis that the shop uses: net or gross
	Costed  int64 // the part of it whose cost is known
	Margin  int64 // contribution margin of that part: Costed - cost of what was sold
}

// MarginRate is Margin / Costed; not ok where no cost is known, or what it is known of brought nothing.
func (h Historic) MarginRate() (rate float64, ok bool) {
	if h.Costed <= 0 {
		return 0, false
	}
	return float64(h.Margin) / float64(h.Costed), true
}

// Covered is the part of the revenue whose cost is known, 0 to 1; 0 where there is no revenue.
func (h Historic) Covered() float64 {
	if h.Revenue <= 0 {
		return 0
	}
	return min(1, max(0, float64(h.Costed)/float64(h.Revenue)))
}

// Forecaster is what foretells orders: a Model or Simple.
type Forecaster interface {
	Alive(s Stats) float64
	Expected(s Stats, days float64) float64
	Discounted(s Stats, days, annualRate float64) float64
}

// together is a Forecaster that says all three at once for less.
type together interface {
	foretell(s Stats, days, annualRate float64) (alive, orders, discounted float64)
}

// Predictor foretells values: orders by a forecaster times the worth of an order.
type Predictor struct {
	Orders Forecaster
	Spend  SpendFit
	// AnnualRate is what money loses a year, e.g. 0.1; see AnnualRate for a monthly one. 0 does not discount.
	AnnualRate float64
	// MarginRate turns revenue into contribution margin; 1 for revenue as it is.
	MarginRate float64
}

// Prediction is what one customer is expected to do in so many days.
type Prediction struct {
	Alive      float64 `json:"alive"`       // P(alive); the churn probability is the rest
	Orders     float64 `json:"orders"`      // expected days with an order
	OrderValue float64 `json:"order_value"` // expected value of one of them, in the unit of the mean that was given
	Value      float64 `json:"value"`       // Orders * OrderValue * MarginRate
	Discounted float64 `json:"discounted"`  // the same with later orders worth less: expected lifetime value to come
}

// Predict foretells a customer's next days. mean is the mean value of the repeat purchase days, 0 without repeats: it must
// be in the unit that Spend was fitted in. Days may be infinite; where a value then has no bound it is +Inf.
func (p Predictor) Predict(s Stats, mean, days float64) Prediction {
	worth := p.Spend.Expected(s.Repeats, mean)
	out := Prediction{OrderValue: worth}
	var discounted float64
	if m, ok := p.Orders.(together); ok {
		out.Alive, out.Orders, discounted = m.foretell(s, days, p.AnnualRate)
	} else {
		out.Alive, out.Orders, discounted = p.Orders.Alive(s), p.Orders.Expected(s, days), p.Orders.Discounted(s, days, p.AnnualRate)
	}
	out.Value = times(out.Orders, worth*p.MarginRate)
	out.Discounted = times(discounted, worth*p.MarginRate)
	return out
}

// times is a product in which nothing times infinity is nothing.
func times(a, b float64) float64 {
	if a == 0 || b == 0 {
		return 0
	}
	return a * b
}

// AnnualRate turns a monthly discount rate into a year's: (1 + monthly)^12 - 1.
func AnnualRate(monthly float64) float64 { return math.Expm1(12 * math.Log1p(monthly)) }

// MonthDays are the days of a month in Monthly: a twelfth of 52 weeks.
const MonthDays = 7 * 52.0 / 12

// Monthly is the discounted number of orders in so many months as spreadsheets and other tools count it: the orders of each
// month are discounted by its end, sum over m of (E(m) - E(m-1)) / (1 + monthlyRate)^m. Discounted counts every order on
// its own day and is a little higher. It asks for as many expectations as there are months.
func Monthly(f Forecaster, s Stats, months int, monthlyRate float64) float64 {
	var sum, before float64
	factor := 1.0
	for m := 1; m <= months; m++ {
		upTo := f.Expected(s, float64(m)*MonthDays)
		factor /= 1 + monthlyRate
		sum += (upTo - before) * factor
		before = upTo
	}
	return sum
}

// NextOrder is when a customer's next order is expected, given that one comes. Days are local days since 1970-01-01.
type NextOrder struct {
	Day       int32 `json:"day"`        // by which it has come with probability 1/2
	Early     int32 `json:"early"`      // with 1/10 and 9/10: an interval of 80 %
	Late      int32 `json:"late"`       // with 1/10 and 9/10: an interval of 80 %
	LateKnown bool  `json:"late_known"` // false where fewer than 9 in 10 such customers order again at all
}

// farthest keeps days countable: a hundred years are never.
const farthest = 100 * daysPerYear

// Next foretells the next order as of a day. It is not ok where fewer than half of such customers order again.
func Next(m Model, s Stats, asOf int32) (next NextOrder, ok bool) {
	if next.Day, ok = NextDay(m, s, asOf, 0.5); !ok {
		return NextOrder{}, false
	}
	next.Early, _ = NextDay(m, s, asOf, 0.1)
	next.Late, next.LateKnown = NextDay(m, s, asOf, 0.9)
	return next, true
}

// NextDay is the day by which the next order has come with probability p. It is not ok where fewer such customers order again.
func NextDay(m Model, s Stats, asOf int32, p float64) (day int32, ok bool) {
	days, ok := m.NextOrder(s, p)
	if !ok || !(days <= farthest) {
		return 0, false
	}
	return asOf + int32(days), true
}
