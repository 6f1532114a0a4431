package analysis

import (
	"cmp"
	"context"
	"fmt"
	"slices"
	"time"

	"github.com/perennial-cvo/perennial/analysis/clv"
)

// Stats are what a model needs of a history as of the start of a local day: the day before is the last one known.
func (h History) Stats(day int) clv.Stats {
	return clv.Stats{
		Repeats: int(h.Days - 1), Last: h.LastDay - h.FirstDay, Age: int32(day-1) - h.FirstDay, LogGaps: h.LogGaps,
	}
}

// RepeatMean is the mean value of the purchase days after the first, in the shop's currency; 0 without any.
func (h History) RepeatMean() float64 {
	if h.Days < 2 {
		return 0
	}
	return float64(h.Net-h.FirstNet) / float64(h.Days-1) / unit
}

// past is what everybody has bought, now and as of the end of the calibration period, both in order of person.
type past struct {
	now, then        []History
	calibration, end int // the last known days
}

// readPast reads what was bought before a day, and what before the holdout.
func readPast(ctx context.Context, facts Purchases, loc *time.Location, day int) (past, error) {
	p := past{end: day - 1}
	var err error
	if p.now, err = ordered(ctx, facts, StartOfDay(day, loc)); err != nil {
		return past{}, err
	}
	first := p.end
	for _, h := range p.now {
		first = min(first, int(h.FirstDay))
	}
	// A shop of three days has no holdout; one of a day then says how little there is.
	p.calibration = p.end - max(1, clv.HoldoutDays(p.end-first))
	if p.then, err = ordered(ctx, facts, StartOfDay(p.calibration+1, loc)); err != nil {
		return past{}, err
	}
	return p, nil
}

func ordered(ctx context.Context, facts Purchases, asOf time.Time) ([]History, error) {
	all, err := facts.Histories(ctx, asOf)
	if err != nil {
		return nil, fmt.Errorf("purchases before %s: %w", asOf.Format(time.DateOnly), err)
	}
	slices.SortFunc(all, func(a, b History) int { return cmp.Compare(a.Person, b.Person) })
	return all, nil
}

// holdout holds what came after the calibration day against what was known on it. A purchase whose money was all given
// back since then takes an order and its value away again.
func (p past) holdout() clv.Holdout {
	h := clv.Holdout{Days: p.end - p.calibration, Cases: make([]clv.Case, 0, len(p.now))}
	p.each(func(then, now History) {
		c := clv.Case{
			Stats: clv.Stats{Age: -1}, Orders: min(max(0, int(now.Days-then.Days)), h.Days), Value: float64(now.Net-then.Net) / unit,
		}
		if then.Days > 0 {
			c.Stats, c.Mean, c.Past = then.Stats(p.calibration+1), then.RepeatMean(), float64(then.Net)/unit
		}
		h.Cases = append(h.Cases, c)
	})
	return h
}

// each walks through everybody; whoever had bought nothing at a time has the zero history of it.
func (p past) each(visit func(then, now History)) {
	i := 0
	for _, now := range p.now {
		for ; i < len(p.then) && p.then[i].Person < now.Person; i++ {
			visit(p.then[i], History{})
		}
		var then History
		if i < len(p.then) && p.then[i].Person == now.Person {
			then = p.then[i]
			i++
		}
		visit(then, now)
	}
	for ; i < len(p.then); i++ {
		visit(p.then[i], History{})
	}
}

func (p past) stats(day int) []clv.Stats {
	all := make([]clv.Stats, len(p.now))
	for i, h := range p.now {
		all[i] = h.Stats(day)
	}
	return all
}

// average is the mean value of a purchase day; 0 where more was given back than paid.
func (p past) average() float64 {
	var net, days float64
	for _, h := range p.now {
		net += float64(h.Net)
		days += float64(h.Days)
	}
	return max(0, net/max(1, days)/unit)
}

// margin is what is left of the revenue of those whose cost is known; nil where that is nobody.
func (p past) margin() *Margin {
	var all clv.Historic
	for _, h := range p.now {
		all.Revenue += h.Net
		if h.Costed {
			all.Costed += h.Net
			all.Margin += h.Net - h.Cost
		}
	}
	rate, ok := all.MarginRate()
	if !ok {
		return nil
	}
	return &Margin{Rate: rate, Covered: all.Covered()}
}

func (p past) spends() []clv.Spend {
	var all []clv.Spend
	for _, h := range p.now {
		if h.Days > 1 {
			all = append(all, clv.Spend{Repeats: int(h.Days - 1), Mean: h.RepeatMean(), N: 1})
		}
	}
	return all
}

// Where churn cannot be seen yet, half of the customers are taken to leave within a year; this project's own choice, as are
// the half year and the ten customers from which on it can.
const (
	assumedChurn   = 0.5
	leastChurnDays = 182
	leastLeaving   = 10
)

// findingChurn stands where churn was assumed.
const findingChurn = "too little is known to see how many customers leave; half of them a year is assumed"

// churn is which part of the customers leaves within a year: of those who bought in the days before the holdout, as many days
// as it has, the part who did not buy in it.
func (p past) churn() (yearly float64, finding string) {
	days := p.end - p.calibration
	before, left := 0, 0
	p.each(func(then, now History) {
		if then.Days == 0 || int(then.LastDay) <= p.calibration-days {
			return
		}
		before++
		if now.Days <= then.Days {
			left++
		}
	})
	if days < leastChurnDays || before < leastLeaving {
		return assumedChurn, findingChurn
	}
	return clv.AnnualChurn(float64(left)/float64(before), float64(days)), ""
}
