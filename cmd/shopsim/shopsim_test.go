package main

import (
	"bytes"
	"context"
	"crypto/tls"
	"crypto/x509"
	"encoding/base64"
	"encoding/json"
	"io"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// running is a shopsim in this process.
type running struct {
	t      *testing.T
	env    map[string]string
	client *http.Client
	stop   func()
}

// begin starts shopsim and waits for its ready file.
func begin(t *testing.T, args ...string) *running {
	t.Helper()
	dir := t.TempDir()
	ready, cert := filepath.Join(dir, "ready"), filepath.Join(dir, "cert.pem")
	s, err := parse(append(args, "--ready-file", ready, "--cert-file", cert), io.Discard)
	require.NoError(t, err)
	ctx, cancel := context.WithCancel(context.Background())
	ended := make(chan error, 1)
	var out bytes.Buffer
	go func() { ended <- serve(ctx, s, &out) }()
	var text []byte
	require.Eventually(t, func() bool {
		text, err = os.ReadFile(ready)
		return err == nil
	}, 30*time.Second, 5*time.Millisecond)
	r := &running{t: t, env: map[string]string{}, client: &http.Client{Transport: &http.Transport{}}}
	for line := range strings.Lines(string(text)) {
		name, value, _ := strings.Cut(strings.TrimSpace(line), "=")
		r.env[name] = value
	}
	if pem, err := os.ReadFile(cert); err == nil {
		pool := x509.NewCertPool()
		require.True(t, pool.AppendCertsFromPEM(pem))
		r.client.Transport = &http.Transport{TLSClientConfig: &tls.Config{RootCAs: pool, MinVersion: tls.VersionTLS12}}
	}
	r.stop = func() {
		r.client.CloseIdleConnections()
		cancel()
		select {
		case err := <-ended:
			require.NoError(t, err)
		case <-time.After(5 * time.Second):
			t.Error("shopsim does not stop at once")
		}
	}
	return r
}

func (r *running) do(method, address string) (int, string) {
	r.t.Helper()
	req, err := http.NewRequestWithContext(r.t.Context(), method, address, nil)
	require.NoError(r.t, err)
	req.SetBasicAuth(r.env["WOOCOMMERCE_KEY"], r.env["WOOCOMMERCE_SECRET"])
	if strings.HasPrefix(address, r.env["LISTMONK_URL"]) {
		req.SetBasicAuth(r.env["LISTMONK_USER"], r.env["LISTMONK_TOKEN"])
	}
	resp, err := r.client.Do(req)
	require.NoError(r.t, err)
	defer resp.Body.Close()
	body, err := io.ReadAll(resp.Body)
	require.NoError(r.t, err)
	return resp.StatusCode, string(body)
}

func (r *running) control(method, path string) string {
	r.t.Helper()
	status, body := r.do(method, r.env["SHOPSIM_CONTROL"]+path)
	require.Equal(r.t, 200, status, body)
	return body
}

// graph asks the Shopify shop for GraphQL as its app does.
func (r *running) graph(query string) string {
	r.t.Helper()
	var token struct {
		Token string `json:"access_token"`
	}
	form := url.Values{"grant_type": {"client_credentials"}, "client_id": {r.env["SHOPIFY_CLIENT_ID"]}, "client_secret": {r.env["SHOPIFY_CLIENT_SECRET"]}}
	require.NoError(r.t, json.Unmarshal([]byte(r.post("/admin/oauth/access_token", "application/x-www-form-urlencoded", form.Encode(), "")), &token))
	body, err := json.Marshal(map[string]string{"query": query})
	require.NoError(r.t, err)
	return r.post("/admin/api/2026-07/graphql.json", "application/json", string(body), token.Token)
}

func (r *running) post(path, kind, body, token string) string {
	r.t.Helper()
	req, err := http.NewRequestWithContext(r.t.Context(), http.MethodPost, r.env["SHOPIFY_URL"]+path, strings.NewReader(body))
	require.NoError(r.t, err)
	req.Header.Set("Content-Type", kind)
	req.Header.Set("X-Shopify-Access-Token", token)
	resp, err := r.client.Do(req)
	require.NoError(r.t, err)
	defer resp.Body.Close()
	text, err := io.ReadAll(resp.Body)
	require.NoError(r.t, err)
	require.Equal(r.t, 200, resp.StatusCode, string(text))
	return string(text)
}

func (r *running) orders() int {
	r.t.Helper()
	var truth struct{ Orders int }
	require.NoError(r.t, json.Unmarshal([]byte(r.control("GET", "/oracle")), &truth))
	return truth.Orders
}

func TestServesShopAndPlatform(t *testing.T) {
	r := begin(t, "--customers", "60", "--tls")
	defer r.stop()
	status, body := r.do("GET", r.env["WOOCOMMERCE_URL"]+"/wp-json/wc/v3/orders?per_page=3&_fields=id")
	require.Equal(t, 200, status, body)
	require.Equal(t, 3, strings.Count(body, `"id"`))
	status, body = r.do("GET", r.env["LISTMONK_URL"]+"/api/lists")
	require.Equal(t, 200, status, body)
	require.Contains(t, body, "Newsletter")

	r.control("POST", "/fault?kind=429&retry_after=7")
	status, _ = r.do("GET", r.env["WOOCOMMERCE_URL"]+"/wp-json/wc/v3/orders")
	require.Equal(t, 429, status)
	require.Contains(t, r.control("GET", "/requests"), `"status":429`)
	before := r.orders()
	r.control("POST", "/change?do=place&email=someone%40mail.example")
	require.Equal(t, before+1, r.orders())
	for _, change := range []string{"edit-line&quantity=3", "refund-amount&amount=0.01", "trash", "refund", "delete", "status&status=completed", "register&email=x%40mail.example"} {
		require.Contains(t, r.control("POST", "/change?do="+change), `"id":`, change)
	}
	for _, bad := range []string{"/change?do=nothing", "/change?do=trash&order=1", "/advance?days=x", "/wait?for=x", "/fault?kind=x", "/change?do=delete-customer&customer=99999"} {
		status, _ = r.do("POST", r.env["SHOPSIM_CONTROL"]+bad)
		require.Equal(t, 400, status, bad)
	}
}

func TestServesThePlatforms(t *testing.T) {
	r := begin(t, "--customers", "60", "--shopify-customers", "60")
	defer r.stop()
	ask := func(address string, header http.Header) http.Header {
		req, err := http.NewRequestWithContext(t.Context(), http.MethodGet, address, nil)
		require.NoError(t, err)
		req.Header = header
		resp, err := r.client.Do(req)
		require.NoError(t, err)
		require.NoError(t, resp.Body.Close())
		require.Equal(t, 200, resp.StatusCode, address)
		return resp.Header
	}
	limits := ask(r.env["KLAVIYO_URL"]+"/api/lists", http.Header{"Authorization": {"Klaviyo-API-Key " + r.env["KLAVIYO_KEY"]}, "Revision": {"2026-07-15"}})
	require.Equal(t, "750", limits.Get("RateLimit-Limit"), "its limits are kept")
	ask(r.env["BREVO_URL"]+"/contacts/folders?limit=10&offset=0", http.Header{"Api-Key": {r.env["BREVO_KEY"]}})
	ask(r.env["MAILCHIMP_URL"]+"/lists/"+r.env["MAILCHIMP_AUDIENCE"], http.Header{
		"Authorization": {"Basic " + base64.StdEncoding.EncodeToString([]byte("any:"+r.env["MAILCHIMP_KEY"]))},
	})

	someone := regexp.MustCompile(`[a-z.-]+\.\d+@mail\.example`)
	people := func(name, path string) string {
		address, err := url.Parse(r.env[name])
		require.NoError(t, err)
		_, body := r.do("GET", address.Scheme+"://"+address.Host+path)
		return body
	}
	require.Contains(t, people("BREVO_URL", "/_sim/people"), someone.FindString(people("LISTMONK_URL", "/_sim/people")), "they are the same people")
	require.Contains(t, people("MAILCHIMP_URL", "/_sim/contacts"), someone.FindString(people("KLAVIYO_URL", "/_sim/people")), "they are the same people")
	status, body := r.do("POST", r.env["KLAVIYO_URL"]+"/_sim/nothing")
	require.Equal(t, 400, status, body)
}

func TestServesAShopifyShop(t *testing.T) {
	r := begin(t, "--customers", "20", "--shopify-customers", "40", "--bulk-delay", "1h")
	defer r.stop()
	require.Contains(t, r.graph("{ shop { name myshopifyDomain } }"), `"Wren & Thistle","myshopifyDomain":"`+r.env["SHOPIFY_SHOP"])
	require.Contains(t, r.graph("{ customers(first: 3) { nodes { id } } }"), "throttleStatus")
	begun := r.graph(`mutation { bulkOperationRunQuery(query: "{ orders { edges { node { id } } } }") { bulkOperation { id } userErrors { message } } }`)
	require.Contains(t, begun, "BulkOperation/")
	require.Contains(t, r.graph("{ currentBulkOperation { status } }"), `"CREATED"`, "it takes its time")

	counts := func(control string) (orders int, people int) {
		var truth struct{ Orders, Persons int }
		_, body := r.do("GET", r.env[control]+"/oracle")
		require.NoError(t, json.Unmarshal([]byte(body), &truth), body)
		return truth.Orders, truth.Persons
	}
	wooOrders, wooPeople := counts("SHOPSIM_CONTROL")
	orders, people := counts("SHOPIFY_CONTROL")
	require.Greater(t, people, wooPeople, "they are other people")
	status, body := r.do("POST", r.env["SHOPIFY_CONTROL"]+"/change?do=place&email=someone%40mail.example&status=completed")
	require.Equal(t, 200, status, body)
	after, _ := counts("SHOPIFY_CONTROL")
	require.Equal(t, orders+1, after)
	after, _ = counts("SHOPSIM_CONTROL")
	require.Equal(t, wooOrders, after, "the other shop stays as it is")

	status, _ = r.do("POST", r.env["SHOPIFY_CONTROL"]+"/fault?kind=throttled")
	require.Equal(t, 200, status)
	require.Contains(t, r.graph("{ shop { name } }"), "THROTTLED")
	require.NotContains(t, r.graph("{ shop { name } }"), "THROTTLED")
}

func TestLeavesTheShopifyShopOut(t *testing.T) {
	r := begin(t, "--customers", "20", "--shopify-customers", "0")
	defer r.stop()
	require.NotContains(t, r.env, "SHOPIFY_URL")
	require.NotContains(t, r.env, "SHOPIFY_CONTROL")
	require.Positive(t, r.orders())
}

func TestStateSurvivesARestart(t *testing.T) {
	state := filepath.Join(t.TempDir(), "state")
	args := []string{"--customers", "40", "--shopify-customers", "30", "--state", state, "--as-of", "2026-05-01T00:00:00Z", "--tls"}
	r := begin(t, args...)
	r.control("POST", "/advance?days=30")
	r.control("POST", "/change?do=place&email=someone%40mail.example")
	someone := regexp.MustCompile(`gid://shopify/Customer/\d+`).FindString(r.graph("{ customers(first: 1) { nodes { id } } }"))
	tag := `mutation { tagsAdd(id: "` + someone + `", tags: ["kept"]) { userErrors { message } } }`
	require.Contains(t, r.graph(tag), `"userErrors":[]`)
	shopify := func(path string) string {
		status, body := r.do("GET", r.env["SHOPIFY_CONTROL"]+path)
		require.Equal(t, 200, status, body)
		return body
	}
	_, _ = r.do("POST", r.env["SHOPIFY_CONTROL"]+"/advance?days=7")
	truth, now := r.control("GET", "/oracle?full=1"), r.control("GET", "/now")
	shopifyTruth, shopifyNow := shopify("/oracle?full=1"), shopify("/now")
	require.NotEqual(t, now, shopifyNow)
	require.Contains(t, shopifyTruth, `"kept"`)
	r.stop()

	r = begin(t, args...)
	defer r.stop()
	require.JSONEq(t, truth, r.control("GET", "/oracle?full=1"))
	require.Equal(t, now, r.control("GET", "/now"))
	require.JSONEq(t, shopifyTruth, shopify("/oracle?full=1"))
	require.Equal(t, shopifyNow, shopify("/now"))
}

func TestFlags(t *testing.T) {
	var out bytes.Buffer
	_, err := parse([]string{"--help"}, &out)
	require.Error(t, err)
	for _, word := range []string{"SHOPSIM_CONTROL", "SHOPIFY_CONTROL", "SHOPIFY_CLIENT_SECRET", "KLAVIYO_KEY", "-klaviyo-addr", "-state", "-latency", "-shopify-customers", "-shopify-addr", "/advance", "bulkfailed"} {
		require.Contains(t, out.String(), word)
	}
	_, err = parse([]string{"extra"}, io.Discard)
	require.Error(t, err)
	for _, bad := range [][]string{{"--time-zone", "Nowhere/Land"}, {"--as-of", "yesterday"}, {"address of the Shopify shop", "--shopify-addr", "nowhere:x"}} {
		s, err := parse(append([]string{"--customers", "20"}, bad[len(bad)-2:]...), io.Discard)
		require.NoError(t, err)
		require.ErrorContains(t, serve(t.Context(), s, io.Discard), bad[0])
	}
}

func TestJSONReadyFile(t *testing.T) {
	var out bytes.Buffer
	require.NoError(t, announce(settings{json: true}, &out, []pair{{"A", "b"}}))
	require.JSONEq(t, `{"A":"b"}`, out.String())
}
