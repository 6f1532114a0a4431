package main

import (
	"context"
	"time"

	"github.com/spf13/cobra"

	"github.com/perennial-cvo/perennial/sync/ingest"
)

// sweepEvery is how often everything is read again, so that deletions and silent edits are found.
const sweepEvery = 7 * 24 * time.Hour

// syncFlags are what a person can say to one sync.
type syncFlags struct {
	sweep           bool
	acceptDeletions bool
	light           bool // what changed of orders and customers only
}

func newSync(g *globals) *cobra.Command {
	var flags syncFlags
	cmd := &cobra.Command{
		Use:   "sync",
		Short: "Read what changed in the shops",
		Long:  "Reads what changed since the last sync; the first time, everything. Interrupted, it goes on where it stopped.",
		Args:  noArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			return g.writing(cmd.Context(), func(ctx context.Context, s *shop) error { return s.syncStep(ctx, flags) })
		},
	}
	cmd.Flags().BoolVar(&flags.acceptDeletions, "accept-deletions", false, "believe that many records are gone from the shop at once")
	cmd.Flags().BoolVar(&flags.sweep, "sweep", false, "read everything again, to find deletions and silent edits (runs weekly by itself)")
	return cmd
}

// writing opens the database and runs fn for every selected shop as its one writer.
func (g *globals) writing(ctx context.Context, fn func(context.Context, *shop) error) error {
	a, err := g.open(ctx)
	if err != nil {
		return err
	}
	defer a.close(ctx)
	return a.write(ctx, fn)
}

// reading opens the database and runs fn for every selected shop without its lease.
func (g *globals) reading(ctx context.Context, fn func(context.Context, *shop) error) error {
	a, err := g.open(ctx)
	if err != nil {
		return err
	}
	defer a.close(ctx)
	return a.each(ctx, fn)
}

// syncStep reads the shop into the database.
func (s *shop) syncStep(ctx context.Context, flags syncFlags) error {
	return s.step(ctx, "sync", func(ctx context.Context) (map[string]int, error) {
		report, err := s.identify(ctx)
		if err == nil {
			err = s.see(ctx, report.Since)
		}
		if err != nil {
			return nil, err
		}
		bars := s.progress()
		summary, err := ingest.Run(ctx, ingest.Options{
			Source:     s.source,
			Records:    s.store(),
			Now:        s.app.now,
			Log:        s.app.log.With("store", s.cfg.Name),
			Sweep:      flags.sweep,
			SweepEvery: sweepEvery,
			Since:      report.Since,

			Light:           flags.light,
			AcceptDeletions: flags.acceptDeletions,
			Progress: func(p ingest.Step) {
				if p.Waiting {
					bars.wait(string(p.Resource), "the shop")
					return
				}
				bars.step(string(p.Resource), p.Read, p.Total)
			},
		})
		bars.finish()
		for _, warning := range summary.Warnings {
			s.app.log.Warn(warning, "store", s.cfg.Name)
		}
		written := summary.Written()
		s.app.metrics.records.WithLabelValues(s.cfg.Name, "read").Add(float64(written.Read))
		s.app.metrics.records.WithLabelValues(s.cfg.Name, "quarantined").Add(float64(written.Quarantined))
		counts := map[string]int{
			"read": written.Read, "added": written.Added, "changed": written.Changed, "deleted": written.Deleted,
			"quarantined": written.Quarantined,
		}
		if err == nil {
			s.line("read %s: %s new, %s changed, %s gone, %s set aside", of(written.Read, "record"),
				count(written.Added), count(written.Changed), count(written.Deleted), count(written.Quarantined))
		}
		return counts, err
	})
}
