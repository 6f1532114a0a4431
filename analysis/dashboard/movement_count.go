package dashboard

import (
	"context"
	"sync"
	"time"

	"github.com/perennial-cvo/perennial/analysis/report"
)

// How movements between days that somebody chose are counted.
const (
	movesKept   = 48 // with those that are being counted
	movesAtOnce = 2
	movesLimit  = 5 * time.Minute
	downloading = time.Minute // a table for a spreadsheet waits so long
)

// movesAsked is which movement, by which analysis.
type movesAsked struct {
	report.Between
	analysed time.Time // as of when
	ran      time.Time // when the last run ended, which may have analysed that day anew
}

// movesCount is one movement, being counted until done is closed.
type movesCount struct {
	done  chan struct{}
	found report.Movements
	err   error
}

// movesKnown keeps movements that were asked for: in a large shop each takes seconds to count. The zero value is empty.
type movesKnown struct {
	mu    sync.Mutex
	known map[movesAsked]*movesCount
	order []movesAsked // oldest first
	slots chan struct{}
}

// movements returns a movement; ok is false where it was not counted within the time that somebody waits for it. It goes on
// being counted then, once for all who ask.
func (b *board) movements(ctx context.Context, asked movesAsked, o report.Overview, wait time.Duration) (m report.Movements, ok bool, err error) {
	c := b.counting(asked, o) //nolint:contextcheck // it goes on being counted when nobody waits any more
	if c == nil {
		return report.Movements{}, false, nil
	}
	timer := time.NewTimer(wait)
	defer timer.Stop()
	select {
	case <-c.done:
	case <-timer.C:
	case <-ctx.Done():
		return report.Movements{}, false, ctx.Err()
	}
	select {
	case <-c.done: // also where time was up in the same moment
	default:
		return report.Movements{}, false, nil
	}
	if c.err != nil {
		b.moves.forget(asked) // so that it is tried again when it is asked for again
	}
	return c.found, true, c.err
}

// counting returns a movement that is known or being counted, and begins to count it where it is neither; nil where too many
// are being counted.
func (b *board) counting(asked movesAsked, o report.Overview) *movesCount {
	k := &b.moves
	k.mu.Lock()
	defer k.mu.Unlock()
	if c := k.known[asked]; c != nil {
		return c
	}
	if !k.makeRoom() {
		return nil
	}
	c := &movesCount{done: make(chan struct{})}
	k.known[asked] = c
	k.order = append(k.order, asked)
	slots := k.slots
	go func() {
		defer close(c.done)
		slots <- struct{}{}
		defer func() { <-slots }()
		ctx, cancel := context.WithTimeout(b.ctx, movesLimit)
		defer cancel()
		c.found, c.err = report.MovementOf(ctx, b.facts, o, asked.Between)
	}()
	return c
}

// makeRoom gives up the oldest movement where there are as many as are kept. It says no where all are being counted.
func (k *movesKnown) makeRoom() bool {
	if k.known == nil {
		k.known, k.slots = map[movesAsked]*movesCount{}, make(chan struct{}, movesAtOnce)
	}
	if len(k.order) < movesKept {
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

func (k *movesKnown) drop(at int) {
	delete(k.known, k.order[at])
	k.order = append(k.order[:at], k.order[at+1:]...)
}

func (k *movesKnown) forget(asked movesAsked) {
	k.mu.Lock()
	defer k.mu.Unlock()
	for i, other := range k.order {
		if other == asked {
			k.drop(i)
			return
		}
	}
}
