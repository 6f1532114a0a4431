package schematest

import (
	"encoding/json"
	"testing"

	"github.com/stretchr/testify/require"
)

func TestAnswer(t *testing.T) {
	judge := Validator(t, "2026-07")
	const order = `query Q($tags: Boolean = true, $id: ID!) { order(id: $id) { __typename id name note tags @include(if: $tags)
		createdAt test returnStatus displayFulfillmentStatus totalPriceSet { shopMoney { amount currencyCode } }
		lineItems(first: 2) { edges { node { quantity } } pageInfo { hasNextPage } } } }`
	const good = `{"order":{"__typename":"Order","id":"gid://shopify/Order/1","name":"#1","note":null,"tags":["a"],
		"createdAt":"2026-01-02T03:04:05Z","test":false,"returnStatus":"NO_RETURN","displayFulfillmentStatus":"UNFULFILLED",
		"totalPriceSet":{"shopMoney":{"amount":"30.0","currencyCode":"EUR"}},
		"lineItems":{"edges":[{"node":{"quantity":2}}],"pageInfo":{"hasNextPage":false}}}}`
	const node = `query Q($id: ID!) { node(id: $id) { id ... on Order { name } ... on Customer { state } } }`
	const typed = `query Q($id: ID!) { node(id: $id) { kind: __typename ... on Order { name } ... on Customer { state } } }`
	change := func(old, new string) string {
		require.Contains(t, good, old)
		return string(replaceOnce(good, old, new))
	}
	id := map[string]any{"id": "gid://shopify/Order/1"}
	for name, c := range map[string]struct {
		query     string
		variables map[string]any
		data      string
		fault     string
	}{
		"good":             {order, id, good, ""},
		"null data":        {order, id, `null`, ""},
		"null object":      {order, id, `{"order":null}`, ""},
		"no data":          {order, id, ``, ""},
		"missing":          {order, id, change(`"name":"#1",`, ``), "data.order.name: was asked for on Order and is missing"},
		"missing nullable": {order, id, change(`"note":null,`, ``), "data.order.note: was asked for"},
		"not asked":        {order, id, change(`"test":false`, `"test":false,"email":"a@example.com"`), "data.order.email: was not asked for on Order"},
		"null":             {order, id, change(`"name":"#1"`, `"name":null`), "data.order.name: null, but the type is String!"},
		"null in a list":   {order, id, change(`["a"]`, `["a",null]`), "data.order.tags[1]: null"},
		"no list":          {order, id, change(`["a"]`, `"a"`), "data.order.tags: a text instead of a list"},
		"number as text":   {order, id, change(`"quantity":2`, `"quantity":"2"`), "data.order.lineItems.edges[0].node.quantity"},
		"number too large": {order, id, change(`"quantity":2`, `"quantity":3000000000`), "a number instead of Int"},
		"fraction":         {order, id, change(`"quantity":2`, `"quantity":2.5`), "a number instead of Int"},
		"text as number":   {order, id, change(`"amount":"30.0"`, `"amount":30.0`), "a number instead of Decimal"},
		"no decimal":       {order, id, change(`"amount":"30.0"`, `"amount":"30,0"`), "a text that is no Decimal"},
		"truth as text":    {order, id, change(`"test":false`, `"test":"false"`), "data.order.test: a text"},
		"enum":             {order, id, change(`"NO_RETURN"`, `"no_return"`), "no value of the enum OrderReturnStatus"},
		"currency":         {order, id, change(`"EUR"`, `"EURO"`), "no value of the enum CurrencyCode"},
		"time":             {order, id, change(`2026-01-02T03:04:05Z`, `2026-01-02 03:04:05`), "no DateTime"},
		"type":             {order, id, change(`"Order"`, `"DraftOrder"`), "is DraftOrder on an object of type Order"},
		"list for object":  {order, id, change(`{"quantity":2}`, `[]`), "a list instead of an object of type LineItem"},
		"skipped":          {order, map[string]any{"id": id["id"], "tags": false}, change(`"tags":["a"],`, ``), ""},
		"skipped and given": {
			order, map[string]any{"id": id["id"], "tags": false}, good, "data.order.tags: was not asked for",
		},
		"cut":                    {order, id, `{"order":`, "data: "},
		"invalid document":       {`{ nothing }`, nil, `{"nothing":1}`, "the document itself is not valid"},
		"interface":              {node, id, `{"node":{"id":"gid://shopify/Order/1","name":"#1"}}`, ""},
		"interface, other":       {node, id, `{"node":{"id":"gid://shopify/Customer/1","state":"ENABLED"}}`, ""},
		"interface, neither":     {node, id, `{"node":{"id":"gid://shopify/Product/1"}}`, ""},
		"interface, both":        {node, id, `{"node":{"id":"gid://shopify/Order/1","name":"#1","state":"ENABLED"}}`, "fits none"},
		"interface, typed":       {typed, id, `{"node":{"kind":"Order","name":"#1"}}`, ""},
		"interface, wrong type":  {typed, id, `{"node":{"kind":"Order","state":"ENABLED"}}`, "data.node.state: was not asked for on Order"},
		"interface, not of type": {typed, id, `{"node":{"kind":"MoneyV2"}}`, "is no type that Node may be"},
	} {
		t.Run(name, func(t *testing.T) {
			err := judge.Answer(c.query, c.variables, json.RawMessage(c.data))
			if c.fault == "" {
				require.NoError(t, err)
				return
			}
			require.ErrorContains(t, err, c.fault)
		})
	}
}

