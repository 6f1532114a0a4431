package main

import (
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"os"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/shopspring/decimal"
	"github.com/stretchr/testify/require"

	"github.com/perennial-cvo/perennial/analysis/clv"
	"github.com/perennial-cvo/perennial/analysis/report"
	"github.com/perennial-cvo/perennial/connectors/shopify/shopifytest"
	"github.com/perennial-cvo/perennial/connectors/simulator"
	"github.com/perennial-cvo/perennial/sync/postgres/postgrestest"
)

// counter is a Shopify shop at an address, and a command line that reads it. What its app may see can change.
type counter struct {
	t      *testing.T
	shop   *simulator.Shop
	server atomic.Pointer[shopifytest.Server]
	url    string
}

func newCounter(t *testing.T, customers int) *counter {
	t.Helper()
	elsewhere(t)
	c := &counter{t: t, shop: simulator.New(simulator.Options{
		Customers: customers, AsOf: time.Date(2026, 11, 20, 9, 0, 0, 0, time.UTC), TimeZone: "Europe/Berlin", Currency: "EUR",
	})}
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { c.server.Load().ServeHTTP(w, r) }))
	t.Cleanup(server.Close)
	c.url = server.URL
	c.grant()
	return c
}

// grant makes the app see everything but what the given scopes open.
func (c *counter) grant(without ...string) {
	options := shopifytest.Options{Clock: c.shop.Now}
	options.Bucket.Restore = -1
	options.Scopes = slices.DeleteFunc(shopifytest.AllScopes(), func(scope string) bool { return slices.Contains(without, scope) })
	server := shopifytest.New(c.shop, options)
	server.SetHome(c.url)
	c.server.Store(server)
}

// call runs a command line at the shop's time and returns what it says.
func (c *counter) call(line string) (code int, says string) {
	c.t.Helper()
	var out strings.Builder
	code = run(c.t.Context(), strings.Fields(line), streams{in: strings.NewReader(""), out: &out, err: &out}, c.shop.Now)
	require.NotContains(c.t, out.String(), shopifytest.DefaultClientSecret)
	require.NotContains(c.t, out.String(), shopifytest.DefaultAccessToken)
	return code, out.String()
}

// does runs a command line that must work.
func (c *counter) does(line string) string {
	c.t.Helper()
	code, says := c.call(line)
	require.Zero(c.t, code, says)
	return says
}

// told is what report --json says.
func (c *counter) told() report.Report {
	c.t.Helper()
	var all []report.Report
	require.NoError(c.t, json.Unmarshal([]byte(c.does("report --json")), &all))
	require.Len(c.t, all, 1)
	return all[0]
}

func (c *counter) orders() int {
	for _, r := range c.told().Overview.Resources {
		if r.Name == "orders" {
			return r.Records
		}
	}
	return 0
}

func TestInitOfAShopifyShop(t *testing.T) {
	c := newCounter(t, 60)
	t.Setenv("SHOPIFY_SECRET", shopifytest.DefaultClientSecret)
	t.Setenv("PERENNIAL_DATABASE_URL", postgrestest.URL(t))
	const line = "init --yes --force --kind shopify --health= --set shop=https://admin.shopify.com/store/Alder/orders "
	at := " --set url=" + c.url
	app := line + "--set client_id=" + shopifytest.DefaultClientID + " --set client_secret_env=SHOPIFY_SECRET --set segments=true --set page_size=100"

	for name, tt := range map[string]struct{ line, says string }{
		"no way in":     {line + at, `"client_id" and "client_secret" are missing`},
		"both ways":     {app + at + " --set access_token=" + shopifytest.DefaultAccessToken, "only one"},
		"half a way":    {line + at + " --set client_id=x", `"client_secret" is missing`},
		"another shop":  {app + at + " --set shop=oak", "leads to another shop, alder.myshopify.com"},
		"no shop name":  {app + at + " --set shop=https://alder.example", "ends in .myshopify.com"},
		"no such id":    {app + at + " --set client_id=0", "client"},
		"missing scope": {app + at, "read_orders"},
	} {
		t.Run(name, func(t *testing.T) {
			if name == "missing scope" {
				c.grant("read_orders", "write_orders", "read_all_orders")
				defer c.grant()
			}
			code, says := c.call(tt.line)
			require.NotZero(t, code, says)
			require.Contains(t, says, tt.says)
			require.NoFileExists(t, "perennial.toml")
		})
	}

	require.Contains(t, c.does(app+at), "alder.myshopify.com")
	written, err := os.ReadFile("perennial.toml")
	require.NoError(t, err)
	for _, part := range []string{
		`consent = "shop"`, `client_secret_env = "SHOPIFY_SECRET"`, `page_size = 100`, `segments = true`,
		"# Who may be mailed.", "# Client ID: of your app in the Dev Dashboard", "# Make Shopify segments: ",
	} {
		require.Contains(t, string(written), part)
	}
	require.Contains(t, c.does("check"), "everything is in order")

	c.does(line + at + " --set access_token=" + shopifytest.DefaultAccessToken + " --consent platform")
	shown := c.does("config show")
	require.Contains(t, shown, `access_token = "***"`)
	require.Contains(t, shown, `consent = "platform"`)
}

