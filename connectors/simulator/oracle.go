package simulator

import (
	"cmp"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/shopspring/decimal"

	"github.com/perennial-cvo/perennial/connectors/commerce"
)

// Policy says how the oracle counts. The zero value is the default of the house for a WooCommerce shop.
type Policy struct {
	Counting []string                   // statuses that are purchases; nil means processing and completed
	Shared   []string                   // addresses that identify nobody
	Rates    map[string]decimal.Decimal // to the shop's currency; orders in a currency without a rate are set aside
}

// Oracle is the truth about a shop at one moment, in the words of package commerce: what a perfect source would deliver,
// and what it comes to.
type Oracle struct {
	Customers []commerce.Customer
	Products  []commerce.Product
	Coupons   []commerce.Coupon
	Orders    []commerce.Order
	Lines     []commerce.Line
	Refunds   []commerce.Refund
	Reviews   []commerce.Review

	Persons      []Person // whoever an order or account names, by key
	Gross        decimal.Decimal
	Net          decimal.Decimal
	Counted      int // orders that count as purchases, those refunded to zero and unattributed ones included
	SetAside     int // orders that would count but for their currency
	Unattributed int // counted orders that name nobody
}

// Person is somebody as the house sees them. Amounts are in the shop's currency.
type Person struct {
	Key        string // "account 12" or "guest a@b.example"
	CustomerID string // empty for guests
	Email      string
	Orders     int // counted and not refunded to zero
	First      time.Time
	Last       time.Time
	Gross      decimal.Decimal // goods - discount
	Net        decimal.Decimal // after refunds
}

// Oracle tells the truth as of now.
func (s *Shop) Oracle(policy Policy) Oracle {
	s.mu.RLock()
	o := Oracle{}
	customers, products, coupons := s.customers.all(), s.products.all(), s.coupons.all()
	orders, reviews, digits, currency := s.orders.all(), s.reviews.all(), decimals(s.opts.Currency), s.opts.Currency
	s.mu.RUnlock()

	t := teller{digits: digits, products: products}
	for _, c := range customers {
		o.Customers = append(o.Customers, tellCustomer(c))
	}
	for _, p := range products {
		o.Products = append(o.Products, t.product(p))
	}
	for _, c := range coupons {
		o.Coupons = append(o.Coupons, t.coupon(c))
	}
	for _, v := range reviews {
		o.Reviews = append(o.Reviews, tellReview(v))
	}
	for _, order := range orders {
		o.Orders = append(o.Orders, t.order(order))
		o.Lines = append(o.Lines, t.lines(order)...)
		o.Refunds = append(o.Refunds, t.refunds(order)...)
	}
	o.count(policy, currency)
	return o
}

// NetOf is what a refund takes from the revenue of its order: its goods where it is itemised, else the amount without
// its tax.
func NetOf(r commerce.Refund) decimal.Decimal {
	if r.Goods.IsZero() && r.Shipping.IsZero() && r.Fees.IsZero() {
		return r.Amount.Sub(r.Tax)
	}
	return r.Goods
}

// Count finds the persons of the records anew and adds up, for those who have put the records into other words.
func (o *Oracle) Count(policy Policy, currency string) {
	o.Persons, o.Gross, o.Net, o.Counted, o.SetAside, o.Unattributed = nil, decimal.Decimal{}, decimal.Decimal{}, 0, 0, 0
	o.count(policy, currency)
}

// count finds the persons and adds up.
func (o *Oracle) count(policy Policy, currency string) {
	if policy.Counting == nil {
		policy.Counting = []string{Processing, Completed}
	}
	persons := o.resolver(policy.Shared)
	back := map[string]decimal.Decimal{}
	for _, r := range o.Refunds {
		back[r.OrderID] = back[r.OrderID].Add(NetOf(r))
	}
	for _, order := range o.Orders {
		person := persons.of(order)
		if !slices.Contains(policy.Counting, order.Status) {
			continue
		}
		rate, ok := policy.Rates[order.Currency]
		if order.Currency == currency {
			rate, ok = decimal.NewFromInt(1), true
		}
		if !ok {
			o.SetAside++
			continue
		}
		o.add(person, order, rate, back[order.ID])
	}
	for _, p := range persons.known {
		o.Persons = append(o.Persons, *p)
	}
	slices.SortFunc(o.Persons, func(a, b Person) int { return cmp.Compare(a.Key, b.Key) })
}

