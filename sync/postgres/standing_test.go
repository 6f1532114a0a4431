package postgres_test

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	"github.com/perennial-cvo/perennial/analysis"
	"github.com/perennial-cvo/perennial/connectors"
	"github.com/perennial-cvo/perennial/connectors/commerce"
	"github.com/perennial-cvo/perennial/sync/ingest"
	"github.com/perennial-cvo/perennial/sync/postgres"
)

// night is a result with standings beside the RFM groups: those of the accounts named, in the schemes named with versions.
func (s *shop) night(day int, schemes map[string]string, standings map[string]analysis.Standing) analysis.Result {
	s.t.Helper()
	r := s.result(day, "v1", nil)
	for _, name := range slices.Sorted(maps.Keys(schemes)) {
		r.Divisions = append(r.Divisions, analysis.Division{
			Scheme: analysis.Scheme{Name: name, Version: schemes[name], Rule: `{"of":"` + name + `"}`},
			Groups: []analysis.Group{{Segment: "some", Customers: len(standings), Gross: 5}, {Segment: "none"}},
		})
	}
	for _, name := range slices.Sorted(maps.Keys(standings)) {
		r.Standings = append(r.Standings, analysis.Placed{Person: s.member(name), Standing: standings[name]})
	}
	return r
}

func (s *shop) place(day int, schemes map[string]string, standings map[string]analysis.Standing) int {
	s.t.Helper()
	saved, err := s.Save(context.Background(), s.night(day, schemes, standings))
	require.NoError(s.t, err)
	return saved.Placed
}

func schemes(names ...string) map[string]string {
	all := map[string]string{}
	for _, name := range names {
		all[name] = "v1"
	}
	return all
}

// course lists the intervals of an account as "tier 1-3 top".
func (s *shop) course(customer string) []string {
	s.t.Helper()
	return all[string](s, `SELECT scheme || ' ' || to_char(first_day, 'FMDD') || '-' || coalesce(to_char(last_day, 'FMDD'), '') || ' ' ||
		segment || CASE version WHEN 'v1' THEN '' ELSE ' ' || version END
		FROM memberships WHERE store_id = $1 AND person_id = $2 ORDER BY scheme, first_day`, s.id, s.member(customer))
}

func TestStandingsAreIntervalsOfDaysInEveryScheme(t *testing.T) {
	s := newShop(t)
	all := schemes("lifecycle", "tier", "churn", "own:tea", "own:tea_lovers")
	require.Equal(t, 2, s.place(1, all, map[string]analysis.Standing{
		"ann": {Place: &analysis.Place{Stage: "active", Tier: "top", Churn: "low", Own: []string{"tea", "tea_lovers"}}, Valued: true, Value: 1_200_000, NextWeek: marchDay(2)},
		"bob": {Place: &analysis.Place{Stage: "prospect"}},
	}))
	require.Equal(t, 1, s.place(4, all, map[string]analysis.Standing{
		"ann": {Place: &analysis.Place{Stage: "active", Tier: "high", Own: []string{"tea_lovers"}}, Valued: true, Value: 900_000},
	}))
	require.Equal(t, []string{
		"churn 1-3 low", "lifecycle 1- active", "own:tea 1-3 tea", "own:tea_lovers 1- tea_lovers", "tier 1-3 top", "tier 4- high",
	}, s.course("ann"))
	require.Equal(t, []string{"lifecycle 1- prospect"}, s.course("bob"))
	require.Equal(t, map[string]analysis.Standing{
		"ann": {Place: &analysis.Place{Stage: "active", Tier: "high", Own: []string{"tea_lovers"}}, Valued: true, Value: 900_000},
		"bob": {Place: &analysis.Place{Stage: "prospect"}},
	}, s.standingsNow())

	require.Equal(t, 1, s.place(5, all, map[string]analysis.Standing{"ann": {}}), "known no more")
	require.Equal(t, []string{
		"churn 1-3 low", "lifecycle 1-4 active", "own:tea 1-3 tea", "own:tea_lovers 1-4 tea_lovers", "tier 1-3 top", "tier 4-4 high",
	}, s.course("ann"))
	require.Equal(t, map[string]analysis.Standing{"bob": {Place: &analysis.Place{Stage: "prospect"}}}, s.standingsNow())
	require.Zero(t, s.place(5, all, map[string]analysis.Standing{"ann": {}, "bob": {Place: &analysis.Place{Stage: "prospect"}}}), "nothing differs")
}

