package dashboard

import (
	"bytes"
	"fmt"
	"math"
	"slices"
	"strings"
	"time"
	"unicode"

	"github.com/shopspring/decimal"

	"github.com/perennial-cvo/perennial/analysis/report"
	"github.com/perennial-cvo/perennial/analysis/retention"
	"github.com/perennial-cvo/perennial/analysis/segment"
)

// How much of the past a digest shows.
const (
	digestWeeks  = 8
	digestMonths = 6
)

// Mail is the weekly digest of one shop, as text and as HTML that says the same.
type Mail struct{ Subject, Text, HTML string }

// digest is what the mail tells, as texts: both forms say exactly the same.
type digest struct {
	Shop, Currency string
	Day            string   // of the last analysis; empty before the first
	Notices        []string // what to know before believing the figures
	Figures        []digestFigure
	Weeks, Months  []digestBar // new customers; revenue
	Since          string      // day from which on movement is told; empty where it is not
	Segments       []digestSegment
	Stake          []digestStake
	Trials         []digestTrial
	Warnings       []string
	Address        string // of the dashboard; empty where it has none that everybody reaches
}

type digestFigure struct{ Name, Value, Note string }

type digestBar struct {
	Label, Value string
	Width        int // percent of the longest
}

type digestSegment struct {
	Name, Customers, Share, RevenueShare string
	Change                               string // in the last month
	Width                                int    // of the share, in percent
}

type digestStake struct{ Name, Customers, Money string }

type digestTrial struct{ Name, Words string }

// Digest writes the mail about a shop. The address leads to the dashboard; it may be empty.
func Digest(r report.Report, address string) (Mail, error) {
	d := newDigest(r, address)
	all, err := parse()
	if err != nil {
		return Mail{}, err
	}
	var b bytes.Buffer
	if err := all["digest"].ExecuteTemplate(&b, "digest", d); err != nil {
		return Mail{}, fmt.Errorf("digest: %w", err)
	}
	return Mail{Subject: d.subject(), Text: d.text(), HTML: b.String()}, nil
}

func newDigest(r report.Report, address string) digest {
	d := digest{
		Shop: oneLine(r.Overview.Store), Currency: r.Overview.Currency, Day: r.Segments.Day, Warnings: r.Warnings, Address: address,
	}
	if r.Incomplete != nil {
		d.Notices = append(d.Notices, r.Incomplete.String())
	}
	if d.Day == "" {
		return d // the warnings say why
	}
	d.sales(r)
	d.divide(r)
	d.best(r)
	for _, t := range r.Trials {
		if len(t.Words) > 0 {
			d.Trials = append(d.Trials, digestTrial{t.Name, report.Capital(t.Words[0])})
		}
	}
	return d
}

// sales tells newcomers by weeks and revenue by months.
func (d *digest) sales(r report.Report) {
	s := r.Retention
	if s == nil {
		return
	}
	over := slices.DeleteFunc(slices.Clone(s.Weeks), func(c retention.CohortRow) bool { return c.Complete == 0 || !c.Whole })
	over = over[max(0, len(over)-digestWeeks):]
	most := 0
	for _, c := range over {
		most = max(most, c.Size)
	}
	for _, c := range over {
		d.Weeks = append(d.Weeks, digestBar{c.Start.String(), report.Count(c.Size), width(float64(c.Size), float64(most))})
	}
	if n := len(over); n > 0 {
		note := "in the week from " + over[n-1].Start.String()
		if n > 1 {
			note += ", " + report.Count(over[n-2].Size) + " in the week before"
		}
		d.Figures = append(d.Figures, digestFigure{"New customers", report.Count(over[n-1].Size), note})
	}
	d.revenue(s.Months[max(0, len(s.Months)-digestMonths):])
}

func (d *digest) revenue(months []retention.MonthRow) {
	sum := func(m retention.MonthRow) decimal.Decimal {
		return m.First.Revenue.Add(m.Later.Revenue).Add(m.Unknown.Revenue)
	}
	most := decimal.Zero
	for _, m := range months {
		most = decimal.Max(most, sum(m))
	}
	for _, m := range months {
		label := m.Start.String()[:len("2006-01")]
		if !m.Complete {
			label += " so far"
		}
		d.Months = append(d.Months, digestBar{label, report.Money(sum(m), d.Currency), width(sum(m).InexactFloat64(), most.InexactFloat64())})
	}
	if n := len(d.Months); n > 0 {
		last := d.Months[n-1]
		note := last.Label
		if n > 1 {
			note += "; " + d.Months[n-2].Value + " in " + d.Months[n-2].Label
		}
		d.Figures = append(d.Figures, digestFigure{"Revenue", last.Value + " " + d.Currency, note})
	}
}

