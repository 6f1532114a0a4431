package woocommerce

import (
	"encoding/json"
	"fmt"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/perennial-cvo/perennial/connectors"
	"github.com/perennial-cvo/perennial/connectors/commerce"
	"github.com/perennial-cvo/perennial/connectors/connectortest"
	"github.com/perennial-cvo/perennial/connectors/simulator"
	"github.com/perennial-cvo/perennial/connectors/woocommerce/woocommercetest"
)

// fake is a shop that answers over plain http, signed.
type fake struct {
	*woocommercetest.Server
	t      *testing.T
	shop   *simulator.Shop
	hidden map[string]bool // unreadable orders, which are not part of the truth
}

func startFake(t *testing.T, people, orders int, opts woocommercetest.Options) *fake {
	t.Helper()
	shop := simulator.New(simulator.Options{Customers: people, Orders: orders, Clock: time.Now})
	f := &fake{t: t, shop: shop, Server: woocommercetest.New(shop, opts), hidden: map[string]bool{}}
	server := f.Start()
	t.Cleanup(server.Close)
	return f
}

func (f *fake) settings() connectors.Settings {
	return connectors.Settings{
		"url": f.Home(), "consumer_key": woocommercetest.MainKey.ConsumerKey,
		"consumer_secret": woocommercetest.MainKey.ConsumerSecret, "page_size": 10,
	}
}

func text64(id int64) string { return strconv.FormatInt(id, 10) }

func (f *fake) truth(resource commerce.Resource) []string {
	var ids []string
	switch resource {
	case commerce.Products:
		for _, p := range f.shop.Products() {
			ids = append(ids, text64(p.ID))
		}
	case commerce.Coupons:
		for _, c := range f.shop.Coupons() {
			ids = append(ids, text64(c.ID))
		}
	case commerce.Customers:
		for _, c := range f.shop.Customers() {
			ids = append(ids, text64(c.ID))
		}
	case commerce.Orders:
		for _, o := range f.shop.Orders() {
			if !f.hidden[text64(o.ID)] {
				ids = append(ids, text64(o.ID))
			}
		}
	case commerce.Reviews:
		for _, r := range f.shop.Reviews() {
			ids = append(ids, text64(r.ID))
		}
	}
	return ids
}

var faultKinds = map[connectortest.FaultKind]woocommercetest.FaultKind{
	connectortest.TooManyRequests: woocommercetest.TooManyRequests, connectortest.ServerError: woocommercetest.Error502,
	connectortest.CutBody: woocommercetest.Cut, connectortest.BrokenJSON: woocommercetest.Broken,
	connectortest.HTMLPage: woocommercetest.Captcha200, connectortest.EmptyBody: woocommercetest.Empty,
	connectortest.Hang: woocommercetest.Hang, connectortest.LostAnswer: woocommercetest.Lost,
}

func (f *fake) misbehave(fault connectortest.Fault) {
	kind, known := faultKinds[fault.Kind]
	require.True(f.t, known, fault.Kind)
	wish := woocommercetest.Fault{Kind: kind, Times: fault.Times, Writes: fault.Writes}
	if fault.RetryAfter > 0 {
		wish.RetryAfter = strconv.Itoa(int(fault.RetryAfter.Seconds()))
	}
	f.Fault(wish)
}

var signature = regexp.MustCompile(`oauth_\w+=[^&]*&?`)

func (f *fake) asked() []connectortest.Request {
	var all []connectortest.Request
	for _, r := range f.Requests() {
		r.Path = signature.ReplaceAllString(r.Path, "") // anew at each attempt
		all = append(all, connectortest.Request(r))
	}
	return all
}

// restrict leaves the key one permission and returns the word for the one that it lost.
func (f *fake) restrict(left, lost string) func() string {
	return func() string {
		key := woocommercetest.MainKey
		key.Permissions = left
		f.Grant(key)
		return lost
	}
}

// calm returns the first n orders with goods, without refunds, in a status that counts.
func (f *fake) calm(n int) []int64 {
	var ids []int64
	for _, o := range f.shop.Orders() {
		if o.Status == simulator.Completed && len(o.Refunds) == 0 && o.Total() > 0 && len(ids) < n {
			ids = append(ids, o.ID)
		}
	}
	require.Len(f.t, ids, n)
	return ids
}

