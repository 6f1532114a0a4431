package shopifytest_test

import (
	"testing"

	"github.com/shopspring/decimal"
	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	"github.com/perennial-cvo/perennial/connectors/commerce"
	"github.com/perennial-cvo/perennial/connectors/shopify/shopifytest"
	"github.com/perennial-cvo/perennial/connectors/simulator"
)

// counted are the simulator's statuses that a Shopify shop counts as paid.
var counted = simulator.Policy{Counting: []string{simulator.Processing, simulator.Completed, simulator.Refunded}}

// TestTruthIsTheSimulatorsInOtherWords holds sums and counts of the truth against the simulator's own oracle.
func TestTruthIsTheSimulatorsInOtherWords(t *testing.T) {
	for name, opts := range map[string]simulator.Options{
		"dollars": {Seed: 2, Customers: 300, Orders: 1200},
		"yen":     {Seed: 3, Customers: 100, Orders: 400, Currency: "JPY", TimeZone: "Asia/Tokyo"},
		"dinars":  {Seed: 4, Customers: 100, Orders: 400, Currency: "KWD"},
	} {
		t.Run(name, func(t *testing.T) {
			shop := simulator.New(opts)
			want, got := shop.Oracle(counted), shopifytest.Truth(shop)
			require.Equal(t, want.Counted, got.Counted)
			require.Equal(t, want.SetAside, got.SetAside)
			require.Equal(t, want.Unattributed, got.Unattributed)
			require.True(t, want.Gross.Equal(got.Gross), "%s %s", want.Gross, got.Gross)
			require.True(t, want.Net.Equal(got.Net), "%s %s", want.Net, got.Net)
			require.Len(t, got.Customers, len(want.Customers))
			persons := map[string]simulator.Person{}
			for _, p := range got.Persons {
				persons[p.Key] = p
			}
			for _, p := range want.Persons {
				have, ok := persons[p.Key]
				if p.Orders == 0 && !ok { // only orders in the trash named them
					continue
				}
				require.True(t, p.Net.Equal(have.Net) && p.Gross.Equal(have.Gross), "%v\n%v", p, have)
				require.Equal(t, p.Orders, have.Orders, p.Key)
			}
			sameOrders(t, want, got)
		})
	}
}

// sameOrders holds order by order what both can express.
func sameOrders(t *testing.T, want, got simulator.Oracle) {
	t.Helper()
	orders, lines, refunds := byOrder(got)
	for _, o := range want.Orders {
		if o.Status == simulator.Trash || o.Status == simulator.Draft {
			require.NotContains(t, orders, o.ID)
			continue
		}
		have := orders[o.ID]
		for what, pair := range map[string][2]decimal.Decimal{
			"net": {o.Net(), have.Net()}, "shipping": {o.Shipping, have.Shipping}, "tax": {o.Tax, have.Tax}, "fees": {o.Fees, have.Fees},
			"total": {o.Total, have.Total}, "goods": {o.Goods, have.Goods},
		} {
			require.True(t, pair[0].Equal(pair[1]), "%s of %s: %s %s", what, o.ID, pair[0], pair[1])
		}
		require.Equal(t, o.PlacedAt, have.PlacedAt)
		requireWhole(t, have, lines[o.ID])
	}
	for _, r := range want.Refunds {
		have, ok := refunds[r.ID]
		if !ok {
			require.NotContains(t, orders, r.OrderID)
			continue
		}
		require.True(t, r.Amount.Equal(have.Amount), r.ID)
		require.True(t, simulator.NetOf(r).Equal(simulator.NetOf(have)), "refund %s: %v %v", r.ID, r, have)
		require.True(t, r.Tax.Equal(have.Tax) && r.Shipping.Equal(have.Shipping) && r.Fees.Equal(have.Fees), "refund %s: %v %v", r.ID, r, have)
		require.Len(t, have.Lines, len(r.Lines))
	}
}

// requireWhole holds an order against itself and its lines.
func requireWhole(t require.TestingT, o commerce.Order, lines []commerce.Line) {
	sum := o.Goods.Sub(o.Discount).Add(o.Shipping).Add(o.Tax).Add(o.Fees)
	require.True(t, sum.Equal(o.Total), "order %s: %s is not %s", o.ID, sum, o.Total)
	var goods decimal.Decimal
	for _, l := range lines {
		goods = goods.Add(l.Total)
		require.False(t, l.Total.IsNegative(), l.ID)
		require.False(t, l.Tax.IsNegative(), l.ID)
	}
	require.True(t, goods.Equal(o.Goods.Sub(o.Discount)), "order %s: lines %s, order %s", o.ID, goods, o.Goods.Sub(o.Discount))
	for _, a := range []decimal.Decimal{o.Goods, o.Discount, o.Shipping, o.Tax, o.Fees, o.Total} {
		require.False(t, a.IsNegative(), o.ID)
	}
}

func byOrder(o simulator.Oracle) (orders map[string]commerce.Order, lines map[string][]commerce.Line, refunds map[string]commerce.Refund) {
	orders, lines, refunds = map[string]commerce.Order{}, map[string][]commerce.Line{}, map[string]commerce.Refund{}
	for _, order := range o.Orders {
		orders[order.ID] = order
	}
	for _, l := range o.Lines {
		lines[l.OrderID] = append(lines[l.OrderID], l)
	}
	for _, r := range o.Refunds {
		refunds[r.ID] = r
	}
	return orders, lines, refunds
}

// TestAnyOrderAddsUp places orders of any amounts, with taxes apart and included, and refunds them.
func TestAnyOrderAddsUp(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		shop := simulator.New(simulator.Options{Customers: -1})
		s := shopifytest.New(shop, shopifytest.Options{TaxesIncluded: rapid.Bool().Draw(t, "included")})
		draft := simulator.OrderDraft{
			Email: "a@b.example", Billing: simulator.Address{Country: "US", Region: rapid.SampledFrom([]string{"NY", "ME", "CA"}).Draw(t, "region")},
			Coupon:   rapid.SampledFrom([]string{"", "welcome10", "fiveoff", "thankyou100"}).Draw(t, "coupon"),
			Fee:      simulator.Amount(rapid.Int64Range(-3000, 500).Draw(t, "fee")),
			Shipping: simulator.Amount(rapid.Int64Range(0, 2000).Draw(t, "shipping")),
		}
		for range rapid.IntRange(1, 4).Draw(t, "lines") {
			draft.Lines = append(draft.Lines, simulator.DraftLine{
				Quantity: rapid.Int64Range(1, 5).Draw(t, "quantity"), Price: simulator.Amount(rapid.Int64Range(1, 5000).Draw(t, "price")),
			})
		}
		id := shop.PlaceOrder(draft)
		switch rapid.IntRange(0, 3).Draw(t, "refund") {
		case 1:
			shop.Refund(id)
		case 2:
			shop.RefundUnits(id, shop.Order(id).Lines[0].ID, 1)
		case 3:
			s.RemoveLine(id, shop.Order(id).Lines[0].ID)
		}
		truth := s.Truth(simulator.Policy{})
		_, lines, _ := byOrder(truth)
		requireWhole(t, truth.Orders[0], lines[truth.Orders[0].ID])
		requireShown(t, s, id)
	})
}
