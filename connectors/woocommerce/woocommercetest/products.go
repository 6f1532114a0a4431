package woocommercetest

import (
	"cmp"
	"html"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/perennial-cvo/perennial/connectors/simulator"
)

var productOrder = append(slices.Clone(postOrder), "popularity", "rating", "price", "sales", "menu_order", "random")

func productKey(p *simulator.Product) (int64, time.Time, time.Time) {
	return p.ID, p.CreatedAt, p.ModifiedAt
}

// productsWhere lists products that pass, ordered and cut as asked.
func (s *Server) productsWhere(c *call, orderby []string, pass func(*simulator.Product) bool, write func(*writer, *simulator.Product)) *answer {
	during, refused := s.span(c)
	if refused != nil {
		return refused
	}
	status := c.query.Get("status")
	var rows []*simulator.Product
	for _, p := range s.shop.Products() {
		if pass(p) && p.Status != simulator.Trash == (status != simulator.Trash) && during.covers(p.CreatedAt, p.ModifiedAt) &&
			(status == "" || status == "any" || status == p.Status) {
			rows = append(rows, p)
		}
	}
	rows = included(c, rows, func(p *simulator.Product) int64 { return p.ID })
	return paged(s, c, listing{orderby: orderby}, sortedBy(s, c, rows, productKey), write)
}

func (s *Server) listProducts(c *call) *answer {
	kind, sku := c.query.Get("type"), c.query.Get("sku")
	return s.productsWhere(c, productOrder, func(p *simulator.Product) bool {
		return p.ParentID == 0 && (kind == "" || kind == productType(p)) && (sku == "" || sku == p.SKU)
	}, func(w *writer, p *simulator.Product) { s.product(w, p, c.f, false) })
}

const noProduct = "woocommerce_rest_product_invalid_id"

func (s *Server) getProduct(c *call) *answer {
	p := s.shop.Product(c.ids[0])
	if p == nil {
		return missing(noProduct)
	}
	if p.ParentID != 0 {
		return s.single(c, func(w *writer) { s.variation(w, p, c.f, false, true) })
	}
	return s.single(c, func(w *writer) { s.product(w, p, c.f, true) })
}

func (s *Server) listVariations(c *call) *answer {
	if s.shop.Product(c.ids[0]) == nil {
		return failure(http.StatusNotFound, "woocommerce_rest_product_invalid_id", "Invalid product ID.")
	}
	return s.productsWhere(c, productOrder, func(p *simulator.Product) bool { return p.ParentID == c.ids[0] },
		func(w *writer, p *simulator.Product) { s.variation(w, p, c.f, false, false) })
}

func (s *Server) listAllVariations(c *call) *answer {
	return s.productsWhere(c, productOrder, func(p *simulator.Product) bool { return p.ParentID != 0 },
		func(w *writer, p *simulator.Product) { s.variation(w, p, c.f, true, false) })
}

func (s *Server) getVariation(c *call) *answer {
	p := s.shop.Product(c.ids[1])
	if p == nil || p.ParentID != c.ids[0] {
		return missing("woocommerce_rest_product_variation_invalid_id")
	}
	return s.single(c, func(w *writer) { s.variation(w, p, c.f, false, true) })
}

func (s *Server) variationsOf(parent int64) []*simulator.Product {
	var all []*simulator.Product
	for _, p := range s.shop.Products() {
		if p.ParentID == parent {
			all = append(all, p)
		}
	}
	return all
}