func (f *fake) change(c connectortest.Change) []string {
	ids := f.calm(2)
	orders := f.shop.Orders()
	switch c {
	case connectortest.EditOld:
		f.shop.EditOrder(ids[0], func(o *simulator.Order) { o.Billing.City = "Elsewhere" })
		ids = ids[:1]
	case connectortest.SilentEdit:
		o := f.shop.Order(ids[0])
		f.shop.EditLineSilently(o.ID, o.Lines[0].Quantity+3)
		ids = ids[:1]
	case connectortest.DeleteOrder:
		f.shop.ForceDeleteOrder(ids[0])
		ids = ids[:1]
	case connectortest.TrashOrder:
		f.shop.TrashOrder(ids[0])
		ids = ids[:1]
	case connectortest.RefundOld:
		require.NotZero(f.t, f.shop.RefundUnits(ids[0], f.shop.Order(ids[0]).Lines[0].ID, 1))
		ids = ids[:1]
	case connectortest.EqualTimes:
		ids = nil
		for _, o := range orders[:25] {
			ids = append(ids, o.ID)
		}
		f.shop.TouchOrders(ids...)
	case connectortest.EditPaged:
		ids = []int64{orders[1].ID, orders[4].ID, orders[len(orders)-2].ID}
		for _, id := range ids {
			f.shop.EditOrder(id, func(o *simulator.Order) { o.Billing.City = "Elsewhere" })
		}
	case connectortest.DeletePaged:
		ids = []int64{orders[0].ID, orders[3].ID, orders[7].ID, orders[8].ID, orders[9].ID}
		for _, id := range ids {
			f.shop.ForceDeleteOrder(id)
		}
	case connectortest.AddWhilePage:
		ids = []int64{f.shop.PlaceOrder(simulator.OrderDraft{Email: "new@mail.example"}), f.shop.PlaceOrder(simulator.OrderDraft{Email: "new@mail.example"})}
	case connectortest.Unreadable:
		ids = []int64{f.shop.PlaceOrder(simulator.OrderDraft{Email: "odd@mail.example"})}
		f.Alter(ids[0], "total", `"abc"`)
		f.hidden[text64(ids[0])] = true
	}
	var touched []string
	for _, id := range ids {
		touched = append(touched, text64(id))
	}
	return touched
}

func (f *fake) addCase(c connectortest.Case) connectortest.Expected {
	draft := simulator.OrderDraft{Email: "case@mail.example", Billing: simulator.Address{FirstName: "Ann", LastName: "Case", Country: "US"}, At: f.shop.Now().AddDate(0, 0, -40)}
	switch c {
	case connectortest.CancelledOrder:
		draft.Status = simulator.Cancelled
	case connectortest.GuestOrder:
		draft.CustomerID = 0
	case connectortest.NegativeTotal:
		draft.Fee = -1_000_000
	case connectortest.NoDecimals:
		f.shop.SetCurrency("JPY")
	case connectortest.ThreeDecimals:
		f.shop.SetCurrency("KWD")
	case connectortest.ForeignScript:
		draft.Billing.FirstName, draft.Billing.LastName = "Σοφία", "山田 العربية 🙂"
	case connectortest.ShopTimeZone:
		require.NoError(f.t, f.shop.SetTimeZone("Pacific/Auckland"))
		local := f.shop.Now().In(f.shop.Location()).AddDate(0, 0, -3)
		draft.At = time.Date(local.Year(), local.Month(), local.Day(), 0, 20, 0, 0, f.shop.Location())
	case connectortest.CapitalsInEmail:
		draft.Email = "  Case.Person@Mail.EXAMPLE "
	case connectortest.OrderWithoutMail:
		draft.Email = ""
	}
	id := f.shop.PlaceOrder(draft)
	f.finishCase(c, id)
	return f.expected(id)
}

// finishCase does what a draft cannot.
func (f *fake) finishCase(c connectortest.Case, id int64) {
	switch c {
	case connectortest.PartialRefund:
		require.NotZero(f.t, f.shop.RefundAmount(id, f.shop.Order(id).Total()/3))
	case connectortest.FullRefund:
		require.NotZero(f.t, f.shop.Refund(id))
	case connectortest.ZeroTotal:
		f.shop.EditOrder(id, func(o *simulator.Order) {
			o.Lines = slices.Clone(o.Lines)
			for i := range o.Lines {
				l := &o.Lines[i]
				l.Subtotal, l.SubtotalTax, l.Total, l.TotalTax = 0, 0, 0, 0
			}
			o.Shipping.Total, o.Shipping.Tax = 0, 0
		})
		require.Zero(f.t, f.shop.Order(id).Total())
	case connectortest.NullFields:
		for _, field := range []string{"meta_data", "coupon_lines", "fee_lines", "refunds", "date_paid_gmt", "date_completed_gmt", "number", "created_via"} {
			f.Alter(id, field, "null")
		}
	}
}

func (f *fake) expected(id int64) connectortest.Expected {
	truth, want := f.shop.Oracle(simulator.Policy{}), connectortest.Expected{}
	for _, o := range truth.Orders {
		if o.ID == text64(id) {
			want.Order = o
		}
	}
	for _, l := range truth.Lines {
		if l.OrderID == text64(id) {
			want.Lines = append(want.Lines, l)
		}
	}
	for _, r := range truth.Refunds {
		if r.OrderID == text64(id) {
			want.Refunds = append(want.Refunds, r)
		}
	}
	require.NotEmpty(f.t, want.Order.ID)
	return want
}

func secrets() []string {
	return []string{woocommercetest.MainKey.ConsumerSecret, woocommercetest.MainKey.ConsumerKey}
}

