package csvfile

import (
	"fmt"

	"github.com/shopspring/decimal"

	"github.com/perennial-cvo/perennial/connectors/commerce"
)

// creditNote builds a refund that knows its person and not its order.
func (b *builder) creditNote(id string, c *cells, returned []item) error {
	r := back(id, c, returned)
	r.CustomerID, r.Email = c.settle("customer_id"), commerce.Email(c.settle("email"))
	if r.At = c.date("date"); r.At.IsZero() && c.err == nil {
		c.fail(fmt.Errorf("%s: no date", c.recs[0].place()))
	}
	if c.err != nil {
		return c.err
	}
	b.page.Records.Refunds = append(b.page.Records.Refunds, r)
	return nil
}

// linked builds the refunds of an order: its returned rows, and the amount that the order's own column states. Files
// that give no date to the latter have it at the time of the order.
func (b *builder) linked(o commerce.Order, c *cells, returned []item) error {
	var refunds []commerce.Refund
	if len(returned) > 0 {
		at := &cells{b: b, currency: o.Currency}
		for _, it := range returned {
			at.recs = append(at.recs, it.rec)
		}
		r := back(o.ID+":returns", c, returned)
		if r.At = at.date("date"); r.At.IsZero() {
			r.At = o.PlacedAt
		}
		c.fail(at.err)
		refunds = append(refunds, r)
	}
	if amount, ok := c.amount("refunded"); ok && !amount.IsZero() {
		r := commerce.Refund{ID: o.ID + ":refunded", Currency: o.Currency, Amount: amount.Abs(), At: c.date("refunded_at")}
		if r.At.IsZero() {
			r.At = o.PlacedAt
		}
		refunds = append(refunds, r)
	}
	for i := range refunds {
		refunds[i].OrderID = o.ID
	}
	b.page.Records.Refunds = append(b.page.Records.Refunds, refunds...)
	return c.err
}

// back sums up rows that came back. Rows that are orders may state tax and shipping beside the goods.
func back(id string, c *cells, returned []item) commerce.Refund {
	r := commerce.Refund{ID: id, Currency: c.currency}
	for _, it := range returned {
		r.Goods = r.Goods.Add(it.total)
		if c.b.table.Rows == rowsOrder {
			for field, part := range map[string]*decimal.Decimal{"shipping": &r.Shipping, "tax": &r.Tax, "fees": &r.Fees} {
				amount, _ := c.of(field, it.rec)
				*part = part.Add(amount)
			}
			continue
		}
		r.Lines = append(r.Lines, commerce.RefundLine{
			ProductID: it.rec.text("product_id"), Quantity: it.quantity.Abs(), Amount: it.total.Abs(),
		})
	}
	r.Goods, r.Shipping, r.Tax, r.Fees = r.Goods.Abs(), r.Shipping.Abs(), r.Tax.Abs(), r.Fees.Abs()
	r.Amount = r.Goods.Add(r.Shipping).Add(r.Tax).Add(r.Fees)
	return r
}
