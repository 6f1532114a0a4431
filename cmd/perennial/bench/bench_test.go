// Package bench measures what the product promises of speed and memory, each against the bare work that nobody can do
// without, in the same run on the same machine. There is nothing here but benchmarks, and a test that keeps them running.
package bench

import (
	"fmt"
	"io"
	"os"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"

	"github.com/stretchr/testify/require"
)

// figure is one thing measured: ours against the bare work, or alone against a limit.
type figure struct {
	name       string
	unit       string
	ours, bare float64
	target     float64 // of ours/bare, or of ours where there is nothing bare
	alone      bool    // nothing bare to compare with
	atLeast    bool    // more is better
}

// value is what the target is about.
func (f figure) value() float64 {
	switch {
	case f.alone:
		return f.ours
	case f.bare == 0:
		return 0
	default:
		return f.ours / f.bare
	}
}

func (f figure) verdict() string {
	if f.atLeast && f.value() >= f.target || !f.atLeast && f.value() <= f.target {
		return "meets"
	}
	return "misses"
}

// String is the line that make bench prints.
func (f figure) String() string {
	bound := "at most"
	if f.atLeast {
		bound = "at least"
	}
	if f.alone {
		return fmt.Sprintf("%-62s ours %10s %-12s %32s target %s %s: %s", f.name, short(f.ours), f.unit, "", bound, short(f.target), f.verdict())
	}
	return fmt.Sprintf("%-62s ours %10s %-12s bare %10s  ratio %6.3f  target %s %s: %s",
		f.name, short(f.ours), f.unit, short(f.bare), f.value(), bound, short(f.target), f.verdict())
}

func short(value float64) string { return strconv.FormatFloat(value, 'f', digits(value), 64) }

func digits(value float64) int {
	switch {
	case value == float64(int64(value)):
		return 0
	case value < 10:
		return 3
	case value < 1000:
		return 1
	default:
		return 0
	}
}

// printed gathers the figures of a run until its end, because the testing package writes in between.
var printed struct {
	sync.Mutex
	lines []string
}

func report(b *testing.B, figures []figure) {
	printed.Lock()
	defer printed.Unlock()
	for _, f := range figures {
		printed.lines = append(printed.lines, f.String())
		b.ReportMetric(f.value(), strings.Map(metricRune, f.name))
	}
}

func metricRune(r rune) rune {
	if strings.ContainsRune(" ,:", r) {
		return '-'
	}
	return r
}

func printFigures(w io.Writer) {
	printed.Lock()
	defer printed.Unlock()
	for i, line := range printed.lines {
		if i == 0 {
			fmt.Fprintln(w)
		}
		fmt.Fprintln(w, line)
	}
}

// TestMain lets this binary also be the process that a benchmark measures from outside.
func TestMain(m *testing.M) {
	if runChild() || runBulkShop() || runNight() {
		return
	}
	code := m.Run()
	printFigures(os.Stdout)
	removeBinary()
	os.Exit(code)
}

// scale is the share of the full size: 1 by default, 0.01 for a quick look.
func scale(b *testing.B) float64 {
	text := os.Getenv("PERENNIAL_BENCH_SCALE")
	if text == "" {
		return 1
	}
	value, err := strconv.ParseFloat(text, 64)
	require.NoError(b, err, "PERENNIAL_BENCH_SCALE")
	require.Positive(b, value, "PERENNIAL_BENCH_SCALE")
	return value
}

// sized is a full size at a scale, and never less than least.
func sized(full int, scale float64, least int) int { return max(least, int(float64(full)*scale)) }

func median(values []float64) float64 {
	if len(values) == 0 {
		return 0
	}
	sorted := slices.Sorted(slices.Values(values))
	if n := len(sorted); n%2 == 0 {
		return (sorted[n/2-1] + sorted[n/2]) / 2
	}
	return sorted[len(sorted)/2]
}

// measures are all figures, by what is measured.
var measures = map[string]func(tb testing.TB, scale float64) []figure{
	"ingest":     measureIngest,
	"memory":     measureMemory,
	"throughput": measureThroughput,
	"client":     measureClient,
	"segments":   measureSegments,
	"bulk":       measureBulk,
	"bulkmemory": measureBulkMemory,
	"tagging":    measureTagging,
	"pacing":     measurePacing,
	"models":     measureModels,
	"platforms":  measurePlatforms,
	"limits":     measureLimits,
	"dashboard":  measureDashboard,
}

func run(b *testing.B, name string) {
	size := scale(b)
	for b.Loop() {
		report(b, measures[name](b, size))
	}
}

func BenchmarkIngest(b *testing.B)     { run(b, "ingest") }
func BenchmarkMemory(b *testing.B)     { run(b, "memory") }
func BenchmarkThroughput(b *testing.B) { run(b, "throughput") }
func BenchmarkClient(b *testing.B)     { run(b, "client") }
func BenchmarkSegments(b *testing.B)   { run(b, "segments") }
func BenchmarkBulk(b *testing.B)       { run(b, "bulk") }
func BenchmarkBulkMemory(b *testing.B) { run(b, "bulkmemory") }
func BenchmarkTagging(b *testing.B)    { run(b, "tagging") }
func BenchmarkPacing(b *testing.B)     { run(b, "pacing") }
func BenchmarkModels(b *testing.B)     { run(b, "models") }
func BenchmarkPlatforms(b *testing.B)  { run(b, "platforms") }
func BenchmarkLimits(b *testing.B)     { run(b, "limits") }
func BenchmarkDashboard(b *testing.B)  { run(b, "dashboard") }

// TestEveryFigureIsMeasured runs each measurement at a tiny size: that they work, not what they say.
func TestEveryFigureIsMeasured(t *testing.T) {
	for name, measure := range measures {
		t.Run(name, func(t *testing.T) {
			figures := measure(t, 0.0002)
			require.NotEmpty(t, figures)
			for _, f := range figures {
				require.NotEmpty(t, f.name)
				require.Contains(t, f.String(), f.verdict())
				require.False(t, f.ours < 0 || f.bare < 0, f.String())
			}
		})
	}
}

func TestVerdictsFollowTheTarget(t *testing.T) {
	require.Equal(t, "meets", figure{ours: 3, bare: 2, target: 1.5}.verdict())
	require.Equal(t, "misses", figure{ours: 3.1, bare: 2, target: 1.5}.verdict())
	require.Equal(t, "meets", figure{ours: 0.96, bare: 1, target: 0.95, atLeast: true}.verdict())
	require.Equal(t, "misses", figure{ours: 0.94, bare: 1, target: 0.95, atLeast: true}.verdict())
	require.Equal(t, "meets", figure{ours: 0, target: 0, alone: true}.verdict())
	require.InDelta(t, 2.5, median([]float64{4, 1, 3, 2}), 0)
}
