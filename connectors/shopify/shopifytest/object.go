package shopifytest

import (
	"strings"
	"time"
)

// object is one thing of the shop with a __typename. The fields id and __typename need not be given: the engine answers
// them from id and typ. A field that is asked and not there is an error of the fake, answered as Shopify answers an
// unknown field.
type object struct {
	typ    string
	id     string // global id, such as "gid://shopify/Order/1001"; "" for things that have none
	fields map[string]resolver
	plain  map[string]any // fields that are always the same, beside or instead of resolvers
	// fill makes the fields when the first of them is asked, so that a list of thousands of which only ten are answered
	// costs ten; nil where fields is given.
	fill func() map[string]resolver
	// changed is when anything changed that a search can see, by the shop's clock: the index lags behind it. Zero is
	// never.
	changed time.Time
	record  any  // what the object was made of, for search and sort
	wrapper bool // a connection or an edge, which cost nothing themselves
}

// resolver answers one field with nil, bool, string, int, int64, float64, time.Time (a DateTime), []string, []any,
// []*object, *object, *connection, or a map[string]any (a JSON scalar, or the object of an answer if it is selected
// from). Arguments come with variables put in: nil, bool, string (enums too), int64, float64, []any, map[string]any; one
// that was not given is absent. An error becomes a GraphQL error at the field's path and null in its place.
type resolver func(c *call, args map[string]any) (any, error)

// value is a resolver that always answers v.
func value(v any) resolver {
	return func(*call, map[string]any) (any, error) { return v, nil }
}

// values are resolvers that always answer these.
func values(all map[string]any) map[string]resolver {
	fields := make(map[string]resolver, len(all))
	for name, v := range all {
		fields[name] = value(v)
	}
	return fields
}

// simple is an object without id whose fields are all known.
func simple(typ string, fields map[string]any) *object {
	return &object{typ: typ, plain: fields}
}

// resolver finds the resolver of a field.
func (o *object) resolver(name string) resolver {
	if name == "id" && o.id != "" { // often all that is asked
		return value(o.id)
	}
	if o.fields == nil && o.fill != nil {
		o.fields = o.fill()
	}
	if r, ok := o.fields[name]; ok {
		return r
	}
	if v, ok := o.plain[name]; ok {
		return value(v)
	}
	return nil
}

// connection is a list that is read in pages. The engine applies query, sortKey, reverse, first, after, last and before
// from the field's arguments, in a bulk operation all but the paging, and builds edges, nodes and pageInfo. Whatever
// other arguments a field has, its resolver applies before it answers the connection.
type connection struct {
	typ   string // of the nodes, such as "Order"
	items func() []*object
	// search are the fields that `query` may name, with what of a node is compared: nil, bool, string, []string (any of
	// them), int64, float64 or time.Time. "" is what terms without a field look into. nil: `query` is taken for a
	// filter that knows no field.
	search map[string]func(*object) any
	asked  bool                // `query` is of another language, which the resolver has applied
	days   map[string]bool     // time fields of which a search compares the whole day (UTC)
	accept map[string][]string // upper-case values that a field takes; others are warned of
	named  bool                // terms without a field are not taken (counts)
	strict bool                // a time that is none fails the request, instead of a warning
	// sort is what a sortKey goes by: string, int64, float64 or time.Time. Without sortKey, or by a key that is not
	// here, the order is that of items.
	sort map[string]func(*object) any
	// extra are fields of the connection beside edges, nodes and pageInfo, such as totalCount.
	extra map[string]resolver
	// edge are fields of an edge beside cursor and node, nil without.
	edge func(*object) map[string]resolver
	most int64 // of first and last; 0 means 250
}

// call is one request, or one bulk operation, on its way through the resolvers.
type call struct {
	server *Server
	now    time.Time // the shop's
	bulk   bool      // connections are answered whole
	access func(scope string) bool
	search []searched
	path   []any
}

// has reports whether the app was granted the scope, such as "read_orders".
func (c *call) has(scope string) bool { return c.access == nil || c.access(scope) }

// failure is an error of GraphQL. Others become INTERNAL_SERVER_ERROR.
type failure struct {
	message string
	code    string         // of extensions, "" for none
	more    map[string]any // extensions beside the code
	top     bool           // the whole answer fails: data is null
}

func (f *failure) Error() string { return f.message }

// denied is what Shopify answers for a field that the app may not read. Without names the field is taken from the path,
// and the access is "`read_orders` access scope." or the like.
func denied(field, access string) error {
	if !strings.HasSuffix(access, ".") {
		access += "."
	}
	return &failure{
		message: "Access denied for " + field + " field. Required access: " + access, code: "ACCESS_DENIED",
		more: map[string]any{"documentation": "https://shopify.dev/api/usage/access-scopes", "requiredAccess": access},
	}
}

// userErrors are the userErrors of a mutation: objects of type typ with field and message, and with code where one is
// given. They are what a payload answers; an empty list stands for success.
func userErrors(typ string, all ...userError) []any {
	list := []any{}
	for _, e := range all {
		var field any
		if e.field != nil {
			parts := make([]any, len(e.field))
			for i, part := range e.field {
				parts[i] = part
			}
			field = parts
		}
		var code any
		if e.code != "" {
			code = e.code
		}
		list = append(list, simple(typ, map[string]any{"field": field, "message": e.message, "code": code}))
	}
	return list
}

// userError is one; field nil and code "" are null.
type userError struct {
	field   []string
	message string
	code    string
}

// interfaces says which types an interface or union takes, beside its own name. Node takes everything with an id.
var interfaces = map[string][]string{
	"CustomerMoment": {"CustomerVisit"},
	"SalesAgreement": {"OrderAgreement", "OrderEditAgreement", "RefundAgreement", "ReturnAgreement"},
	"Sale": {
		"AdditionalFeeSale", "AdjustmentSale", "DutySale", "FeeSale", "GiftCardSale", "ProductSale", "ShippingLineSale", "TipSale",
		"UnknownSale",
	},
	"DiscountApplication": {
		"AutomaticDiscountApplication", "DiscountCodeApplication", "ManualDiscountApplication", "ScriptDiscountApplication",
	},
	"PricingValue":       {"MoneyV2", "PricingPercentageValue"},
	"ReturnLineItemType": {"ReturnLineItem", "UnverifiedReturnLineItem"},
	"Event":              {"BasicEvent", "CommentEvent"},
	"SegmentFilter":      {"SegmentAssociationFilter", "SegmentBooleanFilter", "SegmentDateFilter", "SegmentEnumFilter", "SegmentEventFilter", "SegmentFloatFilter", "SegmentIntegerFilter", "SegmentStringFilter"},
	"HasMetafields":      {"Customer", "Order", "Product", "ProductVariant", "Collection", "Shop"},
	"DisplayableError":   {"UserError", "BulkOperationUserError", "BulkMutationUserError", "MetafieldsSetUserError", "MetafieldDefinitionCreateUserError", "StagedUploadsCreateUserError"},
}

// is reports whether the object fulfils a type condition.
func (o *object) is(condition string) bool {
	if condition == "" || condition == o.typ {
		return true
	}
	if condition == "Node" {
		return o.id != ""
	}
	for _, typ := range interfaces[condition] {
		if typ == o.typ {
			return true
		}
	}
	return false
}
