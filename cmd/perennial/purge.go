package main

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/spf13/cobra"

	"github.com/perennial-cvo/perennial/analysis/report"
	"github.com/perennial-cvo/perennial/sync/activation"
)

func newPurge(g *globals) *cobra.Command {
	var yes bool
	var only []string
	cmd := &cobra.Command{
		Use:   "purge",
		Short: "Take back everything that was ever added to shops and platforms",
		Long:  "Removes our tags, attributes and audiences everywhere. People, their subscriptions and everybody else's tags stay.",
		Args:  noArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			if !yes {
				return fail(exitUsage, "purge takes back every tag and audience that Perennial added; nothing was done yet", "if that is wanted: perennial purge --yes", nil)
			}
			return g.writing(cmd.Context(), func(ctx context.Context, s *shop) error { return s.purge(ctx, only) })
		},
	}
	cmd.Flags().BoolVar(&yes, "yes", false, "really do it")
	cmd.Flags().StringSliceVar(&only, "to", nil, "only this `destination` (\"shop\" is the shop's own tags)")
	return cmd
}

func (s *shop) purge(ctx context.Context, only []string) error {
	if err := s.purgeable(ctx, only); err != nil {
		return err
	}
	receivers, err := s.receivers(ctx, pushFlags{only: only})
	if err != nil {
		return err
	}
	return s.step(ctx, "purge", func(ctx context.Context) (map[string]int, error) {
		counts := map[string]int{}
		var failures []error
		for _, r := range receivers {
			purged, err := activation.Purge(ctx, s.pushOptions(r, nil))
			counts[r.target.Destination] = purged.People
			if err != nil {
				failures = append(failures, fmt.Errorf("destination %s: %w", r.target.Destination, err))
				continue
			}
			s.line("%s: taken back from %s, %s removed%s", r.target.Destination, people(purged.People), of(purged.Audiences, "audience"), strays(purged.Strays))
			if purged.Left > 0 {
				failures = append(failures, fail(exitUnavailable, fmt.Sprintf("destination %s: %s people were not let go; they are kept in mind", r.target.Destination, count(purged.Left)), "run perennial purge again later", nil))
			}
		}
		if len(only) == 0 {
			if err := s.tellOutOfReach(ctx); err != nil {
				failures = append(failures, err)
			}
		}
		if len(failures) == 0 && len(receivers) > 0 {
			s.line("the next push adds it all again: before that, set tags = false or take the destination out of the configuration")
		}
		return counts, errors.Join(failures...)
	})
}

func people(n int) string {
	if n == 1 {
		return "1 person"
	}
	return count(n) + " people"
}

// strays says of how many people nothing was known though something of ours stood there.
func strays(n int) string {
	if n == 0 {
		return ""
	}
	return fmt.Sprintf("; of these, %s carried it without our having put it there, as customers do whom the shop merged", count(n))
}

// purgeable refuses to purge by name a destination that the configuration does not know any more, and says what stands there.
func (s *shop) purgeable(ctx context.Context, only []string) error {
	lost, err := s.lost(ctx)
	if err != nil {
		return err
	}
	for _, d := range lost {
		if slices.Contains(only, d.Destination) {
			return fail(exitUsage, fmt.Sprintf("%s is not in the configuration any more, so it cannot be reached; %s", d.Destination, standingThere(d)),
				s.backAgain(d), nil)
		}
	}
	return nil
}

// tellOutOfReach says what stands at destinations that the configuration does not know any more.
func (s *shop) tellOutOfReach(ctx context.Context) error {
	lost, err := s.lost(ctx)
	if err != nil {
		return err
	}
	for _, d := range lost {
		s.line("%s: is not in the configuration any more, so nothing was taken back there; %s. To take it back: %s", d.Destination, standingThere(d), s.backAgain(d))
	}
	names, err := s.left(ctx, nil)
	for _, text := range names {
		s.line("%s", text)
	}
	return err
}

// lost are the destinations at which something of ours stands and which the configuration does not know any more.
func (s *shop) lost(ctx context.Context) ([]report.Delivery, error) {
	all, err := s.store().Deliveries(ctx)
	if err != nil {
		return nil, databaseFailure("deliveries", err)
	}
	return slices.DeleteFunc(all, func(d report.Delivery) bool {
		return s.isConfigured(d.Destination) || d.Delivered == 0 && d.Waiting == 0 && len(d.Audiences) == 0
	}), nil
}

// standingThere counts what stands at a destination, by audience.
func standingThere(d report.Delivery) string {
	var named []string
	for _, a := range d.Audiences {
		named = append(named, fmt.Sprintf("%s (%s)", a.Name, count(a.Members)))
	}
	text := "of " + people(d.Delivered) + " something still stands there"
	if d.Waiting > 0 {
		text += ", and perhaps of " + people(d.Waiting) + " whose last push had no answer"
	}
	if len(named) == 0 {
		return text
	}
	return text + ", in " + strings.Join(named, ", ")
}

// backAgain says how a destination can be reached again.
func (s *shop) backAgain(d report.Delivery) string {
	command := fmt.Sprintf("perennial purge --yes --store %s --to %s", s.cfg.Name, d.Destination)
	if d.Destination == ownTags {
		return "set tags = true, and " + command
	}
	return fmt.Sprintf("put [[stores.destinations]] with name = %q back, with its kind, prefix and settings, and %s", d.Destination, command)
}
