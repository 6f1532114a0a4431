package csvfile_test

import (
	"encoding/csv"
	"os"
	"path/filepath"
	"regexp"
	"runtime"
	"strconv"
	"testing"

	"github.com/pelletier/go-toml/v2"
	"github.com/shopspring/decimal"
	"github.com/stretchr/testify/require"

	"github.com/perennial-cvo/perennial/connectors"
	"github.com/perennial-cvo/perennial/connectors/commerce"
	"github.com/perennial-cvo/perennial/connectors/csvfile"
)

// reference returns the folder of real data. Tests without it skip, saying why, or fail where it is required.
func reference(t *testing.T) string {
	t.Helper()
	folder := os.Getenv("PERENNIAL_REFERENCE_DIR")
	if folder == "" {
		if os.Getenv("PERENNIAL_REQUIRE_REFERENCE") == "1" {
			t.Fatal("PERENNIAL_REFERENCE_DIR is unset and PERENNIAL_REQUIRE_REFERENCE=1 forbids to skip")
		}
		t.Skip("PERENNIAL_REFERENCE_DIR is unset: the real data are not carried by the project")
	}
	return folder
}

// documented returns the settings of a shop as docs/csv.md shows them, with the folder of the real data.
func documented(t *testing.T, store string) connectors.Settings {
	t.Helper()
	folder := reference(t)
	for _, block := range regexp.MustCompile("(?s)```toml\n(.*?)```").FindAllStringSubmatch(page(t), -1) {
		var file struct {
			Stores []struct {
				Name, Kind string
				Settings   map[string]any
			}
		}
		require.NoError(t, toml.Unmarshal([]byte(block[1]), &file))
		if s := file.Stores[0]; s.Name == store {
			require.Equal(t, csvfile.Kind, s.Kind)
			s.Settings["folder"] = filepath.Join(folder, "data")
			return s.Settings
		}
	}
	require.FailNow(t, "docs/csv.md has no mapping of "+store)
	return nil
}

// page is the documentation whose mappings and tables are held to what really comes out.
func page(t *testing.T) string {
	t.Helper()
	text, err := os.ReadFile(filepath.Join("..", "..", "docs", "csv.md"))
	require.NoError(t, err)
	return string(text)
}

// cdnow maps the CDNOW purchases: each row is an order without an id. All rows count, the 80 free ones too.
func cdnow(t *testing.T, file string) connectors.Settings {
	s := documented(t, "cdnow")
	s["orders"].(map[string]any)["files"] = []any{file}
	return s
}

// onlineRetail maps the invoice lines of Online Retail, cleaned.
func onlineRetail(t *testing.T, returns string) connectors.Settings {
	s := documented(t, "online-retail")
	s["orders"].(map[string]any)["returns"] = returns
	return s
}

// buyers sums up a pull by customer.
type buyers struct {
	orders, lines, refunds int
	rejected               int
	gross, returned        decimal.Decimal
	grossOf, returnedOf    map[string]decimal.Decimal
	floatOf                map[string][2]float64 // bought and returned, in binary arithmetic, line by line
	ids                    map[string]bool
}

func (b *buyers) add(page connectors.Page) {
	b.orders += len(page.Records.Orders)
	b.lines += len(page.Records.Lines)
	b.refunds += len(page.Records.Refunds)
	b.rejected += len(page.Rejected)
	for _, o := range page.Records.Orders {
		b.gross = b.gross.Add(o.Net())
		b.grossOf[o.CustomerID] = b.grossOf[o.CustomerID].Add(o.Net())
		b.ids[o.ID] = true
	}
	b.addFloats(page.Records)
	for _, r := range page.Records.Refunds {
		b.returned = b.returned.Add(r.Amount)
		b.returnedOf[r.CustomerID] = b.returnedOf[r.CustomerID].Add(r.Amount)
	}
}

// addFloats sums as spreadsheets and data frames do.
func (b *buyers) addFloats(batch commerce.Batch) {
	customer := map[string]string{}
	for _, o := range batch.Orders {
		customer[o.ID] = o.CustomerID
	}
	for _, l := range batch.Lines {
		sums := b.floatOf[customer[l.OrderID]]
		sums[0] += l.Quantity.InexactFloat64() * l.Subtotal.Div(l.Quantity).InexactFloat64()
		b.floatOf[customer[l.OrderID]] = sums
	}
	for _, r := range batch.Refunds {
		sums := b.floatOf[r.CustomerID]
		for _, l := range r.Lines {
			sums[1] += l.Quantity.InexactFloat64() * l.Amount.Div(l.Quantity).InexactFloat64()
		}
		b.floatOf[r.CustomerID] = sums
	}
}

