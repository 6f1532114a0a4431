package woocommercetest_test

import (
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/perennial-cvo/perennial/connectors/simulator"
	"github.com/perennial-cvo/perennial/connectors/woocommerce/woocommercetest"
)

// ids asks for a list and returns the ids in it.
func (c *client) ids(path string) []int64 {
	c.t.Helper()
	resp, body := c.get(path)
	require.Equal(c.t, 200, resp.StatusCode, string(body))
	var rows []struct{ ID int64 }
	require.NoError(c.t, json.Unmarshal(body, &rows), string(body))
	all := make([]int64, len(rows))
	for i, row := range rows {
		all[i] = row.ID
	}
	return all
}

func (c *client) refused(method, path, body string, status int, code string) {
	c.t.Helper()
	resp, answer := c.do(method, "/wp-json/wc/v3"+path, body)
	require.Equal(c.t, status, resp.StatusCode, string(answer))
	var refusal struct{ Code string }
	require.NoError(c.t, json.Unmarshal(answer, &refusal), string(answer))
	require.Equal(c.t, code, refusal.Code)
}

func TestStatusLists(t *testing.T) {
	c := start(t, simulator.Options{Customers: 200}, woocommercetest.Options{})
	counts := map[string]int{}
	for _, o := range c.server.Shop().Orders() {
		counts[o.Status]++
	}
	total := func(path string) string {
		resp, _ := c.get(path)
		return resp.Header.Get("X-WP-Total")
	}
	all := len(c.server.Shop().Orders())
	visible := fmt.Sprint(all - counts[simulator.Trash] - counts[simulator.Draft])
	require.Equal(t, visible, total("/orders"))
	require.Equal(t, visible, total("/orders?status=any,trash"))
	require.Equal(t, fmt.Sprint(counts[simulator.Trash]), total("/orders?status=trash"))
	require.Equal(t, fmt.Sprint(all), total("/orders?"+everyStatus))
	c.refused("GET", "/orders?status=completed,nonsense", "", 400, "rest_invalid_param")
}

func TestPastTheEnd(t *testing.T) {
	for _, tt := range []struct {
		legacy bool
		path   string
		zero   bool
	}{{false, "/orders", true}, {true, "/orders", false}, {false, "/refunds", true}, {false, "/customers", false}, {false, "/products", false}, {false, "/products/reviews", false}} {
		c := start(t, simulator.Options{Customers: 100}, woocommercetest.Options{Legacy: tt.legacy})
		resp, body := c.get(tt.path + "?page=500&per_page=100")
		require.Equal(t, "[]", string(body))
		require.Equal(t, tt.zero, resp.Header.Get("X-WP-Total") == "0", tt.path)
		require.Equal(t, tt.zero, strings.Contains(resp.Header.Get("Link"), `page=0>; rel="prev"`), tt.path)
	}
}

// TestDateForms is the table of forms in which a moment can be sent.
func TestDateForms(t *testing.T) {
	for _, zone := range []string{"America/New_York", "Europe/Berlin", "Asia/Kolkata", "UTC", "+05:30"} {
		c := start(t, simulator.Options{Customers: -1, TimeZone: zone}, woocommercetest.Options{})
		id := c.server.Shop().PlaceOrder(simulator.OrderDraft{Email: "a@mail.example"})
		at := c.server.Shop().Order(id).ModifiedAt
		finds := func(query func(time.Time) string) bool {
			return len(c.ids("/orders?modified_after="+query(at.Add(-time.Second))+"&modified_before="+strings.ReplaceAll(query(at.Add(time.Second)), "dates_are_gmt", "x"))) == 1
		}
		const naive = "2006-01-02T15:04:05"
		require.True(t, finds(func(t time.Time) string { return t.Format(naive) + "&dates_are_gmt=true" }), zone)
		require.True(t, finds(func(t time.Time) string { return t.Format(naive) + "Z" }), zone)
		require.Equal(t, zone == "UTC", finds(func(t time.Time) string { return t.Format(naive) + "Z&dates_are_gmt=true" }), zone)
		require.Equal(t, zone == "UTC", finds(func(t time.Time) string { return t.Format(naive) }), zone)
		// Bounds are exclusive, fractions are cut.
		require.Empty(t, c.ids("/orders?dates_are_gmt=true&modified_after="+at.Format(naive)))
		require.Empty(t, c.ids("/orders?dates_are_gmt=true&modified_after="+at.Format(naive)+".9"))
		require.Empty(t, c.ids("/orders?dates_are_gmt=true&modified_before="+at.Format(naive)))
		c.refused("GET", "/orders?modified_after=2026-11-22", "", 400, "rest_invalid_param")
	}
}

