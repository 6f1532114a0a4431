// Package report is what there is to tell about a shop, collected once and rendered for the terminal and as JSON.
package report

import (
	"context"
	"time"

	"github.com/shopspring/decimal"

	"github.com/perennial-cvo/perennial/analysis"
	"github.com/perennial-cvo/perennial/analysis/experiment"
	"github.com/perennial-cvo/perennial/analysis/product"
	"github.com/perennial-cvo/perennial/analysis/retention"
	"github.com/perennial-cvo/perennial/analysis/value"
	"github.com/perennial-cvo/perennial/sync/activation"
)

// Facts is what the report reads; sync/postgres satisfies it.
type Facts interface {
	// Overview returns shop, load, counts of records, people and quarantine.
	Overview(ctx context.Context) (Overview, error)

	// Bridge leads from the shop's own revenue to ours as of a moment, line by line; the last line is the sum.
	Bridge(ctx context.Context, asOf time.Time) ([]BridgeLine, error)

	// Cells counts the customers by the scores in force, in order of recency, frequency and monetary value.
	Cells(ctx context.Context) ([]Cell, error)

	// Groups returns the last snapshot of a scheme.
	Groups(ctx context.Context, scheme string) (Snapshot, error)

	// Rules returns the rule of the last snapshot of each scheme, as JSON, by scheme.
	Rules(ctx context.Context) (map[string]string, error)

	analysis.Record

	// Course returns where the customers of a scheme went next so far; ok is false before that was counted.
	Course(ctx context.Context, scheme string) (course analysis.Course, ok bool, err error)

	// Worth returns the last appraisal; ok is false before the first.
	Worth(ctx context.Context) (worth analysis.Worth, ok bool, err error)

	// Foretold returns what the people of each segment are expected to spend, where that is known of anybody in it.
	Foretold(ctx context.Context) ([]Foretold, error)

	// RetentionSummary returns the last summary of who comes back; ok is false before the first.
	RetentionSummary(ctx context.Context) (summary retention.Summary, ok bool, err error)

	// ProductSummary returns the last summary of products; ok is false before the first.
	ProductSummary(ctx context.Context) (summary product.Summary, ok bool, err error)

	// ValueSummary returns the last summary of who is worth what; ok is false before the first.
	ValueSummary(ctx context.Context) (summary value.Summary, ok bool, err error)

	// TrialSummary returns what audiences bring of which a share is held out, or was, as last worked out; ok is false before
	// the first.
	TrialSummary(ctx context.Context) (summary experiment.Summary, ok bool, err error)

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
	Store    string    `json:"store"` // the name in the configuration
	Shop     string    `json:"shop"`
	Platform string    `json:"platform"`
	Currency string    `json:"currency"`
	TimeZone string    `json:"time_zone"`
	Loaded   bool      `json:"loaded"`
	LoadedAt time.Time `json:"loaded_at,omitzero"`
	// Since is the moment before which orders are not known; zero where all are.
	Since time.Time `json:"-"` // told as Incomplete
	// Resources says how far each resource is.
	Resources []Resource `json:"resources"`
	People    int        `json:"people"` // with an account or an order
	Guests    int        `json:"guests"` // people without an account
	// Unattributed counts orders with neither account nor e-mail address.
	Unattributed int `json:"unattributed"`
	// UnknownStatuses counts orders by a status that the table does not know; they do not count as purchases.
	UnknownStatuses map[string]int `json:"unknown_statuses,omitempty"`
	// SetAside counts orders in a currency without a rate, by currency.
	SetAside    map[string]int `json:"set_aside,omitempty"`
	Quarantined int            `json:"quarantined"`
	NextRun     time.Time      `json:"next_run,omitzero"`
}

// Resource is how far the sync of one resource is.
type Resource struct {
	Name     string    `json:"name"`
	Records  int       `json:"records"` // stored and alive
	Read     int       `json:"read"`    // in the pull under way
	Total    int       `json:"total"`   // as announced
	Done     bool      `json:"done"`
	SyncedAt time.Time `json:"synced_at,omitzero"` // end of the last finished pull
}

// BridgeLine is one step from the shop's revenue to ours.
type BridgeLine struct {
	Key    string          `json:"key"`    // stable, such as "tax"
	Label  string          `json:"label"`  // for people
	Orders int             `json:"orders"` // 0 where the line is not about whole orders
	Amount decimal.Decimal `json:"amount"`
	Sum    bool            `json:"sum"` // a subtotal, not a step
}

// Snapshot is the distribution over segments as of a day.
type Snapshot struct {
	AsOf   time.Time `json:"as_of,omitzero"`
	Scheme string    `json:"scheme"`
	// Rule is the JSON of what decided membership.
	Rule   string  `json:"rule"`
	Groups []Group `json:"groups"`
}

// Group is one segment in a snapshot.
type Group struct {
	Segment   string          `json:"segment"`
	Customers int             `json:"customers"`
	Orders    int             `json:"orders"`
	Gross     decimal.Decimal `json:"gross"`
	Net       decimal.Decimal `json:"net"`
}

