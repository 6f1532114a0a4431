package shopifytest

import (
	"slices"
	"strconv"
	"time"

	"github.com/perennial-cvo/perennial/connectors/commerce"
	"github.com/perennial-cvo/perennial/connectors/simulator"
)

// Financial statuses of an order.
const (
	paid              = "PAID"
	pending           = "PENDING"
	partiallyRefunded = "PARTIALLY_REFUNDED"
	refunded          = "REFUNDED"
	expired           = "EXPIRED"
	voided            = "VOIDED"
)

// orderRecord is an order on its way into an answer.
type orderRecord struct {
	server *Server
	order  *simulator.Order
	marks  orderMarks
	till   till
	made   *bill
}

func (s *Server) orderRecord(o *simulator.Order) *orderRecord {
	m := s.kept.marks(o.ID)
	return &orderRecord{server: s, order: o, marks: m, till: tillOf(s.shop.Decimals(), o.Currency, m)}
}

func (r *orderRecord) bill() *bill {
	if r.made == nil {
		r.made = makeBill(r.order, r.marks)
	}
	return r.made
}

// financial is the status of the money of an order, "" where the shop says none.
func financial(o *simulator.Order) string {
	switch o.Status {
	case simulator.Completed, simulator.Processing:
		switch back := o.RefundedAmount(); {
		case back > 0 && back >= o.Total():
			return refunded
		case back > 0:
			return partiallyRefunded
		}
		return paid
	case simulator.Pending, simulator.OnHold:
		return pending
	case simulator.Cancelled:
		return voided
	case simulator.Refunded:
		return refunded
	case simulator.Failed:
		return expired
	default:
		return ""
	}
}

// received reports whether the buyer has paid.
func (r *orderRecord) received() bool {
	return slices.Contains([]string{paid, partiallyRefunded, refunded}, financial(r.order))
}

// updatedAt is when the order was changed. The simulator stores some changes early, as other shops do, and this one not.
func (r *orderRecord) updatedAt() time.Time {
	at := later(r.order.ModifiedAt, r.order.PlacedAt)
	for _, f := range r.order.Refunds {
		at = later(at, f.At)
	}
	return at
}

func later(a, b time.Time) time.Time {
	if a.Before(b) {
		return b
	}
	return a
}

// orders are those that the app may see: without read_all_orders, of the last 60 days.
func (s *Server) orders(c *call, customer int64) *connection {
	return &connection{
		typ: "Order", search: orderSearch, sort: orderSort, accept: orderAccept,
		items: func() []*object {
			var items []*object
			for _, o := range s.shop.Orders() {
				if (customer == 0 || o.CustomerID == customer) && s.visible(c, o) {
					items = append(items, s.order(o))
				}
			}
			return items
		},
	}
}

// visible reports whether the app may see an order.
func (s *Server) visible(c *call, o *simulator.Order) bool {
	return shown(o) && (c.has("read_all_orders") || o.PlacedAt.After(s.shop.Now().AddDate(0, 0, -60)))
}

func (s *Server) order(o *simulator.Order) *object {
	r := s.orderRecord(o)
	return &object{
		typ: "Order", id: gid("Order", o.ID), record: r, changed: r.updatedAt(),
		fill: func() map[string]resolver {
			fields := r.facts()
			for _, more := range []map[string]resolver{r.amounts(), r.party(), r.parts()} {
				for name, f := range more {
					fields[name] = f
				}
			}
			return fields
		},
	}
}

// facts are what the order is: number, times, states.
func (r *orderRecord) facts() map[string]resolver {
	o, b := r.order, r.bill()
	number := r.name()
	var cancelled, cancelReason, closed, status any
	if o.Status == simulator.Cancelled {
		cancelled, cancelReason = o.ModifiedAt, "CUSTOMER"
	}
	fulfilled := "UNFULFILLED"
	if o.Status == simulator.Completed {
		closed, fulfilled = o.CompletedAt, "FULFILLED"
	}
	if s := financial(o); s != "" {
		status = s
	}
	fields := values(map[string]any{
		"legacyResourceId": strconv.FormatInt(o.ID, 10), "name": number, "number": o.ID, "confirmationNumber": nil,
		"createdAt": o.PlacedAt, "processedAt": o.PlacedAt, "updatedAt": r.updatedAt(), "cancelledAt": cancelled, "cancelReason": cancelReason,
		"closedAt": closed, "closed": closed != nil, "test": r.marks.test, "confirmed": true, "edited": len(r.marks.removed) > 0,
		"sourceName": r.sourceName(), "sourceIdentifier": nil, "registeredSourceUrl": nil, "note": nil,
		"statusPageUrl": "https://" + r.server.opts.Domain + "/orders/" + strconv.FormatInt(o.ID, 36) + "/authenticate?key=x",
		"tags":          r.server.kept.tagsOf(gid("Order", o.ID)), "currencyCode": o.Currency, "presentmentCurrencyCode": r.till.shown,
		"taxesIncluded": b.included, "dutiesIncluded": false, "taxExempt": o.TaxRate.ID == 0, "estimatedTaxes": false,
		"displayFinancialStatus": status, "displayFulfillmentStatus": fulfilled, "returnStatus": "NO_RETURN", "fullyPaid": r.received(),
		"unpaid": !r.received(), "paymentGatewayNames": r.gateways(), "customerLocale": "en", "poNumber": nil, "discountCodes": r.codes(),
		"discountCode": first(r.codes()), "publication": nil, "requiresShipping": true, "clientIp": nil,
	})
	fields["app"] = value(simple("OrderApp", map[string]any{"id": "gid://shopify/App/580111", "name": "Online Store"}))
	fields["retailLocation"] = guarded(func(c *call) bool { return c.has("read_locations") }, "retailLocation", "`read_locations` access scope", nil)
	return fields
}

