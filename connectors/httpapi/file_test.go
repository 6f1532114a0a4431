package httpapi_test

import (
	"bytes"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/perennial-cvo/perennial/connectors"
	"github.com/perennial-cvo/perennial/connectors/httpapi"
)

const signature = "GoogleAccessId=it&Expires=1&Signature=signed%2Fcanary%3D"

func isHeavy(err error) bool { return errors.Is(err, httpapi.ErrHeavy) }

// serve answers every request with the handler, whatever its host.
func serve(h http.HandlerFunc) http.RoundTripper {
	return roundTrip(func(r *http.Request) (*http.Response, error) {
		w := httptest.NewRecorder()
		h(w, r)
		answer := w.Result()
		answer.Request = r
		return answer, nil
	})
}

func TestAbsoluteAddressGoesWithoutCredentials(t *testing.T) {
	var asked *http.Request
	c := client(t, serve(func(w http.ResponseWriter, r *http.Request) {
		asked = r
		w.Header().Set("Content-Type", "application/jsonl")
		_, _ = w.Write([]byte("{}\n{}"))
	}), func(o *httpapi.Options) {
		o.Inspect = func(httpapi.Response) *connectors.Error { return &connectors.Error{Err: errors.New("not the API")} }
	})
	answer, err := c.Do(t.Context(), httpapi.Request{
		Op: "result file", URL: "https://files.example/a%2Fb/bulk.jsonl?" + signature, Raw: true,
		Header: http.Header{"X-More": {"1"}},
	})
	require.NoError(t, err)
	require.Equal(t, "{}\n{}", string(answer.Body))
	require.Equal(t, "https://files.example/a%2Fb/bulk.jsonl?"+signature, asked.URL.String(), "as it came, to the letter")
	require.Empty(t, asked.Header.Get("X-Sign"))
	require.Equal(t, "1", asked.Header.Get("X-More"))
}

func TestAbsoluteAddressIsNamedByNobody(t *testing.T) {
	tests := map[string]struct {
		transport http.RoundTripper
		kind      connectors.Kind
		status    int
	}{
		"expired": {serve(func(w http.ResponseWriter, r *http.Request) {
			w.Header().Set("Content-Type", "application/xml")
			w.WriteHeader(400)
			fmt.Fprintf(w, "<Error><Code>ExpiredToken</Code><StringToSign>%s?%s</StringToSign></Error>", r.URL.Path, r.URL.RawQuery)
		}), connectors.KindPermanent, 400},
		"forbidden":        {serve(func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(403) }), connectors.KindPermanent, 403},
		"gone":             {serve(func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(404) }), connectors.KindPermanent, 404},
		"storage down":     {serve(func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(503) }), connectors.KindRetry, 503},
		"connection broke": {roundTrip(func(*http.Request) (*http.Response, error) { return nil, errors.New("reset") }), connectors.KindRetry, 0},
		"sent elsewhere": {serve(func(w http.ResponseWriter, r *http.Request) {
			http.Redirect(w, r, "https://elsewhere.example/secretpath/canary?"+signature, http.StatusFound)
		}), connectors.KindPermanent, 0},
		"not JSON": {serve(func(w http.ResponseWriter, r *http.Request) { fmt.Fprint(w, r.URL.String()) }), connectors.KindRetry, 0},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				var log bytes.Buffer
				c := client(t, tt.transport, func(o *httpapi.Options) {
					o.Deps.Log = slog.New(slog.NewTextHandler(&log, nil))
					o.Classify = func(httpapi.Response) *connectors.Error { panic("not the API") }
				})
				_, err := c.Do(t.Context(), httpapi.Request{Op: "result file", URL: "https://files.example/secretpath/canary?" + signature})
				require.Equal(t, tt.kind, connectors.KindOf(err), err)
				require.NotContains(t, err.Error()+connectors.Remedy(err)+log.String(), "canary")
				require.NotContains(t, err.Error()+connectors.Remedy(err)+log.String(), "Signature")
				var status *httpapi.StatusError
				if errors.As(err, &status) {
					require.Equal(t, tt.status, status.Status)
				} else {
					require.Zero(t, tt.status)
				}
			})
		})
	}
}

func TestAbsoluteAddressMustBeOne(t *testing.T) {
	c := client(t, serve(func(http.ResponseWriter, *http.Request) { panic("asked") }))
	for _, address := range []string{"/canary", "ftp://files.example/canary", "https://canary\x00"} {
		_, err := c.Do(t.Context(), httpapi.Request{Op: "result file", URL: address})
		require.Equal(t, connectors.KindPermanent, connectors.KindOf(err))
		require.NotContains(t, err.Error(), "canary")
	}
}

