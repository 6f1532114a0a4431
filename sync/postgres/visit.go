package postgres

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"time"

	"github.com/jmoiron/sqlx"
)

// Visits keeps the sessions of the dashboard, so that who is logged in stays so when the daemon starts anew, and at every
// daemon that shares the database. Tokens come as hashes.
type Visits struct {
	db  *sqlx.DB
	now func() time.Time
}

// Visits returns the sessions in this database.
func (d *DB) Visits(now func() time.Time) *Visits { return &Visits{db: d.db, now: now} }

// FindCtx returns what a session holds; found is false where there is none or it is over.
func (v *Visits) FindCtx(ctx context.Context, token string) (data []byte, found bool, err error) {
	err = v.db.GetContext(ctx, &data, `SELECT data FROM visits WHERE token = $1 AND expires_at > $2`, token, v.now())
	if errors.Is(err, sql.ErrNoRows) {
		return nil, false, nil
	}
	if err != nil {
		return nil, false, fmt.Errorf("session: %w", err)
	}
	return data, true, nil
}

// CommitCtx keeps a session until a moment, and forgets those that are over.
func (v *Visits) CommitCtx(ctx context.Context, token string, data []byte, expires time.Time) error {
	_, err := v.db.ExecContext(ctx, `WITH over AS (DELETE FROM visits WHERE expires_at <= $4 AND token <> $1)
		INSERT INTO visits (token, data, expires_at) VALUES ($1, $2, $3)
		ON CONFLICT (token) DO UPDATE SET data = excluded.data, expires_at = excluded.expires_at`, token, data, expires, v.now())
	if err != nil {
		return fmt.Errorf("session: %w", err)
	}
	return nil
}

// DeleteCtx ends a session.
func (v *Visits) DeleteCtx(ctx context.Context, token string) error {
	if _, err := v.db.ExecContext(ctx, `DELETE FROM visits WHERE token = $1`, token); err != nil {
		return fmt.Errorf("session: %w", err)
	}
	return nil
}

// Find, Commit and Delete are the same without a context, which the session library asks for and does not call.

// Find is FindCtx.
func (v *Visits) Find(token string) ([]byte, bool, error) {
	return v.FindCtx(context.Background(), token)
}

// Commit is CommitCtx.
func (v *Visits) Commit(token string, data []byte, expires time.Time) error {
	return v.CommitCtx(context.Background(), token, data, expires)
}

// Delete is DeleteCtx.
func (v *Visits) Delete(token string) error { return v.DeleteCtx(context.Background(), token) }
