package faulttest

import (
	"testing"

	"github.com/stretchr/testify/require"
)

// TestConnectionsDie cuts every connection to the database at one request after the other, as a restart of the server
// does. The run heals by itself or says that the database failed it, and the next one brings everything.
func TestConnectionsDie(t *testing.T) {
	t.Parallel()
	step := 6
	if testing.Short() {
		step = 20
	}
	w := newWorld(t, 60, 91)
	random := chance(t)
	for n := 1; ; n += step {
		w.changes(random, n)
		w.gate.arm(n, answered, func() {
			_, err := w.db.Exec(`SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = current_database() AND pid <> pg_backend_pid()`)
			if err != nil {
				t.Error(err)
			}
		})
		_, errs, code := w.run("run", "--once", "--quiet")
		requests := w.gate.disarm()
		require.Contains(t, []int{0, 4, 5, 6}, code, errs)
		w.checkAlways()
		w.leaseRunsOut()
		if code != 0 {
			_, err := w.db.Exec(`UPDATE nightlies SET next_try = NULL`) // the wait before the next try is over
			require.NoError(t, err)
			if code != 5 {
				require.Contains(t, errs, "what to do", "request %d", n)
			}
		}
		w.nightThrough()
		w.CheckInvariants()
		if requests < n {
			return
		}
	}
}
