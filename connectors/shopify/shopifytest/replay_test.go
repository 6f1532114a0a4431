package shopifytest_test

import (
	"encoding/json"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/perennial-cvo/perennial/connectors/shopify/shopifytest"
	"github.com/perennial-cvo/perennial/connectors/simulator"
)

// replayed is one recorded question and answer.
type replayed struct {
	name      string
	query     string
	variables map[string]any
	data      map[string]any
	errors    []any
}

// pairs reads the questions and answers below a key of a recorded file, in their order.
func pairs(t *testing.T, file string, below ...string) []replayed {
	t.Helper()
	found, err := filepath.Glob(filepath.Join(reference(t, "fixtures", "shopify"), "*"+file+".json"))
	require.NoError(t, err)
	require.NotEmpty(t, found, file)
	raw, err := os.ReadFile(found[0])
	require.NoError(t, err)
	var v map[string]json.RawMessage
	require.NoError(t, json.Unmarshal(raw, &v))
	for _, key := range below[:len(below)-1] {
		raw = v[key]
		v = map[string]json.RawMessage{}
		require.NoError(t, json.Unmarshal(raw, &v))
	}
	return pairsIn(t, v[below[len(below)-1]])
}

func pairsIn(t *testing.T, raw json.RawMessage) []replayed {
	t.Helper()
	var all []replayed
	d := json.NewDecoder(strings.NewReader(string(raw)))
	opening, err := d.Token()
	require.NoError(t, err)
	for d.More() {
		name := ""
		if opening == json.Delim('{') {
			key, err := d.Token()
			require.NoError(t, err)
			name, _ = key.(string)
		}
		var one map[string]any
		require.NoError(t, d.Decode(&one))
		all = append(all, pairOf(name, one))
	}
	return all
}

func pairOf(name string, one map[string]any) replayed {
	p := replayed{name: name}
	if given, ok := one["name"].(string); ok {
		p.name = given
	}
	for _, in := range []any{one, one["request"], one["mutation"]} {
		fields, _ := in.(map[string]any)
		if query, ok := fields["query"].(string); ok {
			p.query = query
		}
		if variables, ok := fields["variables"].(map[string]any); ok {
			p.variables = variables
		}
		answer, _ := fields["response"].(map[string]any)
		if payload, ok := answer["payload"].(map[string]any); ok {
			answer = payload
		}
		if answer != nil {
			p.data, _ = answer["data"].(map[string]any)
			p.errors, _ = answer["errors"].([]any)
		}
	}
	return p
}

// replay asks the fake what a shop was asked, and holds its answer against the shop's. Ids and times are the fake's own.
type replay struct {
	*store
	ids map[string]string // recorded -> ours
}

func (r *replay) run(p replayed) {
	r.t.Helper()
	a := r.ask(p.query, r.ours(p.variables).(map[string]any))
	require.Len(r.t, a.Errors, len(p.errors), "%s: %v", p.name, a.Errors)
	for i, want := range p.errors {
		want := want.(map[string]any)
		require.Equal(r.t, want["message"], a.Errors[i]["message"], p.name)
		require.Equal(r.t, at(r.t, want, "extensions", "code"), at(r.t, a.Errors[i], "extensions", "code"), p.name)
		require.Equal(r.t, want["path"], a.Errors[i]["path"], p.name)
	}
	r.same(p.name, p.data, a.Data)
}

// ours puts the fake's ids in the place of recorded ones.
func (r *replay) ours(v any) any {
	switch v := v.(type) {
	case map[string]any:
		fields := map[string]any{}
		for key, field := range v {
			fields[key] = r.ours(field)
		}
		return fields
	case []any:
		list := make([]any, len(v))
		for i, one := range v {
			list[i] = r.ours(one)
		}
		return list
	case string:
		if id, ok := r.ids[v]; ok {
			return id
		}
	}
	return v
}

func (r *replay) same(path string, want, got any) {
	r.t.Helper()
	switch want := want.(type) {
	case map[string]any:
		fields, ok := got.(map[string]any)
		if want == nil && got == nil || len(want) == 0 && got == nil {
			return
		}
		require.True(r.t, ok, "%s: want %v, got %v", path, want, got)
		require.Len(r.t, fields, len(want), path)
		for key := range want {
			r.same(path+"."+key, want[key], fields[key])
		}
	case []any:
		list, ok := got.([]any)
		require.True(r.t, ok && len(list) == len(want), "%s: want %v, got %v", path, want, got)
		for i := range want {
			r.same(path+"."+number(int64(i)), want[i], list[i])
		}
	case string:
		text, ok := got.(string)
		require.True(r.t, ok, "%s: want %v, got %v", path, want, got)
		if strings.HasPrefix(want, "gid://") {
			require.True(r.t, strings.HasPrefix(text, "gid://"), path)
			if _, ok := r.ids[want]; !ok {
				r.ids[want] = text
			}
			require.Equal(r.t, r.ids[want], text, path)
			return
		}
		if !strings.HasSuffix(path, "Date") && !strings.HasSuffix(path, "At") && !strings.HasSuffix(path, "compareDigest") {
			require.Equal(r.t, want, text, path)
		}
	default:
		require.Equal(r.t, want, got, path)
	}
}

