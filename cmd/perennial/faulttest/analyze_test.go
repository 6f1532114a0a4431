package faulttest

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// TestAnalysesThatCannotBe asks for one before the first load, and for one of a day before the last: both say what to do,
// and are nothing that nobody foresaw.
func TestAnalysesThatCannotBe(t *testing.T) {
	w := newWorld(t, 20, 17)
	_, errs, code := w.run("analyze")
	require.Equal(t, 8, code, errs)
	require.Contains(t, errs, "perennial sync")
	w.night()
	_, errs, code = w.run("analyze", "--now", w.shop.Now().Add(-48*time.Hour).Format(time.RFC3339))
	require.Equal(t, 8, code, errs)
	require.Contains(t, errs, "went back")
	status := w.must("status", "--json")
	require.Contains(t, status, "went back", "the ledger of runs keeps the remedy")
	w.night()
}
