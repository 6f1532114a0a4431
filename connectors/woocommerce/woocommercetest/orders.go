package woocommercetest

import (
	"bytes"
	"cmp"
	"encoding/json"
	"maps"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/perennial-cvo/perennial/connectors/simulator"
)

var postOrder = []string{"date", "id", "include", "title", "slug", "modified"}

var knownStatuses = []term{
	{1, "Pending payment", simulator.Pending},
	{2, "Processing", simulator.Processing},
	{3, "On hold", simulator.OnHold},
	{4, "Completed", simulator.Completed},
	{5, "Cancelled", simulator.Cancelled},
	{6, "Refunded", simulator.Refunded},
	{7, "Failed", simulator.Failed},
	{8, "Draft", simulator.Draft},
}

// statuses lists the slugs that the shop knows, custom ones included.
func (s *Server) statuses() []term {
	all := slices.Clone(knownStatuses)
	for _, slug := range s.opts.Statuses {
		all = append(all, term{0, slug, slug})
	}
	return all
}

func (s *Server) listOrders(c *call) *answer {
	l := listing{orderby: postOrder, link: "&status%5B0%5D=any&dp=2&context=view", hpos: true}
	if _, refused := s.window(c, l); refused != nil {
		return refused
	}
	wanted, refused := s.wantedStatuses(c)
	if refused != nil {
		return refused
	}
	during, refused := s.span(c)
	if refused != nil {
		return refused
	}
	rows := s.cached(c, func() []*simulator.Order {
		customer := c.query.Get("customer")
		var rows []*simulator.Order
		for _, o := range s.shop.Orders() {
			if wanted[o.Status] && during.covers(o.PlacedAt, o.ModifiedAt) && (customer == "" || customer == strconv.FormatInt(o.CustomerID, 10)) {
				rows = append(rows, o)
			}
		}
		rows = included(c, rows, func(o *simulator.Order) int64 { return o.ID })
		return sortedBy(s, c, rows, func(o *simulator.Order) (int64, time.Time, time.Time) { return o.ID, o.PlacedAt, o.ModifiedAt })
	})
	return paged(s, c, l, rows, func(w *writer, o *simulator.Order) { s.orderOrAltered(w, o, c.f, false) })
}

// cached keeps filtered lists while the shop stays the same, so that walking a large shop page by page stays fast. Lists
// whose ties are shuffled are made anew each time.
func (s *Server) cached(c *call, list func() []*simulator.Order) []*simulator.Order {
	by := c.query.Get("orderby")
	if !s.since(10, 4) && by != "id" {
		return list()
	}
	query := phpQuery(c.raw)
	for name := range query {
		if strings.HasPrefix(name, "oauth_") || strings.HasPrefix(name, "_fields") || name == "page" || name == "per_page" || name == "offset" {
			query.Del(name)
		}
	}
	key, generation := query.Encode(), s.shop.Generation()
	s.mu.Lock()
	have, ok := s.lists[key]
	s.mu.Unlock()
	if ok && have.generation == generation {
		return have.rows
	}
	rows := list()
	s.mu.Lock()
	defer s.mu.Unlock()
	if len(s.lists) > 8 {
		clear(s.lists)
	}
	s.lists[key] = cachedList{generation, rows}
	return rows
}

// wantedStatuses reads the status filter: any leaves out trash and drafts, an unknown slug is refused.
func (s *Server) wantedStatuses(c *call) (map[string]bool, *answer) {
	known := []string{"any", simulator.Trash}
	for _, status := range s.statuses() {
		known = append(known, status.slug)
	}
	list := c.list("status")
	if len(list) == 0 {
		list = []string{"any"}
	}
	wanted := map[string]bool{}
	for i, status := range list {
		if !slices.Contains(known, status) {
			param := "status[" + strconv.Itoa(i) + "]"
			return nil, invalid("status", "rest_not_in_enum", param+" is not one of "+strings.Join(known, ", ")+".")
		}
		wanted[status] = true
	}
	if wanted["any"] { // whatever else was asked for
		clear(wanted)
		for _, status := range s.statuses() {
			wanted[status.slug] = status.slug != simulator.Draft
		}
	}
	return wanted, nil
}

// sortedBy orders rows as asked: by date, newest first, unless told otherwise. Before 10.4 equal times come in an order
// of their own at every request.
func sortedBy[T any](s *Server, c *call, rows []T, key func(T) (id int64, created, modified time.Time)) []T {
	by, descending := c.query.Get("orderby"), c.query.Get("order") != "asc"
	if by == "include" {
		return rows
	}
	salt := int64(0)
	if !s.since(10, 4) {
		salt = s.count()
	}
	rows = slices.Clone(rows)
	slices.SortFunc(rows, func(a, b T) int {
		idA, createdA, modifiedA := key(a)
		idB, createdB, modifiedB := key(b)
		order := 0
		switch by {
		case "", "date", "date_gmt":
			order = createdA.Compare(createdB)
		case "modified":
			order = modifiedA.Compare(modifiedB)
		}
		if order == 0 && salt != 0 && by != "id" && by != "title" {
			order = cmp.Compare(shuffled(idA, salt), shuffled(idB, salt))
		}
		if order == 0 {
			order = cmp.Compare(idA, idB)
		}
		if descending {
			return -order
		}
		return order
	})
	return rows
}

