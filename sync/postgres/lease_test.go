package postgres_test

import (
	"context"
	"errors"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/jmoiron/sqlx"
	"github.com/stretchr/testify/require"

	"github.com/perennial-cvo/perennial/connectors"
	"github.com/perennial-cvo/perennial/connectors/commerce"
	"github.com/perennial-cvo/perennial/sync/ingest"
	"github.com/perennial-cvo/perennial/sync/postgres"
	"github.com/perennial-cvo/perennial/sync/schedule"
)

func TestLeaseChangesHands(t *testing.T) {
	s := newShop(t)
	ctx := context.Background()
	epoch, ok, err := s.db.Acquire(ctx, s.id, "test", time.Hour)
	require.NoError(t, err)
	require.True(t, ok)
	require.Equal(t, s.epoch, epoch, "renewing keeps the epoch")

	_, err = s.raw.Exec(`UPDATE leases SET expires_at = now() - interval '1 second'`)
	require.NoError(t, err)
	var wait sync.WaitGroup
	var mu sync.Mutex
	winners := map[int64]string{}
	for _, holder := range []string{"a", "b", "c", "d"} {
		wait.Go(func() {
			epoch, ok, err := s.db.Acquire(ctx, s.id, holder, time.Hour)
			mu.Lock()
			defer mu.Unlock()
			if err == nil && ok {
				winners[epoch] = holder
			}
		})
	}
	wait.Wait()
	require.Len(t, winners, 1, "one of many gets it")
	require.Contains(t, winners, s.epoch+1)

	require.NoError(t, s.db.Release(ctx, s.id, "test", s.epoch), "the former holder gives back nothing")
	_, ok, err = s.db.Acquire(ctx, s.id, "late", time.Hour)
	require.NoError(t, err)
	require.False(t, ok)
}

// TestLeaseIsRenewedDuringALongWrite: a transaction may take longer than a lease lasts.
func TestLeaseIsRenewedDuringALongWrite(t *testing.T) {
	s := newShop(t)
	writing, err := s.raw.Begin()
	require.NoError(t, err)
	defer func() { _ = writing.Rollback() }()
	_, err = writing.Exec(`SELECT FROM fences WHERE store_id = $1 FOR UPDATE`, s.id)
	require.NoError(t, err)
	ctx, cancel := context.WithTimeout(context.Background(), 5*time.Second)
	defer cancel()
	epoch, ok, err := s.db.Acquire(ctx, s.id, "test", time.Hour)
	require.NoError(t, err)
	require.True(t, ok)
	require.Equal(t, s.epoch, epoch)
}

// TestTwoWritersOneWins lets two writers commit the same pages as fast as they can.
func TestTwoWritersOneWins(t *testing.T) {
	s := newShop(t)
	ctx := context.Background()
	var wait sync.WaitGroup
	results := make([]error, 8)
	for i := range results {
		wait.Go(func() {
			_, results[i] = s.Commit(ctx, ingest.Commit{
				Resource: commerce.Orders, Mode: connectors.Increment, At: noon,
				Page: connectors.Page{Records: whole(order("1", "7", "ann@example.com")), Next: "a"},
			})
		})
	}
	wait.Wait()
	won := 0
	for _, err := range results {
		if err == nil {
			won++
			continue
		}
		require.ErrorIs(t, err, ingest.ErrCursorMoved)
	}
	require.Equal(t, 1, won)
	require.Equal(t, 1, one[int](s, `SELECT count(*) FROM persons`))
}

// TestDeadlockIsTriedAgain lets two transactions lock the same two rows in opposite order.
func TestDeadlockIsTriedAgain(t *testing.T) {
	s := newShop(t)
	s.put(commerce.Orders, whole(order("1", "7", ""), order("2", "7", "")))
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()
	var first sync.WaitGroup
	first.Add(2)
	var tries atomic.Int64
	lock := func(ids ...string) error {
		met := false
		return postgres.InTx(ctx, s.db, func(tx *sqlx.Tx) error {
			tries.Add(1)
			for i, id := range ids {
				if _, err := tx.ExecContext(ctx, `UPDATE orders SET number = number || 'x' WHERE id = $1`, id); err != nil {
					return err
				}
				if i == 0 && !met { // both hold their first row before either asks for the other's
					met = true
					first.Done()
					first.Wait()
				}
			}
			return nil
		})
	}
	errs := make([]error, 2)
	var wait sync.WaitGroup
	wait.Go(func() { errs[0] = lock("1", "2") })
	wait.Go(func() { errs[1] = lock("2", "1") })
	wait.Wait()
	require.NoError(t, errors.Join(errs...))
	require.GreaterOrEqual(t, tries.Load(), int64(3), "the one that lost was run again")
	require.Equal(t, []string{"1xx", "2xx"}, all[string](s, `SELECT number FROM orders ORDER BY id`))
}

func TestNightlyBelongsToTheLease(t *testing.T) {
	s := newShop(t)
	ctx := context.Background()
	none, err := s.db.Nightly(ctx, s.id)
	require.NoError(t, err)
	require.Equal(t, schedule.Nightly{}, none)
	want := schedule.Nightly{Done: "2026-03-01T03:00", Attempts: 2, NextTry: noon}
	require.NoError(t, s.db.SaveNightly(ctx, s.id, s.epoch, want))
	got, err := s.db.Nightly(ctx, s.id)
	require.NoError(t, err)
	require.True(t, got.NextTry.Equal(want.NextTry))
	require.Equal(t, want.Done, got.Done)
	require.ErrorIs(t, s.db.SaveNightly(ctx, s.id, s.epoch-1, want), ingest.ErrFenced)
	require.NoError(t, s.db.SaveNightly(ctx, s.id, s.epoch, schedule.Nightly{Done: "2026-03-02T03:00"}))
	got, err = s.db.Nightly(ctx, s.id)
	require.NoError(t, err)
	require.True(t, got.NextTry.IsZero())
}

