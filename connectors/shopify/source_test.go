package shopify

import (
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/shopspring/decimal"
	"github.com/stretchr/testify/require"

	"github.com/perennial-cvo/perennial/connectors"
	"github.com/perennial-cvo/perennial/connectors/commerce"
	"github.com/perennial-cvo/perennial/connectors/shopify/shopifytest"
	"github.com/perennial-cvo/perennial/connectors/simulator"
)

// TestDeletionsOfAnIncrement are told by events, and by nothing where the shop refuses to tell.
func TestDeletionsOfAnIncrement(t *testing.T) {
	for way := range ways() {
		t.Run(way, func(t *testing.T) {
			s := openStall(t, simulator.Options{Seed: 1, Customers: 30, Orders: 60}, shopifytest.Options{})
			first := s.pull(way, orders)
			gone := s.shop.Orders()[3].ID
			s.shop.ForceDeleteOrder(gone)
			next := s.pull(way, at{resource: commerce.Orders, cursor: first.end})
			require.Equal(t, []string{number(gone)}, next.deleted)
			require.True(t, next.settled)
			if swept := s.pull(way, at{resource: commerce.Orders, mode: connectors.Sweep}).deleted; way == "paged" {
				require.Empty(t, swept, "a sweep tells by what it does not meet")
			} else {
				require.Equal(t, []string{number(gone)}, swept, "an old file could bring it back")
			}
		})
	}
	inBubble(t, func(t *testing.T) {
		p := &play{t: t, pages: map[string]func(map[string]any) string{
			"OrdersPage": func(map[string]any) string { return `{"orders":` + listOf([]string{orderLine(1, "")}, "") + `}` },
			"Deletions": func(map[string]any) string {
				return `{"errors":[{"message":"Access denied for events field. Required access: read_events access scope.","path":["events"],"extensions":{"code":"ACCESS_DENIED","requiredAccess":"read_events access scope."}}]}`
			},
		}}
		h, err := p.drain(atCursor(position{Since: time.Now().Add(-time.Hour)}), nil)
		require.NoError(t, err)
		require.Len(t, h.Orders, 1)
		require.Len(t, h.warnings, 1)
		require.True(t, h.settled)
	})
}

// TestCostThatChanged is read though the product did not change.
func TestCostThatChanged(t *testing.T) {
	for way := range ways() {
		t.Run(way, func(t *testing.T) {
			s := openStall(t, simulator.Options{Seed: 1, Customers: 20, Orders: 40}, shopifytest.Options{})
			first := s.pull(way, at{resource: commerce.Products})
			variant := first.Products[slices.IndexFunc(first.Products, func(p commerce.Product) bool { return p.ParentID != "" && p.Cost.Valid })]
			s.shop.Wait(time.Minute)
			for _, p := range s.shop.Products() {
				if variant.ID == variantMark+number(p.ID) {
					s.SetUnitCost(p.ID, 777)
				}
			}
			next := s.pull(way, at{resource: commerce.Products, cursor: first.end})
			i := slices.IndexFunc(next.Products, func(p commerce.Product) bool { return p.ID == variant.ID })
			require.GreaterOrEqual(t, i, 0, "the product with the new cost is missing")
			require.True(t, next.Products[i].Cost.Decimal.Equal(s.shop.Decimal(777)))
		})
	}
}

