package postgres

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"time"

	"github.com/jmoiron/sqlx"
	"github.com/lib/pq"

	"github.com/perennial-cvo/perennial/connectors"
	"github.com/perennial-cvo/perennial/sync/activation"
)

// longJob is from how many bytes on a job goes by the digest of its text: each person in it and the index hold its name.
const longJob = 200

// nameOf is what a job goes by, and its text where that is another.
func nameOf(job connectors.Job) (name, text string) {
	if len(job) < longJob {
		return string(job), ""
	}
	sum := sha256.Sum256([]byte(job))
	return "sha256:" + hex.EncodeToString(sum[:]), string(job)
}

// SaveJob stores a pending job with the people in it; the empty job takes people out of theirs.
func (s *Store) SaveJob(
	ctx context.Context, destination string, job connectors.Job, people []int64, at time.Time,
) error {
	name, text := nameOf(job)
	return s.write(ctx, func(tx *sqlx.Tx) error {
		if job != "" {
			_, err := tx.ExecContext(ctx, `INSERT INTO jobs (store_id, destination, job, text, started_at)
				VALUES ($1, $2, $3, $4, $5) ON CONFLICT (store_id, destination, job) DO NOTHING`,
				s.id, destination, name, text, at)
			if err != nil {
				return fmt.Errorf("job: %w", err)
			}
		}
		_, err := tx.ExecContext(ctx, `UPDATE outbox SET job = $3
			WHERE store_id = $1 AND destination = $2 AND person_id = ANY ($4)`,
			s.id, destination, name, pgArray(people))
		if err != nil {
			return fmt.Errorf("people of a job: %w", err)
		}
		return s.endJobs(ctx, tx, destination)
	})
}

// endJobs removes jobs without people.
func (s *Store) endJobs(ctx context.Context, tx *sqlx.Tx, destination string) error {
	_, err := tx.ExecContext(ctx, `DELETE FROM jobs j WHERE store_id = $1 AND destination = $2 AND NOT EXISTS (
		SELECT FROM outbox o WHERE o.store_id = $1 AND o.destination = $2 AND o.job = j.job)`, s.id, destination)
	if err != nil {
		return fmt.Errorf("jobs: %w", err)
	}
	return nil
}

// Jobs returns pending jobs, oldest first.
func (s *Store) Jobs(ctx context.Context, destination string) ([]activation.Pending, error) {
	var rows []struct {
		Job       string        `db:"job"`
		StartedAt time.Time     `db:"started_at"`
		People    pq.Int64Array `db:"people"`
	}
	err := s.db.SelectContext(ctx, &rows, `
		SELECT coalesce(nullif(j.text, ''), j.job) AS job, j.started_at, ARRAY(SELECT o.person_id FROM outbox o
			WHERE o.store_id = $1 AND o.destination = $2 AND o.job = j.job ORDER BY o.person_id) AS people
		FROM jobs j WHERE j.store_id = $1 AND j.destination = $2 ORDER BY j.started_at, j.job`, s.id, destination)
	if err != nil {
		return nil, fmt.Errorf("jobs: %w", err)
	}
	pending := make([]activation.Pending, len(rows))
	for i, row := range rows {
		pending[i] = activation.Pending{Job: connectors.Job(row.Job), People: row.People, StartedAt: row.StartedAt.UTC()}
	}
	return pending, nil
}
