package analysis_test

import (
	"context"
	"maps"
	"slices"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/perennial-cvo/perennial/analysis"
	"github.com/perennial-cvo/perennial/analysis/segment"
)

func (m *memory) question(out analysis.Outcome, person int64, worth *analysis.Worth) analysis.Question {
	rules := maps.Clone(m.rules)
	rules[analysis.SchemeRFM] = out.Result.Scheme.Rule
	return analysis.Question{Person: person, AsOf: out.Result.AsOf, Rules: rules, Worth: worth}
}

func TestGroundsAreThoseOfTheRun(t *testing.T) {
	m := invented(200)
	m.traits = map[int64]segment.Person{7: {Country: "DE"}, 9: {Country: "AT", Categories: []string{"tea"}}}
	worth := averages(t, m)
	out := run(t, m, analysis.Options{Worth: worth, Own: []segment.Own{
		{ID: "near", Rule: `country == "DE" and orders >= 1`}, {ID: "risky", Name: "Late", Rule: `days_since > 50 and lifecycle != "active"`},
	}})
	matched := map[bool]int{}
	for _, person := range []int64{1, 7, 9, 60, 120, 199} {
		g, err := analysis.Explain(t.Context(), m, m.question(out, person, worth))
		require.NoError(t, err)
		require.Equal(t, out.Thresholds, g.Thresholds)
		stands := m.places[person]
		require.Equal(t, stands.Stage, g.Stage.ID)
		require.Less(t, g.Stage.Slipping, g.Stage.Lapsed)
		require.Less(t, g.Stage.Lapsed, g.Stage.Lost)
		switch g.Stage.ID {
		case segment.Lost:
			require.Zero(t, g.Stage.Until)
		case segment.Lapsed:
			require.Equal(t, g.Stage.Lost-1, g.Stage.Until)
		case segment.Slipping:
			require.Equal(t, g.Stage.Lapsed-1, g.Stage.Until)
		default:
			require.Equal(t, g.Stage.Slipping-1, g.Stage.Until)
		}
		require.Equal(t, stands.Tier, g.Tier.ID)
		require.Len(t, g.Tier.Cuts, 3)
		require.Equal(t, analysis.TierWhole, g.Tier.Basis)
		bands, err := segment.ValueTiers(g.Tier.Cuts)
		require.NoError(t, err)
		require.Equal(t, stands.Tier, bands.Of(g.Tier.Value, ""))
		if stands.Churn == "" {
			require.Nil(t, g.Churn)
		} else {
			require.Equal(t, stands.Churn, segment.ChurnBands().Of(g.Churn.Value, ""))
		}
		require.Equal(t, stands.Valued, g.Value != nil)
		require.Equal(t, stands.NextWeek, g.NextWeek)
		require.Equal(t, []string{"near", "risky"}, []string{g.Own[0].ID, g.Own[1].ID})
		for _, own := range g.Own {
			matched[own.Matches]++
			require.Equal(t, slices.Contains(stands.Own, own.ID), own.Matches, "%d %s", person, own.ID)
		}
		require.Equal(t, "country", g.Own[0].Inputs[1].Field)
		require.Equal(t, map[int64]string{7: `"DE"`, 9: `"AT"`}[person], g.Own[0].Inputs[1].Value)
	}
	require.Positive(t, matched[true])
	require.Positive(t, matched[false])
	require.Equal(t, 1, m.saves)
	require.Len(t, m.refreshes, 1, "nothing is worked out anew")
}

// fleeting is a shop whose traits are gone once they were handed over.
type fleeting struct{ *memory }

func (f fleeting) Traits(ctx context.Context, fields []string, asOf time.Time, each func(int64, *segment.Person)) error {
	return f.memory.Traits(ctx, fields, asOf, func(person int64, p *segment.Person) {
		p.Categories = slices.Clone(p.Categories)
		each(person, p)
		clear(p.Categories)
	})
}

func TestTraitsAreReadWhileTheyAreThere(t *testing.T) {
	m := invented(20)
	m.traits = map[int64]segment.Person{9: {Categories: []string{"tea"}}}
	own := []segment.Own{{ID: "tea", Rule: `"tea" in categories`}}
	out, err := analysis.Run(t.Context(), fleeting{m}, analysis.Options{Now: clock(2026, 3, 21, 3), Own: own})
	require.NoError(t, err)
	require.Equal(t, 1, division(t, out.Result, "own:tea").Groups[0].Customers)
	g, err := analysis.Explain(t.Context(), m, m.question(out, 9, nil))
	require.NoError(t, err)
	require.True(t, g.Own[0].Matches)
	require.Equal(t, []segment.Input{{Field: "categories", Value: `["tea"]`}}, g.Own[0].Inputs)
}

func TestGroundsOfAProspectAndOfNobody(t *testing.T) {
	m := invented(50)
	m.orders = append(m.orders, order{person: 60, at: time.Date(2026, 1, 5, 0, 0, 0, 0, berlin)})
	out := run(t, m, analysis.Options{Own: []segment.Own{{ID: "all", Rule: `orders == 0`}}})
	g, err := analysis.Explain(t.Context(), m, m.question(out, 60, nil))
	require.NoError(t, err)
	require.Equal(t, segment.Prospect, g.Stage.ID)
	require.Zero(t, g.Stage.Until)
	require.Zero(t, g.Stage.Slipping)
	require.Nil(t, g.Tier)
	require.Nil(t, g.Churn)
	require.Nil(t, g.Value)
	require.True(t, g.Own[0].Matches)

	g, err = analysis.Explain(t.Context(), m, m.question(out, 61, nil))
	require.NoError(t, err)
	require.Nil(t, g.Stage)
	require.Empty(t, g.Own)
	require.Equal(t, out.Thresholds, g.Thresholds)
}

func TestGroundsBeforeThereWasMoreThanRFM(t *testing.T) {
	m := invented(50)
	out := run(t, m, analysis.Options{})
	q := m.question(out, 3, nil)
	q.Rules = map[string]string{analysis.SchemeRFM: out.Result.Scheme.Rule}
	g, err := analysis.Explain(t.Context(), m, q)
	require.NoError(t, err)
	require.Nil(t, g.Stage)
	require.Empty(t, g.Own)
}

func TestGroundsOfAnAnalysisBeforeTheFirstAppraisalForetellNothing(t *testing.T) {
	m := invented(50)
	out := run(t, m, analysis.Options{})
	g, err := analysis.Explain(t.Context(), m, m.question(out, 3, averages(t, m)))
	require.NoError(t, err)
	require.Equal(t, analysis.TierSpent, g.Tier.Basis)
	var net float64
	for _, o := range m.orders {
		if o.person == 3 {
			net += float64(o.net) / 10_000
		}
	}
	require.InDelta(t, net, g.Tier.Value, 1e-9, "nothing is added to what they spent")
	require.Nil(t, g.Churn)
}
