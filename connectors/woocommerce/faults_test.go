package woocommerce

import (
	"io"
	"net/http"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/perennial-cvo/perennial/config/secret"
	"github.com/perennial-cvo/perennial/connectors"
	"github.com/perennial-cvo/perennial/connectors/commerce"
	"github.com/perennial-cvo/perennial/connectors/simulator"
	"github.com/perennial-cvo/perennial/connectors/woocommerce/woocommercetest"
)

// nth spoils the n-th request, and as many after it as lasting says.
type nth struct {
	next           http.RoundTripper
	n, lasting, at int
	spoil          func(*http.Response) (*http.Response, error)
}

func (f *nth) RoundTrip(r *http.Request) (*http.Response, error) {
	f.at++
	response, err := f.next.RoundTrip(r)
	if err == nil && f.at >= f.n && f.at < f.n+f.lasting {
		return f.spoil(response)
	}
	return response, err
}

func replaced(status int, kind, body string) func(*http.Response) (*http.Response, error) {
	return func(r *http.Response) (*http.Response, error) {
		r.StatusCode, r.Header = status, http.Header{"Content-Type": {kind}, "Date": r.Header["Date"]}
		r.Body = io.NopCloser(strings.NewReader(body))
		return r, nil
	}
}

// Each request of a whole pull is spoiled once, and six times in a row; whatever happens, going on from the last cursor
// brings every order exactly once.
func TestNthRequestFails(t *testing.T) {
	spoils := map[string]func(*http.Response) (*http.Response, error){
		"500":  replaced(500, "text/html", "<h1>Fatal</h1>"),
		"html": replaced(200, "text/html", "<h1>Checking your browser</h1>"),
		"gone": func(*http.Response) (*http.Response, error) { return nil, io.ErrUnexpectedEOF },
		"half": func(r *http.Response) (*http.Response, error) {
			body, err := io.ReadAll(r.Body)
			r.Body = io.NopCloser(strings.NewReader(string(body[:len(body)/2])))
			return r, err
		},
	}
	shop := simulator.New(simulator.Options{Customers: 20, Orders: 50, Seed: 9})
	for name, spoil := range spoils {
		for _, lasting := range []int{1, 6} {
			for n := 1; ; n++ {
				var asked int
				synctest.Test(t, func(t *testing.T) { asked = pullSpoiled(t, shop, &nth{n: n, lasting: lasting, spoil: spoil}) })
				require.Positive(t, asked, name)
				if n > asked {
					break
				}
			}
		}
	}
}

func pullSpoiled(t *testing.T, shop *simulator.Shop, transport *nth) (asked int) {
	fake := woocommercetest.New(shop, woocommercetest.Options{})
	transport.next = tlsOnly{direct{fake}}
	var got []string
	cursor, failures := connectors.Cursor(""), 0
	for {
		page, err := openFake(t, fake, transport).Pull(t.Context(), commerce.Orders, connectors.Increment, cursor)
		if err != nil {
			require.Equal(t, connectors.KindRetry, connectors.KindOf(err), err)
			failures++
			require.Less(t, failures, 5)
			continue
		}
		for _, o := range page.Records.Orders {
			got = append(got, o.ID)
		}
		if page.Done {
			break
		}
		cursor = page.Next
	}
	var want []string
	for _, o := range shop.Orders() {
		want = append(want, text64(o.ID))
	}
	require.Equal(t, want, got)
	return transport.at
}

func openFake(t *testing.T, fake *woocommercetest.Server, transport http.RoundTripper) *source {
	t.Helper()
	a, err := newAPI(settings{
		URL: fake.Home(), PageSize: 20, Timeout: time.Minute,
		ConsumerKey:    secret.New(woocommercetest.MainKey.ConsumerKey),
		ConsumerSecret: secret.New(woocommercetest.MainKey.ConsumerSecret),
	}, connectors.Deps{Now: fake.Shop().Now}, transport)
	require.NoError(t, err)
	return newSource(a)
}

func orderIDs(t *testing.T, s *source, cursor connectors.Cursor) (ids, warnings []string, err error) {
	t.Helper()
	for {
		page, err := s.Pull(t.Context(), commerce.Orders, connectors.Increment, cursor)
		if err != nil {
			return ids, warnings, err
		}
		for _, o := range page.Records.Orders {
			ids = append(ids, o.ID)
		}
		warnings = append(warnings, page.Warnings...)
		if page.Done {
			return ids, warnings, nil
		}
		cursor = page.Next
	}
}

