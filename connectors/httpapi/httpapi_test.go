package httpapi_test

import (
	"bytes"
	"compress/gzip"
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/perennial-cvo/perennial/config/secret"
	"github.com/perennial-cvo/perennial/connectors"
	"github.com/perennial-cvo/perennial/connectors/httpapi"
)

const canary = "cs_canary0123456789"

// reply is one scripted answer.
type reply struct {
	status int
	kind   string // content type, application/json by default
	body   string
	header map[string]string
	err    error
	hang   bool // until the request's context ends
}

// script is a RoundTripper that plays replies, the last one for ever, and notes when it was asked.
type script struct {
	replies []reply
	asked   []time.Time
	bodies  []string
	signs   []string
}

func (s *script) RoundTrip(r *http.Request) (*http.Response, error) {
	n := min(len(s.asked), len(s.replies)-1)
	s.asked = append(s.asked, time.Now())
	s.signs = append(s.signs, r.Header.Get("X-Sign"))
	body := ""
	if r.Body != nil {
		b, _ := io.ReadAll(r.Body)
		body = string(b)
	}
	s.bodies = append(s.bodies, body)
	a := s.replies[n]
	if a.hang {
		<-r.Context().Done()
		return nil, r.Context().Err()
	}
	if a.err != nil {
		return nil, a.err
	}
	if a.kind == "" {
		a.kind = "application/json; charset=UTF-8"
	}
	h := http.Header{"Content-Type": {a.kind}}
	for k, v := range a.header {
		h.Set(k, v)
	}
	return &http.Response{StatusCode: a.status, Header: h, Body: io.NopCloser(strings.NewReader(a.body)), Request: r}, nil
}

func client(t *testing.T, transport http.RoundTripper, change ...func(*httpapi.Options)) *httpapi.Client {
	t.Helper()
	n := 0
	opts := httpapi.Options{
		BaseURL: "https://shop.example/sub", Transport: transport, Version: "1.2.3",
		Secrets: []secret.Text{secret.New(canary)},
		Sign: func(r *http.Request) error {
			n++
			r.Header.Set("X-Sign", fmt.Sprint(n))
			return nil
		},
	}
	for _, f := range change {
		f(&opts)
	}
	c, err := httpapi.New(opts)
	require.NoError(t, err)
	return c
}

func get(op string) httpapi.Request { return httpapi.Request{Op: op, Path: "wp-json/x"} }

func TestRetryAfterIsWaitedOut(t *testing.T) {
	for name, header := range map[string]string{"seconds": "30", "date": "Thu, 01 Jan 2026 00:00:30 GMT"} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				s := &script{replies: []reply{
					{status: 429, kind: "text/html", header: map[string]string{"Retry-After": header, "Date": "Thu, 01 Jan 2026 00:00:00 GMT"}},
					{status: 200, body: `[]`},
				}}
				_, err := client(t, s).Do(t.Context(), get("orders page"))
				require.NoError(t, err)
				require.Len(t, s.asked, 2)
				waited := s.asked[1].Sub(s.asked[0])
				require.GreaterOrEqual(t, waited, 30*time.Second)
				require.LessOrEqual(t, waited, 32*time.Second)
				require.Equal(t, []string{"1", "2"}, s.signs, "signed anew")
			})
		})
	}
}

func TestAbsurdRetryAfter(t *testing.T) {
	tests := map[string]struct {
		header string
		kind   connectors.Kind
		until  time.Duration
		asked  int
	}{
		"ten minutes defers the run":  {"600", connectors.KindWait, 10 * time.Minute, 1},
		"a billion seconds is cut":    {"1000000000", connectors.KindWait, 24 * time.Hour, 1},
		"beyond all numbers":          {"1e300", connectors.KindWait, 24 * time.Hour, 1},
		"negative counts as unspoken": {"-5", connectors.KindWait, 5 * time.Minute, 5},
		"words count as unspoken":     {"soon", connectors.KindWait, 5 * time.Minute, 5},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				s := &script{replies: []reply{{status: 429, header: map[string]string{"Retry-After": tt.header}, body: `{}`}}}
				_, err := client(t, s).Do(t.Context(), get("orders page"))
				var e *connectors.Error
				require.ErrorAs(t, err, &e)
				require.Equal(t, tt.kind, e.Kind)
				require.Len(t, s.asked, tt.asked)
				require.WithinDuration(t, time.Now().Add(tt.until), e.Until, time.Second)
			})
		})
	}
}

