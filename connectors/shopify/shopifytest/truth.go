package shopifytest

import (
	"slices"
	"strconv"
	"strings"

	"github.com/shopspring/decimal"

	"github.com/perennial-cvo/perennial/connectors/commerce"
	"github.com/perennial-cvo/perennial/connectors/simulator"
)

// ownTags begin the tags that a source leaves out: they are the product's own echo.
const ownTags = "perennial:"

// Counting are the statuses that are purchases, in the words of a source.
func Counting() []string {
	return []string{"paid", "partially_paid", "partially_refunded", "refunded", "authorized"}
}

// Truth tells what a perfect source of a Shopify shop would deliver of a shop, and what it comes to.
func Truth(shop *simulator.Shop) simulator.Oracle {
	return New(shop, Options{}).Truth(simulator.Policy{})
}

// Truth tells what a perfect source would deliver of this shop now, whatever the app may see. Where the policy names no
// statuses that count, Counting does.
func (s *Server) Truth(policy simulator.Policy) simulator.Oracle {
	if policy.Counting == nil {
		policy.Counting = Counting()
	}
	var o simulator.Oracle
	for _, c := range s.shop.Customers() {
		o.Customers = append(o.Customers, s.tellCustomer(c))
	}
	for _, r := range s.productRecords() {
		o.Products = append(o.Products, s.tellProduct(r)...)
	}
	for _, order := range s.shop.Orders() {
		if !shown(order) {
			continue
		}
		r := s.orderRecord(order)
		lines := r.tellLines()
		told := r.tell()
		for _, l := range lines {
			if l.GiftCard {
				told.GiftCards = told.GiftCards.Add(l.Total)
			}
		}
		o.Orders = append(o.Orders, told)
		o.Lines = append(o.Lines, lines...)
		for _, f := range r.bill().refunds {
			o.Refunds = append(o.Refunds, r.tellRefund(f))
		}
	}
	o.Count(policy, s.shop.Options().Currency)
	for i := range o.Orders { // lines come apart: who stores them sums this
		o.Orders[i].GiftCards = decimal.Decimal{}
	}
	return o
}

func text(id int64) string {
	if id == 0 {
		return ""
	}
	return strconv.FormatInt(id, 10)
}

func (s *Server) tellCustomer(c *simulator.Customer) commerce.Customer {
	told := commerce.Customer{
		ID: text(c.ID), Email: commerce.Email(c.Email), FirstName: c.FirstName, LastName: c.LastName, Role: "customer",
		Country: c.Billing.Country, Region: c.Billing.Region, City: c.Billing.City, Postcode: c.Billing.Postcode,
		CreatedAt: c.CreatedAt, ModifiedAt: customerUpdated(c),
	}
	for _, tag := range tagsOfCustomer(c) {
		if len(tag) < len(ownTags) || !strings.EqualFold(tag[:len(ownTags)], ownTags) {
			told.Tags = append(told.Tags, tag)
		}
	}
	slices.Sort(told.Tags)
	if c.Email == "" {
		return told
	}
	switch given := s.kept.consent(c); given.state {
	case "SUBSCRIBED":
		told.Consent = commerce.Consent{State: commerce.ConsentSubscribed, At: given.at}
	case "UNSUBSCRIBED", "INVALID":
		told.Consent = commerce.Consent{State: commerce.ConsentUnsubscribed, At: given.at}
	}
	return told
}

// tellProduct tells of a product and its variants.
func (s *Server) tellProduct(r *productRecord) []commerce.Product {
	price := r.variants[0].Price
	for _, v := range r.variants {
		price = min(price, v.Price)
	}
	facts := s.productFacts(r)
	status, _ := facts["status"].(string) //nolint:errcheck // it is one
	tags, _ := facts["tags"].([]string)   //nolint:errcheck // it is one
	stars := s.kept.rating(r.ID)
	told := commerce.Product{
		ID: text(r.ID), Name: r.Name, Type: r.Category, Status: strings.ToLower(status), Tags: tags,
		Price: decimal.NewNullDecimal(s.shop.Decimal(price)), CreatedAt: r.CreatedAt, ModifiedAt: r.updated, Ratings: int(stars.count),
	}
	if r.Category != "" {
		told.Categories = []string{r.Category} // type and collection alike
	}
	if r.Brand != "" {
		told.Brands = []string{r.Brand}
	}
	if stars.count > 0 {
		told.Rating = decimal.NewNullDecimal(decimal.NewFromInt(stars.sum).DivRound(decimal.NewFromInt(stars.count), 2))
	}
	all := []commerce.Product{told}
	for _, v := range r.variants {
		variant := commerce.Product{
			ID: "variant-" + text(v.ID), ParentID: text(r.ID), Name: titleOf(v), SKU: v.SKU, Type: "variant",
			Price: decimal.NewNullDecimal(s.shop.Decimal(v.Price)), CreatedAt: v.CreatedAt, ModifiedAt: s.kept.updated(v),
			Cost: decimal.NullDecimal{Decimal: s.shop.Decimal(v.Cost), Valid: v.HasCost},
		}
		for _, o := range chosen(v) {
			variant.Attributes = append(variant.Attributes, commerce.Attribute{Name: o.Name, Options: []string{o.Value}})
		}
		all = append(all, variant)
	}
	return all
}

