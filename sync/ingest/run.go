package ingest

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"runtime"
	"time"

	"github.com/perennial-cvo/perennial/connectors"
	"github.com/perennial-cvo/perennial/connectors/commerce"
)

// Options say what to pull and into what. Source, Records and Now are needed; the rest has the defaults named.
type Options struct {
	Source  connectors.Source
	Records Records
	Now     func() time.Time
	Log     *slog.Logger // none

	// Sweep re-reads everything now; SweepEvery does so by itself when the last sweep is that long ago, 0 never.
	Sweep      bool
	SweepEvery time.Duration
	// Light asks for what changed of orders and customers only: nothing is swept, and nothing else is read.
	Light bool
	// AcceptDeletions lets any share of a shop's records vanish at once: the owner's word that it is right.
	AcceptDeletions bool
	// Since is the moment before which the source sees no orders, zero where it sees all: what was placed before is never
	// taken for deleted, whatever the shop says of its absence.
	Since time.Time

	// Progress is told after every page and before every wait for the source, for bars.
	Progress func(Step)
	// Wait sleeps until a moment of Now or the end of ctx. Default: a timer.
	Wait func(ctx context.Context, until time.Time) error
	// Patience is how long a source may say "not yet" in one pull before the run is put off; 15 minutes.
	Patience time.Duration
	// MaxPages stops a source that never comes to an end; 1,000,000 pages a pull.
	MaxPages int
}

// Step is how far the pull of a resource is.
type Step struct {
	Resource commerce.Resource
	Mode     connectors.Mode
	Read     int // in the whole pull, also before this process
	Total    int // as announced, 0 unknown
	Started  time.Time
	Done     bool
	Waiting  bool // nothing is ready; the source will be asked again
}

// Summary is what a run did.
type Summary struct {
	Pulls    []Pull
	Warnings []string // for the owner, each once
	Loaded   bool     // every resource was read completely at least once
}

// Pull is what became of one resource in one mode.
type Pull struct {
	Resource commerce.Resource
	Mode     connectors.Mode
	Written  Written
	Pages    int
	Done     bool
	Missing  int // records that a sweep did not meet
}

// Written sums up all pulls.
func (s Summary) Written() Written {
	var sum Written
	for _, p := range s.Pulls {
		sum = sum.Add(p.Written)
	}
	return sum
}

// Limits of what is normal.
const (
	vanishShare = 0.05 // more than this share of a resource does not vanish at once
	vanishFloor = 10   // nor does it matter for fewer records than this
	badShare    = 0.01 // a run in which more than this share cannot be read is a failed run
	badFloor    = 10
	fetchSize   = 100 // ids confirmed at once

	// windowMargin is how much longer than Since orders count as hidden: the window moves on while a sweep runs, and a
	// shop may cut it by another date than that of the purchase.
	windowMargin = 48 * time.Hour

	// staleSweep is when the rest of an interrupted sweep no longer stands for a sweep of today.
	staleSweep = 12 * time.Hour
)

// Run pulls every resource that the source offers, in its order, and commits page by page. Whatever it returns,
// everything committed stays, and the next run goes on from there. A resource that cannot be read for want of a
// permission, or because this shop has none of it, or that comes from elsewhere and fails there in any way, does not keep
// the others from being read; the error comes at the end, as a PartialError where analysis can do without what is missing.
func Run(ctx context.Context, options Options) (Summary, error) {
	r := &runner{Options: options.withDefaults(), warned: map[string]bool{}}
	var failures []error
	loaded := true
	for _, offer := range r.Source.Resources() {
		if r.Light && (!offer.Incremental || offer.Apart || optional(offer.Resource)) {
			continue
		}
		err := r.resource(ctx, offer)
		if err == nil {
			continue
		}
		err = fmt.Errorf("%s: %w", offer.Resource, err)
		if ctx.Err() != nil || !onlyThis(offer, err) {
			// What stopped the run comes first: it decides when to try again.
			return r.summary, errors.Join(append([]error{err}, failures...)...)
		}
		failures = append(failures, err)
		loaded = loaded && optional(offer.Resource)
	}
	if loaded && !r.Light {
		if err := r.Records.MarkLoaded(ctx, r.Now()); err != nil {
			return r.summary, errors.Join(append(failures, err)...)
		}
		r.summary.Loaded = true
	}
	if err := r.judge(false); err != nil {
		return r.summary, errors.Join(append(failures, err)...)
	}
	if err := r.judge(true); err != nil {
		failures = append(failures, err)
	}
	failures = append(failures, r.refused...)
	if loaded && len(failures) > 0 {
		return r.summary, &PartialError{Err: errors.Join(failures...)}
	}
	return r.summary, errors.Join(failures...)
}

// PartialError says that everything was read but resources that analysis can do without, or that so much vanished at once
// that it was not believed.
type PartialError struct{ Err error }

