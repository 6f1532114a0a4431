package simulator_test

import (
	"bytes"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	"github.com/perennial-cvo/perennial/connectors/commerce"
	"github.com/perennial-cvo/perennial/connectors/simulator"
)

func TestDefaultShopHasTheSizePromised(t *testing.T) {
	shop := simulator.New(simulator.Options{})
	require.InDelta(t, 2000, len(shop.Subscribers()), 45)
	statuses := map[string]int{}
	for _, o := range shop.Orders() {
		statuses[o.Status]++
	}
	paid := statuses[simulator.Completed] + statuses[simulator.Processing] + statuses[simulator.Refunded] + statuses[simulator.OnHold]
	require.InDelta(t, 6000, paid, 150)
	for _, status := range []string{"pending", "processing", "on-hold", "completed", "cancelled", "refunded", "failed", "checkout-draft", "trash"} {
		require.NotZero(t, statuses[status], status)
	}
}

func TestSizesAreHit(t *testing.T) {
	for _, size := range []struct{ customers, orders int }{{100, 300}, {300, 300}, {500, 4000}, {5000, 9000}} {
		shop := simulator.New(simulator.Options{Customers: size.customers, Orders: size.orders, Seed: 3})
		paid := 0
		for _, o := range shop.Orders() {
			if o.Status != simulator.Cancelled && o.Status != simulator.Failed && o.Status != simulator.Pending && o.Status != simulator.Draft {
				paid++
			}
		}
		require.InEpsilon(t, size.orders, paid, 0.08, size)
	}
	require.Empty(t, simulator.New(simulator.Options{Customers: -1}).Orders())
}

// TestSmallShopsHaveEveryOddity looks for what sources get wrong in a shop of about 300 orders, and in the default one.
func TestSmallShopsHaveEveryOddity(t *testing.T) {
	shop := simulator.New(simulator.Options{Customers: 250, Orders: 800})
	found := map[string]bool{}
	accounts := map[string]bool{}
	for _, c := range shop.Customers() {
		accounts[c.Email] = true
		found["role "+c.Role] = true
	}
	for _, o := range shop.Orders() {
		found["no e-mail"] = found["no e-mail"] || o.Email == "" && o.CustomerID == 0
		found["capitals"] = found["capitals"] || o.Email != strings.ToLower(o.Email)
		found["spaces"] = found["spaces"] || o.Email != strings.TrimSpace(o.Email)
		found["other currency"] = found["other currency"] || o.Currency == "EUR"
		found["zero total"] = found["zero total"] || o.Total() == 0 && len(o.Lines) > 0
		found["guest with an account"] = found["guest with an account"] || o.CustomerID == 0 && accounts[commerce.Email(o.Email)]
		found["foreign script"] = found["foreign script"] || o.Billing.City == "東京"
		found["variation"] = found["variation"] || o.Lines[0].VariationID != 0
		found["tax"] = found["tax"] || o.TaxRate.ID != 0
		found["coupon"] = found["coupon"] || len(o.Coupons) == 1
		found["several refunds"] = found["several refunds"] || len(o.Refunds) > 1
		for _, f := range o.Fees {
			found["negative fee"] = found["negative fee"] || f.Total < 0
			found["fee"] = found["fee"] || f.Total > 0
		}
		for _, r := range o.Refunds {
			found["amount-only refund"] = found["amount-only refund"] || len(r.Lines) == 0
			found["full refund"] = found["full refund"] || r.Full && len(r.Lines) > 0
			found["partial refund"] = found["partial refund"] || !r.Full && len(r.Lines) > 0
		}
	}
	for _, v := range shop.Reviews() {
		found["review "+v.Status] = true
	}
	for _, p := range shop.Subscribers() {
		found["subscriber "+string(p.State)] = true
	}
	for _, oddity := range []string{
		"no e-mail", "capitals", "spaces", "other currency", "zero total", "guest with an account", "foreign script", "variation", "tax", "coupon",
		"several refunds", "negative fee", "fee", "amount-only refund", "full refund", "partial refund", "review approved", "review hold", "review spam",
		"role administrator", "role shop_manager", "role subscriber", "subscriber subscribed", "subscriber unsubscribed", "subscriber blocklisted", "subscriber unknown",
	} {
		require.True(t, found[oddity], oddity)
	}
}

