package schedule

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"runtime"
	"runtime/debug"
	"sync"
	"time"

	"github.com/robfig/cron/v3"
)

// Shop is one shop as the runner sees it.
type Shop struct {
	ID   int64
	Name string
	Spec string         // five cron fields, on the shop's wall clock
	Zone *time.Location // the shop's
}

// Job does the nightly work of one shop as the writer of an epoch. It returns when the work has ended or its context was
// cancelled. *Later and *Final say that the usual retries are not wanted.
type Job func(ctx context.Context, store, epoch int64, occurrence string) error

// Later is the error of a job that was asked to come back later. It does not count as a failed try.
type Later struct {
	Until time.Time
	Err   error
}

func (l *Later) Error() string { return l.Err.Error() }

// Unwrap returns the cause.
func (l *Later) Unwrap() error { return l.Err }

// Final is the error of a job that need not be tried again before the next night, such as a refused key.
type Final struct{ Err error }

func (f *Final) Error() string { return f.Err.Error() }

// Unwrap returns the cause.
func (f *Final) Unwrap() error { return f.Err }

// Options are what a Runner needs.
type Options struct {
	Holder   Holder
	Shops    func(ctx context.Context) ([]Shop, error) // asked at every tick: a shop's zone may have become known
	Job      Job
	Parallel int // shops at once; 0: two

	// Between says whether a shop whose night is not due is to be looked at between two nights, which is what Light does then.
	// Where Light is nil there is nothing between the nights. What it did not do, the next one does: it is not tried again
	// before that.
	Between func(ctx context.Context, store int64) (bool, error)
	Light   Job
	Log     *slog.Logger
}

// Runner runs the job of every shop that is due, some of them at once, none of them twice.
type Runner struct {
	opts  Options
	slots chan struct{}
	log   *slog.Logger

	mu       sync.Mutex
	busy     map[int64]bool
	stopping bool

	jobs   sync.WaitGroup
	ticker *cron.Cron
	cancel context.CancelCauseFunc
}

// errStopped is the cause of a job's end when the runner was told to stop and the job did not finish in time.
var errStopped = errors.New("the daemon stops")

const (
	tick     = "@every 20s"
	grace    = 5 * time.Second // for a cancelled job to roll back
	longWait = 24 * time.Hour  // at most, for a job that was deferred
)

// NewRunner returns a runner that does nothing yet.
func NewRunner(opts Options) *Runner {
	if opts.Parallel <= 0 {
		opts.Parallel = 2
	}
	if opts.Log == nil {
		opts.Log = slog.New(slog.DiscardHandler)
	}
	return &Runner{
		opts:   opts,
		slots:  make(chan struct{}, opts.Parallel),
		log:    opts.Log,
		busy:   map[int64]bool{},
		cancel: func(error) {},
	}
}

// Start looks for due shops now and every 20 seconds until Stop. Cancelling ctx cancels the jobs at once. A runner is
// started once.
func (r *Runner) Start(ctx context.Context) error {
	ctx, r.cancel = context.WithCancelCause(ctx)
	logger := cronLogger{r.log}
	// Skip outside, recover inside: the other way round one panic would leave the job skipped for ever.
	r.ticker = cron.New(cron.WithLocation(time.UTC), cron.WithLogger(logger),
		cron.WithChain(cron.SkipIfStillRunning(logger), cron.Recover(logger)))
	id, err := r.ticker.AddFunc(tick, func() { r.look(ctx) })
	if err != nil {
		return fmt.Errorf("ticker: %w", err)
	}
	r.jobs.Go(r.ticker.Entry(id).WrappedJob.Run) // the first look, through the same chain
	r.ticker.Start()
	return nil
}

// Stop starts nothing more and waits for the running jobs until ctx ends; then it cancels them and waits a little for
// their roll-back. It returns an error where a job did not end even so. Stopping twice is harmless.
func (r *Runner) Stop(ctx context.Context) error {
	r.mu.Lock()
	r.stopping = true
	r.mu.Unlock()
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		if r.ticker != nil {
			<-r.ticker.Stop().Done()
		}
		r.jobs.Wait()
	}()
	defer r.cancel(errStopped)
	select {
	case <-ended:
		return nil
	case <-ctx.Done():
	}
	r.cancel(errStopped)
	select {
	case <-ended:
		return nil
	case <-time.After(grace):
		return errors.New("stop: a job did not end in time")
	}
}

// Once runs whatever is due, waits for it, and returns the errors of the jobs that failed, with ErrBusy for shops that are
// due and on which another process works.
func (r *Runner) Once(ctx context.Context) error {
	var mu sync.Mutex
	var failures []error
	report := func(err error) {
		mu.Lock()
		defer mu.Unlock()
		failures = append(failures, err)
	}
	if err := r.pass(ctx, report); err != nil {
		report(err)
	}
	r.jobs.Wait()
	return errors.Join(failures...)
}

func (r *Runner) look(ctx context.Context) {
	if err := r.pass(ctx, func(error) {}); err != nil && ctx.Err() == nil {
		r.log.Warn("schedule not read, asking again in a moment", "err", err)
	}
}

// pass starts the jobs of the shops that are due and does not wait for them; report hears of those that fail.
func (r *Runner) pass(ctx context.Context, report func(error)) error {
	shops, err := r.opts.Shops(ctx)
	if err != nil {
		return fmt.Errorf("shops: %w", err)
	}
	var failures []error
	for _, shop := range shops {
		if _, due, _, err := r.due(ctx, shop); err != nil {
			failures = append(failures, fmt.Errorf("shop %s: %w", shop.Name, err))
		} else if due {
			r.launch(ctx, shop, report)
		} else if between, err := r.between(ctx, shop); err != nil {
			failures = append(failures, fmt.Errorf("shop %s: %w", shop.Name, err))
		} else if between {
			r.launch(ctx, shop, report)
		}
	}
	return errors.Join(failures...)
}

