package shopifytest

import (
	"strconv"
	"strings"

	"github.com/shopspring/decimal"

	"github.com/perennial-cvo/perennial/connectors/simulator"
)

func (r *orderRecord) lineItems() []*object {
	list := make([]*object, 0, len(r.order.Lines))
	for _, l := range r.bill().lines {
		list = append(list, r.lineItem(l))
	}
	return list
}

func (r *orderRecord) lineItem(l billLine) *object {
	return &object{typ: "LineItem", id: gid("LineItem", l.ID), record: l, fill: func() map[string]resolver {
		fields := values(r.lineFacts(l))
		for name, f := range r.lineAmounts(l) {
			fields[name] = f
		}
		fields["product"] = needs("read_products", "product", func(c *call, _ map[string]any) (any, error) {
			return maybe(r.server.productByID(c, l.ProductID)), nil
		})
		fields["variant"] = needs("read_products", "variant", func(c *call, _ map[string]any) (any, error) {
			return maybe(r.server.variantByID(c, variantOf(l.Line))), nil
		})
		return fields
	}}
}

// variantOf is the variant that a line sold: of a simple product the only one, which has the product's number.
func variantOf(l simulator.Line) int64 {
	if l.VariationID != 0 {
		return l.VariationID
	}
	return l.ProductID
}

func (r *orderRecord) lineFacts(l billLine) map[string]any {
	title, variant, vendor := l.Name, any(nil), any(nil)
	if l.ParentName != "" {
		title = l.ParentName
		variant = variantTitle(l.Options)
	}
	if p := r.server.shop.Product(l.ProductID); p != nil && p.Brand != "" {
		vendor = p.Brand
	}
	name := title
	if text, ok := variant.(string); ok {
		name += " - " + text
	}
	current := l.Quantity - l.back - l.removed
	return map[string]any{
		"title": title, "name": name, "variantTitle": variant, "vendor": vendor, "sku": orNull(l.SKU), "quantity": l.Quantity,
		"currentQuantity": current, "refundableQuantity": current, "isGiftCard": l.gift, "requiresShipping": !l.gift, "taxable": l.was != 0,
		"unfulfilledQuantity": int64(0), "nonFulfillableQuantity": int64(0), "restockable": false, "merchantEditable": false, "customAttributes": []any{},
		"duties": []any{}, "weight": nil, "image": nil, "sellingPlan": nil, "contract": nil, "staffMember": nil,
	}
}

// variantTitle is what of a variant was chosen.
func variantTitle(options []simulator.Option) string {
	chosen := make([]string, len(options))
	for i, o := range options {
		chosen[i] = o.Value
	}
	return strings.Join(chosen, " / ")
}

func (r *orderRecord) lineAmounts(l billLine) map[string]resolver {
	b, t := r.bill(), r.till
	whole, left := b.gross(l.Subtotal, l.was), b.gross(l.net, l.tax)
	var codes, manual simulator.Amount
	for i, off := range l.off {
		if b.apps[i].code != "" {
			codes += off
		} else {
			manual += off
		}
	}
	unit := func(a simulator.Amount) simulator.Amount {
		return simulator.Amount(decimal.NewFromInt(int64(a)).DivRound(decimal.NewFromInt(max(l.Quantity, 1)), 0).IntPart())
	}
	fields := values(map[string]any{
		"originalUnitPriceSet": t.bag(unit(whole)), "originalUnitPrice": t.plain(unit(whole)), "originalTotalSet": t.bag(whole), "originalTotal": t.plain(whole),
		"discountedUnitPriceAfterAllDiscountsSet": t.bag(unit(left)), "discountedUnitPriceSet": t.bag(unit(whole)), "totalDiscountSet": t.bag(codes + manual),
		"totalDiscount": t.plain(codes + manual), "taxLines": t.taxLines(b.rate, l.tax), "priceAfterAllDiscountsBeforeTaxesSet": t.bag(l.net),
	})
	// Discounts of the whole order are never in this, and codes only where they are asked for.
	fields["discountedTotalSet"] = func(_ *call, args map[string]any) (any, error) {
		if with, _ := args["withCodeDiscounts"].(bool); with {
			return t.bag(whole - codes), nil
		}
		return t.bag(whole), nil
	}
	fields["discountAllocations"] = value(r.allocations(l.off))
	return fields
}

// allocations are what each discount took off.
func (r *orderRecord) allocations(off []simulator.Amount) []*object {
	list, apps := []*object{}, r.applications()
	for i, a := range off {
		if a != 0 {
			list = append(list, simple("DiscountAllocation", map[string]any{
				"allocatedAmountSet": r.till.bag(a), "allocatedAmount": r.till.money(a), "discountApplication": apps[i],
			}))
		}
	}
	return list
}

// applications are the discounts of the order.
func (r *orderRecord) applications() []*object {
	var list []*object
	for i, a := range r.bill().apps {
		fields := map[string]any{
			"index": int64(i), "allocationMethod": "ACROSS", "targetSelection": "ALL", "targetType": "LINE_ITEM",
			"value": r.till.money(r.bill().worth(i)),
		}
		if a.code != "" {
			fields["code"] = a.code
			list = append(list, simple("DiscountCodeApplication", fields))
			continue
		}
		fields["title"], fields["description"] = a.title, a.title
		list = append(list, simple("ManualDiscountApplication", fields))
	}
	return list
}

// worth is what a discount took off all lines.
func (b *bill) worth(app int) (sum simulator.Amount) {
	for _, l := range b.lines {
		sum += l.off[app]
	}
	return sum
}

// shippingLine is the shipping of an order.
func (r *orderRecord) shippingLine() *object {
	b, t := r.bill(), r.till
	id, whole, left := r.order.Shipping.ID, b.gross(b.shipping+b.shippingOff, b.shippingTax), b.gross(b.shipping, b.shippingTax)
	off := make([]simulator.Amount, len(b.apps))
	if b.shippingOff > 0 {
		off[len(off)-1] = b.shippingOff
	}
	title := "Standard"
	if whole == 0 {
		title = "Free shipping"
	}
	return simple("ShippingLine", map[string]any{
		"id": "gid://shopify/ShippingLine/" + strconv.FormatInt(id, 10), "title": title, "code": title, "source": "shopify", "custom": false,
		"isRemoved": false, "carrierIdentifier": nil, "deliveryCategory": nil, "phone": nil,
		"originalPriceSet": t.bag(whole), "price": t.plain(whole), "discountedPriceSet": t.bag(left), "currentDiscountedPriceSet": t.bag(left),
		"taxLines": t.taxLines(b.rate, b.shippingTax), "discountAllocations": r.allocations(off),
	})
}
