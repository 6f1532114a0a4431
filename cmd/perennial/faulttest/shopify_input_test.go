package faulttest

import (
	"slices"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/perennial-cvo/perennial/connectors/shopify/shopifytest"
	"github.com/perennial-cvo/perennial/connectors/simulator"
)

// mended is what must hold once trouble is over: the next night brings everything.
func (m *market) mended() {
	m.t.Helper()
	m.shopify.Mend()
	m.shop.Wait(2 * time.Hour) // what failed at the shop is not done again at once
	m.before = m.remember()
	_, err := m.db.Exec(`UPDATE nightlies SET next_try = NULL`) // the wait before the next try is over
	require.NoError(m.t, err)
	m.nightThrough()
	m.read(paged)
	m.CheckInvariants()
}

// TestFaultyShopify gives the shop a fault that lasts through a sync. What was read before is kept, nothing of a shop that
// was read in part is told, and once the shop is mended the next night brings everything.
func TestFaultyShopify(t *testing.T) {
	t.Parallel()
	const forever = shopifytest.Forever
	tests := []struct {
		name  string
		fault shopifytest.Fault
		code  int
		words []string
	}{
		{"frozen", shopifytest.Fault{Kind: shopifytest.Frozen, Skip: 6}, 2, []string{"402", "frozen", "what was read is kept", "what to do"}},
		{"locked", shopifytest.Fault{Kind: shopifytest.Locked, Skip: 6}, 2, []string{"423", "Shopify's support", "what to do"}},
		{"no such shop", shopifytest.Fault{Kind: shopifytest.NotFound}, 2, []string{"there is no shop alder.myshopify.com", "what to do"}},
		{"moved to another shop", shopifytest.Fault{Kind: shopifytest.Redirect, Skip: 6}, 2, []string{"elsewhere.myshopify.com", "leads to another shop", "what to do"}},
		{"app uninstalled", shopifytest.Fault{Kind: shopifytest.BadToken, Skip: 6, Path: "graphql"}, 3, []string{"401", "still installed", "what to do"}},
		{"denied", shopifytest.Fault{Kind: shopifytest.AccessDenied, Operation: "ordersCount"}, 3, []string{"access", "what to do"}},
		{"a page instead of the shop", shopifytest.Fault{Kind: shopifytest.HTML, Operation: "customersCount"}, 4, []string{"text/html", "what to do"}},
		{"every operation fails", shopifytest.Fault{Kind: shopifytest.BulkFailed, Skip: 2}, 4, []string{"FAILED", "what to do"}},
		{"throttled for ever", shopifytest.Fault{Kind: shopifytest.Throttled, Skip: 6}, 4, []string{"THROTTLED", "goes on at", "what to do"}},
		{"files cannot be had", shopifytest.Fault{Kind: shopifytest.ExpiredURL}, 4, []string{"expired", "what to do"}},
	}
	if testing.Short() {
		tests = tests[:2]
	}
	names := make([]string, len(tests))
	for i, tt := range tests {
		names[i] = tt.name
	}
	sideBySide(t, names, func(t *testing.T, i int) {
		tt := tests[i]
		m := newMarket(t, 40, 80, 41)
		tt.fault.Times = forever
		m.shopify.Fault(tt.fault)
		m.refuses(tt.code, tt.words, "sync", "--quiet")
		m.checkAlways()
		if tt.fault.Skip > 0 || tt.fault.Operation != "" {
			require.Contains(t, flat(m.must("status")), "first load is under way")
		}
		_, errs, code := m.run("push")
		require.NotZero(t, code, "no audience is made of half a shop")
		require.NotEmpty(t, errs)
		require.Empty(t, m.shopify.writes())
		m.mended()
	})
}

// TestShopifyTroubleThatPasses has faults through which a night lives by itself.
func TestShopifyTroubleThatPasses(t *testing.T) {
	t.Parallel()
	tests := []struct {
		name     string
		fault    shopifytest.Fault
		from     int // bulk_from
		starts   int // of bulk queries
		renewals int // tokens that were asked for
	}{
		{name: "the token expires", fault: shopifytest.Fault{Kind: shopifytest.TokenExpired, Operation: "ordersCount"}, starts: 3, renewals: 3},
		{name: "the token expires in the push", fault: shopifytest.Fault{Kind: shopifytest.TokenExpired, Writes: true}, from: paged, renewals: 3},
		{name: "throttled", fault: shopifytest.Fault{Kind: shopifytest.Throttled, Times: 3, Skip: 4}, starts: 3, renewals: 2},
		{name: "throttled pages", fault: shopifytest.Fault{Kind: shopifytest.Throttled, Times: 3, Skip: 4}, from: paged, renewals: 2},
		{name: "an operation times out", fault: shopifytest.Fault{Kind: shopifytest.BulkTimeout, Skip: 2}, starts: 5, renewals: 2},
		{name: "an operation is cancelled", fault: shopifytest.Fault{Kind: shopifytest.BulkCanceled, Skip: 1}, starts: 5, renewals: 2},
		{name: "a file is too short", fault: shopifytest.Fault{Kind: shopifytest.BulkShort, Skip: 2}, starts: 4, renewals: 2},
		{name: "a file breaks off", fault: shopifytest.Fault{Kind: shopifytest.Cut, Path: "/_files/", Skip: 2}, starts: 3, renewals: 2},
		{name: "an operation of the push fails", fault: shopifytest.Fault{Kind: shopifytest.BulkFailed, Operation: startMutation}, starts: 3, renewals: 2},
	}
	if testing.Short() {
		tests = tests[:2]
	}
	names := make([]string, len(tests))
	for i, tt := range tests {
		names[i] = tt.name
	}
	sideBySide(t, names, func(t *testing.T, i int) {
		tt := tests[i]
		m := newMarketOf(t, simulator.Options{Seed: 42, Customers: 40, Orders: 80}, shopifytest.Options{Shuffle: true})
		m.read(tt.from)
		m.shopify.Fault(tt.fault)
		m.nightThrough()
		require.Zero(t, m.shopify.FaultsLeft(), "the fault befell nothing")
		require.Equal(t, tt.starts, m.started(startQuery), "bulk operations")
		require.Equal(t, tt.renewals, m.shopify.Count("access_token"), "tokens")
		if tt.fault.Operation == startMutation {
			m.must("push", "--quiet") // those whom the operation left are tried again
		}
		m.read(paged)
		m.CheckInvariants()
	})
}

