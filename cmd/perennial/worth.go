package main

import (
	"context"

	"github.com/perennial-cvo/perennial/analysis"
)

// A model is fitted anew after so many days, or when the shop has grown by more than this part.
const (
	refitDays   = 7
	refitGrowth = 0.1
)

// worthStep works out what customers are worth, where that is due or asked for; else it does nothing and leaves no line in
// the ledger.
func (s *shop) worthStep(ctx context.Context, customers int, refit bool) error {
	last, stands, err := s.store().Worth(ctx)
	if err != nil {
		return databaseFailure("worth", err)
	}
	loc, err := s.location(ctx)
	if err != nil {
		return err
	}
	if stands && !refit && !refitDue(last, analysis.Day(s.app.now(), loc), customers) {
		return nil
	}
	return s.step(ctx, "worth", func(ctx context.Context) (map[string]int, error) {
		worth, err := analysis.Appraise(ctx, s.store(), analysis.WorthOptions{Now: s.app.now, Standing: last.Choice.Kind})
		if err != nil {
			return nil, err
		}
		if err := s.store().SaveWorth(ctx, worth); err != nil {
			return nil, err
		}
		s.line("worth of %s by %s", of(worth.Customers, "customer"), worth.Kind.Label())
		return map[string]int{"customers": worth.Customers}, nil
	})
}

// refitDue says whether the last appraisal is too old for today's shop.
func refitDue(last analysis.Worth, today, customers int) bool {
	return today-last.Day >= refitDays || float64(customers) > (1+refitGrowth)*float64(last.Customers)
}
