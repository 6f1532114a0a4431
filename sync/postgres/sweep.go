package postgres

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"time"

	"github.com/jmoiron/sqlx"
	"github.com/lib/pq"

	"github.com/perennial-cvo/perennial/connectors"
	"github.com/perennial-cvo/perennial/connectors/commerce"
	"github.com/perennial-cvo/perennial/sync/ingest"
)

// loosePrefix marks refunds without an order in the notes of a sweep of orders.
const loosePrefix = "refund without order "

// note writes down which records a sweep has met; those that could not be read are met too.
func (c *commit) note(ctx context.Context) error {
	if c.page.Mode != connectors.Sweep {
		return nil
	}
	var ids []string
	for _, id := range idsIn(c.page.Page.Records, c.page.Resource) {
		ids = append(ids, storable(id))
	}
	for _, r := range c.page.Page.Rejected {
		ids = append(ids, storable(r.ID))
	}
	for i := range c.page.Page.Records.Refunds {
		if r := &c.page.Page.Records.Refunds[i]; r.OrderID == "" {
			ids = append(ids, loosePrefix+storable(r.ID))
		}
	}
	if len(ids) == 0 {
		return nil
	}
	_, err := c.tx.ExecContext(ctx, `WITH noted AS (
			INSERT INTO sweep_seen (store_id, resource, id) SELECT DISTINCT $1::bigint, $2::text, id FROM unnest($4::text[]) AS u(id)
			ON CONFLICT DO NOTHING RETURNING 1)
		UPDATE cursors SET seen = seen + (SELECT count(*) FROM noted) WHERE store_id = $1 AND resource = $2 AND mode = $3`,
		c.store, c.page.Resource, c.page.Mode, pq.Array(ids))
	if err != nil {
		return fmt.Errorf("notes of the sweep: %w", err)
	}
	return nil
}

func dropNotes(ctx context.Context, tx *sqlx.Tx, store int64, resource commerce.Resource) error {
	_, err := tx.ExecContext(ctx, `DELETE FROM sweep_seen WHERE store_id = $1 AND resource = $2`, store, resource)
	if err != nil {
		return fmt.Errorf("notes of the sweep: %w", err)
	}
	return nil
}

// Unseen returns the ids of living records that the finished sweep has not met, in order, and how many living ones
// there are. Orders placed before since, unless that is zero, are neither: the sweep could not meet them. It returns
// ErrSweepLost where no sweep waits for its end, or its notes are gone.
func (s *Store) Unseen(ctx context.Context, resource commerce.Resource, since time.Time) (ids []string, living int, err error) {
	name, err := tableOf(resource)
	if err != nil {
		return nil, 0, err
	}
	from := name + ` t WHERE t.store_id = $1 AND t.deleted_at IS NULL`
	args := []any{s.id}
	if resource == commerce.Orders && !since.IsZero() {
		from += ` AND t.placed_at >= $2`
		args = append(args, since)
	}
	err = s.read(ctx, func(tx *sqlx.Tx) error {
		var seen, noted int
		var finished bool
		err := tx.QueryRowxContext(ctx, `SELECT seen, done AND unswept, (SELECT count(*) FROM sweep_seen WHERE store_id = $1 AND resource = $2)
			FROM cursors WHERE store_id = $1 AND resource = $2 AND mode = $3`, s.id, resource, connectors.Sweep).
			Scan(&seen, &finished, &noted)
		if errors.Is(err, sql.ErrNoRows) || err == nil && (seen != noted || !finished) {
			return ingest.ErrSweepLost
		}
		if err != nil {
			return err
		}
		if err := tx.GetContext(ctx, &living, `SELECT count(*) FROM `+from, args...); err != nil {
			return err
		}
		// Of tables just filled the planner believes that they are small, and would compare everything with everything.
		if err := nestedLoops(ctx, tx, false); err != nil {
			return err
		}
		return tx.SelectContext(ctx, &ids, `SELECT id FROM `+from+` AND NOT EXISTS (SELECT FROM sweep_seen s
			WHERE s.store_id = $1 AND s.resource = '`+name+`' AND s.id = t.id) ORDER BY id`, args...)
	})
	if err != nil {
		return nil, 0, fmt.Errorf("unseen %s: %w", resource, err)
	}
	return ids, living, nil
}

