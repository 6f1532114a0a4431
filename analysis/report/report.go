// Package report is what there is to tell about a shop, collected once and rendered for the terminal and as JSON.
package report

import (
	"context"
	"time"

	"github.com/shopspring/decimal"
)

// Facts is what the report reads; sync/postgres satisfies it.
type Facts interface {
	// Overview returns shop, load, counts of records, people and quarantine.
	Overview(ctx context.Context) (Overview, error)

	// Bridge leads from the shop's own revenue to ours as of a moment, line by line; the last line is the sum.
	Bridge(ctx context.Context, asOf time.Time) ([]BridgeLine, error)

	// Groups returns the last snapshot of a scheme.
	Groups(ctx context.Context, scheme string) (Snapshot, error)

	// Deliveries returns what stands at each destination, and what was withheld or refused and why.
	Deliveries(ctx context.Context) ([]Delivery, error)

	// Runs returns the last runs, newest first.
	Runs(ctx context.Context, limit int) ([]Run, error)

	// Quarantine returns records that could not be read, oldest first, without their raw text.
	Quarantine(ctx context.Context, limit int) ([]Quarantined, error)

	// Person explains one person; ok is false where nobody is known by this normalised e-mail address.
	Person(ctx context.Context, email string) (person Person, ok bool, err error)
}

// Overview is the state of one shop.
type Overview struct {
	Store    string // the name in the configuration
	Shop     string
	Platform string
	Currency string
	TimeZone string
	Loaded   bool
	LoadedAt time.Time
	// Resources says how far each resource is.
	Resources []Resource
	People    int // with an account or an order
	Guests    int // people without an account
	// Unattributed counts orders with neither account nor e-mail address.
	Unattributed int
	// UnknownStatuses counts orders by a status that the table does not know; they do not count as purchases.
	UnknownStatuses map[string]int
	// SetAside counts orders in a currency without a rate, by currency.
	SetAside    map[string]int
	Quarantined int
	NextRun     time.Time
}

// Resource is how far the sync of one resource is.
type Resource struct {
	Name     string
	Records  int // stored and alive
	Read     int // in the pull under way
	Total    int // as announced
	Done     bool
	SyncedAt time.Time // end of the last finished pull
}

// BridgeLine is one step from the shop's revenue to ours.
type BridgeLine struct {
	Key    string // stable, such as "tax"
	Label  string // for people
	Orders int    // 0 where the line is not about whole orders
	Amount decimal.Decimal
	Sum    bool // a subtotal, not a step
}

// Snapshot is the distribution over segments as of a day.
type Snapshot struct {
	AsOf   time.Time
	Scheme string
	// Rule is the JSON of what decided membership.
	Rule   string
	Groups []Group
}

// Group is one segment in a snapshot.
type Group struct {
	Segment   string
	Customers int
	Orders    int
	Gross     decimal.Decimal
	Net       decimal.Decimal
}

// Delivery is the state of one destination.
type Delivery struct {
	Destination string
	Audiences   []AudienceCount
	Delivered   int
	Waiting     int            // on the work list
	Withheld    map[string]int // by reason
	Refused     map[string]int // by the platform's words
	Held        []Held         // audiences stopped by the guard
	PushedAt    time.Time
}

// AudienceCount is how many people stand in an audience.
type AudienceCount struct {
	Key     string
	Name    string
	Members int
}

// Held is an audience that the guard stopped, and how to let it pass.
type Held struct {
	Name   string
	Before int
	After  int
}

// Run is one line of the ledger of runs.
type Run struct {
	Kind    string
	State   string
	Started time.Time
	Ended   time.Time
	Counts  map[string]int
	Error   string
	Remedy  string
}

// Quarantined is a record that could not be read.
type Quarantined struct {
	Resource string
	ID       string
	Reason   string
	Since    time.Time
	Tries    int
}

// Person is everything that explains one person.
type Person struct {
	ID         int64
	Email      string
	CustomerID string
	Name       string
	Orders     []PersonOrder // newest first
	Counted    int
	FirstDay   time.Time
	LastDay    time.Time
	Gross      decimal.Decimal
	Net        decimal.Decimal
	R, F, M    int // 0 where the person has no score
	Segment    string
	History    []Interval // newest first
	Deliveries []PersonDelivery
	Consent    string
}

// PersonOrder is one order of a person and how it counts.
type PersonOrder struct {
	Number   string
	PlacedAt time.Time
	Status   string
	Currency string
	Total    decimal.Decimal
	Net      decimal.Decimal
	Refunded decimal.Decimal
	Counted  bool
	Why      string // why it does not count, else empty
}

// Interval is a membership from the first to the last local day; Last is zero while it stands.
type Interval struct {
	Scheme  string
	Segment string
	First   time.Time
	Last    time.Time
}

// PersonDelivery is what stands at a destination for a person.
type PersonDelivery struct {
	Destination string
	State       string
	Reason      string
	Audiences   []string
	Attributes  map[string]string
	At          time.Time
}
