package shopify

import (
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/perennial-cvo/perennial/connectors"
	"github.com/perennial-cvo/perennial/connectors/commerce"
)

// These tests are named by reports of data that other connectors lost, as far as they are about reading.

var orders = at{resource: commerce.Orders}

// A job with more objects than a checkpoint holds gave no record, and the state went on.
func TestAirbyte85372(t *testing.T) {
	inBubble(t, func(t *testing.T) {
		short := fileOf(orderLine(1, ""))
		short.objects, short.roots = 200_000, 200_000
		p := &play{t: t, outcomes: []outcome{short}}
		h, err := p.drain(orders, bulk(1<<16))
		require.Error(t, err, "a file of 1 line was believed to hold 200,000")
		require.Equal(t, connectors.KindRetry.String(), connectors.KindOf(err).String())
		require.ErrorContains(t, err, "1 lines and 1 records, 200000 and 200000 were announced")
		require.Empty(t, h.end)
		require.Less(t, len(p.started), 100, "there is an end to trying")
	})
}

// The checkpoint jumped by years, to the time that some record bore.
func TestAirbyte77005(t *testing.T) {
	inBubble(t, func(t *testing.T) {
		now := time.Now().UTC()
		late := `{"__typename":"Customer","id":"gid://shopify/Customer/1","createdAt":"2026-01-01T00:00:00Z","updatedAt":"` +
			now.AddDate(3, 0, 0).Format(time.RFC3339) + `","tags":[]}`
		p := &play{t: t, outcomes: []outcome{fileOf(late)}}
		h, err := p.drain(at{resource: commerce.Customers}, bulk(1<<16))
		require.NoError(t, err)
		require.Len(t, h.Customers, 1)
		next, err := parseCursor(h.end)
		require.NoError(t, err)
		require.False(t, next.Since.After(now.Add(-lag)), "the watermark is the start of the run, less what the index lags")
	})
}

// A slice that failed was skipped, or its part was taken for the whole.
func TestAirbyte62499(t *testing.T) {
	for _, failure := range []outcome{
		{status: "FAILED", code: "INTERNAL_SERVER_ERROR"}, {status: "FAILED", code: "TIMEOUT"}, {status: "CANCELED"},
	} {
		t.Run(failure.status+failure.code, func(t *testing.T) {
			inBubble(t, func(t *testing.T) {
				p := &play{t: t, outcomes: []outcome{failure, fileOf(orderLine(1, "")), failure, fileOf(orderLine(2, "")), fileOf(orderLine(3, ""))}}
				h, err := p.drain(orders, bulk(1<<16))
				require.NoError(t, err)
				require.Equal(t, []string{"1", "2", "3"}, idsOf(h.Orders))
				require.True(t, h.settled)
				require.Len(t, p.started, 5)
				spans := windowsOf(t, p.started)
				require.Equal(t, []string{spans[1][1], spans[3][1], spans[4][1]}, []string{spans[3][0], spans[4][0], ""},
					"the windows that were read join and cover everything: %v", spans)
				require.Empty(t, spans[1][0])
			})
		})
	}
}

// windowsOf returns the bounds by creation that documents ask for.
func windowsOf(t *testing.T, documents []string) (spans [][2]string) {
	t.Helper()
	for _, text := range documents {
		var span [2]string
		for _, term := range strings.Split(filterOf(t, text), " AND ") {
			if v, ok := strings.CutPrefix(term, "created_at:>="); ok {
				span[0] = v
			}
			if v, ok := strings.CutPrefix(term, "created_at:<"); ok {
				span[1] = v
			}
		}
		spans = append(spans, span)
	}
	return spans
}

