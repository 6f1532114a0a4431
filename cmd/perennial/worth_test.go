package main

import (
	"os"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/perennial-cvo/perennial/analysis"
	"github.com/perennial-cvo/perennial/analysis/clv"
	"github.com/perennial-cvo/perennial/config"
)

func TestRefitIsDueOnceAWeekOrWhereTheShopGrewOrTheOwnerWantsAnother(t *testing.T) {
	o := worthOptions(config.Store{})
	last := analysis.Worth{Day: 100, Customers: 1000, Kind: clv.SimpleFormula, Horizon: 365, AnnualRate: 0.1}
	due := func(today, customers int) bool { return refitDue(last, o, today, customers) }
	require.False(t, due(100, 1000))
	require.False(t, due(106, 1100))
	require.True(t, due(107, 1000))
	require.True(t, due(101, 1101))
	require.False(t, due(99, 900), "a clock that went back is no week")
	last.Customers = 0
	require.False(t, due(101, 0))
	require.True(t, due(101, 1))

	last.Customers = 1000
	require.False(t, due(100, 1000))
	last.Kind = "of tomorrow"
	require.True(t, due(100, 1000), "nothing can be foretold with it")
	last.Kind = clv.SimpleFormula
	nothing := 0.0
	o = worthOptions(config.Store{Worth: config.Worth{Horizon: 365, DiscountRate: &nothing}})
	require.Negative(t, o.AnnualRate)
	require.True(t, due(100, 1000))
	last.AnnualRate = 0
	require.False(t, due(100, 1000))
	o = worthOptions(config.Store{Worth: config.Worth{Horizon: 90, DiscountRate: &nothing}})
	require.True(t, due(100, 1000))
}

func TestDefaultsOfWorthAreTheSameEverywhere(t *testing.T) {
	path := filepath.Join(t.TempDir(), "perennial.toml")
	require.NoError(t, os.WriteFile(path, []byte("[[stores]]\nname = \"a\"\nkind = \"csvfile\"\n"), 0o600))
	cfg, err := config.Load(path, func(string) string { return "" })
	require.NoError(t, err)
	require.Equal(t, analysis.WorthOptions{Horizon: analysis.DefaultHorizon, AnnualRate: analysis.DefaultAnnualRate}, worthOptions(cfg.Stores[0]))
	require.Equal(t, worthOptions(config.Store{}), worthOptions(cfg.Stores[0]))
}
