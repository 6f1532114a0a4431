package segment

import (
	"fmt"
	"math"
	"slices"
)

// Bands cut one number into groups, with hysteresis: who stands in a band stays until the number is past its edge by the
// margin, so that what moves a little every night does not move people.
type Bands struct {
	groups []Definition // from the lowest number to the highest
	cuts   []float64
	margin float64
}

// NewBands makes bands of groups from the lowest number to the highest and of the cuts between them, ascending, one fewer
// than groups. A number above a cut belongs to the band above it, one equal to it below. The margin is relative to the cut.
func NewBands(groups []Definition, cuts []float64, margin float64) (Bands, error) {
	if len(groups) == 0 || len(cuts) != len(groups)-1 {
		return Bands{}, fmt.Errorf("bands: %d cuts make %d bands, and there are %d names", len(cuts), len(cuts)+1, len(groups))
	}
	for i, cut := range cuts {
		if math.IsNaN(cut) || i > 0 && cut < cuts[i-1] {
			return Bands{}, fmt.Errorf("bands: cut %d, %g, is below the one before it", i+1, cut)
		}
	}
	if !(margin >= 0 && margin < 1) {
		return Bands{}, fmt.Errorf("bands: margin %g must be at least 0 and below 1", margin)
	}
	return Bands{groups: slices.Clone(groups), cuts: slices.Clone(cuts), margin: margin}, nil
}

// Definitions returns the groups in the order in which they are shown, from the highest number to the lowest. The caller
// may change the slice.
func (b Bands) Definitions() []Definition {
	shown := slices.Clone(b.groups)
	slices.Reverse(shown)
	return shown
}

// Cuts returns the cuts, ascending. The caller may change the slice.
func (b Bands) Cuts() []float64 { return slices.Clone(b.cuts) }

// Of returns the band of a number for somebody who stands in a band; the empty id stands for none, and then the cuts alone
// decide. A number that is not known, NaN, is in no band.
func (b Bands) Of(value float64, standing string) string {
	if math.IsNaN(value) {
		return ""
	}
	at, margin := indexIn(b.groups, standing), b.margin
	if at < 0 {
		at, margin = 0, 0
	}
	for at < len(b.cuts) && value > b.cuts[at]+margin*math.Abs(b.cuts[at]) {
		at++
	}
	for at > 0 && value <= b.cuts[at-1]-margin*math.Abs(b.cuts[at-1]) {
		at--
	}
	return b.groups[at].ID
}

// The margins of the built-in bands: past an edge by a twentieth, or by a tenth for what is predicted to churn.
const (
	TierMargin  = 0.05
	ChurnMargin = 0.1
)

// TierShares are the shares of customers below the cuts between value tiers: half are low, a further 30 % middle, 15 % high,
// and 5 % top. Quantiles makes cuts of them.
func TierShares() []float64 { return []float64{0.5, 0.8, 0.95} }

// tiers are from the lowest value to the highest.
var tiers = [...]Definition{
	{
		"low", "Low Value", "Worth no more than half of the customers are.",
		"Keep the cost of serving them low: automatic messages, free shipping only from an amount on.", Ours,
	},
	{
		"middle", "Middle Value", "Worth more than half of the customers are, less than the best fifth.",
		"Raise the next order: bundles, what goes with their favourites.", Ours,
	},
	{
		"high", "High Value", "Among the best fifth of the customers by value.",
		"Invite them to the loyalty programme, and answer them first.", Ours,
	},
	{
		"top", "Top Value", "Among the best twentieth of the customers by value.",
		"Treat them as persons: early access, a name to write to, the best service; no needless discounts.", Ours,
	},
}

// Tiers returns the tiers of value in the order in which they are shown, the highest first. The caller may change the slice.
func Tiers() []Definition {
	shown := slices.Clone(tiers[:])
	slices.Reverse(shown)
	return shown
}

// ValueTiers returns the tiers of customer value between three cuts, ascending, in whatever unit the values are, usually
// ten-thousandths of the currency. See Quantiles and SettleCuts.
func ValueTiers(cuts []float64) (Bands, error) { return NewBands(tiers[:], cuts, TierMargin) }

// churns are from the lowest risk to the highest.
var churns = [...]Definition{
	{
		"low", "Low Churn Risk", "Gone with a probability of at most 30 %.",
		"Nothing special; do not disturb what works.", Ours,
	},
	{
		"medium", "Medium Churn Risk", "Gone with a probability between 30 % and 70 %.",
		"The best moment for a reminder or a small incentive.", Ours,
	},
	{
		"high", "High Churn Risk", "Gone with a probability above 70 %.",
		"Win back those who were worth it; spend nothing on the rest.", Ours,
	},
}

// ChurnBands returns the bands of the probability that a customer is gone, 1 - P(alive).
func ChurnBands() Bands {
	return Bands{groups: churns[:], cuts: []float64{0.3, 0.7}, margin: ChurnMargin}
}

// Quantiles returns the quantiles of values at shares from 0 to 1, linearly interpolated between order statistics (place
// share * (n-1), counted from 0; type 7 of Hyndman and Fan 1996, percentile_cont in SQL). The order of the values is
// irrelevant; of no values it is nil.
func Quantiles(values []float64, shares []float64) []float64 {
	if len(values) == 0 {
		return nil
	}
	sorted := slices.Clone(values)
	slices.Sort(sorted)
	cuts := make([]float64, len(shares))
	for i, share := range shares {
		place := share * float64(len(sorted)-1)
		at := min(int(place), len(sorted)-1)
		cuts[i] = sorted[at]
		if at+1 < len(sorted) {
			cuts[i] += (place - float64(at)) * (sorted[at+1] - sorted[at])
		}
	}
	return cuts
}

// SettleCuts keeps the cuts that stand while every one of those measured is within a tolerance of it, and else takes all
// those measured: cuts belong together. Where nothing stands it takes those measured.
func SettleCuts(standing, measured []float64, tolerance float64) []float64 {
	if len(standing) != len(measured) {
		return measured
	}
	for i := range measured {
		if math.Abs(measured[i]-standing[i]) > tolerance*math.Abs(standing[i]) {
			return measured
		}
	}
	return standing
}
