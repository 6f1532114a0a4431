package shopifytest_test

import (
	"bytes"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/shopspring/decimal"
	"github.com/stretchr/testify/require"

	"github.com/perennial-cvo/perennial/connectors/commerce"
	"github.com/perennial-cvo/perennial/connectors/shopify/shopifytest"
	"github.com/perennial-cvo/perennial/connectors/simulator"
)

func customerID(id int64) string { return "gid://shopify/Customer/" + number(id) }

// buyer is a customer with orders.
func (s *store) buyer(least int) (customer int64, orders []*simulator.Order) {
	for _, c := range s.Shop().Customers() {
		orders = nil
		for _, o := range s.Shop().Orders() {
			if o.CustomerID == c.ID && o.Status == simulator.Completed && len(o.Refunds) == 0 {
				orders = append(orders, o)
			}
		}
		if len(orders) >= least {
			return c.ID, orders
		}
	}
	s.t.Fatal("nobody bought so much")
	return 0, nil
}

const addTags = `mutation($id: ID!, $tags: [String!]!) { tagsAdd(id: $id, tags: $tags) { node { ... on Customer { tags updatedAt } } userErrors { field message } } }`

func TestTagLimits(t *testing.T) {
	s := open(t, simulator.Options{}, shopifytest.Options{})
	many := make([]string, 0, 260)
	for i := range 260 {
		many = append(many, "tag-"+number(int64(i)))
	}
	complaint := func(tags ...string) any {
		return at(t, s.tell(addTags, map[string]any{"id": customerID(5), "tags": tags}), "tagsAdd", "userErrors", 0, "message")
	}
	require.Equal(t, "Tags cannot be more than 250", complaint(many...))
	require.Equal(t, "Tags is too long (maximum is 255 characters)", complaint(strings.Repeat("ü", 256)))
	require.Empty(t, s.Tags(5), "a call that was refused writes nothing")
	s.tell(addTags, map[string]any{"id": customerID(5), "tags": many[:250]})
	require.Len(t, s.Tags(5), 250)
	s.tell(addTags, map[string]any{"id": customerID(5), "tags": []string{"TAG-7"}})
	require.Equal(t, "Tags cannot be more than 250", complaint("one-more"))
}

// A tag write echoes in updated_at, one that changes nothing does not; the letters of a tag are the shop's.
func TestTagWritesEcho(t *testing.T) {
	s := open(t, simulator.Options{}, shopifytest.Options{})
	s.Shop().Wait(time.Hour)
	before := s.Shop().Customer(5).ModifiedAt
	s.tell(addTags, map[string]any{"id": customerID(5), "tags": []string{"vip"}})
	written := s.Shop().Customer(5).ModifiedAt
	require.True(t, written.After(before))
	s.Shop().Wait(time.Hour)
	s.tell(addTags, map[string]any{"id": customerID(5), "tags": []string{"VIP "}})
	require.Equal(t, written, s.Shop().Customer(5).ModifiedAt)
	s.tell(addTags, map[string]any{"id": customerID(6), "tags": []string{"VIP"}})
	require.Equal(t, []string{"vip"}, s.Tags(6))
}

// Tags and metafields of customers live through a restart, because the simulator keeps them.
func TestTagsAndMetafieldsAreSaved(t *testing.T) {
	s := open(t, simulator.Options{}, shopifytest.Options{})
	s.SetTags(5, "vip", "Perennial:champions")
	s.SetMetafield(5, "perennial", "segment", "single_line_text_field", "champions")
	var file bytes.Buffer
	require.NoError(t, s.Shop().Save(&file))
	again, err := simulator.Load(&file, nil)
	require.NoError(t, err)
	reopened := shopifytest.New(again, shopifytest.Options{})
	require.Equal(t, []string{"Perennial:champions", "vip"}, reopened.Tags(5))
	require.Equal(t, map[string]string{"segment": "champions"}, reopened.Metafields(5, "perennial"))
	told := shopifytest.Truth(again)
	i := slices.IndexFunc(told.Customers, func(c commerce.Customer) bool { return c.ID == "5" })
	require.Equal(t, []string{"vip"}, told.Customers[i].Tags)
}

