package woocommercetest

import (
	"html"
	"slices"
	"strconv"
	"strings"

	"github.com/perennial-cvo/perennial/connectors/simulator"
)

func slug(name string) string {
	return strings.Trim(strings.Join(strings.FieldsFunc(strings.ToLower(name), func(r rune) bool {
		return (r < 'a' || r > 'z') && (r < '0' || r > '9') && r <= 127
	}), "-"), "-")
}

func (s *Server) permalink(p *simulator.Product) string {
	return s.home() + "/product/" + slug(p.Name) + "/"
}

// product writes one product that is no variation.
func (s *Server) product(w *writer, p *simulator.Product, f fields, single bool) {
	w.open('{')
	w.integer(f, "id", p.ID)
	w.text(f, "name", p.Name)
	w.text(f, "slug", slug(p.Name))
	w.text(f, "permalink", s.permalink(p))
	w.moment(f, "date_created", p.CreatedAt)
	w.moment(f, "date_modified", p.ModifiedAt)
	w.text(f, "type", productType(p))
	w.text(f, "status", p.Status)
	w.constants(f, productHead)
	w.text(f, "description", "<p>About <b>"+html.EscapeString(p.Name)+"</b> &amp; more.</p>\n")
	w.text(f, "short_description", "<p>Short text.</p>\n")
	w.text(f, "sku", p.SKU)
	s.productPrice(w, p, f)
	w.flag(f, "purchasable", p.Status == "publish")
	w.integer(f, "total_sales", p.ID%97)
	w.constants(f, productBody)
	s.productRatings(w, p, f)
	w.constants(f, productLists)
	s.productTerms(w, p, f)
	s.productAttributes(w, p, f)
	w.constants(f, productTail)
	w.flag(f, "has_options", p.Variable)
	w.constants(f, productEnd)
	if s.costs() && w.key(f, "cost_of_goods_sold") {
		s.productCost(w, p)
	}
	if _, wanted := f["_links"]; single || f == nil || wanted {
		w.links(s.api("/products/"+strconv.FormatInt(p.ID, 10)), s.api("/products"), allowAll)
	}
	w.close('}')
}

// pair is a field that is the same for every product.
type pair struct{ name, json string }

func (w *writer) constants(f fields, pairs []pair) {
	for _, p := range pairs {
		w.plain(f, p.name, p.json)
	}
}

var (
	productHead = []pair{{"featured", "false"}, {"catalog_visibility", `"visible"`}}
	productBody = []pair{
		{"virtual", "false"},
		{"downloadable", "false"},
		{"downloads", "[]"},
		{"download_limit", "-1"},
		{"download_expiry", "-1"},
		{"external_url", `""`},
		{"button_text", `""`},
		{"tax_status", `"taxable"`},
		{"tax_class", `""`},
		{"manage_stock", "false"},
		{"stock_quantity", "null"},
		{"backorders", `"no"`},
		{"backorders_allowed", "false"},
		{"backordered", "false"},
		{"low_stock_amount", "null"},
		{"sold_individually", "false"},
		{"weight", `""`},
		{"dimensions", `{"length":"","width":"","height":""}`},
		{"shipping_required", "true"},
		{"shipping_taxable", "true"},
		{"shipping_class", `""`},
		{"shipping_class_id", "0"},
		{"reviews_allowed", "true"},
	}
	productLists = []pair{{"upsell_ids", "[]"}, {"cross_sell_ids", "[]"}, {"parent_id", "0"}, {"purchase_note", `""`}}
	productTail  = []pair{{"related_ids", "[]"}, {"meta_data", "[]"}, {"stock_status", `"instock"`}}
	productEnd   = []pair{{"post_password", `""`}, {"global_unique_id", `""`}}
	saleDates    = []pair{{"date_on_sale_from", "null"}, {"date_on_sale_from_gmt", "null"}, {"date_on_sale_to", "null"}, {"date_on_sale_to_gmt", "null"}, {"on_sale", "false"}}
	variantBody  = []pair{
		{"purchasable", "true"},
		{"virtual", "false"},
		{"downloadable", "false"},
		{"downloads", "[]"},
		{"download_limit", "-1"},
		{"download_expiry", "-1"},
		{"tax_status", `"taxable"`},
		{"tax_class", `""`},
		{"manage_stock", "false"},
		{"stock_quantity", "null"},
		{"stock_status", `"instock"`},
		{"backorders", `"no"`},
		{"backorders_allowed", "false"},
		{"backordered", "false"},
		{"low_stock_amount", "null"},
		{"weight", `""`},
		{"dimensions", `{"length":"","width":"","height":""}`},
		{"shipping_class", `""`},
		{"shipping_class_id", "0"},
		{"image", "null"},
		{"gallery_image_ids", "[]"},
	}
)

