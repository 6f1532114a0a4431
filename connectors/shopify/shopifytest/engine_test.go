package shopifytest

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/perennial-cvo/perennial/connectors/simulator"
)

var base = time.Date(2026, 7, 1, 12, 0, 0, 0, time.UTC)

// thing is one of a small invented shop that tests the engine without the real one.
type thing struct {
	id      int64
	name    string
	tags    []string
	updated time.Time
	parts   int
}

// bench is a fake over such a shop, with a clock that the test turns.
type bench struct {
	*Server
	t      *testing.T
	now    time.Time
	things []*thing
	mu     sync.Mutex
	set    map[string]string // what the mutation has written
}

// written is what the mutation wrote of this id.
func (b *bench) written(id string) string {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.set[id]
}

func (b *bench) forget() {
	b.mu.Lock()
	defer b.mu.Unlock()
	clear(b.set)
}

func newBench(t *testing.T, opts Options) *bench {
	t.Helper()
	b := &bench{t: t, now: base, set: map[string]string{}}
	opts.Clock = func() time.Time { return b.now }
	b.Server = New(simulator.New(simulator.Options{Seed: 1}), opts)
	b.query = func() *object {
		return &object{typ: queryRoot, fields: map[string]resolver{
			"things": func(*call, map[string]any) (any, error) { return b.list(), nil },
			"thingsCount": func(c *call, args map[string]any) (any, error) {
				counted := b.list()
				counted.named = true
				return c.count(counted, args)
			},
			"hidden": func(*call, map[string]any) (any, error) { return nil, denied("hidden", "`read_x` access scope") },
			"one":    func(*call, map[string]any) (any, error) { return b.object(b.things[0]), nil },
			"none":   value(nil),
			"echo":   func(_ *call, args map[string]any) (any, error) { return args, nil },
			"secret": func(c *call, _ map[string]any) (any, error) {
				if !c.has("read_reports") {
					return nil, denied("secret", "`read_reports` access scope")
				}
				return "told", nil
			},
		}}
	}
	b.mutation = func() *object {
		return &object{typ: "Mutation", fields: map[string]resolver{
			"nameSet": func(_ *call, args map[string]any) (any, error) {
				id, name := args["id"].(string), args["name"].(string)
				if name == "" {
					return simple("NameSetPayload", map[string]any{
						"thing": nil, "userErrors": userErrors("UserError", userError{field: []string{"name"}, message: "can't be blank"}),
					}), nil
				}
				b.mu.Lock()
				b.set[id] = name
				b.mu.Unlock()
				return simple("NameSetPayload", map[string]any{"thing": simple("Thing", map[string]any{"id": id, "name": name}), "userErrors": userErrors("UserError")}), nil
			},
		}}
	}
	for i := range 5 {
		b.add(int64(i + 1))
	}
	return b
}

func (b *bench) add(id int64) *thing {
	t := &thing{
		id: id, name: "Thing " + strconv.FormatInt(id, 10), tags: []string{"all", "t" + strconv.FormatInt(id%2, 10)},
		updated: base.Add(time.Duration(id) * time.Hour), parts: 2,
	}
	b.things = append(b.things, t)
	return t
}

func (b *bench) object(of *thing) *object {
	return &object{typ: "Thing", id: gid("Thing", of.id), record: of, changed: of.updated, fill: func() map[string]resolver {
		return map[string]resolver{
			"name": value(of.name), "tags": value(of.tags), "updatedAt": value(of.updated), "weight": value(2.0),
			"maker": value(simple("Maker", map[string]any{"title": "M/" + of.name})),
			"price": value(map[string]any{"shopMoney": simple("MoneyV2", map[string]any{"amount": "1.0", "currencyCode": "EUR"})}),
			"kind": func(*call, map[string]any) (any, error) {
				if of.id%2 == 0 {
					return simple("ProductSale", map[string]any{"lineItem": "even"}), nil
				}
				return simple("TipSale", map[string]any{"lineItem": "odd"}), nil
			},
			"parts": func(*call, map[string]any) (any, error) { return b.parts(of), nil },
			"list": func(*call, map[string]any) (any, error) {
				return []*object{simple("Part", map[string]any{"n": 1}), simple("Part", map[string]any{"n": 2})}, nil
			},
			"refusedTo": func(*call, map[string]any) (any, error) { return nil, denied("refusedTo", "`read_x` access scope") },
		}
	}}
}

func (b *bench) parts(of *thing) *connection {
	return &connection{typ: "Part", items: func() []*object {
		var all []*object
		for i := range of.parts {
			n := of.id*10 + int64(i)
			all = append(all, &object{typ: "Part", id: gid("Part", n), fields: values(map[string]any{"n": n})})
		}
		return all
	}}
}

