package postgres

import (
	"context"
	"encoding/json"
	"fmt"

	"github.com/jmoiron/sqlx"
	"github.com/lib/pq"
	"github.com/shopspring/decimal"

	"github.com/perennial-cvo/perennial/connectors/commerce"
	"github.com/perennial-cvo/perennial/sync/ingest"
)

// recountPage is how many orders are recounted at once.
const recountPage = 2000

// recompute counts every order and refund of a shop by the rules that now stand, and resolves people where the list of
// shared addresses changed. The caller holds the fence.
func recompute(ctx context.Context, tx *sqlx.Tx, store int64) error {
	c, err := newCommit(ctx, tx, store, ingest.Commit{})
	if err != nil {
		return err
	}
	if err := c.reshare(ctx); err != nil {
		return err
	}
	after := ""
	for {
		var ids []string
		err := tx.SelectContext(ctx, &ids, `SELECT id FROM orders WHERE store_id = $1 AND id > $2 ORDER BY id LIMIT $3`,
			store, after, recountPage)
		if err != nil {
			return fmt.Errorf("orders to recount: %w", err)
		}
		if len(ids) == 0 {
			break
		}
		after = ids[len(ids)-1]
		if err := recount(ctx, tx, store, c.rules, ids); err != nil {
			return err
		}
	}
	if err := recountLoose(ctx, tx, store, c.rules); err != nil {
		return err
	}
	return c.touch(ctx)
}

// reshare resolves whoever is concerned by shared addresses, or was by those that no longer are.
func (c *commit) reshare(ctx context.Context) error {
	shared := make([]string, 0, len(c.rules.shared))
	for email := range c.rules.shared {
		shared = append(shared, email)
	}
	var asked claims
	err := c.tx.SelectContext(ctx, &asked.accounts, `SELECT id FROM customers c WHERE store_id = $1 AND deleted_at IS NULL AND email <> ''
			AND EXISTS (SELECT FROM persons p WHERE p.store_id = $1 AND p.customer_id = c.id AND coalesce(p.email, '') <> c.email)
		UNION SELECT customer_id FROM persons WHERE store_id = $1 AND customer_id IS NOT NULL AND email = ANY($2)
		UNION SELECT o.customer_id FROM orders o JOIN persons p ON p.store_id = $1 AND p.customer_id = o.customer_id AND p.email IS NULL
			WHERE o.store_id = $1 AND o.email <> '' AND o.customer_id <> ''`, c.store, pq.Array(shared))
	if err != nil {
		return fmt.Errorf("shared addresses: %w", err)
	}
	var people []int64
	err = c.tx.SelectContext(ctx, &people, `WITH o AS (
			SELECT id, person_id FROM orders WHERE store_id = $1 AND customer_id = '' AND email <> '' AND email = ANY($2) AND person_id IS NOT NULL),
		r AS (SELECT id, person_id FROM refunds WHERE store_id = $1 AND order_id = '' AND customer_id = '' AND email = ANY($2) AND person_id IS NOT NULL),
		u AS (UPDATE orders t SET person_id = NULL FROM o WHERE t.store_id = $1 AND t.id = o.id),
		v AS (UPDATE refunds t SET person_id = NULL FROM o WHERE t.store_id = $1 AND t.order_id = o.id),
		w AS (UPDATE refunds t SET person_id = NULL FROM r WHERE t.store_id = $1 AND t.order_id = '' AND t.id = r.id)
		SELECT person_id FROM o UNION SELECT person_id FROM r`, c.store, pq.Array(shared))
	if err != nil {
		return fmt.Errorf("shared addresses: %w", err)
	}
	for _, person := range people {
		c.touched[person] = true
	}
	err = c.tx.SelectContext(ctx, &asked.guests, `SELECT email FROM orders
			WHERE store_id = $1 AND customer_id = '' AND email <> '' AND person_id IS NULL AND email <> ALL($2)
		UNION SELECT email FROM refunds
			WHERE store_id = $1 AND order_id = '' AND customer_id = '' AND email <> '' AND person_id IS NULL AND email <> ALL($2)`,
		c.store, pq.Array(shared))
	if err != nil {
		return fmt.Errorf("shared addresses: %w", err)
	}
	return c.resolve(ctx, asked)
}

