package clv

import (
	"cmp"
	"fmt"
	"math"
	"slices"
)

// Stats are the sufficient statistics of one customer as of a day, days counted in the shop's calendar (purchases on one
// day are one).
type Stats struct {
	Repeats int     // x: distinct purchase days - 1
	Last    int32   // t_x in days: from the first purchase day to the last
	Age     int32   // T in days: from the first purchase day to the as-of day; the customer's last moment under observation
	LogGaps float64 // sum over the repeats of ln(gap in weeks); only the choice of k needs it
}

// Group is a number of customers with equal stats. LogGaps is the sum over all of them.
type Group struct {
	Stats
	N int
}

// Check says which field cannot be: negative, a last purchase after the as-of day, repeats without the days for them.
func (s Stats) Check() error {
	switch {
	case s.Repeats < 0:
		return fmt.Errorf("stats: Repeats is negative: %d", s.Repeats)
	case s.Age < 0:
		return fmt.Errorf("stats: Age is negative: %d days", s.Age)
	case s.Last < 0:
		return fmt.Errorf("stats: Last is negative: %d days", s.Last)
	case s.Last > s.Age:
		return fmt.Errorf("stats: Last is after the as-of day: %d of %d days", s.Last, s.Age)
	case s.Repeats > int(s.Last):
		return fmt.Errorf("stats: Repeats are more than days: %d repeats in %d days, and purchases on one day are one", s.Repeats, s.Last)
	case s.Repeats == 0 && s.Last > 0:
		return fmt.Errorf("stats: Last is %d days without Repeats", s.Last)
	case math.IsNaN(s.LogGaps) || math.IsInf(s.LogGaps, 0):
		return fmt.Errorf("stats: LogGaps is not finite: %v", s.LogGaps)
	}
	return nil
}

func (g Group) check() error {
	if g.N < 1 {
		return fmt.Errorf("stats: N of a group is not positive: %d", g.N)
	}
	return g.Check()
}

// Compress joins customers with equal repeats, last and age. The groups come sorted by age, last and repeats, and do not
// depend on the order of the rows to the last bit. It takes O(n) for stats that Check accepts, and leaves them as they are.
func Compress(stats []Stats) []Group {
	sorted := sortStats(stats)
	groups := make([]Group, 0, len(sorted)/2+1)
	for i := 0; i < len(sorted); {
		end := i + 1
		for end < len(sorted) && compareStats(sorted[i], sorted[end]) == 0 {
			end++
		}
		same := sorted[i:end]
		if len(same) > 2 && same[0].Repeats > 0 { // the sum of three numbers depends on their order
			slices.SortFunc(same, func(a, b Stats) int { return cmp.Compare(a.LogGaps, b.LogGaps) })
		}
		g := Group{Stats: same[0], N: len(same)}
		for _, s := range same[1:] {
			g.LogGaps += s.LogGaps
		}
		groups = append(groups, g)
		i = end
	}
	return groups
}

func compareStats(a, b Stats) int {
	if a.Age != b.Age {
		return cmp.Compare(a.Age, b.Age)
	}
	if a.Last != b.Last {
		return cmp.Compare(a.Last, b.Last)
	}
	return cmp.Compare(a.Repeats, b.Repeats)
}

// digit is the number of bits by which sortStats sorts at a time: 2,048 days or repeats are one pass.
const digit = 11

// sortStats is a copy sorted by age, last and repeats: by counting digits, the last significant first, which is an order of
// magnitude faster than comparing.
func sortStats(stats []Stats) []Stats {
	var high [3]uint64
	for _, s := range stats {
		for field := range high {
			high[field] |= fieldOf(s, field)
		}
	}
	from, to := slices.Clone(stats), make([]Stats, len(stats))
	if high[0]|high[1]|high[2] >= 1<<32 { // negative or absurd: right, if slow
		slices.SortFunc(from, compareStats)
		return from
	}
	for field, most := range high {
		for shift := 0; most>>shift > 0; shift += digit {
			var place [1 << digit]int
			for _, s := range from {
				place[fieldOf(s, field)>>shift&(1<<digit-1)]++
			}
			next := 0
			for i, count := range place {
				place[i], next = next, next+count
			}
			for _, s := range from {
				at := &place[fieldOf(s, field)>>shift&(1<<digit-1)]
				to[*at] = s
				*at++
			}
			from, to = to, from
		}
	}
	return from
}

func fieldOf(s Stats, field int) uint64 {
	switch field {
	case 0:
		return uint64(s.Repeats)
	case 1:
		return uint64(int64(s.Last))
	}
	return uint64(int64(s.Age))
}

// Sample are n customers of the groups (all, where there are no more): every (total/n)-th in the order of Compress, so that
// the sample has nearly the same shares of every age and recency, and is the same every time. Sums of gaps are shared out.
func Sample(groups []Group, n int) []Group {
	total := 0
	for _, g := range groups {
		total += g.N
	}
	if n >= total {
		return groups
	}
	ordered := slices.Clone(groups)
	slices.SortStableFunc(ordered, func(a, b Group) int {
		return cmp.Or(compareStats(a.Stats, b.Stats), cmp.Compare(a.N, b.N), cmp.Compare(a.LogGaps, b.LogGaps))
	})
	var chosen []Group
	before := 0
	for _, g := range ordered {
		// Customer i is taken where the floor of i*n/total steps up: n of them in all.
		taken := int(int64(before+g.N)*int64(n)/int64(total)) - int(int64(before)*int64(n)/int64(total))
		before += g.N
		if taken > 0 {
			g.LogGaps *= float64(taken) / float64(g.N)
			g.N = taken
			chosen = append(chosen, g)
		}
	}
	return chosen
}
