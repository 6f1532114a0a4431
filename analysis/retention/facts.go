package retention

// Facts are all counts of a shop as of a day, as a database makes them.
type Facts struct {
	Months    []Cell // by months
	Weeks     []Cell // by weeks, of those whose first order is in one of the last Weeks weeks
	Visits    []Visit
	Sales     []Sale
	Tallies   []Tally
	Waits     []Wait // by purchase days
	Gaps      []Gap
	Spread    Spread
	Best      int64 // revenue of the best fifth of the customers, as TopShare takes them
	Beginners Newcomers
	Origins   []Origin
}

// Origin counts newcomers by one kind of thing that their first order has.
type Origin struct {
	Kind Kind
	Keys []Newcomers
	// Names tells what a key is called, where that is not the key itself.
	Names map[string]string
}

// Kind is what newcomers are told apart by.
type Kind string

// The kinds. An order without a campaign, source or coupon has the empty key of that kind.
const (
	Campaign Kind = "campaign"
	Source   Kind = "source" // as in utm_source
	Coupon   Kind = "coupon"
	Product  Kind = "product"
	Category Kind = "category"
)

// Kinds are all of them, in the order in which they are shown.
func Kinds() []Kind { return []Kind{Campaign, Source, Coupon, Product, Category} }

// What the summary looks at; this project's own choice.
const (
	Within   = 90  // days in which a newcomer's second order counts as staying
	Weeks    = 26  // that are told apart, beside all months
	BestPart = 0.2 // of the customers, whose part of the revenue is told

	MinObserved = 20  // newcomers who began with something, to tell how many of them stay
	maxKeys     = 200 // of one kind, that are kept
)
