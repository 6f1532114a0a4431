package shopify

import (
	"fmt"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/perennial-cvo/perennial/connectors"
	"github.com/perennial-cvo/perennial/connectors/commerce"
)

// behind is a shop whose clock is behind ours.
func (p *play) behind(by time.Duration) func(heard) told {
	return func(h heard) told {
		a := p.answer(h)
		a.header = map[string]string{"Date": time.Now().Add(-by).UTC().Format(http.TimeFormat)}
		return a
	}
}

// TestOurClockIsAhead misses nothing that changes after the pull: the shop stamps it with its own time.
func TestOurClockIsAhead(t *testing.T) {
	inBubble(t, func(t *testing.T) {
		for by, want := range map[time.Duration]time.Duration{3 * time.Hour: 3 * time.Hour, -3 * time.Hour: 0} {
			p := &play{t: t, pages: map[string]func(map[string]any) string{
				"OrdersPage": func(map[string]any) string { return `{"orders":` + listOf([]string{orderLine(1, "")}, "") + `}` },
			}}
			a, _ := wired(t, legacy(), p.behind(by))
			page, err := newSource(a).Pull(t.Context(), commerce.Orders, connectors.Increment, "")
			require.NoError(t, err)
			next, err := parseCursor(page.Next)
			require.NoError(t, err)
			require.WithinDuration(t, time.Now().Add(-want-lag), next.Since, 2*time.Second, "behind by %s", by)
		}
	})
}

// became is what became of an operation, with the address of its file.
func became(status string, ended time.Time) string {
	return fmt.Sprintf(`{"bulkOperation":{"id":"gid://shopify/BulkOperation/1","status":"%s","createdAt":"%[2]s","completedAt":"%[2]s",
		"objectCount":"1","rootObjectCount":"1","fileSize":"9","url":"https://storage.example/_files/1?sign=x"}}`, status, ended.UTC().Format(time.RFC3339))
}

// TestAddressThatStaysRefused tries a fresh address first, bears with the place of the file for a while, and then makes
// the file anew in place of failing night after night.
func TestAddressThatStaysRefused(t *testing.T) {
	inBubble(t, func(t *testing.T) {
		ended := time.Now()
		at := position{Phase: reading, Op: "gid://shopify/BulkOperation/1", Began: ended, Asked: ended}
		p := &play{t: t, outcomes: []outcome{fileOf(orderLine(1, ""))}}
		asked := 0
		p.pages = map[string]func(map[string]any) string{"PerennialBulkOperation": func(v map[string]any) string {
			asked++
			if v["id"] != at.Op {
				return `{"bulkOperation":` + p.operation("gid://shopify/BulkOperation/1") + `}`
			}
			return became("COMPLETED", ended)
		}}
		refuse := func(h heard) told {
			if strings.Contains(h.url, "/_files/1") {
				return told{status: 403, kind: "application/xml", body: "<Code>ExpiredToken</Code>"}
			}
			return p.answer(h)
		}
		a, _ := wired(t, legacy(), refuse)
		s := newSource(a)
		_, err := s.Pull(t.Context(), commerce.Orders, connectors.Increment, at.cursor())
		require.ErrorIs(t, err, errExpired)
		require.Empty(t, s.done.ID)

		s.done = operation{ID: at.Op, Status: "COMPLETED", URL: "https://storage.example/_files/1?sign=old", Objects: 1, Roots: 1}
		asked = 0
		_, err = s.Pull(t.Context(), commerce.Orders, connectors.Increment, at.cursor())
		require.ErrorIs(t, err, errExpired)
		require.Equal(t, 1, asked, "a fresh address was asked for at once")

		time.Sleep(2 * time.Hour)
		page, err := s.Pull(t.Context(), commerce.Orders, connectors.Increment, at.cursor())
		require.NoError(t, err)
		next, err := parseCursor(page.Next)
		require.NoError(t, err)
		require.Equal(t, starting, next.Phase)
	})
}