func TestServerErrorsAreRetriedWithBackOff(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := &script{replies: []reply{
			{status: 500, kind: "text/html", body: "<h1>Fatal</h1>"},
			{status: 502, kind: "text/html"},
			{err: io.ErrUnexpectedEOF},
			{status: 200, body: `[{"id":1`},
			{status: 200, body: `{"ok":true}`},
		}}
		answer, err := client(t, s).Do(t.Context(), get("orders page"))
		require.NoError(t, err)
		require.Equal(t, `{"ok":true}`, string(answer.Body))
		require.Len(t, s.asked, 5)
		require.LessOrEqual(t, s.asked[4].Sub(s.asked[0]), 15*time.Second)
	})
}

func TestAttemptsAreCapped(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := &script{replies: []reply{{status: 503, kind: "text/html", body: "<title>503</title>"}}}
		_, err := client(t, s).Do(t.Context(), get("orders page"))
		require.Equal(t, connectors.KindRetry, connectors.KindOf(err))
		require.ErrorContains(t, err, "orders page: status 503")
		require.Len(t, s.asked, 5)
	})
}

func TestShrinkableGivesUpEarly(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		for _, r := range []reply{{status: 500, body: `{}`}, {hang: true}} {
			s := &script{replies: []reply{r}}
			request := get("orders page")
			request.Shrinkable = true
			_, err := client(t, s).Do(t.Context(), request)
			require.ErrorIs(t, err, httpapi.ErrHeavy)
			require.Equal(t, connectors.KindRetry, connectors.KindOf(err))
			require.Len(t, s.asked, 2)
		}
	})
}

func TestHeaderTimeout(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := &script{replies: []reply{{hang: true}, {status: 200, body: `[]`}}}
		_, err := client(t, s, func(o *httpapi.Options) { o.HeaderTimeout = 10 * time.Second }).Do(t.Context(), get("x"))
		require.NoError(t, err)
		require.GreaterOrEqual(t, s.asked[1].Sub(s.asked[0]), 10*time.Second)
	})
}

// drip gives one byte per pause and ends with EOF, or hangs after its bytes where stuck.
type drip struct {
	ctx   context.Context
	left  string
	pause time.Duration
	stuck bool
}

func (d *drip) Read(p []byte) (int, error) {
	if d.left == "" && !d.stuck {
		return 0, io.EOF
	}
	pause := d.pause
	if d.left == "" {
		pause = 1000 * time.Hour
	}
	select {
	case <-time.After(pause):
	case <-d.ctx.Done():
		return 0, d.ctx.Err()
	}
	n := copy(p[:1], d.left)
	d.left = d.left[n:]
	return n, nil
}
func (d *drip) Close() error { return nil }

func TestIdleTimeoutAndNoTotalTimeout(t *testing.T) {
	serve := func(d drip) http.RoundTripper {
		return roundTrip(func(r *http.Request) (*http.Response, error) {
			own := d
			own.ctx = r.Context()
			return &http.Response{StatusCode: 200, Header: http.Header{"Content-Type": {"application/json"}}, Body: &own, Request: r}, nil
		})
	}
	one := func(o *httpapi.Options) { o.Attempts = 1; o.IdleTimeout = 30 * time.Second }
	synctest.Test(t, func(t *testing.T) {
		_, err := client(t, serve(drip{left: "[1, 2]", pause: 9 * time.Second}), one).Do(t.Context(), get("slow but steady"))
		require.NoError(t, err, "54 seconds in all, never idle for 30")
		_, err = client(t, serve(drip{left: "[1, 2", pause: time.Second, stuck: true}), one).Do(t.Context(), get("stuck"))
		require.ErrorContains(t, err, "no answer in time")
		require.ErrorIs(t, err, httpapi.ErrHeavy)
		_, err = client(t, serve(drip{left: strings.Repeat("[", 1000), pause: 20 * time.Second}), one).Do(t.Context(), get("slowloris"))
		require.ErrorContains(t, err, "too slowly")
	})
}

type roundTrip func(*http.Request) (*http.Response, error)

func (f roundTrip) RoundTrip(r *http.Request) (*http.Response, error) { return f(r) }

