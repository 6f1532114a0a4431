package dashboard

import (
	"encoding/csv"
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/perennial-cvo/perennial/analysis"
	"github.com/perennial-cvo/perennial/analysis/clv"
	"github.com/perennial-cvo/perennial/analysis/product"
	"github.com/perennial-cvo/perennial/analysis/report"
	"github.com/perennial-cvo/perennial/analysis/value"
)

// sellingShop is the tea shop with what the tests of package report hold to be right of products and values.
func sellingShop(t *testing.T) *shopFacts {
	t.Helper()
	f := teaShop(t)
	text, err := os.ReadFile(filepath.Join("..", "report", "testdata", "sums.json"))
	require.NoError(t, err)
	var sums struct {
		Products *product.Summary
		Values   *value.Summary
	}
	require.NoError(t, json.Unmarshal(text, &sums))
	f.report.Products, f.report.Values = sums.Products, sums.Values
	f.report.Worth = foretelling()
	return f
}

// foretelling is an appraisal with a model that was held against what happened.
func foretelling() *report.Appraisal {
	metrics := func(forecast string, scale float64) clv.Metrics {
		m := clv.Metrics{Forecast: forecast, Customers: 1000, Actual: 9000, Predicted: 9000 * scale, Bias: scale - 1, MAE: 8.25 * scale, Gini: 0.61 / scale}
		for i := range 10 {
			m.Deciles = append(m.Deciles, clv.Decile{Customers: 100, Actual: 200 * float64(9-i), Predicted: 180 * float64(9-i) * scale})
		}
		return m
	}
	w := analysis.Worth{Day: 20533, Customers: 1200, Kind: clv.MBGNBD, Choice: analysis.Choice{Kind: clv.MBGNBD}, Horizon: 365}
	w.Evaluation = &clv.Evaluation{
		Days: 182, Customers: 1000, Late: 200,
		Orders: []clv.Metrics{metrics("mbg_nbd", 1.04), metrics(clv.NaivePast, 1.6)}, Value: []clv.Metrics{metrics("mbg_nbd", 0.93), metrics(clv.NaivePast, 2.4)},
	}
	for _, m := range []*clv.Metrics{&w.Evaluation.Orders[0], &w.Evaluation.Value[0]} {
		m.Forecast = string(clv.MBGNBD)
	}
	w.Verdicts = []clv.Verdict{{Words: "value, ranking: MBG/NBD is worse than \"past spend\" (Gini 0.638, naive 0.680); the naive forecast is used for it", Worse: true}}
	return &report.Appraisal{Worth: w, Day: "2026-03-21"}
}

// looking is somebody who has logged in once: many pages take many looks, and logging in is rationed.
func looking(t *testing.T, s *Server) func(path string) *httptest.ResponseRecorder {
	t.Helper()
	cookie := logIn(t, s)
	return func(path string) *httptest.ResponseRecorder {
		r := httptest.NewRequest(http.MethodGet, s.base+"/shops/tea/"+path, http.NoBody)
		r.AddCookie(cookie)
		w := httptest.NewRecorder()
		s.ServeHTTP(w, r)
		return w
	}
}

func TestProductsAndValuesPages(t *testing.T) {
	s := served(t, sellingShop(t))
	goldenPage(t, s, "/shops/tea/products", "products.html")
	goldenPage(t, s, "/shops/tea/value", "value.html")
	look := looking(t, s)
	for _, name := range []string{"products", "value"} {
		w := look(name + ".csv")
		require.Equal(t, http.StatusOK, w.Code)
		golden(t, name+".csv", w.Body.Bytes())
		rows, err := csv.NewReader(w.Body).ReadAll()
		require.NoError(t, err, "every row is as long as the heading")
		require.Greater(t, len(rows), 5)
	}
}

// TestNamesOfProductsAreText: whatever a shop calls its products and campaigns.
func TestNamesOfProductsAreText(t *testing.T) {
	f := sellingShop(t)
	const wicked = `=<script>alert(1)</script>`
	f.report.Products.Products[0].Name, f.report.Values.Origins[0].Groups[0].Name = wicked, wicked
	f.report.Products.Products[0].Gone = true
	look := looking(t, served(t, f))
	for _, page := range []string{"products", "value"} {
		require.NotContains(t, look(page).Body.String(), "<script>alert")
		require.Contains(t, look(page).Body.String(), "&lt;script&gt;alert")
		require.Contains(t, look(page+".csv").Body.String(), "'=<script>")
	}
}

// TestPagesOfLittle: before the first night, of a shop without lines, reviews, customers or forecasts.
func TestPagesOfLittle(t *testing.T) {
	bare := func() *shopFacts {
		f := teaShop(t)
		f.report.Products, f.report.Values, f.report.Worth = nil, nil, nil
		return f
	}
	unloved := sellingShop(t)
	unloved.report.Products.Rating = nil
	for i := range unloved.report.Products.Products {
		unloved.report.Products.Products[i].Rating = nil
	}
	unloved.report.Values.Predicted = nil
	unloved.report.Worth.Evaluation, unloved.report.Worth.Findings = nil, []string{"fewer than 100 customers"}
	empty := bare()
	empty.report = report.Report{}
	nobody, blind := bare(), bare()
	nobody.report.Products, nobody.report.Values = &product.Summary{}, &value.Summary{}
	blind.report.Products, blind.report.Values = &product.Summary{Customers: 3}, &value.Summary{Customers: 1, Net: value.Spread{Customers: 1, Tenths: []value.Tenth{{Customers: 1}}}}
	for name, c := range map[string]struct {
		shop            *shopFacts
		products, value string
	}{
		"before the first":    {bare(), "Products were not worked out yet", "was not worked out yet"},
		"never analysed":      {empty, "The first load is under way", "The first load is under way"},
		"nobody bought":       {nobody, "Nobody has bought yet", "Nobody has bought yet"},
		"without lines":       {blind, "do not say what was bought", "Nothing is foretold of them yet"},
		"without foretelling": {unloved, "no reviews are known", "Fewer than 100 customers."},
	} {
		t.Run(name, func(t *testing.T) {
			look := looking(t, served(t, c.shop))
			for page, words := range map[string]string{"products": c.products, "value": c.value} {
				w := look(page)
				require.Equal(t, http.StatusOK, w.Code)
				require.Contains(t, w.Body.String(), words)
				require.False(t, strings.Contains(w.Body.String(), "NaN") || strings.Contains(w.Body.String(), "%!"), page)
				require.Equal(t, http.StatusOK, look(page+".csv").Code)
			}
		})
	}
}