// name is the number of the order as the buyer sees it.
func (r *orderRecord) name() string { return "#" + strconv.FormatInt(r.order.ID, 10) }

func (r *orderRecord) sourceName() string {
	if r.order.Via == "admin" {
		return "shopify_draft_order"
	}
	return "web"
}

func (r *orderRecord) gateways() []string {
	if r.order.Payment == "" {
		return []string{}
	}
	return []string{r.gateway()}
}

func (r *orderRecord) gateway() string {
	switch r.order.Payment {
	case "stripe":
		return "shopify_payments"
	case "cod":
		return "Cash on Delivery (COD)"
	case "bacs":
		return "Bank Deposit"
	default:
		return r.order.Payment
	}
}

func (r *orderRecord) codes() []string {
	codes := []string{}
	for _, use := range r.order.Coupons {
		codes = append(codes, use.Code)
	}
	return codes
}

func first(list []string) any {
	if len(list) == 0 {
		return nil
	}
	return list[0]
}

// amounts is the money of the order.
func (r *orderRecord) amounts() map[string]resolver {
	b, t := r.bill(), r.till
	subtotal, discounts := b.gross(b.subtotal(), b.tax), b.shownDiscount()
	shipping := b.gross(b.shipping+b.shippingOff, b.shippingTax)
	total, back, none := b.total(), b.refunded(), t.bag(0)
	var got simulator.Amount
	if r.received() {
		got = total
	}
	cur := b.current()
	fields := map[string]any{
		"totalPriceSet": t.bag(total), "totalPrice": t.plain(total), "originalTotalPriceSet": t.bag(total), "currentTotalPriceSet": t.bag(cur.total),
		"subtotalPriceSet": t.bag(subtotal), "subtotalPrice": t.plain(subtotal), "currentSubtotalPriceSet": t.bag(cur.subtotal),
		"totalDiscountsSet": t.bag(discounts), "totalDiscounts": t.plain(discounts), "currentTotalDiscountsSet": t.bag(discounts),
		"cartDiscountAmountSet": t.bag(discounts), "totalShippingPriceSet": t.bag(shipping), "totalShippingPrice": t.plain(shipping),
		"currentShippingPriceSet": t.bag(b.gross(b.shipping, b.shippingTax)), "totalRefundedShippingSet": t.bag(cur.shippingBack),
		"totalTaxSet": t.bag(b.taxes()), "totalTax": t.plain(b.taxes()), "currentTotalTaxSet": t.bag(cur.tax),
		"totalRefundedSet": t.bag(back), "totalRefunded": t.plain(back), "netPaymentSet": t.bag(got - back), "netPayment": t.plain(got - back),
		"totalReceivedSet": t.bag(got), "totalReceived": t.plain(got), "totalOutstandingSet": t.bag(max(0, total-got)),
		"totalTipReceivedSet": none, "totalTipReceived": t.money(0), "currentTotalDutiesSet": nil, "originalTotalDutiesSet": nil,
		"totalCapturableSet": none, "refundDiscrepancySet": none, "subtotalLineItemsQuantity": b.units(false), "currentSubtotalLineItemsQuantity": b.units(true),
		"taxLines": t.taxLines(b.rate, b.taxes()), "currentTaxLines": t.taxLines(b.rate, cur.tax), "additionalFees": r.fees(),
		"originalTotalAdditionalFeesSet": nil, "currentTotalAdditionalFeesSet": nil,
	}
	if b.fees != 0 {
		fields["originalTotalAdditionalFeesSet"], fields["currentTotalAdditionalFeesSet"] = t.bag(b.fees), t.bag(b.fees)
	}
	return values(fields)
}

// shownDiscount is what all discounts took off, as the shop shows prices.
func (b *bill) shownDiscount() simulator.Amount {
	sum := b.shippingOff
	for _, l := range b.lines {
		for _, off := range l.off {
			sum += off
		}
	}
	return sum
}

// standing is what is left of an order after refunds and edits.
type standing struct {
	total, subtotal, tax, shippingBack simulator.Amount
}

