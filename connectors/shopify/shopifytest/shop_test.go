package shopifytest_test

import (
	"bytes"
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/perennial-cvo/perennial/connectors/shopify/schematest"
	"github.com/perennial-cvo/perennial/connectors/shopify/shopifytest"
	"github.com/perennial-cvo/perennial/connectors/simulator"
)

// reference is a folder of what is known of shops, and skips the test without it.
func reference(t *testing.T, parts ...string) string {
	t.Helper()
	dir := os.Getenv("PERENNIAL_REFERENCE_DIR")
	if dir == "" {
		if os.Getenv("PERENNIAL_REQUIRE_REFERENCE") == "1" {
			t.Fatal("PERENNIAL_REFERENCE_DIR is not set, and PERENNIAL_REQUIRE_REFERENCE is")
		}
		t.Skip("PERENNIAL_REFERENCE_DIR is not set")
	}
	return filepath.Join(append([]string{dir}, parts...)...)
}

// everyScope are all that the reference's documents need.
func everyScope() []string {
	return append(shopifytest.AllScopes(), "read_customer_merge", "read_metaobjects", "read_metaobject_definitions", "read_shopify_payments")
}

// store is a fake shop and how to ask it.
type store struct {
	t *testing.T
	*shopifytest.Server
	version string
}

// open opens a small shop; the validator of the true schema judges whatever is asked and answered where it can be had.
func open(t *testing.T, shop simulator.Options, opts shopifytest.Options) *store {
	t.Helper()
	if shop.Customers == 0 {
		shop.Customers, shop.Orders = 150, 500
	}
	if opts.Validator == nil {
		opts.Validator = schematest.Validator(t, "2026-07")
	}
	opts.Bucket.Restore = -1
	s := &store{t: t, Server: shopifytest.New(simulator.New(shop), opts), version: "2026-07"}
	t.Cleanup(func() { require.Empty(t, s.Violations()) })
	return s
}

// answer is what came back.
type answer struct {
	Data   map[string]any   `json:"data"`
	Errors []map[string]any `json:"errors"`
	Extra  struct {
		Search []any `json:"search"`
	} `json:"extensions"`
}

func (s *store) ask(query string, variables map[string]any) answer {
	s.t.Helper()
	body := post(s.t, s, query, variables, s.version)
	var a answer
	require.NoError(s.t, json.Unmarshal(body, &a), string(body))
	return a
}

// post asks a shop without a socket, in version 2026-07 unless another is named.
func post(t require.TestingT, shop http.Handler, query string, variables map[string]any, version ...string) []byte {
	body, err := json.Marshal(map[string]any{"query": query, "variables": variables})
	require.NoError(t, err)
	path := "/admin/api/" + append(version, "2026-07")[0] + "/graphql.json"
	r := httptest.NewRequest(http.MethodPost, path, bytes.NewReader(body))
	r.Header.Set("Content-Type", "application/json")
	r.Header.Set("X-Shopify-Access-Token", shopifytest.DefaultAccessToken)
	w := httptest.NewRecorder()
	shop.ServeHTTP(w, r)
	require.Equal(t, http.StatusOK, w.Code, w.Body.String())
	return w.Body.Bytes()
}

// tell asks and wants no error.
func (s *store) tell(query string, variables map[string]any) map[string]any {
	s.t.Helper()
	a := s.ask(query, variables)
	require.Empty(s.t, a.Errors, query)
	require.Empty(s.t, a.Extra.Search)
	return a.Data
}

// at walks into an answer by keys and places.
func at(t *testing.T, v any, path ...any) any {
	t.Helper()
	for _, step := range path {
		switch step := step.(type) {
		case string:
			fields, ok := v.(map[string]any)
			require.True(t, ok, "%v in %v", step, v)
			v = fields[step]
		case int:
			list, ok := v.([]any)
			require.True(t, ok && step < len(list), "%v in %v", step, v)
			v = list[step]
		}
	}
	return v
}

