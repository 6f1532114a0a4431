// Package postgres keeps everything in one PostgreSQL database and holds the only SQL of the house: one file per noun,
// each query beside the one method that runs it. Store satisfies what ingest, analysis, activation and report ask for;
// DB satisfies what schedule asks for.
package postgres

import (
	"context"
	"database/sql"
	"database/sql/driver"
	"fmt"

	"github.com/jmoiron/sqlx"

	"github.com/perennial-cvo/perennial/sync/ingest"
)

// DB is one database. It is safe for concurrent use.
type DB struct {
	db        *sqlx.DB
	connector *connector
}

// Store is one shop in a database, as seen by a writer who holds the lease in an epoch. It is safe for concurrent use.
type Store struct {
	db    *sqlx.DB
	id    int64
	epoch int64
}

// Store returns the shop with this id for a writer in the given epoch. Epoch 0 is for reading: every write fails.
func (d *DB) Store(id, epoch int64) *Store { return &Store{db: d.db, id: id, epoch: epoch} }

// ID returns the shop's id.
func (s *Store) ID() int64 { return s.id }

// write runs fn in a transaction of a writer whose epoch is still that of the fence; otherwise it returns
// ingest.ErrFenced and nothing is written. The fence row stays locked until the transaction ends, so that writers of one
// shop never interleave.
func (s *Store) write(ctx context.Context, fn func(*sqlx.Tx) error) error {
	return s.fenced(ctx, `''`, fn)
}

// writeBatch is write for batches that are small beside the tables, and tells the planner so for the transaction: it would
// read a whole table for every page, most of all in a first load, when nothing was counted yet. Where it has no other way,
// the price it puts on one must not make it compile the query.
func (s *Store) writeBatch(ctx context.Context, fn func(*sqlx.Tx) error) error {
	return s.fenced(ctx, `concat(set_config('enable_hashjoin', 'off', true), set_config('enable_mergejoin', 'off', true),
		set_config('enable_seqscan', 'off', true), set_config('jit', 'off', true))`, fn)
}

// fenced runs fn behind the fence, with settings of the transaction made on the way. What fn reads it must read by
// statements of its own: one that waits for the fence sees the rest of the database as it was before the wait.
func (s *Store) fenced(ctx context.Context, settings string, fn func(*sqlx.Tx) error) error {
	if s.epoch <= 0 {
		return ingest.ErrFenced
	}
	return inTx(ctx, s.db, func(tx *sqlx.Tx) error {
		var epoch int64
		var made string
		err := tx.QueryRowxContext(ctx, `SELECT epoch, `+settings+` FROM fences WHERE store_id = $1 FOR UPDATE`, s.id).
			Scan(&epoch, &made)
		if err != nil {
			return fmt.Errorf("fence: %w", err)
		}
		if epoch != s.epoch {
			return ingest.ErrFenced
		}
		return fn(tx)
	})
}

// read runs fn in a read-only transaction with one snapshot.
func (s *Store) read(ctx context.Context, fn func(*sqlx.Tx) error) error {
	tx, err := s.db.BeginTxx(ctx, &sql.TxOptions{Isolation: sql.LevelRepeatableRead, ReadOnly: true})
	if err != nil {
		return fmt.Errorf("transaction start: %w", err)
	}
	defer func() { _ = tx.Rollback() }() // nothing was written
	return fn(tx)
}

// attempts is how often a transaction is tried that lost against another one.
const attempts = 5

// inTx commits if fn succeeds and rolls back otherwise, also on panic. A transaction that the server gave up for a
// deadlock or because it could not be put in sequence is run again from the start, so fn must set what it returns, not add to it.
func inTx(ctx context.Context, db *sqlx.DB, fn func(*sqlx.Tx) error) error {
	var err error
	for range attempts {
		err = onceInTx(ctx, db, fn)
		if state := sqlState(err); state != deadlockDetected && state != notInSequence {
			break
		}
	}
	return err
}

func onceInTx(ctx context.Context, db *sqlx.DB, fn func(*sqlx.Tx) error) (err error) {
	conn, err := db.Connx(ctx)
	if err != nil {
		return fmt.Errorf("connection: %w", err)
	}
	defer func() {
		if err != nil && ctx.Err() != nil {
			// A COPY that was cancelled may leave the connection out of step: it is not used again.
			_ = conn.Raw(func(any) error { return driver.ErrBadConn })
		}
		_ = conn.Close() // back to the pool
	}()
	tx, err := conn.BeginTxx(ctx, nil)
	if err != nil {
		return fmt.Errorf("transaction start: %w", err)
	}
	defer func() { _ = tx.Rollback() }() // no-op after a commit
	if err := fn(tx); err != nil {
		return err
	}
	if err := tx.Commit(); err != nil {
		return fmt.Errorf("commit: %w", err)
	}
	return nil
}
