package main

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/perennial-cvo/perennial/analysis"
	"github.com/perennial-cvo/perennial/analysis/report"
)

// segmentFlags are what the command was asked.
type segmentFlags struct {
	json, moves, playbook bool
	set, from, to         string
}

func newSegments(g *globals) *cobra.Command {
	var f segmentFlags
	cmd := &cobra.Command{
		Use:   "segments [--playbook [KEY...]]",
		Short: "List the segments: what each means, how many are in it, what to do",
		Long: "Every set of segments: RFM groups, stages of the lifecycle, tiers of value, risk to be gone, and your own.\n" +
			"With --moves it tells who went from where to where between two days, and what those people are worth. With --playbook\n" +
			"it recommends a campaign for each: goal, timing, message, offer, and when somebody is left in peace.",
		Args: func(cmd *cobra.Command, args []string) error {
			if f.playbook {
				return nil
			}
			return noArgs(cmd, args)
		},
		RunE: func(cmd *cobra.Command, args []string) error {
			if f.set != "" && !slices.Contains(report.SetNames(), f.set) {
				return fail(exitUsage, fmt.Sprintf("flag --set: %q is no set of segments", f.set), "choose one of "+strings.Join(report.SetNames(), ", "), nil)
			}
			if f.moves && f.playbook {
				return fail(exitUsage, "flags --moves and --playbook are about different things", "give one of them", nil)
			}
			if f.moves {
				return g.moves(cmd.Context(), f)
			}
			if f.from != "" || f.to != "" {
				return fail(exitUsage, "flags --from and --to are about movement", "add --moves", nil)
			}
			if f.playbook {
				return g.playbook(cmd.Context(), f, args)
			}
			return show(cmd.Context(), g, f.json, func(ctx context.Context, s *shop) (report.SegmentSets, error) {
				return report.CollectSegments(ctx, s.store(), f.set)
			}, func(s report.SegmentSets) error {
				width, colour := g.screen()
				return report.Segments(g.out, s, width, colour)
			})
		},
	}
	flags := cmd.Flags()
	flags.StringVar(&f.set, "set", "", "only this `set`: "+strings.Join(report.SetNames(), ", "))
	flags.BoolVar(&f.moves, "moves", false, "tell who moved from where to where (between RFM groups, unless --set names another set)")
	flags.BoolVar(&f.playbook, "playbook", false, "recommend a campaign for each segment, or for the audiences whose keys follow")
	flags.StringVar(&f.from, "from", "", "movement since this `day` (2006-01-02; default: a month before --to)")
	flags.StringVar(&f.to, "to", "", "movement up to this `day` (2006-01-02; default: that of the last analysis)")
	jsonFlag(cmd, &f.json)
	return cmd
}

// moves prints the movement between two days.
func (g *globals) moves(ctx context.Context, f segmentFlags) error {
	asked := report.Between{Set: f.set}
	if asked.Set == "" {
		asked.Set = analysis.SchemeRFM
	}
	var err error
	if asked.From, err = dayFlag("from", f.from); err != nil {
		return err
	}
	if asked.To, err = dayFlag("to", f.to); err != nil {
		return err
	}
	return show(ctx, g, f.json, func(ctx context.Context, s *shop) (report.Movements, error) {
		found, err := report.CollectMovement(ctx, s.store(), asked)
		var wrong *report.DayError
		if errors.As(err, &wrong) {
			return found, fail(exitUsage, wrong.Text, wrong.Remedy, nil)
		}
		return found, err
	}, func(m report.Movements) error {
		width, colour := g.screen()
		return report.Moves(g.out, m, width, colour)
	})
}

// playbook prints the campaigns for the segments in use, or for those with the keys.
func (g *globals) playbook(ctx context.Context, f segmentFlags, keys []string) error {
	for _, key := range keys {
		if known := report.PlaybookKeys(); !slices.Contains(known, key) {
			return fail(exitUsage, fmt.Sprintf("command line: there is no campaign for %q", key),
				"segments of your own have none, all others do: "+strings.Join(known, ", "), nil)
		}
	}
	return show(ctx, g, f.json, func(ctx context.Context, s *shop) (report.Playbook, error) {
		return report.CollectPlaybook(ctx, s.store(), f.set, keys)
	}, func(b report.Playbook) error {
		width, colour := g.screen()
		return report.WritePlaybook(g.out, b, width, colour)
	})
}

// dayFlag reads a day; the zero time where there is none.
func dayFlag(name, text string) (time.Time, error) {
	if text == "" {
		return time.Time{}, nil
	}
	at, err := time.Parse(time.DateOnly, text)
	if err != nil {
		return time.Time{}, fail(exitUsage, fmt.Sprintf("flag --%s: %q is no day", name, text), "give a day such as 2026-11-22", nil)
	}
	return at, nil
}
