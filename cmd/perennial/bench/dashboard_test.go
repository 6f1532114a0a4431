package bench

import (
	"context"
	"fmt"
	"maps"
	"net/http"
	"net/http/httptest"
	"net/url"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/perennial-cvo/perennial/analysis/dashboard"
	"github.com/perennial-cvo/perennial/analysis/segment"
)

const dashboardPassword = "ten characters at least"

// opened is a dashboard, and the cookie of who is logged in.
type opened struct {
	tb      testing.TB
	handler http.Handler
	cookies []*http.Cookie
}

// measureDashboard opens every page of a shop of a million customers with some nights behind it. The report is collected in the
// background after every run; what a page takes is measured once it is there.
func measureDashboard(tb testing.TB, scale float64) []figure {
	p := newPlace(tb)
	people := sized(1_000_000, scale, 200)
	p.load(people)
	p.appraise()
	p.analyse(people, today, true)
	for night := 1; night <= 2; night++ {
		p.buy(people, night)
		p.exec(`VACUUM ANALYZE`)
		p.analyse(people, today.AddDate(0, 0, night), false)
	}
	p.exec(`VACUUM ANALYZE`)
	d := p.pages()
	began := time.Now()
	for d.get("/shops/bench/today").Header().Get("Refresh") != "" {
		require.Less(tb, time.Since(began), 10*time.Minute)
		time.Sleep(200 * time.Millisecond)
	}
	tb.Logf("read in %v", time.Since(began))
	last := today.AddDate(0, 0, 2)
	moved := "people?scheme=rfm&before=" + today.Format(time.DateOnly) + "&after=" + last.Format(time.DateOnly) + "&from="
	best, next := segment.Definitions()[0].ID, segment.Definitions()[1].ID
	pages := map[string]string{
		"one segment's people": "people?audience=" + best, "a cell's people": "people?r=1&f=1", "a stage's people": "people?audience=lifecycle_lost",
		"those who rose": moved + next + "&to=" + best, "those who left for nowhere": moved + best + "&to=", "a stage's people with a score": "people?audience=lifecycle_lost&m=1",
		"movement of a week": "movement?from=" + today.Format(time.DateOnly) + "&to=" + last.Format(time.DateOnly), "one customer": fmt.Sprintf("people/%d", people/2),
	}
	for _, page := range []string{"today", "segments", "movement", "value", "retention", "products", "people", "audiences", "health"} {
		pages[page] = page
	}
	var figures []figure
	for _, name := range slices.Sorted(maps.Keys(pages)) {
		figures = append(figures, figure{name: "dashboard, " + name + fmt.Sprintf(", %d customers", people), unit: "ms", ours: d.slowest(pages[name]), target: 200, alone: true})
	}
	return figures
}

// pages serves the shop's pages and logs in.
func (p *place) pages() *opened {
	p.tb.Helper()
	hash, err := dashboard.HashPassword(dashboardPassword)
	require.NoError(p.tb, err)
	ctx, cancel := context.WithCancel(context.Background())
	p.tb.Cleanup(cancel)
	server, err := dashboard.New(ctx, dashboard.Options{Shops: []dashboard.Shop{{Name: "bench", Facts: p.store}}, Password: hash})
	require.NoError(p.tb, err)
	d := &opened{tb: p.tb, handler: server}
	r := httptest.NewRequest(http.MethodPost, "/login", strings.NewReader(url.Values{"password": {dashboardPassword}}.Encode()))
	r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	w := httptest.NewRecorder()
	server.ServeHTTP(w, r)
	d.cookies = w.Result().Cookies()
	require.NotEmpty(p.tb, d.cookies)
	return d
}

func (d *opened) get(address string) *httptest.ResponseRecorder {
	d.tb.Helper()
	r := httptest.NewRequest(http.MethodGet, address, http.NoBody)
	for _, c := range d.cookies {
		r.AddCookie(c)
	}
	w := httptest.NewRecorder()
	d.handler.ServeHTTP(w, r)
	require.Equal(d.tb, http.StatusOK, w.Code, "%s: %s", address, w.Body)
	return w
}

// slowest opens a page five times and returns the longest time, in milliseconds.
func (d *opened) slowest(page string) float64 {
	d.tb.Helper()
	var worst time.Duration
	for range 5 {
		began := time.Now()
		d.get("/shops/bench/" + page)
		worst = max(worst, time.Since(began))
	}
	return float64(worst.Microseconds()) / 1000
}
