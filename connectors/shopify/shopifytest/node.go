package shopifytest

import (
	"fmt"
	"strconv"
	"strings"
)

// gid is a global id.
func gid(typ string, id int64) string {
	return "gid://shopify/" + typ + "/" + strconv.FormatInt(id, 10)
}

// parseGid takes a global id apart. Whatever is no global id fails the whole request.
func parseGid(text string) (typ, id string, err error) {
	rest, ok := strings.CutPrefix(text, "gid://shopify/")
	typ, id, cut := strings.Cut(rest, "/")
	if !ok || !cut || typ == "" || id == "" {
		return "", "", &failure{message: fmt.Sprintf("Invalid global id '%s'", text), code: "argumentLiteralsIncompatible", top: true}
	}
	id, _, _ = strings.Cut(id, "?")
	return typ, id, nil
}

// idOf reads the number of a global id of a type; other types are answered as recorded.
func idOf(args map[string]any, name, typ string) (int64, error) {
	text, _ := args[name].(string) //nolint:errcheck // absent is empty, and no id
	got, id, err := parseGid(text)
	if err != nil {
		return 0, err
	}
	if got != typ {
		return 0, &failure{message: "invalid id", code: "RESOURCE_NOT_FOUND"}
	}
	n, err := strconv.ParseInt(id, 10, 64)
	if err != nil {
		return 0, nil //nolint:nilerr // a thing that is not there
	}
	return n, nil
}

// needs guards a resolver with a scope.
func needs(scope, field string, r resolver) resolver {
	return func(c *call, args map[string]any) (any, error) {
		if !c.has(scope) {
			return nil, denied(field, "`"+scope+"` access scope")
		}
		return r(c, args)
	}
}

// guarded answers a value to those who may see it.
func guarded(may func(*call) bool, field, access string, v any) resolver {
	return func(c *call, _ map[string]any) (any, error) {
		if !may(c) {
			return nil, denied(field, access)
		}
		return v, nil
	}
}

// node finds anything by its global id, null where it is not there.
func (s *Server) node(c *call, text string) (*object, error) {
	typ, id, err := parseGid(text)
	if err != nil {
		return nil, err
	}
	n, err := strconv.ParseInt(id, 10, 64)
	if err != nil {
		return nil, nil //nolint:nilerr // a thing that is not there
	}
	scope := map[string]string{
		"Order": "read_orders", "Refund": "read_orders", "LineItem": "read_orders", "Customer": "read_customers", "Segment": "read_customers",
		"Product": "read_products", "ProductVariant": "read_products", "InventoryItem": "read_products", "Collection": "read_products",
	}[typ]
	if scope != "" && !c.has(scope) {
		return nil, denied("node", "`"+scope+"` access scope")
	}
	switch typ {
	case "Order":
		return s.orderByID(c, n), nil
	case "Customer":
		return s.customerByID(c, n), nil
	case "Product":
		return s.productByID(c, n), nil
	case "ProductVariant":
		return s.variantByID(c, n), nil
	case "InventoryItem":
		return s.inventoryByID(c, n), nil
	case "Collection":
		return s.collectionByID(c, n), nil
	case "Segment":
		return s.segmentByID(n), nil
	case "Refund", "LineItem":
		return s.partByID(c, typ, text), nil
	case "MetafieldDefinition":
		return s.definitionByID(n), nil
	case "Shop":
		return s.shopObject(), nil
	default:
		return nil, nil
	}
}

func (s *Server) orderByID(c *call, id int64) *object {
	if o := s.shop.Order(id); o != nil && s.visible(c, o) {
		return s.order(o)
	}
	return nil
}

// partByID finds a refund or line by looking through the orders.
func (s *Server) partByID(c *call, typ, text string) *object {
	for _, o := range s.shop.Orders() {
		if !s.visible(c, o) || typ == "Refund" && len(o.Refunds) == 0 && len(s.kept.marks(o.ID).removed) == 0 {
			continue
		}
		r := s.orderRecord(o)
		parts := r.lineItems
		if typ == "Refund" {
			parts = r.refundList
		}
		for _, part := range parts() {
			if part.id == text {
				return part
			}
		}
	}
	return nil
}

// nodeFields are node and nodes.
func (s *Server) nodeFields() map[string]resolver {
	return map[string]resolver{
		"node": func(c *call, args map[string]any) (any, error) {
			id, _ := args["id"].(string) //nolint:errcheck // absent is no id
			o, err := s.node(c, id)
			return maybe(o), err
		},
		"nodes": func(c *call, args map[string]any) (any, error) {
			ids, _ := args["ids"].([]any) //nolint:errcheck // absent is none
			if len(ids) > longestPage {
				return nil, &failure{
					message: fmt.Sprintf("The input array size of %d is greater than the maximum allowed of %d.", len(ids), longestPage),
					code:    "MAX_INPUT_SIZE_EXCEEDED", top: true,
				}
			}
			list := make([]any, len(ids))
			for i, id := range ids {
				text, _ := id.(string) //nolint:errcheck // no text is no id
				o, err := s.node(c, text)
				if err != nil {
					return nil, err
				}
				list[i] = maybe(o)
			}
			return list, nil
		},
	}
}
