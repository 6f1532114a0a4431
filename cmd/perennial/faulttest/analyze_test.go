package faulttest

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// TestAnalysesThatCannotBe asks for an analysis and a push before the first load, and for an analysis of a day before the
// last: all say what to do, and are nothing that nobody foresaw.
func TestAnalysesThatCannotBe(t *testing.T) {
	t.Parallel()
	w := newWorld(t, 20, 17)
	_, errs, code := w.run("analyze")
	require.Equal(t, 8, code, errs)
	require.Contains(t, errs, "perennial sync")
	_, errs, code = w.run("push")
	require.Equal(t, 8, code, errs)
	require.Contains(t, errs, "perennial sync")
	require.Empty(t, w.ourLists(), "no audience is made of half a shop")
	w.night()
	_, errs, code = w.run("analyze", "--now", w.shop.Now().Add(-48*time.Hour).Format(time.RFC3339))
	require.Equal(t, 8, code, errs)
	require.Contains(t, errs, "went back")
	status := w.must("status", "--json")
	require.Contains(t, status, "went back", "the ledger of runs keeps the remedy")
	w.night()
}

// TestClockThatWentBackStopsNoPush: where the shop moved westwards its day was analysed already, and people who
// unsubscribed still leave.
func TestClockThatWentBackStopsNoPush(t *testing.T) {
	t.Parallel()
	w := newWorld(t, 20, 19)
	w.night()
	_, err := w.db.Exec(`UPDATE snapshots SET day = day + 5`)
	require.NoError(t, err)
	w.shop.Advance(1)
	_, errs, code := w.run("run", "--once", "--quiet")
	require.Equal(t, 8, code, errs)
	require.Equal(t, []string{"2"}, w.query(`SELECT count(*) FROM runs WHERE kind = 'push' AND state = 'succeeded'`))
}
