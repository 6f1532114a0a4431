package httpapi_test

import (
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"strconv"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/perennial-cvo/perennial/connectors"
	"github.com/perennial-cvo/perennial/connectors/httpapi"
)

// leaky is the other side's bucket: a script whose answers tell its level.
func leaky(available, restore float64) reply {
	return reply{status: 200, body: fmt.Sprintf(`{"max":1000,"available":%g,"restore":%g}`, available, restore)}
}

func withBucket(o *httpapi.Options) {
	o.Bucket = func(r httpapi.Response) (httpapi.Level, bool) {
		var level httpapi.Level
		err := json.Unmarshal(r.Body, &level)
		return level, err == nil && level.Max > 0
	}
}

func costly(cost float64) httpapi.Request {
	r := get("orders page")
	r.Cost = cost
	return r
}

func TestBucketHoldsRequestsBack(t *testing.T) {
	tests := map[string]struct {
		level  reply
		idle   time.Duration // between the answer and the next request
		cost   float64
		waited time.Duration
	}{
		"enough is there":             {leaky(500, 100), 0, 500, 0},
		"waits for what is lacking":   {leaky(100, 100), 0, 500, 4 * time.Second},
		"time passed refills it":      {leaky(100, 100), 3 * time.Second, 500, time.Second},
		"never above full":            {leaky(900, 100), time.Hour, 1000, 0},
		"more than it holds":          {leaky(0, 100), 0, 5000, 10 * time.Second},
		"no cost, no wait":            {leaky(0, 100), 0, 0, 0},
		"unknown holds nobody back":   {reply{status: 200, body: `{}`}, 0, 500, 0},
		"a bucket that never refills": {leaky(0, 0), 0, 500, 0},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				s := &script{replies: []reply{tt.level}}
				c := client(t, s, withBucket)
				_, err := c.Do(t.Context(), costly(10))
				require.NoError(t, err)
				time.Sleep(tt.idle)
				start := time.Now()
				_, err = c.Do(t.Context(), costly(tt.cost))
				require.NoError(t, err)
				require.Equal(t, tt.waited, s.asked[1].Sub(start))
			})
		})
	}
}

// well is a true leaky bucket: it refuses what it does not hold, and takes a while to answer.
type well struct {
	mu        sync.Mutex
	available float64
	at        time.Time
	refused   int
	served    float64
}

func (w *well) RoundTrip(r *http.Request) (*http.Response, error) {
	cost, _ := strconv.ParseFloat(r.Header.Get("X-Cost"), 64)
	w.mu.Lock()
	defer w.mu.Unlock()
	now := time.Now()
	w.available = min(1000, w.available+100*now.Sub(w.at).Seconds())
	w.at = now
	if w.available < cost-1e-6 {
		w.refused++
	} else {
		w.available -= cost
		w.served += cost
	}
	body := fmt.Sprintf(`{"max":1000,"available":%g,"restore":100}`, w.available)
	w.mu.Unlock()
	time.Sleep(200 * time.Millisecond)
	w.mu.Lock()
	h := http.Header{"Content-Type": {"application/json"}}
	return &http.Response{StatusCode: 200, Header: h, Body: io.NopCloser(strings.NewReader(body)), Request: r}, nil
}

func TestBucketIsNeverOverdrawnAndHardlyIdle(t *testing.T) {
	for _, concurrency := range []int{1, 4} {
		t.Run(fmt.Sprint(concurrency), func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				w := &well{available: 1000, at: time.Now()}
				c := client(t, w, withBucket, func(o *httpapi.Options) { o.Concurrency, o.Sign = concurrency, nil })
				ask := func(cost float64) error {
					r := costly(cost)
					r.Header = http.Header{"X-Cost": {fmt.Sprint(cost)}}
					_, err := c.Do(t.Context(), r)
					return err
				}
				start := time.Now()
				require.NoError(t, ask(10))
				done := make(chan error)
				for i := range 40 {
					go func() { done <- ask(float64(100 + 20*(i%10))) }()
				}
				for range 40 {
					require.NoError(t, <-done)
				}
				require.Zero(t, w.refused, "requests on their way are counted too")
				ideal := (w.served - 1000) / 100
				require.Less(t, time.Since(start).Seconds(), 1.2*ideal)
			})
		})
	}
}

func TestInspectFindsFailuresInGoodAnswers(t *testing.T) {
	tests := map[string]struct {
		kind       connectors.Kind
		until      time.Duration
		idempotent bool
		asked      int
		atLeast    time.Duration
		heavy      bool
	}{
		"asks for patience: was not executed":  {kind: connectors.KindWait, until: 20 * time.Second, asked: 2, atLeast: 20 * time.Second},
		"passes, and may be repeated":          {kind: connectors.KindRetry, idempotent: true, asked: 2},
		"passes, but a write is not repeated":  {kind: connectors.KindRetry, asked: 1, heavy: true},
		"final":                                {kind: connectors.KindPermanent, idempotent: true, asked: 1},
		"credentials":                          {kind: connectors.KindCredentials, idempotent: true, asked: 1},
		"patience beyond measure defers a run": {kind: connectors.KindWait, until: time.Hour, asked: 1},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				s := &script{replies: []reply{{status: 200, body: `{"errors":[1]}`}, {status: 200, body: `{"data":{}}`}}}
				c := client(t, s, func(o *httpapi.Options) {
					o.Inspect = func(r httpapi.Response) *connectors.Error {
						if string(r.Body) == `{"data":{}}` {
							return nil
						}
						e := &connectors.Error{Kind: tt.kind, Err: fmt.Errorf("failed with status %d", r.Status)}
						if tt.until > 0 {
							e.Until = time.Now().Add(tt.until)
						}
						return e
					}
				})
				_, err := c.Do(t.Context(), httpapi.Request{Op: "orders page", Method: "POST", Path: "x", Body: []byte(`{}`), Idempotent: tt.idempotent})
				require.Len(t, s.asked, tt.asked)
				if tt.asked == 2 {
					require.NoError(t, err)
					require.GreaterOrEqual(t, s.asked[1].Sub(s.asked[0]), tt.atLeast)
					return
				}
				require.Equal(t, tt.kind, connectors.KindOf(err))
				require.ErrorContains(t, err, "orders page: failed with status 200")
				require.Equal(t, tt.heavy, isHeavy(err))
			})
		})
	}
}