func TestCustomersAndReviewsIgnoreWhatTheyDoNotKnow(t *testing.T) {
	c := start(t, simulator.Options{Customers: 100}, woocommercetest.Options{})
	all := c.ids("/customers?role=all&per_page=100&orderby=id")
	require.Equal(t, all, c.ids("/customers?role=all&per_page=100&orderby=id&modified_after=2999-01-01T00:00:00&after=rubbish"))
	reviews := c.ids("/products/reviews?status=all&per_page=100")
	require.NotEmpty(t, reviews)
	require.Equal(t, reviews, c.ids("/products/reviews?status=all&per_page=100&modified_after=2999-01-01T00:00:00"))
	require.Empty(t, c.ids("/products/reviews?status=nonsense"))
	require.NotContains(t, c.ids("/customers?per_page=100"), int64(1), "the administrator is no customer")
}

// TestTiesWithoutTieBreak walks orders of one second on an old shop and a new one.
func TestTiesWithoutTieBreak(t *testing.T) {
	for version, complete := range map[string]bool{"8.9.3": false, "10.3.0": false, "10.4.0": true, "11.0.1": true} {
		c := start(t, simulator.Options{Customers: 100}, woocommercetest.Options{Version: version})
		var ids []int64
		for _, o := range c.server.Shop().Orders() {
			ids = append(ids, o.ID)
		}
		c.server.Shop().TouchOrders(ids...)
		distinct := func(by string) int {
			seen := map[int64]bool{}
			for page := 1; ; page++ {
				rows := c.ids(fmt.Sprintf("/orders?%s&orderby=%s&order=asc&per_page=17&page=%d", everyStatus, by, page))
				for _, id := range rows {
					seen[id] = true
				}
				if len(rows) == 0 {
					return len(seen)
				}
			}
		}
		require.Len(t, ids, distinct("id"), version)
		require.Equal(t, complete, distinct("modified") == len(ids), version)
	}
}

func TestOffsetAndInclude(t *testing.T) {
	c := start(t, simulator.Options{Customers: 50}, woocommercetest.Options{})
	all := c.ids("/orders?orderby=id&order=asc&per_page=100")
	require.True(t, slices.IsSorted(all))
	require.Equal(t, all[7:12], c.ids("/orders?orderby=id&order=asc&per_page=5&offset=7&page=3"), "offset wins over page")
	require.ElementsMatch(t, all[2:4], c.ids(fmt.Sprintf("/orders?include=%d,%d", all[2], all[3])))
	require.Equal(t, []int64{all[3], all[2]}, c.ids(fmt.Sprintf("/orders?orderby=include&order=asc&include[]=%d&include[]=%d", all[3], all[2])))
	for _, bad := range []string{"per_page=0", "per_page=101", "page=0", "per_page=x", "orderby=total", "order=up", "dates_are_gmt=perhaps"} {
		c.refused("GET", "/orders?"+bad, "", 400, "rest_invalid_param")
	}
	require.Len(t, c.ids("/orders?no_such_filter=1"), 10)
}

func TestFields(t *testing.T) {
	c := start(t, simulator.Options{Customers: 30}, woocommercetest.Options{})
	_, body := c.get("/orders?per_page=1&_fields=id,billing.email,line_items.product_id,refunds.id")
	var rows []map[string]any
	require.NoError(t, json.Unmarshal(body, &rows))
	require.Len(t, rows[0], 2, "a dotted field of a list drops the list")
	require.Len(t, rows[0]["billing"], 1)
	id := int64(rows[0]["id"].(float64))
	_, body = c.get(fmt.Sprintf("/orders/%d?_fields=id", id))
	var one map[string]any
	require.NoError(t, json.Unmarshal(body, &one))
	require.Contains(t, one, "_links")
	require.Len(t, one, 2)
}

