package woocommercetest_test

import (
	"encoding/json"
	"fmt"
	"net/http"
	"net/url"
	"regexp"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/perennial-cvo/perennial/connectors/simulator"
	"github.com/perennial-cvo/perennial/connectors/woocommerce/woocommercetest"
)

type recordedHeaders struct {
	Request struct{ URL string }
	Status  int
	Headers map[string]string
}

func headersOf(t *testing.T, name string) recordedHeaders {
	t.Helper()
	var h recordedHeaders
	require.NoError(t, json.Unmarshal(recorded(t, name), &h))
	return h
}

var numbers = regexp.MustCompile(`\d+`)

// TestHeadersAreTheRecordedOnes holds status, names and values of headers against the recordings; numbers may differ.
func TestHeadersAreTheRecordedOnes(t *testing.T) {
	c := start(t, simulator.Options{Customers: 900}, woocommercetest.Options{})
	order := c.server.Shop().Orders()[0].ID
	variable := ""
	for _, p := range c.server.Shop().Products() {
		if p.Variable {
			variable = fmt.Sprint(p.ID)
		}
	}
	for _, name := range []string{
		"coupons", "customers_page1", "data_currencies_current", "orders_page1", "orders_trash", "product_attributes", "product_brands",
		"product_categories", "product_tags", "product_variations", "products_page1", "refunds_page1", "reports_orders_totals", "reports_reviews_totals",
		"reviews_page1", "reviews_spam", "system_status", "variations_all", "wc_v3_index", "wp_json_index", "order_tax", "order_refunds_full",
	} {
		t.Run(name, func(t *testing.T) {
			want := headersOf(t, name+".headers.json")
			at, err := url.Parse(want.Request.URL)
			require.NoError(t, err)
			path := regexp.MustCompile(`/orders/\d+`).ReplaceAllString(at.RequestURI(), fmt.Sprintf("/orders/%d", order))
			path = strings.Replace(path, "/products/66/", "/products/"+variable+"/", 1)
			c := *c
			c.t = t
			c.requireHeaders(want, c.compressed(http.MethodGet, path, ""))
		})
	}
}

func TestRefusalsAreTheRecordedOnes(t *testing.T) {
	c := start(t, simulator.Options{Customers: 30}, woocommercetest.Options{})
	many := `{"update":[` + strings.TrimSuffix(strings.Repeat(`{"id":1},`, 101), ",") + `]}`
	stranger := woocommercetest.Key{}
	wrong := woocommercetest.Key{ConsumerKey: woocommercetest.MainKey.ConsumerKey, ConsumerSecret: "cs_wrong"}
	const v3 = "/wp-json/wc/v3"
	for name, tt := range map[string]struct {
		key                woocommercetest.Key
		method, path, body string
	}{
		"bad_secret":      {wrong, "GET", v3 + "/orders", ""},
		"batch_too_large": {woocommercetest.MainKey, "POST", v3 + "/customers/batch", many},
		"forbidden_role":  {woocommercetest.PowerlessKey, "GET", v3 + "/orders", ""},
		"invalid_date":    {woocommercetest.MainKey, "GET", v3 + "/orders?modified_after=2026-11-22", ""},
		"invalid_param":   {woocommercetest.MainKey, "GET", v3 + "/orders?per_page=101", ""},
		"no_route":        {woocommercetest.MainKey, "GET", v3 + "/nothing", ""},
		"not_found_order": {woocommercetest.MainKey, "GET", v3 + "/orders/99999999", ""},
		"readonly_write":  {woocommercetest.ReadKey, "PUT", v3 + "/customers/1", "{}"},
		"unauthorized":    {stranger, "GET", v3 + "/orders", ""}, //nolint:misspell // the name of a recording
	} {
		t.Run(name, func(t *testing.T) {
			c := *c
			c.t, c.key = t, tt.key
			resp, body := c.do(tt.method, tt.path, tt.body)
			require.Equal(t, string(recorded(t, "err_"+name+".body.txt")), string(body))
			want := headersOf(t, "err_"+name+".headers.json")
			require.Equal(t, want.Status, resp.StatusCode)
			c.requireHeaders(want, c.compressed(tt.method, tt.path, tt.body))
		})
	}
}

