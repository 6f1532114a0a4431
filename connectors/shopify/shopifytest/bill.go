package shopifytest

import (
	"slices"

	"github.com/perennial-cvo/perennial/connectors/simulator"
)

// bill is an order of the simulator as Shopify adds it up. Taxes are never in these amounts; gross puts them in where the
// shop's prices contain them.
type bill struct {
	included bool
	rate     simulator.TaxRate
	apps     []application
	lines    []billLine
	refunds  []billRefund

	goods, discount, tax  simulator.Amount // of the lines
	shipping, shippingTax simulator.Amount // after shippingOff
	shippingOff           simulator.Amount // what of an order's discount the goods had no room for
	fees, feeTax          simulator.Amount
}

// application is a discount of the order: a code, or a manual one where code is empty.
type application struct {
	code, title string
}

// billLine is a line: before and after discount, and what each application took off.
type billLine struct {
	simulator.Line
	net, tax, was simulator.Amount // was is the tax before discount
	off           []simulator.Amount
	gift          bool
	back, removed int64 // units given back, units taken out by editing
}

// billRefund is one refund: lines, shipping, and the adjustment that leads to its amount.
type billRefund struct {
	simulator.Refund
	parts                 []billPart
	shipping, shippingTax simulator.Amount
	fees, feeTax          simulator.Amount
	adjustment            simulator.Amount // given back beyond all of these
	edit                  bool
}

type billPart struct {
	id, line, quantity int64
	net, tax           simulator.Amount
}

// total is what the buyer paid or has to.
func (b *bill) total() simulator.Amount { return b.subtotal() + b.taxes() + b.shipping + b.fees }

// subtotal are the goods after discount, without tax.
func (b *bill) subtotal() simulator.Amount { return b.goods - b.discount }

// taxes are all taxes of the order.
func (b *bill) taxes() simulator.Amount { return b.tax + b.shippingTax + b.feeTax }

// gross is an amount as it is shown: with its tax where prices contain them.
func (b *bill) gross(net, tax simulator.Amount) simulator.Amount {
	if b.included {
		return net + tax
	}
	return net
}

// refunded is what was given back so far.
func (b *bill) refunded() (sum simulator.Amount) {
	for _, r := range b.refunds {
		sum += r.Amount
	}
	return sum
}

func makeBill(o *simulator.Order, m orderMarks) *bill {
	b := &bill{included: m.included, rate: o.TaxRate, shipping: o.Shipping.Total, shippingTax: o.Shipping.Tax}
	for _, use := range o.Coupons {
		b.apps = append(b.apps, application{code: use.Code})
	}
	manual := b.manualNeeded(o)
	if manual >= 0 {
		b.apps = append(b.apps, application{title: b.manualTitle(o)})
	}
	off := b.feesOf(o)
	shares, taxShares := b.spreadOff(o, off)
	budgets := make([]simulator.Amount, len(o.Coupons))
	for i, use := range o.Coupons {
		budgets[i] = use.Discount
	}
	for i, l := range o.Lines {
		line := billLine{Line: l, net: l.Total - shares[i], tax: l.TotalTax - taxShares[i], was: l.SubtotalTax, gift: m.gifts[l.ID]}
		line.off = make([]simulator.Amount, len(b.apps))
		coupon := b.gross(l.Subtotal, l.SubtotalTax) - b.gross(l.Total, l.TotalTax)
		b.allot(line.off, coupon, budgets)
		if manual >= 0 {
			line.off[manual] += b.gross(shares[i], taxShares[i])
		}
		b.goods += l.Subtotal
		b.discount += l.Subtotal - line.net
		b.tax += line.tax
		b.lines = append(b.lines, line)
	}
	b.giveBack(o, m)
	return b
}

// manualNeeded is the place of the manual discount among the applications, or -1 where there is none: negative fees are
// one, and what no code explains.
func (b *bill) manualNeeded(o *simulator.Order) int {
	needed := len(o.Coupons) == 0 && o.Discount() != 0
	for _, f := range o.Fees {
		needed = needed || f.Total < 0
	}
	if !needed {
		return -1
	}
	return len(o.Coupons)
}

func (b *bill) manualTitle(o *simulator.Order) string {
	for _, f := range o.Fees {
		if f.Total < 0 {
			return f.Name
		}
	}
	return "Discount"
}