func TestShopThatShowsItsLastOrdersOnly(t *testing.T) {
	c := newCounter(t, 60)
	t.Setenv("PERENNIAL_DATABASE_URL", postgrestest.URL(t))
	c.grant("read_all_orders")
	c.does("init --yes --kind shopify --health= --tags --set shop=alder --set access_token=" + shopifytest.DefaultAccessToken + " --set url=" + c.url)
	require.Contains(t, c.does("check"), "read_all_orders")
	c.does("sync")
	c.does("analyze")
	few := c.orders()
	require.NotZero(t, few)
	require.Equal(t, c.shop.Now().AddDate(0, 0, -60), c.told().Incomplete.Since)
	for _, line := range []string{"report", "status", "segments", "push --dry-run", "analyze --as-of 2026-11-01"} {
		require.Contains(t, c.does(line), "INCOMPLETE: Orders before 2026-09-21 are missing", line)
	}

	code, says := c.call("push")
	require.Equal(t, exitHeld, code, says)
	require.Contains(t, says, "perennial push --confirm history")
	require.Contains(t, c.does("status"), "--confirm history")
	c.does("push --confirm history")

	c.grant()
	require.Contains(t, c.does("sync"), "read from the beginning")
	all := c.orders()
	require.Greater(t, all, few)
	require.Nil(t, c.told().Incomplete)
	c.does("analyze --full")
	require.NotContains(t, c.does("push --dry-run"), "INCOMPLETE")

	c.grant("read_all_orders")
	c.does("sync --sweep")
	require.Equal(t, all, c.orders(), "what is hidden is not gone")
	require.NotNil(t, c.told().Incomplete)

	file, err := os.ReadFile("perennial.toml")
	require.NoError(t, err)
	require.Contains(t, string(file), "# short_history = true")
	require.NoError(t, os.WriteFile("perennial.toml", []byte(strings.Replace(string(file), "# short_history", "short_history", 1)), 0o600))
	c.does("push --confirm champions,lost,at_risk,new_customers")
}

// TestANightTellsShopifyWhatCustomersAreWorth lives through a first night and what a quiet one does after it.
func TestANightTellsShopifyWhatCustomersAreWorth(t *testing.T) {
	c := newCounter(t, 250)
	t.Setenv("PERENNIAL_DATABASE_URL", postgrestest.URL(t))
	c.does("init --yes --kind shopify --health= --tags --set shop=alder --set access_token=" + shopifytest.DefaultAccessToken + " --set url=" + c.url)
	c.does("run --once")
	whole := 0
	for _, customer := range c.shop.Customers() {
		fields := c.server.Load().Metafields(customer.ID, "perennial")
		if fields["segment"] == "" {
			require.Empty(t, fields, "whoever never ordered gets nothing")
			continue
		}
		require.Contains(t, []string{"top", "high", "middle", "low"}, fields["value_tier"])
		require.NotEmpty(t, fields["lifecycle"])
		require.Equal(t, fields["rfm"], fields["score_r"]+fields["score_f"]+fields["score_m"])
		if fields["predicted_value"] == "" || fields["next_order_week"] == "" {
			continue
		}
		whole++
		value, err := decimal.NewFromString(fields["predicted_value"])
		require.NoError(t, err)
		shown := value.Shift(4).IntPart()
		require.Equal(t, shown, clv.Round(shown, 0, false), "%s is rounded", value)
		week, err := time.Parse(time.DateOnly, fields["next_order_week"])
		require.NoError(t, err)
		require.Equal(t, time.Monday, week.Weekday())
		require.False(t, week.AddDate(0, 0, 7).Before(c.shop.Now()))
	}
	require.Greater(t, whole, 20)
	types := c.server.Load().Definitions("perennial")
	for field, kind := range map[string]string{
		"value_tier": "single_line_text_field", "predicted_value": "number_decimal", "next_order_week": "date",
		"churn_risk": "single_line_text_field", "lifecycle": "single_line_text_field", "score_r": "number_integer",
		"score_f": "number_integer", "score_m": "number_integer",
	} {
		require.Equal(t, kind, types[field], field)
	}

	writes := func() (all []string) {
		for _, r := range c.server.Load().Requests() {
			if r.Write {
				all = append(all, r.Operation)
			}
		}
		return all
	}
	c.server.Load().ForgetRequests()
	c.does("analyze")
	require.Contains(t, c.does("push"), "0 people delivered")
	require.Empty(t, writes(), "a quiet night writes nothing")
}
