package simulator

import "time"

// Review statuses.
const (
	ReviewApproved = "approved"
	ReviewHold     = "hold"
	ReviewSpam     = "spam"
	ReviewTrash    = "trash"
)

// Review is one review of a product.
type Review struct {
	ID        int64
	ProductID int64
	Reviewer  string
	Email     string
	Body      string // plain text
	Rating    int    // 0 where none was given
	Verified  bool
	Status    string
	CreatedAt time.Time
}

var opinions = []string{
	"It is fine.", "Love it! ☕", "Arrived late, but good.", "Not for me.", "Exactly what I was looking for & well packed.",
	"Sehr gut, gerne wieder.", "とても美味しい。", "Broke after a week.",
}

// Reviews lists every review, whatever its status, by ascending id.
func (s *Shop) Reviews() []*Review {
	s.mu.RLock()
	defer s.mu.RUnlock()
	return s.reviews.all()
}

func (s *Shop) buyerReviews(e event) {
	o := s.orders.get(e.Order)
	if o == nil || o.Email == "" {
		return
	}
	r := s.opts.random(streamAfter, e.Order, 0)
	p := s.people[e.Person]
	rating := []int{5, 4, 3, 2, 1, 0}[pick(r, []int{52, 22, 12, 4, 7, 3})]
	v := &Review{
		ProductID: o.Lines[0].ProductID, Reviewer: p.Billing.FirstName + " " + string([]rune(p.Billing.LastName)[:1]) + ".", Email: p.Email, Body: opinions[r.IntN(len(opinions))],
		Rating: rating, Verified: r.IntN(10) < 8, Status: []string{ReviewApproved, ReviewHold, ReviewSpam, ReviewTrash}[pick(r, []int{84, 8, 6, 2})],
	}
	s.addReview(v, e.At)
}

// addReview stores a review; the product it speaks of counts as changed.
func (s *Shop) addReview(v *Review, now time.Time) int64 {
	s.lastReview++
	v.ID, v.CreatedAt = s.lastReview, now
	s.reviews.put(v)
	s.touchProduct(v.ProductID, now)
	return v.ID
}

func (s *Shop) touchProduct(id int64, now time.Time) {
	s.products.edit(id, func(p *Product) { p.ModifiedAt = s.stamp(now) })
}
