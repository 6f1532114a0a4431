package experiment_test

import (
	"encoding/json"
	"math"
	"math/rand/v2"
	"testing"

	"github.com/stretchr/testify/require"
	"gonum.org/v1/gonum/stat/distuv"
	"pgregory.net/rapid"

	"github.com/perennial-cvo/perennial/analysis/experiment"
)

// trial is a shop in which every person buys with a chance, for about 50, and those who are not held out lift times as often.
type trial struct {
	got, held    int
	chance, lift float64
	sigma        float64 // of the logarithm of amounts
	seed         uint64
}

func (x trial) facts() experiment.Facts {
	random := rand.New(rand.NewPCG(x.seed, 11))
	share := float64(x.held) / float64(x.got+x.held)
	f := experiment.Facts{Audience: "lapsed", Share: share, Since: 100, AsOf: 200}
	f.Entries = []experiment.Entry{{Day: 100, Share: share, Got: x.got, Held: x.held}}
	for i := range x.got + x.held {
		p := experiment.People{Number: 1, Held: i < x.held, Share: share}
		chance := x.chance
		if !p.Held {
			chance *= 1 + x.lift
		}
		p.Before, p.After = x.buys(random, x.chance), x.buys(random, chance)
		f.People = append(f.People, p)
	}
	return f
}

func (x trial) buys(random *rand.Rand, chance float64) experiment.Totals {
	if random.Float64() >= chance {
		return experiment.Totals{}
	}
	amount := int64(50 * 1e4 * math.Exp(x.sigma*random.NormFloat64()-x.sigma*x.sigma/2))
	return experiment.Totals{Orders: 1, Revenue: amount, Costed: amount, Margin: amount / 2}
}

func judge(all ...experiment.Facts) []experiment.Result { return experiment.Judge(all) }

func TestVerdicts(t *testing.T) {
	helps := judge(trial{got: 3000, held: 3000, chance: 0.2, lift: 1, sigma: 0.3}.facts())[0]
	require.Equal(t, experiment.Helps, helps.Verdict)
	require.Equal(t, experiment.Helps, helps.Orders.Verdict)
	require.Equal(t, experiment.Helps, helps.Margin.Verdict)
	require.Empty(t, helps.Lacks)
	require.InDelta(t, 10, helps.Revenue.Adjusted.Difference, 2, "a fifth more of the people buy for 50")
	require.InDelta(t, 0.2, helps.Orders.Adjusted.Difference, 0.04)
	require.InDelta(t, 5, helps.Margin.Adjusted.Difference, 1)
	require.InDelta(t, 1, helps.Costed, 1e-12)
	require.InDelta(t, 3000*helps.Revenue.Adjusted.Difference, helps.Revenue.Total, 1e-9)
	require.InDelta(t, 3000*helps.Revenue.Range.Low, helps.Revenue.Totals.Low, 1e-9)
	require.Greater(t, helps.Revenue.Range.Low, 0.0)
	require.Less(t, helps.Revenue.Range.Low, helps.Revenue.Adjusted.Low, "who may look every day is told less at once")

	harms := judge(trial{got: 3000, held: 3000, chance: 0.4, lift: -0.5, sigma: 0.3}.facts())[0]
	require.Equal(t, experiment.Harms, harms.Verdict)
	require.Less(t, harms.Revenue.Range.High, 0.0)

	nothing := judge(trial{got: 30_000, held: 30_000, chance: 0.5, sigma: 0.3}.facts())[0]
	require.Equal(t, experiment.NoEffect, nothing.Verdict)
	require.LessOrEqual(t, *nothing.Revenue.Reach.Share, experiment.Worth)

	unclear := judge(trial{got: 900, held: 300, chance: 0.2, sigma: 0.3}.facts())[0]
	require.Equal(t, experiment.TooEarly, unclear.Verdict)
	require.Equal(t, []experiment.Lack{experiment.Clarity}, unclear.Lacks)
	require.Greater(t, unclear.Revenue.Reach.People, 1200)
	require.Nil(t, unclear.Revenue.Reach.Weeks, "nobody came in since the first day")
	require.Greater(t, *unclear.Revenue.Reach.Share, experiment.Worth)
}

func TestWhatLacks(t *testing.T) {
	for name, c := range map[string]struct {
		change func(*experiment.Facts)
		from   trial
		lacks  []experiment.Lack
	}{
		"time": {
			from:   trial{got: 3000, held: 3000, chance: 0.2, lift: 1},
			change: func(f *experiment.Facts) { f.Since = f.AsOf - experiment.MinDays + 1 }, lacks: []experiment.Lack{experiment.Time},
		},
		"a trial that ended early": {
			from:   trial{got: 3000, held: 3000, chance: 0.2, lift: 1},
			change: func(f *experiment.Facts) { f.Until = f.Since + experiment.MinDays - 1 }, lacks: []experiment.Lack{experiment.Time},
		},
		"people": {from: trial{got: 3000, held: experiment.MinPeople - 1, chance: 0.9, lift: 1}, lacks: []experiment.Lack{experiment.Numbers}},
		"buyers": {from: trial{got: 2000, held: 200, chance: 0.01, lift: 1}, lacks: []experiment.Lack{experiment.Buyers}},
		"nobody": {from: trial{}, lacks: []experiment.Lack{experiment.Numbers}},
	} {
		f := c.from.facts()
		if c.change != nil {
			c.change(&f)
		}
		r := judge(f)[0]
		require.Equal(t, experiment.TooEarly, r.Verdict, name)
		require.Equal(t, c.lacks, r.Lacks, name)
		require.Nil(t, r.Revenue.Range, name)
		require.Equal(t, 1.0, r.Revenue.P, name)
		require.Equal(t, experiment.TooEarly, r.Orders.Verdict, name)
	}
}

