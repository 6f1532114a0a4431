package postgres

import (
	"context"
	"database/sql"
	"encoding/json"
	"fmt"
	"time"

	"github.com/jmoiron/sqlx"

	"github.com/perennial-cvo/perennial/sync/schedule"
)

// interrupted is the kind of error of a run whose process died.
const interrupted = "interrupted"

// endInterrupted books open runs of a shop as failed; what follows says of which kinds.
const endInterrupted = `UPDATE runs SET state = $3, ended_at = $2, error_kind = $5,
	error = 'the process ended before the run did', remedy = 'nothing: the next run goes on where this one stopped'
	WHERE store_id = $1 AND state = $4 AND `

// EndInterrupted closes the runs that are still open: the lease allows one writer, so that whoever left them died. A weekly
// mail may be under way without it.
func (d *DB) EndInterrupted(ctx context.Context, store int64, at time.Time) error {
	_, err := d.db.ExecContext(ctx, endInterrupted+`kind <> $6`, store, at, schedule.Failed, schedule.Running, interrupted, schedule.Digest)
	if err != nil {
		return fmt.Errorf("interrupted runs: %w", err)
	}
	return nil
}

// StartRun opens a line in the ledger of runs. A line of the same kind that is still open belongs to a process that died.
func (d *DB) StartRun(ctx context.Context, store int64, kind string, at time.Time) (int64, error) {
	var run int64
	err := inTx(ctx, d.db, func(tx *sqlx.Tx) error {
		_, err := tx.ExecContext(ctx, endInterrupted+`kind = $6`, store, at, schedule.Failed, schedule.Running, interrupted, kind)
		if err != nil {
			return err
		}
		return tx.GetContext(ctx, &run, `INSERT INTO runs (store_id, kind, state, started_at) VALUES ($1, $2, $3, $4)
			RETURNING run_id`, store, kind, schedule.Running, at)
	})
	if err != nil {
		return 0, fmt.Errorf("run start: %w", err)
	}
	return run, nil
}

// EndRun closes a line in the ledger of runs.
func (d *DB) EndRun(ctx context.Context, store int64, run int64, end schedule.End) error {
	counts, err := json.Marshal(end.Counts)
	if err != nil || end.Counts == nil {
		counts = []byte("{}")
	}
	_, err = d.db.ExecContext(ctx, `UPDATE runs SET ended_at = $3, state = $4, counts = $5, error = $6, error_kind = $7, remedy = $8
		WHERE store_id = $1 AND run_id = $2`,
		store, run, end.At, end.State, string(counts), storable(end.Error), storable(end.Kind), storable(end.Remedy))
	if err != nil {
		return fmt.Errorf("run end: %w", err)
	}
	return nil
}

// LastRun returns when the last run of a kind ended, however it did, or began, where it has not or nobody knows when; zero
// where there is none.
func (d *DB) LastRun(ctx context.Context, store int64, kind string) (time.Time, error) {
	var at sql.NullTime
	err := d.db.QueryRowxContext(ctx, `SELECT max(CASE WHEN error_kind = $3 THEN started_at ELSE coalesce(ended_at, started_at) END)
		FROM runs WHERE store_id = $1 AND kind = $2`, store, kind, interrupted).Scan(&at)
	if err != nil {
		return time.Time{}, fmt.Errorf("last run: %w", err)
	}
	return at.Time, nil
}

// RunTimes returns when the first and the last run of a kind started that succeeded; zero where there is none.
func (d *DB) RunTimes(ctx context.Context, store int64, kind string) (first, last time.Time, err error) {
	var from, to sql.NullTime
	err = d.db.QueryRowxContext(ctx, `SELECT min(started_at), max(started_at) FROM runs
		WHERE store_id = $1 AND kind = $2 AND state = $3`, store, kind, schedule.Succeeded).Scan(&from, &to)
	if err != nil {
		return time.Time{}, time.Time{}, fmt.Errorf("run times: %w", err)
	}
	return from.Time, to.Time, nil
}
