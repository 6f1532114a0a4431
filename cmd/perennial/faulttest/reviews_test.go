package faulttest

import (
	"fmt"
	"os"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/perennial-cvo/perennial/connectors/judgeme/judgemetest"
	"github.com/perennial-cvo/perennial/connectors/simulator"
)

// judged binds the shop to a review platform that answers at home, with a token.
func (w *world) judged(home, token string) {
	w.t.Helper()
	w.env = append(w.env, "FAULTTEST_JUDGEME="+token)
	w.configure(fmt.Sprintf(`[stores.reviews]
kind = "judgeme"
[stores.reviews.settings]
shop_domain = %q
api_token_env = "FAULTTEST_JUDGEME"
url = %q
page_size = 20
interval = "0s"
`, judgemetest.ShopDomain, home))
}

// requireNight demands that a run which says what is missing read, analysed and pushed everything else.
func (w *world) requireNight(errs string) {
	w.t.Helper()
	require.Contains(w.t, errs, "reviews")
	require.Equal(w.t, []string{"true"}, w.query(`SELECT loaded_at IS NOT NULL FROM stores`))
	require.NotEmpty(w.t, w.query(`SELECT person_id FROM rfm_scores`), "analysis does without")
	require.NotEmpty(w.t, w.query(`SELECT person_id FROM deliveries WHERE state = 'delivered'`), "and so do the tags")
	require.Equal(w.t, []string{"0"}, w.query(`SELECT count(*) FROM reviews`), "the shop's own are not read in their place")
}

const living = `SELECT id FROM reviews WHERE deleted_at IS NULL ORDER BY 1`

// TestReviewPlatform binds a shop to a platform that is away, then refuses its key, then answers.
func TestReviewPlatform(t *testing.T) {
	t.Parallel()
	w := newWorld(t, 30, 13)
	const token = "canary-wr0ng-t0ken"
	for range 30 {
		w.shop.AddReview(simulator.Review{ProductID: w.shop.Products()[0].ID, Email: "ann@mail.example", Rating: 5, Status: simulator.ReviewApproved})
	}
	platform := judgemetest.New(w.shop, judgemetest.Options{})
	home := serve(t, platform)

	w.judged(home, token)
	_, errs, code := w.run("run", "--once", "--quiet")
	require.Equal(t, 3, code, errs)
	require.Contains(t, errs, "check api_token and shop_domain")
	w.requireNight(errs)
	require.Contains(t, w.must("status"), "reviews")
	out, _, code := w.run("check")
	require.Equal(t, 3, code)
	require.Contains(t, out, "reviews of store alder (Judge.me)\n  PROBLEM")

	w.judged("http://127.0.0.1:1", judgemetest.APIToken) // nobody listens there
	_, errs, code = w.run("sync")
	require.Equal(t, 4, code, errs)
	w.requireNight(errs)

	w.judged(home, judgemetest.APIToken)
	require.Contains(t, w.must("check"), "reviews of store alder (Judge.me)\n  ok")
	w.must("sync")
	require.Len(t, w.query(living), len(w.shop.Reviews()))
	require.NotEmpty(t, w.query(`SELECT id FROM reviews WHERE status = 'published'`), "in the platform's words")

	w.shop.DeleteReview(w.shop.Reviews()[3].ID)
	w.must("sync")
	require.Len(t, w.query(living), len(w.shop.Reviews()), "what is not in the list is deleted")

	shown := w.must("config", "show")
	require.Contains(t, shown, `api_token = "***"`)
	for _, secret := range []string{token, judgemetest.APIToken} {
		require.NotContains(t, w.output.String(), secret)
	}
}

// TestReviewKindsAreNamed refuses what is no review platform, and a platform where a shop should be.
func TestReviewKindsAreNamed(t *testing.T) {
	t.Parallel()
	w := newWorld(t, 10, 14)
	for text, want := range map[string]string{
		"[stores.reviews]\nkind = \"woocommerce\"\n":                                                                           `reviews of store alder: unknown kind "woocommerce"`,
		"[stores.reviews]\nkind = \"loox\"\n":                                                                                  "known kinds of review platform: judgeme, yotpo",
		"[stores.reviews]\nkind = \"yotpo\"\n[stores.reviews.settings]\napp_key = \"abcd\"\n":                                  `setting "secret" is missing`,
		"[stores.reviews]\nkind = \"yotpo\"\n[stores.reviews.settings]\napp_key = \"abcd\"\nsecret = \"e\"\nshop_domain=\"x\"": `unknown setting "shop_domain"`,
	} {
		w.configure(text)
		_, errs, code := w.run("sync")
		require.Equal(t, 2, code, errs)
		require.Contains(t, errs, want)
	}
	w.configure("")
	config, err := os.ReadFile(w.config())
	require.NoError(t, err)
	text := strings.Replace(string(config), `kind = "woocommerce"`, `kind = "judgeme"`, 1)
	require.NoError(t, os.WriteFile(w.config(), []byte(text), 0o600))
	_, errs, code := w.run("sync")
	require.Equal(t, 2, code)
	require.Contains(t, errs, `unknown kind "judgeme"`)
}
