// Package activation brings shops and e-mail platforms from what was delivered to what is desired. It remembers only what
// was confirmed, touches only what is ours, and stops where a push would empty or shrink an audience too much.
package activation

import (
	"context"
	"time"

	"github.com/perennial-cvo/perennial/connectors"
	"github.com/perennial-cvo/perennial/connectors/commerce"
)

// Target is one destination of one shop, and what goes there.
type Target struct {
	Destination string                // name in the configuration; the shop's own tags have the name "shop"
	Audiences   []connectors.Audience // those wanted, with remote ids after Ensure
	Attributes  []string              // keys of those that are pushed; see Attributes
	// Holdout are the shares of people who are held out of audiences of the shop, by key, to find out what the audiences bring.
	// Whoever is held out of an audience in which they would be is in it nowhere, and gets no attributes either, because those
	// can put somebody into a group that the platform itself makes. Exposes are the keys of those audiences for which this
	// destination decides who is due: all who pass the plan's own gates, in either arm.
	Holdout      map[string]float64
	Exposes      []string
	Renamed      map[string]string // what attributes are called there, by key; a key that is not among them is its own name
	Extent       connectors.Extent // what the destination writes; connectors.Both where empty
	Names        map[string]string // names for people of all RFM segments in use, by id, for the attribute segment_name
	Prospects    string            // the RFM segment of people without scores; empty where there is none
	Exclude      []string          // normalised e-mail addresses that are never sent there
	NeedsConsent bool              // being in an audience means being mailed
	Consent      ConsentMode
	NeedsAccount bool // only registered customers can be reached (a shop's own tags)
	Guard        Guard
	// AskAgain is how long people whom the platform did not take, because they are not there or not subscribed, are
	// left in peace before they are offered again; a week where it is zero. A change of what is desired for them
	// offers them at once.
	AskAgain time.Duration
}

// Attributes are the keys of all attributes that there are.
func Attributes() []string {
	return []string{
		"segment", "segment_name", "rfm", "r", "f", "m", "since", "lifecycle", "value_tier", "predicted_value", "next_order_week",
		"churn_risk", "previous_segment", "last_order", "favourite_category",
	}
}

// ConsentMode says where consent to marketing is known.
type ConsentMode string

// The modes.
const (
	// ConsentPlatform: whoever is subscribed in the e-mail platform already; the platform's own state decides.
	ConsentPlatform ConsentMode = "platform"
	// ConsentShop: the shop knows (a meta key in WooCommerce, the marketing state in Shopify).
	ConsentShop ConsentMode = "shop"
	// ConsentOwner: the owner's word that every customer agreed.
	ConsentOwner ConsentMode = "owner"
)

// Guard stops a push that looks like a mistake: one that would empty an audience of any size, or shrink one of MinSize or
// more by a larger share than Shrink. It also stops every push of a shop whose older orders are not known.
type Guard struct {
	Shrink    float64  // such as 0.3; 0 means that shrinking is not watched
	MinSize   int      // of the audiences to which Shrink applies
	Confirmed []string // names or keys of audiences that the owner confirmed for this push, or History
	// Since is the moment before which orders are not known, where that matters to the owner; zero where all are known or
	// the owner takes it as it is.
	Since time.Time
}

// History is what a Hold names in place of an audience where a push is held because older orders are not known: whoever
// looks new may be an old customer. It is confirmed by this word.
const History = "history"

