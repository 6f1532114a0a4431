package simulator_test

import (
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/perennial-cvo/perennial/connectors/simulator"
)

// told is what a client sees of one request to a fake.
type told struct {
	status     int // 0 where the connection died before the answer
	body       string
	cut        bool
	retryAfter string
	done       bool // the request was carried out
}

// tell sends one request to a fake that says "42" to everything.
func tell(t *testing.T, front *simulator.Front, method string) (seen told) {
	t.Helper()
	speaks := simulator.Dialect{
		Answer: func(*http.Request, []byte) simulator.Reply {
			seen.done = true
			return simulator.Reply{Status: http.StatusOK, Body: []byte(`{"a":42}`)}
		},
		Throttled: func(f simulator.Fault) simulator.Reply {
			return simulator.Reply{Status: http.StatusTooManyRequests, Header: http.Header{}, Body: []byte(`"wait"`)}.WithRetryAfter(f)
		},
	}
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { front.Serve(w, r, speaks) }))
	defer server.Close()
	r, err := http.NewRequestWithContext(t.Context(), method, server.URL+"/things?of=mine", strings.NewReader("{}"))
	require.NoError(t, err)
	answer, err := (&http.Client{Timeout: time.Second / 4, Transport: &http.Transport{DisableKeepAlives: true}}).Do(r)
	if err != nil {
		return seen
	}
	defer func() { _ = answer.Body.Close() }()
	body, err := io.ReadAll(answer.Body)
	seen.status, seen.body, seen.cut, seen.retryAfter = answer.StatusCode, string(body), err != nil, answer.Header.Get("Retry-After")
	return seen
}

func TestFaultsBefallRequests(t *testing.T) {
	page := tell(t, faulty(simulator.Fault{Kind: simulator.HTMLPage, Times: 1}), "GET").body
	require.Contains(t, page, "<html>")
	for _, tt := range []struct {
		fault simulator.Fault
		want  told
	}{
		{simulator.Fault{Kind: simulator.TooManyRequests}, told{status: 429, body: `"wait"`}},
		{simulator.Fault{Kind: simulator.TooManyRequests, RetryAfter: 2 * time.Second}, told{status: 429, body: `"wait"`, retryAfter: "2"}},
		{simulator.Fault{Kind: simulator.BareThrottle}, told{status: 429}},
		{simulator.Fault{Kind: simulator.ThrottlePage}, told{status: 429, body: page}},
		{simulator.Fault{Kind: simulator.BareForbidden}, told{status: 403}},
		{simulator.Fault{Kind: simulator.ForbiddenPage}, told{status: 403, body: page}},
		{simulator.Fault{Kind: simulator.ServerError}, told{status: 503, body: page}},
		{simulator.Fault{Kind: simulator.HTMLPage}, told{status: 200, body: page}},
		{simulator.Fault{Kind: simulator.EmptyBody}, told{status: 200}},
		{simulator.Fault{Kind: simulator.Hang}, told{}},
		{simulator.Fault{Kind: simulator.CutBody}, told{status: 200, body: `{"a"`, cut: true, done: true}},
		{simulator.Fault{Kind: simulator.BrokenJSON}, told{status: 200, body: `{"a":4`, done: true}},
		{simulator.Fault{Kind: simulator.LostAnswer}, told{done: true}},
	} {
		t.Run(string(tt.fault.Kind), func(t *testing.T) {
			tt.fault.Times = 1
			front := faulty(tt.fault)
			require.Equal(t, tt.want, tell(t, front, "POST"))
			require.Equal(t, told{status: 200, body: `{"a":42}`, done: true}, tell(t, front, "POST"), "it befell one request")
		})
	}
}

func faulty(f simulator.Fault) *simulator.Front {
	front := &simulator.Front{}
	front.Fault(f)
	return front
}

func TestFaultsChooseRequests(t *testing.T) {
	front := faulty(simulator.Fault{Kind: simulator.BareForbidden, Times: 2, Writes: true, After: 1})
	for i, method := range []string{"POST", "GET", "DELETE", "GET", "PATCH", "POST"} {
		want := http.StatusOK
		if i == 2 || i == 4 {
			want = http.StatusForbidden
		}
		require.Equal(t, want, tell(t, front, method).status, i)
		kept := front.Requests()[i]
		require.Equal(t, simulator.Request{Method: method, Path: "/things?of=mine", Body: "{}", Status: want, Write: method != "GET"}, kept)
	}
	front.Revoke()
	front.Fault(simulator.Fault{Kind: simulator.BareForbidden, Times: 2})
	front.Restore()
	require.False(t, front.Revoked())
	require.Equal(t, http.StatusOK, tell(t, front, "GET").status)
	front.ForgetRequests()
	require.Empty(t, front.Requests())
}
