package postgres_test

import (
	"context"
	"fmt"
	"testing"
	"time"

	"github.com/shopspring/decimal"
	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	"github.com/perennial-cvo/perennial/analysis/report"
	"github.com/perennial-cvo/perennial/connectors/commerce"
	"github.com/perennial-cvo/perennial/sync/activation"
	"github.com/perennial-cvo/perennial/sync/postgres"
	"github.com/perennial-cvo/perennial/sync/schedule"
)

// full is an order with every kind of amount: goods 100, discount 10, shipping 5, tax 19, fees 2, gift cards 20.
func full(id, status string) commerce.Order {
	o := placed(id, "ann", at(1, 10))
	o.Status, o.Goods, o.Discount, o.Shipping = status, money("100"), money("10"), money("5")
	o.Tax, o.Fees, o.GiftCards, o.Total = money("19"), money("2"), money("20"), money("116")
	return o
}

func richPolicy() postgres.Policy {
	return postgres.Policy{
		Statuses: map[string]bool{"completed": true, "processing": true, "pending": true, "on-hold": false, "cancelled": false},
		Rates:    []postgres.Rate{{Currency: "GBP", From: "2020-01-01", Rate: "1.2"}}, Currency: "EUR",
	}
}

// steps lists a bridge as text, one line each.
func steps(lines []report.BridgeLine) []string {
	text := make([]string, len(lines))
	for i, l := range lines {
		mark := ""
		if l.Sum {
			mark = "= "
		}
		text[i] = fmt.Sprintf("%s%s %d %s", mark, l.Key, l.Orders, l.Amount)
	}
	return text
}

func TestBridgeLeadsFromTheShopsRevenueToOurs(t *testing.T) {
	s := loaded(t)
	ctx := context.Background()
	_, err := s.db.SavePolicy(ctx, s.id, richPolicy())
	require.NoError(t, err)
	test, later, hold, odd, dollars, pounds := full("2", "completed"), full("3", "completed"), full("4", "on-hold"),
		full("5", "shipped"), full("6", "completed"), full("7", "processing")
	test.Test, later.PlacedAt, dollars.Currency, pounds.Currency = true, at(9, 0), "USD", "GBP"
	nobody := full("8", "completed")
	nobody.CustomerID, nobody.Email = "", ""
	off := full("9", "completed")
	off.Total = money("116.5") // half a euro that no part explains
	half := commerce.Batch{Orders: []commerce.Order{full("10", "completed")}}
	s.put(commerce.Orders, whole(full("1", "completed"), test, later, hold, odd, dollars, pounds, nobody, off,
		full("11", "pending"), full("12", "cancelled")))
	s.put(commerce.Orders, half)
	s.put(commerce.Orders, refunded(full("13", "completed"), "30", at(2, 0)))
	lines, err := s.Bridge(ctx, at(9, 0))
	require.NoError(t, err)
	require.Equal(t, []string{
		"= shop 11 1276.5",
		"later 1 -116", "test 1 -116", "incomplete 1 -116", "status_unknown 1 -116", "status_not_counted 1 -116",
		"set_aside 1 -116", "status_counted 1 116", "conversion 0 23.2",
		"= counted 6 719.7",
		"tax 0 -117.8", "shipping 0 -31", "fees 0 -12.4", "gift_cards 0 -124", "rest 0 -0.5",
		"= gross 6 434",
		"refunds 0 -30",
		"= net 6 404",
		"unattributed 1 -70",
		"= customers 5 334",
	}, steps(lines))
	s.refresh(at(9, 0), false)
	require.Equal(t, "334", one[string](s, `SELECT trim_scale(sum(net))::text FROM person_stats WHERE store_id = $1`, s.id))
}

