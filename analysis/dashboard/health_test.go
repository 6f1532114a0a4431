package dashboard

import (
	"context"
	"errors"
	"net/http"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/perennial-cvo/perennial/analysis/report"
)

func TestHealth(t *testing.T) {
	s := served(t, wholeShop(t))
	s.Version = "1.2.3"
	goldenPage(t, s, "/shops/tea/health", "health.html")
	goldenPage(t, served(t, newShop()), "/shops/tea/health", "health_new.html")
}

// TestHealthReadsItselfAnew only while something is under way: otherwise a page that somebody reads stands still.
func TestHealthReadsItselfAnew(t *testing.T) {
	w := got(t, served(t, newShop()), "/shops/tea/health")
	require.Equal(t, "5", w.Header().Get("Refresh"))
	require.Contains(t, w.Body.String(), "reads itself anew every 5 seconds")
	for _, page := range []string{"health", "today"} {
		w = got(t, served(t, quietShop(t)), "/shops/tea/"+page)
		require.Equal(t, http.StatusOK, w.Code)
		require.Empty(t, w.Header().Get("Refresh"), page)
	}
}

func TestHealthOfSeveralShops(t *testing.T) {
	s := served(t, quietShop(t))
	s.Shops = append(s.Shops, Shop{Name: "bike"}, Shop{Name: "cups"})
	s.boards["bike"] = newBoard(t.Context(), Shop{Name: "bike"}, s.Options)
	s.boards["cups"] = &board{last: &state{}}
	s.boards["cups"].last.Status.Runs = []report.Run{{Kind: "sync", State: "failed", Started: readAt, Ended: readAt, Error: "no"}}
	page := got(t, s, "/shops/tea/health").Body.String()
	require.Contains(t, page, `<strong>tea</strong> <span class="tag good">well</span>`)
	require.Contains(t, page, `<a href="/shops/bike/health">bike</a> <span class="tag ">not looked at yet</span>`)
	require.Contains(t, page, `<a href="/shops/cups/health">cups</a> <span class="tag bad">something failed</span>`)
}

// TestBoardsKnowTheConfiguration: when the next run is, the database cannot say.
func TestBoardsKnowTheConfiguration(t *testing.T) {
	next := readAt.Add(23 * time.Hour)
	b := newBoard(t.Context(), Shop{Complete: func(_ context.Context, s *report.StoreStatus) error {
		s.Overview.NextRun = next
		return nil
	}}, Options{})
	var read state
	require.NoError(t, b.complete(t.Context(), &read))
	require.Equal(t, next, read.Status.Overview.NextRun)
	require.Equal(t, next, read.Report.Overview.NextRun)

	gone := errors.New("connection refused")
	b.known = func(context.Context, *report.StoreStatus) error { return gone }
	require.ErrorIs(t, b.complete(t.Context(), &read), gone)
	b.known = nil
	require.NoError(t, b.complete(t.Context(), &read))
}

func TestEveryRunInWords(t *testing.T) {
	for state, words := range map[string]string{
		"running": "under way", "succeeded": "done", "deferred": "goes on later", "held": "held", "failed": "failed", "other": "other",
	} {
		require.Equal(t, words, inWords(report.Run{Kind: "sync", State: state}).State)
	}
	require.NotEmpty(t, inWords(report.Run{Kind: "sync", State: "failed", Error: "no answer"}).Todo, "there is always something to say")
	require.Equal(t, "Tidy", inWords(report.Run{Kind: "tidy"}).Name)
}
