// Package analysis asks every question about one shop as of one moment. The questions are pure packages below this one
// and do not know each other; the run reads the facts, passes results along and saves what changed.
package analysis

import (
	"context"
	"slices"
	"time"

	"github.com/perennial-cvo/perennial/analysis/rfm"
	"github.com/perennial-cvo/perennial/analysis/segment"
)

// Facts is a shop's data as the analysis needs it; sync/postgres satisfies it.
type Facts interface {
	// Shop returns currency, time zone and the state of the first load.
	Shop(ctx context.Context) (Shop, error)

	// Refresh brings the per-customer aggregates up to date as of asOf, recomputing only people touched since the last
	// call, and returns how many. A full refresh recomputes everybody.
	Refresh(ctx context.Context, asOf time.Time, full bool) (int, error)

	// Customers reads everybody known from the aggregates that Refresh made, in any order, with the memberships that
	// stand. Whoever has no counted order comes with none.
	Customers(ctx context.Context) ([]Customer, error)

	// CustomersAsOf computes everybody with at least one counted order from the orders as of a moment in the past, without
	// using or changing aggregates.
	CustomersAsOf(ctx context.Context, asOf time.Time) ([]Customer, error)

	// Rules returns the rules of the last saved result by scheme, as JSON.
	Rules(ctx context.Context) (map[string]string, error)

	// Traits calls each once for everybody of whom one of the fields is known, in any order, with those fields of the
	// person filled in; fields are names of segment.Fields that aggregates, scores and predictions do not have: things,
	// origins, who they are. What was bought at or after asOf does not take part. The person is valid during the call only.
	Traits(ctx context.Context, fields []string, asOf time.Time, each func(person int64, p *segment.Person)) error

	// TraitsOf returns the same of one person.
	TraitsOf(ctx context.Context, person int64, fields []string, asOf time.Time) (segment.Person, error)

	// Save stores the result of a run as of today: scores, memberships and standings that differ from what stands,
	// closing and opening intervals, and the snapshots of the day. Saving the same result again changes nothing.
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
	// What follows is of purchases alone, as in History: orders of which all money was given back are none.
	Days        int   // with a purchase
	PreviousDay int   // the purchase day before the last; 0 below two
	Bought      int64 // after refunds
	FirstBought int64 // of the first day
	Cost        int64 // where Costed
	Costed      bool
	Gone        bool // known no more, merged or erased: what stands is all there is
	// Score and Segment are the membership that stands in the RFM scheme, zero for a person without one.
	Score    rfm.Score
	Segment  string
	Standing Standing // the one that stands, zero for a person without one
}

// History is what the customer bought, without the gaps between the days, which only who chooses a model asks for.
func (c *Customer) History() History {
	return History{
		Person: c.Person, Days: int32(c.Days), FirstDay: int32(c.FirstDay), LastDay: int32(c.LastDay),
		Net: c.Bought, FirstNet: c.FirstBought, Cost: c.Cost, Costed: c.Costed,
	}
}

// Standing is where one person stands beside the RFM groups, and what is shown of their worth. Everything in it stays as it
// is until it has to change.
type Standing struct {
	*Place         // shared among all who stand there, not to be changed; nil: nowhere, see At
	NextWeek int   // Monday of the week in which the next order is expected, in days since 1970-01-01; 0: none
	Value    int64 // predicted over the horizon and rounded, in ten-thousandths of the currency
	Valued   bool  // whether Value is known
}

// Place is where people stand, any number of them. There are few different ones, and each is in memory once.
type Place struct {
	Stage string   // of the lifecycle
	Tier  string   // of value; empty: none
	Churn string   // band of the risk to be gone; empty: not known
	Own   []string // ids of the owner's segments, sorted
}

// At is the place, the zero one for nowhere.
func (s Standing) At() Place {
	if s.Place == nil {
		return Place{}
	}
	return *s.Place
}

// Equal says whether two places are the same.
func (p Place) Equal(q Place) bool {
	return p.Stage == q.Stage && p.Tier == q.Tier && p.Churn == q.Churn && slices.Equal(p.Own, q.Own)
}

// Equal says whether two standings are the same.
func (s Standing) Equal(t Standing) bool {
	return (s.Place == t.Place || s.At().Equal(t.At())) && s.Valued == t.Valued && s.Value == t.Value && s.NextWeek == t.NextWeek
}

// History is what one person bought before a moment, by local days: purchases on one day are one. Orders of which all money
// was given back are none. Amounts are in ten-thousandths of the store's currency, after refunds.
type History struct {
	Person   int64
	Days     int32   // with a purchase
	FirstDay int32   // in days since 1970-01-01
	LastDay  int32   // the same
	Costed   bool    // the unit cost of every line of every order is known
	LogGaps  float64 // sum of ln(weeks) between neighbouring days
	Net      int64
	FirstNet int64 // of the first day
	Cost     int64 // of what was bought and kept, where Costed
}

// Result is what a run found.
type Result struct {
	AsOf    time.Time
	Day     int // local day of AsOf, in days since 1970-01-01
	Scheme  Scheme
	Members []Member // whose score or segment differs from what stood, in order of person
	Left    []int64  // people who had a membership and have none now, in order of person
	Groups  []Group  // everybody, by segment, in the scheme's order

	Divisions  []Division // by the other schemes: lifecycle, tiers, churn, then each of the owner's segments
	Standings  []Placed   // that differ from what stood, in order of person; whoever is gone has the zero standing
	Unforetold int        // customers of whom nothing is foretold, because their history contradicts itself
}

// Division is how one scheme other than RFM divides people.
type Division struct {
	Scheme Scheme
	Groups []Group // in the scheme's order, those without anybody included
}

// Placed is one person's new standing; one without a stage for who is known no more.
type Placed struct {
	Person int64
	Standing
}

// Scheme identifies how people were grouped, so that history can be told apart when the owner changes the rules.
type Scheme struct {
	Name    string // "rfm", or as segment.SchemeLifecycle and its neighbours say
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
	Placed  int // people whose standing changed
}