const setFields = `mutation($metafields: [MetafieldsSetInput!]!) { metafieldsSet(metafields: $metafields) {
	metafields { key value compareDigest definition { key } owner { ... on Customer { id } } } userErrors { field message code } } }`

func TestMetafieldsSet(t *testing.T) {
	s := open(t, simulator.Options{}, shopifytest.Options{})
	field := func(key, value string, more ...any) map[string]any {
		f := map[string]any{"ownerId": customerID(5), "namespace": "perennial", "key": key, "value": value, "type": "single_line_text_field"}
		for i := 0; i < len(more); i += 2 {
			f[more[i].(string)] = more[i+1]
		}
		return f
	}
	set := func(fields ...map[string]any) map[string]any {
		return at(t, s.tell(setFields, map[string]any{"metafields": fields}), "metafieldsSet").(map[string]any)
	}
	require.Equal(t, "LESS_THAN_OR_EQUAL_TO", at(t, set(slices.Repeat([]map[string]any{field("key", "v")}, 26)...), "userErrors", 0, "code"))
	wrong := set(field("segment", "champions"), field("r", "5"))
	require.Equal(t, "TOO_SHORT", at(t, wrong, "userErrors", 0, "code"))
	require.Empty(t, s.Metafields(5, "perennial"), "all or nothing")

	first := set(field("segment", "champions"))
	digest := at(t, first, "metafields", 0, "compareDigest")
	require.NotEmpty(t, digest)
	require.Empty(t, at(t, set(field("segment", "loyal", "compareDigest", digest)), "userErrors"))
	require.Equal(t, "STALE_OBJECT", at(t, set(field("segment", "lost", "compareDigest", digest)), "userErrors", 0, "code"))
	require.Equal(t, "STALE_OBJECT", at(t, set(field("segment", "lost", "compareDigest", nil)), "userErrors", 0, "code"))
	require.Equal(t, map[string]string{"segment": "loyal"}, s.Metafields(5, "perennial"))
	require.Equal(t, "BLANK", at(t, set(field("other", "x", "type", nil)), "userErrors", 0, "code"))

	define := `mutation($d: MetafieldDefinitionInput!) { metafieldDefinitionCreate(definition: $d) {
		createdDefinition { id type { name } } userErrors { field message code } } }`
	d := map[string]any{"namespace": "perennial", "key": "score_r", "name": "R", "ownerType": "CUSTOMER", "type": "number_integer"}
	made := s.tell(define, map[string]any{"d": d})
	require.Equal(t, "TAKEN", at(t, s.tell(define, map[string]any{"d": d}), "metafieldDefinitionCreate", "userErrors", 0, "code"))
	require.Equal(t, "INVALID_TYPE", at(t, set(field("score_r", "5")), "userErrors", 0, "code"))
	require.Equal(t, "INVALID_VALUE", at(t, set(field("score_r", "five", "type", nil)), "userErrors", 0, "code"))
	require.Equal(t, "score_r", at(t, set(field("score_r", "5", "type", nil)), "metafields", 0, "definition", "key"))

	gone := s.tell(`mutation($id: ID!) { metafieldDefinitionDelete(id: $id, deleteAllAssociatedMetafields: true) { deletedDefinitionId userErrors { code } } }`,
		map[string]any{"id": at(t, made, "metafieldDefinitionCreate", "createdDefinition", "id")})
	require.NotNil(t, at(t, gone, "metafieldDefinitionDelete", "deletedDefinitionId"))
	require.Equal(t, map[string]string{"segment": "loyal"}, s.Metafields(5, "perennial"))
	removed := s.tell(`mutation($m: [MetafieldIdentifierInput!]!) { metafieldsDelete(metafields: $m) { deletedMetafields { key } userErrors { message } } }`,
		map[string]any{"m": []any{
			map[string]any{"ownerId": customerID(5), "namespace": "perennial", "key": "segment"},
			map[string]any{"ownerId": customerID(5), "namespace": "perennial", "key": "missing"},
		}})
	require.Equal(t, []any{map[string]any{"key": "segment"}, nil}, at(t, removed, "metafieldsDelete", "deletedMetafields"))
	require.Empty(t, s.Metafields(5, "perennial"))
}

