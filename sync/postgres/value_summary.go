package postgres

import (
	"context"
	"database/sql"
	"fmt"
	"time"

	"github.com/jmoiron/sqlx"

	"github.com/perennial-cvo/perennial/analysis/segment"
	"github.com/perennial-cvo/perennial/analysis/value"
)

// valueQuery tells what every customer brought and is expected to bring, as of the last analysis, and sums it up by tier, by
// the month of the first purchase and by what was in it; $2 is the moment before which orders take part. Amounts are in
// ten-thousandths. A row says what it tells, a word and its name, and the numbers; those of single people are in one row for
// each month, without saying who they are.
const valueQuery = `WITH people AS MATERIALIZED (
		SELECT p.person_id, to_char(p.first_day, 'YYYY-MM') AS month, (p.bought * 10000)::bigint AS net,
			(t.value * 10000)::bigint AS predicted, coalesce(t.tier, '') AS tier
		FROM person_stats p LEFT JOIN standings t ON t.store_id = $1 AND t.person_id = p.person_id
		WHERE p.store_id = $1 AND p.orders > 0
	), back AS (
		SELECT order_id, sum(net) AS net FROM refunds WHERE store_id = $1 AND counted AND at < $2 AND order_id <> '' GROUP BY order_id
	), begun AS MATERIALIZED (
		SELECT DISTINCT ON (o.person_id) o.person_id, o.id, o.attribution, o.coupons
		FROM orders o LEFT JOIN back k ON k.order_id = o.id
		WHERE o.store_id = $1 AND o.counted AND o.person_id IS NOT NULL AND o.placed_at < $2
			AND NOT (o.gross > 0 AND coalesce(k.net, 0) >= o.gross)
		ORDER BY o.person_id, o.placed_at, o.id COLLATE "C"
	), item AS MATERIALIZED (
		SELECT b.person_id, l.product_id, max(l.name) AS name FROM begun b JOIN lines l ON l.store_id = $1 AND l.order_id = b.id
		WHERE l.product_id <> '' AND NOT l.gift_card GROUP BY b.person_id, l.product_id
	), origin AS (
		SELECT 'campaign' AS what, coalesce(attribution->>'campaign', '') AS word, '' AS name, person_id FROM begun
		UNION ALL SELECT 'source', coalesce(attribution->>'source', ''), '', person_id FROM begun
		UNION ALL SELECT 'coupon', code, '', person_id
		FROM begun, LATERAL (SELECT DISTINCT unnest(CASE WHEN coupons = '{}' THEN '{""}' ELSE coupons END)) AS used (code)
		UNION ALL SELECT 'product', i.product_id, coalesce(nullif(p.name, ''), i.name), i.person_id
		FROM item i LEFT JOIN products p ON p.store_id = $1 AND p.id = i.product_id
		UNION ALL SELECT DISTINCT 'category', k, '', i.person_id
		FROM item i JOIN products p ON p.store_id = $1 AND p.id = i.product_id CROSS JOIN unnest(p.categories) c
		CROSS JOIN btrim(left(regexp_replace(c, '[[:cntrl:]]+', ' ', 'g'), 100)) k WHERE lower(k) NOT IN ('', 'uncategorized', 'uncategorised')
	)
	SELECT 'people' AS what, month AS word, '' AS name, string_agg(concat_ws(' ', net, coalesce(predicted::text, 'NaN')), ' ') AS numbers
	FROM people GROUP BY month
	UNION ALL SELECT 'cohort', month, '', ` + valueSums + ` FROM people GROUP BY month
	UNION ALL SELECT 'tier', tier, '', ` + valueSums + ` FROM people WHERE tier <> '' GROUP BY tier
	UNION ALL SELECT what, word, max(name), ` + valueSums + ` FROM origin JOIN people USING (person_id) GROUP BY what, word
	ORDER BY what, word`

// valueSums are the numbers of a group of people.
const valueSums = `concat_ws(' ', count(*), sum(net), sum((net / 10000.0) ^ 2)::float8, count(predicted), coalesce(sum(predicted), 0))`

// Values reads who is worth what by the last analysis; orders before a moment tell what people began with.
func (s *Store) Values(ctx context.Context, asOf time.Time) (value.Facts, error) {
	var f value.Facts
	err := s.read(ctx, func(tx *sqlx.Tx) error {
		if err := wideMemory(ctx, tx); err != nil {
			return err
		}
		rows, err := tx.QueryContext(ctx, valueQuery, s.id, asOf)
		if err != nil {
			return fmt.Errorf("values: %w", err)
		}
		defer func() { _ = rows.Close() }() // rows.Err tells what went wrong
		f, err = readValues(rows)
		return err
	})
	return f, err
}

// readValues takes the rows of the query apart.
func readValues(rows *sql.Rows) (value.Facts, error) {
	f := value.Facts{}
	groups := map[string][]value.Sum{}
	for rows.Next() {
		var what string
		var sum value.Sum
		var n numbers
		if err := rows.Scan(&what, &sum.Key, &sum.Name, &n.text); err != nil {
			return f, fmt.Errorf("values: %w", err)
		}
		if what == "people" {
			f.People = n.people(f.People)
		} else {
			sum.Customers, sum.Net, sum.Squares, sum.Valued, sum.Predicted = int(n.whole()), n.whole(), n.float(), int(n.whole()), n.whole()
			groups[what] = append(groups[what], sum)
		}
		if n.err != nil {
			return f, fmt.Errorf("values, %s: %w", what, n.err)
		}
	}
	f.Cohorts = groups["cohort"]
	for _, kind := range value.Kinds() {
		f.Origins = append(f.Origins, value.Origin{Kind: kind, Groups: groups[string(kind)]})
	}
	for _, tier := range segment.Tiers() {
		for _, sum := range groups["tier"] {
			if sum.Key == tier.ID {
				sum.Name = tier.Name
				f.Tiers = append(f.Tiers, sum)
			}
		}
	}
	return f, rows.Err()
}

// people reads what people brought and are expected to bring.
func (n *numbers) people(all []value.Person) []value.Person {
	for n.text != "" {
		p := value.Person{Net: n.whole()}
		if p.Valued = !n.missing(); p.Valued {
			p.Predicted = n.whole()
		}
		all = append(all, p)
	}
	return all
}
