package faulttest

import (
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

// front puts a server before the shop that answers some addresses in its place.
func (w *world) front(path string, instead func(http.ResponseWriter)) {
	server := httptest.NewServer(http.HandlerFunc(func(out http.ResponseWriter, r *http.Request) {
		if !strings.HasSuffix(r.URL.Path, path) {
			w.woo.ServeHTTP(out, r)
			return
		}
		out.Header().Set("Content-Type", "application/json; charset=UTF-8")
		instead(out)
	}))
	w.t.Cleanup(server.Close)
	w.woo.SetHome(server.URL)
	w.shopURL = server.URL
	w.configure("")
}

// TestShopThatForgetsItsSettings lives through a first night, then the shop hides its time zone, then its currency: nobody
// moves for that.
func TestShopThatForgetsItsSettings(t *testing.T) {
	t.Parallel()
	w := newWorld(t, 30, 12)
	w.night()
	zone, counted := w.query(`SELECT time_zone FROM stores`), w.query(`SELECT count(*) FROM orders WHERE counted`)
	require.NotEqual(t, []string{"UTC"}, zone)

	w.front("/wp-json/", func(out http.ResponseWriter) {
		out.WriteHeader(http.StatusUnauthorized)
		_, _ = out.Write([]byte(`{"code":"rest_login_required","message":"Closed.","data":{"status":401}}`))
	})
	w.must("sync")
	require.Equal(t, zone, w.query(`SELECT time_zone FROM stores`))

	w.front("/system_status", func(out http.ResponseWriter) {
		_, _ = out.Write([]byte(`{"environment":{"home_url":"` + w.shopURL + `","version":"11.0.1"},"settings":{"currency":""}}`))
	})
	_, errs, code := w.run("sync")
	require.Equal(t, 2, code)
	require.Contains(t, errs, "names no currency")
	require.Equal(t, counted, w.query(`SELECT count(*) FROM orders WHERE counted`))
}

// TestShopWithoutReviews lives with a shop in which a plugin took the reviews out of the REST API: everything else is
// read, analysed and pushed, and the run says what is missing.
func TestShopWithoutReviews(t *testing.T) {
	t.Parallel()
	w := newWorld(t, 30, 11)
	w.front("/products/reviews", func(out http.ResponseWriter) {
		out.WriteHeader(http.StatusNotFound)
		_, _ = out.Write([]byte(`{"code":"rest_no_route","message":"No route was found.","data":{"status":404}}`))
	})
	_, errs, code := w.run("run", "--once", "--quiet")
	require.NotZero(t, code, "what is missing is no success")
	require.Contains(t, errs, "reviews")
	require.Equal(t, []string{"true"}, w.query(`SELECT loaded_at IS NOT NULL FROM stores`))
	require.NotEmpty(t, w.query(`SELECT person_id FROM rfm_scores`), "analysis does without")
	require.NotEmpty(t, w.query(`SELECT person_id FROM deliveries WHERE state = 'delivered'`), "and so do the tags")
	status := w.must("status")
	require.Contains(t, status, "reviews")
}
