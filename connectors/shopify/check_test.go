package shopify

import (
	"fmt"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/perennial-cvo/perennial/connectors"
	"github.com/perennial-cvo/perennial/connectors/commerce"
)

// facade is a shop as Check sees it. The zero value of a field is the good case.
type facade struct {
	scopes    string // separated by spaces; "" means all that are needed
	domain    string
	currency  string
	zone      string
	created   time.Time
	version   string // that answers
	supported bool
	oldest    time.Time // order
	orders    told      // in place of the oldest order
	people    []string  // as JSON
	customers told      // in place of people
}

const allNeeded = "read_orders read_all_orders read_customers write_customers read_products"

func (f facade) answer(h heard) told {
	header := map[string]string{"X-Shopify-Api-Version": or(f.version, "2026-07")}
	switch {
	case strings.Contains(h.body, "PerennialOrdersOldest"):
		if f.orders.body != "" {
			return f.orders
		}
		nodes := ""
		if !f.oldest.IsZero() {
			nodes = fmt.Sprintf(`{"id":"gid://shopify/Order/1","createdAt":%q}`, f.oldest.Format(time.RFC3339))
		}
		return told{body: `{"data":{"orders":{"nodes":[` + nodes + `]}}}`, header: header}
	case strings.Contains(h.body, "PerennialCustomersSeen"):
		if f.customers.body != "" {
			return f.customers
		}
		return told{body: `{"data":{"customers":{"nodes":[` + strings.Join(f.people, ",") + `]}}}`, header: header}
	}
	var scopes []string
	for _, s := range strings.Fields(or(f.scopes, allNeeded)) {
		scopes = append(scopes, `{"handle":"`+s+`"}`)
	}
	created := f.created
	if created.IsZero() {
		created = time.Date(1990, 1, 1, 0, 0, 0, 0, time.UTC)
	}
	return told{header: header, body: fmt.Sprintf(`{"data":{"shop":{"id":"gid://shopify/Shop/42","name":"Alder & Sons","myshopifyDomain":%q,"primaryDomain":{"url":"https://alder.example"},"currencyCode":%q,"ianaTimezone":%q,"createdAt":%q,"plan":{"publicDisplayName":"Basic"}},
		"currentAppInstallation":{"accessScopes":[%s]},"publicApiVersions":[{"handle":"2026-07","supported":%v}]}}`,
		or(f.domain, "alder.myshopify.com"), strings.TrimPrefix(or(f.currency, "EUR"), "-"), strings.TrimPrefix(or(f.zone, "Europe/Vienna"), "-"), created.Format(time.RFC3339), strings.Join(scopes, ","), !f.supported)}
}

func or(value, fallback string) string {
	if value == "" {
		return fallback
	}
	return value
}

func person(name, email string) string {
	address := "null"
	if email != "" {
		address = `{"emailAddress":"` + email + `"}`
	}
	if name == "" {
		return `{"id":"gid://shopify/Customer/1","firstName":null,"lastName":null,"defaultEmailAddress":` + address + `}`
	}
	return `{"id":"gid://shopify/Customer/1","firstName":"` + name + `","lastName":null,"defaultEmailAddress":` + address + `}`
}

func people(n int, one string) []string {
	all := make([]string, n)
	for i := range all {
		all[i] = one
	}
	return all
}

// found returns the findings about a subject that are not fine.
func found(r connectors.Report, subject string) (level connectors.Level, text, remedy string) {
	for _, f := range r.Findings {
		if f.Subject == subject && f.Level >= level {
			level, text, remedy = f.Level, f.Text, f.Remedy
		}
	}
	return level, text, remedy
}

func TestCheckOfAShopThatIsAsItShouldBe(t *testing.T) {
	a, w := wired(t, legacy(), facade{people: people(10, person("Ada", "ada@person.example"))}.answer)
	report, err := a.checkSource(t.Context())
	require.NoError(t, err)
	require.Equal(t, commerce.Shop{
		Identity: "gid://shopify/Shop/42", Name: "Alder & Sons", URL: "https://alder.example",
		Currency: "EUR", TimeZone: "Europe/Vienna", Platform: "Shopify 2026-07",
	}, report.Shop)
	require.Zero(t, report.Since)
	for _, f := range report.Findings {
		require.Equal(t, connectors.Fine, f.Level, f)
	}
	require.Empty(t, w.asked("PerennialOrdersOldest"))
	for _, f := range report.Findings {
		require.NotContains(t, f.Text, "person.example")
	}
	report, err = a.checkDestination(t.Context())
	require.NoError(t, err)
	require.True(t, report.OK())
	require.Equal(t, "gid://shopify/Shop/42", report.Shop.Identity)
}

