package shopify

import (
	"errors"
	"testing"
	"testing/synctest"
	"time"

	"github.com/goccy/go-json"
	"github.com/stretchr/testify/require"

	"github.com/perennial-cvo/perennial/connectors"
	"github.com/perennial-cvo/perennial/connectors/httpapi"
)

func TestErrorsByKind(t *testing.T) {
	tests := map[string]struct {
		told       told
		kind       connectors.Kind
		text       string
		permission string
		remedy     string
		is         error
		asked      int
	}{
		"too costly": {
			failed("MAX_COST_EXCEEDED", "Query cost is 1201, which exceeds the single query max cost limit (1000).", `,"cost":1201,"maxCost":1000`),
			connectors.KindPermanent, "costs 1201 points, 1000 are allowed", "", "page_size", errTooCostly, 1,
		},
		"scope missing, data partly there": {
			told{body: `{"data":{"shop":{"id":"1"},"orders":null},"errors":[{"message":"Access denied for orders field.","path":["orders"],"extensions":{"code":"ACCESS_DENIED","requiredAccess":"` + "`read_orders` access scope or `read_marketplace_orders` access scope." + `"}}]}`},
			connectors.KindCredentials, "orders: ACCESS_DENIED: Access denied", "read_marketplace_orders, read_orders", "grant the app the scope", nil, 1,
		},
		"customers not approved": {
			failed("ACCESS_DENIED", "This app is not approved to access the Customer object.", ""),
			connectors.KindCredentials, "not approved", "protected customer data", "API access", nil, 1,
		},
		"trouble, which a smaller page may avoid": {
			failed("INTERNAL_SERVER_ERROR", "Internal error. Looks like something went wrong on our end.", ""),
			connectors.KindRetry, "INTERNAL_SERVER_ERROR", "", "trouble", httpapi.ErrHeavy, 2,
		},
		"inactive":        {failed("SHOP_INACTIVE", "The shop is inactive", ""), connectors.KindPermanent, "SHOP_INACTIVE", "", "frozen or closed", nil, 1},
		"unknown field":   {failed("undefinedField", "Field 'x' doesn't exist on type 'Order'", ""), connectors.KindPermanent, "orders.0: undefinedField", "", "api_version", nil, 1},
		"no such record":  {failed("RESOURCE_NOT_FOUND", "invalid id", ""), connectors.KindRecord, "RESOURCE_NOT_FOUND", "", "", nil, 1},
		"without a code":  {told{body: `{"errors":[{"message":"An operation name is required"}]}`}, connectors.KindPermanent, "An operation name is required", "", "", nil, 1},
		"errors as text":  {told{body: `{"errors":"Not Found"}`}, connectors.KindPermanent, "Not Found", "", "", nil, 1},
		"nothing at all":  {told{body: `{}`}, connectors.KindRetry, "neither data nor errors", "", "", nil, 2},
		"no object":       {told{body: `[]`}, connectors.KindRetry, "neither data nor errors", "", "", nil, 2},
		"other shape":     {told{body: `{"data":{"ok":{"a":[]}}}`}, connectors.KindRetry, "unknown shape", "", "API version", nil, 1},
		"frozen":          {told{status: 402, body: `{"errors":"Unavailable Shop"}`}, connectors.KindPermanent, `status 402: "Unavailable Shop"`, "", "frozen", nil, 1},
		"scope by status": {told{status: 403, body: `{"errors":"[API] This action requires merchant approval for read_orders scope."}`}, connectors.KindCredentials, "status 403", "read_orders", "grant", nil, 1},
		"no such shop":    {told{status: 404, body: `{"errors":"Not Found"}`}, connectors.KindPermanent, "status 404", "", "there is no shop alder.myshopify.com", nil, 1},
		"locked":          {told{status: 423, body: `{"errors":"Locked"}`}, connectors.KindPermanent, "status 423", "", "support", nil, 1},
		"firewall":        {told{status: 403, kind: "text/html", body: "<h1>Forbidden</h1>"}, connectors.KindRetry, "status 403", "", "firewall", nil, 5},
		"too many":        {told{status: 429, body: `{"errors":"Exceeded"}`}, connectors.KindWait, "status 429", "", "nothing to do", nil, 5},
		"gateway":         {told{status: 502, kind: "text/html", body: "<h1>Bad Gateway</h1>"}, connectors.KindRetry, "status 502", "", "trouble", httpapi.ErrHeavy, 2},
		"cut":             {told{body: `{"data":{"ok":`}, connectors.KindRetry, "cut off", "", "broke off", httpapi.ErrHeavy, 2},
		"captcha":         {told{kind: "text/html", body: "<h1>Are you human?</h1>"}, connectors.KindRetry, "not JSON", "", "captcha", nil, 5},
		"another shop": {
			told{status: 301, header: map[string]string{"Location": "https://oak.myshopify.com/admin/api/2026-07/graphql.json"}},
			connectors.KindPermanent, "redirect to https://oak.myshopify.com", "", "leads to another shop", nil, 1,
		},
		"unknown filter": {
			told{body: `{"data":{"ok":true},"extensions":{"search":[{"path":["orders"],"query":"update:1","warnings":[{"field":"update","message":"Invalid search field for this query.","code":"invalid_field"}]}]}}`},
			connectors.KindPermanent, "invalid_field update: Invalid search field", "", "nothing was taken", errSearch, 1,
		},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				a, w := wired(t, legacy(), always(tt.told))
				var data struct {
					OK bool `json:"ok"`
				}
				err := a.run(t.Context(), query{Op: "orders page", Text: "{ orders }", Idempotent: true, Shrinkable: true}, &data)
				var e *connectors.Error
				require.ErrorAs(t, err, &e)
				require.Equal(t, tt.kind, e.Kind, err)
				require.ErrorContains(t, err, "orders page: ")
				require.ErrorContains(t, err, tt.text)
				require.Equal(t, tt.permission, e.Permission)
				require.Contains(t, e.Remedy, tt.remedy)
				if tt.is != nil {
					require.ErrorIs(t, err, tt.is)
				}
				require.Len(t, w.all, tt.asked)
				w.quiet(t, err)
			})
		})
	}
}

