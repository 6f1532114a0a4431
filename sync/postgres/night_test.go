package postgres_test

import (
	"context"
	"fmt"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	"github.com/perennial-cvo/perennial/analysis"
	"github.com/perennial-cvo/perennial/analysis/segment"
	"github.com/perennial-cvo/perennial/connectors/commerce"
)

// TestNightsLeaveEverybodyInTheirPlace lets a random shop live: accounts come and go, guests become accounts, people are
// erased, rules change. After each night everybody known stands somewhere, nobody else does, and the intervals that are open
// say the same.
func TestNightsLeaveEverybodyInTheirPlace(t *testing.T) {
	base := newShop(t)
	history := 0
	rapid.Check(t, func(rt *rapid.T) {
		history++
		s, c := base.another(fmt.Sprint("nights ", history)), newChronicle()
		ctx := context.Background()
		require.NoError(rt, s.db.SetShop(ctx, s.id, commerce.Shop{Identity: fmt.Sprint(history), Currency: "EUR", TimeZone: c.zone}))
		require.NoError(rt, s.MarkLoaded(ctx, noon))
		day := 3
		for range rapid.IntRange(1, 8).Draw(rt, "steps") {
			s.live(rt, c)
			if rapid.IntRange(0, 9).Draw(rt, "erased") == 0 {
				_, err := s.ErasePerson(ctx, rapid.SampledFrom([]string{"a@example.com", "b@example.com"}).Draw(rt, "whom"), noon)
				require.NoError(rt, err)
			}
			if !rapid.Bool().Draw(rt, "night") {
				continue
			}
			day += rapid.IntRange(0, 40).Draw(rt, "days")
			o := analysis.Options{Now: func() time.Time { return at(day, 12) }}
			if rapid.Bool().Draw(rt, "own") {
				o.Own = []segment.Own{{ID: "regulars", Name: "Regulars", Rule: `orders >= 2 or country == "AT"`}}
			}
			_, err := analysis.Run(ctx, s, o)
			require.NoError(rt, err)
			s.checkPlaces(rt)
			before := s.everything()
			_, err = analysis.Run(ctx, s, o)
			require.NoError(rt, err)
			require.Equal(rt, before, s.everything(), "the same night again rewrites nothing")
		}
	})
}

// checkPlaces compares standings, scores and open intervals with each other and with who is known.
func (s *shop) checkPlaces(t *rapid.T) {
	customers, err := s.Customers(context.Background())
	require.NoError(t, err)
	want := []string{}
	for _, c := range customers {
		require.False(t, c.Gone, "nothing is left of who is known no more")
		require.NotEmpty(t, c.Standing.At().Stage)
		require.Equal(t, c.Orders > 0, c.Segment != "")
		at := c.Standing.At()
		places := map[string]string{"rfm": c.Segment, "lifecycle": at.Stage, "tier": at.Tier, "churn": at.Churn}
		for _, id := range at.Own {
			places[analysis.OwnScheme(id)] = id
		}
		for scheme, id := range places {
			if id != "" {
				want = append(want, fmt.Sprint(c.Person, scheme, id))
			}
		}
	}
	require.ElementsMatch(t, want, all[string](s, `SELECT person_id || scheme || segment FROM memberships
		WHERE store_id = $1 AND last_day IS NULL`, s.id))
	require.Empty(t, all[int64](s, `SELECT a.person_id FROM memberships a JOIN memberships b ON b.store_id = $1 AND b.scheme = a.scheme
			AND b.person_id = a.person_id AND b.first_day > a.first_day
		WHERE a.store_id = $1 AND coalesce(a.last_day, 'infinity') >= b.first_day`, s.id), "intervals overlap")
}
