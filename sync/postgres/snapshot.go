package postgres

import (
	"context"
	"fmt"
	"time"

	"github.com/shopspring/decimal"

	"github.com/perennial-cvo/perennial/analysis"
	"github.com/perennial-cvo/perennial/analysis/report"
)

// saveSnapshots replaces the distributions of the day.
func (w *resultWriter) saveSnapshots(ctx context.Context) error {
	if err := w.saveSnapshot(ctx, w.result.Scheme, w.result.Groups); err != nil {
		return err
	}
	for _, d := range w.result.Divisions {
		if err := w.saveSnapshot(ctx, d.Scheme, d.Groups); err != nil {
			return err
		}
	}
	return nil
}

// saveSnapshot replaces the distribution of the day in one scheme, writing only rows that differ.
func (w *resultWriter) saveSnapshot(ctx context.Context, scheme analysis.Scheme, groups []analysis.Group) error {
	segments := make([]string, len(groups))
	customers, orders := make([]int64, len(groups)), make([]int64, len(groups))
	gross, net := make([]string, len(groups)), make([]string, len(groups))
	for i, g := range groups {
		segments[i], customers[i], orders[i] = g.Segment, int64(g.Customers), int64(g.Orders)
		gross[i], net[i] = decimal.New(g.Gross, -4).String(), decimal.New(g.Net, -4).String()
	}
	_, err := w.tx.ExecContext(ctx, `DELETE FROM snapshots
		WHERE store_id = $1 AND scheme = $2 AND day = `+day+` AND segment <> ALL ($4)`,
		w.store, scheme.Name, w.result.Day, pgArray(segments))
	if err != nil {
		return fmt.Errorf("snapshot: %w", err)
	}
	_, err = w.tx.ExecContext(ctx, `
		INSERT INTO snapshots AS s
			(store_id, scheme, day, segment, version, as_of, place, customers, orders, gross, net)
		SELECT $1, $2, `+day+`, g.segment, $4, $5, g.place, g.customers, g.orders, g.gross, g.net
		FROM unnest($6::text[], $7::bigint[], $8::bigint[], $9::numeric[], $10::numeric[])
			WITH ORDINALITY AS g (segment, customers, orders, gross, net, place)
		ON CONFLICT (store_id, scheme, day, segment) DO UPDATE SET version = excluded.version, as_of = excluded.as_of,
			place = excluded.place, customers = excluded.customers, orders = excluded.orders,
			gross = excluded.gross, net = excluded.net
		WHERE (s.version, s.as_of, s.place, s.customers, s.orders, s.gross, s.net) <> (excluded.version,
			excluded.as_of, excluded.place, excluded.customers, excluded.orders, excluded.gross, excluded.net)`,
		w.store, scheme.Name, w.result.Day, scheme.Version, w.result.AsOf,
		pgArray(segments), pgArray(customers), pgArray(orders), pgArray(gross), pgArray(net))
	if err != nil {
		return fmt.Errorf("snapshot: %w", err)
	}
	return nil
}

// Groups returns the last snapshot of a scheme, the zero one before the first.
func (s *Store) Groups(ctx context.Context, scheme string) (report.Snapshot, error) {
	var rows []struct {
		AsOf      time.Time       `db:"as_of"`
		Rule      string          `db:"rule"`
		Segment   string          `db:"segment"`
		Customers int             `db:"customers"`
		Orders    int             `db:"orders"`
		Gross     decimal.Decimal `db:"gross"`
		Net       decimal.Decimal `db:"net"`
	}
	err := s.db.SelectContext(ctx, &rows, `
		SELECT n.as_of, coalesce(v.rule::text, '') AS rule, n.segment, n.customers, n.orders, n.gross, n.net
		FROM snapshots n LEFT JOIN schemes v USING (store_id, scheme, version)
		WHERE n.store_id = $1 AND n.scheme = $2
			AND n.day = (SELECT max(day) FROM snapshots WHERE store_id = $1 AND scheme = $2)
		ORDER BY n.place`, s.id, scheme)
	if err != nil {
		return report.Snapshot{}, fmt.Errorf("snapshot: %w", err)
	}
	snapshot := report.Snapshot{Scheme: scheme}
	for _, row := range rows {
		snapshot.AsOf, snapshot.Rule = row.AsOf.UTC(), row.Rule
		snapshot.Groups = append(snapshot.Groups, report.Group{
			Segment: row.Segment, Customers: row.Customers, Orders: row.Orders, Gross: row.Gross, Net: row.Net,
		})
	}
	return snapshot, nil
}
