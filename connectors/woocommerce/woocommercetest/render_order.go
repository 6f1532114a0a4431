package woocommercetest

import (
	"fmt"
	"slices"
	"strconv"
	"strings"

	"github.com/perennial-cvo/perennial/connectors/simulator"
)

const allowAll = "GET, POST, PUT, PATCH, DELETE"

// order writes one order. Single answers carry _links whatever the fields.
func (s *Server) order(w *writer, o *simulator.Order, f fields, single bool) {
	w.open('{')
	w.integer(f, "id", o.ID)
	w.integer(f, "parent_id", 0)
	w.text(f, "status", o.Status)
	w.text(f, "currency", o.Currency)
	w.text(f, "version", s.opts.Version)
	w.flag(f, "prices_include_tax", false)
	if w.key(f, "date_created") {
		w.local(o.PlacedAt)
	}
	if w.key(f, "date_modified") {
		w.local(o.ModifiedAt)
	}
	w.amount(f, "discount_total", o.Discount())
	w.amount(f, "discount_tax", discountTax(o))
	w.amount(f, "shipping_total", o.Shipping.Total)
	w.amount(f, "shipping_tax", o.Shipping.Tax)
	w.amount(f, "cart_tax", o.CartTax())
	w.amount(f, "total", o.Total())
	w.amount(f, "total_tax", o.CartTax()+o.Shipping.Tax)
	w.integer(f, "customer_id", o.CustomerID)
	w.text(f, "order_key", orderKey(o.ID))
	s.orderAddresses(w, o, f)
	s.orderDetails(w, o, f)
	s.orderItems(w, o, f)
	s.orderTail(w, o, f)
	if _, wanted := f["_links"]; single || f == nil || wanted {
		s.orderLinks(w, o)
	}
	w.close('}')
}

func discountTax(o *simulator.Order) simulator.Amount {
	var sum simulator.Amount
	for _, l := range o.Lines {
		sum += l.SubtotalTax - l.TotalTax
	}
	return sum
}

func orderKey(id int64) string { return fmt.Sprintf("wc_order_%013d", id*7919%9999999999999) }

func (s *Server) orderAddresses(w *writer, o *simulator.Order, f fields) {
	if w.key(f, "billing") {
		w.address(o.Billing, f["billing"], &o.Email, orderOrder)
	}
	if w.key(f, "shipping") {
		w.address(o.Billing, f["shipping"], nil, orderOrder)
	}
}

// Orders and accounts list the parts of an address in different order.
var (
	orderOrder   = []string{"city", "state", "postcode", "country"}
	accountOrder = []string{"city", "postcode", "country", "state"}
)

func (w *writer) address(a simulator.Address, f fields, email *string, order []string) {
	if len(f) == 0 {
		f = nil
	}
	w.open('{')
	w.text(f, "first_name", a.FirstName)
	w.text(f, "last_name", a.LastName)
	w.text(f, "company", "")
	w.text(f, "address_1", a.Street)
	w.text(f, "address_2", "")
	for _, part := range order {
		switch part {
		case "city":
			w.text(f, part, a.City)
		case "state":
			w.text(f, part, a.Region)
		case "postcode":
			w.text(f, part, a.Postcode)
		case "country":
			w.text(f, part, a.Country)
		}
	}
	if email != nil {
		w.text(f, "email", *email)
	}
	w.text(f, "phone", a.Phone)
	w.close('}')
}

func (s *Server) orderDetails(w *writer, o *simulator.Order, f fields) {
	w.text(f, "payment_method", o.Payment)
	w.text(f, "payment_method_title", strings.ToUpper(o.Payment))
	transaction := ""
	if !o.PaidAt.IsZero() {
		transaction = "txn_" + strconv.FormatInt(o.ID, 10)
	}
	w.text(f, "transaction_id", transaction)
	w.text(f, "customer_ip_address", "198.51.100."+strconv.FormatInt(o.ID%250, 10))
	w.text(f, "customer_user_agent", "Mozilla/5.0 (test)")
	w.text(f, "created_via", o.Via)
	w.text(f, "customer_note", "")
	if w.key(f, "date_completed") {
		w.local(o.CompletedAt)
	}
	if w.key(f, "date_paid") {
		w.local(o.PaidAt)
	}
	w.text(f, "cart_hash", "")
	w.text(f, "number", strconv.FormatInt(o.ID, 10))
	if w.list(f, "meta_data") {
		s.orderMeta(w, o)
	}
}

// orderMeta writes the attribution and what the trash leaves, by key.
func (s *Server) orderMeta(w *writer, o *simulator.Order) {
	meta := attributionMeta(o)
	if o.Via == "store-api" {
		meta = append(meta, [2]string{"_coupons_hash", "d751713988987e9331980363e24189ce"}, [2]string{"is_vat_exempt", "no"})
	}
	if o.Status == simulator.Trash {
		meta = append(meta, [2]string{"_wp_trash_meta_status", "wc-" + o.TrashedFrom},
			[2]string{"_wp_trash_meta_time", strconv.FormatInt(o.TrashedAt.Unix(), 10)})
	}
	slices.SortFunc(meta, func(a, b [2]string) int { return strings.Compare(a[0], b[0]) })
	w.open('[')
	for i, m := range meta {
		w.open('{')
		w.name("id")
		w.int(o.MetaID + int64(i))
		w.name("key")
		w.str(m[0])
		w.name("value")
		w.str(m[1])
		w.close('}')
	}
	w.close(']')
}

