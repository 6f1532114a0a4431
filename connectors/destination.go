package connectors

import (
	"context"
	"time"

	"github.com/perennial-cvo/perennial/connectors/commerce"
)

// Destination receives audiences and attributes. Shop tags and e-mail lists are the same to it: an audience is a tag or
// a list. It touches only what carries our own prefix or mark, and it never raises anybody's consent.
type Destination interface {
	// Check asks the platform who it is and what the key may do.
	Check(ctx context.Context) (Report, error)

	// Ensure makes the audiences exist and returns them, in the same order, with their remote ids. An audience that
	// comes with an id is the one made earlier and keeps it, unless it is gone from the platform. Calling it twice
	// gives the same ids.
	Ensure(ctx context.Context, audiences []Audience) ([]Audience, error)

	// Apply brings people into their desired state and returns one outcome for each, in any order, or a pending job.
	// It takes any number of people and splits them as the platform demands. Applying the same change twice is
	// harmless. An error means that nothing is known about the people without an outcome in the result.
	Apply(ctx context.Context, changes []Change) (Result, error)

	// Resume asks what became of a job. The result carries outcomes, or the job again: in the same words where it stands
	// as before, in others where it went a step further.
	Resume(ctx context.Context, job Job) (Result, error)

	// Members reads back who is in an audience, with what the platform knows of their consent.
	Members(ctx context.Context, audience Audience, cursor Cursor) (MemberPage, error)
}

// Eraser is a Destination that can erase a person.
type Eraser interface {
	// Erase removes from the platform what we put there about the person, and the person where the platform allows
	// it and the person exists for marketing only. It says in words what it did; erasing twice is harmless.
	Erase(ctx context.Context, person Person) (receipt string, err error)
}

// Remover is a Destination whose audiences are things of their own, such as lists, that purge must take away.
type Remover interface {
	// Remove deletes the audiences, which have ids that Ensure returned. One that is gone already is no error.
	Remove(ctx context.Context, audiences []Audience) error
}

// Roll is a Destination that can read back everybody in one walk, which spares it a walk for each audience.
type Roll interface {
	// Everybody is like Members for all audiences together: each Member says in which of them they are.
	Everybody(ctx context.Context, cursor Cursor) (MemberPage, error)
}

// Batcher is a Destination that wants many people at once, as one does whose platform takes whole files.
type Batcher interface {
	// BatchSize is how many people Apply is to be given at once where there are so many. All of them are in memory then.
	BatchSize() int
}

// Leavers is a Destination that can say who left lately, which spares a whole read-back before every push.
type Leavers interface {
	// Leavers pages through the people who unsubscribed at the platform, left one of our audiences there or were
	// suppressed since a moment, each as a Member whose consent is unsubscribed. It may name people who left earlier, and
	// people who were never ours.
	Leavers(ctx context.Context, since time.Time, cursor Cursor) (MemberPage, error)
}

// OneWay is a Destination that only takes: nothing can be read back from it, and its Members are none.
type OneWay interface {
	OneWay()
}

// Limited is a Destination whose settings may limit what it writes.
type Limited interface {
	Extent() Extent
}

// Extent says what a destination writes: memberships in lists, attributes of profiles, or both. Consent is never written.
type Extent string

// The extents, as the setting "mode" names them.
const (
	Both           Extent = "both"
	OnlyAttributes Extent = "attributes" // no list is made; an attribute says in which audiences a person is
	OnlyLists      Extent = "lists"      // nothing is written to profiles
)

// Audience is a named group of people: a tag in the shop or a list in an e-mail platform.
type Audience struct {
	Key  string // stable, ours, such as "champions"
	Name string // for people, such as "Champions"
	ID   string // the platform's, filled by Ensure
	// Kept is set by Ensure where the id is another one than before and those who were in the audience are in it still.
	Kept bool
}

