package csvfile_test

import (
	"bytes"
	"compress/gzip"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"golang.org/x/text/encoding/charmap"
	"golang.org/x/text/encoding/unicode"

	"github.com/perennial-cvo/perennial/connectors"
	"github.com/perennial-cvo/perennial/connectors/commerce"
)

func TestOneRowAnOrder(t *testing.T) {
	folder := write(t, map[string]string{"a.csv": "id,email,date,total\n" +
		"7, Ada@Example.com ,2025-07-01,\"1,234.50\"\n" +
		"8,,2025-07-02 10:00:00,0\n"})
	page := pullAll(t, simple(folder), commerce.Orders, connectors.Increment)
	require.Empty(t, page.Rejected)
	require.Len(t, page.Records.Orders, 2)
	o := page.Records.Orders[0]
	require.Equal(t, "7", o.ID)
	require.Equal(t, "ada@example.com", o.Email)
	require.Equal(t, "placed", o.Status)
	require.Equal(t, "EUR", o.Currency)
	require.Equal(t, "1234.5", o.Total.String())
	require.Equal(t, "1234.5", o.Goods.String())
	require.Equal(t, "2025-06-30T22:00:00Z", o.PlacedAt.Format(time.RFC3339))
	require.Equal(t, []string{"7", "8"}, page.Records.Complete)
	require.Equal(t, 2, page.Total)
}

func TestARowWithoutAnIDIsItsOwnOrderByFileAndLine(t *testing.T) {
	folder := write(t, map[string]string{
		"b.csv": "email,date,total\na@example.com,2025-01-01,5\na@example.com,2025-01-01,5\n",
		"a.csv": "email,date,total\n\na@example.com,2025-01-01,5\n",
	})
	s := settings(folder, map[string]any{
		"files": []any{"*.csv"}, "columns": map[string]any{"email": "email", "date": "date", "total": "total"},
	})
	page := pullAll(t, s, commerce.Orders, connectors.Increment)
	require.Equal(t, []string{"a.csv:3", "b.csv:2", "b.csv:3"}, page.Records.Complete)
}

// Lines of one order stand anywhere, in several files, and pages are cut between orders.
func TestLinesOfAnOrderStandAnywhere(t *testing.T) {
	var rows []string
	for order := range 40 {
		for line := range 5 {
			rows = append(rows, fmt.Sprintf("%d,c%d,2025-01-01,%d,1.5", order, order%7, line+1))
		}
	}
	rand.New(rand.NewPCG(1, 2)).Shuffle(len(rows), func(i, j int) { rows[i], rows[j] = rows[j], rows[i] })
	header := "order,customer,date,quantity,price\n"
	folder := write(t, map[string]string{
		"1.csv": header + strings.Join(rows[:90], "\n"), "2.csv": header + strings.Join(rows[90:], "\n") + "\n",
	})
	s := settings(folder, map[string]any{
		"files": []any{"?.csv"}, "rows": "line",
		"columns": map[string]any{
			"order_id": "order", "customer_id": "customer", "date": "date", "quantity": "quantity", "unit_price": "price",
		},
	})
	s["page_size"] = 7
	page := pullAll(t, s, commerce.Orders, connectors.Sweep)
	require.Len(t, page.Records.Orders, 40)
	require.Len(t, page.Records.Lines, 200)
	seen := map[string]bool{}
	for _, o := range page.Records.Orders {
		require.False(t, seen[o.ID], "order %s came twice", o.ID)
		seen[o.ID] = true
		require.Equal(t, "22.5", o.Goods.String())
	}
}

