package postgres

import (
	"context"
	"fmt"
	"time"

	"github.com/jmoiron/sqlx"

	"github.com/perennial-cvo/perennial/analysis"
)

// histories sums up what people bought before $2, by local days, together by their last day. An order of which all money was
// given back is no purchase.
var histories = fmt.Sprintf(summedUp, "", "")

// historyOf does so for the person $3 alone.
var historyOf = fmt.Sprintf(summedUp,
	`AND order_id IN (SELECT id FROM orders WHERE store_id = $1 AND person_id = $3 AND counted)`, `AND o.person_id = $3`)

const summedUp = `WITH back AS (
		SELECT order_id, sum(net) AS net, sum(cost) AS cost FROM refunds
		WHERE store_id = $1 AND counted AND at < $2 AND order_id <> '' %s GROUP BY order_id
	), bought AS (
		SELECT o.person_id, o.placed_at::date AS day, sum(o.gross - coalesce(k.net, 0)) AS net,
			sum(o.cost - coalesce(k.cost, 0)) AS cost, bool_and(o.cost IS NOT NULL) AS costed
		FROM orders o LEFT JOIN back k ON k.order_id = o.id
		WHERE o.store_id = $1 AND o.counted AND o.person_id IS NOT NULL AND o.placed_at < $2 %s
			AND NOT (o.gross > 0 AND coalesce(k.net, 0) >= o.gross)
		GROUP BY o.person_id, day
	), spaced AS (
		SELECT *, day - lag(day) OVER past AS gap, row_number() OVER past AS place
		FROM bought WINDOW past AS (PARTITION BY person_id ORDER BY day)
	), person AS (
		SELECT person_id, count(*) AS days, min(day) AS first_day, max(day) AS last_day,
			coalesce(sum(ln(gap::float8 / 7)), 0) AS gaps, sum(net) AS net, sum(net) FILTER (WHERE place = 1) AS first_net,
			CASE WHEN bool_and(costed) THEN sum(cost) END AS cost
		FROM spaced GROUP BY person_id
	) SELECT last_day - DATE '1970-01-01', string_agg(concat_ws(' ', person_id, days, first_day - DATE '1970-01-01', gaps, net,
			first_net, cost IS NOT NULL, coalesce(cost, 0)), ' ')
		FROM person GROUP BY last_day`

// Histories reads what everybody bought before asOf, in any order.
func (s *Store) Histories(ctx context.Context, asOf time.Time) ([]analysis.History, error) {
	var people int // about as many: a list that has to grow takes twice its memory
	err := s.db.GetContext(ctx, &people, `SELECT count(*) FROM person_stats WHERE store_id = $1 AND orders > 0`, s.id)
	if err != nil {
		return nil, fmt.Errorf("customers: %w", err)
	}
	return s.summedUp(ctx, make([]analysis.History, 0, people), histories, s.id, asOf)
}

// HistoryOf reads what one person bought before asOf; ok is false where that is nothing.
func (s *Store) HistoryOf(ctx context.Context, person int64, asOf time.Time) (h analysis.History, ok bool, err error) {
	all, err := s.summedUp(ctx, nil, historyOf, s.id, asOf, person)
	if err != nil || len(all) == 0 {
		return analysis.History{}, false, err
	}
	return all[0], true, nil
}

// summedUp appends what a query finds to all.
func (s *Store) summedUp(ctx context.Context, all []analysis.History, query string, arguments ...any) ([]analysis.History, error) {
	err := s.read(ctx, func(tx *sqlx.Tx) error {
		all = all[:0]
		if err := wideMemory(ctx, tx); err != nil {
			return err
		}
		if err := s.localDays(ctx, tx); err != nil {
			return err
		}
		rows, err := tx.QueryContext(ctx, query, arguments...)
		if err != nil {
			return fmt.Errorf("purchase histories: %w", err)
		}
		defer func() { _ = rows.Close() }() // rows.Err tells what went wrong
		for rows.Next() {
			var day int
			var n numbers
			if err := rows.Scan(&day, &n.text); err != nil {
				return fmt.Errorf("purchase history: %w", err)
			}
			for n.text != "" {
				all = append(all, n.history(day))
			}
			if n.err != nil {
				return fmt.Errorf("purchase history: %w", n.err)
			}
		}
		return rows.Err()
	})
	return all, err
}

func (n *numbers) history(lastDay int) analysis.History {
	h := analysis.History{
		Person: n.whole(), Days: int32(n.whole()), FirstDay: int32(n.whole()), LastDay: int32(lastDay), LogGaps: n.float(),
		Net: n.amount(), FirstNet: n.amount(),
	}
	h.Costed, h.Cost = n.next() == "t", n.amount()
	return h
}