func newReplay(t *testing.T) *replay {
	t.Helper()
	s := open(t, simulator.Options{Customers: 20, Orders: 40}, shopifytest.Options{Scopes: append(everyScope(), "write_products", "write_orders")})
	return &replay{store: s, ids: map[string]string{}}
}

// TestSegmentsAgreeWithRecorded makes, changes and deletes segments as a shop was seen to.
func TestSegmentsAgreeWithRecorded(t *testing.T) {
	for _, file := range []string{
		"segment-lifecycle-validation", "segment-create-update-length-edge-cases", "segments-create-update-validation-limits",
		"segments-user-errors-shape", "segment-create-update-query-grammar", "segment-query-grammar-not-contains", "segment-update-delete-malformed-gid",
		"segment-create-name-failure-short-circuits-query-grammar", "segment-query-whitespace-preservation", "segment-name-suffix-and-limit",
	} {
		t.Run(file, func(t *testing.T) {
			r := newReplay(t)
			for i, p := range pairs(t, file, "cases") {
				if strings.HasPrefix(p.name, "segmentNameSuffix") { // the shop was emptied meanwhile
					r = newReplay(t)
				}
				p.name = number(int64(i)) + " " + p.name
				r.run(p)
			}
		})
	}
}

// productOfOurs lets a recorded product be one of the fake's.
func (r *replay) productOfOurs(recorded string) {
	for _, p := range r.Shop().Products() {
		id := "gid://shopify/Product/" + number(p.ID)
		if p.ParentID != 0 || slices.ContainsFunc(slices.Collect(values(r.ids)), func(taken string) bool { return taken == id }) {
			continue
		}
		r.ids[recorded] = id
		return
	}
}

func values(m map[string]string) func(func(string) bool) {
	return func(yield func(string) bool) {
		for _, v := range m {
			if !yield(v) {
				return
			}
		}
	}
}

// TestMetafieldsAgreeWithRecorded writes metafields that a shop refused, of the types that the fake knows.
func TestMetafieldsAgreeWithRecorded(t *testing.T) {
	const set = `mutation($metafields: [MetafieldsSetInput!]!) { metafieldsSet(metafields: $metafields) {
		metafields { id } userErrors { field message code elementIndex } } }`
	unknown := []string{ // types that the product has no use for, and a message that only Shopify's parser of JSON gives
		"invalidValueColor", "invalidValueDimensionNegative", "invalidValueWeightUnit", "invalidValueVolumeNumeric", "invalidValueLinkScheme",
		"invalidReference", "invalidReferenceMissingProduct", "invalidValueListProductReference", "invalidValueJson",
	}
	r, tried := newReplay(t), 0
	for _, p := range pairs(t, "metafields-set-input-validation", "cases") {
		if slices.Contains(unknown, p.name) {
			continue
		}
		p.query = set
		owner := at(t, p.variables, "metafields", 0, "ownerId").(string)
		if r.ids[owner] == "" {
			r.productOfOurs(owner)
		}
		r.run(p)
		tried++
	}
	require.GreaterOrEqual(t, tried, 20)
}

func TestDefinitionsAgreeWithRecorded(t *testing.T) {
	r := newReplay(t)
	for _, p := range pairs(t, "metafield-definition-create-input-validation", "cases") {
		if p.name != "unknownType" { // the list of all types there are
			r.run(p)
		}
	}
}

func TestTagsAgreeWithRecorded(t *testing.T) {
	r := newReplay(t)
	for _, p := range pairs(t, "admin-platform-tags-not-found", "cases") {
		r.run(p)
	}
	for _, p := range pairs(t, "tags-normalization-parity", "tagNormalization") { //nolint:misspell // so it was recorded
		recorded := p.variables["id"].(string)
		r.productOfOurs(recorded)
		r.tell(`mutation($id: ID!) { tagsAdd(id: $id, tags: ["Red"]) { node { id } userErrors { message } } }`, map[string]any{"id": r.ids[recorded]})
		r.run(p)
	}
	for _, p := range pairs(t, "tags-add-multi-resource", "normalizationCases", "customer") { //nolint:misspell // so it was recorded
		if p.query == "" {
			continue
		}
		r.Shop().RegisterGuest(p.name+"@post.example", false)
		r.customerOfOurs(p, "Red")
	}
}

// customerOfOurs replays a change of tags of a customer who has one tag and only those.
func (r *replay) customerOfOurs(p replayed, tag string) {
	customers := r.Shop().Customers()
	id := customers[len(customers)-1].ID
	r.SetTags(id, tag)
	r.ids[p.variables["id"].(string)] = "gid://shopify/Customer/" + number(id)
	mutation := "tagsAdd"
	if _, ok := p.data["tagsRemove"]; ok {
		mutation = "tagsRemove"
	}
	got := r.tell("mutation($id: ID!, $tags: [String!]!) { "+mutation+"(id: $id, tags: $tags) { node { ... on Customer { tags } } userErrors { field message } } }",
		r.ours(p.variables).(map[string]any))
	want := at(r.t, p.data, mutation, "node", "tags")
	if p.name != "caseSortAdd" { // letters that other customers of that shop had before
		require.Equal(r.t, want, at(r.t, got, mutation, "node", "tags"), p.name)
	}
}
