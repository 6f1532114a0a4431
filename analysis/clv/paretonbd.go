package clv

import "math"

// paretoNBD lets a customer stop at any moment, at a rate that is gamma distributed with shape s and rate beta.
type paretoNBD struct {
	r, alpha, s, beta float64
	errs              [most]float64
}

func (m *paretoNBD) Kind() Kind { return ParetoNBD }

func (m *paretoNBD) Params() []Param {
	return []Param{{"r", m.r, m.errs[0]}, {"alpha", m.alpha, m.errs[1]}, {"s", m.s, m.errs[2]}, {"beta", m.beta, m.errs[3]}}
}

func (m *paretoNBD) LogLikelihood(groups []Group) float64 {
	return newSample(groups).pareto(*m).value
}

// Alive is 1/(1+odds), the odds of having stopped between the last order and now over those of neither stopping nor
// ordering: q·K(t_x) - K(T), q = ((α+T)/(α+t_x))^(r+x) ((β+T)/(β+t_x))^s, where K(t) is the probability that someone alive
// and silent until t stops before he orders (Fader and Hardie 2005, "A note on deriving the Pareto/NBD model").
func (m *paretoNBD) Alive(s Stats) float64 {
	return m.aliveAt(s.Repeats, weeks(float64(s.Last)), weeks(float64(s.Age)))
}

// aliveAt is Alive for times in weeks.
func (m *paretoNBD) aliveAt(x int, last, age float64) float64 {
	shape := m.r + float64(x)
	if last == age {
		return 1
	}
	if !near(m.alpha+last, m.beta+last) {
		silent := -shape*math.Log1p(age/m.alpha) - m.s*math.Log1p(age/m.beta)
		return 1 / (1 + math.Exp(m.stopped(shape, last, age).value-silent))
	}
	quiet := age - last
	q := shape*math.Log1p(quiet/(m.alpha+last)) + m.s*math.Log1p(quiet/(m.beta+last))
	odds := math.Exp(q)*firstOf(m.s, m.beta+last, shape, m.alpha+last) - firstOf(m.s, m.beta+age, shape, m.alpha+age)
	return 1 / (1 + max(0, odds))
}

// near says that two scales are so near each other that the series of firstOf is short. The quadrature of the likelihood is
// slower, but knows no distance.
func near(a, b float64) bool { return min(a, b) > max(a, b)/10 }

// firstOf is the probability that an event at a gamma(shape, scale) rate comes before one at a gamma(otherShape, otherScale)
// rate: with the smaller scale m, the larger M and c = shape+otherShape, it is shape/c·₂F₁(otherShape, 1; c+1; 1-m/M)
// where m is the own scale, and what the other leaves where it is not.
func firstOf(shape, scale, otherShape, otherScale float64) float64 {
	c := shape + otherShape
	if !near(scale, otherScale) {
		// Until late by quadrature; by then the scales are as good as equal.
		m := paretoNBD{r: otherShape, alpha: otherScale, s: shape, beta: scale}
		late := 1e12 * max(scale, otherScale)
		silent := -otherShape*math.Log1p(late/otherScale) - shape*math.Log1p(late/scale)
		return math.Exp(m.stopped(otherShape, 0, late).value) + math.Exp(silent)*shape/c
	}
	if scale <= otherScale {
		return shape / c * hypergeometricSeries(otherShape, 1, c+1, 1-scale/otherScale)
	}
	return 1 - otherShape/c*hypergeometricSeries(shape, 1, c+1, 1-otherScale/scale)
}

func (m *paretoNBD) Expected(s Stats, days float64) float64 {
	return m.Discounted(s, days, 0)
}

func (m *paretoNBD) New(days float64) float64 { return m.Expected(Stats{}, days) }

// Discounted is P(alive)·(r+x)/(α+T)·∫ e^(-δu) (1+u/(β+T))^(-s) du; without discount the integral is
// (β+T)/(s-1)·[1 - ((β+T)/(β+T+t))^(s-1)], at s = 1 its limit (Fader and Hardie 2005; Fader, Hardie and Lee 2005,
// Journal of Marketing Research 42(4), "RFM and CLV", there with Tricomi's function instead of quadrature).
func (m *paretoNBD) Discounted(s Stats, days, annualRate float64) float64 {
	return m.expectAt(s.Repeats, weeks(float64(s.Last)), weeks(float64(s.Age)), weeks(days), discountForce(annualRate))
}

// expectAt is Discounted for times in weeks and a continuous rate per week.
func (m *paretoNBD) expectAt(x int, last, age, end, force float64) float64 {
	if !(end > 0) {
		return 0
	}
	scale := m.beta + age
	rate := m.aliveAt(x, last, age) * (m.r + float64(x)) / (m.alpha + age)
	switch {
	case rate == 0:
		return 0
	case force == 0 && math.IsInf(end, 1) && m.s <= 1:
		return math.Inf(1)
	case force == 0:
		return rate * scale * growth(1-m.s, math.Log1p(end/scale))
	}
	return rate * integrate(scale/max(1, m.s), min(end, 45/force), func(u float64) float64 {
		return math.Exp(-force*u - m.s*math.Log1p(u/scale))
	})
}

// growth is (e^(a·v) - 1)/a, which is v at a = 0.
func growth(a, v float64) float64 {
	if a == 0 {
		return v
	}
	return math.Expm1(a*v) / a
}

// NextOrder inverts the time of an order that comes before stopping, among those that do: the share of them still to come
// after u weeks is ((α+T)/(α+T+u))^(r+x) ((β+T)/(β+T+u))^s K'(T+u)/K'(T), K' being the probability of ordering before
// stopping.
func (m *paretoNBD) NextOrder(s Stats, p float64) (float64, bool) {
	if !(p > 0 && p < 1) {
		return math.Inf(1), false
	}
	age, shape := weeks(float64(s.Age)), m.r+float64(s.Repeats)
	order, stop := m.alpha+age, m.beta+age
	ever := firstOf(shape, order, m.s, stop)
	// In v = ln(1+u/order) the logarithm of the share falls almost along a line, so that Newton's steps arrive at once.
	target, v := math.Log1p(-p), -math.Log1p(-p)/(shape+m.s)
	for range 100 {
		if v > 600 { // longer than any number can say
			return math.Inf(1), false
		}
		u := order * math.Expm1(v)
		both := -shape*v - m.s*math.Log1p(u/stop)
		left := firstOf(shape, order+u, m.s, stop+u)
		value := both + math.Log(left/ever)
		slope := -shape / left // of the logarithm: the orders that come now, over those to come
		step := (target - value) / slope
		v = max(v+step, v/8)
		if math.Abs(step) < 1e-12*v {
			break
		}
	}
	days := 7 * order * math.Expm1(v)
	return days, m.Alive(s)*ever >= p
}

// fitPareto starts from the fit without dropout, with much of it and, if need be, with little.
func fitPareto(s *sample, plain summit) summit {
	age := math.Log(s.exposure / s.customers)
	much, little := plain.theta, plain.theta
	much[0] += 0.3
	much[2], much[3] = math.Log(0.6), age-1
	little[2], little[3] = math.Log(0.05), age
	return climbAgain(func(theta [most]float64) point {
		return s.pareto(paretoNBD{r: math.Exp(theta[0]), alpha: math.Exp(theta[1]), s: math.Exp(theta[2]), beta: math.Exp(theta[3])})
	}, much, little, plain, s.customers)
}
