package faulttest

import (
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

// TestShopWithoutReviews lives with a shop in which a plugin took the reviews out of the REST API: everything else is
// read, analysed and pushed, and the run says what is missing.
func TestShopWithoutReviews(t *testing.T) {
	w := newWorld(t, 30, 11)
	front := httptest.NewServer(http.HandlerFunc(func(out http.ResponseWriter, r *http.Request) {
		if strings.HasSuffix(r.URL.Path, "/products/reviews") {
			out.Header().Set("Content-Type", "application/json; charset=UTF-8")
			out.WriteHeader(http.StatusNotFound)
			_, _ = out.Write([]byte(`{"code":"rest_no_route","message":"No route was found.","data":{"status":404}}`))
			return
		}
		w.woo.ServeHTTP(out, r)
	}))
	t.Cleanup(front.Close)
	w.woo.SetHome(front.URL)
	w.wooURL = front.URL
	w.configure("")

	_, errs, code := w.run("run", "--once", "--quiet")
	require.NotZero(t, code, "what is missing is no success")
	require.Contains(t, errs, "reviews")
	require.Equal(t, []string{"true"}, w.query(`SELECT loaded_at IS NOT NULL FROM stores`))
	require.NotEmpty(t, w.query(`SELECT person_id FROM rfm_scores`), "analysis does without")
	require.NotEmpty(t, w.query(`SELECT person_id FROM deliveries WHERE state = 'delivered'`), "and so do the tags")
	status := w.must("status")
	require.Contains(t, status, "reviews")
}