func TestSegmentMembers(t *testing.T) {
	s := open(t, simulator.Options{}, shopifytest.Options{})
	s.SetTags(5, "Perennial:champions")
	s.SetTags(6, "perennial:champions-old")
	s.SetMetafield(7, "perennial", "segment", "single_line_text_field", "loyal")
	members := func(query string) []string {
		a := s.ask(`query($q: String!) { customerSegmentMembers(first: 1000, query: $q) { totalCount edges { node { id numberOfOrders } } } }`, map[string]any{"q": query})
		require.Empty(t, a.Errors)
		var ids []string
		for _, edge := range at(t, a.Data, "customerSegmentMembers", "edges").([]any) {
			ids = append(ids, at(t, edge, "node", "id").(string))
		}
		require.InDelta(t, len(ids), at(t, a.Data, "customerSegmentMembers", "totalCount"), 0)
		return ids
	}
	require.Equal(t, []string{"gid://shopify/CustomerSegmentMember/5"}, members("customer_tags CONTAINS 'perennial:champions'"))
	require.Len(t, members("customer_tags NOT CONTAINS 'perennial:champions'"), len(s.Shop().Customers())-1)
	const byField = "metafields.perennial.segment = 'loyal'"
	a := s.ask(`query($q: String!) { customerSegmentMembers(first: 10, query: $q) { totalCount } }`, map[string]any{"q": byField})
	require.NotEmpty(t, a.Errors, "without a definition there is no filter")
	s.tell(`mutation { metafieldDefinitionCreate(definition: {namespace: "perennial", key: "segment", name: "Segment", ownerType: CUSTOMER, type: "single_line_text_field"}) { userErrors { message } } }`, nil)
	require.Equal(t, []string{"gid://shopify/CustomerSegmentMember/7"}, members(byField))
	require.NotEmpty(t, members("number_of_orders >= 2 AND (email_subscription_status = 'SUBSCRIBED' OR customer_countries CONTAINS 'US')"))
}

// Without read_all_orders the shop answers as if older orders were not there, and says nothing.
func TestSixtyDays(t *testing.T) {
	s := open(t, simulator.Options{}, shopifytest.Options{Scopes: []string{"read_orders", "read_customers", "read_products"}})
	old := s.Shop().Now().AddDate(0, 0, -60)
	data := s.tell(`{ orders(first: 1, sortKey: CREATED_AT) { nodes { createdAt } } ordersCount { count } }`, nil)
	oldest, err := time.Parse(time.RFC3339, at(t, data, "orders", "nodes", 0, "createdAt").(string))
	require.NoError(t, err)
	require.True(t, oldest.After(old))
	recent := 0
	for _, o := range s.Truth(simulator.Policy{}).Orders {
		if o.PlacedAt.After(old) {
			recent++
		} else {
			require.Nil(t, at(t, s.tell(`query($id: ID!) { node(id: $id) { id } }`, map[string]any{"id": "gid://shopify/Order/" + o.ID}), "node"))
		}
	}
	require.InDelta(t, recent, at(t, data, "ordersCount", "count"), 0)
	require.Less(t, recent, len(s.Shop().Orders()))
}

// A scope that is missing is an error at its path, and the rest is answered.
func TestMissingScopes(t *testing.T) {
	s := open(t, simulator.Options{}, shopifytest.Options{})
	_, orders := s.buyer(1)
	s.Restrict("read_customers", "write_customers")
	a := s.ask(`query($id: ID!) { order(id: $id) { name customer { id } } }`, map[string]any{"id": "gid://shopify/Order/" + number(orders[0].ID)})
	require.Equal(t, "#"+number(orders[0].ID), at(t, a.Data, "order", "name"))
	require.Nil(t, at(t, a.Data, "order", "customer"))
	require.Len(t, a.Errors, 1)
	require.Equal(t, []any{"order", "customer"}, a.Errors[0]["path"])
	require.Equal(t, "Access denied for customer field. Required access: `read_customers` access scope.", a.Errors[0]["message"])
	require.Equal(t, "ACCESS_DENIED", at(t, a.Errors[0], "extensions", "code"))
	a = s.ask(addTags, map[string]any{"id": customerID(5), "tags": []string{"x"}})
	require.Equal(t, "Access denied for tagsAdd field. Required access: `write_customers` access scope.", a.Errors[0]["message"])
	require.Nil(t, a.Data["tagsAdd"])
}

