package simulator

import (
	"slices"
	"time"

	"github.com/shopspring/decimal"

	"github.com/perennial-cvo/perennial/connectors/commerce"
)

// Amount is money in the smallest unit of the shop, such as cents; Shop.Decimals says how many digits that is.
type Amount int64

// Order statuses, in the words of most shops.
const (
	Pending    = "pending"
	Processing = "processing"
	OnHold     = "on-hold"
	Completed  = "completed"
	Cancelled  = "cancelled"
	Refunded   = "refunded"
	Failed     = "failed"
	Draft      = "checkout-draft"
	Trash      = "trash"
)

// Order is one order as the shop has it now.
type Order struct {
	ID          int64
	Status      string
	CustomerID  int64  // 0 for guests
	Email       string // as it was typed, with capitals and spaces; may be empty
	Billing     Address
	PlacedAt    time.Time
	ModifiedAt  time.Time // as the shop stores it, wrongly in the repeated hour of autumn
	PaidAt      time.Time
	CompletedAt time.Time
	TrashedAt   time.Time
	TrashedFrom string // status before the trash
	Currency    string
	Lines       []Line
	Fees        []Fee
	Shipping    Shipping
	TaxRate     TaxRate
	Coupons     []CouponUse
	Refunds     []Refund
	Via         string // "checkout", "store-api" or "admin"
	Payment     string
	Attribution commerce.Attribution
	MetaID      int64 // first of the ids that the order's own meta rows may take
}

// Line is one line of an order; the tax of a line is kept beside it.
type Line struct {
	ID          int64
	ProductID   int64 // 0 once the product is gone
	VariationID int64
	SKU         string
	Name        string
	ParentName  string
	Options     []Option
	Quantity    int64
	Subtotal    Amount // before discount
	SubtotalTax Amount
	Total       Amount // after discount
	TotalTax    Amount
	Cost        Amount // of all units
	HasCost     bool
}

// Option is one chosen attribute of a variation, such as Colour: Black.
type Option struct{ Name, Value string }

// Fee is an extra charge, or a discount where it is negative.
type Fee struct {
	ID    int64
	Name  string
	Total Amount
	Tax   Amount
}

// Shipping is the shipping line of an order.
type Shipping struct {
	ID    int64
	Total Amount
	Tax   Amount
}

// TaxRate is the tax of an order; the zero value is none.
type TaxRate struct {
	ID       int64
	ItemID   int64 // of the order's tax line
	Code     string
	Label    string
	PerMille int64
}

// CouponUse is a coupon on an order.
type CouponUse struct {
	ID       int64
	CouponID int64
	Code     string
	Kind     string
	Nominal  Amount // whole per cents for a percent coupon, in hundredths; else money
	Discount Amount
}

// Refund is money given back for an order. Its amounts are positive.
type Refund struct {
	ID       int64
	At       time.Time
	Amount   Amount // with tax
	Reason   string
	Full     bool
	Lines    []RefundLine
	Fees     []RefundFee
	Shipping RefundFee // FeeID is the shipping line; zero where no shipping is given back
	TaxItem  int64
	MetaID   int64
}

// RefundLine is the part of a refund that belongs to one order line.
type RefundLine struct {
	ID       int64
	LineID   int64
	Quantity int64
	Total    Amount
	Tax      Amount
	Cost     Amount
	HasCost  bool
}

// RefundFee is the part of a refund that belongs to one fee or to the shipping line.
type RefundFee struct {
	ID    int64
	FeeID int64
	Total Amount
	Tax   Amount
}

// Discount is what coupons took off the lines.
func (o *Order) Discount() Amount {
	var sum Amount
	for _, l := range o.Lines {
		sum += l.Subtotal - l.Total
	}
	return sum
}

// CartTax is the tax on lines and fees.
func (o *Order) CartTax() Amount {
	var sum Amount
	for _, l := range o.Lines {
		sum += l.TotalTax
	}
	for _, f := range o.Fees {
		sum += f.Tax
	}
	return sum
}

// Total is what the buyer pays: goods after discount, fees, shipping and tax. Refunds do not lower it.
func (o *Order) Total() Amount {
	sum := o.CartTax() + o.Shipping.Total + o.Shipping.Tax
	for _, l := range o.Lines {
		sum += l.Total
	}
	for _, f := range o.Fees {
		sum += f.Total
	}
	return sum
}

// RefundedAmount is the sum of all refunds.
func (o *Order) RefundedAmount() Amount {
	var sum Amount
	for _, r := range o.Refunds {
		sum += r.Amount
	}
	return sum
}

// Cost is the cost of the goods that were not given back, as far as it is known.
func (o *Order) Cost() Amount {
	var sum Amount
	for _, l := range o.Lines {
		sum += l.Cost
	}
	for _, r := range o.Refunds {
		sum -= r.Cost()
	}
	return sum
}

// Cost is the cost of the goods that came back, as far as it is known.
func (r *Refund) Cost() Amount {
	var sum Amount
	for _, l := range r.Lines {
		sum += l.Cost
	}
	return sum
}

// Tax is the tax within the refund, as far as it is itemised.
func (r *Refund) Tax() Amount {
	sum := r.Shipping.Tax
	for _, l := range r.Lines {
		sum += l.Tax
	}
	for _, f := range r.Fees {
		sum += f.Tax
	}
	return sum
}

// Orders lists every order, whatever its status, by ascending id.
func (s *Shop) Orders() []*Order {
	s.mu.RLock()
	defer s.mu.RUnlock()
	return s.orders.all()
}

// Order returns one order, or nil.
func (s *Shop) Order(id int64) *Order {
	s.mu.RLock()
	defer s.mu.RUnlock()
	return s.orders.get(id)
}

// Decimals is the number of digits of the smallest unit of money: 0 for yen, 3 for Kuwaiti dinars, mostly 2.
func (s *Shop) Decimals() int { return decimals(s.Options().Currency) }

func decimals(currency string) int {
	switch {
	case slices.Contains([]string{"JPY", "KRW", "VND", "CLP", "ISK"}, currency):
		return 0
	case slices.Contains([]string{"KWD", "BHD", "OMR", "TND", "JOD"}, currency):
		return 3
	default:
		return 2
	}
}

// Decimal returns an amount of this shop as a decimal in whole units.
func (s *Shop) Decimal(a Amount) decimal.Decimal { return decimal.New(int64(a), -int32(s.Decimals())) }

// stamp is the time that the shop stores for a change at t. Shops keep the wall clock of their zone, so that in the
// repeated hour of autumn a change is stored one hour early.
func (s *Shop) stamp(t time.Time) time.Time {
	const wall = "2006-01-02 15:04:05"
	if early := t.Add(-time.Hour); early.In(s.loc).Format(wall) == t.In(s.loc).Format(wall) {
		return early
	}
	return t
}

// editOrder changes a copy of an order and, where touch is set, its modification time.
func (s *Shop) editOrder(id int64, now time.Time, touch bool, f func(*Order)) *Order {
	mail := ""
	edited := s.orders.edit(id, func(o *Order) {
		mail = o.Email
		f(o)
		if touch {
			o.ModifiedAt = s.stamp(now)
		}
	})
	if edited != nil && edited.Email != mail {
		s.indexMail(edited)
	}
	return edited
}

// indexMail notes that an order names its address, so that a new account finds its old orders in a large shop too.
func (s *Shop) indexMail(o *Order) {
	if mail := commerce.Email(o.Email); mail != "" {
		s.mails[mail] = append(s.mails[mail], o.ID)
	}
}
