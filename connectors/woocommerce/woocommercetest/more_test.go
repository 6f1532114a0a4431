package woocommercetest_test

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/perennial-cvo/perennial/connectors/simulator"
	"github.com/perennial-cvo/perennial/connectors/woocommerce/woocommercetest"
)

// TestBatchHasTheRecordedShape asks for what was asked when the partial error was recorded.
func TestBatchHasTheRecordedShape(t *testing.T) {
	c := start(t, simulator.Options{Customers: 30}, woocommercetest.Options{})
	email := c.server.Shop().Customer(7).Email
	_, body := c.do("POST", "/wp-json/wc/v3/customers/batch", fmt.Sprintf(`{"create":[{"email":"no"},{"email":%q}],"update":[
		{"id":7,"meta_data":[{"key":"perennial_segment","value":"champions"}]},{"id":99999999},{"id":6,"email":"no"},{"id":5,"first_name":"OK"}],"delete":[88888888]}`, email))
	requireSameShape(t, shapeOf(t, recorded(t, "customers_batch_partial_error.json")), shapeOf(t, body))
	var got, want map[string][]struct {
		Error struct{ Code, Message string }
	}
	require.NoError(t, json.Unmarshal(body, &got))
	require.NoError(t, json.Unmarshal(recorded(t, "customers_batch_partial_error.json"), &want))
	for part, items := range want {
		require.Len(t, got[part], len(items))
		for i, item := range items {
			require.Equal(t, item.Error.Code, got[part][i].Error.Code)
			if !strings.Contains(item.Error.Message, "@") {
				require.Equal(t, item.Error.Message, got[part][i].Error.Message)
			}
		}
	}
}

func TestStatusOfAPluginThatIsGone(t *testing.T) {
	c := start(t, simulator.Options{Customers: -1}, woocommercetest.Options{Statuses: []string{"packing"}})
	shop := c.server.Shop()
	packing := shop.PlaceOrder(simulator.OrderDraft{Status: "packing"})
	orphan := shop.PlaceOrder(simulator.OrderDraft{Status: "forgotten"})
	require.Equal(t, []int64{packing}, c.ids("/orders?status=any"))
	require.Equal(t, []int64{packing}, c.ids("/orders?status=packing,trash"))
	c.refused("GET", "/orders?status=forgotten", "", 400, "rest_invalid_param")
	resp, _ := c.get(fmt.Sprintf("/orders/%d", orphan))
	require.Equal(t, 200, resp.StatusCode)
	_, body := c.get("/orders/statuses")
	require.Contains(t, string(body), `"slug":"packing"`)
}

func TestDeletedProductAndAccount(t *testing.T) {
	c := start(t, simulator.Options{Customers: -1}, woocommercetest.Options{})
	shop := c.server.Shop()
	account := shop.RegisterGuest("a@mail.example", true)
	id := shop.PlaceOrder(simulator.OrderDraft{CustomerID: account, Email: "a@mail.example"})
	shop.ForceDeleteProduct(shop.Order(id).Lines[0].ProductID)
	_, body := c.get(fmt.Sprintf("/orders/%d", id))
	require.Contains(t, string(body), `"product_id":0`)
	require.Contains(t, string(body), `"sku":null`)
	resp, _ := c.do("DELETE", fmt.Sprintf("/wp-json/wc/v3/customers/%d?force=true", account), "")
	require.Equal(t, 200, resp.StatusCode)
	_, body = c.get(fmt.Sprintf("/orders/%d", id))
	require.Contains(t, string(body), `"customer_id":0`)
	c.refused("GET", fmt.Sprintf("/customers/%d", account), "", 404, "wc_user_invalid_id")
}

func TestEscapingIsThatOfPHP(t *testing.T) {
	c := start(t, simulator.Options{Customers: -1}, woocommercetest.Options{})
	id := c.server.Shop().PlaceOrder(simulator.OrderDraft{Email: "a@mail.example", Billing: simulator.Address{FirstName: "Zoë ☕ 🦊 \"q\" \\ /\n\x01", LastName: "田中"}})
	_, body := c.get(fmt.Sprintf("/orders/%d", id))
	require.Contains(t, string(body), `Zo\u00eb \u2615 \ud83e\udd8a \"q\" \\ \/\n\u0001`)
	var order struct {
		Billing struct {
			FirstName string `json:"first_name"`
		}
	}
	require.NoError(t, json.Unmarshal(body, &order))
	require.Equal(t, "Zoë ☕ 🦊 \"q\" \\ /\n\x01", order.Billing.FirstName)
}

func TestMoneyOfOtherCurrencies(t *testing.T) {
	for currency, total := range map[string]string{"JPY": `"total":"1500"`, "KWD": `"total":"1.500"`, "USD": `"total":"15.00"`} {
		c := start(t, simulator.Options{Customers: -1, Currency: currency}, woocommercetest.Options{})
		id := c.server.Shop().PlaceOrder(simulator.OrderDraft{Lines: []simulator.DraftLine{{Price: 1500}}})
		_, body := c.get(fmt.Sprintf("/orders/%d", id))
		require.Contains(t, string(body), total)
	}
	c := start(t, simulator.Options{Customers: -1}, woocommercetest.Options{})
	id := c.server.Shop().PlaceOrder(simulator.OrderDraft{Lines: []simulator.DraftLine{{Price: 1555}}})
	_, body := c.get(fmt.Sprintf("/orders/%d?dp=4", id))
	require.Contains(t, string(body), `"total":"15.5500"`)
	_, body = c.get(fmt.Sprintf("/orders/%d?dp=1", id))
	require.Contains(t, string(body), `"total":"15.6"`)
}

