package bench

import (
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/perennial-cvo/perennial/connectors"
	"github.com/perennial-cvo/perennial/connectors/brevo/brevotest"
	"github.com/perennial-cvo/perennial/connectors/klaviyo/klaviyotest"
	"github.com/perennial-cvo/perennial/connectors/simulator"
)

// limited is a platform that refuses what goes beyond its documented rate.
type limited struct {
	mailer
	counted string  // what the paths of the requests in question hold
	allowed float64 // requests a second
	people  int
}

// watch notes when requests of a kind came, and how many of any kind were refused for coming too soon.
type watch struct {
	next    http.Handler
	counted string

	mu      sync.Mutex
	times   []time.Time
	refused int
}

func (w *watch) ServeHTTP(rw http.ResponseWriter, r *http.Request) {
	if strings.Contains(r.URL.Path, w.counted) && r.Method == http.MethodPost {
		w.mu.Lock()
		w.times = append(w.times, time.Now())
		w.mu.Unlock()
	}
	answer := &status{ResponseWriter: rw}
	w.next.ServeHTTP(answer, r)
	if answer.code == http.StatusTooManyRequests {
		w.mu.Lock()
		w.refused++
		w.mu.Unlock()
	}
}

// status remembers how a request was answered.
type status struct {
	http.ResponseWriter
	code int
}

func (s *status) WriteHeader(code int) {
	s.code = code
	s.ResponseWriter.WriteHeader(code)
}

// measureLimits writes to platforms in small pieces for some seconds, and holds the rate against what they allow.
func measureLimits(tb testing.TB, scale float64) []figure {
	shop := simulator.New(simulator.Options{Customers: sized(2400, scale, 60), GuestShare: -1})
	var figures []figure
	for _, l := range []limited{
		{mailer{
			kind: "brevo", fake: brevotest.New(shop, brevotest.Options{Now: time.Now}), path: "/v3",
			settings: connectors.Settings{"api_key": "fake-brevo-key", "batch": 3},
		}, "/contacts/batch", 10, 600},
		{mailer{
			kind: "klaviyo", fake: klaviyotest.New(shop, klaviyotest.Options{Now: time.Now, Limits: true}),
			settings: connectors.Settings{"api_key": "fake-klaviyo-key", "mode": "lists", "list_batch": 1},
		}, "/relationships/profiles", 10, 200},
	} {
		w := &watch{next: l.fake, counted: l.counted}
		server := httptest.NewServer(w)
		tb.Cleanup(server.Close)
		l.settings["url"] = server.URL + l.path
		l.night(tb, l.people, 0, everybody(shop)[:sized(l.people, scale, 20)])
		require.GreaterOrEqual(tb, len(w.times), 2)
		rate := float64(len(w.times)-1) / w.times[len(w.times)-1].Sub(w.times[0]).Seconds()
		figures = append(figures,
			figure{name: "writes to " + l.kind + " against what it allows", unit: "a second", ours: rate, bare: l.allowed, target: 0.9, atLeast: true},
			figure{name: fmt.Sprintf("answers 429 of %s to %d writes", l.kind, len(w.times)), unit: "answers", ours: float64(w.refused), alone: true},
		)
	}
	return figures
}