func TestSpan(t *testing.T) {
	const file = "0123456789abcdef"
	honours := func(w http.ResponseWriter, r *http.Request) {
		http.ServeContent(w, r, "file", time.Time{}, strings.NewReader(file))
	}
	ignores := func(w http.ResponseWriter, _ *http.Request) { _, _ = w.Write([]byte(file)) }
	stingy := func(w http.ResponseWriter, _ *http.Request) { // sends less than asked, and hides the size
		w.Header().Set("Content-Range", "bytes 4-5/*")
		w.WriteHeader(206)
		_, _ = w.Write([]byte("45"))
	}
	tests := map[string]struct {
		serve http.HandlerFunc
		span  httpapi.Span
		want  string
		end   bool
	}{
		"beginning":                       {honours, httpapi.Span{Size: 4}, "0123", false},
		"middle":                          {honours, httpapi.Span{From: 4, Size: 4}, "4567", false},
		"to the last byte":                {honours, httpapi.Span{From: 12, Size: 4}, "cdef", true},
		"over the end":                    {honours, httpapi.Span{From: 12, Size: 400}, "cdef", true},
		"behind the end":                  {honours, httpapi.Span{From: 16, Size: 4}, "", true},
		"less came":                       {stingy, httpapi.Span{From: 4, Size: 4}, "45", false},
		"range ignored: beginning":        {ignores, httpapi.Span{Size: 4}, "0123", false},
		"range ignored: middle":           {ignores, httpapi.Span{From: 4, Size: 4}, "4567", false},
		"range ignored: to the last byte": {ignores, httpapi.Span{From: 12, Size: 4}, "cdef", true},
		"range ignored: over the end":     {ignores, httpapi.Span{From: 12, Size: 400}, "cdef", true},
		"range ignored: behind the end":   {ignores, httpapi.Span{From: 16, Size: 4}, "", true},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			// A file may be larger than any answer that is kept whole.
			c := client(t, serve(tt.serve), func(o *httpapi.Options) { o.MaxBody = 5 })
			answer, err := c.Do(t.Context(), httpapi.Request{Op: "result file", URL: "https://files.example/f", Span: &tt.span})
			require.NoError(t, err)
			require.Equal(t, tt.want, string(answer.Body))
			require.Equal(t, tt.end, answer.End)
		})
	}
}

func TestSpanThatIsNotTheOneAskedFor(t *testing.T) {
	tests := map[string]http.HandlerFunc{
		"other bytes": func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Content-Range", "bytes 0-3/16")
			w.WriteHeader(206)
			_, _ = w.Write([]byte("0123"))
		},
		"none": func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Content-Range", "bytes 4-7/16")
			w.WriteHeader(206)
		},
		"the file shrank": func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Content-Range", "bytes */2")
			w.WriteHeader(416)
		},
	}
	for name, handler := range tests {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				c := client(t, serve(handler))
				_, err := c.Do(t.Context(), httpapi.Request{Op: "result file", URL: "https://files.example/f", Span: &httpapi.Span{From: 4, Size: 4}})
				require.Error(t, err)
			})
		})
	}
}

func TestFormBody(t *testing.T) {
	var kind string
	c := client(t, serve(func(w http.ResponseWriter, r *http.Request) {
		kind = r.Header.Get("Content-Type")
		w.Header().Set("Content-Type", "application/json")
		_, _ = w.Write([]byte("{}"))
	}))
	_, err := c.Do(t.Context(), httpapi.Request{Op: "token", Method: "POST", Path: "t", Body: []byte("a=b"), ContentType: "application/x-www-form-urlencoded"})
	require.NoError(t, err)
	require.Equal(t, "application/x-www-form-urlencoded", kind)
}

func TestLargeBodyHasTimeToGoOut(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		slow := roundTrip(func(r *http.Request) (*http.Response, error) {
			select {
			case <-time.After(100 * time.Second):
				return &http.Response{StatusCode: 201, Header: http.Header{}, Body: http.NoBody, Request: r}, nil
			case <-r.Context().Done():
				return nil, r.Context().Err()
			}
		})
		c := client(t, slow, func(o *httpapi.Options) { o.Attempts = 1 })
		r := httpapi.Request{Op: "upload", Method: "POST", URL: "https://files.example/f", Body: make([]byte, 10<<20), Raw: true}
		_, err := c.Do(t.Context(), r)
		require.NoError(t, err)
		r.Body = []byte("small")
		_, err = c.Do(t.Context(), r)
		require.ErrorContains(t, err, "no answer in time")
	})
}