// TestWhatBumpsAnOrder is the table of changes and whether they move date_modified_gmt.
func TestWhatBumpsAnOrder(t *testing.T) {
	for name, tt := range map[string]struct {
		legacy bool
		bumps  bool
		change func(*client, *simulator.Shop, int64)
	}{
		"empty put": {false, true, func(c *client, _ *simulator.Shop, id int64) {
			c.do("PUT", fmt.Sprintf("/wp-json/wc/v3/orders/%d", id), "{}")
		}},
		"empty put on legacy": {true, false, func(c *client, _ *simulator.Shop, id int64) {
			c.do("PUT", fmt.Sprintf("/wp-json/wc/v3/orders/%d", id), "{}")
		}},
		"status":     {false, true, func(_ *client, s *simulator.Shop, id int64) { s.SetStatus(id, simulator.Completed) }},
		"refund":     {false, true, func(_ *client, s *simulator.Shop, id int64) { s.RefundAmount(id, 100) }},
		"line alone": {false, false, func(_ *client, s *simulator.Shop, id int64) { s.EditLineSilently(id, 3) }},
		"trash": {false, true, func(c *client, _ *simulator.Shop, id int64) {
			c.do("DELETE", fmt.Sprintf("/wp-json/wc/v3/orders/%d", id), "")
		}},
		"product": {false, false, func(_ *client, s *simulator.Shop, id int64) {
			s.EditProduct(s.Order(id).Lines[0].ProductID, func(p *simulator.Product) { p.Name = "New" })
		}},
		"product deleted": {false, false, func(_ *client, s *simulator.Shop, id int64) { s.ForceDeleteProduct(s.Order(id).Lines[0].ProductID) }},
		"account deleted": {false, true, func(_ *client, s *simulator.Shop, id int64) { s.DeleteCustomer(s.Order(id).CustomerID) }},
		"account edited": {false, false, func(_ *client, s *simulator.Shop, id int64) {
			s.EditCustomer(s.Order(id).CustomerID, func(*simulator.Customer) {})
		}},
	} {
		t.Run(name, func(t *testing.T) {
			c := start(t, simulator.Options{Customers: -1}, woocommercetest.Options{Legacy: tt.legacy})
			shop := c.server.Shop()
			account := shop.RegisterGuest("b@mail.example", false)
			id := shop.PlaceOrder(simulator.OrderDraft{CustomerID: account, Email: "b@mail.example", Shipping: 500})
			before := shop.Order(id).ModifiedAt
			shop.Wait(time.Hour)
			tt.change(c, shop, id)
			require.Equal(t, tt.bumps, shop.Order(id).ModifiedAt.After(before))
		})
	}
	t.Run("refund deleted", func(t *testing.T) {
		c := start(t, simulator.Options{Customers: -1}, woocommercetest.Options{})
		shop := c.server.Shop()
		id := shop.PlaceOrder(simulator.OrderDraft{Email: "b@mail.example"})
		refund := shop.RefundAmount(id, 100)
		before := shop.Order(id).ModifiedAt
		shop.Wait(time.Hour)
		resp, _ := c.do("DELETE", fmt.Sprintf("/wp-json/wc/v3/orders/%d/refunds/%d", id, refund), "")
		require.Equal(t, 200, resp.StatusCode, "force is not needed")
		require.Empty(t, shop.Order(id).Refunds)
		require.Equal(t, before, shop.Order(id).ModifiedAt)
	})
}

func TestDeletedOrders(t *testing.T) {
	c := start(t, simulator.Options{Customers: -1}, woocommercetest.Options{})
	id := c.server.Shop().PlaceOrder(simulator.OrderDraft{Email: "b@mail.example"})
	at := fmt.Sprintf("/orders/%d", id)
	resp, _ := c.do("DELETE", "/wp-json/wc/v3"+at, "")
	require.Equal(t, 200, resp.StatusCode)
	c.refused("DELETE", at, "", 410, "woocommerce_rest_already_trashed")
	_, body := c.get(at)
	require.Contains(t, string(body), `"status":"trash"`)
	resp, _ = c.do("DELETE", "/wp-json/wc/v3"+at+"?force=true", "")
	require.Equal(t, 200, resp.StatusCode)
	c.refused("GET", at, "", 404, "woocommerce_rest_shop_order_invalid_id")
	_, body = c.get(at + "/refunds")
	require.Equal(t, "[]", string(body))
	c.refused("DELETE", "/customers/1", "", 501, "woocommerce_rest_trash_not_supported")
}

