// Package analysis asks every question about one shop as of one moment. The questions are pure packages below this one
// and do not know each other; the run reads the facts, passes results along and saves what changed.
package analysis

import (
	"context"
	"time"

	"github.com/perennial-cvo/perennial/analysis/rfm"
)

// Facts is a shop's data as the analysis needs it; sync/postgres satisfies it.
type Facts interface {
	// Shop returns currency, time zone and the state of the first load.
	Shop(ctx context.Context) (Shop, error)

	// Refresh brings the per-customer aggregates up to date as of asOf, recomputing only people touched since the last
	// call, and returns how many. A full refresh recomputes everybody.
	Refresh(ctx context.Context, asOf time.Time, full bool) (int, error)

	// Customers reads everybody with at least one counted order from the aggregates that Refresh made, in any order,
	// with the membership that stands.
	Customers(ctx context.Context) ([]Customer, error)

	// CustomersAsOf computes the same from the orders as of a moment in the past, without using or changing aggregates.
	CustomersAsOf(ctx context.Context, asOf time.Time) ([]Customer, error)

	// Save stores the result of a run as of today: scores and memberships that differ from what stands, closing and
	// opening intervals, and the snapshot of the day. Saving the same result again changes nothing.
	Save(ctx context.Context, result Result) (Saved, error)
}

// Shop is what the analysis must know about the shop.
type Shop struct {
	Name     string
	Currency string
	Location *time.Location
	Loaded   bool // the first load is complete
	// Since is the moment before which orders are not known; zero where all are. Where it is set, whatever is said of a
	// customer's whole life is incomplete.
	Since time.Time
}

// Customer is one person's aggregates as of a moment. Amounts are in ten-thousandths of the store's currency.
type Customer struct {
	Person   int64
	Orders   int
	FirstDay int   // local day of the first counted order, in days since 1970-01-01
	LastDay  int   // local day of the last counted order
	Gross    int64 // goods - discounts, before refunds
	Net      int64 // after refunds
	// Score and Segment are the membership that stands in the RFM scheme, zero for a person without one.
	Score   rfm.Score
	Segment string
}

// History is what one person bought before a moment, by local days: purchases on one day are one. Orders of which all money
// was given back are none. Amounts are in ten-thousandths of the store's currency, after refunds.
type History struct {
	Person   int64
	Days     int     // with a purchase
	FirstDay int     // in days since 1970-01-01
	LastDay  int     // the same
	LogGaps  float64 // sum of ln(weeks) between neighbouring days
	Net      int64
	FirstNet int64 // of the first day
	Cost     int64 // of what was bought and kept, where Costed
	Costed   bool  // the unit cost of every line of every order is known
}

// Result is what a run found.
type Result struct {
	AsOf    time.Time
	Day     int // local day of AsOf, in days since 1970-01-01
	Scheme  Scheme
	Members []Member // whose score or segment differs from what stood, in order of person
	Left    []int64  // people who had a membership and have none now, in order of person
	Groups  []Group  // everybody, by segment, in the scheme's order
}

// Scheme identifies how people were grouped, so that history can be told apart when the owner changes the rules.
type Scheme struct {
	Name    string // "rfm"
	Version string // short hash of everything that decides membership: convention, bins, map, revenue basis
	Rule    string // JSON of the same, for people and for recomputing
}

// Member is one person's new membership.
type Member struct {
	Person  int64
	Score   rfm.Score
	Segment string
}

// Group sums up one segment.
type Group struct {
	Segment   string
	Customers int
	Orders    int
	Gross     int64
	Net       int64
}

// Saved counts what a save changed.
type Saved struct {
	Entered int // people without a membership before
	Moved   int // to another segment
	Scored  int // another score in the same segment
	Left    int
}
