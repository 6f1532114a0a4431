package shopify

import (
	"encoding/json"
	"maps"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"github.com/vektah/gqlparser/v2/ast"
	"github.com/vektah/gqlparser/v2/parser"

	"github.com/perennial-cvo/perennial/connectors/commerce"
	"github.com/perennial-cvo/perennial/connectors/shopify/schematest"
	"github.com/perennial-cvo/perennial/connectors/shopify/shopifytest"
)

// embedded lists the documents by name.
func embedded(t *testing.T) []string {
	t.Helper()
	entries, err := documents.ReadDir("queries")
	require.NoError(t, err)
	var names []string
	for _, entry := range entries {
		names = append(names, strings.TrimSuffix(entry.Name(), ".graphql"))
	}
	require.NotEmpty(t, names)
	return names
}

// sampleFor gives every variable of a document a value of its type; lists get one element.
func sampleFor(t *testing.T, schema *ast.Schema, document string, first int) map[string]any {
	t.Helper()
	parsed, err := parser.ParseQuery(&ast.Source{Input: document})
	require.NoError(t, err)
	values := map[string]any{}
	for _, variable := range parsed.Operations[0].VariableDefinitions {
		values[variable.Variable] = sampleOf(schema, variable.Type)
		if variable.Variable == "first" {
			values["first"] = int64(first)
		}
	}
	return values
}

func sampleOf(schema *ast.Schema, wanted *ast.Type) any {
	if wanted.Elem != nil {
		return []any{sampleOf(schema, wanted.Elem)}
	}
	named := schema.Types[wanted.NamedType]
	switch {
	case named.Kind == ast.Enum:
		return named.EnumValues[0].Name
	case named.Kind == ast.InputObject:
		values := map[string]any{}
		for _, field := range named.Fields {
			if field.Type.NonNull {
				values[field.Name] = sampleOf(schema, field.Type)
			}
		}
		return values
	case named.Name == "Int":
		return 1
	case named.Name == "Boolean":
		return true
	case named.Name == "ID":
		return "gid://shopify/Thing/1"
	default:
		return "1"
	}
}

// TestDocuments holds every document against the schema of every version, with values for its variables.
func TestDocuments(t *testing.T) {
	for _, version := range schematest.Versions() {
		schema, judge := schematest.Load(t, version), schematest.Validator(t, version)
		for _, name := range embedded(t) {
			t.Run(version+" "+name, func(t *testing.T) {
				require.Empty(t, faultTexts(judge.Request(text(name), sampleFor(t, schema, text(name), 10))))
			})
		}
	}
}

func faultTexts(faults []json.RawMessage) []string {
	var out []string
	for _, fault := range faults {
		out = append(out, string(fault))
	}
	return out
}

// isBulkQuery says that a document is run by a bulk operation, and not asked; isBulkMutation that it is run over a file.
func isBulkQuery(name string) bool {
	return strings.HasPrefix(prune(text(name), nil), "{")
}

func isBulkMutation(name string) bool {
	return strings.HasPrefix(name, "bulk_") && isMutation(text(name)) && !strings.Contains(text(name), "bulkOperation")
}

// TestBulkDocuments holds the documents of bulk operations against what Shopify runs.
func TestBulkDocuments(t *testing.T) {
	found := 0
	for _, version := range schematest.Versions() {
		judge := schematest.Validator(t, version)
		for _, name := range embedded(t) {
			switch {
			case isBulkQuery(name):
				found++
				require.Empty(t, judge.Bulk(text(name)), "%s in %s", name, version)
			case isBulkMutation(name):
				found++
				require.Empty(t, judge.BulkMutation(text(name)), "%s in %s", name, version)
			}
		}
	}
	require.GreaterOrEqual(t, found, 2*(3+2))
}

// grants are all ways in which the scopes that documents name may be granted.
func grants(t *testing.T) []map[string]bool {
	t.Helper()
	scopes := map[string]bool{}
	for _, name := range embedded(t) {
		for line := range strings.Lines(text(name)) {
			if _, scope, found := strings.Cut(line, needs); found {
				scopes[strings.TrimSpace(scope)] = true
			}
		}
	}
	require.NotEmpty(t, scopes)
	ways := []map[string]bool{{}}
	for _, scope := range slices.Sorted(maps.Keys(scopes)) {
		for _, way := range slices.Clone(ways) {
			more := maps.Clone(way)
			more[scope] = true
			ways = append(ways, more)
		}
	}
	return ways
}

// TestPrunedDocuments holds every document against the schema as it is asked where scopes are missing.
func TestPrunedDocuments(t *testing.T) {
	for _, version := range schematest.Versions() {
		schema, judge := schematest.Load(t, version), schematest.Validator(t, version)
		for _, granted := range grants(t) {
			for _, name := range embedded(t) {
				document := prune(text(name), granted)
				require.NotContains(t, document, "#")
				require.Empty(t, faultTexts(judge.Request(document, sampleFor(t, schema, document, 10))), "%s in %s with %v", name, version, granted)
				if len(granted) == 0 {
					require.NotContains(t, document, "customer { id }", name)
				}
			}
		}
	}
}

