package faulttest

import (
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/shopspring/decimal"

	"github.com/perennial-cvo/perennial/connectors/commerce"
	"github.com/perennial-cvo/perennial/connectors/simulator"
)

// truth is what the database should hold, in words that can be compared.
type truth struct {
	oracle      simulator.Oracle
	sets        map[string]string // orders with their lines and refunds
	modified    map[string]string // when orders were last changed, as far as the shop says
	quarantined map[string]bool   // "resource|id"
}

func (w *world) truth() truth {
	t := truth{oracle: w.store.oracle(), sets: map[string]string{}, modified: map[string]string{}, quarantined: map[string]bool{}}
	for _, row := range w.query(`SELECT resource, id FROM quarantine`) {
		t.quarantined[row] = true
	}
	for _, id := range w.odd {
		t.quarantined["orders|"+id] = true
	}
	w.erased.from(&t.oracle)
	lines, refunds := map[string][]string{}, map[string][]string{}
	for _, l := range t.oracle.Lines {
		lines[l.OrderID] = append(lines[l.OrderID], joined(l.ID, l.ProductID, l.VariantID, l.SKU, l.Name, money(l.Quantity),
			money(l.Subtotal), money(l.Total), money(l.Tax), maybeMoney(l.Cost)))
	}
	for _, r := range t.oracle.Refunds {
		refunds[r.OrderID] = append(refunds[r.OrderID], joined(r.ID, stamp(r.At), r.Currency, money(r.Amount), money(r.Goods),
			money(r.Shipping), money(r.Fees), money(r.Tax), r.Reason))
	}
	for _, o := range t.oracle.Orders {
		slices.Sort(lines[o.ID])
		slices.Sort(refunds[o.ID])
		t.sets[o.ID] = joined(o.Status, o.CustomerID, o.Email, o.FirstName, o.LastName, o.Country, o.Region, o.City, o.Postcode,
			stamp(o.PlacedAt), stamp(o.PaidAt), stamp(o.CompletedAt), o.Currency, money(o.Goods), money(o.Discount), money(o.Shipping),
			money(o.Tax), money(o.Fees), money(o.Total), maybeMoney(o.Cost), o.Channel, strings.Join(o.Coupons, ","),
			money(o.GiftCards), strconv.FormatBool(o.Test)[:1], "t") +
			"|" + strings.Join(lines[o.ID], ";") + "|" + strings.Join(refunds[o.ID], ";")
		t.modified[o.ID] = stamp(o.ModifiedAt)
	}
	return t
}

// orderSets reads the same from the database. Names sort as bytes do.
const orderSets = `
	SELECT o.id, concat_ws('/', o.status, o.customer_id, o.email, o.first_name, o.last_name, o.country, o.region, o.city, o.postcode,
		COALESCE(to_char(o.placed_at AT TIME ZONE 'UTC', 'YYYY-MM-DD HH24:MI:SS'), ''),
		COALESCE(to_char(o.paid_at AT TIME ZONE 'UTC', 'YYYY-MM-DD HH24:MI:SS'), ''),
		COALESCE(to_char(o.completed_at AT TIME ZONE 'UTC', 'YYYY-MM-DD HH24:MI:SS'), ''), o.currency, round(o.goods, 4), round(o.discount, 4), round(o.shipping, 4),
		round(o.tax, 4), round(o.fees, 4), round(o.total, 4), COALESCE(CAST(round(o.cost, 4) AS text), ''), o.channel, array_to_string(o.coupons, ','),
		round(o.gift_cards, 4), o.test, o.complete),
		COALESCE((SELECT string_agg(x.text, ';' ORDER BY x.text COLLATE "C") FROM (
			SELECT concat_ws('/', l.id, l.product_id, l.variant_id, l.sku, l.name, round(l.quantity, 4), round(l.subtotal, 4), round(l.total, 4),
				round(l.tax, 4), COALESCE(CAST(round(l.cost, 4) AS text), '')) AS text
			FROM lines l WHERE l.store_id = o.store_id AND l.order_id = o.id) x), ''),
		COALESCE((SELECT string_agg(x.text, ';' ORDER BY x.text COLLATE "C") FROM (
			SELECT concat_ws('/', r.id, to_char(r.at AT TIME ZONE 'UTC', 'YYYY-MM-DD HH24:MI:SS'), r.currency, round(r.amount, 4), round(r.goods, 4),
				round(r.shipping, 4), round(r.fees, 4), round(r.tax, 4), r.reason) AS text
			FROM refunds r WHERE r.store_id = o.store_id AND r.order_id = o.id) x), '')
	FROM orders o WHERE o.deleted_at IS NULL`