func TestSameSeedSameShop(t *testing.T) {
	opts := simulator.Options{Customers: 80, Seed: 9}
	a, b := simulator.New(opts), simulator.New(opts)
	a.Advance(30)
	for range 30 {
		b.Wait(24 * time.Hour)
	}
	require.Empty(t, cmp.Diff(a.Oracle(simulator.Policy{}), b.Oracle(simulator.Policy{})))
	opts.Seed = 10
	require.NotEmpty(t, cmp.Diff(a.Orders(), simulator.New(opts).Orders()))
}

func TestAdvanceGoesOn(t *testing.T) {
	shop := simulator.New(simulator.Options{Customers: 500})
	before, people := len(shop.Orders()), len(shop.Subscribers())
	shop.Advance(60)
	require.Greater(t, len(shop.Orders()), before+60)
	require.Greater(t, len(shop.Subscribers()), people+20)
	for _, o := range shop.Orders() {
		require.False(t, o.PlacedAt.After(shop.Now()))
	}
}

// TestSavedShopGoesOnTheSame saves a shop, loads it, and lets both live on.
func TestSavedShopGoesOnTheSame(t *testing.T) {
	shop := simulator.New(simulator.Options{Customers: 60})
	shop.SetCustomerMeta(4, "perennial_tags", []byte(`"champions"`))
	var file bytes.Buffer
	require.NoError(t, shop.Save(&file))
	again, err := simulator.Load(&file, nil)
	require.NoError(t, err)
	shop.Advance(40)
	again.Advance(40)
	require.Empty(t, cmp.Diff(shop.Oracle(simulator.Policy{}), again.Oracle(simulator.Policy{})))
	require.Equal(t, shop.Customer(4), again.Customer(4))
	require.Equal(t, shop.Now(), again.Now())
	_, err = simulator.Load(strings.NewReader("rubbish"), nil)
	require.ErrorContains(t, err, "shop snapshot")
}

func TestLiveClock(t *testing.T) {
	now := time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)
	shop := simulator.New(simulator.Options{Customers: 20, Clock: func() time.Time { return now }})
	require.Equal(t, now, shop.Now())
	now = now.Add(time.Hour)
	id := shop.PlaceOrder(simulator.OrderDraft{Email: "a@mail.example"})
	require.Equal(t, now, shop.Order(id).PlacedAt)
	shop.Advance(2)
	require.Equal(t, now.AddDate(0, 0, 2), shop.Now())
}

// TestMoneyAddsUp changes a shop at random and holds its money together after every step.
func TestMoneyAddsUp(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		shop := simulator.New(simulator.Options{Customers: 15, Seed: rapid.Uint64Range(1, 1e6).Draw(t, "seed"), Currency: rapid.SampledFrom([]string{"USD", "JPY", "KWD"}).Draw(t, "currency")})
		for range 25 {
			change(t, shop)
		}
		requireMoney(t, shop)
	})
}