// EndSweep applies confirmed deletions, drops quarantined records that the sweep has not met, and forgets the notes of
// the sweep. Records that came back were revived when their page was committed.
func (s *Store) EndSweep(ctx context.Context, resource commerce.Resource, deleted []string) (ingest.Written, error) {
	var written ingest.Written
	err := s.writeBatch(ctx, func(tx *sqlx.Tx) error {
		var read, started sql.NullTime
		err := tx.QueryRowxContext(ctx, `UPDATE cursors SET ended_at = coalesce(read_at, now()), seen = 0, unswept = false
			WHERE store_id = $1 AND resource = $2 AND mode = $3 RETURNING ended_at, started_at`, s.id, resource, connectors.Sweep).
			Scan(&read, &started)
		if errors.Is(err, sql.ErrNoRows) {
			return ingest.ErrSweepLost
		}
		if err != nil {
			return fmt.Errorf("end of the sweep: %w", err)
		}
		c, err := newCommit(ctx, tx, s.id, ingest.Commit{Resource: resource, Mode: connectors.Sweep, At: read.Time})
		if err != nil {
			return err
		}
		if err := c.remove(ctx, deleted); err != nil {
			return err
		}
		if err := c.dropLoose(ctx); err != nil {
			return err
		}
		_, err = tx.ExecContext(ctx, `DELETE FROM quarantine WHERE store_id = $1 AND resource = $2 AND last_seen < $3`,
			s.id, resource, started)
		if err != nil {
			return fmt.Errorf("quarantine: %w", err)
		}
		if err := c.touch(ctx); err != nil {
			return err
		}
		written = c.written
		return dropNotes(ctx, tx, s.id, resource)
	})
	if err != nil {
		return ingest.Written{}, err
	}
	return written, nil
}

// dropLoose deletes refunds without an order that a sweep of orders has not met, unless more than a twentieth of them
// vanished at once: nobody can be asked for them one by one.
func (c *commit) dropLoose(ctx context.Context) error {
	if c.page.Resource != commerce.Orders {
		return nil
	}
	var people []int64
	err := c.tx.SelectContext(ctx, &people, `WITH missing AS (
			SELECT id FROM refunds r WHERE store_id = $1 AND order_id = '' AND NOT EXISTS (
				SELECT FROM sweep_seen s WHERE s.store_id = $1 AND s.resource = $2 AND s.id = $3 || r.id)),
		gone AS (
			DELETE FROM refunds r USING missing m WHERE r.store_id = $1 AND r.order_id = '' AND r.id = m.id
			AND ((SELECT count(*) FROM missing) <= 10
				OR (SELECT count(*) FROM missing) * 20 <= (SELECT count(*) FROM refunds WHERE store_id = $1 AND order_id = ''))
			RETURNING r.person_id)
		SELECT DISTINCT coalesce(person_id, 0) FROM gone`, c.store, c.page.Resource, loosePrefix)
	if err != nil {
		return fmt.Errorf("refunds that are gone: %w", err)
	}
	for _, person := range people {
		c.touched[person] = true
	}
	delete(c.touched, 0)
	return nil
}

// tableOf returns the table of a resource.
func tableOf(resource commerce.Resource) (string, error) {
	switch resource {
	case commerce.Products, commerce.Coupons, commerce.Customers, commerce.Orders, commerce.Reviews:
		return string(resource), nil // tables are named as the resources are
	default:
		return "", fmt.Errorf("unknown resource %q", resource)
	}
}

// remove marks records as gone from the shop.
func (c *commit) remove(ctx context.Context, ids []string) error {
	if len(ids) == 0 {
		return nil
	}
	name, err := tableOf(c.page.Resource)
	if err != nil {
		return err
	}
	var gone []string
	err = c.tx.SelectContext(ctx, &gone, `UPDATE `+name+` SET deleted_at = $3
		WHERE store_id = $1 AND id = ANY($2) AND deleted_at IS NULL RETURNING id`, c.store, pq.Array(ids), c.page.At)
	if err != nil {
		return fmt.Errorf("deleted %s: %w", c.page.Resource, err)
	}
	c.written.Deleted += len(gone)
	if len(gone) > 0 && (c.page.Resource == commerce.Customers || c.page.Resource == commerce.Orders) {
		if err := c.keepNo(ctx, name, gone); err != nil {
			return err
		}
	}
	switch c.page.Resource {
	case commerce.Customers:
		return c.resolve(ctx, claims{accounts: gone, gone: true})
	case commerce.Orders:
		if err := c.unname(ctx, gone); err != nil {
			return err
		}
		return recount(ctx, c.tx, c.store, c.rules, gone)
	default:
		return nil
	}
}

// unname looks at the accounts of orders that were just deleted: nothing may name them any more.
func (c *commit) unname(ctx context.Context, orders []string) error {
	var accounts []string
	err := c.tx.SelectContext(ctx, &accounts, `SELECT DISTINCT customer_id FROM orders
		WHERE store_id = $1 AND id = ANY($2) AND customer_id <> ''`, c.store, pq.Array(orders))
	if err != nil {
		return fmt.Errorf("accounts of deleted orders: %w", err)
	}
	return c.resolve(ctx, claims{accounts: accounts})
}
