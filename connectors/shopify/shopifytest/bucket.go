package shopifytest

import (
	"math"
	"time"
)

// bucket is the leaky bucket of points: it holds max and restores so many a second.
type bucket struct {
	max, restore float64
	level        float64
	spent        float64 // since the beginning
	at           time.Time
}

func newBucket(opts Options, now time.Time) bucket {
	b := bucket{max: opts.Bucket.Max, restore: opts.Bucket.Restore, at: now}
	if b.max == 0 {
		b.max = 2000
	}
	if b.restore == 0 {
		b.restore = 100
	}
	b.level = b.max
	return b
}

// refill lets in what time has brought.
func (b *bucket) refill(now time.Time) {
	switch {
	case b.restore < 0:
		b.level = b.max
	case now.After(b.at):
		b.level = math.Min(b.max, b.level+b.restore*now.Sub(b.at).Seconds())
	}
	b.at = now
}

// take reports whether the bucket had so many points; if so they are gone.
func (b *bucket) take(points float64, now time.Time) bool {
	b.refill(now)
	if b.restore >= 0 && b.level < points {
		return false
	}
	b.level -= points
	b.spent += points
	return true
}

// settle gives back what was taken and not used.
func (b *bucket) settle(points float64) {
	b.level = math.Min(b.max, b.level+points)
	b.spent -= points
}

// Spent is how many points all requests really cost.
func (s *Server) Spent() float64 {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.bucket.spent
}

// status is throttleStatus.
func (b *bucket) status() map[string]any {
	return map[string]any{
		"maximumAvailable": b.max, "currentlyAvailable": math.Max(0, math.Floor(b.level)), "restoreRate": math.Max(0, b.restore),
	}
}
