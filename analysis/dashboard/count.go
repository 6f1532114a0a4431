package dashboard

import (
	"context"
	"sync"
	"time"
)

// How what somebody asks for is counted where the report does not have it.
const (
	countsKept   = 48 // with those that are being counted
	countsAtOnce = 2
	countLimit   = 5 * time.Minute
	downloading  = time.Minute // a table for a spreadsheet waits so long
)

// counts keeps what was asked for: in a large shop some answers take seconds. K says what is asked, and of which analysis, so
// that an old answer is not given to a new question. The zero value is empty.
type counts[K comparable, V any] struct {
	mu    sync.Mutex
	known map[K]*count[V]
	order []K // oldest first
	slots chan struct{}
}

// count is one answer, being counted until done is closed.
type count[V any] struct {
	done  chan struct{}
	found V
	err   error
}

// counter counts an answer. Its context outlives whoever asked first.
type counter[V any] struct {
	ctx   context.Context
	count func(context.Context) (V, error)
}

// get returns an answer; ok is false where it was not counted within the time that somebody waits for it. It goes on being
// counted then, once for all who ask.
func (k *counts[K, V]) get(ctx context.Context, asked K, wait time.Duration, by counter[V]) (found V, ok bool, err error) {
	c := k.counting(asked, by) //nolint:contextcheck // it goes on being counted when nobody waits any more
	if c == nil {
		return found, false, nil
	}
	timer := time.NewTimer(wait)
	defer timer.Stop()
	select {
	case <-c.done:
	case <-timer.C:
	case <-ctx.Done():
		return found, false, ctx.Err()
	}
	select {
	case <-c.done: // also where time was up in the same moment
	default:
		return found, false, nil
	}
	if c.err != nil {
		k.forget(asked) // so that it is tried again when it is asked for again
	}
	return c.found, true, c.err
}

// counting returns an answer that is known or being counted, and begins to count it where it is neither; nil where too many
// are being counted.
func (k *counts[K, V]) counting(asked K, by counter[V]) *count[V] {
	k.mu.Lock()
	defer k.mu.Unlock()
	if c := k.known[asked]; c != nil {
		return c
	}
	if !k.makeRoom() {
		return nil
	}
	c := &count[V]{done: make(chan struct{})}
	k.known[asked] = c
	k.order = append(k.order, asked)
	slots := k.slots
	go func() {
		defer close(c.done)
		slots <- struct{}{}
		defer func() { <-slots }()
		ctx, cancel := context.WithTimeout(by.ctx, countLimit)
		defer cancel()
		c.found, c.err = by.count(ctx)
	}()
	return c
}

// makeRoom gives up the oldest answer where there are as many as are kept. It says no where all are being counted.
func (k *counts[K, V]) makeRoom() bool {
	if k.known == nil {
		k.known, k.slots = map[K]*count[V]{}, make(chan struct{}, countsAtOnce)
	}
	if len(k.order) < countsKept {
		return true
	}
	for i, asked := range k.order {
		select {
		case <-k.known[asked].done:
			k.drop(i)
			return true
		default:
		}
	}
	return false
}

func (k *counts[K, V]) drop(at int) {
	delete(k.known, k.order[at])
	k.order = append(k.order[:at], k.order[at+1:]...)
}

func (k *counts[K, V]) forget(asked K) {
	k.mu.Lock()
	defer k.mu.Unlock()
	for i, other := range k.order {
		if other == asked {
			k.drop(i)
			return
		}
	}
}
