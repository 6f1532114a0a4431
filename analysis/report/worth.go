package report

import (
	"fmt"
	"math"
	"strings"
	"time"

	"github.com/shopspring/decimal"

	"github.com/perennial-cvo/perennial/analysis"
	"github.com/perennial-cvo/perennial/analysis/clv"
	"github.com/perennial-cvo/perennial/analysis/segment"
)

// models are the models of buying in words.
var models = map[clv.Kind]string{
	clv.NBD:           "customers order at rates of their own, and none is taken to have stopped",
	clv.BGNBD:         "customers order at rates of their own, and may stop for good after any repeat order",
	clv.MBGNBD:        "customers order at rates of their own, and may stop for good after any order, the first included",
	clv.MBGCNBDK:      "customers order more regularly than by chance, and may stop for good after any order, the first included",
	clv.ParetoNBD:     "customers order at rates of their own, and may stop for good at any moment",
	clv.SimpleFormula: "every customer has the shop's averages; only the time since the last order tells them apart",
}

// worth writes which model foretells, how it fared against what happened, and what to beware of.
func (p *page) worth(r Report) {
	if r.Worth == nil {
		return
	}
	w := *r.Worth
	if w.Customers == 0 {
		return // nobody has bought yet; that is said under who comes back
	}
	p.heading("Worth as of %s, in %s", w.Day, r.Overview.Currency)
	p.say(plain, "  ", "Model: %s, of %s: %s.", w.Kind.Label(), Of(w.Customers, "customer", "customers"), models[w.Kind])
	if r.Incomplete != nil {
		p.say(yellow, "  ! ", "INCOMPLETE: it was learnt without the older orders.")
	}
	if w.Margin != nil {
		p.say(plain, "  ", "Margin: %s of revenue, by the cost of what was sold, known for %s of it.", Percent(w.Margin.Rate), Percent(w.Margin.Covered))
	}
	p.backtest(w.Worth, r.Overview.Currency)
	p.verdicts(w.Verdicts)
	for _, finding := range w.Findings {
		if p.full || finding != w.Choice.Finding || w.Kind == clv.SimpleFormula { // why there is no model is worth a line
			p.say(dim, "  ", "%s.", Capital(finding))
		}
	}
}

// verdicts writes how the model did against naive forecasts; in short only where it did worse.
func (p *page) verdicts(all []clv.Verdict) {
	worse := 0
	for _, v := range all {
		look := dim
		if v.Worse {
			worse++
			look = yellow
		}
		if p.full || v.Worse {
			p.say(look, "  ", "%s.", Capital(v.Words))
		}
	}
	switch {
	case p.full || len(all) == worse:
	case worse == 0:
		p.say(dim, "  ", "It did as well as naive forecasts, such as \"everybody goes on as before\", or better.")
	default:
		p.say(dim, "  ", "For everything else it did as well as naive forecasts, or better.")
	}
}

// backtest writes what the chosen model foretold of the holdout beside what came.
func (p *page) backtest(w analysis.Worth, currency string) {
	if w.Evaluation == nil {
		return
	}
	rows := []row{{dim, []string{fmt.Sprintf("the last %d days", w.Evaluation.Days), "predicted", "actual", "bias"}}}
	add := func(what string, all []clv.Metrics, write func(float64) string) {
		for _, m := range all {
			if m.Forecast == string(w.Choice.Kind) {
				rows = append(rows, row{plain, []string{what, write(m.Predicted), write(m.Actual), fmt.Sprintf("%+.1f %%", 100*m.Bias)}})
			}
		}
	}
	add("Orders", w.Evaluation.Orders, func(v float64) string { return group(fmt.Sprintf("%.0f", v)) })
	add("Value", w.Evaluation.Value, func(v float64) string { return Money(decimal.NewFromFloat(v), currency) })
	p.table([]align{left, right, right, right}, rows)
}

// Capital begins a sentence.
func Capital(text string) string {
	if text == "" {
		return ""
	}
	return strings.ToUpper(text[:1]) + text[1:]
}

// outlook writes what the person is expected to do, and from which figures that follows.
func (p *page) outlook(e Explanation) {
	o := e.Outlook
	if o == nil {
		return
	}
	p.heading("Outlook as of %s, by %s", day(o.Day), o.Kind.Label())
	p.pairs(append(e.Bought(), e.Expected()...))
	if doubt := e.Doubt(); doubt != "" {
		p.say(yellow, "  ! ", "%s", doubt)
	}
	p.say(dim, "  ", "%s", e.Model())
}

