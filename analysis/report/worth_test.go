package report_test

import (
	"bytes"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/perennial-cvo/perennial/analysis"
	"github.com/perennial-cvo/perennial/analysis/clv"
	"github.com/perennial-cvo/perennial/analysis/report"
)

// appraised is the tea shop with a model that foretells orders better and values worse than the naive forecasts.
func appraised(kind clv.Kind) *facts {
	f := teaShop()
	today := analysis.Day(midnight, time.FixedZone("", 3600))
	f.history = analysis.History{
		Person: 1, Days: 3, FirstDay: int32(today - 211), LastDay: int32(today - 20), LogGaps: 4, Net: 1_802_500, FirstNet: 600_000, Costed: true, Cost: 702_500,
	}
	f.worth = analysis.Worth{
		Day: today - 4, Customers: 2357, Kind: kind,
		Fit: &analysis.Fit{
			Asked: kind, Kind: kind, LogLikelihood: -9582.135716, Iterations: 9, Gradient: 3e-11, Converged: true, Identified: true,
			Params: []clv.Param{{Name: "r", Value: 0.52}, {Name: "alpha", Value: 6.18}, {Name: "a", Value: 0.89}, {Name: "b", Value: 1.61}},
		},
		Findings: []string{"MBG/NBD chosen: it foretells the orders of the last 90 days best"},
		Choice: analysis.Choice{
			Kind: kind, Customers: 2211, Compared: 2211, Candidates: []analysis.Candidate{},
			Finding: "MBG/NBD chosen: it foretells the orders of the last 90 days best",
		},
		Evaluation: &clv.Evaluation{
			Days:   90,
			Orders: []clv.Metrics{{Forecast: string(kind), Customers: 2211, Actual: 1000, Predicted: 951.4, Bias: -0.0486}},
			Value:  []clv.Metrics{{Forecast: string(kind), Customers: 2211, Actual: 38000, Predicted: 38010.5, Bias: 0.00027}},
		},
		Verdicts: []clv.Verdict{
			{Of: "orders", Purpose: clv.PerPerson, Naive: clv.NaiveRate, Use: string(kind), Words: "orders, per person: MBG/NBD is better"},
			{Of: "value", Purpose: clv.PerPerson, Naive: clv.NaivePast, Use: clv.NaivePast, Worse: true, Words: "value, per person: MBG/NBD is worse"},
		},
		Spend: clv.SpendFit{Converged: true, Average: 60}, Naive: clv.Naive{Span: 730, Rate: 0.01}, AnnualRate: 0.1, Horizon: 365,
	}
	return f
}

func TestWorth(t *testing.T) {
	f := appraised(clv.MBGNBD)
	r := collect(t, f)
	var b bytes.Buffer
	require.NoError(t, report.Terminal(&b, r, 80, false))
	golden(t, "report_worth.txt", b.Bytes())
	b.Reset()
	require.NoError(t, report.Full(&b, r, 80, false))
	require.Contains(t, b.String(), "Orders, per person: MBG/NBD is better.")
	require.Contains(t, b.String(), "MBG/NBD chosen: it foretells the orders of the last 90 days best.")
	b.Reset()
	require.NoError(t, report.JSON(&b, r))
	for _, text := range []string{`"log_likelihood": -9582.135716`, `"converged": true`, `"name": "alpha"`, `"gradient": 3e-11`, `"predicted": 951.4`} {
		require.Contains(t, b.String(), text)
	}

	simple := appraised(clv.SimpleFormula)
	simple.worth.Choice.Finding = "too few customers for a model; the simple formula is used"
	simple.worth.Findings = []string{simple.worth.Choice.Finding}
	b.Reset()
	require.NoError(t, report.Terminal(&b, collect(t, simple), 80, false))
	require.Contains(t, b.String(), "Too few customers for a model; the simple formula is used.")

	f.overview.Since = midnight
	b.Reset()
	require.NoError(t, report.Terminal(&b, collect(t, f), 80, false))
	require.Contains(t, b.String(), "INCOMPLETE: it was learnt without the older orders.")
}

func TestOutlook(t *testing.T) {
	e, ok, err := report.CollectPerson(t.Context(), appraised(clv.MBGNBD), "ana@example.com")
	require.NoError(t, err)
	require.True(t, ok)
	var b bytes.Buffer
	require.NoError(t, report.Explain(&b, e, 80, false))
	golden(t, "explain_worth.txt", b.Bytes())
	require.NotContains(t, b.String(), "takes this person to be still buying by its form")
}

// TestOutlookOfSomebodyWhoseModelCannotTell says so, and of somebody who has bought nothing says nothing.
func TestOutlookOfSomebodyWhoseModelCannotTell(t *testing.T) {
	f := appraised(clv.BGNBD)
	f.history.Days, f.history.LastDay = 1, f.history.FirstDay
	e, _, err := report.CollectPerson(t.Context(), f, "ana@example.com")
	require.NoError(t, err)
	var b bytes.Buffer
	require.NoError(t, report.Explain(&b, e, 200, false))
	require.Contains(t, b.String(), "BG/NBD takes this person to be still buying by its form")
	require.Contains(t, b.String(), "100.0 %")

	f.history = analysis.History{}
	e, _, err = report.CollectPerson(t.Context(), f, "ana@example.com")
	require.NoError(t, err)
	require.Nil(t, e.Outlook)
}

// TestValueForetold: each segment has what its people are expected to spend, and no value where nobody's is known.
func TestValueForetold(t *testing.T) {
	f := teaShop()
	f.foretold = []report.Foretold{
		{Scheme: "rfm", Segment: "champions", Value: amount("1200")},
		{Scheme: "lifecycle", Segment: "lost", Value: amount("3.5")},
		{Scheme: "own", Segment: "tea_lovers", Value: amount("7")},
		{Scheme: "tier", Segment: "of_old", Value: amount("1")},
	}
	foretold := func() map[string]string {
		r := collect(t, f)
		found := map[string]string{}
		for _, rows := range append([][]report.SegmentRow{r.Segments.Rows}, r.Sets[0].Rows, r.Sets[1].Rows, r.Sets[2].Rows, r.Sets[3].Rows) {
			for _, row := range rows {
				if row.Foretold != nil {
					found[row.Audience] = row.Foretold.String()
				}
			}
		}
		return found
	}
	require.Empty(t, foretold(), "nothing was appraised")
	f.worth = analysis.Worth{Customers: 5}
	require.Equal(t, map[string]string{"champions": "1200", "lifecycle_lost": "3.5", "tea_lovers": "7"}, foretold())
}
