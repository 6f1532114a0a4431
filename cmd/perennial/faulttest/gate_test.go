package faulttest

import (
	"bytes"
	"context"
	"net/http"
	"net/http/httptest"
	"sync"
	"syscall"
	"time"

	"github.com/stretchr/testify/require"
)

// blow is what becomes of the request at which a process is killed.
type blow int

const (
	unheard    blow = iota // the other side never gets it
	unanswered             // the other side does what it says, the answer gets lost
	answered               // the answer arrives, and the process dies as it reads or stores it
	blows
)

// gate stands before the fakes, counts what arrives, and strikes at a request of choice.
type gate struct {
	mu     sync.Mutex
	seen   int
	at     int // number of the request at which to strike; 0 never
	blow   blow
	strike func()
}

// arm starts the count anew and makes the gate strike at the n-th request.
func (g *gate) arm(n int, b blow, strike func()) {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.seen, g.at, g.blow, g.strike = 0, n, b, strike
}

// disarm returns how many requests arrived since arm.
func (g *gate) disarm() int {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.at, g.strike = 0, nil
	return g.seen
}

func (g *gate) arrival() (blow, func()) {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.seen++
	if g.strike == nil || g.seen != g.at {
		return 0, nil
	}
	return g.blow, g.strike
}

// before returns a handler with the gate before it.
func (g *gate) before(next http.Handler) http.Handler {
	return http.HandlerFunc(func(rw http.ResponseWriter, r *http.Request) {
		b, strike := g.arrival()
		if strike == nil {
			next.ServeHTTP(rw, r)
			return
		}
		switch b {
		case unheard:
			strike()
			panic(http.ErrAbortHandler)
		case unanswered:
			next.ServeHTTP(httptest.NewRecorder(), r)
			strike()
			panic(http.ErrAbortHandler)
		default:
			next.ServeHTTP(rw, r)
			_ = http.NewResponseController(rw).Flush()
			strike()
		}
	})
}

// held is the exit code of a push that waits for a word of the owner, as small audiences that empty make it.
const held = 5

// killAt runs a command that is killed -9 at its n-th request. It reports whether the kill hit, and how many requests
// there were.
func (w *world) killAt(n int, b blow, args ...string) (hit bool, requests int) {
	w.t.Helper()
	cmd := w.command(context.Background(), args...)
	var out bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &out
	started := make(chan struct{})
	w.gate.arm(n, b, func() {
		<-started
		_ = cmd.Process.Kill()
	})
	require.NoError(w.t, cmd.Start())
	close(started)
	err := cmd.Wait()
	requests = w.gate.disarm()
	w.output.Write(out.Bytes())
	if err == nil || cmd.ProcessState.ExitCode() == held {
		return false, requests
	}
	w.requireKilled(cmd.ProcessState.Sys(), out.String())
	return true, requests
}

// killAfter runs a command that is killed -9 after a while. It reports whether the kill came before the end.
func (w *world) killAfter(after time.Duration, args ...string) bool {
	w.t.Helper()
	cmd := w.command(context.Background(), args...)
	var out bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &out
	require.NoError(w.t, cmd.Start())
	timer := time.AfterFunc(after, func() { _ = cmd.Process.Kill() })
	err := cmd.Wait()
	timer.Stop()
	w.output.Write(out.Bytes())
	if err == nil {
		return false
	}
	w.requireKilled(cmd.ProcessState.Sys(), out.String())
	return true
}

func (w *world) requireKilled(state any, out string) {
	w.t.Helper()
	status, ok := state.(syscall.WaitStatus)
	require.True(w.t, ok && status.Signaled() && status.Signal() == syscall.SIGKILL, "the run failed by itself: %s", out)
}

// leaseRunsOut lets the minute pass that a lease outlives the process that held it.
func (w *world) leaseRunsOut() {
	w.t.Helper()
	_, err := w.db.Exec(`UPDATE leases SET expires_at = clock_timestamp() - interval '1 second' WHERE holder <> ''`)
	require.NoError(w.t, err)
}