func (r *Runner) due(ctx context.Context, shop Shop) (occurrence string, due bool, nightly Nightly, err error) {
	nightly, err = r.opts.Holder.Ledger.Nightly(ctx, shop.ID)
	if err != nil {
		return "", false, nightly, fmt.Errorf("nightly: %w", err)
	}
	occurrence, due, _, err = Due(shop.Spec, shop.Zone, r.opts.Holder.now(), nightly)
	return occurrence, due, nightly, err
}

// between says whether a shop is to be looked at between two nights.
func (r *Runner) between(ctx context.Context, shop Shop) (bool, error) {
	if r.opts.Light == nil {
		return false, nil
	}
	return r.opts.Between(ctx, shop.ID)
}

// launch starts the job of a shop unless it runs already.
func (r *Runner) launch(ctx context.Context, shop Shop, report func(error)) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.busy[shop.ID] || r.stopping {
		return
	}
	r.busy[shop.ID] = true
	r.jobs.Go(func() {
		defer func() {
			r.mu.Lock()
			defer r.mu.Unlock()
			delete(r.busy, shop.ID)
		}()
		if err := r.inSlot(ctx, shop); err != nil {
			report(fmt.Errorf("shop %s: %w", shop.Name, err))
		}
	})
}

// inSlot waits for its turn and for the lease, and looks again whether the shop is still due: another process may have
// done it meanwhile.
func (r *Runner) inSlot(ctx context.Context, shop Shop) error {
	select {
	case r.slots <- struct{}{}:
		defer func() { <-r.slots }()
	case <-ctx.Done():
		return context.Cause(ctx)
	}
	if r.isStopping() {
		return nil
	}
	err := r.opts.Holder.Hold(ctx, shop.ID, func(ctx context.Context, epoch int64) error {
		occurrence, due, nightly, err := r.due(ctx, shop)
		if err != nil {
			return err
		}
		if !due {
			if between, err := r.between(ctx, shop); err != nil || !between {
				return err
			}
			return r.guarded(shop, func() error { return r.opts.Light(ctx, shop.ID, epoch, "") })
		}
		failed := r.guarded(shop, func() error { return r.opts.Job(ctx, shop.ID, epoch, occurrence) })
		if ctx.Err() != nil && failed != nil {
			return failed // cut short, not failed: it goes on at the next start
		}
		return errors.Join(failed, r.save(ctx, shop, epoch, r.after(nightly, occurrence, failed)))
	})
	switch {
	case errors.Is(err, ErrBusy):
		r.log.Debug("shop is in other hands", "shop", shop.Name)
	case err != nil:
		r.log.Warn("run ended early", "shop", shop.Name, "err", err)
	}
	return err
}

// save keeps what was decided even where the job ended as its context did.
func (r *Runner) save(ctx context.Context, shop Shop, epoch int64, nightly Nightly) error {
	call, done := context.WithTimeout(context.WithoutCancel(ctx), r.opts.Holder.TTL/3)
	defer done()
	if err := r.opts.Holder.Ledger.SaveNightly(call, shop.ID, epoch, nightly); err != nil {
		return fmt.Errorf("nightly: %w", err)
	}
	return nil
}

// guarded runs the job; a panic becomes an error. Of the panic's value only a runtime error is shown, since any other may
// hold a secret or a customer.
func (r *Runner) guarded(shop Shop, job func() error) (err error) {
	defer func() {
		value := recover()
		if value == nil {
			return
		}
		err = fmt.Errorf("panic of type %T", value)
		if broken, ok := value.(runtime.Error); ok {
			err = fmt.Errorf("panic: %w", broken)
		}
		r.log.Error("panic, the other shops go on", "shop", shop.Name, "err", err, "stack", string(debug.Stack()))
	}()
	return job()
}

// retries are the waits before the second, third and fourth try of a night.
var retries = [...]time.Duration{5 * time.Minute, 20 * time.Minute, time.Hour}

// after is what is known of the schedule once a job has ended.
func (r *Runner) after(before Nightly, occurrence string, failed error) Nightly {
	now := r.opts.Holder.now()
	var later *Later
	var final *Final
	switch {
	case failed == nil || errors.As(failed, &final):
		return Nightly{Done: occurrence}
	case errors.As(failed, &later):
		return Nightly{Done: before.Done, Attempts: before.Attempts, NextTry: until(now, later.Until)}
	case before.Attempts >= len(retries):
		return Nightly{Done: occurrence}
	default:
		return Nightly{Done: before.Done, Attempts: before.Attempts + 1, NextTry: now.Add(retries[before.Attempts])}
	}
}

// until keeps a wish within a minute and a day from now: no hot loop, and no shop that sleeps for ever.
func until(now, wish time.Time) time.Time {
	earliest, latest := now.Add(time.Minute), now.Add(longWait)
	switch {
	case wish.Before(earliest):
		return earliest
	case wish.After(latest):
		return latest
	default:
		return wish
	}
}

func (r *Runner) isStopping() bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.stopping
}

// cronLogger lets the ticker speak through slog.
type cronLogger struct{ log *slog.Logger }

// Info drops the ticker's chatter of every tick.
func (cronLogger) Info(string, ...any) {}

// Error reports what the ticker recovered from.
func (c cronLogger) Error(err error, message string, pairs ...any) {
	c.log.Error("ticker: "+message, append([]any{"err", err}, pairs...)...)
}