func TestMaskedAndRedacted(t *testing.T) {
	s := open(t, simulator.Options{}, shopifytest.Options{})
	id, orders := s.buyer(1)
	const query = `query($c: ID!, $o: ID!) { customer(id: $c) { firstName defaultEmailAddress { emailAddress } defaultAddress { city } } order(id: $o) { email billingAddress { city } } }`
	read := func() map[string]any {
		return s.tell(query, map[string]any{"c": customerID(id), "o": "gid://shopify/Order/" + number(orders[0].ID)})
	}
	nothing := map[string]any{
		"customer": map[string]any{"firstName": nil, "defaultEmailAddress": nil, "defaultAddress": nil}, "order": map[string]any{"email": nil, "billingAddress": nil},
	}
	before := read()
	require.NotNil(t, at(t, before, "customer", "defaultEmailAddress", "emailAddress"))
	s.Mask(true)
	require.Equal(t, nothing, read())
	s.Mask(false)
	require.Equal(t, before, read())
	s.Redact(id)
	require.Equal(t, nothing, read())
	for _, o := range s.Truth(simulator.Policy{}).Orders {
		require.False(t, o.CustomerID == number(id) && o.Email != "")
	}
}

// Merged customers: the loser is null and tells nobody, the orders move silently, and the survivor's figures stay behind.
func TestMerge(t *testing.T) {
	s := open(t, simulator.Options{}, shopifytest.Options{})
	loser, orders := s.buyer(2)
	survivor := s.Shop().RegisterGuest("survivor@post.example", false)
	s.SetTags(loser, "vip")
	s.SetTags(survivor, "Old")
	at0 := s.Shop().Order(orders[0].ID).ModifiedAt
	s.Merge(loser, survivor)
	data := s.tell(`query($a: ID!, $b: ID!) { a: customer(id: $a) { id } b: customer(id: $b) { numberOfOrders lastOrder { id } tags }
		events(first: 50, query: "subject_type:CUSTOMER action:destroy") { nodes { id } } }`, map[string]any{"a": customerID(loser), "b": customerID(survivor)})
	require.Nil(t, data["a"])
	require.Equal(t, map[string]any{"numberOfOrders": "0", "lastOrder": nil, "tags": []any{"Old", "vip"}}, data["b"])
	require.Empty(t, at(t, data, "events", "nodes"))
	moved := s.tell(`query($id: ID!) { order(id: $id) { customer { id } updatedAt } }`, map[string]any{"id": "gid://shopify/Order/" + number(orders[0].ID)})
	require.Equal(t, customerID(survivor), at(t, moved, "order", "customer", "id"))
	require.Equal(t, at0, s.Shop().Order(orders[0].ID).ModifiedAt)
}

func TestDeletionsAreEvents(t *testing.T) {
	s := open(t, simulator.Options{}, shopifytest.Options{})
	customer, orders := s.buyer(3)
	product := orders[0].Lines[0].ProductID
	since := s.Shop().Now().Format(time.RFC3339)
	s.Shop().ForceDeleteOrder(orders[0].ID)
	s.Shop().TrashOrder(orders[1].ID)
	s.Shop().DeleteCustomer(customer)
	s.Shop().ForceDeleteProduct(product)
	subjects := func(kind string) []any {
		var ids []any
		data := s.tell(`query($q: String!) { events(first: 50, sortKey: CREATED_AT, query: $q) { nodes { action ... on BasicEvent { subjectId subjectType } } } }`,
			map[string]any{"q": "subject_type:'" + kind + "' action:'destroy' created_at:>='" + since + "'"})
		for _, event := range at(t, data, "events", "nodes").([]any) {
			require.Equal(t, "destroy", at(t, event, "action"))
			require.Equal(t, kind, at(t, event, "subjectType"))
			ids = append(ids, at(t, event, "subjectId"))
		}
		return ids
	}
	require.ElementsMatch(t, []any{"gid://shopify/Order/" + number(orders[0].ID), "gid://shopify/Order/" + number(orders[1].ID)}, subjects("ORDER"))
	require.Equal(t, []any{customerID(customer)}, subjects("CUSTOMER"))
	require.Equal(t, []any{"gid://shopify/Product/" + number(product)}, subjects("PRODUCT"))
	require.Len(t, subjects("ORDER"), 2, "told again, once each")
}

