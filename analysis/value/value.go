// Package value tells who is worth what: how what customers have brought, and what is expected of them, is spread over them, by
// what they began with and by when they came.
//
// Every formula with its source is in docs/formulas.md. Whatever the facts look like, no number here is infinite or none.
package value

// The limits are this project's own choices.
const (
	// MinGroup is of how many customers of one origin at least something is told.
	MinGroup = 20

	mostGroups = 50  // of one kind, that are kept
	mostMonths = 120 // of cohorts, that are kept
)

// Facts are what is known of a shop's customers as of a day. Amounts are in ten-thousandths of its currency; what was brought is
// that of purchases, after refunds.
type Facts struct {
	Horizon int // days that are foretold
	People  []Person
	Tiers   []Sum // in the order in which they are shown
	Cohorts []Sum // by the month of the first order, as 2006-01, oldest first
	Origins []Origin
}

// Person is what one customer brought so far, and what is expected where that is known.
type Person struct {
	Net       int64
	Predicted int64
	Valued    bool
}

// Origin are customers by one kind of thing that their first order has. Who has several is counted under each.
type Origin struct {
	Kind   Kind
	Groups []Sum // the empty key stands for those without
}

// Kind is what customers are told apart by.
type Kind string

// The kinds.
const (
	Campaign Kind = "campaign"
	Source   Kind = "source" // as in utm_source
	Coupon   Kind = "coupon"
	Product  Kind = "product"
	Category Kind = "category"
)

// Kinds are all of them, in the order in which they are shown.
func Kinds() []Kind { return []Kind{Source, Campaign, Coupon, Product, Category} }

// Sum is what a group of customers brought and is expected to bring.
type Sum struct {
	Key       string
	Name      string // where that is not the key
	Customers int
	Net       int64
	Squares   float64 // sum of the squares of what each brought, in the currency
	Valued    int     // of whom something is expected
	Predicted int64
}
