package retention

import (
	"fmt"
	"math"
	"slices"
)

// Gap counts pauses between two consecutive purchase days of a customer by their length.
//
// SQL: day - lag(day) OVER (PARTITION BY person ORDER BY day) over distinct (person, day); GROUP BY it: a row per length.
type Gap struct {
	Days  int32 // at least 1
	Count int
}

// Pair counts customers with at least three purchase days by their last two pauses.
//
// SQL: the last two gaps per person from the same lag; GROUP BY both. Where even that is too many rows, Spread takes the
// two sums that are needed, from one row.
type Pair struct {
	Earlier, Later int32 // days, at least 1 each
	Customers      int
}

// Rhythm tells how long customers pause between purchases and how regularly they buy.
type Rhythm struct {
	Gaps int
	// Mean and the quartiles of the pauses seen, in days. Long pauses that have not ended yet are not among them, so they
	// are shorter than those to come; KaplanMeier has no such bias.
	Mean                 float64
	Quarter, Median, Top int32 // the least lengths that 25, 50 and 75 % of the pauses do not exceed
	Regularity
}

// Regularity is k of Wheat & Morrison (1990, J. Marketing Research 27): were the pauses of each customer gamma distributed
// with shape k, whatever his rate, the earlier pause's part M of two consecutive ones would be beta(k, k), with variance
// 1/(4(2k+1)). So k = (1 - 4V) / (8V). 1 is buying at random (Poisson), 2 and more is regular, below 1 is in bursts.
type Regularity struct {
	Customers int // with two pauses to compare
	K         float64
	// Low and High are the 95 % interval, from the standard error of V (the fourth moment of M about 1/2).
	Low, High float64
	// Known is false with fewer than MinPairs customers, or where k has no upper limit, as where all pairs are equal.
	Known bool
}

// MinPairs is how many customers with three purchases regularity takes; this project's own choice.
const MinPairs = 30

// Rhythms sums up pauses.
func Rhythms(gaps []Gap, pairs []Pair) (Rhythm, error) {
	sorted := slices.Clone(gaps)
	slices.SortFunc(sorted, func(a, b Gap) int { return int(a.Days) - int(b.Days) })
	var r Rhythm
	var days float64
	for _, g := range sorted {
		if g.Days < 1 || g.Count < 0 {
			return Rhythm{}, fmt.Errorf("purchase interval: %d pauses of %d days", g.Count, g.Days)
		}
		r.Gaps += g.Count
		days += float64(g.Days) * float64(g.Count)
	}
	if r.Gaps > 0 {
		r.Mean = days / float64(r.Gaps)
		r.Quarter, r.Median, r.Top = reached(sorted, r.Gaps, 1), reached(sorted, r.Gaps, 2), reached(sorted, r.Gaps, 3)
	}
	var spread Spread
	for _, p := range pairs {
		if p.Earlier < 1 || p.Later < 1 || p.Customers < 0 {
			return Rhythm{}, fmt.Errorf("regularity: %d customers with pauses of %d and %d days", p.Customers, p.Earlier, p.Later)
		}
		spread.add(p)
	}
	r.Regularity = spread.Regularity()
	return r, nil
}

// reached is the length that so many quarters of the pauses do not exceed.
func reached(sorted []Gap, total, quarters int) int32 {
	seen := 0
	for _, g := range sorted {
		if seen += g.Count; 4*seen >= quarters*total {
			return g.Days
		}
	}
	return 0
}

// Spread sums up pairs: D = M - 1/2 for M = earlier / (earlier + later). The mean of M is 1/2 by symmetry, so which of the
// two pauses comes first does not matter and no chance is involved.
//
// SQL: count(*), sum(d*d), sum(d*d*d*d) over persons with two gaps: one row.
type Spread struct {
	Customers       int
	Squares, Fourth float64 // sums of D^2 and of D^4
}

func (s *Spread) add(p Pair) {
	d := float64(p.Earlier)/float64(p.Earlier+p.Later) - 0.5
	s.Customers += p.Customers
	s.Squares += float64(p.Customers) * d * d
	s.Fourth += float64(p.Customers) * d * d * d * d
}

// Regularity estimates k from the sums.
func (s Spread) Regularity() Regularity {
	r := Regularity{Customers: s.Customers}
	if s.Customers < MinPairs {
		return r
	}
	n := float64(s.Customers)
	v := s.Squares / n
	half := z95 * math.Sqrt(max(0, s.Fourth/n-v*v)/n)
	if v <= half {
		return r
	}
	shape := func(v float64) float64 { return (1 - 4*v) / (8 * v) }
	r.K, r.Low, r.High, r.Known = shape(v), max(0, shape(min(v+half, 0.25))), shape(v-half), true
	return r
}
