package postgres_test

import (
	"context"
	"fmt"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	"github.com/perennial-cvo/perennial/analysis/experiment"
	"github.com/perennial-cvo/perennial/connectors/commerce"
	"github.com/perennial-cvo/perennial/sync/ingest"
	"github.com/perennial-cvo/perennial/sync/postgres"
)

// people are n people due in an audience, from a number on.
func people(audience string, from, n int) []postgres.Due {
	var due []postgres.Due
	for i := range n {
		due = append(due, postgres.Due{Audience: audience, Person: int64(from + i)})
	}
	return due
}

func (s *shop) expose(shares map[string]float64, at time.Time, due ...postgres.Due) []postgres.Due {
	s.t.Helper()
	held, err := s.Expose(context.Background(), shares, due, at)
	require.NoError(s.t, err)
	return held
}

// TestTheDatabaseDealsTheSameLots as experiment.Held does, whatever the shop, the audience and the share.
func TestTheDatabaseDealsTheSameLots(t *testing.T) {
	base := newShop(t)
	shops := 0
	rapid.Check(t, func(rt *rapid.T) {
		shops++
		name := rapid.StringMatching(`[a-zäż/ ']{0,8}`).Draw(rt, "name") + fmt.Sprint(shops)
		s := base.another(name)
		audience := rapid.StringMatching(`[a-z_0-9]{1,12}`).Draw(rt, "audience")
		share := rapid.Float64Range(0.001, 1).Draw(rt, "share")
		var due, want []postgres.Due
		for _, person := range rapid.SliceOfNDistinct(rapid.Int64Min(1), 1, 50, rapid.ID).Draw(rt, "people") {
			due = append(due, postgres.Due{Audience: audience, Person: person})
			if experiment.Held(name, audience, person, share) {
				want = append(want, due[len(due)-1])
			}
		}
		require.ElementsMatch(rt, want, s.expose(map[string]float64{audience: share}, noon, append(due, due...)...))
	})
}

func TestALotStandsWhateverBecomesOfTheShare(t *testing.T) {
	s := newShop(t)
	const many = 2000
	first := s.expose(map[string]float64{"lapsed": 0.1}, noon, people("lapsed", 1, many)...)
	require.InDelta(t, many/10, len(first), 60)
	require.Equal(t, first, s.expose(map[string]float64{"lapsed": 0.4}, noon.AddDate(0, 0, 1), people("lapsed", 1, many)...), "nobody changes sides")
	more := s.expose(map[string]float64{"lapsed": 0.4}, noon.AddDate(0, 0, 2), people("lapsed", 1, 2*many)...)
	require.Equal(t, first, more[:len(first)])
	require.InDelta(t, 4*many/10, len(more)-len(first), 120)
	require.Equal(t, first[:1], s.expose(map[string]float64{"lapsed": 0.01}, noon.AddDate(0, 0, 3), first[0]), "nor by a smaller one")

	require.Empty(t, s.expose(map[string]float64{"lapsed": 0}, noon.AddDate(0, 0, 4), people("lapsed", 1, 2*many)...), "nobody is held out of what is not tried")
	require.Equal(t, 2*many, one[int](s, `SELECT count(*) FROM exposures`))
	require.Equal(t, more, s.expose(map[string]float64{"lapsed": 0.4}, noon.AddDate(0, 0, 5), people("lapsed", 1, 2*many)...), "tried again, everybody is as before")
	require.Equal(t, []string{"2026-03-01", "2026-03-03"}, all[string](s, `SELECT DISTINCT day::text FROM exposures ORDER BY 1`), "the day they were due first")
	require.Equal(t, []float64{0.1, 0.4}, all[float64](s, `SELECT DISTINCT share FROM exposures ORDER BY 1`))
}