func change(t *rapid.T, shop *simulator.Shop) {
	orders := shop.Orders()
	if len(orders) == 0 {
		shop.PlaceOrder(simulator.OrderDraft{Email: "first@mail.example"})
		return
	}
	o := rapid.SampledFrom(orders).Draw(t, "order")
	switch rapid.IntRange(0, 12).Draw(t, "change") {
	case 0:
		shop.PlaceOrder(simulator.OrderDraft{Email: "New@Mail.example ", Coupon: "welcome10", Fee: -50, Shipping: 100, Billing: simulator.Address{Country: "US", Region: "NY"}})
	case 1:
		shop.Refund(o.ID)
	case 2:
		shop.RefundUnits(o.ID, o.Lines[0].ID, 1)
	case 3:
		shop.RefundAmount(o.ID, 7)
	case 4:
		if len(o.Refunds) > 0 {
			shop.DeleteRefund(o.ID, o.Refunds[0].ID)
		}
	case 5:
		if len(o.Refunds) == 0 {
			shop.EditLineSilently(o.ID, 4)
		}
	case 6:
		shop.TrashOrder(o.ID)
	case 7:
		shop.UntrashOrder(o.ID)
	case 8:
		shop.ForceDeleteOrder(o.ID)
	case 9:
		shop.DeleteCustomer(o.CustomerID)
	case 10:
		shop.RegisterGuest(o.Email, rapid.Bool().Draw(t, "link"))
	case 11:
		shop.ForceDeleteProduct(o.Lines[0].ProductID)
	case 12:
		shop.Advance(5)
	}
}

func requireMoney(t require.TestingT, shop *simulator.Shop) {
	truth := shop.Oracle(simulator.Policy{})
	for _, o := range truth.Orders {
		require.True(t, o.Total.Equal(o.Goods.Sub(o.Discount).Add(o.Shipping).Add(o.Tax).Add(o.Fees)), "total of order %s", o.ID)
		require.False(t, o.Goods.IsNegative(), o.ID)
	}
	lines := map[string]commerce.Order{}
	for _, l := range truth.Lines {
		o := lines[l.OrderID]
		o.Goods = o.Goods.Add(l.Subtotal)
		lines[l.OrderID] = o
	}
	sum := commerce.Order{}
	for _, o := range truth.Orders {
		require.True(t, o.Goods.Equal(lines[o.ID].Goods), "goods of order %s", o.ID)
	}
	for _, p := range truth.Persons {
		sum.Goods = sum.Goods.Add(p.Net)
	}
	if truth.Unattributed == 0 {
		require.True(t, sum.Goods.Equal(truth.Net), "persons %s, whole %s", sum.Goods, truth.Net)
	}
	back := map[string]commerce.Refund{}
	for _, r := range truth.Refunds {
		b := back[r.OrderID]
		b.Amount = b.Amount.Add(r.Amount)
		back[r.OrderID] = b
		require.True(t, r.Amount.IsPositive())
	}
	for _, o := range truth.Orders {
		require.False(t, back[o.ID].Amount.GreaterThan(o.Total), "order %s gave back more than it took", o.ID)
	}
}

func TestOracleByHand(t *testing.T) {
	shop := simulator.New(simulator.Options{Customers: -1})
	var simple *simulator.Product
	for _, p := range shop.Products() {
		if !p.Variable {
			simple = p
			break
		}
	}
	line := func(quantity int64, price simulator.Amount) []simulator.DraftLine {
		return []simulator.DraftLine{{ProductID: simple.ID, Quantity: quantity, Price: price}}
	}
	ny := simulator.Address{Country: "US", Region: "NY"}
	first := shop.PlaceOrder(simulator.OrderDraft{Email: " Ada@Mail.example", Lines: line(4, 1000), Coupon: "welcome10", Fee: -300, Shipping: 650, Billing: ny, Status: simulator.Completed})
	account := shop.RegisterGuest("ada@mail.example", false)
	second := shop.PlaceOrder(simulator.OrderDraft{CustomerID: account, Email: "other@mail.example", Lines: line(1, 2000)})
	shop.RefundUnits(first, shop.Order(first).Lines[0].ID, 1)
	shop.RefundAmount(second, 500)
	gone := shop.PlaceOrder(simulator.OrderDraft{Email: "ada@mail.example", Lines: line(1, 999)})
	shop.Refund(gone)
	shop.SetStatus(gone, simulator.Completed) // refunded to zero, though its status says it counts
	shop.PlaceOrder(simulator.OrderDraft{Email: "ada@mail.example", Currency: "EUR", Lines: line(1, 999)})
	shop.PlaceOrder(simulator.OrderDraft{Lines: line(1, 100)})
	shop.PlaceOrder(simulator.OrderDraft{Email: "ada@mail.example", Status: simulator.Failed})

	truth := shop.Oracle(simulator.Policy{})
	require.Equal(t, 4, truth.Counted)
	require.Equal(t, 1, truth.SetAside)
	require.Equal(t, 1, truth.Unattributed)
	var ada simulator.Person
	for _, p := range truth.Persons {
		if p.Email == "ada@mail.example" {
			ada = p
		}
	}
	require.Equal(t, 2, ada.Orders, "the guest order and the account's; the one refunded to zero is none")
	// 40.00 - 4.00 - 3.00 + 20.00 + 9.99; given back 9.00 of the goods, 5.00, and 9.99.
	require.Equal(t, "62.99", ada.Gross.StringFixed(2))
	require.Equal(t, "39", ada.Net.String())
	require.Equal(t, "63.99", truth.Gross.StringFixed(2))

	shared := shop.Oracle(simulator.Policy{Shared: []string{"ada@mail.example"}})
	require.Equal(t, 3, shared.Unattributed)
}

