package main

import (
	"context"

	"github.com/perennial-cvo/perennial/analysis"
)

// retentionStep works out who comes back, what sells and who is worth what, where that is due; else it does nothing and leaves
// no line in the ledger.
func (s *shop) retentionStep(ctx context.Context) error {
	options, err := s.analysisOptions()
	if err != nil {
		return err
	}
	o := analysis.RetentionOptions{Now: s.app.now, Basis: options.Basis}
	due, err := s.retentionDue(ctx, o)
	if err != nil || !due {
		return err
	}
	return s.step(ctx, "retention", func(ctx context.Context) (map[string]int, error) {
		summary, err := analysis.Retain(ctx, s.store(), o)
		if err != nil {
			return nil, err
		}
		if err := s.sums(ctx, o); err != nil {
			return nil, err
		}
		if err := s.store().SaveRetention(ctx, summary); err != nil { // last: while it is old, all of them are due
			return nil, err
		}
		s.line("%s of %s came back", count(summary.Repeat.ByOrders.Hits), of(summary.Customers, "customer"))
		return map[string]int{"customers": summary.Customers}, nil
	})
}

// retentionDue says whether the last summaries are too old, or one of them was never made.
func (s *shop) retentionDue(ctx context.Context, o analysis.RetentionOptions) (bool, error) {
	facts, err := s.store().Shop(ctx)
	if err != nil {
		return false, databaseFailure("shop", err)
	}
	last, _, err := s.store().RetentionSummary(ctx)
	if err != nil {
		return false, databaseFailure("retention", err)
	}
	whole, err := s.store().Summed(ctx)
	if err != nil {
		return false, databaseFailure("summaries", err)
	}
	changed, err := s.store().RefreshedSinceRetention(ctx)
	if err != nil {
		return false, databaseFailure("retention", err)
	}
	return !whole || o.Due(last, facts, changed), nil
}

// sums works out what sells and who is worth what.
func (s *shop) sums(ctx context.Context, o analysis.RetentionOptions) error {
	sold, err := analysis.Sell(ctx, s.store(), o)
	if err != nil {
		return err
	}
	if err := s.store().SaveProducts(ctx, sold); err != nil {
		return err
	}
	worth, _, err := s.store().Worth(ctx)
	if err != nil {
		return databaseFailure("worth", err)
	}
	values, err := analysis.Spread(ctx, s.store(), o, worth.Horizon)
	if err != nil {
		return err
	}
	return s.store().SaveValues(ctx, values)
}

// trialStep works out what audiences bring, where a share of any is held out or was; else it does nothing and leaves no line in
// the ledger.
func (s *shop) trialStep(ctx context.Context) error {
	tried, err := s.store().Tried(ctx)
	if err != nil || !tried {
		return err
	}
	return s.step(ctx, "trials", func(ctx context.Context) (map[string]int, error) {
		summary, err := analysis.Try(ctx, s.store(), analysis.RetentionOptions{Now: s.app.now})
		if err != nil {
			return nil, err
		}
		if err := s.store().SaveTrials(ctx, summary); err != nil {
			return nil, err
		}
		s.line("%s judged", of(len(summary.Results), "trial"))
		return map[string]int{"trials": len(summary.Results)}, nil
	})
}
