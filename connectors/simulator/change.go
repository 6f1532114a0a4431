package simulator

import (
	"encoding/json"
	"slices"
	"time"

	"github.com/perennial-cvo/perennial/connectors/commerce"
)

// OrderDraft is an order to be placed by hand. Lines with a Price of zero cost what the product costs.
type OrderDraft struct {
	CustomerID int64
	Email      string
	Billing    Address
	Status     string // "" means processing
	Currency   string // "" means the shop's
	Lines      []DraftLine
	Coupon     string
	Fee        Amount // negative for a discount
	Shipping   Amount
	At         time.Time // zero means now; in the past it is stored as placed and modified then, as imports do
}

// DraftLine is a line of a draft. The zero product is the first simple one on the shelf.
type DraftLine struct {
	ProductID int64 // or a variation
	Quantity  int64 // 0 means 1
	Price     Amount
}

// PlaceOrder places an order and returns its id. A draft without lines buys one of the first product.
func (s *Shop) PlaceOrder(d OrderDraft) (id int64) {
	s.change(func(now time.Time) {
		o := &Order{CustomerID: d.CustomerID, Email: d.Email, Billing: d.Billing, Currency: d.Currency, Status: d.Status, Via: "checkout", Payment: "stripe"}
		if o.Status == "" {
			o.Status = Processing
		}
		if o.Currency == "" {
			o.Currency = s.opts.Currency
		}
		o.TaxRate = taxOf(o.Billing)
		if len(d.Lines) == 0 {
			d.Lines = []DraftLine{{}}
		}
		for _, l := range d.Lines {
			o.Lines = append(o.Lines, s.draftLine(l))
		}
		if d.Coupon != "" {
			s.discount(o, d.Coupon)
		}
		if d.Fee != 0 {
			o.Fees = []Fee{{Name: "Fee", Total: d.Fee}}
		}
		o.Shipping.Total = d.Shipping
		if !d.At.IsZero() {
			now = d.At.UTC().Truncate(time.Second)
		}
		s.place(o, now)
		id = o.ID
	})
	return id
}

func (s *Shop) draftLine(d DraftLine) Line {
	p := s.products.get(d.ProductID)
	if p == nil {
		p = s.products.rows[slices.IndexFunc(s.products.rows, func(p *Product) bool { return !p.Variable })]
	}
	if d.Price == 0 {
		d.Price = p.Price
	}
	return s.line(p, max(d.Quantity, 1), d.Price)
}

// SetStatus changes the status of an order, as an admin does: the order counts as modified.
func (s *Shop) SetStatus(order int64, status string) {
	s.change(func(now time.Time) { s.setStatus(order, status, now) })
}

func (s *Shop) setStatus(id int64, status string, now time.Time) {
	s.editOrder(id, now, true, func(o *Order) {
		o.Status = status
		if status == Completed && o.CompletedAt.IsZero() {
			o.CompletedAt = now
		}
		if (status == Completed || status == Processing) && o.PaidAt.IsZero() && o.Payment != "cod" {
			o.PaidAt = now
		}
	})
}

// TouchOrders saves orders without changing them, as a bulk edit does: all count as modified at the same second.
func (s *Shop) TouchOrders(orders ...int64) {
	s.change(func(now time.Time) {
		for _, id := range orders {
			s.editOrder(id, now, true, func(*Order) {})
		}
	})
}

// EditOrder changes an order; it counts as modified. What the function reaches through slices it must copy first.
func (s *Shop) EditOrder(order int64, f func(*Order)) {
	s.change(func(now time.Time) { s.editOrder(order, now, true, f) })
}

// EditOrderSilently changes an order without a trace in its modification time, as other programs do in the database.
// What the function reaches through slices it must copy first.
func (s *Shop) EditOrderSilently(order int64, f func(*Order)) {
	s.change(func(now time.Time) { s.editOrder(order, now, false, f) })
}

// Refund gives back everything that is left of an order, which becomes refunded. It returns the refund's id, or 0 where
// nothing was left. The order counts as modified.
func (s *Shop) Refund(order int64) (id int64) {
	s.change(func(now time.Time) { id = s.refundAll(order, "", now) })
	return id
}