func TestPacing(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := &script{replies: []reply{{status: 200, body: `[]`}}}
		c := client(t, s, func(o *httpapi.Options) { o.Interval = 2 * time.Second })
		for range 4 {
			_, err := c.Do(t.Context(), get("x"))
			require.NoError(t, err)
		}
		require.Equal(t, 6*time.Second, s.asked[3].Sub(s.asked[0]))
	})
}

func TestBudgetDelaysTheNextRequest(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := &script{replies: []reply{{status: 200, body: `[]`}}}
		c := client(t, s, func(o *httpapi.Options) {
			o.Budget = func(httpapi.Response) time.Duration { return 7 * time.Second }
		})
		for range 2 {
			_, err := c.Do(t.Context(), get("x"))
			require.NoError(t, err)
		}
		require.Equal(t, 7*time.Second, s.asked[1].Sub(s.asked[0]))
	})
}

func TestWritesAreRepeatedOnlyWhenSafe(t *testing.T) {
	post := func(idempotent bool) httpapi.Request {
		return httpapi.Request{Op: "batch", Method: "POST", Path: "b", Body: []byte(`{"a":1}`), Idempotent: idempotent}
	}
	refused := &net.OpError{Op: "dial", Err: errors.New("no route to host")}
	tests := map[string]struct {
		first reply
		call  httpapi.Request
		asked int
	}{
		"connection died, not idempotent":      {reply{err: io.ErrUnexpectedEOF}, post(false), 1},
		"connection died, idempotent":          {reply{err: io.ErrUnexpectedEOF}, post(true), 2},
		"500, not idempotent":                  {reply{status: 500, body: `{}`}, post(false), 1},
		"429 was not executed":                 {reply{status: 429, body: `{}`}, post(false), 2},
		"maintenance was not executed":         {reply{status: 503, header: map[string]string{"Retry-After": "1"}}, post(false), 2},
		"no connection means nothing was sent": {reply{err: refused}, post(false), 2},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				s := &script{replies: []reply{tt.first, {status: 200, body: `{}`}}}
				_, _ = client(t, s).Do(t.Context(), tt.call)
				require.Len(t, s.asked, tt.asked)
				for _, body := range s.bodies {
					require.Equal(t, `{"a":1}`, body, "every attempt carries the whole body")
				}
			})
		})
	}
}

func TestPostExecutedThenCutIsSeenOnce(t *testing.T) {
	var seen atomic.Int32
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		seen.Add(1)
		conn, _, _ := w.(http.Hijacker).Hijack()
		_ = conn.Close()
	}))
	defer server.Close()
	c := client(t, nil, func(o *httpapi.Options) { o.BaseURL = server.URL })
	_, err := c.Do(t.Context(), httpapi.Request{Op: "write", Method: "POST", Path: "x", Body: []byte(`{}`)})
	require.Equal(t, connectors.KindRetry, connectors.KindOf(err))
	require.EqualValues(t, 1, seen.Load())
}

func TestNotJSON(t *testing.T) {
	page := "<html><head><title>Checking your browser</title></head><body onload='go({a:[1]})'>you@person.example " + canary + strings.Repeat("x", 4000)
	tests := map[string]reply{
		"captcha page":            {status: 200, kind: "text/html; charset=UTF-8", body: page},
		"captcha with 202":        {status: 202, kind: "text/html", body: page},
		"html labelled json":      {status: 200, body: page},
		"json labelled text":      {status: 200, kind: "text/plain", body: `[]`},
		"unlabelled":              {status: 200, kind: " ", body: `[]`},
		"empty":                   {status: 200, body: ""},
		"white space":             {status: 200, body: " \n "},
		"trailing data":           {status: 200, body: `[]<!-- cached -->`},
		"two values":              {status: 200, body: `[][]`},
		"a bare word":             {status: 200, body: `0`},
		"cut":                     {status: 200, body: `[{"id":2811,"status":"processing"`},
		"broken":                  {status: 200, body: `[{"id":}]`},
		"a hundred thousand deep": {status: 200, body: strings.Repeat("[", 100_000) + strings.Repeat("]", 100_000)},
	}
	for name, r := range tests {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				_, err := client(t, &script{replies: []reply{r}}).Do(t.Context(), get("orders page"))
				var e *httpapi.NotJSONError
				require.ErrorAs(t, err, &e)
				require.Equal(t, connectors.KindRetry, connectors.KindOf(err))
				require.LessOrEqual(t, len(e.Start), 200)
				require.NotContains(t, err.Error(), canary)
				require.NotContains(t, err.Error(), "person.example")
				require.NotEmpty(t, connectors.Remedy(err))
			})
		})
	}
}

