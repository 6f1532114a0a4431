package clv

import (
	"math"
	"testing"

	"github.com/stretchr/testify/require"
)

var (
	calibrationCDNOW = "1997-09-30"
	// sets are the data sets of the expected answers by their names there.
	sets = map[string]struct{ file, end string }{
		"cdnow_sample_days":            {"cdnow_sample.csv.gz", calibrationCDNOW},
		"cdnow_full":                   {"cdnow_full.csv.gz", calibrationCDNOW},
		"online_retail_cal_2011-06-30": {"", "2011-06-30"},
		"online_retail_all":            {"", "2011-12-09"},
	}
	// published names the models as the expected answers do.
	published = map[string]Kind{
		"bgnbd": BGNBD, "mbgnbd": MBGNBD, "pnbd": ParetoNBD,
		"nbd(with x! and T^x constants dropped)": NBD, "mbgcnbd-k (BTYDplus, k=2)": MBGCNBDK,
	}
)

// loaded are the real data sets; reading them takes longer than all fits.
func loaded(t testing.TB) (stats map[string][]Stats, spend map[string][]Spend) {
	stats, spend = map[string][]Stats{}, map[string][]Spend{}
	retail := onlineRetail(t)
	for name, set := range sets {
		shop := retail
		if set.file != "" {
			shop = cdnow(t, set.file)
		}
		stats[name], spend[name] = shop.until(t, day(t, set.end))
	}
	return stats, spend
}

func TestFitsEqualTheExpectedOnes(t *testing.T) {
	stats, _ := loaded(t)
	compared := 0
	table(t, func(row map[string]string) {
		kind, ok := published[row["model"]]
		if !ok {
			return
		}
		compared++
		name := row["dataset"] + " " + string(kind)
		var fit Fit
		if row["dataset"] == "cdnow_sample_paper" {
			fit = fitSample(kind, paper(t))
		} else {
			var err error
			fit, err = FitModel(kind, Compress(stats[row["dataset"]]))
			require.NoError(t, err, name)
		}
		exact, precise := 1e-9, 1e-5
		switch kind {
		case ParetoNBD:
			exact, precise = 1e-6, 1e-4
		case MBGCNBDK: // found by an optimiser that stops early
			exact, precise = 5e-7, 2e-4
		}
		want := number(t, row["LL"])
		require.InEpsilon(t, want, fit.LogLikelihood, exact, name)
		require.True(t, fit.Converged, name)
		require.Less(t, fit.Gradient, 1e-9, name)
		if kind != MBGCNBDK && sets[row["dataset"]].file == "" && row["dataset"] != "cdnow_sample_paper" {
			require.False(t, fit.Identified, name)
			require.Equal(t, FindingNoChurn, fit.Finding, name)
			require.Equal(t, NBD, fit.Model.Kind(), name)
			requireFinite(t, fit.Model)
			return
		}
		require.True(t, fit.Identified, name)
		require.Empty(t, fit.Finding, name)
		require.Equal(t, kind, fit.Model.Kind())
		for _, p := range fit.Model.Params() {
			if p.Name == "k" {
				require.EqualValues(t, 2, p.Value)
				continue
			}
			require.InEpsilon(t, number(t, row[p.Name]), p.Value, precise, "%s: %s", name, p.Name)
			require.Positive(t, p.StdErr)
			require.Less(t, p.StdErr, p.Value)
		}
	}, "expected", "btyd_fitted_parameters.csv")
	require.Equal(t, 17, compared)
}

// TestLogLikelihoodOfAModelIsThatOfItsFit also holds the hand-made gradient's summit against the value alone.
func TestLogLikelihoodOfAModelIsThatOfItsFit(t *testing.T) {
	stats, _ := cdnow(t, "cdnow_sample.csv.gz").until(t, day(t, calibrationCDNOW))
	for _, kind := range Kinds() {
		fit, err := FitModel(kind, Compress(stats))
		require.NoError(t, err)
		var rows []Group
		for _, s := range stats {
			rows = append(rows, Group{s, 1})
		}
		require.InEpsilon(t, fit.LogLikelihood, fit.Model.LogLikelihood(rows), 1e-12)
		again, err := FitModel(kind, rows)
		require.NoError(t, err)
		for i, p := range fit.Model.Params() {
			require.InEpsilon(t, p.Value, again.Model.Params()[i].Value, 1e-8, "%s %s", kind, p.Name)
			if p.Name == "k" {
				continue
			}
			for _, factor := range []float64{0.99, 1.01} {
				params := fit.Model.Params()
				params[i].Value *= factor
				other, err := Restore(kind, params)
				require.NoError(t, err)
				require.Less(t, other.LogLikelihood(rows), fit.LogLikelihood)
			}
		}
	}
}