// TestFaultsOfTheWire are those that take time or a raw connection.
func TestFaultsOfTheWire(t *testing.T) {
	c := start(t, simulator.Options{Customers: 30}, woocommercetest.Options{})
	const path = "/wp-json/wc/v3/orders"
	_, right := c.do("GET", path, "")
	for _, kind := range []woocommercetest.FaultKind{woocommercetest.Slow, woocommercetest.Drip} {
		c.server.Fault(woocommercetest.Fault{Kind: kind, Delay: 32 * time.Millisecond})
		begun := time.Now()
		body, err := c.raw("GET", path, "")
		require.NoError(t, err)
		require.Equal(t, string(right), string(body))
		require.GreaterOrEqual(t, time.Since(begun), 30*time.Millisecond)
	}
	for _, kind := range []woocommercetest.FaultKind{woocommercetest.Hang, woocommercetest.Stall} {
		c.server.Fault(woocommercetest.Fault{Kind: kind})
		ctx, cancel := context.WithTimeout(t.Context(), 50*time.Millisecond)
		req, err := http.NewRequestWithContext(ctx, http.MethodGet, c.server.Home()+path, nil)
		require.NoError(t, err)
		req.SetBasicAuth(c.key.ConsumerKey, c.key.ConsumerSecret)
		resp, err := c.http.Client().Do(req)
		if err == nil {
			_, err = io.ReadAll(resp.Body)
			require.NoError(t, resp.Body.Close())
		}
		require.ErrorIs(t, err, context.DeadlineExceeded)
		cancel()
	}
	c.server.Fault(woocommercetest.Fault{Kind: woocommercetest.GzipBomb})
	resp, err := c.http.Client().Get(c.server.Home() + path) //nolint:noctx // a test
	require.NoError(t, err)
	n, err := io.Copy(io.Discard, io.LimitReader(resp.Body, 64<<20))
	require.NoError(t, err)
	require.EqualValues(t, 64<<20, n)
	require.NoError(t, resp.Body.Close())

	c.server.Fault(woocommercetest.Fault{Kind: woocommercetest.Redirect})
	resp, _ = c.do("GET", path, "")
	require.Equal(t, 301, resp.StatusCode)
	require.Contains(t, resp.Header.Get("Location"), "elsewhere.example")
	c.server.Fault(woocommercetest.Fault{Kind: woocommercetest.Dropped, Writes: true})
	_, err = c.raw("PUT", "/wp-json/wc/v3/customers/4", `{"first_name":"Dropped"}`)
	require.Error(t, err)
	require.NotEqual(t, "Dropped", c.server.Shop().Customer(4).FirstName)
	c.server.Fault(woocommercetest.Fault{Kind: woocommercetest.Maintenance, Times: woocommercetest.Forever})
	resp, _ = c.do("GET", path, "")
	require.Equal(t, "600", resp.Header.Get("Retry-After"))
	c.server.Mend()
	resp, _ = c.do("GET", path, "")
	require.Equal(t, 200, resp.StatusCode)
}

func TestControl(t *testing.T) {
	server := woocommercetest.New(simulator.New(simulator.Options{Customers: 10}), woocommercetest.Options{})
	control := httptest.NewServer(server.Control())
	t.Cleanup(control.Close)
	post := func(path string) int {
		resp, err := http.Post(control.URL+path, "", nil) //nolint:noctx // a test
		require.NoError(t, err)
		require.NoError(t, resp.Body.Close())
		return resp.StatusCode
	}
	for _, kind := range woocommercetest.FaultKinds() {
		require.Equal(t, 200, post("/fault?times=2&kind="+string(kind)))
	}
	require.Equal(t, 2*len(woocommercetest.FaultKinds()), server.FaultsLeft())
	require.Equal(t, 200, post("/mend"))
	require.Zero(t, server.FaultsLeft())
	require.Equal(t, 400, post("/fault?kind=mood"))
	require.Equal(t, 400, post("/fault?kind=slow&delay=mood"))
	require.Equal(t, 200, post("/quirk?per_page=7"))
	require.Equal(t, 200, post("/revoke?key="+woocommercetest.MainKey.ConsumerKey))
}

// TestNothingIsLostInAnyWalk reads every order by every order of rows on a new shop.
func TestNothingIsLostInAnyWalk(t *testing.T) {
	c := start(t, simulator.Options{Customers: 60}, woocommercetest.Options{})
	for _, by := range []string{"date", "id", "modified", "title", "slug"} {
		for _, order := range []string{"asc", "desc"} {
			seen := map[int64]int{}
			for page := 1; ; page++ {
				rows := c.ids(fmt.Sprintf("/orders?%s&orderby=%s&order=%s&per_page=23&page=%d", everyStatus, by, order, page))
				for _, id := range rows {
					seen[id]++
				}
				if len(rows) < 23 {
					break
				}
			}
			require.Len(t, seen, len(c.server.Shop().Orders()), by)
			for id, times := range seen {
				require.Equal(t, 1, times, id)
			}
		}
	}
}