func TestTextBeforeJSONIsTolerated(t *testing.T) {
	tests := map[string]string{
		"byte order mark": "\ufeff[{\"id\":1}]",
		"notice":          "<br />\n<b>Notice</b>:  Undefined index: foo[bar] in {x} on line <b>42</b><br />\n[{\"id\":1}]",
	}
	for name, body := range tests {
		t.Run(name, func(t *testing.T) {
			answer, err := client(t, &script{replies: []reply{{status: 200, body: body}}}).Do(t.Context(), get("orders page"))
			require.NoError(t, err)
			require.Equal(t, `[{"id":1}]`, string(answer.Body))
			require.Len(t, answer.Warnings, 1)
			require.NotContains(t, answer.Warnings[0], "<b>")
		})
	}
}

func TestDefaultKinds(t *testing.T) {
	tests := []struct {
		reply reply
		kind  connectors.Kind
	}{
		{reply{status: 401, body: `{"code":"x"}`}, connectors.KindCredentials},
		{reply{status: 403, body: `{"code":"x"}`}, connectors.KindCredentials},
		{reply{status: 403, kind: "text/html", body: `<h1>Forbidden</h1>`}, connectors.KindRetry},
		{reply{status: 404, body: `{"code":"x"}`}, connectors.KindPermanent},
		{reply{status: 400, body: `{"code":"x"}`}, connectors.KindPermanent},
		{reply{status: 304}, connectors.KindPermanent},
	}
	for _, tt := range tests {
		synctest.Test(t, func(t *testing.T) {
			_, err := client(t, &script{replies: []reply{tt.reply}}).Do(t.Context(), get("x"))
			require.Equal(t, tt.kind, connectors.KindOf(err), tt.reply.status)
		})
	}
}

func TestClassifyDecides(t *testing.T) {
	s := &script{replies: []reply{{status: 404, body: `{"code":"gone"}`}}}
	c := client(t, s, func(o *httpapi.Options) {
		o.Classify = func(r httpapi.Response) *connectors.Error {
			if r.Status == 404 && r.JSON {
				return &connectors.Error{Kind: connectors.KindRecord, Err: errors.New("gone")}
			}
			return nil
		}
	})
	_, err := c.Do(t.Context(), get("order"))
	require.Equal(t, connectors.KindRecord, connectors.KindOf(err))
	require.EqualError(t, err, "order: gone")
	require.Len(t, s.asked, 1)
}

func TestRedirects(t *testing.T) {
	var foreign atomic.Int32
	stranger := httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) { foreign.Add(1) }))
	defer stranger.Close()
	var last *http.Request
	mux := http.NewServeMux()
	mux.HandleFunc("/away", func(w http.ResponseWriter, r *http.Request) {
		http.Redirect(w, r, strings.Replace(stranger.URL, "127.0.0.1", "localhost", 1)+"/there?consumer_secret="+canary, http.StatusFound)
	})
	mux.HandleFunc("/port", func(w http.ResponseWriter, r *http.Request) {
		http.Redirect(w, r, stranger.URL+"/there", http.StatusMovedPermanently)
	})
	mux.HandleFunc("/scheme", func(w http.ResponseWriter, r *http.Request) {
		http.Redirect(w, r, "https://"+r.Host+"/there", http.StatusMovedPermanently)
	})
	mux.HandleFunc("/here", func(w http.ResponseWriter, r *http.Request) {
		http.Redirect(w, r, "/there", http.StatusMovedPermanently)
	})
	mux.HandleFunc("/there", func(w http.ResponseWriter, r *http.Request) {
		last = r
		w.Header().Set("Content-Type", "application/json")
		_, _ = io.WriteString(w, `[]`)
	})
	server := httptest.NewServer(mux)
	defer server.Close()
	c := client(t, nil, func(o *httpapi.Options) { o.BaseURL = server.URL })
	for _, path := range []string{"away", "port", "scheme"} {
		_, err := c.Do(t.Context(), httpapi.Request{Op: "x", Path: path})
		var e *httpapi.RedirectError
		require.ErrorAs(t, err, &e, path)
		require.Equal(t, connectors.KindPermanent, connectors.KindOf(err))
		require.Contains(t, connectors.Remedy(err), e.Target)
		require.NotContains(t, err.Error()+connectors.Remedy(err), canary)
	}
	require.Zero(t, foreign.Load())
	_, err := c.Do(t.Context(), httpapi.Request{Op: "x", Path: "here"})
	require.NoError(t, err)
	require.NotEmpty(t, last.Header.Get("X-Sign"))
	_, err = c.Do(t.Context(), httpapi.Request{Op: "x", Path: "here", Method: "POST", Body: []byte(`{}`)})
	require.Error(t, err, "a redirected write would turn into a read")
}

