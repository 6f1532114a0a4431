package main

import (
	"context"
	"errors"
	"fmt"

	"github.com/spf13/cobra"

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
			s.line("%s: taken back from %s people, %s removed", r.target.Destination, count(purged.People), of(purged.Audiences, "audience"))
			if purged.Left > 0 {
				failures = append(failures, fail(exitUnavailable, fmt.Sprintf("destination %s: %s people were not let go; they are kept in mind", r.target.Destination, count(purged.Left)), "run perennial purge again later", nil))
			}
		}
		if len(failures) == 0 {
			s.line("the next push adds it all again: before that, set tags = false or take the destination out of the configuration")
		}
		return counts, errors.Join(failures...)
	})
}
