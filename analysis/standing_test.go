package analysis_test

import (
	"maps"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	"github.com/perennial-cvo/perennial/analysis"
	"github.com/perennial-cvo/perennial/analysis/clv"
	"github.com/perennial-cvo/perennial/analysis/segment"
)

// averages is an appraisal by the shop's averages: whoever is alive orders once in 30 days, for 20.
func averages(t require.TestingT, m *memory) *analysis.Worth {
	var stats []clv.Stats
	for day := range int32(40) {
		stats = append(stats, clv.Stats{Repeats: 2, Last: 60, Age: 60 + day})
	}
	simple, err := clv.NewSimple(stats, 20, 0.3, 0.1)
	require.NoError(t, err)
	return &analysis.Worth{
		Day: analysis.Day(time.Date(2026, 3, 21, 0, 0, 0, 0, berlin), berlin), Customers: len(m.orders),
		Kind: clv.SimpleFormula, Simple: simple, Spend: simple.Spend(), AnnualRate: 0.1, Horizon: 365,
	}
}

func division(t *testing.T, r analysis.Result, scheme string) analysis.Division {
	t.Helper()
	for _, d := range r.Divisions {
		if d.Scheme.Name == scheme {
			return d
		}
	}
	require.Fail(t, "no division by "+scheme)
	return analysis.Division{}
}

func TestEverybodyStandsInAStageATierAndABand(t *testing.T) {
	m := invented(200)
	out := run(t, m, analysis.Options{Worth: averages(t, m)})
	require.Len(t, out.Result.Standings, 200)
	require.Equal(t, 200, out.Saved.Placed)
	for _, scheme := range []string{segment.SchemeLifecycle, segment.SchemeTier, segment.SchemeChurn} {
		d := division(t, out.Result, scheme)
		definitions, err := analysis.Definitions(scheme, d.Scheme.Rule)
		require.NoError(t, err)
		customers, orders, net := 0, 0, int64(0)
		for i, g := range d.Groups {
			require.Equal(t, definitions[i].ID, g.Segment)
			customers, orders, net = customers+g.Customers, orders+g.Orders, net+g.Net
		}
		require.Equal(t, 200, customers, scheme)
		require.Equal(t, len(m.orders), orders, scheme)
		require.NotZero(t, net)
	}
	top := division(t, out.Result, segment.SchemeTier).Groups[0]
	require.Equal(t, "top", top.Segment)
	require.Equal(t, 10, top.Customers, "a twentieth")
	for _, s := range out.Result.Standings {
		require.True(t, s.Valued)
		require.Empty(t, s.Own)
		require.Zero(t, s.NextWeek, "averages foretell no day")
	}
}

func TestARunOfTheSameDayPlacesNobodyAnew(t *testing.T) {
	m := invented(200)
	o := analysis.Options{
		Worth: averages(t, m),
		Own:   []segment.Own{{ID: "often", Rule: "orders > 3"}, {ID: "north", Rule: `country == "NO"`}},
	}
	m.traits = map[int64]segment.Person{7: {Country: "NO"}}
	run(t, m, o)
	again := run(t, m, o)
	require.Empty(t, again.Result.Standings)
	require.Empty(t, again.Result.Members)
}

func TestWithoutAnAppraisalTiersAreOfWhatWasSpentAndNothingIsForetold(t *testing.T) {
	out := run(t, invented(60), analysis.Options{})
	for _, d := range out.Result.Divisions {
		require.NotEqual(t, segment.SchemeChurn, d.Scheme.Name)
	}
	require.Contains(t, division(t, out.Result, segment.SchemeTier).Scheme.Rule, `"basis":"spent"`)
	for _, s := range out.Result.Standings {
		require.Equal(t, analysis.Standing{Place: &analysis.Place{Stage: s.Stage, Tier: s.Tier}}, s.Standing)
		require.NotEmpty(t, s.Tier)
	}
}