// Person is someone as a destination can know them.
type Person struct {
	ID         int64  // ours
	CustomerID string // the shop's account, empty for guests
	Email      string // normalised, may be empty
	FirstName  string
	LastName   string
	// RemoteID is the platform's own id of the person, where an earlier outcome told it of the same address, be it that
	// nothing of ours stands there any more; it finds people whose address was changed at the platform, and tells whom it had
	// once from those whom it never knew.
	RemoteID string
}

// Change is the whole desired state of one person, and what of ours has to go.
type Change struct {
	Person Person
	// Audiences are the keys of all audiences in which the person shall be.
	Audiences []string
	// Leave are the keys of audiences to which we added the person and where they shall not be any more.
	Leave []string
	// Attributes are all values we want to stand under our prefix; nil where none are pushed.
	Attributes map[string]string
	// Drop are the keys of attributes that we set and that shall go.
	Drop []string
	// Entered and Left are the audiences that the person enters and leaves by this change, for destinations that tell of it.
	// An audience that is filled for the first time at a destination is not among them: that is no news of anybody.
	Entered, Left []string
	// Since is when something else than what was last confirmed was first desired for the person. It stays until a try is
	// confirmed, be it that yet something else is desired by then, so that with it, the person and the audience an event has
	// the same name at every try.
	Since time.Time
	// Consent is what the shop or the owner says. Unknown means that the platform must know the person as subscribed
	// already, or the change is withheld.
	Consent commerce.ConsentState
}

// MayCreate reports whether a destination that creates people whom the platform does not know may create this one: the shop
// or the owner says that they agreed, and the platform never had them. Whom it had once was deleted there since, perhaps
// because they asked to be.
func (c Change) MayCreate() bool {
	return c.Consent == commerce.ConsentSubscribed && c.Person.RemoteID == ""
}

// Result is what came of Apply or Resume: outcomes, a job still pending, or both.
type Result struct {
	Outcomes  []Outcome
	Job       Job       // empty where nothing is pending
	NotBefore time.Time // when to ask for the job again
}

// Job names work that the platform does later. It is stored and resumed, by another process if need be.
type Job string

// Outcome says what became of one person.
type Outcome struct {
	PersonID int64
	State    OutcomeState
	RemoteID string // the platform's id of the person, where known
	Reason   string // for people: why it was withheld, refused or put off; the platform's words where it has any
}

// OutcomeState is the state of one delivery.
type OutcomeState string

// The states. Only Delivered and Unchanged mean that the platform has confirmed the desired state.
const (
	Delivered  OutcomeState = "delivered"
	Unchanged  OutcomeState = "unchanged"   // was already as desired
	RetryLater OutcomeState = "retry_later" // try again in the next push
	Refused    OutcomeState = "refused"     // the platform will not take it; not tried again until the desired state changes
	Withheld   OutcomeState = "withheld"    // we did not send it: no consent, unsubscribed, not there, no account
)

// Reasons for withholding, as stable words that reports count by.
const (
	ReasonNoConsent    = "no consent"
	ReasonUnsubscribed = "unsubscribed"
	ReasonSuppressed   = "suppressed by the platform"
	ReasonNotThere     = "not in the platform"
	ReasonNoAccount    = "guest without a shop account"
	ReasonNoEmail      = "no e-mail address"
	ReasonExcluded     = "excluded by the owner"
	ReasonHeldOut      = "held out for proof"
	ReasonForgotten    = "asked to be forgotten" // and not every destination is done yet
)

// MemberPage is one page of an audience as the platform has it.
type MemberPage struct {
	Members []Member
	Next    Cursor
	Done    bool
}

// Member is a person in an audience as the platform has them.
type Member struct {
	RemoteID   string
	CustomerID string // where the platform is the shop
	Email      string // normalised
	// Consent is unsubscribed where the person left this audience or the platform suppresses them.
	Consent    commerce.Consent
	Attributes map[string]string // under our prefix
	Audiences  []string          // keys of all audiences in which they are; only from a Roll
}
