package main

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/perennial-cvo/perennial/connectors"
	"github.com/perennial-cvo/perennial/sync/activation"
	"github.com/perennial-cvo/perennial/sync/ingest"
	"github.com/perennial-cvo/perennial/sync/postgres"
	"github.com/perennial-cvo/perennial/sync/schedule"
)

// step runs fn as one line in the ledger of runs: what it did, how it ended, and what a person should do about it.
func (s *shop) step(ctx context.Context, kind string, fn func(context.Context) (map[string]int, error)) error {
	began := s.app.now()
	run, err := s.app.db.StartRun(ctx, s.id, kind, began)
	if err != nil {
		return databaseFailure("ledger of runs", err)
	}
	counts, failed := fn(ctx)
	if failed != nil && ctx.Err() != nil { // whatever was under way says so in its own words
		failed = fmt.Errorf("called off, the next run goes on from there: %w", context.Cause(ctx))
	}
	end := schedule.End{At: s.app.now(), State: schedule.Succeeded, Counts: counts}
	if failed != nil {
		_, end.Remedy = classify(failed)
		end.State, end.Kind, end.Error = stateOf(failed), connectors.KindOf(failed).String(), failed.Error()
	}
	// The line is closed even where the run was interrupted.
	closing, cancel := context.WithTimeout(context.WithoutCancel(ctx), 10*time.Second)
	defer cancel()
	if err := s.app.db.EndRun(closing, s.id, run, end); err != nil {
		return errors.Join(failed, databaseFailure("ledger of runs", err))
	}
	s.app.metrics.ended(s.cfg.Name, kind, string(end.State), began, end.At)
	return failed
}

// stateOf is how a failed run is booked.
func stateOf(err error) schedule.State {
	var held *activation.HeldError
	switch {
	case errors.As(err, &held):
		return schedule.Held
	case connectors.KindOf(err) == connectors.KindWait:
		return schedule.Deferred
	default:
		return schedule.Failed
	}
}

// night is the whole nightly work of one shop: sync, weekly what customers are worth, analysis, weekly a look at what stands
// remotely, pushes, what is told of everybody together. A worth that cannot be told, a push that the guard holds or a destination that is not
// there does not stop the others. Nor does a clock that went back: who unsubscribed leaves from the memberships that stand.
func (s *shop) night(ctx context.Context) error {
	missing := s.syncStep(ctx, syncFlags{})
	var partial *ingest.PartialError
	if missing != nil && !errors.As(missing, &partial) {
		return missing
	}
	behind, unappraised := s.analyse(ctx, false, false)
	if behind != nil && !errors.Is(behind, postgres.ErrDaySaved) || ctx.Err() != nil {
		return errors.Join(behind, unappraised, missing)
	}
	uncharted := s.courseStep(ctx)
	if uncharted != nil && ctx.Err() != nil {
		return uncharted
	}
	if behind == nil && s.cfg.RefreshEvery() > 0 { // who ordered since midnight
		if behind = s.analyzeToday(ctx); behind != nil && ctx.Err() != nil {
			return errors.Join(behind, unappraised, missing)
		}
	}
	drift := s.readBackStep(ctx)
	if drift != nil && ctx.Err() != nil {
		return drift
	}
	unpushed := s.pushStep(ctx, pushFlags{})
	var uncounted error
	if behind == nil && ctx.Err() == nil {
		uncounted = s.sumUp(ctx)
	}
	return errors.Join(unpushed, drift, missing, behind, unappraised, uncharted, uncounted)
}

// sumUp works out what is told of everybody together: who comes back, what sells, what audiences bring.
func (s *shop) sumUp(ctx context.Context) error {
	uncounted := s.retentionStep(ctx)
	if ctx.Err() != nil {
		return uncounted
	}
	return errors.Join(uncounted, s.trialStep(ctx))
}

// scheduled is night in the words of the scheduler: what need not be tried again before tomorrow, and what asks for
// patience.
func (s *shop) scheduled(ctx context.Context) error {
	err := s.night(ctx)
	if err == nil || ctx.Err() != nil {
		return err
	}
	var held *activation.HeldError
	var e *connectors.Error
	switch {
	case errors.As(err, &held):
		return &schedule.Final{Err: err}
	case errors.As(err, &e) && e.Kind == connectors.KindWait:
		return &schedule.Later{Until: e.Until, Err: err}
	case errors.As(err, &e) && (e.Kind == connectors.KindCredentials || e.Kind == connectors.KindPermanent || e.Kind == connectors.KindRecord):
		return &schedule.Final{Err: err}
	default:
		return err
	}
}

// line tells on standard output what a step did, when it is a person who asked.
func (s *shop) line(format string, args ...any) {
	if !s.app.quiet {
		s.app.printf("%s: %s\n", s.cfg.Name, fmt.Sprintf(format, args...))
	}
}
