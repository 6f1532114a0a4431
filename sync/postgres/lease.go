package postgres

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"time"

	"github.com/jmoiron/sqlx"

	"github.com/perennial-cvo/perennial/sync/ingest"
	"github.com/perennial-cvo/perennial/sync/schedule"
)

var _ schedule.Ledger = (*DB)(nil)

// Acquire takes or renews a lease. Time is the database's own, so that machines whose clocks disagree still agree on who
// holds it. When the lease changes hands, the fence goes up in the same transaction: it waits for a write of the former
// holder that is under way, and fences off all later ones.
func (d *DB) Acquire(ctx context.Context, store int64, holder string, ttl time.Duration) (int64, bool, error) {
	var epoch int64
	err := inTx(ctx, d.db, func(tx *sqlx.Tx) error {
		err := tx.GetContext(ctx, &epoch, `INSERT INTO leases AS l (store_id, epoch, holder, expires_at)
			VALUES ($1, 1, $2, clock_timestamp() + $3 * interval '1 microsecond')
			ON CONFLICT (store_id) DO UPDATE
			SET epoch = CASE WHEN l.holder = EXCLUDED.holder THEN l.epoch ELSE l.epoch + 1 END,
				holder = EXCLUDED.holder, expires_at = EXCLUDED.expires_at
			WHERE l.holder = EXCLUDED.holder OR l.expires_at <= clock_timestamp()
			RETURNING epoch`, store, holder, ttl.Microseconds())
		if err != nil {
			return err
		}
		// A renewal leaves the fence alone: it would wait for a long write of its own holder, and be too late.
		_, err = tx.ExecContext(ctx, `INSERT INTO fences AS f (store_id, epoch)
			SELECT $1, $2 WHERE NOT EXISTS (SELECT FROM fences WHERE store_id = $1 AND epoch >= $2)
			ON CONFLICT (store_id) DO UPDATE SET epoch = EXCLUDED.epoch WHERE f.epoch < EXCLUDED.epoch`, store, epoch)
		return err
	})
	switch {
	case errors.Is(err, sql.ErrNoRows), sqlState(err) == lockNotAvailable:
		return 0, false, nil
	case err != nil:
		return 0, false, fmt.Errorf("lease: %w", err)
	}
	return epoch, true, nil
}

// Release gives a lease back; one that is no longer the holder's in this epoch is left alone.
func (d *DB) Release(ctx context.Context, store int64, holder string, epoch int64) error {
	_, err := d.db.ExecContext(ctx, `UPDATE leases SET holder = '', expires_at = clock_timestamp()
		WHERE store_id = $1 AND holder = $2 AND epoch = $3`, store, holder, epoch)
	if err != nil {
		return fmt.Errorf("lease: %w", err)
	}
	return nil
}

// Nightly returns the state of a shop's schedule; the zero state where nothing is known.
func (d *DB) Nightly(ctx context.Context, store int64) (schedule.Nightly, error) {
	var n schedule.Nightly
	var next sql.NullTime
	err := d.db.QueryRowxContext(ctx, `SELECT done, attempts, next_try FROM nightlies WHERE store_id = $1`, store).
		Scan(&n.Done, &n.Attempts, &next)
	if err != nil && !errors.Is(err, sql.ErrNoRows) {
		return schedule.Nightly{}, fmt.Errorf("schedule: %w", err)
	}
	n.NextTry = next.Time
	return n, nil
}

// SaveNightly stores the state of a shop's schedule. It returns ingest.ErrFenced where the lease has another epoch.
func (d *DB) SaveNightly(ctx context.Context, store int64, epoch int64, n schedule.Nightly) error {
	return inTx(ctx, d.db, func(tx *sqlx.Tx) error {
		var held int64
		err := tx.GetContext(ctx, &held, `SELECT epoch FROM leases WHERE store_id = $1 FOR UPDATE`, store)
		if errors.Is(err, sql.ErrNoRows) || err == nil && held != epoch {
			return ingest.ErrFenced
		}
		if err != nil {
			return fmt.Errorf("schedule: %w", err)
		}
		_, err = tx.ExecContext(ctx, `INSERT INTO nightlies (store_id, done, attempts, next_try) VALUES ($1, $2, $3, $4)
			ON CONFLICT (store_id) DO UPDATE SET done = EXCLUDED.done, attempts = EXCLUDED.attempts, next_try = EXCLUDED.next_try`,
			store, n.Done, n.Attempts, moment(n.NextTry))
		if err != nil {
			return fmt.Errorf("schedule: %w", err)
		}
		return nil
	})
}

// moment is t for the database: null where it is zero.
func moment(t time.Time) sql.NullTime { return sql.NullTime{Time: t.UTC(), Valid: !t.IsZero()} }