// feesOf adds up the positive fees and returns what the negative ones take off, positive, as a fee.
func (b *bill) feesOf(o *simulator.Order) (off simulator.Fee) {
	for _, f := range o.Fees {
		if f.Total >= 0 {
			b.fees, b.feeTax = b.fees+f.Total, b.feeTax+f.Tax
			continue
		}
		off.Total, off.Tax = off.Total-f.Total, off.Tax-f.Tax
	}
	return off
}

// spreadOff takes the discount of the order off its lines, and off its shipping where the lines have no room.
func (b *bill) spreadOff(o *simulator.Order, off simulator.Fee) (shares, taxes []simulator.Amount) {
	net, tax := make([]simulator.Amount, len(o.Lines)), make([]simulator.Amount, len(o.Lines))
	for i, l := range o.Lines {
		net[i], tax[i] = l.Total, l.TotalTax
	}
	shares, rest := spread(off.Total, net)
	b.shippingOff = min(rest, b.shipping)
	b.shipping -= b.shippingOff
	taxes, rest = spread(off.Tax, tax)
	b.shippingTax -= min(rest, b.shippingTax)
	return shares, taxes
}

// allot shares what codes took off a line among them: to each what its code took in all, and the rest to the last.
func (b *bill) allot(off []simulator.Amount, sum simulator.Amount, budgets []simulator.Amount) {
	for i := range budgets {
		part := sum
		if i < len(budgets)-1 {
			part = max(0, min(sum, budgets[i]))
		}
		off[i] += part
		budgets[i] -= part
		sum -= part
	}
	if len(off) > 0 {
		off[len(off)-1] += sum
	}
}

// giveBack makes the refunds: those of the simulator, and one without money for each line that was taken out.
func (b *bill) giveBack(o *simulator.Order, m orderMarks) {
	for _, r := range o.Refunds {
		b.refunds = append(b.refunds, b.refund(r))
	}
	for _, gone := range m.removed {
		i := slices.IndexFunc(b.lines, func(l billLine) bool { return l.ID == gone.line })
		if i < 0 {
			continue
		}
		l := &b.lines[i]
		part := billPart{id: gone.id, line: gone.line, quantity: l.Quantity - l.back, net: l.net, tax: l.tax}
		for _, r := range b.refunds {
			for _, p := range r.parts {
				if p.line == gone.line {
					part.net, part.tax = part.net-p.net, part.tax-p.tax
				}
			}
		}
		l.removed = part.quantity
		b.refunds = append(b.refunds, billRefund{Refund: simulator.Refund{ID: gone.id, At: gone.at}, parts: []billPart{part}, edit: true})
	}
}

func (b *bill) refund(r simulator.Refund) billRefund {
	made := billRefund{Refund: r, shipping: r.Shipping.Total, shippingTax: r.Shipping.Tax}
	net, tax := make([]simulator.Amount, len(r.Lines)), make([]simulator.Amount, len(r.Lines))
	for i, l := range r.Lines {
		net[i], tax[i] = l.Total, l.Tax
	}
	var off simulator.Fee
	for _, f := range r.Fees {
		if f.Total > 0 {
			made.fees, made.feeTax = made.fees+f.Total, made.feeTax+f.Tax
			continue
		}
		off.Total, off.Tax = off.Total-f.Total, off.Tax-f.Tax
	}
	shares, rest := spread(off.Total, net)
	made.shipping -= min(rest, made.shipping)
	taxes, rest := spread(off.Tax, tax)
	made.shippingTax -= min(rest, made.shippingTax)
	made.adjustment = r.Amount - made.shipping - made.shippingTax - made.fees - made.feeTax
	for i, l := range r.Lines {
		p := billPart{id: l.ID, line: l.LineID, quantity: l.Quantity, net: l.Total - shares[i], tax: l.Tax - taxes[i]}
		made.parts = append(made.parts, p)
		made.adjustment -= p.net + p.tax
		if j := slices.IndexFunc(b.lines, func(l billLine) bool { return l.ID == p.line }); j >= 0 {
			b.lines[j].back += p.quantity
		}
	}
	return made
}

// line finds a line by its id.
func (b *bill) line(id int64) (billLine, bool) {
	i := slices.IndexFunc(b.lines, func(l billLine) bool { return l.ID == id })
	if i < 0 {
		return billLine{}, false
	}
	return b.lines[i], true
}
