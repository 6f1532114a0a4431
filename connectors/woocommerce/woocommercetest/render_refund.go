package woocommercetest

import (
	"slices"
	"strconv"

	"github.com/perennial-cvo/perennial/connectors/simulator"
)

// refund writes a refund; only the list of all refunds names the parent.
func (s *Server) refund(w *writer, o *simulator.Order, r *simulator.Refund, f fields, parent, single bool) {
	w.open('{')
	w.integer(f, "id", r.ID)
	if parent {
		w.integer(f, "parent_id", o.ID)
	}
	w.moment(f, "date_created", r.At)
	w.amount(f, "amount", r.Amount)
	w.text(f, "reason", r.Reason)
	w.integer(f, "refunded_by", 1)
	w.flag(f, "refunded_payment", false)
	if w.list(f, "meta_data") {
		kind := "partial"
		if r.Full {
			kind = "full"
		}
		w.raw(`[{"id":` + strconv.FormatInt(r.MetaID, 10) + `,"key":"_refund_type","value":"` + kind + `"}]`)
	}
	s.refundItems(w, o, r, f)
	if s.costs() && w.key(f, "cost_of_goods_sold") {
		w.raw(`{"value":`)
		w.number(-r.Cost(), 1)
		w.close('}')
	}
	if _, wanted := f["_links"]; single || f == nil || wanted {
		order := s.api("/orders/" + strconv.FormatInt(o.ID, 10))
		w.links(order+"/refunds/"+strconv.FormatInt(r.ID, 10), order+"/refunds", "GET, DELETE", link{"up", order, false})
	}
	w.close('}')
}

func (s *Server) refundItems(w *writer, o *simulator.Order, r *simulator.Refund, f fields) {
	var cart simulator.Amount
	for _, l := range r.Lines {
		cart += l.Tax
	}
	for _, fee := range r.Fees {
		cart += fee.Tax
	}
	if w.list(f, "line_items") {
		w.open('[')
		for _, back := range r.Lines {
			i := slices.IndexFunc(o.Lines, func(l simulator.Line) bool { return l.ID == back.LineID })
			line := simulator.Line{HasCost: back.HasCost}
			if i >= 0 {
				line = o.Lines[i]
			}
			w.item(s, o, &line, item{
				id: back.ID, sign: -1, quantity: back.Quantity, subtotal: back.Total, subtotalTax: back.Tax,
				total: back.Total, totalTax: back.Tax, cost: back.Cost, refunds: back.LineID,
			})
		}
		w.close(']')
	}
	if w.list(f, "shipping_lines") {
		w.open('[')
		if r.Shipping.FeeID != 0 {
			w.shippingLine(o, simulator.Shipping{ID: r.Shipping.ID, Total: r.Shipping.Total, Tax: r.Shipping.Tax}, -1, r.Shipping.FeeID)
		}
		w.close(']')
	}
	if w.list(f, "tax_lines") {
		w.open('[')
		if o.TaxRate.ID != 0 && len(r.Lines) > 0 {
			w.taxLine(o.TaxRate, r.TaxItem, -cart, -r.Shipping.Tax)
		}
		w.close(']')
	}
	if w.list(f, "fee_lines") {
		w.open('[')
		for _, fee := range r.Fees {
			w.feeLine(o, simulator.Fee{ID: fee.ID, Name: "Fee", Total: fee.Total, Tax: fee.Tax}, -1, fee.FeeID)
		}
		w.close(']')
	}
}
