package postgres

import (
	"context"
	"fmt"
	"time"

	"github.com/jmoiron/sqlx"
	"github.com/lib/pq"

	"github.com/perennial-cvo/perennial/sync/activation"
)

// Writing is what a push would write for one person.
type Writing struct {
	Address    string         `db:"address"`    // e-mail address, or the id of the account at the shop itself
	Before     pq.StringArray `db:"before"`     // audiences that stand there
	After      pq.StringArray `db:"after"`      // audiences that shall
	Attributes string         `db:"attributes"` // JSON of what shall stand there
	Reason     string         `db:"reason"`     // why the person is taken out, where the plan knows
}

// Writings calls each for everybody for whom a push would write something now, in order of person, and stores nothing. It
// reads row by row.
func (s *Store) Writings(ctx context.Context, target activation.Target, at time.Time, each func(Writing) error) error {
	p, err := newPlanner(s.id, target, at)
	if err != nil {
		return err
	}
	return s.read(ctx, func(tx *sqlx.Tx) error {
		query := "WITH" + p.comparison() + `
			SELECT ` + goalAddress + ` AS address, coalesce(c.before, '{}'::text[]) AS before, ` + p.goalAudiences() + ` AS after,
				CAST(` + p.goalAttributes() + ` AS text) AS attributes, coalesce(c.reason, '') AS reason
			FROM ` + details + ` WHERE c.verdict = 'change' ORDER BY c.person_id`
		query, args, err := p.arguments(ctx, tx, query)
		if err != nil {
			return err
		}
		rows, err := tx.QueryxContext(ctx, query, args...)
		if err != nil {
			return fmt.Errorf("difference: %w", err)
		}
		defer func() { _ = rows.Close() }() // rows.Err tells what went wrong
		for rows.Next() {
			var w Writing
			if err := rows.StructScan(&w); err != nil {
				return fmt.Errorf("difference: %w", err)
			}
			if err := each(w); err != nil {
				return err
			}
		}
		return rows.Err()
	})
}
