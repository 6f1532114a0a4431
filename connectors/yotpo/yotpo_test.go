package yotpo_test

import (
	"log/slog"
	"net/http"
	"net/http/httptest"
	"strconv"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/perennial-cvo/perennial/connectors"
	"github.com/perennial-cvo/perennial/connectors/commerce"
	"github.com/perennial-cvo/perennial/connectors/reviews/reviewstest"
	"github.com/perennial-cvo/perennial/connectors/simulator"
	"github.com/perennial-cvo/perennial/connectors/yotpo"
	"github.com/perennial-cvo/perennial/connectors/yotpo/yotpotest"
)

// TestReviewsAreAsTheShopKnowsThem holds every review against the invented shop.
func TestReviewsAreAsTheShopKnowsThem(t *testing.T) {
	f := start(t, yotpotest.Options{})
	words := map[string]string{
		simulator.ReviewApproved: "published", simulator.ReviewHold: "archived", simulator.ReviewSpam: "published",
	}
	for _, status := range []string{simulator.ReviewApproved, simulator.ReviewHold, simulator.ReviewSpam, simulator.ReviewTrash} {
		f.Shop.AddReview(simulator.Review{ProductID: 7, Status: status, Email: "ann@mail.example"}) // without a score
	}
	got := map[string]commerce.Review{}
	page := read(t, open(t, f.settings()))
	for _, v := range page.Records.Reviews {
		got[v.ID] = v
	}
	require.Empty(t, page.Rejected)
	for _, v := range f.Shop.Reviews() {
		id := strconv.FormatInt(v.ID, 10)
		if v.Status == simulator.ReviewTrash {
			require.Contains(t, page.Deleted, id, "what is marked as deleted is gone")
			require.NotContains(t, got, id)
			continue
		}
		require.Equal(t, commerce.Review{
			ID: id, ProductID: strconv.FormatInt(v.ProductID, 10), Email: commerce.Email(v.Email), Reviewer: v.Reviewer, Rating: v.Rating,
			Body: v.Body, Verified: v.Verified, Status: words[v.Status], CreatedAt: v.CreatedAt,
		}, got[id])
	}
}

func TestOddReviews(t *testing.T) {
	for name, c := range map[string]struct {
		field  string
		value  any
		reason string // of its rejection, empty where it passes
		want   func(v *commerce.Review)
	}{
		"score above":        {"score", 5.5, "field score is not within 1 and 5", nil},
		"score below":        {"score", -1, "field score is not within 1 and 5", nil},
		"score as a float":   {"score", 4.0, "", func(v *commerce.Review) { v.Rating = 4 }},
		"no score":           {"score", nil, "", func(v *commerce.Review) { v.Rating = 0 }},
		"title":              {"title", "Tea &amp; more", "", func(v *commerce.Review) { v.Body = "Tea & more\n" + v.Body }},
		"of the shop itself": {"sku", "yotpo_site_reviews", "", func(v *commerce.Review) { v.ProductID = "" }},
		"sku as a number":    {"sku", 5280573096092, "", func(v *commerce.Review) { v.ProductID = "5280573096092" }},
		"no date":            {"created_at", "yesterday", "field created_at is missing or no sensible date", nil},
		"name as a list":     {"name", []any{"ann@mail.example"}, "field name cannot be read", nil},
		"no id":              {"id", nil, "field id is missing", nil},
		"archived":           {"archived", true, "", func(v *commerce.Review) { v.Status = "archived" }},
	} {
		t.Run(name, func(t *testing.T) {
			f := start(t, yotpotest.Options{})
			all := f.Shop.Reviews()
			v := all[len(all)-1]
			before := read(t, open(t, f.settings()))
			plain := before.Records.Reviews[0]
			f.Alter(v.ID, c.field, c.value)
			page := read(t, open(t, f.settings()))
			if c.reason == "" {
				require.Empty(t, page.Rejected)
				c.want(&plain)
				require.Equal(t, plain, page.Records.Reviews[0])
				return
			}
			require.Len(t, page.Rejected, 1)
			require.Equal(t, c.reason, page.Rejected[0].Reason)
			require.Len(t, page.Records.Reviews, len(before.Records.Reviews)-1)
		})
	}
}

