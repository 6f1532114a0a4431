package postgres_test

import (
	"context"
	"database/sql"
	"testing"
	"time"

	"github.com/shopspring/decimal"
	"github.com/stretchr/testify/require"

	"github.com/perennial-cvo/perennial/connectors"
	"github.com/perennial-cvo/perennial/connectors/commerce"
	"github.com/perennial-cvo/perennial/sync/ingest"
	"github.com/perennial-cvo/perennial/sync/postgres"
	"github.com/perennial-cvo/perennial/sync/postgres/postgrestest"
)

// shop is a registered shop in a database of its own.
type shop struct {
	t     testing.TB
	db    *postgres.DB
	id    int64
	epoch int64
	*postgres.Store
	raw *sql.DB
	url string
}

var noon = time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)

func euros() postgres.Policy {
	return postgres.Policy{Statuses: map[string]bool{"completed": true, "cancelled": false}, Currency: "EUR"}
}

func newShop(t testing.TB) *shop {
	t.Helper()
	url := postgrestest.URL(t)
	return openShop(t, url)
}

func openShop(t testing.TB, url string) *shop {
	t.Helper()
	ctx := context.Background()
	db := postgrestest.Open(t, url)
	id, err := db.Register(ctx, "garden", "csvfile")
	require.NoError(t, err)
	require.NoError(t, db.SetShop(ctx, id, commerce.Shop{Identity: "one", Currency: "EUR", TimeZone: "Europe/Berlin"}))
	_, err = db.SavePolicy(ctx, id, euros())
	require.NoError(t, err)
	epoch, ok, err := db.Acquire(ctx, id, "test", time.Hour)
	require.NoError(t, err)
	require.True(t, ok)
	return &shop{t: t, db: db, id: id, epoch: epoch, Store: db.Store(id, epoch), raw: postgrestest.SQL(t, url), url: url}
}

// put commits a batch as one more page of the increments.
func (s *shop) put(resource commerce.Resource, b commerce.Batch) ingest.Written {
	s.t.Helper()
	return s.page(resource, connectors.Increment, connectors.Page{Records: b})
}

func (s *shop) page(resource commerce.Resource, mode connectors.Mode, page connectors.Page) ingest.Written {
	s.t.Helper()
	ctx := context.Background()
	stand, err := s.Cursor(ctx, resource, mode)
	require.NoError(s.t, err)
	if page.Next == "" {
		page.Next = stand.Cursor + "."
	}
	written, err := s.Commit(ctx, ingest.Commit{Resource: resource, Mode: mode, Old: stand.Cursor, Page: page, At: noon})
	require.NoError(s.t, err)
	return written
}

// one returns the single value of a query.
func one[T any](s *shop, query string, arguments ...any) T {
	s.t.Helper()
	var value T
	require.NoError(s.t, s.raw.QueryRow(query, arguments...).Scan(&value))
	return value
}

// all returns the single column of a query.
func all[T any](s *shop, query string, arguments ...any) []T {
	s.t.Helper()
	rows, err := s.raw.Query(query, arguments...)
	require.NoError(s.t, err)
	defer func() { _ = rows.Close() }()
	values := []T{}
	for rows.Next() {
		var value T
		require.NoError(s.t, rows.Scan(&value))
		values = append(values, value)
	}
	require.NoError(s.t, rows.Err())
	return values
}

func money(text string) decimal.Decimal { return decimal.RequireFromString(text) }

// order is a completed order of 10 euros.
func order(id, customer, email string) commerce.Order {
	return commerce.Order{
		ID: id, Number: id, Status: "completed", CustomerID: customer, Email: email, PlacedAt: noon, Currency: "EUR",
		Goods: money("10"), Total: money("10"),
	}
}

// whole is a batch of orders with one line each.
func whole(orders ...commerce.Order) commerce.Batch {
	var b commerce.Batch
	for _, o := range orders {
		b.Orders = append(b.Orders, o)
		b.Lines = append(b.Lines, commerce.Line{OrderID: o.ID, ID: "1", ProductID: "p", Quantity: money("1"), Subtotal: o.Goods, Total: o.Goods})
		b.Complete = append(b.Complete, o.ID)
	}
	return b
}

