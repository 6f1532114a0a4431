package main

import (
	"context"
	"fmt"
	"os"

	"github.com/spf13/cobra"

	"github.com/perennial-cvo/perennial/sync/postgres/embedded"
)

// newPostgres is for scripts: it sees to the binaries and the private cluster.
func newPostgres(g *globals) *cobra.Command {
	cmd := &cobra.Command{Use: "postgres", Short: "See to the private database", Hidden: true, Args: subcommand, RunE: help}
	cmd.AddCommand(newPostgresEnsure(g), newPostgresStop(g))
	return cmd
}

func newPostgresEnsure(g *globals) *cobra.Command {
	var dataDir string
	var noPackages, onlyDir bool
	cmd := &cobra.Command{
		Use:   "ensure",
		Short: "Find the PostgreSQL binaries, or install them",
		Args:  noArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			if dataDir == "" {
				var err error
				if dataDir, err = embedded.DefaultDataDir(g.getenv, os.Geteuid() == 0); err != nil {
					return databaseFailure("data directory", err)
				}
			}
			found, err := embedded.Ensure(cmd.Context(), embedded.EnsureOptions{
				DataDir: dataDir, BaseURL: g.getenv("PERENNIAL_POSTGRES_MIRROR"), NoPackages: noPackages,
				Out: g.err, Log: g.logger("info", "text"),
			})
			if err != nil {
				return databaseFailure("PostgreSQL binaries", err)
			}
			switch {
			case onlyDir:
				g.printf("%s\n", found.Dir)
			case !g.quiet:
				g.printf("PostgreSQL %d in %s\n", found.Major, found.Dir)
			}
			return nil
		},
	}
	cmd.Flags().StringVar(&dataDir, "data-dir", "", "the data `directory` that holds a downloaded copy")
	cmd.Flags().BoolVar(&onlyDir, "dir", false, "print the folder alone, for scripts")
	cmd.Flags().BoolVar(&noPackages, "no-packages", false, "leave the system's package manager alone")
	return cmd
}

func newPostgresStop(g *globals) *cobra.Command {
	var dataDir string
	cmd := &cobra.Command{
		Use:   "stop",
		Short: "Stop the private cluster of a data directory that nobody uses any more",
		Args:  noArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			return stopCluster(cmd.Context(), g, dataDir)
		},
	}
	cmd.Flags().StringVar(&dataDir, "data-dir", "", "the data `directory`")
	return cmd
}

// stopCluster joins the cluster and leaves it again: the last one out stops it.
func stopCluster(ctx context.Context, g *globals, dataDir string) error {
	if dataDir == "" {
		return fail(exitUsage, "flag --data-dir is missing", "perennial postgres stop --data-dir DIRECTORY", nil)
	}
	cluster, err := embedded.Join(ctx, embedded.Options{DataDir: dataDir, Log: g.logger("warn", "text")})
	if err != nil {
		return databaseFailure("private database", err)
	}
	if err := cluster.Leave(ctx); err != nil {
		return databaseFailure("private database", fmt.Errorf("stop: %w", err))
	}
	return nil
}
