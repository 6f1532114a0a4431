package postgres

import (
	"context"
	"fmt"
	"slices"
	"strconv"

	"github.com/lib/pq"
	"github.com/shopspring/decimal"

	"github.com/perennial-cvo/perennial/connectors/commerce"
)

var (
	lineTable = newTable("lines", "order_id id", `order_id id product_id variant_id sku name quantity subtotal total tax cost gift_card`)

	refundTable = newTable("refunds", "order_id id", `order_id id customer_id email at currency amount goods shipping fees tax
		cost reason lines person_id counted net whole`)
)

func lineRow(content content, store int64, l *commerce.Line) *row {
	r := newRow(content, store, len(lineTable.columns))
	r.id("order_id", l.OrderID)
	r.id("id", l.ID)
	r.text("product_id", l.ProductID)
	r.text("variant_id", l.VariantID)
	r.text("sku", l.SKU)
	r.text("name", l.Name)
	r.amount("quantity", l.Quantity)
	r.amount("subtotal", l.Subtotal)
	r.amount("total", l.Total)
	r.amount("tax", l.Tax)
	r.maybeAmount("cost", l.Cost)
	r.boolean(l.GiftCard)
	return r
}

// refundLine is how a line of a refund is stored.
type refundLine struct {
	LineID    string          `json:"line_id,omitempty"`
	ProductID string          `json:"product_id,omitempty"`
	VariantID string          `json:"variant_id,omitempty"`
	Quantity  decimal.Decimal `json:"quantity"`
	Amount    decimal.Decimal `json:"amount"`
}

func refundRow(content content, store int64, f *commerce.Refund) *row {
	lines := make([]refundLine, 0, len(f.Lines))
	for _, l := range f.Lines {
		lines = append(lines, refundLine(l))
	}
	r := newRow(content, store, len(refundTable.columns))
	r.text("order_id", f.OrderID)
	r.id("id", f.ID)
	r.text("customer_id", f.CustomerID)
	r.text("email", f.Email)
	r.moment("at", f.At)
	r.id("currency", f.Currency)
	r.amount("amount", f.Amount)
	r.amount("goods", f.Goods)
	r.amount("shipping", f.Shipping)
	r.amount("fees", f.Fees)
	r.amount("tax", f.Tax)
	r.maybeAmount("cost", f.Cost)
	r.text("reason", f.Reason)
	r.json("lines", lines)
	return r
}

// writeChildren writes the lines and refunds of new orders, and replaces the sets of changed ones.
func (c *commit) writeChildren(ctx context.Context, added, changed []*orderSet) error {
	if slices.ContainsFunc(added, func(set *orderSet) bool { return set.had.children }) {
		added, changed = nil, append(added[:len(added):len(added)], changed...)
	}
	lines, refunds := childRows(added)
	if err := lineTable.insert(ctx, c.tx, lines); err != nil {
		return err
	}
	if err := refundTable.insert(ctx, c.tx, refunds); err != nil {
		return err
	}
	var whole []*orderSet
	for _, set := range changed {
		if set.complete {
			whole = append(whole, set)
		}
	}
	lines, refunds = childRows(whole)
	if err := c.replace(ctx, lineTable, setIDs(whole), lines); err != nil {
		return err
	}
	return c.replace(ctx, refundTable, setIDs(whole), refunds)
}

func childRows(sets []*orderSet) (lines, refunds [][]byte) {
	for _, set := range sets {
		for _, r := range set.lineRows {
			lines = append(lines, r.line)
		}
		for _, r := range set.refundRows {
			refunds = append(refunds, r.line)
		}
	}
	return lines, refunds
}

// replace makes rows the whole set of the orders: others that are stored of them go.
func (c *commit) replace(ctx context.Context, t table, orders []string, rows [][]byte) error {
	if len(orders) == 0 {
		return nil
	}
	if err := t.load(ctx, c.tx, rows); err != nil {
		return err
	}
	_, err := c.tx.ExecContext(ctx, `DELETE FROM `+t.name+` t WHERE t.store_id = $1 AND t.order_id = ANY($2)
		AND NOT EXISTS (SELECT FROM `+t.stage()+` s WHERE `+t.joined()+`)`, c.store, pq.Array(orders))
	if err != nil {
		return fmt.Errorf("%s that are gone: %w", t.name, err)
	}
	return c.mergeChildren(ctx, t)
}