// standingsNow are the standings that Customers reads, by account.
func (s *shop) standingsNow() map[string]analysis.Standing {
	s.t.Helper()
	list, err := s.Customers(context.Background())
	require.NoError(s.t, err)
	named := map[string]analysis.Standing{}
	for _, c := range list {
		if c.Standing.At().Stage != "" {
			named[one[string](s, `SELECT customer_id FROM persons WHERE store_id = $1 AND person_id = $2`, s.id, c.Person)] = c.Standing
		}
	}
	return named
}

func TestSecondRunOfADayHasTheLastWordOnStandings(t *testing.T) {
	s := newShop(t)
	all := schemes("lifecycle", "own:tea")
	s.place(1, all, map[string]analysis.Standing{"ann": {Place: &analysis.Place{Stage: "active", Own: []string{"tea"}}}})
	s.place(4, all, map[string]analysis.Standing{"ann": {Place: &analysis.Place{Stage: "slipping"}}, "bob": {Place: &analysis.Place{Stage: "prospect", Own: []string{"tea"}}}})
	s.place(4, all, map[string]analysis.Standing{"ann": {Place: &analysis.Place{Stage: "lapsed"}}, "bob": {Place: &analysis.Place{Stage: "prospect"}}})
	require.Equal(t, []string{"lifecycle 1-3 active", "lifecycle 4- lapsed", "own:tea 1-3 tea"}, s.course("ann"))
	require.Equal(t, []string{"lifecycle 4- prospect"}, s.course("bob"))
	s.place(4, all, map[string]analysis.Standing{"ann": {Place: &analysis.Place{Stage: "active", Own: []string{"tea"}}}})
	require.Equal(t, []string{"lifecycle 1- active", "own:tea 1- tea"}, s.course("ann"), "as if the day had brought nothing")
	_, err := s.Save(context.Background(), s.night(3, all, nil))
	require.ErrorIs(t, err, postgres.ErrDaySaved)
}

func TestOnlyTheSchemeWithAnotherVersionIsOpenedAnew(t *testing.T) {
	s := newShop(t)
	s.place(1, schemes("lifecycle", "tier"), map[string]analysis.Standing{
		"ann": {Place: &analysis.Place{Stage: "active", Tier: "top"}}, "bob": {Place: &analysis.Place{Stage: "lost", Tier: "low"}}, "cid": {Place: &analysis.Place{Stage: "lost"}},
	})
	require.Equal(t, 1, s.place(4, map[string]string{"lifecycle": "v2", "tier": "v1"}, map[string]analysis.Standing{"bob": {Place: &analysis.Place{Stage: "active", Tier: "low"}}}))
	require.Equal(t, []string{"lifecycle 1-3 active", "lifecycle 4- active v2", "tier 1- top"}, s.course("ann"))
	require.Equal(t, []string{"lifecycle 1-3 lost", "lifecycle 4- active v2", "tier 1- low"}, s.course("bob"))
}