// A line that was taken out of an order is a refund of goods without money.
func TestRemovedLine(t *testing.T) {
	s := open(t, simulator.Options{}, shopifytest.Options{})
	_, orders := s.buyer(1)
	order, line := orders[0].ID, orders[0].Lines[0]
	s.RemoveLine(order, line.ID)
	id := map[string]any{"id": "gid://shopify/Order/" + number(order)}
	data := s.tell(`query($id: ID!) { order(id: $id) { edited displayFinancialStatus totalPriceSet { shopMoney { amount } } currentTotalPriceSet { shopMoney { amount } }
		lineItems(first: 1) { nodes { quantity currentQuantity } }
		refunds { id totalRefundedSet { shopMoney { amount } } refundLineItems(first: 5) { nodes { quantity restockType subtotalSet { shopMoney { amount } } } } } } }`, id)
	require.Equal(t, true, at(t, data, "order", "edited"))
	require.Equal(t, "PAID", at(t, data, "order", "displayFinancialStatus"))
	require.Equal(t, "0.0", at(t, data, "order", "refunds", 0, "totalRefundedSet", "shopMoney", "amount"))
	require.Equal(t, "CANCEL", at(t, data, "order", "refunds", 0, "refundLineItems", "nodes", 0, "restockType"))
	require.InDelta(t, 0, at(t, data, "order", "lineItems", "nodes", 0, "currentQuantity"), 0)
	require.InDelta(t, line.Quantity, at(t, data, "order", "lineItems", "nodes", 0, "quantity"), 0)
	whole, left := at(t, data, "order", "totalPriceSet", "shopMoney", "amount"), at(t, data, "order", "currentTotalPriceSet", "shopMoney", "amount")
	gone := decimal.RequireFromString(whole.(string)).Sub(decimal.RequireFromString(left.(string)))
	require.True(t, gone.Equal(s.Shop().Decimal(line.Total+line.TotalTax)), gone)
	refund := s.tell(`query($id: ID!) { node(id: $id) { ... on Refund { refundLineItems(first: 1) { nodes { quantity } } } } }`, map[string]any{"id": at(t, data, "order", "refunds", 0, "id")})
	require.InDelta(t, line.Quantity, at(t, refund, "node", "refundLineItems", "nodes", 0, "quantity"), 0)
	truth := s.Truth(simulator.Policy{})
	i := slices.IndexFunc(truth.Refunds, func(r commerce.Refund) bool { return r.OrderID == number(order) })
	require.True(t, truth.Refunds[i].Amount.IsZero())
	require.True(t, truth.Refunds[i].Goods.Equal(s.Shop().Decimal(line.Total)))
}

func TestGiftCardsTestOrdersAndOtherCurrencies(t *testing.T) {
	s := open(t, simulator.Options{}, shopifytest.Options{})
	_, orders := s.buyer(3)
	before := s.Truth(simulator.Policy{})
	s.SellGiftCard(orders[0].ID, orders[0].Lines[0].ID)
	s.MarkTest(orders[1].ID)
	s.Present(orders[2].ID, "CAD", decimal.RequireFromString("1.25"))
	after := s.Truth(simulator.Policy{})
	require.True(t, before.Gross.Sub(after.Gross).Equal(s.Shop().Decimal(orders[0].Lines[0].Total)), "gift cards are no revenue")
	data := s.tell(`query($ids: [ID!]!) { nodes(ids: $ids) { ... on Order { test presentmentCurrencyCode
		totalPriceSet { shopMoney { amount currencyCode } presentmentMoney { amount currencyCode } } lineItems(first: 1) { nodes { isGiftCard } } } } }`,
		map[string]any{"ids": []any{"gid://shopify/Order/" + number(orders[0].ID), "gid://shopify/Order/" + number(orders[1].ID), "gid://shopify/Order/" + number(orders[2].ID)}})
	require.Equal(t, true, at(t, data, "nodes", 0, "lineItems", "nodes", 0, "isGiftCard"))
	require.Equal(t, true, at(t, data, "nodes", 1, "test"))
	require.Equal(t, "CAD", at(t, data, "nodes", 2, "presentmentCurrencyCode"))
	want := s.Shop().Decimal(orders[2].Total()).Mul(decimal.RequireFromString("1.25")).Round(2)
	require.True(t, want.Equal(decimal.RequireFromString(at(t, data, "nodes", 2, "totalPriceSet", "presentmentMoney", "amount").(string))))
}

