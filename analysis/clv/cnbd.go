package clv

import "math"

// mostRegular is the largest k that is tried.
const mostRegular = 6

// fitRegular fits the MBG/CNBD-k for k = 1, 2 ... as long as the likelihood rises, and gives the best with its fit
// without dropout.
func fitRegular(s *sample, plain summit) (best, without summit, k int) {
	iterations := 0
	for next := 1; next <= mostRegular; next++ {
		base := plain
		if next > 1 {
			base = fitPlain(s, next)
		}
		full := fitBetaGeometric(s, base, shape{k: next, first: 1})
		iterations += base.iterations + full.iterations
		if next > 1 && max(full.value, base.value) <= max(best.value, without.value) {
			break
		}
		best, without, k = full, base, next
	}
	best.iterations = iterations
	return best, without, k
}

// nextRegular solves Σ_j done[j]·P(N_j >= k-j) = p for the share z of the horizon in horizon plus scale, N_j being
// negative binomial with size R+j; the left side rises from 0 to 1 with z. Newton's steps are kept within a bracket.
func (m *betaGeometric) nextRegular(b *belief, p float64) (float64, bool) {
	if !(p > 0 && p < 1) {
		return math.Inf(1), false
	}
	// In u = -ln(1-z) the start is the quantile of a gamma mixture with one event missing.
	low, high := 0.0, math.Inf(1)
	u := -math.Log1p(-p) / b.events
	for range 200 {
		value, slope := m.comes(b, u)
		if math.Abs(value-p) < 1e-13 {
			break
		}
		if value < p {
			low = u
		} else {
			high = u
		}
		next := u + (p-value)/slope
		switch {
		case next > low && next < high && !math.IsNaN(next):
		case math.IsInf(high, 1):
			next = 2*u + 1e-3
		default:
			next = (low + high) / 2
		}
		if math.Abs(next-u) <= 1e-13*u {
			break
		}
		u = next
	}
	days := 7 * b.scale * math.Expm1(u)
	return days, b.alive >= p && !math.IsInf(days, 0)
}

// comes is the probability that the next order of someone alive has come by z = 1-e^(-u), and its derivative by u.
func (m *betaGeometric) comes(b *belief, u float64) (value, slope float64) {
	z, value := -math.Expm1(-u), 1.0
	for j, w := range b.done[:m.k] {
		size := b.events + float64(j)
		p := w * math.Exp(-u*size) // of no event
		for n := range m.k - j {
			value -= p
			last := n == m.k-j-1
			if last { // the derivative of the sum telescopes to its last term
				slope += p * (size + float64(n))
			}
			p *= z * (size + float64(n)) / float64(n+1)
		}
	}
	return value, slope
}
