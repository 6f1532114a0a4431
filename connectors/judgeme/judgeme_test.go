package judgeme_test

import (
	"log/slog"
	"strconv"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/perennial-cvo/perennial/connectors"
	"github.com/perennial-cvo/perennial/connectors/commerce"
	"github.com/perennial-cvo/perennial/connectors/judgeme"
	"github.com/perennial-cvo/perennial/connectors/judgeme/judgemetest"
	"github.com/perennial-cvo/perennial/connectors/reviews/reviewstest"
	"github.com/perennial-cvo/perennial/connectors/simulator"
)

// TestReviewsAreAsTheShopKnowsThem holds every review against the invented shop.
func TestReviewsAreAsTheShopKnowsThem(t *testing.T) {
	f := start(t, judgemetest.Options{})
	words := map[string]string{
		simulator.ReviewApproved: "published", simulator.ReviewHold: "pending", simulator.ReviewSpam: "spam", simulator.ReviewTrash: "hidden",
	}
	for status := range words {
		f.Shop.AddReview(simulator.Review{ProductID: 7, Status: status, Email: "ann@mail.example"}) // without a rating
	}
	got := map[string]commerce.Review{}
	page := read(t, open(t, f.settings()))
	for _, v := range page.Records.Reviews {
		got[v.ID] = v
	}
	require.Empty(t, page.Rejected)
	require.Empty(t, page.Warnings)
	require.Equal(t, len(f.Shop.Reviews()), page.Total)
	require.Len(t, got, len(f.Shop.Reviews()))
	for _, v := range f.Shop.Reviews() {
		id := strconv.FormatInt(v.ID, 10)
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
		"rating above":          {"rating", 6, "field rating is not within 1 and 5", nil},
		"rating in words":       {"rating", "five", "field rating cannot be read", nil},
		"half a star":           {"rating", 4.5, "", func(v *commerce.Review) { v.Rating = 5 }},
		"no rating":             {"rating", nil, "", func(v *commerce.Review) { v.Rating = 0 }},
		"title":                 {"title", "Tea &amp; <i>more</i>", "", func(v *commerce.Review) { v.Body = "Tea & more\n" + v.Body }},
		"of the shop":           {"product_external_id", nil, "", func(v *commerce.Review) { v.ProductID = "" }},
		"product as gid":        {"product_external_id", "gid://shopify/Product/5280573096092", "", func(v *commerce.Review) { v.ProductID = "5280573096092" }},
		"no date":               {"created_at", nil, "field created_at is missing or no sensible date", nil},
		"no reviewer":           {"reviewer", nil, "", func(v *commerce.Review) { v.Email, v.Reviewer = "", "" }},
		"reviewer as a list":    {"reviewer", []any{"ann@mail.example"}, "field reviewer cannot be read", nil},
		"body as an object":     {"body", map[string]any{"html": "ann@mail.example"}, "field body cannot be read", nil},
		"never curated":         {"curated", "not-yet", "", func(*commerce.Review) {}},
		"published, not said":   {"published", nil, "", func(*commerce.Review) {}},
		"verified in new words": {"verified", "someone-said-so", "", func(v *commerce.Review) { v.Verified = false }},
	} {
		t.Run(name, func(t *testing.T) {
			f := start(t, judgemetest.Options{})
			all := f.Shop.Reviews()
			v := all[len(all)-1]
			plain := read(t, open(t, f.settings())).Records.Reviews[0]
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
			require.Equal(t, plain.ID, page.Rejected[0].ID)
			require.Contains(t, string(page.Rejected[0].Raw), `"reviewer"`)
			require.Len(t, page.Records.Reviews, len(all)-1)
		})
	}
}

func TestCheck(t *testing.T) {
	f := start(t, judgemetest.Options{})
	report, err := open(t, f.settings()).Check(t.Context())
	require.NoError(t, err)
	require.Contains(t, report.Findings[0].Text, "there are "+strconv.Itoa(len(f.Shop.Reviews())))
	require.Equal(t, "judgeme alder.myshopify.com", report.Shop.Identity)

	report, err = open(t, start(t, judgemetest.Options{Public: true}).settings()).Check(t.Context())
	require.NoError(t, err)
	require.Equal(t, connectors.Notice, report.Findings[1].Level)
	require.Contains(t, report.Findings[1].Remedy, "private")

	f = start(t, judgemetest.Options{})
	for _, v := range f.Shop.Reviews() {
		f.Shop.DeleteReview(v.ID)
	}
	report, err = open(t, f.settings()).Check(t.Context())
	require.NoError(t, err)
	require.Contains(t, report.Findings[0].Text, "no reviews")
}

