package shopify

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/perennial-cvo/perennial/connectors"
	"github.com/perennial-cvo/perennial/connectors/commerce"
)

func TestLastLineWithoutNewline(t *testing.T) {
	inBubble(t, func(t *testing.T) {
		o := fileOf(orderLine(1, ""), itemLine(1, 1, ""), orderLine(2, ""))
		o.tail = "-"
		p := &play{t: t, outcomes: []outcome{o}}
		for _, chunk := range []int64{64, 500, 1 << 20} {
			h, err := p.drain(orders, bulk(chunk))
			require.NoError(t, err)
			require.Equal(t, []string{"1", "2"}, idsOf(h.Orders))
			require.Len(t, h.Lines, 1)
		}
		require.Len(t, p.started, 3)
	})
}

func TestBlankLinesAreNoLines(t *testing.T) {
	inBubble(t, func(t *testing.T) {
		o := fileOf(orderLine(1, ""))
		o.tail = "\n\r\n\n"
		p := &play{t: t, outcomes: []outcome{o}}
		_, err := p.drain(orders, bulk(64))
		require.NoError(t, err)
		require.Len(t, p.started, 1)
	})
}

func TestLineLongerThanAChunk(t *testing.T) {
	inBubble(t, func(t *testing.T) {
		long := `,"discountCodes":["` + strings.Repeat("x", 300_000) + `"]`
		p := &play{t: t, outcomes: []outcome{fileOf(orderLine(1, ""), orderLine(2, long), orderLine(3, ""))}}
		h, err := p.drain(orders, bulk(1000))
		require.NoError(t, err)
		require.Equal(t, []string{"1", "2", "3"}, idsOf(h.Orders))
		require.Len(t, h.Orders[1].Coupons[0], 300_000)
	})
}

func TestNoRowsNoAddress(t *testing.T) {
	inBubble(t, func(t *testing.T) {
		p := &play{t: t, outcomes: []outcome{{status: "COMPLETED"}}}
		h, err := p.drain(orders, bulk(1<<16))
		require.NoError(t, err)
		require.Empty(t, h.Orders)
		require.True(t, h.settled)

		lost := outcome{status: "COMPLETED", objects: 5, roots: 5} // rows, and nowhere to read them
		p = &play{t: t, outcomes: []outcome{lost, {status: "COMPLETED"}}}
		_, err = p.drain(orders, bulk(1<<16))
		require.NoError(t, err)
		require.Len(t, p.started, 2, "rows that cannot be read are asked for again")
	})
}

// TestOperationIsKnownBeforeItIsAsked sees the id of the operation in the cursor of a page without records.
func TestOperationIsKnownBeforeItIsAsked(t *testing.T) {
	inBubble(t, func(t *testing.T) {
		p := &play{t: t, outcomes: []outcome{{status: "RUNNING"}}}
		page, err := p.open(bulk(1<<16)).Pull(t.Context(), commerce.Orders, connectors.Increment, "")
		require.NoError(t, err)
		require.Contains(t, string(page.Next), "gid://shopify/BulkOperation/1")
		require.False(t, page.NotBefore.IsZero())
		require.Zero(t, page.Records.Len())

		waits := []time.Duration{}
		for range 12 {
			time.Sleep(time.Until(page.NotBefore))
			before := page.Next
			page, err = p.open(bulk(1<<16)).Pull(t.Context(), commerce.Orders, connectors.Increment, before)
			require.NoError(t, err)
			require.Equal(t, before, page.Next, "a job that runs keeps its cursor")
			waits = append(waits, time.Until(page.NotBefore))
		}
		require.Len(t, p.started, 1, "polled by its id, and not started again")
		require.True(t, slices.IsSorted(waits), "%v", waits)
		require.Greater(t, waits[len(waits)-1], 2*waits[0])
		require.LessOrEqual(t, waits[len(waits)-1], lastLook)
	})
}

