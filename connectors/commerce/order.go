package commerce

import (
	"time"

	"github.com/shopspring/decimal"
)

// Order is one order as the shop keeps it now. Amounts are in Currency and never negative, save where said; the order
// total is kept as the shop states it, so that our own sum can be held against it.
type Order struct {
	ID     string
	Number string // what the customer sees
	Status string // the shop's own word; which words count as a purchase is a table beside the store
	Test   bool

	CustomerID string // empty for guests
	Email      string // normalised; empty where the order has none
	FirstName  string
	LastName   string
	Country    string // ISO 3166-1 alpha-2 of the billing address
	Region     string
	City       string
	Postcode   string

	PlacedAt    time.Time // purchase time
	ModifiedAt  time.Time // the shop's claim; serves the cursor, decides nothing
	PaidAt      time.Time // zero where unknown
	CompletedAt time.Time // zero where unknown

	Currency string          // of all amounts here but Cost
	Goods    decimal.Decimal // lines before discount, without tax
	Discount decimal.Decimal // coupons and negative fees, without tax
	Shipping decimal.Decimal
	Tax      decimal.Decimal
	Fees     decimal.Decimal // positive fees
	Total    decimal.Decimal // as the shop states it: goods - discount + shipping + tax + fees
	// GiftCards is the part of Goods that buys gift cards: money, but not revenue. It and Cost are left empty in an
	// order whose lines come apart: they are summed from the lines.
	GiftCards decimal.Decimal
	// Cost is the unit cost of all lines; Valid only where the shop knows the cost of every line. Costs are in the shop's own
	// currency, whatever the buyer paid in.
	Cost decimal.NullDecimal

	BuyerCurrency string              // what the buyer saw, where it differs
	BuyerTotal    decimal.NullDecimal // in BuyerCurrency

	Channel     string // such as "checkout", "admin", "pos"
	Attribution Attribution
	Coupons     []string // codes, lower case, sorted
	Consent     Consent  // given with this order, where the shop records it
}

// Net returns goods minus discount without gift cards: what the order brings before refunds.
func (o Order) Net() decimal.Decimal { return o.Goods.Sub(o.Discount).Sub(o.GiftCards) }

// Line is one line of an order, before tax.
type Line struct {
	OrderID   string
	ID        string
	ProductID string // empty where the product is gone from the shop
	VariantID string
	SKU       string
	Name      string
	Quantity  decimal.Decimal
	Subtotal  decimal.Decimal // before discount
	Total     decimal.Decimal // after discount
	Tax       decimal.Decimal
	Cost      decimal.NullDecimal // whole line, all units
	GiftCard  bool
}

// Refund is money given back. Amounts are positive. Amount is the whole refund with tax; Goods, Shipping, Fees and Tax
// are its parts where the shop itemises it, and an amount-only refund is taken from goods (minus the tax, where known).
type Refund struct {
	OrderID string // empty where the source knows only whom it was paid to
	ID      string
	// CustomerID and Email say whose refund it is where OrderID is empty.
	CustomerID string
	Email      string

	At       time.Time
	Currency string
	Amount   decimal.Decimal
	Goods    decimal.Decimal
	Shipping decimal.Decimal
	Fees     decimal.Decimal
	Tax      decimal.Decimal
	Cost     decimal.NullDecimal // unit cost that came back with the goods
	Reason   string
	Lines    []RefundLine
}

// RefundLine is the part of a refund that belongs to one order line.
type RefundLine struct {
	LineID    string // of the order; empty where the shop does not say
	ProductID string
	VariantID string
	Quantity  decimal.Decimal // positive
	Amount    decimal.Decimal // positive, before tax
}

// Attribution says how the buyer came to the order, as far as the shop recorded it.
type Attribution struct {
	SourceType string // utm, organic, referral, typein, admin, mobile_app
	Source     string
	Medium     string
	Campaign   string
	Content    string
	Term       string
	Referrer   string
	Device     string
}
