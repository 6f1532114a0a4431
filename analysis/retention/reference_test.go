package retention_test

import (
	"compress/gzip"
	"encoding/csv"
	"fmt"
	"io"
	"math"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/shopspring/decimal"
	"github.com/stretchr/testify/require"

	"github.com/perennial-cvo/perennial/analysis/retention"
)

// table reads a CSV file of real data or of expected answers, which the project does not carry, row by row.
func table(t *testing.T, each func(row map[string]string), path ...string) {
	t.Helper()
	dir := os.Getenv("PERENNIAL_REFERENCE_DIR")
	if dir == "" {
		if os.Getenv("PERENNIAL_REQUIRE_REFERENCE") == "1" {
			t.Fatal("PERENNIAL_REFERENCE_DIR is unset, and PERENNIAL_REQUIRE_REFERENCE demands the reference data")
		}
		t.Skip("PERENNIAL_REFERENCE_DIR is unset: real data and expected answers are not at hand")
	}
	file, err := os.Open(filepath.Join(append([]string{dir}, path...)...))
	require.NoError(t, err)
	defer file.Close()
	var r io.Reader = file
	if strings.HasSuffix(file.Name(), ".gz") {
		r, err = gzip.NewReader(file)
		require.NoError(t, err)
	}
	c := csv.NewReader(r)
	header, err := c.Read()
	require.NoError(t, err)
	row := make(map[string]string, len(header))
	for {
		record, err := c.Read()
		if err == io.EOF {
			return
		}
		require.NoError(t, err)
		for i, name := range header {
			row[name] = record[i]
		}
		each(row)
	}
}

func whole(t *testing.T, text string) int {
	t.Helper()
	n, err := strconv.Atoi(text)
	require.NoError(t, err)
	return n
}

func number(t *testing.T, text string) float64 {
	t.Helper()
	f, err := strconv.ParseFloat(text, 64)
	require.NoError(t, err)
	return f
}

func day(t *testing.T, text string) int32 {
	t.Helper()
	at, err := time.Parse(time.DateOnly, text)
	require.NoError(t, err)
	return int32(at.Unix() / 86400)
}

// realShops are two shops' orders and the day after their last.
func realShops(t *testing.T) map[string]retention.Question {
	return map[string]retention.Question{
		"cdnow_full":    {Unit: retention.Month, Window: retention.Window{AsOf: day(t, "1998-07-01")}, Within: 90},
		"online_retail": {Unit: retention.Month, Window: retention.Window{AsOf: day(t, "2011-12-10")}, Within: 90},
	}
}

func orders(t *testing.T, shop string) []retention.Order {
	if shop == "online_retail" {
		return onlineRetail(t)
	}
	var all []retention.Order
	table(t, func(row map[string]string) {
		all = append(all, retention.Order{
			Person: int64(whole(t, row["customer_id"])), Place: int64(len(all)), Day: day(t, row["date"]),
			Revenue: decimal.RequireFromString(row["amount"]).Shift(4).IntPart(),
		})
	}, "data", "cdnow_full.csv.gz")
	return all
}

// onlineRetail is the cleaned data: known customers, no credit notes, positive quantities and prices.
func onlineRetail(t *testing.T) []retention.Order {
	var all []retention.Order
	place := map[string]int{}
	table(t, func(row map[string]string) {
		quantity, price := decimal.RequireFromString(row["Quantity"]), decimal.RequireFromString(row["UnitPrice"])
		if row["CustomerID"] == "" || strings.HasPrefix(row["InvoiceNo"], "C") || !quantity.IsPositive() || !price.IsPositive() {
			return
		}
		key := row["CustomerID"] + " " + row["InvoiceNo"]
		at, ok := place[key]
		if !ok {
			at = len(all)
			place[key] = at
			all = append(all, retention.Order{
				Person: int64(whole(t, row["CustomerID"])), Place: int64(at), Day: day(t, row["InvoiceDate"][:10]), Key: row["Country"],
			})
		}
		all[at].Revenue += quantity.Mul(price).Shift(4).IntPart()
	}, "data", "online_retail.csv.gz")
	return all
}

func money(amount int64) string { return decimal.New(amount, -4).StringFixed(2) }

func TestCohortsOfRealShops(t *testing.T) {
	want := map[string]string{}
	table(t, func(row map[string]string) {
		want[fmt.Sprint(row["dataset"], row["cohort_month"], " ", row["months_since"])] = fmt.Sprintf("%s %s %.6f %s %s",
			row["cohort_size"], row["active"], number(t, row["retention"]), row["orders"], decimal.RequireFromString(row["revenue"]).StringFixed(2))
	}, "expected", "cohort_retention_monthly.csv")
	require.Len(t, want, 142)
	got := map[string]string{}
	for shop, q := range realShops(t) {
		cohorts, err := retention.Cohorts(retention.Count(orders(t, shop), q).Cells, q.Unit, q.Window)
		require.NoError(t, err)
		for _, c := range cohorts {
			month := time.Unix(int64(c.Start)*86400, 0).UTC().Format("2006-01")
			for _, p := range c.Periods {
				got[fmt.Sprint(shop, month, " ", p.Periods)] = fmt.Sprintf("%d %d %.6f %d %s", c.Size, p.Customers, p.Retention, p.Orders, money(p.Revenue))
			}
		}
	}
	require.Equal(t, want, got)
}