func TestRegisterKeepsIdentity(t *testing.T) {
	s := newShop(t)
	ctx := context.Background()
	again, err := s.db.Register(ctx, "garden", "csvfile")
	require.NoError(t, err)
	require.Equal(t, s.id, again)

	_, err = s.db.Register(ctx, "garden", "woocommerce")
	require.ErrorContains(t, err, `was a shop of kind "csvfile"`)
	require.Equal(t, connectors.KindPermanent, connectors.KindOf(err))

	err = s.db.SetShop(ctx, s.id, commerce.Shop{Identity: "two"})
	require.ErrorContains(t, err, "another shop (two)")
	require.NotEmpty(t, connectors.Remedy(err))
	require.NoError(t, s.db.SetShop(ctx, s.id, commerce.Shop{Identity: "two", Former: []string{"one"}}), "without a zone, the one known stays")
	require.ErrorContains(t, s.db.SetShop(ctx, s.id, commerce.Shop{Identity: "one"}), "another shop", "the new mark is the pinned one")

	stores, err := s.db.Stores(ctx)
	require.NoError(t, err)
	require.Len(t, stores, 1)
	require.Equal(t, "Europe/Berlin", stores[0].Shop.TimeZone)
}

func TestUnchangedBatchWritesNothing(t *testing.T) {
	s := newShop(t)
	b := whole(order("1", "", "ann@example.com"), order("2", "7", "ben@example.com"))
	b.Refunds = []commerce.Refund{{OrderID: "1", ID: "r", At: noon, Currency: "EUR", Amount: money("2")}}
	require.Equal(t, ingest.Written{Read: 2, Added: 2}, s.put(commerce.Orders, b))
	versions := `SELECT string_agg(xmin::text, ',' ORDER BY xmin::text) FROM (
		SELECT xmin FROM orders UNION ALL SELECT xmin FROM lines UNION ALL SELECT xmin FROM refunds UNION ALL SELECT xmin FROM persons) t`
	was := one[string](s, versions)
	_, err := s.raw.Exec(`DELETE FROM touched`)
	require.NoError(t, err)

	require.Equal(t, ingest.Written{Read: 2}, s.put(commerce.Orders, b))
	b.Orders[0].Goods = money("10.00")                            // the same amount
	b.Orders[0].PlacedAt = noon.In(time.FixedZone("there", 3600)) // the same moment
	b.Orders[0].ModifiedAt = noon.Add(time.Hour)                  // a claim, no content
	require.Equal(t, ingest.Written{Read: 2}, s.put(commerce.Orders, b))
	require.Equal(t, was, one[string](s, versions))
	require.Zero(t, one[int](s, `SELECT count(*) FROM touched`))
}

func TestChangedOrderReplacesItsSet(t *testing.T) {
	s := newShop(t)
	b := whole(order("1", "", "ann@example.com"))
	b.Lines = append(b.Lines, commerce.Line{OrderID: "1", ID: "2", ProductID: "q", Quantity: money("1")})
	b.Refunds = []commerce.Refund{{OrderID: "1", ID: "r", At: noon, Currency: "EUR", Amount: money("2")}}
	s.put(commerce.Orders, b)

	b.Lines = b.Lines[:1]
	b.Lines[0].ProductID = "" // the shop deleted the product
	b.Refunds = []commerce.Refund{{OrderID: "1", ID: "s", At: noon, Currency: "EUR", Amount: money("3")}}
	require.Equal(t, 1, s.put(commerce.Orders, b).Changed)
	require.Equal(t, []string{"1/p"}, all[string](s, `SELECT id || '/' || product_id FROM lines`))
	require.Equal(t, []string{"s/3/true"}, all[string](s, `SELECT id || '/' || net || '/' || counted FROM refunds`))
}

