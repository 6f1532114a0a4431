package csvfile

import (
	"fmt"
	"slices"
	"strconv"
	"strings"

	"github.com/shopspring/decimal"

	"github.com/perennial-cvo/perennial/connectors/commerce"
)

// cent is how far sums of rounded amounts may be apart and still be called equal.
var cent = decimal.New(1, -2)

// item is one row of an order as a line: before and after its own discount.
type item struct {
	rec             record
	quantity        decimal.Decimal
	subtotal, total decimal.Decimal
	cost            decimal.NullDecimal
}

// order builds an order of its rows with what came back, or, where all of them are returns, a refund of its own.
func (b *builder) order(id string, recs []record) error {
	recs = b.latest(recs)
	c := &cells{b: b, recs: recs}
	c.readCurrency()
	var sold, returned []item
	for _, rec := range recs {
		it := c.item(rec)
		back, err := b.isReturn(rec, it)
		if err != nil {
			return err
		}
		if back {
			returned = append(returned, it)
		} else {
			sold = append(sold, it)
		}
	}
	if c.err != nil {
		return c.err
	}
	if b.table.Returns == returnsLeaveOut {
		returned = nil
	}
	returned = b.unique(returned)
	switch {
	case len(sold) > 0:
		return b.sale(id, c, sold, returned)
	case len(returned) > 0:
		return b.creditNote(id, c, returned)
	default:
		return nil
	}
}

// latest settles orders that stand twice because exports of a shop overlap: the file that comes last by name counts. In a
// mapping of one's own, rows of one order from several files belong together.
func (b *builder) latest(recs []record) []record {
	last := recs[len(recs)-1]
	if len(b.table.marks) == 0 || b.table.Rows != rowsLine || last.file == recs[0].file {
		return recs
	}
	b.note("an order stands in several files; the last file counts", last)
	return slices.DeleteFunc(slices.Clone(recs), func(r record) bool { return r.file != last.file })
}

// unique drops returns that stand twice, at one time with one amount, because exports of a shop overlap.
func (b *builder) unique(returned []item) []item {
	if b.table.Rows != rowsOrder {
		return returned
	}
	var once []item
	for _, it := range returned {
		same := func(o item) bool {
			return o.rec.file != it.rec.file && o.total.Equal(it.total) && o.rec.text("date") == it.rec.text("date")
		}
		if slices.ContainsFunc(once, same) {
			b.note("a return stands in several files; it counts once", it.rec)
			continue
		}
		once = append(once, it)
	}
	return once
}

// item reads the row's own amounts.
func (c *cells) item(rec record) item {
	it := item{rec: rec, quantity: decimal.NewFromInt(1)}
	quantity, hasQuantity := c.of("quantity", rec)
	if hasQuantity {
		it.quantity = quantity
	}
	discount, _ := c.of("line_discount", rec)
	discount = discount.Abs()
	switch {
	case c.b.table.Rows == rowsOrder:
		it.subtotal = c.whole(rec)
	case c.b.table.Columns["line_total"] != "":
		total, _ := c.of("line_total", rec)
		it.subtotal = total.Add(discount)
	default:
		price, _ := c.of("unit_price", rec)
		it.subtotal = it.quantity.Mul(price)
	}
	it.total = it.subtotal.Sub(discount)
	if cost, ok := c.of("cost", rec); ok {
		it.cost = decimal.NewNullDecimal(cost.Mul(it.quantity))
	}
	return it
}

// whole returns the goods of a row that is an order: stated, or what the total leaves of them.
func (c *cells) whole(rec record) decimal.Decimal {
	if goods, ok := c.of("goods", rec); ok {
		return goods
	}
	discount, _ := c.of("discount", rec)
	if net, ok := c.of("net_goods", rec); ok {
		return net.Add(discount.Abs())
	}
	total, ok := c.of("total", rec)
	if !ok {
		c.fail(fmt.Errorf("%s: no amount", rec.place()))
	}
	for _, field := range []string{"shipping", "tax", "fees"} {
		part, _ := c.of(field, rec)
		total = total.Sub(part)
	}
	return total.Add(discount.Abs())
}

func (b *builder) isReturn(rec record, it item) (bool, error) {
	if it.subtotal.IsNegative() || it.quantity.IsNegative() {
		return true, nil
	}
	if len(b.table.CreditNotes) == 0 {
		return false, nil
	}
	return b.plan.kept(b.table.CreditNotes, rec)
}