func TestAProspectHasAStageAndNothingElse(t *testing.T) {
	m := invented(30)
	m.orders = append(m.orders, order{person: 31, at: time.Date(2026, 1, 2, 3, 0, 0, 0, berlin), gross: 50_000})
	out := run(t, m, analysis.Options{Worth: averages(t, m), Own: []segment.Own{{ID: "quiet", Rule: "orders == 0"}, {ID: "once", Rule: "days_since > 0"}}})
	placed := out.Result.Standings[30]
	require.Equal(t, analysis.Placed{Person: 31, Standing: analysis.Standing{Place: &analysis.Place{Stage: segment.Prospect, Own: []string{"quiet"}}}}, placed)
	require.Equal(t, segment.Prospect, division(t, out.Result, segment.SchemeLifecycle).Groups[0].Segment)
	require.Equal(t, 1, division(t, out.Result, segment.SchemeLifecycle).Groups[0].Customers)
	require.Equal(t, 30, division(t, out.Result, "own:once").Groups[0].Customers)
}

func TestAHistoryThatContradictsItselfIsCounted(t *testing.T) {
	m := invented(30)
	f := &fixed{memory: *m, customers: []analysis.Customer{
		{Person: 3, Orders: 2, Days: 2, FirstDay: 20_000, PreviousDay: 20_000, LastDay: 20_010, Net: 10_000},
		{Person: 4, Orders: 1, Days: 1, FirstDay: 20_000, LastDay: 20_010, Net: 10_000}, // one day cannot be two
	}}
	out, err := analysis.Run(t.Context(), f, analysis.Options{Now: clock(2026, 3, 21, 3), Worth: averages(t, m)})
	require.NoError(t, err)
	require.Equal(t, 1, out.Result.Unforetold)
	require.True(t, out.Result.Standings[0].Valued)
	require.False(t, out.Result.Standings[1].Valued)
}

func TestWhoIsGoneIsPlacedNowhere(t *testing.T) {
	f := &fixed{memory: *invented(0), customers: []analysis.Customer{
		{Person: 3, Gone: true, Segment: "lost", Standing: analysis.Standing{Place: &analysis.Place{Stage: segment.Active, Tier: "top"}}},
		{Person: 4, Gone: true, Standing: analysis.Standing{Place: &analysis.Place{Stage: segment.Prospect}}},
	}}
	out, err := analysis.Run(t.Context(), f, analysis.Options{Now: clock(2026, 3, 21, 3), Own: []segment.Own{{ID: "all", Rule: "orders >= 0"}}})
	require.NoError(t, err)
	require.Equal(t, []int64{3}, out.Result.Left)
	require.Equal(t, []analysis.Placed{{Person: 3}, {Person: 4}}, out.Result.Standings)
	require.Zero(t, division(t, out.Result, "own:all").Groups[0].Customers)
}

func TestTheOwnersSegmentsAskForNoMoreThanTheirRulesNeed(t *testing.T) {
	m := invented(200)
	m.traits = map[int64]segment.Person{5: {Country: "NO", Categories: []string{"tea"}}, 9: {Categories: []string{"Tea"}}, 999: {Country: "NO"}}
	out := run(t, m, analysis.Options{Own: []segment.Own{
		{ID: "tea_north", Name: "Tea in the north", Rule: `"tea" in categories and country == "NO" and r >= 1`, Action: "Send tea."},
		{ID: "tea", Rule: `"tea" in categories and lifecycle != "prospect"`},
	}})
	require.ElementsMatch(t, []string{"categories", "country"}, m.asked)
	own := map[int64][]string{}
	for _, s := range out.Result.Standings {
		if s.Own != nil {
			own[s.Person] = s.Own
		}
	}
	require.Equal(t, map[int64][]string{5: {"tea", "tea_north"}, 9: {"tea"}}, own)
	d := division(t, out.Result, "own:tea_north")
	require.JSONEq(t, `{"id":"tea_north","name":"Tea in the north","rule":"\"tea\" in categories and country == \"NO\" and r >= 1","action":"Send tea."}`, d.Scheme.Rule)
	renamed := run(t, m, analysis.Options{Own: []segment.Own{{ID: "tea_north", Name: "North", Rule: ` "tea" in categories and country=="NO" and r>=1`}}})
	require.Equal(t, d.Scheme.Version, division(t, renamed.Result, "own:tea_north").Scheme.Version, "a name is no rule")
	require.NotEqual(t, d.Scheme.Rule, division(t, renamed.Result, "own:tea_north").Scheme.Rule)
}