func attributionMeta(o *simulator.Order) [][2]string {
	a := o.Attribution
	if a.SourceType == "" {
		return nil
	}
	const prefix = "_wc_order_attribution_"
	meta := make([][2]string, 0, 20)
	add := func(key, value string, always bool) {
		if always || value != "" {
			meta = append(meta, [2]string{prefix + key, value})
		}
	}
	whole := o.Via == "store-api" // the block checkout sends every utm key, empty ones too
	add("source_type", a.SourceType, true)
	add("utm_source", a.Source, whole)
	add("utm_medium", a.Medium, whole)
	add("utm_campaign", a.Campaign, whole)
	add("utm_content", a.Content, whole)
	add("utm_term", a.Term, whole)
	for _, key := range []string{"utm_id", "utm_source_platform", "utm_creative_format", "utm_marketing_tactic"} {
		add(key, "", whole)
	}
	add("referrer", a.Referrer, false)
	add("session_entry", "https://shop.example/", true)
	add("session_start_time", o.PlacedAt.Add(-600e9).Format("2006-01-02 15:04:05"), true)
	add("session_pages", strconv.FormatInt(1+o.ID%14, 10), true)
	add("session_count", strconv.FormatInt(1+o.ID%4, 10), true)
	add("user_agent", "Mozilla/5.0 (test)", true)
	add("device_type", a.Device, true)
	return meta
}

func (s *Server) orderItems(w *writer, o *simulator.Order, f fields) {
	if w.list(f, "line_items") {
		w.open('[')
		for i := range o.Lines {
			s.orderLine(w, o, &o.Lines[i])
		}
		w.close(']')
	}
	if w.list(f, "tax_lines") {
		w.open('[')
		if o.TaxRate.ID != 0 {
			w.taxLine(o.TaxRate, o.TaxRate.ItemID, o.CartTax(), o.Shipping.Tax)
		}
		w.close(']')
	}
	if w.list(f, "shipping_lines") {
		w.open('[')
		w.shippingLine(o, o.Shipping, 1, 0)
		w.close(']')
	}
	if w.list(f, "fee_lines") {
		w.open('[')
		for _, fee := range o.Fees {
			w.feeLine(o, fee, 1, 0)
		}
		w.close(']')
	}
	if w.list(f, "coupon_lines") {
		w.open('[')
		for i := range o.Coupons {
			w.couponLine(&o.Coupons[i])
		}
		w.close(']')
	}
	if w.list(f, "refunds") {
		s.embeddedRefunds(w, o)
	}
}

func (s *Server) orderLine(w *writer, o *simulator.Order, l *simulator.Line) {
	w.item(s, o, l, item{id: l.ID, sign: 1, quantity: l.Quantity, subtotal: l.Subtotal, subtotalTax: l.SubtotalTax, total: l.Total, totalTax: l.TotalTax, cost: l.Cost})
}

func (s *Server) embeddedRefunds(w *writer, o *simulator.Order) {
	w.open('[')
	for i := len(o.Refunds) - 1; i >= 0; i-- {
		r := &o.Refunds[i]
		w.open('{')
		w.integer(nil, "id", r.ID)
		w.text(nil, "reason", r.Reason)
		w.amount(nil, "total", -r.Amount)
		if s.since(10, 9) {
			w.amount(nil, "total_tax", -r.Tax())
		}
		w.close('}')
	}
	w.close(']')
}

func (s *Server) orderTail(w *writer, o *simulator.Order, f fields) {
	if w.key(f, "payment_url") {
		id := strconv.FormatInt(o.ID, 10)
		w.str(s.home() + "/checkout/order-pay/" + id + "/?pay_for_order=true&key=" + orderKey(o.ID))
	}
	w.flag(f, "is_editable", o.Status == simulator.Pending || o.Status == simulator.OnHold)
	w.flag(f, "needs_payment", (o.Status == simulator.Pending || o.Status == simulator.Failed) && o.Total() > 0)
	w.flag(f, "needs_processing", true)
	if w.key(f, "date_created_gmt") {
		w.gmt(o.PlacedAt)
	}
	if w.key(f, "date_modified_gmt") {
		w.gmt(o.ModifiedAt)
	}
	if w.key(f, "date_completed_gmt") {
		w.gmt(o.CompletedAt)
	}
	if w.key(f, "date_paid_gmt") {
		w.gmt(o.PaidAt)
	}
	if s.costs() && w.key(f, "cost_of_goods_sold") {
		w.raw(`{"total_value":`)
		w.number(o.Cost(), 1)
		w.close('}')
	}
	w.text(f, "currency_symbol", symbol(o.Currency))
}

func (s *Server) orderLinks(w *writer, o *simulator.Order) {
	self := s.api("/orders/" + strconv.FormatInt(o.ID, 10))
	more := make([]link, 0, 2)
	if s.since(9, 8) {
		more = append(more, link{"email_templates", self + "/actions/email_templates", true})
	}
	if o.CustomerID != 0 {
		more = append(more, link{"customer", s.api("/customers/" + strconv.FormatInt(o.CustomerID, 10)), false})
	}
	w.links(self, s.api("/orders"), allowAll, more...)
}

func symbol(currency string) string {
	switch currency {
	case "USD":
		return "$"
	case "EUR":
		return "€"
	case "GBP":
		return "£"
	case "JPY":
		return "¥"
	default:
		return currency
	}
}
