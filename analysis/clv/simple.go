package clv

import (
	"fmt"
	"math"
)

// Simple is the formula for shops too small for a model: average value times frequency times lifespan, with churn and a
// discount rate (Berger & Nasr 1998, J. Interactive Marketing 12; Gupta & Lehmann 2003, same 17). Every customer has the
// shop's averages; only how long ago he ordered tells customers apart.
type Simple struct {
	AverageOrder  float64 `json:"average_order"`   // revenue / orders, in the unit of money that is asked for
	OrdersPerYear float64 `json:"orders_per_year"` // of one customer while he is one
	Churn         float64 `json:"churn"`           // the part of the customers who leave within a year, 0 to 1
	DiscountRate  float64 `json:"discount_rate"`   // a year, e.g. 0.1; below 0 counts as 0
	MarginRate    float64 `json:"margin_rate"`     // contribution margin / revenue; 1 for revenue as it is
}

const daysPerYear = 365

// longestLife is the lifespan in years beyond which nothing is promised, even where no churn has been seen; this project's
// own choice.
const longestLife = 5

// leastExposure keeps the frequency of customers seen for some days only from being projected to a year of such days.
const leastExposure = 30

// NewSimple takes averages from customers as of a day: OrdersPerYear is that of all customers together, 365 times their
// repeats / their days since the first order, each customer counted for 30 days at least. It fails on figures that
// cannot be: a churn outside of 0 to 1, an average or margin that is not finite.
func NewSimple(stats []Stats, averageOrder, churn, discountRate float64) (Simple, error) {
	s := Simple{AverageOrder: averageOrder, Churn: churn, DiscountRate: max(0, discountRate), MarginRate: 1}
	var repeats, days int64
	for _, c := range stats {
		if c.Age < 0 {
			continue
		}
		repeats += int64(c.Repeats)
		days += int64(max(c.Age, leastExposure))
	}
	if days > 0 {
		s.OrdersPerYear = daysPerYear * float64(repeats) / float64(days)
	}
	return s, s.Check()
}

// Check says which figure cannot be.
func (s Simple) Check() error {
	for _, f := range []struct {
		name      string
		value     float64
		low, high float64
	}{
		{"average order", s.AverageOrder, -math.MaxFloat64, math.MaxFloat64},
		{"orders per year", s.OrdersPerYear, 0, math.MaxFloat64},
		{"churn", s.Churn, 0, 1},
		{"discount rate", s.DiscountRate, 0, math.MaxFloat64},
		{"margin rate", s.MarginRate, -math.MaxFloat64, math.MaxFloat64},
	} {
		if math.IsNaN(f.value) || f.value < f.low || f.value > f.high {
			return fmt.Errorf("simple lifetime value: %s cannot be %v", f.name, f.value)
		}
	}
	return nil
}

// AnnualChurn turns the churn of a shorter period into a year's: 1 - (1 - churn)^(365/days).
func AnnualChurn(churn, days float64) float64 {
	return 1 - math.Pow(1-min(1, max(0, churn)), daysPerYear/max(1, days))
}

// Lifespan is how many years a customer is expected to stay: 1 / churn, at most 5 years.
func (s Simple) Lifespan() float64 {
	if s.Churn*longestLife <= 1 {
		return longestLife
	}
	return 1 / s.Churn
}

// Lifetime is average value * frequency * lifespan * margin rate, not discounted: the formula of the textbooks.
func (s Simple) Lifetime() float64 {
	return s.AverageOrder * s.OrdersPerYear * s.Lifespan() * s.MarginRate
}

// Value is what a customer of today brings in so many days: orders come evenly while customers leave evenly and money
// loses worth, AverageOrder * OrdersPerYear * MarginRate * integral from 0 to h of e^(-(c+d)t) dt in years, with
// c = -ln(1 - Churn) and d = ln(1 + DiscountRate). Nothing beyond 5 years is counted, however many the days.
func (s Simple) Value(days float64) float64 {
	return s.AverageOrder * s.MarginRate * s.Discounted(Stats{}, days, s.DiscountRate)
}

// Spend is what an order is worth, for a Predictor: the customer's own mean and the shop's average order, the latter with
// the weight of one order.
func (s Simple) Spend() SpendFit { return SpendFit{Average: s.AverageOrder, Converged: true} }

// Alive is the probability that a customer who last ordered so long ago has not left, at the shop's churn:
// (1 - Churn)^(years since the last order).
func (s Simple) Alive(c Stats) float64 {
	return math.Pow(1-s.Churn, float64(max(0, c.Age-c.Last))/daysPerYear)
}

// Expected are the orders expected of a customer in so many days, 5 years at most.
func (s Simple) Expected(c Stats, days float64) float64 { return s.Discounted(c, days, 0) }

// Discounted is Expected with every order worth (1 + annualRate)^(-years until it).
func (s Simple) Discounted(c Stats, days, annualRate float64) float64 {
	if days <= 0 {
		return 0
	}
	force := math.Log1p(max(0, annualRate)) - math.Log1p(-s.Churn) // infinite where everybody leaves at once
	years := min(days/daysPerYear, longestLife)
	switch {
	case math.IsInf(force, 1):
		return 0
	case force > 0:
		years = -math.Expm1(-force*years) / force
	}
	return s.Alive(c) * s.OrdersPerYear * years
}
