package postgres_test

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"testing"
	"time"

	"github.com/shopspring/decimal"
	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	"github.com/perennial-cvo/perennial/connectors"
	"github.com/perennial-cvo/perennial/connectors/commerce"
	"github.com/perennial-cvo/perennial/sync/postgres"
)

// chronicle is a shop as an oracle sees it: people as world has them, and the money that they brought, straight from the
// definition.
type chronicle struct {
	world
	refunds map[string][]commerce.Refund // by order
	loose   map[string]commerce.Refund
	policy  postgres.Policy
	zone    string
}

func newChronicle() *chronicle {
	return &chronicle{
		world:   world{customers: map[string]string{}, deleted: map[string]bool{}, orders: map[string]commerce.Order{}, shared: map[string]bool{}},
		refunds: map[string][]commerce.Refund{}, loose: map[string]commerce.Refund{}, policy: euros(), zone: "Europe/Berlin",
	}
}

// rate is what one unit of a currency is worth on the local day of a moment.
func (c *chronicle) rate(currency string, at time.Time) (decimal.Decimal, bool) {
	if currency == c.policy.Currency {
		return money("1"), true
	}
	zone, err := commerce.Location(c.zone)
	if err != nil {
		panic(err)
	}
	best, found := postgres.Rate{}, false
	for _, r := range c.policy.Rates {
		if r.Currency == currency && r.From <= at.In(zone).Format(time.DateOnly) && (!found || r.From > best.From) {
			best, found = r, true
		}
	}
	if !found {
		return decimal.Decimal{}, false
	}
	return money(best.Rate), true
}

func (c *chronicle) parts(goods, tax, shipping decimal.Decimal) decimal.Decimal {
	if c.policy.IncludeTax {
		goods = goods.Add(tax)
	}
	if c.policy.IncludeShipping {
		goods = goods.Add(shipping)
	}
	return goods
}

func (c *chronicle) loss(f commerce.Refund, rate decimal.Decimal) decimal.Decimal {
	rest := f.Amount.Sub(f.Goods).Sub(f.Shipping).Sub(f.Fees).Sub(f.Tax)
	return c.parts(f.Goods.Add(decimal.Max(decimal.Zero, rest)), f.Tax, f.Shipping).Mul(rate).Round(4)
}

// tally is what one person brought.
type tally struct {
	orders      int
	first, last string
	gross, net  decimal.Decimal
}

func (t tally) String() string {
	return fmt.Sprintf("%d %s %s %s %s", t.orders, t.first, t.last, t.gross, t.net)
}

// tallies sums up everybody as of a moment, by the name that groups gives them. The empty name is nobody's.
func (c *chronicle) tallies(asOf time.Time) map[string]*tally {
	zone, _ := commerce.Location(c.zone)
	all := map[string]*tally{}
	of := func(name string) *tally {
		if all[name] == nil {
			all[name] = &tally{}
		}
		return all[name]
	}
	groups := c.groups()
	for id, o := range c.orders {
		rate, known := c.rate(o.Currency, o.PlacedAt)
		if !known || !c.policy.Statuses[o.Status] {
			continue
		}
		gross := c.parts(o.Goods.Sub(o.Discount), o.Tax, o.Shipping).Mul(rate).Round(4)
		back := decimal.Zero
		for _, f := range c.refunds[id] {
			if f.At.Before(asOf) {
				back = back.Add(c.loss(f, rate))
				of(groups[id]).net = of(groups[id]).net.Sub(c.loss(f, rate))
			}
		}
		if !o.PlacedAt.Before(asOf) {
			continue
		}
		t, day := of(groups[id]), o.PlacedAt.In(zone).Format(time.DateOnly)
		t.gross, t.net = t.gross.Add(gross), t.net.Add(gross)
		if gross.IsPositive() && back.GreaterThanOrEqual(gross) {
			continue
		}
		t.orders++
		if t.first == "" || day < t.first {
			t.first = day
		}
		t.last = max(t.last, day)
	}
	owner := c.owners()
	for _, f := range c.loose {
		if rate, known := c.rate(f.Currency, f.At); known && f.At.Before(asOf) {
			t := of(c.nameOf(owner, f.CustomerID, f.Email))
			t.net = t.net.Sub(c.loss(f, rate))
		}
	}
	return all
}

// owners says which account has an address.
func (c *chronicle) owners() map[string]string {
	owner := map[string]string{}
	probe := c.world
	probe.orders = maps.Clone(c.orders)
	for _, email := range []string{"a@example.com", "b@example.com", "c@example.com", "desk@example.com"} {
		probe.orders["probe"] = commerce.Order{ID: "probe", Email: email}
		if name := probe.groups()["probe"]; len(name) > 8 && name[:8] == "account " {
			owner[email] = name[8:]
		}
	}
	return owner
}

func (c *chronicle) nameOf(owner map[string]string, customer, email string) string {
	switch {
	case customer != "":
		return "account " + customer
	case email == "" || c.shared[email]:
		return ""
	case owner[email] != "":
		return "account " + owner[email]
	default:
		return "guest " + email
	}
}

