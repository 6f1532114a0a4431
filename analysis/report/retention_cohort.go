package report

import (
	"fmt"

	"github.com/shopspring/decimal"

	"github.com/perennial-cvo/perennial/analysis/retention"
)

// triangle writes the last cohorts: what part of each bought so many periods after the first order, and what a customer of it
// has brought by then. Only periods that are over are shown.
func (p *page) triangle(s retention.Summary, currency string) {
	unit, cohorts, name := "month", s.Cohorts, month
	if Young(s) {
		unit, cohorts, name = "week", s.Weeks, retention.Date.String
	}
	var shown []retention.CohortRow
	for _, c := range cohorts {
		if c.Complete > 1 {
			shown = append(shown, c)
		}
	}
	shown = shown[max(0, len(shown)-shownPeriods):]
	if len(shown) == 0 {
		p.say(dim, "  ", "Who comes back in which %s is shown when the %s after the first orders is over.", unit, unit)
		return
	}
	p.line("")
	p.say(plain, "  ", "Of 100 customers whose first order was in a %s, so many bought again so many %ss later:", unit, unit)
	var curve []retention.Share
	if unit == "month" {
		curve = s.Curve
	}
	p.again(shown, name, curve)
	p.line("")
	p.say(plain, "  ", "What a customer has brought by the end of that %s, in %s:", unit, currency)
	p.brought(shown, name, currency)
	p.say(dim, "  ", "Read a row to see one %s's newcomers grow older, a column to see whether newer ones do better than older ones did.", unit)
}

// Young says that a shop is so young that its newcomers are told apart by weeks.
func Young(s retention.Summary) bool {
	return len(s.Cohorts) > 0 && int(s.Day-s.Cohorts[0].Start) < youngShop
}

// longest is the most periods that any of the cohorts has completed after its own, as far as they are shown.
func longest(cohorts []retention.CohortRow) int {
	periods := 0
	for _, c := range cohorts {
		periods = max(periods, c.Complete-1)
	}
	return min(periods, shownPeriods)
}

// again writes the part of each cohort that came back, and the curve of all whole ones under it, where there is one.
func (p *page) again(cohorts []retention.CohortRow, name func(retention.Date) string, curve []retention.Share) {
	header := []string{"first order", "customers"}
	var last []int // columns that may go, the last first
	for k := 1; k <= longest(cohorts); k++ {
		header, last = append(header, fmt.Sprint(k)), append([]int{k + 1}, last...)
	}
	rows := []row{{dim, header}}
	for _, c := range cohorts {
		line := []string{mark(name(c.Start), true, c.Whole), Count(c.Size)}
		for k := 1; k < len(header)-1; k++ {
			text := ""
			if k < c.Complete {
				text = fmt.Sprintf("%.0f", 100*retention.NewShare(c.Customers[k], c.Size).Rate)
			}
			line = append(line, text)
		}
		rows = append(rows, row{plain, line})
	}
	if len(curve) > 1 {
		line := []string{"All", Count(curve[0].Of)}
		for k := 1; k < len(header)-1; k++ {
			text := ""
			if k < len(curve) {
				text = fmt.Sprintf("%.0f", 100*curve[k].Rate)
			}
			line = append(line, text)
		}
		rows = append(rows, row{bold, line})
	}
	p.fitted(rows, last[:len(last)-1])
}

// brought writes the revenue per customer of each cohort, so far, after some periods.
func (p *page) brought(cohorts []retention.CohortRow, name func(retention.Date) string, currency string) {
	write := func(d decimal.Decimal) string { return Money(d, currency) }
	for _, c := range cohorts {
		if c.PerCustomer[c.Complete-1].Abs().GreaterThanOrEqual(decimal.New(100, 0)) {
			write = Units
		}
	}
	header := []string{"first order", "customers", "0"}
	var after, last []int
	for _, k := range []int{1, 2, 3, 6, 9, shownPeriods} {
		if k <= longest(cohorts) {
			last = append([]int{len(header)}, last...)
			header, after = append(header, fmt.Sprint(k)), append(after, k)
		}
	}
	rows := []row{{dim, header}}
	for _, c := range cohorts {
		line := []string{mark(name(c.Start), true, c.Whole), Count(c.Size), write(c.PerCustomer[0])}
		for _, k := range after {
			text := ""
			if k < c.Complete {
				text = write(c.PerCustomer[k])
			}
			line = append(line, text)
		}
		rows = append(rows, row{plain, line})
	}
	p.fitted(rows, last[:len(last)-1])
}