// Delivery is the state of one destination.
type Delivery struct {
	Destination string          `json:"destination"`
	Audiences   []AudienceCount `json:"audiences"`
	Delivered   int             `json:"delivered"`
	Unchanged   int             `json:"unchanged"` // who stood as desired when the last plan was made
	Waiting     int             `json:"waiting"`   // on the work list, those of the next two included
	Pending     int             `json:"pending"`   // in jobs that the platform has not finished
	// Retries are people whom the platform put off.
	Retries  []activation.Retry `json:"retry_later"`
	Withheld map[string]int     `json:"withheld,omitempty"` // by reason
	Refused  map[string]int     `json:"refused,omitempty"`  // by the platform's words
	Held     []Held             `json:"held"`               // audiences stopped by the guard
	PushedAt time.Time          `json:"pushed_at,omitzero"` // when the last plan was made, which the figures are those of
	// Behind says that an analysis has ended since, which no push has compared with what stands there.
	Behind bool `json:"behind"`
}

// AudienceCount is how many people stand in an audience.
type AudienceCount struct {
	Key     string `json:"key"`
	Name    string `json:"name"`
	Members int    `json:"members"`
}

// Held is an audience that the guard stopped, and how to let it pass.
type Held struct {
	Key    string `json:"key"`
	Name   string `json:"name"`
	Before int    `json:"before"`
	After  int    `json:"after"`
}

// Run is one line of the ledger of runs.
type Run struct {
	Kind    string         `json:"kind"`
	State   string         `json:"state"`
	Started time.Time      `json:"started,omitzero"`
	Ended   time.Time      `json:"ended,omitzero"`
	Counts  map[string]int `json:"counts,omitempty"`
	Error   string         `json:"error"`
	Remedy  string         `json:"remedy"`
}

// Quarantined is a record that could not be read.
type Quarantined struct {
	Resource string    `json:"resource"`
	ID       string    `json:"id"`
	Reason   string    `json:"reason"`
	Since    time.Time `json:"since,omitzero"`
	Tries    int       `json:"tries"`
}

// Person is everything that explains one person.
//
// FirstDay and LastDay are local days, written as midnight UTC; so are the days of an Interval. The name is for those who
// ask the database themselves: it is never printed.
type Person struct {
	ID         int64            `json:"id"`
	Email      string           `json:"email"`
	CustomerID string           `json:"customer_id"`
	Name       string           `json:"-"`
	Orders     []PersonOrder    `json:"orders"` // newest first
	Counted    int              `json:"counted"`
	FirstDay   time.Time        `json:"first_day,omitzero"`
	LastDay    time.Time        `json:"last_day,omitzero"`
	Gross      decimal.Decimal  `json:"gross"`
	Net        decimal.Decimal  `json:"net"`
	R          int              `json:"r"` // 0 where the person has no score
	F          int              `json:"f"`
	M          int              `json:"m"`
	Segment    string           `json:"segment"`
	History    []Interval       `json:"history"` // newest first
	Deliveries []PersonDelivery `json:"deliveries"`
	Sides      []PersonSide     `json:"trials"`
	Consent    string           `json:"consent"`

	Refunds []PersonRefund `json:"-"` // newest first; an order says itself what was given back
	Reviews []PersonReview `json:"-"` // newest first
}

// PersonOrder is one order of a person and how it counts.
type PersonOrder struct {
	ID       string          `json:"-"`
	Number   string          `json:"number"`
	PlacedAt time.Time       `json:"placed_at,omitzero"`
	Status   string          `json:"status"`
	Currency string          `json:"currency"`
	Total    decimal.Decimal `json:"total"`
	Net      decimal.Decimal `json:"net"`
	Refunded decimal.Decimal `json:"refunded"`
	Counted  bool            `json:"counted"`
	Why      string          `json:"why"` // why it does not count, else empty
}

// PersonRefund is money that a person got back.
type PersonRefund struct {
	Order    string // its number; empty where the shop names none
	At       time.Time
	Currency string
	Amount   decimal.Decimal
	Reason   string
}

// PersonReview is what a person said of a product.
type PersonReview struct {
	At       time.Time // zero where it is not known
	Product  string    // empty where the shop has it no more
	Rating   int       // 1 to 5
	Text     string
	Status   string
	Verified bool
}

// Interval is a membership from the first to the last local day; Last is zero while it stands.
type Interval struct {
	Scheme  string    `json:"scheme"`
	Segment string    `json:"segment"`
	Name    string    `json:"name"` // for people; filled in by the explanation
	First   time.Time `json:"first,omitzero"`
	Last    time.Time `json:"last,omitzero"`
}

// PersonSide says on which side a person is where an audience is tried.
type PersonSide struct {
	Audience string `json:"audience"`
	Name     string `json:"name"`  // for people; filled in by the explanation
	Since    string `json:"since"` // local day on which they first were due, as 2006-01-02
	Held     bool   `json:"held_out"`
	Over     bool   `json:"over"` // nobody is held out any more
}

// PersonDelivery is what stands at a destination for a person.
type PersonDelivery struct {
	Destination string            `json:"destination"`
	State       string            `json:"state"`
	Reason      string            `json:"reason"`
	Audiences   []string          `json:"audiences"`
	Attributes  map[string]string `json:"attributes,omitempty"`
	At          time.Time         `json:"at,omitzero"`
}
