package shopify

import (
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
	"github.com/shopspring/decimal"
	"github.com/stretchr/testify/require"

	"github.com/perennial-cvo/perennial/connectors"
	"github.com/perennial-cvo/perennial/connectors/commerce"
	"github.com/perennial-cvo/perennial/connectors/shopify/schematest"
	"github.com/perennial-cvo/perennial/connectors/shopify/shopifytest"
	"github.com/perennial-cvo/perennial/connectors/simulator"
)

// stall is a fake shop that is read.
type stall struct {
	*shopifytest.Server
	t    *testing.T
	shop *simulator.Shop
}

// openStall starts a shop that judges every document, and every answer of its own, by Shopify's schema.
func openStall(t *testing.T, shop simulator.Options, opts shopifytest.Options) *stall {
	t.Helper()
	opts.Validator = schematest.Validator(t, shopifytest.DefaultVersion)
	if opts.Bucket.Restore == 0 {
		opts.Bucket.Restore = -1
	}
	if shop.Clock == nil {
		shop.Clock = time.Now
	}
	invented := simulator.New(shop)
	s := &stall{t: t, shop: invented, Server: shopifytest.New(invented, opts)}
	server := s.Start()
	t.Cleanup(func() {
		server.Close()
		require.Empty(t, s.Violations())
	})
	return s
}

func (s *stall) settings(more connectors.Settings) connectors.Settings {
	set := connectors.Settings{"shop": s.Domain(), "url": s.Home(), "access_token": shopifytest.DefaultAccessToken}
	for key, value := range more {
		set[key] = value
	}
	return set
}

// ways are the two ways of reading a shop.
func ways() map[string]connectors.Settings {
	return map[string]connectors.Settings{
		"paged": {"bulk_from": 1_000_000, "page_size": 20},
		"bulk":  {"bulk_from": 0, "bulk_chunk": 65536},
	}
}

func (s *stall) source(way string) connectors.Source {
	s.t.Helper()
	source, err := New().NewSource(s.settings(ways()[way]), connectors.Deps{Prefix: "perennial"})
	require.NoError(s.t, err)
	return source
}

// pull reads everything of a resource, and returns where the next pull starts.
func (s *stall) pull(way string, from at) (h harvest) {
	s.t.Helper()
	if from.mode == "" {
		from.mode = connectors.Increment
	}
	for range 1000 {
		page, err := s.source(way).Pull(s.t.Context(), from.resource, from.mode, from.cursor)
		require.NoError(s.t, err)
		h.take(from.cursor, page)
		if page.Done {
			h.end, h.settled = page.Next, page.Settled
			return h
		}
		if !page.NotBefore.IsZero() {
			time.Sleep(min(time.Until(page.NotBefore), 20*time.Millisecond))
		}
		from.cursor = page.Next
	}
	require.Fail(s.t, "the pull comes to no end")
	return h
}

// everything reads a whole shop.
func (s *stall) everything(way string) commerce.Batch {
	s.t.Helper()
	var all commerce.Batch
	for _, resource := range []commerce.Resource{commerce.Products, commerce.Customers, commerce.Orders} {
		h := s.pull(way, at{resource: resource})
		require.Empty(s.t, h.rejected)
		require.Empty(s.t, h.warnings)
		require.Equal(s.t, resource == commerce.Orders, h.settled)
		all.Products = append(all.Products, h.Products...)
		all.Customers = append(all.Customers, h.Customers...)
		all.Orders = append(all.Orders, h.Orders...)
		all.Lines = append(all.Lines, h.Lines...)
		all.Refunds = append(all.Refunds, h.Refunds...)
	}
	return all
}

// requireTruth holds what was read against the truth, record by record.
func requireTruth(t *testing.T, want simulator.Oracle, got commerce.Batch) {
	t.Helper()
	options := cmp.Options{
		cmp.Comparer(func(a, b decimal.Decimal) bool { return a.Equal(b) }),
		cmp.Comparer(func(a, b time.Time) bool { return a.Equal(b) }),
		cmpopts.EquateEmpty(),
		sorted(func(c commerce.Customer) string { return c.ID }), sorted(func(p commerce.Product) string { return p.ID }),
		sorted(func(o commerce.Order) string { return o.ID }), sorted(func(l commerce.Line) string { return l.ID }),
		sorted(func(r commerce.Refund) string { return r.ID }), sorted(func(l commerce.RefundLine) string { return l.LineID }),
	}
	differ := func(what string, diff string) { require.Empty(t, diff, "%s (-truth +read)", what) }
	differ("customers", cmp.Diff(want.Customers, got.Customers, options))
	differ("products", cmp.Diff(want.Products, got.Products, options))
	differ("orders", cmp.Diff(want.Orders, got.Orders, options))
	differ("lines", cmp.Diff(want.Lines, got.Lines, options))
	differ("refunds", cmp.Diff(want.Refunds, got.Refunds, options))
}

func sorted[T any](key func(T) string) cmp.Option {
	return cmpopts.SortSlices(func(a, b T) bool { return strings.Compare(key(a), key(b)) < 0 })
}

// TestWholeShop reads shops of several kinds both ways, and holds everything against the truth.
func TestWholeShop(t *testing.T) {
	shops := map[string]struct {
		shop simulator.Options
		fake shopifytest.Options
		with func(*stall)
	}{
		"dollars":            {shop: simulator.Options{Seed: 1, Customers: 120, Orders: 500}},
		"shuffled":           {shop: simulator.Options{Seed: 2, Customers: 60, Orders: 300}, fake: shopifytest.Options{Shuffle: true}},
		"taxes in prices":    {shop: simulator.Options{Seed: 3, Customers: 60, Orders: 300}, fake: shopifytest.Options{TaxesIncluded: true, Shuffle: true}},
		"yen":                {shop: simulator.Options{Seed: 4, Customers: 40, Orders: 150, Currency: "JPY", TimeZone: "Asia/Tokyo"}},
		"dinars":             {shop: simulator.Options{Seed: 5, Customers: 40, Orders: 150, Currency: "KWD"}},
		"everything special": {shop: simulator.Options{Seed: 6, Customers: 60, Orders: 200}, fake: shopifytest.Options{Shuffle: true}, with: special},
	}
	for name, kind := range shops {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := openStall(t, kind.shop, kind.fake)
			if kind.with != nil {
				kind.with(s)
			}
			for way := range ways() {
				requireTruth(t, s.Truth(simulator.Policy{}), s.everything(way))
			}
		})
	}
}

// special does to a shop what shops do.
func special(s *stall) {
	orders, customers := s.shop.Orders(), s.shop.Customers()
	live := slices.DeleteFunc(slices.Clone(orders), func(o *simulator.Order) bool {
		return o.Status != simulator.Completed || len(o.Refunds) > 0 || o.Total() == 0
	})
	s.MarkTest(live[0].ID)
	s.IncludeTaxes(live[1].ID)
	s.SellGiftCard(live[2].ID, live[2].Lines[0].ID)
	s.Present(live[3].ID, "EUR", decimal.RequireFromString("0.92"))
	s.RemoveLine(live[4].ID, live[4].Lines[0].ID)
	s.Merge(customers[0].ID, customers[1].ID)
	s.Redact(customers[2].ID)
	s.SetTags(customers[3].ID, "VIP", "Perennial:champions", "perennial:new", "perennials")
	for i, state := range []string{"SUBSCRIBED", "UNSUBSCRIBED", "INVALID", "PENDING", "NOT_SUBSCRIBED"} {
		s.SetConsent(customers[4+i].ID, state)
	}
	s.shop.SetStatus(live[5].ID, simulator.Cancelled)
}
