package shopifytest

import (
	"hash/crc32"
	"slices"
	"strconv"
	"strings"
	"time"
	"unicode"

	"github.com/shopspring/decimal"

	"github.com/perennial-cvo/perennial/connectors/simulator"
)

// productRecord is a product with its variants. A simple product has one, with its own number.
type productRecord struct {
	*simulator.Product
	variants []*simulator.Product
	updated  time.Time
}

// productRecords lists every product.
func (s *Server) productRecords() []*productRecord {
	var records []*productRecord
	place := map[int64]*productRecord{}
	for _, p := range s.shop.Products() {
		if p.ParentID == 0 {
			r := &productRecord{Product: p, updated: s.kept.updated(p)}
			place[p.ID] = r
			records = append(records, r)
		}
	}
	for _, p := range s.shop.Products() {
		if r := place[p.ParentID]; p.ParentID != 0 && r != nil {
			r.add(p, s.kept.updated(p))
		}
	}
	for _, r := range records {
		r.whole()
	}
	return records
}

func (r *productRecord) add(variant *simulator.Product, updated time.Time) {
	r.variants, r.updated = append(r.variants, variant), later(r.updated, updated)
}

// whole gives a product without variations the one variant that every product has.
func (r *productRecord) whole() {
	if len(r.variants) == 0 {
		r.variants = []*simulator.Product{r.Product}
	}
}

// productRecord finds a product, or the product of a variation.
func (s *Server) productRecord(id int64) *productRecord {
	p := s.shop.Product(id)
	if p != nil && p.ParentID != 0 {
		p = s.shop.Product(p.ParentID)
	}
	if p == nil {
		return nil
	}
	r := &productRecord{Product: p, updated: s.kept.updated(p)}
	if p.Variable {
		for _, v := range s.shop.Products() {
			if v.ParentID == p.ID {
				r.add(v, s.kept.updated(v))
			}
		}
	}
	r.whole()
	return r
}

func (s *Server) products() *connection {
	return s.productConnection(func(*productRecord) bool { return true })
}

func (s *Server) productConnection(which func(*productRecord) bool) *connection {
	return &connection{typ: "Product", search: s.productSearch(), sort: productSort, accept: productAccept, items: func() []*object {
		var items []*object
		for _, r := range s.productRecords() {
			if which(r) {
				items = append(items, s.product(r))
			}
		}
		return items
	}}
}

func (s *Server) productByID(_ *call, id int64) *object {
	if r := s.productRecord(id); r != nil && r.ID == id {
		return s.product(r)
	}
	return nil
}

func (s *Server) variantByID(_ *call, id int64) *object {
	if r := s.productRecord(id); r != nil {
		for _, v := range r.variants {
			if v.ID == id {
				return s.variant(r, v)
			}
		}
	}
	return nil
}

func (s *Server) product(r *productRecord) *object {
	return &object{typ: "Product", id: gid("Product", r.ID), record: r, changed: r.updated, fill: func() map[string]resolver {
		fields := values(s.productFacts(r))
		fields["metafield"] = s.metafieldOf(gid("Product", r.ID))
		fields["metafields"] = s.metafieldsOf(gid("Product", r.ID))
		fields["variants"] = value(&connection{typ: "ProductVariant", items: func() []*object {
			var items []*object
			for _, v := range r.variants {
				items = append(items, s.variant(r, v))
			}
			return items
		}})
		fields["collections"] = value(&connection{typ: "Collection", items: func() []*object {
			if r.Category == "" {
				return nil
			}
			return []*object{s.collection(r.Category)}
		}})
		return fields
	}}
}

