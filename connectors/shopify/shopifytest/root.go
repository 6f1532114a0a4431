package shopifytest

import "maps"

// queryRoot is what can be asked of the shop's data.
func (s *Server) queryRoot() *object {
	fields := map[string]resolver{
		"shop":                   func(*call, map[string]any) (any, error) { return s.shopObject(), nil },
		"publicApiVersions":      func(*call, map[string]any) (any, error) { return s.apiVersions(), nil },
		"currentAppInstallation": func(*call, map[string]any) (any, error) { return s.installation(), nil },
		"events":                 func(*call, map[string]any) (any, error) { return s.events(), nil },
	}
	maps.Copy(fields, s.nodeFields())
	maps.Copy(fields, s.recordFields())
	maps.Copy(fields, s.segmentFields())
	maps.Copy(fields, s.otherFields())
	return &object{typ: "QueryRoot", fields: fields}
}

// listed answers a connection to those who have the scope.
func listed(scope, field string, list func(*call) *connection) resolver {
	return needs(scope, field, func(c *call, _ map[string]any) (any, error) { return list(c), nil })
}

// single answers one record by its id, null where it is not there.
func single(scope, field, typ string, find func(*call, int64) *object) resolver {
	return needs(scope, field, func(c *call, args map[string]any) (any, error) {
		id, err := idOf(args, "id", typ)
		if err != nil {
			return nil, err
		}
		return maybe(find(c, id)), nil
	})
}

// recordFields are orders, customers and products.
func (s *Server) recordFields() map[string]resolver {
	orders := func(c *call) *connection { return s.orders(c, 0) }
	customers := func(*call) *connection { return s.customers() }
	products := func(*call) *connection { return s.products() }
	return map[string]resolver{
		"orders": listed("read_orders", "orders", orders), "order": single("read_orders", "order", "Order", s.orderByID),
		"ordersCount": countOf("read_orders", "ordersCount", orders),
		"customers":   listed("read_customers", "customers", customers), "customer": single("read_customers", "customer", "Customer", s.customerByID),
		"customersCount":       countOf("read_customers", "customersCount", customers),
		"customerByIdentifier": needs("read_customers", "customerByIdentifier", s.customerByIdentifier),
		"products":             listed("read_products", "products", products), "product": single("read_products", "product", "Product", s.productByID),
		"productsCount":   countOf("read_products", "productsCount", products),
		"productVariants": listed("read_products", "productVariants", func(*call) *connection { return s.productVariants() }),
		"productVariant":  single("read_products", "productVariant", "ProductVariant", s.variantByID),
		"collections":     listed("read_products", "collections", func(*call) *connection { return s.collections() }),
		"collection":      single("read_products", "collection", "Collection", s.collectionByID),
		"inventoryItems":  listed("read_products", "inventoryItems", func(*call) *connection { return s.inventoryItems() }),
		"inventoryItem":   single("read_products", "inventoryItem", "InventoryItem", s.inventoryByID),
	}
}

func (s *Server) customerByIdentifier(c *call, args map[string]any) (any, error) {
	in, _ := args["identifier"].(map[string]any) //nolint:errcheck // the schema asks for one
	if _, ok := in["id"]; ok {
		id, err := idOf(in, "id", "Customer")
		if err != nil {
			return nil, err
		}
		return maybe(s.customerByID(c, id)), nil
	}
	for _, have := range s.shop.Customers() {
		if email, ok := in["emailAddress"].(string); ok && email == have.Email && email != "" {
			return s.customer(have), nil
		}
		if phone, ok := in["phoneNumber"].(string); ok && phone == have.Billing.Phone && phone != "" {
			return s.customer(have), nil
		}
	}
	return nil, nil
}

// segmentFields are segments and metafield definitions.
func (s *Server) segmentFields() map[string]resolver {
	list := func(*call) *connection { return s.segmentList() }
	return map[string]resolver{
		"segments": listed("read_customers", "segments", list), "segmentsCount": countOf("read_customers", "segmentsCount", list),
		"segment":                   needs("read_customers", "segment", s.readSegment),
		"customerSegmentMembers":    needs("read_customers", "customerSegmentMembers", s.segmentMembers),
		"customerSegmentMembership": needs("read_customers", "customerSegmentMembership", s.segmentMembership),
		"metafieldDefinitions":      s.definitions,
		"metafieldDefinition": func(_ *call, args map[string]any) (any, error) {
			if d := s.definitionNamed(args); d != nil {
				return d.object(), nil
			}
			return nil, nil
		},
	}
}

// otherFields are what this shop has none of.
func (s *Server) otherFields() map[string]resolver {
	none := func(scope, field, typ string) resolver {
		return listed(scope, field, func(*call) *connection { return nothing(typ) })
	}
	return map[string]resolver{
		"abandonedCheckouts":          none("read_orders", "abandonedCheckouts", "AbandonedCheckout"),
		"marketingEvents":             none("read_marketing_events", "marketingEvents", "MarketingEvent"),
		"marketingActivities":         none("read_marketing_events", "marketingActivities", "MarketingActivity"),
		"metaobjects":                 none("read_metaobjects", "metaobjects", "Metaobject"),
		"metaobjectDefinitionByType":  needs("read_metaobject_definitions", "metaobjectDefinitionByType", value(nil)),
		"shopifyPaymentsAccount":      needs("read_shopify_payments", "shopifyPaymentsAccount", value(nil)),
		"webhookSubscriptions":        value(nothing("WebhookSubscription")),
		"customerSegmentMembersQuery": value(nil),
		"shopifyqlQuery": needs("read_reports", "shopifyqlQuery", value(simple("ShopifyqlQueryResponse", map[string]any{
			"tableData": nil, "parseErrors": []string{"This shop keeps no reports."},
		}))),
	}
}

// mutationRoot is what can be changed in the shop's data.
func (s *Server) mutationRoot() *object {
	return &object{typ: "Mutation", fields: map[string]resolver{
		"tagsAdd": s.changeTags(true), "tagsRemove": s.changeTags(false),
		"customerUpdate":                      needs("write_customers", "customerUpdate", s.updateCustomer),
		"customerEmailMarketingConsentUpdate": needs("write_customers", "customerEmailMarketingConsentUpdate", s.updateConsent),
		"metafieldsSet":                       s.setMetafields, "metafieldsDelete": s.deleteMetafields,
		"metafieldDefinitionCreate": s.createDefinition, "metafieldDefinitionDelete": s.deleteDefinition,
		"segmentCreate":                     needs("write_customers", "segmentCreate", s.createSegment),
		"segmentUpdate":                     needs("write_customers", "segmentUpdate", s.updateSegment),
		"segmentDelete":                     needs("write_customers", "segmentDelete", s.deleteSegment),
		"customerSegmentMembersQueryCreate": needs("read_customers", "customerSegmentMembersQueryCreate", s.createMembersQuery),
		// The app may neither give discounts nor subscribe to webhooks: it has no use for them.
		"discountCodeBasicCreate":   refused("discountCodeBasicCreate", "`write_discounts` access scope"),
		"webhookSubscriptionCreate": refused("webhookSubscriptionCreate", "an app that was configured for webhooks"),
	}}
}

func refused(field, access string) resolver {
	return func(*call, map[string]any) (any, error) { return nil, denied(field, access) }
}
