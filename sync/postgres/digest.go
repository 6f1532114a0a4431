package postgres

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"time"

	"github.com/lib/pq"

	"github.com/perennial-cvo/perennial/sync/schedule"
)

// Digest is how far the weekly mails of a shop are.
type Digest struct {
	schedule.Nightly          // of the mails
	Reached          []string // who has the one after Done already
}

// Digest returns how far the weekly mails of a shop are; ok is false before BeginDigests.
func (d *DB) Digest(ctx context.Context, store int64) (digest Digest, ok bool, err error) {
	var next sql.NullTime
	err = d.db.QueryRowxContext(ctx, `SELECT done, attempts, next_try, reached FROM digests WHERE store_id = $1`, store).
		Scan(&digest.Done, &digest.Attempts, &next, pq.Array(&digest.Reached))
	if errors.Is(err, sql.ErrNoRows) {
		return Digest{}, false, nil
	}
	if err != nil {
		return Digest{}, false, fmt.Errorf("digest: %w", err)
	}
	digest.NextTry = next.Time
	return digest, true, nil
}

// BeginDigests notes that the mail of an occurrence and all before it are not sent any more. Later calls change nothing.
func (d *DB) BeginDigests(ctx context.Context, store int64, occurrence string) error {
	_, err := d.db.ExecContext(ctx, `INSERT INTO digests (store_id, done) VALUES ($1, $2) ON CONFLICT DO NOTHING`, store, occurrence)
	if err != nil {
		return fmt.Errorf("digest: %w", err)
	}
	return nil
}

// ClaimDigest keeps other processes from the mail after one that is done, for a time by the database's clock. It says no where
// another process is at it, or has answered for it.
func (d *DB) ClaimDigest(ctx context.Context, store int64, before Digest, ttl time.Duration) (bool, error) {
	result, err := d.db.ExecContext(ctx, `UPDATE digests SET claimed_until = clock_timestamp() + $4 * interval '1 microsecond'
		WHERE store_id = $1 AND done = $2 AND attempts = $3 AND (claimed_until IS NULL OR claimed_until <= clock_timestamp())`,
		store, before.Done, before.Attempts, ttl.Microseconds())
	if err != nil {
		return false, fmt.Errorf("digest: %w", err)
	}
	n, err := result.RowsAffected()
	if err != nil {
		return false, fmt.Errorf("digest: %w", err)
	}
	return n == 1, nil
}

// ReachDigest notes that somebody has the mail.
func (d *DB) ReachDigest(ctx context.Context, store int64, who string) error {
	_, err := d.db.ExecContext(ctx, `UPDATE digests SET reached = array_append(reached, $2) WHERE store_id = $1 AND $2 <> ALL (reached)`, store, who)
	if err != nil {
		return fmt.Errorf("digest: %w", err)
	}
	return nil
}

// SaveDigest ends a claim with what is known then. Whom an answered one has reached is forgotten.
func (d *DB) SaveDigest(ctx context.Context, store int64, n schedule.Nightly) error {
	_, err := d.db.ExecContext(ctx, `UPDATE digests SET reached = CASE WHEN done = $2 THEN reached ELSE '{}' END,
		done = $2, attempts = $3, next_try = $4, claimed_until = NULL WHERE store_id = $1`, store, n.Done, n.Attempts, moment(n.NextTry))
	if err != nil {
		return fmt.Errorf("digest: %w", err)
	}
	return nil
}
