package main

import (
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/perennial-cvo/perennial/connectors"
	"github.com/perennial-cvo/perennial/sync/activation"
	"github.com/perennial-cvo/perennial/sync/schedule"
)

func TestClassify(t *testing.T) {
	of := func(kind connectors.Kind) error {
		return fmt.Errorf("orders page: %w", &connectors.Error{Kind: kind, Op: "orders", Err: errors.New("no"), Remedy: "turn it"})
	}
	held := &activation.HeldError{Destination: "letters", Held: []activation.Hold{{Before: 9, After: 0}}}
	tests := []struct {
		name   string
		err    error
		code   int
		remedy string
	}{
		{"unforeseen", errors.New("odd"), exitFailure, ""},
		{"credentials", of(connectors.KindCredentials), exitCredentials, "turn it"},
		{"permanent", of(connectors.KindPermanent), exitUsage, "turn it"},
		{"record", of(connectors.KindRecord), exitFindings, "turn it"},
		{"retry", of(connectors.KindRetry), exitUnavailable, "turn it"},
		{"wait", of(connectors.KindWait), exitUnavailable, "turn it"},
		{"held", fmt.Errorf("demo: %w", held), exitHeld, "perennial push --dry-run"},
		{"interrupted", fmt.Errorf("sync: %w", context.Canceled), exitInterrupted, ""},
		{"failure's own remedy", fail(exitBusy, "busy", "wait", of(connectors.KindRetry)), exitBusy, "wait"},
		{"remedy of what is inside", fail(exitDatabase, "schema", "", of(connectors.KindRetry)), exitDatabase, "turn it"},
		{"database away", databaseFailure("server", errors.New("refused")), exitDatabase, ""},
		{"database call cut short", databaseFailure("server", context.Canceled), exitInterrupted, ""},
		{"database gone in the middle", fmt.Errorf("commit: %w", &net.OpError{Op: "read", Err: syscall.ECONNRESET}), exitDatabase, "PostgreSQL"},
		{"busy", fail(exitBusy, "shop in other hands", "wait", schedule.ErrBusy), exitBusy, "wait"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			code, remedy := classify(tt.err)
			require.Equal(t, tt.code, code)
			require.Contains(t, remedy, tt.remedy)
			if tt.remedy == "" {
				require.Empty(t, remedy)
			}
		})
	}
}

func TestFailuresAreExplained(t *testing.T) {
	var said strings.Builder
	code := explainFailure(&said, errors.Join(
		fail(exitUsage, "flag --to: garden has no such destination", "perennial config show lists them", nil), errors.New("second")))
	require.Equal(t, exitUsage, code)
	require.Equal(t, "perennial: flag --to: garden has no such destination\n  second\n  what to do: perennial config show lists them\n", said.String())

	said.Reset()
	require.Equal(t, exitInterrupted, explainFailure(&said, context.Canceled))
	require.Contains(t, said.String(), "the next run goes on from there")

	said.Reset()
	require.Equal(t, exitInterrupted, explainFailure(&said, fail(exitInterrupted, "init was left; nothing was written", "", nil)))
	require.Equal(t, "perennial: init was left; nothing was written\n", said.String())
}

// leaver is a reader who goes away.
type leaver struct{}

func (leaver) Write([]byte) (int, error) { return 0, syscall.EPIPE }

func TestReaderWhoLeavesIsNoFailure(t *testing.T) {
	var said strings.Builder
	require.Equal(t, exitOK, run(t.Context(), []string{"version"}, streams{out: leaver{}, err: &said}, time.Now))
	require.Empty(t, said.String())
}

func TestBrokenConnectionIsAFailure(t *testing.T) {
	require.False(t, readerLeft(fmt.Errorf("commit: %w", &net.OpError{Op: "write", Err: os.NewSyscallError("write", syscall.EPIPE)})))
	require.True(t, readerLeft(fmt.Errorf("report: %w", &os.PathError{Op: "write", Path: "/dev/stdout", Err: syscall.EPIPE})))
}

func TestStateOf(t *testing.T) {
	require.Equal(t, schedule.Held, stateOf(fmt.Errorf("x: %w", &activation.HeldError{})))
	require.Equal(t, schedule.Deferred, stateOf(&connectors.Error{Kind: connectors.KindWait, Err: errors.New("later")}))
	require.Equal(t, schedule.Failed, stateOf(errors.New("odd")))
}