// listReviews knows after and before, read in the shop's time unless they name a zone, and no modification time. Without
// a status it gives approved ones; all is approved and held ones; a wrong status gives nothing.
func (s *Server) listReviews(c *call) *answer {
	during, refused := s.reviewSpan(c)
	if refused != nil {
		return refused
	}
	status, product := cmp.Or(c.query.Get("status"), simulator.ReviewApproved), c.list("product")
	var rows []*simulator.Review
	for _, v := range s.shop.Reviews() {
		visible := v.Status == status || status == "all" && (v.Status == simulator.ReviewApproved || v.Status == simulator.ReviewHold)
		if visible && during.covers(v.CreatedAt, v.CreatedAt) && (len(product) == 0 || slices.Contains(product, strconv.FormatInt(v.ProductID, 10))) {
			rows = append(rows, v)
		}
	}
	rows = included(c, rows, func(v *simulator.Review) int64 { return v.ID })
	rows = sortedBy(s, c, rows, func(v *simulator.Review) (int64, time.Time, time.Time) { return v.ID, v.CreatedAt, v.CreatedAt })
	l := listing{orderby: []string{"date", "date_gmt", "id", "include", "product"}}
	return paged(s, c, l, rows, func(w *writer, v *simulator.Review) { s.review(w, v, c.f, false) })
}

func (s *Server) reviewSpan(c *call) (span, *answer) {
	var p span
	for name, at := range map[string]*time.Time{"after": &p.after, "before": &p.before} {
		if text := c.query.Get(name); text != "" {
			t, ok := s.date(text, false)
			if !ok {
				return p, invalid(name, "rest_invalid_date", "Invalid date.")
			}
			*at = t
		}
	}
	if s.quirk().ignoreDates {
		return span{}, nil
	}
	return p, nil
}

func (s *Server) getReview(c *call) *answer {
	for _, v := range s.shop.Reviews() {
		if v.ID == c.ids[0] {
			return s.single(c, func(w *writer) { s.review(w, v, c.f, true) })
		}
	}
	return failure(http.StatusNotFound, "woocommerce_rest_review_invalid_id", "Invalid review ID.")
}

func (s *Server) reviewTotals(c *call) *answer {
	var counts [6]int64
	for _, v := range s.shop.Reviews() {
		if v.Status == simulator.ReviewApproved {
			counts[v.Rating]++
		}
	}
	w := s.writer(c, 512)
	w.open('[')
	for rating := 1; rating <= 5; rating++ {
		text := strconv.Itoa(rating)
		w.open('{')
		w.text(nil, "slug", "rated_"+text+"_out_of_5")
		w.text(nil, "name", "Rated "+text+" out of 5")
		w.integer(nil, "total", counts[rating])
		w.close('}')
	}
	w.close(']')
	return s.reply(http.StatusOK, w.b)
}

func (s *Server) listCoupons(c *call) *answer {
	during, refused := s.span(c)
	if refused != nil {
		return refused
	}
	code := strings.ToLower(c.query.Get("code"))
	var rows []*simulator.Coupon
	for _, coupon := range s.shop.Coupons() {
		if (code == "" || code == coupon.Code) && during.covers(coupon.CreatedAt, coupon.ModifiedAt) {
			rows = append(rows, coupon)
		}
	}
	rows = included(c, rows, func(coupon *simulator.Coupon) int64 { return coupon.ID })
	rows = sortedBy(s, c, rows, func(k *simulator.Coupon) (int64, time.Time, time.Time) { return k.ID, k.CreatedAt, k.ModifiedAt })
	return paged(s, c, listing{orderby: postOrder}, rows, func(w *writer, coupon *simulator.Coupon) { s.coupon(w, coupon, c.f, false) })
}

func (s *Server) getCoupon(c *call) *answer {
	for _, coupon := range s.shop.Coupons() {
		if coupon.ID == c.ids[0] {
			return s.single(c, func(w *writer) { s.coupon(w, coupon, c.f, true) })
		}
	}
	return missing("woocommerce_rest_shop_coupon_invalid_id")
}

// term is a category, brand or status.
type term struct {
	id   int64
	name string
	slug string
}

// The kinds of terms.
const (
	categoryTerms = "categories"
	brandTerms    = "brands"
)

// terms lists the categories or brands that products name, by name.
func (s *Server) terms(kind string) []term {
	idx := s.indexed()
	if kind == brandTerms {
		return idx.brands
	}
	return idx.categories
}