// Of more than 8,000 orders 392 came, those of 60 days, and the others were taken for deleted.
func TestAirbyte58668(t *testing.T) {
	inBubble(t, func(t *testing.T) {
		p := &play{t: t, scopes: []string{"read_orders", "read_customers", "read_products"}}
		oldest := time.Now().AddDate(0, 0, -59)
		p.pages = map[string]func(map[string]any) string{
			"OrdersByID": func(v map[string]any) string { return nodesOf(v, func(string) string { return "null" }) },
			"PerennialOrdersOldest": func(map[string]any) string {
				return `{"orders":{"nodes":[{"id":"gid://shopify/Order/5","createdAt":"` + oldest.UTC().Format(time.RFC3339) + `"}]}}`
			},
		}
		page, err := p.open(nil).Fetch(t.Context(), commerce.Orders, []string{"1", "2"})
		require.NoError(t, err)
		require.Empty(t, page.Deleted, "hidden is not deleted")
		require.NotEmpty(t, page.Warnings)

		oldest = time.Now().AddDate(-2, 0, 0) // an app that sees all without the scope
		page, err = p.open(nil).Fetch(t.Context(), commerce.Orders, []string{"1", "2"})
		require.NoError(t, err)
		require.Equal(t, []string{"1", "2"}, page.Deleted)
	})
}

// A nested connection ended after its first page.
func TestAirbyte78512(t *testing.T) {
	inBubble(t, func(t *testing.T) {
		items := func(from, to int) (all []string) {
			for i := from; i < to; i++ {
				all = append(all, itemLine(i, 1, ""))
			}
			return all
		}
		p := &play{t: t, pages: map[string]func(map[string]any) string{
			"OrdersPage": func(map[string]any) string {
				return `{"orders":` + listOf([]string{orderLine(1, `,"lineItems":`+listOf(items(0, 50), "a"))}, "") + `}`
			},
			"OrderLines": func(v map[string]any) string {
				require.Equal(t, "gid://shopify/Order/1", v["id"])
				if v["after"] == "a" {
					return `{"node":{"id":"x","lineItems":` + listOf(items(50, 300), "b") + `}}`
				}
				require.Equal(t, "b", v["after"])
				return `{"node":{"id":"x","lineItems":` + listOf(items(300, 301), "") + `}}`
			},
		}}
		h, err := p.drain(orders, nil)
		require.NoError(t, err)
		require.Len(t, h.Lines, 301)
	})
}

// Windows were cancelled and tried again without end.
func TestAirbyte39499(t *testing.T) {
	inBubble(t, func(t *testing.T) {
		p := &play{t: t, outcomes: []outcome{{status: "FAILED", code: "TIMEOUT"}}}
		_, err := p.drain(at{resource: commerce.Products}, bulk(1<<16))
		require.Error(t, err)
		require.Equal(t, connectors.KindRetry.String(), connectors.KindOf(err).String())
		require.Less(t, len(p.started), 40)
	})
}

// A pull by ascending id never saw a record that changed.
func TestAirbyte28926(t *testing.T) {
	inBubble(t, func(t *testing.T) {
		p := &play{t: t, pages: map[string]func(map[string]any) string{
			"ProductsPage": func(map[string]any) string { return `{"products":` + listOf(nil, "") + `}` },
			"InventoryCosts": func(map[string]any) string {
				return `{"inventoryItems":` + listOf([]string{`{"id":"gid://shopify/InventoryItem/1","variants":{"nodes":[{"id":"v","product":{"id":"gid://shopify/Product/7"}}]}}`}, "") + `}`
			},
			"ProductsByID": func(v map[string]any) string {
				return nodesOf(v, func(id string) string { return `{"__typename":"Product","id":"` + id + `","title":"Dear"}` })
			},
		}}
		since := position{Since: time.Now().Add(-time.Hour)}
		h, err := p.drain(at{resource: commerce.Products, cursor: since.cursor()}, nil)
		require.NoError(t, err)
		require.Len(t, h.Products, 1, "a cost that changed is read though its product did not change")
		q := p.questions("ProductsPage")[0]
		require.Equal(t, "updated_at:>="+stamp(since.Since), q.variables["query"])
		require.Contains(t, q.text, "sortKey: UPDATED_AT")
	})
}

