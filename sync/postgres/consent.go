package postgres

import (
	"context"
	"fmt"
	"time"

	"github.com/jmoiron/sqlx"
)

// statements are all that the shop knows of people's consent, one row each, dated so that the newest decides: what has no
// date was said for ever if it is a no, and before everything else if it is a yes.
const statements = `(
	SELECT person_id, consent, coalesce(consent_at, CASE consent WHEN 'unsubscribed' THEN 'infinity'::timestamptz
		ELSE '-infinity' END) AS said_at
	FROM customers WHERE store_id = $1 AND consent <> '' AND deleted_at IS NULL
	UNION ALL
	SELECT person_id, consent, coalesce(consent_at, CASE consent WHEN 'unsubscribed' THEN 'infinity'::timestamptz
		ELSE '-infinity' END)
	FROM orders WHERE store_id = $1 AND consent <> '' AND deleted_at IS NULL
)`

// consents is the newest statement of each person; of two at the same moment the no counts.
const consents = `(
	SELECT DISTINCT ON (person_id) person_id, consent, said_at FROM ` + statements + ` AS said
	WHERE person_id IS NOT NULL ORDER BY person_id, said_at DESC, consent DESC
)`

// Suppress notes that people must not be in any audience that is mailed, at whatever destination of the shop. It holds
// until the shop has a newer statement that they subscribed themselves.
func (s *Store) Suppress(ctx context.Context, destination string, people []int64, reason string, at time.Time) error {
	if len(people) == 0 {
		return nil
	}
	return s.write(ctx, func(tx *sqlx.Tx) error {
		_, err := tx.ExecContext(ctx, `
			INSERT INTO suppressions (store_id, person_id, destination, reason, at)
			SELECT DISTINCT $1::bigint, person, $2, $3, $4::timestamptz FROM unnest($5::bigint[]) AS person
			ON CONFLICT (store_id, person_id, destination) DO UPDATE SET reason = excluded.reason, at = excluded.at`,
			s.id, destination, reason, at, pgArray(people))
		if err != nil {
			return fmt.Errorf("suppressions: %w", err)
		}
		return nil
	})
}
