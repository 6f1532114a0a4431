package clv

import (
	"cmp"
	"fmt"
	"math"
	"slices"
)

// Case is one customer in a backtest: what was known on the calibration day and what came after it. Values are in any one
// unit of money, of purchase days: orders of one day are one.
//
// SQL: over counted orders before the end of the holdout, GROUP BY person, day first; then GROUP BY person with
// count/min/max(day) FILTER (WHERE day <= calibration), sum(ln(day - lag(day)) - ln(7)) over repeats, and count and sum
// FILTER (WHERE day > calibration): one row per customer.
type Case struct {
	// Stats as of the calibration day, which is the last day that counts as known. Age is calibration day - first day: below
	// zero for someone who became a customer only after it.
	Stats
	Mean   float64 // mean value of the repeat purchase days up to then; 0 without repeats
	Past   float64 // value of all purchases up to then
	Orders int     // purchase days in the holdout
	Value  float64 // their value
}

// Purchase is what one customer bought on one day.
type Purchase struct {
	Day   int32
	Value float64
}

// NewCase makes a case of one customer's purchases, in any order, several on a day being one: up to the calibration day
// they are known, after it and up to the end day they are the holdout. Without any purchase up to the end ok is false.
func NewCase(purchases []Purchase, calibration, end int32) (c Case, ok bool) {
	sorted := slices.DeleteFunc(slices.Clone(purchases), func(p Purchase) bool { return p.Day > end })
	slices.SortFunc(sorted, func(a, b Purchase) int { return cmp.Or(cmp.Compare(a.Day, b.Day), cmp.Compare(a.Value, b.Value)) })
	if len(sorted) == 0 {
		return Case{}, false
	}
	first, last := sorted[0].Day, sorted[0].Day
	c.Age = calibration - first
	repeated := 0.0
	for i, p := range sorted {
		another := i == 0 || p.Day != sorted[i-1].Day
		if p.Day > calibration {
			c.Value += p.Value
			if another {
				c.Orders++
			}
			continue
		}
		c.Past += p.Value
		if p.Day == first {
			continue
		}
		repeated += p.Value
		if another {
			c.Repeats++
			c.LogGaps += math.Log(weeks(float64(p.Day - last)))
			last = p.Day
		}
	}
	c.Last = last - first
	if c.Repeats > 0 {
		c.Mean = repeated / float64(c.Repeats)
	}
	if c.Age < 0 {
		c.Last = 0
	}
	return c, true
}

// Holdout is a shop's customers with a period kept back. Nothing in it depends on the order of the cases.
type Holdout struct {
	Cases []Case
	Days  int // length of the holdout
}

// HoldoutDays is how many of a history's last days are kept back: a third, at most a year.
func HoldoutDays(history int) int { return min(history/3, 365) }

// Evaluation is what a backtest found.
type Evaluation struct {
	Days      int           `json:"days"`      // length of the holdout
	Span      int           `json:"span"`      // length of the calibration period: the oldest customer's age
	Customers int           `json:"customers"` // compared
	Late      int           `json:"late"`      // became customers after the calibration day, so nothing could be foretold of them: left out
	Orders    []Metrics     `json:"orders"`
	Value     []Metrics     `json:"value"` // forecasts by model, each in the order given, then the naive ones
	Models    []Calibration `json:"models"`
}

// Calibration compares one model with what happened, by groups of customers.
type Calibration struct {
	Kind      Kind        `json:"kind"`
	Frequency []Frequency `json:"frequency"`
	Alive     []AliveBin  `json:"alive"`
	// ByConstruction counts customers whose P(alive) is 1 because of the model's form and not of what they did.
	ByConstruction int `json:"by_construction"`
}

// Backtest holds models that were fitted to the calibration period against the holdout, beside the naive forecasts. The
// value of a customer is the orders that the model expects times what spend expects of one order. It fails on cases that
// cannot be, naming the field, and never because customers are late, few or alike.
func Backtest(h Holdout, models []Model, spend SpendFit) (Evaluation, error) {
	b, err := newBacktest(h)
	if err != nil {
		return Evaluation{}, err
	}
	return b.evaluate(models, spend)
}

// backtest is a holdout in the order of stats, so that equal customers are asked about once.
type backtest struct {
	cases         []Case
	days          float64
	span          int32
	late          int
	orders, value []float64 // actual
}

func newBacktest(h Holdout) (*backtest, error) {
	if h.Days < 1 {
		return nil, fmt.Errorf("backtest: a holdout of %d days", h.Days)
	}
	b := &backtest{days: float64(h.Days), cases: make([]Case, 0, len(h.Cases))}
	for _, c := range h.Cases {
		if c.Age < 0 {
			b.late++
			continue
		}
		if err := c.check(h.Days); err != nil {
			return nil, fmt.Errorf("backtest: %w", err)
		}
		b.cases = append(b.cases, c)
		b.span = max(b.span, c.Age)
	}
	slices.SortFunc(b.cases, compareCases)
	b.lay()
	return b, nil
}

// lay writes down what happened.
func (b *backtest) lay() {
	b.orders, b.value = make([]float64, len(b.cases)), make([]float64, len(b.cases))
	for i, c := range b.cases {
		b.orders[i], b.value[i] = float64(c.Orders), c.Value
	}
}