// Error says which resources, and why.
func (e *PartialError) Error() string { return e.Err.Error() }

// Unwrap returns the cause.
func (e *PartialError) Unwrap() error { return e.Err }

func (o Options) withDefaults() Options {
	if o.Log == nil {
		o.Log = slog.New(slog.DiscardHandler)
	}
	if o.Progress == nil {
		o.Progress = func(Step) {}
	}
	if o.Wait == nil {
		now := o.Now
		o.Wait = func(ctx context.Context, until time.Time) error { return wait(ctx, until.Sub(now())) }
	}
	if o.Patience <= 0 {
		o.Patience = 15 * time.Minute
	}
	if o.MaxPages <= 0 {
		o.MaxPages = 1_000_000
	}
	return o
}

func wait(ctx context.Context, d time.Duration) error {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-ctx.Done():
		return ctx.Err()
	case <-timer.C:
		return nil
	}
}

// onlyThis reports whether an error concerns one resource, so that the others can still be read.
func onlyThis(offer connectors.Offer, err error) bool {
	var e *connectors.Error
	if errors.Is(err, ErrFenced) || !errors.As(err, &e) {
		return false
	}
	return offer.Apart || e.Kind == connectors.KindCredentials && e.Permission != "" || e.Kind == connectors.KindPermanent
}

// optional reports whether the first load can be called complete without a resource that failed alone: the key may not
// read it, the shop has none of it, or its own platform is away, and analysis does without.
func optional(resource commerce.Resource) bool {
	return resource != commerce.Orders && resource != commerce.Customers
}

type runner struct {
	Options
	summary Summary
	refused []error // deletions of too much at once
	warned  map[string]bool
}

func (r *runner) warn(text string) {
	if !r.warned[text] {
		r.warned[text] = true
		r.summary.Warnings = append(r.summary.Warnings, text)
	}
}

// judge fails a run in which too much could not be read of what the shop gives, or of what comes from elsewhere. What
// could be is stored.
func (r *runner) judge(apart bool) error {
	elsewhere := map[commerce.Resource]bool{}
	for _, offer := range r.Source.Resources() {
		elsewhere[offer.Resource] = offer.Apart
	}
	var w Written
	for _, p := range r.summary.Pulls {
		if elsewhere[p.Resource] == apart {
			w = w.Add(p.Written)
		}
	}
	if w.Quarantined <= badFloor || float64(w.Quarantined) <= badShare*float64(w.Read) {
		return nil
	}
	return &connectors.Error{
		Kind: connectors.KindRecord, Op: "sync",
		Err:    fmt.Errorf("%d of %d records could not be read; the others are stored", w.Quarantined, w.Read),
		Remedy: "see the reasons with: perennial status",
	}
}

// resource pulls what is due of one resource: changes, and everything where that is due, was begun, or is all that the
// source can do.
func (r *runner) resource(ctx context.Context, offer connectors.Offer) error {
	if offer.Incremental {
		if err := r.pull(ctx, offer.Resource, connectors.Increment); err != nil {
			return err
		}
	}
	if r.Light {
		return nil
	}
	stand, err := r.Records.Cursor(ctx, offer.Resource, connectors.Sweep)
	if err != nil {
		return err
	}
	if offer.Incremental && !stand.Unswept && !r.due(stand) {
		return nil
	}
	if err := r.sweep(ctx, offer.Resource, stand); err != nil {
		return err
	}
	if !stand.Unswept || !r.Sweep && r.Now().Sub(stand.StartedAt) < staleSweep {
		return nil
	}
	// That was the rest of an earlier sweep. What it had passed may have changed since.
	return r.sweep(ctx, offer.Resource, Progress{})
}

// sweep reads everything, or the rest of what an interrupted sweep has not read, and settles what is missing.
func (r *runner) sweep(ctx context.Context, resource commerce.Resource, stand Progress) error {
	if !stand.Unswept || !stand.Done {
		if err := r.pull(ctx, resource, connectors.Sweep); err != nil {
			return err
		}
	}
	err := r.finish(ctx, resource)
	if errors.Is(err, ErrSweepLost) { // the database crashed meanwhile: read once more
		if err = r.pull(ctx, resource, connectors.Sweep); err == nil {
			err = r.finish(ctx, resource)
		}
	}
	return err
}

func (r *runner) due(stand Progress) bool {
	return r.Sweep || r.SweepEvery > 0 && !stand.EndedAt.IsZero() && r.Now().Sub(stand.EndedAt) >= r.SweepEvery
}