func TestReturns(t *testing.T) {
	text := "invoice,customer,date,quantity,price,sku\n" +
		"1,ann,2025-01-01,2,10,x\n" +
		"1,ann,2025-01-05,-1,10,x\n" + // back from the same order
		"C2,ann,2025-01-06,-1,10,x\n" + // a credit note
		"C3,bob,2025-01-07,1,4,y\n" // a credit note that writes its amount without a sign
	mapping := func(returns string) connectors.Settings {
		return settings(write(t, map[string]string{"a.csv": text}), map[string]any{
			"files": []any{"a.csv"}, "rows": "line", "returns": returns,
			"credit_notes": []any{map[string]any{"column": "invoice", "prefix": "C"}},
			"columns": map[string]any{
				"order_id": "invoice", "customer_id": "customer", "date": "date", "quantity": "quantity", "unit_price": "price",
				"product_id": "sku",
			},
		})
	}
	page := pullAll(t, mapping("refund"), commerce.Orders, connectors.Increment)
	require.Len(t, page.Records.Orders, 1)
	require.Equal(t, "20", page.Records.Orders[0].Total.String())
	require.Len(t, page.Records.Lines, 1)
	var got []string
	for _, r := range page.Records.Refunds {
		got = append(got, fmt.Sprint(r.OrderID, "/", r.ID, "/", r.CustomerID, "/", r.Amount, "/", r.Goods, "/", r.At.Format(time.DateOnly)))
		require.Equal(t, "1", r.Lines[0].Quantity.String())
	}
	require.Equal(t, []string{"1/1:returns//10/10/2025-01-04", "/C2/ann/10/10/2025-01-05", "/C3/bob/4/4/2025-01-06"}, got)

	page = pullAll(t, mapping("leave_out"), commerce.Orders, connectors.Increment)
	require.Len(t, page.Records.Orders, 1)
	require.Empty(t, page.Records.Refunds)
}

func TestAmountsOfAnOrderAddUp(t *testing.T) {
	for _, tt := range []struct{ name, discount, shipping, tax, total, wantGoods, wantTotal string }{
		{"tax on top", "5", "2", "9.50", "46.50", "40", "46.5"},
		{"tax within the prices", "5", "2", "5.91", "37", "34.09", "37"},
		{"discount written with a sign", "-5", "2", "9.50", "46.50", "40", "46.5"},
		{"no total stated", "5", "2", "3", "", "40", "40"},
		{"nothing but lines", "", "", "", "", "40", "40"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			folder := write(t, map[string]string{"a.csv": "id,date,q,p,discount,shipping,tax,total\n" +
				"1,2025-01-01,3,10," + strings.Join([]string{tt.discount, tt.shipping, tt.tax, tt.total}, ",") + "\n" +
				"1,2025-01-01,1,10,,,,\n"})
			s := settings(folder, map[string]any{
				"files": []any{"a.csv"}, "rows": "line", "columns": map[string]any{
					"order_id": "id", "date": "date", "quantity": "q", "unit_price": "p", "discount": "discount",
					"shipping": "shipping", "tax": "tax", "total": "total",
				},
			})
			page := pullAll(t, s, commerce.Orders, connectors.Increment)
			require.Empty(t, page.Rejected)
			o := page.Records.Orders[0]
			require.Equal(t, tt.wantGoods, o.Goods.String())
			require.Equal(t, tt.wantTotal, o.Total.String())
			sum := o.Goods.Sub(o.Discount).Add(o.Shipping).Add(o.Tax).Add(o.Fees)
			require.True(t, sum.Equal(o.Total), "%s is not %s", sum, o.Total)
			net := o.Goods.Sub(o.Discount)
			for _, l := range page.Records.Lines {
				net = net.Sub(l.Total)
			}
			require.True(t, net.IsZero(), "the lines add up to the net goods")
		})
	}
}

