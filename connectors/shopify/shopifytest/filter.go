package shopifytest

import (
	"strconv"
	"strings"

	"github.com/perennial-cvo/perennial/connectors/simulator"
)

// lookup reads one thing of a node, for searching or sorting.
type lookup = map[string]func(*object) any

// of reads from the record that a node was made of.
func of[T any](f func(T) any) func(*object) any {
	return func(o *object) any {
		if record, ok := o.record.(T); ok {
			return f(record)
		}
		return nil
	}
}

func identity(o *object) any { return number(o.id) }

var (
	orderSearch = lookup{
		"id": identity, "created_at": of(func(r *orderRecord) any { return r.order.PlacedAt }),
		"processed_at":     of(func(r *orderRecord) any { return r.order.PlacedAt }),
		"updated_at":       of(func(r *orderRecord) any { return r.updatedAt() }),
		"name":             of(func(r *orderRecord) any { return []string{r.name(), strings.TrimPrefix(r.name(), "#")} }),
		"email":            of(func(r *orderRecord) any { return r.order.Email }),
		"customer_id":      of(func(r *orderRecord) any { return r.order.CustomerID }),
		"test":             of(func(r *orderRecord) any { return r.marks.test }),
		"financial_status": of(func(r *orderRecord) any { return financial(r.order) }),
		"status":           of(func(r *orderRecord) any { return r.open() }),
		"source_name":      of(func(r *orderRecord) any { return r.sourceName() }),
		"discount_code":    of(func(r *orderRecord) any { return r.codes() }),
		"gateway":          of(func(r *orderRecord) any { return r.gateways() }),
		"return_status":    of(func(*orderRecord) any { return "NO_RETURN" }),
		"tag":              of(func(r *orderRecord) any { return r.server.kept.tagsOf(gid("Order", r.order.ID)) }),
		"":                 of(func(r *orderRecord) any { return []string{r.name(), r.order.Email} }),
	}
	orderSort = lookup{
		"ID": identity, "CREATED_AT": orderSearch["created_at"], "PROCESSED_AT": orderSearch["processed_at"], "UPDATED_AT": orderSearch["updated_at"],
		"ORDER_NUMBER": identity, "TOTAL_PRICE": of(func(r *orderRecord) any { return int64(r.bill().total()) }),
	}
	orderAccept = map[string][]string{
		"financial_status": {"PAID", "PENDING", "AUTHORIZED", "PARTIALLY_PAID", "PARTIALLY_REFUNDED", "REFUNDED", "VOIDED", "EXPIRED", "UNPAID"},
		"status":           {"OPEN", "CLOSED", "CANCELLED", "NOT_CLOSED"},
		"return_status":    {"RETURN_REQUESTED", "IN_PROGRESS", "RETURNED", "INSPECTION_COMPLETE", "NO_RETURN", "RETURN_FAILED"},
	}

	customerSort = lookup{
		"ID": identity, "CREATED_AT": of(func(c *simulator.Customer) any { return c.CreatedAt }),
		"UPDATED_AT": of(func(c *simulator.Customer) any { return customerUpdated(c) }),
		"NAME":       of(func(c *simulator.Customer) any { return together(c.LastName, c.FirstName) }),
		"LOCATION":   of(func(c *simulator.Customer) any { return c.Billing.Country + c.Billing.Region + c.Billing.City }),
	}
	customerAccept = map[string][]string{"state": {"DISABLED", "ENABLED", "INVITED", "DECLINED"}}

	productSort = lookup{
		"ID": identity, "CREATED_AT": of(func(r *productRecord) any { return r.CreatedAt }), "UPDATED_AT": of(func(r *productRecord) any { return r.updated }),
		"PUBLISHED_AT": of(func(r *productRecord) any { return r.CreatedAt }), "TITLE": of(func(r *productRecord) any { return r.Name }),
		"VENDOR": of(func(r *productRecord) any { return r.Brand }), "PRODUCT_TYPE": of(func(r *productRecord) any { return r.Category }),
	}
	productAccept = map[string][]string{"status": {"ACTIVE", "ARCHIVED", "DRAFT", "UNLISTED"}}

	variantSearch = lookup{
		"id": identity, "sku": of(func(p *simulator.Product) any { return p.SKU }), "updated_at": of(func(p *simulator.Product) any { return p.ModifiedAt }),
		"product_id": of(func(p *simulator.Product) any { return parentOf(p) }), "title": of(func(p *simulator.Product) any { return p.Name }),
		"": of(func(p *simulator.Product) any { return p.Name }),
	}
	inventorySearch = lookup{
		"id": identity, "sku": of(func(r inventoryRecord) any { return r.SKU }), "created_at": of(func(r inventoryRecord) any { return r.CreatedAt }),
		"updated_at": of(func(r inventoryRecord) any { return r.updated }),
	}
	collectionSearch = lookup{
		"id": identity, "title": of(func(name string) any { return name }), "handle": of(func(name string) any { return handle(name, 0) }),
		"updated_at": func(o *object) any { return o.changed }, "": of(func(name string) any { return name }),
	}
	collectionSort = lookup{"ID": identity, "TITLE": of(func(name string) any { return name }), "UPDATED_AT": func(o *object) any { return o.changed }}

	eventSearch = lookup{
		"id": identity, "action": of(func(h happening) any { return h.action }), "subject_type": of(func(h happening) any { return h.kind }),
		"created_at": of(func(h happening) any { return h.at }), "comments": of(func(happening) any { return false }),
	}
	eventSort   = lookup{"ID": identity, "CREATED_AT": of(func(h happening) any { return h.at })}
	eventAccept = map[string][]string{
		"subject_type": {
			"ARTICLE", "BLOG", "COLLECTION", "COMMENT", "COMPANY", "COMPANY_LOCATION", "CUSTOMER", "DISCOUNT_AUTOMATIC_BXGY", "DISCOUNT_AUTOMATIC_NODE",
			"DISCOUNT_CODE_NODE", "DISCOUNT_NODE", "DRAFT_ORDER", "INVENTORY_TRANSFER", "ORDER", "PAGE", "PRICE_RULE", "PRODUCT", "PRODUCT_VARIANT",
		},
	}

	definitionSearch = lookup{
		"id": identity, "namespace": of(func(d definition) any { return d.namespace }), "key": of(func(d definition) any { return d.key }),
		"type": of(func(d definition) any { return d.typ }), "": of(func(d definition) any { return []string{d.name, d.key} }),
	}
	segmentSearch = lookup{
		"id": identity, "name": of(func(g segment) any { return g.name }), "": of(func(g segment) any { return g.name }),
	}
	segmentSort = lookup{
		"ID": identity, "CREATION_DATE": of(func(g segment) any { return g.created }), "LAST_EDIT_DATE": of(func(g segment) any { return g.edited }),
	}
)