// TestScopeRevokedAtNight takes scopes away in the middle of a night: one to read while the shop is read, and the one to
// write while tags are pushed. What was read stays, and the words name the scope.
func TestScopeRevokedAtNight(t *testing.T) {
	t.Parallel()
	t.Run("to read", func(t *testing.T) {
		m := newMarket(t, 40, 80, 43)
		m.gate.arm(17, answered, func() { m.shopify.Restrict("read_orders", "read_all_orders") })
		m.refuses(3, []string{"read_orders", "grant the app", "what to do"}, "run", "--once", "--quiet")
		m.gate.disarm()
		m.checkAlways()
		require.Equal(t, len(m.shopify.oracle().Customers), int(number(m.query(`SELECT count(*) FROM customers`)[0])), "what was read is kept")
		require.Empty(t, m.shopify.writes())
	})
	t.Run("to write", func(t *testing.T) {
		m := newMarket(t, 40, 80, 43)
		m.must("sync", "--quiet")
		m.must("analyze", "--quiet")
		m.shopify.Restrict("write_customers")
		m.refuses(3, []string{"push to shop", "write_customers", "what to do"}, "push")
		m.checkAlways()
		require.NotEmpty(t, m.query(`SELECT person_id FROM deliveries WHERE destination = 'listmonk' AND state = 'delivered'`), "the other destination goes on")
		out, _, code := m.run("check")
		require.NotZero(t, code)
		require.Contains(t, out, "write_customers")
	})
}

// TestWrongKeysOfShopify has the secret of another app, a token where the secret belongs, and the name of another shop.
func TestWrongKeysOfShopify(t *testing.T) {
	t.Parallel()
	m := newMarket(t, 10, 20, 44)
	m.env = []string{"FAULTTEST_SECRET=shpss_canaryW0000000000000000wr0ng"}
	m.refuses(3, []string{"client", "what to do"}, "sync")
	_, _, code := m.run("check")
	require.Equal(t, 3, code)
	require.NotContains(t, m.output.String(), "wr0ng")
	m.env = []string{"FAULTTEST_SECRET=" + canaryAccess}
	m.refuses(2, []string{"client_secret", "access_token", "what to do"}, "sync")
	m.env = nil
	m.rewrite(`shop = "alder.myshopify.com"`, `shop = "oak.myshopify.com"`)
	out, _, code := m.run("check")
	require.NotZero(t, code)
	require.Contains(t, flat(out), "leads to another shop, alder.myshopify.com")
	require.Equal(t, []string{"0"}, m.query(`SELECT count(*) FROM orders`))
	m.checkAlways()
}

// TestAnotherShopifyAnswers lets another shop answer at the address of the one that was read: nothing of it is taken.
func TestAnotherShopifyAnswers(t *testing.T) {
	t.Parallel()
	m := newMarket(t, 30, 60, 46)
	m.must("sync", "--quiet")
	stood := m.digest()
	other := shopifytest.New(simulator.New(simulator.Options{Seed: 47, Customers: 30, Orders: 60}), shopifytest.Options{
		Domain: "elm.myshopify.com", ClientID: canaryClient, ClientSecret: canaryClientSecret, AccessToken: canaryAccess,
	})
	address := serve(t, other)
	other.SetHome(address)
	m.rewrite(m.shopURL, address)
	m.refuses(2, []string{"another shop", "what to do"}, "sync")
	require.Equal(t, stood, m.digest())
	require.Zero(t, other.Count("orders")+other.Count(startQuery))
	m.checkAlways()
}

// TestOrdersOfSixtyDays has an app that sees the last orders only: figures are marked, and a push waits for the owner's word.
func TestOrdersOfSixtyDays(t *testing.T) {
	t.Parallel()
	scopes := slices.DeleteFunc(shopifytest.AllScopes(), func(s string) bool { return s == "read_all_orders" })
	m := newMarketOf(t, simulator.Options{Seed: 45, Customers: 60, Orders: 120}, shopifytest.Options{Scopes: scopes})
	out, errs, code := m.run("check")
	require.Equal(t, 0, code, errs)
	require.Contains(t, out, "read_all_orders")
	_, errs, code = m.run("run", "--once", "--quiet")
	require.Equal(t, held, code, errs)
	require.Contains(t, flat(errs), "what to do")
	require.Empty(t, m.shopify.writes())
	for _, command := range []string{"report", "status"} {
		require.Contains(t, flat(m.must(command)), "INCOMPLETE")
	}
	var f findings
	m.noSecret(&f)
	m.report(f)
}
