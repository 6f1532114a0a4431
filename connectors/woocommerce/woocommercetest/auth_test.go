package woocommercetest_test

import (
	"crypto/hmac"
	"crypto/sha1"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"hash"
	"io"
	"net/http"
	"net/http/httptest"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/perennial-cvo/perennial/connectors/simulator"
	"github.com/perennial-cvo/perennial/connectors/woocommerce/woocommercetest"
)

// signer signs requests as RFC 5849 says, independently of the fake.
type signer struct {
	key    woocommercetest.Key
	method string
	hash   func() hash.Hash
	at     time.Time
	nonce  string
}

func (s signer) sign(home, path string, query url.Values) string {
	query.Set("oauth_consumer_key", s.key.ConsumerKey)
	query.Set("oauth_nonce", s.nonce)
	query.Set("oauth_timestamp", strconv.FormatInt(s.at.Unix(), 10))
	query.Set("oauth_signature_method", s.method)
	enc := func(v string) string { return strings.ReplaceAll(url.QueryEscape(v), "+", "%20") }
	var pairs []string
	for name, values := range query {
		for _, value := range values {
			pairs = append(pairs, enc(name)+"="+enc(value))
		}
	}
	slices.Sort(pairs)
	mac := hmac.New(s.hash, []byte(s.key.ConsumerSecret+"&"))
	mac.Write([]byte("GET&" + enc(home+path) + "&" + enc(strings.Join(pairs, "&"))))
	query.Set("oauth_signature", base64.StdEncoding.EncodeToString(mac.Sum(nil)))
	return home + path + "?" + query.Encode()
}

func TestOAuthOverHTTP(t *testing.T) {
	server := woocommercetest.New(simulator.New(simulator.Options{Customers: 20}), woocommercetest.Options{SubPath: "/shop"})
	listening := server.Start()
	t.Cleanup(listening.Close)
	now := server.Shop().Now()
	const path = "/wp-json/wc/v3/orders"
	good := signer{woocommercetest.MainKey, "HMAC-SHA256", sha256.New, now, "n1"}
	with := func(change func(*signer)) signer { s := good; change(&s); return s }
	for _, tt := range []struct {
		name    string
		signer  signer
		query   url.Values
		status  int
		message string
	}{
		{"SHA256", good, url.Values{"per_page": {"2"}, "status": {"completed,processing"}, "search": {"a b~c"}}, 200, ""},
		{"nonce again", good, url.Values{}, 401, "Invalid nonce - nonce has already been used."},
		{"SHA1", with(func(s *signer) { s.method, s.hash, s.nonce = "HMAC-SHA1", sha1.New, "n2" }), url.Values{}, 200, ""},
		{"indexed array", with(func(s *signer) { s.nonce = "n3" }), url.Values{"include[0]": {"1"}, "include[1]": {"2"}}, 200, ""},
		{"open array", with(func(s *signer) { s.nonce = "n4" }), url.Values{"include[]": {"1"}}, 401, "Invalid signature - provided signature does not match."},
		{"unknown key", with(func(s *signer) { s.key.ConsumerKey = "ck_x" }), url.Values{}, 401, "Consumer key is invalid."},
		{"wrong secret", with(func(s *signer) { s.key.ConsumerSecret = "cs_x" }), url.Values{}, 401, "Invalid signature - provided signature does not match."},
		{"14 minutes off", with(func(s *signer) { s.at, s.nonce = now.Add(-14*time.Minute), "n5" }), url.Values{}, 200, ""},
		{"16 minutes early", with(func(s *signer) { s.at, s.nonce = now.Add(16*time.Minute), "n6" }), url.Values{}, 401, "Invalid timestamp."},
		{"16 minutes late", with(func(s *signer) { s.at, s.nonce = now.Add(-16*time.Minute), "n7" }), url.Values{}, 401, "Invalid timestamp."},
	} {
		t.Run(tt.name, func(t *testing.T) {
			resp, body := fetch(t, listening, tt.signer.sign(server.Home(), path, tt.query), nil)
			require.Equal(t, tt.status, resp.StatusCode, body)
			require.Contains(t, body, tt.message)
		})
	}
	t.Run("signed for another address", func(t *testing.T) {
		server.SetHome("http://other.example")
		defer server.SetHome(listening.URL + "/shop")
		_, body := fetch(t, listening, with(func(s *signer) { s.nonce = "n8" }).sign(listening.URL+"/shop", path, url.Values{}), nil)
		require.Equal(t, string(recorded(t, "err_oauth_bad_signature.body.txt")), body)
	})
}