// An increment read everything again.
func TestAirbyte39336(t *testing.T) {
	inBubble(t, func(t *testing.T) {
		p := &play{t: t, pages: map[string]func(map[string]any) string{
			"OrdersPage": func(map[string]any) string { return `{"orders":` + listOf([]string{orderLine(1, "")}, "") + `}` },
		}}
		began := time.Now()
		h, err := p.drain(orders, nil)
		require.NoError(t, err)
		time.Sleep(24 * time.Hour)
		_, err = p.drain(at{resource: commerce.Orders, cursor: h.end}, nil)
		require.NoError(t, err)
		asked := p.questions("OrdersPage")
		require.Nil(t, asked[0].variables["query"])
		require.Equal(t, "updated_at:>="+stamp(began.Add(-lag)), asked[1].variables["query"])
	})
}

// More records than a page holds had one timestamp, and the checkpoint stood still.
func TestAirbyte49134(t *testing.T) {
	inBubble(t, func(t *testing.T) {
		p := &play{t: t}
		p.pages = map[string]func(map[string]any) string{"OrdersPage": func(v map[string]any) string {
			n := 0
			if after, ok := v["after"].(string); ok {
				_, err := fmt.Sscan(after, &n)
				require.NoError(t, err)
			}
			next := ""
			if n < 4 {
				next = fmt.Sprint(n + 1)
			}
			return `{"orders":` + listOf([]string{orderLine(10*n+1, ""), orderLine(10*n+2, "")}, next) + `}`
		}}
		h, err := p.drain(orders, nil)
		require.NoError(t, err)
		require.Len(t, h.Orders, 10)
		require.Len(t, slices.Compact(slices.Sorted(slices.Values(h.cursors))), 5)
	})
}

// The refunds of many orders were left out.
func TestAirbyte7577(t *testing.T) {
	inBubble(t, func(t *testing.T) {
		var lines []string
		for i := 1; i <= 120; i++ {
			lines = append(lines, orderLine(i, fmt.Sprintf(`,"refunds":[{"id":"gid://shopify/Refund/%d9"}]`, i)))
		}
		p := &play{t: t, outcomes: []outcome{fileOf(lines...)}}
		h, err := p.drain(orders, bulk(1<<20))
		require.NoError(t, err)
		require.Len(t, h.Refunds, 120)
		require.Len(t, p.questions("OrderRefunds"), 3)
		require.Equal(t, "4", h.Refunds[0].Goods.String())
	})
}

// An alias of the shop's name led to another shop.
func TestAirbyte42095(t *testing.T) {
	inBubble(t, func(t *testing.T) {
		a, w := wired(t, legacy(), always(told{status: 301, header: map[string]string{"Location": "https://birch.myshopify.com/admin/api/2026-07/graphql.json"}}))
		_, err := newSource(a).Pull(t.Context(), commerce.Orders, connectors.Increment, "")
		require.Equal(t, connectors.KindPermanent.String(), connectors.KindOf(err).String())
		require.Empty(t, w.asked("birch"))
	})
}

// Bulk operations sorted by time of change left records out.
func TestEstuaryE1b9230a6(t *testing.T) {
	for _, name := range embedded(t) {
		if isBulkQuery(name) {
			require.NotContains(t, prune(text(name), map[string]bool{}), "sortKey", name)
		}
	}
}

// A child of a kind that nobody expected broke the reading of the file.
func TestEstuary8c320876b(t *testing.T) {
	inBubble(t, func(t *testing.T) {
		p := &play{t: t, outcomes: []outcome{fileOf(
			orderLine(1, ""), `{"__typename":"UnverifiedReturnLineItem","id":"gid://shopify/UnverifiedReturnLineItem/4","__parentId":"gid://shopify/Order/1"}`,
			`{"title":"no id at all","__parentId":"gid://shopify/Order/1"}`, itemLine(2, 1, ""),
		)}}
		h, err := p.drain(orders, bulk(1<<16))
		require.NoError(t, err)
		require.Len(t, h.Orders, 1)
		require.Len(t, h.Lines, 1)
		require.Empty(t, h.rejected)
	})
}