func productType(p *simulator.Product) string {
	if p.Variable {
		return "variable"
	}
	return "simple"
}

// productPrice writes the prices; a variable product has none of its own.
func (s *Server) productPrice(w *writer, p *simulator.Product, f fields) {
	w.amount(f, "price", p.Price)
	if p.Variable {
		w.text(f, "regular_price", "")
	} else {
		w.amount(f, "regular_price", p.Price)
	}
	w.text(f, "sale_price", "")
	w.constants(f, saleDates)
}

func (s *Server) productRatings(w *writer, p *simulator.Product, f fields) {
	count, sum := s.ratings(p.ID)
	average := "0.00"
	if count > 0 {
		average = strconv.FormatFloat(float64(sum)/float64(count), 'f', 2, 64)
	}
	w.text(f, "average_rating", average)
	w.integer(f, "rating_count", int64(count))
}

func (s *Server) productTerms(w *writer, p *simulator.Product, f fields) {
	if w.list(f, "categories") {
		w.terms(s.terms(categoryTerms), p.Category)
	}
	if s.since(9, 9) && w.list(f, "brands") {
		w.terms(s.terms(brandTerms), p.Brand)
	}
	w.constants(f, []pair{{"tags", "[]"}, {"images", "[]"}})
}

func (w *writer) terms(all []term, name string) {
	w.open('[')
	for _, t := range all {
		if t.name == name {
			w.open('{')
			w.integer(nil, "id", t.id)
			w.text(nil, "name", html.EscapeString(t.name))
			w.text(nil, "slug", slug(t.name))
			w.close('}')
		}
	}
	w.close(']')
}

// attributeID is the id of a shop-wide attribute; 0 is one of the product's own.
func attributeID(name string) int64 {
	return int64(slices.Index([]string{"Colour", "Size"}, name) + 1)
}

func (s *Server) productAttributes(w *writer, p *simulator.Product, f fields) {
	if w.list(f, "attributes") {
		w.open('[')
		for _, a := range p.Attributes {
			id, name := attributeID(a.Name), a.Name
			if id != 0 {
				name = "pa_" + slug(a.Name)
			}
			w.open('{')
			w.integer(nil, "id", id)
			w.text(nil, "name", a.Name)
			w.text(nil, "slug", name)
			w.integer(nil, "position", 0)
			w.flag(nil, "visible", true)
			w.flag(nil, "variation", a.Varies)
			w.name("options")
			w.open('[')
			for _, option := range a.Options {
				w.str(option)
			}
			w.close(']')
			w.close('}')
		}
		w.close(']')
	}
	w.plain(f, "default_attributes", "[]")
	if w.list(f, "variations") {
		w.open('[')
		for _, v := range s.variationsOf(p.ID) {
			w.int(v.ID)
		}
		w.close(']')
	}
	w.plain(f, "grouped_products", "[]")
	w.integer(f, "menu_order", 0)
	if w.key(f, "price_html") {
		w.str(`<span class="woocommerce-Price-amount amount"><bdi><span class="woocommerce-Price-currencySymbol" translate="no">` +
			html.EscapeString(symbol(s.shop.Options().Currency)) + `</span>` + string(w.appendMoney(nil, p.Price)) + `</bdi></span>`)
	}
}

// productCost writes the cost of goods; one that is unknown, and that of every variable parent, reads as zero.
func (s *Server) productCost(w *writer, p *simulator.Product) {
	w.open('{')
	w.name("values")
	if p.HasCost && !p.Variable {
		w.raw(`[{"defined_value":`)
		w.number(p.Cost, 1)
		w.name("effective_value")
		w.number(p.Cost, 1)
		w.b = append(w.b, "}]"...)
		w.name("total_value")
		w.number(p.Cost, 1)
	} else {
		w.raw(`[{"defined_value":null,"effective_value":0}],"total_value":0`)
	}
	if p.ParentID != 0 {
		w.flag(nil, "defined_value_is_additive", false)
	}
	w.close('}')
}