func (f *fake) sourceRig() connectortest.SourceRig {
	return connectortest.SourceRig{
		Settings: f.settings(), Secrets: secrets(), Truth: f.truth, Fault: f.misbehave, Requests: f.asked,
		Revoke:   func() { f.Revoke(woocommercetest.MainKey.ConsumerKey) },
		Restrict: f.restrict("write", "read"), Change: f.change, Case: f.addCase,
		FutureCursor: func(commerce.Resource) connectors.Cursor {
			return position{Since: time.Date(2999, 1, 1, 0, 0, 0, 0, time.UTC)}.cursor()
		},
	}
}

func TestSourceSuite(t *testing.T) {
	shops := map[string]woocommercetest.Options{
		"11.0 HPOS":         {},
		"8.9 legacy folder": {Version: "8.9.3", Legacy: true, SubPath: "/shop"},
	}
	for name, opts := range shops {
		t.Run(name, func(t *testing.T) {
			connectortest.Source(t, connectortest.SourceHarness{
				Factory: New(),
				Start:   func(t *testing.T) connectortest.SourceRig { return startFake(t, 25, 45, opts).sourceRig() },
			})
		})
	}
}

// people returns accounts of the shop as persons.
func (f *fake) people(n int) []connectors.Person {
	var all []connectors.Person
	for _, c := range f.shop.Customers() {
		if len(all) < n && c.Role == "customer" && c.Email != "" {
			all = append(all, connectors.Person{ID: c.ID + 5000, CustomerID: text64(c.ID), Email: commerce.Email(c.Email)})
		}
	}
	require.Len(f.t, all, n)
	return all
}

func metaOf(c *simulator.Customer, key string) string {
	for _, m := range c.Meta {
		var value string
		if m.Key == key && json.Unmarshal(m.Value, &value) == nil {
			return value
		}
	}
	return ""
}

func (f *fake) members(a connectors.Audience) []string {
	var emails []string
	for _, c := range f.shop.Customers() {
		if slices.Contains(strings.Split(metaOf(c, "perennial_tags"), ","), a.Key) {
			emails = append(emails, commerce.Email(c.Email))
		}
	}
	return emails
}

func (f *fake) state() connectortest.State {
	s := connectortest.State{Ours: map[string]string{}, Foreign: map[string]string{}}
	for _, c := range f.shop.Customers() {
		for _, m := range c.Meta {
			if strings.HasPrefix(m.Key, "perennial_") {
				s.Ours[commerce.Email(c.Email)+" "+m.Key] = string(m.Value)
			} else {
				s.Foreign[commerce.Email(c.Email)+" "+m.Key] = string(m.Value)
			}
		}
		s.Foreign[commerce.Email(c.Email)] = fmt.Sprint(c.ID, c.Username, c.FirstName, c.LastName, c.Role, c.Billing)
	}
	for _, o := range f.shop.Orders() {
		s.Foreign["order "+text64(o.ID)] = fmt.Sprint(o.Status, o.ModifiedAt, o.CustomerID)
	}
	return s
}

func (f *fake) destinationRig() connectortest.DestinationRig {
	f.shop.SetCustomerMeta(f.shop.Customers()[3].ID, "theirs", json.RawMessage(`"kept"`))
	return connectortest.DestinationRig{
		Settings: f.settings(), Secrets: secrets(), Batch: mostBatch,
		Reachable: f.people, Members: f.members, State: f.state, Fault: f.misbehave, Requests: f.asked,
		Stranger: func() connectors.Person { return connectors.Person{ID: 1, Email: "guest@mail.example"} },
		Bad: func() (connectors.Person, commerce.ConsentState) {
			return connectors.Person{ID: 2, CustomerID: "12a", Email: "bad@mail.example"}, commerce.ConsentSubscribed
		},
		Revoke:   func() { f.Revoke(woocommercetest.MainKey.ConsumerKey) },
		Restrict: f.restrict("read", "write"),
	}
}

func TestDestinationSuite(t *testing.T) {
	noMail := "a shop's tags mail nobody: WooCommerce has no subscriptions to leave"
	noJobs := "customers/batch answers at once: there are no jobs"
	skips := map[string]string{
		"unsubscribed stays out of the audience":   noMail,
		"unsubscribed stays out of every audience": noMail,
		"unsubscribed survives leave and join":     noMail,
		"unsubscribed is read back":                noMail,
		"suppressed is withheld":                   noMail,
		"deleted is not created again":             "nobody is ever created in the shop, as \"stranger is not created\" shows",
		"remove":                                   "a tag is a word on an account: there is no thing to remove",
		"remove spares what is not ours":           "a tag is a word on an account: there is no thing to remove",
	}
	for _, name := range connectortest.DestinationTests() {
		if strings.Contains(name, "job") {
			skips[name] = noJobs
		}
	}
	connectortest.Destination(t, connectortest.DestinationHarness{
		Factory: New(), Skips: skips,
		Start: func(t *testing.T) connectortest.DestinationRig {
			return startFake(t, 420, 300, woocommercetest.Options{}).destinationRig()
		},
	})
}
