package dashboard

import (
	"fmt"
	"html/template"
	"math"
	"strings"

	"github.com/shopspring/decimal"

	"github.com/perennial-cvo/perennial/analysis/chart"
	"github.com/perennial-cvo/perennial/analysis/report"
	"github.com/perennial-cvo/perennial/analysis/retention"
)

// shownMonths is how many months are drawn.
const shownMonths = 13

// shortName is how long the short name of a month is.
const shortName = len("Jan")

// months is the last complete month beside the one before.
type months struct {
	Name, Before string // of the months
	Rows         []change
	Whole        bool // older orders are known, so newcomers are newcomers
	Chart        template.HTML
}

// Short is the name of the month in a column.
func (m months) Short() string { return m.Name[:shortName] }

// ShortBefore is that of the month before.
func (m months) ShortBefore() string { return m.Before[:shortName] }

// change is one figure in both months.
type change struct {
	Term      string
	Now, Then string
	Words     string // such as "+4.0 %"; empty where nothing can be said
	Class     string
}

// Months compares the last complete month with the one before; nil where there are no two of them.
func (v *view) Months() *months {
	if v.Report.Retention == nil {
		return nil
	}
	var over []retention.MonthRow
	for _, m := range v.Report.Retention.Months {
		if m.Complete {
			over = append(over, m)
		}
	}
	if len(over) < 2 {
		return nil
	}
	this, last := over[len(over)-1], over[len(over)-2]
	counted := func(term string, now, then int) change {
		return compared(change{Term: term, Now: report.Count(now), Then: report.Count(then)}, float64(now), float64(then))
	}
	now, then := sold(this), sold(last)
	return &months{
		Name: monthName(this.Start), Before: monthName(last.Start), Whole: this.Whole && last.Whole,
		Rows: []change{
			counted("newcomers", this.New, last.New),
			counted("orders", now.Orders, then.Orders),
			compared(change{Term: v.Report.Retention.Basis, Now: wholeMoney(now.Revenue, v.Currency()), Then: wholeMoney(then.Revenue, v.Currency())},
				now.Revenue.InexactFloat64(), then.Revenue.InexactFloat64()),
		},
		Chart: v.monthly(over[max(0, len(over)-shownMonths):]),
	}
}

// sold is all that was sold in a month, to whomever.
func sold(m retention.MonthRow) retention.Sold {
	return retention.Sold{
		Orders:  m.First.Orders + m.Later.Orders + m.Unknown.Orders,
		Revenue: decimal.Sum(m.First.Revenue, m.Later.Revenue, m.Unknown.Revenue),
	}
}

// compared says by how much a figure has changed.
func compared(c change, now, then float64) change {
	switch {
	case now == then:
		c.Words = "as before"
	case then <= 0:
	default:
		share := (now - then) / then
		if c.Words = fmt.Sprintf("%+.1f %%", 100*share); math.Abs(share) < 0.0005 {
			c.Words = "as before"
		} else if c.Class = "good"; share < 0 {
			c.Class = "bad"
		}
	}
	return c
}

// monthly draws what first and later orders brought in months.
func (v *view) monthly(all []retention.MonthRow) template.HTML {
	c := chart.ColumnChart{Title: "Revenue by month", YLabel: func(y float64) string { return wholeMoney(decimal.NewFromFloat(y), "") }}
	var words []string
	for _, m := range all {
		name := monthName(m.Start)
		first, later := m.First.Revenue, m.Later.Revenue.Add(m.Unknown.Revenue)
		c.Columns = append(c.Columns, chart.Column{Name: name[:shortName], Parts: []chart.Part{
			{Value: first.InexactFloat64(), Label: name + ", first orders: " + wholeMoney(first, v.Currency())},
			{Value: later.InexactFloat64(), Label: name + ", later orders: " + wholeMoney(later, v.Currency())},
		}})
		words = append(words, name+" "+wholeMoney(first.Add(later), v.Currency()))
	}
	c.Words = strings.Join(words, ", ")
	return v.explored(chart.Columns(c), c.Data(chart.Plain))
}