// mergeChildren writes staged lines or refunds. A product once known on a line stays known: shops empty it when they
// delete the product.
func (c *commit) mergeChildren(ctx context.Context, t table) error {
	if t.name == lineTable.name {
		_, err := c.tx.ExecContext(ctx, `UPDATE stage_lines s SET product_id = t.product_id,
				variant_id = CASE WHEN s.variant_id = '' THEN t.variant_id ELSE s.variant_id END
			FROM lines t WHERE `+t.joined()+` AND s.product_id = '' AND t.product_id <> ''`)
		if err != nil {
			return fmt.Errorf("products of lines: %w", err)
		}
	}
	return t.merge(ctx, c.tx)
}

// apart stores what came without its order: single lines and refunds, whole sets of orders stored before, and refunds
// that name only a person.
func (c *commit) apart(ctx context.Context, b commerce.Batch) error {
	own, whole := map[string]bool{}, map[string]bool{}
	for i := range b.Orders {
		own[b.Orders[i].ID] = false
	}
	for _, id := range b.Complete {
		if _, ok := own[id]; ok {
			own[id] = true // its children were stored, or set aside, with it
		} else {
			whole[id] = true
		}
	}
	lines, refunds := map[bool][][]byte{}, map[bool][][]byte{} // by whether the set is whole
	var recounted, replaced []string
	for _, id := range b.Complete {
		if whole[id] {
			recounted, replaced = append(recounted, id), append(replaced, id)
		}
	}
	for _, l := range latest(foreign(b.Lines, own, func(l *commerce.Line) string { return l.OrderID }), lineKey) {
		r := lineRow(newContent(), c.store, l)
		if r.err != nil {
			c.reject(l.OrderID, fmt.Sprintf("line %s: %v", storable(l.ID), r.err), l)
			continue
		}
		lines[whole[l.OrderID]] = append(lines[whole[l.OrderID]], r.line)
	}
	own[""] = true // refunds that name only a person
	for _, f := range latest(foreign(b.Refunds, own, func(f *commerce.Refund) string { return f.OrderID }), refundKey) {
		r := refundRow(newContent(), c.store, f)
		if r.err != nil {
			c.reject(f.OrderID, fmt.Sprintf("refund %s: %v", storable(f.ID), r.err), f)
			continue
		}
		r.derived(null, "false", "0", "0")
		refunds[whole[f.OrderID]] = append(refunds[whole[f.OrderID]], r.line)
		recounted = append(recounted, f.OrderID)
	}
	if err := c.writeApart(ctx, replaced, lines, refunds); err != nil {
		return err
	}
	if err := recount(ctx, c.tx, c.store, c.rules, recounted); err != nil {
		return err
	}
	return c.looseRefunds(ctx, b)
}

// foreign returns the records that belong to other orders than those.
func foreign[T any](records []T, own map[string]bool, order func(*T) string) []T {
	var others []T
	for i := range records {
		if !own[order(&records[i])] {
			others = append(others, records[i])
		}
	}
	return others
}

func (c *commit) writeApart(ctx context.Context, replaced []string, lines, refunds map[bool][][]byte) error {
	if err := c.replace(ctx, lineTable, replaced, lines[true]); err != nil {
		return err
	}
	if err := c.replace(ctx, refundTable, replaced, refunds[true]); err != nil {
		return err
	}
	if len(replaced) > 0 {
		_, err := c.tx.ExecContext(ctx, `UPDATE orders SET complete = true
			WHERE store_id = $1 AND id = ANY($2) AND NOT complete`, c.store, pq.Array(replaced))
		if err != nil {
			return fmt.Errorf("complete orders: %w", err)
		}
	}
	if len(lines[false]) > 0 {
		if err := lineTable.load(ctx, c.tx, lines[false]); err != nil {
			return err
		}
		if err := c.mergeChildren(ctx, lineTable); err != nil {
			return err
		}
	}
	return c.writeRefunds(ctx, refunds[false])
}

