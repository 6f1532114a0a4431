package postgres

import (
	"context"
	"database/sql"
	"encoding/json"
	"fmt"
	"time"

	"github.com/jmoiron/sqlx"

	"github.com/perennial-cvo/perennial/analysis/report"
	"github.com/perennial-cvo/perennial/connectors/commerce"
)

var _ report.Facts = (*Store)(nil)

// guest is the condition that somebody without an account has an order, or a refund without one: those whose orders all
// went over to an account are nobody any more.
const guest = `(EXISTS (SELECT FROM orders o WHERE o.store_id = $1 AND o.email <> '' AND o.email = p.email AND o.person_id = p.person_id)
	OR EXISTS (SELECT FROM refunds r WHERE r.store_id = $1 AND r.order_id = '' AND r.email = p.email AND r.person_id = p.person_id))`

// Overview returns shop, load, counts of records, people and quarantine. NextRun is left to whoever knows the schedule.
func (s *Store) Overview(ctx context.Context) (report.Overview, error) {
	var o report.Overview
	err := s.read(ctx, func(tx *sqlx.Tx) error {
		var loaded, since sql.NullTime
		err := tx.QueryRowxContext(ctx, `
			SELECT name, shop, platform, currency, time_zone, loaded_at, visible_since,
				(SELECT count(*) FROM persons p WHERE store_id = $1 AND (customer_id IS NOT NULL OR email IS NULL OR `+guest+`)),
				(SELECT count(*) FROM persons p WHERE store_id = $1 AND customer_id IS NULL AND `+guest+`),
				(SELECT count(*) FROM orders WHERE store_id = $1 AND deleted_at IS NULL AND person_id IS NULL),
				(SELECT count(*) FROM quarantine WHERE store_id = $1)
			FROM stores WHERE store_id = $1`, s.id).Scan(&o.Store, &o.Shop, &o.Platform, &o.Currency, &o.TimeZone, &loaded, &since,
			&o.People, &o.Guests, &o.Unattributed, &o.Quarantined)
		if err != nil {
			return fmt.Errorf("overview: %w", err)
		}
		o.Loaded = loaded.Valid
		if loaded.Valid {
			o.LoadedAt = loaded.Time.UTC()
		}
		if since.Valid {
			o.Since = since.Time.UTC()
		}
		o.UnknownStatuses, err = counts(ctx, tx, `SELECT o.status, count(*) FROM orders o JOIN stores s USING (store_id)
			WHERE o.store_id = $1 AND o.deleted_at IS NULL AND NOT coalesce(s.policy->'statuses' ? o.status, false)
			GROUP BY o.status`, s.id)
		if err != nil {
			return err
		}
		o.SetAside, err = counts(ctx, tx, `SELECT currency, count(*) FROM orders
			WHERE store_id = $1 AND deleted_at IS NULL AND rate IS NULL GROUP BY currency`, s.id)
		if err != nil {
			return err
		}
		o.Resources, err = s.resources(ctx, tx)
		return err
	})
	return o, err
}

// counts reads rows of a word and a count.
func counts(ctx context.Context, tx *sqlx.Tx, query string, args ...any) (map[string]int, error) {
	rows, err := tx.QueryxContext(ctx, query, args...)
	if err != nil {
		return nil, fmt.Errorf("counts: %w", err)
	}
	defer func() { _ = rows.Close() }() // rows.Err tells what went wrong
	all := map[string]int{}
	for rows.Next() {
		var word string
		var count int
		if err := rows.Scan(&word, &count); err != nil {
			return nil, fmt.Errorf("count: %w", err)
		}
		all[word] = count
	}
	return all, rows.Err()
}

// aliveRecords counts stored records that are alive, by resource.
const aliveRecords = `
	SELECT 'products', count(*) FROM products WHERE store_id = $1 AND deleted_at IS NULL
	UNION ALL SELECT 'coupons', count(*) FROM coupons WHERE store_id = $1 AND deleted_at IS NULL
	UNION ALL SELECT 'customers', count(*) FROM customers WHERE store_id = $1 AND deleted_at IS NULL
	UNION ALL SELECT 'orders', count(*) FROM orders WHERE store_id = $1 AND deleted_at IS NULL
	UNION ALL SELECT 'reviews', count(*) FROM reviews WHERE store_id = $1 AND deleted_at IS NULL`