// arguments are variables that every document of the reference can be asked with.
func arguments(s *store) map[string]map[string]any {
	customer, other := "gid://shopify/Customer/5", "gid://shopify/Customer/6"
	var orders []any
	for _, o := range s.Shop().Orders() {
		if len(o.Refunds) > 0 && o.Status != simulator.Trash {
			orders = append(orders, "gid://shopify/Order/"+number(o.ID))
		}
	}
	orders = append(orders[:min(len(orders), 40)], "gid://shopify/Order/999999999")
	field := map[string]any{"ownerId": customer, "namespace": "perennial", "key": "segment", "type": "single_line_text_field", "value": "champions"}
	return map[string]map[string]any{
		"customer_lookup":                    {"identifier": map[string]any{"id": customer}},
		"customer_segment_members":           {"segmentId": "gid://shopify/Segment/1", "first": 1000},
		"customer_segment_membership":        {"customerId": customer, "segmentIds": []any{"gid://shopify/Segment/1"}},
		"customer_update":                    {"input": map[string]any{"id": other, "tags": []any{"vip"}}},
		"discount_code_basic_create":         {"discount": map[string]any{"title": "x", "code": "x"}},
		"marketing_consent_update":           {"input": map[string]any{"customerId": customer, "emailMarketingConsent": map[string]any{"marketingState": "SUBSCRIBED"}}},
		"metafield_definition_create":        {"definition": map[string]any{"namespace": "perennial", "key": "segment", "name": "Segment", "ownerType": "CUSTOMER", "type": "single_line_text_field"}},
		"metafields_set":                     {"metafields": []any{field}},
		"order_refunds_returns":              {"ids": orders},
		"segment_create":                     {"name": "Champions", "query": "customer_tags CONTAINS 'perennial:champions'"},
		"segment_delete":                     {"id": "gid://shopify/Segment/1"},
		"segment_update":                     {"id": "gid://shopify/Segment/1", "name": "Heroes"},
		"segment_members_query_create":       {"input": map[string]any{"query": "number_of_orders > 0"}},
		"shopifyql":                          {"ql": "FROM sessions SHOW sessions"},
		"tags_add_remove_aliased":            {"id": customer, "remove": []any{"a"}, "add": []any{"b", "c"}},
		"webhook_subscription_create":        {"topic": "ORDERS_CREATE", "sub": map[string]any{"uri": "https://example.com"}},
		"events_deletions":                   {"first": 50, "query": "subject_type:ORDER action:destroy created_at:>='2026-01-01'"},
		"bulk_inner_mutation_tags_add":       {"id": customer, "tags": []any{"x"}},
		"bulk_inner_mutation_tags_remove":    {"id": customer, "tags": []any{"x"}},
		"bulk_inner_mutation_metafields_set": {"metafields": []any{field}},
		"staged_uploads_create": {"input": []any{map[string]any{
			"resource": "BULK_MUTATION_VARIABLES", "filename": "tags.jsonl", "mimeType": "text/jsonl", "httpMethod": "POST",
		}}},
		"bulk_cancel":                {"id": "gid://shopify/BulkOperation/1"},
		"bulk_poll_by_id":            {"id": "gid://shopify/BulkOperation/1"},
		"bulk_poll_by_node":          {"id": "gid://shopify/BulkOperation/1"},
		"bulk_run_mutation":          {"mutation": "mutation call($id: ID!, $tags: [String!]!) { tagsAdd(id: $id, tags: $tags) { node { id } } }", "path": "none"},
		"bulk_run_query":             {"query": "{ customers { edges { node { id } } } }"},
		"counts":                     {},
		"metaobject_reviews":         {"first": 10},
		"segments_read":              {"first": 10},
		"orders_page":                {"first": 50},
		"customers_page":             {"first": 50},
		"webhook_subscriptions_read": {"first": 10},
	}
}

// inner rewrites the document of a bulk operation so that it can be asked as it is: connections want a size.
func inner(text string) string {
	for _, name := range []string{"customers", "products", "lineItems", "returns", "returnLineItems", "variants", "collections", "agreements", "sales"} {
		text = strings.ReplaceAll(text, " "+name+" {", " "+name+"(first: 7) {")
	}
	return strings.ReplaceAll(text, "orders(query:", "orders(first: 20, query:")
}