// tell tells of an order from what stands on the order alone.
func (r *orderRecord) tell() commerce.Order {
	o, b, t := r.order, r.bill(), r.till
	told := commerce.Order{
		ID: text(o.ID), Number: r.name(), Status: statusOf(o), Test: r.marks.test, CustomerID: text(o.CustomerID), Email: commerce.Email(o.Email),
		FirstName: o.Billing.FirstName, LastName: o.Billing.LastName, Country: o.Billing.Country, Region: o.Billing.Region, City: o.Billing.City,
		Postcode: o.Billing.Postcode, PlacedAt: o.PlacedAt, ModifiedAt: r.updatedAt(), Currency: o.Currency,
		Shipping: t.decimal(b.shipping), Tax: t.decimal(b.taxes()), Fees: t.decimal(b.fees), Total: t.decimal(b.total()),
		Channel: r.sourceName(), Attribution: r.tellAttribution(), Coupons: r.tellCoupons(),
	}
	if r.received() && b.total() > 0 {
		told.PaidAt = r.paidAt()
	}
	net := t.decimal(b.subtotal())
	told.Discount = t.decimal(b.shownDiscount() - b.shippingOff)
	if b.included {
		told.Discount = scaled(told.Discount, net, t.decimal(b.gross(b.subtotal(), b.tax)))
	}
	told.Goods = net.Add(told.Discount)
	if t.shown != t.currency {
		told.BuyerCurrency, told.BuyerTotal = t.shown, decimal.NewNullDecimal(t.presented(b.total()))
	}
	return told
}

// scaled is a part without tax of which the whole is known without tax: to the hundredth of a cent, because the shop
// says only what it comes to with tax.
func scaled(part, of, whole decimal.Decimal) decimal.Decimal {
	if part.IsZero() || whole.IsZero() || of.Equal(whole) {
		return part
	}
	return part.Mul(of).DivRound(whole, 4)
}

// statusOf is the status of an order in the words of a source.
func statusOf(o *simulator.Order) string {
	switch status := financial(o); {
	case o.Status == simulator.Cancelled:
		return "cancelled"
	case status == "":
		return "unknown"
	default:
		return strings.ToLower(status)
	}
}

func (r *orderRecord) tellCoupons() []string {
	var codes []string
	for _, code := range r.codes() {
		codes = append(codes, strings.ToLower(code))
	}
	slices.Sort(codes)
	return slices.Compact(codes)
}

// tellAttribution is the journey in the words of a source.
func (r *orderRecord) tellAttribution() commerce.Attribution {
	a := r.order.Attribution
	if r.sourceName() != "web" {
		return commerce.Attribution{}
	}
	told := commerce.Attribution{SourceType: a.SourceType, Source: a.Source, Referrer: a.Referrer}
	switch a.SourceType {
	case "utm":
		told.Medium, told.Campaign, told.Content, told.Term = a.Medium, a.Campaign, a.Content, a.Term
	case "organic":
		if told.Referrer == "" {
			told.Referrer = "https://www." + a.Source + ".com/"
		}
	case "typein":
		told.Source = "direct"
	}
	return told
}

func (r *orderRecord) tellLines() []commerce.Line {
	b, t := r.bill(), r.till
	lines := make([]commerce.Line, len(b.lines))
	for i, l := range b.lines {
		facts := r.lineFacts(l)
		name, _ := facts["name"].(string) //nolint:errcheck // it is one
		lines[i] = commerce.Line{
			OrderID: text(r.order.ID), ID: text(l.ID), SKU: l.SKU, Name: name, Quantity: decimal.NewFromInt(l.Quantity), GiftCard: l.gift,
			Subtotal: t.decimal(l.Subtotal), Total: t.decimal(l.net), Tax: t.decimal(l.tax),
		}
		lines[i].ProductID, lines[i].VariantID, lines[i].Cost = r.sold(l.Line, l.Quantity)
		if b.included && l.tax != 0 {
			lines[i].Subtotal = scaled(t.decimal(b.gross(l.Subtotal, l.was)), t.decimal(l.net), t.decimal(l.net+l.tax))
		}
	}
	return lines
}

// sold names what a line sold, as far as the shop still has it, and what so many units of it cost now.
func (r *orderRecord) sold(l simulator.Line, units int64) (product, variant string, cost decimal.NullDecimal) {
	shop := r.server.shop
	if p := shop.Product(l.ProductID); p != nil {
		product = text(l.ProductID)
	}
	v := shop.Product(variantOf(l))
	if v == nil || v.Variable {
		return product, "", decimal.NullDecimal{}
	}
	if v.HasCost {
		cost = decimal.NewNullDecimal(shop.Decimal(v.Cost).Mul(decimal.NewFromInt(units)))
	}
	return product, "variant-" + text(v.ID), cost
}

func (r *orderRecord) tellRefund(f billRefund) commerce.Refund {
	b, t := r.bill(), r.till
	told := commerce.Refund{
		OrderID: text(r.order.ID), ID: text(f.ID), At: f.At, Currency: r.order.Currency, Reason: f.Reason,
		Amount: t.decimal(f.Amount), Shipping: t.decimal(f.shipping), Fees: t.decimal(f.fees),
	}
	goods, tax, cost := simulator.Amount(0), f.shippingTax+f.feeTax, decimal.NullDecimal{Valid: len(f.parts) > 0}
	for _, p := range f.parts {
		goods, tax = goods+p.net, tax+p.tax
		line := commerce.RefundLine{LineID: text(p.line), Quantity: decimal.NewFromInt(p.quantity), Amount: t.decimal(p.net)}
		if l, ok := b.line(p.line); ok {
			var units decimal.NullDecimal
			line.ProductID, line.VariantID, units = r.sold(l.Line, p.quantity)
			cost.Decimal, cost.Valid = cost.Decimal.Add(units.Decimal), cost.Valid && units.Valid
		}
		told.Lines = append(told.Lines, line)
	}
	if len(f.parts) > 0 {
		goods = max(0, goods+f.adjustment)
	}
	if cost.Valid {
		told.Cost = cost
	}
	told.Goods, told.Tax = t.decimal(goods), t.decimal(tax)
	return told
}
