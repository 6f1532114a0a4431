package postgres_test

import (
	"context"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/shopspring/decimal"
	"github.com/stretchr/testify/require"

	"github.com/perennial-cvo/perennial/analysis"
	"github.com/perennial-cvo/perennial/analysis/report"
)

// TestForetold: the predicted value of every segment of every set, of those in whom it is known.
func TestForetold(t *testing.T) {
	s := newShop(t)
	all, err := s.Foretold(context.Background())
	require.NoError(t, err)
	require.Empty(t, all)

	night := s.night(2, schemes("lifecycle", "tier", "churn", "own:tea"), map[string]analysis.Standing{
		"a": {Place: &analysis.Place{Stage: "active", Tier: "top", Churn: "low", Own: []string{"far", "tea"}}, Valued: true, Value: 1_200_000},
		"b": {Place: &analysis.Place{Stage: "active", Tier: "high", Churn: "low", Own: []string{"tea"}}, Valued: true, Value: 300_000},
		"c": {Place: &analysis.Place{Stage: "lost", Tier: "high"}},
	})
	scored := s.result(2, "v1", map[string]string{"a": "champions", "c": "lost"})
	night.Members = scored.Members
	_, err = s.Save(context.Background(), night)
	require.NoError(t, err)
	all, err = s.Foretold(context.Background())
	require.NoError(t, err)
	is := func(scheme, segment, value string) report.Foretold {
		return report.Foretold{Scheme: scheme, Segment: segment, Value: decimal.RequireFromString(value)}
	}
	require.Empty(t, cmp.Diff([]report.Foretold{
		is("churn", "low", "150"), is("lifecycle", "active", "150"), is("own", "far", "120"), is("own", "tea", "150"), is("rfm", "champions", "120"),
		is("tier", "high", "30"), is("tier", "top", "120"),
	}, all))
}
