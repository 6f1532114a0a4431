package report_test

import (
	"bytes"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/shopspring/decimal"
	"github.com/stretchr/testify/require"

	"github.com/perennial-cvo/perennial/analysis"
	"github.com/perennial-cvo/perennial/analysis/report"
)

// teaGrid is what the segments of the tea shop consist of, by scores.
func teaGrid() []report.Cell {
	var cells []report.Cell
	for i := range 25 {
		r, f := 1+i/5, 1+i%5
		n := 5 + (r*f*7)%31
		cells = append(cells, report.Cell{
			R: r, F: f, M: 1 + (r+f)/2, Customers: n, Orders: n * f, Net: decimal.New(int64(n*f*f)*1850, -2), Gross: decimal.New(int64(n*f*f)*1900, -2),
		})
	}
	return cells
}

// cellsOf counts customers as the database does, by scores that a run gave them.
func cellsOf(customers []analysis.Customer, members []analysis.Member) []report.Cell {
	found := map[[3]int]*report.Cell{}
	var order [][3]int
	of := map[int64]analysis.Customer{}
	for _, c := range customers {
		of[c.Person] = c
	}
	for _, m := range members {
		c, at := of[m.Person], [3]int{int(m.Score.R), int(m.Score.F), int(m.Score.M)}
		cell := found[at]
		if cell == nil {
			one := func(v int64) report.Extent { return report.Extent{Min: v, Max: v} }
			cell = &report.Cell{R: at[0], F: at[1], M: at[2], Spread: report.Spread{
				LastDay: one(int64(c.LastDay)), Orders: one(int64(c.Orders)), Net: one(c.Net), Gross: one(c.Gross),
			}}
			found[at] = cell
			order = append(order, at)
		}
		for extent, v := range map[*report.Extent]int64{
			&cell.Spread.LastDay: int64(c.LastDay), &cell.Spread.Orders: int64(c.Orders), &cell.Spread.Net: c.Net, &cell.Spread.Gross: c.Gross,
		} {
			extent.Min, extent.Max = min(extent.Min, v), max(extent.Max, v)
		}
		cell.Customers++
	}
	cells := make([]report.Cell, len(order))
	for i, at := range order {
		cells[i] = *found[at]
	}
	return cells
}

// TestAPersonIsExplainedTheSameWithoutReadingEverybody holds an explanation that takes thresholds and customers from a report
// against one that counts everybody.
func TestAPersonIsExplainedTheSameWithoutReadingEverybody(t *testing.T) {
	for _, basis := range []string{"net", "gross"} {
		shop := teaShop()
		shop.snapshot.Rule = `{"convention":"rank_min","bins":0,"used":5,"basis":"` + basis + `"}`
		out, err := analysis.Run(t.Context(), runnable{shop}, analysis.Options{Now: func() time.Time { return now }, Basis: analysis.Basis(basis)})
		require.NoError(t, err)
		shop.cells = cellsOf(shop.customers, out.Result.Members)
		want, ok, err := report.CollectPerson(t.Context(), shop, "ana@example.com")
		require.NoError(t, err)
		require.True(t, ok)
		r := collect(t, shop)
		shop.err, shop.customers = errEverybody, shop.customers[17:18]
		got, ok, err := report.CollectPersonByID(t.Context(), shop, 17, &r)
		require.NoError(t, err)
		require.True(t, ok)
		require.Empty(t, cmp.Diff(jsonOf(t, want), jsonOf(t, got)))
		require.Empty(t, cmp.Diff(want.Thresholds, got.Thresholds))

		r.Segments.AsOf = r.Segments.AsOf.AddDate(0, 0, -1)
		got, _, err = report.CollectPersonByID(t.Context(), shop, 17, &r)
		require.NoError(t, err)
		require.Empty(t, got.Thresholds.Recency, "they are of another day")
		_, ok, err = report.CollectPersonByID(t.Context(), shop, 18, &r)
		require.NoError(t, err)
		require.False(t, ok)
	}
}

func jsonOf(t *testing.T, what any) string {
	t.Helper()
	var b bytes.Buffer
	require.NoError(t, report.JSON(&b, what))
	return b.String()
}