func TestCommitIsFencedAndCompared(t *testing.T) {
	s := newShop(t)
	ctx := context.Background()
	page := ingest.Commit{Resource: commerce.Orders, Mode: connectors.Increment, At: noon, Page: connectors.Page{
		Records: whole(order("1", "", "")), Next: "a",
	}}
	_, err := s.db.Store(s.id, 0).Commit(ctx, page)
	require.ErrorIs(t, err, ingest.ErrFenced)
	_, err = s.Commit(ctx, page)
	require.NoError(t, err)
	_, err = s.Commit(ctx, page) // its old cursor is not the stored one any more
	require.ErrorIs(t, err, ingest.ErrCursorMoved)

	require.NoError(t, s.db.Release(ctx, s.id, "test", s.epoch))
	epoch, ok, err := s.db.Acquire(ctx, s.id, "other", time.Hour)
	require.NoError(t, err)
	require.True(t, ok)
	require.Equal(t, s.epoch+1, epoch)
	page.Old, page.Page.Next, page.Page.Records = "a", "b", whole(order("2", "", ""))
	_, err = s.Commit(ctx, page)
	require.ErrorIs(t, err, ingest.ErrFenced)
	require.Equal(t, 1, one[int](s, `SELECT count(*) FROM orders`))
	_, ok, err = s.db.Acquire(ctx, s.id, "test", time.Hour)
	require.NoError(t, err)
	require.False(t, ok)
}

func TestPoisonGoesToQuarantine(t *testing.T) {
	s := newShop(t)
	bad := map[string]func(*commerce.Order){
		"NUL":         func(o *commerce.Order) { o.FirstName = "A\x00nn" },
		"not UTF-8":   func(o *commerce.Order) { o.City = "\xff\xfe" },
		"far future":  func(o *commerce.Order) { o.PlacedAt = time.Date(294277, 1, 1, 0, 0, 0, 0, time.UTC) },
		"no date":     func(o *commerce.Order) { o.PlacedAt = time.Time{} },
		"no currency": func(o *commerce.Order) { o.Currency = "" },
		"huge amount": func(o *commerce.Order) { o.Goods = decimal.New(1, 2_000_000) },
		"":            func(o *commerce.Order) { o.ID = "" },
	}
	b := whole(order("good", "", "ann@example.com"))
	for id, spoil := range bad {
		o := order(id, "", "ben@example.com")
		spoil(&o)
		b.Orders = append(b.Orders, o)
		b.Complete = append(b.Complete, o.ID)
	}
	written := s.put(commerce.Orders, b)
	require.Equal(t, ingest.Written{Read: 8, Added: 1, Quarantined: 7}, written)
	require.Equal(t, "first_name: has a NUL byte", one[string](s, `SELECT reason FROM quarantine WHERE id = 'NUL'`))

	s.put(commerce.Orders, b)
	require.Equal(t, 2, one[int](s, `SELECT tries FROM quarantine WHERE id = 'NUL'`))
	s.put(commerce.Orders, whole(order("NUL", "", "ben@example.com")))
	require.Equal(t, 6, one[int](s, `SELECT count(*) FROM quarantine`))
}

func TestServerRefusalIsBisected(t *testing.T) {
	s := newShop(t)
	_, err := s.raw.Exec(`ALTER TABLE orders ADD CHECK (city <> 'Atlantis'); ALTER TABLE lines ADD CHECK (sku <> 'cursed')`)
	require.NoError(t, err)
	var orders []commerce.Order
	for i := range 30 {
		orders = append(orders, order(string(rune('A'+i)), "", "ann@example.com"))
	}
	orders[7].City = "Atlantis"
	b := whole(orders...)
	b.Lines[20].SKU = "cursed"
	require.Equal(t, ingest.Written{Read: 30, Added: 28, Quarantined: 2}, s.put(commerce.Orders, b))
	require.Equal(t, []string{"H", "U"}, all[string](s, `SELECT id FROM quarantine ORDER BY id`))
	require.Equal(t, 28, one[int](s, `SELECT count(*) FROM lines`))
	require.NotContains(t, one[string](s, `SELECT reason FROM quarantine WHERE id = 'H'`), "Atlantis")
	require.Equal(t, 1, one[int](s, `SELECT count(*) FROM persons`))
}