// stored is person_stats by the name that the oracle gives each person.
func (s *shop) tallies(c *chronicle) map[string]*tally {
	s.t.Helper()
	named := map[int64]string{}
	groups := c.groups()
	for id, person := range s.groups() {
		named[person] = groups[id]
	}
	owner := c.owners()
	for _, line := range all[string](s, `SELECT id || ' ' || coalesce(person_id, 0) FROM refunds WHERE store_id = $1 AND order_id = ''`, s.id) {
		var id string
		var person int64
		_, err := fmt.Sscan(line, &id, &person)
		require.NoError(s.t, err)
		named[person] = c.nameOf(owner, c.loose[id].CustomerID, c.loose[id].Email)
	}
	stats, err := s.raw.Query(`SELECT person_id, orders, coalesce(first_day::text, ''), coalesce(last_day::text, ''), gross, net
		FROM person_stats WHERE store_id = $1`, s.id)
	require.NoError(s.t, err)
	defer func() { _ = stats.Close() }()
	got := map[string]*tally{}
	for stats.Next() {
		var person int64
		t := &tally{}
		require.NoError(s.t, stats.Scan(&person, &t.orders, &t.first, &t.last, &t.gross, &t.net))
		got[named[person]] = t
	}
	require.NoError(s.t, stats.Err())
	return got
}

func (s *shop) stats() []string {
	s.t.Helper()
	return all[string](s, `SELECT person_stats::text FROM person_stats WHERE store_id = $1 ORDER BY person_id`, s.id)
}

// TestMoneyIsAFunctionOfTheData makes random histories of accounts, guests, orders, refunds and rules, and holds what each
// person brought against the definition; what is kept up is what is made from scratch, and the bridge ends at its sum.
func TestMoneyIsAFunctionOfTheData(t *testing.T) {
	base := newShop(t)
	history := 0
	rapid.Check(t, func(rt *rapid.T) {
		history++
		s, c := base.another(fmt.Sprint("chronicle ", history)), newChronicle()
		require.NoError(rt, s.db.SetShop(context.Background(), s.id, commerce.Shop{Identity: fmt.Sprint(history), Currency: "EUR", TimeZone: c.zone}))
		day := 3
		for range rapid.IntRange(1, 10).Draw(rt, "steps") {
			s.live(rt, c)
			if !rapid.Bool().Draw(rt, "night") {
				continue
			}
			day += rapid.IntRange(0, 4).Draw(rt, "days")
			s.checkMoney(rt, c, at(day, 0))
		}
		s.checkMoney(rt, c, at(day, 0))
	})
}

// live is one thing that happens to a shop.
func (s *shop) live(rt *rapid.T, c *chronicle) {
	id := rapid.SampledFrom([]string{"1", "2", "3"})
	address := rapid.SampledFrom([]string{"", "a@example.com", "b@example.com", "c@example.com", "desk@example.com"})
	switch rapid.IntRange(0, 9).Draw(rt, "what") {
	case 0, 1:
		u := commerce.Customer{ID: id.Draw(rt, "id"), Email: address.Draw(rt, "email")}
		c.customers[u.ID] = u.Email
		delete(c.deleted, u.ID)
		s.put(commerce.Customers, customers(u))
	case 2:
		gone := id.Draw(rt, "gone")
		c.deleted[gone] = true
		s.page(commerce.Customers, connectors.Increment, connectors.Page{Deleted: []string{gone}})
	case 3:
		s.drawPolicy(rt, c, address.Draw(rt, "shared"))
	case 4:
		gone := rapid.SampledFrom([]string{"1", "2", "3", "4", "5"}).Draw(rt, "gone order")
		delete(c.orders, gone)
		s.page(commerce.Orders, connectors.Increment, connectors.Page{Deleted: []string{gone}})
	case 5:
		c.zone = rapid.SampledFrom([]string{"Europe/Berlin", "+05:30", "America/New_York", "-03:30"}).Draw(rt, "zone")
		identity := one[string](s, `SELECT identity FROM stores WHERE store_id = $1`, s.id)
		require.NoError(rt, s.db.SetShop(context.Background(), s.id, commerce.Shop{Identity: identity, Currency: "EUR", TimeZone: c.zone}))
	case 6:
		f := drawRefund(rt)
		f.ID = rapid.SampledFrom([]string{"x", "y"}).Draw(rt, "loose")
		f.CustomerID, f.Email = rapid.SampledFrom([]string{"", "1"}).Draw(rt, "to"), address.Draw(rt, "email")
		f.Currency = rapid.SampledFrom([]string{"EUR", "USD"}).Draw(rt, "currency")
		if len(c.orders) == 0 && f.CustomerID != "" {
			return
		}
		c.loose[f.ID] = f
		s.put(commerce.Orders, commerce.Batch{Refunds: []commerce.Refund{f}})
	default:
		s.drawOrders(rt, c, address)
	}
}

