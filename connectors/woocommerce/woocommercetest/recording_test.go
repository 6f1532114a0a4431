package woocommercetest_test

import (
	"encoding/json"
	"fmt"
	"io"
	"maps"
	"net/http"
	"net/http/httptest"
	"os"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/perennial-cvo/perennial/connectors/simulator"
	"github.com/perennial-cvo/perennial/connectors/woocommerce/woocommercetest"
)

// shapes are the types of JSON values by their place, such as "line_items[].price" -> number.
type shapes map[string]map[string]bool

func (s shapes) add(place string, value any) {
	if s[place] == nil {
		s[place] = map[string]bool{}
	}
	switch v := value.(type) {
	case nil:
		s[place]["null"] = true
	case bool:
		s[place]["bool"] = true
	case float64:
		s[place]["number"] = true
	case string:
		s[place]["string"] = true
	case []any:
		s[place]["list"] = true
		for _, item := range v {
			s.add(place+"[]", item)
		}
	case map[string]any:
		s[place]["object"] = true
		for name, item := range v {
			s.add(place+"."+name, item)
		}
	}
}

func recorded(t *testing.T, name string) []byte {
	t.Helper()
	body, err := os.ReadFile("testdata/recorded/" + name)
	require.NoError(t, err)
	return body
}

func shapeOf(t *testing.T, bodies ...[]byte) shapes {
	t.Helper()
	s := shapes{}
	for _, body := range bodies {
		var value any
		require.NoError(t, json.Unmarshal(body, &value))
		if list, ok := value.([]any); ok {
			for _, item := range list {
				s.add("", item)
			}
			continue
		}
		s.add("", value)
	}
	return s
}

// client asks the fake over https with the main key.
type client struct {
	t      *testing.T
	server *woocommercetest.Server
	http   *httptest.Server
	key    woocommercetest.Key
}

func start(t *testing.T, shop simulator.Options, opts woocommercetest.Options) *client {
	t.Helper()
	server := woocommercetest.New(simulator.New(shop), opts)
	listening := server.StartTLS()
	t.Cleanup(listening.Close)
	return &client{t, server, listening, woocommercetest.MainKey}
}

func (c *client) do(method, path, body string) (*http.Response, []byte) {
	c.t.Helper()
	req, err := http.NewRequestWithContext(c.t.Context(), method, c.server.Home()+path, strings.NewReader(body))
	require.NoError(c.t, err)
	req.Header.Set("Accept", "application/json")
	req.Header.Set("Accept-Encoding", "identity")
	if c.key.ConsumerKey != "" {
		req.SetBasicAuth(c.key.ConsumerKey, c.key.ConsumerSecret)
	}
	resp, err := c.http.Client().Transport.RoundTrip(req)
	require.NoError(c.t, err)
	defer resp.Body.Close()
	answer, err := io.ReadAll(resp.Body)
	require.NoError(c.t, err)
	return resp, answer
}

func (c *client) get(path string) (*http.Response, []byte) {
	c.t.Helper()
	return c.do(http.MethodGet, "/wp-json/wc/v3"+path, "")
}

// all reads a list page by page.
func (c *client) all(path string) []byte {
	c.t.Helper()
	var rows []json.RawMessage
	for page := 1; ; page++ {
		resp, body := c.get(fmt.Sprintf("%s&per_page=100&page=%d", path, page))
		require.Equal(c.t, 200, resp.StatusCode, string(body))
		var some []json.RawMessage
		require.NoError(c.t, json.Unmarshal(body, &some))
		if rows = append(rows, some...); len(some) < 100 {
			break
		}
	}
	whole, err := json.Marshal(append([]json.RawMessage{}, rows...))
	require.NoError(c.t, err)
	return whole
}

const everyStatus = "status=pending,processing,on-hold,completed,cancelled,refunded,failed,checkout-draft,trash"

// rare are places that the recorded shops did not happen to fill, or that we do not imitate.
var rare = map[string]string{
	".date_expires":                 "recorded coupons never expire",
	".date_expires_gmt":             "recorded coupons never expire",
	".line_items[].sku":             "null once the product is gone",
	".shipping_lines[].meta_data[]": "recorded only for the block checkout and for refunds",
	".fee_lines[]":                  "recorded refunds have no fees",
	".related_ids[]":                "left empty",
	".used_by[]":                    "left empty",
	".tags[]":                       "left empty",
	".line_items[].image.id":        "a text or, for variations, a number",
	".line_items[].parent_name":     "null or, for variations, a text",
	".cost_of_goods_sold.values[].defined_value": "null where the cost is unknown",
	"._links.up": "categories are not nested",
}

func isRare(place string) bool {
	for known := range rare {
		if place == known || strings.HasPrefix(place, known+".") || strings.HasPrefix(place, known+"[") {
			return true
		}
	}
	return false
}

