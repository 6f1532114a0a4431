package postgres

import (
	"context"
	"fmt"
	"strconv"
	"strings"
	"time"

	"github.com/jmoiron/sqlx"
)

// aggregates returns the query that sums up people as of $2 in a transaction with local days, those in the table due only,
// where it is given. An order that brought money, all of which was given back, does not count as an order, though its
// amounts do, so that they cancel out.
//
// Orders come from their index in the order in which each person placed them, and are not joined with what was given back:
// that would make millions of rows be sorted. Refunds are few; what they take away is summed up by itself.
func aggregates(due string) string {
	only := func(column string) string {
		if due == "" {
			return ""
		}
		return ` AND ` + column + ` IN (SELECT person_id FROM ` + due + `)`
	}
	orders := `o.store_id = $1 AND o.counted AND o.person_id IS NOT NULL AND o.placed_at < $2` + only("o.person_id")
	return `
	given AS MATERIALIZED (
		SELECT order_id, person_id, net, cost FROM refunds
		WHERE store_id = $1 AND counted AND at < $2` + only("person_id") + `
	), back AS MATERIALIZED (
		SELECT o.id, o.person_id, o.placed_at::date AS day, o.gross, k.net, k.cost, o.gross > 0 AND k.net >= o.gross AS void
		FROM (SELECT order_id, sum(net) AS net, sum(cost) AS cost FROM given WHERE order_id <> '' GROUP BY order_id) k
		JOIN orders o ON o.id = k.order_id WHERE ` + orders + `
	), placed AS (
		SELECT person_id, day, gross, cost, lag(day) OVER past AS before, first_value(day) OVER past AS opening
		FROM (
			SELECT o.person_id, o.placed_at, o.placed_at::date AS day, o.gross, o.cost
			FROM orders o WHERE ` + orders + ` AND o.id NOT IN (SELECT id FROM back WHERE void)
			ORDER BY o.person_id, o.placed_at OFFSET 0 -- the day is worked out once
		) AS o WINDOW past AS (PARTITION BY person_id ORDER BY placed_at)
	), bought AS (
		SELECT person_id, count(*)::int AS orders, min(day) AS first_day, max(day) AS last_day, sum(gross) AS gross,
			1 + count(*) FILTER (WHERE before < day)::int AS days, max(before) FILTER (WHERE before < day) AS previous_day,
			sum(gross) FILTER (WHERE day = opening) AS opened, CASE WHEN count(cost) = count(*) THEN sum(cost) END AS cost
		FROM placed GROUP BY person_id
	), returned AS (
		SELECT person_id, sum(given) AS given, sum(void) AS void, sum(net) AS net, sum(cost) AS cost
		FROM (
			SELECT person_id, net AS given, NULL::numeric AS void, NULL::numeric AS net, NULL::numeric AS cost
			FROM given WHERE person_id IS NOT NULL
			UNION ALL SELECT person_id, NULL, CASE WHEN void THEN gross END, CASE WHEN NOT void THEN net END,
				CASE WHEN NOT void THEN cost END FROM back
		) AS r GROUP BY person_id
	), opening AS (
		SELECT person_id, day AS first_day, sum(net) AS net FROM back WHERE NOT void GROUP BY person_id, day
	), fresh AS MATERIALIZED (
		SELECT person_id, coalesce(b.orders, 0) AS orders, first_day, b.last_day,
			coalesce(b.gross, 0) + coalesce(r.void, 0) AS gross,
			coalesce(b.gross, 0) + coalesce(r.void, 0) - coalesce(r.given, 0) AS net,
			coalesce(b.days, 0) AS days, b.previous_day,
			coalesce(b.gross - coalesce(r.net, 0), 0) AS bought, coalesce(b.opened - coalesce(p.net, 0), 0) AS first_bought,
			b.cost - coalesce(r.cost, 0) AS cost
		FROM bought b FULL JOIN returned r USING (person_id) LEFT JOIN opening p USING (person_id, first_day)
	)`
}

// statColumns are what aggregates finds out about a person, as person_stats has it.
var statColumns = strings.Fields("orders first_day last_day gross net days previous_day bought first_bought cost")

// listed lists the columns of a table, or what else a format makes of each.
func listed(columns []string, format string) string {
	parts := make([]string, len(columns))
	for i, column := range columns {
		parts[i] = strings.ReplaceAll(format, "?", column)
	}
	return strings.Join(parts, ", ")
}

