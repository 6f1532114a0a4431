package clv

import (
	"compress/gzip"
	"encoding/csv"
	"io"
	"math"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// table reads a CSV file of real data or of expected answers, which the project does not carry, row by row.
func table(t testing.TB, each func(row map[string]string), path ...string) {
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

func number(t testing.TB, text string) float64 {
	t.Helper()
	f, err := strconv.ParseFloat(text, 64)
	require.NoError(t, err)
	return f
}

func day(t testing.TB, text string) int32 {
	t.Helper()
	at, err := time.Parse(time.DateOnly, text[:10])
	require.NoError(t, err)
	return int32(at.Unix() / 86400)
}

// history are the purchases of one customer: amounts by day.
type history map[int32]float64

// stats of the purchases up to a day; not ok where there is none. The mean is that of the days after the first.
func (h history) stats(end int32) (s Stats, mean float64, ok bool) {
	var days []int32
	for d := range h {
		if d <= end {
			days = append(days, d)
		}
	}
	if len(days) == 0 {
		return s, 0, false
	}
	slices.Sort(days)
	s = Stats{Repeats: len(days) - 1, Last: days[len(days)-1] - days[0], Age: end - days[0]}
	for i, d := range days[1:] {
		s.LogGaps += math.Log(float64(d-days[i]) / 7)
		mean += h[d]
	}
	return s, mean / max(1, float64(s.Repeats)), true
}

type shop map[string]history

func (s shop) buy(customer string, day int32, amount float64) {
	if s[customer] == nil {
		s[customer] = history{}
	}
	s[customer][day] += amount
}

// until are the stats and the repeat spend of everybody who has bought by the end of a day.
func (s shop) until(t testing.TB, day int32) (stats []Stats, spend []Spend) {
	for _, customer := range slices.Sorted(mapKeys(s)) {
		if one, mean, ok := s[customer].stats(day); ok {
			require.NoError(t, one.Check())
			stats = append(stats, one)
			spend = append(spend, Spend{Repeats: one.Repeats, Mean: mean, N: 1})
		}
	}
	return stats, spend
}

func mapKeys(s shop) func(func(string) bool) {
	return func(yield func(string) bool) {
		for k := range s {
			if !yield(k) {
				return
			}
		}
	}
}

func cdnow(t testing.TB, file string) shop {
	s := shop{}
	table(t, func(row map[string]string) {
		s.buy(row["customer_id"], day(t, row["date"]), number(t, row["amount"]))
	}, "data", file)
	return s
}

// onlineRetail is the cleaned UCI Online Retail data.
func onlineRetail(t testing.TB) shop {
	s := shop{}
	table(t, func(row map[string]string) {
		quantity, price := number(t, row["Quantity"]), number(t, row["UnitPrice"])
		if row["CustomerID"] != "" && quantity > 0 && price > 0 && !strings.HasPrefix(row["InvoiceNo"], "C") {
			s.buy(row["CustomerID"], day(t, row["InvoiceDate"]), quantity*price)
		}
	}, "data", "online_retail.csv.gz")
	return s
}

// paper is the summary of the CDNOW sample as printed in weeks of two decimals, which days cannot say.
func paper(t testing.TB) *sample {
	s := &sample{byRepeats: make([]float64, 64)}
	place := map[float64]int32{}
	at := func(weeks float64) int32 {
		if _, ok := place[weeks]; !ok {
			place[weeks] = int32(len(s.times))
			s.times = append(s.times, weeks)
		}
		return place[weeks]
	}
	table(t, func(r map[string]string) {
		last, age := at(number(t, r["t_x"])), at(number(t, r["T"]))
		s.add(row{x: int32(number(t, r["x"])), last: last, age: age, n: 1}, 0)
	}, "data", "cdnow_sample_summary_paper.csv.gz")
	return s
}
