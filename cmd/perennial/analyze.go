package main

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/spf13/cobra"

	"github.com/perennial-cvo/perennial/analysis"
	"github.com/perennial-cvo/perennial/analysis/report"
)

func newAnalyze(g *globals) *cobra.Command {
	var asOf string
	var full, refit bool
	cmd := &cobra.Command{
		Use:   "analyze",
		Short: "Work out who belongs to which segment",
		Long: "Finds where everybody stands as of the start of today in the shop's time zone: RFM group, stage of the lifecycle,\n" +
			"tier of value, risk to be gone, your own segments; and keeps that as history. Once a week, or where the shop grew by\n" +
			"more than a tenth, it first works out anew what customers are worth.\n" +
			"With --as-of it computes the RFM groups of a past day from the orders as they are known now, prints them, and keeps nothing.",
		Args: noArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			if asOf == "" {
				return g.writing(cmd.Context(), func(ctx context.Context, s *shop) error {
					unanalysed, unappraised := s.analyse(ctx, full, refit)
					if unanalysed != nil || ctx.Err() != nil {
						return errors.Join(unanalysed, unappraised)
					}
					return errors.Join(unappraised, s.courseStep(ctx), s.sumUp(ctx))
				})
			}
			if _, err := time.Parse(time.DateOnly, asOf); err != nil {
				return fail(exitUsage, fmt.Sprintf("flag --as-of: %q is no day", asOf), "give a day such as 2026-11-22", nil)
			}
			return g.reading(cmd.Context(), func(ctx context.Context, s *shop) error { return s.analyzePast(ctx, asOf) })
		},
	}
	cmd.Flags().StringVar(&asOf, "as-of", "", "a past `day` (2006-01-02): everything before it takes part")
	cmd.Flags().BoolVar(&refit, "refit", false, "work out anew what customers are worth, though the week is not over")
	cmd.Flags().BoolVar(&full, "full", false, "recompute every customer's figures, not only those that changed")
	return cmd
}

// analyzeStep finds where everybody stands as of the start of today, with the appraisal that stands. So many customers' sums
// were made anew for it.
func (s *shop) analyzeStep(ctx context.Context, refreshed int) error {
	return s.analyzeAsOf(ctx, refreshed, false)
}

// analyzeAsOf is that, or as of now, so that orders of today count.
func (s *shop) analyzeAsOf(ctx context.Context, refreshed int, now bool) error {
	return s.step(ctx, "analyze", func(ctx context.Context) (map[string]int, error) {
		options, err := s.analysisOptions()
		if err != nil {
			return nil, err
		}
		options.Intraday = now
		worth, stands, err := s.store().Worth(ctx)
		if err != nil {
			return nil, databaseFailure("worth", err)
		}
		if stands {
			if _, err := worth.Forecast(); err == nil { // else the appraisal before this said what is wrong
				options.Worth = &worth
			}
		}
		outcome, err := analysis.Run(ctx, s.store(), options)
		if err != nil {
			return nil, err
		}
		saved := outcome.Saved
		s.line("%s in %s as of %s: %s new, %s moved, %s left; stage, tier, risk or worth of %s changed",
			of(outcome.Customers, "customer"), of(len(outcome.Result.Groups), "segment"),
			analysis.Date(outcome.Result.Day).Format(time.DateOnly), count(saved.Entered), count(saved.Moved), count(saved.Left),
			count(saved.Placed))
		if n := outcome.Result.Unforetold; n > 0 {
			s.line("the purchases of %s contradict themselves, so nothing is foretold of them; the rest is right. perennial analyze "+
				"--full works their figures out anew", of(n, "customer"))
		}
		return map[string]int{
			"customers": outcome.Customers, "refreshed": max(refreshed, outcome.Refreshed), "entered": saved.Entered,
			"moved": saved.Moved, "scored": saved.Scored, "left": saved.Left, "placed": saved.Placed, "unforetold": outcome.Result.Unforetold,
		}, nil
	})
}

// analyzePast prints the segments of a past day.
func (s *shop) analyzePast(ctx context.Context, asOf string) error {
	loc, err := s.location(ctx)
	if err != nil {
		return err
	}
	at, err := time.ParseInLocation(time.DateOnly, asOf, loc)
	if err != nil {
		return fmt.Errorf("flag --as-of: %w", err)
	}
	if at.After(s.app.now()) {
		return fail(exitUsage, "flag --as-of: "+asOf+" lies in the future", "give a past day", nil)
	}
	options, err := s.analysisOptions()
	if err != nil {
		return err
	}
	options.AsOf, options.Past = at, true
	outcome, err := analysis.Run(ctx, s.store(), options)
	if err != nil {
		return err
	}
	width, colour := s.app.screen()
	return report.Outcome(s.app.out, outcome, width, colour)
}
