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
			o.Rule.Bins = rapid.SampledFrom([]int{0, 0, 3}).Draw(rt, "scores")
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
func (s *shop) checkPlaces(t failer) {
	t.Helper()
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
	require.Empty(t, all[int64](s, `SELECT person_id FROM rfm_scores r WHERE store_id = $1 AND since <> (
			SELECT max(first_day) FROM memberships m WHERE store_id = $1 AND scheme = 'rfm' AND person_id = r.person_id AND NOT EXISTS (
				SELECT FROM memberships p WHERE p.store_id = $1 AND p.scheme = 'rfm' AND p.person_id = r.person_id
					AND p.segment = m.segment AND p.last_day = m.first_day - 1))`, s.id), "since another day than the intervals say")
}

// TestShopThatGrowsAndShrinksAcrossTheWholePreset has 110 customers, which all groups of the preset take, and then 98 and 110
// again, which is more than a tenth fewer, also twice on a day: everybody is in one of the groups in use, and the history has no gap and no overlap.
func TestShopThatGrowsAndShrinksAcrossTheWholePreset(t *testing.T) {
	s := newShop(t)
	ctx := context.Background()
	require.NoError(t, s.MarkLoaded(ctx, noon))
	var orders []commerce.Order
	for i := range 110 {
		o := placed(fmt.Sprint(i), fmt.Sprint("customer", i), at(1+i%9, 10))
		o.Goods = money(fmt.Sprint(10 + i%7))
		orders = append(orders, o)
	}
	s.put(commerce.Orders, whole(orders...))
	last := func(status string) {
		for i := 98; i < 110; i++ {
			orders[i].Status = status
		}
		s.put(commerce.Orders, whole(orders[98:]...))
	}
	for _, night := range []struct {
		day, groups int
		status      string
	}{{11, 11, "completed"}, {12, 4, "cancelled"}, {12, 11, "completed"}, {12, 4, "cancelled"}, {13, 11, "completed"}, {15, 4, "cancelled"}} {
		last(night.status)
		o := analysis.Options{Now: func() time.Time { return at(night.day, 12) }}
		out, err := analysis.Run(ctx, s, o)
		require.NoError(t, err)
		require.Len(t, out.Result.Groups, night.groups)
		s.checkPlaces(t)
		customers := 0
		for _, g := range out.Result.Groups {
			customers += g.Customers
			require.Equal(t, g.Customers, one[int](s, `SELECT count(*) FROM rfm_scores WHERE segment = $1`, g.Segment))
		}
		require.Equal(t, out.Customers, customers)
		require.Equal(t, customers, one[int](s, `SELECT count(*) FROM memberships WHERE scheme = 'rfm' AND last_day IS NULL AND version = $1`, out.Result.Scheme.Version))
		before := s.everything()
		_, err = analysis.Run(ctx, s, o)
		require.NoError(t, err)
		require.Equal(t, before, s.everything())
	}
	require.Equal(t, []string{"11 11-03", "4 12-03", "11 13-03", "4 15-03"}, all[string](s, `SELECT count(DISTINCT segment) || ' ' || to_char(day, 'DD-MM')
		FROM snapshots WHERE scheme = 'rfm' GROUP BY day ORDER BY day`))
	require.Empty(t, all[int64](s, `SELECT person_id FROM memberships m WHERE scheme = 'rfm' AND last_day IS NOT NULL AND person_id NOT IN (
			SELECT person_id FROM persons WHERE substr(customer_id, 9)::int >= 98)
		AND NOT EXISTS (SELECT FROM memberships n WHERE n.scheme = 'rfm' AND n.person_id = m.person_id AND n.first_day = m.last_day + 1)`), "gaps")
}