// writeRefunds writes refunds that came apart. Those that are stored with the same content keep what was derived of
// them.
func (c *commit) writeRefunds(ctx context.Context, rows [][]byte) error {
	if len(rows) == 0 {
		return nil
	}
	if err := refundTable.load(ctx, c.tx, rows); err != nil {
		return err
	}
	_, err := c.tx.ExecContext(ctx, `UPDATE stage_refunds s SET person_id = t.person_id, counted = t.counted, net = t.net, whole = t.whole
		FROM refunds t WHERE `+refundTable.joined())
	if err != nil {
		return fmt.Errorf("stored refunds: %w", err)
	}
	return refundTable.merge(ctx, c.tx)
}

// looseRefunds stores refunds that name only the person to whom they were paid.
func (c *commit) looseRefunds(ctx context.Context, b commerce.Batch) error {
	var loose []*commerce.Refund
	var keys []string
	for _, f := range latest(b.Refunds, refundKey) {
		if f.OrderID == "" {
			loose = append(loose, f)
			keys = append(keys, customerKey(f.CustomerID), emailKey(f.Email))
		}
	}
	if len(loose) == 0 {
		return nil
	}
	if err := c.erased.ask(ctx, c.tx, c.store, keys); err != nil {
		return err
	}
	asked := claims{}
	nameless := map[string]int64{}
	for i, f := range loose {
		if person, ok := c.erased.person(f.CustomerID, f.Email); ok {
			scrubbed := *f
			scrubbed.CustomerID, scrubbed.Email, scrubbed.Reason = "", "", ""
			loose[i], nameless[f.ID] = &scrubbed, person
			continue
		}
		asked.refunds = append(asked.refunds, claim{customer: f.CustomerID, email: f.Email})
	}
	if err := c.resolve(ctx, asked); err != nil {
		return err
	}
	var rows [][]byte
	people := map[string]int64{}
	for _, f := range loose {
		r := refundRow(newContent(), c.store, f)
		if r.err != nil {
			c.reject("refund "+f.ID, r.err.Error(), f)
			continue
		}
		person, ok := nameless[f.ID]
		if !ok {
			person = c.people.of(f.CustomerID, f.Email)
		}
		people[f.ID] = person
		l := c.rules.refund(f, worth{counted: true}, giftCards{})
		r.derived(personField(person), strconv.FormatBool(l.counted), plain(l.net), plain(l.whole))
		rows = append(rows, r.line)
	}
	return c.writeLoose(ctx, rows, people)
}

// writeLoose writes loose refunds and marks both whose they were and whose they are, where anything changed.
func (c *commit) writeLoose(ctx context.Context, rows [][]byte, people map[string]int64) error {
	if len(rows) == 0 {
		return nil
	}
	if err := refundTable.load(ctx, c.tx, rows); err != nil {
		return err
	}
	changed, err := c.tx.QueryxContext(ctx, `SELECT s.id, coalesce(t.person_id, 0) FROM stage_refunds s
		LEFT JOIN refunds t ON `+refundTable.joined()+`
		WHERE t.id IS NULL OR (t.person_id, t.at, t.net, t.counted) IS DISTINCT FROM (s.person_id, s.at, s.net, s.counted)`)
	if err != nil {
		return fmt.Errorf("stored refunds: %w", err)
	}
	defer func() { _ = changed.Close() }() // reading
	for changed.Next() {
		var id string
		var had int64
		if err := changed.Scan(&id, &had); err != nil {
			return fmt.Errorf("stored refunds: %w", err)
		}
		c.touched[had], c.touched[people[id]] = true, true
	}
	delete(c.touched, 0)
	if err := changed.Err(); err != nil {
		return fmt.Errorf("stored refunds: %w", err)
	}
	return refundTable.merge(ctx, c.tx)
}