func (b *bench) list() *connection {
	of := func(o *object) *thing { return o.record.(*thing) }
	return &connection{
		typ: "Thing",
		items: func() []*object {
			var all []*object
			for _, t := range b.things {
				all = append(all, b.object(t))
			}
			return all
		},
		search: map[string]func(*object) any{
			"": func(o *object) any { return of(o).name }, "id": func(o *object) any { return of(o).id },
			"name": func(o *object) any { return of(o).name }, "tag": func(o *object) any { return of(o).tags },
			"updated_at": func(o *object) any { return of(o).updated }, "seen_at": func(o *object) any { return of(o).updated },
			"state": func(*object) any { return "ENABLED" }, "parts": func(o *object) any { return int64(of(o).parts) },
		},
		days:   map[string]bool{"seen_at": true},
		accept: map[string][]string{"state": {"ENABLED", "DISABLED"}},
		sort: map[string]func(*object) any{
			"UPDATED_AT": func(o *object) any { return of(o).updated }, "NAME": func(o *object) any { return of(o).name },
		},
	}
}

// reply is a decoded answer.
type reply struct {
	Status  int
	Header  http.Header
	Text    string
	Version string
	Data    map[string]any `json:"data"`
	Errors  []struct {
		Message    string
		Path       []any
		Extensions map[string]any
	} `json:"errors"`
	Extensions struct {
		Cost struct {
			RequestedQueryCost float64
			ActualQueryCost    *float64
			ThrottleStatus     struct{ MaximumAvailable, CurrentlyAvailable, RestoreRate float64 }
		}
		Search []struct {
			Path     []any
			Query    string
			Parsed   any
			Warnings []struct{ Field, Message, Code string }
		}
	} `json:"extensions"`
}

func (b *bench) ask(query string, variables map[string]any) reply {
	b.t.Helper()
	return b.askAs(b.opts.AccessToken, "/admin/api/2026-07/graphql.json", query, variables)
}

func (b *bench) askAs(token, path, query string, variables map[string]any) reply {
	b.t.Helper()
	body, err := json.Marshal(map[string]any{"query": query, "variables": variables})
	require.NoError(b.t, err)
	r := httptest.NewRequest(http.MethodPost, path, bytes.NewReader(body))
	r.Header.Set(tokenHeader, token)
	w := httptest.NewRecorder()
	b.ServeHTTP(w, r)
	out := reply{Status: w.Code, Header: w.Header(), Text: w.Body.String()}
	if w.Code == http.StatusOK {
		require.NoError(b.t, json.Unmarshal(w.Body.Bytes(), &out), w.Body.String())
	}
	return out
}

func (b *bench) get(address string, header ...string) *http.Response {
	b.t.Helper()
	r := httptest.NewRequest(http.MethodGet, strings.TrimPrefix(address, b.Home()), nil)
	for i := 0; i+1 < len(header); i += 2 {
		r.Header.Set(header[i], header[i+1])
	}
	w := httptest.NewRecorder()
	b.ServeHTTP(w, r)
	return w.Result()
}

func bodyOf(t *testing.T, r *http.Response) string {
	t.Helper()
	b, err := io.ReadAll(r.Body)
	require.NoError(t, err)
	return string(b)
}

func names(v any) string {
	var all []string
	for _, node := range v.(map[string]any)["nodes"].([]any) {
		all = append(all, strings.TrimPrefix(node.(map[string]any)["name"].(string), "Thing "))
	}
	return strings.Join(all, " ")
}

func TestDocuments(t *testing.T) {
	b := newBench(t, Options{})
	for name, c := range map[string]struct {
		query     string
		variables map[string]any
		want      string
	}{
		"aliases and order": {`{ b: one { name } a: one { id } }`, nil, `{"b":{"name":"Thing 1"},"a":{"id":"gid://shopify/Thing/1"}}`},
		"fragments": {
			`query Q { one { ...F ...F } } fragment F on Thing { name maker { title } __typename }`, nil,
			`{"one":{"name":"Thing 1","maker":{"title":"M/Thing 1"},"__typename":"Thing"}}`,
		},
		"merged fields": {`{ one { maker { title } maker { __typename } } }`, nil, `{"one":{"maker":{"title":"M/Thing 1","__typename":"Maker"}}}`},
		"include and skip": {
			`query Q($y: Boolean!, $n: Boolean = false) { one { id @include(if: $y) name @include(if: $n) tags @skip(if: $y) ... @skip(if: $n) { weight } } }`,
			map[string]any{"y": true},
			`{"one":{"id":"gid://shopify/Thing/1","weight":2.0}}`,
		},
		"types and interfaces": {
			`{ one { ... on Node { id } ... on Other { name } kind { __typename ... on Sale { lineItem } ... on ProductSale { other: lineItem } } } }`, nil,
			`{"one":{"id":"gid://shopify/Thing/1","kind":{"__typename":"TipSale","lineItem":"odd"}}}`,
		},
		"variables": {
			`query Q($a: Int = 3, $b: [String!], $c: In, $d: String) { echo(a: $a, b: $b, c: $c, d: $d, e: null, f: [1, 2], g: {h: $a, i: ENUM}, j: 1.5) }`,
			map[string]any{"b": []string{"x"}, "c": map[string]any{"n": 1}},
			`{"echo":{"a":3,"b":["x"],"c":{"n":1},"e":null,"f":[1,2],"g":{"h":3,"i":"ENUM"},"j":1.5}}`,
		},
		"null": {`{ none { id } one { price { shopMoney { amount } } list { n } } }`, nil, `{"none":null,"one":{"price":{"shopMoney":{"amount":"1.0"}},"list":[{"n":1},{"n":2}]}}`},
	} {
		t.Run(name, func(t *testing.T) {
			r := b.ask(c.query, c.variables)
			require.Empty(t, r.Errors)
			start := strings.Index(r.Text, `"data":`) + len(`"data":`)
			require.Equal(t, c.want, r.Text[start:start+len(c.want)])
		})
	}
}

