package bench

import (
	"compress/gzip"
	"encoding/csv"
	"maps"
	"math"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"gonum.org/v1/gonum/stat/distuv"

	"github.com/perennial-cvo/perennial/analysis/clv"
	"github.com/perennial-cvo/perennial/analysis/segment"
)

// measureModels fits models of buying to a shop of a million customers who joined over three years, chooses among all of them
// by what happened in the last half year, and scores everybody. The limits are in CPU time of this machine.
func measureModels(tb testing.TB, scale float64) []figure {
	people := sized(1_000_000, scale, 500)
	cases := inventCases(people)
	stats := make([]clv.Stats, len(cases))
	for i := range cases {
		stats[i] = cases[i].Stats
	}
	var fit clv.Fit
	fitting := median3(tb, func() {
		var err error
		fit, err = clv.FitModel(clv.BGNBD, clv.Compress(stats))
		require.NoError(tb, err)
	})
	require.True(tb, fit.Converged)
	var choice clv.Choice
	choosing := median3(tb, func() {
		var err error
		choice, err = clv.Choose(clv.Holdout{Cases: cases, Days: holdoutDays}, clv.ChoiceOptions{})
		require.NoError(tb, err)
	})
	tb.Logf("chosen of %d customers: %s; %s", people, choice.Kind, choice.Finding)
	sum, preset := 0.0, segment.Presets()[0]
	ids := preset.IDs()
	scoring := median3(tb, func() {
		predictor := clv.Predictor{Orders: fit.Model, Spend: choice.Spend, AnnualRate: 0.1, MarginRate: 1}
		chain := segment.NewTransitions(ids).Chain()
		for i := range cases {
			next, _ := fit.Model.NextOrder(cases[i].Stats, 0.5)
			_, stays := chain.Likeliest(ids[i%len(ids)])
			sum += predictor.Predict(cases[i].Stats, cases[i].Mean, 365).Discounted + next + stays
		}
	})
	require.False(tb, math.IsNaN(sum))
	return append(measureCDNOW(tb), []figure{
		{name: "BG/NBD fitted, compression included, CPU", unit: "s", ours: fitting, target: 0.6, alone: true},
		{name: "choice among all models with holdout, CPU", unit: "s", ours: choosing, target: 10, alone: true},
		{name: "P(alive), discounted value of a year, next order and segment", unit: "customers/s", ours: float64(people) / scoring, target: 500_000, alone: true, atLeast: true},
	}...)
}

// measureCDNOW fits the published data of 23,570 customers, where the reference is at hand.
func measureCDNOW(tb testing.TB) []figure {
	dir := os.Getenv("PERENNIAL_REFERENCE_DIR")
	if dir == "" {
		tb.Log("BG/NBD on CDNOW is left out: PERENNIAL_REFERENCE_DIR is not set")
		return nil
	}
	stats := readCDNOW(tb, filepath.Join(dir, "data", "cdnow_full.csv.gz"))
	require.Len(tb, stats, 23_570)
	const times = 20
	took := median3(tb, func() {
		for range times {
			_, err := clv.FitModel(clv.BGNBD, clv.Compress(stats))
			require.NoError(tb, err)
		}
	})
	return []figure{{name: "BG/NBD fitted to CDNOW, compression included, CPU", unit: "ms", ours: 1000 * took / times, target: 10, alone: true}}
}

// readCDNOW sums up what was bought until the end of the usual calibration period.
func readCDNOW(tb testing.TB, path string) []clv.Stats {
	file, err := os.Open(path)
	require.NoError(tb, err)
	defer func() { require.NoError(tb, file.Close()) }()
	plain, err := gzip.NewReader(file)
	require.NoError(tb, err)
	rows, err := csv.NewReader(plain).ReadAll()
	require.NoError(tb, err)
	days := map[string]map[int32]bool{}
	end := time.Date(1997, 9, 30, 0, 0, 0, 0, time.UTC)
	for _, row := range rows[1:] {
		at, err := time.Parse(time.DateOnly, row[slices.Index(rows[0], "date")])
		require.NoError(tb, err)
		customer := row[slices.Index(rows[0], "customer_id")]
		if days[customer] == nil {
			days[customer] = map[int32]bool{}
		}
		if age := int32(end.Sub(at).Hours() / 24); age >= 0 {
			days[customer][age] = true
		}
	}
	var stats []clv.Stats
	for _, bought := range days {
		ages := slices.Sorted(maps.Keys(bought))
		first, last := ages[len(ages)-1], ages[0]
		stats = append(stats, clv.Stats{Repeats: len(ages) - 1, Last: first - last, Age: first})
	}
	return stats
}

// median3 is the CPU time of this process for a piece of work, in seconds, the middle of three.
func median3(tb testing.TB, work func()) float64 {
	var took []float64
	for range 3 {
		began := ownCPU(tb)
		work()
		took = append(took, max((ownCPU(tb)-began).Seconds(), time.Microsecond.Seconds()))
	}
	return median(took)
}

const (
	holdoutDays = 180
	joinedDays  = 3 * 365
)

// inventCases invents customers who buy at gamma distributed rates and stop after each order with beta distributed
// probabilities, the first included: the MBG/NBD with parameters as of CDNOW.
func inventCases(people int) []clv.Case {
	rng := rand.New(rand.NewPCG(1, 2))
	rates := distuv.Gamma{Alpha: 0.5248, Beta: 6.183, Src: rng} // orders a week
	stops := distuv.Beta{Alpha: 0.8914, Beta: 1.614, Src: rng}
	cases := make([]clv.Case, 0, people)
	for range people {
		age := rng.Int32N(joinedDays)
		level := 20 + 20*rng.Float64()
		purchases := []clv.Purchase{{Value: level}}
		rate, stop := rates.Rand(), stops.Rand()
		for at := 0.0; rng.Float64() > stop; {
			at += 7 * rng.ExpFloat64() / rate
			if at > float64(age+holdoutDays) {
				break
			}
			purchases = append(purchases, clv.Purchase{Day: int32(math.Ceil(at)), Value: level * (1 + 0.5*rng.Float64())})
		}
		if c, ok := clv.NewCase(purchases, age, age+holdoutDays); ok {
			cases = append(cases, c)
		}
	}
	return cases
}
