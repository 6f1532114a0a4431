package postgres

import (
	"context"
	"fmt"
	"slices"
	"strconv"
	"strings"

	"github.com/lib/pq"

	"github.com/perennial-cvo/perennial/connectors/commerce"
)

var orderTable = newTable("orders", "id", `id number status test customer_id email first_name last_name country region city
	postcode placed_at modified_at paid_at completed_at currency goods discount shipping tax fees total gift_cards cost
	buyer_currency buyer_total channel attribution coupons consent consent_at
	hash complete deleted_at person_id counted rate gross`)

// orderSet is an order with the lines and refunds that came with it.
type orderSet struct {
	order    *commerce.Order
	lines    []*commerce.Line
	refunds  []*commerce.Refund
	complete bool  // these lines and refunds are the whole set
	sums     *sums // of the lines that came with it, for one that is open in a first load
	nameless bool  // it belongs to someone erased
	person   int64
	had      before

	entry      entry
	lineRows   []*row
	refundRows []*row
}

// orders stores orders with all that came with them. An order with its whole set is compared, rejected and replaced as
// one record.
func (c *commit) orders(ctx context.Context, b commerce.Batch) error {
	if len(b.Orders) == 0 {
		return nil
	}
	if err := c.erased.ask(ctx, c.tx, c.store, orderKeys(b.Orders)); err != nil {
		return err
	}
	byID := map[string]*orderSet{}
	var entries []entry
	content := newContent()
	for _, set := range c.sets(b) {
		c.scrub(set)
		if err := c.encode(content, set); err != nil {
			c.reject(set.order.ID, err.Error(), commerce.Batch{
				Orders: []commerce.Order{*set.order}, Lines: values(set.lines), Refunds: values(set.refunds),
			})
			continue
		}
		byID[set.order.ID] = set
		entries = append(entries, set.entry)
	}
	known, had, err := c.readBefore(ctx, idsOf(entries))
	if err != nil {
		return err
	}
	added, changed := c.split(entries, known)
	if len(added)+len(changed) == 0 {
		return nil
	}
	pick := func(entries []entry) (picked []*orderSet) {
		for _, e := range entries {
			set := byID[e.id]
			set.had = had[e.id]
			picked = append(picked, set)
		}
		return picked
	}
	return c.writeOrders(ctx, pick(added), pick(changed))
}

// sets gathers what belongs together; of records with the same id the last one counts.
func (c *commit) sets(b commerce.Batch) []*orderSet {
	var all []*orderSet
	byID := map[string]*orderSet{}
	for _, o := range latest(b.Orders, func(o *commerce.Order) string { return o.ID }) {
		set := &orderSet{order: o}
		byID[o.ID] = set
		all = append(all, set)
	}
	if len(b.Complete) == 0 {
		if c.first {
			sum(byID, b.Lines)
		}
		return all
	}
	for _, id := range b.Complete {
		if set := byID[id]; set != nil {
			set.complete = true
		}
	}
	for i := range b.Lines {
		l := &b.Lines[i]
		if set := byID[l.OrderID]; set != nil && set.complete {
			set.lines = append(set.lines, l)
		}
	}
	for _, f := range latest(b.Refunds, refundKey) {
		if set := byID[f.OrderID]; set != nil && set.complete {
			set.refunds = append(set.refunds, f)
		}
	}
	for _, set := range all {
		slices.SortFunc(set.lines, func(a, b *commerce.Line) int { return strings.Compare(a.ID, b.ID) })
		slices.SortFunc(set.refunds, func(a, b *commerce.Refund) int { return strings.Compare(a.ID, b.ID) })
	}
	return all
}

// sum says of open orders what the lines that came with them come to.
func sum(open map[string]*orderSet, lines []commerce.Line) {
	for _, set := range open {
		set.sums = &sums{}
	}
	for i := range lines {
		if set := open[lines[i].OrderID]; set != nil {
			set.sums.add(&lines[i])
		}
	}
}

func lineKey(l *commerce.Line) [2]string     { return [2]string{l.OrderID, l.ID} }
func refundKey(f *commerce.Refund) [2]string { return [2]string{f.OrderID, f.ID} }

func values[T any](pointers []*T) []T {
	all := make([]T, 0, len(pointers))
	for _, p := range pointers {
		all = append(all, *p)
	}
	return all
}

func orderKeys(orders []commerce.Order) []string {
	var keys []string
	for i := range orders {
		keys = append(keys, customerKey(orders[i].CustomerID), emailKey(orders[i].Email))
	}
	return keys
}

