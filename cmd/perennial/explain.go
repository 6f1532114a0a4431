package main

import (
	"context"
	"fmt"

	"github.com/spf13/cobra"

	"github.com/perennial-cvo/perennial/analysis/report"
	"github.com/perennial-cvo/perennial/connectors/commerce"
)

func newExplain(g *globals) *cobra.Command {
	var asJSON bool
	cmd := &cobra.Command{
		Use:   "explain EMAIL",
		Short: "Say why a person is where they are",
		Long: "Shows a person's orders and how each counts, the scores with their thresholds, the lifecycle stage and until when it\n" +
			"holds, value, risk, your own segments and what each rule found, where they may go next, the history, what they are\n" +
			"expected to do, and what was pushed where.",
		Args: oneArg("EMAIL"),
		RunE: func(cmd *cobra.Command, args []string) error {
			found, err := g.people(cmd.Context(), args[0])
			if err != nil {
				return err
			}
			if asJSON {
				return report.JSON(g.out, found)
			}
			width, colour := g.screen()
			for i, person := range found {
				if i > 0 {
					g.printf("\n")
				}
				if err := report.Explain(g.out, person, width, colour); err != nil {
					return err
				}
			}
			return nil
		},
	}
	jsonFlag(cmd, &asJSON)
	return cmd
}

// people finds a person in every selected shop that knows them.
func (g *globals) people(ctx context.Context, address string) ([]report.Explanation, error) {
	email := commerce.Email(address)
	if email == "" {
		return nil, fail(exitUsage, fmt.Sprintf("command line: %q is not an e-mail address", address), "give an address such as ann@shop.example", nil)
	}
	var found []report.Explanation
	err := g.reading(ctx, func(ctx context.Context, s *shop) error {
		person, ok, err := report.CollectPerson(ctx, s.store(), email)
		if ok && err == nil {
			found = append(found, person)
		}
		return err
	})
	if err == nil && len(found) == 0 {
		return nil, fail(exitFindings, "nobody is known by this e-mail address", "check the address; whoever ordered or has an account is known after the next sync", nil)
	}
	return found, err
}
