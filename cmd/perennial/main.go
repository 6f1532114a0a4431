// Command perennial keeps a shop's customers in view: it syncs the shop, works out what each customer is worth and where
// each is heading, and pushes that back as tags and audiences. This package reads flags and configuration, wires the
// parts, runs them and forwards signals; one file per subcommand.
package main

import (
	"context"
	"errors"
	"io"
	"net"
	"os"
	"os/signal"
	"runtime/debug"
	"syscall"
	"time"
	_ "time/tzdata" // without the machine's zone files, a shop's days must not fall back to a fixed offset
)

// version is set by the build.
var version = "dev"

func main() {
	saveMemory()
	ctx, stop := signalContext()
	code := run(ctx, os.Args[1:], streams{in: os.Stdin, out: os.Stdout, err: os.Stderr}, time.Now)
	stop()
	os.Exit(code)
}

// saveMemory collects garbage more than twice as often as usual: the daemon has all night, and shares its machine. GOGC overrides.
func saveMemory() {
	if os.Getenv("GOGC") == "" {
		debug.SetGCPercent(40)
	}
}

// streams are what a command reads and writes.
type streams struct {
	in  io.Reader
	out io.Writer
	err io.Writer
}

// run executes one command line and returns the exit code.
func run(ctx context.Context, args []string, s streams, now func() time.Time) int {
	root := newRoot(s, now) //nolint:contextcheck // commands get their context from ExecuteContext, two lines below
	root.SetArgs(args)
	err := root.ExecuteContext(ctx)
	if err == nil || readerLeft(err) {
		return exitOK
	}
	if code, _ := classify(err); code != exitInterrupted && ctx.Err() != nil {
		err = ctx.Err() // what was under way says so in other words, such as the database's
	}
	return explainFailure(s.err, err)
}

// readerLeft reports whether whoever reads our output, such as head, had enough. A broken connection is something else.
func readerLeft(err error) bool {
	var connection *net.OpError
	return errors.Is(err, syscall.EPIPE) && !errors.As(err, &connection)
}

// signalContext is cancelled by the first SIGINT or SIGTERM, or by a terminal that is closed, so that work in hand is
// finished or rolled back. The second signal ends the process at once: everything is safe against kill -9 anyway.
func signalContext() (context.Context, context.CancelFunc) {
	signals := []os.Signal{os.Interrupt, syscall.SIGTERM}
	if !signal.Ignored(syscall.SIGHUP) { // nohup ignores it, and means that
		signals = append(signals, syscall.SIGHUP)
	}
	signal.Notify(make(chan os.Signal, 1), syscall.SIGPIPE) // a reader who leaves must not end us in the middle of our work
	ctx, stop := signal.NotifyContext(context.Background(), signals...)
	go func() {
		<-ctx.Done()
		stop() // from here on a signal has its default effect
	}()
	return ctx, stop
}