func TestRunsOfDeadProcessesAreClosed(t *testing.T) {
	s := newShop(t)
	ctx := context.Background()
	_, err := s.db.StartRun(ctx, s.id, "sync", noon)
	require.NoError(t, err)
	push, err := s.db.StartRun(ctx, s.id, "push", noon)
	require.NoError(t, err)
	again, err := s.db.StartRun(ctx, s.id, "sync", noon.Add(time.Hour))
	require.NoError(t, err)
	require.NoError(t, s.db.EndRun(ctx, s.id, again, schedule.End{
		At: noon.Add(2 * time.Hour), State: schedule.Succeeded, Counts: map[string]int{"read": 3}, Error: "odd \x00 byte",
	}))
	require.NoError(t, s.db.EndRun(ctx, s.id, push, schedule.End{At: noon, State: schedule.Held}))
	require.Equal(t, []string{"sync failed", "push held", "sync succeeded"}, all[string](s, `SELECT kind || ' ' || state FROM runs ORDER BY run_id`))
	require.Equal(t, 3, one[int](s, `SELECT (counts->>'read')::int FROM runs WHERE run_id = $1`, again))
}

// TestRunsOfADeadHolderAreClosedByTheNext: what is done once a week is not begun by the night after.
func TestRunsOfADeadHolderAreClosedByTheNext(t *testing.T) {
	s := newShop(t)
	ctx := context.Background()
	began := noon.Add(-6 * 24 * time.Hour)
	for _, kind := range []string{"worth", "sync", schedule.Digest} {
		_, err := s.db.StartRun(ctx, s.id, kind, began)
		require.NoError(t, err)
	}
	require.NoError(t, s.db.Release(ctx, s.id, "test", s.epoch))

	holder := schedule.Holder{Ledger: s.db, Name: "next", TTL: time.Hour, Now: func() time.Time { return noon }}
	require.NoError(t, holder.Hold(ctx, s.id, func(context.Context, int64) error {
		require.Equal(t, []string{"worth failed interrupted", "sync failed interrupted", "digest running "},
			all[string](s, `SELECT kind || ' ' || state || ' ' || error_kind FROM runs ORDER BY run_id`))
		return nil
	}))
	last, err := s.db.LastRun(ctx, s.id, "sync")
	require.NoError(t, err)
	require.True(t, last.Equal(began), "a reading that was cut off is no newer for having been found: %s", last)
}

// TestWriterBehindTheFenceSeesWhatWasChangedBeforeIt lets a page wait for the fence while the rules are changed.
func TestWriterBehindTheFenceSeesWhatWasChangedBeforeIt(t *testing.T) {
	s := newShop(t)
	ctx := context.Background()
	tx, err := s.raw.BeginTx(ctx, nil)
	require.NoError(t, err)
	defer func() { _ = tx.Rollback() }() // no-op after the commit
	_, err = tx.Exec(`SELECT FROM fences WHERE store_id = $1 FOR UPDATE`, s.id)
	require.NoError(t, err)
	_, err = tx.Exec(`UPDATE stores SET policy = jsonb_set(policy, '{statuses,completed}', 'false') WHERE store_id = $1`, s.id)
	require.NoError(t, err)

	done := make(chan error, 1)
	go func() {
		_, err := s.Commit(ctx, ingest.Commit{
			Resource: commerce.Orders, Mode: connectors.Increment, At: noon,
			Page: connectors.Page{Records: whole(order("1", "", "")), Next: "a"},
		})
		done <- err
	}()
	require.Eventually(t, func() bool {
		return one[int](s, `SELECT count(*) FROM pg_locks WHERE NOT granted`) > 0
	}, time.Minute, time.Millisecond, "the page waits for the fence")
	require.NoError(t, tx.Commit())
	require.NoError(t, <-done)
	require.False(t, one[bool](s, `SELECT counted FROM orders`))
}

// TestPullThatStartsElsewhereIsRefused keeps a first page from moving a cursor that is not where it says.
func TestPullThatStartsElsewhereIsRefused(t *testing.T) {
	s := newShop(t)
	ctx := context.Background()
	page := ingest.Commit{
		Resource: commerce.Orders, Mode: connectors.Sweep, Old: "elsewhere", Start: true, At: noon,
		Page: connectors.Page{Records: whole(order("1", "", "")), Next: "a"},
	}
	_, err := s.Commit(ctx, page)
	require.ErrorIs(t, err, ingest.ErrCursorMoved, "there is no cursor yet")
	page.Old = ""
	_, err = s.Commit(ctx, page)
	require.NoError(t, err)
	page.Page.Next = "b"
	for _, start := range []bool{true, false} {
		page.Start = start
		_, err = s.Commit(ctx, page)
		require.ErrorIs(t, err, ingest.ErrCursorMoved, "the cursor has moved on")
	}
	stand, err := s.Cursor(ctx, commerce.Orders, connectors.Sweep)
	require.NoError(t, err)
	require.EqualValues(t, "a", stand.Cursor)
	require.Equal(t, 1, stand.Records)
	require.Equal(t, []string{"1"}, all[string](s, `SELECT id FROM sweep_seen`))
}
