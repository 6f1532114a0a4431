package clv

import "math"

// stoppingSum is Σ_{i<m} E[(1-p)^i] for p of beta(a, b): the orders of a customer who has had time for m, each of which may
// be his last. The terms follow from each other by (b+i)/(a+b+i).
type stoppingSum struct{ a, b, i, term, sum float64 }

func (w *stoppingSum) next() {
	w.sum += w.term
	w.term *= (w.b + w.i) / (w.a + w.b + w.i)
	w.i++
}

// manyEvents is the share of the horizon in horizon plus scale beyond which the sum over events is long, and the
// hypergeometric function, which knows other ways, is asked.
const manyEvents = 0.985

// ordersAfter is the expected number of orders in so many weeks of a customer who is alive and has j of the k events for
// the next order behind him: the mean of W(⌊(N+j)/k⌋) over the number of events N, which is negative binomial with size R
// and z = weeks/(scale+weeks), where W(m) = Σ_{i<m} E[(1-p)^i]. All terms are positive, there is no singularity at a = 1
// and nothing to overflow, unlike in the closed form with ₂F₁, which it equals for k = 1. It is exact for k > 1, where
// Reutterer, Platzer and Schröder 2020 approximate.
func (m *betaGeometric) ordersAfter(b *belief, j int, weeks float64) float64 {
	size, z := b.events+float64(j), weeks/(b.scale+weeks)
	if m.k == 1 && z > manyEvents {
		if orders, ok := eulerOrders(size, m.a, b.b, z); ok {
			return orders
		}
	}
	rest := b.scale / (b.scale + weeks)
	mean := size * z / rest
	deviation := math.Sqrt(mean / rest)
	start := 0.0
	if low := mean - 12*deviation - 30; low > 0 && size*math.Log(rest) < -600 {
		start = math.Floor(low) // what lies below weighs less than 1e-16
	}
	p := math.Exp(logNegativeBinomial(start, size, z, rest))
	w := stoppingSum{a: m.a, b: b.b, term: 1}
	until := m.k - j // events to the next order
	for n := 0.0; n < start; n++ {
		if until--; until == 0 {
			w.next()
			until = m.k
		}
	}
	var orders float64
	for n := start; ; {
		ratio := z * (size + n) / (n + 1)
		p *= ratio
		n++
		if until--; until == 0 {
			w.next()
			until = m.k
		}
		orders += p * w.sum
		// From here on the terms fall by ratio or, for small sizes, z: at least geometrically.
		if n > mean && w.sum > 0 && p*w.sum <= 1e-13*orders*(1-max(ratio, z)) || n-start > 1e8 {
			return orders
		}
	}
}

// logNegativeBinomial is ln of Γ(size+n)/(Γ(size) n!) zⁿ restˢⁱᶻᵉ.
func logNegativeBinomial(n, size, z, rest float64) float64 {
	if n == 0 {
		return size * math.Log(rest)
	}
	all, _ := math.Lgamma(size + n)
	own, _ := math.Lgamma(size)
	factorial, _ := math.Lgamma(n + 1)
	return all - own - factorial + n*math.Log(z) + size*math.Log(rest)
}

// eulerOrders is the closed form after Euler's transformation:
//
//	(a+b-1)/(a-1) · [1 - (1-z)^(a-1) ₂F₁(a-1, a+b-1-R; a+b+R'-1; z)]
//
// with b, R as of the customer's history. It is not ok near a = 1 and where the series would cancel.
func eulerOrders(size, a, b, z float64) (float64, bool) {
	if math.Abs(a-1) < 1e-3 || a+b-1-size < -1 || a+b-1 <= 0 {
		return 0, false
	}
	f := hypergeometric(a-1, a+b-1-size, a+b-1, z)
	orders := (a + b - 1) / (a - 1) * (1 - math.Pow(1-z, a-1)*f)
	return orders, !math.IsNaN(orders) && !math.IsInf(orders, 0) && orders >= 0
}