func TestBadRowsAreSetAsideAndTheOthersStored(t *testing.T) {
	header := "id,email,date,total,currency\n"
	for name, tt := range map[string]struct{ row, place, reason string }{
		"too few cells":    {"9,x@example.com,2025-01-01", "a.csv:3", "3 cells"},
		"too many cells":   {"9,x@example.com,2025-01-01,5,EUR,5", "a.csv:3", "6 cells"},
		"ambiguous amount": {"9,x@example.com,2025-01-01,\"5,50\",EUR", "9", `a.csv:3: column "total" is ambiguous`},
		"no amount":        {"9,x@example.com,2025-01-01,,EUR", "9", "a.csv:3: no amount"},
		"other currency":   {"9,x@example.com,2025-01-01,USD 5,EUR", "9", "is in USD and the order in EUR"},
		"unknown currency": {"9,x@example.com,2025-01-01,5,EURO", "9", `column "currency" is no ISO 4217 currency`},
		"absurd date":      {"9,x@example.com,2999-01-01,5,EUR", "9", `column "date" is a date in the future`},
		"zero date":        {"9,x@example.com,0000-00-00,5,EUR", "9", `column "date" is no date`},
		"no date":          {"9,x@example.com,,5,EUR", "9", "no date"},
		"open quote":       {"9,x@example.com,2025-01-01,5,\"EUR", "a.csv:3", "never closed"},
	} {
		t.Run(name, func(t *testing.T) {
			folder := write(t, map[string]string{"a.csv": header + "1,a@example.com,2025-01-01,5,EUR\n" + tt.row + "\n" +
				"2,b@example.com,2025-01-01,(5),EUR\n" + "3,c@example.com,2025-01-01,\u20ac 5,,,\n"})
			s := settings(folder, map[string]any{
				"files":   []any{"a.csv"},
				"columns": map[string]any{"order_id": "id", "email": "email", "date": "date", "total": "total", "currency": "currency"},
			})
			page := pullAll(t, s, commerce.Orders, connectors.Increment)
			require.Equal(t, []string{"1", "3"}, page.Records.Complete, "the good ones are stored")
			require.Len(t, page.Records.Refunds, 1)
			require.Len(t, page.Rejected, 1)
			require.Equal(t, tt.place, page.Rejected[0].ID)
			require.Contains(t, page.Rejected[0].Reason, tt.reason)
			require.Contains(t, page.Rejected[0].Reason, "a.csv:3")
			require.Equal(t, tt.row+"\n", string(page.Rejected[0].Raw))
			require.NotContains(t, page.Rejected[0].Reason, "example.com")
		})
	}
}

// An order with one line that cannot be read would have the wrong amount: all of it is set aside.
func TestAnOrderIsReadWholeOrNotAtAll(t *testing.T) {
	folder := write(t, map[string]string{"a.csv": "id,date,q,p\n1,2025-01-01,1,5\n1,2025-01-01,1,?\n2,2025-01-01,1,5\n"})
	s := settings(folder, map[string]any{
		"files": []any{"a.csv"}, "rows": "line",
		"columns": map[string]any{"order_id": "id", "date": "date", "quantity": "q", "unit_price": "p"},
	})
	page := pullAll(t, s, commerce.Orders, connectors.Increment)
	require.Equal(t, []string{"2"}, page.Records.Complete)
	require.Len(t, page.Records.Lines, 1)
	require.Equal(t, "1", page.Rejected[0].ID)
	require.Contains(t, page.Rejected[0].Reason, "a.csv:3")
	require.Contains(t, string(page.Rejected[0].Raw), "1,2025-01-01,1,5\n1,")
}

func TestDifferingCustomersWithinAnOrderTheFirstCounts(t *testing.T) {
	folder := write(t, map[string]string{"a.csv": "id,who,date,q,p\n1,ann,2025-01-01,1,5\n1,bob,2025-01-01,1,5\n"})
	s := settings(folder, map[string]any{
		"files": []any{"a.csv"}, "rows": "line",
		"columns": map[string]any{"order_id": "id", "customer_id": "who", "date": "date", "quantity": "q", "unit_price": "p"},
	})
	page := pullAll(t, s, commerce.Orders, connectors.Increment)
	require.Equal(t, "ann", page.Records.Orders[0].CustomerID)
	require.Equal(t, []string{`rows of one order differ in "customer_id"; the first counts (1 times, first at a.csv:3)`}, page.Warnings)
}

