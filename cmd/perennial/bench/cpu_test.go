package bench

import (
	"database/sql"
	"fmt"
	"os"
	"path/filepath"
	"runtime"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// cost is what a piece of work took.
type cost struct {
	wall   time.Duration
	client time.Duration // CPU of this process
	server time.Duration // CPU of the database server, all its processes
}

func (c cost) cpu() time.Duration { return c.client + c.server }

func (c cost) plus(o cost) cost {
	return cost{wall: c.wall + o.wall, client: c.client + o.client, server: c.server + o.server}
}

// meter measures work of this process and of a database server on this machine.
type meter struct {
	tb         testing.TB
	postmaster int
}

// newMeter finds the server's first process. Without it, on a server elsewhere, nothing can be measured.
func newMeter(tb testing.TB, db *sql.DB) meter {
	tb.Helper()
	var backend int
	require.NoError(tb, db.QueryRow(`SELECT pg_backend_pid()`).Scan(&backend))
	s, ok := readStat(backend)
	if !ok {
		tb.Skip("the database server does not run on this machine, or there is no /proc: its CPU time cannot be read")
	}
	return meter{tb: tb, postmaster: s.parent}
}

func (m meter) measure(work func()) cost {
	runtime.GC() // so that nobody pays for the garbage of others
	server, client, began := m.server(), ownCPU(m.tb), time.Now()
	work()
	return cost{wall: time.Since(began), client: ownCPU(m.tb) - client, server: m.server() - server}
}

// server is the CPU time of the server's processes, those that have ended included.
func (m meter) server() time.Duration {
	own, ok := readStat(m.postmaster)
	require.True(m.tb, ok, "the database server is gone")
	sum := own.cpu + own.children
	found, err := filepath.Glob("/proc/[0-9]*/stat")
	require.NoError(m.tb, err)
	for _, path := range found {
		pid, _ := strconv.Atoi(filepath.Base(filepath.Dir(path))) // the pattern lets only numbers through
		if s, ok := readStat(pid); ok && s.parent == m.postmaster {
			sum += s.cpu
		}
	}
	return sum
}

// stat is what /proc says of a process.
type stat struct {
	parent        int
	cpu, children time.Duration
}

// tick is the unit of /proc/*/stat on every Linux that Go runs on.
const tick = 10 * time.Millisecond

func readStat(pid int) (stat, bool) {
	text, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
	if err != nil {
		return stat{}, false
	}
	_, rest, _ := strings.Cut(string(text), ") ") // the name before may hold anything
	fields := strings.Fields(rest)
	if len(fields) < 15 {
		return stat{}, false
	}
	number := func(i int) time.Duration {
		n, _ := strconv.ParseInt(fields[i], 10, 64) // the kernel writes numbers
		return time.Duration(n)
	}
	return stat{
		parent: int(number(1)), cpu: (number(11) + number(12)) * tick, children: (number(13) + number(14)) * tick,
	}, true
}

func ownCPU(tb testing.TB) time.Duration {
	var usage syscall.Rusage
	require.NoError(tb, syscall.Getrusage(syscall.RUSAGE_SELF, &usage))
	return time.Duration(usage.Utime.Nano() + usage.Stime.Nano())
}
