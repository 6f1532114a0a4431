package dashboard

import (
	"cmp"
	"fmt"
	"html/template"
	"net/http"
	"strconv"

	"github.com/shopspring/decimal"

	"github.com/perennial-cvo/perennial/analysis/chart"
	"github.com/perennial-cvo/perennial/analysis/report"
	"github.com/perennial-cvo/perennial/analysis/segment"
	"github.com/perennial-cvo/perennial/analysis/value"
)

// How many groups the page of values shows; the sheet has the others too.
const (
	shownOrigins = 12
	shownCohorts = 24
)

// worths is what there is to tell of who is worth what.
type worths struct {
	value.Summary
	Words    string // how what they brought is spread
	Foretold string // the same of what is expected; empty where nothing is
	Kinds    []worthTable
	Months   worthTable
	Tiers    worthTable
	Older    int // months that are not shown
}

// worthTable is customers by one thing.
type worthTable struct {
	What   string // they are told apart by
	Groups []worthGroup
	Small  int // groups that are too small to tell
	Rest   int // groups left out behind the largest
}

// worthGroup is one row, with the audience of its people where there is one.
type worthGroup struct {
	value.Group
	Audience string
}

// value shows who is worth what. Everything it shows is in the report, for it stands in the file too.
func (s *Server) value(*http.Request, *view) (any, error) { return nil, nil }

// Worths is what there is to tell of who is worth what; nil where nothing was worked out yet.
func (v *view) Worths() *worths {
	if v.Report == nil || v.Report.Values == nil {
		return nil
	}
	s := *v.Report.Values
	w := &worths{Summary: s, Words: report.SpreadWords(s.Net, v.Currency()), Older: max(0, len(s.Cohorts)-shownCohorts)}
	if s.Predicted != nil {
		w.Foretold = report.SpreadWords(*s.Predicted, v.Currency())
	}
	w.Tiers = worthTable{What: "tier", Groups: grouped(s.Tiers, "", func(g value.Group) string { return segment.Key(segment.SchemeTier, g.Key) })}
	w.Months = worthTable{What: "month of the first order", Groups: grouped(s.Cohorts[w.Older:], "", nil)}
	for _, o := range s.Origins {
		kind := report.Kinds()[o.Kind]
		shown := foremost(o.Groups, shownOrigins)
		w.Kinds = append(w.Kinds, worthTable{
			What: kind.Heading, Groups: grouped(shown, kind.None, nil), Small: o.Small, Rest: o.Rest + len(o.Groups) - len(shown),
		})
	}
	return w
}

func grouped(groups []value.Group, none string, audience func(value.Group) string) []worthGroup {
	var all []worthGroup
	for _, g := range groups {
		g.Name = cmp.Or(g.Name, none)
		one := worthGroup{Group: g}
		if audience != nil {
			one.Audience = audience(g)
		}
		all = append(all, one)
	}
	return all
}

// SoFar draws how what customers brought is spread.
func (w worths) SoFar(currency string) template.HTML {
	return spreadChart("Customers by what they have brought so far, in "+currency, w.Words, w.Net)
}

// Expected draws how what is expected of customers is spread.
func (w worths) Expected(currency string) template.HTML {
	return spreadChart("Customers by what is expected of them, in "+currency, w.Foretold, *w.Predicted)
}

// spreadChart draws a column for every bin.
func spreadChart(title, words string, s value.Spread) template.HTML {
	c := chart.ColumnChart{Title: title, Words: words, YLabel: func(n float64) string { return report.Count(int(n)) }}
	for _, b := range s.Bins {
		name, label := limits(b)
		share := float64(b.Customers) / float64(s.Customers)
		c.Columns = append(c.Columns, chart.Column{Name: name, Parts: []chart.Part{{
			Value: float64(b.Customers), Label: fmt.Sprintf("%s: %s (%s)", label, report.Of(b.Customers, "customer", "customers"), report.Percent(share)),
		}}})
	}
	return chart.Columns(c)
}

// limits writes the limits of a bin, in short and in words.
func limits(b value.Bin) (name, label string) {
	plain := func(d *decimal.Decimal) string { return d.String() }
	switch {
	case b.From == nil:
		return "below 0", "less than nothing"
	case b.To == nil:
		return plain(b.From) + "+", plain(b.From) + " and more"
	}
	return plain(b.From), plain(b.From) + " to under " + plain(b.To)
}

// valueSheet has all groups and tenths in one table.
func (s *Server) valueSheet(_ *http.Request, v *view) ([][]string, error) {
	rows := [][]string{{
		"by", "name", "customers", "share_of_customers", "net", "net_each", "net_each_low", "net_each_high", "foretold_of", "expected", "expected_each", "currency",
	}}
	if v.Report == nil || v.Report.Values == nil {
		return rows, nil
	}
	all := *v.Report.Values
	add := func(by string, groups []value.Group) {
		for _, g := range groups {
			rows = append(rows, []string{
				by, g.Name, strconv.Itoa(g.Customers), figure(g.Share), g.Net.String(), g.Each.String(), plainAmount(g.Low), plainAmount(g.High),
				strconv.Itoa(g.Valued), g.Predicted.String(), plainAmount(g.Expected), v.Currency(),
			})
		}
	}
	add("tier", all.Tiers)
	for _, o := range all.Origins {
		add(string(o.Kind), o.Groups)
	}
	add("first_month", all.Cohorts)
	for i, t := range all.Net.Tenths {
		rows = append(rows, []string{
			"tenth_so_far", strconv.Itoa(i + 1), strconv.Itoa(t.Customers), "", t.Total.String(), t.Mean.String(), "", "", "", "", "", v.Currency(),
		})
	}
	if all.Predicted != nil {
		for i, t := range all.Predicted.Tenths {
			rows = append(rows, []string{
				"tenth_expected", strconv.Itoa(i + 1), strconv.Itoa(t.Customers), "", "", "", "", "", strconv.Itoa(t.Customers), t.Total.String(), t.Mean.String(), v.Currency(),
			})
		}
	}
	return rows, nil
}

// plainAmount is an amount for a spreadsheet; empty where there is none.
func plainAmount(d *decimal.Decimal) string {
	if d == nil {
		return ""
	}
	return d.String()
}