func replaceOnce(text, old, new string) []byte {
	for i := 0; i+len(old) <= len(text); i++ {
		if text[i:i+len(old)] == old {
			return []byte(text[:i] + new + text[i+len(old):])
		}
	}
	return []byte(text)
}

// TestRequestRefuses looks at kinds of fault that were not recorded.
func TestRequestRefuses(t *testing.T) {
	judge := Validator(t, "2026-07")
	for name, c := range map[string]struct{ query, code string }{
		"scalar selected from":   {`{ shop { name { x } } }`, "selectionMismatch"},
		"unknown variable":       {`{ customer(id: $id) { id } }`, "variableNotDefined"},
		"variable of other type": {`query ($id: String!) { customer(id: $id) { id } }`, "variableMismatch"},
		"unknown type":           {`{ node(id: "gid://shopify/Order/1") { ... on Nothing { id } } }`, "undefinedType"},
		"impossible type":        {`{ shop { ... on Order { id } } }`, "cannotSpreadFragment"},
		"unknown fragment":       {`{ shop { ...Nothing } }`, "useAndDefineFragment"},
		"unused fragment":        {`{ shop { name } } fragment F on Shop { id }`, "useAndDefineFragment"},
		"circle":                 {`{ shop { ...F } } fragment F on Shop { ...F }`, "infiniteLoop"},
		"conflict":               {`{ shop { a: name a: email } }`, "fieldConflict"},
		"unknown directive":      {`{ shop { name @nothing } }`, "undefinedDirective"},
		"in a fragment":          {`{ shop { ...F } } fragment F on Shop { nothing }`, "undefinedField"},
		"several in oneOf":       {`{ customerByIdentifier(identifier: {id: "gid://shopify/Customer/1", emailAddress: "a@example.com"}) { id } }`, "invalidOneOfInputObject"},
		"number for text":        {`{ orders(first: 1, query: 5) { nodes { id } } }`, "argumentLiteralsIncompatible"},
		"quoted enum":            {`{ orders(first: 1, sortKey: "ID") { nodes { id } } }`, "argumentLiteralsIncompatible"},
		"nothing":                {``, "PARSE_ERROR"},
		"comment":                {`# nothing`, "PARSE_ERROR"},
	} {
		t.Run(name, func(t *testing.T) {
			found := judge.Request(c.query, nil)
			require.NotEmpty(t, found)
			var first Error
			require.NoError(t, json.Unmarshal(found[0], &first))
			require.Equal(t, c.code, first.Extensions["code"], string(found[0]))
			require.NotEmpty(t, first.Message)
		})
	}
	require.Empty(t, judge.Request(`query Q($ids: [ID!]!, $after: String) { nodes(ids: $ids) { id } orders(first: 1, after: $after) { nodes { id } } }`,
		map[string]any{"ids": []string{"gid://shopify/Order/1"}, "after": nil}))
}
