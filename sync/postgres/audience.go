package postgres

import (
	"context"
	"fmt"

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

// ForgetAudiences drops the audiences made for a destination, with holds, jobs and the rest of its work list.
func (s *Store) ForgetAudiences(ctx context.Context, destination string) error {
	return s.write(ctx, func(tx *sqlx.Tx) error {
		for _, statement := range []string{
			`DELETE FROM audiences WHERE store_id = $1 AND destination = $2`,
			`DELETE FROM holds WHERE store_id = $1 AND destination = $2`,
			`DELETE FROM jobs WHERE store_id = $1 AND destination = $2`,
			`DELETE FROM outbox WHERE store_id = $1 AND destination = $2`,
			`DELETE FROM deliveries WHERE store_id = $1 AND destination = $2 AND hash IS NULL`,
			`DELETE FROM pushes WHERE store_id = $1 AND destination = $2`,
		} {
			if _, err := tx.ExecContext(ctx, statement, s.id, destination); err != nil {
				return fmt.Errorf("audiences: %w", err)
			}
		}
		return nil
	})
}