// TestLostAnswerToTheStart finds the operation that was started, though its id never came.
func TestLostAnswerToTheStart(t *testing.T) {
	inBubble(t, func(t *testing.T) {
		p := &play{t: t, outcomes: []outcome{{status: "RUNNING"}}}
		_, err := p.open(bulk(1<<16)).Pull(t.Context(), commerce.Orders, connectors.Increment, "")
		require.NoError(t, err)
		began := time.Now()
		time.Sleep(time.Hour)
		theirs := fmt.Sprintf(`{"id":"gid://shopify/BulkOperation/8","type":"QUERY","status":"RUNNING","query":"{ orders { edges { node { id } } } }","createdAt":"%s"}`,
			time.Now().UTC().Format(time.RFC3339))
		ours := fmt.Sprintf(`{"id":"gid://shopify/BulkOperation/1","type":"QUERY","status":"RUNNING","query":%q,"createdAt":"%s"}`,
			strings.ReplaceAll(p.started[0], "\n", " \n"), began.UTC().Format(time.RFC3339))
		p.running = theirs + "," + ours
		page, err := p.open(bulk(1<<16)).Pull(t.Context(), commerce.Orders, connectors.Increment, "")
		require.NoError(t, err)
		require.Len(t, p.started, 1)
		next, err := parseCursor(page.Next)
		require.NoError(t, err)
		require.Equal(t, "gid://shopify/BulkOperation/1", next.Op)
		require.WithinDuration(t, began, next.Began, time.Second, "it knows nothing of what came after it began")
	})
}

// TestForgottenOperation begins again where the shop does not know the operation any more.
func TestForgottenOperation(t *testing.T) {
	inBubble(t, func(t *testing.T) {
		p := &play{t: t, outcomes: []outcome{fileOf(orderLine(1, ""))}}
		p.pages = map[string]func(map[string]any) string{}
		at := position{Phase: reading, Op: "gid://shopify/BulkOperation/1", Began: time.Now(), Asked: time.Now(), Offset: 77, Lines: 3, Roots: 3}
		for _, status := range []string{"EXPIRED", "FORGOTTEN"} {
			p.outcomes[0].status = "COMPLETED"
			started := len(p.started)
			p.pages["PerennialBulkOperation"] = func(map[string]any) string {
				delete(p.pages, "PerennialBulkOperation")
				if status == "EXPIRED" {
					return `{"bulkOperation":{"id":"gid://shopify/BulkOperation/1","status":"EXPIRED","createdAt":"2026-01-01T00:00:00Z"}}`
				}
				return `{"bulkOperation":null}`
			}
			h, err := p.drain(atCursor(at), bulk(1<<16))
			require.NoError(t, err, status)
			require.Equal(t, []string{"1"}, idsOf(h.Orders), status)
			require.Len(t, p.started, started+1)
		}
	})
}

func atCursor(p position) at { return at{resource: commerce.Orders, cursor: p.cursor()} }

// TestDeniedOperation names the scope, and begins again in a later run.
func TestDeniedOperation(t *testing.T) {
	inBubble(t, func(t *testing.T) {
		p := &play{t: t, outcomes: []outcome{{status: "FAILED", code: "ACCESS_DENIED"}}}
		from := orders
		for range 2 {
			page, err := p.open(bulk(1<<16)).Pull(t.Context(), from.resource, connectors.Increment, from.cursor)
			for err == nil {
				from.cursor = page.Next
				page, err = p.open(bulk(1<<16)).Pull(t.Context(), from.resource, connectors.Increment, from.cursor)
			}
			require.Equal(t, connectors.KindCredentials.String(), connectors.KindOf(err).String())
			require.Equal(t, "read_orders", permissionOf(err))
			require.NotEmpty(t, connectors.Remedy(err))
			time.Sleep(24 * time.Hour)
		}
		p.outcomes = []outcome{fileOf(orderLine(1, ""))}
		p.outcomes = append([]outcome{{status: "FAILED", code: "ACCESS_DENIED"}, {status: "FAILED", code: "ACCESS_DENIED"}, {status: "FAILED", code: "ACCESS_DENIED"}}, p.outcomes...)
		h, err := p.drain(from, bulk(1<<16))
		require.NoError(t, err, "the scope was granted")
		require.Len(t, h.Orders, 1)

		p = &play{t: t, scopes: []string{"read_products"}, outcomes: []outcome{{status: "COMPLETED"}}}
		_, err = p.drain(orders, bulk(1<<16))
		require.Equal(t, "read_orders", permissionOf(err))
		require.Empty(t, p.started, "what is not granted is not asked for")
	})
}