func TestCheckNamesWhatIsWrong(t *testing.T) {
	now := time.Date(2000, 1, 1, 0, 0, 0, 0, time.UTC) // where synctest begins
	most := strings.ReplaceAll(allNeeded, "read_all_orders ", "")
	tests := map[string]struct {
		shop    facade
		subject string
		level   connectors.Level
		text    string
		remedy  string
		since   time.Time
	}{
		"no read_orders":             {facade{scopes: "read_customers read_products"}, "read orders", connectors.Problem, "read_orders is missing: no order can be read", "read_orders", time.Time{}},
		"no read_customers":          {facade{scopes: "read_orders read_all_orders read_products"}, "read customers", connectors.Problem, "read_customers is missing", "read_customers", time.Time{}},
		"no read_products":           {facade{scopes: "read_orders read_all_orders read_customers"}, "read products", connectors.Problem, "unit costs", "read_products", time.Time{}},
		"no write_customers":         {facade{scopes: "read_orders read_all_orders read_customers read_products"}, "write customers", connectors.Notice, "no tags and metafields", "write_customers", time.Time{}},
		"writing implies reading":    {facade{scopes: "write_orders read_all_orders write_customers read_products"}, "read orders", connectors.Fine, "allowed", "", time.Time{}},
		"no read_all_orders":         {facade{scopes: most, oldest: now.AddDate(0, 0, -59)}, "all orders", connectors.Notice, "whole life are incomplete", "read_all_orders", now.AddDate(0, 0, -60)},
		"the same without orders":    {facade{scopes: most}, "all orders", connectors.Notice, "whole life are incomplete", "read_all_orders", now.AddDate(0, 0, -60)},
		"granted unlisted":           {facade{scopes: most, oldest: now.AddDate(-1, 0, 0)}, "all orders", connectors.Fine, "every age", "", time.Time{}},
		"a young shop":               {facade{scopes: most, created: now.AddDate(0, 0, -30)}, "all orders", connectors.Notice, "younger", "read_all_orders", time.Time{}},
		"orders denied all the same": {facade{scopes: most, orders: failed("ACCESS_DENIED", "Access denied for orders field.", "")}, "read orders", connectors.Problem, "may not read orders", "scopes", time.Time{}},
		"another shop answers":       {facade{domain: "oak.myshopify.com"}, "shop", connectors.Problem, "alder.myshopify.com leads to another shop, oak.myshopify.com", "set shop to oak", time.Time{}},
		"fell forward":               {facade{version: "2026-10"}, "API version", connectors.Notice, "2026-07 was asked for, but Shopify answers in 2026-10", "set api_version to 2026-10", time.Time{}},
		"not supported":              {facade{supported: true}, "API version", connectors.Notice, "not among those", "api_version", time.Time{}},
		"no currency":                {facade{currency: "-"}, "currency", connectors.Problem, "no currency", "General", time.Time{}},
		"unknown zone":               {facade{zone: "Mars/Base"}, "time zone", connectors.Problem, "Mars/Base", "time zone data", time.Time{}},
		"no zone":                    {facade{zone: "-"}, "time zone", connectors.Problem, "unknown", "time zone data", time.Time{}},
		"all masked":                 {facade{people: people(10, person("", ""))}, "customer data", connectors.Problem, "names and e-mail addresses of all 10", "protected customer data", time.Time{}},
		"addresses masked":           {facade{people: people(10, person("Ada", ""))}, "customer data", connectors.Problem, "the e-mail addresses of all 10", "protected customer data", time.Time{}},
		"names masked":               {facade{people: people(10, person("", "ada@person.example"))}, "customer data", connectors.Notice, "the names of all 10", "protected customer data", time.Time{}},
		"few of whom nothing sure":   {facade{people: people(2, person("", ""))}, "customer data", connectors.Notice, "all 2", "protected customer data", time.Time{}},
		"one shows it is not masked": {facade{people: append(people(9, person("", "")), person("Ada", "ada@person.example"))}, "customer data", connectors.Fine, "can be seen", "", time.Time{}},
		"nobody there":               {facade{}, "customer data", connectors.Fine, "", "", time.Time{}},
		"customers not approved":     {facade{customers: failed("ACCESS_DENIED", "This app is not approved to access the Customer object.", "")}, "customer data", connectors.Problem, "may not see customers", "API access", time.Time{}},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				a, w := wired(t, legacy(), tt.shop.answer)
				report, err := a.checkSource(t.Context())
				require.NoError(t, err)
				level, text, remedy := found(report, tt.subject)
				require.Equal(t, tt.level, level, text)
				require.Contains(t, text, tt.text)
				require.Contains(t, remedy, tt.remedy)
				require.True(t, tt.since.Equal(report.Since), report.Since)
				require.Equal(t, tt.level != connectors.Problem, report.OK() || tt.level == connectors.Fine)
				w.quiet(t, nil)
			})
		})
	}
}

func TestCheckOfADestinationNeedsWriting(t *testing.T) {
	a, _ := wired(t, app(), func(h heard) told {
		if strings.Contains(h.url, "oauth") {
			return told{body: `{"access_token":"` + wireToken + `","expires_in":86399}`}
		}
		return facade{scopes: "read_customers"}.answer(h)
	})
	report, err := a.checkDestination(t.Context())
	require.NoError(t, err)
	require.False(t, report.OK())
	level, text, remedy := found(report, "write customers")
	require.Equal(t, connectors.Problem, level)
	require.Contains(t, text, "write_customers is missing")
	require.Contains(t, remedy, "Dev Dashboard")
}

func TestCheckOfAShopThatCannotBeRead(t *testing.T) {
	for name, tt := range map[string]struct {
		told told
		kind connectors.Kind
	}{
		"revoked":      {told{status: 401, body: `{"errors":"[API] Invalid API key"}`}, connectors.KindCredentials},
		"frozen":       {told{status: 402, body: `{"errors":"Unavailable Shop"}`}, connectors.KindPermanent},
		"no such shop": {told{status: 404, body: `{"errors":"Not Found"}`}, connectors.KindPermanent},
		"locked":       {told{status: 423, body: `{"errors":"Locked"}`}, connectors.KindPermanent},
		"nameless":     {told{body: `{"data":{"shop":{}}}`}, connectors.KindRetry},
	} {
		t.Run(name, func(t *testing.T) {
			a, w := wired(t, legacy(), always(tt.told))
			for _, check := range []func() error{
				func() error { _, err := a.checkSource(t.Context()); return err },
				func() error { _, err := a.checkDestination(t.Context()); return err },
			} {
				err := check()
				require.Equal(t, tt.kind, connectors.KindOf(err))
				w.quiet(t, err)
			}
		})
	}
}