func (s *Server) productFacts(r *productRecord) map[string]any {
	status := map[string]string{"publish": "ACTIVE", "draft": "DRAFT", "private": "ARCHIVED"}[r.Status]
	if status == "" {
		status = "ACTIVE"
	}
	var published, online any
	if status == "ACTIVE" {
		published, online = r.CreatedAt, "https://"+s.opts.Domain+"/products/"+handle(r.Name, r.ID)
	}
	low, high := r.variants[0].Price, r.variants[0].Price
	for _, v := range r.variants {
		low, high = min(low, v.Price), max(high, v.Price)
	}
	currency := s.shop.Options().Currency
	facts := map[string]any{
		"legacyResourceId": strconv.FormatInt(r.ID, 10), "title": r.Name, "handle": handle(r.Name, r.ID), "status": status, "productType": r.Category,
		"vendor": r.Brand, "tags": sortTags(s.kept.tagsOf(gid("Product", r.ID))), "isGiftCard": false, "totalInventory": int64(100 * len(r.variants)),
		"tracksInventory": true, "createdAt": r.CreatedAt, "updatedAt": r.updated, "publishedAt": published, "category": nil, "onlineStoreUrl": online,
		"description": r.Name, "descriptionHtml": "<p>" + r.Name + "</p>", "hasOnlyDefaultVariant": !r.Variable, "hasOutOfStockVariants": false,
		"variantsCount": count(int64(len(r.variants))), "requiresSellingPlan": false, "templateSuffix": nil,
		"priceRangeV2": simple("ProductPriceRangeV2", map[string]any{
			"minVariantPrice": moneyV2(s.shop.Decimal(low), currency), "maxVariantPrice": moneyV2(s.shop.Decimal(high), currency),
		}),
	}
	return facts
}

// handle is the name of a thing as addresses have it.
func handle(name string, id int64) string {
	var b strings.Builder
	for _, c := range strings.ToLower(name) {
		if unicode.IsLetter(c) || unicode.IsDigit(c) {
			b.WriteRune(c)
		} else if b.Len() > 0 && !strings.HasSuffix(b.String(), "-") {
			b.WriteByte('-')
		}
	}
	if id == 0 {
		return strings.Trim(b.String(), "-")
	}
	return strings.Trim(b.String(), "-") + "-" + strconv.FormatInt(id, 10)
}

// titleOf is what of a variant was chosen; of a simple product nothing was.
func titleOf(v *simulator.Product) string {
	if len(v.Options) == 0 {
		return "Default Title"
	}
	return variantTitle(v.Options)
}

func (s *Server) variant(r *productRecord, v *simulator.Product) *object {
	t := till{digits: int32(s.shop.Decimals()), currency: s.shop.Options().Currency} //nolint:gosec // 0 to 3
	return &object{typ: "ProductVariant", id: gid("ProductVariant", v.ID), record: v, changed: s.kept.updated(v), fill: func() map[string]resolver {
		options := []*object{}
		for _, o := range chosen(v) {
			options = append(options, simple("SelectedOption", map[string]any{"name": o.Name, "value": o.Value}))
		}
		fields := values(map[string]any{
			"legacyResourceId": strconv.FormatInt(v.ID, 10), "sku": orNull(v.SKU), "title": titleOf(v), "displayName": r.Name + " - " + titleOf(v),
			"barcode": nil, "price": t.plain(v.Price), "compareAtPrice": nil, "createdAt": v.CreatedAt, "updatedAt": s.kept.updated(v),
			"inventoryQuantity": int64(100), "inventoryPolicy": "DENY", "selectedOptions": options, "position": int64(slices.Index(r.variants, v) + 1),
			"availableForSale": true, "taxable": true, "requiresComponents": false,
		})
		fields["inventoryItem"] = value(s.inventory(r, v))
		fields["product"] = func(*call, map[string]any) (any, error) { return s.product(r), nil }
		fields["metafield"] = s.metafieldOf(gid("ProductVariant", v.ID))
		fields["metafields"] = s.metafieldsOf(gid("ProductVariant", v.ID))
		return fields
	}}
}

// chosen are the options of a variant; a simple product has one that says nothing.
func chosen(v *simulator.Product) []simulator.Option {
	if len(v.Options) == 0 {
		return []simulator.Option{{Name: "Title", Value: "Default Title"}}
	}
	return v.Options
}

