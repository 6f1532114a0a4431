package main

import (
	"context"
	"encoding/csv"
	"fmt"
	"strings"

	"github.com/spf13/cobra"

	"github.com/perennial-cvo/perennial/analysis/report"
	"github.com/perennial-cvo/perennial/sync/postgres"
)

func newExport(g *globals) *cobra.Command {
	return &cobra.Command{
		Use:   "export [EMAIL]",
		Short: "Print every customer's figures as CSV, or all that is known of one person as JSON",
		Args: func(cmd *cobra.Command, args []string) error {
			if len(args) > 1 {
				return fail(exitUsage, "command line: export takes one EMAIL, or none for everybody", cmd.CommandPath()+" --help", nil)
			}
			return nil
		},
		RunE: func(cmd *cobra.Command, args []string) error {
			if len(args) == 1 {
				return g.exportPerson(cmd.Context(), args[0])
			}
			table := csv.NewWriter(g.out)
			if err := table.Write(exportHeader); err != nil {
				return fmt.Errorf("export: %w", err)
			}
			return g.reading(cmd.Context(), func(ctx context.Context, s *shop) error { return s.export(ctx, table) })
		},
	}
}

var exportHeader = []string{
	"store", "customer_id", "email", "orders", "first_day", "last_day", "gross", "net", "r", "f", "m", "segment", "since",
	"lifecycle", "value_tier", "churn_risk", "predicted_value", "next_order_week", "own_segments",
}

func (s *shop) export(ctx context.Context, table *csv.Writer) error {
	err := s.store().Export(ctx, func(row postgres.Exported) error {
		return table.Write([]string{
			harmless(s.cfg.Name), harmless(row.CustomerID), harmless(row.Email), row.Orders, row.FirstDay, row.LastDay,
			row.Gross, row.Net, row.R, row.F, row.M, row.Segment, row.Since,
			row.Stage, row.Tier, row.Churn, row.Value, row.NextWeek, row.Own,
		})
	})
	if err != nil {
		return databaseFailure("export", err)
	}
	table.Flush()
	if err := table.Error(); err != nil {
		return fmt.Errorf("export: %w", err)
	}
	return nil
}

// harmless keeps a spreadsheet from taking text as a formula.
func harmless(text string) string {
	if text != "" && strings.ContainsRune("=+-@\t\r", rune(text[0])) {
		return "'" + text
	}
	return text
}

// exportPerson prints what every selected shop knows of a person.
func (g *globals) exportPerson(ctx context.Context, address string) error {
	found, err := g.people(ctx, address)
	if err != nil {
		return err
	}
	return report.JSON(g.out, found)
}