// sale builds the order and the refunds that belong to it.
func (b *builder) sale(id string, c *cells, sold, returned []item) error {
	c.recs = nil
	for _, it := range sold {
		c.recs = append(c.recs, it.rec)
	}
	if b.table.Rows == rowsOrder && len(sold) > 1 {
		b.note("an order id stands in several rows; the last row counts", sold[len(sold)-1].rec)
		sold = sold[len(sold)-1:]
		c.recs = c.recs[len(c.recs)-1:]
	}
	o := commerce.Order{
		ID: id, Number: c.text("number"), Status: b.status(c), Currency: c.currency,
		CustomerID: c.settle("customer_id"), Email: commerce.Email(c.settle("email")),
		Country: c.text("country"), Region: c.text("region"), City: c.text("city"), Postcode: c.text("postcode"),
		PlacedAt: c.date("date"), PaidAt: c.date("paid_at"), Channel: c.text("channel"), Consent: c.consent(),
		Coupons: splitList(strings.ToLower(c.text("coupon"))),
	}
	if o.Number == "" {
		o.Number = id
	}
	o.FirstName, o.LastName = c.names()
	if o.PlacedAt.IsZero() && c.err == nil {
		c.fail(fmt.Errorf("%s: no date", c.recs[0].place()))
	}
	slices.Sort(o.Coupons)
	lines := b.lines(id, sold)
	c.ledger(&o, lines, sold)
	if c.err != nil {
		return c.err
	}
	b.page.Records.Lines = append(b.page.Records.Lines, lines...)
	b.page.Records.Orders = append(b.page.Records.Orders, o)
	b.page.Records.Complete = append(b.page.Records.Complete, id)
	return b.linked(o, c, returned)
}

// status returns the shop's own word.
func (b *builder) status(c *cells) string {
	if c.text("cancelled_at") != "" {
		return "cancelled"
	}
	if b.table.Columns["status"] == "" {
		return StatusPlaced
	}
	status := strings.ToLower(c.text("status"))
	if status == "" {
		return "none"
	}
	return strings.TrimPrefix(status, "wc-")
}

// lines builds the order's lines. Orders of one row have one only where the row says what was bought.
func (b *builder) lines(id string, sold []item) []commerce.Line {
	var lines []commerce.Line
	for i, it := range sold {
		line := commerce.Line{
			OrderID: id, ID: it.rec.text("line_id"), ProductID: it.rec.text("product_id"), SKU: it.rec.text("sku"),
			Name: it.rec.text("product"), Quantity: it.quantity, Subtotal: it.subtotal, Total: it.total, Cost: it.cost,
		}
		if b.table.Rows == rowsOrder && line.ProductID == "" && line.SKU == "" && line.Name == "" {
			continue
		}
		if line.ID == "" {
			line.ID = strconv.Itoa(i + 1)
		}
		lines = append(lines, line)
	}
	return lines
}

// ledger fills the order's amounts so that they add up, and spreads what concerns the whole order over its lines.
func (c *cells) ledger(o *commerce.Order, lines []commerce.Line, sold []item) {
	costs := true
	var cost, own decimal.Decimal
	for _, it := range sold {
		o.Goods = o.Goods.Add(it.subtotal)
		own = own.Add(it.subtotal.Sub(it.total))
		costs = costs && it.cost.Valid
		cost = cost.Add(it.cost.Decimal)
	}
	if costs {
		o.Cost = decimal.NewNullDecimal(cost)
	}
	o.Shipping, _ = c.amount("shipping")
	o.Tax, _ = c.amount("tax")
	o.Fees, _ = c.amount("fees")
	discount, _ := c.amount("discount")
	o.Discount = own.Add(discount.Abs())
	if net, ok := c.amount("net_goods"); ok {
		if o.Discount = o.Goods.Sub(net); o.Discount.IsNegative() {
			o.Goods, o.Discount = net, decimal.Zero
		}
	}
	sum := o.Goods.Sub(o.Discount).Add(o.Shipping).Add(o.Fees)
	total, stated := c.amount("total")
	if o.Total = total; !stated {
		o.Total = sum.Add(o.Tax)
	}
	included := o.Tax.IsPositive() && stated && near(sum, total) && !near(sum.Add(o.Tax), total)
	spread(lines, o.Discount.Sub(own), func(l *commerce.Line, part decimal.Decimal) { l.Total = l.Total.Sub(part) })
	if !included {
		return
	}
	// The prices include the tax: goods are without it.
	o.Goods = o.Goods.Sub(o.Tax)
	spread(lines, o.Tax, func(l *commerce.Line, part decimal.Decimal) {
		l.Tax, l.Subtotal, l.Total = part, l.Subtotal.Sub(part), l.Total.Sub(part)
	})
}

func near(a, b decimal.Decimal) bool { return a.Sub(b).Abs().LessThanOrEqual(cent) }

// spread divides an amount over the lines by their subtotals, to four digits, and gives the last line the rest.
func spread(lines []commerce.Line, whole decimal.Decimal, give func(*commerce.Line, decimal.Decimal)) {
	var sum decimal.Decimal
	for _, l := range lines {
		sum = sum.Add(l.Subtotal)
	}
	if whole.IsZero() || !sum.IsPositive() {
		return
	}
	shares, left := make([]decimal.Decimal, len(lines)), whole
	for i, l := range lines {
		shares[i] = whole.Mul(l.Subtotal).Div(sum).Round(4)
		left = left.Sub(shares[i])
	}
	shares[len(shares)-1] = shares[len(shares)-1].Add(left)
	for i := range lines {
		give(&lines[i], shares[i])
	}
}