func (s *Server) listCategories(c *call) *answer { return s.listTerms(c, categoryTerms) }
func (s *Server) listBrands(c *call) *answer     { return s.listTerms(c, brandTerms) }

func (s *Server) listTerms(c *call, kind string) *answer {
	l := listing{orderby: []string{"id", "include", "name", "slug", "term_group", "description", "count"}}
	return paged(s, c, l, s.terms(kind), func(w *writer, t term) {
		count := int64(0)
		for _, p := range s.shop.Products() {
			if p.Category == t.name || p.Brand == t.name {
				count++
			}
		}
		w.open('{')
		w.integer(c.f, "id", t.id)
		w.text(c.f, "name", html.EscapeString(t.name))
		w.text(c.f, "slug", t.slug)
		w.constants(c.f, []pair{{"parent", "0"}, {"description", `""`}, {"display", `"default"`}, {"image", "null"}, {"menu_order", "0"}})
		w.integer(c.f, "count", count)
		if c.f == nil {
			w.links(s.api("/products/"+kind+"/"+strconv.FormatInt(t.id, 10)), s.api("/products/"+kind), allowAll)
		}
		w.close('}')
	})
}

func (s *Server) listTags(c *call) *answer {
	l := listing{orderby: []string{"id", "include", "name", "slug", "term_group", "description", "count"}}
	return paged(s, c, l, nil, func(*writer, term) {})
}

func (s *Server) listAttributes(c *call) *answer {
	w := s.writer(c, 1024)
	w.open('[')
	for i, name := range []string{"Colour", "Size"} {
		id := int64(i + 1)
		w.open('{')
		w.integer(nil, "id", id)
		w.text(nil, "name", name)
		w.text(nil, "slug", "pa_"+slug(name))
		w.constants(nil, []pair{{"type", `"select"`}, {"order_by", `"menu_order"`}, {"has_archives", "false"}})
		w.links(s.api("/products/attributes/"+strconv.FormatInt(id, 10)), s.api("/products/attributes"), allowAll)
		w.close('}')
	}
	w.close(']')
	a := s.reply(http.StatusOK, w.b)
	a.header.Set("X-WP-Total", "2")
	a.header.Set("X-WP-TotalPages", "1")
	return a
}

// indexes are looked up while records are written, good while the shop stays as it is.
type indexes struct {
	made       bool
	generation uint64
	accounts   map[string]int64 // by e-mail
	ratings    map[int64][2]int // count and sum, by product
	categories []term
	brands     []term
}

func (s *Server) indexed() indexes {
	generation := s.shop.Generation()
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.index.made && s.index.generation == generation {
		return s.index
	}
	idx := indexes{made: true, generation: generation, accounts: map[string]int64{}, ratings: map[int64][2]int{}}
	for _, c := range s.shop.Customers() {
		idx.accounts[strings.ToLower(c.Email)] = c.ID
	}
	for _, v := range s.shop.Reviews() {
		if v.Status == simulator.ReviewApproved && v.Rating > 0 {
			r := idx.ratings[v.ProductID]
			idx.ratings[v.ProductID] = [2]int{r[0] + 1, r[1] + v.Rating}
		}
	}
	var categories, brands []string
	for _, p := range s.shop.Products() {
		if p.ParentID == 0 {
			categories, brands = append(categories, p.Category), append(brands, p.Brand)
		}
	}
	idx.categories, idx.brands = termList(categories, 1000), termList(brands, 1100)
	s.index = idx
	return idx
}

func termList(names []string, base int64) []term {
	slices.Sort(names)
	var all []term
	for _, name := range slices.Compact(names) {
		all = append(all, term{base + int64(len(all)), name, slug(name)})
	}
	return all
}

func (s *Server) accounts() map[string]int64 { return s.indexed().accounts }

func (s *Server) ratings(product int64) (count, sum int) {
	r := s.indexed().ratings[product]
	return r[0], r[1]
}
