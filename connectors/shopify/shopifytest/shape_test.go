package shopifytest_test

import (
	"encoding/json"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/perennial-cvo/perennial/connectors/shopify/shopifytest"
	"github.com/perennial-cvo/perennial/connectors/simulator"
)

// selection asks for what a recorded answer holds.
func selection(v any) string {
	switch v := v.(type) {
	case []any:
		if len(v) == 0 {
			return ""
		}
		return selection(v[0])
	case map[string]any:
		var b strings.Builder
		b.WriteString(" {")
		names := make([]string, 0, len(v))
		for name := range v {
			names = append(names, name)
		}
		slices.Sort(names)
		for _, name := range names {
			inner, below := v[name], selection(v[name])
			if list, ok := inner.([]any); ok && len(list) == 0 && name != "tags" && name != "paymentGatewayNames" {
				continue // of what kind an empty list is, nobody knows
			}
			b.WriteString(" " + name)
			if fields, ok := inner.(map[string]any); ok && (fields["nodes"] != nil || fields["edges"] != nil) {
				b.WriteString("(first: 3)")
			}
			b.WriteString(below)
		}
		return b.String() + " }"
	default:
		return ""
	}
}

var kinds = []*regexp.Regexp{
	regexp.MustCompile(`^gid://shopify/[A-Za-z]+/\d+`), regexp.MustCompile(`^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ$`), regexp.MustCompile(`^-?\d+\.\d+$`),
	regexp.MustCompile(`^[A-Z_]{3,}$`), regexp.MustCompile(`^#\d+$`),
}

// alike holds the kind of every value against the recorded one: an id, a time, an amount, a word of the schema, a number
// of an order. Null may stand for anything, and anything for null.
func alike(t *testing.T, path string, want, got any) {
	t.Helper()
	if want == nil || got == nil {
		return
	}
	switch want := want.(type) {
	case map[string]any:
		fields, ok := got.(map[string]any)
		require.True(t, ok, path)
		for name := range want {
			alike(t, path+"."+name, want[name], fields[name])
		}
	case []any:
		list, ok := got.([]any)
		require.True(t, ok, path)
		if len(want) > 0 && len(list) > 0 {
			alike(t, path+".0", want[0], list[0])
		}
	case string:
		text, ok := got.(string)
		require.True(t, ok, "%s: %v", path, got)
		for _, kind := range kinds {
			if kind.MatchString(want) && path[strings.LastIndexByte(path, '.')+1:] != "title" {
				require.Regexp(t, kind, text, path)
			}
		}
	default:
		require.IsType(t, want, got, path)
	}
}

// TestRecordsLookAsRecorded asks for what was recorded of orders, refunds and customers, and holds its looks against it.
func TestRecordsLookAsRecorded(t *testing.T) {
	s := open(t, simulator.Options{Customers: 60, Orders: 300}, shopifytest.Options{})
	var refunded, customer string
	for _, o := range s.Truth(simulator.Policy{}).Refunds {
		if len(o.Lines) > 0 && o.Shipping.IsPositive() {
			refunded = "gid://shopify/Order/" + o.OrderID
		}
	}
	buyer, _ := s.buyer(1)
	customer = customerID(buyer)
	for _, look := range []struct {
		file string
		path []any
		id   string
	}{
		{"harry*refund-create-full-parity", []any{"downstreamRead", "response", "data", "order"}, refunded},
		{"harry*refund-create-full-parity", []any{"mutation", "response", "data", "refundCreate", "order"}, refunded},
		{"harry*refund-create-partial-shipping-restock-parity", []any{"downstreamRead", "response", "data", "order"}, refunded},
		{"harry*money-bag-presentment-parity", nil, refunded},
		{"very*customers-catalog", []any{"data", "customers", "edges", 0, "node"}, customer},
	} {
		t.Run(look.file, func(t *testing.T) {
			files, err := filepath.Glob(filepath.Join(reference(t, "fixtures", "shopify"), look.file+".json"))
			require.NoError(t, err)
			require.Len(t, files, 1)
			raw, err := os.ReadFile(files[0])
			require.NoError(t, err)
			var recorded map[string]any
			require.NoError(t, json.Unmarshal(raw, &recorded))
			var want any = recorded
			if look.path == nil {
				want = ordersIn(recorded)
			} else {
				want = at(t, want, look.path...)
			}
			require.NotNil(t, want)
			typ := strings.Split(look.id, "/")[3]
			data := s.tell("query($id: ID!) { node(id: $id) { ... on "+typ+selection(want)+" } }", map[string]any{"id": look.id})
			alike(t, typ, want, data["node"])
		})
	}
}

// ordersIn finds the first order that a recorded file holds, with its money.
func ordersIn(v any) any {
	switch v := v.(type) {
	case map[string]any:
		if id, ok := v["id"].(string); ok && strings.HasPrefix(id, "gid://shopify/Order/") && v["totalPriceSet"] != nil {
			return v
		}
		names := make([]string, 0, len(v))
		for name := range v {
			names = append(names, name)
		}
		slices.Sort(names)
		for _, name := range names {
			if found := ordersIn(v[name]); found != nil {
				return found
			}
		}
	case []any:
		for _, one := range v {
			if found := ordersIn(one); found != nil {
				return found
			}
		}
	}
	return nil
}
