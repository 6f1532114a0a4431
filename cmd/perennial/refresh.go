package main

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/perennial-cvo/perennial/analysis"
)

// fresh is how long orders that were read count as read: a push by hand does not read them again before that.
const fresh = time.Hour

// isBetween says whether a shop is to be looked at between two nights: so long after orders were read last, by whomever and
// with whatever success.
func (s *shop) isBetween(ctx context.Context) (bool, error) {
	every := s.cfg.RefreshEvery()
	if every <= 0 {
		return false, nil
	}
	facts, err := s.store().Shop(ctx)
	if err != nil {
		return false, databaseFailure("shop", err)
	}
	if !facts.Loaded {
		return false, nil
	}
	return s.isStale(ctx, every)
}

// isStale says whether orders were read longer ago than that.
func (s *shop) isStale(ctx context.Context, than time.Duration) (bool, error) {
	last, err := s.app.db.LastRun(ctx, s.id, "sync")
	if err != nil {
		return false, databaseFailure("ledger of runs", err)
	}
	return s.app.now().Sub(last).Abs() >= than, nil
}

// between is the work between two nights: what changed of orders and customers, where everybody stands by now, a push.
func (s *shop) between(ctx context.Context) error {
	missing := s.syncStep(ctx, syncFlags{light: true})
	if ctx.Err() != nil {
		return missing
	}
	behind := s.analyzeToday(ctx)
	if ctx.Err() != nil {
		return errors.Join(behind, missing)
	}
	return errors.Join(s.pushStep(ctx, pushFlags{between: true}), behind, missing)
}

// catchUp reads what was ordered lately before a push by hand, unless that was done within the hour, and finds where those who
// ordered stand by now. What cannot be read does not keep the push from what is known.
func (s *shop) catchUp(ctx context.Context) error {
	facts, err := s.store().Shop(ctx)
	if err != nil {
		return databaseFailure("shop", err)
	}
	if !facts.Loaded {
		return nil // the push says so
	}
	stale, err := s.isStale(ctx, fresh)
	if err != nil || !stale {
		return err
	}
	missing := s.syncStep(ctx, syncFlags{light: true})
	if ctx.Err() != nil {
		return missing
	}
	return errors.Join(missing, s.analyzeToday(ctx))
}

// analyzeToday finds where everybody stands as of now, so that whoever ordered today leaves the audiences of those who did not,
// unless nobody's orders changed. It needs an analysis that stands: the first one is that of a night.
func (s *shop) analyzeToday(ctx context.Context) error {
	due, err := s.store().Due(ctx)
	if err != nil {
		return databaseFailure("sums of customers", err)
	}
	rules, err := s.store().Rules(ctx)
	if err != nil {
		return databaseFailure("rules of segments", err)
	}
	if !due || rules[analysis.SchemeRFM] == "" {
		return nil
	}
	if err := s.analyzeAsOf(ctx, 0, true); err != nil {
		return fmt.Errorf("where customers stand today: %w", err)
	}
	return nil
}
