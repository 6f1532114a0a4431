package commerce

import "time"

// Customer is a registered account of the shop. Guests exist only through their orders.
type Customer struct {
	ID         string
	Email      string // normalised
	FirstName  string
	LastName   string
	Role       string // the shop's own word, such as "customer", "administrator"
	Country    string
	Region     string
	City       string
	Postcode   string
	CreatedAt  time.Time
	ModifiedAt time.Time // zero where the shop does not say
	Tags       []string  // sorted; the merchant's own included
	Consent    Consent
}

// Consent is what a shop or platform knows about marketing by e-mail to one person.
type Consent struct {
	State ConsentState
	At    time.Time // zero where unknown
}

// ConsentState is the state of one consent. The zero value means that nothing is known, which is never a yes.
type ConsentState string

// The states of a consent.
const (
	ConsentUnknown      ConsentState = ""
	ConsentSubscribed   ConsentState = "subscribed"
	ConsentUnsubscribed ConsentState = "unsubscribed"
)
