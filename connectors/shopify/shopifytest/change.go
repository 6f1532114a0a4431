package shopifytest

import (
	"slices"
	"time"

	"github.com/shopspring/decimal"

	"github.com/perennial-cvo/perennial/connectors/simulator"
)

// mark changes what is kept of an order, which counts as updated.
func (s *Server) mark(order int64, change func(*orderMarks)) {
	s.kept.mu.Lock()
	m := s.kept.orders[order]
	change(&m)
	s.kept.orders[order] = m
	s.kept.mu.Unlock()
	s.shop.TouchOrders(order)
}

// MarkTest makes an order a test order.
func (s *Server) MarkTest(order int64) { s.mark(order, func(m *orderMarks) { m.test = true }) }

// IncludeTaxes makes the prices of an order contain their taxes.
func (s *Server) IncludeTaxes(order int64) { s.mark(order, func(m *orderMarks) { m.included = true }) }

// SellGiftCard makes a line of an order the sale of a gift card.
func (s *Server) SellGiftCard(order, line int64) {
	s.mark(order, func(m *orderMarks) {
		gifts := map[int64]bool{line: true}
		for id := range m.gifts {
			gifts[id] = true
		}
		m.gifts = gifts
	})
}

// Present makes the buyer of an order have seen and paid another currency, of which so many units are one of the shop's.
func (s *Server) Present(order int64, currency string, rate decimal.Decimal) {
	s.mark(order, func(m *orderMarks) { m.shown, m.rate = currency, rate })
}

// RemoveLine takes what is left of a line out of an order by editing it: a refund without money tells of it.
func (s *Server) RemoveLine(order, line int64) {
	now := s.shop.Now()
	s.mark(order, func(m *orderMarks) {
		m.removed = append(slices.Clone(m.removed), removal{id: s.kept.next(), line: line, at: now})
	})
}

// Merge makes two customers one, as the shop does: the loser is gone without an event, the survivor has the tags of both
// and the orders, which do not count as updated, and goes on saying how many orders it had before.
func (s *Server) Merge(loser, survivor int64) {
	gone := s.shop.Customer(loser)
	if gone == nil || s.shop.Customer(survivor) == nil || loser == survivor {
		return
	}
	before := s.kept.tally(survivor).count
	s.kept.mu.Lock()
	s.kept.quiet[loser], s.kept.frozen[survivor] = true, before
	s.kept.mu.Unlock()
	for _, o := range s.shop.Orders() {
		if o.CustomerID == loser {
			s.shop.EditOrderSilently(o.ID, func(o *simulator.Order) { o.CustomerID = survivor })
		}
	}
	s.editCustomer(survivor, func(c *simulator.Customer) {
		var more []any
		for _, tag := range tagsOfCustomer(gone) {
			more = append(more, tag)
		}
		setTags(c, mergeTags(tagsOfCustomer(c), more))
	})
	s.shop.DeleteCustomer(loser)
}

// Redact erases who a customer is: name, addresses and e-mail, on orders too, which count as updated.
func (s *Server) Redact(customer int64) {
	s.editCustomer(customer, func(c *simulator.Customer) {
		c.Email, c.FirstName, c.LastName, c.Billing = "", "", "", simulator.Address{}
	})
	for _, o := range s.shop.Orders() {
		if o.CustomerID == customer {
			s.shop.EditOrder(o.ID, func(o *simulator.Order) { o.Email, o.Billing = "", simulator.Address{} })
		}
	}
}

// Mask hides from the app who customers are, or shows it again: what it may not see is null.
func (s *Server) Mask(masked bool) {
	s.kept.mu.Lock()
	defer s.kept.mu.Unlock()
	s.kept.masked = masked
}

// SetTags gives a customer these tags and no others, as a merchant may.
func (s *Server) SetTags(customer int64, tags ...string) {
	given := make([]any, len(tags))
	for i, tag := range tags {
		given[i] = tag
	}
	s.editCustomer(customer, func(c *simulator.Customer) { setTags(c, mergeTags(nil, given)) })
	s.kept.mu.Lock()
	defer s.kept.mu.Unlock()
	s.kept.learn(s.Tags(customer))
}

// Tags are the tags of a customer.
func (s *Server) Tags(customer int64) []string {
	if c := s.shop.Customer(customer); c != nil {
		return tagsOfCustomer(c)
	}
	return nil
}

// SetMetafield writes a metafield of a customer, as a merchant or another app may.
func (s *Server) SetMetafield(customer int64, namespace, key, typ, value string) {
	s.writeField(fieldInput{owner: gid("Customer", customer), namespace: namespace, key: key, typ: typ, value: value})
}

// Metafields are the values of a customer in one namespace, by key.
func (s *Server) Metafields(customer int64, namespace string) map[string]string {
	fields := map[string]string{}
	if c := s.shop.Customer(customer); c != nil {
		for _, m := range fieldsOfCustomer(c) {
			if m.Namespace == namespace {
				fields[m.Key] = m.Value
			}
		}
	}
	return fields
}

// Segments are the conditions of all segments, by name.
func (s *Server) Segments() map[string]string {
	all := map[string]string{}
	for _, g := range s.allSegments() {
		all[g.name] = g.query
	}
	return all
}

// MakeSegment makes a segment, as a merchant may.
func (s *Server) MakeSegment(name, query string) {
	s.kept.mu.Lock()
	defer s.kept.mu.Unlock()
	now := s.shop.Now()
	s.kept.segments = append(s.kept.segments, segment{id: s.kept.next(), name: s.kept.freeName(name, 0), query: query, created: now, edited: now})
}

// Definitions are the types of the metafields of customers that are defined in a namespace, by key.
func (s *Server) Definitions(namespace string) map[string]string {
	all := map[string]string{}
	for _, d := range s.allDefinitions() {
		if d.owner == "CUSTOMER" && d.namespace == namespace {
			all[d.key] = d.typ
		}
	}
	return all
}

// SetConsent sets what the shop knows of marketing by e-mail to a customer, in the words of the schema, such as
// "SUBSCRIBED". The customer counts as updated.
func (s *Server) SetConsent(customer int64, state string) {
	now := s.shop.Now()
	s.kept.mu.Lock()
	s.kept.consents[customer] = consent{state, now}
	s.kept.mu.Unlock()
	s.editCustomer(customer, func(*simulator.Customer) {})
}

// SetUnitCost sets what a unit of a product or variation costs the shop. Its inventory item counts as updated, the
// product does not.
func (s *Server) SetUnitCost(product int64, cost simulator.Amount) {
	before := s.shop.Product(product)
	if before == nil {
		return
	}
	shown := s.kept.updated(before)
	s.shop.EditProduct(product, func(p *simulator.Product) { p.Cost, p.HasCost = cost, true })
	s.kept.mu.Lock()
	defer s.kept.mu.Unlock()
	s.kept.costs[product] = costed{at: s.shop.Now().Truncate(time.Second), hides: s.shop.Product(product).ModifiedAt, shown: shown}
}
