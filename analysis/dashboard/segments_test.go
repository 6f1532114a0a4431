package dashboard

import (
	"net/http"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/perennial-cvo/perennial/analysis"
	"github.com/perennial-cvo/perennial/analysis/report"
)

func TestSegments(t *testing.T) {
	f := teaShop(t)
	f.report.Worth = &report.Appraisal{Worth: analysis.Worth{Margin: &analysis.Margin{Rate: 0.4, Covered: 0.9}}}
	s := served(t, f)
	goldenPage(t, s, "/shops/tea/segments", "segments.html")
	golden(t, "segments.csv", got(t, s, "/shops/tea/segments.csv").Body.Bytes())
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
