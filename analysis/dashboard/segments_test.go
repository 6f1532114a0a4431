package dashboard

import (
	"net/http"
	"strings"
	"testing"

	"github.com/shopspring/decimal"
	"github.com/stretchr/testify/require"

	"github.com/perennial-cvo/perennial/analysis"
	"github.com/perennial-cvo/perennial/analysis/report"
)

func TestSegments(t *testing.T) {
	f := teaShop(t)
	f.report.Grid = []report.Cell{
		{R: 5, F: 5, M: 5, Customers: 30, Net: amount("9000"), Gross: amount("9900")},
		{R: 5, F: 5, M: 1, Customers: 10, Net: amount("500"), Gross: amount("500")},
		{R: 5, F: 1, M: 2, Customers: 40, Net: amount("400"), Gross: amount("400")},
		{R: 1, F: 2, M: 2, Customers: 20, Net: amount("100"), Gross: amount("300")},
	}
	foretold := amount("43210.5")
	f.report.Segments.Rows[0].Foretold = &foretold
	f.report.Worth = &report.Appraisal{Worth: analysis.Worth{Horizon: 365, Margin: &analysis.Margin{Rate: 0.4, Covered: 0.9}}}
	s := served(t, f)
	goldenPage(t, s, "/shops/tea/segments", "segments.html")
	golden(t, "segments.csv", got(t, s, "/shops/tea/segments.csv").Body.Bytes())
}

func amount(text string) decimal.Decimal { return decimal.RequireFromString(text) }

func TestGrid(t *testing.T) {
	f := teaShop(t)
	v := &view{Report: &f.report, Link: links{shop: "tea"}}
	f.report.Grid = nil
	require.Empty(t, v.Grids())

	f.report.Grid = []report.Cell{
		{R: 3, F: 2, M: 1, Customers: 3, Net: amount("10"), Gross: amount("50")},
		{R: 3, F: 2, M: 2, Customers: 1, Net: amount("20"), Gross: amount("50")},
		{R: 1, F: 1, M: 1, Customers: 4, Net: amount("70"), Gross: amount("100")},
	}
	customers, money := v.Grids()[0], v.Grids()[1]
	require.Equal(t, []int{1, 2, 3}, customers.Columns)
	require.Equal(t, 3, customers.Rows[0].F, "the best at the top")
	require.Equal(t, "50 %", customers.Rows[1].Cells[2].Text)
	require.Equal(t, "30 %", money.Rows[1].Cells[2].Text)
	require.Equal(t, "/shops/tea/people?f=2&r=3", money.Rows[1].Cells[2].Address)
	require.Zero(t, money.Rows[0].Cells[0].Customers)
	f.report.Segments.Basis = analysis.Gross
	require.Equal(t, "50 %", v.Grids()[1].Rows[1].Cells[2].Text)

	for i := range f.report.Grid {
		f.report.Grid[i].Gross = amount("-1")
	}
	require.Len(t, v.Grids(), 1, "there are no shares of a loss")
}

// TestPagesOfAShopWithoutFigures: before the first load, before the first analysis, without anybody.
func TestPagesOfAShopWithoutFigures(t *testing.T) {
	loaded := report.Report{Overview: report.Overview{Store: "tea", Currency: "EUR", Loaded: true}}
	empty := loaded
	empty.Segments = report.Segmentation{AsOf: readAt, Day: "2026-03-21", Rows: []report.SegmentRow{}}
	for name, c := range map[string]struct {
		report report.Report
		says   string
	}{
		"loading":      {report.Report{}, "The first load is under way"},
		"not analysed": {loaded, "Nothing was analysed yet"},
		"nobody":       {empty, "</h1>"},
	} {
		for _, page := range []string{"segments", "movement", "retention"} {
			t.Run(name+" "+page, func(t *testing.T) {
				s := servedMoving(t, &movedFacts{shopFacts: &shopFacts{report: c.report}})
				w := got(t, s, "/shops/tea/"+page)
				require.Equal(t, http.StatusOK, w.Code, w.Body.String())
				require.Contains(t, w.Body.String(), c.says)
				w = got(t, s, "/shops/tea/"+page+".csv")
				require.Equal(t, http.StatusOK, w.Code)
				require.Equal(t, 1, strings.Count(w.Body.String(), "\n"), "the heading alone")
			})
		}
	}
}

// TestNamesFromAShopAreText: whatever somebody called a segment of their own.
func TestNamesFromAShopAreText(t *testing.T) {
	f := teaShop(t)
	for i := range f.report.Sets {
		for k := range f.report.Sets[i].Rows {
			f.report.Sets[i].Rows[k].Name = `<script>alert("x")</script>`
		}
	}
	f.report.Movement.Flows[1].FromName = "=cmd|' /C calc'!A0<b>"
	s := served(t, f)
	for _, page := range []string{"segments", "movement"} {
		text := got(t, s, "/shops/tea/"+page).Body.String()
		require.NotContains(t, text, "<script>a", page)
		require.NotContains(t, text, "A0<b>", page)
	}
	require.Contains(t, got(t, s, "/shops/tea/movement.csv").Body.String(), "'=cmd|")
}
