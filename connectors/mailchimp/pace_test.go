package mailchimp

import (
	"fmt"
	"math/rand/v2"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/perennial-cvo/perennial/connectors"
	"github.com/perennial-cvo/perennial/connectors/mailchimp/mailchimptest"
)

// wire carries requests to a fake without sockets, each a while on its way, and notes when each was there.
type wire struct {
	to http.Handler

	mu   sync.Mutex
	seen []span
}

// span is one request on its way.
type span struct {
	what     string
	from, to time.Time
}

func (w *wire) RoundTrip(r *http.Request) (*http.Response, error) {
	s := span{what: r.Method + " " + r.URL.RequestURI(), from: time.Now()}
	time.Sleep(time.Duration(rand.IntN(300)) * time.Millisecond)
	if r.Body == nil {
		r.Body = http.NoBody
	}
	r.Host = r.URL.Host
	answer := httptest.NewRecorder()
	w.to.ServeHTTP(answer, r)
	s.to = time.Now()
	w.mu.Lock()
	defer w.mu.Unlock()
	w.seen = append(w.seen, s)
	return answer.Result(), nil
}

// busy returns how many requests that hold a text were on their way at a time on average, from when the ninth was sent, when
// every connection has work, until the last was sent, when there is no more work. It returns too how many there were.
func (w *wire) busy(text string) (connections float64, requests int) {
	some := slices.DeleteFunc(slices.Clone(w.seen), func(s span) bool { return !strings.Contains(s.what, text) })
	slices.SortFunc(some, func(a, b span) int { return a.from.Compare(b.from) })
	if len(some) < 2*mostConnections {
		return 0, len(some)
	}
	from, to := some[usualConnections-1].from, some[len(some)-1].from
	var open time.Duration
	for _, s := range some {
		begun, ended := s.from, s.to
		if begun.Before(from) {
			begun = from
		}
		if ended.After(to) {
			ended = to
		}
		open += max(0, ended.Sub(begun))
	}
	return float64(open) / float64(to.Sub(from)), len(some)
}

// TestNineOfTenConnectionsAreKeptBusy lets every kind of request come in large numbers. Mailchimp counts no requests in a
// time, but connections at a time: ten, of which nine are to be in use wherever there is work for them, without a single
// refusal.
func TestNineOfTenConnectionsAreKeptBusy(t *testing.T) {
	for name, tt := range map[string]struct {
		contacts, pushed, audiences int
		settings                    connectors.Settings
		what                        string
	}{
		"walks":        {60_000, 15_000, 1, connectors.Settings{"mode": "lists"}, "/members?"},
		"look-ups":     {60_000, 50, 1, connectors.Settings{"mode": "lists"}, "/members/"},
		"tags":         {3000, 3000, 10, connectors.Settings{"mode": "lists", "tag_batch": 10}, "POST /3.0/lists/1a2b3c4d5e/segments/"},
		"one tag":      {3000, 3000, 1, connectors.Settings{"mode": "lists", "tag_batch": 10}, "POST /3.0/lists/1a2b3c4d5e/segments/"},
		"merge fields": {1000, 999, 1, connectors.Settings{"mode": "attributes", "bulk_from": 1000}, "PATCH"},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				b := &bench{Server: mailchimptest.New(nil, mailchimptest.Options{Key: canary, Latency: 200 * time.Millisecond})}
				w := &wire{to: b}
				people := b.crowdOf(tt.contacts)[tt.contacts-tt.pushed:]
				settings := connectors.Settings{"api_key": canary, "audience": b.Audience(), "url": "https://us21.example.com/3.0"}
				for key, value := range tt.settings {
					settings[key] = value
				}
				d, err := factory(timing{transport: w, poll: time.Second, stall: time.Hour}).NewDestination(settings, connectors.Deps{})
				require.NoError(t, err)
				var audiences []connectors.Audience
				for i := range tt.audiences {
					audiences = append(audiences, connectors.Audience{Key: fmt.Sprint("a", i), Name: fmt.Sprint("A", i)})
				}
				_, err = d.Ensure(t.Context(), audiences)
				require.NoError(t, err)
				var changes []connectors.Change
				for i, p := range people {
					changes = append(changes, join(p, audiences[i%len(audiences)]))
				}
				result, err := d.Apply(t.Context(), changes)
				require.NoError(t, err)
				require.Len(t, result.Outcomes, len(changes))
				for _, r := range b.Requests() {
					require.NotEqual(t, http.StatusTooManyRequests, r.Status)
				}
				connections, requests := w.busy(tt.what)
				require.GreaterOrEqual(t, connections/mailchimptest.MostConnections, 0.9-1e-9, "of %d requests", requests)
				require.LessOrEqual(t, b.Connections(), usualConnections)
			})
		})
	}
}
