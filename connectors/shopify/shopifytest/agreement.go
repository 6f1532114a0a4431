package shopifytest

import "github.com/perennial-cvo/perennial/connectors/simulator"

// agreements are what the buyer and the shop agreed on: the order, and each refund or edit after it, with their sales.
func (r *orderRecord) agreements() []*object {
	b := r.bill()
	sales := []*object{}
	for i, l := range b.lines {
		sales = append(sales, r.sale(l.ID*10, "ORDER", l.Quantity, amounts{l.net, l.tax, b.lineOff(i)}, r.lineItem(l)))
	}
	if b.shipping != 0 {
		sales = append(sales, r.shippingSale(r.order.Shipping.ID*10, "ORDER", b.shipping, b.shippingTax))
	}
	list := []*object{r.agreement("OrderAgreement", r.order.ID, map[string]any{"happenedAt": r.order.PlacedAt, "reason": "ORDER"}, sales)}
	for i, f := range b.refunds {
		facts := map[string]any{"happenedAt": f.At, "reason": "REFUND", "refund": r.refund(f, i)}
		typ := "RefundAgreement"
		if f.edit {
			typ = "OrderEditAgreement"
			facts["reason"] = "ORDER_EDIT"
			delete(facts, "refund")
		}
		list = append(list, r.agreement(typ, f.ID, facts, r.returns(f)))
	}
	return list
}

// amounts are what one sale comes to.
type amounts struct{ net, tax, off simulator.Amount }

func (b *bill) lineOff(line int) simulator.Amount {
	return b.lines[line].Subtotal - b.lines[line].net
}

// agreement is one; its global id does not tell its kind.
func (r *orderRecord) agreement(typ string, id int64, facts map[string]any, sales []*object) *object {
	facts["app"], facts["user"] = nil, nil
	facts["sales"] = &connection{typ: "Sale", items: func() []*object { return sales }}
	return &object{typ: typ, id: gid("SalesAgreement", id), fields: values(facts)}
}

// returns are the sales of a refund, all negative.
func (r *orderRecord) returns(f billRefund) []*object {
	var list []*object
	for _, p := range f.parts {
		if l, ok := r.bill().line(p.line); ok {
			list = append(list, r.sale(p.id*10+1, "RETURN", -p.quantity, amounts{net: -p.net, tax: -p.tax}, r.lineItem(l)))
		}
	}
	if f.shipping != 0 {
		list = append(list, r.shippingSale(f.Shipping.ID*10+2, "RETURN", -f.shipping, -f.shippingTax))
	}
	if rest := f.adjustment + f.fees + f.feeTax; rest != 0 {
		fields := r.saleFacts("RETURN", amounts{net: -rest})
		fields["lineType"], fields["quantity"] = "ADJUSTMENT", nil
		list = append(list, &object{typ: "AdjustmentSale", id: gid("Sale", f.ID*10+3), plain: fields})
	}
	return list
}

func (r *orderRecord) saleFacts(action string, a amounts) map[string]any {
	return map[string]any{
		"actionType": action, "taxes": []any{}, "totalAmount": r.till.bag(a.net + a.tax), "totalTaxAmount": r.till.bag(a.tax),
		"totalDiscountAmountBeforeTaxes": r.till.bag(a.off), "totalDiscountAmountAfterTaxes": r.till.bag(a.off),
	}
}

func (r *orderRecord) sale(id int64, action string, quantity int64, a amounts, line *object) *object {
	fields := r.saleFacts(action, a)
	fields["lineType"], fields["quantity"], fields["lineItem"] = "PRODUCT", quantity, line
	return &object{typ: "ProductSale", id: gid("Sale", id), plain: fields}
}

func (r *orderRecord) shippingSale(id int64, action string, net, tax simulator.Amount) *object {
	fields := r.saleFacts(action, amounts{net: net, tax: tax})
	fields["lineType"], fields["quantity"], fields["shippingLine"] = "SHIPPING", nil, r.shippingLine()
	return &object{typ: "ShippingLineSale", id: gid("Sale", id), plain: fields}
}