func (b *bill) current() standing {
	s := standing{total: b.total(), subtotal: b.gross(b.subtotal(), b.tax), tax: b.taxes()}
	for _, r := range b.refunds {
		s.shippingBack += b.gross(r.shipping, r.shippingTax)
		s.tax -= r.shippingTax
		s.total -= r.Amount
		for _, p := range r.parts {
			s.subtotal -= b.gross(p.net, p.tax)
			s.tax -= p.tax
			if r.edit {
				s.total -= p.net + p.tax
			}
		}
	}
	return s
}

func (b *bill) units(current bool) (sum int64) {
	for _, l := range b.lines {
		sum += l.Quantity
		if current {
			sum -= l.back + l.removed
		}
	}
	return sum
}

func (r *orderRecord) fees() []*object {
	list := []*object{}
	for _, f := range r.order.Fees {
		if f.Total < 0 {
			continue
		}
		list = append(list, &object{typ: "AdditionalFee", id: gid("AdditionalFee", f.ID), plain: map[string]any{
			"name": f.Name, "price": r.till.bag(r.bill().gross(f.Total, f.Tax)), "taxLines": r.till.taxLines(r.order.TaxRate, f.Tax),
		}})
	}
	return list
}

// party is who bought and how they came.
func (r *orderRecord) party() map[string]resolver {
	o, k := r.order, r.server.kept
	var email, phone any
	var address *object
	if !k.isMasked() {
		if o.Email != "" {
			email = o.Email
		}
		if o.Billing.Phone != "" {
			phone = o.Billing.Phone
		}
		address = addressOf(o.Billing, o.ID)
	}
	accepts := k.consent(&simulator.Customer{Email: commerce.Email(o.Email)}).state == "SUBSCRIBED"
	fields := values(map[string]any{"email": email, "phone": phone, "customerAcceptsMarketing": accepts})
	for _, name := range []string{"billingAddress", "shippingAddress", "displayAddress"} {
		fields[name] = value(maybe(address))
	}
	fields["billingAddressMatchesShippingAddress"] = value(true)
	fields["customer"] = needs("read_customers", "customer", func(c *call, _ map[string]any) (any, error) {
		return maybe(r.server.customerByID(c, o.CustomerID)), nil
	})
	fields["customerJourneySummary"] = value(maybe(r.journey()))
	return fields
}

// maybe is a thing, or null in its place.
func maybe(o *object) any {
	if o == nil {
		return nil
	}
	return o
}

// addressOf is a mailing address, nil where nothing is known of it.
func addressOf(a simulator.Address, id int64) *object {
	if a == (simulator.Address{}) {
		return nil
	}
	or := func(s string) any {
		if s == "" {
			return nil
		}
		return s
	}
	return &object{typ: "MailingAddress", id: gid("MailingAddress", id) + "?model_name=Address", plain: map[string]any{
		"address1": or(a.Street), "address2": nil, "city": or(a.City), "company": nil, "coordinatesValidated": false, "country": or(a.Country),
		"countryCodeV2": or(a.Country), "provinceCode": or(a.Region), "province": or(a.Region), "zip": or(a.Postcode),
		"firstName": or(a.FirstName), "lastName": or(a.LastName), "name": or(together(a.FirstName, a.LastName)), "phone": or(a.Phone),
		"formattedArea": or(together(a.City, a.Country)), "formatted": []string{a.Street, a.City, a.Country},
	}}
}

func together(a, b string) string {
	if a == "" || b == "" {
		return a + b
	}
	return a + " " + b
}

// parts are the lists of an order.
func (r *orderRecord) parts() map[string]resolver {
	return map[string]resolver{
		"lineItems":    value(&connection{typ: "LineItem", items: func() []*object { return r.lineItems() }}),
		"refunds":      func(_ *call, args map[string]any) (any, error) { return firstOf(r.refundList(), args), nil },
		"transactions": func(_ *call, args map[string]any) (any, error) { return firstOf(r.transactions(), args), nil },
		"returns": guarded(func(c *call) bool { return c.has("read_returns") }, "returns",
			"`read_returns` access scope or `read_marketplace_returns` access scope", nothing("Return")),
		"agreements":   value(&connection{typ: "SalesAgreement", items: func() []*object { return r.agreements() }}),
		"shippingLine": value(maybe(r.shippingLine())),
		"shippingLines": value(&connection{typ: "ShippingLine", items: func() []*object {
			return []*object{r.shippingLine()}
		}}),
		"discountApplications": value(&connection{typ: "DiscountApplication", items: r.applications}),
		"fulfillments":         value([]*object{}),
		"events":               value(nothing("Event")),
		"metafield":            r.server.metafieldOf(gid("Order", r.order.ID)),
		"metafields":           r.server.metafieldsOf(gid("Order", r.order.ID)),
	}
}

// nothing is a connection without nodes.
func nothing(typ string) *connection {
	return &connection{typ: typ, items: func() []*object { return nil }}
}

// firstOf cuts a list that is no connection.
func firstOf(list []*object, args map[string]any) []*object {
	if n, ok := args["first"].(int64); ok && int(n) < len(list) {
		return list[:max(n, 0)]
	}
	return list
}