func (s *shop) drawPolicy(rt *rapid.T, c *chronicle, shared string) {
	c.policy, c.shared = euros(), map[string]bool{}
	if shared != "" {
		c.policy.SharedEmails, c.shared[shared] = []string{shared}, true
	}
	c.policy.IncludeTax, c.policy.IncludeShipping = rapid.Bool().Draw(rt, "tax"), rapid.Bool().Draw(rt, "shipping")
	c.policy.Statuses["cancelled"] = rapid.Bool().Draw(rt, "cancelled")
	if rapid.Bool().Draw(rt, "rates") {
		c.policy.Rates = []postgres.Rate{{Currency: "USD", From: "2026-03-02", Rate: "0.9"}, {Currency: "USD", From: "2026-03-04", Rate: "0.77777"}}
	}
	_, err := s.db.SavePolicy(context.Background(), s.id, c.policy)
	require.NoError(rt, err)
}

func drawRefund(rt *rapid.T) commerce.Refund {
	f := commerce.Refund{At: at(rapid.IntRange(1, 8).Draw(rt, "refund day"), 23), Currency: "EUR"}
	switch rapid.IntRange(0, 3).Draw(rt, "refund of") {
	case 0: // an amount without parts
		f.Amount = money("4.5")
	case 1: // shipping only
		f.Amount, f.Shipping, f.Tax = money("2.38"), money("2"), money("0.38")
	case 2:
		f.Amount, f.Goods, f.Tax = money("3.57"), money("3"), money("0.57")
	default: // all of it
		f.Amount, f.Goods, f.Shipping, f.Tax = money("14.28"), money("10"), money("2"), money("2.28")
	}
	return f
}

func (s *shop) drawOrders(rt *rapid.T, c *chronicle, address *rapid.Generator[string]) {
	var b commerce.Batch
	for range rapid.IntRange(1, 3).Draw(rt, "n") {
		o := order(fmt.Sprint(rapid.IntRange(1, 5).Draw(rt, "order")), rapid.SampledFrom([]string{"", "1", "2", "3"}).Draw(rt, "account"), address.Draw(rt, "email"))
		o.PlacedAt = at(rapid.IntRange(1, 8).Draw(rt, "day"), rapid.SampledFrom([]int{0, 12, 23}).Draw(rt, "hour"))
		o.Status = rapid.SampledFrom([]string{"completed", "completed", "cancelled", "strange"}).Draw(rt, "status")
		o.Currency = rapid.SampledFrom([]string{"EUR", "EUR", "USD"}).Draw(rt, "currency")
		o.Shipping, o.Tax, o.Total = money("2"), money("2.28"), money("14.28")
		c.orders[o.ID], c.refunds[o.ID] = o, nil
		for i := range rapid.IntRange(0, 2).Draw(rt, "refunds") {
			f := drawRefund(rt)
			f.OrderID, f.ID, f.Currency = o.ID, fmt.Sprint(i), o.Currency
			c.refunds[o.ID] = append(c.refunds[o.ID], f)
		}
		one := whole(o)
		one.Refunds = c.refunds[o.ID]
		b.Orders, b.Lines, b.Complete = slices.DeleteFunc(b.Orders, func(p commerce.Order) bool { return p.ID == o.ID }), append(b.Lines, one.Lines...), append(b.Complete, o.ID)
		b.Refunds = append(slices.DeleteFunc(b.Refunds, func(f commerce.Refund) bool { return f.OrderID == o.ID }), one.Refunds...)
		b.Orders = append(b.Orders, o)
	}
	s.put(commerce.Orders, b)
}

func (s *shop) checkMoney(rt *rapid.T, c *chronicle, asOf time.Time) {
	ctx := context.Background()
	sameGroups(rt, c.groups(), s.groups())
	_, err := s.Refresh(ctx, asOf, false)
	require.NoError(rt, err)
	kept := s.stats()
	s.checkPurchases(rt, asOf)
	s.checkPeople(rt)
	want, got := c.tallies(asOf), s.tallies(c)
	delete(want, "") // nobody's
	for name, t := range got {
		if t.orders == 0 && t.gross.IsZero() && t.net.IsZero() && want[name] == nil {
			delete(got, name) // who brought nothing may be there or not
		}
	}
	sum := decimal.Zero
	for _, name := range slices.Sorted(maps.Keys(want)) {
		require.NotNil(rt, got[name], "%s brought %s", name, want[name])
		require.Equal(rt, want[name].String(), got[name].String(), name)
		sum = sum.Add(want[name].net)
	}
	require.Len(rt, got, len(want))
	_, err = s.Refresh(ctx, asOf, true)
	require.NoError(rt, err)
	require.Equal(rt, s.stats(), kept, "kept up and from scratch")
	bridge, err := s.Bridge(ctx, asOf)
	require.NoError(rt, err)
	require.Equal(rt, sum.String(), bridge[len(bridge)-1].Amount.String(), "the end of the bridge")
}
