package dashboard

import (
	"context"
	"fmt"
	"log/slog"
	"sync"
	"time"

	"github.com/perennial-cvo/perennial/analysis/report"
)

// How a board is kept.
const (
	patient   = 120 * time.Millisecond // a page waits so long for figures that are being read
	glance    = time.Second            // how often it is looked whether a run has ended
	unfolding = 5 * time.Second        // how often the figures are read anew while a run is under way
	readLimit = 15 * time.Minute       // for reading the figures of a large shop
	listed    = 30                     // runs
)

// board keeps what is told of one shop, so that no page has to count a million customers. It is read anew in the background
// after every run, when somebody looks; until then the last one is shown, with its time.
type board struct {
	ctx   context.Context
	facts Facts
	known func(context.Context, *report.StoreStatus) error // Shop.Complete
	now   func() time.Time
	log   *slog.Logger
	name  string

	mu      sync.Mutex
	last    *state
	err     error         // of the last reading or look; nil where it went well
	looked  time.Time     // when it was last asked whether anything changed
	reading chan struct{} // closed when the reading under way ends; nil where there is none

	moves  counts[movesAsked, report.Movements]
	crowds counts[crowdAsked, crowdPage]
}

// state is what is told, and when it was read. It is not changed any more.
type state struct {
	Report report.Report
	Status report.StoreStatus
	runs   string // the runs up to which it tells
	at     time.Time
}

func newBoard(ctx context.Context, shop Shop, o Options) *board {
	return &board{ctx: ctx, facts: shop.Facts, known: shop.Complete, now: o.Now, log: o.Log, name: shop.Name}
}

// get returns the state, nil while it is read for the first time. Where the database does not answer, it returns the error
// and the last state that there was.
func (b *board) get(ctx context.Context) (*state, error) {
	b.look(ctx)
	b.mu.Lock()
	reading := b.reading
	b.mu.Unlock()
	if reading != nil {
		timer := time.NewTimer(patient)
		defer timer.Stop()
		select {
		case <-reading:
		case <-timer.C:
		case <-ctx.Done():
		}
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.last, b.err
}

// look begins to read the shop where something has changed since it was last read.
func (b *board) look(ctx context.Context) {
	b.mu.Lock()
	defer b.mu.Unlock()
	now := b.now()
	if b.reading != nil || b.last != nil && now.Sub(b.looked) < glance {
		return
	}
	b.looked = now
	var runs string
	if runs, b.err = b.mark(ctx); b.err != nil {
		return
	}
	if b.last != nil && b.last.runs == runs && (runs[0] != underWay || now.Sub(b.last.at) < unfolding) {
		return
	}
	b.reading = make(chan struct{})
	go b.read(runs) //nolint:contextcheck // it goes on when whoever asked has gone
}

// The first letter of a mark says whether a run is under way.
const (
	underWay = '>'
	atRest   = '.'
)

// mark changes whenever a run begins or ends.
func (b *board) mark(ctx context.Context) (string, error) {
	runs, err := b.facts.Runs(ctx, listed)
	if err != nil {
		return "", err
	}
	state, text := atRest, ""
	for _, r := range runs {
		if r.Ended.IsZero() {
			state = underWay
		}
		text += fmt.Sprintf(" %s %s %d %d", r.Kind, r.State, r.Started.UnixNano(), r.Ended.UnixNano())
	}
	return string(state) + text, nil
}

// read reads the shop and keeps what it read.
func (b *board) read(runs string) {
	ctx, cancel := context.WithTimeout(b.ctx, readLimit)
	defer cancel()
	read, err := b.collect(ctx, runs)
	if err != nil && ctx.Err() == nil {
		b.log.Error("dashboard: figures", "store", b.name, "err", err)
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.err = err; err == nil {
		read.runs = runs
		b.last = read
	}
	close(b.reading)
	b.reading = nil
}

// collect reads everything, or, where no run has begun or ended since, only how what is under way goes: the figures change
// when it ends.
func (b *board) collect(ctx context.Context, runs string) (*state, error) {
	read := &state{at: b.now()}
	var err error
	if last := b.shown(); last != nil && last.runs == runs {
		read.Report = last.Report
	} else if read.Report, err = report.Collect(ctx, b.facts, report.Options{Now: read.at}); err != nil {
		return nil, err
	}
	if read.Status, err = report.CollectStatus(ctx, b.facts, read.at); err != nil {
		return nil, err
	}
	if b.known != nil {
		if err := b.known(ctx, &read.Status); err != nil {
			return nil, fmt.Errorf("what is configured: %w", err)
		}
	}
	read.Report.Overview = read.Status.Overview
	return read, nil
}

// shown is what was last read, however long ago; nil where nothing was.
func (b *board) shown() *state {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.last
}