func TestEncodings(t *testing.T) {
	const text = "id;email;date;total;name\n1;a@example.com;2025-01-01;1.234,50;Zo\u00eb M\u00fcller\n"
	encode := func(e interface{ String(string) (string, error) }) string {
		encoded, err := e.String(text)
		require.NoError(t, err)
		return encoded
	}
	var packed bytes.Buffer
	w := gzip.NewWriter(&packed)
	_, err := w.Write([]byte(text))
	require.NoError(t, err)
	require.NoError(t, w.Close())
	for name, tt := range map[string]struct{ file, content, encoding string }{
		"utf-8":        {"a.csv", text, ""},
		"utf-8 BOM":    {"a.csv", "\ufeff" + text, ""},
		"BOM wins":     {"a.csv", "\ufeff" + text, "latin-1"},
		"utf-16":       {"a.csv", encode(unicode.UTF16(unicode.LittleEndian, unicode.UseBOM).NewEncoder()), ""},
		"latin-1":      {"a.csv", encode(charmap.ISO8859_1.NewEncoder()), "latin-1"},
		"windows-1252": {"a.csv", encode(charmap.Windows1252.NewEncoder()), "windows-1252"},
		"gzip":         {"a.csv.gz", packed.String(), "utf-8"},
	} {
		t.Run(name, func(t *testing.T) {
			s := settings(write(t, map[string]string{tt.file: tt.content}), map[string]any{
				"files": []any{"a.*"}, "columns": map[string]any{"order_id": "id", "email": "email", "date": "date", "total": "total", "name": "name"},
			})
			s["delimiter"], s["decimal"], s["encoding"] = ";", ",", tt.encoding
			page := pullAll(t, s, commerce.Orders, connectors.Increment)
			require.Empty(t, page.Rejected)
			require.Equal(t, "1234.5", page.Records.Orders[0].Total.String())
			require.Equal(t, "Zo\u00eb", page.Records.Orders[0].FirstName)
			require.Equal(t, "M\u00fcller", page.Records.Orders[0].LastName)
			require.Empty(t, page.Warnings)
		})
	}
	t.Run("the wrong one is told", func(t *testing.T) {
		folder := write(t, map[string]string{"a.csv": "id,email,date,total\n\xe91,a@example.com,2025-01-01,5\n"})
		page := pullAll(t, simple(folder), commerce.Orders, connectors.Increment)
		require.Len(t, page.Records.Orders, 1)
		require.Contains(t, page.Warnings[0], "windows-1252")
	})
}

func TestUnchangedFilesAreNotReadAgain(t *testing.T) {
	folder := write(t, map[string]string{"a.csv": "id,email,date,total\n1,a@example.com,2025-01-01,5\n"})
	first := pullAll(t, simple(folder), commerce.Orders, connectors.Increment)
	again := func(mode connectors.Mode, s connectors.Settings) connectors.Page {
		page, err := newSource(t, s).Pull(t.Context(), commerce.Orders, mode, first.Next)
		require.NoError(t, err)
		require.True(t, page.Done)
		return page
	}
	require.Empty(t, again(connectors.Increment, simple(folder)).Records.Orders)
	require.Len(t, again(connectors.Sweep, simple(folder)).Records.Orders, 1, "a sweep reads everything, or all would be deleted")

	other := simple(folder)
	other["time_zone"] = "America/New_York"
	require.Len(t, again(connectors.Increment, other).Records.Orders, 1, "another mapping reads everything anew")

	require.NoError(t, os.WriteFile(filepath.Join(folder, "b.csv"), []byte("id,email,date,total\n2,a@example.com,2025-01-01,5\n"), 0o600))
	require.Len(t, again(connectors.Increment, simple(folder)).Records.Orders, 2)

	require.NoError(t, os.Remove(filepath.Join(folder, "a.csv")))
	require.Equal(t, []string{"2"}, again(connectors.Increment, simple(folder)).Records.Complete)
}