func joined(fields ...string) string { return strings.Join(fields, "/") }

func money(d decimal.Decimal) string { return d.StringFixed(4) }

func maybeMoney(d decimal.NullDecimal) string {
	if !d.Valid {
		return ""
	}
	return money(d.Decimal)
}

// records is I1: every record as it is in the shop is in the database, or in quarantine; and nothing else is.
func (w *world) records(f *findings) {
	w.t.Helper()
	t := w.truth()
	expect := func(resource string, want map[string]string, query string) {
		w.t.Helper()
		got := map[string]string{}
		for _, row := range w.query(query) {
			id, rest, _ := strings.Cut(row, "|")
			if _, twice := got[id]; twice {
				f.add("I1: %s %s is there twice", resource, id)
			}
			got[id] = rest
		}
		quarantined := func(id, _ string) bool { return t.quarantined[resource+"|"+id] }
		maps.DeleteFunc(want, quarantined)
		maps.DeleteFunc(got, quarantined)
		f.differ("I1: "+resource+" (-shop +database)", want, got)
	}
	expect("orders", maps.Clone(t.sets), orderSets)
	expect("strays", map[string]string{}, `
		SELECT 'line ' || l.order_id || '/' || l.id FROM lines l WHERE NOT EXISTS (SELECT FROM orders o WHERE o.store_id = l.store_id AND o.id = l.order_id)
		UNION ALL
		SELECT 'refund ' || r.order_id || '/' || r.id FROM refunds r WHERE NOT EXISTS (SELECT FROM orders o WHERE o.store_id = r.store_id AND o.id = r.order_id)
		UNION ALL
		SELECT 'guest ' || min(person_id) FROM persons WHERE customer_id IS NULL AND email IS NOT NULL GROUP BY store_id, email HAVING count(*) > 1`)
	customers := map[string]string{}
	for _, c := range t.oracle.Customers {
		customers[c.ID] = strings.Join([]string{
			c.Email, c.FirstName, c.LastName, c.Role, c.Country, c.Region, c.City, c.Postcode, stamp(c.CreatedAt),
			string(c.Consent.State), strings.Join(c.Tags, ","),
		}, "|")
	}
	expect("customers", customers, `SELECT id, email, first_name, last_name, role, country, region, city, postcode, `+instant("created_at")+`,
		consent, array_to_string(tags, ',') FROM customers WHERE deleted_at IS NULL`)
	products := map[string]string{}
	for _, p := range t.oracle.Products {
		if p.ParentID != "" {
			p.Name = "" // the shop calls a variation by its options
		}
		products[p.ID] = strings.Join([]string{p.SKU, p.ParentID, p.Name, p.Type, p.Status, maybeMoney(p.Price), maybeMoney(p.Cost)}, "|")
	}
	expect("products", products, `SELECT id, sku, parent_id, CASE WHEN parent_id = '' THEN name END, type, status, round(price, 4), round(cost, 4) FROM products WHERE deleted_at IS NULL`)
	reviews := map[string]string{}
	for _, r := range t.oracle.Reviews {
		reviews[r.ID] = strings.Join([]string{r.Status, strconv.Itoa(r.Rating), r.Email, r.ProductID, r.Reviewer, r.Body, strconv.FormatBool(r.Verified)}, "|")
	}
	expect("reviews", reviews, `SELECT id, status, rating, email, product_id, reviewer, body, verified FROM reviews WHERE deleted_at IS NULL`)
	coupons := map[string]string{}
	for _, c := range t.oracle.Coupons {
		coupons[c.ID] = strings.Join([]string{c.Code, c.Kind, money(c.Amount)}, "|") // uses count up silently, until the next sweep
	}
	expect("coupons", coupons, `SELECT id, code, kind, round(amount, 4) FROM coupons WHERE deleted_at IS NULL`)
}

// money is I8: what each person brought, as of the day of the last analysis, equals the shop's own truth.
func (w *world) money(f *findings) {
	w.t.Helper()
	asOf := w.startOfToday()
	got := map[string]string{}
	for _, row := range w.query(`
		SELECT COALESCE('account ' || p.customer_id, 'guest ' || p.email, 'nobody'), sum(a.orders), round(sum(a.gross), 4), round(sum(a.net), 4)
		FROM person_stats a JOIN persons p ON p.store_id = a.store_id AND p.person_id = a.person_id
		WHERE a.orders > 0 OR a.gross <> 0 OR a.net <> 0 GROUP BY 1`) {
		key, rest, _ := strings.Cut(row, "|")
		got[key] = rest
	}
	t := w.truth()
	f.differ("I8: money by person as of "+asOf.Format(time.DateOnly)+" (-shop +database)", w.upTo(t, asOf), got)
}

