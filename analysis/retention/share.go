package retention

import "math"

// z95 is the 97.5 % quantile of the normal distribution: every interval of this package covers 95 %.
const z95 = 1.959963984540054

// Share is a part of a whole with its 95 % interval by Wilson (1927), the one that stays within 0 and 1 and keeps its
// width at 0 and 1: (p + z^2/2n -+ z sqrt(p(1-p)/n + z^2/4n^2)) / (1 + z^2/n). A share of nothing is all zero.
type Share struct {
	Hits int     `json:"hits"`
	Of   int     `json:"of"`
	Rate float64 `json:"rate"`
	Low  float64 `json:"low"`
	High float64 `json:"high"`
}

// NewShare returns the share that hits are of a whole.
func NewShare(hits, of int) Share {
	s := Share{Hits: hits, Of: of}
	if of == 0 {
		return s
	}
	n, p := float64(of), float64(hits)/float64(of)
	scale := 1 + z95*z95/n
	middle := (p + z95*z95/(2*n)) / scale
	half := z95 * math.Sqrt(p*(1-p)/n+z95*z95/(4*n*n)) / scale
	s.Rate, s.Low, s.High = p, max(0, middle-half), min(1, middle+half)
	return s
}

// Rest is the share of those who did not.
func (s Share) Rest() Share { return NewShare(s.Of-s.Hits, s.Of) }

// apart is the two-sided p-value of two independent shares being equal, by the pooled normal test.
func apart(a, b Share) float64 {
	if a.Of == 0 || b.Of == 0 {
		return 1
	}
	pooled := float64(a.Hits+b.Hits) / float64(a.Of+b.Of)
	variance := pooled * (1 - pooled) * (1/float64(a.Of) + 1/float64(b.Of))
	if variance <= 0 {
		return 1
	}
	return math.Erfc(math.Abs(a.Rate-b.Rate) / math.Sqrt(2*variance))
}