// open is an order as it stands in the admin's list.
func (r *orderRecord) open() []string {
	switch r.order.Status {
	case simulator.Cancelled:
		return []string{"CANCELLED", "NOT_CLOSED"}
	case simulator.Completed:
		return []string{"CLOSED"}
	default:
		return []string{"OPEN", "NOT_CLOSED"}
	}
}

func parentOf(p *simulator.Product) int64 {
	if p.ParentID != 0 {
		return p.ParentID
	}
	return p.ID
}

func (s *Server) customerSearch() lookup {
	return lookup{
		"id": identity, "email": of(func(c *simulator.Customer) any { return c.Email }),
		"updated_at":    of(func(c *simulator.Customer) any { return customerUpdated(c) }),
		"customer_date": of(func(c *simulator.Customer) any { return c.CreatedAt }),
		"first_name":    of(func(c *simulator.Customer) any { return c.FirstName }),
		"last_name":     of(func(c *simulator.Customer) any { return c.LastName }),
		"country":       of(func(c *simulator.Customer) any { return c.Billing.Country }),
		"phone":         of(func(c *simulator.Customer) any { return c.Billing.Phone }),
		"state":         of(func(*simulator.Customer) any { return "DISABLED" }),
		"tag":           of(func(c *simulator.Customer) any { return tagsOfCustomer(c) }),
		"orders_count":  of(func(c *simulator.Customer) any { return s.kept.tally(c.ID).count }),
		"total_spent":   of(func(c *simulator.Customer) any { return s.shop.Decimal(s.kept.tally(c.ID).spent).InexactFloat64() }),
		"accepts_marketing": of(func(c *simulator.Customer) any {
			return s.kept.consent(c).state == "SUBSCRIBED"
		}),
		"": of(func(c *simulator.Customer) any { return []string{c.Email, c.FirstName, c.LastName} }),
	}
}

func (s *Server) productSearch() lookup {
	return lookup{
		"id": identity, "title": of(func(r *productRecord) any { return r.Name }), "vendor": of(func(r *productRecord) any { return r.Brand }),
		"product_type": of(func(r *productRecord) any { return r.Category }), "created_at": of(func(r *productRecord) any { return r.CreatedAt }),
		"updated_at": of(func(r *productRecord) any { return r.updated }),
		"status": of(func(r *productRecord) any {
			return s.productFacts(r)["status"]
		}),
		"sku": of(func(r *productRecord) any {
			var all []string
			for _, v := range r.variants {
				all = append(all, v.SKU)
			}
			return all
		}),
		"variant_id": of(func(r *productRecord) any {
			var all []string
			for _, v := range r.variants {
				all = append(all, strconv.FormatInt(v.ID, 10))
			}
			return all
		}),
		"tag": of(func(r *productRecord) any { return s.kept.tagsOf(gid("Product", r.ID)) }),
		"":    of(func(r *productRecord) any { return r.Name }),
	}
}
