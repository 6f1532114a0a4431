package dashboard

import (
	"fmt"
	"html/template"

	"github.com/shopspring/decimal"

	"github.com/perennial-cvo/perennial/analysis/chart"
	"github.com/perennial-cvo/perennial/analysis/clv"
	"github.com/perennial-cvo/perennial/analysis/report"
)

// backtest is what was foretold of the last period from the time before, beside what came.
type backtest struct {
	Days      int
	Model     string
	Customers int
	Late      int
	Compared  []comparison
	Tenths    []tenth
	Verdicts  []clv.Verdict
	currency  string
}

// comparison is how one forecast did.
type comparison struct {
	Of, Forecast string
	Chosen       bool // it is the model in use
	Predicted    string
	Actual       string
	Bias         float64
	Error        string
	Ranking      float64
}

// tenth is a tenth of the customers in order of the forecast.
type tenth struct {
	Customers         int
	Predicted, Actual decimal.Decimal
	Off               *float64 // nil where nothing came
}

// Backtest compares what was foretold with what happened; nil where there was too little for it.
func (v *view) Backtest() *backtest {
	if v.Report == nil || v.Report.Worth == nil || v.Report.Worth.Evaluation == nil {
		return nil
	}
	w := v.Report.Worth
	b := &backtest{
		Days: w.Evaluation.Days, Model: w.Choice.Kind.Label(), Customers: w.Evaluation.Customers, Late: w.Evaluation.Late, Verdicts: w.Verdicts, currency: v.Currency(),
	}
	whole := func(n float64) string { return report.Count(int(n + 0.5)) }
	cash := func(n float64) string { return report.Money(decimal.NewFromFloat(n), b.currency) }
	b.compare("Orders", w.Choice.Kind, w.Evaluation.Orders, whole, func(n float64) string { return fmt.Sprintf("%.2f", n) })
	b.compare("Value", w.Choice.Kind, w.Evaluation.Value, cash, cash)
	for _, m := range w.Evaluation.Value {
		if m.Forecast == string(w.Choice.Kind) {
			b.Tenths = byTenth(m.Deciles)
		}
	}
	return b
}

// compare adds the rows of the model in use and of the naive forecasts, to tell whether it is worth having.
func (b *backtest) compare(of string, chosen clv.Kind, all []clv.Metrics, total, each func(float64) string) {
	for _, m := range all {
		kind := clv.Kind(m.Forecast)
		b.Compared = append(b.Compared, comparison{
			Of: of, Forecast: kind.Label(), Chosen: kind == chosen, Predicted: total(m.Predicted), Actual: total(m.Actual), Bias: m.Bias, Error: each(m.MAE), Ranking: m.Gini,
		})
	}
}

func byTenth(deciles []clv.Decile) []tenth {
	var all []tenth
	for _, d := range deciles {
		n := float64(max(1, d.Customers))
		t := tenth{Customers: d.Customers, Predicted: decimal.NewFromFloat(d.Predicted / n), Actual: decimal.NewFromFloat(d.Actual / n)}
		if d.Actual > 0 {
			off := d.Predicted/d.Actual - 1
			t.Off = &off
		}
		all = append(all, t)
	}
	return all
}

// Chart draws what was foretold of each tenth beside what came.
func (b backtest) Chart() template.HTML {
	foretold, came := chart.Line{Name: "foretold"}, chart.Line{Name: "came"}
	c := chart.LineChart{
		Title: fmt.Sprintf("Value of a customer in the %d days, by tenth of the forecast", b.Days), YLabel: func(n float64) string { return report.Money(decimal.NewFromFloat(n), "JPY") },
		Words: "The tenth of whom most was foretold comes first.",
	}
	for i, t := range b.Tenths {
		x := float64(i + 1)
		add := func(l *chart.Line, of decimal.Decimal) {
			y, _ := of.Float64()
			l.Points = append(l.Points, chart.Point{X: x, Y: y, Label: fmt.Sprintf("tenth %d: %s %s", i+1, report.Money(of, b.currency), l.Name)})
		}
		add(&foretold, t.Predicted)
		add(&came, t.Actual)
		c.XTicks = append(c.XTicks, chart.Tick{At: x, Label: fmt.Sprint(i + 1)})
	}
	c.Lines = []chart.Line{foretold, came}
	return chart.Lines(c)
}