// Bought is what the person bought so far, as a model sees it.
func (e Explanation) Bought() [][2]string {
	o := e.Outlook
	if o == nil {
		return nil
	}
	lines := [][2]string{
		{"Days with a purchase", Count(o.Purchases)},
		{"First and last", day(o.First) + " and " + day(o.Last)},
		{"Weeks from first to last", fmt.Sprintf("%.1f", o.LastWeeks)},
		{"Weeks since the first", fmt.Sprintf("%.1f", o.AgeWeeks)},
		{"Spent", rounded(o.Spent, false, e.Currency)},
	}
	if o.Costed {
		lines = append(lines, [2]string{"Margin of it", rounded(o.Margin, false, e.Currency)})
	}
	return lines
}

// Expected is what the person is expected to do.
func (e Explanation) Expected() [][2]string {
	o := e.Outlook
	if o == nil {
		return nil
	}
	lines := [][2]string{
		{"Probability of still buying", share(o.Alive)},
		{"Probability of having stopped", share(o.Churn)},
		{"Orders expected in " + ahead(o.Horizon), fmt.Sprintf("%.1f", o.Orders) + by(o.OrdersBy, o.Kind)},
		{"Value expected in " + ahead(o.Horizon), "about " + rounded(o.Value, true, e.Currency) + by(o.ValueBy, o.Kind)},
	}
	if o.MarginAhead != nil {
		lines = append(lines, [2]string{"Margin expected of that", "about " + rounded(*o.MarginAhead, true, e.Currency)})
	}
	return append(lines, [2]string{"Next order, if any", nextOrder(o)})
}

// Plainly says in a sentence what the person is expected to do; empty where that is not known.
func (e Explanation) Plainly() string {
	o := e.Outlook
	if o == nil {
		return ""
	}
	text := "Most likely still a customer"
	switch {
	case o.ByConstruction:
		text = "Whether this is still a customer is not known"
	case o.Alive < 1-segment.ChurnBands().Cuts()[1]:
		text = "Most likely gone"
	case o.Alive < 1-segment.ChurnBands().Cuts()[0]:
		text = "Perhaps still a customer, perhaps gone"
	}
	return fmt.Sprintf("%s: in %s, %.1f orders worth about %s are expected.", text, ahead(o.Horizon), o.Orders, rounded(o.Value, true, e.Currency))
}

// Doubt says why the outlook says little of this person; empty where it does not.
func (e Explanation) Doubt() string {
	if e.Outlook == nil || !e.Outlook.ByConstruction {
		return ""
	}
	return e.Outlook.Kind.Label() + " takes this person to be still buying by its form, whatever time has passed: it says nothing of them."
}

// Model says by which model the person is foretold.
func (e Explanation) Model() string {
	if e.Outlook == nil {
		return ""
	}
	return fmt.Sprintf("%s. Parameters as of %s.", Capital(models[e.Outlook.Kind]), day(e.Outlook.Fitted))
}

// by names the forecast that was used in place of the model.
func by(forecast string, kind clv.Kind) string {
	if forecast == string(kind) {
		return ""
	}
	return fmt.Sprintf(" (naive forecast: %s)", forecast)
}

func ahead(days int) string {
	if days == analysis.DefaultHorizon {
		return "12 months"
	}
	return Of(days, "day", "days")
}

// share writes a probability without claiming certainty that is not there.
func share(p float64) string {
	switch {
	case p > 0.999 && p < 1:
		return "over 99.9 %"
	case p > 0 && p < 0.001:
		return "under 0.1 %"
	}
	return Percent(p)
}

// rounded writes an amount, in steps where it is only expected.
func rounded(amount float64, steps bool, currency string) string {
	exact := int64(math.Round(amount * 10_000))
	if steps {
		exact = clv.Round(exact, 0, false)
	}
	return Money(decimal.New(exact, -4), currency) + " " + currency
}

// nextOrder writes the day of the next order with its interval.
func nextOrder(o *analysis.Outlook) string {
	if o.Next == nil {
		return "not foretold"
	}
	write := func(d int32) string { return analysis.Date(int(d)).Format(time.DateOnly) }
	if !o.Next.LateKnown {
		return fmt.Sprintf("around %s (9 in 10 after %s)", write(o.Next.Day), write(o.Next.Early))
	}
	return fmt.Sprintf("around %s (8 in 10: %s to %s)", write(o.Next.Day), write(o.Next.Early), write(o.Next.Late))
}