// A unit cost moves the inventory item and not the product.
func TestUnitCostMovesTheInventoryItem(t *testing.T) {
	s := open(t, simulator.Options{}, shopifytest.Options{})
	var product *simulator.Product
	for _, p := range s.Shop().Products() {
		if !p.Variable && p.ParentID == 0 {
			product = p
		}
	}
	s.Shop().Wait(48 * time.Hour)
	const query = `query($p: ID!, $i: ID!) { product(id: $p) { updatedAt } inventoryItem(id: $i) { updatedAt unitCost { amount } } }`
	ids := map[string]any{"p": "gid://shopify/Product/" + number(product.ID), "i": "gid://shopify/InventoryItem/" + number(product.ID)}
	before := s.tell(query, ids)
	s.SetUnitCost(product.ID, 123)
	after := s.tell(query, ids)
	require.Equal(t, before["product"], after["product"])
	require.Equal(t, "1.23", at(t, after, "inventoryItem", "unitCost", "amount"))
	require.NotEqual(t, at(t, before, "inventoryItem", "updatedAt"), at(t, after, "inventoryItem", "updatedAt"))
	s.Shop().EditProduct(product.ID, func(p *simulator.Product) { p.Name = "New" })
	require.NotEqual(t, before["product"], s.tell(query, ids)["product"])
}

// The aggregate of the reviews stands on the product, as review apps write it.
func TestRatings(t *testing.T) {
	s := open(t, simulator.Options{}, shopifytest.Options{})
	rated := 0
	for _, p := range s.Truth(simulator.Policy{}).Products {
		if p.ParentID != "" {
			continue
		}
		data := s.tell(`query($id: ID!) { product(id: $id) { rating: metafield(namespace: "reviews", key: "rating") { value type } count: metafield(namespace: "reviews", key: "rating_count") { value } } }`,
			map[string]any{"id": "gid://shopify/Product/" + p.ID})
		if !p.Rating.Valid {
			require.Nil(t, at(t, data, "product", "rating"))
			continue
		}
		rated++
		require.Equal(t, number(int64(p.Ratings)), at(t, data, "product", "count", "value"))
		require.Contains(t, at(t, data, "product", "rating", "value"), `"scale_max":"5.0"`)
	}
	require.Positive(t, rated)
}

// Many at once: what one reads while another writes is whole.
func TestParallelWritesAndReads(t *testing.T) {
	s := shopifytest.New(simulator.New(simulator.Options{Customers: 60, Orders: 150}), shopifytest.Options{})
	done := make(chan struct{})
	for i := range 4 {
		go func() {
			defer func() { done <- struct{}{} }()
			for j := range int64(40) {
				id := 4 + (j+int64(i)*7)%30
				post(t, s, addTags, map[string]any{"id": customerID(id), "tags": []string{"t" + number(j)}})
				post(t, s, `{ customers(first: 20, query: "tag:t1") { nodes { tags numberOfOrders } } events(first: 5) { nodes { id } } segments(first: 5) { nodes { name } } }`, nil)
				s.MakeSegment("S", "customer_tags CONTAINS 't1'")
				s.SetUnitCost(20, simulator.Amount(j))
				post(t, s, `{ orders(first: 20, reverse: true) { nodes { totalPriceSet { shopMoney { amount } } } } products(first: 20) { nodes { updatedAt } } }`, nil)
			}
		}()
	}
	for range 4 {
		<-done
	}
	require.Len(t, s.Segments(), 160)
}
