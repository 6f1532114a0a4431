package clv

import (
	"math"
	"slices"
)

// Bands put a number that moves a little every night into few bands that do not: what is pushed to a shop or an e-mail
// platform is a band. The rule: somebody new is put where his number belongs; somebody with a band leaves it only when his
// number is past the cut by more than the slack, and then goes where it belongs. So whoever was put anywhere in a band
// stays in it while his number changes by no more than the slack, and a night on which nothing is bought moves nobody as
// long as the night's drift since the last placing is within the slack. Cuts are kept with the model and made anew only
// when it is fitted anew.
type Bands struct {
	Cuts []float64 // ascending; band i holds numbers of at least Cuts[i-1] and below Cuts[i], band 0 the lowest
	// Slack is how far past a cut a number has to be: a part of the cut where Relative, else in the number's own unit.
	Slack    float64
	Relative bool
}

// NoBand is the previous band of somebody who has none.
const NoBand = -1

// Of returns the band of a number for somebody whose band so far is previous (NoBand, or one that is no more, for nobody's).
// NaN stays where it was, or goes to the lowest.
func (b Bands) Of(number float64, previous int) int {
	known := previous >= 0 && previous <= len(b.Cuts)
	if math.IsNaN(number) {
		return max(0, previous)
	}
	if known && (previous == 0 || number >= b.Cuts[previous-1]-b.slack(previous-1)) &&
		(previous == len(b.Cuts) || number < b.Cuts[previous]+b.slack(previous)) {
		return previous
	}
	at := 0
	for at < len(b.Cuts) && number >= b.Cuts[at] {
		at++
	}
	return at
}

func (b Bands) slack(i int) float64 {
	if b.Relative {
		return b.Slack * math.Abs(b.Cuts[i])
	}
	return b.Slack
}

// tierShares are the parts of the customers below the tiers medium and high. This project's own choice.
var tierShares = []float64{0.5, 0.8}

// tiers are the names of the bands of ValueTiers, lowest first.
var tiers = []string{"low", "medium", "high"}

// Tier is the name of a band of ValueTiers.
func Tier(band int) string { return tiers[min(max(band, 0), len(tiers)-1)] }

// tierSlack is by how much a value has to pass a cut between tiers.
const tierSlack = 0.1

// ValueTiers make three tiers of all customers' values, in any order: low, medium from the half of customers on, high from
// the best fifth on, with a slack of a tenth. A cut is the lowest value that at least that part of the customers are
// strictly below, so equal values share a tier, the lower one: where all are equal, all are low.
func ValueTiers(values []float64) Bands { return Quantiles(values, tierShares, tierSlack) }

// Quantiles make bands that begin above the given parts of the values, with a relative slack.
func Quantiles(values, parts []float64, slack float64) Bands {
	sorted := slices.Sorted(slices.Values(values))
	b := Bands{Slack: slack, Relative: true}
	for _, part := range parts {
		at := int(math.Ceil(part * float64(len(sorted))))
		for at > 0 && at < len(sorted) && sorted[at] == sorted[at-1] {
			at++
		}
		cut := math.MaxFloat64
		if at < len(sorted) {
			cut = sorted[at]
		}
		b.Cuts = append(b.Cuts, cut)
	}
	return b
}

// Risk is the name of a band of ChurnRisk.
func Risk(band int) string { return risks[min(max(band, 0), len(risks)-1)] }

var risks = []string{"low", "medium", "high", "lost"}

// ChurnRisk are the bands of the churn probability, 1 - P(alive): low below 0.25, medium below 0.5, high below 0.8, lost
// from there, with a slack of 0.05. This project's own choice.
func ChurnRisk() Bands { return Bands{Cuts: []float64{0.25, 0.5, 0.8}, Slack: 0.05} }

// Round rounds a value to be shown and pushed, one that so far was shown as previous (NaN if it was not): to a tenth of its
// power of ten up to twice that, a fifth up to five times, a half above, e.g. to 100, 110 ... 200, 220 ... 500, 550. The
// previous value stands as long as it is one of these and no more than one whole step away, so that only a change of half
// a step or more, at least 2 to 5 % of the value, shows.
func Round(value, previous float64) float64 {
	if math.IsInf(value, 0) || math.IsNaN(value) {
		return value
	}
	step := roundStep(value)
	if math.Abs(value-previous) <= max(step, roundStep(previous))*(1+1e-9) && onGrid(previous) {
		return previous
	}
	return onto(value, step)
}

// roundStep is the distance between shown values around a value; 0 around 0.
func roundStep(value float64) float64 {
	size := math.Abs(value)
	if size < math.SmallestNonzeroFloat64*1e10 || math.IsNaN(size) {
		return 0
	}
	power := math.Pow(10, math.Floor(math.Log10(size)*(1+1e-15)))
	switch mantissa := size / power; {
	case mantissa < 2:
		return power / 10
	case mantissa < 5:
		return power / 5
	}
	return power / 2
}

// onto rounds to a multiple of a step, without the crumbs of binary fractions.
func onto(value, step float64) float64 {
	if step == 0 {
		return 0
	}
	multiple := math.Round(value / step)
	if inverse := 1 / step; step < 1 && inverse == math.Trunc(inverse) {
		return multiple / inverse
	}
	return multiple * step
}

func onGrid(value float64) bool {
	step := roundStep(value)
	return step == 0 && value == 0 || step > 0 && math.Abs(value/step-math.Round(value/step)) < 1e-6
}

// weekSlack is how many days outside of its week a date may be before the week is given up.
const weekSlack = 3

// NextWeek is the Monday of the week of an expected day, for somebody whose expected week so far began on previous (0 for
// nobody's). The previous week stands while it is not over as of a day and the expected day is in it or at most 3 days
// outside: who waits for an order without placing one is expected a little later every day, and would otherwise change
// weeks as the days go by. An expected day that is past means the week of asOf.
func NextWeek(expected, asOf, previous int32) int32 {
	expected = max(expected, asOf)
	if previous != 0 && previous+6 >= asOf && expected >= previous-weekSlack && expected <= previous+6+weekSlack {
		return previous
	}
	return monday(expected)
}

// monday is the Monday on or before a day; 1970-01-05 was one.
func monday(day int32) int32 {
	since := (day - 4) % 7
	if since < 0 {
		since += 7
	}
	return day - since
}
