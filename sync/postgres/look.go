package postgres

import (
	"context"
	"database/sql"
	"errors"
	"fmt"

	"github.com/jmoiron/sqlx"

	"github.com/perennial-cvo/perennial/connectors"
	"github.com/perennial-cvo/perennial/sync/activation"
)

// Looked returns when a destination was asked last what stands there.
func (s *Store) Looked(ctx context.Context, destination string) (activation.Looked, error) {
	var row struct {
		Whole sql.NullTime `db:"whole_at"`
		At    sql.NullTime `db:"at"`
	}
	err := s.db.GetContext(ctx, &row, `SELECT whole_at, at FROM looks WHERE store_id = $1 AND destination = $2`, s.id, destination)
	if err != nil && !errors.Is(err, sql.ErrNoRows) {
		return activation.Looked{}, fmt.Errorf("last look: %w", err)
	}
	var looked activation.Looked
	if row.Whole.Valid {
		looked.Whole = row.Whole.Time.UTC()
	}
	if row.At.Valid {
		looked.At = row.At.Time.UTC()
	}
	return looked, nil
}

// SaveLook stores it. A zero moment leaves the one that is stored.
func (s *Store) SaveLook(ctx context.Context, destination string, looked activation.Looked) error {
	whole := sql.NullTime{Time: looked.Whole, Valid: !looked.Whole.IsZero()}
	return s.write(ctx, func(tx *sqlx.Tx) error {
		_, err := tx.ExecContext(ctx, `INSERT INTO looks AS l (store_id, destination, whole_at, at) VALUES ($1, $2, $3, $4)
			ON CONFLICT (store_id, destination) DO UPDATE SET whole_at = coalesce(excluded.whole_at, l.whole_at), at = excluded.at`,
			s.id, destination, whole, looked.At)
		if err != nil {
			return fmt.Errorf("last look: %w", err)
		}
		return nil
	})
}

// Known returns those for whom something stands at a destination, or may, under one of these addresses or remote ids.
func (s *Store) Known(ctx context.Context, destination string, addresses, remotes []string) ([]connectors.Person, error) {
	var rows []struct {
		Person   int64  `db:"person_id"`
		Address  string `db:"address"`
		RemoteID string `db:"remote_id"`
	}
	err := s.db.SelectContext(ctx, &rows, `
		SELECT person_id, address, remote_id FROM deliveries
		WHERE store_id = $1 AND destination = $2 AND hash IS NOT NULL AND (address = ANY ($3) OR remote_id = ANY ($4))
		UNION SELECT person_id, address, '' FROM outbox o
		WHERE store_id = $1 AND destination = $2 AND address = ANY ($3) AND NOT EXISTS (SELECT FROM deliveries d
			WHERE d.store_id = $1 AND d.destination = $2 AND d.person_id = o.person_id AND d.hash IS NOT NULL AND d.address = o.address)
		ORDER BY person_id`, s.id, destination, pgArray(addresses), pgArray(remotes))
	if err != nil {
		return nil, fmt.Errorf("people who are known: %w", err)
	}
	people := make([]connectors.Person, len(rows))
	for i, row := range rows {
		people[i] = connectors.Person{ID: row.Person, Email: row.Address, RemoteID: row.RemoteID}
	}
	return people, nil
}
