package postgres

import (
	"context"
	"fmt"
	"slices"

	"github.com/lib/pq"

	"github.com/perennial-cvo/perennial/connectors/commerce"
)

var lineTable = newTable("lines", "order_id id", `order_id id product_id variant_id sku name quantity subtotal total tax cost gift_card`)

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
	var replaced []string
	for _, id := range b.Complete {
		if _, ok := own[id]; ok {
			own[id] = true // its children were stored, or set aside, with it
		} else if !whole[id] {
			whole[id] = true
			replaced = append(replaced, id)
		}
	}
	lines := c.apartLines(foreign(b.Lines, own, func(l *commerce.Line) string { return l.OrderID }), whole)
	own[""] = true // refunds that name only a person
	refunds, refunded := c.apartRefunds(foreign(b.Refunds, own, func(f *commerce.Refund) string { return f.OrderID }), whole)
	if err := c.writeApart(ctx, replaced, lines, refunds); err != nil {
		return err
	}
	if err := recount(ctx, c.tx, c.store, c.rules, append(refunded, replaced...)); err != nil {
		return err
	}
	return c.looseRefunds(ctx, b)
}

// arrival is how children come that came apart from their order.
type arrival int

const (
	singly arrival = iota // some of an order's, of which others may be stored
	newly                 // of an order that is new with this batch: none of them is stored
	wholly                // the whole set of an order
)

func (c *commit) arrivalOf(order string, whole map[string]bool) arrival {
	switch {
	case whole[order]:
		return wholly
	case c.fresh[order]:
		return newly
	default:
		return singly
	}
}

func (c *commit) apartLines(lines []commerce.Line, whole map[string]bool) map[arrival][][]byte {
	rows := map[arrival][][]byte{}
	content := newContent()
	for i := range lines {
		l := &lines[i]
		content.reset()
		r := lineRow(content, c.store, l)
		if r.err != nil {
			c.reject(l.OrderID, fmt.Sprintf("line %s: %v", storable(l.ID), r.err), l)
			continue
		}
		how := c.arrivalOf(l.OrderID, whole)
		rows[how] = append(rows[how], r.line)
	}
	return rows
}

func (c *commit) apartRefunds(refunds []commerce.Refund, whole map[string]bool) (rows map[arrival][][]byte, orders []string) {
	rows = map[arrival][][]byte{}
	for _, f := range latest(refunds, refundKey) {
		r := refundRow(newContent(), c.store, f)
		if r.err != nil {
			c.reject(f.OrderID, fmt.Sprintf("refund %s: %v", storable(f.ID), r.err), f)
			continue
		}
		r.derived(null, "false", "0", "0")
		how := c.arrivalOf(f.OrderID, whole)
		rows[how] = append(rows[how], r.line)
		orders = append(orders, f.OrderID)
	}
	return rows, orders
}

// foreign returns the records that belong to other orders than those of which the map says true.
func foreign[T any](records []T, own map[string]bool, order func(*T) string) []T {
	others := records
	for i := range records {
		if own[order(&records[i])] {
			others = nil
			break
		}
	}
	if others != nil {
		return others
	}
	for i := range records {
		if !own[order(&records[i])] {
			others = append(others, records[i])
		}
	}
	return others
}

func (c *commit) writeApart(ctx context.Context, replaced []string, lines, refunds map[arrival][][]byte) error {
	if err := c.replace(ctx, lineTable, replaced, lines[wholly]); err != nil {
		return err
	}
	if err := c.replace(ctx, refundTable, replaced, refunds[wholly]); err != nil {
		return err
	}
	if len(replaced) > 0 {
		_, err := c.tx.ExecContext(ctx, `UPDATE orders SET complete = true
			WHERE store_id = $1 AND id = ANY($2) AND NOT complete`, c.store, pq.Array(replaced))
		if err != nil {
			return fmt.Errorf("complete orders: %w", err)
		}
	}
	if err := lineTable.insert(ctx, c.tx, lines[newly]); err != nil {
		return err
	}
	if err := refundTable.insert(ctx, c.tx, refunds[newly]); err != nil {
		return err
	}
	if err := c.writeLines(ctx, lines[singly]); err != nil {
		return err
	}
	return c.writeRefunds(ctx, refunds[singly])
}

// writeLines writes lines that came apart. An order that was complete and has other lines now is open again: what they
// come to is summed when all of them are here.
func (c *commit) writeLines(ctx context.Context, rows [][]byte) error {
	if len(rows) == 0 {
		return nil
	}
	if err := lineTable.load(ctx, c.tx, rows); err != nil {
		return err
	}
	_, err := c.tx.ExecContext(ctx, `WITH other AS (SELECT DISTINCT s.order_id FROM stage_lines s
			JOIN orders o ON o.store_id = s.store_id AND o.id = s.order_id AND o.complete
			WHERE NOT EXISTS (SELECT FROM lines t WHERE `+lineTable.joined()+` AND `+lineTable.same()+`)),
		opened AS (UPDATE orders o SET complete = false, counted = false FROM other
			WHERE o.store_id = $1 AND o.id = other.order_id RETURNING o.person_id)
		INSERT INTO touched (store_id, person_id)
			SELECT DISTINCT CAST($1 AS bigint), person_id FROM opened WHERE person_id IS NOT NULL ON CONFLICT DO NOTHING`, c.store)
	if err != nil {
		return fmt.Errorf("orders with other lines: %w", err)
	}
	return c.mergeChildren(ctx, lineTable)
}
