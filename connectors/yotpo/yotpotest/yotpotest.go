// Package yotpotest is a fake of Yotpo's API over an invented shop's reviews.
package yotpotest

import (
	"encoding/json"
	"fmt"
	"net/http"
	"strings"
	"sync/atomic"

	"github.com/perennial-cvo/perennial/connectors/reviews/reviewstest"
	"github.com/perennial-cvo/perennial/connectors/simulator"
)

// The account.
const (
	AppKey = "aLdEr0123456789appkey"
	Secret = "yotpo-secret-4f1c0a"
)

// Options describe the platform. The zero value is right.
type Options struct {
	MostPerPage int // more is cut to this, without a word; 0 means 100
}

// Server is the fake.
type Server struct {
	*reviewstest.Platform
	opts    Options
	revoked atomic.Bool
	grants  atomic.Int64 // tokens given so far; only the last one is good
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

// Revoke makes secret and tokens invalid.
func (s *Server) Revoke() { s.revoked.Store(true) }

// Expire makes every token given so far invalid.
func (s *Server) Expire() { s.grants.Add(1) }

// Token is the token that is good now.
func (s *Server) Token() string { return fmt.Sprintf("utoken-%d-9b3e", s.grants.Load()) }

func (s *Server) answer(r *http.Request, body []byte) reviewstest.Answer {
	key, known := strings.CutSuffix(strings.TrimPrefix(r.URL.Path, "/v1/apps/"), "/reviews")
	switch {
	case r.URL.Path == "/oauth/token" && r.Method == http.MethodPost:
		return s.grant(body)
	case !known || r.Method != http.MethodGet:
		return refusal(http.StatusNotFound, "Not Found")
	case key != AppKey || s.revoked.Load() || s.grants.Load() == 0 || r.URL.Query().Get("utoken") != s.Token():
		return refusal(http.StatusUnauthorized, "Invalid token "+r.URL.Query().Get("utoken"))
	}
	rows := s.Page(reviewstest.Number(r, "page", 1), min(reviewstest.Number(r, "count", 10), s.opts.MostPerPage), render)
	return reviewstest.Answer{Status: http.StatusOK, Value: map[string]any{"reviews": rows}}
}

func (s *Server) grant(body []byte) reviewstest.Answer {
	var in struct {
		ID     string `json:"client_id"`
		Secret string `json:"client_secret"`
		Grant  string `json:"grant_type"`
	}
	if json.Unmarshal(body, &in) != nil || in.Grant != "client_credentials" {
		return refusal(http.StatusBadRequest, "unsupported grant type")
	}
	if in.ID != AppKey || in.Secret != Secret || s.revoked.Load() {
		return refusal(http.StatusUnauthorized, "Client authentication failed for "+in.Secret)
	}
	s.grants.Add(1)
	return reviewstest.Answer{Status: http.StatusOK, Value: map[string]any{"access_token": s.Token(), "token_type": "bearer"}}
}

func refusal(status int, message string) reviewstest.Answer {
	return reviewstest.Answer{Status: status, Value: map[string]any{
		"status": map[string]any{"code": status, "message": message, "error_type": "APIError"},
	}}
}

// render shows a review as the platform does.
func render(v *simulator.Review) map[string]any {
	kind := "anonymous_user"
	if v.Verified {
		kind = "verified_buyer"
	}
	var score any = v.Rating
	if v.Rating == 0 {
		score = nil
	}
	at := v.CreatedAt.UTC().Format("2006-01-02T15:04:05.000Z07:00")
	return map[string]any{
		"id": v.ID, "title": "", "content": strings.ReplaceAll(v.Body, "&", "&amp;"), "score": score, "votes_up": 1, "votes_down": 0,
		"created_at": at, "updated_at": at, "sentiment": 0.9, "sku": fmt.Sprint(v.ProductID),
		"name": v.Reviewer, "email": v.Email, "reviewer_type": kind, "deleted": v.Status == simulator.ReviewTrash,
		"archived": v.Status == simulator.ReviewHold, "escalated": v.Status == simulator.ReviewSpam,
	}
}