// scrub takes away who placed an order, where that person was erased.
func (c *commit) scrub(set *orderSet) {
	person, ok := c.erased.person(set.order.CustomerID, set.order.Email)
	if !ok {
		return
	}
	o := *set.order
	o.CustomerID, o.Email, o.FirstName, o.LastName, o.Region, o.City, o.Postcode = "", "", "", "", "", "", ""
	o.Attribution, o.Consent = commerce.Attribution{}, commerce.Consent{}
	set.order, set.nameless, set.person = &o, true, person
	for i, f := range set.refunds {
		nameless := *f
		nameless.CustomerID, nameless.Email, nameless.Reason = "", "", ""
		set.refunds[i] = &nameless
	}
}

// encode makes the rows of a set, and its hash.
func (c *commit) encode(content content, set *orderSet) error {
	content.reset()
	r := c.orderRow(content, set.order, set.sums)
	if r.err != nil {
		return r.err
	}
	content.add(fmt.Sprint("set ", set.complete, len(set.lines), len(set.refunds)))
	for _, l := range set.lines {
		line := lineRow(content, c.store, l)
		if line.err != nil {
			return fmt.Errorf("line %s: %w", storable(l.ID), line.err)
		}
		set.lineRows = append(set.lineRows, line)
	}
	for _, f := range set.refunds {
		refund := refundRow(content, c.store, f)
		if refund.err != nil {
			return fmt.Errorf("refund %s: %w", storable(f.ID), refund.err)
		}
		set.refundRows = append(set.refundRows, refund)
	}
	set.entry = entry{id: set.order.ID, line: r.line, hash: r.sum()}
	return nil
}

// attribution is how an order's attribution is stored.
type attribution struct {
	SourceType string `json:"source_type,omitempty"`
	Source     string `json:"source,omitempty"`
	Medium     string `json:"medium,omitempty"`
	Campaign   string `json:"campaign,omitempty"`
	Content    string `json:"content,omitempty"`
	Term       string `json:"term,omitempty"`
	Referrer   string `json:"referrer,omitempty"`
	Device     string `json:"device,omitempty"`
}

// orderRow is an order's row. The sums of an open order stand in it, and are no content: they follow from the lines.
func (c *commit) orderRow(content content, o *commerce.Order, sums *sums) *row {
	r := newRow(content, c.store, len(orderTable.columns))
	r.id("id", o.ID)
	r.text("number", o.Number)
	r.text("status", o.Status)
	r.boolean(o.Test)
	r.text("customer_id", o.CustomerID)
	r.text("email", o.Email)
	r.text("first_name", o.FirstName)
	r.text("last_name", o.LastName)
	r.text("country", o.Country)
	r.text("region", o.Region)
	r.text("city", o.City)
	r.text("postcode", o.Postcode)
	r.moment("placed_at", o.PlacedAt)
	r.claim("modified_at", o.ModifiedAt)
	r.maybeMoment("paid_at", o.PaidAt)
	r.maybeMoment("completed_at", o.CompletedAt)
	r.id("currency", o.Currency)
	r.amount("goods", o.Goods)
	r.amount("discount", o.Discount)
	r.amount("shipping", o.Shipping)
	r.amount("tax", o.Tax)
	r.amount("fees", o.Fees)
	r.amount("total", o.Total)
	if sums == nil {
		r.amount("gift_cards", o.GiftCards)
		r.maybeAmount("cost", o.Cost)
	} else {
		r.beside(func() { r.amount("gift_cards", sums.cards) }, plain(o.GiftCards))
		r.beside(func() { r.maybeAmount("cost", sums.cost) }, "null")
	}
	r.text("buyer_currency", o.BuyerCurrency)
	r.maybeAmount("buyer_total", o.BuyerTotal)
	r.text("channel", o.Channel)
	r.json("attribution", attribution(o.Attribution))
	r.texts("coupons", o.Coupons)
	r.text("consent", string(o.Consent.State))
	r.maybeMoment("consent_at", o.Consent.At)
	return r
}

// before is what is stored of an order.
type before struct {
	customer string
	person   int64
	complete bool
	children bool // lines or refunds came before it: only those of orders that are not stored are looked for
}

