package postgres_test

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"testing"

	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	"github.com/perennial-cvo/perennial/analysis"
	"github.com/perennial-cvo/perennial/analysis/rfm"
	"github.com/perennial-cvo/perennial/sync/postgres"
)

// member returns the person of an account, made where it is new.
func (s *shop) member(customer string) int64 {
	s.t.Helper()
	_, err := s.raw.Exec(`INSERT INTO persons (store_id, person_id, customer_id, email)
		SELECT $1, nextval('person_ids'), $2, $2 || '@example.com' WHERE NOT EXISTS (
			SELECT FROM persons WHERE store_id = $1 AND customer_id = $2)`, s.id, customer)
	require.NoError(s.t, err)
	return one[int64](s, `SELECT person_id FROM persons WHERE store_id = $1 AND customer_id = $2`, s.id, customer)
}

// result makes a result in which the accounts are in the segments, as differences from what stands.
func (s *shop) result(day int, version string, segments map[string]string) analysis.Result {
	s.t.Helper()
	r := analysis.Result{
		AsOf: at(day, 0), Day: marchDay(day),
		Scheme: analysis.Scheme{Name: "rfm", Version: version, Rule: `{"convention":"rank_min"}`},
		Groups: []analysis.Group{{Segment: "champions", Customers: len(segments), Orders: 1, Gross: 12345, Net: -1}},
	}
	for _, name := range slices.Sorted(maps.Keys(segments)) {
		if segments[name] == "" {
			r.Left = append(r.Left, s.member(name))
			continue
		}
		r.Members = append(r.Members, analysis.Member{
			Person: s.member(name), Score: rfm.Score{R: 5, F: 4, M: uint8(len(segments[name])%5) + 1}, Segment: segments[name],
		})
	}
	return r
}

func (s *shop) save(day int, version string, segments map[string]string) analysis.Saved {
	s.t.Helper()
	saved, err := s.Save(context.Background(), s.result(day, version, segments))
	require.NoError(s.t, err)
	return saved
}

// history lists the intervals of an account as "1-3 champions v1", with "-" for what stands.
func (s *shop) history(customer string) []string {
	s.t.Helper()
	return all[string](s, `SELECT to_char(first_day, 'FMDD') || '-' || coalesce(to_char(last_day, 'FMDD'), '') || ' ' ||
		segment || ' ' || version FROM memberships WHERE store_id = $1 AND person_id = $2 ORDER BY first_day`,
		s.id, s.member(customer))
}

func (s *shop) since(customer string) string {
	return one[string](s, `SELECT to_char(since, 'FMDD') || ' ' || segment || ' ' || r || f || m FROM rfm_scores
		WHERE store_id = $1 AND person_id = $2`, s.id, s.member(customer))
}

func TestMembershipsAreIntervalsOfDays(t *testing.T) {
	s := newShop(t)
	require.Equal(t, analysis.Saved{Entered: 2}, s.save(1, "v1", map[string]string{"ann": "champions", "bob": "loyal"}))
	require.Equal(t, analysis.Saved{Moved: 1}, s.save(4, "v1", map[string]string{"ann": "at_risk"}))
	require.Equal(t, analysis.Saved{Left: 1}, s.save(6, "v1", map[string]string{"bob": ""}))
	require.Equal(t, []string{"1-3 champions v1", "4- at_risk v1"}, s.history("ann"))
	require.Equal(t, []string{"1-5 loyal v1"}, s.history("bob"))
	require.Equal(t, "4 at_risk 543", s.since("ann"))
	require.Equal(t, analysis.Saved{Entered: 1}, s.save(9, "v1", map[string]string{"bob": "loyal"}))
	require.Equal(t, []string{"1-5 loyal v1", "9- loyal v1"}, s.history("bob"))
}

func TestSecondRunOfADayHasTheLastWord(t *testing.T) {
	s := newShop(t)
	s.save(1, "v1", map[string]string{"ann": "champions"})
	s.save(4, "v1", map[string]string{"ann": "at_risk", "bob": "loyal"})
	s.save(4, "v1", map[string]string{"ann": "lost", "bob": ""})
	require.Equal(t, []string{"1-3 champions v1", "4- lost v1"}, s.history("ann"))
	require.Empty(t, s.history("bob"))
	s.save(4, "v1", map[string]string{"ann": "champions"})
	require.Equal(t, []string{"1- champions v1"}, s.history("ann"), "as if the day had brought nothing")
	require.Equal(t, "1 champions 545", s.since("ann"))
}

// TestSinceIsToldAgainAsItWas: who comes back on a second run of a day has been there all the time, whatever versions there were.
func TestSinceIsToldAgainAsItWas(t *testing.T) {
	s := newShop(t)
	s.save(1, "v1", map[string]string{"ann": "champions", "bob": "loyal"})
	s.save(2, "v1", map[string]string{"bob": "champions"})
	s.save(4, "v2", map[string]string{"ann": "lost"})
	s.save(4, "v3", map[string]string{"ann": "champions"})
	require.Equal(t, []string{"1-3 champions v1", "4- champions v3"}, s.history("ann"))
	require.Equal(t, "1 champions 545", s.since("ann"))
	s.save(6, "v3", map[string]string{"ann": "lost", "bob": ""})
	s.save(6, "v3", map[string]string{"ann": "champions", "bob": "champions"})
	require.Equal(t, []string{"1-3 champions v1", "4- champions v3"}, s.history("ann"))
	require.Equal(t, "1 champions 545", s.since("ann"))
	require.Equal(t, "2 champions 545", s.since("bob"))
	s.save(8, "v3", map[string]string{"ann": "lost"})
	s.save(9, "v3", map[string]string{"ann": "loyal"})
	s.save(9, "v3", map[string]string{"ann": "champions"})
	require.Equal(t, "9 champions 545", s.since("ann"), "it was left in between")
}