func TestGzip(t *testing.T) {
	pack := func(b []byte) []byte {
		var buf bytes.Buffer
		w := gzip.NewWriter(&buf)
		_, _ = w.Write(b)
		_ = w.Close()
		return buf.Bytes()
	}
	bomb := pack(append([]byte("["), bytes.Repeat([]byte(" "), 10<<20)...))
	good := pack([]byte(`[1]`))
	serve := func(header string, body []byte) *httptest.Server {
		return httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Content-Type", "application/json")
			if header != "" {
				w.Header().Set("Content-Encoding", header)
			}
			_, _ = w.Write(body)
		}))
	}
	small := func(o *httpapi.Options) { o.MaxBody = 1 << 20; o.Attempts = 1 }
	for _, header := range []string{"gzip", ""} {
		server := serve(header, bomb)
		_, err := client(t, nil, small, func(o *httpapi.Options) { o.BaseURL = server.URL }).Do(t.Context(), get("x"))
		require.ErrorContains(t, err, "too large")
		server.Close()
		server = serve(header, good)
		answer, err := client(t, nil, small, func(o *httpapi.Options) { o.BaseURL = server.URL }).Do(t.Context(), get("x"))
		require.NoError(t, err)
		require.Equal(t, "[1]", string(answer.Body))
		server.Close()
		server = serve(header, good[:len(good)-6])
		_, err = client(t, nil, small, func(o *httpapi.Options) { o.BaseURL = server.URL }).Do(t.Context(), get("x"))
		require.Equal(t, connectors.KindRetry, connectors.KindOf(err))
		require.Error(t, err)
		server.Close()
	}
}

func TestCutAtEveryPosition(t *testing.T) {
	whole := `[{"id":1,"name":"a]b"},{"id":2,"x":[1,2,{"y":null}]}]`
	cutAt := 0
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Content-Type", "application/json")
		if r.URL.Query().Get("length") == "true" {
			w.Header().Set("Content-Length", fmt.Sprint(len(whole)))
		}
		_, _ = io.WriteString(w, whole[:cutAt])
	}))
	defer server.Close()
	c := client(t, nil, func(o *httpapi.Options) { o.BaseURL = server.URL; o.Attempts = 1 })
	for cutAt = range len(whole) {
		for _, length := range []string{"true", "false"} {
			r := get("x")
			r.Query = url.Values{"length": {length}}
			_, err := c.Do(t.Context(), r)
			require.Error(t, err, cutAt)
			require.Equal(t, connectors.KindRetry, connectors.KindOf(err))
		}
	}
}

func TestUnreachable(t *testing.T) {
	closed := httptest.NewServer(nil)
	closed.Close()
	tls := httptest.NewTLSServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) {}))
	tls.Config.ErrorLog = slog.NewLogLogger(slog.DiscardHandler, slog.LevelError)
	defer tls.Close()
	plain := httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) {}))
	defer plain.Close()
	tests := map[string]struct{ url, text, remedy string }{
		"refused":       {closed.URL, "connection refused", "nothing listens"},
		"certificate":   {tls.URL, "certificate", "certificate is not valid"},
		"no tls there":  {strings.Replace(plain.URL, "http:", "https:", 1), "does not speak https", "address or its port"},
		"host unknown":  {"https://no-such-shop.invalid", "was not found", "name server"},
		"with a secret": {closed.URL + "/" + canary, "connection refused", "nothing listens"},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			c := client(t, nil, func(o *httpapi.Options) { o.BaseURL = tt.url; o.Attempts = 2; o.BackOff = time.Millisecond })
			r := get("orders page")
			r.Query = url.Values{"consumer_secret": {canary}}
			_, err := c.Do(t.Context(), r)
			require.Equal(t, connectors.KindRetry, connectors.KindOf(err))
			require.ErrorContains(t, err, tt.text)
			require.Contains(t, connectors.Remedy(err), tt.remedy)
			require.NotContains(t, err.Error(), canary)
		})
	}
}

