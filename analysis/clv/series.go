package clv

import "math"

const (
	// longestSeries is how many events a series goes through before it is left to the general way.
	longestSeries = 1024
	// slightDiscount is the discount of a whole horizon, as a logarithm, up to which a polynomial of degree 4 tells it to nine digits.
	slightDiscount = 0.14
)

// staying are E[(1-p)^i] for p of beta(a, b), i from 0 on: how likely somebody goes on after so many events.
func staying(a, b float64) []float64 {
	stay := make([]float64, 0, longestSeries)
	for i, p := 0.0, 1.0; len(stay) < longestSeries && p > 1e-200; i++ {
		stay = append(stay, p)
		p *= (b + i) / (a + b + i)
	}
	return stay
}

// reciprocals are 1/n; they are a table.
var reciprocals = func() (table [longestSeries + 8]float64) {
	for n := range table {
		table[n] = 1 / float64(n)
	}
	return table
}()

// fading are the coefficients of the polynomial of U that is e^(-xU) from 0 to 1: Taylor's around the middle, its fifth power
// replaced by lower ones (Abramowitz and Stegun 1964, 22.20).
func fading(x float64) (c [5]float64) {
	h := x / 2
	c[0] = math.Exp(-h)
	c[1] = -h * c[0]
	c[2] = -h * c[1] / 2
	c[3] = -h * c[2] / 3
	c[4] = -h * c[3] / 4
	fifth := -h * c[4] / 5
	c[1] -= fifth * 5 / 16
	c[3] += fifth * 20 / 16
	for j, power := 1, 2.0; j < len(c); j++ { // of 2U-1
		c[j] *= power
		power *= 2
	}
	for i := range c {
		for j := len(c) - 2; j >= i; j-- {
			c[j] -= c[j+1] / 2
		}
	}
	return c
}

// horizon is a span of weeks of somebody: z = weeks/(scale+weeks) and how the worth of an order fades along it.
type horizon struct {
	z, logRest float64 // logRest is ln(1-z)
	fade       [5]float64
}

// series are the orders of somebody alive in so many weeks, and their discounted sum. It is not ok where that would take long,
// or the discount is not slight.
func (m *betaGeometric) series(b *belief, weeks, force float64) (orders, discounted float64, ok bool) {
	h := horizon{z: weeks / (b.scale + weeks)}
	if !(h.z <= manyEvents) || !(force*weeks < slightDiscount) || b.past >= len(m.stay) {
		return 0, 0, false
	}
	h.logRest, h.fade = math.Log1p(-h.z), fading(force*weeks)
	for j, w := range b.done[:m.k] {
		if w == 0 {
			continue
		}
		some, worth, ok := m.seriesAfter(b, j, &h)
		if !ok {
			return 0, 0, false
		}
		orders += w * some
		discounted += w * worth
	}
	return orders, discounted, true
}

// seriesAfter is ordersAfter with the discounted sum. Given that N events come, they come like N independent moments, the i-th
// of them at a share U of the time that is beta(i, N+1-i), whose powers have the means i···(i+l-1) / (N+1)···(N+l). With
// e^(-δu) as a polynomial of U, both are one sum over N: of its probability times sums over the events i that are orders.
func (m *betaGeometric) seriesAfter(b *belief, j int, h *horizon) (orders, discounted float64, ok bool) {
	size, z, c, stay := b.events+float64(j), h.z, &h.fade, m.stay[b.past:]
	none := size * h.logRest
	if none < -600 {
		return 0, 0, false
	}
	p, mean, until := math.Exp(none)/stay[0], size*z/(1-z), m.k-j
	var s0, s1, s2, s3, s4 float64 // Σ i···(i+l-1) E[(1-p)^orders before]
	for i := 0; i < longestSeries && len(stay) > 0; i++ {
		n, r := float64(i), (*[5]float64)(reciprocals[i+1:])
		ratio := z * (size + n) * r[0]
		p *= ratio
		if until--; until == 0 { // the event is an order
			w := stay[0]
			stay, until = stay[1:], m.k
			s0 += w
			w *= n + 1
			s1 += w
			w *= n + 2
			s2 += w
			w *= n + 3
			s3 += w
			s4 += w * (n + 4)
		}
		now := p * s0
		orders += now
		discounted += now*c[0] + p*r[1]*(c[1]*s1+r[2]*(c[2]*s2+r[3]*(c[3]*s3+r[4]*c[4]*s4)))
		if n >= mean && s0 > 0 && now <= 1e-12*orders*(1-max(ratio, z)) { // as in ordersAfter
			return orders, discounted, true
		}
	}
	return 0, 0, false
}
