package postgres_test

import (
	"context"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/perennial-cvo/perennial/sync/postgres"
	"github.com/perennial-cvo/perennial/sync/schedule"
)

func TestDigest(t *testing.T) {
	s, ctx := newShop(t), context.Background()
	_, ok, err := s.db.Digest(ctx, s.id)
	require.NoError(t, err)
	require.False(t, ok)
	require.NoError(t, s.db.BeginDigests(ctx, s.id, "2026-11-16T08:00"))
	require.NoError(t, s.db.BeginDigests(ctx, s.id, "2026-11-23T08:00"), "and changes nothing")
	before, ok, err := s.db.Digest(ctx, s.id)
	require.NoError(t, err)
	require.True(t, ok)
	require.Equal(t, postgres.Digest{Nightly: schedule.Nightly{Done: "2026-11-16T08:00"}, Reached: []string{}}, before)

	var claims atomic.Int32
	var wait sync.WaitGroup
	for range 4 {
		wait.Go(func() {
			if ok, err := s.db.ClaimDigest(ctx, s.id, before, time.Hour); err == nil && ok {
				claims.Add(1)
			}
		})
	}
	wait.Wait()
	require.Equal(t, int32(1), claims.Load(), "one process sends it")

	next := time.Date(2026, 11, 23, 8, 15, 0, 0, time.UTC)
	require.NoError(t, s.db.ReachDigest(ctx, s.id, "owner@example.com"))
	require.NoError(t, s.db.ReachDigest(ctx, s.id, "owner@example.com"))
	require.NoError(t, s.db.SaveDigest(ctx, s.id, schedule.Nightly{Done: before.Done, Attempts: 1, NextTry: next}))
	tried, _, err := s.db.Digest(ctx, s.id)
	require.NoError(t, err)
	require.Equal(t, []string{"owner@example.com"}, tried.Reached)
	require.True(t, next.Equal(tried.NextTry))

	ok, err = s.db.ClaimDigest(ctx, s.id, before, time.Hour)
	require.NoError(t, err)
	require.False(t, ok, "what was read before the try is old")
	ok, err = s.db.ClaimDigest(ctx, s.id, tried, time.Hour)
	require.NoError(t, err)
	require.True(t, ok)
	_, err = s.raw.Exec(`UPDATE digests SET claimed_until = now() - interval '1 second'`)
	require.NoError(t, err)
	ok, err = s.db.ClaimDigest(ctx, s.id, tried, time.Hour)
	require.NoError(t, err)
	require.True(t, ok, "a process that died holds nothing for ever")

	require.NoError(t, s.db.SaveDigest(ctx, s.id, schedule.Nightly{Done: "2026-11-23T08:00"}))
	done, _, err := s.db.Digest(ctx, s.id)
	require.NoError(t, err)
	require.Equal(t, postgres.Digest{Nightly: schedule.Nightly{Done: "2026-11-23T08:00"}, Reached: []string{}}, done)
}
