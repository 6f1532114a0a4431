package postgres_test

import (
	"context"
	"fmt"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/perennial-cvo/perennial/analysis"
	"github.com/perennial-cvo/perennial/connectors/commerce"
)

// stage is where somebody is in the lifecycle.
func (s *shop) stage(customer string) string {
	return one[string](s, `SELECT stage FROM standings JOIN persons USING (store_id, person_id) WHERE store_id = $1 AND customer_id = $2`, s.id, customer)
}

// runAt analyses at an hour of a day, as of the start of the day or as of now.
func (s *shop) runAt(day, hour int, intraday bool) analysis.Saved {
	s.t.Helper()
	outcome, err := analysis.Run(context.Background(), s, analysis.Options{Now: func() time.Time { return at(day, hour) }, Intraday: intraday})
	require.NoError(s.t, err)
	s.checkPlaces(s.t)
	return outcome.Saved
}

// TestWhoBuysTodayLeavesTheLapsedToday, and not only in the night after.
func TestWhoBuysTodayLeavesTheLapsedToday(t *testing.T) {
	s := newShop(t)
	require.NoError(t, s.MarkLoaded(t.Context(), noon))
	for i := range 30 {
		for n := range 3 {
			s.put(commerce.Orders, whole(placed(fmt.Sprint(i, ".", n), fmt.Sprint("c", i), at(1+n*2+i%3, 10))))
		}
	}
	s.runAt(79, 3, false)
	s.runAt(80, 3, false)
	require.Equal(t, "lost", s.stage("c1"))
	due, err := s.Due(t.Context())
	require.NoError(t, err)
	require.False(t, due)

	s.put(commerce.Orders, whole(placed("today", "c1", at(80, 9)), placed("first", "new", at(80, 9))))
	due, err = s.Due(t.Context())
	require.NoError(t, err)
	require.True(t, due)
	require.Zero(t, s.runAt(80, 10, false).Placed-1, "as of the start of the day, only the new account is news")
	require.Equal(t, "lost", s.stage("c1"))
	s.runAt(80, 10, true)
	require.Equal(t, "won_back", s.stage("c1"))
	require.Equal(t, "first_time", s.stage("new"))
	due, err = s.Due(t.Context())
	require.NoError(t, err)
	require.False(t, due)

	rows := s.everything()
	require.Equal(t, analysis.Saved{}, s.runAt(80, 10, true))
	require.Equal(t, rows, s.everything(), "the same hour again rewrites nothing")
	s.runAt(81, 3, false)
	require.Equal(t, "won_back", s.stage("c1"))
	require.Equal(t, []string{"lost 2026-05-18", "won_back 2026-05-19"}, all[string](s, `SELECT segment || ' ' || coalesce(last_day, first_day) FROM memberships
		JOIN persons USING (store_id, person_id) WHERE store_id = $1 AND scheme = 'lifecycle' AND customer_id = 'c1' ORDER BY first_day`, s.id))
}
