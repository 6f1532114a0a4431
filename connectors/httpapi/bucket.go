package httpapi

import (
	"context"
	"math"
	"sync"
	"time"
)

// Level is how full a leaky bucket was when an answer was given, in points: requests draw their cost from it, and it
// refills steadily.
type Level struct {
	Max       float64 // what it holds when full
	Available float64
	Restore   float64 // points that come back each second
}

// bucket is our own account of the other side's leaky bucket. The zero value is not known yet and holds nobody back.
type bucket struct {
	mu      sync.Mutex
	known   bool
	level   Level // Available may be negative: then somebody is waiting already
	at      time.Time
	taken   float64 // cost of all requests so far
	settled float64 // cost of those that were answered
}

// take draws the cost and returns how long to wait until the bucket holds it.
func (b *bucket) take(cost float64, now time.Time) time.Duration {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.taken += cost
	if cost <= 0 || !b.known || b.level.Restore <= 0 {
		return 0
	}
	full := b.level.Max
	if passed := now.Sub(b.at).Seconds(); passed > 0 {
		b.level.Available = min(full, b.level.Available+passed*b.level.Restore)
	}
	b.at = now
	// What costs more than the bucket ever holds can only find it full.
	b.level.Available -= min(cost, full)
	if b.level.Available >= 0 {
		return 0
	}
	return time.Duration(math.Ceil(-b.level.Available/b.level.Restore*1000)) * time.Millisecond
}

// settle notes that a request of this cost is on its way no longer. It returns what is settled in all.
func (b *bucket) settle(cost float64) float64 {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.settled += cost
	return b.settled
}

// note takes over what the answer to r said. The requests that were on their way beside it may not be in it.
func (b *bucket) note(l Level, r Request, now time.Time) {
	b.mu.Lock()
	defer b.mu.Unlock()
	l.Available -= max(0, b.taken-r.settled-r.Cost)
	b.level, b.at, b.known = l, now, l.Max > 0
}

// draw waits until the bucket holds the cost of a request. It returns what is settled by then.
func (c *Client) draw(ctx context.Context, cost float64) (settled float64, err error) {
	if wait := c.bucket.take(cost, c.opts.Deps.Now()); wait > 0 {
		if err := c.opts.Sleep(ctx, min(wait, c.opts.MaxWait)); err != nil {
			c.bucket.settle(cost)
			return 0, err
		}
	}
	return c.bucket.settle(0), nil
}

// noteLevel reads the bucket's level out of an answer.
func (c *Client) noteLevel(r Request, answer Response) {
	if c.opts.Bucket == nil {
		return
	}
	if level, stated := c.opts.Bucket(answer); stated {
		c.bucket.note(level, r, c.opts.Deps.Now())
	}
}