func TestOwnSegmentsThatAreNoMoreAreClosed(t *testing.T) {
	s := newShop(t)
	ctx := context.Background()
	in, out := analysis.Standing{Place: &analysis.Place{Stage: "active", Own: []string{"tea"}}}, analysis.Standing{Place: &analysis.Place{Stage: "active"}}
	with, without := schemes("lifecycle", "own:tea"), schemes("lifecycle")
	s.place(1, with, map[string]analysis.Standing{"ann": in})
	s.place(3, with, nil)
	rules, err := s.Rules(ctx)
	require.NoError(t, err)
	require.Equal(t, map[string]string{
		"rfm": `{"convention": "rank_min"}`, "lifecycle": `{"of": "lifecycle"}`, "own:tea": `{"of": "own:tea"}`,
	}, rules)

	s.place(3, without, map[string]analysis.Standing{"ann": out})
	require.Equal(t, []string{"lifecycle 1- active", "own:tea 1-2 tea"}, s.course("ann"), "gone on a day that had it before")
	rules, err = s.Rules(ctx)
	require.NoError(t, err)
	require.NotContains(t, rules, "own:tea")
	s.place(4, with, map[string]analysis.Standing{"ann": in})
	require.Equal(t, []string{"lifecycle 1- active", "own:tea 1-2 tea", "own:tea 4- tea"}, s.course("ann"))
	s.place(6, without, map[string]analysis.Standing{"ann": out})
	require.Equal(t, []string{"lifecycle 1- active", "own:tea 1-2 tea", "own:tea 4-5 tea"}, s.course("ann"))
	require.Equal(t, []string{"own:tea 1", "own:tea 4"}, all[string](s, `SELECT DISTINCT scheme || ' ' || to_char(day, 'FMDD') FROM snapshots
		WHERE scheme LIKE 'own:%' ORDER BY 1`), "the third day's was taken back")
}

// TestSegmentNamedNull: any proper id is a segment's, also one that SQL has a meaning for.
func TestSegmentNamedNull(t *testing.T) {
	s := newShop(t)
	is := analysis.Standing{Place: &analysis.Place{Stage: "active", Own: []string{"null", "tea"}}}
	s.place(1, schemes("lifecycle", "own:null", "own:tea"), map[string]analysis.Standing{"ann": is})
	require.Equal(t, map[string]analysis.Standing{"ann": is}, s.standingsNow())
	require.Equal(t, []string{"lifecycle 1- active", "own:null 1- null", "own:tea 1- tea"}, s.course("ann"))
}

// TestRiskThatIsNotKnownAnyMore: a night that cannot foretell has no bands of risk, and nobody stays in one; the next night
// that can opens them anew.
func TestRiskThatIsNotKnownAnyMore(t *testing.T) {
	s := newShop(t)
	with, without := schemes("lifecycle", "churn"), schemes("lifecycle")
	in, out := analysis.Standing{Place: &analysis.Place{Stage: "active", Churn: "low"}}, analysis.Standing{Place: &analysis.Place{Stage: "active"}}
	s.place(1, with, map[string]analysis.Standing{"ann": in})
	s.place(3, without, map[string]analysis.Standing{"ann": out})
	require.Equal(t, []string{"churn 1-2 low", "lifecycle 1- active"}, s.course("ann"))
	s.place(5, with, map[string]analysis.Standing{"ann": in})
	require.Equal(t, []string{"churn 1-2 low", "churn 5- low", "lifecycle 1- active"}, s.course("ann"))
	s.place(5, without, map[string]analysis.Standing{"ann": out})
	require.Equal(t, []string{"churn 1-2 low", "lifecycle 1- active"}, s.course("ann"))
	s.place(5, with, map[string]analysis.Standing{"ann": in})
	require.Equal(t, []string{"churn 1-2 low", "churn 5- low", "lifecycle 1- active"}, s.course("ann"))
}