func TestAutumnHour(t *testing.T) {
	c := start(t, simulator.Options{Customers: -1, AsOf: time.Date(2026, 11, 1, 6, 29, 59, 0, time.UTC)}, woocommercetest.Options{})
	id := c.server.Shop().PlaceOrder(simulator.OrderDraft{Email: "b@mail.example"})
	_, body := c.get(fmt.Sprintf("/orders/%d", id))
	require.Contains(t, string(body), `"date_created_gmt":"2026-11-01T06:30:00"`)
	require.Contains(t, string(body), `"date_modified_gmt":"2026-11-01T05:30:00"`, "stored one hour early")
}

func TestVersions(t *testing.T) {
	for version, missing := range map[string][]string{
		"8.9.3":  {"/refunds", "/orders/statuses", "/products/brands"},
		"9.0.2":  {"/orders/statuses", "/products/brands"},
		"9.4.1":  {"/orders/statuses"},
		"11.0.1": {},
	} {
		c := start(t, simulator.Options{Customers: 50}, woocommercetest.Options{Version: version, Legacy: version == "8.9.3"})
		for _, path := range []string{"/refunds", "/orders/statuses", "/products/brands"} {
			resp, _ := c.get(path)
			require.Equal(t, slices.Contains(missing, path), resp.StatusCode == 404, version+path)
		}
		_, body := c.get("/products?per_page=1")
		require.Equal(t, version == "11.0.1", strings.Contains(string(body), `"brands"`), version)
		_, body = c.get("/system_status?_fields=environment.version,settings.HPOS_enabled")
		require.JSONEq(t, fmt.Sprintf(`{"environment":{"version":%q},"settings":{"HPOS_enabled":%t}}`, version, version != "8.9.3"), string(body))
	}
}

func TestCustomersBatch(t *testing.T) {
	c := start(t, simulator.Options{Customers: 30}, woocommercetest.Options{})
	const batch = "/wp-json/wc/v3/customers/batch"
	resp, body := c.do("POST", batch, `{"update":[
		{"id":4,"meta_data":[{"key":"perennial_tags","value":"champions"},{"key":"_hidden","value":"x"},{"key":"perennial_n","value":5},{"key":"perennial_b","value":true},{"key":"perennial_o","value":{"a":[1]}}]},
		{"id":99999999},{"id":5,"email":"no"},{"meta_data":[]}],"delete":[88888888],"create":[{"email":"x"}]}`)
	require.Equal(t, 200, resp.StatusCode)
	var answer map[string][]struct {
		ID   *int64
		Meta []struct {
			Key   string
			Value any
		} `json:"meta_data"`
		Error struct {
			Code string
			Data struct{ Status int }
		}
	}
	require.NoError(t, json.Unmarshal(body, &answer), string(body))
	update := answer["update"]
	require.Len(t, update, 4)
	meta := map[string]any{}
	for _, m := range update[0].Meta {
		meta[m.Key] = m.Value
	}
	require.Equal(t, map[string]any{"perennial_tags": "champions", "perennial_n": "5", "perennial_b": "1", "perennial_o": map[string]any{"a": []any{1.0}}}, meta)
	require.Equal(t, "wc_user_invalid_id", update[1].Error.Code)
	require.Equal(t, 404, update[1].Error.Data.Status)
	require.Equal(t, "woocommerce_rest_customer_invalid_email", update[2].Error.Code)
	require.Nil(t, update[3].ID)
	require.Equal(t, "wc_user_invalid_id", answer["delete"][0].Error.Code)
	require.Equal(t, "customer_invalid_email", answer["create"][0].Error.Code)

	_, body = c.do("POST", batch, `{"update":[{"id":4,"meta_data":[{"key":"perennial_tags","value":"lost"},{"key":"perennial_n","value":null}]}]}`)
	require.NoError(t, json.Unmarshal(body, &answer))
	require.Len(t, answer["update"][0].Meta, 3, "updated in place, null deletes")
	_, body = c.do("POST", batch+"?_fields=update.id", `{"update":[{"id":4}]}`)
	require.JSONEq(t, `{"update":[]}`, string(body))
	for _, empty := range []string{`{}`, `{"update":"x"}`, `[1]`} {
		_, body = c.do("POST", batch, empty)
		require.Equal(t, "[]", string(body))
	}
}

