package retention

import (
	"cmp"
	"fmt"
	"slices"
)

// Visit counts customers of one period by the period in which they had ordered before. Period and Previous may be any day
// of theirs.
//
// SQL: first GROUP BY person, date_trunc(unit, day); over that lag(period) OVER (PARTITION BY person ORDER BY period);
// then GROUP BY period, previous: at most half the square of the number of periods.
type Visit struct {
	Period    int32
	Previous  int32 // the last period before in which they ordered; nothing where New
	New       bool  // their first period with an order
	Customers int
	Amounts
}

// Period tells who stayed, who came and who came back in one period.
type Period struct {
	Number, Start int32
	Before        int // customers who ordered in the period before
	Retained      int // of those, who ordered in this one too
	Reactivated   int // customers whose last order was in an earlier period than the one before
	New           int // first orders
	// Retention is Retained / Before. Churn is the rest: who ordered in the period before and not in this one. Some of them
	// come back later, as Reactivated shows; buying is not a contract. Both are of nobody (Of is 0) where nobody ordered in
	// the period before.
	Retention, Churn               Share
	FromNew, FromRetained, FromOld Amounts // of this period, by New, Retained and Reactivated
	Complete                       bool    // the period is over; else churn is overstated
	Whole                          bool    // orders are known from before the period on; else New is overstated
}

// Active is everybody who ordered in the period.
func (p Period) Active() int { return p.New + p.Retained + p.Reactivated }

// Periods arranges visits by period, without gaps up to the window's last period.
func Periods(visits []Visit, unit Unit, window Window) ([]Period, error) {
	if !unit.known() {
		return nil, fmt.Errorf("retention by period: unit %q is neither month nor week", unit)
	}
	if len(visits) == 0 {
		return nil, nil
	}
	first := unit.Of(slices.MinFunc(visits, func(a, b Visit) int { return cmp.Compare(a.Period, b.Period) }).Period)
	all := make([]Period, max(0, window.last(unit)-first+1))
	for i := range all {
		p := &all[i]
		p.Number = first + int32(i)
		p.Start, p.Complete, p.Whole = unit.Start(p.Number), window.complete(unit, p.Number), window.whole(unit, p.Number)
	}
	for _, v := range visits {
		at, since := unit.Of(v.Period)-first, unit.Of(v.Period)-unit.Of(v.Previous)
		if int(at) >= len(all) || v.Customers < 0 || !v.New && since <= 0 {
			return nil, fmt.Errorf("retention by period: %d customers on day %d who had ordered on day %d", v.Customers, v.Period, v.Previous)
		}
		all[at].count(v, since)
	}
	for i := range all {
		p := &all[i]
		if i > 0 {
			p.Before = all[i-1].Active()
		}
		if p.Retained > p.Before {
			return nil, fmt.Errorf("retention by period: %d retained of %d in the %s from day %d", p.Retained, p.Before, unit, p.Start)
		}
		p.Retention = NewShare(p.Retained, p.Before)
		p.Churn = p.Retention.Rest()
	}
	return all, nil
}

func (p *Period) count(v Visit, since int32) {
	switch {
	case v.New:
		p.New += v.Customers
		p.FromNew = p.FromNew.Add(v.Amounts)
	case since == 1:
		p.Retained += v.Customers
		p.FromRetained = p.FromRetained.Add(v.Amounts)
	default:
		p.Reactivated += v.Customers
		p.FromOld = p.FromOld.Add(v.Amounts)
	}
}

// Churn pools the churn of the last so many complete and whole periods: all who were lost of all who could have been. It
// is what the simple lifetime value takes.
func Churn(periods []Period, last int) Share {
	var lost, of int
	for _, p := range slices.Backward(periods) {
		if last == 0 {
			break
		}
		if p.Complete && p.Whole && p.Before > 0 {
			lost += p.Before - p.Retained
			of += p.Before
			last--
		}
	}
	return NewShare(lost, of)
}
