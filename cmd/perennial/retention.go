package main

import (
	"context"

	"github.com/perennial-cvo/perennial/analysis"
)

// retentionStep works out who comes back, where that is due; else it does nothing and leaves no line in the ledger.
func (s *shop) retentionStep(ctx context.Context) error {
	options, err := s.analysisOptions()
	if err != nil {
		return err
	}
	facts, err := s.store().Shop(ctx)
	if err != nil {
		return databaseFailure("shop", err)
	}
	last, _, err := s.store().RetentionSummary(ctx)
	if err != nil {
		return databaseFailure("retention", err)
	}
	changed, err := s.store().RefreshedSinceRetention(ctx)
	if err != nil {
		return databaseFailure("retention", err)
	}
	o := analysis.RetentionOptions{Now: s.app.now, Basis: options.Basis}
	if !o.Due(last, facts, changed) {
		return nil
	}
	return s.step(ctx, "retention", func(ctx context.Context) (map[string]int, error) {
		summary, err := analysis.Retain(ctx, s.store(), o)
		if err != nil {
			return nil, err
		}
		if err := s.store().SaveRetention(ctx, summary); err != nil {
			return nil, err
		}
		s.line("%s of %s came back", count(summary.Repeat.ByOrders.Hits), of(summary.Customers, "customer"))
		return map[string]int{"customers": summary.Customers}, nil
	})
}
