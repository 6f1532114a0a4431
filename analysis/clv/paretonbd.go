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
// and silent until t stops before he orders (Fader and Hardie 2005, "A note on deriving the Pareto/NBD model", eq. 16ff).
func (m *paretoNBD) Alive(s Stats) float64 {
	shape := m.r + float64(s.Repeats)
	last, age := weeks(float64(s.Last)), weeks(float64(s.Age))
	if last == age {
		return 1
	}
	quiet := age - last
	q := shape*math.Log1p(quiet/(m.alpha+last)) + m.s*math.Log1p(quiet/(m.beta+last))
	odds := math.Exp(q)*firstOf(m.s, m.beta+last, shape, m.alpha+last) - firstOf(m.s, m.beta+age, shape, m.alpha+age)
	return 1 / (1 + max(0, odds))
}

// firstOf is the probability that an event at a gamma(shape, scale) rate comes before one at a gamma(otherShape, otherScale)
// rate: with the smaller scale m, the larger M and c = shape+otherShape, it is shape/c·₂F₁(otherShape, 1; c+1; 1-m/M)
// where m is the own scale, and what the other leaves where it is not.
func firstOf(shape, scale, otherShape, otherScale float64) float64 {
	c := shape + otherShape
	if scale <= otherScale {
		return shape / c * hypergeometric(otherShape, 1, c+1, 1-scale/otherScale)
	}
	return 1 - otherShape/c*hypergeometric(shape, 1, c+1, 1-otherScale/scale)
}

func (m *paretoNBD) Expected(s Stats, days float64) float64 {
	return m.Discounted(s, days, 0)
}

func (m *paretoNBD) New(days float64) float64 { return m.Expected(Stats{}, days) }

