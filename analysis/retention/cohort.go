package retention

import (
	"cmp"
	"errors"
	"fmt"
	"slices"
)

// Cell counts one cohort in one period. Cohort and Period may be any day of theirs, such as date_trunc gives.
//
// SQL: per order, the first order's date as first (one aggregate per person); then GROUP BY date_trunc(unit, first),
// date_trunc(unit, day) with count(DISTINCT person), count(*), sum(revenue), sum(margin), sum(costed). Ten years of weeks
// are at most 136,000 rows.
type Cell struct {
	Cohort, Period int32
	Customers      int // who ordered in the period
	Amounts
}

// Cohort is everybody whose first order is in one period.
type Cohort struct {
	Period  int32 // number of the period, see Unit.Of
	Start   int32 // its first day
	Size    int   // customers
	Whole   bool  // orders are known from before the period on; else older customers may be taken for new ones
	Periods []Since
}

// Since is a cohort so many periods after its first.
type Since struct {
	Periods    int
	Customers  int     // who ordered in the period
	Retention  float64 // Customers / Size of the cohort; 1 in its first period
	Amounts            // of the period
	Cumulative Amounts // from the first period to this
	Complete   bool    // the period is over
}

// PerCustomer is the revenue so far divided by the cohort's size, in ten-thousandths: what a newcomer of that cohort has
// been worth by the end of this period.
func (s Since) PerCustomer(size int) float64 {
	if size == 0 {
		return 0
	}
	return float64(s.Cumulative.Revenue) / float64(size)
}

// Cohorts arranges cells by first period and periods since, oldest cohort first, without gaps up to the window's last
// period.
func Cohorts(cells []Cell, unit Unit, window Window) ([]Cohort, error) {
	if !unit.known() {
		return nil, fmt.Errorf("cohorts: unit %q is neither month nor week", unit)
	}
	sorted := slices.Clone(cells)
	for i := range sorted {
		sorted[i].Cohort, sorted[i].Period = unit.Of(sorted[i].Cohort), unit.Of(sorted[i].Period)
	}
	slices.SortFunc(sorted, func(a, b Cell) int {
		return cmp.Or(cmp.Compare(a.Cohort, b.Cohort), cmp.Compare(a.Period, b.Period))
	})
	var all []Cohort
	for len(sorted) > 0 {
		n := slices.IndexFunc(sorted, func(c Cell) bool { return c.Cohort != sorted[0].Cohort })
		if n < 0 {
			n = len(sorted)
		}
		one, err := cohort(sorted[:n], unit, window)
		if err != nil {
			return nil, fmt.Errorf("cohort of the %s from day %d: %w", unit, unit.Start(sorted[0].Cohort), err)
		}
		all = append(all, one)
		sorted = sorted[n:]
	}
	return all, nil
}

// cohort arranges the cells of one, in order of period.
func cohort(cells []Cell, unit Unit, window Window) (Cohort, error) {
	first := cells[0]
	if first.Period != first.Cohort {
		return Cohort{}, errors.New("nobody in its first period")
	}
	c := Cohort{
		Period: first.Cohort, Start: unit.Start(first.Cohort), Size: first.Customers,
		Whole: window.whole(unit, first.Cohort),
	}
	var sum Amounts
	for period := first.Cohort; period <= window.last(unit); period++ {
		s := Since{Periods: int(period - first.Cohort), Complete: window.complete(unit, period)}
		if len(cells) > 0 && cells[0].Period == period {
			s.Customers, s.Amounts = cells[0].Customers, cells[0].Amounts
			cells = cells[1:]
		}
		if s.Customers < 0 || s.Customers > c.Size {
			return Cohort{}, fmt.Errorf("%d of %d customers ordered %d periods later", s.Customers, c.Size, s.Periods)
		}
		sum = sum.Add(s.Amounts)
		s.Cumulative = sum
		s.Retention = NewShare(s.Customers, c.Size).Rate
		c.Periods = append(c.Periods, s)
	}
	if len(cells) > 0 {
		return Cohort{}, fmt.Errorf("a second count of, or orders after the end of what is known in, the %s from day %d", unit, unit.Start(cells[0].Period))
	}
	return c, nil
}

// Curve is the retention of all cohorts together, by periods since the first order: at each place only cohorts that have
// completed that many periods take part, in its numerator and in its denominator. Cohorts that are not whole are left out.
func Curve(cohorts []Cohort) []Share {
	var hits, of []int
	for _, c := range cohorts {
		if !c.Whole {
			continue
		}
		for i, p := range c.Periods {
			if !p.Complete {
				break
			}
			if i == len(of) {
				hits, of = append(hits, 0), append(of, 0)
			}
			hits[i] += p.Customers
			of[i] += c.Size
		}
	}
	curve := make([]Share, len(of))
	for i := range of {
		curve[i] = NewShare(hits[i], of[i])
	}
	return curve
}
