package segment_test

import (
	"slices"
	"testing"

	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	"github.com/perennial-cvo/perennial/analysis/segment"
)

func TestStagesOfOneLife(t *testing.T) {
	l := segment.Lifecycle{Interval: 30}.WithDefaults() // slipping after 48 days, lapsed after 90, lost after 180
	for _, c := range []struct {
		name  string
		j     segment.Journey
		day   int
		stage string
		until int
	}{
		{"never ordered", segment.Journey{}, 500, segment.Prospect, segment.Open},
		{"the day after", segment.Journey{Days: 1, First: 100, Last: 100}, 101, segment.FirstTime, 148},
		{"on the last day in time", segment.Journey{Days: 1, First: 100, Last: 100}, 148, segment.FirstTime, 148},
		{"a day later", segment.Journey{Days: 1, First: 100, Last: 100}, 149, segment.Slipping, 190},
		{"on the last day of slipping", segment.Journey{Days: 1, First: 100, Last: 100}, 190, segment.Slipping, 190},
		{"long overdue", segment.Journey{Days: 1, First: 100, Last: 100}, 191, segment.Lapsed, 280},
		{"gone", segment.Journey{Days: 1, First: 100, Last: 100}, 281, segment.Lost, segment.Open},
		{"came in time", segment.Journey{Days: 2, First: 100, Previous: 100, Last: 190}, 191, segment.Active, 190 + 80}, // e = (60+90)/3
		{"came back", segment.Journey{Days: 2, First: 100, Previous: 100, Last: 191}, 192, segment.WonBack, 191 + 81},
		{"and came again", segment.Journey{Days: 3, First: 100, Previous: 191, Last: 200}, 201, segment.Active, 200 + 64}, // e = 160/4
		{"came back and slips", segment.Journey{Days: 2, First: 100, Previous: 100, Last: 191}, 273, segment.Slipping, 191 + 151},
		{"buys every day", segment.Journey{Days: 400, First: 0, Previous: 398, Last: 399}, 400, segment.Active, 399 + 12}, // e = 7
	} {
		got := l.Stage(c.j, c.day)
		require.Equal(t, c.stage, got.Stage, c.name)
		require.Equal(t, c.until, got.Until, c.name)
	}
	require.InDelta(t, 40, l.Stage(segment.Journey{Days: 3, First: 100, Previous: 191, Last: 200}, 201).Interval, 1e-12)
}

var journeys = rapid.Custom(func(t *rapid.T) segment.Journey {
	j := segment.Journey{Days: rapid.IntRange(0, 6).Draw(t, "purchase days"), First: rapid.IntRange(0, 400).Draw(t, "first")}
	j.Previous, j.Last = j.First, j.First
	for range j.Days - 1 {
		j.Previous, j.Last = j.Last, j.Last+rapid.IntRange(1, 500).Draw(t, "gap")
	}
	return j
})

func TestOnlyThoseWhoseDaysPassedChangeTheirStage(t *testing.T) {
	order := []string{segment.Slipping, segment.Lapsed, segment.Lost}
	rapid.Check(t, func(t *rapid.T) {
		l := segment.Lifecycle{Interval: rapid.Float64Range(1, 400).Draw(t, "interval")}.WithDefaults()
		require.NoError(t, l.Check())
		j := journeys.Draw(t, "journey")
		day := j.Last + rapid.IntRange(0, 4000).Draw(t, "passed")
		today, tomorrow := l.Stage(j, day), l.Stage(j, day+1)
		require.True(t, slices.ContainsFunc(segment.Stages(), func(d segment.Definition) bool { return d.ID == today.Stage }))
		require.LessOrEqual(t, day, today.Until)
		if day < today.Until || today.Until == segment.Open {
			require.Equal(t, today, tomorrow)
			return
		}
		require.NotEqual(t, today.Stage, tomorrow.Stage)
		require.Equal(t, slices.Index(order, today.Stage)+1, slices.Index(order, tomorrow.Stage), "nobody skips a stage")
	})
}

func TestTheShopsIntervalIsMeasuredAndKept(t *testing.T) {
	var people []segment.Journey
	for gap := range 21 { // mean gaps of 20 to 40 days
		people = append(people, segment.Journey{Days: 3, First: 0, Last: 2 * (20 + gap)}, segment.Journey{Days: 1})
	}
	interval, measured := segment.ShopInterval(people, 0)
	require.True(t, measured)
	require.EqualValues(t, 30, interval)
	slices.Reverse(people)
	interval, _ = segment.ShopInterval(people, 32)
	require.EqualValues(t, 32, interval, "within a tenth of what stands")
	interval, _ = segment.ShopInterval(people, 34)
	require.EqualValues(t, 30, interval)
	interval, measured = segment.ShopInterval(people[:8], 0)
	require.False(t, measured)
	require.EqualValues(t, segment.DefaultInterval, interval)
	interval, _ = segment.ShopInterval(nil, 55)
	require.EqualValues(t, 55, interval)
}

