package shopify

import (
	"slices"
	"strconv"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/perennial-cvo/perennial/connectors"
	"github.com/perennial-cvo/perennial/connectors/commerce"
	"github.com/perennial-cvo/perennial/connectors/connectortest"
	"github.com/perennial-cvo/perennial/connectors/shopify/shopifytest"
	"github.com/perennial-cvo/perennial/connectors/simulator"
)

// stallRig is a stall under the suite.
type stallRig struct {
	*stall
	way    string
	hidden map[string]bool // unreadable orders, which are not part of the truth
}

func number(id int64) string { return strconv.FormatInt(id, 10) }

func (r *stallRig) truth(resource commerce.Resource) []string {
	var ids []string
	told := r.Truth(simulator.Policy{})
	switch resource {
	case commerce.Products:
		for _, p := range told.Products {
			ids = append(ids, p.ID)
		}
	case commerce.Customers:
		for _, c := range told.Customers {
			ids = append(ids, c.ID)
		}
	case commerce.Orders:
		for _, o := range told.Orders {
			if !r.hidden[o.ID] {
				ids = append(ids, o.ID)
			}
		}
	}
	return ids
}

func (r *stallRig) misbehave(fault connectortest.Fault) {
	kinds := map[connectortest.FaultKind]shopifytest.FaultKind{
		connectortest.TooManyRequests: shopifytest.TooManyRequests, connectortest.ServerError: shopifytest.Error502,
		connectortest.CutBody: shopifytest.Cut, connectortest.BrokenJSON: shopifytest.Broken, connectortest.HTMLPage: shopifytest.HTML,
		connectortest.EmptyBody: shopifytest.Empty, connectortest.Hang: shopifytest.Hang, connectortest.LostAnswer: shopifytest.Lost,
	}
	kind, known := kinds[fault.Kind]
	require.True(r.t, known, fault.Kind)
	wish := shopifytest.Fault{Kind: kind, Times: fault.Times, Writes: fault.Writes}
	if fault.RetryAfter > 0 {
		wish.RetryAfter = strconv.Itoa(int(fault.RetryAfter.Seconds()))
	}
	r.Fault(wish)
}

func (r *stallRig) heard() []connectortest.Request {
	var all []connectortest.Request
	for _, q := range r.Requests() {
		all = append(all, connectortest.Request{Method: q.Method, Path: q.Path, Body: q.Body, Status: q.Status, Write: q.Write})
	}
	return all
}

// calm returns the first orders with goods that are paid and not given back.
func (r *stallRig) calm(n int) []int64 {
	var ids []int64
	for _, o := range r.shop.Orders() {
		if o.Status == simulator.Completed && len(o.Refunds) == 0 && o.Total() > 0 && len(ids) < n {
			ids = append(ids, o.ID)
		}
	}
	require.Len(r.t, ids, n)
	return ids
}

// living are the orders that the shop shows, as pages hold them: the one that changed first comes first.
func (r *stallRig) living() []int64 {
	told := r.Truth(simulator.Policy{}).Orders
	slices.SortStableFunc(told, func(a, b commerce.Order) int { return a.ModifiedAt.Compare(b.ModifiedAt) })
	var ids []int64
	for _, o := range told {
		id, err := strconv.ParseInt(o.ID, 10, 64)
		require.NoError(r.t, err)
		ids = append(ids, id)
	}
	return ids
}

func (r *stallRig) change(c connectortest.Change) []string {
	ids := r.calm(1)
	living := r.living()
	edit := func(ids ...int64) {
		for _, id := range ids {
			r.shop.EditOrder(id, func(o *simulator.Order) { o.Billing.City = "Elsewhere" })
		}
	}
	switch c {
	case connectortest.EditOld:
		edit(ids...)
	case connectortest.SilentEdit:
		r.shop.EditLineSilently(ids[0], r.shop.Order(ids[0]).Lines[0].Quantity+3)
	case connectortest.DeleteOrder:
		r.shop.ForceDeleteOrder(ids[0])
	case connectortest.TrashOrder:
		r.shop.TrashOrder(ids[0])
	case connectortest.RefundOld:
		require.NotZero(r.t, r.shop.RefundUnits(ids[0], r.shop.Order(ids[0]).Lines[0].ID, 1))
	case connectortest.EqualTimes:
		ids = living[:25]
		r.shop.TouchOrders(ids...)
	case connectortest.EditPaged:
		ids = []int64{living[1], living[4], living[len(living)-2]}
		edit(ids...)
	case connectortest.DeletePaged:
		ids = []int64{living[0], living[3], living[7], living[8], living[9]}
		for _, id := range ids {
			r.shop.ForceDeleteOrder(id)
		}
	case connectortest.AddWhilePage:
		ids = nil
		for range 2 {
			ids = append(ids, r.shop.PlaceOrder(simulator.OrderDraft{Email: "new@mail.example"}))
		}
	case connectortest.Unreadable:
		ids = []int64{r.shop.PlaceOrder(simulator.OrderDraft{Email: "odd@mail.example"})}
		r.hidden[number(ids[0])] = true
		r.shop.EditOrder(ids[0], func(o *simulator.Order) { o.PlacedAt = time.Date(1066, 10, 14, 9, 0, 0, 0, time.UTC) })
	}
	var touched []string
	for _, id := range ids {
		touched = append(touched, number(id))
	}
	return touched
}

