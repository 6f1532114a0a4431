package postgres

import (
	"context"
	"fmt"

	"github.com/jmoiron/sqlx"

	"github.com/perennial-cvo/perennial/analysis/report"
)

// Cells counts the customers by the scores in force, each combination that anybody has once, in order.
func (s *Store) Cells(ctx context.Context) ([]report.Cell, error) {
	var cells []report.Cell
	err := s.read(ctx, func(tx *sqlx.Tx) error {
		if err := wideMemory(ctx, tx); err != nil {
			return err
		}
		rows, err := tx.QueryContext(ctx, `
			SELECT s.r, s.f, s.m, count(*), coalesce(sum(a.orders), 0), coalesce(sum(a.net), 0), coalesce(sum(a.gross), 0),
				coalesce(min(a.last_day) - DATE '1970-01-01', 0), coalesce(max(a.last_day) - DATE '1970-01-01', 0),
				coalesce(min(a.orders), 0), coalesce(max(a.orders), 0),
				round(coalesce(min(a.net), 0) * 10000)::bigint, round(coalesce(max(a.net), 0) * 10000)::bigint,
				round(coalesce(min(a.gross), 0) * 10000)::bigint, round(coalesce(max(a.gross), 0) * 10000)::bigint
			FROM rfm_scores s LEFT JOIN person_stats a ON a.store_id = $1 AND a.person_id = s.person_id
			WHERE s.store_id = $1 GROUP BY s.r, s.f, s.m ORDER BY s.r, s.f, s.m`, s.id)
		if err != nil {
			return err
		}
		defer func() { _ = rows.Close() }() // rows.Err tells what went wrong
		for rows.Next() {
			var c report.Cell
			at := &c.Spread
			if err := rows.Scan(&c.R, &c.F, &c.M, &c.Customers, &c.Orders, &c.Net, &c.Gross, &at.LastDay.Min, &at.LastDay.Max,
				&at.Orders.Min, &at.Orders.Max, &at.Net.Min, &at.Net.Max, &at.Gross.Min, &at.Gross.Max); err != nil {
				return err
			}
			cells = append(cells, c)
		}
		return rows.Err()
	})
	if err != nil {
		return nil, fmt.Errorf("cells: %w", err)
	}
	return cells, nil
}
