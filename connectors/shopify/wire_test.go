package shopify

import (
	"bytes"
	"io"
	"log/slog"
	"net/http"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/perennial-cvo/perennial/config/secret"
	"github.com/perennial-cvo/perennial/connectors"
)

// What must never show up in an error or log.
const (
	wireSecret = "shpss_canary0123456789"
	wireToken  = "shpat_canary0123456789"
	wireSigned = "Signature=canary%2Fsigned"
)

// told is one answer.
type told struct {
	status int    // 200 by default
	kind   string // application/json by default
	body   string
	header map[string]string
	err    error
}

// heard is one request.
type heard struct {
	at     time.Time
	method string
	url    string
	token  string
	kind   string
	body   string
	ranged string
}

// wire is a transport that answers by a function and remembers what it was asked.
type wire struct {
	answer func(r heard) told

	mu   sync.Mutex
	all  []heard
	logs bytes.Buffer
}

func (w *wire) RoundTrip(r *http.Request) (*http.Response, error) {
	var body []byte
	if r.Body != nil {
		body, _ = io.ReadAll(r.Body)
	}
	h := heard{
		at: time.Now(), method: r.Method, url: r.URL.String(), token: r.Header.Get("X-Shopify-Access-Token"),
		kind: r.Header.Get("Content-Type"), body: string(body), ranged: r.Header.Get("Range"),
	}
	w.mu.Lock()
	w.all = append(w.all, h)
	w.mu.Unlock()
	a := w.answer(h)
	if a.err != nil {
		return nil, a.err
	}
	if a.status == 0 {
		a.status = 200
	}
	if a.kind == "" {
		a.kind = "application/json; charset=utf-8"
	}
	header := http.Header{"Content-Type": {a.kind}}
	for k, v := range a.header {
		header.Set(k, v)
	}
	return &http.Response{StatusCode: a.status, Header: header, Body: io.NopCloser(strings.NewReader(a.body)), Request: r}, nil
}

// asked returns the requests whose address contains part.
func (w *wire) asked(part string) []heard {
	w.mu.Lock()
	defer w.mu.Unlock()
	var some []heard
	for _, h := range w.all {
		if strings.Contains(h.url, part) {
			some = append(some, h)
		}
	}
	return some
}

// quiet sees that neither the log nor an error tells a secret.
func (w *wire) quiet(t *testing.T, err error) {
	t.Helper()
	text := w.logs.String()
	if err != nil {
		text += err.Error() + connectors.Remedy(err)
	}
	require.NotContains(t, text, "canary")
}

// legacy is a shop reached by a token that does not expire.
func legacy() settings {
	set := defaults()
	set.Shop, set.AccessToken = "alder.myshopify.com", secret.New(wireToken)
	return set
}

// app is a shop reached by client credentials.
func app() settings {
	set := defaults()
	set.Shop, set.ClientID, set.ClientSecret = "alder.myshopify.com", "id", secret.New(wireSecret)
	return set
}

func wired(t *testing.T, set settings, answer func(heard) told) (*api, *wire) {
	t.Helper()
	require.NoError(t, set.check())
	w := &wire{answer: answer}
	a, err := newAPI(set, connectors.Deps{Log: slog.New(slog.NewTextHandler(&w.logs, nil)), Prefix: "perennial"}, w)
	require.NoError(t, err)
	return a, w
}

// always answers every request alike.
func always(a told) func(heard) told { return func(heard) told { return a } }

// inOrder answers one after the other, the last one for ever.
func inOrder(answers ...told) func(heard) told {
	next := 0
	return func(heard) told {
		a := answers[min(next, len(answers)-1)]
		next++
		return a
	}
}

// levelled is a good answer with the level of the bucket.
func levelled(requested, available string) told {
	return told{body: `{"data":{"ok":true},"extensions":{"cost":{"requestedQueryCost":` + requested +
		`,"actualQueryCost":1,"throttleStatus":{"maximumAvailable":2000,"currentlyAvailable":` + available + `,"restoreRate":100}}}}`}
}

// failed is an answer of status 200 with one error.
func failed(code, message, more string) told {
	return told{body: `{"data":null,"errors":[{"message":"` + message + `","path":["orders",0],"extensions":{"code":"` + code + `"` + more + `}}]}`}
}
