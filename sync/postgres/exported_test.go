package postgres_test

import (
	"context"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/perennial-cvo/perennial/analysis"
	"github.com/perennial-cvo/perennial/connectors/commerce"
	"github.com/perennial-cvo/perennial/sync/postgres"
)

// TestExportTellsWhereCustomersStand: as the attributes do, empty where nothing is known.
func TestExportTellsWhereCustomersStand(t *testing.T) {
	s := newShop(t)
	s.put(commerce.Orders, whole(placed("1", "ann", at(2, 10))))
	s.put(commerce.Orders, whole(placed("2", "bob", at(3, 10))))
	s.refresh(at(4, 0), true)
	s.place(4, schemes("lifecycle"), map[string]analysis.Standing{
		"ann": {
			Place:  &analysis.Place{Stage: "active", Tier: "top", Churn: "low", Own: []string{"coffee", "tea"}},
			Valued: true, Value: 1_205_000, NextWeek: marchDay(2),
		},
		"bob": {Place: &analysis.Place{Stage: "lost"}},
	})
	found := map[string]postgres.Exported{}
	require.NoError(t, s.Export(context.Background(), func(row postgres.Exported) error {
		found[row.CustomerID] = row
		return nil
	}))
	ann, bob := found["ann"], found["bob"]
	require.Equal(t, []string{"active", "top", "low", "120.5", "2026-03-02", "coffee tea"},
		[]string{ann.Stage, ann.Tier, ann.Churn, ann.Value, ann.NextWeek, ann.Own})
	require.Equal(t, []string{"lost", "", "", "", "", ""}, []string{bob.Stage, bob.Tier, bob.Churn, bob.Value, bob.NextWeek, bob.Own})
}