// TestEveryDocumentOfTheReferenceIsAnswered asks everything that the reference knows to ask, in the true schema's eyes.
func TestEveryDocumentOfTheReferenceIsAnswered(t *testing.T) {
	files, err := filepath.Glob(filepath.Join(reference(t, "reference", "shopify-queries"), "*.graphql"))
	require.NoError(t, err)
	require.Len(t, files, 49)
	refused := map[string]bool{"discount_code_basic_create": true, "webhook_subscription_create": true, "customer_segment_members": true}
	for _, file := range files {
		name := strings.TrimSuffix(filepath.Base(file), ".graphql")
		t.Run(name, func(t *testing.T) {
			opts := shopifytest.Options{Scopes: everyScope()}
			version := "2026-07"
			if strings.HasSuffix(name, "2026_10") {
				version, opts.Validator = "2026-10", schematest.Validator(t, "2026-10")
			}
			s := open(t, simulator.Options{Customers: 60, Orders: 150}, opts)
			s.version = version
			text, err := os.ReadFile(file)
			require.NoError(t, err)
			variables := arguments(s)[name]
			if variables == nil {
				variables = map[string]any{"first": 20}
			}
			document := string(text)
			if strings.HasPrefix(name, "bulk_inner_") && !strings.Contains(name, "mutation") {
				document, variables = inner(document), nil
			}
			a := s.ask(document, variables)
			if !refused[name] {
				require.Empty(t, a.Errors)
				require.NotEmpty(t, a.Data)
			}
		})
	}
}

// The connector's own documents, too.
func TestEveryDocumentOfTheConnectorIsAnswered(t *testing.T) {
	files, err := filepath.Glob(filepath.Join("..", "queries", "*.graphql"))
	require.NoError(t, err)
	for _, file := range files {
		name := strings.TrimSuffix(filepath.Base(file), ".graphql")
		t.Run(name, func(t *testing.T) {
			s := open(t, simulator.Options{Customers: 60, Orders: 150}, shopifytest.Options{})
			text, err := os.ReadFile(file)
			require.NoError(t, err)
			document := strings.ReplaceAll(inner(string(text)), " orders {", " orders(first: 50) {")
			a := s.ask(document, connectorArguments(s, name))
			require.Empty(t, a.Errors)
			require.NotEmpty(t, a.Data)
		})
	}
}

func connectorArguments(s *store, name string) map[string]any {
	all := arguments(s)
	switch {
	case strings.HasSuffix(name, "_page"):
		return map[string]any{"first": 50, "namespace": "perennial"}
	case name == "orders_by_id", name == "order_refunds":
		return all["order_refunds_returns"]
	case strings.HasSuffix(name, "_by_id"), strings.HasSuffix(name, "_ours"):
		return map[string]any{
			"ids": []any{"gid://shopify/Customer/5", "gid://shopify/Customer/99999", "gid://shopify/Segment/1"}, "namespace": "perennial",
			"id": "gid://shopify/Customer/5",
		}
	case strings.HasPrefix(name, "order_"), strings.HasPrefix(name, "refund_"), strings.HasPrefix(name, "product_"):
		return map[string]any{"id": "gid://shopify/Order/100"}
	case strings.HasPrefix(name, "bulk_tags"):
		return all["bulk_inner_mutation_tags_add"]
	case name == "bulk_metafields_set":
		return all["metafields_set"]
	case name == "bulk_metafields_delete":
		return map[string]any{"metafields": []any{map[string]any{"ownerId": "gid://shopify/Customer/5", "namespace": "perennial", "key": "segment"}}}
	case name == "bulk_operation":
		return all["bulk_poll_by_id"]
	case name == "bulk_query":
		return all["bulk_run_query"]
	case name == "bulk_mutation":
		return all["bulk_run_mutation"]
	case name == "staged_upload":
		return all["staged_uploads_create"]
	case name == "metafield_definitions":
		return map[string]any{"namespace": "perennial"}
	case all[name] != nil:
		return all[name]
	default:
		return map[string]any{"first": 20}
	}
}

func number(id int64) string { return strconv.FormatInt(id, 10) }