// hasNextPage without a cursor was taken for the end.
func TestEstuaryC75321901(t *testing.T) {
	inBubble(t, func(t *testing.T) {
		p := &play{t: t, pages: map[string]func(map[string]any) string{"OrdersPage": func(map[string]any) string {
			return `{"orders":{"pageInfo":{"hasNextPage":true,"endCursor":null},"nodes":[` + orderLine(1, "") + `]}}`
		}}}
		_, err := p.drain(orders, nil)
		require.Equal(t, connectors.KindRetry.String(), connectors.KindOf(err).String())
		require.ErrorContains(t, err, "there is more")
	})
}

// Rows came in no order, and a bookmark of an empty window stood still or went wrong.
func TestTapShopify251(t *testing.T) {
	inBubble(t, func(t *testing.T) {
		p := &play{t: t, outcomes: []outcome{{status: "COMPLETED"}}, pages: map[string]func(map[string]any) string{
			"OrdersPage": func(map[string]any) string { return `{"orders":` + listOf(nil, "") + `}` },
		}}
		since := position{Since: time.Now().Add(-48 * time.Hour)}
		for name, change := range map[string]func(*settings){"paged": nil, "bulk": bulk(1 << 16)} {
			began := time.Now()
			h, err := p.drain(at{resource: commerce.Orders, cursor: since.cursor()}, change)
			require.NoError(t, err, name)
			require.Empty(t, h.Orders)
			next, err := parseCursor(h.end)
			require.NoError(t, err)
			require.WithinDuration(t, began.Add(-lag), next.Since, 2*time.Second, name)
			require.False(t, next.Since.After(began.Add(-lag)), name)
		}
	})
}

// After a failed operation the state of its file was used for the next one.
func TestTapShopify373(t *testing.T) {
	inBubble(t, func(t *testing.T) {
		short := fileOf(orderLine(1, ""), itemLine(1, 1, ""))
		short.objects, short.roots = 3, 2
		p := &play{t: t, outcomes: []outcome{short, fileOf(orderLine(1, ""), itemLine(1, 1, ""), orderLine(2, ""))}}
		h, err := p.drain(orders, bulk(1<<16))
		require.NoError(t, err)
		require.Equal(t, []string{"1", "1", "2"}, idsOf(h.Orders), "the second file is read from its first byte")
		require.Len(t, p.started, 2)
	})
}

// Children did not stand beside their parents.
func TestGatsby116(t *testing.T) {
	inBubble(t, func(t *testing.T) {
		p := &play{t: t, outcomes: []outcome{fileOf(
			orderLine(1, ""), orderLine(2, ""), itemLine(21, 2, ""), itemLine(11, 1, ""), orderLine(3, ""), itemLine(22, 2, ""), itemLine(12, 1, ""),
		)}}
		for _, chunk := range []int64{100, 700, 1 << 16} {
			h, err := p.drain(orders, bulk(chunk))
			require.NoError(t, err)
			require.Equal(t, []string{"1", "2", "3"}, idsOf(h.Orders))
			of := map[string][]string{}
			for _, l := range h.Lines {
				of[l.OrderID] = append(of[l.OrderID], l.ID)
			}
			require.Equal(t, map[string][]string{"1": {"11", "12"}, "2": {"21", "22"}}, of)
		}
	})
}