func TestStoredTimeInTheRepeatedHour(t *testing.T) {
	for at, early := range map[string]bool{"2026-11-01T05:59:58Z": false, "2026-11-01T06:00:00Z": true, "2026-11-01T06:59:58Z": true, "2026-11-01T07:00:00Z": false, "2026-03-08T07:00:00Z": false} {
		now, err := time.Parse(time.RFC3339, at)
		require.NoError(t, err)
		shop := simulator.New(simulator.Options{Customers: -1, AsOf: now.Add(-time.Second)})
		o := shop.Order(shop.PlaceOrder(simulator.OrderDraft{}))
		require.Equal(t, now, o.PlacedAt)
		want := now
		if early {
			want = now.Add(-time.Hour)
		}
		require.Equal(t, want, o.ModifiedAt, at)
	}
}

func TestWhatWasHandedOutNeverChanges(t *testing.T) {
	shop := simulator.New(simulator.Options{Customers: 40})
	orders := shop.Orders()
	had := make([]simulator.Order, len(orders))
	for i, o := range orders {
		had[i] = *o
	}
	for _, o := range orders {
		shop.Refund(o.ID)
		shop.EditLineSilently(o.ID, 2)
		shop.ForceDeleteOrder(o.ID)
	}
	for i, o := range orders {
		require.Equal(t, had[i], *o)
	}
}

func TestConcurrentUse(*testing.T) {
	shop := simulator.New(simulator.Options{Customers: 40})
	var wait sync.WaitGroup
	for i := range 4 {
		wait.Go(func() {
			for range 25 {
				if i%2 == 0 {
					shop.Advance(1)
					shop.PlaceOrder(simulator.OrderDraft{Email: "a@mail.example"})
				}
				for _, o := range shop.Orders() {
					_ = o.Total()
				}
				shop.Subscribers()
			}
		})
	}
	wait.Wait()
}

// TestProcessIsTheOneStated holds what people did against the parameters: the share that never came back.
func TestProcessIsTheOneStated(t *testing.T) {
	shop := simulator.New(simulator.Options{Customers: 4000, Orders: 12000})
	p := shop.Parameters()
	require.Positive(t, p.Alpha)
	truth := shop.Oracle(simulator.Policy{Counting: []string{simulator.Processing, simulator.Completed, simulator.Refunded}})
	// The mean order of gamma-gamma spending is P * Gamma / (Q - 1), here before discounts and fees.
	mean := p.P * p.Gamma / (p.Q - 1)
	goods := 0.0
	n := 0
	for _, o := range truth.Orders {
		if o.Status == simulator.Completed && len(o.Coupons) == 0 {
			goods += o.Goods.InexactFloat64()
			n++
		}
	}
	require.InEpsilon(t, mean, goods/float64(n), 0.08)
}
