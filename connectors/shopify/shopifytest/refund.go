package shopifytest

import (
	"strconv"
	"time"

	"github.com/shopspring/decimal"

	"github.com/perennial-cvo/perennial/connectors/simulator"
)

func (r *orderRecord) refundList() []*object {
	list := []*object{}
	for i, f := range r.bill().refunds {
		list = append(list, r.refund(f, i))
	}
	return list
}

func (r *orderRecord) refund(f billRefund, place int) *object {
	t := r.till
	return &object{typ: "Refund", id: gid("Refund", f.ID), record: f, changed: f.At, fill: func() map[string]resolver {
		fields := values(map[string]any{
			"legacyResourceId": strconv.FormatInt(f.ID, 10), "createdAt": f.At, "processedAt": f.At, "updatedAt": f.At, "note": orNull(f.Reason),
			"totalRefundedSet": t.bag(f.Amount), "totalRefunded": t.money(f.Amount), "return": nil, "staffMember": nil, "duties": r.duties(f),
			"refundLineItems":     &connection{typ: "RefundLineItem", items: func() []*object { return r.refundLines(f) }},
			"refundShippingLines": &connection{typ: "RefundShippingLine", items: func() []*object { return r.refundShipping(f) }},
			"orderAdjustments":    &connection{typ: "OrderAdjustment", items: func() []*object { return r.adjustments(f) }},
			"transactions": &connection{typ: "OrderTransaction", items: func() []*object {
				if f.Amount == 0 {
					return nil
				}
				return []*object{r.refundTransaction(f, place)}
			}},
		})
		fields["order"] = func(*call, map[string]any) (any, error) { return r.server.order(r.order), nil }
		return fields
	}}
}

func (r *orderRecord) refundLines(f billRefund) []*object {
	var list []*object
	b, t := r.bill(), r.till
	for _, p := range f.parts {
		restock, back := "RETURN", b.gross(p.net, p.tax)
		if f.edit {
			restock = "CANCEL"
		}
		var item any
		if l, ok := b.line(p.line); ok {
			item = r.lineItem(l)
		}
		list = append(list, &object{typ: "RefundLineItem", id: gid("RefundLineItem", p.id), plain: map[string]any{
			"quantity": p.quantity, "restockType": restock, "restocked": true, "location": nil, "lineItem": item,
			"subtotalSet": t.bag(back), "subtotal": t.plain(back), "totalTaxSet": t.bag(p.tax), "totalTax": t.plain(p.tax),
			"priceSet": t.bag(back / simulator.Amount(max(p.quantity, 1))),
		}})
	}
	return list
}

func (r *orderRecord) refundShipping(f billRefund) []*object {
	if f.shipping == 0 && f.shippingTax == 0 {
		return nil
	}
	return []*object{{typ: "RefundShippingLine", id: gid("RefundShippingLine", f.ID), plain: map[string]any{
		"subtotalAmountSet": r.till.bag(r.bill().gross(f.shipping, f.shippingTax)), "taxAmountSet": r.till.bag(f.shippingTax),
		"shippingLine": r.shippingLine(),
	}}}
}

// duties are fees that were given back: a refund has no other place for them, and none for their tax.
func (r *orderRecord) duties(f billRefund) []*object {
	if f.fees == 0 {
		return []*object{}
	}
	return []*object{simple("RefundDuty", map[string]any{"amountSet": r.till.bag(f.fees), "originalDuty": nil})}
}

// adjustments are what was given back beyond the lines, shipping and fees, such as goodwill, and the tax of fees. The
// shop writes them below zero.
func (r *orderRecord) adjustments(f billRefund) []*object {
	if f.adjustment == 0 && f.feeTax == 0 {
		return nil
	}
	return []*object{{typ: "OrderAdjustment", id: gid("OrderAdjustment", f.ID), plain: map[string]any{
		"amountSet": r.till.bag(-f.adjustment), "taxAmountSet": r.till.bag(-f.feeTax), "reason": "REFUND_DISCREPANCY",
	}}}
}

// transactions are what was paid and given back.
func (r *orderRecord) transactions() []*object {
	list := []*object{}
	if r.bill().total() > 0 {
		switch o := r.order; {
		case r.received():
			list = append(list, r.payment())
		case o.Status == simulator.Failed:
			list = append(list, r.transaction(o.ID*10, map[string]any{
				"kind": "SALE", "status": "FAILURE", "processedAt": o.PlacedAt, "errorCode": "CARD_DECLINED",
			}, r.bill().total()))
		}
	}
	for i, f := range r.bill().refunds {
		if f.Amount > 0 {
			list = append(list, r.refundTransaction(f, i))
		}
	}
	return list
}

// payment is what was paid for the order.
func (r *orderRecord) payment() *object {
	return r.transaction(r.order.ID*10, map[string]any{"kind": "SALE", "status": "SUCCESS", "processedAt": r.paidAt()}, r.bill().total())
}

// paidAt is when the order was paid: on delivery, where nothing was paid before.
func (r *orderRecord) paidAt() time.Time {
	if r.order.PaidAt.IsZero() {
		return later(r.order.CompletedAt, r.order.PlacedAt)
	}
	return r.order.PaidAt
}

func (r *orderRecord) refundTransaction(f billRefund, place int) *object {
	return r.transaction(r.order.ID*10+1+int64(place), map[string]any{
		"kind": "REFUND", "status": "SUCCESS", "processedAt": f.At,
		"parentTransaction": r.payment(),
	}, f.Amount)
}

func (r *orderRecord) transaction(id int64, what map[string]any, a simulator.Amount) *object {
	fields := map[string]any{
		"gateway": r.gateway(), "formattedGateway": r.gateway(), "test": r.marks.test, "errorCode": nil, "parentTransaction": nil, "amountSet": r.till.bag(a),
		"amount": r.till.plain(a), "createdAt": what["processedAt"], "fees": []*object{}, "manualPaymentGateway": false, "multiCapturable": false,
		"manuallyCapturable": false, "accountNumber": nil, "paymentId": nil, "receiptJson": nil,
	}
	for name, v := range what {
		fields[name] = v
	}
	if r.gateway() == "shopify_payments" && what["kind"] == "SALE" && what["status"] == "SUCCESS" {
		fields["fees"] = []*object{r.fee(id, a)}
	}
	return &object{typ: "OrderTransaction", id: gid("OrderTransaction", id), plain: fields}
}

// fee is what the platform keeps of a payment: 2.9 per cent and 30 of the smallest units.
func (r *orderRecord) fee(id int64, a simulator.Amount) *object {
	kept := decimal.NewFromInt(int64(a)).Mul(decimal.New(29, -3)).Round(0).IntPart() + 30
	return &object{typ: "TransactionFee", id: gid("TransactionFee", id), plain: map[string]any{
		"type": "processing_fee", "rate": "0.029", "rateName": nil, "flatFeeName": nil, "flatFee": r.till.money(30),
		"amount": r.till.money(simulator.Amount(kept)), "taxAmount": r.till.money(0),
	}}
}