// TestHalvingStopsAndGoesOnLater gives a window up for this run, and tries it again in the next.
func TestHalvingStopsAndGoesOnLater(t *testing.T) {
	inBubble(t, func(t *testing.T) {
		p := &play{t: t, outcomes: []outcome{{status: "FAILED", code: "TIMEOUT"}}}
		from := orders
		var err error
		for err == nil {
			var page connectors.Page
			if page, err = p.open(bulk(1<<16)).Pull(t.Context(), from.resource, connectors.Increment, from.cursor); err == nil {
				from.cursor = page.Next
			}
		}
		stopped := len(p.started)
		require.Less(t, stopped, 30)
		time.Sleep(24 * time.Hour)
		p.outcomes = append(slices.Repeat(p.outcomes, stopped), fileOf())
		p.outcomes[len(p.outcomes)-1].file = nil
		h, err := p.drain(from, bulk(1<<16))
		require.NoError(t, err)
		require.True(t, h.settled)
		spans := windowsOf(t, p.started[stopped:])
		require.Empty(t, spans[0][0])
		for i := range spans[1:] {
			require.Equal(t, spans[i][1], spans[i+1][0], "the windows join")
		}
		require.Empty(t, spans[len(spans)-1][1])
	})
}

// TestUnreadableLines are set aside by name and take nothing with them.
func TestUnreadableLines(t *testing.T) {
	inBubble(t, func(t *testing.T) {
		p := &play{t: t, outcomes: []outcome{fileOf(
			orderLine(1, ""), itemLine(1, 1, `,"taxLines":"much"`),
			strings.Replace(oneLine(orderLine(2, "")), `"amount":"10.0","currencyCode"`, `"amount":"ten","currencyCode"`, 1), itemLine(2, 2, ""),
			`{"__typename":"Order","id":"gid://shopify/Order/3","name":["Ada Lovelace"]}`,
			orderLine(4, ""), itemLine(4, 4, ""), `{"broken`,
		)}}
		h, err := p.drain(orders, bulk(1<<16))
		require.NoError(t, err)
		require.Equal(t, []string{"1", "4"}, idsOf(h.Orders))
		require.Len(t, h.Lines, 1, "a line of an order that is set aside stays out")
		reasons := map[string]string{}
		for _, r := range h.rejected {
			require.NotEmpty(t, r.Raw)
			require.NotContains(t, r.Reason, "Lovelace")
			reasons[r.ID] = r.Reason
		}
		require.Len(t, h.rejected, 4, "nothing goes without a word")
		require.Equal(t, "line: field taxLines cannot be read", reasons["1"])
		require.Equal(t, "field totalPriceSet is no amount", reasons["2"])
		require.Equal(t, "field name cannot be read", reasons["3"])
	})
}

// TestMixedTaxes tells for a line far behind its order whether its price contains the tax.
func TestMixedTaxes(t *testing.T) {
	taxed := func(id, order int, tax string) string {
		return itemLine(id, order, `,"taxLines":[{"rate":0.25,"priceSet":{"shopMoney":{"amount":"`+tax+`"}}}]`)
	}
	inBubble(t, func(t *testing.T) {
		for name, lines := range map[string][]string{
			"mixed":    {orderLine(1, `,"taxesIncluded":true`), orderLine(2, `,"taxesIncluded":false`), orderLine(3, ""), taxed(1, 1, "2.0"), taxed(2, 2, "2.5")},
			"included": {orderLine(1, `,"taxesIncluded":true`), orderLine(2, `,"taxesIncluded":true`), taxed(1, 1, "2.0")},
			"apart":    {orderLine(2, `,"taxesIncluded":false`), orderLine(3, ""), taxed(2, 2, "2.5")},
		} {
			p := &play{t: t, outcomes: []outcome{fileOf(lines...)}}
			for _, chunk := range []int64{400, 1 << 16} {
				h, err := p.drain(orders, bulk(chunk))
				require.NoError(t, err)
				for _, l := range h.Lines {
					want := map[string]string{"1": "8", "2": "10"}[l.OrderID]
					require.Equal(t, want, l.Total.String(), "%s in chunks of %d", name, chunk)
					require.Equal(t, want, l.Subtotal.String())
				}
			}
		}
	})
}