// Discounted is P(alive)·(r+x)/(α+T)·∫ e^(-δu) (1+u/(β+T))^(-s) du; without discount the integral is
// (β+T)/(s-1)·[1 - ((β+T)/(β+T+t))^(s-1)], at s = 1 its limit (Fader and Hardie 2005, eq. 41; Fader, Hardie and Lee 2005,
// Journal of Marketing Research 42(4), "RFM and CLV", eq. 2, there with Tricomi's function instead of quadrature).
func (m *paretoNBD) Discounted(s Stats, days, annualRate float64) float64 {
	end, force := weeks(days), discountForce(annualRate)
	if !(end > 0) {
		return 0
	}
	age := weeks(float64(s.Age))
	scale := m.beta + age
	rate := m.Alive(s) * (m.r + float64(s.Repeats)) / (m.alpha + age)
	switch {
	case rate == 0:
		return 0
	case force == 0 && math.IsInf(end, 1) && m.s <= 1:
		return math.Inf(1)
	case force == 0:
		return rate * scale * growth(1-m.s, math.Log1p(end/scale))
	}
	return rate * integrate(scale, min(end, 45/force), func(u float64) float64 {
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
	return days, !math.IsInf(days, 0) && !math.IsNaN(days) && m.Alive(s)*ever >= p
}

// fitPareto starts from the fit without dropout.
func fitPareto(s *sample, plain summit) summit {
	start := plain.theta
	start[0] += 0.3
	start[2], start[3] = math.Log(0.6), math.Log(s.exposure/s.customers/3)
	return climb(func(theta [most]float64) point {
		return s.pareto(paretoNBD{r: math.Exp(theta[0]), alpha: math.Exp(theta[1]), s: math.Exp(theta[2]), beta: math.Exp(theta[3])})
	}, start, 4, s.customers)
}

// pareto is the log-likelihood with gradient and Hessian by ln r, ln α, ln s, ln β. A customer adds, with R = r+x,
//
//	lnΓ(R) - lnΓ(r) + r ln α + s ln β + ln(e^l + ∫ e^ψ dτ), τ from t_x to T
//	l = -R ln(α+T) - s ln(β+T),  ψ = ln s - R ln(α+τ) - (s+1) ln(β+τ)
//
// (Fader and Hardie 2005, eq. 8 ff.). The integral is taken by quadrature, and its derivatives with it, which holds for
// α < β and α > β alike and needs no hypergeometric function; its relative error is below 1e-13.
func (s *sample) pareto(m paretoNBD) point {
	sum := s.byCount(gammaBeta{r: m.r, alpha: m.alpha}, shape{k: 1}).sum
	for i := range s.rows {
		row := &s.rows[i]
		last, age := s.times[row.last], s.times[row.age]
		events := m.r + float64(row.x)
		alive := m.silence(events, age, 0)
		if last < age {
			dead := m.stopped(events, last, age)
			d := dead.value - alive.value
			soft, w := softplus(d)
			alive.value += soft
			var slope [most]float64
			for j := range slope {
				slope[j] = dead.grad[j] - alive.grad[j]
			}
			for j := range slope {
				alive.grad[j] += w * slope[j]
				for k := j; k < most; k++ {
					alive.hess[j][k] += w*(dead.hess[j][k]-alive.hess[j][k]) + w*(1-w)*slope[j]*slope[k]
				}
			}
		}
		sum.add(alive, row.n)
	}
	mirror(&sum.hess)
	return sum
}

// silence is -R ln(1+t/α) - (s+more) ln(1+t/β), with derivatives: the terms α^r β^s are taken in.
func (m *paretoNBD) silence(events, t, more float64) point {
	la, lb := math.Log1p(t/m.alpha), math.Log1p(t/m.beta)
	return m.silenceAt(events, more, [2]float64{la, lb}, [2]float64{t / (m.alpha + t), t / (m.beta + t)})
}

func (m *paretoNBD) silenceAt(events, more float64, log, share [2]float64) (p point) {
	stops := m.s + more
	p.value = -events*log[0] - stops*log[1]
	p.grad = [most]float64{-m.r * log[0], events * share[0], -m.s * log[1], stops * share[1]}
	p.hess[0][0], p.hess[0][1], p.hess[1][1] = p.grad[0], m.r*share[0], -p.grad[1]*(1-share[0])
	p.hess[2][2], p.hess[2][3], p.hess[3][3] = p.grad[2], m.s*share[1], -p.grad[3]*(1-share[1])
	return p
}

// stopped is ln ∫ e^ψ dτ with derivatives. The variable of integration is v = ln((m+τ)/(m+t_x)), m the smaller of α and β,
// in which the integrand falls exponentially and has its nearest singularity at distance π.
func (m *paretoNBD) stopped(events, last, age float64) point {
	low, high := m.alpha, m.beta
	if high < low {
		low, high = high, low
	}
	// What is e^-45 of the beginning adds nothing.
	far := (m.alpha + last) * math.Expm1(45/events)
	span := math.Log1p(min(age-last, far) / (low + last))
	panels := math.Ceil(max(span/4, (events+m.s+1)*span/16))
	lowLog := math.Log1p(last / low)
	top := -events*math.Log1p(last/m.alpha) - (m.s+1)*math.Log1p(last/m.beta)
	var all float64
	var first [most]float64
	var second [most][most]float64
	for i := range int(panels) {
		half := span / panels / 2
		for node, x := range gaussNodes {
			v := half * (float64(2*i+1) + x)
			e := math.Exp(v)
			t := (low+last)*e - low
			log := [2]float64{lowLog + v, math.Log1p(t / high)}
			if low != m.alpha {
				log[0], log[1] = log[1], log[0]
			}
			at := m.silenceAt(events, 1, log, [2]float64{t / (m.alpha + t), t / (m.beta + t)})
			w := half * gaussWeights[node] * (low + last) * e * math.Exp(at.value-top)
			all += w
			at.grad[2]++ // of ln s
			at.grad[3]-- // of -ln β, the s+1st factor
			for j := range first {
				first[j] += w * at.grad[j]
				for k := j; k < most; k++ {
					second[j][k] += w * (at.hess[j][k] + at.grad[j]*at.grad[k])
				}
			}
		}
	}
	p := point{value: top + math.Log(all*m.s/m.beta)}
	for j := range first {
		p.grad[j] = first[j] / all
		for k := j; k < most; k++ {
			p.hess[j][k] = second[j][k]/all - first[j]/all*first[k]/all
		}
	}
	return p
}