// TestABrokenSplitIsNotTrusted: a tenth was to be held out. The figures are those of the chi-square test.
func TestABrokenSplitIsNotTrusted(t *testing.T) {
	f := trial{got: 400, held: 400, chance: 0.2, lift: 1}.facts()
	require.False(t, judge(f)[0].Split.Broken)
	require.Equal(t, 1.0, judge(f)[0].Split.P)
	f.Entries = []experiment.Entry{{Day: 100, Share: 0.1, Got: 870, Held: 130}}
	s := judge(f)[0].Split
	require.InDelta(t, 0.0015654022580025488, s.P, 1e-12)
	require.InDelta(t, 100, s.Expected, 1e-9)
	require.False(t, s.Broken)
	f.Entries = []experiment.Entry{{Day: 100, Share: 0.1, Got: 450, Held: 50}, {Day: 110, Share: 0.1, Got: 410, Held: 90}}
	r := judge(f)[0]
	require.InDelta(t, 2.4826606338804658e-05, r.Split.P, 1e-12)
	require.Equal(t, experiment.Broken, r.Verdict)
	require.Nil(t, r.Revenue.Range)
	f.Entries = []experiment.Entry{{Day: 100, Share: 0.1, Got: 450, Held: 50}, {Day: 110, Share: 0.5, Got: 250, Held: 250}}
	require.False(t, judge(f)[0].Split.Broken, "each person counts by the share of their own lot")
	f.Entries = []experiment.Entry{{Day: 100, Share: 0.1, Got: 0, Held: 9}}
	require.False(t, judge(f)[0].Split.Broken, "too few to say")
}

// TestOneLargeOrderIsNoFinding: those who are held out bought alike and for more, but one of the others bought for a fortune.
func TestOneLargeOrderIsNoFinding(t *testing.T) {
	f := trial{got: 1000, held: 1000, chance: 0.2, sigma: 0.1, seed: 3}.facts()
	before := judge(f)[0].Revenue.Adjusted.Error
	for i := range f.People {
		if p := &f.People[i]; !p.Held {
			p.After.Revenue += 100 * 1e4 * 1e4
			break
		}
	}
	r := judge(f)[0]
	require.Greater(t, r.Revenue.Adjusted.Error, before*10)
	require.Equal(t, experiment.TooEarly, r.Verdict)
	require.InDelta(t, judge(trial{got: 1000, held: 1000, chance: 0.2, sigma: 0.1, seed: 3}.facts())[0].Revenue.Cut.Difference,
		r.Revenue.Cut.Difference, 1, "what is cut does not move")
}

// TestManyAudiencesAreJudgedTogether by the steps of Holm.
func TestManyAudiencesAreJudgedTogether(t *testing.T) {
	strong, weak := trial{got: 800, held: 800, chance: 0.3, lift: 1, sigma: 0.3}.facts(), trial{got: 800, held: 800, chance: 0.2, sigma: 0.3}
	alone := judge(strong)[0]
	require.InDelta(t, 0.95, alone.Revenue.Range.Level, 1e-12)
	var all []experiment.Facts
	for i := range 9 {
		weak.seed = uint64(20 + i)
		all = append(all, weak.facts())
	}
	results := judge(append(all, strong)...)
	require.Equal(t, experiment.Helps, results[9].Verdict)
	require.InDelta(t, 1-0.05/10, results[9].Revenue.Range.Level, 1e-12)
	require.Less(t, results[9].Revenue.Range.Low, alone.Revenue.Range.Low)
	for _, r := range results[:9] {
		require.Equal(t, experiment.TooEarly, r.Verdict)
		require.InDelta(t, 1-0.05/9, r.Revenue.Range.Level, 1e-12)
		require.Less(t, r.Revenue.Range.Low*r.Revenue.Range.High, 0.0, "the range and the verdict say the same")
	}
	again := judge(append([]experiment.Facts{strong}, all...)...)
	require.Equal(t, results[9].Revenue, again[0].Revenue, "in whatever order")
}