// TestSmallerPages asks for fewer records where a page costs too much or is too heavy, and later for more again.
func TestSmallerPages(t *testing.T) {
	for name, answer := range map[string]string{
		"cost":  `{"errors":[{"message":"Query cost is 2000","extensions":{"code":"MAX_COST_EXCEEDED","cost":2000,"maxCost":1000}}]}`,
		"heavy": `{"errors":[{"message":"Internal error","extensions":{"code":"INTERNAL_SERVER_ERROR"}}]}`,
	} {
		t.Run(name, func(t *testing.T) {
			inBubble(t, func(t *testing.T) {
				p := &play{t: t, count: 100}
				var sizes []float64
				p.pages = map[string]func(map[string]any) string{"OrdersPage": func(v map[string]any) string {
					size := v["first"].(float64)
					sizes = append(sizes, size)
					if size > 70 {
						return answer
					}
					next := ""
					if len(sizes) < 30 {
						next = fmt.Sprint(len(sizes))
					}
					return `{"orders":` + listOf([]string{orderLine(len(sizes), "")}, next) + `}`
				}}
				h, err := p.drain(orders, nil)
				require.NoError(t, err)
				require.NotEmpty(t, h.Orders)
				require.Contains(t, sizes, 62.0)
				require.Contains(t, sizes[10:], 124.0, "after a while more is tried again")
			})
		})
	}
}

// TestFieldsWithoutScope are not asked for, in pages and in bulk operations.
func TestFieldsWithoutScope(t *testing.T) {
	inBubble(t, func(t *testing.T) {
		p := &play{t: t, scopes: []string{"read_orders"}, outcomes: []outcome{{status: "COMPLETED"}}, pages: map[string]func(map[string]any) string{
			"OrdersPage": func(map[string]any) string { return `{"orders":` + listOf(nil, "") + `}` },
		}}
		_, err := p.drain(orders, nil)
		require.NoError(t, err)
		_, err = p.drain(orders, bulk(1<<16))
		require.NoError(t, err)
		for _, text := range []string{p.questions("OrdersPage")[0].text, p.started[0]} {
			require.NotContains(t, text, "customer {")
			require.NotContains(t, text, "variant")
			require.Contains(t, text, "customerJourneySummary")
		}
	})
}

// TestJourneyNotBuiltYet has an order read again as long as the shop is still finding out how the buyer came.
func TestJourneyNotBuiltYet(t *testing.T) {
	inBubble(t, func(t *testing.T) {
		order := func(id int, changed time.Time, ready bool) string {
			return strings.Replace(orderLine(id, fmt.Sprintf(`,"customerJourneySummary":{"ready":%t}`, ready)), "2026-01-03T03:04:05Z", changed.Format(time.RFC3339), 1)
		}
		now := time.Now().UTC()
		recent, older, old := now.Add(-time.Hour), now.Add(-2*time.Hour), now.Add(-30*24*time.Hour)
		for name, change := range map[string]func(*settings){"paged": nil, "bulk": bulk(300)} {
			for _, ready := range []bool{true, false} {
				lines := []string{order(1, recent, ready), order(2, older, ready), order(3, old, false), order(4, now, ready)}
				p := &play{t: t, outcomes: []outcome{fileOf(slices.Clone(lines)...)}, pages: map[string]func(map[string]any) string{
					"OrdersPage": func(map[string]any) string { return `{"orders":` + listOf(lines, "") + `}` },
				}}
				began := time.Now()
				h, err := p.drain(atCursor(position{Since: old}), change)
				require.NoError(t, err)
				next, err := parseCursor(h.end)
				require.NoError(t, err)
				want := began.Add(-lag)
				if !ready {
					want = older
				}
				require.WithinDuration(t, want, next.Since, 2*time.Second, "%s %t: one of last month is not waited for", name, ready)
			}
		}
	})
}