func TestWrongShopAndWrongToken(t *testing.T) {
	for setting, want := range map[string]struct {
		kind   connectors.Kind
		remedy string
	}{
		"api_token":   {connectors.KindCredentials, "private token"},
		"shop_domain": {connectors.KindPermanent, "no shop by canary.example"},
	} {
		settings := start(t, judgemetest.Options{}).settings()
		settings[setting] = "canary.example"
		var log strings.Builder
		source, err := judgeme.New().NewSource(settings, connectors.Deps{Log: slog.New(slog.NewTextHandler(&log, nil))})
		require.NoError(t, err)
		_, err = source.Check(t.Context())
		require.Equal(t, want.kind, connectors.KindOf(err), "%v", err)
		require.Contains(t, connectors.Remedy(err), want.remedy)
		require.NotContains(t, err.Error()+log.String(), "canary", "the platform repeats the token, we do not")
	}
}

func TestSettingsAreRefused(t *testing.T) {
	good := start(t, judgemetest.Options{}).settings()
	for setting, value := range map[string]any{
		"shop_domain": "my shop", "page_size": 19, "interval": "-1s", "url": "ftp://x",
	} {
		settings := connectors.Settings{}
		for k, v := range good {
			settings[k] = v
		}
		settings[setting] = value
		_, err := judgeme.New().NewSource(settings, connectors.Deps{})
		require.Equal(t, connectors.KindPermanent, connectors.KindOf(err), setting)
		require.NotContains(t, err.Error(), judgemetest.APIToken)
	}
	good["shop_domain"] = " https://Alder.MyShopify.com/ "
	_, err := open(t, good).Check(t.Context())
	require.NoError(t, err)
}

// TestPagesOfAnotherSizeAreNotBelieved meets a platform that gives fewer reviews a page than asked for, and says so.
func TestPagesOfAnotherSizeAreNotBelieved(t *testing.T) {
	f := start(t, judgemetest.Options{MostPerPage: 15})
	_, err := open(t, f.settings()).Pull(t.Context(), commerce.Reviews, connectors.Sweep, "")
	require.Equal(t, connectors.KindPermanent, connectors.KindOf(err))
	require.ErrorContains(t, err, "page 1 of 20 reviews was asked for, page 1 of 15 came")
}

func TestWithoutACountItIsReadAllTheSame(t *testing.T) {
	f := start(t, judgemetest.Options{NoCount: true})
	page := read(t, open(t, f.settings()))
	require.Len(t, page.Records.Reviews, len(f.Shop.Reviews()))
	require.Zero(t, page.Total)
}

// TestAnEmptyListIsNotBelieved lets a whole and well-formed answer come without reviews, at the beginning and later.
func TestAnEmptyListIsNotBelieved(t *testing.T) {
	f := start(t, judgemetest.Options{})
	source := open(t, f.settings())
	f.Fault(reviewstest.Fault{Kind: reviewstest.NoReviews, Times: 1})
	page, err := source.Pull(t.Context(), commerce.Reviews, connectors.Sweep, "")
	require.NoError(t, err)
	require.False(t, page.Done, "the page behind it is not empty")
	f.Fault(reviewstest.Fault{Kind: reviewstest.NoReviews, Times: 3})
	_, err = source.Pull(t.Context(), commerce.Reviews, connectors.Sweep, "")
	require.ErrorContains(t, err, "announced, none given")
	require.Equal(t, connectors.KindRetry, connectors.KindOf(err))

	first, err := source.Pull(t.Context(), commerce.Reviews, connectors.Sweep, "")
	require.NoError(t, err)
	f.Fault(reviewstest.Fault{Kind: reviewstest.NoReviews, Times: 1})
	met := map[string]bool{}
	for page := first; ; {
		for _, v := range page.Records.Reviews {
			met[v.ID] = true
		}
		if page.Done {
			break
		}
		page, err = source.Pull(t.Context(), commerce.Reviews, connectors.Sweep, page.Next)
		require.NoError(t, err)
	}
	require.Len(t, met, len(f.Shop.Reviews()), "it steps back and goes on")
}