// TestRecordsHaveTheRecordedShape holds every field and its type against the recordings.
func TestRecordsHaveTheRecordedShape(t *testing.T) {
	c := start(t, simulator.Options{Customers: 500}, woocommercetest.Options{})
	variable := slices.IndexFunc(c.server.Shop().Products(), func(p *simulator.Product) bool { return p.Variable })
	parent := c.server.Shop().Products()[variable].ID
	shop := c.server.Shop()
	back := shop.Orders()[slices.IndexFunc(shop.Orders(), func(o *simulator.Order) bool {
		known := func(l simulator.Line) bool { return l.HasCost }
		return o.TaxRate.ID != 0 && len(o.Refunds) == 0 && o.Status == simulator.Completed && len(o.Lines) > 1 &&
			slices.ContainsFunc(o.Lines, known) && slices.IndexFunc(o.Lines, func(l simulator.Line) bool { return !l.HasCost }) >= 0
	})]
	shop.Refund(back.ID)
	orders := []string{"orders_page1.json", "orders_trash.json"}
	for name := range strings.SplitSeq("coupon,email_with_spaces,eur,fee,from_storefront_checkout,negative_fee,no_email,refunded_full,refunded_partial,tax,variation", ",") {
		orders = append(orders, "order_"+name+".json")
	}
	for path, files := range map[string][]string{
		"/orders?" + everyStatus: orders,
		"/refunds?":              {"refunds_page1.json"},
		fmt.Sprintf("/orders/%d/refunds?", back.ID):     {"order_refunds_full.json", "order_refunds_partial.json"},
		fmt.Sprintf("/orders/%d/notes?", back.ID):       {"order_notes.json"},
		"/customers?role=all":                           {"customers_page1.json"},
		"/products?":                                    {"products_page1.json"},
		fmt.Sprintf("/products/%d/variations?", parent): {"product_variations.json"},
		"/variations?":                                  {"variations_all.json"},
		"/products/reviews?status=all":                  {"reviews_page1.json"},
		"/products/reviews?status=spam":                 {"reviews_spam.json"},
		"/products/categories?":                         {"product_categories.json"},
		"/products/brands?":                             {"product_brands.json"},
		"/products/attributes?":                         {"product_attributes.json"},
		"/products/tags?":                               {"product_tags.json"},
		"/coupons?":                                     {"coupons.json"},
		"/orders/statuses?":                             {"orders_statuses.json"},
		"/reports/orders/totals?":                       {"reports_orders_totals.json"},
		"/reports/reviews/totals?":                      {"reports_reviews_totals.json"},
	} {
		t.Run(path, func(t *testing.T) {
			var bodies [][]byte
			for _, file := range files {
				bodies = append(bodies, recorded(t, file))
			}
			requireSameShape(t, shapeOf(t, bodies...), shapeOf(t, c.all(path)))
		})
	}
	for path, file := range map[string]string{"/system_status": "system_status.json", "/data/currencies/current": "data_currencies_current.json", "": "wc_v3_index.json"} {
		t.Run(path, func(t *testing.T) {
			_, body := c.get(path)
			requireSameShape(t, shapeOf(t, recorded(t, file)), shapeOf(t, body))
		})
	}
	_, body := c.do(http.MethodGet, "/wp-json/", "")
	requireSameShape(t, shapeOf(t, recorded(t, "wp_json_index.json")), shapeOf(t, body))
}

func requireSameShape(t *testing.T, want, got shapes) {
	t.Helper()
	for _, place := range slices.Sorted(maps.Keys(want)) {
		if !isRare(place) && got[place] == nil {
			t.Errorf("the fake lacks %s", place)
		}
	}
	for _, place := range slices.Sorted(maps.Keys(got)) {
		if isRare(place) && want[place] == nil {
			continue
		}
		for kind := range got[place] {
			if !want[place][kind] && (!isRare(place) || kind == "object") {
				t.Errorf("the fake gives %s as %s, recorded: %v", place, kind, slices.Sorted(maps.Keys(want[place])))
			}
		}
	}
}

// TestOrderOfFields holds the very sequence of keys against a recording.
func TestOrderOfFields(t *testing.T) {
	c := start(t, simulator.Options{Customers: 40}, woocommercetest.Options{})
	o := c.server.Shop().Orders()[3]
	for path, file := range map[string]string{
		fmt.Sprintf("/orders/%d", o.ID): "order_tax.json",
		"/customers?role=all":           "customers_page1.json",
		"/products?":                    "products_page1.json",
		"/products/reviews?":            "reviews_page1.json",
		"/variations?":                  "variations_all.json",
		"/coupons?":                     "coupons.json",
		"/refunds?":                     "refunds_page1.json",
	} {
		_, body := c.get(path)
		require.Equal(t, keysOf(t, recorded(t, file)), keysOf(t, body), path)
	}
}

// keysOf lists the keys of the first object in their order.
func keysOf(t *testing.T, body []byte) []string {
	t.Helper()
	d := json.NewDecoder(strings.NewReader(string(body)))
	var keys []string
	depth, isKey := 0, true
	for {
		token, err := d.Token()
		require.NoError(t, err)
		switch v := token.(type) {
		case json.Delim:
			switch v {
			case '{':
				depth++
			case '}':
				depth--
				if depth == 0 {
					return keys
				}
			case '[':
				if depth > 0 {
					depth++
				}
			case ']':
				if depth > 0 {
					depth--
				}
			}
			isKey = true
			continue
		case string:
			if depth == 1 && isKey {
				keys = append(keys, v)
				isKey = false
				continue
			}
		}
		if depth == 1 {
			isKey = true
		}
	}
}