func TestARuleThatMakesNoSenseStopsTheRun(t *testing.T) {
	_, err := analysis.Run(t.Context(), invented(5), analysis.Options{
		Now: clock(2026, 3, 21, 3), Own: []segment.Own{{ID: "x", Rule: `rfm_segment == "soulmates"`}},
	})
	require.ErrorContains(t, err, `segment "x"`)
	_, err = analysis.Run(t.Context(), invented(5), analysis.Options{Now: clock(2026, 3, 21, 3), Preset: "best"})
	require.ErrorContains(t, err, `rfm preset "best"`)
	_, err = analysis.Run(t.Context(), invented(5), analysis.Options{Now: clock(2026, 3, 21, 3), Lifecycle: segment.Lifecycle{Lapsed: 1}})
	require.ErrorContains(t, err, "lifecycle")
}

func TestASmallShopHasTheGroupsThatThereAreCustomersFor(t *testing.T) {
	for customers, want := range map[int]int{5: 1, 25: 2, 60: 4, 109: 4, 110: 11} {
		out := run(t, invented(customers), analysis.Options{})
		require.Len(t, out.Result.Groups, want, "%d customers", customers)
		require.Equal(t, want < 11, out.Rule.Groups == want)
	}
}

func TestAPresetHasItsOwnGroupsAndScores(t *testing.T) {
	out := run(t, invented(300), analysis.Options{Preset: "klaviyo"})
	require.Equal(t, 3, out.Rule.Used)
	klaviyo, err := segment.FindPreset("klaviyo")
	require.NoError(t, err)
	require.Len(t, out.Result.Groups, len(klaviyo.Groups))
	require.Empty(t, out.Note)
	definitions, err := analysis.Definitions(analysis.SchemeRFM, out.Result.Scheme.Rule)
	require.NoError(t, err)
	require.Equal(t, klaviyo.Groups, definitions)
}

func TestCellsOfTheOwnersWaitForTheWholePreset(t *testing.T) {
	out := run(t, invented(60), analysis.Options{Segments: map[string]string{"***": "champions"}})
	for _, m := range out.Result.Members {
		require.NotEqual(t, "champions", m.Segment)
	}
	out = run(t, invented(110), analysis.Options{Segments: map[string]string{"***": "champions"}})
	require.Equal(t, 110, out.Result.Groups[0].Customers)
}

func TestTheRulesThatStandAreKeptWhileTheShopMovesALittle(t *testing.T) {
	m := invented(200)
	first := run(t, m, analysis.Options{})
	for i := range m.orders {
		m.orders[i].net = m.orders[i].net * 103 / 100
	}
	second := run(t, m, analysis.Options{Now: clock(2026, 3, 22, 3)})
	require.Equal(t, division(t, first.Result, segment.SchemeTier).Scheme, division(t, second.Result, segment.SchemeTier).Scheme)
	for i := range m.orders {
		m.orders[i].net *= 2
	}
	third := run(t, m, analysis.Options{Now: clock(2026, 3, 23, 3)})
	require.NotEqual(t, division(t, second.Result, segment.SchemeTier).Scheme.Version, division(t, third.Result, segment.SchemeTier).Scheme.Version)
	fixed := run(t, m, analysis.Options{Now: clock(2026, 3, 24, 3), Lifecycle: segment.Lifecycle{Interval: 12}})
	require.Contains(t, division(t, fixed.Result, segment.SchemeLifecycle).Scheme.Rule, `"interval":12`)
}

func TestThePastIsMeasuredByItselfAndSavesNothing(t *testing.T) {
	m := invented(200)
	out := run(t, m, analysis.Options{AsOf: time.Date(2026, 3, 1, 12, 0, 0, 0, berlin), Worth: averages(t, m), Own: []segment.Own{{ID: "all", Rule: "orders > 0"}}})
	require.Empty(t, out.Result.Standings)
	require.Zero(t, m.saves)
	require.Len(t, out.Result.Divisions, 2)
	require.Equal(t, out.Customers, sum(division(t, out.Result, segment.SchemeLifecycle)))
}

func sum(d analysis.Division) (customers int) {
	for _, g := range d.Groups {
		customers += g.Customers
	}
	return customers
}

