// Package judgemetest is a fake of Judge.me's API over an invented shop's reviews.
package judgemetest

import (
	"net/http"
	"slices"
	"strings"
	"sync/atomic"
	"time"

	"github.com/perennial-cvo/perennial/connectors/reviews/reviewstest"
	"github.com/perennial-cvo/perennial/connectors/simulator"
)

// The shop and its token, unless the options say otherwise.
const (
	ShopDomain = "alder.myshopify.com"
	APIToken   = "jdgm-private-4f1c0a"
)

// Options describe the platform. The zero value is right.
type Options struct {
	MostPerPage int  // more is cut to this, without a word but in per_page; 0 means 100
	Public      bool // the token is the public one: reviewers have no e-mail address
	NoCount     bool // the platform does not count
}

// Server is the fake.
type Server struct {
	*reviewstest.Platform
	opts    Options
	revoked atomic.Bool
}

// New makes a fake over the shop's reviews.
func New(shop *simulator.Shop, opts Options) *Server {
	if opts.MostPerPage == 0 {
		opts.MostPerPage = 100
	}
	s := &Server{opts: opts}
	s.Platform = &reviewstest.Platform{Shop: shop, Answer: s.answer}
	return s
}

// Revoke makes the token invalid.
func (s *Server) Revoke() { s.revoked.Store(true) }

func (s *Server) answer(r *http.Request, _ []byte) reviewstest.Answer {
	q := r.URL.Query()
	path, known := strings.CutPrefix(r.URL.Path, "/api/v1/")
	switch {
	case !known || r.Method != http.MethodGet || !slices.Contains([]string{"reviews", "reviews/count"}, path):
		return reviewstest.Answer{Status: http.StatusNotFound, Value: map[string]any{"error": "Not found"}}
	case q.Get("shop_domain") != ShopDomain:
		return reviewstest.Answer{Status: http.StatusNotFound, Value: map[string]any{"error": "Shop not found"}}
	case q.Get("api_token") != APIToken || s.revoked.Load():
		return reviewstest.Answer{Status: http.StatusUnauthorized, Value: map[string]any{"error": "Invalid api_token: " + q.Get("api_token")}}
	case path == "reviews/count" && s.opts.NoCount:
		return reviewstest.Answer{Status: http.StatusNotFound, Value: map[string]any{"error": "Not found"}}
	case path == "reviews/count":
		return reviewstest.Answer{Status: http.StatusOK, Value: map[string]any{"count": len(s.Shop.Reviews())}}
	}
	number, size := reviewstest.Number(r, "page", 1), min(reviewstest.Number(r, "per_page", 10), s.opts.MostPerPage)
	return reviewstest.Answer{Status: http.StatusOK, Value: map[string]any{
		"current_page": number, "per_page": size, "reviews": s.Page(number, size, s.render),
	}}
}

// render shows a review as the platform does.
func (s *Server) render(v *simulator.Review) map[string]any {
	curated, published := "ok", true
	switch v.Status {
	case simulator.ReviewHold:
		curated, published = "not-yet", false
	case simulator.ReviewSpam:
		curated, published = "spam", false
	}
	verified := "nothing"
	if v.Verified {
		verified = "buyer"
	}
	var rating any = v.Rating
	if v.Rating == 0 {
		rating = nil
	}
	at := v.CreatedAt.UTC().Format(time.RFC3339)
	reviewer := map[string]any{
		"id": 1_000_000 + v.ID, "external_id": nil, "email": v.Email, "name": v.Reviewer, "phone": nil,
		"accepts_marketing": true, "unsubscribed_at": nil, "tags": nil,
	}
	if s.opts.Public {
		delete(reviewer, "email")
	}
	return map[string]any{
		"id": v.ID, "title": "", "body": "<p>" + strings.ReplaceAll(v.Body, "&", "&amp;") + "</p>", "rating": rating,
		"product_external_id": v.ProductID, "reviewer": reviewer,
		"source": "web", "curated": curated, "published": published, "hidden": v.Status == simulator.ReviewTrash,
		"verified": verified, "featured": false, "created_at": at, "updated_at": at, "pictures": []any{},
	}
}
