package rfm_test

import (
	"compress/gzip"
	"encoding/csv"
	"io"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/shopspring/decimal"
	"github.com/stretchr/testify/require"

	"github.com/perennial-cvo/perennial/analysis/rfm"
)

// reference finds a file of real data or of expected answers, which the project does not carry.
func reference(t *testing.T, path ...string) string {
	t.Helper()
	dir := os.Getenv("PERENNIAL_REFERENCE_DIR")
	if dir == "" {
		if os.Getenv("PERENNIAL_REQUIRE_REFERENCE") == "1" {
			t.Fatal("PERENNIAL_REFERENCE_DIR is unset, and PERENNIAL_REQUIRE_REFERENCE demands the reference data")
		}
		t.Skip("PERENNIAL_REFERENCE_DIR is unset: real data and expected answers are not at hand")
	}
	return filepath.Join(append([]string{dir}, path...)...)
}

// table reads a CSV file, gzipped or not, and hands every row to each as a map by column.
func table(t *testing.T, path string, each func(row map[string]string)) {
	t.Helper()
	file, err := os.Open(path)
	require.NoError(t, err)
	defer file.Close()
	var r io.Reader = file
	if strings.HasSuffix(path, ".gz") {
		r, err = gzip.NewReader(file)
		require.NoError(t, err)
	}
	c := csv.NewReader(r)
	header, err := c.Read()
	require.NoError(t, err)
	for {
		record, err := c.Read()
		if err == io.EOF {
			return
		}
		require.NoError(t, err)
		row := make(map[string]string, len(header))
		for i, name := range header {
			row[name] = record[i]
		}
		each(row)
	}
}

func whole(t *testing.T, text string) int64 {
	t.Helper()
	n, err := strconv.ParseInt(text, 10, 64)
	require.NoError(t, err)
	return n
}

func money(t *testing.T, text string) decimal.Decimal {
	t.Helper()
	d, err := decimal.NewFromString(text)
	require.NoError(t, err)
	return d
}

func day(t *testing.T, text string) int {
	t.Helper()
	at, err := time.Parse(time.DateOnly, text[:10])
	require.NoError(t, err)
	return int(at.Unix() / 86400)
}

// people gathers rows from orders.
type people map[int64]*rfm.Row

func (p people) add(person int64, asOf, day int, first bool, amount decimal.Decimal) {
	row := p[person]
	if row == nil {
		row = &rfm.Row{Person: person, Recency: asOf - day}
		p[person] = row
	}
	row.Recency = min(row.Recency, asOf-day)
	if first {
		row.Frequency++
	}
	row.Monetary += amount.Shift(4).IntPart()
}

func (p people) rows() []rfm.Row {
	rows := make([]rfm.Row, 0, len(p))
	for _, row := range p {
		rows = append(rows, *row)
	}
	return rows
}

// cdnow reads every purchase of the full CDNOW cohort, as of 1998-07-01.
func cdnow(t *testing.T) []rfm.Row {
	all, asOf := people{}, day(t, "1998-07-01")
	table(t, reference(t, "data", "cdnow_full.csv.gz"), func(row map[string]string) {
		all.add(whole(t, row["customer_id"]), asOf, day(t, row["date"]), true, money(t, row["amount"]))
	})
	return all.rows()
}

// onlineRetail reads the cleaned UCI Online Retail data, as of 2011-12-10.
func onlineRetail(t *testing.T) []rfm.Row {
	all, asOf, invoices := people{}, day(t, "2011-12-10"), map[string]bool{}
	table(t, reference(t, "data", "online_retail.csv.gz"), func(row map[string]string) {
		quantity, price, invoice := money(t, row["Quantity"]), money(t, row["UnitPrice"]), row["InvoiceNo"]
		if row["CustomerID"] == "" || !quantity.IsPositive() || !price.IsPositive() || strings.HasPrefix(invoice, "C") {
			return
		}
		all.add(whole(t, row["CustomerID"]), asOf, day(t, row["InvoiceDate"]), !invoices[invoice], quantity.Mul(price))
		invoices[invoice] = true
	})
	return all.rows()
}