// inventory is the inventory item of a variant, which alone knows what a unit costs.
func (s *Server) inventory(r *productRecord, v *simulator.Product) *object {
	at := s.kept.costedAt(v)
	return &object{typ: "InventoryItem", id: gid("InventoryItem", v.ID), record: inventoryRecord{v, at}, changed: at, fill: func() map[string]resolver {
		var cost any
		if v.HasCost {
			cost = moneyV2(s.shop.Decimal(v.Cost), s.shop.Options().Currency)
		}
		fields := values(map[string]any{
			"legacyResourceId": strconv.FormatInt(v.ID, 10), "sku": orNull(v.SKU), "createdAt": v.CreatedAt, "updatedAt": at, "tracked": true,
			"unitCost": cost, "requiresShipping": true, "countryCodeOfOrigin": nil, "harmonizedSystemCode": nil, "provinceCodeOfOrigin": nil,
		})
		one := func(*call, map[string]any) (any, error) { return s.variant(r, v), nil }
		fields["variant"] = one
		fields["variants"] = value(&connection{typ: "ProductVariant", items: func() []*object { return []*object{s.variant(r, v)} }})
		return fields
	}}
}

type inventoryRecord struct {
	*simulator.Product
	updated time.Time
}

func (s *Server) inventoryItems() *connection {
	return &connection{typ: "InventoryItem", search: inventorySearch, items: func() []*object {
		var items []*object
		for _, r := range s.productRecords() {
			for _, v := range r.variants {
				items = append(items, s.inventory(r, v))
			}
		}
		return items
	}}
}

func (s *Server) productVariants() *connection {
	return &connection{typ: "ProductVariant", search: variantSearch, sort: map[string]func(*object) any{}, items: func() []*object {
		var items []*object
		for _, r := range s.productRecords() {
			for _, v := range r.variants {
				items = append(items, s.variant(r, v))
			}
		}
		return items
	}}
}

func (s *Server) inventoryByID(_ *call, id int64) *object {
	if r := s.productRecord(id); r != nil {
		for _, v := range r.variants {
			if v.ID == id {
				return s.inventory(r, v)
			}
		}
	}
	return nil
}

// collections are one for each category.
func (s *Server) collections() *connection {
	return &connection{typ: "Collection", search: collectionSearch, sort: collectionSort, items: func() []*object {
		var items []*object
		for _, name := range s.categories() {
			items = append(items, s.collection(name))
		}
		return items
	}}
}

func (s *Server) categories() []string {
	var names []string
	for _, p := range s.shop.Products() {
		if p.Category != "" {
			names = append(names, p.Category)
		}
	}
	slices.Sort(names)
	return slices.Compact(names)
}

// collectionID is the same for the same category.
func collectionID(name string) int64 { return int64(crc32.ChecksumIEEE([]byte(name))) }

func (s *Server) collectionByID(_ *call, id int64) *object {
	for _, name := range s.categories() {
		if collectionID(name) == id {
			return s.collection(name)
		}
	}
	return nil
}

func (s *Server) collection(name string) *object {
	at := s.shop.Options().Start
	return &object{typ: "Collection", id: gid("Collection", collectionID(name)), record: name, changed: at, fill: func() map[string]resolver {
		return values(map[string]any{
			"legacyResourceId": strconv.FormatInt(collectionID(name), 10), "title": name, "handle": handle(name, 0), "updatedAt": at, "sortOrder": "MANUAL",
			"description": "", "descriptionHtml": "", "templateSuffix": nil,
			"products": s.productConnection(func(r *productRecord) bool { return r.Category == name }),
		})
	}}
}

// ratingFields are the metafields that a review app keeps of a product: none where nobody gave stars.
func (s *Server) ratingFields(product int64) []metafield {
	r := s.kept.rating(product)
	p := s.shop.Product(product)
	if r.count == 0 || p == nil {
		return nil
	}
	mean := decimal.NewFromInt(r.sum).DivRound(decimal.NewFromInt(r.count), 2)
	return []metafield{
		{
			ID: product*10 + 1, Namespace: "reviews", Key: "rating", Type: "rating", CreatedAt: p.CreatedAt, UpdatedAt: p.ModifiedAt,
			Value: `{"value":"` + amount(mean) + `","scale_min":"1.0","scale_max":"5.0"}`,
		},
		{
			ID: product*10 + 2, Namespace: "reviews", Key: "rating_count", Type: "number_integer", CreatedAt: p.CreatedAt, UpdatedAt: p.ModifiedAt,
			Value: strconv.FormatInt(r.count, 10),
		},
	}
}
