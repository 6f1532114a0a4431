package woocommerce

import (
	"errors"
	"net/url"

	"github.com/perennial-cvo/perennial/connectors"
	"github.com/perennial-cvo/perennial/connectors/commerce"
)

const reviewFields = "id,product_id,status,reviewer,reviewer_email,review,rating,verified,date_created_gmt"

type wcReview struct {
	ID        ident  `json:"id"`
	ProductID ident  `json:"product_id"`
	Status    text   `json:"status"`
	Reviewer  text   `json:"reviewer"`
	Email     text   `json:"reviewer_email"`
	Review    text   `json:"review"` // HTML
	Rating    amount `json:"rating"`
	Verified  flag   `json:"verified"`
	Created   moment `json:"date_created_gmt"`
}

// reviewLegs walks approved and held reviews, which "all" means, then spam and trash.
func reviewLegs() []leg {
	var legs []leg
	for _, status := range []string{"all", "spam", "trash"} {
		legs = append(legs, leg{
			op: "reviews page", path: "products/reviews",
			query: url.Values{"status": {status}, "_fields": {reviewFields}},
		})
	}
	return legs
}

func readReview(raw []byte, page *connectors.Page) error {
	w, err := decode[wcReview](raw)
	if err != nil {
		return err
	}
	rating := w.Rating.or0().IntPart()
	switch {
	case w.ID == 0:
		return errors.New("field id is missing")
	case rating < 0 || rating > 5:
		return errors.New("field rating is not within 0 and 5")
	case w.Created.at.IsZero():
		return errors.New("field date_created_gmt is missing or no sensible date")
	}
	page.Records.Reviews = append(page.Records.Reviews, commerce.Review{
		ID: w.ID.String(), ProductID: w.ProductID.String(), Email: commerce.Email(string(w.Email)), Reviewer: w.Reviewer.name(),
		Rating: int(rating), Body: plain(string(w.Review)), Verified: bool(w.Verified), Status: w.Status.trim(), CreatedAt: w.Created.at,
	})
	return nil
}