// storedOrder is what decides how a stored order counts, and how it counted so far.
type storedOrder struct {
	order    commerce.Order
	complete bool
	deleted  bool
	person   int64
	was      worth
}

// recount derives anew how stored orders and their refunds count, writes what differs, and marks the people concerned. Rows
// are updated by their place, which is looked up key by key: of tables just filled the planner believes that a shop has
// hardly any rows, and would go through all of them for every key.
func recount(ctx context.Context, tx *sqlx.Tx, store int64, rules *rules, ids []string) error {
	if len(ids) == 0 {
		return nil
	}
	orders, err := readOrders(ctx, tx, store, ids)
	if err != nil {
		return fmt.Errorf("orders to recount: %w", err)
	}
	touched := map[int64]bool{}
	var changed, rates, gross []string
	var counted []bool
	for id, o := range orders {
		is := rules.order(&o.order, o.complete, o.deleted)
		if is.counted != o.was.counted || is.rate.Valid != o.was.rate.Valid || !is.gross.Equal(o.was.gross) ||
			!is.rate.Decimal.Equal(o.was.rate.Decimal) {
			rate := ""
			if is.rate.Valid {
				rate = is.rate.Decimal.String()
			}
			changed, rates, gross = append(changed, id), append(rates, rate), append(gross, is.gross.String())
			counted = append(counted, is.counted)
			touched[o.person] = true
		}
		o.was = is
	}
	if len(changed) > 0 {
		_, err := tx.ExecContext(ctx, `UPDATE orders o SET counted = k.counted, rate = CAST(nullif(k.rate, '') AS numeric),
				gross = CAST(k.gross AS numeric)
			FROM unnest($2::text[], $3::boolean[], $4::text[], $5::text[]) AS k(id, counted, rate, gross)
			CROSS JOIN LATERAL (SELECT ctid FROM orders WHERE store_id = $1 AND id = k.id OFFSET 0) place
			WHERE o.store_id = $1 AND o.ctid = place.ctid`, store, pq.Array(changed), pq.Array(counted), pq.Array(rates), pq.Array(gross))
		if err != nil {
			return fmt.Errorf("recount of orders: %w", err)
		}
	}
	if err := recountRefunds(ctx, tx, store, refundWork{rules: rules, orders: orders, ids: ids, touched: touched}); err != nil {
		return fmt.Errorf("recount of refunds: %w", err)
	}
	delete(touched, 0)
	c := &commit{tx: tx, store: store, touched: touched}
	return c.touch(ctx)
}

func readOrders(ctx context.Context, tx *sqlx.Tx, store int64, ids []string) (map[string]*storedOrder, error) {
	rows, err := tx.QueryxContext(ctx, `SELECT id, status, test, currency, placed_at, goods, discount, gift_cards, tax, shipping,
			complete, deleted_at IS NOT NULL, coalesce(person_id, 0), counted, rate, gross
		FROM orders WHERE store_id = $1 AND id = ANY($2)`, store, pq.Array(ids))
	if err != nil {
		return nil, err
	}
	defer func() { _ = rows.Close() }() // reading
	orders := map[string]*storedOrder{}
	for rows.Next() {
		s := &storedOrder{}
		o := &s.order
		err := rows.Scan(&o.ID, &o.Status, &o.Test, &o.Currency, &o.PlacedAt, &o.Goods, &o.Discount, &o.GiftCards, &o.Tax, &o.Shipping,
			&s.complete, &s.deleted, &s.person, &s.was.counted, &s.was.rate, &s.was.gross)
		if err != nil {
			return nil, err
		}
		orders[o.ID] = s
	}
	return orders, rows.Err()
}

// refundWork is a recount of refunds: those of the orders named, or with no ids the loose ones.
type refundWork struct {
	rules   *rules
	orders  map[string]*storedOrder
	ids     []string
	touched map[int64]bool
}

func recountLoose(ctx context.Context, tx *sqlx.Tx, store int64, rules *rules) error {
	work := refundWork{rules: rules, ids: []string{""}, touched: map[int64]bool{}}
	if err := recountRefunds(ctx, tx, store, work); err != nil {
		return fmt.Errorf("recount of refunds: %w", err)
	}
	delete(work.touched, 0)
	c := &commit{tx: tx, store: store, touched: work.touched}
	return c.touch(ctx)
}