func (w *world) startOfToday() time.Time {
	local := w.shop.Now().In(w.shop.Location())
	return time.Date(local.Year(), local.Month(), local.Day(), 0, 0, 0, 0, w.shop.Location())
}

// upTo counts what the oracle knows as of a moment, person by person, by the rules of the house.
func (w *world) upTo(t truth, asOf time.Time) map[string]string {
	type sum struct {
		orders     int
		gross, net decimal.Decimal
	}
	accounts := map[string]string{}
	for _, c := range t.oracle.Customers {
		if c.Email != "" {
			accounts[c.Email] = c.ID
		}
	}
	back := map[string]decimal.Decimal{}
	for _, r := range t.oracle.Refunds {
		if r.At.Before(asOf) {
			back[r.OrderID] = back[r.OrderID].Add(simulator.NetOf(r))
		}
	}
	sums := map[string]*sum{}
	for _, o := range t.oracle.Orders {
		key := personOf(o, accounts)
		if w.erased.orders[o.ID] {
			key = "nobody"
		}
		counts := w.store.counts(o.Status) && !o.Test && o.Currency == w.shop.Options().Currency
		if key == "" || !counts || !o.PlacedAt.Before(asOf) || t.quarantined["orders|"+o.ID] {
			continue
		}
		if sums[key] == nil {
			sums[key] = &sum{}
		}
		gross := o.Net()
		net := gross.Sub(back[o.ID])
		sums[key].gross, sums[key].net = sums[key].gross.Add(gross), sums[key].net.Add(net)
		if !gross.IsPositive() || net.IsPositive() {
			sums[key].orders++
		}
	}
	texts := map[string]string{}
	for key, s := range sums {
		if s.orders > 0 || !s.gross.IsZero() || !s.net.IsZero() {
			texts[key] = fmt.Sprintf("%d|%s|%s", s.orders, s.gross.StringFixed(4), s.net.StringFixed(4))
		}
	}
	return texts
}

func personOf(o commerce.Order, accounts map[string]string) string {
	switch {
	case o.CustomerID != "":
		return "account " + o.CustomerID
	case o.Email == "":
		return ""
	case accounts[o.Email] != "":
		return "account " + accounts[o.Email]
	default:
		return "guest " + o.Email
	}
}

// erased are the people who were forgotten: what the database should still hold of them is nameless amounts.
type erased struct {
	addresses map[string]bool
	accounts  map[string]bool
	orders    map[string]bool // theirs, as last seen
}

// forget makes the binary forget somebody and remembers whom.
func (w *world) forget(email string) string {
	w.t.Helper()
	e := &w.erased
	if e.addresses == nil {
		*e = erased{addresses: map[string]bool{}, accounts: map[string]bool{}, orders: map[string]bool{}}
	}
	all := w.store.oracle()
	e.addresses[email] = true
	others := map[string]bool{}
	for _, c := range all.Customers {
		if c.Email == email {
			e.accounts[c.ID] = true
		} else {
			others[c.Email] = true
		}
	}
	for _, o := range all.Orders {
		if o.CustomerID != "" && e.accounts[o.CustomerID] && o.Email != "" && !others[o.Email] {
			e.addresses[o.Email] = true
		}
	}
	return w.must("forget", email)
}

func (e *erased) emails() []string { return slices.Sorted(maps.Keys(e.addresses)) }

// from takes the names out of what the shop says, which goes on knowing them.
func (e *erased) from(o *simulator.Oracle) {
	if len(e.addresses) == 0 {
		return
	}
	clear(e.orders)
	o.Customers = slices.DeleteFunc(o.Customers, func(c commerce.Customer) bool { return e.accounts[c.ID] || e.addresses[c.Email] })
	for i := range o.Orders {
		order := &o.Orders[i]
		if !e.accounts[order.CustomerID] && !e.addresses[order.Email] {
			continue
		}
		e.orders[order.ID] = true
		order.CustomerID, order.Email, order.FirstName, order.LastName = "", "", "", ""
		order.Region, order.City, order.Postcode = "", "", ""
	}
	for i := range o.Refunds {
		if e.orders[o.Refunds[i].OrderID] {
			o.Refunds[i].Reason = ""
		}
	}
	for i := range o.Reviews {
		if review := &o.Reviews[i]; e.addresses[review.Email] {
			review.Email, review.Reviewer, review.Body = "", "", ""
		}
	}
}