// Dates without quotes found nothing.
func TestGatsby31(t *testing.T) {
	zone := time.FixedZone("far", 13*3600)
	for _, resource := range []commerce.Resource{commerce.Orders, commerce.Customers, commerce.Products} {
		k, err := kindOf(resource)
		require.NoError(t, err)
		filter := k.filter(position{
			Since:  time.Date(2026, 3, 29, 2, 30, 0, 0, zone),
			Window: window{From: time.Date(2025, 3, 29, 2, 30, 0, 0, zone), To: time.Date(2026, 3, 29, 2, 30, 0, 0, zone)},
		})
		for _, term := range strings.Split(filter, " AND ") {
			require.Regexp(t, `^[a-z_]+:(>=|<)'\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ'$`, term)
		}
	}
}

// Operations of others kept a bulk operation from starting, and everything stood still.
func TestCraft227(t *testing.T) {
	inBubble(t, func(t *testing.T) {
		busy := outcome{start: `{"bulkOperationRunQuery":{"bulkOperation":null,"userErrors":[{"field":null,"code":"OPERATION_IN_PROGRESS",
			"message":"A bulk query operation for this app and shop is already in progress: gid://shopify/BulkOperation/77."}]}}`}
		p := &play{t: t, outcomes: []outcome{busy, busy, fileOf(orderLine(1, ""))}}
		h, err := p.drain(orders, bulk(1<<16))
		require.NoError(t, err)
		require.Len(t, h.Orders, 1)
	})
}

// Times were off by the offset of the shop's or the server's time zone.
func TestErpnext190(t *testing.T) {
	require.Equal(t, "'2026-03-28T23:30:00Z'", stamp(time.Date(2026, 3, 29, 1, 30, 0, 0, time.FixedZone("", 2*3600))))
	var v values
	at := v.moment("x", "2026-03-29T01:30:00+02:00")
	require.NoError(t, v.err)
	require.Equal(t, time.Date(2026, 3, 28, 23, 30, 0, 0, time.UTC), at)
}

// An order of last year came in an increment: it was touched, and is not new.
func TestShopifySharp821(t *testing.T) {
	inBubble(t, func(t *testing.T) {
		p := &play{t: t, pages: map[string]func(map[string]any) string{
			"OrdersPage": func(map[string]any) string { return `{"orders":` + listOf([]string{orderLine(1, "")}, "") + `}` },
		}}
		since := position{Since: time.Now().Add(10 * 365 * 24 * time.Hour)}
		h, err := p.drain(at{resource: commerce.Orders, cursor: since.cursor()}, nil)
		require.NoError(t, err)
		require.Equal(t, time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC), h.Orders[0].PlacedAt)
	})
}

// A bulk operation gave 1,000 rows and no more.
func TestShopifyAPIRuby805(t *testing.T) {
	inBubble(t, func(t *testing.T) {
		var lines []string
		for i := range 1000 {
			lines = append(lines, orderLine(i+1, ""))
		}
		cut := fileOf(lines...)
		cut.objects, cut.roots = 5000, 5000
		p := &play{t: t, outcomes: []outcome{cut, cut, cut, fileOf(orderLine(1, "")), fileOf(orderLine(2, ""))}}
		h, err := p.drain(orders, bulk(1<<18))
		require.NoError(t, err)
		require.Len(t, p.started, 5, "three times the whole, then each half")
		require.Equal(t, []string{"1", "2"}, idsOf(h.Orders)[3000:])
	})
}

// The time of change of a product moved without any change.
func TestShopifyMonitor8(t *testing.T) {
	read := func(updated string) commerce.Product {
		var n productNode
		require.NoError(t, json.Unmarshal([]byte(`{"id":"gid://shopify/Product/1","title":"Cup","status":"ACTIVE","updatedAt":"`+updated+`","tags":["b","a"]}`), &n))
		p, err := productOf(&n, nil)
		require.NoError(t, err)
		return p
	}
	a, b := read("2026-01-01T00:00:00Z"), read("2026-06-01T00:00:00Z")
	require.NotEqual(t, a.ModifiedAt, b.ModifiedAt)
	a.ModifiedAt = b.ModifiedAt
	require.Equal(t, a, b)
}
