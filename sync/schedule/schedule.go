// Package schedule decides what is due: each shop nightly at a local hour, caught up once after downtime, exactly once
// per local day across changes of the clock. What was done lives in the database; the clock is passed in; robfig/cron
// parses specs and ticks, and decides nothing.
package schedule

import (
	"context"
	"time"
)

// Ledger keeps leases and runs; sync/postgres satisfies it. It lives in the control database.
type Ledger interface {
	// Acquire takes or renews the lease of a shop for holder. The epoch grows whenever the lease changes hands.
	// ok is false while another holder's lease has not expired.
	Acquire(ctx context.Context, store int64, holder string, ttl time.Duration) (epoch int64, ok bool, err error)

	// Release gives the lease back, if holder still has it in this epoch.
	Release(ctx context.Context, store int64, holder string, epoch int64) error

	// Nightly returns what is known of a shop's scheduled runs.
	Nightly(ctx context.Context, store int64) (Nightly, error)

	// SaveNightly stores it, if the epoch is still that of the lease.
	SaveNightly(ctx context.Context, store int64, epoch int64, nightly Nightly) error

	// EndInterrupted closes the lines that whoever held the lease before left open when they died.
	EndInterrupted(ctx context.Context, store int64, at time.Time) error

	// StartRun opens a line in the ledger of runs.
	StartRun(ctx context.Context, store int64, kind string, at time.Time) (run int64, err error)

	// EndRun closes it.
	EndRun(ctx context.Context, store int64, run int64, end End) error
}

// Nightly is the state of a shop's schedule.
type Nightly struct {
	// Done is the last occurrence that ended, as shop-local wall time without a zone ("2026-11-22T03:00"); the
	// empty string where none did.
	Done string
	// Attempts counts the failed tries of the occurrence after Done; NextTry is when the next may start.
	Attempts int
	NextTry  time.Time
}

// Digest is the kind of the runs that send the weekly mail. It needs no lease: it only reads the shop.
const Digest = "digest"

// End is how a run ended.
type End struct {
	At     time.Time
	State  State
	Counts map[string]int
	Error  string // what happened, without secrets; empty when all went well
	Kind   string // kind of the error
	Remedy string // what to do
}

// State is the state of a run.
type State string

// The states of a run.
const (
	Running   State = "running"
	Succeeded State = "succeeded"
	Failed    State = "failed"
	Deferred  State = "deferred" // the other side asked for patience; kept what was read and goes on later
	Held      State = "held"     // the guard stopped the push
)