// readBefore looks up what decides whether orders are new, changed or the same, and what has to be known to write them.
func (c *commit) readBefore(ctx context.Context, ids []string) (known map[string]stored, had map[string]before, err error) {
	// The LATERAL with its OFFSET, and LIMIT in place of EXISTS, make the planner look up each id by itself, whatever it
	// believes of the tables.
	rows, err := c.tx.QueryxContext(ctx, `SELECT k.id, o.hash, coalesce(o.deleted, false), coalesce(o.customer_id, ''),
			coalesce(o.person_id, 0), coalesce(o.complete, false),
			o.hash IS NULL AND coalesce((SELECT true FROM lines WHERE store_id = $1 AND order_id = k.id LIMIT 1),
				(SELECT true FROM refunds WHERE store_id = $1 AND order_id = k.id LIMIT 1), false)
		FROM unnest($2::text[]) AS k(id)
		LEFT JOIN LATERAL (SELECT hash, deleted_at IS NOT NULL AS deleted, customer_id, person_id, complete FROM orders
			WHERE store_id = $1 AND id = k.id OFFSET 0) o ON true`, c.store, pq.Array(ids))
	if err != nil {
		return nil, nil, fmt.Errorf("stored orders: %w", err)
	}
	defer func() { _ = rows.Close() }() // reading
	known, had = map[string]stored{}, map[string]before{}
	for rows.Next() {
		var id string
		var hash []byte
		var s stored
		var b before
		if err := rows.Scan(&id, &hash, &s.deleted, &b.customer, &b.person, &b.complete, &b.children); err != nil {
			return nil, nil, fmt.Errorf("stored orders: %w", err)
		}
		if hash != nil {
			s.hash = string(hash)
			known[id] = s
		}
		had[id] = b
	}
	return known, had, rows.Err()
}

func setIDs(sets []*orderSet) []string {
	ids := make([]string, 0, len(sets))
	for _, set := range sets {
		ids = append(ids, set.order.ID)
	}
	return ids
}

// writeOrders finds out whose the orders are and how they count, and writes them.
func (c *commit) writeOrders(ctx context.Context, added, changed []*orderSet) error {
	all := append(added[:len(added):len(added)], changed...)
	asked := claims{stale: setIDs(changed)}
	for _, set := range all {
		asked.accounts = append(asked.accounts, set.had.customer)
		o := set.order
		asked.orders = append(asked.orders, claim{id: o.ID, customer: o.CustomerID, email: o.Email, at: o.PlacedAt})
	}
	if err := c.resolve(ctx, asked); err != nil {
		return err
	}
	for _, set := range added {
		c.fresh[set.order.ID] = !set.complete && !set.had.children
	}
	var apart []string // their refunds have to be counted by what is stored
	var from, to []int64
	for _, set := range all {
		c.finish(set)
		c.touched[set.had.person], c.touched[set.person] = true, true
		if set.had.person != 0 && set.person != 0 && set.had.person != set.person && !set.nameless {
			from, to = append(from, set.had.person), append(to, set.person)
		}
		if set.had.complete && !set.complete {
			apart = append(apart, set.order.ID)
		}
	}
	delete(c.touched, 0)
	if err := c.follow(ctx, from, to); err != nil {
		return err
	}
	var fresh, other [][]byte
	for _, set := range added {
		fresh = append(fresh, set.entry.line)
	}
	for _, set := range changed {
		other = append(other, set.entry.line)
	}
	if err := orderTable.insert(ctx, c.tx, fresh); err != nil {
		return err
	}
	if err := orderTable.upsert(ctx, c.tx, other); err != nil {
		return err
	}
	if err := c.writeChildren(ctx, added, changed); err != nil {
		return err
	}
	return recount(ctx, c.tx, c.store, c.rules, apart)
}

// finish adds to the rows of a set what follows from others and from the rules.
func (c *commit) finish(set *orderSet) {
	if !set.nameless {
		set.person = c.people.of(set.order.CustomerID, set.order.Email)
	}
	o, complete := set.order, set.complete
	if set.sums != nil {
		summed := *o
		summed.GiftCards = set.sums.cards
		o, complete = &summed, c.fresh[o.ID]
	}
	w := c.rules.order(o, complete, false)
	set.entry.line = appendFields(set.entry.line, binaryField(set.entry.hash), strconv.FormatBool(complete), null,
		personField(set.person), strconv.FormatBool(w.counted), amountField(w.rate), plain(w.gross))
	cards := giftCards{lines: map[string]bool{}, goods: set.order.Net()}
	for _, l := range set.lines {
		if l.GiftCard {
			cards.lines[l.ID] = true
		}
	}
	for i, f := range set.refunds {
		l := c.rules.refund(f, w, cards)
		set.refundRows[i].derived(personField(set.person), strconv.FormatBool(l.counted), plain(l.net), plain(l.whole))
	}
}