func TestOddShops(t *testing.T) {
	shop := simulator.New(simulator.Options{Customers: 20, Orders: 60, Seed: 9})
	since := position{Since: shop.Now().Add(-time.Hour)}.cursor()
	open := func(odd func(*woocommercetest.Server)) *source {
		fake := woocommercetest.New(shop, woocommercetest.Options{})
		odd(fake)
		return openFake(t, fake, tlsOnly{direct{fake}})
	}
	t.Run("gives ten rows whatever is asked", func(t *testing.T) {
		ids, _, err := orderIDs(t, open(func(f *woocommercetest.Server) { f.IgnorePerPage(10) }), "")
		require.NoError(t, err)
		require.Len(t, ids, len(shop.Orders()))
	})
	t.Run("ignores dates", func(t *testing.T) {
		ids, warnings, err := orderIDs(t, open(func(f *woocommercetest.Server) { f.IgnoreDates(true) }), since)
		require.NoError(t, err)
		require.Len(t, ids, len(shop.Orders()))
		require.Contains(t, strings.Join(warnings, "\n"), "ignores the filter")
	})
	t.Run("repeats the first page", func(t *testing.T) {
		s := open(func(f *woocommercetest.Server) { f.RepeatPage(true) })
		_, _, err := orderIDs(t, s, "")
		require.ErrorContains(t, err, "same page")
		report, err := s.Check(t.Context())
		require.NoError(t, err)
		require.Equal(t, connectors.Problem, finding(t, report, "paging").Level)
	})
	for _, kind := range []woocommercetest.FaultKind{woocommercetest.BOM, woocommercetest.PHPNotice} {
		t.Run(string(kind), func(t *testing.T) {
			ids, warnings, err := orderIDs(t, open(func(f *woocommercetest.Server) {
				f.Fault(woocommercetest.Fault{Kind: kind, Times: woocommercetest.Forever})
			}), "")
			require.NoError(t, err)
			require.Len(t, ids, len(shop.Orders()))
			require.NotEmpty(t, warnings)
		})
	}
	t.Run("custom status", func(t *testing.T) {
		own := simulator.New(simulator.Options{Customers: 10, Orders: 20, Seed: 9})
		own.SetStatus(own.Orders()[3].ID, "awaiting-pickup")
		id := text64(own.Orders()[3].ID)
		known := woocommercetest.New(own, woocommercetest.Options{Statuses: []string{"awaiting-pickup"}})
		ids, _, err := orderIDs(t, openFake(t, known, tlsOnly{direct{known}}), "")
		require.NoError(t, err)
		require.Contains(t, ids, id)

		orphaned := woocommercetest.New(own, woocommercetest.Options{})
		s := openFake(t, orphaned, tlsOnly{direct{orphaned}})
		ids, _, err = orderIDs(t, s, "")
		require.NoError(t, err)
		require.False(t, slices.Contains(ids, id), "no list has it")
		page, err := s.Fetch(t.Context(), commerce.Orders, []string{id, "99999999"})
		require.NoError(t, err)
		require.Equal(t, []string{"99999999"}, page.Deleted)
		require.Len(t, page.Records.Orders, 1, "it lives all the same")
		require.Equal(t, []string{id}, page.Records.Complete)
	})
}

// Every resource can be asked for by id, and only what the shop does not have is deleted.
func TestFetchEveryResource(t *testing.T) {
	for _, version := range []string{"11.0.1", "8.9.3"} {
		shop := simulator.New(simulator.Options{Customers: 40, Seed: 11})
		fake := woocommercetest.New(shop, woocommercetest.Options{Version: version})
		s := openFake(t, fake, tlsOnly{direct{fake}})
		f := &fakeTruth{shop}
		for _, resource := range commerce.Resources() {
			ids := f.ids(resource)
			page, err := s.Fetch(t.Context(), resource, append(slices.Clone(ids), "88888888"))
			require.NoError(t, err)
			require.Equal(t, []string{"88888888"}, page.Deleted, "%s %s", version, resource)
			require.Equal(t, len(ids), page.Records.Len(), "%s %s", version, resource)
		}
	}
}

type fakeTruth struct{ shop *simulator.Shop }

func (f *fakeTruth) ids(resource commerce.Resource) []string {
	return (&fake{shop: f.shop, hidden: map[string]bool{}}).truth(resource)
}