// Ledger is the memory of what is desired and what was delivered; sync/postgres satisfies it. Writing methods check the
// fencing epoch in their transaction.
type Ledger interface {
	// Audiences returns the audiences made for a destination so far, by key, with remote ids.
	Audiences(ctx context.Context, destination string) ([]connectors.Audience, error)

	// SaveAudiences stores them.
	SaveAudiences(ctx context.Context, destination string, audiences []connectors.Audience) error

	// Plan compares desired with delivered by hash, stores the differences as this push's work list and returns
	// what it found. A dry plan stores nothing. Suppressed and withheld people are counted by reason.
	Plan(ctx context.Context, target Target, dry bool, at time.Time) (Plan, error)

	// Next returns up to limit changes of the work list, lowest person first, after the given person. Who is in a job, or is
	// to be tried again after the moment named only, is passed over. A change says what is news of the person, and since when.
	Next(ctx context.Context, target Target, after int64, limit int, due time.Time) ([]connectors.Change, error)

	// Record stores outcomes: the delivered state only for those that the platform confirmed. It removes the
	// confirmed, the refused and the withheld from the work list, and notes why and when the others are tried again. It
	// returns how many were withheld though something of ours stands there: a plan made afterwards makes them leave.
	Record(ctx context.Context, destination string, outcomes []connectors.Outcome, at time.Time) (leaving int, err error)

	// Filled notes that everybody of a plan was handed over. Whoever comes to an audience after its first such moment is news
	// of a person. Audiences that are not wanted any more begin anew when they are wanted again.
	Filled(ctx context.Context, target Target, at time.Time) error

	// SaveJob stores a pending job with the people in it and when it was given; the empty job takes people out of
	// whatever job they are in, and a job without people ends.
	SaveJob(ctx context.Context, destination string, job connectors.Job, people []int64, at time.Time) error

	// Jobs returns pending jobs.
	Jobs(ctx context.Context, destination string) ([]Pending, error)

	// Suppress notes that a person must not be in any audience again until they subscribe again themselves.
	Suppress(ctx context.Context, destination string, people []int64, reason string, at time.Time) error

	// Delivered pages through what stands at a destination, for read-back and purge: what was confirmed, and what
	// tries without an answer may have put there.
	Delivered(ctx context.Context, destination string, after int64, limit int) ([]Delivery, error)

	// Standing returns what stands at a destination for one person; ok is false where nothing does.
	Standing(ctx context.Context, destination string, person int64) (delivery Delivery, ok bool, err error)

	// Known returns those for whom something stands at a destination, or may, under one of these addresses or the platform's
	// own ids of people, each with both as they are known there.
	Known(ctx context.Context, destination string, addresses, remotes []string) ([]connectors.Person, error)

	// Looked returns when a destination was asked last what stands there.
	Looked(ctx context.Context, destination string) (Looked, error)

	// SaveLook stores it. A zero moment leaves the one that is stored.
	SaveLook(ctx context.Context, destination string, looked Looked) error

	// Correct notes what read-back found to stand in place of what was delivered, so that the next plan mends it.
	Correct(ctx context.Context, destination string, found []Delivery, at time.Time) error

	// Release drops what stands for people who were taken out of a destination, but for that the platform had them.
	Release(ctx context.Context, destination string, people []int64) error
	// Forget drops all memory of deliveries to people who were erased from a destination.
	Forget(ctx context.Context, destination string, people []int64) error

	// ForgetAudiences drops the audiences made for a destination, with holds, jobs and the rest of its work list.
	ForgetAudiences(ctx context.Context, destination string) error
}

// Plan is the difference between desired and delivered.
type Plan struct {
	Audiences []Difference
	Changes   int            // people to write
	Unchanged int            // people already as desired
	Withheld  map[string]int // people desired there whom the plan leaves out or the platform did not take, by reason
	Held      []Hold         // what the guard stops; then nothing is pushed, but for those withdrawn
	Withdrawn []int64        // where something is held: who leaves even so, because they unsubscribed; in order
	// Refused counts people as they are desired whom the platform will not take so, by its words. They are not tried again
	// before something else is desired for them.
	Refused map[string]int
	Retries []Retry // who was put off, part of Changes; the most people first
	Pending int     // people in jobs that the platform has not finished
	// Moved counts people whom the platform knows under an address that is not theirs any more. They leave under the
	// old one in this push; a plan made afterwards brings them in under the new one.
	Moved int
}

// Retry are people who were put off for one reason.
type Retry struct {
	Reason  string    `json:"reason"`
	People  int       `json:"people"`
	NextTry time.Time `json:"next_try,omitzero"` // of who comes first; every night's push tries all of them
}

// Difference is what a push would do to one audience.
type Difference struct {
	Audience connectors.Audience
	Scheme   string // of audiences that have nobody in common, so that who leaves one enters another; else empty
	// Regrouped: the scheme has other groups than at the last push, because of the number of customers.
	Regrouped bool
	Before    int // members delivered
	After     int // members after the push, if everybody who joins is taken
	Join      int // without those whom the platform did not take before and who are offered again
	Leave     int
	// Unsubscribed counts those of Leave who unsubscribed themselves. The guard looks past them: consent comes first.
	Unsubscribed int
	HeldOut      int // of Leave who are held out for proof from now on. The guard looks past them too.
}

// Excused are those who leave for a reason that the guard does not ask for.
func (d Difference) Excused() int { return d.Unsubscribed + d.HeldOut }

// Hold is an audience that the guard stops, or all of them together under the key History.
type Hold struct {
	Audience connectors.Audience
	Before   int
	After    int
	Since    time.Time // with History: before which orders are not known
}

// Pending is a job that a platform has not finished.
type Pending struct {
	Job       connectors.Job
	People    []int64
	StartedAt time.Time
}

// Delivery is what stands at a destination for one person.
type Delivery struct {
	Person     connectors.Person // with the address under which the platform knows them
	RemoteID   string
	Audiences  []string
	Attributes map[string]string
	Waiting    bool // on the work list: part of it may never have been brought there
}

// ConsentOf returns what a change says about a person of whom the shop knows state. Whoever unsubscribed in the shop
// stays out in every mode.
func (t Target) ConsentOf(state commerce.ConsentState) commerce.ConsentState {
	switch {
	case state == commerce.ConsentUnsubscribed:
		return state
	case t.Consent == ConsentOwner:
		return commerce.ConsentSubscribed
	case t.Consent == ConsentShop:
		return state
	default:
		return commerce.ConsentUnknown
	}
}

// ReasonFor is a reason for withholding as it is told of so many people.
func ReasonFor(reason string, people int) string {
	if reason == connectors.ReasonNoAccount && people != 1 {
		return "guests without a shop account"
	}
	return reason
}
