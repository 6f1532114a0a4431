package retention

import (
	"fmt"
	"math"
	"slices"
	"sort"
)

// Wait counts customers by how long the second purchase took, or how long it has not come by now.
//
// SQL: over the per-customer aggregates, GROUP BY second_day IS NOT NULL, coalesce(second_day, as_of - 1) - first_day:
// two rows per day of history at most. Where second_day is the second different purchase day, the answer is by purchase
// days; with the day of the second order it is by orders, and a wait may be 0.
type Wait struct {
	Days      int32 // to the second purchase, or to the last day that is known (AsOf - 1)
	Again     bool  // the second purchase came
	Customers int
}

// Survival is the Kaplan-Meier estimate of the time to the second purchase: who became a customer lately counts for as
// long as he was seen (Kaplan & Meier 1958, JASA 53).
type Survival struct {
	Customers, Events int
	Steps             []Step // at every different number of days waited, ascending
	// Median is the time by which half have bought again.
	Median Quantile
}

// Step is the estimate on one day after the first order.
type Step struct {
	Day    int32
	AtRisk int // not back yet and still observed at the beginning of the day: waits of at least so many days
	Events int // who came back on that day
	// Waiting is S = product over days so far of (1 - events/at risk): the part of customers who have not bought again.
	Waiting float64
	// StdErr is Greenwood's (1926): S * sqrt(sum of events / (at risk * (at risk - events))); 0 where S is 0.
	StdErr float64
	// Low and High are the 95 % interval of Waiting on the scale of log(-log S), S^exp(+-z*StdErr/(S*|log S|)), which stays
	// within 0 and 1 (Kalbfleisch & Prentice 1980). Before the first event both are 1; where nobody is left they are 0 and
	// the last High.
	Low, High float64
}

// Again is the part of customers who have bought again by that day: 1 - Waiting.
func (s Step) Again() float64 { return 1 - s.Waiting }

// Quantile is the day by which a part of the customers has bought again.
type Quantile struct {
	Days    int32
	Reached bool // false: so many have not come back within what was observed, and Days means nothing
	// Low and High are the 95 % limits, from the days on which the interval of S crosses the same height (Brookmeyer &
	// Crowley 1982); HighReached is false where the upper limit is not reached.
	Low, High               int32
	LowReached, HighReached bool
}

// KaplanMeier estimates the time to the second purchase. Of no customers the estimate has no steps.
func KaplanMeier(waits []Wait) (Survival, error) {
	sorted := slices.Clone(waits)
	slices.SortFunc(sorted, func(a, b Wait) int { return int(a.Days) - int(b.Days) })
	var s Survival
	for _, w := range sorted {
		if w.Days < 0 || w.Customers < 0 {
			return Survival{}, fmt.Errorf("time to the second order: %d customers after %d days", w.Customers, w.Days)
		}
		s.Customers += w.Customers
		if n := len(s.Steps); n == 0 || s.Steps[n-1].Day != w.Days {
			s.Steps = append(s.Steps, Step{Day: w.Days})
		}
		step := &s.Steps[len(s.Steps)-1]
		step.AtRisk += w.Customers // those of this day alone, until estimate sums them up
		if w.Again {
			step.Events += w.Customers
			s.Events += w.Customers
		}
	}
	s.estimate()
	s.Median = s.Quantile(0.5)
	return s, nil
}

// estimate walks through the days; customers whose observation ends on a day were at risk on it.
func (s *Survival) estimate() {
	left, waiting, greenwood, high := s.Customers, 1.0, 0.0, 1.0
	for i := range s.Steps {
		step := &s.Steps[i]
		leaving := step.AtRisk
		step.AtRisk = left
		if step.Events > 0 {
			n, d := float64(left), float64(step.Events)
			waiting *= 1 - d/n
			if step.Events < left {
				greenwood += d / (n * (n - d))
			}
		}
		left -= leaving
		step.Waiting = waiting
		switch waiting {
		case 1:
			step.Low, step.High = 1, 1
		case 0:
			step.Low, step.High = 0, high
		default:
			step.StdErr = waiting * math.Sqrt(greenwood)
			wide := math.Exp(z95 * math.Sqrt(greenwood) / math.Abs(math.Log(waiting)))
			step.Low, step.High = math.Pow(waiting, wide), math.Pow(waiting, 1/wide)
			high = step.High
		}
	}
}

// At returns the estimate for a day after the first order: that of the last step up to it, with those at risk on the day
// itself. Beyond the longest wait nobody is at risk, and the estimate is the last one.
func (s Survival) At(day int32) Step {
	next := sort.Search(len(s.Steps), func(i int) bool { return s.Steps[i].Day >= day })
	atRisk := 0
	if next < len(s.Steps) {
		atRisk = s.Steps[next].AtRisk
		if s.Steps[next].Day == day {
			return s.Steps[next]
		}
	}
	step := Step{Waiting: 1, Low: 1, High: 1}
	if next > 0 {
		step = s.Steps[next-1]
	}
	step.Day, step.AtRisk, step.Events = day, atRisk, 0
	return step
}

// Quantile returns the first day on which at least the part p of the customers has bought again.
func (s Survival) Quantile(p float64) Quantile {
	first := func(height func(Step) float64) (int32, bool) {
		i := slices.IndexFunc(s.Steps, func(step Step) bool { return height(step) <= 1-p })
		if i < 0 {
			return 0, false
		}
		return s.Steps[i].Day, true
	}
	var q Quantile
	q.Days, q.Reached = first(func(step Step) float64 { return step.Waiting })
	q.Low, q.LowReached = first(func(step Step) float64 { return step.Low })
	q.High, q.HighReached = first(func(step Step) float64 { return step.High })
	return q
}
