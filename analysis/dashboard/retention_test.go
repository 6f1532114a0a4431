package dashboard

import (
	"math/rand/v2"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/perennial-cvo/perennial/analysis"
	"github.com/perennial-cvo/perennial/analysis/retention"
)

// cohortDrinkers are the orders of people who began to drink tea within so many days; whoever began with green tea comes back more
// often.
func cohortDrinkers(t *testing.T, days int32, people int64) *retention.Summary {
	t.Helper()
	r := rand.New(rand.NewPCG(7, 11))
	w := retention.Window{AsOf: int32(analysis.Day(readAt, time.UTC))}
	var orders []retention.Order
	for person := range people {
		day, key, pause := w.AsOf-1-r.Int32N(days), "12", int32(60)
		if person%3 == 0 {
			key, pause = "14", 20
		}
		for place := int64(0); day < w.AsOf; place++ {
			revenue := int64(200_000 + r.IntN(400_000))
			orders = append(orders, retention.Order{Person: person, Day: day, Place: place, Revenue: revenue, Margin: revenue / 3, Costed: revenue, Key: key})
			if r.IntN(5) < 2 {
				break
			}
			day += 1 + r.Int32N(2*pause)
		}
	}
	q := retention.Question{Unit: retention.Month, Within: retention.Within, Window: w}
	c := retention.Count(orders, q)
	q.Unit = retention.Week
	s, err := retention.Summarise(retention.Facts{
		Months: c.Cells, Weeks: retention.Count(orders, q).Cells, Visits: c.Visits, Sales: c.Sales, Tallies: c.Tallies, Waits: c.Waits, Gaps: c.Gaps,
		Beginners: c.All, Best: 40_000_000,
		Origins: []retention.Origin{{Kind: retention.Product, Keys: c.Newcomers, Names: map[string]string{"12": "<i>Earl</i> Grey", "14": "Grüner Tee, 茶"}}},
	}, w, "net")
	require.NoError(t, err)
	return &s
}

func TestRetention(t *testing.T) {
	f := teaShop(t)
	f.report.Retention = cohortDrinkers(t, 400, 900)
	s := served(t, f)
	goldenPage(t, s, "/shops/tea/retention", "retention.html")
	goldenPage(t, s, "/shops/tea/retention?by=revenue", "retention_revenue.html")
	s = served(t, f) // one may log in so often
	for by, says := range map[string]string{"customers": "the part who ordered again", "orders": "Orders a head", "margin": "Margin so far"} {
		require.Contains(t, got(t, s, "/shops/tea/retention?by="+by).Body.String(), says)
	}
	text := got(t, s, "/shops/tea/retention.csv").Body.String()
	require.True(t, strings.HasPrefix(text, "cohort,unit,customers_first,whole,periods_later,over,"))
	require.NotContains(t, got(t, s, "/shops/tea/retention").Body.String(), "<i>Earl")
}

func TestRetentionOfNoSense(t *testing.T) {
	f := teaShop(t)
	f.report.Retention = cohortDrinkers(t, 100, 50)
	for _, by := range []string{"none", "Customers", "%00", strings.Repeat("x", 2000)} {
		w := got(t, served(t, f), "/shops/tea/retention?by="+by)
		require.Equal(t, http.StatusBadRequest, w.Code, by)
		require.Contains(t, w.Body.String(), "by must be one of customers, orders, revenue, margin.")
	}
}

// TestRetentionOfLittle: a young shop by weeks, one customer of one day, nobody, no cost known.
func TestRetentionOfLittle(t *testing.T) {
	f := teaShop(t)
	f.report.Retention = cohortDrinkers(t, 60, 200)
	require.Contains(t, got(t, served(t, f), "/shops/tea/retention").Body.String(), "s by week")
	for people, days := range map[int64]int32{0: 1, 1: 1, 2: 300} {
		f.report.Retention = cohortDrinkers(t, days, people)
		for i := range f.report.Retention.Cohorts {
			c := &f.report.Retention.Cohorts[i]
			c.Margin, c.Costed = nil, nil
		}
		for i := range f.report.Retention.Weeks {
			c := &f.report.Retention.Weeks[i]
			c.Margin, c.Costed = nil, nil
		}
		for _, by := range cohortBys() {
			w := got(t, served(t, f), "/shops/tea/retention?by="+string(by))
			require.Equal(t, http.StatusOK, w.Code)
			require.NotContains(t, w.Body.String(), "NaN")
			if by == byMargin && people > 0 {
				require.Contains(t, w.Body.String(), "does not know what its goods cost")
			}
		}
	}
}
