package postgres

import (
	"context"
	"fmt"

	"github.com/jmoiron/sqlx"
)

// lead is by how much more than for the favourite category somebody must have spent on another one before that takes its
// place. Without it, whoever buys of two kinds in turn would have another favourite with every order.
const lead = `1.2`

// favourites returns the statement that finds the category on which each person in the table due, or everybody where it is
// empty, spent most: of the lines of counted orders before $2, after what was given back, in the store's currency; then that
// with the most lines, then the first by name. A product in several categories counts in each. Nobody's favourite is what
// shops call no category.
func favourites(due string) string {
	only := func(column string) string {
		if due == "" {
			return ""
		}
		return ` AND ` + column + ` IN (SELECT person_id FROM ` + due + `)`
	}
	return `WITH given AS MATERIALIZED (
		SELECT order_id, net, lines FROM refunds WHERE store_id = $1 AND counted AND order_id <> '' AND at < $2` + only("person_id") + `
	), void AS MATERIALIZED (
		SELECT o.id FROM (SELECT order_id, sum(net) AS net FROM given GROUP BY order_id) g
		JOIN orders o ON o.store_id = $1 AND o.id = g.order_id WHERE o.gross > 0 AND g.net >= o.gross
	), returned AS MATERIALIZED (
		SELECT order_id, line_id, sum(amount) AS amount
		FROM given CROSS JOIN jsonb_to_recordset(lines) AS l (line_id text, amount numeric)
		WHERE line_id <> '' GROUP BY order_id, line_id
	), sold AS MATERIALIZED (
		SELECT o.person_id, l.product_id, l.variant_id, (l.total - coalesce(r.amount, 0)) * o.rate AS net
		FROM orders o JOIN lines l ON l.store_id = $1 AND l.order_id = o.id
		LEFT JOIN returned r ON r.order_id = o.id AND r.line_id = l.id
		WHERE o.store_id = $1 AND o.counted AND o.person_id IS NOT NULL AND o.placed_at < $2` + only("o.person_id") + `
			AND o.id NOT IN (SELECT id FROM void) AND NOT l.gift_card AND (l.total = 0 OR l.total > coalesce(r.amount, 0))
	), catalogue AS MATERIALIZED (
		SELECT p.id, p.categories || coalesce(q.categories, '{}') AS categories
		FROM (SELECT * FROM products WHERE store_id = $1) p
		LEFT JOIN (SELECT * FROM products WHERE store_id = $1) q ON q.id = p.parent_id AND p.parent_id <> ''
	), kinds AS MATERIALIZED (
		SELECT s.product_id, s.variant_id, ARRAY(
			SELECT DISTINCT k FROM unnest(p.categories || v.categories) c
			CROSS JOIN btrim(left(regexp_replace(c, '[[:cntrl:]]+', ' ', 'g'), 100)) k -- as one line, which platforms ask for
			WHERE lower(k) NOT IN ('', 'uncategorized', 'uncategorised')) AS categories
		FROM (SELECT DISTINCT product_id, variant_id FROM sold) s
		LEFT JOIN catalogue p ON p.id = s.product_id LEFT JOIN catalogue v ON v.id = s.variant_id
	), spent AS MATERIALIZED (
		SELECT s.person_id, k AS category, sum(s.net) AS net, count(*) AS lines
		FROM sold s JOIN kinds USING (product_id, variant_id) CROSS JOIN unnest(categories) k GROUP BY s.person_id, k
	), best AS (
		SELECT DISTINCT ON (person_id) * FROM spent ORDER BY person_id, net DESC, lines DESC, category COLLATE "C"
	), chosen AS (
		SELECT p.person_id, CASE WHEN w.category IS NULL OR b.net > w.net * ` + lead + `
				OR b.net = w.net AND b.lines > w.lines * ` + lead + ` THEN coalesce(b.category, '') ELSE w.category END AS favourite
		FROM (SELECT * FROM person_stats WHERE store_id = $1` + only("person_id") + `) p
		LEFT JOIN best b USING (person_id) LEFT JOIN spent w ON w.person_id = p.person_id AND w.category = p.favourite
	)
	UPDATE person_stats p SET favourite = c.favourite FROM chosen c
	WHERE p.store_id = $1 AND p.person_id = c.person_id AND p.favourite <> c.favourite`
}

// keepShown brings what is shown of the orders of people in the table due, or of everybody where it is empty, to where
// everybody stands. Who stands nowhere yet gets it with their standing.
func keepShown(due string) string {
	people := due
	if due == "" {
		people = `(SELECT person_id FROM standings WHERE store_id = $1)`
	}
	return `UPDATE standings t SET last_order = s.last_day, favourite = coalesce(s.favourite, '')
		FROM ` + people + ` d LEFT JOIN person_stats s ON s.store_id = $1 AND s.person_id = d.person_id
		WHERE t.store_id = $1 AND t.person_id = d.person_id
			AND (t.last_order, t.favourite) IS DISTINCT FROM (s.last_day, coalesce(s.favourite, ''))`
}

// refreshShown finds out anew what is shown of people's orders beside sums. Where no product has a category, nobody has a
// favourite one.
func (s *Store) refreshShown(ctx context.Context, tx *sqlx.Tx, due string, args ...any) error {
	var sorted bool
	err := tx.GetContext(ctx, &sorted, `SELECT EXISTS (SELECT FROM products WHERE store_id = $1 AND categories <> '{}')`, s.id)
	if err != nil {
		return fmt.Errorf("categories: %w", err)
	}
	if sorted {
		if _, err := tx.ExecContext(ctx, favourites(due), args...); err != nil {
			return fmt.Errorf("favourite categories: %w", err)
		}
	}
	if _, err := tx.ExecContext(ctx, keepShown(due), s.id); err != nil {
		return fmt.Errorf("last orders: %w", err)
	}
	return nil
}
