package simulator

import (
	"encoding/gob"
	"fmt"
	"io"
	"time"
)

// snapshot is a shop as it is written down.
type snapshot struct {
	Options    Options
	Parameters Parameters
	Generation uint64
	At         time.Time
	Shift      time.Duration
	Last       [5]int64
	Purchases  int64
	Customers  []*Customer
	Products   []*Product
	Coupons    []*Coupon
	Orders     []*Order
	Reviews    []*Review
	People     []*person
	Queue      queue
}

// Save writes the shop down, so that Load makes the same shop, which goes on in the same way.
func (s *Shop) Save(w io.Writer) error {
	s.mu.RLock()
	defer s.mu.RUnlock()
	err := gob.NewEncoder(w).Encode(snapshot{
		Options: s.opts, Parameters: s.parameters, Generation: s.generation, At: s.at, Shift: s.shift,
		Last: [5]int64{s.lastPost, s.lastUser, s.lastReview, s.lastItem, s.lastMeta}, Purchases: s.purchases,
		Customers: s.customers.rows, Products: s.products.rows, Coupons: s.coupons.rows, Orders: s.orders.rows, Reviews: s.reviews.rows,
		People: s.people, Queue: s.queue,
	})
	if err != nil {
		return fmt.Errorf("shop snapshot: %w", err)
	}
	return nil
}

// Load reads a shop that was saved. The clock is the one given; nil for a shop that stands still.
func Load(r io.Reader, clock func() time.Time) (*Shop, error) {
	var had snapshot
	if err := gob.NewDecoder(r).Decode(&had); err != nil {
		return nil, fmt.Errorf("shop snapshot: %w", err)
	}
	had.Options.Clock = clock
	s := blank(had.Options)
	s.parameters, s.generation, s.at, s.shift = had.Parameters, had.Generation, had.At, had.Shift
	s.lastPost, s.lastUser, s.lastReview, s.lastItem, s.lastMeta = had.Last[0], had.Last[1], had.Last[2], had.Last[3], had.Last[4]
	s.purchases, s.people, s.queue = had.Purchases, had.People, had.Queue
	s.customers.rows, s.products.rows, s.coupons.rows = had.Customers, had.Products, had.Coupons
	s.orders.rows, s.reviews.rows = had.Orders, had.Reviews
	for _, o := range s.orders.rows {
		s.indexMail(o)
	}
	for _, c := range s.customers.rows {
		s.accounts[c.Email] = c.ID
	}
	return s, nil
}
