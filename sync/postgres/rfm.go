package postgres

import (
	"context"
	"database/sql"
	"fmt"
	"strconv"
	"time"

	"github.com/jmoiron/sqlx"

	"github.com/perennial-cvo/perennial/analysis"
	"github.com/perennial-cvo/perennial/connectors/commerce"
)

var _ analysis.Facts = (*Store)(nil)

// Shop returns what the analysis must know about the shop.
func (s *Store) Shop(ctx context.Context) (analysis.Shop, error) {
	var row struct {
		Name     string       `db:"name"`
		Currency string       `db:"currency"`
		TimeZone string       `db:"time_zone"`
		Loaded   bool         `db:"loaded"`
		Since    sql.NullTime `db:"visible_since"`
	}
	err := s.db.GetContext(ctx, &row,
		`SELECT name, currency, time_zone, loaded_at IS NOT NULL AS loaded, visible_since FROM stores WHERE store_id = $1`, s.id)
	if err != nil {
		return analysis.Shop{}, fmt.Errorf("shop: %w", err)
	}
	location, err := commerce.Location(row.TimeZone)
	if err != nil {
		return analysis.Shop{}, fmt.Errorf("shop time zone: %w", err)
	}
	shop := analysis.Shop{Name: row.Name, Currency: row.Currency, Location: location, Loaded: row.Loaded}
	if row.Since.Valid {
		shop.Since = row.Since.Time.UTC()
	}
	return shop, nil
}

// localDays makes the days of one transaction those of the shop: a moment turned into a date is its local day. In the
// server's names of zones a fixed offset counts westwards.
func (s *Store) localDays(ctx context.Context, tx *sqlx.Tx) error {
	_, err := tx.ExecContext(ctx, `
		SELECT set_config('timezone', CASE left(time_zone, 1) WHEN '' THEN 'UTC' WHEN '+' THEN '-' || substr(time_zone, 2)
			WHEN '-' THEN '+' || substr(time_zone, 2) ELSE time_zone END, true)
		FROM stores WHERE store_id = $1`, s.id)
	if err != nil {
		return fmt.Errorf("time zone: %w", err)
	}
	return nil
}

// wideMemory gives one transaction the memory that joins and sorts of a million people need, and saves it the compiling
// of queries that run once. Looking up a row is called cheap, as it is on disks without moving parts: of few people it
// then looks up each, and does not read everybody.
func wideMemory(ctx context.Context, tx *sqlx.Tx) error {
	if _, err := tx.ExecContext(ctx, `SET LOCAL work_mem = '256MB'; SET LOCAL jit = off; SET LOCAL random_page_cost = 1.1`); err != nil {
		return fmt.Errorf("work memory: %w", err)
	}
	return nil
}

// crowd is from how many people on whole tables are joined rather than single rows looked up.
const crowd = 50_000

// nestedLoops lets the planner look up single rows, or keeps it from that in one transaction: where a table that is about
// to be filled looks empty to it, it would compare everybody with everybody.
func nestedLoops(ctx context.Context, tx *sqlx.Tx, on bool) error {
	if _, err := tx.ExecContext(ctx, `SELECT set_config('enable_nestloop', $1::boolean::text, true)`, on); err != nil {
		return fmt.Errorf("planner setting: %w", err)
	}
	return nil
}

