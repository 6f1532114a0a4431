package clv

import (
	"math"
	"math/rand/v2"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// used is the processor time spent so far: the clock on the wall runs faster on a busy machine.
func used(b *testing.B) time.Duration {
	var u syscall.Rusage
	require.NoError(b, syscall.Getrusage(syscall.RUSAGE_SELF, &u))
	return time.Duration(u.Utime.Nano() + u.Stime.Nano())
}

// million are the stats of customers who joined over three years and bought as the MBG/NBD of CDNOW says.
var million = sync.OnceValue(func() []Stats {
	rng := rand.New(rand.NewPCG(1, 2))
	m := simulation{kind: MBGNBD, r: .5248, alpha: 6.183, a: .8914, b: 1.614, k: 1}
	all := make([]Stats, 1_000_000)
	for i := range all {
		all[i] = m.customer(rng, rng.Int32N(1096)).days()
	}
	return all
})

func BenchmarkCompressMillion(b *testing.B) {
	stats := million()
	start := used(b)
	for b.Loop() {
		Compress(stats)
	}
	b.ReportMetric((used(b)-start).Seconds()*1000/float64(b.N), "cpu-ms/op")
}

func benchmarkFit(b *testing.B, kind Kind, stats []Stats, n int) {
	start := used(b)
	for b.Loop() {
		groups := Compress(stats)
		if n > 0 {
			groups = Sample(groups, n)
		}
		fit, err := FitModel(kind, groups)
		require.NoError(b, err)
		require.True(b, fit.Converged)
	}
	b.ReportMetric((used(b)-start).Seconds()*1000/float64(b.N), "cpu-ms/op")
}

func BenchmarkFitMillionBG(b *testing.B)           { benchmarkFit(b, BGNBD, million(), 0) }
func BenchmarkFitMillionMBG(b *testing.B)          { benchmarkFit(b, MBGNBD, million(), 0) }
func BenchmarkFitHundredThousandCNBD(b *testing.B) { benchmarkFit(b, MBGCNBDK, million(), 100_000) }

func BenchmarkFitHundredThousandPareto(b *testing.B) { benchmarkFit(b, ParetoNBD, million(), 100_000) }

func BenchmarkFitCDNOW(b *testing.B) {
	stats, spend := cdnow(b, "cdnow_full.csv.gz").until(b, day(b, calibrationCDNOW))
	for _, kind := range Kinds() {
		b.Run(string(kind), func(b *testing.B) { benchmarkFit(b, kind, stats, 0) })
	}
	b.Run("spend", func(b *testing.B) {
		for b.Loop() {
			_, err := FitSpend(spend)
			require.NoError(b, err)
		}
	})
}

// BenchmarkScore is what a customer costs: P(alive), a year's orders, the middle of the time to the next.
func BenchmarkScore(b *testing.B) {
	scoring(b, func(m Model, s Stats) float64 {
		next, _ := m.NextOrder(s, 0.5)
		return m.Alive(s) + m.Expected(s, 365) + next
	})
}

// BenchmarkForetell is the same with the discounted value of the year, all asked at once.
func BenchmarkForetell(b *testing.B) {
	scoring(b, func(m Model, s Stats) float64 {
		next, _ := m.NextOrder(s, 0.5)
		return Predictor{Orders: m, Spend: SpendFit{Average: 30}, AnnualRate: 0.1, MarginRate: 1}.Predict(s, 30, 365).Discounted + next
	})
}

func scoring(b *testing.B, score func(m Model, s Stats) float64) {
	stats := million()[:100_000]
	for _, m := range []Model{
		model(b, NBD, .385, 12.07), model(b, BGNBD, .2426, 4.4136, .7929, 2.4259), model(b, MBGNBD, .5248, 6.183, .8914, 1.614),
		model(b, MBGCNBDK, .8557, 4.129, .1239, 2.117, 2), model(b, ParetoNBD, .5533, 10.578, .6062, 11.669),
	} {
		b.Run(string(m.Kind()), func(b *testing.B) {
			i, sum := 0, 0.0
			start := used(b)
			for b.Loop() {
				sum += score(m, stats[i%len(stats)])
				i++
			}
			require.False(b, math.IsNaN(sum))
			b.ReportMetric(float64(b.N)/(used(b)-start).Seconds(), "customers/cpu-s")
		})
	}
}
