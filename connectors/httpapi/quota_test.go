package httpapi_test

import (
	"io"
	"math/rand/v2"
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

// windows is another side that counts requests in fixed windows, as they reach it after a while on their way.
type windows struct {
	mu      sync.Mutex
	limits  []httpapi.Limit
	counted map[time.Duration]map[int64]int
	refused int
	times   []time.Time
	left    func(n int) (left, reset string)
}

func (w *windows) RoundTrip(*http.Request) (*http.Response, error) {
	time.Sleep(time.Duration(5+rand.IntN(60)) * time.Millisecond)
	w.mu.Lock()
	now, answer := time.Now(), &http.Response{StatusCode: 200, Header: http.Header{"Content-Type": {"application/json"}}}
	w.times = append(w.times, now)
	for _, l := range w.limits {
		if w.counted[l.Window] == nil {
			w.counted[l.Window] = map[int64]int{}
		}
		at := now.UnixNano() / int64(l.Window)
		w.counted[l.Window][at]++
		if w.counted[l.Window][at] > l.Count {
			w.refused++
			answer.StatusCode = 429
		}
	}
	if w.left != nil {
		left, reset := w.left(len(w.times))
		answer.Header.Set("RateLimit-Remaining", left)
		answer.Header.Set("RateLimit-Reset", reset)
	}
	w.mu.Unlock()
	time.Sleep(time.Duration(rand.IntN(60)) * time.Millisecond)
	answer.Body = io.NopCloser(strings.NewReader(`{}`))
	return answer, nil
}

// TestQuotaMeetsNoRefusalAndWastesLittle sends for four minutes as fast as it may.
func TestQuotaMeetsNoRefusalAndWastesLittle(t *testing.T) {
	limits := []httpapi.Limit{{Count: 10, Window: time.Second}, {Count: 150, Window: time.Minute}}
	synctest.Test(t, func(t *testing.T) {
		time.Sleep(137 * time.Millisecond) // our windows begin elsewhere than theirs
		w := &windows{limits: limits, counted: map[time.Duration]map[int64]int{}}
		c := client(t, w, func(o *httpapi.Options) { o.Concurrency, o.Sign = 4, nil })
		quota := httpapi.NewQuota(limits...)
		end := time.Now().Add(4 * time.Minute)
		var group sync.WaitGroup
		for range 4 {
			group.Go(func() {
				for time.Now().Before(end) {
					_, err := c.Do(t.Context(), httpapi.Request{Op: "x", Path: "x", Quota: quota})
					require.NoError(t, err)
				}
			})
		}
		group.Wait()
		require.Zero(t, w.refused)
		require.GreaterOrEqual(t, len(w.times), 4*150*9/10, "at least 90 % of what is allowed")
	})
}

// TestQuotaWastesNothingOnALongWay: the other side is far, and all answers take long, some a little longer.
func TestQuotaWastesNothingOnALongWay(t *testing.T) {
	limit := httpapi.Limit{Count: 10, Window: time.Second}
	synctest.Test(t, func(t *testing.T) {
		w := &windows{limits: []httpapi.Limit{limit}, counted: map[time.Duration]map[int64]int{}}
		c := client(t, far{w}, func(o *httpapi.Options) { o.Concurrency, o.Sign = 12, nil })
		quota := httpapi.NewQuota(limit)
		end := time.Now().Add(4 * time.Minute)
		var group sync.WaitGroup
		for range 12 {
			group.Go(func() {
				for time.Now().Before(end) {
					_, err := c.Do(t.Context(), httpapi.Request{Op: "x", Path: "x", Quota: quota})
					require.NoError(t, err)
				}
			})
		}
		group.Wait()
		require.Zero(t, w.refused)
		require.GreaterOrEqual(t, len(w.times), 4*60*10*8/10)
	})
}

// far is a long way to another side.
type far struct{ next http.RoundTripper }

func (f far) RoundTrip(r *http.Request) (*http.Response, error) {
	time.Sleep(300 * time.Millisecond)
	answer, err := f.next.RoundTrip(r)
	time.Sleep(200 * time.Millisecond)
	return answer, err
}

func TestQuotaHeedsWhatIsLeft(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := &windows{left: func(n int) (string, string) {
			if n == 1 {
				return "0", "40"
			}
			return "9", "40"
		}}
		c := client(t, w, func(o *httpapi.Options) {
			o.Left = func(r httpapi.Response) (int, time.Duration, bool) {
				left, err := strconv.Atoi(r.Header.Get("RateLimit-Remaining"))
				reset, _ := strconv.Atoi(r.Header.Get("RateLimit-Reset"))
				return left, time.Duration(reset) * time.Second, err == nil
			}
		})
		spent, other := httpapi.NewQuota(), httpapi.NewQuota()
		for _, q := range []*httpapi.Quota{spent, other, spent, spent} {
			_, err := c.Do(t.Context(), httpapi.Request{Op: "x", Path: "x", Quota: q})
			require.NoError(t, err)
		}
		require.Less(t, w.times[1].Sub(w.times[0]), time.Second, "another allowance is not touched")
		require.GreaterOrEqual(t, w.times[2].Sub(w.times[0]), 40*time.Second)
		require.Less(t, w.times[3].Sub(w.times[2]), time.Second)
	})
}

func TestSpentQuotaDefersTheRun(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := &windows{}
		c := client(t, w)
		daily := httpapi.NewQuota(httpapi.Limit{Count: 1, Window: 24 * time.Hour})
		request := httpapi.Request{Op: "new list", Path: "x", Quota: daily}
		_, err := c.Do(t.Context(), request)
		require.NoError(t, err)
		start := time.Now()
		_, err = c.Do(t.Context(), request)
		require.Equal(t, connectors.KindWait, connectors.KindOf(err))
		require.ErrorContains(t, err, "new list")
		require.Less(t, time.Since(start), time.Minute, "nobody sits a day out")
		require.Len(t, w.times, 1)
	})
}