func TestPagesOfFaultsAreTheRecordedOnes(t *testing.T) {
	c := start(t, simulator.Options{Customers: 30}, woocommercetest.Options{})
	for name, tt := range map[string]struct {
		fault  woocommercetest.Fault
		accept string
	}{
		"err_maintenance":        {woocommercetest.Fault{Kind: woocommercetest.Maintenance}, ""},
		"err_flag_fatal":         {woocommercetest.Fault{Kind: woocommercetest.Fatal}, "text/html"},
		"err_flag_e429":          {woocommercetest.Fault{Kind: woocommercetest.TooManyRequests, RetryAfter: "7"}, ""},
		"err_flag_e503":          {woocommercetest.Fault{Kind: woocommercetest.Error503}, ""},
		"err_flag_html200":       {woocommercetest.Fault{Kind: woocommercetest.Captcha200}, ""},
		"err_db_down":            {woocommercetest.Fault{Kind: woocommercetest.DatabaseDown}, "application/json"},
		"err_fatal_accept_json.": {woocommercetest.Fault{Kind: woocommercetest.Fatal}, "application/json"},
	} {
		t.Run(name, func(t *testing.T) {
			c.server.Fault(tt.fault)
			req, err := http.NewRequestWithContext(t.Context(), http.MethodGet, c.server.Home()+"/wp-json/wc/v3/orders", nil)
			require.NoError(t, err)
			req.Header.Set("Accept", tt.accept)
			req.Header.Set("Accept-Encoding", "gzip")
			resp, err := c.http.Client().Transport.RoundTrip(req)
			require.NoError(t, err)
			defer resp.Body.Close()
			if strings.HasSuffix(name, ".") {
				require.Equal(t, 500, resp.StatusCode)
				return
			}
			if name != "err_db_down" {
				c.requireHeaders(headersOf(t, name+".headers.json"), resp)
			}
			c.server.Fault(tt.fault)
			resp, body := c.do(http.MethodGet, "/wp-json/wc/v3/orders", "")
			if tt.accept != "text/html" {
				require.Equal(t, string(recorded(t, name+".body.txt")), string(body))
			}
			require.GreaterOrEqual(t, resp.StatusCode, 200)
		})
	}
}

// compressed asks as clients do that take gzip, and leaves the headers as they came.
func (c *client) compressed(method, path, body string) *http.Response {
	c.t.Helper()
	req, err := http.NewRequestWithContext(c.t.Context(), method, c.server.Home()+path, strings.NewReader(body))
	require.NoError(c.t, err)
	req.Header.Set("Accept-Encoding", "gzip")
	if c.key.ConsumerKey != "" {
		req.SetBasicAuth(c.key.ConsumerKey, c.key.ConsumerSecret)
	}
	resp, err := c.http.Client().Transport.RoundTrip(req)
	require.NoError(c.t, err)
	require.NoError(c.t, resp.Body.Close())
	return resp
}

func (c *client) requireHeaders(want recordedHeaders, got *http.Response) {
	c.t.Helper()
	require.Equal(c.t, want.Status, got.StatusCode)
	for _, transport := range []string{"Transfer-Encoding", "Connection", "Date"} {
		delete(want.Headers, transport)
		got.Header.Del(transport)
	}
	got.Header.Del("Content-Length")
	have := map[string]string{}
	for name := range got.Header {
		value := strings.ReplaceAll(got.Header.Get(name), c.server.Home(), "HOME")
		have[name] = numbers.ReplaceAllString(value, "N")
	}
	for name, value := range want.Headers {
		value = strings.NewReplacer("https://127.0.0.1:8443", "HOME", "http://127.0.0.1:8090", "HOME").Replace(value)
		want.Headers[name] = numbers.ReplaceAllString(value, "N")
	}
	canonical := map[string]string{}
	for name, value := range want.Headers {
		canonical[http.CanonicalHeaderKey(name)] = value
	}
	require.Equal(c.t, canonical, have)
}