// TestBridgeIsExact holds every subtotal of a random shop against a sum over its rows.
func TestBridgeIsExact(t *testing.T) {
	base := newShop(t)
	ctx := context.Background()
	runs := 0
	rapid.Check(t, func(t *rapid.T) {
		runs++
		s := base.another(fmt.Sprintf("bridge-%d", runs))
		policy := richPolicy()
		policy.IncludeTax, policy.IncludeShipping = rapid.Bool().Draw(t, "tax"), rapid.Bool().Draw(t, "shipping")
		_, err := s.db.SavePolicy(ctx, s.id, policy)
		require.NoError(t, err)
		amount := rapid.Custom(func(t *rapid.T) decimal.Decimal { return decimal.New(rapid.Int64Range(0, 99999).Draw(t, "cents"), -2) })
		for i := range rapid.IntRange(1, 12).Draw(t, "orders") {
			o := full(fmt.Sprint(i), rapid.SampledFrom([]string{"completed", "pending", "on-hold", "trash", "odd"}).Draw(t, "status"))
			o.Goods, o.Tax, o.Shipping, o.Total = amount.Draw(t, "goods"), amount.Draw(t, "tax"), amount.Draw(t, "ship"), amount.Draw(t, "total")
			o.Currency = rapid.SampledFrom([]string{"EUR", "EUR", "GBP", "USD"}).Draw(t, "currency")
			o.Test = rapid.IntRange(0, 5).Draw(t, "test") == 0
			o.PlacedAt = at(rapid.IntRange(1, 9).Draw(t, "day"), 12)
			if rapid.IntRange(0, 4).Draw(t, "nobody") == 0 {
				o.CustomerID, o.Email = "", ""
			}
			b := refunded(o, "1.11", at(rapid.IntRange(1, 9).Draw(t, "refund day"), 12))
			b.Refunds[0].Currency = o.Currency
			s.put(commerce.Orders, b)
		}
		asOf := at(rapid.IntRange(1, 10).Draw(t, "as of"), 0)
		lines, err := s.Bridge(ctx, asOf)
		require.NoError(t, err)
		sum, sums := decimal.Zero, map[string]string{}
		for i, l := range lines {
			if l.Sum && i > 0 {
				require.True(t, sum.Equal(l.Amount), "%s is not the sum of the lines before it: %s", l.Key, sum)
				sums[l.Key] = l.Amount.String()
			} else {
				sum = sum.Add(l.Amount)
			}
		}
		require.Equal(t, "customers", lines[len(lines)-1].Key)
		s.refresh(asOf, false)
		for key, query := range map[string]string{
			"gross":     `SELECT coalesce(sum(gross), 0) FROM orders WHERE store_id = $1 AND counted AND placed_at < $2`,
			"customers": `SELECT coalesce(sum(net), 0) FROM person_stats WHERE store_id = $1 AND $2::timestamptz IS NOT NULL`,
			"counted":   `SELECT coalesce(sum(round(total * rate, 4)), 0) FROM orders WHERE store_id = $1 AND counted AND placed_at < $2`,
		} {
			want := one[decimal.Decimal](s, query, s.id, asOf)
			require.True(t, want.Equal(money(sums[key])), "%s: %s, the rows say %s", key, sums[key], want)
		}
	})
}

func TestOverviewCountsWhatIsThere(t *testing.T) {
	s := newShop(t)
	ctx := context.Background()
	odd, dollars, nobody := order("2", "", "bob@example.com"), order("3", "", "bob@example.com"), order("4", "", "")
	odd.Status, dollars.Currency = "shipped", "USD"
	s.put(commerce.Orders, whole(order("1", "ann", "ann@example.com"), odd, dollars, nobody))
	require.NoError(t, s.MarkLoaded(ctx, noon))
	o, err := s.Overview(ctx)
	require.NoError(t, err)
	require.Equal(t, "garden", o.Store)
	require.Equal(t, []int{2, 1, 1}, []int{o.People, o.Guests, o.Unattributed})
	require.Equal(t, map[string]int{"shipped": 1}, o.UnknownStatuses)
	require.Equal(t, map[string]int{"USD": 1}, o.SetAside)
	require.True(t, o.Loaded)
	require.Equal(t, noon, o.LoadedAt)
	require.Len(t, o.Resources, 1)
	require.Equal(t, 4, o.Resources[0].Records)
}

func TestPersonIsExplained(t *testing.T) {
	s := newShop(t)
	ctx := context.Background()
	cancelled := placed("2", "ann", at(3, 10))
	cancelled.Status = "cancelled"
	s.put(commerce.Customers, customers(commerce.Customer{
		ID: "ann", Email: "ann@example.com", FirstName: "Ann", LastName: "Lee",
		Consent: commerce.Consent{State: commerce.ConsentSubscribed, At: noon},
	}))
	s.put(commerce.Orders, whole(placed("1", "ann", at(1, 10)), cancelled))
	s.put(commerce.Orders, refunded(placed("3", "ann", at(2, 10)), "10", at(4, 10)))
	s.refresh(at(5, 0), false)
	s.save(5, "v1", map[string]string{"ann": "champions"})
	p, ok, err := s.Person(ctx, "ann@example.com")
	require.NoError(t, err)
	require.True(t, ok)
	require.Equal(t, "Ann Lee", p.Name)
	require.Equal(t, []int{1, 5, 4, 5}, []int{p.Counted, p.R, p.F, p.M})
	require.Equal(t, "subscribed", p.Consent)
	require.Equal(t, time.Date(2026, 3, 1, 0, 0, 0, 0, time.UTC), p.LastDay)
	why := []string{}
	for _, o := range p.Orders {
		why = append(why, o.Number+" "+o.Why)
	}
	require.Equal(t, []string{"2 its status", "3 refunded in full", "1 "}, why)
	require.Equal(t, []report.Interval{{Scheme: "rfm", Segment: "champions", First: time.Date(2026, 3, 5, 0, 0, 0, 0, time.UTC)}}, p.History)
	require.NoError(t, s.Suppress(ctx, "letters", []int64{p.ID}, "unsubscribed", noon.Add(time.Hour)))
	p, _, err = s.Person(ctx, "ann@example.com")
	require.NoError(t, err)
	require.Equal(t, "unsubscribed", p.Consent)
	_, ok, err = s.Person(ctx, "nobody@example.com")
	require.NoError(t, err)
	require.False(t, ok)
	_, ok, err = s.Person(ctx, "")
	require.NoError(t, err)
	require.False(t, ok)
}