func TestWhenAnAudienceIsTried(t *testing.T) {
	s := newShop(t)
	tried := func() []string {
		t.Helper()
		return all[string](s, `SELECT concat_ws(' ', audience, since, until, share) FROM holdouts ORDER BY audience, since`)
	}
	s.expose(map[string]float64{"lapsed": 0.1, "lost": 0}, noon)
	require.Equal(t, []string{"lapsed 2026-03-01 0.1"}, tried())
	s.expose(map[string]float64{"lapsed": 0.2, "lost": 0.1}, noon.Add(11*time.Hour)) // the next day in Berlin
	require.Equal(t, []string{"lapsed 2026-03-01 0.2", "lost 2026-03-02 0.1"}, tried())
	before := one[string](s, `SELECT string_agg(xmin::text, ',') FROM holdouts`)
	s.expose(map[string]float64{"lapsed": 0.2, "lost": 0.1}, noon.AddDate(0, 0, 1))
	require.Equal(t, before, one[string](s, `SELECT string_agg(xmin::text, ',') FROM holdouts`), "nothing is written where nothing changes")
	s.expose(map[string]float64{"lost": 0.1}, noon.AddDate(0, 0, 3))
	require.Equal(t, []string{"lapsed 2026-03-01 2026-03-04 0.2", "lost 2026-03-02 0.1"}, tried())
	s.expose(map[string]float64{"lapsed": 0.3, "lost": 0.1}, noon.AddDate(0, 0, 9))
	s.expose(map[string]float64{"lost": 0.1}, noon.AddDate(0, 0, 9))
	s.expose(map[string]float64{"lapsed": 0.4, "lost": 0.1}, noon.AddDate(0, 0, 9))
	require.Equal(t, []string{"lapsed 2026-03-01 2026-03-04 0.2", "lapsed 2026-03-10 0.4", "lost 2026-03-02 0.1"}, tried())
}

func TestExposingNeedsTheLease(t *testing.T) {
	s := newShop(t)
	_, err := s.db.Store(s.id, 0).Expose(context.Background(), map[string]float64{"lapsed": 0.5}, people("lapsed", 1, 10), noon)
	require.ErrorIs(t, err, ingest.ErrFenced)
	require.Zero(t, one[int](s, `SELECT count(*) FROM exposures`)+one[int](s, `SELECT count(*) FROM holdouts`))
}

// TestAGuestWhoBecomesAnAccountKeepsTheLot, and where both were due the one that was dealt first stands.
func TestAGuestWhoBecomesAnAccountKeepsTheLot(t *testing.T) {
	s := newShop(t)
	s.put(commerce.Orders, whole(order("1", "", "ann@example.com"), order("2", "7", "bob@example.com"), order("3", "", "cid@example.com")))
	s.put(commerce.Customers, commerce.Batch{Customers: []commerce.Customer{{ID: "7", Email: "bob@example.com"}}})
	person := func(column, value string) int64 {
		return one[int64](s, `SELECT person_id FROM persons WHERE `+column+` = $1`, value)
	}
	ann, bob, cid := person("email", "ann@example.com"), person("customer_id", "7"), person("email", "cid@example.com")
	add := func(audience string, who int64, day string, held bool) {
		_, err := s.raw.Exec(`INSERT INTO exposures VALUES ($1, $2, $3, $4, $5, 0.5)`, s.id, audience, who, day, held)
		require.NoError(t, err)
	}
	add("lapsed", ann, "2026-02-01", true)
	add("lapsed", bob, "2026-02-03", false)
	add("lost", ann, "2026-02-05", true)
	add("lost", bob, "2026-02-03", false)
	add("won", ann, "2026-02-05", true)
	add("won", cid, "2026-02-05", false)
	s.put(commerce.Customers, commerce.Batch{Customers: []commerce.Customer{{ID: "7", Email: "ann@example.com"}}})
	require.Equal(t, []string{"lapsed 2026-02-01 true", "lost 2026-02-03 false", "won 2026-02-05 true"}, all[string](s,
		`SELECT concat_ws(' ', audience, day, held::text) FROM exposures WHERE person_id = $1 ORDER BY audience`, bob))
	require.Equal(t, []int64{bob, bob, bob, cid}, all[int64](s, `SELECT person_id FROM exposures ORDER BY person_id`))
}
