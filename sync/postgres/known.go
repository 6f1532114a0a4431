package postgres

import (
	"context"
	"fmt"

	"github.com/jmoiron/sqlx"
)

// remembered is true of deliveries d that name a person whom a platform of e-mail had. When nothing stands for them any more
// the row stays and says just that: whoever is gone from the platform since is not created there again.
const remembered = `(d.remote_id <> '' AND d.address LIKE '%@%')`

// bare is what such a row says, beside the id and the address.
const bare = `audiences = '{}', attributes = '{}', hash = NULL, tried_hash = NULL, told = NULL, state = 'delivered', reason = ''`

// isBare is true of deliveries d that say no more than that.
const isBare = `(d.hash IS NULL AND d.tried_hash IS NULL AND d.told IS NULL AND d.state = 'delivered')`

// drop drops deliveries d of a destination ($1 store, $2 destination), but for whom the platform had.
func (s *Store) drop(ctx context.Context, tx *sqlx.Tx, which string, arguments ...any) error {
	arguments = append([]any{s.id}, arguments...)
	for _, statement := range []string{
		`UPDATE deliveries d SET ` + bare + ` WHERE store_id = $1 AND destination = $2 AND ` + which + ` AND ` + remembered + ` AND NOT ` + isBare,
		`DELETE FROM deliveries d WHERE store_id = $1 AND destination = $2 AND ` + which + ` AND NOT ` + remembered,
	} {
		if _, err := tx.ExecContext(ctx, statement, arguments...); err != nil {
			return fmt.Errorf("deliveries: %w", err)
		}
	}
	return nil
}

// Release drops what stands for people who were taken out of a destination, but for whom the platform had.
func (s *Store) Release(ctx context.Context, destination string, people []int64) error {
	if len(people) == 0 {
		return nil
	}
	return s.write(ctx, func(tx *sqlx.Tx) error {
		if err := s.drop(ctx, tx, `person_id = ANY ($3)`, destination, pgArray(people)); err != nil {
			return err
		}
		return s.leaveWorkList(ctx, tx, destination, people)
	})
}

// leaveWorkList takes people from the work list, and ends the jobs in which nobody is left.
func (s *Store) leaveWorkList(ctx context.Context, tx *sqlx.Tx, destination string, people []int64) error {
	_, err := tx.ExecContext(ctx, `DELETE FROM outbox WHERE store_id = $1 AND destination = $2 AND person_id = ANY ($3)`,
		s.id, destination, pgArray(people))
	if err != nil {
		return fmt.Errorf("work list: %w", err)
	}
	return s.endJobs(ctx, tx, destination)
}