func (o *Oracle) add(p *Person, order commerce.Order, rate, back decimal.Decimal) {
	gross := order.Net().Mul(rate)
	net := gross.Sub(back.Mul(rate))
	o.Counted++
	o.Gross, o.Net = o.Gross.Add(gross), o.Net.Add(net)
	if p == nil {
		o.Unattributed++
		return
	}
	p.Gross, p.Net = p.Gross.Add(gross), p.Net.Add(net)
	if gross.IsPositive() && !net.IsPositive() {
		return // refunded to zero
	}
	p.Orders++
	if p.First.IsZero() || order.PlacedAt.Before(p.First) {
		p.First = order.PlacedAt
	}
	if order.PlacedAt.After(p.Last) {
		p.Last = order.PlacedAt
	}
}

// resolver finds the person of an order.
type resolver struct {
	accounts map[string]*Person // by customer id
	emails   map[string]*Person // by address: the account's, or the guest
	known    []*Person
	shared   []string
}

func (o *Oracle) resolver(shared []string) *resolver {
	r := &resolver{accounts: map[string]*Person{}, emails: map[string]*Person{}, shared: shared}
	for _, c := range o.Customers {
		p := &Person{Key: "account " + c.ID, CustomerID: c.ID, Email: c.Email}
		r.accounts[c.ID] = p
		r.known = append(r.known, p)
		if c.Email != "" && !slices.Contains(shared, c.Email) {
			r.emails[c.Email] = p
		}
	}
	return r
}

func (r *resolver) of(o commerce.Order) *Person {
	if p := r.accounts[o.CustomerID]; p != nil {
		return p
	}
	if o.Email == "" || slices.Contains(r.shared, o.Email) {
		return nil
	}
	if p := r.emails[o.Email]; p != nil {
		return p
	}
	p := &Person{Key: "guest " + o.Email, Email: o.Email}
	r.emails[o.Email] = p
	r.known = append(r.known, p)
	return p
}

// teller puts records into the words of package commerce.
type teller struct {
	digits   int
	products []*Product
}

func (t teller) money(a Amount) decimal.Decimal { return decimal.New(int64(a), -int32(t.digits)) } //nolint:gosec // 0 to 3

func text(id int64) string {
	if id == 0 {
		return ""
	}
	return strconv.FormatInt(id, 10)
}

func (t teller) order(o *Order) commerce.Order {
	c := commerce.Order{
		ID: text(o.ID), Number: text(o.ID), Status: o.Status, CustomerID: text(o.CustomerID), Email: commerce.Email(o.Email),
		FirstName: o.Billing.FirstName, LastName: o.Billing.LastName, Country: o.Billing.Country, Region: o.Billing.Region,
		City: o.Billing.City, Postcode: o.Billing.Postcode,
		PlacedAt: o.PlacedAt, ModifiedAt: o.ModifiedAt, PaidAt: o.PaidAt, CompletedAt: o.CompletedAt,
		Currency: o.Currency, Shipping: t.money(o.Shipping.Total), Tax: t.money(o.CartTax() + o.Shipping.Tax), Total: t.money(o.Total()),
		Channel: o.Via, Attribution: o.Attribution,
	}
	var goods, fees, discount, cost Amount
	known := true
	for _, l := range o.Lines {
		goods, cost, known = goods+l.Subtotal, cost+l.Cost, known && l.HasCost
	}
	discount = o.Discount()
	for _, f := range o.Fees {
		fees, discount = fees+max(f.Total, 0), discount-min(f.Total, 0)
	}
	c.Goods, c.Discount, c.Fees = t.money(goods), t.money(discount), t.money(fees)
	c.Cost = decimal.NullDecimal{Decimal: t.money(cost), Valid: known}
	for _, use := range o.Coupons {
		c.Coupons = append(c.Coupons, strings.ToLower(use.Code))
	}
	slices.Sort(c.Coupons)
	return c
}

func (t teller) lines(o *Order) []commerce.Line {
	lines := make([]commerce.Line, len(o.Lines))
	for i, l := range o.Lines {
		lines[i] = commerce.Line{
			OrderID: text(o.ID), ID: text(l.ID), ProductID: text(l.ProductID), VariantID: text(l.VariationID), SKU: l.SKU, Name: l.Name,
			Quantity: decimal.NewFromInt(l.Quantity), Subtotal: t.money(l.Subtotal), Total: t.money(l.Total), Tax: t.money(l.TotalTax),
			Cost: decimal.NullDecimal{Decimal: t.money(l.Cost), Valid: l.HasCost},
		}
	}
	return lines
}

