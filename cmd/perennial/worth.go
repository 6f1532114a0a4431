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

// analyse is the analysis of a night: what customers are worth, where that is due or asked for, and then where everybody
// stands, for which that is an input. A worth that cannot be told does not stop the rest: the last one holds.
func (s *shop) analyse(ctx context.Context, full, refit bool) (unanalysed, unappraised error) {
	refreshed, err := s.refresh(ctx, full)
	if err != nil {
		return s.step(ctx, "analyze", func(context.Context) (map[string]int, error) { return nil, err }), nil
	}
	if unappraised = s.worthStep(ctx, refit); unappraised != nil && ctx.Err() != nil {
		return nil, unappraised
	}
	return s.analyzeStep(ctx, refreshed), unappraised
}

// refresh brings every customer's sums up to date as of the start of today and returns how many were made anew. Before the
// first load is complete there is nothing to do.
func (s *shop) refresh(ctx context.Context, full bool) (int, error) {
	facts, err := s.store().Shop(ctx)
	if err != nil {
		return 0, databaseFailure("shop", err)
	}
	if !facts.Loaded {
		return 0, nil
	}
	refreshed, err := s.store().Refresh(ctx, analysis.StartOfDay(analysis.Day(s.app.now(), facts.Location), facts.Location), full)
	if err != nil {
		return 0, databaseFailure("sums of customers", err)
	}
	return refreshed, nil
}

// worthStep works out what customers are worth, where that is due or asked for; else it does nothing and leaves no line in
// the ledger. It expects the sums of customers to be up to date.
func (s *shop) worthStep(ctx context.Context, refit bool) error {
	facts, err := s.store().Shop(ctx)
	if err != nil {
		return databaseFailure("shop", err)
	}
	if !facts.Loaded {
		return nil // the analysis says so
	}
	last, stands, err := s.store().Worth(ctx)
	if err != nil {
		return databaseFailure("worth", err)
	}
	customers, err := s.store().Buyers(ctx)
	if err != nil {
		return databaseFailure("worth", err)
	}
	o := worthOptions(s.cfg)
	if stands && !refit && !refitDue(last, o, analysis.Day(s.app.now(), facts.Location), customers) {
		return nil
	}
	return s.step(ctx, "worth", func(ctx context.Context) (map[string]int, error) {
		o.Now, o.Standing = s.app.now, last.Choice.Kind
		worth, err := analysis.Appraise(ctx, s.store(), o)
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

// refitDue says whether the last appraisal is too old for today's shop, was made as the owner does not want it any more, or by
// a program that knew other models than this one.
func refitDue(last analysis.Worth, o analysis.WorthOptions, today, customers int) bool {
	_, unusable := last.Forecast()
	return unusable != nil || last.Horizon != o.Horizon || last.AnnualRate != max(0, o.AnnualRate) ||
		today-last.Day >= refitDays || float64(customers) > (1+refitGrowth)*float64(last.Customers)
}
