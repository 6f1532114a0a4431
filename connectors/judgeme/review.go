package judgeme

import (
	"context"
	"errors"
	"fmt"
	"slices"

	"github.com/goccy/go-json"

	"github.com/perennial-cvo/perennial/connectors"
	"github.com/perennial-cvo/perennial/connectors/commerce"
	"github.com/perennial-cvo/perennial/connectors/reviews"
)

// row is one review as Judge.me gives it.
type row struct {
	ID       reviews.Text  `json:"id"`
	Title    reviews.Text  `json:"title"`
	Body     reviews.Text  `json:"body"` // may be HTML
	Rating   reviews.Stars `json:"rating"`
	Product  reviews.Text  `json:"product_external_id"` // null for a review of the shop
	Reviewer struct {
		Email reviews.Text `json:"email"`
		Name  reviews.Text `json:"name"`
	} `json:"reviewer"`
	Curated   reviews.Text   `json:"curated"` // ok, not-yet, spam
	Published reviews.Flag   `json:"published"`
	Hidden    reviews.Flag   `json:"hidden"`
	Verified  reviews.Text   `json:"verified"` // nothing, buyer, ...
	Created   reviews.Moment `json:"created_at"`
}

// Read makes a review of a row.
func (a *api) Read(raw []byte) (reviews.Reading, error) {
	r, err := reviews.Decode[row](raw)
	if err != nil {
		return reviews.Reading{}, err
	}
	rating, err := r.Rating.Rating("rating")
	switch {
	case r.ID == "":
		return reviews.Reading{}, errors.New("field id is missing")
	case err != nil:
		return reviews.Reading{}, err
	case r.Created.At.IsZero():
		return reviews.Reading{}, errors.New("field created_at is missing or no sensible date")
	}
	return reviews.Reading{Review: commerce.Review{
		ID: string(r.ID), ProductID: r.Product.Product(), Email: commerce.Email(string(r.Reviewer.Email)), Reviewer: r.Reviewer.Name.Name(),
		Rating: rating, Body: reviews.Join(r.Title.Plain(), r.Body.Plain()), Verified: r.bought(), Status: r.status(), CreatedAt: r.Created.At,
	}}, nil
}

// status is one word for what Judge.me says in three fields.
func (r row) status() string {
	switch {
	case r.Curated == "spam":
		return "spam"
	case r.Hidden.Yes:
		return "hidden"
	case r.Published.Yes, !r.Published.Known && r.Curated == "ok":
		return "published"
	default:
		return "pending"
	}
}

func (r row) bought() bool {
	return slices.Contains([]reviews.Text{"buyer", "verified-buyer", "verified_buyer", "verified-purchase", "true"}, r.Verified)
}

// Check asks for a few reviews and says what is missing.
func (s *source) Check(ctx context.Context) (connectors.Report, error) {
	report := connectors.Report{Shop: commerce.Shop{Identity: Kind + " " + s.set.ShopDomain, URL: s.set.ShopDomain, Platform: "Judge.me"}}
	listing, err := s.List(ctx, 1, reviews.LeastSize)
	if err != nil {
		return report, err
	}
	note := func(level connectors.Level, text, remedy string) {
		report.Findings = append(report.Findings, connectors.Finding{Level: level, Subject: "read reviews", Text: text, Remedy: remedy})
	}
	if len(listing.Rows) == 0 {
		note(connectors.Notice, "Judge.me has no reviews of "+s.set.ShopDomain, "if it should have, check shop_domain")
		return report, nil
	}
	text := "allowed"
	if listing.Total > 0 {
		text = fmt.Sprintf("allowed; there are %d", listing.Total)
	}
	note(connectors.Fine, text, "")
	named := slices.ContainsFunc(listing.Rows, func(raw json.RawMessage) bool {
		reading, err := s.Read(raw)
		return err == nil && reading.Review.Email != ""
	})
	if !named {
		note(connectors.Notice, "no review names the reviewer's e-mail address, so none can be linked to a customer",
			"give the private API token, not the public one")
	}
	return report, nil
}