func TestRepeatPurchaseOfRealShops(t *testing.T) {
	want := map[string]string{}
	table(t, func(row map[string]string) { want[row["dataset"]+" "+row["metric"]] = row["value"] }, "expected", "repeat_purchase.csv")
	compared := 0
	for shop, q := range realShops(t) {
		all := orders(t, shop)
		counts := retention.Count(all, q)
		r, err := retention.Repeats(counts.Tallies)
		require.NoError(t, err)
		spent := map[int64]int64{}
		for _, o := range all {
			spent[o.Person] += o.Revenue
		}
		var each []int64
		for _, amount := range spent {
			each = append(each, amount)
		}
		top, ok := retention.TopShare(each, 0.2)
		require.True(t, ok)
		got := map[string]float64{
			"customers": float64(r.Customers), "orders": float64(r.Orders), "revenue": float64(r.Revenue) / 10_000,
			"repeat_customers(orders>=2)": float64(r.ByOrders.Hits), "repeat_rate_orders": r.ByOrders.Rate,
			"repeat_customers(distinct days>=2)": float64(r.ByDays.Hits), "repeat_rate_days": r.ByDays.Rate,
			"orders_per_customer": r.OrdersPerCustomer, "aov": r.AverageOrder / 10_000, "revenue share of top 20% customers (ceil)": top,
		}
		for k := range 5 {
			got[fmt.Sprintf("P(order %d | order %d)", k+2, k+1)] = r.Ladder[k].Rate
		}
		for metric, value := range got {
			expected := number(t, want[shop+" "+metric])
			places := len(want[shop+" "+metric]) - strings.IndexByte(want[shop+" "+metric]+".", '.') - 1
			require.InDelta(t, expected, value, 0.5001*math.Pow10(-max(0, places)), "%s of %s", metric, shop)
			compared++
		}
		s, err := retention.KaplanMeier(counts.Waits)
		require.NoError(t, err)
		median := ""
		if s.Median.Reached {
			median = strconv.Itoa(int(s.Median.Days))
		}
		require.Equal(t, want[shop+" KM median days to 2nd purchase day"], median)
		compared++
	}
	require.Equal(t, len(want), compared)
}

func TestTimeToTheSecondOrderOfRealShops(t *testing.T) {
	estimates := map[string]retention.Survival{}
	for shop, q := range realShops(t) {
		s, err := retention.KaplanMeier(retention.Count(orders(t, shop), q).Waits)
		require.NoError(t, err)
		estimates[shop] = s
	}
	compared := 0
	table(t, func(row map[string]string) {
		step := estimates[row["dataset"]].At(int32(whole(t, row["day"])))
		name := row["dataset"] + " day " + row["day"]
		require.Equal(t, whole(t, row["at_risk"]), step.AtRisk, name)
		for column, got := range map[string]float64{
			"S": step.Waiting, "F_reordered": step.Again(), "greenwood_se": step.StdErr,
			"S_lo95_loglog": step.Low, "S_hi95_loglog": step.High,
		} {
			require.InDelta(t, number(t, row[column]), got, 5.1e-9, "%s, %s", name, column)
		}
		compared++
	}, "expected", "km_time_to_second_order.csv")
	require.Equal(t, 18, compared)
	require.False(t, estimates["cdnow_full"].Median.Reached, "half of the CDNOW customers never bought again")
	require.True(t, estimates["online_retail"].Median.Reached)
}

// TestRegularityOfOnlineRetail compares with the k that was found for the half year to the end of June 2011.
func TestRegularityOfOnlineRetail(t *testing.T) {
	q := realShops(t)["online_retail"]
	q.Window.AsOf = day(t, "2011-07-01")
	c := retention.Count(orders(t, "online_retail"), q)
	r, err := retention.Rhythms(c.Gaps, c.Pairs)
	require.NoError(t, err)
	require.True(t, r.Known)
	require.InDelta(t, 1.83, r.K, 0.05) // the published way draws one of the two pauses by chance
	require.Less(t, r.Low, r.K)
	require.Greater(t, r.High, r.K)
}

func TestStickinessByCountry(t *testing.T) {
	q := realShops(t)["online_retail"]
	all := orders(t, "online_retail")
	c := retention.Count(all, q)
	stick, err := retention.Stay(c.All, c.Newcomers, 30)
	require.NoError(t, err)
	observed, young := 0, 0
	for _, n := range c.Newcomers {
		observed, young = observed+n.Observed, young+n.Young
	}
	require.Equal(t, 4338, observed+young, "everybody's first order has one country")
	require.Equal(t, c.All.Observed, observed)
	require.Equal(t, "United Kingdom", stick.Keys[0].Key)
	require.InDelta(t, stick.All.Rate, stick.Keys[0].Rate, 0.02)
	require.Positive(t, stick.Small)
}