func TestSpendFitsEqualTheExpectedOnes(t *testing.T) {
	_, spend := loaded(t)
	var fromPaper []Spend
	table(t, func(row map[string]string) {
		if row["x"] != "0" {
			fromPaper = append(fromPaper, Spend{Repeats: int(number(t, row["x"])), Mean: number(t, row["zbar"]), N: 1})
		}
	}, "data", "cdnow_sample_summary_paper_zbar.csv.gz")
	spend["cdnow_sample_paper"] = fromPaper
	compared := 0
	table(t, func(row map[string]string) {
		if row["model"] != "gg" {
			return
		}
		compared++
		fit, err := FitSpend(spend[row["dataset"]])
		require.NoError(t, err)
		require.True(t, fit.Identified)
		require.InEpsilon(t, number(t, row["LL"]), fit.LogLikelihood, 1e-9, row["dataset"])
		for name, got := range map[string]float64{"p": fit.P, "q": fit.Q, "v": fit.Gamma} { // gamma stands under v
			require.InEpsilon(t, number(t, row[name]), got, 1e-5, "%s %s", row["dataset"], name)
		}
		require.Less(t, fit.StdErr.P, fit.P)
		require.Positive(t, fit.StdErr.P)
	}, "expected", "btyd_fitted_parameters.csv")
	require.Equal(t, 5, compared)
}

// TestDerivatives holds gradients and Hessians against differences, at places far from any summit.
func TestDerivatives(t *testing.T) {
	groups := []Group{
		{Stats{0, 0, 0, 0}, 2},
		{Stats{0, 0, 200, 0}, 5},
		{Stats{1, 3, 250, -0.8}, 3},
		{Stats{1, 250, 250, 3.5}, 1},
		{Stats{7, 180, 272, 2}, 4},
		{Stats{60, 270, 272, -20}, 1},
	}
	s := newSample(groups)
	amounts := []amount{{1, 0.5, math.Log(0.5), 2}, {3, 2, math.Log(2), 1}, {40, 1.1, math.Log(1.1), 1}}
	byRepeats := make([]float64, 41)
	byRepeats[1], byRepeats[3], byRepeats[40] = 2, 1, 1
	for name, f := range map[string]func([most]float64) point{
		"bg":  func(v [most]float64) point { return s.likelihood(exponents(v), shape{1, 0}) },
		"mbg": func(v [most]float64) point { return s.likelihood(exponents(v), shape{1, 1}) },
		"k3":  func(v [most]float64) point { return s.likelihood(exponents(v), shape{3, 1}) },
		"pareto": func(v [most]float64) point {
			p := exponents(v)
			return s.pareto(paretoNBD{r: p.r, alpha: p.alpha, s: p.a, beta: p.b})
		},
		"spend": func(v [most]float64) point { return gammaGammaLikelihood(amounts, byRepeats, v) },
	} {
		for _, at := range [][most]float64{{-0.7, 1.5, 0.3, 0.9}, {1, 3, -1, 0.2}, {0.2, 0.4, 1, 5}} {
			p := f(at)
			for i := range most {
				const h = 1e-5
				up, down := at, at
				up[i] += h
				down[i] -= h
				u, d := f(up), f(down)
				require.InDelta(t, (u.value-d.value)/2/h, p.grad[i], 1e-5*(1+math.Abs(p.grad[i])), "%s slope %d at %v", name, i, at)
				for j := range most {
					require.InDelta(t, (u.grad[j]-d.grad[j])/2/h, p.hess[i][j], 1e-5*(1+math.Abs(p.hess[i][j])), "%s curvature %d %d at %v", name, i, j, at)
				}
			}
		}
	}
}

func exponents(v [most]float64) gammaBeta {
	return gammaBeta{math.Exp(v[0]), math.Exp(v[1]), math.Exp(v[2]), math.Exp(v[3])}
}
