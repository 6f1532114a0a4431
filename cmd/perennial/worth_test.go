package main

import (
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/perennial-cvo/perennial/analysis"
)

func TestRefitIsDueOnceAWeekOrWhereTheShopGrew(t *testing.T) {
	last := analysis.Worth{Day: 100, Customers: 1000}
	require.False(t, refitDue(last, 100, 1000))
	require.False(t, refitDue(last, 106, 1100))
	require.True(t, refitDue(last, 107, 1000))
	require.True(t, refitDue(last, 101, 1101))
	require.False(t, refitDue(last, 99, 900), "a clock that went back is no week")
	require.False(t, refitDue(analysis.Worth{Day: 100}, 101, 0))
	require.True(t, refitDue(analysis.Worth{Day: 100}, 101, 1))
}