func TestLifecycleRulesThatCannotBeAreNamed(t *testing.T) {
	require.NoError(t, segment.Lifecycle{}.Check())
	for want, l := range map[string]segment.Lifecycle{
		"lifecycle interval -1": {Interval: -1}, "lifecycle weight -2": {Weight: -2},
		"lifecycle limits": {Slipping: 5}, "slipping at least 1": {Slipping: 0.5},
	} {
		require.ErrorContains(t, l.Check(), want)
	}
}

func TestDefinitionsOfStagesTiersAndBands(t *testing.T) {
	tiers, err := segment.ValueTiers([]float64{1, 2, 3})
	require.NoError(t, err)
	for want, all := range map[string][]segment.Definition{
		"prospect": segment.Stages(), "top": tiers.Definitions(), "high": segment.ChurnBands().Definitions(),
	} {
		require.Equal(t, want, all[0].ID)
		for _, d := range all {
			require.NotEmpty(t, d.Name+d.Meaning)
			require.NotEmpty(t, d.Action)
			require.Equal(t, segment.Ours, d.Origin)
			require.Less(t, len(d.Meaning), 90)
			require.Less(t, len(d.Action), 110)
		}
	}
}

func TestTiersHoldOnToPeople(t *testing.T) {
	tiers, err := segment.ValueTiers([]float64{100, 200, 400})
	require.NoError(t, err)
	for _, c := range []struct {
		value          float64
		standing, want string
	}{
		{100, "", "low"},
		{100.5, "", "middle"},
		{1000, "", "top"},
		{-5, "", "low"},
		{104, "low", "low"},
		{106, "low", "middle"},
		{96, "middle", "middle"},
		{95, "middle", "low"},
		{1000, "low", "top"},
		{-1, "top", "low"},
		{405, "low", "high"},
		{390, "top", "top"},
		{390, "no longer a tier", "high"},
	} {
		require.Equal(t, c.want, tiers.Of(c.value, c.standing), "%g standing in %q", c.value, c.standing)
	}
	rapid.Check(t, func(t *rapid.T) {
		standing := rapid.SampledFrom([]string{"", "low", "middle", "high", "top"}).Draw(t, "standing")
		value := rapid.Float64Range(-100, 1000).Draw(t, "value")
		band := tiers.Of(value, standing)
		require.Equal(t, band, tiers.Of(value, band), "asking again changes nothing")
		fresh, drift := tiers.Of(value, ""), rapid.Float64Range(0.96, 1.04).Draw(t, "drift")
		require.Equal(t, fresh, tiers.Of(value*drift, fresh), "a little more or less moves nobody")
	})
}

func TestCutsOfQuantiles(t *testing.T) {
	require.InDeltaSlice(t, []float64{3, 4.2, 4.8}, segment.Quantiles([]float64{5, 3, 1, 2, 4}, segment.TierShares()), 1e-12)
	require.Equal(t, []float64{7, 7, 7}, segment.Quantiles([]float64{7}, segment.TierShares()))
	require.Nil(t, segment.Quantiles(nil, segment.TierShares()))
	alike, err := segment.ValueTiers([]float64{7, 7, 7})
	require.NoError(t, err)
	require.Equal(t, "low", alike.Of(7, ""), "where all are alike nobody is above the others")
	require.Equal(t, []float64{10, 20}, segment.SettleCuts([]float64{10, 20}, []float64{10.4, 19.5}, 0.05))
	require.Equal(t, []float64{10.4, 25}, segment.SettleCuts([]float64{10, 20}, []float64{10.4, 25}, 0.05))
	for _, cuts := range [][]float64{{1, 2}, {3, 2, 1}} {
		_, err := segment.ValueTiers(cuts)
		require.Error(t, err)
	}
	_, err = segment.NewBands(segment.Stages()[:1], nil, 1)
	require.Error(t, err)
}

func BenchmarkStage(b *testing.B) {
	l, sum := segment.Lifecycle{}.WithDefaults(), 0
	for i := 0; b.Loop(); i++ {
		sum += l.Stage(segment.Journey{Days: 1 + i%5, First: 0, Previous: i % 300, Last: i%300 + 50}, 400).Until
	}
	b.ReportMetric(float64(b.N)/b.Elapsed().Seconds(), "customers/s")
	require.Positive(b, sum)
}