// What a push does to accounts is no change of the shop: the record that the source reads stays the same but for its
// modification time, so nothing grows from night to night.
func TestPushIsNoChangeOfTheShop(t *testing.T) {
	shop := simulator.New(simulator.Options{Customers: 20, Seed: 5})
	fake := woocommercetest.New(shop, woocommercetest.Options{})
	s := openFake(t, fake, tlsOnly{direct{fake}})
	before, _ := pullAll(t, s)
	d, err := newDestination(s.api, "perennial")
	require.NoError(t, err)
	var changes []connectors.Change
	for i, c := range before.Customers {
		changes = append(changes, connectors.Change{Person: connectors.Person{ID: int64(i), CustomerID: c.ID}, Audiences: []string{"champions"}, Attributes: map[string]string{"rfm": "555"}})
	}
	result, err := d.Apply(t.Context(), changes)
	require.NoError(t, err)
	for _, o := range result.Outcomes {
		require.Equal(t, connectors.Delivered, o.State, o.Reason)
	}
	after, _ := pullAll(t, s)
	for i := range after.Customers {
		after.Customers[i].ModifiedAt = before.Customers[i].ModifiedAt
	}
	require.Equal(t, before.Customers, after.Customers)
	same(t, before.Orders, after.Orders, func(o commerce.Order) string { return o.ID })
}

// A status whose plugin is removed in the middle of a walk would have every further page refused.
func TestStatusThatGoesAwayDuringAWalk(t *testing.T) {
	shop := simulator.New(simulator.Options{Customers: 20, Orders: 60, Seed: 9})
	with := woocommercetest.New(shop, woocommercetest.Options{Statuses: []string{"awaiting-pickup"}})
	without := woocommercetest.New(shop, woocommercetest.Options{})
	first, err := openFake(t, with, tlsOnly{direct{with}}).Pull(t.Context(), commerce.Orders, connectors.Increment, "")
	require.NoError(t, err)
	rest, _, err := orderIDs(t, openFake(t, without, tlsOnly{direct{without}}), first.Next)
	require.NoError(t, err)
	require.Len(t, rest, len(shop.Orders())-len(first.Records.Orders))
}

// refusing answers some addresses as a shop does to a key that may not ask.
type refusing struct {
	next  http.RoundTripper
	paths []string
}

func (f refusing) RoundTrip(r *http.Request) (*http.Response, error) {
	response, err := f.next.RoundTrip(r)
	if err == nil && slices.ContainsFunc(f.paths, func(path string) bool { return strings.HasSuffix(r.URL.Path, path) }) {
		return replaced(403, "application/json", `{"code":"woocommerce_rest_cannot_view","message":"Sorry, you cannot list resources.","data":{"status":403}}`)(response)
	}
	return response, err
}

// A shop that does not tell its statuses gives its orders all the same, those in the trash included.
func TestStatusesThatTheKeyMayNotAskFor(t *testing.T) {
	shop := simulator.New(simulator.Options{Customers: 20, Orders: 60, Seed: 9})
	trashed := shop.Orders()[7].ID
	shop.SetStatus(trashed, "trash")
	for _, version := range []string{"11.0.1", "8.9.3"} {
		fake := woocommercetest.New(shop, woocommercetest.Options{Version: version, Statuses: []string{"awaiting-pickup"}})
		s := openFake(t, fake, refusing{tlsOnly{direct{fake}}, []string{"/orders/statuses", "/reports/orders/totals"}})
		ids, _, err := orderIDs(t, s, "")
		require.NoError(t, err)
		require.Contains(t, ids, text64(trashed))
		require.Len(t, ids, len(shop.Orders()))
		page, err := s.Fetch(t.Context(), commerce.Orders, []string{text64(trashed), "99999999"})
		require.NoError(t, err)
		require.Equal(t, []string{"99999999"}, page.Deleted)
		require.Len(t, page.Records.Orders, 1)
	}
}

// One record that the key may not look at says nothing of the others: it stays, undecided.
func TestForbiddenRecordIsUndecided(t *testing.T) {
	shop := simulator.New(simulator.Options{Customers: 20, Orders: 60, Seed: 9})
	fake := woocommercetest.New(shop, woocommercetest.Options{})
	s := openFake(t, fake, refusing{tlsOnly{direct{fake}}, []string{"/customers/88888888"}})
	page, err := s.Fetch(t.Context(), commerce.Customers, []string{"88888888", "99999999"})
	require.NoError(t, err)
	require.Equal(t, []string{"99999999"}, page.Deleted)
	require.Len(t, page.Warnings, 1)
}
