package clv

import "math"

// pareto is the log-likelihood of the Pareto/NBD with gradient and Hessian by ln r, ln α, ln s, ln β. A customer adds, with
// R = r+x,
//
//	lnΓ(R) - lnΓ(r) + r ln α + s ln β + ln(e^l + ∫ e^ψ dτ), τ from t_x to T
//	l = -R ln(α+T) - s ln(β+T),  ψ = ln s - R ln(α+τ) - (s+1) ln(β+τ)
//
// (Fader and Hardie 2005, "A note on deriving the Pareto/NBD model"). The integral is taken by quadrature, and
// its derivatives with it, which holds for α < β and α > β alike and needs no hypergeometric function; its relative error is
// below 1e-11.
func (s *sample) pareto(m paretoNBD) point {
	sum := s.byCount(gammaBeta{r: m.r, alpha: m.alpha}, shape{k: 1}).sum
	h := &sum.hess
	for i := range s.rows {
		row := &s.rows[i]
		n, last, age := row.n, s.times[row.last], s.times[row.age]
		events := m.r + float64(row.x)
		q := [2]float64{age / (m.alpha + age), age / (m.beta + age)}
		la, lb := math.Log1p(age/m.alpha), math.Log1p(age/m.beta)
		alive := [most]float64{-m.r * la, events * q[0], -m.s * lb, m.s * q[1]}
		sum.value -= n * (events*la + m.s*lb)
		w := 0.0 // the share of having stopped
		if last < age {
			dead := m.stopped(events, last, age)
			var soft float64
			soft, w = softplus(dead.value + events*la + m.s*lb)
			sum.value += n * soft
			for j := range alive {
				slope := dead.grad[j] - alive[j]
				sum.grad[j] += n * w * slope
				for k := j; k < most; k++ {
					h[j][k] += n * (w*dead.hess[j][k] + w*(1-w)*slope*(dead.grad[k]-alive[k]))
				}
			}
		}
		for j, g := range alive {
			sum.grad[j] += n * g
		}
		n *= 1 - w
		h[0][0] += n * alive[0]
		h[0][1] += n * m.r * q[0]
		h[1][1] -= n * alive[1] * (1 - q[0])
		h[2][2] += n * alive[2]
		h[2][3] += n * alive[3]
		h[3][3] -= n * alive[3] * (1 - q[1])
	}
	mirror(h)
	return sum
}

// moments are sums over τ, weighted with e^ψ, of 1, of the four quantities A = ln(1+τ/α), P = τ/(α+τ), B = ln(1+τ/β) and
// Q = τ/(β+τ), and of their products.
type moments struct{ one, a, p, b, q, aa, ap, ab, aq, pp, pb, pq, bb, bq, qq float64 }

// stopped is ln ∫ e^ψ dτ with derivatives, the terms α^r β^s taken in. The variable of integration is
// v = ln((m+τ)/(m+t_x)), m the smaller of α and β, in which the integrand falls exponentially and has its nearest singularity
// at distance π.
func (m *paretoNBD) stopped(events, last, age float64) point {
	low, high, swapped := m.alpha, m.beta, false
	if high < low {
		low, high, swapped = high, low, true
	}
	// What is e^-45 of the beginning adds nothing.
	stops := m.s + 1
	far := min(age-last, (m.alpha+last)*math.Expm1(45/events), (m.beta+last)*math.Expm1(45/m.s))
	span := math.Log1p(far / (low + last))
	// The exponent falls the faster the later.
	end := last + far
	fall := (events*(low+end)/(m.alpha+end) + stops*(low+end)/(m.beta+end)) * span
	rule, panels := &coarse, 1.0
	if span > 1.5 || fall > 4 {
		rule, panels = &fine, math.Ceil(max(span/3, fall/12))
	}
	start := math.Log1p(last / low)
	top := -events*math.Log1p(last/m.alpha) - stops*math.Log1p(last/m.beta)
	var sum moments
	half := span / panels / 2
	for i := range int(panels) {
		for _, node := range *rule {
			v := half * (float64(2*i+1) + node.at)
			e := (low + last) * math.Exp(v)
			t := e - low
			a, b := start+v, math.Log1p(t/high)
			if swapped {
				a, b = b, a
			}
			sum.add(node.weight*e*math.Exp(-events*a-stops*b-top), a, t/(m.alpha+t), b, t/(m.beta+t))
		}
	}
	return sum.derive(m, events, top+math.Log(half*sum.one*m.s/m.beta))
}

func (s *moments) add(w, a, p, b, q float64) {
	wa, wp, wb, wq := w*a, w*p, w*b, w*q
	s.one += w
	s.a += wa
	s.p += wp
	s.b += wb
	s.q += wq
	s.aa += wa * a
	s.ap += wa * p
	s.ab += wa * b
	s.aq += wa * q
	s.pp += wp * p
	s.pb += wp * b
	s.pq += wp * q
	s.bb += wb * b
	s.bq += wb * q
	s.qq += wq * q
}

// derive makes gradient and Hessian of ln ∫ e^ψ from the moments: the mean of ψ's slopes (-rA, RP, 1-sB, (s+1)Q-1), and
// their covariance plus the mean of ψ's curvature.
func (s *moments) derive(m *paretoNBD, events, value float64) (d point) {
	one := 1 / s.one
	a, p, b, q := s.a*one, s.p*one, s.b*one, s.q*one
	r, stop, stops := m.r, m.s, m.s+1
	d.value = value
	d.grad = [most]float64{-r * a, events * p, 1 - stop*b, stops*q - 1}
	h := &d.hess
	h[0][0] = r*r*(s.aa*one-a*a) - r*a
	h[0][1] = -r*events*(s.ap*one-a*p) + r*p
	h[0][2] = r * stop * (s.ab*one - a*b)
	h[0][3] = -r * stops * (s.aq*one - a*q)
	h[1][1] = events*events*(s.pp*one-p*p) - events*(p-s.pp*one)
	h[1][2] = -events * stop * (s.pb*one - p*b)
	h[1][3] = events * stops * (s.pq*one - p*q)
	h[2][2] = stop*stop*(s.bb*one-b*b) - stop*b
	h[2][3] = -stop*stops*(s.bq*one-b*q) + stop*q
	h[3][3] = stops*stops*(s.qq*one-q*q) - stops*(q-s.qq*one)
	return d
}
