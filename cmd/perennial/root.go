package main

import (
	"fmt"
	"log/slog"
	"os"
	"strings"
	"time"

	"github.com/spf13/cobra"
)

// globals are the flags that every command knows.
type globals struct {
	streams
	config  string
	stores  []string
	verbose bool
	quiet   bool
	now     func() time.Time
	getenv  func(string) string
}

// newRoot builds the command tree.
func newRoot(s streams, now func() time.Time) *cobra.Command {
	g := &globals{streams: s, now: now, getenv: os.Getenv}
	var moment string
	root := &cobra.Command{
		Use:   "perennial",
		Short: "Know what every customer is worth, and nurture the right ones",
		Long: "Perennial reads your shop every night, works out what each customer is worth and where each is heading,\n" +
			"and writes that back as tags in the shop and audiences in your e-mail platform.",
		SilenceErrors: true,
		SilenceUsage:  true,
		PersistentPreRunE: func(*cobra.Command, []string) error {
			return g.setNow(moment)
		},
	}
	root.SetIn(s.in)
	root.SetOut(s.out)
	root.SetErr(s.err)
	flags := root.PersistentFlags()
	flags.StringVar(&g.config, "config", "", "configuration `file` (default: perennial.toml here, in the user's configuration or in /etc/perennial)")
	flags.StringSliceVar(&g.stores, "store", nil, "only this `store` (may be repeated; default: all)")
	flags.BoolVarP(&g.verbose, "verbose", "v", false, "log more")
	flags.BoolVarP(&g.quiet, "quiet", "q", false, "no progress, log warnings only")
	flags.StringVar(&moment, "now", "", "pretend that the clock shows this `moment` (RFC 3339)")
	_ = flags.MarkHidden("now") // the flag exists: it was made two lines above
	root.SetFlagErrorFunc(func(_ *cobra.Command, err error) error {
		return fail(exitUsage, "command line", "perennial --help lists the commands and their flags", err)
	})
	root.AddCommand(
		newInit(g), newCheck(g), newRun(g), newSync(g), newResync(g), newAnalyze(g), newPush(g), newSegments(g),
		newExplain(g), newReport(g), newExport(g), newForget(g), newPurge(g), newStatus(g), newConfig(g), newMigrate(g),
		newVersion(g), newPostgres(g),
	)
	return root
}

// setNow replaces the clock by one that starts at the given moment and runs on, for tests that live through several
// nights.
func (g *globals) setNow(moment string) error {
	if moment == "" {
		return nil
	}
	start, err := time.Parse(time.RFC3339, moment)
	if err != nil {
		return fail(exitUsage, "flag --now", "give a moment such as 2026-11-22T03:00:00Z", err)
	}
	wall, began := g.now, g.now()
	g.now = func() time.Time { return start.Add(wall().Sub(began)) }
	return nil
}

// logger writes to standard error: text or JSON as configured, warnings only when quiet.
func (g *globals) logger(level, format string) *slog.Logger {
	options := &slog.HandlerOptions{Level: slog.LevelInfo}
	var l slog.Level
	if err := l.UnmarshalText([]byte(strings.ToUpper(level))); err == nil {
		options.Level = l
	}
	switch {
	case g.verbose:
		options.Level = slog.LevelDebug
	case g.quiet:
		options.Level = slog.LevelWarn
	}
	if format == "json" {
		return slog.New(slog.NewJSONHandler(g.err, options))
	}
	return slog.New(slog.NewTextHandler(g.err, options))
}

// printf writes to standard output; a closed pipe is not our concern.
func (g *globals) printf(format string, args ...any) {
	_, _ = fmt.Fprintf(g.out, format, args...)
}

// noArgs refuses arguments with words instead of cobra's.
func noArgs(cmd *cobra.Command, args []string) error {
	if len(args) > 0 {
		return fail(exitUsage, fmt.Sprintf("command line: %s takes no argument, got %q", cmd.Name(), args[0]), "perennial "+cmd.Name()+" --help", nil)
	}
	return nil
}

// oneArg asks for exactly one argument, called name.
func oneArg(name string) cobra.PositionalArgs {
	return func(cmd *cobra.Command, args []string) error {
		if len(args) != 1 {
			return fail(exitUsage, fmt.Sprintf("command line: %s needs exactly one %s", cmd.Name(), name), fmt.Sprintf("perennial %s %s", cmd.Name(), name), nil)
		}
		return nil
	}
}