// drain pulls all orders page by page, holding one page at a time.
func drain(t *testing.T, source connectors.Source) *buyers {
	t.Helper()
	b := &buyers{floatOf: map[string][2]float64{}, grossOf: map[string]decimal.Decimal{}, returnedOf: map[string]decimal.Decimal{}, ids: map[string]bool{}}
	var cursor connectors.Cursor
	for {
		page, err := source.Pull(t.Context(), commerce.Orders, connectors.Increment, cursor)
		require.NoError(t, err)
		require.Empty(t, page.Warnings)
		b.add(page)
		if page.Done {
			return b
		}
		require.NotEqual(t, cursor, page.Next)
		cursor = page.Next
	}
}

func TestEveryRowOfCDNOWIsAnOrder(t *testing.T) {
	for file, want := range map[string]struct{ orders, customers int }{
		"cdnow_full.csv.gz":   {69659, 23570},
		"cdnow_sample.csv.gz": {6919, 2357},
	} {
		t.Run(file, func(t *testing.T) {
			b := drain(t, newSource(t, cdnow(t, file)))
			require.Equal(t, want.orders, b.orders)
			require.Len(t, b.ids, want.orders)
			require.Len(t, b.grossOf, want.customers)
			require.Zero(t, b.rejected)
			require.Zero(t, b.refunds)
			if file == "cdnow_full.csv.gz" {
				require.Equal(t, expected(t, "repeat_purchase.csv", "cdnow_full", "revenue"), b.gross.StringFixed(2))
			}
		})
	}
}

func TestOnlineRetailGross(t *testing.T) {
	b := drain(t, newSource(t, onlineRetail(t, "leave_out")))
	require.Equal(t, 18532, b.orders)
	require.Equal(t, 397884, b.lines)
	require.Len(t, b.grossOf, 4338)
	require.Equal(t, "8911407.90", b.gross.StringFixed(2))
	require.Zero(t, b.refunds)
	require.Zero(t, b.rejected)
}

func TestOnlineRetailWithCreditNotesAsRefunds(t *testing.T) {
	b := drain(t, newSource(t, onlineRetail(t, "refund")))
	count := func(metric string) int {
		n, err := strconv.ParseFloat(expected(t, "returns_online_retail.csv", metric), 64)
		require.NoError(t, err)
		return int(n)
	}
	require.Equal(t, count("orders"), b.orders)
	require.Equal(t, count("credit_notes"), b.refunds)
	require.Equal(t, expected(t, "returns_online_retail.csv", "returned_value"), b.returned.StringFixed(2))
	require.Equal(t, "8911407.90", b.gross.StringFixed(2))
	require.Len(t, b.returnedOf, count("customers_with_credit_note"))
	spent, only := 0, 0
	for customer, back := range b.returnedOf {
		gross, bought := b.grossOf[customer]
		if !bought {
			only++
		}
		if !gross.Sub(back).IsPositive() {
			spent++
		}
	}
	// The published count was made in binary arithmetic, in which two customers who gave back exactly what they bought
	// keep a trillionth of a pound. In exact amounts there are two more.
	binary := 0
	for _, sums := range b.floatOf {
		if sums[0]-sums[1] <= 0 {
			binary++
		}
	}
	require.Equal(t, count("customers whose net spend<=0"), binary)
	require.Equal(t, 54, spent)
	require.Equal(t, count("customers with only credit notes"), only)
}

func TestHalfAMillionRowsNeedLittleMemory(t *testing.T) {
	source := newSource(t, onlineRetail(t, "refund"))
	var before, during runtime.MemStats
	runtime.GC()
	runtime.ReadMemStats(&before)
	var cursor connectors.Cursor
	peak := uint64(0)
	for done := false; !done; {
		page, err := source.Pull(t.Context(), commerce.Orders, connectors.Increment, cursor)
		require.NoError(t, err)
		cursor, done = page.Next, page.Done
		runtime.ReadMemStats(&during)
		peak = max(peak, during.HeapInuse-min(before.HeapInuse, during.HeapInuse))
	}
	t.Logf("peak heap above the start: %d MB", peak>>20)
	require.Less(t, peak, uint64(150<<20))
}

// expected returns the last cell of the row that starts with the given cells.
func expected(t *testing.T, file string, start ...string) string {
	t.Helper()
	f, err := os.Open(filepath.Join(reference(t), "expected", file))
	require.NoError(t, err)
	defer f.Close()
	rows, err := csv.NewReader(f).ReadAll()
	require.NoError(t, err)
next:
	for _, row := range rows {
		for i, cell := range start {
			if row[i] != cell {
				continue next
			}
		}
		return row[len(row)-1]
	}
	require.FailNow(t, "no such row", "%s: %v", file, start)
	return ""
}
