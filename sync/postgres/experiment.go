package postgres

import (
	"context"
	"fmt"
	"time"

	"github.com/jmoiron/sqlx"

	"github.com/perennial-cvo/perennial/analysis/experiment"
)

// Experiments reads the trials of all audiences of which a share is held out or was, and calls each with one after the other, in
// order of their keys: the people of a large one fill memory. AsOf is the start of a local day.
func (s *Store) Experiments(ctx context.Context, asOf time.Time, each func(experiment.Facts) error) error {
	var audiences []string
	err := s.db.SelectContext(ctx, &audiences, `SELECT DISTINCT audience COLLATE "C" FROM holdouts WHERE store_id = $1 ORDER BY 1`, s.id)
	if err != nil {
		return fmt.Errorf("hold-outs: %w", err)
	}
	for _, audience := range audiences {
		var f experiment.Facts
		err := s.read(ctx, func(tx *sqlx.Tx) error {
			if err := wideMemory(ctx, tx); err != nil {
				return err
			}
			if err := s.localDays(ctx, tx); err != nil {
				return err
			}
			f, err = s.experiment(ctx, tx, audience, asOf)
			return err
		})
		if err != nil {
			return fmt.Errorf("trial of %s: %w", audience, err)
		}
		if err := each(f); err != nil {
			return err
		}
	}
	return nil
}

// Tried says whether a share of any audience is held out, or was.
func (s *Store) Tried(ctx context.Context) (bool, error) {
	var tried bool
	if err := s.db.GetContext(ctx, &tried, `SELECT EXISTS (SELECT FROM holdouts WHERE store_id = $1)`, s.id); err != nil {
		return false, fmt.Errorf("hold-outs: %w", err)
	}
	return tried, nil
}

// experiment reads one trial, in a transaction with local days.
func (s *Store) experiment(ctx context.Context, tx *sqlx.Tx, audience string, asOf time.Time) (experiment.Facts, error) {
	f := experiment.Facts{Audience: audience}
	err := tx.QueryRowxContext(ctx, `SELECT share, since - DATE '1970-01-01', coalesce(until - DATE '1970-01-01', 0),
			$3::timestamptz::date - DATE '1970-01-01' FROM holdouts WHERE store_id = $1 AND audience = $2 ORDER BY since DESC LIMIT 1`,
		s.id, audience, asOf).Scan(&f.Share, &f.Since, &f.Until, &f.AsOf)
	if err != nil {
		return f, fmt.Errorf("hold-out: %w", err)
	}
	rows, err := tx.QueryContext(ctx, `WITH `+tried+` SELECT day - DATE '1970-01-01', share, count(*) FILTER (WHERE NOT held),
		count(*) FILTER (WHERE held) FROM tried GROUP BY day, share ORDER BY day, share`, s.id, audience, asOf)
	if err != nil {
		return f, fmt.Errorf("who was due: %w", err)
	}
	defer func() { _ = rows.Close() }() // rows.Err tells what went wrong
	for rows.Next() {
		var e experiment.Entry
		if err := rows.Scan(&e.Day, &e.Share, &e.Got, &e.Held); err != nil {
			return f, fmt.Errorf("who was due: %w", err)
		}
		f.Entries = append(f.Entries, e)
	}
	if err := rows.Err(); err != nil {
		return f, fmt.Errorf("who was due: %w", err)
	}
	f.People, err = outcomes(ctx, tx, s.id, audience, asOf)
	return f, err
}

// tried is the query part of everybody who was due in audience $2 before $3 while a share of it was held out, with the day on
// which that ended. In such a time whoever was due on a day is one side or the other until it ends.
const tried = `tried AS MATERIALIZED (
		SELECT e.person_id, e.day, e.held, e.share, coalesce(h.until, 'infinity') AS until
		FROM exposures e JOIN holdouts h ON h.store_id = $1 AND h.audience = $2 AND e.day >= h.since AND (h.until IS NULL OR e.day < h.until)
		WHERE e.store_id = $1 AND e.audience = $2 AND e.day < $3::timestamptz::date
	)`

