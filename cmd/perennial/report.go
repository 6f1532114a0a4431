package main

import (
	"context"

	"github.com/spf13/cobra"
	"golang.org/x/term"

	"github.com/perennial-cvo/perennial/analysis/report"
)

func newReport(g *globals) *cobra.Command {
	var asJSON, full bool
	var file string
	cmd := &cobra.Command{
		Use:   "report",
		Short: "Tell what there is to tell about each shop",
		Long: "Segments with their share of customers and revenue, who moved between them in the last month, what customers are\n" +
			"worth, who comes back, what the best buy first, the way from the shop's own revenue to ours line by line, what was pushed, and what\n" +
			"was withheld and why. With --html it writes the same with charts as one file, which needs nothing else and names nobody.",
		Args: noArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			collect := func(ctx context.Context, s *shop) (report.Report, error) {
				return report.Collect(ctx, s.store(), report.Options{Now: g.now()})
			}
			if cmd.Flags().Changed("html") {
				if asJSON || full {
					return fail(exitUsage, "flags --html, --json and --full are about different things", "give one of them", nil)
				}
				return g.reportFile(cmd.Context(), file, collect)
			}
			return show(cmd.Context(), g, asJSON, collect, func(r report.Report) error {
				width, colour := g.screen()
				if full {
					return report.Full(g.out, r, width, colour)
				}
				return report.Terminal(g.out, r, width, colour)
			})
		},
	}
	cmd.Flags().BoolVar(&full, "full", false, "tell everything: the rules behind the tables, cohorts, every audience, every comparison of forecasts")
	cmd.Flags().StringVar(&file, "html", "", "write one `file` for a browser, with all shops and everything in it; - writes it to standard output")
	jsonFlag(cmd, &asJSON)
	return cmd
}

func jsonFlag(cmd *cobra.Command, asJSON *bool) {
	cmd.Flags().BoolVar(asJSON, "json", false, "print JSON for machines, one list with an entry for each shop")
}

// show collects something about every selected shop and prints it: one JSON list, or page after page for people.
func show[T any](ctx context.Context, g *globals, asJSON bool, collect func(context.Context, *shop) (T, error), page func(T) error) error {
	all := []T{}
	err := g.reading(ctx, func(ctx context.Context, s *shop) error {
		one, err := collect(ctx, s)
		if err != nil {
			return err
		}
		all = append(all, one)
		return nil
	})
	if asJSON && len(all) > 0 {
		if failed := report.JSON(g.out, all); failed != nil {
			return failed
		}
		return err
	}
	for i, one := range all {
		if i > 0 {
			g.printf("\n")
		}
		if failed := page(one); failed != nil {
			return failed
		}
	}
	return err
}

// screen returns how wide the terminal is and whether it shows colours; what is not a terminal is 80 wide and plain.
func (g *globals) screen() (width int, colour bool) {
	if !isTerminal(g.out) {
		return 80, false
	}
	if file, ok := g.out.(interface{ Fd() uintptr }); ok {
		if w, _, err := term.GetSize(int(file.Fd())); err == nil && w > 0 {
			return w, g.getenv("NO_COLOR") == ""
		}
	}
	return 80, g.getenv("NO_COLOR") == ""
}
