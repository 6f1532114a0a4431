// Package product tells what the best customers buy first, what comes back, and how products are rated.
//
// Every formula with its source is in docs/formulas.md. Whatever the facts look like, no number here is infinite or none.
package product

import "fmt"

// Below these numbers nothing is said; this project's own choices.
const (
	MinBest    = 20 // of the best customers
	MinFirsts  = 20 // customers who began with a product
	MinSeen    = 20 // orders of a product that can be told to come back or not
	MinRatings = 5  // to be ranked
	// Settled is after how many days it is told whether something was given back: until then it still may be.
	Settled = 30
	// Prior is how many ratings the mean of the shop weighs in the rank of a product.
	Prior = 10
	// BestPart is the part of the customers that are the best where there are no tiers of value.
	BestPart = 0.1

	mostRows  = 200 // by revenue, that are kept
	mostFirst = 50  // by first orders of the best, that are kept beside them
)

// Facts are what is known of a shop's products as of a day. Amounts are in ten-thousandths of its currency.
type Facts struct {
	Customers  int   // with a purchase
	Best       int   // of them
	Tiered     bool  // the best are the top tier of value; else the tenth that has spent most
	Orders     int   // purchases
	Lines      int   // of orders; without any, nothing is known of products
	Reviews    int   // that count
	Loose      int64 // given back without saying what for
	Products   []Sold
	Categories []Sold // a product in several counts in each
}

// Sold counts what was sold of one product or category. An order of which all money was given back is no purchase, and all of
// it has come back.
type Sold struct {
	Key        string // empty for lines that name no product
	Name       string
	Gone       bool    // the shop sells it no more
	Orders     int     // purchases with it
	Units      float64 // sold, those that came back included
	Revenue    int64   // on the basis
	BackUnits  float64 // of Units
	GivenBack  int64   // money
	Seen       int     // orders with it that are Settled days old
	Returned   int     // of those, of which some of it was given back
	Buyers     int
	Again      int // of the buyers, in more than one purchase
	Firsts     int // customers whose first purchase it was in
	BestFirsts int // of them, the best
	Ratings    Ratings
}

// Ratings are those of reviews, from 1 to 5.
type Ratings struct {
	Count     int
	Sum       float64
	BestCount int // by the best customers
	BestSum   float64
	Stated    bool // the shop told the mean alone
}

// check says what in the counts of a product cannot be.
func (s Sold) check(f Facts) error {
	for _, part := range []struct {
		what     string
		part, of int
	}{
		{"best firsts", s.BestFirsts, min(s.Firsts, f.Best)},
		{"firsts", s.Firsts, f.Customers},
		{"firsts of others", s.Firsts - s.BestFirsts, f.Customers - f.Best},
		{"returned", s.Returned, s.Seen},
		{"bought again", s.Again, s.Buyers},
		{"ratings of the best", s.Ratings.BestCount, s.Ratings.Count},
	} {
		if part.part < 0 || part.part > part.of {
			return fmt.Errorf("product %q: %s are %d of %d", s.Key, part.what, part.part, part.of)
		}
	}
	return nil
}
