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
	board   *board // of the terminal, nil where there is none
	config  string
	stores  []string
	verbose bool
	quiet   bool
	lease   time.Duration // how long a shop stays locked after its process died
	now     func() time.Time
	getenv  func(string) string
}

// newRoot builds the command tree.
func newRoot(s streams, now func() time.Time) *cobra.Command {
	g := &globals{streams: s, board: newBoard(s.err), now: now, getenv: os.Getenv}
	var moment string
	root := &cobra.Command{
		Use:   "perennial",
		Short: "Know what every customer is worth, and nurture the right ones",
		Long: "Perennial reads your shop every night, works out what each customer is worth and where each is heading,\n" +
			"and writes that back as tags in the shop and audiences in your e-mail platform.\n\n" +
			"Begin with perennial init, which asks for the shop and its keys. Then perennial check, and perennial run.",
		Args:          subcommand,
		RunE:          help,
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
	flags.DurationVar(&g.lease, "lease", leaseTTL, "how long a shop stays locked after its process died")
	for _, name := range []string{"now", "lease"} {
		_ = flags.MarkHidden(name) // the flags exist: they were made just above
	}
	root.SuggestionsMinimumDistance = 2
	root.SetFlagErrorFunc(func(cmd *cobra.Command, err error) error {
		return fail(exitUsage, "command line", cmd.CommandPath()+" --help lists the flags", err)
	})
	addGroup(root, "Begin:", newInit(g), newCheck(g), newRun(g))
	addGroup(root, "Look:", newReport(g), newStatus(g), newSegments(g), newExplain(g), newDigest(g), newExport(g), newConfig(g))
	addGroup(root, "Single steps of a night:", newSync(g), newAnalyze(g), newPush(g), newResync(g))
	addGroup(root, "Take back:", newForget(g), newPurge(g))
	root.AddCommand(newMigrate(g), newVersion(g), newPostgres(g), newPassword(g))
	return root
}

// addGroup adds commands under a heading of the help page.
func addGroup(root *cobra.Command, title string, commands ...*cobra.Command) {
	group := &cobra.Group{ID: title, Title: title}
	root.AddGroup(group)
	for _, command := range commands {
		command.GroupID = group.ID
		root.AddCommand(command)
	}
}

// help is what a command does that has nothing but subcommands.
func help(cmd *cobra.Command, _ []string) error { return cmd.Help() }

// subcommand refuses what is no command, and names those that were perhaps meant.
func subcommand(cmd *cobra.Command, args []string) error {
	if len(args) == 0 {
		return nil
	}
	remedy := cmd.CommandPath() + " --help lists the commands"
	if near := cmd.SuggestionsFor(args[0]); len(near) > 0 {
		remedy = "perhaps " + strings.Join(near, " or ") + "; " + remedy
	}
	return fail(exitUsage, fmt.Sprintf("command line: %s has no command %q", cmd.CommandPath(), args[0]), remedy, nil)
}

// setNow replaces the clock by one that starts at the given moment and runs on, for tests that live through several
// nights.
func (g *globals) setNow(moment string) error {
	if moment == "" {
		return nil
	}
	start, err := time.Parse(time.RFC3339, moment)
	if err != nil {
		return fail(exitUsage, fmt.Sprintf("flag --now: %q is no moment", moment), "give a moment such as 2026-11-22T03:00:00Z", nil)
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
	out := g.board.through(g.err)
	if format == "json" {
		return slog.New(slog.NewJSONHandler(out, options))
	}
	return slog.New(slog.NewTextHandler(out, options))
}

// printf writes to standard output; a closed pipe is not our concern.
func (g *globals) printf(format string, args ...any) {
	g.board.above(func() { _, _ = fmt.Fprintf(g.out, format, args...) })
}

// noArgs refuses arguments with words instead of cobra's.
func noArgs(cmd *cobra.Command, args []string) error {
	if len(args) > 0 {
		return fail(exitUsage, fmt.Sprintf("command line: %s takes no argument, got %q", cmd.Name(), args[0]), cmd.CommandPath()+" --help says what it takes", nil)
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
