package main

import (
	"github.com/spf13/cobra"

	"github.com/perennial-cvo/perennial/config"
)

func newConfig(g *globals) *cobra.Command {
	cmd := &cobra.Command{Use: "config", Short: "Show the configuration", Args: subcommand, RunE: help}
	cmd.AddCommand(&cobra.Command{
		Use:   "show",
		Short: "Print the configuration as it is understood, secrets masked",
		Args:  noArgs,
		RunE: func(*cobra.Command, []string) error {
			cfg, err := g.load()
			if err != nil {
				return err
			}
			g.printf("%s", config.Redacted(cfg))
			return nil
		},
	})
	return cmd
}
