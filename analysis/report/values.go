package report

import (
	"cmp"
	"fmt"

	"github.com/shopspring/decimal"

	"github.com/perennial-cvo/perennial/analysis/value"
)

// spread writes how what customers brought, and are expected to bring, is spread over them.
func (p *page) spread(r Report) {
	if r.Values == nil || r.Values.Customers == 0 {
		return
	}
	s := *r.Values
	p.heading("Who is worth what, as of %s, net revenue in %s", s.Day, r.Overview.Currency)
	p.say(plain, "  ", "So far: %s", SpreadWords(s.Net, r.Overview.Currency))
	if s.Predicted == nil {
		p.say(plain, "  ", "Nothing is foretold of them yet.")
	} else {
		p.say(plain, "  ", "Expected in %s: %s", ahead(s.Horizon), SpreadWords(*s.Predicted, r.Overview.Currency))
	}
	p.tenths(s)
	if !p.full {
		return
	}
	p.groups("tier", s.Tiers, "")
	for _, o := range s.Origins {
		p.groups(Kinds()[o.Kind].Heading, o.Groups[:min(len(o.Groups), shownKeys)], Kinds()[o.Kind].None)
	}
	p.groups("month of the first order", s.Cohorts[max(0, len(s.Cohorts)-shownPeriods):], "")
}

// SpreadWords says in a sentence how an amount is spread over customers.
func SpreadWords(s value.Spread, currency string) string {
	middle := decimal.Zero
	for _, q := range s.Quantiles {
		if q.Part == 0.5 {
			middle = q.Amount
		}
	}
	text := fmt.Sprintf("%s a customer on average, %s or less for half of them", Money(s.Mean, currency), Money(middle, currency))
	if s.Gini == nil || len(s.Tenths) < 10 {
		return text + "."
	}
	return fmt.Sprintf("%s; the best tenth brings %s of it all (Gini %.2f).", text, Percent(s.Tenths[0].Share), *s.Gini)
}

// tenths writes what each tenth of the customers brought and is expected to bring. The two are not the same people.
func (p *page) tenths(s value.Summary) {
	if len(s.Net.Tenths) < 10 {
		return
	}
	rows := []row{{dim, []string{"tenth", "so far, each", "share", "expected, each", "share"}}}
	for i, t := range s.Net.Tenths {
		cells := []string{fmt.Sprint(i + 1), Units(t.Mean), Percent(t.Share), "-", "-"}
		if s.Predicted != nil && i < len(s.Predicted.Tenths) {
			cells[3], cells[4] = Units(s.Predicted.Tenths[i].Mean), Percent(s.Predicted.Tenths[i].Share)
		}
		rows = append(rows, row{plain, cells})
	}
	p.line("")
	p.fitted(rows, nil)
	p.say(dim, "  ", "Tenths of the customers, the best first by either figure: the two need not be the same people.")
}

// groups writes what customers of each group brought and are expected to bring.
func (p *page) groups(what string, groups []value.Group, none string) {
	if len(groups) == 0 {
		return
	}
	rows := []row{{dim, []string{what, "customers", "", "so far, each", "likely", "expected, each"}}}
	for _, g := range groups {
		likely, expected := "-", "-"
		if g.Low != nil {
			likely = Units(*g.Low) + " to " + Units(*g.High)
		}
		if g.Expected != nil {
			expected = Units(*g.Expected)
		}
		rows = append(rows, row{plain, []string{cmp.Or(g.Name, none), Count(g.Customers), Percent(g.Share), Units(g.Each), likely, expected}})
	}
	p.line("")
	p.fitted(rows, []int{4, 2})
}

// Kind is what customers are told apart by, in words.
type Kind struct {
	Heading string // of a table
	None    string // whoever has none of it
}

// Kinds are what customers are told apart by.
func Kinds() map[value.Kind]Kind {
	return map[value.Kind]Kind{
		value.Campaign: {"campaign of the first order", "no campaign"},
		value.Source:   {"source of the first order", "no source"},
		value.Coupon:   {"coupon of the first order", "no coupon"},
		value.Product:  {"product in the first order", ""},
		value.Category: {"category in the first order", ""},
	}
}