// TestStateOfTomorrow waits for an operation that is in a state which nobody knows yet, and not for ever.
func TestStateOfTomorrow(t *testing.T) {
	inBubble(t, func(t *testing.T) {
		at := position{Phase: reading, Op: "gid://shopify/BulkOperation/1", Began: time.Now(), Asked: time.Now()}
		p := &play{t: t, outcomes: []outcome{fileOf(orderLine(1, ""))}}
		p.pages = map[string]func(map[string]any) string{"PerennialBulkOperation": func(map[string]any) string { return became("QUEUED", time.Now()) }}
		page, err := p.open(bulk(1<<16)).Pull(t.Context(), commerce.Orders, connectors.Increment, at.cursor())
		require.NoError(t, err)
		require.Equal(t, at.cursor(), page.Next)
		require.False(t, page.NotBefore.IsZero())

		time.Sleep(longestRun + time.Hour)
		page, err = p.open(bulk(1<<16)).Pull(t.Context(), commerce.Orders, connectors.Increment, at.cursor())
		require.NoError(t, err)
		next, err := parseCursor(page.Next)
		require.NoError(t, err)
		require.Equal(t, starting, next.Phase)
		require.Zero(t, next.Window)
	})
}

func TestByteOrderMarkIsNoPartOfALine(t *testing.T) {
	inBubble(t, func(t *testing.T) {
		for _, chunk := range []int64{64, 1 << 16} {
			p := &play{t: t, outcomes: []outcome{fileOf("\ufeff"+oneLine(orderLine(1, "")), itemLine(1, 1, ""))}}
			h, err := p.drain(orders, bulk(chunk))
			require.NoError(t, err)
			require.Empty(t, h.rejected)
			require.Equal(t, []string{"1"}, idsOf(h.Orders))
			require.Len(t, p.started, 1)
		}
	})
}

// TestSearchesThatFailHoldUpNothing end a pull whose deletions and costs the shop cannot tell: the sweep finds them.
func TestSearchesThatFailHoldUpNothing(t *testing.T) {
	for name, answer := range map[string]string{
		"always broken": `{"errors":[{"message":"Internal error","extensions":{"code":"INTERNAL_SERVER_ERROR"}}]}`,
		"gone":          `{"errors":[{"message":"Field doesn't exist on type 'QueryRoot'","extensions":{"code":"undefinedField"}}]}`,
	} {
		t.Run(name, func(t *testing.T) {
			inBubble(t, func(t *testing.T) {
				fails := func(map[string]any) string { return answer }
				p := &play{t: t, pages: map[string]func(map[string]any) string{
					"ProductsPage": func(map[string]any) string { return `{"products":` + listOf(nil, "") + `}` },
					"Deletions":    fails, "InventoryCosts": fails,
				}}
				since := position{Since: time.Now().Add(-time.Hour)}
				h, err := p.drain(at{resource: commerce.Products, cursor: since.cursor()}, nil)
				require.NoError(t, err)
				require.Len(t, h.warnings, 2)
				next, err := parseCursor(h.end)
				require.NoError(t, err)
				require.True(t, next.Since.After(since.Since), "the next pull does not begin with it again")
			})
		})
	}
}

// TestDutiesInThePrices are fees and no revenue, as where they are told apart.
func TestDutiesInThePrices(t *testing.T) {
	inBubble(t, func(t *testing.T) {
		money := func(field, amount string) string {
			return `,"` + field + `":{"shopMoney":{"amount":"` + amount + `","currencyCode":"EUR"}}`
		}
		duties := money("originalTotalDutiesSet", "3.0")
		for included, subtotal := range map[string]string{"true": "10.0", "false": "7.0"} {
			line := orderLine(1, `,"dutiesIncluded":`+included+money("subtotalPriceSet", subtotal)+duties)
			var n orderNode
			require.NoError(t, decode([]byte(line), &n))
			o, err := orderOf(&n)
			require.NoError(t, err)
			require.Equal(t, "7", o.Net().String(), included)
			require.Equal(t, "3", o.Fees.String(), included)
		}
	})
}

