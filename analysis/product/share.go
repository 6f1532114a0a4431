package product

import (
	"cmp"
	"math"
	"slices"
)

// z95 is the 97.5 % quantile of the normal distribution: every interval of this package covers 95 %.
const z95 = 1.959963984540054

// Share is a part of a whole with its 95 % interval by Wilson (1927), which stays within 0 and 1. A share of nothing is all
// zero.
type Share struct {
	Hits int     `json:"hits"`
	Of   int     `json:"of"`
	Rate float64 `json:"rate"`
	Low  float64 `json:"low"`
	High float64 `json:"high"`
}

func newShare(hits, of int) Share {
	s := Share{Hits: hits, Of: of}
	if of == 0 {
		return s
	}
	n, p := float64(of), float64(hits)/float64(of)
	scale := 1 + z95*z95/n
	middle := (p + z95*z95/(2*n)) / scale
	half := z95 * math.Sqrt(p*(1-p)/n+z95*z95/(4*n*n)) / scale
	s.Rate, s.Low, s.High = p, max(0, min(p, middle-half)), min(1, max(p, middle+half))
	return s
}

// Verdict says how a product compares with what is to be expected.
type Verdict string

// The verdicts. More and Less are told where at most one in twenty of them is by chance.
const (
	More  Verdict = "more often"
	Less  Verdict = "less often"
	Alike Verdict = "no clear difference"
	Few   Verdict = "too few to tell"
)

// falseDiscoveries is the part of the told differences that may be by chance.
const falseDiscoveries = 0.05

// Test holds a count against chance.
type Test struct {
	// Lift is the rate divided by that of everything together; nil where that is nothing.
	Lift *float64 `json:"lift"`
	// P is the chance of a count as far off or further, Q the same corrected for looking at many products.
	P       float64 `json:"p"`
	Q       float64 `json:"q"`
	Verdict Verdict `json:"verdict"`
}

// test compares hits among so many drawn with marked among all. It is Few until judge has seen it.
func test(hits, drawn, marked, all int) Test {
	t := Test{P: chance(hits, drawn, marked, all), Q: 1, Verdict: Few}
	if drawn > 0 && marked > 0 {
		lift := float64(hits) / float64(drawn) * float64(all) / float64(marked)
		t.Lift = &lift
	}
	return t
}

// judge corrects p-values for their number (Benjamini & Hochberg 1995) and says what stands out.
func judge(tests []*Test) {
	slices.SortFunc(tests, func(a, b *Test) int { return cmp.Compare(a.P, b.P) })
	least := 1.0
	for i, t := range slices.Backward(tests) {
		least = min(least, t.P*float64(len(tests))/float64(i+1))
		t.Q, t.Verdict = least, Alike
		if least <= falseDiscoveries && t.Lift != nil && *t.Lift != 1 {
			t.Verdict = Less
			if *t.Lift > 1 {
				t.Verdict = More
			}
		}
	}
}

// chance is the two-sided p-value of so many hits among those drawn, where marked of all would be hits: twice the smaller tail
// of the hypergeometric distribution (Fisher 1935), which holds for small numbers too.
func chance(hits, drawn, marked, all int) float64 {
	if drawn <= 0 || marked <= 0 || drawn >= all || marked >= all {
		return 1
	}
	k, n, m, rest := float64(hits), float64(drawn), float64(marked), float64(all-marked-drawn)
	term := math.Exp(choose(m, k) + choose(float64(all)-m, n-k) - choose(float64(all), n))
	sum := term
	const negligible = 1e-17
	if k <= n*m/float64(all) {
		for i := k; i > max(0, -rest) && term > negligible*sum; i-- {
			term *= i * (rest + i) / ((m - i + 1) * (n - i + 1))
			sum += term
		}
	} else {
		for i := k; i < min(n, m) && term > negligible*sum; i++ {
			term *= (m - i) * (n - i) / ((i + 1) * (rest + i + 1))
			sum += term
		}
	}
	return min(1, 2*sum)
}

// choose is the logarithm of how many ways there are to choose k of n.
func choose(n, k float64) float64 {
	a, _ := math.Lgamma(n + 1)
	b, _ := math.Lgamma(k + 1)
	c, _ := math.Lgamma(n - k + 1)
	return a - b - c
}