// TestTokenIsGotAnew lets the token expire in the middle of a walk.
func TestTokenIsGotAnew(t *testing.T) {
	f := start(t, yotpotest.Options{})
	source := open(t, f.settings())
	first, err := source.Pull(t.Context(), commerce.Reviews, connectors.Sweep, "")
	require.NoError(t, err)
	f.Expire()
	second, err := source.Pull(t.Context(), commerce.Reviews, connectors.Sweep, first.Next)
	require.NoError(t, err)
	require.NotEmpty(t, second.Records.Reviews)
	grants := 0
	for _, r := range f.Requests() {
		if strings.HasPrefix(r.Path, "/oauth/") {
			require.NotContains(t, r.Path, "utoken", "who asks for a token has none")
			grants++
		}
	}
	require.Equal(t, 2, grants, "one token serves many pages")
}

func TestWrongKeysAreCredentials(t *testing.T) {
	for _, setting := range []string{"app_key", "secret"} {
		f := start(t, yotpotest.Options{})
		settings := f.settings()
		settings[setting] = "canary0123"
		var log strings.Builder
		source, err := yotpo.New().NewSource(settings, connectors.Deps{Log: slog.New(slog.NewTextHandler(&log, nil))})
		require.NoError(t, err)
		_, err = source.Check(t.Context())
		require.Equal(t, connectors.KindCredentials, connectors.KindOf(err), "%v", err)
		require.Contains(t, connectors.Remedy(err), "General settings")
		require.NotContains(t, err.Error()+log.String(), "canary", "Yotpo repeats the secret, we do not")
		require.LessOrEqual(t, len(f.Requests()), 2)
	}
}

// TestATokenThatIsNeverGoodIsNotTriedForEver refuses every token as soon as it is given, and repeats it.
func TestATokenThatIsNeverGoodIsNotTriedForEver(t *testing.T) {
	f := start(t, yotpotest.Options{})
	front := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		f.ServeHTTP(w, r)
		if strings.HasPrefix(r.URL.Path, "/oauth/") {
			f.Expire()
		}
	}))
	t.Cleanup(front.Close)
	settings := f.settings()
	settings["url"] = front.URL
	_, err := open(t, settings).Check(t.Context())
	require.Equal(t, connectors.KindCredentials, connectors.KindOf(err))
	require.ErrorContains(t, err, "Invalid token")
	require.NotContains(t, err.Error(), "utoken-")
	require.Len(t, f.Requests(), 2)
}

func TestCheck(t *testing.T) {
	f := start(t, yotpotest.Options{})
	report, err := open(t, f.settings()).Check(t.Context())
	require.NoError(t, err)
	require.True(t, report.OK())
	require.NotContains(t, report.Shop.Identity, yotpotest.AppKey)
	for _, v := range f.Shop.Reviews() {
		f.Shop.DeleteReview(v.ID)
	}
	report, err = open(t, f.settings()).Check(t.Context())
	require.NoError(t, err)
	require.Contains(t, report.Findings[0].Text, "no reviews")
}

func TestSettingsAreRefused(t *testing.T) {
	for setting, value := range map[string]any{"app_key": "a/b?c", "page_size": 101, "interval": "-1s", "url": "ftp://x"} {
		settings := start(t, yotpotest.Options{}).settings()
		settings[setting] = value
		_, err := yotpo.New().NewSource(settings, connectors.Deps{})
		require.Equal(t, connectors.KindPermanent, connectors.KindOf(err), setting)
		require.NotContains(t, err.Error(), yotpotest.Secret)
	}
}

// TestShorterPagesThanAskedForDoNotEndTheWalk meets a platform that gives fewer reviews a page without a word.
func TestShorterPagesThanAskedForDoNotEndTheWalk(t *testing.T) {
	f := start(t, yotpotest.Options{MostPerPage: 12})
	source := open(t, f.settings())
	cursor := connectors.Cursor("")
	for range 200 {
		page, err := source.Pull(t.Context(), commerce.Reviews, connectors.Sweep, cursor)
		if err != nil {
			require.ErrorContains(t, err, "cannot be followed")
			return
		}
		require.False(t, page.Done)
		cursor = page.Next
	}
	t.Fatal("it goes on for ever")
}

func TestOneEmptyListIsNotBelieved(t *testing.T) {
	f := start(t, yotpotest.Options{})
	source := open(t, f.settings())
	_, err := source.Check(t.Context()) // so that there is a token
	require.NoError(t, err)
	f.Fault(reviewstest.Fault{Kind: reviewstest.NoReviews, Times: 1})
	page, err := source.Pull(t.Context(), commerce.Reviews, connectors.Sweep, "")
	require.NoError(t, err)
	require.False(t, page.Done)
}