func shuffled(id, salt int64) uint64 {
	x := uint64(id)*0x9E3779B97F4A7C15 ^ uint64(salt)*0xBF58476D1CE4E5B9
	x ^= x >> 29
	return x * 0x94D049BB133111EB
}

func (s *Server) count() int64 {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.asked
}

// Alter gives a field of an order as it is, any JSON, such as "total" as `"abc"`; an empty value mends it.
func (s *Server) Alter(order int64, field, json string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.altered[order] == nil {
		s.altered[order] = map[string]string{}
	}
	s.altered[order][field] = json
	if json == "" {
		delete(s.altered[order], field)
	}
}

func (s *Server) orderOrAltered(w *writer, o *simulator.Order, f fields, single bool) {
	s.mu.Lock()
	altered := len(s.altered) > 0 && len(s.altered[o.ID]) > 0
	s.mu.Unlock()
	if !altered {
		s.order(w, o, f, single)
		return
	}
	sub := *w
	sub.b = nil
	s.order(&sub, o, f, single)
	var whole map[string]json.RawMessage
	if err := json.Unmarshal(sub.b, &whole); err != nil {
		panic("woocommercetest: order: " + err.Error())
	}
	w.open('{')
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, name := range slices.Sorted(maps.Keys(whole)) {
		value := string(whole[name])
		if given, ok := s.altered[o.ID][name]; ok {
			value = given
		}
		w.plain(nil, name, value)
	}
	w.close('}')
}

const noOrder = "woocommerce_rest_shop_order_invalid_id"

func (s *Server) getOrder(c *call) *answer {
	o := s.shop.Order(c.ids[0])
	if o == nil {
		return missing(noOrder)
	}
	return s.single(c, func(w *writer) { s.orderOrAltered(w, o, c.f, true) })
}

// putOrder changes status and billing; on HPOS even an empty change counts as one.
func (s *Server) putOrder(c *call) *answer {
	var change struct {
		Status  *string `json:"status"`
		Billing *struct {
			Email *string `json:"email"`
		} `json:"billing"`
	}
	if err := json.Unmarshal(c.body, &change); err != nil && len(c.body) > 0 {
		return failure(http.StatusBadRequest, "rest_invalid_json", "Invalid JSON body passed.")
	}
	if s.shop.Order(c.ids[0]) == nil {
		return missing(noOrder)
	}
	empty := len(bytes.Trim(c.body, " {}\n")) == 0
	if !empty || !s.opts.Legacy {
		s.shop.EditOrder(c.ids[0], func(o *simulator.Order) {
			if change.Status != nil {
				o.Status = *change.Status
			}
			if change.Billing != nil && change.Billing.Email != nil {
				o.Email = *change.Billing.Email
			}
		})
	}
	return s.getOrder(c)
}

func (s *Server) deleteOrder(c *call) *answer {
	o := s.shop.Order(c.ids[0])
	switch {
	case o == nil:
		return missing(noOrder)
	case c.query.Get("force") == "true" || c.query.Get("force") == "1":
		s.shop.ForceDeleteOrder(o.ID)
	case o.Status == simulator.Trash:
		return failure(http.StatusGone, "woocommerce_rest_already_trashed", "The order has already been deleted.")
	default:
		s.shop.TrashOrder(o.ID)
		o = s.shop.Order(o.ID)
	}
	return s.single(c, func(w *writer) { s.order(w, o, c.f, true) })
}

func (s *Server) listNotes(c *call) *answer {
	o := s.shop.Order(c.ids[0])
	if o == nil {
		return missing(noOrder)
	}
	base := s.api("/orders/" + strconv.FormatInt(o.ID, 10))
	w := s.writer(c, 512)
	w.open('[')
	w.open('{')
	w.integer(nil, "id", o.ID)
	w.text(nil, "author", "WooCommerce")
	w.moment(nil, "date_created", o.PlacedAt)
	w.text(nil, "note", "Order status changed from Pending payment to "+o.Status+".")
	w.flag(nil, "customer_note", false)
	w.links(base+"/notes/"+strconv.FormatInt(o.ID, 10), base+"/notes", "GET, DELETE", link{"up", base, false})
	w.close('}')
	w.close(']')
	return s.reply(http.StatusOK, w.b)
}

func (s *Server) orderStatuses(c *call) *answer {
	w := s.writer(c, 1024)
	w.open('[')
	for _, status := range s.statuses() {
		w.open('{')
		w.text(nil, "slug", status.slug)
		w.text(nil, "name", status.name)
		w.close('}')
	}
	w.close(']')
	return s.reply(http.StatusOK, w.b)
}

func (s *Server) orderTotals(c *call) *answer {
	counts := map[string]int64{}
	for _, o := range s.shop.Orders() {
		counts[o.Status]++
	}
	w := s.writer(c, 1024)
	w.open('[')
	for _, status := range s.statuses() {
		w.open('{')
		w.text(nil, "slug", status.slug)
		w.text(nil, "name", status.name)
		w.integer(nil, "total", counts[status.slug])
		w.close('}')
	}
	w.close(']')
	return s.reply(http.StatusOK, w.b)
}