// TestIndexLag reads in the next pull what the index did not know yet in this one.
func TestIndexLag(t *testing.T) {
	for way := range ways() {
		t.Run(way, func(t *testing.T) {
			now := time.Now().UTC().Truncate(time.Second)
			clock := func() time.Time { return now }
			s := openStall(t, simulator.Options{Seed: 1, Customers: 20, Orders: 40, Clock: clock}, shopifytest.Options{Lag: 5 * time.Minute, Clock: clock})
			open := func() connectors.Source {
				source, err := New().NewSource(s.settings(ways()[way]), connectors.Deps{Now: clock, Prefix: "perennial"})
				require.NoError(t, err)
				return source
			}
			read := func(cursor connectors.Cursor) (ids []string, end connectors.Cursor) {
				for {
					page, err := open().Pull(t.Context(), commerce.Orders, connectors.Increment, cursor)
					require.NoError(t, err)
					ids = append(ids, idsOf(page.Records.Orders)...)
					if cursor = page.Next; page.Done {
						return ids, cursor
					}
				}
			}
			_, end := read("")
			now = now.Add(time.Hour)
			id := number(s.shop.PlaceOrder(simulator.OrderDraft{Email: "late@mail.example"}))
			now = now.Add(time.Minute)
			missed, end := read(end)
			require.NotContains(t, missed, id, "the index should not know it yet")
			now = now.Add(time.Hour)
			found, _ := read(end)
			require.Contains(t, found, id)
		})
	}
}

// TestCustomersOfADay are found though searches compare whole days.
func TestCustomersOfADay(t *testing.T) {
	for way := range ways() {
		t.Run(way, func(t *testing.T) {
			s := openStall(t, simulator.Options{Seed: 1, Customers: 40, Orders: 60}, shopifytest.Options{})
			first := s.pull(way, at{resource: commerce.Customers})
			touched := s.shop.Customers()[5]
			s.shop.EditCustomer(touched.ID, func(c *simulator.Customer) { c.FirstName = "Renamed" })
			next := s.pull(way, at{resource: commerce.Customers, cursor: first.end})
			require.True(t, slices.ContainsFunc(next.Customers, func(c commerce.Customer) bool {
				return c.ID == number(touched.ID) && c.FirstName == "Renamed"
			}))
			require.Less(t, len(next.Customers), len(first.Customers))
		})
	}
}

// TestOwnTagsAreNoChange reads a customer alike before and after we tag them.
func TestOwnTagsAreNoChange(t *testing.T) {
	s := openStall(t, simulator.Options{Seed: 1, Customers: 20, Orders: 20}, shopifytest.Options{})
	id := s.shop.Customers()[5].ID
	s.SetTags(id, "VIP")
	read := func() commerce.Customer {
		page, err := s.source("paged").(connectors.Fetcher).Fetch(t.Context(), commerce.Customers, []string{number(id)})
		require.NoError(t, err)
		require.Len(t, page.Records.Customers, 1)
		page.Records.Customers[0].ModifiedAt = time.Time{}
		return page.Records.Customers[0]
	}
	before := read()
	s.SetTags(id, "VIP", "perennial:champions", "Perennial:New")
	require.Equal(t, before, read())
	require.Equal(t, []string{"VIP"}, before.Tags)
}

// TestFetch reads every kind of record by its id like pulls do.
func TestFetch(t *testing.T) {
	s := openStall(t, simulator.Options{Seed: 1, Customers: 60, Orders: 150}, shopifytest.Options{})
	fetch := func(resource commerce.Resource, ids []string) connectors.Page {
		page, err := s.source("paged").(connectors.Fetcher).Fetch(t.Context(), resource, ids)
		require.NoError(t, err)
		require.Empty(t, page.Rejected)
		require.Equal(t, resource == commerce.Orders, page.Settled)
		return page
	}
	told := s.Truth(simulator.Policy{})
	var all commerce.Batch
	var ids []string
	for _, o := range told.Orders {
		ids = append(ids, o.ID)
	}
	page := fetch(commerce.Orders, append(ids, "987654321", "12a", "", "-3", ids[0]))
	require.Equal(t, []string{"987654321"}, page.Deleted, "what cannot be an id stays undecided")
	all.Orders, all.Lines, all.Refunds = page.Records.Orders, page.Records.Lines, page.Records.Refunds
	ids = nil
	for _, c := range told.Customers {
		ids = append(ids, c.ID)
	}
	all.Customers = fetch(commerce.Customers, ids).Records.Customers
	ids = nil
	for _, p := range told.Products {
		if p.ParentID == "" {
			ids = append(ids, p.ID)
		}
	}
	all.Products = fetch(commerce.Products, ids).Records.Products
	requireTruth(t, told, all)

	one := all.Products[slices.IndexFunc(all.Products, func(p commerce.Product) bool { return p.ParentID != "" })]
	page = fetch(commerce.Products, []string{one.ID, "variant-987654321", "987654321"})
	require.Equal(t, []commerce.Product{one}, page.Records.Products)
	require.ElementsMatch(t, []string{"variant-987654321", "987654321"}, page.Deleted)
}