func TestMalformedBatchItem(t *testing.T) {
	const body = `{"update":[{"id":4,"first_name":"Before"},{"id":5,"meta_data":"x"},{"id":6,"first_name":"After"}]}`
	for version, broken := range map[string]bool{"11.0.1": true, "8.9.3": false} {
		c := start(t, simulator.Options{Customers: 30}, woocommercetest.Options{Version: version})
		resp, answer := c.do("POST", "/wp-json/wc/v3/customers/batch", body)
		require.Equal(t, broken, resp.StatusCode == 500, version)
		require.Equal(t, broken, strings.Contains(string(answer), "TypeError"))
		require.Equal(t, "Before", c.server.Shop().Customer(4).FirstName, "items before are applied")
		require.Equal(t, !broken, c.server.Shop().Customer(6).FirstName == "After")
	}
}

func TestUnderscoreKeysOfOldShops(t *testing.T) {
	c := start(t, simulator.Options{Customers: 30}, woocommercetest.Options{Version: "8.9.3"})
	_, body := c.do("PUT", "/wp-json/wc/v3/customers/4", `{"meta_data":[{"key":"_p","value":"x"}]}`)
	require.Contains(t, string(body), `"key":"_p"`)
}

func TestFaults(t *testing.T) {
	c := start(t, simulator.Options{Customers: 30}, woocommercetest.Options{})
	const path = "/wp-json/wc/v3/orders"
	c.server.Fault(woocommercetest.Fault{Kind: woocommercetest.TooManyRequests, Times: 2, Skip: 1, Path: "/orders"})
	var statuses []int
	for range 4 {
		resp, _ := c.do("GET", path, "")
		statuses = append(statuses, resp.StatusCode)
	}
	require.Equal(t, []int{200, 429, 429, 200}, statuses)
	require.Zero(t, c.server.FaultsLeft())
	_, right := c.do("GET", path, "")

	spoiled := func(kind woocommercetest.FaultKind) string {
		c.server.Fault(woocommercetest.Fault{Kind: kind})
		_, body := c.do("GET", path, "")
		return string(body)
	}
	require.Equal(t, "\xEF\xBB\xBF"+string(right), spoiled(woocommercetest.BOM))
	require.Regexp(t, `^<br />\n<b>Notice</b>`, spoiled(woocommercetest.PHPNotice))
	require.Equal(t, string(right[:len(right)/2]), spoiled(woocommercetest.Broken))
	require.Empty(t, spoiled(woocommercetest.Empty))

	c.server.Fault(woocommercetest.Fault{Kind: woocommercetest.Lost, Writes: true})
	_, err := c.raw("PUT", "/wp-json/wc/v3/customers/4", `{"first_name":"Lost"}`)
	require.Error(t, err)
	require.Equal(t, "Lost", c.server.Shop().Customer(4).FirstName, "carried out though unanswered")
	c.server.Fault(woocommercetest.Fault{Kind: woocommercetest.Cut})
	_, err = c.raw("GET", path, "")
	require.ErrorIs(t, err, io.ErrUnexpectedEOF)

	requests := c.server.Requests()
	last := requests[len(requests)-2]
	require.Equal(t, woocommercetest.Request{Method: "PUT", Path: "/wp-json/wc/v3/customers/4", Body: `{"first_name":"Lost"}`, Status: 0, Write: true}, last)
}

func (c *client) raw(method, path, body string) ([]byte, error) {
	req, err := http.NewRequestWithContext(c.t.Context(), method, c.server.Home()+path, strings.NewReader(body))
	require.NoError(c.t, err)
	req.SetBasicAuth(c.key.ConsumerKey, c.key.ConsumerSecret)
	resp, err := c.http.Client().Do(req)
	if err != nil {
		return nil, err
	}
	defer resp.Body.Close()
	return io.ReadAll(resp.Body)
}

func TestAlteredOrder(t *testing.T) {
	c := start(t, simulator.Options{Customers: 30}, woocommercetest.Options{})
	id := c.server.Shop().Orders()[0].ID
	c.server.Alter(id, "total", `"abc"`)
	_, body := c.get(fmt.Sprintf("/orders/%d", id))
	require.Contains(t, string(body), `"total":"abc"`)
	require.True(t, json.Valid(body))
}