func TestFilesThatChangeWhileTheyAreReadAreReadFromTheBeginning(t *testing.T) {
	text := "id,email,date,total\n"
	for i := range 5 {
		text += fmt.Sprintf("%d,a@example.com,2025-01-01,5\n", i)
	}
	folder := write(t, map[string]string{"a.csv": text})
	s := simple(folder)
	s["page_size"] = 2
	source := newSource(t, s)
	first, err := source.Pull(t.Context(), commerce.Orders, connectors.Sweep, "")
	require.NoError(t, err)
	require.Equal(t, []string{"0", "1"}, first.Records.Complete)
	require.NoError(t, os.WriteFile(filepath.Join(folder, "a.csv"), []byte("id,email,date,total\n9,b@example.com,2025-01-01,5\n"+text[20:]), 0o600))
	second, err := source.Pull(t.Context(), commerce.Orders, connectors.Sweep, first.Next)
	require.NoError(t, err)
	require.Equal(t, []string{"9", "0"}, second.Records.Complete)
	require.Contains(t, second.Warnings[0], "changed while they were read")
}

func TestReadingChangesNoFile(t *testing.T) {
	folder := write(t, map[string]string{"a.csv": "id,email,date,total\n1,a@example.com,2025-01-01,5\n"})
	temporary := t.TempDir()
	t.Setenv("TMPDIR", temporary)
	pullAll(t, simple(folder), commerce.Orders, connectors.Sweep)
	left, err := os.ReadDir(temporary)
	require.NoError(t, err)
	require.Empty(t, left, "nothing stays in the temporary folder")
	entries, err := os.ReadDir(folder)
	require.NoError(t, err)
	require.Len(t, entries, 1)
	text, err := os.ReadFile(filepath.Join(folder, "a.csv"))
	require.NoError(t, err)
	require.Equal(t, "id,email,date,total\n1,a@example.com,2025-01-01,5\n", string(text))
}

func TestCursorsThatAreNotOursStartFromTheBeginning(t *testing.T) {
	folder := write(t, map[string]string{"a.csv": "id,email,date,total\n1,a@example.com,2025-01-01,5\n"})
	for _, cursor := range []connectors.Cursor{"x", "@", "abc@7", "abc@end", "abc@-1"} {
		page, err := newSource(t, simple(folder)).Pull(t.Context(), commerce.Orders, connectors.Increment, cursor)
		require.NoError(t, err)
		require.Len(t, page.Records.Orders, 1, cursor)
	}
}

func TestFilesThatCannotBeReadStopThePullAndSayWhy(t *testing.T) {
	for name, tt := range map[string]struct {
		files map[string]string
		want  []string
		kind  connectors.Kind
	}{
		"no file":       {nil, []string{"no orders file"}, connectors.KindRetry},
		"empty file":    {map[string]string{"a.csv": ""}, []string{"a.csv: the file is empty"}, connectors.KindPermanent},
		"no column":     {map[string]string{"a.csv": "id,Email,date,sum\n"}, []string{`a.csv: column "total" is missing; the file has id, Email, date, sum`}, connectors.KindPermanent},
		"cut gzip file": {map[string]string{"a.csv.gz": "\x1f\x8b\x08\x00\x00\x00\x00\x00"}, []string{"a.csv.gz"}, connectors.KindRetry},
	} {
		t.Run(name, func(t *testing.T) {
			s := simple(write(t, tt.files))
			_, err := newSource(t, s).Pull(t.Context(), commerce.Orders, connectors.Increment, "")
			require.Error(t, err)
			for _, want := range tt.want {
				require.Contains(t, err.Error(), want)
			}
			require.Equal(t, tt.kind.String(), connectors.KindOf(err).String())
			require.NotEmpty(t, connectors.Remedy(err))
		})
	}
}
