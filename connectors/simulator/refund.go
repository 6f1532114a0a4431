package simulator

import "time"

// The ways in which money goes back.
const (
	refundPart = iota
	refundFull
	refundAmount
	refundTwice
)

func (s *Shop) giveBack(e event) {
	o := s.orders.get(e.Order)
	if o == nil || o.Status != Completed || o.Total() == 0 {
		return
	}
	switch e.Person {
	case refundFull:
		s.refundAll(o.ID, "", e.At)
	case refundAmount:
		s.refundMoney(o.ID, min(s.price(5), o.Total()), "Goodwill", e.At)
	case refundTwice:
		s.refundUnits(o.ID, o.Lines[0].ID, 1, e.At)
		s.push(event{At: e.At.Add(50 * time.Hour), Kind: giveBack, Order: o.ID, Person: refundAmount})
	default:
		s.refundUnits(o.ID, o.Lines[len(o.Lines)-1].ID, 1, e.At)
	}
}

// left is what of a line was not refunded yet.
func (o *Order) left(l Line) (quantity int64, total, tax, cost Amount) {
	quantity, total, tax, cost = l.Quantity, l.Total, l.TotalTax, l.Cost
	for _, r := range o.Refunds {
		for _, back := range r.Lines {
			if back.LineID == l.ID {
				quantity, total, tax, cost = quantity-back.Quantity, total-back.Total, tax-back.Tax, cost-back.Cost
			}
		}
	}
	return quantity, total, tax, cost
}

// refundUnits gives back so many units of one line; 0 means that nothing was left to give back.
func (s *Shop) refundUnits(order, line, units int64, now time.Time) int64 {
	o := s.orders.get(order)
	if o == nil {
		return 0
	}
	for _, l := range o.Lines {
		quantity, total, tax, cost := o.left(l)
		if l.ID != line || quantity < units || units <= 0 {
			continue
		}
		back := RefundLine{LineID: l.ID, Quantity: units, HasCost: l.HasCost}
		back.Total, back.Tax, back.Cost = total*Amount(units)/Amount(quantity), tax*Amount(units)/Amount(quantity), cost*Amount(units)/Amount(quantity)
		if back.Total+back.Tax > o.Total()-o.RefundedAmount() {
			return 0
		}
		return s.addRefund(o, Refund{Amount: back.Total + back.Tax, Lines: []RefundLine{back}}, now)
	}
	return 0
}

// refundMoney gives back an amount without naming lines.
func (s *Shop) refundMoney(order int64, amount Amount, reason string, now time.Time) int64 {
	o := s.orders.get(order)
	if o == nil || amount <= 0 || amount > o.Total()-o.RefundedAmount() {
		return 0
	}
	return s.addRefund(o, Refund{Amount: amount, Reason: reason}, now)
}

// refundAll gives back everything that is left, line by line where nothing was given back before.
func (s *Shop) refundAll(order int64, reason string, now time.Time) int64 {
	o := s.orders.get(order)
	if o == nil {
		return 0
	}
	rest := o.Total() - o.RefundedAmount()
	if rest <= 0 {
		return 0
	}
	r := Refund{Amount: rest, Reason: reason, Full: true}
	if len(o.Refunds) == 0 {
		for _, l := range o.Lines {
			r.Lines = append(r.Lines, RefundLine{LineID: l.ID, Quantity: l.Quantity, Total: l.Total, Tax: l.TotalTax, Cost: l.Cost, HasCost: l.HasCost})
		}
		for _, f := range o.Fees {
			r.Fees = append(r.Fees, RefundFee{FeeID: f.ID, Total: f.Total, Tax: f.Tax})
		}
		r.Shipping = RefundFee{FeeID: o.Shipping.ID, Total: o.Shipping.Total, Tax: o.Shipping.Tax}
	}
	id := s.addRefund(o, r, now)
	s.setStatus(order, Refunded, now)
	return id
}

func (s *Shop) addRefund(o *Order, r Refund, now time.Time) int64 {
	s.lastPost++
	r.ID, r.At = s.lastPost, now
	for i := range r.Lines {
		s.lastItem++
		r.Lines[i].ID = s.lastItem
	}
	for i := range r.Fees {
		s.lastItem++
		r.Fees[i].ID = s.lastItem
	}
	s.lastItem += 2
	r.Shipping.ID, r.TaxItem = s.lastItem-1, s.lastItem
	s.lastMeta += 50
	r.MetaID = s.lastMeta
	s.editOrder(o.ID, now, true, func(o *Order) { o.Refunds = append(o.Refunds[:len(o.Refunds):len(o.Refunds)], r) })
	return r.ID
}
