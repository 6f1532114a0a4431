package postgres

import (
	"context"
	"fmt"

	"github.com/jmoiron/sqlx"
)

// Exported is one customer's row in an export, as text: amounts in the store's currency, local days, empty where there is
// nothing.
type Exported struct {
	CustomerID string `db:"customer_id"`
	Email      string `db:"email"`
	Orders     string `db:"orders"`
	FirstDay   string `db:"first_day"`
	LastDay    string `db:"last_day"`
	Gross      string `db:"gross"`
	Net        string `db:"net"`
	R          string `db:"r"`
	F          string `db:"f"`
	M          string `db:"m"`
	Segment    string `db:"segment"`
	Since      string `db:"since"`
	Stage      string `db:"stage"`
	Tier       string `db:"tier"`
	Churn      string `db:"churn"`
	Value      string `db:"value"` // predicted over the horizon, rounded, as it is pushed
	NextWeek   string `db:"next_week"`
	Own        string `db:"own"` // ids of the owner's segments, with spaces between
}

// Export calls each for every person with an order, in order of person, with the figures of the last analysis. It reads
// row by row, so a large shop needs no memory.
func (s *Store) Export(ctx context.Context, each func(Exported) error) error {
	return s.read(ctx, func(tx *sqlx.Tx) error {
		rows, err := tx.QueryxContext(ctx, `
			SELECT COALESCE(p.customer_id, '') AS customer_id, COALESCE(p.email, '') AS email, CAST(a.orders AS text) AS orders,
			       COALESCE(CAST(a.first_day AS text), '') AS first_day, COALESCE(CAST(a.last_day AS text), '') AS last_day,
			       CAST(a.gross AS text) AS gross, CAST(a.net AS text) AS net, COALESCE(CAST(r.r AS text), '') AS r,
			       COALESCE(CAST(r.f AS text), '') AS f, COALESCE(CAST(r.m AS text), '') AS m,
			       COALESCE(r.segment, '') AS segment, COALESCE(CAST(r.since AS text), '') AS since,
			       COALESCE(t.stage, '') AS stage, COALESCE(t.tier, '') AS tier, COALESCE(t.churn, '') AS churn,
			       COALESCE(CAST(trim_scale(t.value) AS text), '') AS value, COALESCE(CAST(t.next_week AS text), '') AS next_week,
			       COALESCE(array_to_string(t.own, ' '), '') AS own
			FROM person_stats a
			JOIN persons p ON p.store_id = a.store_id AND p.person_id = a.person_id
			LEFT JOIN rfm_scores r ON r.store_id = a.store_id AND r.person_id = a.person_id
			LEFT JOIN standings t ON t.store_id = a.store_id AND t.person_id = a.person_id
			WHERE a.store_id = $1
			ORDER BY a.person_id`, s.id)
		if err != nil {
			return fmt.Errorf("export: %w", err)
		}
		defer func() { _ = rows.Close() }() // the error of the loop is the one that counts
		for rows.Next() {
			var row Exported
			if err := rows.StructScan(&row); err != nil {
				return fmt.Errorf("export row: %w", err)
			}
			if err := each(row); err != nil {
				return err
			}
		}
		return rows.Err()
	})
}