func TestSavingStandingsAgainChangesNothing(t *testing.T) {
	s := newShop(t)
	with := schemes("lifecycle", "tier", "own:tea")
	standings := map[string]analysis.Standing{
		"ann": {Place: &analysis.Place{Stage: "active", Tier: "top", Own: []string{"tea"}}, Valued: true, Value: 12_345, NextWeek: marchDay(2)}, "bob": {Place: &analysis.Place{Stage: "prospect"}},
	}
	require.Equal(t, 2, s.place(1, with, standings))
	before := s.everything()
	require.Len(t, before, 2+4+2*3+1+4)
	require.Zero(t, s.place(1, with, standings))
	require.Equal(t, before, s.everything())

	r := s.night(1, with, nil)
	r.Divisions[1].Scheme.Rule = `{"of": "tea", "name": "Tea"}`
	_, err := s.Save(context.Background(), r)
	require.NoError(t, err)
	rules, err := s.Rules(context.Background())
	require.NoError(t, err)
	require.Equal(t, `{"of": "tea", "name": "Tea"}`, rules[r.Divisions[1].Scheme.Name], "names may change under the same version")
}

func TestStandingsNeedASchemeThatIsKnown(t *testing.T) {
	s := newShop(t)
	_, err := s.Save(context.Background(), s.night(1, schemes("moods"), map[string]analysis.Standing{"ann": {Place: &analysis.Place{Stage: "active"}}}))
	require.ErrorContains(t, err, `"moods"`)
	require.Empty(t, s.standingsNow())
}

// TestStandingsTellEveryDay holds standings and intervals against what each day's last run said.
func TestStandingsTellEveryDay(t *testing.T) {
	base := newShop(t)
	runs := 0
	rapid.Check(t, func(t *rapid.T) {
		runs++
		s := base.another(fmt.Sprintf("standings-%d", runs))
		stands, days := map[string]analysis.Standing{}, map[int]map[string]analysis.Standing{}
		day, versions := 1, schemes("lifecycle", "tier")
		for range rapid.IntRange(1, 7).Draw(t, "runs") {
			if versions["own:tea"] = rapid.SampledFrom([]string{"", "v1", "v1", "v2"}).Draw(t, "own"); versions["own:tea"] == "" {
				delete(versions, "own:tea")
			}
			versions["tier"] = rapid.SampledFrom([]string{versions["tier"], versions["tier"], "v2"}).Draw(t, "tiers")
			if versions["churn"] = "v1"; rapid.IntRange(0, 3).Draw(t, "foretold") == 0 {
				delete(versions, "churn")
			}
			news := map[string]analysis.Standing{}
			for _, name := range []string{"ann", "bob"} {
				if is := drawStanding(t, versions); !is.Equal(stands[name]) {
					news[name], stands[name] = is, is
				}
			}
			require.Equal(t, len(news), s.place(day, versions, news))
			days[day] = maps.Clone(stands)
			day += rapid.IntRange(0, 2).Draw(t, "days")
		}
		maps.DeleteFunc(stands, func(_ string, is analysis.Standing) bool { return is.At().Stage == "" })
		require.Empty(t, cmp.Diff(stands, s.standingsNow()))
		told := map[string]analysis.Standing{}
		for d := 1; d <= day; d++ {
			if known, ok := days[d]; ok {
				told = known
			}
			for name, is := range told {
				require.Equal(t, placesOf(is), s.placesOn(name, d), "%s on day %d", name, d)
			}
		}
		require.Zero(t, one[int](s, `SELECT count(*) FROM memberships WHERE store_id = $1 AND last_day < first_day`, s.id))
	})
}

func drawStanding(t *rapid.T, versions map[string]string) analysis.Standing {
	is := analysis.Standing{Place: &analysis.Place{Stage: rapid.SampledFrom([]string{"", "active", "lost"}).Draw(t, "stage")}}
	if is.Stage == "" {
		return is
	}
	is.Tier = rapid.SampledFrom([]string{"", "top", "low"}).Draw(t, "tier")
	if versions["churn"] != "" {
		is.Churn = rapid.SampledFrom([]string{"", "low"}).Draw(t, "churn")
	}
	if is.Valued = rapid.Bool().Draw(t, "valued"); is.Valued {
		is.Value = rapid.SampledFrom([]int64{0, -5, 120_000}).Draw(t, "value")
	}
	is.NextWeek = rapid.SampledFrom([]int{0, 20_510, 20_517}).Draw(t, "week")
	if versions["own:tea"] != "" && rapid.Bool().Draw(t, "tea") {
		is.Own = []string{"tea"}
	}
	return is
}