func TestSavingAgainChangesNothing(t *testing.T) {
	s := newShop(t)
	segments := map[string]string{"ann": "champions", "bob": "loyal"}
	s.save(1, "v1", segments)
	before := s.everything()
	require.Equal(t, analysis.Saved{}, s.save(1, "v1", segments))
	require.Equal(t, before, s.everything())
}

// everything lists the rows of all that Save writes with their versions, so that an update of the same values is seen.
func (s *shop) everything() []string {
	return all[string](s, `SELECT xmin::text || m::text FROM memberships m WHERE store_id = $1
		UNION ALL SELECT xmin::text || r::text FROM rfm_scores r WHERE store_id = $1
		UNION ALL SELECT xmin::text || t::text FROM standings t WHERE store_id = $1
		UNION ALL SELECT xmin::text || n::text FROM snapshots n WHERE store_id = $1
		UNION ALL SELECT xmin::text || c::text FROM schemes c WHERE store_id = $1 ORDER BY 1`, s.id)
}

func TestAnotherVersionOpensIntervalsAnew(t *testing.T) {
	s := newShop(t)
	s.save(1, "v1", map[string]string{"ann": "champions", "bob": "loyal"})
	s.save(4, "v2", map[string]string{"bob": "lost"})
	require.Equal(t, []string{"1-3 champions v1", "4- champions v2"}, s.history("ann"))
	require.Equal(t, "1 champions 545", s.since("ann"), "in the segment since the first day, whatever the version")
	require.Equal(t, []string{"1-3 loyal v1", "4- lost v2"}, s.history("bob"))
	s.save(4, "v3", nil)
	require.Equal(t, []string{"1-3 champions v1", "4- champions v3"}, s.history("ann"))
	s.save(5, "v3", map[string]string{"ann": "lost"})
	require.Equal(t, []string{"1-3 champions v1", "4-4 champions v3", "5- lost v3"}, s.history("ann"))
}

func TestHistoryOnlyGrowsForward(t *testing.T) {
	s := newShop(t)
	s.save(4, "v1", map[string]string{"ann": "champions"})
	_, err := s.Save(context.Background(), s.result(3, "v1", map[string]string{"ann": "lost"}))
	require.ErrorIs(t, err, postgres.ErrDaySaved)
	require.Equal(t, []string{"4- champions v1"}, s.history("ann"))
}

func TestLastSnapshotIsTheReport(t *testing.T) {
	s := newShop(t)
	s.save(1, "v1", map[string]string{"ann": "champions"})
	s.save(2, "v1", map[string]string{"bob": "champions"})
	snapshot, err := s.Groups(context.Background(), "rfm")
	require.NoError(t, err)
	require.Equal(t, at(2, 0), snapshot.AsOf)
	require.JSONEq(t, `{"convention":"rank_min"}`, snapshot.Rule)
	require.Len(t, snapshot.Groups, 1)
	require.Equal(t, "1.2345", snapshot.Groups[0].Gross.String())
	require.Equal(t, "-0.0001", snapshot.Groups[0].Net.String())
}

// TestIntervalsTellEveryDay holds the intervals against what each day's last run said, day by day.
func TestIntervalsTellEveryDay(t *testing.T) {
	base := newShop(t)
	runs := 0
	rapid.Check(t, func(t *rapid.T) {
		runs++
		s := base.another(fmt.Sprintf("intervals-%d", runs))
		stands, days := map[string]string{}, map[int]map[string]string{}
		day, version := 1, "v1"
		for range rapid.IntRange(1, 8).Draw(t, "runs") {
			news := map[string]string{}
			for _, name := range []string{"ann", "bob"} {
				segment := rapid.SampledFrom([]string{"", "champions", "lost"}).Draw(t, name)
				if segment != stands[name] {
					news[name] = segment
				}
				stands[name] = segment
			}
			version = rapid.SampledFrom([]string{version, version, "v2", "v3"}).Draw(t, "version")
			s.save(day, version, news)
			days[day] = maps.Clone(stands)
			day += rapid.IntRange(0, 2).Draw(t, "days")
		}
		told := map[string]string{}
		for d := 1; d <= day; d++ {
			if known, ok := days[d]; ok {
				told = known
			}
			for name, segment := range told {
				got := all[string](s, `SELECT segment FROM memberships WHERE store_id = $1 AND person_id = $2
					AND first_day - DATE '1970-01-01' <= $3 AND (last_day IS NULL OR last_day - DATE '1970-01-01' >= $3)`,
					s.id, s.member(name), marchDay(d))
				if segment == "" {
					require.Empty(t, got, "day %d, %s", d, name)
				} else {
					require.Equal(t, []string{segment}, got, "day %d, %s", d, name)
				}
			}
		}
		require.Zero(t, one[int](s, `SELECT count(*) FROM memberships WHERE store_id = $1 AND last_day < first_day`, s.id))
	})
}
