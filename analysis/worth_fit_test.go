package analysis

import (
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/perennial-cvo/perennial/analysis/clv"
)

// TestFitThatWasNotFinishedIsNotUsed: the shop's averages foretell instead, and the owner is told so. No data are known for
// which a fit is not finished, so this one is made up.
func TestFitThatWasNotFinishedIsNotUsed(t *testing.T) {
	model, err := clv.Restore(clv.BGNBD, []clv.Param{{Name: "r", Value: 1}, {Name: "alpha", Value: 1}, {Name: "a", Value: 1}, {Name: "b", Value: 1}})
	require.NoError(t, err)
	w := Worth{Kind: clv.SimpleFormula}
	w.take(clv.MBGNBD, clv.Fit{Model: model, Gradient: 1, Finding: clv.FindingNotConverged})
	require.Equal(t, clv.SimpleFormula, w.Kind)
	require.False(t, w.Fit.Converged, "it is kept to be looked at")
	require.Equal(t, []string{
		clv.FindingNotConverged, "MBG/NBD could not be fitted to everything known; the simple formula is used",
	}, w.Findings)
	_, err = w.Forecast()
	require.NoError(t, err)

	w.take(clv.MBGNBD, clv.Fit{Model: model, Converged: true})
	require.Equal(t, clv.BGNBD, w.Kind, "what was fitted, which may stand in for what was asked")
}