func recountRefunds(ctx context.Context, tx *sqlx.Tx, store int64, work refundWork) error {
	cards, err := readGiftCards(ctx, tx, store, work)
	if err != nil {
		return err
	}
	rows, err := tx.QueryxContext(ctx, `SELECT order_id, id, currency, at, amount, goods, shipping, fees, tax, lines,
			coalesce(person_id, 0), counted, net, whole
		FROM refunds WHERE store_id = $1 AND order_id = ANY($2)`, store, pq.Array(work.ids))
	if err != nil {
		return err
	}
	defer func() { _ = rows.Close() }() // reading
	var orders, ids, nets, wholes []string
	var people []int64
	var counted []bool
	for rows.Next() {
		var f commerce.Refund
		var lines []byte
		var had int64
		var was loss
		err := rows.Scan(&f.OrderID, &f.ID, &f.Currency, &f.At, &f.Amount, &f.Goods, &f.Shipping, &f.Fees, &f.Tax, &lines,
			&had, &was.counted, &was.net, &was.whole)
		if err != nil {
			return err
		}
		if f.Lines, err = decodeRefundLines(lines); err != nil {
			return err
		}
		person, of := had, worth{counted: f.OrderID == ""}
		if o := work.orders[f.OrderID]; o != nil {
			person, of = o.person, o.was
		}
		is := work.rules.refund(&f, of, cards[f.OrderID])
		if is.counted == was.counted && is.net.Equal(was.net) && is.whole.Equal(was.whole) && person == had {
			continue
		}
		work.touched[had], work.touched[person] = true, true
		orders, ids, people, counted = append(orders, f.OrderID), append(ids, f.ID), append(people, person), append(counted, is.counted)
		nets, wholes = append(nets, is.net.String()), append(wholes, is.whole.String())
	}
	if err := rows.Err(); err != nil || len(ids) == 0 {
		return err
	}
	_, err = tx.ExecContext(ctx, `UPDATE refunds r SET person_id = nullif(k.person_id, 0), counted = k.counted,
			net = CAST(k.net AS numeric), whole = CAST(k.whole AS numeric)
		FROM unnest($2::text[], $3::text[], $4::bigint[], $5::boolean[], $6::text[], $7::text[]) AS k(order_id, id, person_id, counted, net, whole)
		CROSS JOIN LATERAL (SELECT ctid FROM refunds WHERE store_id = $1 AND order_id = k.order_id AND id = k.id OFFSET 0) place
		WHERE r.store_id = $1 AND r.ctid = place.ctid`,
		store, pq.Array(orders), pq.Array(ids), pq.Array(people), pq.Array(counted), pq.Array(nets), pq.Array(wholes))
	return err
}

func decodeRefundLines(text []byte) ([]commerce.RefundLine, error) {
	var stored []refundLine
	if err := json.Unmarshal(text, &stored); err != nil {
		return nil, err
	}
	lines := make([]commerce.RefundLine, 0, len(stored))
	for _, l := range stored {
		lines = append(lines, commerce.RefundLine(l))
	}
	return lines, nil
}

func readGiftCards(ctx context.Context, tx *sqlx.Tx, store int64, work refundWork) (map[string]giftCards, error) {
	cards := map[string]giftCards{}
	rows, err := tx.QueryxContext(ctx, `SELECT order_id, id FROM lines WHERE store_id = $1 AND order_id = ANY($2) AND gift_card`,
		store, pq.Array(work.ids))
	if err != nil {
		return nil, err
	}
	defer func() { _ = rows.Close() }() // reading
	for rows.Next() {
		var order, line string
		if err := rows.Scan(&order, &line); err != nil {
			return nil, err
		}
		g, ok := cards[order]
		if !ok {
			g = giftCards{lines: map[string]bool{}, goods: decimal.Zero}
			if o := work.orders[order]; o != nil {
				g.goods = o.order.Net()
			}
		}
		g.lines[line] = true
		cards[order] = g
	}
	return cards, rows.Err()
}
