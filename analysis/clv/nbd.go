package clv

import "math"

// nbd is the negative binomial distribution of orders without dropout.
type nbd struct {
	r, alpha float64
	errs     [2]float64
}

func (m *nbd) Kind() Kind { return NBD }

func (m *nbd) Params() []Param {
	return []Param{{"r", m.r, m.errs[0]}, {"alpha", m.alpha, m.errs[1]}}
}

// LogLikelihood is the sum of lnΓ(r+x) - lnΓ(r) + r ln α - (r+x) ln(α+T).
func (m *nbd) LogLikelihood(groups []Group) float64 {
	return newSample(groups).likelihood(gammaBeta{r: m.r, alpha: m.alpha}, shape{k: 1}).value
}

func (m *nbd) Alive(Stats) float64 { return 1 }

// rate is the expected number of orders a week, (r+x)/(α+T).
func (m *nbd) rate(s Stats) float64 {
	return (m.r + float64(s.Repeats)) / (m.alpha + weeks(float64(s.Age)))
}

func (m *nbd) Expected(s Stats, days float64) float64 {
	rate := m.rate(s)
	if days <= 0 || rate == 0 {
		return 0
	}
	return rate * weeks(days)
}

func (m *nbd) Discounted(s Stats, days, annualRate float64) float64 {
	force := discountForce(annualRate)
	if days <= 0 || force == 0 || m.rate(s) == 0 {
		return m.Expected(s, days)
	}
	return m.rate(s) * -math.Expm1(-force*weeks(days)) / force
}

func (m *nbd) New(days float64) float64 { return m.Expected(Stats{}, days) }

func (m *nbd) NextOrder(s Stats, p float64) (float64, bool) {
	shape := m.r + float64(s.Repeats)
	if shape == 0 {
		return math.Inf(1), false
	}
	return lomax(shape, m.alpha+weeks(float64(s.Age)), p)
}

// lomax is the time in days until an exponential event whose rate is gamma distributed has happened with probability p:
// scale·((1-p)^(-1/shape) - 1), the scale in weeks.
func lomax(shape, scale, p float64) (float64, bool) {
	if !(p > 0 && p < 1) {
		return math.Inf(1), false
	}
	days := 7 * scale * math.Expm1(-math.Log1p(-p)/shape)
	return days, !math.IsInf(days, 1)
}

// discountForce is the continuous rate of discount per week of a rate per year of 365 days.
func discountForce(annualRate float64) float64 {
	return math.Log1p(max(0, annualRate)) * 7 / 365
}

// fitPlain fits the gamma mixture without dropout, orders coming by Erlang-k; k = 1 is the NBD.
func fitPlain(s *sample, k int) summit {
	rate := float64(k) * s.repeats / s.exposure
	start := [most]float64{0, math.Log(1 / rate)}
	return climb(func(theta [most]float64) point {
		return s.likelihood(gammaBeta{r: math.Exp(theta[0]), alpha: math.Exp(theta[1])}, shape{k: k})
	}, start, 2, s.customers)
}