// resources tells of every resource that was ever pulled or stored. A pull under way is one of either mode; a resource
// is done when a pull has ended and none is under way.
func (s *Store) resources(ctx context.Context, tx *sqlx.Tx) ([]report.Resource, error) {
	alive, err := counts(ctx, tx, aliveRecords, s.id)
	if err != nil {
		return nil, err
	}
	var rows []struct {
		Resource string       `db:"resource"`
		Read     int          `db:"read"`
		Total    int          `db:"total"`
		Done     bool         `db:"done"`
		Ended    sql.NullTime `db:"ended_at"`
	}
	err = tx.SelectContext(ctx, &rows, `
		SELECT resource, coalesce(sum(records) FILTER (WHERE NOT done), 0)::bigint AS read,
			coalesce(sum(total) FILTER (WHERE NOT done), 0)::bigint AS total,
			bool_and(done) AND max(ended_at) IS NOT NULL AS done, max(ended_at) AS ended_at
		FROM cursors WHERE store_id = $1 GROUP BY resource`, s.id)
	if err != nil {
		return nil, fmt.Errorf("resources: %w", err)
	}
	var all []report.Resource
	for _, name := range commerce.Resources() {
		r := report.Resource{Name: string(name), Records: alive[string(name)]}
		pulled := r.Records > 0
		for _, row := range rows {
			if row.Resource != r.Name {
				continue
			}
			pulled = true
			r.Read, r.Total, r.Done = row.Read, row.Total, row.Done
			if row.Ended.Valid {
				r.SyncedAt = row.Ended.Time.UTC()
			}
		}
		if pulled {
			all = append(all, r)
		}
	}
	return all, nil
}

// Runs returns the last runs, newest first.
func (s *Store) Runs(ctx context.Context, limit int) ([]report.Run, error) {
	var rows []struct {
		Kind    string       `db:"kind"`
		State   string       `db:"state"`
		Started time.Time    `db:"started_at"`
		Ended   sql.NullTime `db:"ended_at"`
		Counts  string       `db:"counts"`
		Error   string       `db:"error"`
		Remedy  string       `db:"remedy"`
	}
	err := s.db.SelectContext(ctx, &rows, `SELECT kind, state, started_at, ended_at, counts::text AS counts, error, remedy
		FROM runs WHERE store_id = $1 ORDER BY started_at DESC, run_id DESC LIMIT $2`, s.id, limit)
	if err != nil {
		return nil, fmt.Errorf("runs: %w", err)
	}
	runs := make([]report.Run, len(rows))
	for i, row := range rows {
		runs[i] = report.Run{
			Kind: row.Kind, State: row.State, Started: row.Started.UTC(), Error: row.Error, Remedy: row.Remedy,
		}
		if row.Ended.Valid {
			runs[i].Ended = row.Ended.Time.UTC()
		}
		if err := json.Unmarshal([]byte(row.Counts), &runs[i].Counts); err != nil {
			return nil, fmt.Errorf("counts of a run: %w", err)
		}
	}
	return runs, nil
}

// Quarantine returns records that could not be read, oldest first, without their raw text.
func (s *Store) Quarantine(ctx context.Context, limit int) ([]report.Quarantined, error) {
	var rows []struct {
		Resource string    `db:"resource"`
		ID       string    `db:"id"`
		Reason   string    `db:"reason"`
		Since    time.Time `db:"first_seen"`
		Tries    int       `db:"tries"`
	}
	err := s.db.SelectContext(ctx, &rows, `SELECT resource, id, reason, first_seen, tries FROM quarantine
		WHERE store_id = $1 ORDER BY first_seen, resource, id LIMIT $2`, s.id, limit)
	if err != nil {
		return nil, fmt.Errorf("quarantine: %w", err)
	}
	all := make([]report.Quarantined, len(rows))
	for i, row := range rows {
		all[i] = report.Quarantined{
			Resource: row.Resource, ID: row.ID, Reason: row.Reason, Since: row.Since.UTC(), Tries: row.Tries,
		}
	}
	return all, nil
}