func TestNoSecretInLogs(t *testing.T) {
	var out bytes.Buffer
	synctest.Test(t, func(t *testing.T) {
		s := &script{replies: []reply{
			{status: 500, body: `{"message":"` + canary + `"}`},
			{err: &url.Error{Op: "Get", URL: "https://x.example/?consumer_secret=" + canary, Err: errors.New("reset, said " + canary)}},
			{status: 200, kind: "text/html", body: "?consumer_secret=" + canary + "\n\x1b[31mnew line"},
			{status: 429, body: `{}`},
		}}
		c := client(t, s, func(o *httpapi.Options) {
			o.Deps.Log = slog.New(slog.NewTextHandler(&out, &slog.HandlerOptions{Level: slog.LevelDebug}))
		})
		_, err := c.Do(t.Context(), get("orders page"))
		require.Error(t, err)
		require.NotContains(t, err.Error(), canary)
	})
	require.Contains(t, out.String(), "attempt=4")
	require.NotContains(t, out.String(), canary)
	require.NotContains(t, out.String(), "\x1b")
}

func TestCancelIsPrompt(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		for _, r := range []reply{{hang: true}, {status: 500, body: `{}`}} {
			ctx, cancel := context.WithCancel(t.Context())
			s := &script{replies: []reply{r}}
			c := client(t, s, func(o *httpapi.Options) { o.BackOff = time.Hour; o.HeaderTimeout = 10 * time.Hour })
			start := time.Now()
			time.AfterFunc(time.Millisecond, cancel)
			_, err := c.Do(ctx, get("x"))
			require.ErrorIs(t, err, context.Canceled)
			require.LessOrEqual(t, time.Since(start), time.Second)
		}
	})
}

func TestRequestShape(t *testing.T) {
	var seen *http.Request
	s := roundTrip(func(r *http.Request) (*http.Response, error) {
		seen = r
		return &http.Response{StatusCode: 200, Header: http.Header{"Content-Type": {"application/json"}}, Body: io.NopCloser(strings.NewReader(`{}`)), Request: r}, nil
	})
	c := client(t, s)
	_, err := c.Do(t.Context(), httpapi.Request{Op: "index", Path: "wp-json/", Query: url.Values{"include": {"1,2"}}, Unsigned: true})
	require.NoError(t, err)
	require.Equal(t, "https://shop.example/sub/wp-json/?include=1%2C2", seen.URL.String())
	require.Equal(t, "Perennial/1.2.3 (+https://github.com/perennial-cvo/perennial)", seen.Header.Get("User-Agent"))
	require.Equal(t, "application/json", seen.Header.Get("Accept"))
	require.Empty(t, seen.Header.Get("X-Sign"))
}

func TestBaseURLIsChecked(t *testing.T) {
	for _, bad := range []string{"", "shop.example", "ftp://shop.example", "https://", "https://me:" + canary + "@shop.example", "https://shop.example/?a=" + canary, "https://x.example/%zz" + canary} {
		_, err := httpapi.New(httpapi.Options{BaseURL: bad})
		require.Error(t, err, bad)
		require.NotContains(t, err.Error(), canary)
	}
}

func TestAWaitReadByTheConnectorIsWaitedOut(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := &script{replies: []reply{{status: 429, body: `{}`}, {status: 200, body: `[]`}}}
		c := client(t, s, func(o *httpapi.Options) {
			o.Classify = func(httpapi.Response) *connectors.Error {
				return &connectors.Error{Kind: connectors.KindWait, Until: time.Now().Add(7 * time.Second)}
			}
		})
		_, err := c.Do(t.Context(), get("x"))
		require.NoError(t, err)
		require.GreaterOrEqual(t, s.asked[1].Sub(s.asked[0]), 7*time.Second)
	})
}