// TestMergedCustomer finds the orders of the loser with the survivor, and the loser gone.
func TestMergedCustomer(t *testing.T) {
	s := openStall(t, simulator.Options{Seed: 1, Customers: 60, Orders: 150}, shopifytest.Options{})
	var buyers []string
	for _, o := range s.Truth(simulator.Policy{}).Orders {
		if o.CustomerID != "" && !slices.Contains(buyers, o.CustomerID) {
			buyers = append(buyers, o.CustomerID)
		}
	}
	loser, survivor := buyers[0], buyers[1]
	s.Merge(numberOf(t, loser), numberOf(t, survivor))
	for way := range ways() {
		h := s.pull(way, at{resource: commerce.Orders, mode: connectors.Sweep})
		for _, o := range h.Orders {
			require.NotEqual(t, loser, o.CustomerID)
		}
	}
	page, err := s.source("paged").(connectors.Fetcher).Fetch(t.Context(), commerce.Customers, []string{loser, survivor})
	require.NoError(t, err)
	require.Equal(t, []string{loser}, page.Deleted)
	require.Len(t, page.Records.Customers, 1)
}

func numberOf(t *testing.T, id string) (n int64) {
	t.Helper()
	d, err := decimal.NewFromString(id)
	require.NoError(t, err)
	return d.IntPart()
}

// TestFaultsOfOperations lose nothing, however an operation fails.
func TestFaultsOfOperations(t *testing.T) {
	for _, kind := range []shopifytest.FaultKind{
		shopifytest.BulkFailed, shopifytest.BulkTimeout, shopifytest.BulkCanceled, shopifytest.BulkExpired, shopifytest.BulkShort,
		shopifytest.BulkDenied, shopifytest.ExpiredURL, shopifytest.TokenExpired, shopifytest.InternalError, shopifytest.Throttled,
	} {
		t.Run(string(kind), func(t *testing.T) {
			t.Parallel()
			s := openStall(t, simulator.Options{Seed: 1, Customers: 40, Orders: 150}, shopifytest.Options{Shuffle: true})
			s.Fault(shopifytest.Fault{Kind: kind})
			seen := map[string]commerce.Order{}
			cursor := connectors.Cursor("")
			for tries := 0; ; {
				page, err := s.source("bulk").Pull(t.Context(), commerce.Orders, connectors.Increment, cursor)
				if err != nil {
					tries++
					require.Less(t, tries, 4, "%v", err)
					require.NotEqual(t, connectors.KindPermanent, connectors.KindOf(err), "%v", err)
					continue
				}
				for _, o := range page.Records.Orders {
					seen[o.ID] = o
				}
				if page.Done {
					break
				}
				time.Sleep(min(time.Until(page.NotBefore), 5*time.Millisecond))
				cursor = page.Next
			}
			require.Len(t, seen, len(s.Truth(simulator.Policy{}).Orders))
		})
	}
}

// TestCursorsOfOthers are refused with what to do.
func TestCursorsOfOthers(t *testing.T) {
	for _, cursor := range []connectors.Cursor{"nonsense", `{"phase":"dancing"}`, `{"since":7}`} {
		inBubble(t, func(t *testing.T) {
			_, err := (&play{t: t}).open(nil).Pull(t.Context(), commerce.Orders, connectors.Increment, cursor)
			require.Equal(t, connectors.KindPermanent.String(), connectors.KindOf(err).String())
			require.True(t, strings.Contains(connectors.Remedy(err), "resync"))
		})
	}
	_, err := (&play{t: t}).open(nil).Pull(t.Context(), commerce.Coupons, connectors.Increment, "")
	require.Error(t, err)
}