// TestSweepOfAnOldFile lets no file undo what increments have stored since it was made: the rest of an interrupted sweep is
// read after them.
func TestSweepOfAnOldFile(t *testing.T) {
	inBubble(t, func(t *testing.T) {
		made := time.Now()
		at := position{Phase: reading, Op: "gid://shopify/BulkOperation/1", Began: made, Asked: made}
		changed := strings.Replace(orderLine(2, ""), "PAID", "REFUNDED", 1)
		filters := map[string]string{}
		time.Sleep(6 * time.Hour)
		for way, from := range map[string]int{"paged": 1000, "bulk": 0} {
			p := &play{t: t, outcomes: []outcome{fileOf(orderLine(1, ""), orderLine(2, ""), orderLine(3, "")), fileOf(changed)}}
			p.started = []string{"the first one"}
			p.pages = map[string]func(map[string]any) string{
				"OrdersPage": func(v map[string]any) string {
					filters[way] = fmt.Sprint(v["query"])
					return `{"orders":` + listOf([]string{changed}, "") + `}`
				},
				"Deletions": func(v map[string]any) string {
					filters["events"] = fmt.Sprint(v["query"])
					return `{"events":` + listOf([]string{`{"id":"gid://shopify/BasicEvent/1","action":"destroy","subjectId":"gid://shopify/Order/3","subjectType":"ORDER"}`}, "") + `}`
				},
			}
			begin := atCursor(at)
			begin.mode = connectors.Sweep
			h, err := p.drain(begin, func(s *settings) { s.BulkFrom, s.BulkChunk = from, 1<<16 })
			require.NoError(t, err)
			require.Equal(t, []string{"1", "2", "3", "2"}, idsOf(h.Orders), way)
			require.Equal(t, "refunded", h.Orders[3].Status)
			require.Equal(t, []string{"3"}, h.deleted)
			require.Empty(t, h.end)
			require.Contains(t, filters["events"], stamp(made.Add(-lag)))
			if way == "bulk" {
				require.Len(t, p.started, 2)
				filters[way] = p.started[1]
			}
			require.Contains(t, filters[way], "updated_at:>="+stamp(made.Add(-lag)))
		}
	})
}

// TestCursorThatIsNotKnownAnyMore begins the part anew in place of failing in every run.
func TestCursorThatIsNotKnownAnyMore(t *testing.T) {
	inBubble(t, func(t *testing.T) {
		p := &play{t: t, pages: map[string]func(map[string]any) string{"OrdersPage": func(v map[string]any) string {
			if v["after"] == "of last year" {
				return `{"errors":[{"message":"Invalid cursor for current pagination sort."}]}`
			}
			return `{"orders":` + listOf([]string{orderLine(1, "")}, "") + `}`
		}}}
		h, err := p.drain(atCursor(position{Phase: paging, After: "of last year", Began: time.Now()}), nil)
		require.NoError(t, err)
		require.Equal(t, []string{"1"}, idsOf(h.Orders))
		require.Len(t, p.questions("OrdersPage"), 2)
	})
}

// TestNothingIsNotEmpty takes null in the place of a list or of the scopes for trouble, and not for an empty shop.
func TestNothingIsNotEmpty(t *testing.T) {
	for name, answer := range map[string]string{"OrdersPage": `{"orders":null}`, "AccessScopes": `{"currentAppInstallation":null}`} {
		inBubble(t, func(t *testing.T) {
			p := &play{t: t, pages: map[string]func(map[string]any) string{name: func(map[string]any) string { return answer }}}
			h, err := p.drain(orders, nil)
			require.Equal(t, connectors.KindRetry, connectors.KindOf(err), name)
			require.NotEmpty(t, connectors.Remedy(err))
			require.Empty(t, h.end)
		})
	}
}

// TestPaymentWithoutATime takes nothing from one that has it, wherever it stands.
func TestPaymentWithoutATime(t *testing.T) {
	const known, unknown = `{"kind":"SALE","status":"SUCCESS","processedAt":"2026-01-02T04:00:00Z"}`, `{"kind":"SALE","status":"SUCCESS","processedAt":null}`
	for _, payments := range []string{known + "," + unknown, unknown + "," + known} {
		var n orderNode
		require.NoError(t, decode([]byte(orderLine(1, `,"transactions":[`+payments+`]`)), &n))
		o, err := orderOf(&n)
		require.NoError(t, err)
		require.Equal(t, time.Date(2026, 1, 2, 4, 0, 0, 0, time.UTC), o.PaidAt)
	}
}
