package shopify

import (
	"context"
	"errors"
	"regexp"
	"slices"
	"strings"
	"time"

	"github.com/goccy/go-json"
	"github.com/shopspring/decimal"

	"github.com/perennial-cvo/perennial/connectors/commerce"
)

type orderNode struct {
	ID            string                `json:"id"`
	Name          string                `json:"name"`
	CreatedAt     string                `json:"createdAt"`
	ProcessedAt   string                `json:"processedAt"`
	UpdatedAt     string                `json:"updatedAt"`
	CancelledAt   string                `json:"cancelledAt"`
	Test          bool                  `json:"test"`
	SourceName    string                `json:"sourceName"`
	Currency      string                `json:"currencyCode"`
	TaxesIncluded bool                  `json:"taxesIncluded"`
	DutyIncluded  bool                  `json:"dutiesIncluded"`
	Status        string                `json:"displayFinancialStatus"`
	Codes         []string              `json:"discountCodes"`
	Email         string                `json:"email"`
	Total         bag                   `json:"totalPriceSet"`
	Subtotal      *bag                  `json:"subtotalPriceSet"`
	Discounts     bag                   `json:"totalDiscountsSet"`
	Tax           bag                   `json:"totalTaxSet"`
	Tips          bag                   `json:"totalTipReceivedSet"`
	Duties        bag                   `json:"originalTotalDutiesSet"`
	Fees          []feeNode             `json:"additionalFees"`
	Shipping      *shipping             `json:"shippingLine"`
	Customer      ref                   `json:"customer"`
	Billing       *address              `json:"billingAddress"`
	ShipTo        *address              `json:"shippingAddress"`
	Journey       journey               `json:"customerJourneySummary"`
	Payments      []payment             `json:"transactions"`
	Refunds       []ref                 `json:"refunds"`
	Lines         list[json.RawMessage] `json:"lineItems"` // where they come with the order
}

type feeNode struct {
	Price bag       `json:"price"`
	Taxes []taxLine `json:"taxLines"`
}

type taxLine struct {
	Rate  float64 `json:"rate"`
	Price bag     `json:"priceSet"`
}

type allocation struct {
	Amount bag `json:"allocatedAmountSet"`
}

type shipping struct {
	Price     bag          `json:"discountedPriceSet"`
	Discounts []allocation `json:"discountAllocations"`
	Taxes     []taxLine    `json:"taxLines"`
}

type address struct {
	FirstName string `json:"firstName"`
	LastName  string `json:"lastName"`
	Country   string `json:"countryCodeV2"`
	Region    string `json:"provinceCode"`
	City      string `json:"city"`
	Postcode  string `json:"zip"`
}

type payment struct {
	Kind   string `json:"kind"`
	Status string `json:"status"`
	At     string `json:"processedAt"`
}

// wholeOrder puts an order that came with its lines into the page.
func (w *pull) wholeOrder(ctx context.Context, raw []byte, refunded *[]string) error {
	var n orderNode
	if err := decode(raw, &n); err != nil {
		return &unreadable{cause: err}
	}
	o, err := orderOf(&n)
	if err != nil {
		return err
	}
	nodes, err := rest(ctx, w.source, "order_lines", "lineItems", n.ID, n.Lines)
	if err != nil {
		return err
	}
	lines := make([]commerce.Line, 0, len(nodes))
	for _, node := range nodes {
		var l lineNode
		if err := decode(node, &l); err != nil {
			return &unreadable{id: o.ID, cause: inLine(err)}
		}
		line, err := lineOf(&l, o.ID, n.TaxesIncluded)
		if err != nil {
			return &unreadable{id: o.ID, cause: inLine(err)}
		}
		lines = append(lines, line)
	}
	w.await(&n, o.ModifiedAt)
	w.out.Records.Orders = append(w.out.Records.Orders, o)
	w.out.Records.Lines = append(w.out.Records.Lines, lines...)
	if len(n.Refunds) > 0 {
		*refunded = append(*refunded, n.ID)
	}
	return nil
}

var currencyCode = regexp.MustCompile(`^[A-Z]{3}$`)

// orderOf turns an order over, from what stands on the order alone: the same whichever way it was read.
func orderOf(n *orderNode) (commerce.Order, error) {
	o := commerce.Order{ID: tail(n.ID), Number: n.Name, Status: n.status(), Test: n.Test, Channel: n.SourceName}
	if o.ID == "" {
		return o, &unreadable{cause: missing("id")}
	}
	o.Currency = strings.ToUpper(n.Total.Shop.Currency)
	if o.Currency == "" {
		o.Currency = strings.ToUpper(n.Currency)
	}
	v := &values{}
	n.times(&o, v)
	n.amounts(&o, v)
	switch {
	case v.err != nil:
		return o, &unreadable{id: o.ID, cause: v.err}
	case !currencyCode.MatchString(o.Currency):
		return o, &unreadable{id: o.ID, cause: errors.New("field currencyCode is not a currency")}
	case o.PlacedAt.IsZero():
		return o, &unreadable{id: o.ID, cause: errors.New("field processedAt is missing or no sensible date")}
	}
	o.CustomerID, o.Email = tail(n.Customer.ID), commerce.Email(n.Email)
	if who := cmpAddress(n.Billing, n.ShipTo); who != nil {
		o.FirstName, o.LastName = strings.TrimSpace(who.FirstName), strings.TrimSpace(who.LastName)
		o.Country, o.Region = who.Country, who.Region
		o.City, o.Postcode = strings.TrimSpace(who.City), strings.TrimSpace(who.Postcode)
	}
	for _, code := range n.Codes {
		if code = strings.ToLower(strings.TrimSpace(code)); code != "" {
			o.Coupons = append(o.Coupons, code)
		}
	}
	slices.Sort(o.Coupons)
	o.Coupons = slices.Compact(o.Coupons)
	o.Attribution = n.Journey.attribution()
	return o, nil
}

