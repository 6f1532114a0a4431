package shopify

import (
	"context"
	"fmt"
	"strings"

	"github.com/goccy/go-json"
	"github.com/shopspring/decimal"

	"github.com/perennial-cvo/perennial/connectors"
	"github.com/perennial-cvo/perennial/connectors/commerce"
)

type refundedOrder struct {
	ID            string            `json:"id"`
	TaxesIncluded bool              `json:"taxesIncluded"`
	Refunds       []json.RawMessage `json:"refunds"`
}

type refundNode struct {
	ID          string             `json:"id"`
	CreatedAt   string             `json:"createdAt"`
	ProcessedAt string             `json:"processedAt"`
	Note        string             `json:"note"`
	Amount      bag                `json:"totalRefundedSet"`
	Duties      []dutyNode         `json:"duties"`
	Lines       list[refundLine]   `json:"refundLineItems"`
	Shipping    list[refundedPart] `json:"refundShippingLines"`
	Adjusted    list[adjustment]   `json:"orderAdjustments"`
}

type dutyNode struct {
	Amount bag `json:"amountSet"`
}

type refundLine struct {
	Quantity int64  `json:"quantity"`
	Restock  string `json:"restockType"`
	Amount   bag    `json:"subtotalSet"`
	Tax      bag    `json:"totalTaxSet"`
	Item     struct {
		ID      string     `json:"id"`
		Product ref        `json:"product"`
		Variant variantRef `json:"variant"`
	} `json:"lineItem"`
}

type refundedPart struct {
	Amount bag `json:"subtotalAmountSet"`
	Tax    bag `json:"taxAmountSet"`
}

type adjustment struct {
	Reason string `json:"reason"`
	Amount bag    `json:"amountSet"`
	Tax    bag    `json:"taxAmountSet"`
}

// addRefunds asks what was given back of orders, and puts it into the page.
func (s *source) addRefunds(ctx context.Context, orders []string, page *connectors.Page) error {
	return s.byID(ctx, "order_refunds", orders, func(_ string, raw []byte) error {
		return s.readRefunds(ctx, raw, page)
	})
}

func (s *source) readRefunds(ctx context.Context, raw []byte, page *connectors.Page) error {
	if isNull(raw) {
		return nil // deleted meanwhile
	}
	var order refundedOrder
	if err := decode(raw, &order); err != nil {
		page.Rejected = append(page.Rejected, (&unreadable{cause: fmt.Errorf("refunds: %w", err)}).reject(raw))
		return nil //nolint:nilerr // set aside with its reason
	}
	for _, raw := range order.Refunds {
		var n refundNode
		err := decode(raw, &n)
		if err == nil {
			err = s.whole(ctx, &n)
			if err != nil {
				return err
			}
		}
		var f commerce.Refund
		if err == nil {
			f, err = refundOf(&n, tail(order.ID), order.TaxesIncluded)
		}
		if err != nil {
			bad := &unreadable{id: tail(order.ID), cause: fmt.Errorf("refund: %w", err)}
			page.Rejected = append(page.Rejected, bad.reject(raw))
			continue
		}
		page.Records.Refunds = append(page.Records.Refunds, f)
	}
	return nil
}

// whole reads what the first page of a refund's lists has not held.
func (s *source) whole(ctx context.Context, n *refundNode) (err error) {
	if n.Lines.Nodes, err = rest(ctx, s, "refund_lines", "refundLineItems", n.ID, n.Lines); err != nil {
		return err
	}
	if n.Shipping.Nodes, err = rest(ctx, s, "refund_shipping", "refundShippingLines", n.ID, n.Shipping); err != nil {
		return err
	}
	n.Adjusted.Nodes, err = rest(ctx, s, "refund_adjustments", "orderAdjustments", n.ID, n.Adjusted)
	return err
}

// refundOf turns a refund over. Units that were taken out of an order by editing are a refund of goods without an amount.
func refundOf(n *refundNode, order string, included bool) (commerce.Refund, error) {
	r := &returned{included: included}
	f := commerce.Refund{
		OrderID: order, ID: tail(n.ID), At: r.moment("processedAt", n.ProcessedAt), Reason: n.Note,
		Currency: strings.ToUpper(n.Amount.Shop.Currency), Amount: r.amount("totalRefundedSet", n.Amount.Shop.Amount),
	}
	if f.At.IsZero() {
		f.At = r.moment("createdAt", n.CreatedAt)
	}
	f.Cost.Valid = len(n.Lines.Nodes) > 0
	for i := range n.Lines.Nodes {
		l, cost := r.line(&n.Lines.Nodes[i])
		f.Lines, f.Goods = append(f.Lines, l), f.Goods.Add(l.Amount)
		f.Cost.Decimal, f.Cost.Valid = f.Cost.Decimal.Add(cost.Decimal), f.Cost.Valid && cost.Valid
	}
	if !f.Cost.Valid {
		f.Cost = decimal.NullDecimal{}
	}
	for _, s := range n.Shipping.Nodes {
		f.Shipping = f.Shipping.Add(r.net("refundShippingLines", s.Amount, s.Tax))
	}
	for _, d := range n.Duties {
		f.Fees = f.Fees.Add(r.amount("duties", d.Amount.Shop.Amount))
	}
	r.adjust(&f, n.Adjusted.Nodes)
	f.Tax = r.tax
	switch {
	case f.ID == "":
		return f, missing("id")
	case r.err == nil && f.At.IsZero():
		return f, missing("processedAt")
	case r.err == nil && !currencyCode.MatchString(f.Currency):
		return f, missing("totalRefundedSet.shopMoney.currencyCode")
	}
	return f, r.err
}

// returned reads the parts of a refund and adds up their taxes.
type returned struct {
	values
	included bool // prices contain their tax
	tax      decimal.Decimal
}

// net returns a price without its tax.
func (r *returned) net(field string, price, tax bag) decimal.Decimal {
	whole, part := r.amount(field, price.Shop.Amount), r.amount(field, tax.Shop.Amount)
	r.tax = r.tax.Add(part)
	if r.included {
		return whole.Sub(part)
	}
	return whole
}

// line is what was given back of one line of the order. What was not put back on the shelf brought no cost back.
func (r *returned) line(n *refundLine) (commerce.RefundLine, decimal.NullDecimal) {
	l := commerce.RefundLine{
		LineID: tail(n.Item.ID), ProductID: tail(n.Item.Product.ID), VariantID: variantID(n.Item.Variant.ID),
		Quantity: decimal.NewFromInt(n.Quantity), Amount: r.net("refundLineItems", n.Amount, n.Tax),
	}
	if n.Restock == "NO_RESTOCK" {
		return l, decimal.NullDecimal{Valid: true}
	}
	return l, n.Item.Variant.cost(l.Quantity, &r.values)
}

// adjust takes in what was given back more, or less, than lines and shipping come to: the shop writes it below zero
// where it is more. A refund without lines is an amount alone, of which only the tax is known.
func (r *returned) adjust(f *commerce.Refund, all []adjustment) {
	for _, a := range all {
		amount, tax := r.amount("orderAdjustments", a.Amount.Shop.Amount), r.amount("orderAdjustments", a.Tax.Shop.Amount)
		if a.Reason == "PENDING_REFUND_DISCREPANCY" {
			continue // it will be given back yet
		}
		r.tax = r.tax.Sub(tax)
		if len(f.Lines) > 0 {
			f.Goods = decimal.Max(f.Goods.Sub(amount), decimal.Decimal{})
		}
	}
}