func TestTheTellingErrorIsTold(t *testing.T) {
	a, _ := wired(t, legacy(), always(told{body: `{"errors":[{"message":"x","extensions":{"code":"NOT_FOUND"}},{"message":"denied","extensions":{"code":"ACCESS_DENIED"}}]}`}))
	err := a.run(t.Context(), query{Op: "x", Text: "{x}"}, &struct{}{})
	require.Equal(t, "ACCESS_DENIED", codeOf(err))
	require.Empty(t, codeOf(errors.New("other")))
}

func TestThrottledIsWaitedOut(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		throttled := told{body: `{"errors":[{"message":"Throttled","extensions":{"code":"THROTTLED"}}],"extensions":{"cost":{"requestedQueryCost":700,"actualQueryCost":null,"throttleStatus":{"maximumAvailable":2000,"currentlyAvailable":100,"restoreRate":100}}}}`}
		a, w := wired(t, legacy(), inOrder(throttled, levelled("700", "100")))
		require.NoError(t, a.run(t.Context(), query{Op: "tags", Text: "mutation { a }"}, &struct{}{}), "a mutation too: it was not executed")
		require.Len(t, w.all, 2)
		waited := w.all[1].at.Sub(w.all[0].at)
		require.GreaterOrEqual(t, waited, 6*time.Second, "(700 - 100) / 100")
		require.LessOrEqual(t, waited, 8*time.Second)
	})
}

func TestNoRequestBeforeTheBucketHoldsIt(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		a, w := wired(t, legacy(), always(levelled("500", "100")))
		q := query{Op: "orders page", Text: "{ a }", Cost: 500}
		for range 2 {
			require.NoError(t, a.run(t.Context(), q, &struct{}{}))
		}
		require.Equal(t, 4*time.Second, w.all[1].at.Sub(w.all[0].at))
	})
}

func TestBeliefIsCorrectedByTheAnswers(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		a, w := wired(t, legacy(), always(levelled("600", "100")))
		for _, believed := range []float64{100, 100, 50} {
			require.NoError(t, a.run(t.Context(), query{Op: "orders page", Text: "{ a }", Cost: believed}, &struct{}{}))
		}
		require.Equal(t, 5*time.Second, w.all[1].at.Sub(w.all[0].at), "600 asked for a belief of 100")
		require.GreaterOrEqual(t, a.ledger.expect("orders page", 50), 300.0)
		require.Equal(t, 50.0, a.ledger.expect("another", 50))
	})
}

func TestAskSendsTheDocument(t *testing.T) {
	a, w := wired(t, legacy(), always(told{body: `{"data":{"bulkOperations":{"nodes":[]}}}`}))
	require.NoError(t, a.ask(t.Context(), "bulk_running", map[string]any{"first": 7}, &struct{}{}))
	var sent struct {
		Query     string         `json:"query"`
		Variables map[string]any `json:"variables"`
	}
	require.NoError(t, json.Unmarshal([]byte(w.all[0].body), &sent))
	require.Equal(t, text("bulk_running"), sent.Query)
	require.Equal(t, map[string]any{"first": 7.0}, sent.Variables)
	require.Equal(t, "POST", w.all[0].method)
}

func TestOnlyReadsAreRepeatedBlindly(t *testing.T) {
	tests := map[string]int{"bulk_query": 1, "bulk_operation": 5}
	for document, asked := range tests {
		t.Run(document, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				a, w := wired(t, legacy(), always(told{err: errors.New("reset")}))
				err := a.ask(t.Context(), document, nil, &struct{}{})
				require.Equal(t, connectors.KindRetry, connectors.KindOf(err))
				require.Len(t, w.all, asked)
			})
		})
	}
}

func TestVersionThatFellForwardIsNoticed(t *testing.T) {
	a, w := wired(t, legacy(), always(told{body: `{"data":{}}`, header: map[string]string{"X-Shopify-Api-Version": "2026-10"}}))
	for range 2 {
		require.NoError(t, a.run(t.Context(), query{Op: "x", Text: "{x}"}, &struct{}{}))
	}
	require.Contains(t, w.logs.String(), "asked=2026-07 answered=2026-10")
	require.Equal(t, "2026-10", *a.answered.Load())
}

func TestPrices(t *testing.T) {
	for first, want := range map[int]float64{0: 0, 1: 1, 2: 1, 10: 4, 25: 6, 50: 7, 100: 9, 250: 11} {
		require.Equal(t, want, steps(first), first)
	}
	require.Equal(t, 10.0, believed("bulk_query", 0))
	require.Equal(t, 11.0, believed("bulk_running", 100))
	require.Equal(t, float64(unpriced), believed("nobody priced this", 0))
}

func TestDocumentThatIsMissing(t *testing.T) {
	require.Panics(t, func() { text("no such document") })
}

func TestUserErrors(t *testing.T) {
	a, _ := wired(t, legacy(), always(told{}))
	require.NoError(t, a.refusedInput("tags", nil))
	err := a.refusedInput("tags", []userError{{Field: []string{"tags", "0"}, Message: "Tags is too long\nfor ada@person.example", Code: "INVALID"}})
	require.EqualError(t, err, "tags: tags.0: INVALID: Tags is too long for (address)")
	require.Equal(t, connectors.KindPermanent, connectors.KindOf(err))
}
