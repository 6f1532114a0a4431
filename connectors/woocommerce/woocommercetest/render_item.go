package woocommercetest

import (
	"fmt"
	"strconv"
	"strings"

	"github.com/perennial-cvo/perennial/connectors/simulator"
)

// item is a line of an order or, with sign -1, of a refund.
type item struct {
	id, quantity                           int64
	sign                                   simulator.Amount
	subtotal, subtotalTax, total, totalTax simulator.Amount
	cost                                   simulator.Amount
	refunds                                int64 // the order line that a refund line speaks of
}

func (w *writer) item(s *Server, o *simulator.Order, l *simulator.Line, it item) {
	w.open('{')
	w.integer(nil, "id", it.id)
	w.text(nil, "name", l.Name)
	if !l.HasCost && s.costs() {
		w.plain(nil, "cogs_value", "null")
	}
	w.integer(nil, "product_id", l.ProductID)
	w.integer(nil, "variation_id", l.VariationID)
	w.integer(nil, "quantity", int64(it.sign)*it.quantity)
	w.text(nil, "tax_class", "")
	w.amount(nil, "subtotal", it.sign*it.subtotal)
	w.amount(nil, "subtotal_tax", it.sign*it.subtotalTax)
	w.amount(nil, "total", it.sign*it.total)
	w.amount(nil, "total_tax", it.sign*it.totalTax)
	w.name("taxes")
	w.taxes(o.TaxRate, it.sign*it.totalTax, it.sign*it.subtotalTax, true)
	w.name("meta_data")
	w.open('[')
	if it.refunds == 0 {
		w.options(l, it.id)
	} else {
		w.refundedItem(it.id, it.refunds)
	}
	w.close(']')
	if l.SKU == "" && l.ProductID == 0 {
		w.plain(nil, "sku", "null")
	} else {
		w.text(nil, "sku", l.SKU)
	}
	w.text(nil, "global_unique_id", "")
	w.name("price")
	w.number(it.total, it.quantity)
	if l.ParentName == "" {
		w.b = append(w.b, `,"image":{"id":"","src":""},"parent_name":null`...)
	} else {
		w.b = append(w.b, `,"image":{"id":0,"src":""}`...)
		w.text(nil, "parent_name", l.ParentName)
	}
	if l.HasCost && s.costs() {
		w.name("cost_of_goods_sold")
		w.raw(`{"value":`)
		w.number(it.sign*it.cost, 1)
		w.close('}')
	}
	w.close('}')
}

func (w *writer) options(l *simulator.Line, id int64) {
	for i, option := range l.Options {
		w.open('{')
		w.integer(nil, "id", 10*id+int64(i))
		w.text(nil, "key", "pa_"+strings.ToLower(option.Name))
		w.text(nil, "value", strings.ToLower(option.Value))
		w.text(nil, "display_key", option.Name)
		w.text(nil, "display_value", option.Value)
		w.close('}')
	}
}

func (w *writer) refundedItem(id, of int64) {
	value := strconv.FormatInt(of, 10)
	w.open('{')
	w.integer(nil, "id", 10*id)
	w.text(nil, "key", "_refunded_item_id")
	w.text(nil, "value", value)
	w.text(nil, "display_key", "_refunded_item_id")
	w.text(nil, "display_value", value)
	w.close('}')
}

// taxes writes the tax of one item; shipping and fees have no subtotal.
func (w *writer) taxes(rate simulator.TaxRate, total, subtotal simulator.Amount, line bool) {
	w.open('[')
	if rate.ID != 0 {
		w.open('{')
		w.integer(nil, "id", rate.ID)
		w.amount(nil, "total", total)
		if line {
			w.amount(nil, "subtotal", subtotal)
		} else {
			w.text(nil, "subtotal", "")
		}
		w.close('}')
	}
	w.close(']')
}

func (w *writer) taxLine(rate simulator.TaxRate, id int64, cart, shipping simulator.Amount) {
	w.open('{')
	w.integer(nil, "id", id)
	w.text(nil, "rate_code", rate.Code)
	w.integer(nil, "rate_id", rate.ID)
	w.text(nil, "label", rate.Label)
	w.flag(nil, "compound", false)
	w.amount(nil, "tax_total", cart)
	w.amount(nil, "shipping_tax_total", shipping)
	w.name("rate_percent")
	w.b = strconv.AppendFloat(w.b, float64(rate.PerMille)/10, 'f', -1, 64)
	w.plain(nil, "meta_data", "[]")
	w.close('}')
}

func (w *writer) shippingLine(o *simulator.Order, ship simulator.Shipping, sign simulator.Amount, refunds int64) {
	w.open('{')
	w.integer(nil, "id", ship.ID)
	w.text(nil, "method_title", "Flat rate")
	w.text(nil, "method_id", "flat_rate")
	w.text(nil, "instance_id", "")
	w.amount(nil, "total", sign*ship.Total)
	w.amount(nil, "total_tax", sign*ship.Tax)
	w.name("taxes")
	w.taxes(o.TaxRate, sign*ship.Tax, 0, false)
	w.text(nil, "tax_status", "taxable")
	w.itemMeta(ship.ID, refunds)
	w.close('}')
}

func (w *writer) itemMeta(id, refunds int64) {
	w.name("meta_data")
	w.open('[')
	if refunds != 0 {
		w.refundedItem(id, refunds)
	}
	w.close(']')
}

func (w *writer) feeLine(o *simulator.Order, fee simulator.Fee, sign simulator.Amount, refunds int64) {
	w.open('{')
	w.integer(nil, "id", fee.ID)
	w.text(nil, "name", fee.Name)
	w.text(nil, "tax_class", "")
	w.text(nil, "tax_status", "taxable")
	w.amount(nil, "amount", sign*fee.Total)
	w.amount(nil, "total", sign*fee.Total)
	w.amount(nil, "total_tax", sign*fee.Tax)
	w.name("taxes")
	w.taxes(o.TaxRate, sign*fee.Tax, 0, false)
	w.itemMeta(fee.ID, refunds)
	w.close('}')
}

func (w *writer) couponLine(c *simulator.CouponUse) {
	nominal := float64(c.Nominal) / 100
	info := fmt.Sprintf("[%d,%q,%q,%s]", c.CouponID, c.Code, c.Kind, strconv.FormatFloat(nominal, 'f', -1, 64))
	w.open('{')
	w.integer(nil, "id", c.ID)
	w.text(nil, "code", c.Code)
	w.amount(nil, "discount", c.Discount)
	w.text(nil, "discount_tax", "0")
	w.name("meta_data")
	w.open('[')
	w.open('{')
	w.integer(nil, "id", 10*c.ID)
	for _, key := range []string{"key", "value", "display_key", "display_value"} {
		value := "coupon_info"
		if strings.HasSuffix(key, "value") {
			value = info
		}
		w.text(nil, key, value)
	}
	w.close('}')
	w.close(']')
	w.text(nil, "discount_type", c.Kind)
	w.name("nominal_amount")
	w.b = strconv.AppendFloat(w.b, nominal, 'f', -1, 64)
	w.flag(nil, "free_shipping", false)
	w.close('}')
}