// aggregates returns the query that sums up people as of $2 in a transaction with local days, those in the table due only,
// where it is given. An order that brought money, all of which was given back, does not count as an order, though its
// amounts do, so that they cancel out.
func aggregates(due string) string {
	only := func(column string) string {
		if due == "" {
			return ""
		}
		return ` AND ` + column + ` IN (SELECT person_id FROM ` + due + `)`
	}
	return `
	given AS MATERIALIZED (
		SELECT order_id, person_id, net FROM refunds
		WHERE store_id = $1 AND counted AND at < $2` + only("person_id") + `
	), back AS (
		SELECT order_id, sum(net) AS net FROM given WHERE order_id <> '' GROUP BY order_id
	), bought AS (
		SELECT person_id, count(live)::int AS orders, min(live) AS first_at, max(live) AS last_at, sum(gross) AS gross
		FROM (
			SELECT o.person_id, o.gross, CASE WHEN o.gross > 0 AND k.net >= o.gross THEN NULL ELSE o.placed_at END AS live
			FROM orders o LEFT JOIN back k ON k.order_id = o.id
			WHERE o.store_id = $1 AND o.counted AND o.person_id IS NOT NULL AND o.placed_at < $2` + only("o.person_id") + `
		) AS o GROUP BY person_id
	), returned AS (
		SELECT person_id, sum(net) AS net FROM given WHERE person_id IS NOT NULL GROUP BY person_id
	), fresh AS MATERIALIZED (
		SELECT person_id, coalesce(b.orders, 0) AS orders, b.first_at::date AS first_day,
			b.last_at::date AS last_day, coalesce(b.gross, 0) AS gross,
			coalesce(b.gross, 0) - coalesce(r.net, 0) AS net
		FROM bought b FULL JOIN returned r USING (person_id)
	)`
}

// refresh returns the one statement that brings person_stats up to date, writing only what differs.
func refresh(due string) string {
	scope, gone := "", ` AND NOT EXISTS (SELECT FROM fresh f WHERE f.person_id = s.person_id)`
	if due != "" {
		scope = ` AND s.person_id IN (SELECT person_id FROM ` + due + `)`
		gone = ` AND s.person_id IN (SELECT person_id FROM ` + due + ` EXCEPT SELECT person_id FROM fresh)`
	}
	return `WITH` + aggregates(due) + `, gone AS (
		DELETE FROM person_stats s WHERE s.store_id = $1` + gone + `
	), saved AS (
		INSERT INTO person_stats (store_id, person_id, orders, first_day, last_day, gross, net)
		SELECT $1, f.person_id, f.orders, f.first_day, f.last_day, f.gross, f.net
		FROM fresh f LEFT JOIN (SELECT * FROM person_stats s WHERE s.store_id = $1` + scope + `) s USING (person_id)
		WHERE s.person_id IS NULL OR s.orders <> f.orders OR s.first_day IS DISTINCT FROM f.first_day
			OR s.last_day IS DISTINCT FROM f.last_day OR s.gross <> f.gross OR s.net <> f.net
		ON CONFLICT (store_id, person_id) DO UPDATE SET orders = excluded.orders, first_day = excluded.first_day,
			last_day = excluded.last_day, gross = excluded.gross, net = excluded.net
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
	return people, nil
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

// Customers reads the aggregates. Somebody who has a membership but no counted order any more comes too, with no orders,
// so that the run can tell that they left.
func (s *Store) Customers(ctx context.Context) ([]analysis.Customer, error) {
	var all []analysis.Customer
	err := s.read(ctx, func(tx *sqlx.Tx) error {
		r, err := newCustomerReader(ctx, tx, s.id)
		if err != nil {
			return err
		}
		if all, err = r.read(ctx, customerTexts("person_stats WHERE store_id = $1 AND"), s.id); err != nil {
			return err
		}
		for person, m := range r.standing.rest() {
			all = append(all, analysis.Customer{Person: person, Score: m.Score, Segment: m.Segment})
		}
		return nil
	})
	return all, err
}

// CustomersAsOf computes the same from the orders, with the membership that stands today.
func (s *Store) CustomersAsOf(ctx context.Context, asOf time.Time) ([]analysis.Customer, error) {
	var all []analysis.Customer
	err := s.read(ctx, func(tx *sqlx.Tx) error {
		if err := s.localDays(ctx, tx); err != nil {
			return err
		}
		r, err := newCustomerReader(ctx, tx, s.id)
		if err != nil {
			return err
		}
		all, err = r.read(ctx, `WITH`+aggregates("")+customerTexts("fresh WHERE"), s.id, asOf)
		return err
	})
	return all, err
}