func cmpAddress(billing, delivery *address) *address {
	if billing != nil {
		return billing
	}
	return delivery
}

// status is the connector's word for the state of an order: cancelled, or how it stands with the money.
func (n *orderNode) status() string {
	switch {
	case n.CancelledAt != "":
		return "cancelled"
	case n.Status == "":
		return "unknown"
	default:
		return strings.ToLower(n.Status)
	}
}

func (n *orderNode) times(o *commerce.Order, v *values) {
	created := v.moment("createdAt", n.CreatedAt)
	o.PlacedAt = v.moment("processedAt", n.ProcessedAt)
	if year := o.PlacedAt.Year(); year < 1990 || year > 2200 { // imports bring what other systems believed
		o.PlacedAt = created
	}
	if year := o.PlacedAt.Year(); year < 1990 || year > 2200 {
		o.PlacedAt = time.Time{}
	}
	o.ModifiedAt = v.moment("updatedAt", n.UpdatedAt)
	for _, p := range n.Payments {
		if p.Status != "SUCCESS" || p.Kind != "SALE" && p.Kind != "CAPTURE" {
			continue
		}
		if at := v.moment("transactions.processedAt", p.At); !at.IsZero() && (o.PaidAt.IsZero() || at.Before(o.PaidAt)) {
			o.PaidAt = at
		}
	}
}

// amounts splits the total up. Where prices contain their tax, it is taken out of every part, so that goods - discount +
// shipping + tax + fees is the total in any shop.
func (n *orderNode) amounts(o *commerce.Order, v *values) {
	if n.Total.Shop.Amount == "" {
		v.fail("totalPriceSet", "is missing")
		return
	}
	o.Total = v.amount("totalPriceSet", n.Total.Shop.Amount)
	o.Tax = v.amount("totalTaxSet", n.Tax.Shop.Amount)
	goodsTax := o.Tax
	net := func(price decimal.Decimal, taxes []taxLine) decimal.Decimal {
		if !n.TaxesIncluded {
			return price
		}
		tax := sumTaxes(v, taxes)
		goodsTax = goodsTax.Sub(tax)
		return price.Sub(tax)
	}
	discount := v.amount("totalDiscountsSet", n.Discounts.Shop.Amount)
	if s := n.Shipping; s != nil {
		o.Shipping = net(v.amount("shippingLine", s.Price.Shop.Amount), s.Taxes)
		if len(s.Discounts) > 0 {
			discount = discount.Sub(sumAllocations(v, s.Discounts))
		}
	}
	duties := v.amount("originalTotalDutiesSet", n.Duties.Shop.Amount)
	o.Fees = plus(v.amount("totalTipReceivedSet", n.Tips.Shop.Amount), duties)
	for _, fee := range n.Fees {
		o.Fees = plus(o.Fees, net(v.amount("additionalFees", fee.Price.Shop.Amount), fee.Taxes))
	}
	var paid decimal.Decimal // goods less discount, without tax
	if n.Subtotal == nil || n.Subtotal.Shop.Amount == "" {
		paid = o.Total.Sub(o.Tax).Sub(o.Shipping).Sub(o.Fees)
	} else {
		price := v.amount("subtotalPriceSet", n.Subtotal.Shop.Amount)
		if n.DutyIncluded {
			price = price.Sub(duties)
		}
		paid = price
		if n.TaxesIncluded {
			paid = price.Sub(goodsTax)
			discount = scaled(discount, paid, price)
		}
	}
	if discount.IsPositive() {
		o.Discount = discount
	}
	o.Goods = plus(paid, o.Discount)
	n.buyer(o, v)
}

// scaled returns part times of/whole, to the cent of a cent; part itself where whole is nothing.
func scaled(part, of, whole decimal.Decimal) decimal.Decimal {
	if part.IsZero() || whole.IsZero() || of.Equal(whole) {
		return part
	}
	return part.Mul(of).DivRound(whole, 4)
}

func (n *orderNode) buyer(o *commerce.Order, v *values) {
	paid := n.Total.Buyer
	if currency := strings.ToUpper(paid.Currency); currency != "" && currency != o.Currency {
		o.BuyerCurrency, o.BuyerTotal = currency, v.maybeAmount("totalPriceSet", paid.Amount)
	}
}

// plus adds without work where there is nothing to add, as mostly.
func plus(a, b decimal.Decimal) decimal.Decimal {
	switch {
	case a.IsZero():
		return b
	case b.IsZero():
		return a
	default:
		return a.Add(b)
	}
}

func sumTaxes(v *values, taxes []taxLine) decimal.Decimal {
	var sum decimal.Decimal
	for i := range taxes {
		sum = plus(sum, v.amount("taxLines", taxes[i].Price.Shop.Amount))
	}
	return sum
}

func sumAllocations(v *values, all []allocation) decimal.Decimal {
	var sum decimal.Decimal
	for i := range all {
		sum = plus(sum, v.amount("discountAllocations", all[i].Amount.Shop.Amount))
	}
	return sum
}
