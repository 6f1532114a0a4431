package bench

import (
	"context"
	"database/sql"
	"fmt"
	"strconv"
	"testing"
	"time"

	"github.com/shopspring/decimal"
	"github.com/stretchr/testify/require"

	"github.com/perennial-cvo/perennial/analysis"
	"github.com/perennial-cvo/perennial/connectors"
	"github.com/perennial-cvo/perennial/connectors/commerce"
	"github.com/perennial-cvo/perennial/sync/ingest"
	"github.com/perennial-cvo/perennial/sync/postgres"
	"github.com/perennial-cvo/perennial/sync/postgres/postgrestest"
)

// today is the clock of all benchmarks.
var today = time.Date(2026, time.November, 2, 12, 0, 0, 0, time.UTC)

func clock() time.Time { return today }

// place is one shop in a database of its own.
type place struct {
	tb    testing.TB
	url   string
	raw   *sql.DB // one connection, for looking and for the bare work
	store *postgres.Store
	close func() // ends the connections of the product
	worth *analysis.Worth
	meter meter
}

func newPlace(tb testing.TB) *place {
	tb.Helper()
	p := &place{tb: tb, url: postgrestest.URL(tb)}
	p.raw = postgrestest.SQL(tb, p.url)
	p.raw.SetMaxOpenConns(1)
	p.meter = newMeter(tb, p.raw)
	p.exec(`DO $$ DECLARE t text; BEGIN
		FOR t IN SELECT tablename FROM pg_tables WHERE schemaname = 'public' LOOP
			EXECUTE format('ALTER TABLE %I SET (autovacuum_enabled = false)', t); -- it would be paid for by whoever runs then
		END LOOP; END $$`)
	p.open()
	return p
}

// open connects the product, anew if need be.
func (p *place) open() {
	ctx := context.Background()
	db := postgrestest.Open(p.tb, p.url)
	id, err := db.Register(ctx, "bench", "csvfile")
	require.NoError(p.tb, err)
	require.NoError(p.tb, db.SetShop(ctx, id, commerce.Shop{Identity: "bench", Currency: "EUR", TimeZone: "Europe/Berlin"}))
	_, err = db.SavePolicy(ctx, id, postgres.Policy{Statuses: map[string]bool{"completed": true, "processing": true, "paid": true}, Currency: "EUR"})
	require.NoError(p.tb, err)
	epoch, ok, err := db.Acquire(ctx, id, "bench", time.Hour)
	require.NoError(p.tb, err)
	require.True(p.tb, ok)
	p.store = db.Store(id, epoch)
	p.close = func() { require.NoError(p.tb, db.Close()) }
}

func (p *place) exec(query string, args ...any) {
	p.tb.Helper()
	_, err := p.raw.Exec(query, args...)
	require.NoError(p.tb, err)
}

func (p *place) number(query string, args ...any) int64 {
	p.tb.Helper()
	var n sql.NullInt64
	require.NoError(p.tb, p.raw.QueryRow(query, args...).Scan(&n))
	return n.Int64
}

// ingest pulls a source into the database.
func (p *place) ingest(source connectors.Source, sweep bool) ingest.Summary {
	p.tb.Helper()
	summary, err := ingest.Run(context.Background(), ingest.Options{Source: source, Records: p.store, Now: clock, Sweep: sweep})
	require.NoError(p.tb, err)
	return summary
}

// shelf is a source of pages that lie ready.
type shelf struct {
	first int // number of the first page
	pages []commerce.Batch
}

func (s *shelf) Check(context.Context) (connectors.Report, error) { return connectors.Report{}, nil }

func (s *shelf) Resources() []connectors.Offer {
	return []connectors.Offer{{Resource: commerce.Orders, Incremental: true}}
}

// Pull gives the page whose number is the cursor. The last page, and any call behind it, is the end.
func (s *shelf) Pull(_ context.Context, _ commerce.Resource, mode connectors.Mode, cursor connectors.Cursor) (connectors.Page, error) {
	n := s.first
	if cursor != "" {
		var err error
		if n, err = strconv.Atoi(string(cursor)); err != nil {
			return connectors.Page{}, err
		}
	}
	end := s.first + len(s.pages)
	if n >= end {
		return connectors.Page{Next: cursor, Done: true}, nil
	}
	page := connectors.Page{Records: s.pages[n-s.first], Next: connectors.Cursor(strconv.Itoa(n + 1)), Done: n+1 == end}
	if page.Done && mode == connectors.Sweep {
		page.Next = ""
	}
	return page, nil
}

// stock makes count pages of size orders each, from page first on.
func stock(first, count, size int) *shelf {
	s := &shelf{first: first}
	for page := first; page < first+count; page++ {
		var b commerce.Batch
		for n := page * size; n < (page+1)*size; n++ {
			addOrder(&b, n)
		}
		s.pages = append(s.pages, b)
	}
	return s
}

// addOrder adds order n: one to three lines, a refund for one in twenty, three a person, a third of them guests.
func addOrder(b *commerce.Batch, n int) {
	id := fmt.Sprintf("%08d", n)
	person := n / 3
	o := commerce.Order{
		ID: id, Number: "#" + id, Status: "completed", Email: fmt.Sprintf("person%d@example.com", person),
		FirstName: "Ada", LastName: fmt.Sprint("Lindqvist-", person), Country: "DE", Region: "BE", City: "Berlin", Postcode: "10115",
		PlacedAt: today.Add(-time.Duration(n%63_072_000) * time.Second), Currency: "EUR", Channel: "checkout",
		Shipping: decimal.New(490, -2), Attribution: commerce.Attribution{SourceType: "utm", Source: "newsletter", Medium: "email"},
	}
	o.ModifiedAt, o.PaidAt = o.PlacedAt.Add(time.Hour), o.PlacedAt.Add(time.Minute)
	if person%3 != 0 {
		o.CustomerID = strconv.Itoa(person)
	}
	for i := range 1 + n%3 {
		price := decimal.New(int64(999+n*37%9000), -2)
		l := commerce.Line{
			OrderID: id, ID: strconv.Itoa(n*3 + i), ProductID: strconv.Itoa(n * 7 % 400), SKU: fmt.Sprint("SKU-", n*7%400),
			Name: "Linen apron with two pockets", Quantity: decimal.NewFromInt(1), Subtotal: price, Total: price,
			Tax: price.Mul(decimal.New(19, -2)).Round(2),
		}
		b.Lines = append(b.Lines, l)
		o.Goods, o.Tax = o.Goods.Add(l.Subtotal), o.Tax.Add(l.Tax)
	}
	o.Total = o.Goods.Add(o.Shipping).Add(o.Tax)
	if n%20 == 0 {
		l := b.Lines[len(b.Lines)-1]
		b.Refunds = append(b.Refunds, commerce.Refund{
			OrderID: id, ID: "r" + id, At: o.PlacedAt.Add(48 * time.Hour), Currency: "EUR", Amount: l.Total.Add(l.Tax),
			Goods: l.Total, Tax: l.Tax, Reason: "too small",
			Lines: []commerce.RefundLine{{LineID: l.ID, ProductID: l.ProductID, Quantity: l.Quantity, Amount: l.Total}},
		})
	}
	b.Orders = append(b.Orders, o)
	b.Complete = append(b.Complete, id)
}
