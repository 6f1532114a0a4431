package postgres

import (
	"context"
	"fmt"
	"slices"
	"time"

	"github.com/jmoiron/sqlx"

	"github.com/perennial-cvo/perennial/connectors"
	"github.com/perennial-cvo/perennial/sync/activation"
)

var _ activation.Ledger = (*Store)(nil)

// Audiences returns the audiences made for a destination so far, by key.
func (s *Store) Audiences(ctx context.Context, destination string) ([]connectors.Audience, error) {
	var rows []struct {
		Key  string `db:"key"`
		Name string `db:"name"`
		ID   string `db:"remote_id"`
	}
	err := s.db.SelectContext(ctx, &rows, `SELECT key, name, remote_id FROM audiences
		WHERE store_id = $1 AND destination = $2 ORDER BY key`, s.id, destination)
	if err != nil {
		return nil, fmt.Errorf("audiences: %w", err)
	}
	audiences := make([]connectors.Audience, len(rows))
	for i, row := range rows {
		audiences[i] = connectors.Audience{Key: row.Key, Name: row.Name, ID: row.ID}
	}
	return audiences, nil
}

// SaveAudiences stores audiences with their remote ids, writing only those that differ.
func (s *Store) SaveAudiences(ctx context.Context, destination string, audiences []connectors.Audience) error {
	return s.write(ctx, func(tx *sqlx.Tx) error {
		for _, a := range audiences {
			_, err := tx.ExecContext(ctx, `
				INSERT INTO audiences AS a (store_id, destination, key, name, remote_id) VALUES ($1, $2, $3, $4, $5)
				ON CONFLICT (store_id, destination, key) DO UPDATE SET name = excluded.name, remote_id = excluded.remote_id
				WHERE (a.name, a.remote_id) <> (excluded.name, excluded.remote_id)`,
				s.id, destination, a.Key, a.Name, a.ID)
			if err != nil {
				return fmt.Errorf("audience %s: %w", a.Key, err)
			}
		}
		return nil
	})
}

// Filled notes when everybody had been handed over who was to be in the target's audiences at first, and drops the memory of
// what was told of people who left under an older address and have not come back under another one.
func (s *Store) Filled(ctx context.Context, target activation.Target, at time.Time) error {
	keys := make([]string, len(target.Audiences))
	for i, a := range target.Audiences {
		keys[i] = a.Key
	}
	return s.write(ctx, func(tx *sqlx.Tx) error {
		_, err := tx.ExecContext(ctx, `
			UPDATE audiences SET filled_at = CASE WHEN key = ANY ($3) THEN $4::timestamptz END
			WHERE store_id = $1 AND destination = $2 AND (key = ANY ($3)) = (filled_at IS NULL)`,
			s.id, target.Destination, pgArray(keys), at)
		if err != nil {
			return fmt.Errorf("filled audiences: %w", err)
		}
		return s.drop(ctx, tx, `hash IS NULL AND tried_hash IS NULL AND NOT EXISTS (SELECT FROM outbox o
			WHERE o.store_id = $1 AND o.destination = $2 AND o.person_id = d.person_id)`, target.Destination)
	})
}

// filled returns since when joining and leaving a target's audiences is news.
func (s *Store) filled(ctx context.Context, target activation.Target) (map[string]time.Time, error) {
	var rows []struct {
		Key string    `db:"key"`
		At  time.Time `db:"filled_at"`
	}
	err := s.db.SelectContext(ctx, &rows, `SELECT key, filled_at FROM audiences
		WHERE store_id = $1 AND destination = $2 AND filled_at IS NOT NULL`, s.id, target.Destination)
	if err != nil {
		return nil, fmt.Errorf("filled audiences: %w", err)
	}
	filled := map[string]time.Time{}
	for _, row := range rows {
		if slices.ContainsFunc(target.Audiences, func(a connectors.Audience) bool { return a.Key == row.Key }) {
			filled[row.Key] = row.At
		}
	}
	return filled, nil
}

// ForgetAudiences drops the audiences made for a destination, with holds, jobs and the rest of its work list.
func (s *Store) ForgetAudiences(ctx context.Context, destination string) error {
	return s.write(ctx, func(tx *sqlx.Tx) error {
		for _, statement := range []string{
			`DELETE FROM audiences WHERE store_id = $1 AND destination = $2`,
			`DELETE FROM holds WHERE store_id = $1 AND destination = $2`,
			`DELETE FROM jobs WHERE store_id = $1 AND destination = $2`,
			`DELETE FROM outbox WHERE store_id = $1 AND destination = $2`,
			`DELETE FROM pushes WHERE store_id = $1 AND destination = $2`,
			`DELETE FROM looks WHERE store_id = $1 AND destination = $2`,
		} {
			if _, err := tx.ExecContext(ctx, statement, s.id, destination); err != nil {
				return fmt.Errorf("audiences: %w", err)
			}
		}
		return s.drop(ctx, tx, `hash IS NULL`, destination)
	})
}