func TestDeliveriesTellWhoWasLeftOut(t *testing.T) {
	s := newShop(t)
	ctx := context.Background()
	s.save(5, "v1", map[string]string{"ann": "champions", "bob": "champions"})
	target := activation.Target{
		Destination: "letters", NeedsConsent: true, Attributes: []string{"segment"}, Exclude: []string{"bob@example.com"},
	}
	plan, err := s.Plan(ctx, target, false, noon)
	require.NoError(t, err)
	require.Equal(t, 1, plan.Changes)
	list, err := s.Deliveries(ctx)
	require.NoError(t, err)
	require.Len(t, list, 1)
	require.Equal(t, map[string]int{"excluded by the owner": 1}, list[0].Withheld)
	require.Equal(t, 1, list[0].Waiting)
	require.Equal(t, noon, list[0].PushedAt)
}

// TestDeliveriesTellThatAnAnalysisWasNotComparedYet is about a push that ends before its plan: what counts as delivered is what
// an older analysis asked for.
func TestDeliveriesTellThatAnAnalysisWasNotComparedYet(t *testing.T) {
	s := newShop(t)
	ctx := context.Background()
	s.save(5, "v1", map[string]string{"ann": "champions"})
	behind := func() bool {
		all, err := s.Deliveries(ctx)
		require.NoError(t, err)
		require.Len(t, all, 1)
		return all[0].Behind
	}
	run := func(kind string, state schedule.State) {
		id, err := s.db.StartRun(ctx, s.id, kind, noon)
		require.NoError(t, err)
		require.NoError(t, s.db.EndRun(ctx, s.id, id, schedule.End{At: noon.Add(time.Minute), State: state}))
	}
	plan := func() {
		_, err := s.Plan(ctx, activation.Target{Destination: "letters", Attributes: []string{"segment"}}, false, noon)
		require.NoError(t, err)
	}
	plan()
	require.False(t, behind())
	run("analyze", schedule.Succeeded)
	require.True(t, behind())
	plan()
	run("sync", schedule.Succeeded)
	run("analyze", schedule.Failed)
	require.False(t, behind())
	run("analyze", schedule.Succeeded)
	require.True(t, behind())
	plan()
	require.False(t, behind())
}

func TestPlansOfAReaderStoreNothing(t *testing.T) {
	s := newShop(t)
	s.save(5, "v1", map[string]string{"ann": "champions"})
	reader := s.db.Store(s.id, 0)
	target := activation.Target{Destination: "letters", Attributes: []string{"segment"}}
	plan, err := reader.Plan(context.Background(), target, true, noon)
	require.NoError(t, err)
	require.Equal(t, 1, plan.Changes)
	_, err = reader.Plan(context.Background(), target, false, noon)
	require.Error(t, err)
}

// TestGuestWhoseOrdersWentOverIsNobody counts people after an account took over the address of a guest.
func TestGuestWhoseOrdersWentOverIsNobody(t *testing.T) {
	s := newShop(t)
	people := func() []int {
		o, err := s.Overview(context.Background())
		require.NoError(t, err)
		return []int{o.People, o.Guests}
	}
	s.put(commerce.Customers, customers(commerce.Customer{ID: "7", Email: "old@example.com"}))
	s.put(commerce.Orders, whole(order("1", "", "new@example.com"), order("2", "", "else@example.com")))
	require.Equal(t, []int{3, 2}, people())
	s.put(commerce.Customers, customers(commerce.Customer{ID: "7", Email: "new@example.com"}))
	require.Equal(t, []int{2, 1}, people())
	_, err := s.ErasePerson(context.Background(), "else@example.com", noon)
	require.NoError(t, err)
	require.Equal(t, []int{2, 0}, people(), "somebody nameless is a person, but no guest that is known")
}
