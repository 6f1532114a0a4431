package dashboard

import (
	"fmt"

	"github.com/shopspring/decimal"

	"github.com/perennial-cvo/perennial/analysis/chart"
	"github.com/perennial-cvo/perennial/analysis/report"
	"github.com/perennial-cvo/perennial/analysis/retention"
)

// cohortBy is what is shown of cohorts.
type cohortBy string

const (
	byCustomers cohortBy = "customers"
	byOrders    cohortBy = "orders"
	byRevenue   cohortBy = "revenue"
	byMargin    cohortBy = "margin"
)

func cohortBys() []cohortBy { return []cohortBy{byCustomers, byOrders, byRevenue, byMargin} }

// The largest map of cohorts that a page shows; the table for a spreadsheet has all.
const (
	cohortsShown = 24
	periodsShown = 12
)

// cohortMap is cohorts as a heat map: the newcomers of a month down the side, the months since then along the top.
type cohortMap struct {
	By      cohortBy
	Unit    string // "month" or "week"
	Choices []tab  // none in a file that stands by itself
	Caption string
	Unknown string // why there is nothing to show; empty where there is
	Periods []int
	Rows    []cohortLine
	All     []string // of all cohorts that are over and whole
	Open    bool     // some month is not over
	Older   int      // cohorts that are left out
	Later   bool     // later periods are left out
}

type cohortLine struct {
	Name  string
	Size  int
	Whole bool
	Cells []cohortCell
	Worth string // so far, a head
}

type cohortCell struct {
	Text, Words string
	Step        int
	Open        bool // not over
}

// cohortsOf are the cohorts of a shop: by weeks where it is young.
func cohortsOf(s retention.Summary) (unit string, cohorts []retention.CohortRow) {
	if report.Young(s) {
		return "week", s.Weeks
	}
	return "month", s.Cohorts
}

// CohortMap arranges the cohorts by what the page was asked for.
func (v *view) CohortMap() cohortMap {
	m := cohortMap{By: byCustomers}
	if p, ok := v.Data.(retentionPage); ok {
		m.By = p.By
	}
	unit, cohorts := cohortsOf(*v.Report.Retention)
	m.Unit = unit
	for _, by := range cohortBys() {
		if address := v.Link.Page("retention", "by", string(by)); address != "" {
			m.Choices = append(m.Choices, tab{report.Capital(string(by)), address, by == m.By})
		}
	}
	m.Caption = m.caption(v.Currency())
	if m.By == byMargin && !costed(cohorts) {
		m.Unknown = "The shop does not know what its goods cost, so the margin is not known."
		return m
	}
	m.Older = max(0, len(cohorts)-cohortsShown)
	m.arrange(cohorts, v.Currency())
	return m
}

func costed(cohorts []retention.CohortRow) bool {
	for _, c := range cohorts {
		if len(c.Margin) > 0 {
			return true
		}
	}
	return false
}

// caption says how to read the map.
func (m cohortMap) caption(currency string) string {
	switch m.By {
	case byOrders:
		return fmt.Sprintf("Orders a head of everybody whose first order was in a %s, so many %ss later.", m.Unit, m.Unit)
	case byRevenue:
		return fmt.Sprintf("Revenue a head of everybody whose first order was in a %s, so many %ss later, in %s.", m.Unit, m.Unit, currency)
	case byMargin:
		return fmt.Sprintf("Margin a head of everybody whose first order was in a %s, so many %ss later, in %s, of goods whose cost is known.", m.Unit, m.Unit, currency)
	default:
		return fmt.Sprintf("Of everybody whose first order was in a %s, the part who ordered again so many %ss later.", m.Unit, m.Unit)
	}
}

// arrange fills the rows and the line of all together.
func (m *cohortMap) arrange(cohorts []retention.CohortRow, currency string) {
	shown := cohorts[m.Older:]
	longest, largest, highest := 0, 0.0, 0.0
	for _, c := range shown {
		longest = max(longest, min(len(c.Customers), periodsShown+1))
		m.Later = m.Later || len(c.Customers) > longest
		for k := range c.Customers {
			if value := m.perHead(c, k); k > 0 && k < c.Complete {
				largest = max(largest, value) // the first period is another matter: everybody bought in it
			}
			highest = max(highest, m.perHead(c, k))
		}
	}
	write := m.writer(highest, currency)
	for k := range longest {
		m.Periods = append(m.Periods, k)
		m.All = append(m.All, m.together(cohorts, k, write))
	}
	for _, c := range shown {
		line := cohortLine{Name: c.Start.String(), Size: c.Size, Whole: c.Whole, Worth: m.worth(c, currency)}
		if m.Unit == "month" {
			line.Name = line.Name[:len("2006-01")]
		}
		for k := range min(len(c.Customers), longest) {
			value := m.perHead(c, k)
			cell := cohortCell{Text: write(value), Open: k >= c.Complete}
			if k > 0 && !cell.Open {
				cell.Step = chart.Step(value, largest)
			}
			m.Open = m.Open || cell.Open
			cell.Words = fmt.Sprintf("%s, %s later: %s of %s ordered", line.Name, report.Of(k, m.Unit, m.Unit+"s"), report.Count(c.Customers[k]), report.Count(c.Size))
			line.Cells = append(line.Cells, cell)
		}
		m.Rows = append(m.Rows, line)
	}
}

// sum is what is shown, of all of a cohort in a period.
func (m cohortMap) sum(c retention.CohortRow, k int) float64 {
	switch m.By {
	case byOrders:
		return float64(c.Orders[k])
	case byRevenue:
		value, _ := c.Revenue[k].Float64()
		return value
	case byMargin:
		if k >= len(c.Margin) {
			return 0
		}
		value, _ := c.Margin[k].Float64()
		return value
	default:
		return float64(c.Customers[k])
	}
}

func (m cohortMap) perHead(c retention.CohortRow, k int) float64 {
	if c.Size == 0 {
		return 0
	}
	return m.sum(c, k) / float64(c.Size)
}

// together is a head of all whole cohorts for which the period is over; empty where there is none.
func (m cohortMap) together(cohorts []retention.CohortRow, k int, write func(float64) string) string {
	sum, size := 0.0, 0
	for _, c := range cohorts {
		if c.Whole && k < c.Complete {
			sum, size = sum+m.sum(c, k), size+c.Size
		}
	}
	if size == 0 {
		return ""
	}
	return write(sum / float64(size))
}

// writer writes the values of the map: amounts without decimals where they are large.
func (m cohortMap) writer(highest float64, currency string) func(float64) string {
	switch m.By {
	case byCustomers:
		return func(share float64) string { return fmt.Sprintf("%.0f %%", 100*share) }
	case byOrders:
		return func(orders float64) string { return fmt.Sprintf("%.2f", orders) }
	}
	return func(amount float64) string {
		if highest >= 100 {
			return report.Units(decimal.NewFromFloat(amount))
		}
		return report.Money(decimal.NewFromFloat(amount), currency)
	}
}

// worth is what a head of the cohort has brought so far, or left.
func (m cohortMap) worth(c retention.CohortRow, currency string) string {
	if m.By != byMargin {
		return report.Money(c.PerCustomer[len(c.PerCustomer)-1], currency)
	}
	sum := decimal.Zero
	for _, margin := range c.Margin {
		sum = sum.Add(margin)
	}
	if c.Size == 0 {
		return ""
	}
	return report.Money(sum.Div(decimal.NewFromInt(int64(c.Size))), currency)
}
