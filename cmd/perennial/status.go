package main

import (
	"context"
	"time"

	"github.com/spf13/cobra"

	"github.com/perennial-cvo/perennial/analysis/report"
	"github.com/perennial-cvo/perennial/sync/schedule"
)

func newStatus(g *globals) *cobra.Command {
	var asJSON bool
	cmd := &cobra.Command{
		Use:   "status",
		Short: "Say how far each shop is, what ran, what is set aside, what comes next",
		Args:  noArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			return show(cmd.Context(), g, asJSON, func(ctx context.Context, s *shop) (report.StoreStatus, error) {
				status, err := report.CollectStatus(ctx, s.store(), g.now())
				if err != nil {
					return status, err
				}
				err = s.complete(ctx, &status)
				return status, err
			}, func(status report.StoreStatus) error {
				width, colour := g.screen()
				return report.Status(g.out, []report.StoreStatus{status}, width, colour)
			})
		},
	}
	jsonFlag(cmd, &asJSON)
	return cmd
}

// complete adds to what the database says of the shop what the configuration knows: destinations that are no more, platforms
// that do not know people, and when the daemon will work on it next.
func (s *shop) complete(ctx context.Context, status *report.StoreStatus) error {
	left, err := s.left(ctx, status.Deliveries)
	if err != nil {
		return err
	}
	status.Warnings = append(status.Warnings, left...)
	for _, d := range status.Deliveries {
		if text := absent(d, s.cfg.Destinations); text != "" {
			status.Warnings = append(status.Warnings, text+". What to do: "+absentRemedy+".")
		}
	}
	status.Overview.NextRun, err = s.nextRun(ctx)
	return err
}

// nextRun is when the daemon will work on the shop next.
func (s *shop) nextRun(ctx context.Context) (time.Time, error) {
	zone, err := s.location(ctx)
	if err != nil {
		return time.Time{}, err
	}
	nightly, err := s.app.db.Nightly(ctx, s.id)
	if err != nil {
		return time.Time{}, databaseFailure("schedule", err)
	}
	_, _, next, err := schedule.Due(s.cfg.Nightly(), zone, s.app.now(), nightly)
	if err != nil {
		return time.Time{}, fail(exitUsage, "schedule", "correct nightly_at or schedule in perennial.toml", err)
	}
	return next, nil
}
