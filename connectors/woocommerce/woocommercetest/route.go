package woocommercetest

import (
	"net/http"
	"strconv"
	"strings"
)

// route is one address of the API. A pattern's {id} stands for digits.
type route struct {
	pattern []string
	allow   string // as the shop says, which is more than the fake can do
	public  bool
	since   [2]int
	list    bool // a list, for the wording of refusals
	methods map[string]func(*call) *answer
}

type methods map[string]func(*call) *answer

func (s *Server) routing() []route {
	at := func(pattern, allow string, m methods) route {
		return route{pattern: strings.Split(strings.Trim(pattern, "/"), "/"), allow: allow, methods: m, list: !strings.HasSuffix(pattern, "{id}")}
	}
	get := func(pattern string, f func(*call) *answer) route {
		return at("wc/v3"+pattern, "GET", methods{"GET": f})
	}
	getPost := func(pattern string, f func(*call) *answer) route {
		return at("wc/v3"+pattern, "GET, POST", methods{"GET": f})
	}
	one := func(pattern string, m methods) route { return at("wc/v3"+pattern, allowAll, m) }
	routes := []route{
		public(get("", s.namespaceIndex)), later(public(get("/orders/statuses", s.orderStatuses)), 9, 6),
		getPost("/orders", s.listOrders), one("/orders/{id}", methods{"GET": s.getOrder, "PUT": s.putOrder, "POST": s.putOrder, "PATCH": s.putOrder, "DELETE": s.deleteOrder}),
		at("wc/v3/orders/{id}/refunds", "GET, POST", methods{"GET": s.listOrderRefunds, "POST": s.postRefund}),
		at("wc/v3/orders/{id}/refunds/{id}", "GET, DELETE", methods{"GET": s.getRefund, "DELETE": s.deleteRefund}),
		getPost("/orders/{id}/notes", s.listNotes), later(get("/refunds", s.listRefunds), 9, 0),
		at("wc/v3/customers", "GET, POST", methods{"GET": s.listCustomers, "POST": s.postCustomer}),
		one("/customers/{id}", methods{"GET": s.getCustomer, "PUT": s.putCustomer, "POST": s.putCustomer, "PATCH": s.putCustomer, "DELETE": s.deleteCustomer}),
		at("wc/v3/customers/batch", "POST, PUT, PATCH", methods{"POST": s.batchCustomers, "PUT": s.batchCustomers, "PATCH": s.batchCustomers}),
		getPost("/products", s.listProducts), one("/products/{id}", methods{"GET": s.getProduct}),
		getPost("/products/{id}/variations", s.listVariations), one("/products/{id}/variations/{id}", methods{"GET": s.getVariation}),
		get("/variations", s.listAllVariations), getPost("/products/reviews", s.listReviews), one("/products/reviews/{id}", methods{"GET": s.getReview}),
		getPost("/products/categories", s.listCategories), getPost("/products/tags", s.listTags), getPost("/products/attributes", s.listAttributes),
		later(getPost("/products/brands", s.listBrands), 9, 4), getPost("/coupons", s.listCoupons), one("/coupons/{id}", methods{"GET": s.getCoupon}),
		get("/system_status", s.systemStatus), get("/data/currencies/current", s.currentCurrency),
		get("/reports/orders/totals", s.orderTotals), get("/reports/reviews/totals", s.reviewTotals),
	}
	return routes
}

func public(r route) route { r.public = true; return r }

func later(r route, major, minor int) route { r.since = [2]int{major, minor}; return r }

func (s *Server) dispatch(c *call, path string) *answer {
	parts := strings.Split(strings.Trim(path, "/"), "/")
	for i := range s.routes {
		r := &s.routes[i]
		if ids, ok := r.match(parts); ok && s.since(r.since[0], r.since[1]) {
			c.ids, c.allow = ids, r.allow
			return s.rest(s.through(c, r))
		}
	}
	return s.rest(noRoute())
}

func (s *Server) through(c *call, r *route) *answer {
	method := c.r.Method
	if method == http.MethodHead {
		method = http.MethodGet
	}
	handle := r.methods[method]
	switch {
	case handle == nil:
		return noRoute()
	case !r.public && (c.key == nil || c.key.Powerless):
		return refuse(c, r)
	}
	a := handle(c)
	if a.header.Get("Allow") == "" && a.header.Get("Content-Type") == "" {
		a.allow(c.allow)
	}
	return a.known()
}

// refuse answers somebody without a key, or whose user may not do it.
func refuse(c *call, r *route) *answer {
	status := http.StatusForbidden
	if c.key == nil {
		status = http.StatusUnauthorized
	}
	a := cannotView(status, "list resources")
	switch {
	case c.r.Method != http.MethodGet && c.r.Method != http.MethodHead:
		a = failure(status, "woocommerce_rest_cannot_edit", "Sorry, you are not allowed to edit this resource.")
		if strings.HasSuffix(c.r.URL.Path, "/batch") {
			a = failure(status, "woocommerce_rest_cannot_batch", "Sorry, you are not allowed to batch manipulate this resource.")
		}
	case !r.list:
		a = cannotView(status, "view this resource")
	}
	if c.key == nil {
		a.strangers()
	}
	return a
}

func (r *route) match(parts []string) (ids []int64, ok bool) {
	if len(parts) != len(r.pattern) {
		return nil, false
	}
	for i, want := range r.pattern {
		if want != "{id}" {
			if parts[i] != want {
				return nil, false
			}
			continue
		}
		id, err := strconv.ParseInt(parts[i], 10, 64)
		if err != nil {
			return nil, false
		}
		ids = append(ids, id)
	}
	return ids, true
}
