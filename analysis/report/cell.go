package report

import (
	"context"
	"fmt"

	"github.com/shopspring/decimal"

	"github.com/perennial-cvo/perennial/analysis"
	"github.com/perennial-cvo/perennial/analysis/rfm"
)

// Cell is everybody with one combination of recency, frequency and monetary scores.
type Cell struct {
	R         int             `json:"r"`
	F         int             `json:"f"`
	M         int             `json:"m"`
	Customers int             `json:"customers"`
	Orders    int             `json:"orders"`
	Net       decimal.Decimal `json:"net"`
	Gross     decimal.Decimal `json:"gross"`
	Spread    Spread          `json:"-"` // told as thresholds
}

// Spread is how far apart the customers of a cell are.
type Spread struct {
	LastDay Extent // days since 1970-01-01
	Orders  Extent
	Net     Extent // ten-thousandths of the currency
	Gross   Extent // the same
}

// Extent is from the least to the most.
type Extent struct{ Min, Max int64 }

// grid is everybody by scores.
func grid(ctx context.Context, facts Facts) ([]Cell, error) {
	cells, err := facts.Cells(ctx)
	if err != nil {
		return nil, fmt.Errorf("grid: %w", err)
	}
	return list(cells), nil
}

// thresholds says what the scores of the cells cover as of a local day.
func thresholds(cells []Cell, rule analysis.Rule, today int) analysis.Thresholds {
	t := analysis.Thresholds{Recency: ranges(rule.Used), Frequency: ranges(rule.Used), Monetary: ranges(rule.Used)}
	for _, c := range cells {
		money := c.Spread.Net
		if rule.Basis == analysis.Gross {
			money = c.Spread.Gross
		}
		days := Extent{Min: int64(today) - c.Spread.LastDay.Max, Max: int64(today) - c.Spread.LastDay.Min}
		widen(t.Recency, c.R, c.Customers, days)
		widen(t.Frequency, c.F, c.Customers, c.Spread.Orders)
		widen(t.Monetary, c.M, c.Customers, money)
	}
	return t
}

func ranges(scores int) []rfm.Range {
	all := make([]rfm.Range, scores)
	for i := range all {
		all[i].Score = i + 1
	}
	return all
}

// widen lets a score cover some more customers.
func widen(all []rfm.Range, score, customers int, by Extent) {
	if score < 1 || score > len(all) {
		return
	}
	r := &all[score-1]
	if r.Customers == 0 {
		r.Min, r.Max = by.Min, by.Max
	}
	r.Min, r.Max = min(r.Min, by.Min), max(r.Max, by.Max)
	r.Customers += customers
}

// grid writes the customers by frequency and recency: their share, and that of the revenue.
func (p *page) grid(cells []Cell, s Segmentation) {
	if !p.full || len(cells) == 0 {
		return
	}
	bins, whole, parts := 0, Group{}, map[[2]int]Group{}
	for _, c := range cells {
		bins = max(bins, c.R, c.F)
		whole = whole.with(c)
		parts[[2]int{c.R, c.F}] = parts[[2]int{c.R, c.F}].with(c)
	}
	head, aligns := []string{""}, []align{left}
	for r := 1; r <= bins; r++ {
		head, aligns = append(head, fmt.Sprintf("R%d", r)), append(aligns, right)
	}
	rows := []row{{dim, head}}
	for f := bins; f >= 1; f-- {
		line := []string{fmt.Sprintf("F%d", f)}
		for r := 1; r <= bins; r++ {
			line = append(line, shares(parts[[2]int{r, f}], whole, s.Basis))
		}
		rows = append(rows, row{plain, line})
	}
	p.heading("Scores: share of customers; share of revenue")
	p.table(aligns, rows)
	p.say(dim, "  ", "R%d ordered most recently, F%d most often.", bins, bins)
}

// with is a group and a cell together.
func (g Group) with(c Cell) Group {
	g.Customers, g.Orders, g.Gross, g.Net = g.Customers+c.Customers, g.Orders+c.Orders, g.Gross.Add(c.Gross), g.Net.Add(c.Net)
	return g
}

// shares writes a part of the grid in whole percents.
func shares(part, whole Group, basis analysis.Basis) string {
	if part.Customers == 0 {
		return "-"
	}
	text := fmt.Sprintf("%.0f %%", 100*float64(part.Customers)/float64(whole.Customers))
	if all := revenue(whole, basis); all.IsPositive() {
		share, _ := revenue(part, basis).Div(all).Float64()
		text += fmt.Sprintf("; %.0f %%", 100*share+0)
	}
	return text
}
