package postgres_test

import (
	"context"
	"testing"
	"time"

	"github.com/alexedwards/scs/v2"
	"github.com/stretchr/testify/require"

	"github.com/perennial-cvo/perennial/sync/postgres"
)

var _ scs.CtxStore = (*postgres.Visits)(nil)

func TestVisits(t *testing.T) {
	s := newShop(t)
	ctx := context.Background()
	now := noon
	visits := s.db.Visits(func() time.Time { return now })
	found := func(token string) string {
		data, ok, err := visits.FindCtx(ctx, token)
		require.NoError(t, err)
		require.Equal(t, ok, data != nil)
		return string(data)
	}
	require.Empty(t, found("one"))
	require.NoError(t, visits.CommitCtx(ctx, "one", []byte("first"), noon.Add(time.Hour)))
	require.NoError(t, visits.CommitCtx(ctx, "one", []byte("again"), noon.Add(2*time.Hour)))
	require.NoError(t, visits.CommitCtx(ctx, "other", []byte("other"), noon.Add(time.Hour)))
	require.Equal(t, "again", found("one"))
	require.Equal(t, "other", found("other"))

	now = noon.Add(time.Hour)
	require.Empty(t, found("other"), "it is over")
	require.Equal(t, "again", found("one"))
	require.NoError(t, visits.DeleteCtx(ctx, "one"))
	require.NoError(t, visits.DeleteCtx(ctx, "one"))
	require.Empty(t, found("one"))

	require.NoError(t, visits.CommitCtx(ctx, "third", []byte("third"), now.Add(time.Hour)))
	now = noon
	require.Empty(t, found("other"), "what was over is forgotten")
	require.Equal(t, "third", found("third"))
}
