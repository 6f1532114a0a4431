package httpapi

import (
	"context"
	"sync"
	"time"

	"github.com/perennial-cvo/perennial/connectors"
)

// Limit is how many requests the other side takes in a window of time.
type Limit struct {
	Count  int
	Window time.Duration
}

// Quota is an allowance of the other side that certain requests share, such as 10 a second and 150 a minute for one
// endpoint. A request counts from its start until a whole window after its answer, so that no window of the other side,
// wherever it begins and however long requests travel, ever holds too many. What even the quickest answer took is taken
// off: so long every request is on its way, or at work after it was counted, and all alike. It is safe for concurrent use.
type Quota struct {
	limits []Limit

	mu       sync.Mutex
	running  int
	ended    []time.Time // ascending; as far back as the longest window
	blocked  time.Time   // the other side wants none before
	answers  int
	quickest time.Duration // answer of all
}

// knownAfter is how many answers have to be seen before the quickest says anything: the first ones take longer, because
// connections are made for them.
const knownAfter = 20

// NewQuota makes an allowance that keeps all limits.
func NewQuota(limits ...Limit) *Quota { return &Quota{limits: limits} }

// take starts a request and returns zero, or returns how long to wait before asking again.
func (q *Quota) take(now time.Time) time.Duration {
	q.mu.Lock()
	defer q.mu.Unlock()
	if wait := q.blocked.Sub(now); wait > 0 {
		return wait
	}
	var longest, wait time.Duration
	for _, l := range q.limits {
		longest = max(longest, l.Window)
		wait = max(wait, q.lack(l, now))
	}
	for len(q.ended) > 0 && now.Sub(q.ended[0]) >= longest {
		q.ended = q.ended[1:]
	}
	if wait > 0 {
		return wait
	}
	q.running++
	return 0
}

// lack returns how long one limit holds the next request back.
func (q *Quota) lack(l Limit, now time.Time) time.Duration {
	free := l.Count - q.running
	if free <= 0 {
		return max(l.Window/20, time.Millisecond) // for those on their way, of which nobody knows how long they take
	}
	if len(q.ended) < free {
		return 0
	}
	return max(0, l.Window-now.Sub(q.ended[len(q.ended)-free]))
}

// end notes that a request was answered after a while, or that its answer will not come.
func (q *Quota) end(now time.Time, took time.Duration, answered bool) {
	q.mu.Lock()
	defer q.mu.Unlock()
	q.running--
	if answered {
		if q.answers++; q.answers == 1 || took < q.quickest {
			q.quickest = took
		}
	}
	counted := now
	if q.answers >= knownAfter {
		counted = now.Add(-q.quickest)
	}
	if n := len(q.ended); n > 0 && counted.Before(q.ended[n-1]) {
		counted = q.ended[n-1]
	}
	q.ended = append(q.ended, counted)
}

// block keeps requests back until a time.
func (q *Quota) block(until time.Time) {
	q.mu.Lock()
	defer q.mu.Unlock()
	if until.After(q.blocked) {
		q.blocked = until
	}
}

// admit waits until the request's quota lets it start. Whoever was admitted must call release.
func (c *Client) admit(ctx context.Context, q *Quota) error {
	if q == nil {
		return nil
	}
	for {
		wait := q.take(c.opts.Deps.Now())
		if wait <= 0 {
			return nil
		}
		if wait > c.opts.MaxWait {
			until := c.opts.Deps.Now().Add(wait)
			return &connectors.Error{
				Kind: connectors.KindWait, Until: until, Err: errSpent,
				Remedy: "nothing to do: the run goes on at " + until.UTC().Format("2006-01-02 15:04 MST"),
			}
		}
		if err := c.opts.Sleep(ctx, wait); err != nil {
			return err
		}
	}
}

// release notes the end of an attempt that began at a time, and what the other side asked for.
func (c *Client) release(q *Quota, began time.Time, f *fault) {
	if q == nil {
		return
	}
	now := c.opts.Deps.Now()
	q.end(now, now.Sub(began), f == nil)
	if f != nil && f.throttle && f.hint.given {
		q.block(now.Add(f.hint.wait))
	}
}

// noteLeft holds a quota back where an answer says that nothing is left of it.
func (c *Client) noteLeft(q *Quota, answer Response) {
	if q == nil || c.opts.Left == nil {
		return
	}
	if left, reset, stated := c.opts.Left(answer); stated && left <= 0 && reset > 0 {
		q.block(c.opts.Deps.Now().Add(reset))
	}
}
