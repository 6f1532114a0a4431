package postgres

import (
	"context"
	"database/sql"
	"encoding/json"
	"fmt"

	"github.com/jmoiron/sqlx"

	"github.com/perennial-cvo/perennial/analysis/report"
	"github.com/perennial-cvo/perennial/sync/activation"
)

// Deliveries returns what stands at each destination that ever received anything or was held, and what was withheld or
// refused and why: by the last plan and, since then, by the platform.
func (s *Store) Deliveries(ctx context.Context) ([]report.Delivery, error) {
	var all []report.Delivery
	err := s.read(ctx, func(tx *sqlx.Tx) error {
		var destinations []string
		err := tx.SelectContext(ctx, &destinations, `
			SELECT destination FROM audiences WHERE store_id = $1
			UNION SELECT destination FROM pushes WHERE store_id = $1
			UNION SELECT destination FROM holds WHERE store_id = $1 ORDER BY 1`, s.id)
		if err != nil {
			return fmt.Errorf("destinations: %w", err)
		}
		for _, destination := range destinations {
			d, err := s.delivered(ctx, tx, destination)
			if err != nil {
				return err
			}
			all = append(all, d)
		}
		return nil
	})
	return all, err
}

func (s *Store) delivered(ctx context.Context, tx *sqlx.Tx, destination string) (report.Delivery, error) {
	d := report.Delivery{Destination: destination}
	steps := []func(context.Context, *sqlx.Tx, *report.Delivery) error{s.pushed, s.members, s.heldBack}
	for _, step := range steps {
		if err := step(ctx, tx, &d); err != nil {
			return d, fmt.Errorf("deliveries to %s: %w", destination, err)
		}
	}
	return d, nil
}

// lastAnalysis is the run that analysed last and succeeded, 0 for none. Runs are told apart by their numbers: their times are
// those of whichever machine they ran on.
const lastAnalysis = `(SELECT coalesce(max(run_id), 0) FROM runs WHERE store_id = $1 AND kind = 'analyze' AND state = 'succeeded')`

// pushed reads the last push and the counts of people.
func (s *Store) pushed(ctx context.Context, tx *sqlx.Tx, d *report.Delivery) error {
	var at sql.NullTime
	var withheld sql.NullString
	err := tx.QueryRowxContext(ctx, `
		SELECT at, withheld::text, coalesce(unchanged, 0), coalesce(analysis < `+lastAnalysis+`, false) AS behind,
			(SELECT count(*) FROM deliveries WHERE store_id = $1 AND destination = $2 AND hash IS NOT NULL), waiting, pending
		FROM (SELECT count(*) AS waiting, count(*) FILTER (WHERE job <> '') AS pending
			FROM outbox WHERE store_id = $1 AND destination = $2) o
		LEFT JOIN pushes ON store_id = $1 AND destination = $2`, s.id, d.Destination).
		Scan(&at, &withheld, &d.Unchanged, &d.Behind, &d.Delivered, &d.Waiting, &d.Pending)
	if err != nil {
		return err
	}
	if at.Valid {
		d.PushedAt = at.Time.UTC()
	}
	if d.Retries, err = retries(ctx, tx, s.id, d.Destination); err != nil {
		return err
	}
	d.Withheld = map[string]int{}
	if withheld.Valid {
		if err := json.Unmarshal([]byte(withheld.String), &d.Withheld); err != nil {
			return err
		}
	}
	platform, err := counts(ctx, tx, `SELECT reason, count(*) FROM deliveries d WHERE store_id = $1 AND destination = $2
		AND state = 'withheld' AND NOT EXISTS (SELECT FROM outbox o WHERE o.store_id = $1 AND o.destination = $2
			AND o.person_id = d.person_id) GROUP BY reason`, s.id, d.Destination)
	if err != nil {
		return err
	}
	for reason, people := range platform {
		d.Withheld[reason] += people
	}
	d.Refused, err = counts(ctx, tx, `SELECT reason, count(*) FROM deliveries WHERE store_id = $1 AND destination = $2
		AND state = 'refused' GROUP BY reason`, s.id, d.Destination)
	return err
}

// retries counts whom a platform put off, by reason.
func retries(ctx context.Context, tx *sqlx.Tx, store int64, destination string) ([]activation.Retry, error) {
	var rows []struct {
		Reason string       `db:"reason"`
		People int          `db:"people"`
		Next   sql.NullTime `db:"next"`
	}
	err := tx.SelectContext(ctx, &rows, `SELECT reason, count(*) AS people, min(next_at) AS next FROM outbox
		WHERE store_id = $1 AND destination = $2 AND job = '' AND tried_at IS NOT NULL
		GROUP BY reason ORDER BY people DESC, reason COLLATE "C"`, store, destination)
	if err != nil {
		return nil, fmt.Errorf("people put off: %w", err)
	}
	var all []activation.Retry
	for _, row := range rows {
		retry := activation.Retry{Reason: row.Reason, People: row.People}
		if row.Next.Valid {
			retry.NextTry = row.Next.Time.UTC()
		}
		all = append(all, retry)
	}
	return all, nil
}

// members counts who stands in each audience, the empty ones included.
func (s *Store) members(ctx context.Context, tx *sqlx.Tx, d *report.Delivery) error {
	var rows []struct {
		Key     string `db:"key"`
		Name    string `db:"name"`
		Members int    `db:"members"`
	}
	err := tx.SelectContext(ctx, &rows, `
		SELECT coalesce(a.key, m.key) AS key, coalesce(a.name, m.key) AS name, coalesce(m.members, 0) AS members
		FROM (SELECT key, name FROM audiences WHERE store_id = $1 AND destination = $2) a
		FULL JOIN (SELECT key, count(*) AS members FROM deliveries, unnest(audiences) AS key
			WHERE store_id = $1 AND destination = $2 AND hash IS NOT NULL GROUP BY key) m ON m.key = a.key
		ORDER BY 1`, s.id, d.Destination)
	if err != nil {
		return err
	}
	for _, row := range rows {
		d.Audiences = append(d.Audiences, report.AudienceCount{Key: row.Key, Name: row.Name, Members: row.Members})
	}
	return nil
}

// heldBack reads what the guard holds.
func (s *Store) heldBack(ctx context.Context, tx *sqlx.Tx, d *report.Delivery) error {
	var rows []struct {
		Key    string `db:"key"`
		Name   string `db:"name"`
		Before int    `db:"before"`
		After  int    `db:"after"`
	}
	err := tx.SelectContext(ctx, &rows, `SELECT key, name, before, after FROM holds
		WHERE store_id = $1 AND destination = $2 ORDER BY key`, s.id, d.Destination)
	if err != nil {
		return err
	}
	for _, row := range rows {
		d.Held = append(d.Held, report.Held{Key: row.Key, Name: row.Name, Before: row.Before, After: row.After})
	}
	return nil
}
