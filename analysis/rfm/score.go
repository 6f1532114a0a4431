package rfm

import (
	"math"
	"math/bits"
	"slices"
	"sort"
)

// Result is the scores of everybody and what decided them.
type Result struct {
	Rule   Rule
	Bins   int     // really used
	Scores []Score // parallel to the rows
	Note   string  // why fewer bins were used, empty when there is nothing to say

	// What each score means in this result: one Range a score, score 1 first.
	Recency   []Range // days
	Frequency []Range // orders
	Monetary  []Range // ten-thousandths
}

// Range is what one score covers: the smallest and largest value that got it, and how many customers did.
type Range struct {
	Score     int   `json:"score"`
	Min       int64 `json:"min"`
	Max       int64 `json:"max"`
	Customers int   `json:"customers"` // 0: nobody has this score, and Min and Max mean nothing
}

// Label writes the score as people know it, such as "545"; a person without a score has the empty label.
func (s Score) Label() string {
	if s == (Score{}) {
		return ""
	}
	return string([]byte{'0' + s.R, '0' + s.F, '0' + s.M})
}

// Calculate scores the rows. The order of the rows does not matter; no two rows may be of the same person. Apart from
// NTile, which is defined otherwise, equal values get equal scores.
func Calculate(rows []Row, rule Rule) (Result, error) {
	if err := rule.Check(); err != nil {
		return Result{}, err
	}
	rule = rule.WithDefaults()
	res := Result{Rule: rule, Bins: rule.BinsFor(len(rows)), Scores: make([]Score, len(rows))}
	res.Note = rule.Note(len(rows), res.Bins)
	s := scorer{rows: rows, rule: rule, bins: res.Bins, keys: make([]int64, len(rows)), sorted: make([]int64, len(rows))}

	s.load(func(r *Row) int64 { return -int64(r.Recency) })
	res.Recency = s.score(s.recencyCuts(), func(i int, score uint8) { res.Scores[i].R = score })
	for i := range res.Recency { // back from "more is better" to days
		res.Recency[i].Min, res.Recency[i].Max = -res.Recency[i].Max, -res.Recency[i].Min
	}

	s.load(func(r *Row) int64 { return int64(r.Frequency) })
	res.Frequency = s.score(s.cuts(widen(rule.Frequency)), func(i int, score uint8) { res.Scores[i].F = score })

	s.load(func(r *Row) int64 { return max(r.Monetary, math.MinInt64+1) })
	res.Monetary = s.score(s.cuts(rule.Monetary), func(i int, score uint8) { res.Scores[i].M = score })
	return res, nil
}

// scorer works on one dimension at a time. A key is a value turned so that more is better. A score depends on the key
// by bins-1 ascending cuts alone: it is 1 + the number of cuts that the key is above. So it takes one sort of plain
// integers to find the cuts, and a few comparisons a customer, whatever the convention.
type scorer struct {
	rows   []Row
	rule   Rule
	bins   int
	keys   []int64
	sorted []int64
}

// cut is a place between two keys. Keys above value are above the cut; with split, so are those equal to value whose
// person is at or after the given one.
type cut struct {
	value  int64
	split  bool
	person int64
}

func (s *scorer) load(key func(*Row) int64) {
	for i := range s.rows {
		s.keys[i] = key(&s.rows[i])
	}
	copy(s.sorted, s.keys)
	slices.Sort(s.sorted)
}

// recencyCuts finds the cuts for keys that are negated days: a quantile or a threshold is a number of days, and belongs
// with those more recent than it.
func (s *scorer) recencyCuts() []cut {
	switch s.rule.Convention {
	case Thresholds:
		cuts := make([]cut, 0, s.bins-1)
		for _, days := range slices.Backward(s.rule.Recency) {
			cuts = append(cuts, cut{value: -int64(days) - 1})
		}
		return cuts
	case QuantileCut:
		days := make([]int64, len(s.sorted))
		for i, key := range s.sorted {
			days[len(days)-1-i] = -key
		}
		cuts := make([]cut, 0, s.bins-1)
		for k := s.bins - 1; k >= 1 && len(days) > 0; k-- {
			cuts = append(cuts, cut{value: -quantile(days, k, s.bins) - 1})
		}
		return cuts
	default:
		return s.cuts(nil)
	}
}