// divide tells the segments, how many came and went, and what the people bring who may be lost.
func (d *digest) divide(r report.Report) {
	change := map[string]int{}
	if r.Movement != nil && r.Movement.Note == "" {
		d.Since = r.Movement.From
		for _, f := range r.Movement.Flows {
			change[f.To] += f.Customers
			change[f.From] -= f.Customers
		}
	}
	for _, row := range r.Segments.Rows {
		one := digestSegment{
			Name: row.Name, Customers: report.Count(row.Customers), Share: report.Percent(row.CustomerShare),
			RevenueShare: report.Percent(row.RevenueShare), Width: width(row.CustomerShare, 1),
		}
		if d.Since != "" {
			one.Change = signed(change[row.ID])
		}
		d.Segments = append(d.Segments, one)
	}
	people, money := 0, decimal.Zero
	for _, id := range []string{segment.Slipping, segment.Lapsed} {
		if row, ok := rowOf(r, segment.SchemeLifecycle, id); ok && row.Customers > 0 {
			d.Stake = append(d.Stake, digestStake{row.Name, report.Count(row.Customers), report.Money(row.Revenue, d.Currency)})
			people, money = people+row.Customers, money.Add(row.Revenue)
		}
	}
	if people > 0 {
		d.Figures = append(d.Figures, digestFigure{
			"Money at stake", report.Money(money, d.Currency) + " " + d.Currency,
			"what " + report.Of(people, "person", "people") + " brought so far who are slipping or lapsed",
		})
	}
}

// best tells what the best customers bring: the tenth of them, or before that was worked out, the fifth.
func (d *digest) best(r report.Report) {
	if v := r.Values; v != nil && v.Net.Gini != nil && len(v.Net.Tenths) > 0 {
		d.Figures = append(d.Figures, digestFigure{"Best tenth", report.Percent(v.Net.Tenths[0].Share), "of what customers brought so far"})
		return
	}
	if s := r.Retention; s != nil && s.BestShare != nil {
		d.Figures = append(d.Figures, digestFigure{
			"Best customers", report.Percent(*s.BestShare),
			fmt.Sprintf("of the revenue comes from the best %.0f %% of them", 100*s.BestPart),
		})
	}
}

// signed is a change with its sign; none has none.
func signed(n int) string {
	if n <= 0 {
		return report.Count(n)
	}
	return "+" + report.Count(n)
}

// rowOf is a segment of a set beside RFM.
func rowOf(r report.Report, set, id string) (report.SegmentRow, bool) {
	for _, s := range r.Sets {
		for _, row := range s.Rows {
			if s.Name == set && row.ID == id {
				return row, true
			}
		}
	}
	return report.SegmentRow{}, false
}

// subject is the line by which the mail is known in a list of mails.
func (d digest) subject() string {
	text := d.Shop
	if d.Day == "" {
		return text + ": nothing was analysed yet"
	}
	if at, err := time.Parse(time.DateOnly, d.Day); err == nil {
		text += ", " + at.Format("2 January 2006")
	}
	var said []string
	for _, f := range d.Figures {
		if f.Name == "New customers" || f.Name == "Money at stake" {
			said = append(said, strings.ToLower(f.Name)+" "+f.Value)
		}
	}
	return strings.Join(append([]string{text}, said...), ", ")
}

// width is how long a bar is, in percent; what is there at all can be seen.
func width(value, most float64) int {
	if !(value > 0) || !(most > 0) {
		return 0
	}
	return min(100, max(1, int(math.Round(100*value/most))))
}

// oneLine takes whatever ends a line, or is none of its characters, out of a name.
func oneLine(text string) string {
	return strings.Join(strings.Fields(strings.Map(func(r rune) rune {
		if unicode.IsControl(r) || r == '\u2028' || r == '\u2029' {
			return ' '
		}
		return r
	}, text)), " ")
}