func (r *stallRig) addCase(c connectortest.Case) connectortest.Expected {
	draft := simulator.OrderDraft{
		Email: "case@mail.example", Billing: simulator.Address{FirstName: "Ann", LastName: "Case", Country: "US"}, At: r.shop.Now().AddDate(0, 0, -40),
	}
	switch c {
	case connectortest.CancelledOrder:
		draft.Status = simulator.Cancelled
	case connectortest.NegativeTotal:
		draft.Fee = -1_000_000
	case connectortest.NoDecimals:
		r.shop.SetCurrency("JPY")
	case connectortest.ThreeDecimals:
		r.shop.SetCurrency("KWD")
	case connectortest.ForeignScript:
		draft.Billing.FirstName, draft.Billing.LastName = "Σοφία", "山田 العربية 🙂"
	case connectortest.ShopTimeZone:
		require.NoError(r.t, r.shop.SetTimeZone("Pacific/Auckland"))
		local := r.shop.Now().In(r.shop.Location()).AddDate(0, 0, -3)
		draft.At = time.Date(local.Year(), local.Month(), local.Day(), 0, 20, 0, 0, r.shop.Location())
	case connectortest.CapitalsInEmail:
		draft.Email = "  Case.Person@Mail.EXAMPLE "
	case connectortest.OrderWithoutMail:
		draft.Email = ""
	}
	id := r.shop.PlaceOrder(draft)
	r.finishCase(c, id)
	return r.expected(id)
}

// finishCase does what a draft cannot.
func (r *stallRig) finishCase(c connectortest.Case, id int64) {
	switch c {
	case connectortest.PartialRefund:
		require.NotZero(r.t, r.shop.RefundAmount(id, r.shop.Order(id).Total()/3))
	case connectortest.FullRefund:
		require.NotZero(r.t, r.shop.Refund(id))
	case connectortest.ZeroTotal:
		r.shop.EditOrder(id, func(o *simulator.Order) {
			o.Lines = slices.Clone(o.Lines)
			for i := range o.Lines {
				l := &o.Lines[i]
				l.Subtotal, l.SubtotalTax, l.Total, l.TotalTax = 0, 0, 0, 0
			}
			o.Shipping.Total, o.Shipping.Tax = 0, 0
		})
		require.Zero(r.t, r.shop.Order(id).Total())
	case connectortest.NullFields:
		r.shop.EditOrder(id, func(o *simulator.Order) {
			o.Email, o.Billing, o.Attribution, o.CustomerID, o.Payment = "", simulator.Address{}, commerce.Attribution{}, 0, ""
		})
	}
}

func (r *stallRig) expected(id int64) connectortest.Expected {
	told, want := r.Truth(simulator.Policy{}), connectortest.Expected{}
	for _, o := range told.Orders {
		if o.ID == number(id) {
			want.Order = o
		}
	}
	for _, l := range told.Lines {
		if l.OrderID == number(id) {
			want.Lines = append(want.Lines, l)
		}
	}
	for _, f := range told.Refunds {
		if f.OrderID == number(id) {
			want.Refunds = append(want.Refunds, f)
		}
	}
	require.NotEmpty(r.t, want.Order.ID)
	return want
}

func (r *stallRig) rig() connectortest.SourceRig {
	return connectortest.SourceRig{
		Settings: r.settings(ways()[r.way]), Secrets: []string{shopifytest.DefaultAccessToken, shopifytest.DefaultClientSecret},
		Truth: r.truth, Fault: r.misbehave, Requests: r.heard, Revoke: r.Revoke,
		Restrict: func() string { r.Restrict("read_orders"); return "read_orders" },
		Change:   r.change, Case: r.addCase,
		FutureCursor: func(commerce.Resource) connectors.Cursor {
			return position{Since: time.Date(2999, 1, 1, 0, 0, 0, 0, time.UTC)}.cursor()
		},
	}
}

func TestSourceSuite(t *testing.T) {
	for way := range ways() {
		t.Run(way, func(t *testing.T) {
			connectortest.Source(t, connectortest.SourceHarness{
				Factory: New(),
				Start: func(t *testing.T) connectortest.SourceRig {
					opts := shopifytest.Options{Shuffle: way == "bulk"}
					s := openStall(t, simulator.Options{Customers: 30, Orders: 130}, opts)
					return (&stallRig{stall: s, way: way, hidden: map[string]bool{}}).rig()
				},
			})
		})
	}
}