// cuts finds the bins-1 cuts of the sorted keys.
func (s *scorer) cuts(thresholds []int64) []cut {
	var cuts []cut
	for k := 1; k < s.bins && len(s.sorted) > 0; k++ {
		switch s.rule.Convention {
		case Thresholds:
			cuts = append(cuts, cut{value: thresholds[k-1] - 1})
		case QuantileCut:
			cuts = append(cuts, cut{value: quantile(s.sorted, k, s.bins)})
		case NTile:
			cuts = append(cuts, s.tile(k))
		case CumeDistMax:
			cuts = append(cuts, cut{value: s.sorted[k*len(s.sorted)/s.bins] - 1})
		case MidRank:
			cuts = append(cuts, cut{value: s.middle(k)})
		default:
			// bins*worse/n reaches k where at least ceil(k*n/bins) customers are strictly worse.
			cuts = append(cuts, cut{value: s.sorted[(k*len(s.sorted)+s.bins-1)/s.bins-1]})
		}
	}
	return cuts
}

// quantile returns the integer part of the linearly interpolated quantile k/bins of ascending values. Values are whole,
// so being above it is being above the quantile itself.
func quantile(sorted []int64, k, bins int) int64 {
	at, rest := k*(len(sorted)-1)/bins, k*(len(sorted)-1)%bins
	if rest == 0 {
		return sorted[at]
	}
	high, low := bits.Mul64(uint64(sorted[at+1]-sorted[at]), uint64(rest))
	step, _ := bits.Div64(high, low, uint64(bins))
	return sorted[at] + int64(step)
}

// tile finds where bin k ends and the next one begins when the customers are dealt into bins by key, then by person;
// the first bins take one more where they cannot be equal.
func (s *scorer) tile(k int) cut {
	size, larger := len(s.sorted)/s.bins, len(s.sorted)%s.bins
	at := k*size + min(k, larger)
	if at >= len(s.sorted) {
		return cut{value: math.MaxInt64}
	}
	value := s.sorted[at]
	var people []int64
	for i, key := range s.keys {
		if key == value {
			people = append(people, s.rows[i].Person)
		}
	}
	slices.Sort(people)
	first, _ := slices.BinarySearch(s.sorted, value)
	return cut{value: value, split: true, person: people[at-first]}
}

// middle finds the largest key that scores k at most by the middle of the places it spans:
// ceil(bins * (worse + not better) / (2 * n)).
func (s *scorer) middle(k int) int64 {
	n := len(s.sorted)
	above := sort.Search(n, func(i int) bool {
		worse, _ := slices.BinarySearch(s.sorted, s.sorted[i])
		notBetter := sort.Search(n, func(j int) bool { return s.sorted[j] > s.sorted[i] })
		return s.bins*(worse+notBetter) > k*2*n
	})
	if above == n {
		return math.MaxInt64
	}
	return s.sorted[above] - 1
}

// score hands every row its score and returns what the scores cover, in keys.
func (s *scorer) score(cuts []cut, set func(i int, score uint8)) []Range {
	ranges := make([]Range, s.bins)
	for i := range ranges {
		ranges[i].Score = i + 1
	}
	for i, key := range s.keys {
		score := 0
		for _, c := range cuts {
			if key > c.value || c.split && key == c.value && s.rows[i].Person >= c.person {
				score++
			}
		}
		set(i, uint8(score+1))
		r := &ranges[score]
		if r.Customers == 0 {
			r.Min, r.Max = key, key
		}
		r.Min, r.Max = min(r.Min, key), max(r.Max, key)
		r.Customers++
	}
	return ranges
}

func widen(values []int) []int64 {
	var wide []int64
	for _, v := range values {
		wide = append(wide, int64(v))
	}
	return wide
}