// RefundUnits gives back units of one line and returns the refund's id, or 0 where so many are not left.
func (s *Shop) RefundUnits(order, line, units int64) (id int64) {
	s.change(func(now time.Time) { id = s.refundUnits(order, line, units, now) })
	return id
}

// RefundAmount gives back money without naming lines and returns the refund's id, or 0 where so much is not left.
func (s *Shop) RefundAmount(order int64, amount Amount) (id int64) {
	s.change(func(now time.Time) { id = s.refundMoney(order, amount, "Goodwill", now) })
	return id
}

// DeleteRefund takes a refund away. The order does not count as modified.
func (s *Shop) DeleteRefund(order, refund int64) {
	s.change(func(now time.Time) {
		s.editOrder(order, now, false, func(o *Order) {
			o.Refunds = slices.DeleteFunc(slices.Clone(o.Refunds), func(r Refund) bool { return r.ID == refund })
		})
	})
}

// EditLineSilently sets the quantity of an order's first line at its old unit price. The order does not count as
// modified, as when somebody saves the items alone.
func (s *Shop) EditLineSilently(order, quantity int64) {
	s.change(func(now time.Time) {
		s.editOrder(order, now, false, func(o *Order) {
			o.Lines = slices.Clone(o.Lines)
			l := &o.Lines[0]
			unit := func(a Amount) Amount { return a * Amount(quantity) / Amount(l.Quantity) }
			l.Subtotal, l.Total, l.Cost = unit(l.Subtotal), unit(l.Total), unit(l.Cost)
			l.SubtotalTax, l.TotalTax = o.TaxRate.of(l.Subtotal), o.TaxRate.of(l.Total)
			l.Quantity = quantity
		})
	})
}

// TrashOrder moves an order into the trash: it counts as modified.
func (s *Shop) TrashOrder(order int64) { s.change(func(now time.Time) { s.trash(order, now) }) }

func (s *Shop) trash(id int64, now time.Time) {
	if o := s.orders.get(id); o == nil || o.Status == Trash {
		return
	}
	s.editOrder(id, now, true, func(o *Order) { o.TrashedFrom, o.TrashedAt, o.Status = o.Status, now, Trash })
}

// UntrashOrder takes an order out of the trash: it counts as modified.
func (s *Shop) UntrashOrder(order int64) {
	s.change(func(now time.Time) {
		if o := s.orders.get(order); o != nil && o.Status == Trash {
			s.editOrder(order, now, true, func(o *Order) { o.Status, o.TrashedFrom, o.TrashedAt = o.TrashedFrom, "", time.Time{} })
		}
	})
}

// ForceDeleteOrder removes an order for good, with its refunds.
func (s *Shop) ForceDeleteOrder(order int64) { s.change(func(time.Time) { s.orders.drop(order) }) }

// DeleteCustomer removes an account. Its orders become a guest's and count as modified; their e-mail stays.
// It reports whether the account was there.
func (s *Shop) DeleteCustomer(customer int64) (found bool) {
	s.change(func(now time.Time) {
		if found = s.customers.drop(customer); !found {
			return
		}
		for _, p := range s.people {
			if p.Account == customer {
				p.Account = 0
			}
		}
		for _, o := range slices.Clone(s.orders.rows) {
			if o.CustomerID == customer {
				s.editOrder(o.ID, now, true, func(o *Order) { o.CustomerID = 0 })
			}
		}
	})
	return found
}

// RegisterGuest makes an account for an e-mail and returns its id, or the id of the one that is there. Where link is
// set, the shop gives the account the guest's old orders, which count as modified.
func (s *Shop) RegisterGuest(email string, link bool) (id int64) {
	s.change(func(now time.Time) {
		if c := s.accountOf(email); c != nil {
			id = c.ID
			return
		}
		for _, p := range s.people {
			if commerce.Email(p.Email) == commerce.Email(email) {
				id = s.registerGuest(p, now, link)
				return
			}
		}
		id = s.registerGuest(&person{Email: email}, now, link)
	})
	return id
}