func (c Case) check(days int) error {
	if err := c.Check(); err != nil {
		return err
	}
	if c.Orders < 0 || c.Orders > days {
		return fmt.Errorf("case: Orders is %d in %d days", c.Orders, days)
	}
	if sum := c.Mean + c.Past + c.Value; math.IsNaN(sum) || math.IsInf(sum, 0) {
		return fmt.Errorf("case: values %v, %v, %v are not finite", c.Mean, c.Past, c.Value)
	}
	return nil
}

// compareCases orders by everything, so that no sum depends on the order of the rows.
func compareCases(a, b Case) int {
	return cmp.Or(compareStats(a.Stats, b.Stats), cmp.Compare(a.Mean, b.Mean), cmp.Compare(a.Orders, b.Orders),
		cmp.Compare(a.Value, b.Value), cmp.Compare(a.Past, b.Past), cmp.Compare(a.LogGaps, b.LogGaps))
}

// sample keeps n of the cases: every (total/n)-th in order, nearly the same shares of every age, recency and spend.
func (b *backtest) sample(n int) *backtest {
	total := len(b.cases)
	if n >= total {
		return b
	}
	s := &backtest{days: b.days, span: b.span, late: b.late, cases: make([]Case, 0, n)}
	for i := range n {
		s.cases = append(s.cases, b.cases[(2*i+1)*total/(2*n)])
	}
	s.lay()
	return s
}

// groups are the stats of the calibration period, compressed.
func (b *backtest) groups() []Group {
	stats := make([]Stats, len(b.cases))
	for i, c := range b.cases {
		stats[i] = c.Stats
	}
	return Compress(stats)
}

// spends are what the calibration period tells of the worth of an order.
func (b *backtest) spends() []Spend {
	var all []Spend
	for _, c := range b.cases {
		if c.Repeats > 0 {
			all = append(all, Spend{Repeats: c.Repeats, Mean: c.Mean, N: 1})
		}
	}
	return all
}

// each asks once for all customers with equal stats.
func (b *backtest) each(answer func(Stats) float64) []float64 {
	all := make([]float64, len(b.cases))
	for i, c := range b.cases {
		if i > 0 && compareStats(b.cases[i-1].Stats, c.Stats) == 0 {
			all[i] = all[i-1]
			continue
		}
		all[i] = answer(c.Stats)
	}
	return all
}

func (b *backtest) expected(m Model) []float64 {
	return b.each(func(s Stats) float64 { return m.Expected(s, b.days) })
}

func (b *backtest) evaluate(models []Model, spend SpendFit) (Evaluation, error) {
	e := Evaluation{Days: int(b.days), Span: int(b.span), Customers: len(b.cases), Late: b.late}
	for _, m := range models {
		expected := b.expected(m)
		value := make([]float64, len(expected))
		for i, c := range b.cases {
			value[i] = expected[i] * spend.Expected(c.Repeats, c.Mean)
		}
		if err := e.measure(string(m.Kind()), b, expected, value); err != nil {
			return Evaluation{}, err
		}
		calibration := Calibration{Kind: m.Kind(), Frequency: byFrequency(b.cases, expected), Alive: byAlive(b.cases, b.each(m.Alive))}
		for _, c := range b.cases {
			if AliveByConstruction(m, c.Stats) {
				calibration.ByConstruction++
			}
		}
		e.Models = append(e.Models, calibration)
	}
	naive := b.naive()
	for _, name := range naiveOrders {
		orders := b.per(func(c Case) float64 { return naive.Orders(name, c.Stats, b.days) })
		if err := e.measure(name, b, orders, nil); err != nil {
			return Evaluation{}, err
		}
	}
	value := b.per(func(c Case) float64 { return naive.Value(c.Past, b.days) })
	if err := e.measure(NaivePast, b, nil, value); err != nil {
		return Evaluation{}, err
	}
	if err := e.measure(Hindsight, b, b.per(constant(b.orders)), b.per(constant(b.value))); err != nil {
		return Evaluation{}, err
	}
	return e, nil
}

// measure adds a forecast; nil is none.
func (e *Evaluation) measure(name string, b *backtest, orders, value []float64) error {
	if orders != nil {
		m, err := Measure(name, orders, b.orders)
		if err != nil {
			return err
		}
		e.Orders = append(e.Orders, m)
	}
	if value == nil {
		return nil
	}
	m, err := Measure(name, value, b.value)
	if err != nil {
		return err
	}
	e.Value = append(e.Value, m)
	return nil
}

func (b *backtest) naive() Naive {
	stats := make([]Stats, len(b.cases))
	for i, c := range b.cases {
		stats[i] = c.Stats
	}
	return NewNaive(stats)
}

func (b *backtest) per(forecast func(Case) float64) []float64 {
	all := make([]float64, len(b.cases))
	for i, c := range b.cases {
		all[i] = forecast(c)
	}
	return all
}

func constant(actual []float64) func(Case) float64 {
	sum := 0.0
	for _, a := range actual {
		sum += a
	}
	mean := sum / max(1, float64(len(actual)))
	return func(Case) float64 { return mean }
}
