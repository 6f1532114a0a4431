package yotpo

import (
	"context"
	"errors"
	"slices"

	"github.com/goccy/go-json"

	"github.com/perennial-cvo/perennial/connectors"
	"github.com/perennial-cvo/perennial/connectors/commerce"
	"github.com/perennial-cvo/perennial/connectors/reviews"
)

// siteReviews is what Yotpo writes for the product of a review of the shop itself.
const siteReviews = "yotpo_site_reviews"

// row is one review as Yotpo gives it.
type row struct {
	ID       reviews.Text   `json:"id"`
	Title    reviews.Text   `json:"title"`
	Content  reviews.Text   `json:"content"`
	Score    reviews.Stars  `json:"score"`
	Product  reviews.Text   `json:"sku"` // the shop's id of the product
	Name     reviews.Text   `json:"name"`
	Email    reviews.Text   `json:"email"`
	Type     reviews.Text   `json:"reviewer_type"` // verified_buyer, ...
	Deleted  reviews.Flag   `json:"deleted"`
	Archived reviews.Flag   `json:"archived"`
	Created  reviews.Moment `json:"created_at"`
}

// Read makes a review of a row.
func (a *api) Read(raw []byte) (reviews.Reading, error) {
	r, err := reviews.Decode[row](raw)
	switch {
	case err != nil:
		return reviews.Reading{}, err
	case r.ID == "":
		return reviews.Reading{}, errors.New("field id is missing")
	case r.Deleted.Yes:
		return reviews.Reading{Review: commerce.Review{ID: string(r.ID)}, Gone: true}, nil
	case r.Created.At.IsZero():
		return reviews.Reading{}, errors.New("field created_at is missing or no sensible date")
	}
	rating, err := r.Score.Rating("score")
	if err != nil {
		return reviews.Reading{}, err
	}
	product, status := r.Product.Product(), "published"
	if product == siteReviews {
		product = ""
	}
	if r.Archived.Yes {
		status = "archived"
	}
	return reviews.Reading{Review: commerce.Review{
		ID: string(r.ID), ProductID: product, Email: commerce.Email(string(r.Email)), Reviewer: r.Name.Name(), Rating: rating,
		Body: reviews.Join(r.Title.Plain(), r.Content.Plain()), Verified: r.Type == "verified_buyer", Status: status, CreatedAt: r.Created.At,
	}}, nil
}

// Check asks for a token and a few reviews.
func (s *source) Check(ctx context.Context) (connectors.Report, error) {
	report := connectors.Report{Shop: commerce.Shop{Identity: s.set.identity(), Platform: "Yotpo"}}
	listing, err := s.List(ctx, 1, reviews.LeastSize)
	if err != nil {
		return report, err
	}
	note := func(level connectors.Level, text, remedy string) {
		report.Findings = append(report.Findings, connectors.Finding{Level: level, Subject: "read reviews", Text: text, Remedy: remedy})
	}
	if len(listing.Rows) == 0 {
		note(connectors.Notice, "Yotpo has no reviews in this account", "if it should have, check app_key")
		return report, nil
	}
	note(connectors.Fine, "allowed", "")
	named := slices.ContainsFunc(listing.Rows, func(raw json.RawMessage) bool {
		reading, err := s.Read(raw)
		return err == nil && reading.Review.Email != ""
	})
	if !named {
		note(connectors.Notice, "no review names the reviewer's e-mail address, so none can be linked to a customer", "")
	}
	return report, nil
}