// pull reads one resource from where it stands to its end.
func (r *runner) pull(ctx context.Context, resource commerce.Resource, mode connectors.Mode) error {
	stand, err := r.Records.Cursor(ctx, resource, mode)
	if err != nil {
		return err
	}
	r.summary.Pulls = append(r.summary.Pulls, Pull{Resource: resource, Mode: mode})
	p := &pulling{
		runner: r, pull: &r.summary.Pulls[len(r.summary.Pulls)-1],
		cursor: stand.Cursor, start: stand.Done || stand.StartedAt.IsZero(),
		step: Step{Resource: resource, Mode: mode, Started: r.Now()}, seen: map[connectors.Cursor]bool{},
	}
	if !p.start {
		p.step.Read, p.step.Total, p.step.Started = stand.Records, stand.Total, stand.StartedAt
	}
	ctx, cancel := context.WithCancel(ctx)
	defer p.settle()
	defer cancel()
	for range r.MaxPages {
		done, err := p.page(ctx)
		if done || err != nil {
			return err
		}
	}
	return loop(resource, fmt.Errorf("no end after %d pages", r.MaxPages))
}

func loop(resource commerce.Resource, err error) error {
	return &connectors.Error{
		Kind: connectors.KindPermanent, Op: string(resource) + " pull", Err: err,
		Remedy: "this is a fault of the shop or of its connector; what was read is kept",
	}
}

// pulling is one pull under way.
type pulling struct {
	*runner
	pull    *Pull
	cursor  connectors.Cursor
	start   bool
	step    Step
	seen    map[connectors.Cursor]bool // cursors met, to notice a circle
	patient time.Time                  // since when the source says "not yet"
	ahead   chan ahead                 // the next page on its way, nil where none is
}

// page reads and commits one page.
func (p *pulling) page(ctx context.Context) (done bool, err error) {
	resource := p.step.Resource
	page, err := p.take(ctx)
	if err != nil {
		return false, err
	}
	for _, text := range page.Warnings {
		p.warn(string(resource) + ": " + text)
	}
	moved := page.Next != p.cursor
	waiting := !page.NotBefore.IsZero() && !page.Done
	if !moved && !page.Done && !waiting {
		return false, loop(resource, errors.New("the cursor did not advance"))
	}
	if moved && p.seen[page.Next] && !waiting && !page.Done {
		return false, loop(resource, errors.New("the cursor goes in a circle"))
	}
	p.seen[page.Next] = true
	if moved && !page.Done && !waiting {
		p.readAhead(ctx, page.Next)
	}
	if moved || page.Done || page.Records.Len() > 0 {
		if err := p.commit(ctx, page); err != nil {
			return false, err
		}
	}
	if waiting {
		return false, p.pause(ctx, page.NotBefore)
	}
	p.patient = time.Time{}
	return page.Done, nil
}

func (p *pulling) commit(ctx context.Context, page connectors.Page) error {
	written, err := p.Records.Commit(ctx, Commit{
		Resource: p.step.Resource, Mode: p.step.Mode, Old: p.cursor, Start: p.start, Page: page, At: p.Now(),
	})
	if err != nil {
		return err
	}
	p.cursor, p.start = page.Next, false
	p.pull.Written = p.pull.Written.Add(written)
	p.pull.Pages++
	p.pull.Done = page.Done
	p.step.Read += written.Read
	p.step.Done = page.Done
	if page.Total > 0 {
		p.step.Total = page.Total
	}
	p.Progress(p.step)
	return nil
}

// pause waits until the source has something, within reason.
func (p *pulling) pause(ctx context.Context, until time.Time) error {
	now := p.Now()
	if p.patient.IsZero() {
		p.patient = now
	}
	if until.Sub(p.patient) > p.Patience {
		return &connectors.Error{
			Kind: connectors.KindWait, Op: string(p.step.Resource) + " pull", Until: until,
			Err: errors.New("the shop is still preparing the data"), Remedy: "nothing: the next run goes on where this one stopped",
		}
	}
	waiting := p.step
	waiting.Waiting = true
	p.Progress(waiting)
	return p.Wait(ctx, until)
}

// ask pulls one page, and turns a panic of the connector into an error.
func (p *pulling) ask(ctx context.Context, cursor connectors.Cursor) (page connectors.Page, err error) {
	defer p.recovered(p.step.Resource, &err)
	if err := ctx.Err(); err != nil {
		return connectors.Page{}, err
	}
	return p.Source.Pull(ctx, p.step.Resource, p.step.Mode, cursor)
}

// recovered says that a connector panicked. The value of the panic may hold a person or a secret, and is told only
// where the runtime made it.
func (r *runner) recovered(resource commerce.Resource, err *error) {
	value := recover()
	if value == nil {
		return
	}
	cause := fmt.Errorf("the connector broke down (%T)", value)
	if fault, ok := value.(runtime.Error); ok {
		cause = fmt.Errorf("the connector broke down: %w", fault)
	}
	stack := make([]byte, 4096)
	r.Log.Error("connector panic", "resource", resource, "err", cause, "stack", string(stack[:runtime.Stack(stack, false)]))
	*err = &connectors.Error{
		Kind: connectors.KindPermanent, Op: string(resource) + " pull", Err: cause,
		Remedy: "report this fault; what was read is kept",
	}
}