func (t teller) refunds(o *Order) []commerce.Refund {
	var refunds []commerce.Refund
	for _, r := range o.Refunds {
		refunds = append(refunds, t.refund(o, r))
	}
	return refunds
}

func (t teller) refund(o *Order, r Refund) commerce.Refund {
	c := commerce.Refund{
		OrderID: text(o.ID), ID: text(r.ID), At: r.At, Currency: o.Currency, Reason: r.Reason,
		Amount: t.money(r.Amount), Shipping: t.money(r.Shipping.Total), Tax: t.money(r.Tax()),
	}
	var goods, fees Amount
	known := len(r.Lines) > 0
	for _, back := range r.Lines {
		goods, known = goods+back.Total, known && back.HasCost
		line := commerce.RefundLine{LineID: text(back.LineID), Quantity: decimal.NewFromInt(back.Quantity), Amount: t.money(back.Total)}
		if i := slices.IndexFunc(o.Lines, func(l Line) bool { return l.ID == back.LineID }); i >= 0 {
			line.ProductID, line.VariantID = text(o.Lines[i].ProductID), text(o.Lines[i].VariationID)
		}
		c.Lines = append(c.Lines, line)
	}
	for _, f := range r.Fees { // a negative fee was a discount, which the refund of the goods takes back
		fees, goods = fees+max(f.Total, 0), goods+min(f.Total, 0)
	}
	c.Goods, c.Fees = t.money(goods), t.money(fees)
	c.Cost = decimal.NullDecimal{Decimal: t.money(r.Cost()), Valid: known}
	return c
}

func (t teller) product(p *Product) commerce.Product {
	c := commerce.Product{
		ID: text(p.ID), ParentID: text(p.ParentID), Name: p.Name, SKU: p.SKU, Type: "simple", Status: p.Status,
		Price: decimal.NullDecimal{Decimal: t.money(p.Price), Valid: true}, Cost: decimal.NullDecimal{Decimal: t.money(p.Cost), Valid: p.HasCost},
		CreatedAt: p.CreatedAt, ModifiedAt: p.ModifiedAt,
	}
	switch {
	case p.Variable:
		c.Type, c.Cost.Valid = "variable", false
	case p.ParentID != 0:
		c.Type = "variation"
	}
	if p.Category != "" {
		c.Categories, c.Brands = []string{p.Category}, []string{p.Brand}
	}
	for _, a := range p.Attributes {
		c.Attributes = append(c.Attributes, commerce.Attribute{Name: a.Name, Options: a.Options})
	}
	for _, option := range p.Options {
		c.Attributes = append(c.Attributes, commerce.Attribute{Name: option.Name, Options: []string{option.Value}})
	}
	return c
}

func (t teller) coupon(c *Coupon) commerce.Coupon {
	amount := t.money(c.Amount)
	if c.Kind == "percent" {
		amount = decimal.New(int64(c.Amount), -2)
	}
	return commerce.Coupon{
		ID: text(c.ID), Code: strings.ToLower(c.Code), Kind: c.Kind, Amount: amount, Uses: c.Uses, Status: "publish",
		CreatedAt: c.CreatedAt, ModifiedAt: c.ModifiedAt, ExpiresAt: c.ExpiresAt,
	}
}

func tellReview(v *Review) commerce.Review {
	return commerce.Review{
		ID: text(v.ID), ProductID: text(v.ProductID), Email: commerce.Email(v.Email), Reviewer: v.Reviewer, Rating: v.Rating,
		Body: v.Body, Verified: v.Verified, Status: v.Status, CreatedAt: v.CreatedAt,
	}
}

func tellCustomer(c *Customer) commerce.Customer {
	return commerce.Customer{
		ID: text(c.ID), Email: commerce.Email(c.Email), FirstName: c.FirstName, LastName: c.LastName, Role: c.Role,
		Country: c.Billing.Country, Region: c.Billing.Region, City: c.Billing.City, Postcode: c.Billing.Postcode,
		CreatedAt: c.CreatedAt, ModifiedAt: c.ModifiedAt,
	}
}