// refresh returns the one statement that brings person_stats up to date, writing only what differs. Inserting who is new and
// updating the rest costs half of an insert that looks out for conflicts.
func refresh(due string) string {
	scope, gone := "", ` AND NOT EXISTS (SELECT FROM fresh f WHERE f.person_id = s.person_id)`
	if due != "" {
		scope = ` AND s.person_id IN (SELECT person_id FROM ` + due + `)`
		gone = ` AND s.person_id IN (SELECT person_id FROM ` + due + ` EXCEPT SELECT person_id FROM fresh)`
	}
	return `WITH` + aggregates(due) + `, gone AS (
		DELETE FROM person_stats s WHERE s.store_id = $1` + gone + `
	), differ AS MATERIALIZED (
		SELECT f.*, s.person_id IS NULL AS new
		FROM fresh f LEFT JOIN (SELECT * FROM person_stats s WHERE s.store_id = $1` + scope + `) s USING (person_id)
		WHERE s.person_id IS NULL
			OR (` + listed(statColumns, "s.?") + `) IS DISTINCT FROM (` + listed(statColumns, "f.?") + `)
	), added AS (
		INSERT INTO person_stats (store_id, person_id, ` + listed(statColumns, "?") + `)
		SELECT $1, person_id, ` + listed(statColumns, "?") + ` FROM differ WHERE new
	), changed AS (
		UPDATE person_stats s SET ` + listed(statColumns, "? = d.?") + `
		FROM differ d WHERE NOT d.new AND s.store_id = $1 AND s.person_id = d.person_id
	) SELECT count(*) FROM fresh`
}

// Refresh brings the aggregates up to date as of asOf. People with an order or refund at or after asOf stay touched, so
// that the call that reaches it recomputes them.
func (s *Store) Refresh(ctx context.Context, asOf time.Time, full bool) (int, error) {
	people := 0
	err := s.write(ctx, func(tx *sqlx.Tx) error {
		if err := wideMemory(ctx, tx); err != nil {
			return err
		}
		if err := s.localDays(ctx, tx); err != nil {
			return err
		}
		if full {
			if err := nestedLoops(ctx, tx, false); err != nil {
				return err
			}
			if err := tx.GetContext(ctx, &people, refresh(""), s.id, asOf); err != nil {
				return fmt.Errorf("aggregates: %w", err)
			}
			if err := s.refreshShown(ctx, tx, "", s.id, asOf); err != nil {
				return err
			}
			if err := nestedLoops(ctx, tx, true); err != nil {
				return err
			}
			return s.untouch(ctx, tx, asOf)
		}
		var err error
		if people, err = s.refreshTouched(ctx, tx, asOf); err != nil {
			return err
		}
		if err := nestedLoops(ctx, tx, true); err != nil {
			return err
		}
		return s.untouch(ctx, tx, asOf)
	})
	return people, err
}

// Due says whether there is anybody whose orders changed since they were summed up, or were placed after that.
func (s *Store) Due(ctx context.Context) (bool, error) {
	var due bool
	if err := s.db.GetContext(ctx, &due, `SELECT EXISTS (SELECT FROM touched WHERE store_id = $1)`, s.id); err != nil {
		return false, fmt.Errorf("touched people: %w", err)
	}
	return due, nil
}

func (s *Store) refreshTouched(ctx context.Context, tx *sqlx.Tx, asOf time.Time) (int, error) {
	var people, found int
	steps := []string{
		`CREATE TEMP TABLE due (person_id bigint PRIMARY KEY) ON COMMIT DROP`,
		`INSERT INTO due SELECT person_id FROM touched WHERE store_id = ` + strconv.FormatInt(s.id, 10),
		`ANALYZE due`,
	}
	for _, step := range steps {
		if _, err := tx.ExecContext(ctx, step); err != nil {
			return 0, fmt.Errorf("touched people: %w", err)
		}
	}
	if err := tx.GetContext(ctx, &people, `SELECT count(*) FROM due`); err != nil {
		return 0, fmt.Errorf("touched people: %w", err)
	}
	if people == 0 {
		return 0, nil
	}
	if people > crowd {
		if err := nestedLoops(ctx, tx, false); err != nil {
			return 0, err
		}
	}
	if err := tx.GetContext(ctx, &found, refresh("due"), s.id, asOf); err != nil {
		return 0, fmt.Errorf("aggregates: %w", err)
	}
	return people, s.refreshShown(ctx, tx, "due", s.id, asOf)
}

// untouch forgets whom a refresh covered. Later orders are gathered first: a statement that deletes could not find them
// in the index alone.
func (s *Store) untouch(ctx context.Context, tx *sqlx.Tx, asOf time.Time) error {
	_, err := tx.ExecContext(ctx, `
		WITH later AS MATERIALIZED (
			SELECT person_id FROM orders WHERE store_id = $1 AND counted AND placed_at >= $2
				AND person_id IN (SELECT person_id FROM touched WHERE store_id = $1)
			UNION SELECT person_id FROM refunds WHERE store_id = $1 AND counted AND at >= $2
		) DELETE FROM touched t WHERE t.store_id = $1 AND NOT EXISTS (SELECT FROM later l WHERE l.person_id = t.person_id)`,
		s.id, asOf)
	if err != nil {
		return fmt.Errorf("touched people: %w", err)
	}
	return nil
}
