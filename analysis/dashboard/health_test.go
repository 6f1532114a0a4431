package dashboard

import (
	"net/http"
	"testing"

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

func TestEveryRunInWords(t *testing.T) {
	for state, words := range map[string]string{
		"running": "under way", "succeeded": "done", "deferred": "goes on later", "held": "held", "failed": "failed", "other": "other",
	} {
		require.Equal(t, words, inWords(report.Run{Kind: "sync", State: state}).State)
	}
	require.NotEmpty(t, inWords(report.Run{Kind: "sync", State: "failed", Error: "no answer"}).Todo, "there is always something to say")
	require.Equal(t, "Tidy", inWords(report.Run{Kind: "tidy"}).Name)
}