func TestErrorsOfFields(t *testing.T) {
	b := newBench(t, Options{})
	b.Restrict("read_reports")
	r := b.ask(`{ one { name } secret }`, nil)
	require.Equal(t, map[string]any{"one": map[string]any{"name": "Thing 1"}, "secret": nil}, r.Data)
	require.Equal(t, "Access denied for secret field. Required access: `read_reports` access scope.", r.Errors[0].Message)
	require.Equal(t, []any{"secret"}, r.Errors[0].Path)
	require.Equal(t, "ACCESS_DENIED", r.Errors[0].Extensions["code"])

	r = b.ask(`{ things(first: 2) { edges { node { x: refusedTo } } } }`, nil)
	require.Equal(t, []any{"things", "edges", 0.0, "node", "x"}, r.Errors[0].Path)
	require.NotNil(t, r.Data["things"])

	r = b.ask(`{ one { name } hidden(first: 1) { nodes { id } } }`, nil)
	require.Nil(t, r.Data, "nor where it may not be seen")
	require.Equal(t, "ACCESS_DENIED", r.Errors[0].Extensions["code"])

	r = b.ask(`{ things { nodes { id } } }`, nil)
	require.Nil(t, r.Data, "a connection is never null")
	require.Equal(t, "you must provide one of first or last", r.Errors[0].Message)
	require.Equal(t, "BAD_REQUEST", r.Errors[0].Extensions["code"])
	require.Equal(t, "providing both first and last is not supported", b.ask(`{ things(first: 1, last: 1) { nodes { id } } }`, nil).Errors[0].Message)
	require.Equal(t, "undefinedField", b.ask(`{ nothing }`, nil).Errors[0].Extensions["code"])
	require.Equal(t, "INVALID_VARIABLE", b.ask(`query Q($a: ID!) { echo(a: $a) }`, nil).Errors[0].Extensions["code"])
}

func TestPages(t *testing.T) {
	b := newBench(t, Options{})
	b.things[4].updated = b.things[3].updated // 4 and 5 are equal
	walk := func(args string) string {
		var all []string
		after := "null"
		for range 10 {
			r := b.ask(fmt.Sprintf(`{ things(first: 2, after: %s, %s) { nodes { name } edges { cursor node { id } } pageInfo { hasNextPage hasPreviousPage startCursor endCursor } } }`, after, args), nil)
			require.Empty(t, r.Errors)
			page := r.Data["things"].(map[string]any)
			info := page["pageInfo"].(map[string]any)
			edges := page["edges"].([]any)
			require.Equal(t, edges[len(edges)-1].(map[string]any)["cursor"], info["endCursor"])
			require.Equal(t, after != "null", info["hasPreviousPage"])
			all = append(all, names(page))
			if info["hasNextPage"] != true {
				break
			}
			after = strconv.Quote(info["endCursor"].(string))
		}
		return strings.Join(all, "|")
	}
	require.Equal(t, "1 2|3 4|5", walk("reverse: false"))
	require.Equal(t, "5 4|3 2|1", walk("reverse: true"))
	require.Equal(t, "1 2|3 4|5", walk("sortKey: UPDATED_AT"))
	require.Equal(t, "5 4|3 2|1", walk("sortKey: UPDATED_AT, reverse: true"))
	require.Equal(t, "3 4", names(b.ask(fmt.Sprintf(`{ things(last: 2, before: %q) { nodes { name } } }`, cursorOf(5)), nil).Data["things"]))
}

func cursorOf(id int64) string {
	return place{id: id}.cursor()
}

// A cursor is a key, not a place: what goes or moves behind it changes nothing before it.
func TestCursorsAreKeys(t *testing.T) {
	b := newBench(t, Options{})
	page := func(after any) (string, any) {
		r := b.ask(`query Q($a: String) { things(first: 2, after: $a, sortKey: UPDATED_AT) { nodes { name } pageInfo { endCursor } } }`, map[string]any{"a": after})
		p := r.Data["things"].(map[string]any)
		return names(p), p["pageInfo"].(map[string]any)["endCursor"]
	}
	got, cursor := page(nil)
	require.Equal(t, "1 2", got)
	b.things[1].updated = base.Add(100 * time.Hour) // the last one seen moves to the end
	got, cursor = page(cursor)
	require.Equal(t, "3 4", got)
	b.things = append(b.things[:3], b.things[4:]...) // the last one seen is deleted
	got, _ = page(cursor)
	require.Equal(t, "5 2", got)
}