func TestHowLongItTakes(t *testing.T) {
	f := trial{got: 90, held: 10, chance: 1}.facts()
	f.Share = 0.1
	f.Since, f.AsOf = 100, 100+70
	f.Entries = []experiment.Entry{{Day: 100, Share: 0.1, Got: 270, Held: 30}}
	for day := int32(101); day < 170; day++ {
		f.Entries = append(f.Entries, experiment.Entry{Day: day, Share: 0.1, Got: 9, Held: 1})
	}
	r := judge(f)[0]
	require.Equal(t, []experiment.Lack{experiment.Numbers}, r.Lacks)
	require.Equal(t, 300+690-100, r.Waiting)
	// A thousand are needed, 990 of whom came in; ten more come tomorrow, and are seen for 28 days.
	require.Equal(t, 5, *r.Weeks)
	f.Entries[0].Got = 300
	require.Equal(t, 4, *judge(f)[0].Weeks, "the last that are needed came in yesterday")
	f.Until = f.AsOf - 1
	require.Nil(t, judge(f)[0].Weeks, "it is over")
	f.Until, f.Since, f.AsOf = 0, 165, 170
	f.Entries = f.Entries[:1]
	f.Entries[0].Day = 165
	require.Nil(t, judge(f)[0].Weeks, "it is too young to foretell")
}

// TestWhateverTheFactsNothingIsNoNumber: JSON has no word for infinite or none.
func TestWhateverTheFactsNothingIsNoNumber(t *testing.T) {
	check := func(t require.TestingT, all ...experiment.Facts) []experiment.Result {
		results := judge(all...)
		_, err := json.Marshal(results)
		require.NoError(t, err)
		for _, r := range results {
			require.NotEmpty(t, r.Verdict)
			for _, e := range []experiment.Effect{r.Revenue, r.Orders} {
				require.True(t, e.P >= 0 && e.P <= 1)
				require.True(t, e.Range == nil || e.Range.Low <= e.Range.High)
			}
		}
		return results
	}
	for name, people := range map[string][]experiment.People{
		"nobody":               nil,
		"one person":           amounts(true, 5),
		"one side":             amounts(false, 1, 2, 3, 4),
		"one of a side":        append(amounts(false, 1, 2, 3, 4), amounts(true, 2)...),
		"all nothing":          append(amounts(false, make([]float64, 500)...), amounts(true, make([]float64, 500)...)...),
		"all the same":         {{Number: 500, Share: 0.5, After: experiment.Totals{Orders: 1, Revenue: 10}}, {Number: 500, Share: 0.5, Held: true, After: experiment.Totals{Orders: 1, Revenue: 10}}},
		"two amounts, no more": {{Number: 500, Share: 0.5, After: experiment.Totals{Orders: 1, Revenue: 20}}, {Number: 500, Share: 0.5, Held: true, After: experiment.Totals{Orders: 1, Revenue: 10}}},
		"given back":           append(amounts(false, -1, -2, -3, -400), amounts(true, -2, -5, 0)...),
		"none of some":         {{Number: 0, Share: 0.5, Held: true}, {Number: -3, Share: 0.5}},
		"huge":                 append(amounts(false, 9e14, -9e14, 9e14), amounts(true, 9e14, 1, 2)...),
	} {
		f := experiment.Facts{Share: 0.5, Since: 1, AsOf: 100, People: people, Entries: []experiment.Entry{{Day: 1, Share: 0.5, Got: len(people), Held: len(people)}}}
		r := check(t, f)[0]
		require.Equal(t, experiment.TooEarly, r.Verdict, name)
	}
	rapid.Check(t, func(t *rapid.T) {
		var all []experiment.Facts
		for range rapid.IntRange(0, 3).Draw(t, "trials") {
			people := invented(t, 0, 0.1, 0.5, 1)
			for i := range people {
				people[i].Number = rapid.SampledFrom([]int{0, 1, 2, 60}).Draw(t, "alike")
			}
			all = append(all, experiment.Facts{
				Share: rapid.SampledFrom([]float64{0, 1, 0.5, -1, math.NaN(), math.Inf(1)}).Draw(t, "share"), People: people,
				Since: rapid.Int32Range(-1000, 20_000).Draw(t, "since"), Until: rapid.Int32Range(0, 20_000).Draw(t, "until"), AsOf: rapid.Int32Range(0, 20_000).Draw(t, "as of"),
				Entries: []experiment.Entry{{Day: rapid.Int32().Draw(t, "day"), Share: rapid.Float64Range(-0.1, 1.1).Draw(t, "by"), Got: rapid.IntRange(-1, 1000).Draw(t, "got"), Held: rapid.IntRange(-1, 1000).Draw(t, "held")}},
			})
		}
		check(t, all...)
	})
}

// TestTheSmallestEffectIsFoundAsOftenAsSaid: a shop with just that effect, looked at once, gives a verdict in four of five cases.
func TestTheSmallestEffectIsFoundAsOftenAsSaid(t *testing.T) {
	x := trial{got: 300, held: 300, chance: 0.3, sigma: 0.3}
	reach := *judge(x.facts())[0].Orders.Reach.Share
	x.lift = reach
	found := 0
	times := 100
	if testing.Short() {
		times = 20
	}
	for seed := range uint64(times) {
		x.seed = 1000 + seed
		if judge(x.facts())[0].Orders.Verdict == experiment.Helps {
			found++
		}
	}
	rest := distuv.Binomial{N: float64(times), P: experiment.Power}
	require.Greater(t, rest.CDF(float64(found)), 0.0005, found)
	require.Greater(t, rest.Survival(float64(found-1)), 0.0005, found)
}
