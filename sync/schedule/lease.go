package schedule

import (
	"context"
	"errors"
	"fmt"
	"time"
)

// ErrBusy means that another process works on the shop.
var ErrBusy = errors.New("another process works on this shop")

// ErrLeaseLost cancels work whose lease went to somebody else, or could not be renewed in time.
var ErrLeaseLost = errors.New("the lease of this shop was lost")

// Holder is one process that takes leases.
type Holder struct {
	Ledger Ledger
	Name   string           // unique to the process
	TTL    time.Duration    // how long a lease outlives a holder that died
	Now    func() time.Time // decides what is due; nil: time.Now
}

// Hold takes the lease of a shop, closes the runs that a dead holder left open, runs work while a heartbeat keeps the lease,
// and gives it back. It returns ErrBusy where the shop is taken. When the lease is lost the context of work is cancelled and
// ErrLeaseLost is returned: nothing that work writes afterwards is accepted, since the epoch has moved on.
func (h Holder) Hold(ctx context.Context, store int64, work func(ctx context.Context, epoch int64) error) error {
	epoch, ok, err := h.Ledger.Acquire(ctx, store, h.Name, h.TTL)
	if err != nil {
		return fmt.Errorf("lease: %w", err)
	}
	if !ok {
		return ErrBusy
	}
	working, cancel := context.WithCancelCause(ctx)
	beating := make(chan struct{})
	go func() {
		defer close(beating)
		h.beat(working, store, epoch, cancel)
	}()
	defer func() { // runs on panic too, so that a crash in one shop leaves neither goroutine nor lease
		cancel(nil)
		<-beating
		h.release(ctx, store, epoch)
	}()
	if err = h.Ledger.EndInterrupted(working, store, h.now()); err == nil {
		err = work(working, epoch)
	}
	if errors.Is(context.Cause(working), ErrLeaseLost) {
		return ErrLeaseLost
	}
	return err
}

// beat renews the lease three times in its life until ctx ends. It measures real time, as the database does, whatever clock
// decides what is due.
func (h Holder) beat(ctx context.Context, store, epoch int64, cancel context.CancelCauseFunc) {
	ticker := time.NewTicker(h.TTL / 3)
	defer ticker.Stop()
	renewed := time.Now()
	for {
		select {
		case <-ctx.Done():
			return
		case <-ticker.C:
		}
		asked := time.Now()
		call, done := context.WithTimeout(ctx, h.TTL/3)
		got, ok, err := h.Ledger.Acquire(call, store, h.Name, h.TTL)
		done()
		switch {
		case ctx.Err() != nil:
			return
		case err == nil && ok && got == epoch:
			renewed = asked
		case err == nil || time.Since(renewed) >= h.TTL:
			cancel(ErrLeaseLost)
			return
		}
	}
}

// release gives the lease back even where ctx has ended. A release that does not get through costs the others one TTL.
func (h Holder) release(ctx context.Context, store, epoch int64) {
	call, done := context.WithTimeout(context.WithoutCancel(ctx), h.TTL/3)
	defer done()
	_ = h.Ledger.Release(call, store, h.Name, epoch) // it expires by itself
}

func (h Holder) now() time.Time {
	if h.Now == nil {
		return time.Now()
	}
	return h.Now()
}