func (s *Shop) registerGuest(p *person, now time.Time, link bool) int64 {
	c := s.register(p, now)
	for _, id := range s.mails[c.Email] {
		o := s.orders.get(id)
		if link && o != nil && o.CustomerID == 0 && commerce.Email(o.Email) == c.Email {
			s.editOrder(o.ID, now, true, func(o *Order) { o.CustomerID = c.ID })
		}
	}
	return c.ID
}

func (s *Shop) accountOf(email string) *Customer {
	email = commerce.Email(email)
	if c := s.customers.get(s.accounts[email]); c != nil && c.Email == email {
		return c
	}
	return nil
}

// EditCustomer changes an account; it counts as modified. It reports whether the account is there.
func (s *Shop) EditCustomer(customer int64, f func(*Customer)) (found bool) {
	s.changeAfter(0, func(now time.Time) {
		edited := s.customers.edit(customer, func(c *Customer) {
			c.Meta = slices.Clone(c.Meta)
			f(c)
			c.ModifiedAt = s.stamp(now)
		})
		if found = edited != nil; found {
			s.accounts[edited.Email] = edited.ID
		}
	})
	return found
}

// SetCustomerMeta writes one named value on an account, or takes it away where value is null; the account counts as
// modified.
func (s *Shop) SetCustomerMeta(customer int64, key string, value json.RawMessage) bool {
	id := s.NextMetaID()
	return s.EditCustomer(customer, func(c *Customer) { c.SetMeta(Meta{ID: id, Key: key, Value: value}) })
}

// SetMeta writes one value; a value with the same key keeps its id. Null takes it away.
func (c *Customer) SetMeta(m Meta) {
	i := slices.IndexFunc(c.Meta, func(have Meta) bool { return have.Key == m.Key })
	switch {
	case string(m.Value) == "null" && i >= 0:
		c.Meta = slices.Delete(c.Meta, i, i+1)
	case string(m.Value) == "null":
	case i >= 0:
		c.Meta[i].Value = m.Value
	default:
		c.Meta = append(c.Meta, m)
	}
}

// NextMetaID returns an id for a new meta row.
func (s *Shop) NextMetaID() int64 {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.lastMeta++
	return s.lastMeta
}

// AddReview stores a review and returns its id; the product counts as modified.
func (s *Shop) AddReview(v Review) (id int64) {
	s.change(func(now time.Time) { id = s.addReview(&v, now) })
	return id
}

// ChangeReviewStatus changes a review, which has no modification time; the product counts as modified.
func (s *Shop) ChangeReviewStatus(id int64, status string) {
	s.change(func(now time.Time) {
		if v := s.reviews.edit(id, func(v *Review) { v.Status = status }); v != nil {
			s.touchProduct(v.ProductID, now)
		}
	})
}

// DeleteReview removes a review for good.
func (s *Shop) DeleteReview(id int64) { s.change(func(time.Time) { s.reviews.drop(id) }) }

// EditProduct changes a product; it counts as modified. Orders keep what they say of it.
func (s *Shop) EditProduct(id int64, f func(*Product)) {
	s.change(func(now time.Time) {
		s.products.edit(id, func(p *Product) { f(p); p.ModifiedAt = s.stamp(now) })
	})
}

// ForceDeleteProduct removes a product with its variations and reviews. Order lines lose its id and SKU, and the orders
// do not count as modified.
func (s *Shop) ForceDeleteProduct(id int64) {
	s.change(func(now time.Time) {
		for _, p := range slices.Clone(s.products.rows) {
			if p.ID == id || p.ParentID == id {
				s.products.drop(p.ID)
			}
		}
		for _, v := range slices.Clone(s.reviews.rows) {
			if v.ProductID == id {
				s.reviews.drop(v.ID)
			}
		}
		for _, o := range slices.Clone(s.orders.rows) {
			if slices.ContainsFunc(o.Lines, func(l Line) bool { return l.ProductID == id }) {
				s.editOrder(o.ID, now, false, func(o *Order) { o.Lines = without(o.Lines, id) })
			}
		}
	})
}

func without(lines []Line, product int64) []Line {
	lines = slices.Clone(lines)
	for i := range lines {
		if lines[i].ProductID == product {
			lines[i].ProductID, lines[i].VariationID, lines[i].SKU = 0, 0, ""
		}
	}
	return lines
}