// placesOf are the segments of a standing, by scheme.
func placesOf(is analysis.Standing) []string {
	places := []string{}
	at := is.At()
	for scheme, segment := range map[string]string{"lifecycle": at.Stage, "tier": at.Tier, "churn": at.Churn, "own:tea": strings.Join(at.Own, "")} {
		if segment != "" {
			places = append(places, scheme+" "+segment)
		}
	}
	slices.Sort(places)
	return places
}

func (s *shop) placesOn(customer string, day int) []string {
	return all[string](s, `SELECT scheme || ' ' || segment FROM memberships WHERE store_id = $1 AND person_id = $2
		AND first_day <= $3 AND coalesce(last_day, 'infinity') >= $3 ORDER BY 1`, s.id, s.member(customer), at(day, 12))
}

// TestEverybodyKnownIsACustomer: accounts and whoever placed an order that does not count; not who was only left over.
func TestEverybodyKnownIsACustomer(t *testing.T) {
	s := newShop(t)
	cancelled := order("1", "", "guest@example.com")
	cancelled.Status = "cancelled"
	nameless := order("2", "phone", "")
	nameless.Status = "cancelled"
	s.put(commerce.Orders, whole(cancelled, nameless, order("3", "", "later@example.com"), order("4", "buyer", "")))
	s.put(commerce.Customers, commerce.Batch{Customers: []commerce.Customer{
		{ID: "mute"}, {ID: "closed", Email: "closed@example.com"}, {ID: "silent"}, {ID: "reader", Email: "reader@example.com"},
	}})
	s.refresh(noon.AddDate(0, 0, 1), false)
	require.ElementsMatch(t, []string{"guest@example.com", "phone", "later@example.com", "buyer", "mute", "closed", "silent", "reader"}, s.knownNow())

	s.place(2, schemes("lifecycle"), map[string]analysis.Standing{
		"closed": {Place: &analysis.Place{Stage: "prospect"}}, "silent": {Place: &analysis.Place{Stage: "prospect"}}, "reader": {Place: &analysis.Place{Stage: "prospect"}},
	})
	_, err := s.Commit(context.Background(), sweepOf(commerce.Customers))
	require.NoError(t, err)
	_, err = s.EndSweep(context.Background(), commerce.Customers, []string{"closed", "silent"})
	require.NoError(t, err)
	// The guest's address becomes that of an account which another order made before: the guest is left over.
	s.put(commerce.Customers, commerce.Batch{Customers: []commerce.Customer{{ID: "buyer", Email: "later@example.com"}}})
	s.refresh(noon.AddDate(0, 0, 1), false)
	require.ElementsMatch(t, []string{"guest@example.com", "phone", "buyer", "mute", "reader", "gone", "gone"}, s.knownNow())
}

func sweepOf(resource commerce.Resource) ingest.Commit {
	return ingest.Commit{Resource: resource, Mode: connectors.Sweep, Start: true, At: noon, Page: connectors.Page{Next: "end", Done: true}}
}

// knownNow names everybody whom Customers tells of.
func (s *shop) knownNow() []string {
	s.t.Helper()
	list, err := s.Customers(context.Background())
	require.NoError(s.t, err)
	var names []string
	for _, c := range list {
		if c.Gone {
			require.Zero(s.t, c.Orders)
			names = append(names, "gone")
			continue
		}
		names = append(names, one[string](s, `SELECT coalesce(customer_id, email) FROM persons WHERE person_id = $1`, c.Person))
	}
	return names
}