// outcomesQuery sums up what everybody who was seen for the $4 days of a window ordered in it, in as many days before, and in
// those before these, back to $5 days; people alike are one row. As everywhere, an order of which all money was given back is
// none, and what was given back of the others is taken off; money given back without an order is taken off when it was.
const outcomesQuery = `WITH ` + tried + `, seen AS MATERIALIZED (
		SELECT person_id, day, held, share FROM tried WHERE day + $4::int <= least($3::timestamptz::date, until)
	), back AS (
		SELECT order_id, sum(net) AS net, sum(cost) AS cost FROM refunds
		WHERE store_id = $1 AND counted AND at < $3 AND order_id <> '' AND person_id IN (SELECT person_id FROM seen) GROUP BY order_id
	), sold AS (
		SELECT o.person_id, o.placed_at::date AS on_day, 1 AS orders, ((o.gross - coalesce(k.net, 0)) * 10000)::bigint AS revenue,
			((o.cost - coalesce(k.cost, 0)) * 10000)::bigint AS cost
		FROM orders o LEFT JOIN back k ON k.order_id = o.id
		WHERE o.store_id = $1 AND o.counted AND o.person_id IN (SELECT person_id FROM seen) AND o.placed_at < $3
			AND NOT (o.gross > 0 AND coalesce(k.net, 0) >= o.gross)
		UNION ALL SELECT person_id, at::date, 0, -(net * 10000)::bigint, NULL FROM refunds
		WHERE store_id = $1 AND counted AND order_id = '' AND person_id IN (SELECT person_id FROM seen) AND at < $3
	), placed AS (
		SELECT person_id, CASE WHEN on_day >= day THEN 0 WHEN on_day >= day - $4::int THEN 1 ELSE 2 END AS part, orders, revenue,
			revenue - cost AS margin, CASE WHEN cost IS NOT NULL THEN revenue END AS costed
		FROM seen JOIN sold USING (person_id) WHERE on_day >= day - $5::int AND on_day < day + $4::int
	), each AS (
		SELECT person_id, ` + partSums + ` FROM placed GROUP BY person_id
	)
	SELECT concat_ws(' ', held, share, count(*), ` + partColumns + `) FROM seen LEFT JOIN each USING (person_id)
	GROUP BY held, share, ` + partColumns

// The sums of the three parts, and their columns in the order of experiment.People.
const (
	partSums = `sum(orders) FILTER (WHERE part = 0) AS o0, sum(revenue) FILTER (WHERE part = 0) AS r0,
			sum(margin) FILTER (WHERE part = 0) AS m0, sum(costed) FILTER (WHERE part = 0) AS c0,
			sum(orders) FILTER (WHERE part = 1) AS o1, sum(revenue) FILTER (WHERE part = 1) AS r1,
			sum(margin) FILTER (WHERE part = 1) AS m1, sum(costed) FILTER (WHERE part = 1) AS c1,
			sum(orders) FILTER (WHERE part = 2) AS o2, sum(revenue) FILTER (WHERE part = 2) AS r2,
			sum(margin) FILTER (WHERE part = 2) AS m2, sum(costed) FILTER (WHERE part = 2) AS c2`
	partColumns = `coalesce(o0, 0), coalesce(r0, 0), coalesce(m0, 0), coalesce(c0, 0), coalesce(o1, 0), coalesce(r1, 0),
		coalesce(m1, 0), coalesce(c1, 0), coalesce(o2, 0), coalesce(r2, 0), coalesce(m2, 0), coalesce(c2, 0)`
)

func outcomes(ctx context.Context, tx *sqlx.Tx, store int64, audience string, asOf time.Time) ([]experiment.People, error) {
	rows, err := tx.QueryContext(ctx, outcomesQuery, store, audience, asOf, experiment.Window, experiment.Earlier)
	if err != nil {
		return nil, fmt.Errorf("outcomes: %w", err)
	}
	defer func() { _ = rows.Close() }() // rows.Err tells what went wrong
	var people []experiment.People
	for rows.Next() {
		var n numbers
		if err := rows.Scan(&n.text); err != nil {
			return nil, fmt.Errorf("outcomes: %w", err)
		}
		p := experiment.People{Held: n.next() == "t", Share: n.float(), Number: int(n.whole())}
		for _, t := range []*experiment.Totals{&p.After, &p.Before, &p.Earlier} {
			t.Orders, t.Revenue, t.Margin, t.Costed = n.whole(), n.whole(), n.whole(), n.whole()
		}
		if n.err != nil {
			return nil, fmt.Errorf("outcomes: %w", n.err)
		}
		people = append(people, p)
	}
	if err := rows.Err(); err != nil {
		return nil, fmt.Errorf("outcomes: %w", err)
	}
	return people, nil
}
