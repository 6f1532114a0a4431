package main

import (
	"bytes"
	"context"
	"crypto/tls"
	"crypto/x509"
	"encoding/json"
	"io"
	"net/http"
	"os"
	"path/filepath"
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

func TestStateSurvivesARestart(t *testing.T) {
	state := filepath.Join(t.TempDir(), "state")
	args := []string{"--customers", "40", "--state", state, "--as-of", "2026-05-01T00:00:00Z", "--tls"}
	r := begin(t, args...)
	r.control("POST", "/advance?days=30")
	r.control("POST", "/change?do=place&email=someone%40mail.example")
	truth, now := r.control("GET", "/oracle?full=1"), r.control("GET", "/now")
	r.stop()

	r = begin(t, args...)
	defer r.stop()
	require.JSONEq(t, truth, r.control("GET", "/oracle?full=1"))
	require.Equal(t, now, r.control("GET", "/now"))
}

func TestFlags(t *testing.T) {
	var out bytes.Buffer
	_, err := parse([]string{"--help"}, &out)
	require.Error(t, err)
	for _, word := range []string{"SHOPSIM_CONTROL", "-state", "-latency", "/advance"} {
		require.Contains(t, out.String(), word)
	}
	_, err = parse([]string{"extra"}, io.Discard)
	require.Error(t, err)
	for _, bad := range [][]string{{"--time-zone", "Nowhere/Land"}, {"--as-of", "yesterday"}} {
		s, err := parse(bad, io.Discard)
		require.NoError(t, err)
		require.ErrorContains(t, serve(t.Context(), s, io.Discard), bad[0])
	}
}

func TestJSONReadyFile(t *testing.T) {
	var out bytes.Buffer
	require.NoError(t, announce(settings{json: true}, &out, []pair{{"A", "b"}}))
	require.JSONEq(t, `{"A":"b"}`, out.String())
}