// The order in which people are read changes nothing, and what stands is found again by who saved it.
func TestStandingsDoNotDependOnTheOrderOfPeople(t *testing.T) {
	m := invented(120)
	m.asOf = time.Date(2026, 3, 21, 0, 0, 0, 0, berlin)
	customers, err := m.Customers(t.Context())
	require.NoError(t, err)
	worth := averages(t, m)
	want := run(t, m, analysis.Options{Worth: worth}).Result
	rapid.Check(t, func(rt *rapid.T) {
		f := &fixed{memory: *invented(0), customers: rapid.Permutation(customers).Draw(rt, "customers")}
		got, err := analysis.Run(t.Context(), f, analysis.Options{Now: clock(2026, 3, 21, 3), Worth: worth})
		require.NoError(rt, err)
		require.Equal(rt, want.Standings, got.Result.Standings)
		require.Equal(rt, want.Divisions, got.Result.Divisions)
	})
}

// TestNightThatCannotForetell stands between nights that can: nobody has a risk or a worth on it, tiers are of what was spent,
// and the next night has them again; only tiers remember, as they do whenever their cuts move. A rule of the owner's may match everybody all the time.
func TestNightThatCannotForetell(t *testing.T) {
	m := living(200, 5)
	m.places, m.rules = map[int64]analysis.Standing{}, map[string]string{}
	w := appraise(t, m, analysis.WorthOptions{})
	o := analysis.Options{Now: clock(2026, 3, 21, 3), Own: []segment.Own{
		{ID: "everybody", Rule: "orders >= 0"}, {ID: "nobody", Rule: "orders < 0"}, {ID: "risky", Rule: `churn == "high"`},
	}}
	night := func(worth *analysis.Worth) map[string]int {
		t.Helper()
		o.Worth = worth
		out, err := analysis.Run(t.Context(), m, o)
		require.NoError(t, err)
		sizes := map[string]int{}
		for _, d := range out.Result.Divisions {
			for _, g := range d.Groups {
				sizes[d.Scheme.Name+" "+g.Segment] += g.Customers
			}
		}
		require.Equal(t, 200, sizes["own:everybody everybody"])
		require.Zero(t, sizes["own:nobody nobody"])
		require.Equal(t, sizes["churn high"], sizes["own:risky risky"])
		return sizes
	}
	first, rule := night(&w), m.rules[segment.SchemeTier]
	require.Positive(t, first["churn high"])
	require.Contains(t, rule, analysis.TierWhole)
	stood := maps.Clone(m.places)

	without := night(nil)
	require.NotContains(t, without, "churn high")
	require.Contains(t, m.rules[segment.SchemeTier], analysis.TierSpent)
	for _, is := range m.places {
		require.Equal(t, analysis.Standing{Place: is.Place}, is, "no worth and no week")
		require.Empty(t, is.Churn)
	}
	night(&w)
	require.Equal(t, rule, m.rules[segment.SchemeTier])
	for person, is := range m.places {
		require.Equal(t, stood[person].Churn, is.Churn)
		require.Equal(t, stood[person].Own, is.Own)
		require.Equal(t, stood[person].Valued, is.Valued)
		require.Equal(t, stood[person].NextWeek, is.NextWeek)
	}
}

// A shop around a limit keeps its groups and scores until it is a tenth below.
func TestGroupsAndScoresAreHeldOnTo(t *testing.T) {
	m := invented(112)
	groups := func(customers int) (int, int) {
		some := *m
		some.orders = nil
		for _, o := range m.orders {
			if o.person <= int64(customers) {
				some.orders = append(some.orders, o)
			}
		}
		out := run(t, &some, analysis.Options{})
		return len(out.Preset.Groups), out.Rule.Used
	}
	for _, c := range []struct{ customers, groups, scores int }{
		{112, 11, 5},
		{105, 11, 5}, // 110 are needed for all
		{99, 11, 5},  // and 100 for five scores
		{98, 4, 5},
		{105, 4, 5},
		{89, 4, 3},
		{112, 11, 5},
	} {
		groups, scores := groups(c.customers)
		require.Equal(t, []int{c.groups, c.scores}, []int{groups, scores}, "%d customers", c.customers)
	}
	out := run(t, invented(99), analysis.Options{})
	require.Contains(t, out.Note, "3 scores instead of 5")
	require.Contains(t, out.Note, "4 of the 11 groups")
}