// variation writes one variation; under is the list it was asked for through.
func (s *Server) variation(w *writer, p *simulator.Product, f fields, loose, single bool) {
	values := make([]string, len(p.Options))
	query := make([]string, len(p.Options))
	for i, o := range p.Options {
		values[i], query[i] = o.Value, "attribute_pa_"+slug(o.Name)+"="+slug(o.Value)
	}
	w.open('{')
	w.integer(f, "id", p.ID)
	w.text(f, "type", "variation")
	w.moment(f, "date_created", p.CreatedAt)
	w.moment(f, "date_modified", p.ModifiedAt)
	w.text(f, "description", "")
	w.text(f, "permalink", s.permalink(p)+"?"+strings.Join(query, "&"))
	w.text(f, "sku", p.SKU)
	w.text(f, "global_unique_id", "")
	s.productPrice(w, p, f)
	w.text(f, "status", p.Status)
	w.constants(f, variantBody)
	if w.list(f, "attributes") {
		w.chosen(p.Options)
	}
	w.integer(f, "menu_order", 0)
	w.plain(f, "meta_data", "[]")
	w.text(f, "name", strings.Join(values, ", "))
	w.integer(f, "parent_id", p.ParentID)
	if s.costs() && w.key(f, "cost_of_goods_sold") {
		s.productCost(w, p)
	}
	if _, wanted := f["_links"]; single || f == nil || wanted {
		s.variationLinks(w, p, loose)
	}
	w.close('}')
}

func (w *writer) chosen(options []simulator.Option) {
	w.open('[')
	for _, o := range options {
		w.open('{')
		w.integer(nil, "id", attributeID(o.Name))
		w.text(nil, "name", o.Name)
		w.text(nil, "slug", "pa_"+slug(o.Name))
		w.text(nil, "option", o.Value)
		w.close('}')
	}
	w.close(']')
}

func (s *Server) variationLinks(w *writer, p *simulator.Product, loose bool) {
	id := "/" + strconv.FormatInt(p.ID, 10)
	if loose { // the list of all variations knows no parent
		w.links(s.api("/variations"+id), s.api("/variations"), "", link{"up", s.api("/products/0"), false})
		return
	}
	parent := s.api("/products/" + strconv.FormatInt(p.ParentID, 10))
	w.links(parent+"/variations"+id, parent+"/variations", allowAll, link{"up", parent, false})
}

// coupon writes one coupon.
func (s *Server) coupon(w *writer, c *simulator.Coupon, f fields, single bool) {
	amount := c.Amount
	if c.Kind == "percent" && w.digits != 2 {
		amount = scaled(c.Amount, w.digits)
	}
	w.open('{')
	w.integer(f, "id", c.ID)
	w.text(f, "code", c.Code)
	w.amount(f, "amount", amount)
	w.text(f, "status", "publish")
	w.moment(f, "date_created", c.CreatedAt)
	w.moment(f, "date_modified", c.ModifiedAt)
	w.text(f, "discount_type", c.Kind)
	w.text(f, "description", "")
	w.moment(f, "date_expires", c.ExpiresAt)
	w.integer(f, "usage_count", int64(c.Uses))
	w.constants(f, []pair{
		{"individual_use", "false"},
		{"product_ids", "[]"},
		{"excluded_product_ids", "[]"},
		{"usage_limit", "null"},
		{"usage_limit_per_user", "null"},
		{"limit_usage_to_x_items", "null"},
	})
	w.flag(f, "free_shipping", c.FreeShip)
	w.constants(f, []pair{{"product_categories", "[]"}, {"excluded_product_categories", "[]"}, {"exclude_sale_items", "false"}})
	w.amount(f, "minimum_amount", 0)
	w.amount(f, "maximum_amount", 0)
	w.constants(f, []pair{{"email_restrictions", "[]"}, {"used_by", "[]"}, {"meta_data", "[]"}})
	if _, wanted := f["_links"]; single || f == nil || wanted {
		w.links(s.api("/coupons/"+strconv.FormatInt(c.ID, 10)), s.api("/coupons"), allowAll)
	}
	w.close('}')
}

// scaled turns hundredths of a per cent into the digits of the shop's money.
func scaled(hundredths simulator.Amount, digits int) simulator.Amount {
	for range digits {
		hundredths *= 10
	}
	return hundredths / 100
}
