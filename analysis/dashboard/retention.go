package dashboard

import (
	"fmt"
	"html/template"
	"net/http"
	"slices"
	"strconv"
	"strings"

	"github.com/shopspring/decimal"

	"github.com/perennial-cvo/perennial/analysis"
	"github.com/perennial-cvo/perennial/analysis/chart"
	"github.com/perennial-cvo/perennial/analysis/report"
	"github.com/perennial-cvo/perennial/analysis/retention"
)

// retentionPage is what the page of retention has of its own.
type retentionPage struct{ By cohortBy }

// retention shows who comes back, how soon, and after which beginning.
func (s *Server) retention(r *http.Request, _ *view) (any, error) {
	by := cohortBy(r.URL.Query().Get("by"))
	if by == "" {
		by = byCustomers
	}
	if !slices.Contains(cohortBys(), by) {
		var known []string
		for _, one := range cohortBys() {
			known = append(known, string(one))
		}
		return nil, askedError{"by must be one of " + strings.Join(known, ", ") + "."}
	}
	return retentionPage{By: by}, nil
}

// Words of package report, which templates cannot call by themselves.

// AgainWords says how many customers have ordered again.
func (v *view) AgainWords() string { return report.AgainWords(*v.Report.Retention, v.Currency()) }

// BestWords says what the best customers bring.
func (v *view) BestWords() string { return report.BestWords(*v.Report.Retention) }

// SecondWords says how long the second order takes.
func (v *view) SecondWords() string { return report.SecondWords(v.Report.Retention.Second) }

// PauseWords says how long customers pause.
func (v *view) PauseWords() string { return report.PauseWords(v.Report.Retention.Pauses) }

// ChurnWords says how many buyers of one month did not buy in the next.
func (v *view) ChurnWords() string { return report.ChurnWords(v.Report.Retention.Churn) }

// CurveWords says what part of the newcomers bought in later months.
func (v *view) CurveWords() string { return report.CurveWords(v.Report.Retention.Curve) }

// RegularWords says how regularly customers buy; empty where too few did often enough.
func (v *view) RegularWords() string {
	if k := v.Report.Retention.Pauses.Regularity; k != nil {
		return report.RegularWords(*k)
	}
	return ""
}

// quarter is how far apart the marks under the chart of the second order are, in days; dotted is every how manieth point has
// a mark of its own, four weeks apart.
const (
	quarter = 90
	dotted  = 4
)

// SecondChart draws the part of customers who have bought again, by days since their first order.
func (v *view) SecondChart() template.HTML {
	curve := v.Report.Retention.Second.Curve
	if len(curve) < 2 {
		return ""
	}
	line := chart.Line{Name: "bought again"}
	for i, b := range curve {
		p := chart.Point{X: float64(b.Days), Y: b.Share, Low: b.Low, High: b.High, Ranged: true}
		p.Quiet = i%dotted != 0 || i == 0
		p.Label = fmt.Sprintf("%s: %s, likely %s to %s", report.Of(int(b.Days), "day", "days"), report.Percent(b.Share), report.Percent(b.Low), report.Percent(b.High))
		line.Points = append(line.Points, p)
	}
	c := chart.LineChart{
		Title: "Customers who have bought again, by days since their first order", Words: v.SecondWords(), Lines: []chart.Line{line},
		YLabel: func(share float64) string { return fmt.Sprintf("%.0f %%", 100*share) },
	}
	step := int32(quarter)
	if curve[len(curve)-1].Days <= quarter {
		step = 30
	}
	for days := int32(0); days <= curve[len(curve)-1].Days; days += step {
		c.XTicks = append(c.XTicks, chart.Tick{At: float64(days), Label: report.Count(int(days))})
	}
	return v.explored(chart.Lines(c), c.Data(chart.Parts))
}

// monthsShown is how many months are shown, the last ones.
const monthsShown = 24

// LastMonths are the last months, oldest first.
func (v *view) LastMonths() []retention.MonthRow {
	all := v.Report.Retention.Months
	return all[max(0, len(all)-monthsShown):]
}

// MonthChart draws what newcomers and others brought in the last months.
func (v *view) MonthChart() template.HTML {
	c := chart.ColumnChart{Title: "Revenue of first and of later orders, by month", YLabel: func(amount float64) string {
		return report.Units(decimal.NewFromFloat(amount))
	}}
	for _, m := range v.LastMonths() {
		name := analysis.Date(int(m.Start)).Format("Jan ’06")
		part := func(what string, sold retention.Sold) chart.Part {
			value, _ := sold.Revenue.Float64()
			return chart.Part{Value: value, Label: fmt.Sprintf("%s, %s: %s from %s", name, what, wholeMoney(sold.Revenue, v.Currency()), report.Of(sold.Orders, "order", "orders"))}
		}
		c.Columns = append(c.Columns, chart.Column{Name: name, Parts: []chart.Part{part("first orders", m.First), part("later orders", m.Later)}})
	}
	if len(c.Columns) == 0 {
		return ""
	}
	if last := v.LastMonths()[len(c.Columns)-1]; last.ReturningShare != nil {
		c.Words = "In the last month later orders brought " + report.Percent(*last.ReturningShare) + "."
	}
	return v.explored(chart.Columns(c), c.Data(chart.Plain))
}

// newcomersShown is how many beginnings of one kind are shown, with the most newcomers, and behind them those that stand out.
const newcomersShown = 10

// beginnings is how many newcomers stay, by one kind of beginning.
type beginnings struct {
	Heading string
	All     retention.Stickiness
	Keys    []retention.Named
	More    int
	Differs bool // something stands out, beyond chance
}

// Beginnings are the kinds that tell newcomers apart.
func (v *view) Beginnings() []beginnings {
	var all []beginnings
	for _, stick := range v.Report.Retention.Sticks {
		heading, none := report.OriginWords(stick.Kind)
		b := beginnings{Heading: heading, All: stick.All}
		for i, k := range stick.Keys {
			b.Differs = b.Differs || k.Verdict != retention.Alike
			if i >= newcomersShown && k.Verdict == retention.Alike {
				continue
			}
			if k.Name == "" {
				k.Name = none
			}
			b.Keys = append(b.Keys, k)
		}
		b.More = len(stick.Keys) + stick.Rest - len(b.Keys)
		if len(stick.Keys) > 1 { // one alone is everybody
			all = append(all, b)
		}
	}
	return all
}

// retentionSheet is every cohort in every period.
func (s *Server) retentionSheet(_ *http.Request, v *view) ([][]string, error) {
	rows := [][]string{{
		"cohort", "unit", "customers_first", "whole", "periods_later", "over", "customers", "orders", "revenue", "revenue_per_customer_so_far", "margin", "costed", "currency",
	}}
	if v.Report.Retention == nil {
		return rows, nil
	}
	unit, cohorts := cohortsOf(*v.Report.Retention)
	for _, c := range cohorts {
		for k := range c.Customers {
			margin, costed := "", ""
			if k < len(c.Margin) {
				margin, costed = c.Margin[k].String(), c.Costed[k].String()
			}
			rows = append(rows, []string{
				c.Start.String(), unit, strconv.Itoa(c.Size), strconv.FormatBool(c.Whole), strconv.Itoa(k), strconv.FormatBool(k < c.Complete),
				strconv.Itoa(c.Customers[k]), strconv.Itoa(c.Orders[k]), c.Revenue[k].String(), c.PerCustomer[k].String(), margin, costed, v.Currency(),
			})
		}
	}
	return rows, nil
}