func fetch(t *testing.T, listening *httptest.Server, address string, key *woocommercetest.Key) (*http.Response, string) {
	t.Helper()
	req, err := http.NewRequestWithContext(t.Context(), http.MethodGet, address, nil)
	require.NoError(t, err)
	if key != nil {
		req.SetBasicAuth(key.ConsumerKey, key.ConsumerSecret)
	}
	resp, err := listening.Client().Do(req)
	require.NoError(t, err)
	defer resp.Body.Close()
	body, err := io.ReadAll(resp.Body)
	require.NoError(t, err)
	return resp, string(body)
}

func TestBasicNeedsHTTPS(t *testing.T) {
	server := woocommercetest.New(simulator.New(simulator.Options{Customers: 20}), woocommercetest.Options{})
	plain := server.Start()
	t.Cleanup(plain.Close)
	const path = "/wp-json/wc/v3/orders"
	main := woocommercetest.MainKey
	keys := "?consumer_key=" + main.ConsumerKey + "&consumer_secret=" + main.ConsumerSecret
	nobody := string(recorded(t, "err_unauthorized.body.txt"))
	for _, address := range []string{path, path + keys} {
		resp, body := fetch(t, plain, plain.URL+address, &main)
		require.Equal(t, 401, resp.StatusCode)
		require.Equal(t, nobody, body, "nothing hints at https")
	}
	secure := server.StartTLS()
	t.Cleanup(secure.Close)
	resp, _ := fetch(t, secure, secure.URL+path+keys, nil)
	require.Equal(t, 200, resp.StatusCode)
	require.Contains(t, resp.Header.Get("Link"), "consumer_secret="+main.ConsumerSecret, "the link repeats the secret")
	unknown := woocommercetest.Key{ConsumerKey: "ck_x", ConsumerSecret: "cs_x"}
	_, body := fetch(t, secure, secure.URL+path, &unknown)
	require.Equal(t, nobody, body)
	server.Revoke(main.ConsumerKey)
	_, body = fetch(t, secure, secure.URL+path, &main)
	require.Equal(t, nobody, body)
}

func TestKeysAndWhereTheyWork(t *testing.T) {
	c := start(t, simulator.Options{Customers: 20}, woocommercetest.Options{SubPath: "/blog/shop"})
	c.key = woocommercetest.WriteKey
	_, body := c.get("/orders")
	require.Contains(t, string(body), "does not have read permissions")
	c.key = woocommercetest.PowerlessKey
	c.refused("PUT", "/customers/4", "{}", 403, "woocommerce_rest_cannot_edit")
	c.key = woocommercetest.MainKey
	for _, path := range []string{"/wp-json/wp/v2/users/me", "/index.php?rest_route=/wc/v3/orders"} {
		resp, _ := c.do("GET", path, "")
		require.Equal(t, 401, resp.StatusCode, path)
	}
	c.refused("PATCH", "/orders", "{}", 404, "rest_no_route")
	resp, _ := c.do("HEAD", "/wp-json/wc/v3/orders", "")
	require.NotEmpty(t, resp.Header.Get("X-WP-Total"))

	c.key = woocommercetest.Key{}
	resp, body = c.do("GET", "/wp-json/?_fields=name,url,home,gmt_offset,timezone_string,namespaces", "")
	require.Equal(t, 200, resp.StatusCode)
	var site map[string]any
	require.NoError(t, json.Unmarshal(body, &site))
	require.Len(t, site, 6)
	require.Equal(t, "Alder &amp; Finch", site["name"])
	require.Equal(t, c.server.Home(), site["home"])
	require.True(t, strings.HasSuffix(c.server.Home(), "/blog/shop"))
	resp, _ = c.get("/orders/statuses")
	require.Equal(t, 200, resp.StatusCode, "public")
}

// BenchmarkOrders is an answer of a hundred orders with everything in them.
func BenchmarkOrders(b *testing.B) {
	server := woocommercetest.New(simulator.New(simulator.Options{}), woocommercetest.Options{NoGzip: true, Forget: true})
	path := "/wp-json/wc/v3/orders?orderby=id&order=asc&per_page=100&page=20"
	for b.Loop() {
		r := httptest.NewRequest(http.MethodGet, path, nil)
		r.Header.Set("X-Forwarded-Proto", "https")
		r.SetBasicAuth(woocommercetest.MainKey.ConsumerKey, woocommercetest.MainKey.ConsumerSecret)
		w := httptest.NewRecorder()
		server.ServeHTTP(w, r)
		if w.Code != http.StatusOK {
			b.Fatal(w.Body)
		}
		b.SetBytes(int64(w.Body.Len()))
	}
}
