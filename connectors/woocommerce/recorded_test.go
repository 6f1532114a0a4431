package woocommerce

import (
	"bytes"
	"context"
	"encoding/json"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/perennial-cvo/perennial/config/secret"
	"github.com/perennial-cvo/perennial/connectors"
)

const (
	testKey    = "ck_canary_key_0123456789"
	testSecret = "cs_canary_secret_0123456789"
)

// direct serves requests by a handler without a socket, so that tests may live in a synctest bubble.
type direct struct{ handler http.Handler }

func (d direct) RoundTrip(r *http.Request) (*http.Response, error) {
	if err := r.Context().Err(); err != nil {
		return nil, err
	}
	if r.Body == nil {
		r.Body = http.NoBody
	}
	w := httptest.NewRecorder()
	d.handler.ServeHTTP(w, r)
	response := w.Result()
	response.Request = r
	if response.Header.Get("Date") == "" {
		response.Header.Set("Date", time.Now().UTC().Format(http.TimeFormat))
	}
	return response, nil
}

// bench is an api over a handler, with what it logged.
type bench struct {
	*api
	log *bytes.Buffer
}

func setUp(t *testing.T, handler http.HandlerFunc, change ...func(*settings)) bench {
	t.Helper()
	set := settings{
		URL: "https://shop.example", ConsumerKey: secret.New(testKey), ConsumerSecret: secret.New(testSecret),
		PageSize: 100, Timeout: 90 * time.Second,
	}
	for _, f := range change {
		f(&set)
	}
	var log bytes.Buffer
	deps := connectors.Deps{Log: slog.New(slog.NewTextHandler(&log, &slog.HandlerOptions{Level: slog.LevelDebug}))}
	a, err := newAPI(set, deps, direct{handler})
	require.NoError(t, err)
	t.Cleanup(func() {
		require.NotContains(t, log.String(), testKey)
		require.NotContains(t, log.String(), testSecret)
	})
	return bench{api: a, log: &log}
}

func recorded(t *testing.T, name string) []byte {
	t.Helper()
	b, err := os.ReadFile(filepath.Join("testdata", name))
	require.NoError(t, err)
	return b
}

func rows(t *testing.T, name string) []json.RawMessage {
	t.Helper()
	var all []json.RawMessage
	require.NoError(t, json.Unmarshal(recorded(t, name), &all))
	return all
}

// answerJSON writes an answer as WooCommerce labels it.
func answerJSON(w http.ResponseWriter, status int, body string) {
	w.Header().Set("Content-Type", "application/json; charset=UTF-8")
	w.WriteHeader(status)
	_, _ = io.WriteString(w, body)
}

const noRouteBody = `{"code":"rest_no_route","message":"No route was found matching the URL and request method.","data":{"status":404}}`

// answerError replays a recorded error with its status and headers.
func answerError(t *testing.T, w http.ResponseWriter, name string) {
	t.Helper()
	var head struct {
		Status  int
		Headers map[string]string
	}
	require.NoError(t, json.Unmarshal(recorded(t, name+".headers.json"), &head))
	for key, value := range head.Headers {
		if key == "Content-Type" || key == "Retry-After" {
			w.Header().Set(key, value)
		}
	}
	w.WriteHeader(head.Status)
	_, _ = w.Write(recorded(t, name+".body.txt"))
}

// trailing returns the part of the path behind the API's root.
func trailing(r *http.Request) string {
	_, rest, _ := strings.Cut(r.URL.Path, "/wp-json/")
	return strings.TrimPrefix(rest, "wc/v3/")
}

// contextOf returns the test's context where it has one; rapid's has it too.
func contextOf(t require.TestingT) context.Context {
	if with, ok := t.(interface{ Context() context.Context }); ok {
		return with.Context()
	}
	return context.Background()
}
