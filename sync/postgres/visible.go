package postgres

import (
	"context"
	"fmt"
	"time"

	"github.com/jmoiron/sqlx"

	"github.com/perennial-cvo/perennial/connectors/commerce"
)

// SetVisible notes that the key sees no orders placed before a moment. The first such moment stays, since orders that were
// read once are kept when the shop hides them later; it moves on only over a time in which nothing was read. The zero
// moment changes nothing: Widen is for a key that sees everything.
func (d *DB) SetVisible(ctx context.Context, id int64, since time.Time) error {
	if since.IsZero() {
		return nil
	}
	_, err := d.db.ExecContext(ctx, `UPDATE stores SET visible_since = $2 WHERE store_id = $1
		AND (visible_since IS NULL OR visible_since < $2 AND NOT EXISTS (SELECT FROM cursors
			WHERE store_id = $1 AND resource = $3 AND greatest(started_at, read_at) >= $2))`, id, since, commerce.Orders)
	if err != nil {
		return fmt.Errorf("visible orders: %w", err)
	}
	return nil
}

// Widen notes that the key sees all orders. Where it did not before, they are read anew from the beginning, and until that
// is done the shop counts as not loaded, so that nothing half-read is analysed or pushed; then it returns true.
func (s *Store) Widen(ctx context.Context) (again bool, err error) {
	var narrow bool
	const known = `SELECT visible_since IS NOT NULL FROM stores WHERE store_id = $1`
	if err := s.db.GetContext(ctx, &narrow, known, s.id); err != nil {
		return false, fmt.Errorf("visible orders: %w", err)
	}
	if !narrow {
		return false, nil
	}
	err = s.write(ctx, func(tx *sqlx.Tx) error {
		_, err := tx.ExecContext(ctx, `UPDATE stores SET visible_since = NULL, loaded_at = NULL WHERE store_id = $1`, s.id)
		if err != nil {
			return fmt.Errorf("visible orders: %w", err)
		}
		return s.reset(ctx, tx, commerce.Orders)
	})
	return err == nil, err
}
