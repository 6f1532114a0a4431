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
// shops call no category. What people in the table bought is looked up key by key, whatever the planner believes.
func favourites(due string) string {
	of := func(table string) string { return table + ` WHERE store_id = $1 AND person_id IS NOT NULL AND` }
	join, only := `JOIN lines l ON l.store_id = $1 AND l.order_id = o.id`, ``
	if due != "" {
		of = func(table string) string {
			return `(SELECT t.* FROM ` + due + ` d CROSS JOIN LATERAL (
				SELECT * FROM ` + table + ` WHERE store_id = $1 AND person_id = d.person_id AND counted OFFSET 0) t OFFSET 0) t WHERE`
		}
		join = `CROSS JOIN LATERAL (SELECT * FROM lines WHERE store_id = $1 AND order_id = o.id OFFSET 0) l`
		only = ` AND person_id IN (SELECT person_id FROM ` + due + `)`
	}
	return fmt.Sprintf(favouriteCategories, of(`refunds`), of(`orders`), join, only)
}

// favouriteCategories is that statement without whose refunds, orders and lines it goes through. What was given back is joined
// with orders, which are fewer than lines. Categories are numbers in the order of their names, and a name is made tidy once.
const favouriteCategories = `WITH given AS MATERIALIZED (
		SELECT order_id, net, lines FROM %s counted AND order_id <> '' AND at < $2
	), returned AS (
		SELECT order_id, jsonb_object_agg(line_id, amount) AS amounts FROM (
			SELECT order_id, line_id, sum(amount) AS amount
			FROM given CROSS JOIN jsonb_to_recordset(lines) AS l (line_id text, amount numeric)
			WHERE line_id <> '' GROUP BY order_id, line_id) l GROUP BY order_id
	), back AS MATERIALIZED (
		SELECT * FROM (SELECT order_id, sum(net) AS net FROM given GROUP BY order_id) g LEFT JOIN returned USING (order_id)
	), placed AS (
		SELECT o.id, o.person_id, o.rate, b.amounts
		FROM (SELECT id, person_id, gross, rate FROM %s counted AND placed_at < $2 OFFSET 0) o LEFT JOIN back b ON b.order_id = o.id
		WHERE (o.gross > 0 AND b.net >= o.gross) IS NOT TRUE
	), sold AS MATERIALIZED (
		SELECT person_id, product_id, variant_id, (total - given_back) * rate AS net
		FROM placed o %s CROSS JOIN LATERAL (SELECT coalesce((o.amounts ->> l.id)::numeric, 0) AS given_back) b
		WHERE NOT gift_card AND (total = 0 OR total > given_back)
	), things AS MATERIALIZED (
		SELECT DISTINCT product_id, variant_id FROM sold
	), catalogue AS MATERIALIZED (
		SELECT i.id, p.categories || coalesce(q.categories, '{}') AS categories
		FROM (SELECT product_id AS id FROM things UNION SELECT variant_id FROM things) i
		CROSS JOIN LATERAL (SELECT categories, parent_id FROM products WHERE store_id = $1 AND id = i.id OFFSET 0) p
		LEFT JOIN LATERAL (SELECT categories FROM products WHERE store_id = $1 AND id = p.parent_id AND p.parent_id <> '' OFFSET 0) q ON true
	), named AS MATERIALIZED (
		SELECT category, k AS name, dense_rank() OVER (ORDER BY k COLLATE "C") AS kind
		FROM (SELECT DISTINCT unnest(categories) AS category FROM catalogue) c
		CROSS JOIN btrim(left(regexp_replace(category, '[[:cntrl:]]+', ' ', 'g'), 100)) k -- as one line, which platforms ask for
		WHERE lower(k) NOT IN ('', 'uncategorized', 'uncategorised')
	), names AS MATERIALIZED (
		SELECT DISTINCT kind, name FROM named
	), labels AS MATERIALIZED (
		SELECT id, array_agg(DISTINCT kind) AS kinds
		FROM (SELECT id, unnest(categories) AS category FROM catalogue) p JOIN named USING (category) GROUP BY id
	), kinds AS MATERIALIZED (
		SELECT t.*, CASE WHEN v.id IS NULL THEN p.kinds WHEN p.id IS NULL THEN v.kinds
			ELSE ARRAY(SELECT unnest(p.kinds) UNION SELECT unnest(v.kinds)) END AS kinds
		FROM things t LEFT JOIN labels p ON p.id = t.product_id LEFT JOIN labels v ON v.id = t.variant_id
	), spent AS (
		SELECT person_id, kind, sum(net) AS net, count(*) AS lines
		FROM (SELECT person_id, net, unnest(kinds) AS kind FROM sold JOIN kinds USING (product_id, variant_id)
			ORDER BY person_id, kind OFFSET 0) s -- sums of millions of groups at once take more memory than there is
		GROUP BY person_id, kind
	), stand AS (
		SELECT person_id, favourite, n.kind FROM (SELECT * FROM person_stats WHERE store_id = $1%s) p LEFT JOIN names n ON n.name = favourite
	), best AS ( -- arrays compare by their first element, then the next
		SELECT p.person_id, p.favourite, max(ARRAY[s.net, s.lines, -s.kind]) FILTER (WHERE s.kind IS NOT NULL) AS most,
			max(ARRAY[s.net, s.lines]) FILTER (WHERE s.kind = p.kind) AS stood
		FROM stand p LEFT JOIN spent s USING (person_id) GROUP BY p.person_id, p.favourite
	), chosen AS (
		SELECT person_id, CASE WHEN stood IS NULL OR most[1] > stood[1] * ` + lead + ` OR most[1] = stood[1] AND most[2] > stood[2] * ` + lead + `
			THEN coalesce(name, '') ELSE favourite END AS favourite
		FROM best LEFT JOIN names ON kind = -most[3]
	)
	UPDATE person_stats p SET favourite = c.favourite FROM chosen c
	WHERE p.store_id = $1 AND p.person_id = c.person_id AND p.favourite <> c.favourite`

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
		if err := mergeJoins(ctx, tx, false); err != nil {
			return err
		}
		if _, err := tx.ExecContext(ctx, favourites(due), args...); err != nil {
			return fmt.Errorf("favourite categories: %w", err)
		}
		if err := mergeJoins(ctx, tx, true); err != nil {
			return err
		}
	}
	if _, err := tx.ExecContext(ctx, keepShown(due), s.id); err != nil {
		return fmt.Errorf("last orders: %w", err)
	}
	return nil
}
