package postgres

import (
	"context"
	"database/sql"
	"errors"
	"fmt"

	"github.com/jmoiron/sqlx"

	"github.com/perennial-cvo/perennial/connectors"
	"github.com/perennial-cvo/perennial/connectors/commerce"
	"github.com/perennial-cvo/perennial/sync/ingest"
)

// Cursor returns where the pull of a resource stands. A sweep has ended when its deletions are in. A pull of increments
// that began at the beginning is as good as a first sweep, and sets the end of both.
func (s *Store) Cursor(ctx context.Context, resource commerce.Resource, mode connectors.Mode) (ingest.Progress, error) {
	var p ingest.Progress
	var started, ended sql.NullTime
	err := s.db.QueryRowxContext(ctx, `SELECT cursor, done, records, total, started_at, ended_at, unswept FROM cursors
		WHERE store_id = $1 AND resource = $2 AND mode = $3`, s.id, resource, mode).
		Scan(&p.Cursor, &p.Done, &p.Records, &p.Total, &started, &ended, &p.Unswept)
	if errors.Is(err, sql.ErrNoRows) {
		return ingest.Progress{}, nil
	}
	if err != nil {
		return ingest.Progress{}, fmt.Errorf("cursor of %s: %w", resource, err)
	}
	p.StartedAt, p.EndedAt = started.Time, ended.Time
	return p, nil
}

// advance moves the cursor of a page from old to next, or returns ErrCursorMoved.
func (c *commit) advance(ctx context.Context) error {
	p := c.page
	if why := unstorable(string(p.Page.Next)); why != "" {
		return &connectors.Error{Kind: connectors.KindPermanent, Op: string(p.Resource) + " page", Err: errors.New("the cursor " + why)}
	}
	if p.Start {
		if err := c.start(ctx); err != nil {
			return err
		}
	}
	ended := p.Page.Done && p.Mode == connectors.Increment
	moved, err := c.swap(ctx, ended)
	if err == nil && !moved && !p.Start && p.Old == "" { // there may be no cursor yet
		if err = c.start(ctx); err == nil {
			moved, err = c.swap(ctx, ended)
		}
	}
	switch {
	case err != nil:
		return err
	case !moved:
		return ingest.ErrCursorMoved
	case !ended:
		return nil
	}
	_, err = c.tx.ExecContext(ctx, `INSERT INTO cursors AS c (store_id, resource, mode, started_at, ended_at)
		SELECT store_id, resource, $3, started_at, ended_at FROM cursors
		WHERE store_id = $1 AND resource = $2 AND mode = $4 AND whole
		ON CONFLICT (store_id, resource, mode) DO UPDATE SET ended_at = EXCLUDED.ended_at WHERE c.ended_at IS NULL AND NOT c.unswept`,
		c.store, p.Resource, connectors.Sweep, connectors.Increment)
	if err != nil {
		return fmt.Errorf("cursor: %w", err)
	}
	return nil
}

// swap moves the cursor if it stands where the page says, and reports whether it did.
func (c *commit) swap(ctx context.Context, ended bool) (bool, error) {
	p := c.page
	result, err := c.tx.ExecContext(ctx, `UPDATE cursors SET cursor = $5, done = $6, records = records + $7, read_at = $9,
			total = CASE WHEN $8 > 0 THEN $8 ELSE total END, ended_at = CASE WHEN $10 THEN $9 ELSE ended_at END
		WHERE store_id = $1 AND resource = $2 AND mode = $3 AND cursor = $4`, c.store, p.Resource, p.Mode, string(p.Old),
		string(p.Page.Next), p.Page.Done, c.written.Read, p.Page.Total, p.At, ended)
	if err != nil {
		return false, fmt.Errorf("cursor: %w", err)
	}
	n, err := result.RowsAffected()
	return n > 0, err
}

// start begins a pull: counts start at nothing, and the notes of an earlier sweep go. The cursor is left to
// swap, which compares it: one that is not there yet stands at the beginning.
func (c *commit) start(ctx context.Context) error {
	p := c.page
	_, err := c.tx.ExecContext(ctx, `INSERT INTO cursors (store_id, resource, mode, cursor, done, started_at, whole, unswept)
		VALUES ($1, $2, $3, '', false, $5, $4 = '', $6)
		ON CONFLICT (store_id, resource, mode) DO UPDATE
		SET started_at = EXCLUDED.started_at, whole = EXCLUDED.whole, unswept = EXCLUDED.unswept, records = 0, total = 0, seen = 0`,
		c.store, p.Resource, p.Mode, string(p.Old), p.At, p.Mode == connectors.Sweep)
	if err != nil {
		return fmt.Errorf("cursor: %w", err)
	}
	if p.Mode != connectors.Sweep {
		return nil
	}
	return dropNotes(ctx, c.tx, c.store, p.Resource)
}

// Reset makes the next pull of the resource start from the beginning, in both modes; stored records stay, and so does the
// moment of the last sweep.
func (s *Store) Reset(ctx context.Context, resource commerce.Resource) error {
	return s.write(ctx, func(tx *sqlx.Tx) error { return s.reset(ctx, tx, resource) })
}

func (s *Store) reset(ctx context.Context, tx *sqlx.Tx, resource commerce.Resource) error {
	_, err := tx.ExecContext(ctx, `UPDATE cursors SET cursor = '', done = false, whole = true, unswept = false,
		records = 0, total = 0, seen = 0, started_at = NULL WHERE store_id = $1 AND resource = $2`, s.id, resource)
	if err != nil {
		return fmt.Errorf("cursors of %s: %w", resource, err)
	}
	return dropNotes(ctx, tx, s.id, resource)
}
