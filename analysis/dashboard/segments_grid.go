package dashboard

import (
	"fmt"

	"github.com/shopspring/decimal"

	"github.com/perennial-cvo/perennial/analysis"
	"github.com/perennial-cvo/perennial/analysis/chart"
	"github.com/perennial-cvo/perennial/analysis/report"
)

// scoreGrid is the customers by frequency down the side and recency along the top, the best at the upper right.
type scoreGrid struct {
	Title, Caption string
	Columns        []int // scores of recency
	Rows           []scoreRow
}

type scoreRow struct {
	F     int
	Cells []scoreCell
}

// scoreCell is everybody with one score of recency and one of frequency; nobody where Customers is 0.
type scoreCell struct {
	Customers   int
	Text, Words string
	Step        int    // shade
	Address     string // of the people
	brought     decimal.Decimal
}

// Grids are where the customers are and where the revenue comes from, by the same scores; none where nobody has a score.
func (v *view) Grids() []scoreGrid {
	scores, customers, brought, cells := v.scored()
	if customers == 0 {
		return nil
	}
	people := func(c *scoreCell) float64 { return float64(c.Customers) / float64(customers) }
	grids := []scoreGrid{v.grid(scores, cells, people)}
	grids[0].Title, grids[0].Caption = "Where the customers are", "The part of all customers with these scores."
	if brought.IsPositive() {
		money := func(c *scoreCell) float64 {
			share, _ := c.brought.Div(brought).Float64()
			return share
		}
		grids = append(grids, v.grid(scores, cells, money))
		grids[1].Title, grids[1].Caption = "Where the revenue comes from", "The part of all revenue that these customers brought."
	}
	return grids
}

// scored sums up the cells of the report over the monetary scores. Scores go from 1 to the one returned.
func (v *view) scored() (scores, customers int, brought decimal.Decimal, cells map[[2]int]*scoreCell) {
	cells = map[[2]int]*scoreCell{}
	for _, c := range v.Report.Grid {
		scores, customers = max(scores, c.R, c.F), customers+c.Customers
		cell := cells[[2]int{c.R, c.F}]
		if cell == nil {
			cell = &scoreCell{}
			cells[[2]int{c.R, c.F}] = cell
		}
		money := c.Net
		if v.Report.Segments.Basis == analysis.Gross {
			money = c.Gross
		}
		cell.Customers += c.Customers
		cell.brought, brought = cell.brought.Add(money), brought.Add(money)
	}
	return scores, customers, brought, cells
}

// roughly writes a share in whole percents, of which nobody is none.
func roughly(share float64) string {
	if share > 0 && share < 0.005 {
		return "<1 %"
	}
	return fmt.Sprintf("%.0f %%", 100*share+0)
}

// grid arranges the cells, each with its share.
func (v *view) grid(scores int, cells map[[2]int]*scoreCell, share func(*scoreCell) float64) scoreGrid {
	var g scoreGrid
	largest := 0.0
	for _, c := range cells {
		largest = max(largest, share(c))
	}
	for r := 1; r <= scores; r++ {
		g.Columns = append(g.Columns, r)
	}
	for f := scores; f >= 1; f-- {
		row := scoreRow{F: f}
		for r := 1; r <= scores; r++ {
			cell := scoreCell{}
			if found := cells[[2]int{r, f}]; found != nil {
				cell = *found
				cell.Text, cell.Step, cell.Address = roughly(share(found)), chart.Step(share(found), largest), v.Link.Cell(r, f, 0)
				cell.Words = fmt.Sprintf("%s: recency %d, frequency %d, %s, %s %s", cell.Text, r, f, report.Of(cell.Customers, "customer", "customers"),
					wholeMoney(cell.brought, ""), v.Currency())
			}
			row.Cells = append(row.Cells, cell)
		}
		g.Rows = append(g.Rows, row)
	}
	return g
}
