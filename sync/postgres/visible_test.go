package postgres_test

import (
	"context"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/perennial-cvo/perennial/connectors"
	"github.com/perennial-cvo/perennial/connectors/commerce"
	"github.com/perennial-cvo/perennial/sync/ingest"
)

const day = 24 * time.Hour

// known is the moment from which on orders are known, as the analysis and the report are told it.
func (s *shop) known() time.Time {
	s.t.Helper()
	facts, err := s.Shop(context.Background())
	require.NoError(s.t, err)
	overview, err := s.Overview(context.Background())
	require.NoError(s.t, err)
	require.Equal(s.t, facts.Since, overview.Since)
	return facts.Since
}

func TestVisibleSinceStaysWhileOrdersAreRead(t *testing.T) {
	s := newShop(t)
	ctx := context.Background()
	see := func(since time.Time) time.Time {
		require.NoError(t, s.db.SetVisible(ctx, s.id, since))
		return s.known()
	}
	require.Zero(t, see(time.Time{}))
	require.Equal(t, noon.Add(-60*day), see(noon.Add(-60*day)))
	require.Equal(t, noon.Add(-59*day), see(noon.Add(-59*day)), "nothing was read yet")
	s.put(commerce.Orders, whole(order("1", "7", "")))
	require.Equal(t, noon.Add(-59*day), see(noon.Add(-58*day)), "what was read stays known")
	require.Equal(t, noon.Add(-59*day), see(noon.Add(-80*day)), "and no more is")
	require.Equal(t, noon.Add(-59*day), see(time.Time{}))
	require.Equal(t, noon.Add(time.Hour), see(noon.Add(time.Hour)), "nothing was read in between: there is a gap")
}

func TestWiderSightReadsOrdersAnew(t *testing.T) {
	s := newShop(t)
	ctx := context.Background()
	s.page(commerce.Orders, connectors.Increment, connectors.Page{Records: whole(order("1", "7", "")), Done: true})
	require.NoError(t, s.MarkLoaded(ctx, noon))
	again, err := s.Widen(ctx)
	require.NoError(t, err)
	require.False(t, again, "it saw everything before")

	require.NoError(t, s.db.SetVisible(ctx, s.id, noon.Add(-60*day)))
	_, err = s.db.Store(s.id, 0).Widen(ctx)
	require.ErrorIs(t, err, ingest.ErrFenced)
	require.Equal(t, noon.Add(-60*day), s.known())

	again, err = s.Widen(ctx)
	require.NoError(t, err)
	require.True(t, again)
	require.Zero(t, s.known())
	stand, err := s.Cursor(ctx, commerce.Orders, connectors.Increment)
	require.NoError(t, err)
	require.Empty(t, stand.Cursor)
	facts, err := s.Shop(ctx)
	require.NoError(t, err)
	require.False(t, facts.Loaded, "until the older orders are here")
	require.Equal(t, []string{"1 true 10 1"}, s.counts())
}

func TestOrdersThatTheKeyCannotSeeAreNotGone(t *testing.T) {
	s := newShop(t)
	ctx := context.Background()
	old, young := order("old", "7", ""), order("young", "7", "")
	old.PlacedAt, young.PlacedAt = noon.Add(-90*day), noon.Add(-day)
	s.put(commerce.Orders, whole(old, young))
	s.put(commerce.Customers, commerce.Batch{Customers: []commerce.Customer{{ID: "7"}}})
	for _, resource := range []commerce.Resource{commerce.Orders, commerce.Customers} {
		_, err := s.Commit(ctx, ingest.Commit{
			Resource: resource, Mode: connectors.Sweep, Start: true, Page: connectors.Page{Next: "end", Done: true}, At: noon,
		})
		require.NoError(t, err)
	}
	for since, want := range map[time.Time][]string{{}: {"old", "young"}, noon.Add(-60 * day): {"young"}, noon: nil} {
		ids, living, err := s.Unseen(ctx, commerce.Orders, since)
		require.NoError(t, err)
		require.Equal(t, want, ids)
		require.Equal(t, len(want), living, "hidden orders make no share smaller")
	}
	ids, _, err := s.Unseen(ctx, commerce.Customers, noon)
	require.NoError(t, err)
	require.Equal(t, []string{"7"}, ids, "only orders are hidden by age")
}