// TestBulkText holds the documents of bulk queries against the rules with the filters that are set into them.
func TestBulkText(t *testing.T) {
	at := func(day int) time.Time { return time.Date(2026, 3, day, 4, 5, 6, 0, time.UTC) }
	for _, version := range schematest.Versions() {
		judge := schematest.Validator(t, version)
		for _, granted := range grants(t) {
			for _, resource := range []commerce.Resource{commerce.Products, commerce.Customers, commerce.Orders} {
				k, err := kindOf(resource)
				require.NoError(t, err)
				for _, p := range []position{
					{},
					{Since: at(5)},
					{Window: window{From: at(1), To: at(2)}},
					{Since: at(5), Window: window{From: at(1), To: at(2)}},
				} {
					document := k.bulkText(p, granted)
					require.Empty(t, judge.Bulk(document), document)
					require.Equal(t, k.filter(p), filterOf(t, document))
				}
			}
		}
	}
}

// filterOf is the search in the outermost connection of a document.
func filterOf(t *testing.T, document string) string {
	t.Helper()
	parsed, err := parser.ParseQuery(&ast.Source{Input: document})
	require.NoError(t, err)
	root := parsed.Operations[0].SelectionSet[0].(*ast.Field)
	if argument := root.Arguments.ForName("query"); argument != nil {
		return argument.Value.Raw
	}
	return ""
}

// written are calls of every step, with metafields of every type.
func written() []call {
	const ada, bo = "gid://shopify/Customer/1", "gid://shopify/Customer/2"
	return []call{
		{step: removing, customer: ada, tags: []string{"perennial:new"}},
		{step: adding, customer: ada, tags: []string{"perennial:champions", "perennial:at-risk"}},
		{step: dropping, keys: []metafieldKey{{Owner: ada, Namespace: "perennial", Key: "segment"}}},
		{step: setting, fields: []metafield{
			{Owner: ada, Namespace: "perennial", Key: "rfm", Value: "545"},
			{Owner: bo, Namespace: "perennial", Key: "since", Type: dateType, Value: "2026-01-02"},
		}},
	}
}

// composed are texts that are put together when they are asked.
func composed(t *testing.T) map[string]query {
	t.Helper()
	ids := []string{"gid://shopify/Customer/1", "gid://shopify/Customer/2"}
	d := &destination{api: recordedAPI(t), prefix: "perennial"}
	return map[string]query{
		"carried tags":          carriedQuery([][]string{ids}),
		"carried tags, several": carriedQuery([][]string{ids, ids, ids}),
		"batch":                 batch(written()),
		"batch of one":          batch(written()[:1]),
		"definitions":           d.definitionQuery([]string{"segment", "score_r", "since", "predicted_value"}, true),
		"plain definitions":     d.definitionQuery([]string{"segment"}, false),
	}
}

// TestComposed holds texts that are composed when they are asked against the schema, and their believed costs against
// the model.
func TestComposed(t *testing.T) {
	for _, version := range schematest.Versions() {
		judge := schematest.Validator(t, version)
		for name, q := range composed(t) {
			require.Empty(t, faultTexts(judge.Request(q.Text, q.Variables)), "%s in %s", name, version)
			points, err := shopifytest.Cost(q.Text, q.Variables)
			require.NoError(t, err, name)
			require.InDelta(t, points, q.Cost, 0.001, name)
		}
	}
}

// TestBulkLines holds the lines of the files of bulk mutations against the mutations that are run over them.
func TestBulkLines(t *testing.T) {
	for _, version := range schematest.Versions() {
		judge := schematest.Validator(t, version)
		for _, c := range written() {
			require.Empty(t, judge.BulkMutation(document(c.step)), string(c.step))
			require.Empty(t, faultTexts(judge.Request(document(c.step), c.variables())), "%s in %s", c.step, version)
		}
	}
}

// TestPricesFollowTheModel holds what documents are believed to cost against the fitted model, computed over the documents.
func TestPricesFollowTheModel(t *testing.T) {
	schema := schematest.Load(t, "2026-07")
	wanted := map[string]price{}
	for _, name := range embedded(t) {
		if isBulkQuery(name) || isBulkMutation(name) {
			continue
		}
		document := text(name)
		cost := func(first int) float64 {
			points, err := shopifytest.Cost(document, sampleFor(t, schema, document, first))
			require.NoError(t, err, name)
			return points
		}
		node := cost(3) - cost(1) // of which the model counts two nodes and one
		wanted[name] = price{base: cost(1) - node, node: node}
		if !strings.Contains(document, "$first") {
			wanted[name] = price{base: cost(1)}
		}
		for _, first := range []int{1, 2, 10, 25, 50, 100, 250} {
			if _, known := prices()[name]; known && strings.Contains(document, "$first") {
				require.InDelta(t, cost(first), believed(name, first), 0.001, "%s with %d records", name, first)
			}
		}
	}
	require.Equal(t, wanted, prices())
	require.Equal(t, slices.Sorted(maps.Keys(wanted)), slices.Sorted(maps.Keys(prices())))
}
