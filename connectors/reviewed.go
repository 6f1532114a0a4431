package connectors

import (
	"context"
	"slices"

	"github.com/perennial-cvo/perennial/connectors/commerce"
)

// WithReviews returns a source that reads reviews from the second source and everything else from the shop. Reviews that
// the shop itself has are not read. Check asks the shop alone: whether the reviews can be read, its own source says. What
// is returned is a Fetcher where the shop is one.
func WithReviews(shop, reviews Source) Source {
	s := reviewed{Source: shop, reviews: reviews}
	if fetcher, ok := shop.(Fetcher); ok {
		return fetchingReviewed{reviewed: s, shop: fetcher}
	}
	return s
}

// reviewed is a shop whose reviews come from elsewhere.
type reviewed struct {
	Source
	reviews Source
}

// Resources lists what the shop offers but its own reviews, and the reviews.
func (s reviewed) Resources() []Offer {
	offers := slices.DeleteFunc(slices.Clone(s.Source.Resources()), func(o Offer) bool { return o.Resource == commerce.Reviews })
	for _, offer := range s.reviews.Resources() {
		if offer.Resource == commerce.Reviews { // which is pulled last
			offer.Apart = true
			offers = append(offers, offer)
		}
	}
	return offers
}

// Pull reads one page from where the resource is.
func (s reviewed) Pull(ctx context.Context, resource commerce.Resource, mode Mode, cursor Cursor) (Page, error) {
	if resource == commerce.Reviews {
		return s.reviews.Pull(ctx, resource, mode, cursor)
	}
	return s.Source.Pull(ctx, resource, mode, cursor)
}

// fetchingReviewed is the same over a shop that can be asked for single records.
type fetchingReviewed struct {
	reviewed
	shop Fetcher
}

// Fetch asks where the resource is. Of a source of reviews that is no Fetcher the finished sweep is all there is to know,
// as it would be without the shop: what it did not meet is gone.
func (s fetchingReviewed) Fetch(ctx context.Context, resource commerce.Resource, ids []string) (Page, error) {
	if resource != commerce.Reviews {
		return s.shop.Fetch(ctx, resource, ids)
	}
	if fetcher, ok := s.reviews.(Fetcher); ok {
		return fetcher.Fetch(ctx, resource, ids)
	}
	return Page{Deleted: ids}, nil
}
