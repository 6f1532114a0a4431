package clv

import "math"

// shape tells the models of the BG/NBD family apart.
type shape struct {
	k     int // orders come by Erlang-k: every k-th event of a Poisson process is an order
	first int // 1 if a customer may stop after the first order already, else 0
}

// gammaBeta are the parameters: events at a gamma(r, alpha) rate, stopping with a beta(a, b) probability; a = 0 is no
// stopping.
type gammaBeta struct{ r, alpha, a, b float64 }

// likelihood is the log-likelihood with gradient and Hessian by ln r, ln α, ln a, ln b. With R = r+kx, n = x+first,
// y = (T-t_x)/(α+T) and S = Σ_{j<k} (R)_j/j!·y^j, which is 1 for k = 1, a customer adds
//
//	lnΓ(R) - lnΓ(r) + r ln α - R ln(α+T) + lnB(a, b+n) - lnB(a, b) + ln(S + e^d) + (k-1) Σ ln(gap) - x lnΓ(k)
//	d = ln a - ln(b+n-1) + R ln((α+T)/(α+t_x)), and no e^d where n = 0
//
// (Fader, Hardie and Lee 2005, eq. 6; Reutterer, Platzer and Schröder 2020). What depends on x alone is summed by x,
// logarithms of times are taken by day: a row of the BG/NBD costs one exp and one log1p.
func (s *sample) likelihood(p gammaBeta, sh shape) point {
	c := s.byCount(p, sh)
	log, share := make([]float64, len(s.times)), make([]float64, len(s.times))
	for i, t := range s.times {
		log[i], share[i] = math.Log1p(t/p.alpha), t/(p.alpha+t)
	}
	sum := c.sum
	h := &sum.hess
	for i := range s.rows {
		row := &s.rows[i]
		at := &c.at[row.x]
		n, rx, lT, qT := row.n, at.events, log[row.age], share[row.age]
		sum.value -= n * rx * lT
		sum.grad[0] -= n * p.r * lT
		h[0][0] -= n * p.r * lT
		sum.grad[1] += n * rx * qT
		h[0][1] += n * p.r * qT
		h[1][1] -= n * rx * qT * (1 - qT)

		var stages stageSum
		if sh.k > 1 {
			stages = at.stages((s.times[row.age]-s.times[row.last])/(p.alpha+s.times[row.age]), qT, sh.k)
			sum.value += n * stages.log
			sum.grad[0] += n * stages.r
			sum.grad[1] += n * stages.alpha
			h[0][0] += n * stages.rr
			h[0][1] += n * stages.rAlpha
			h[1][1] += n * stages.alphaAlpha
		}
		if p.a == 0 || int(row.x)+sh.first == 0 {
			continue
		}
		lt, qt := log[row.last], share[row.last]
		d := at.odds + rx*(lT-lt) - stages.log
		dr, dA, db := p.r*(lT-lt)-stages.r, rx*(qt-qT)-stages.alpha, -at.beta
		soft, w := softplus(d)
		sum.value += n * soft
		sum.grad[0] += n * w * dr
		sum.grad[1] += n * w * dA
		sum.grad[2] += n * w
		sum.grad[3] += n * w * db
		nw, v := n*w, n*w*(1-w)
		h[0][0] += nw*(p.r*(lT-lt)-stages.rr) + v*dr*dr
		h[0][1] += nw*(p.r*(qt-qT)-stages.rAlpha) + v*dr*dA
		h[1][1] += nw*(rx*(qT*(1-qT)-qt*(1-qt))-stages.alphaAlpha) + v*dA*dA
		h[0][2] += v * dr
		h[0][3] += v * dr * db
		h[1][2] += v * dA
		h[1][3] += v * dA * db
		h[2][2] += v
		h[2][3] += v * db
		h[3][3] += v*db*db - nw*at.beta*(1-at.beta)
	}
	mirror(h)
	return sum
}

func mirror(h *[most][most]float64) {
	for i := range h {
		for j := range i {
			h[i][j] = h[j][i]
		}
	}
}

// count is what depends on the number of repeats alone.
type count struct {
	events  float64              // R = r + kx
	odds    float64              // ln a - ln(b+n-1)
	beta    float64              // b/(b+n-1)
	rising  [mostRegular]float64 // (R)_j/j!
	slope   [mostRegular]float64 // its logarithm's derivative by ln r
	bending [mostRegular]float64 // and the second
}

type counts struct {
	at  []count
	sum point // of all terms that depend on repeats alone
}

// byCount lays out what depends on the number of repeats alone. The differences of log-gammas and their derivatives are
// sums over the steps between the arguments, which keeps all digits however large the parameters.
func (s *sample) byCount(p gammaBeta, sh shape) counts {
	c := counts{at: make([]count, len(s.byRepeats))}
	var gamma, beta point // of the current x
	gap := math.Log(p.alpha)
	lnFactor, _ := math.Lgamma(float64(sh.k))
	event, step := 0, 0
	for x := range c.at {
		for ; event < sh.k*x; event++ {
			at := p.r + float64(event)
			q := p.r / at
			gamma.value += math.Log(at) - gap
			gamma.grad[0] += q
			gamma.hess[0][0] += q * (1 - q)
			gamma.grad[1]--
		}
		for ; p.a > 0 && step < x+sh.first; step++ {
			beta.addBeta(p, float64(step))
		}
		at := &c.at[x]
		at.events = p.r + float64(sh.k*x)
		if below := float64(x + sh.first - 1); p.a > 0 && below >= 0 {
			at.odds, at.beta = math.Log(p.a/(p.b+below)), p.b/(p.b+below)
		}
		at.layStages(p.r, sh.k)
		if n := s.byRepeats[x]; n > 0 {
			c.sum.add(gamma, n)
			c.sum.add(beta, n)
		}
	}
	if sh.k > 1 {
		c.sum.value += float64(sh.k-1)*s.logGaps - s.repeats*lnFactor
	}
	return c
}

// addBeta adds ln((b+i)/(a+b+i)).
func (t *point) addBeta(p gammaBeta, i float64) {
	all := p.a + p.b + i
	y, z, q := p.a/all, p.b/all, p.b/(p.b+i)
	t.value -= math.Log1p(p.a / (p.b + i))
	t.grad[2] -= y
	t.grad[3] += q * y // b/(b+i) - b/(a+b+i)
	t.hess[2][2] -= y * (1 - y)
	t.hess[2][3] += y * z
	t.hess[3][3] += q*(1-q) - z*(1-z)
}

func (t *point) add(u point, n float64) {
	t.value += n * u.value
	for i := range u.grad {
		t.grad[i] += n * u.grad[i]
		for j := i; j < most; j++ {
			t.hess[i][j] += n * u.hess[i][j]
		}
	}
}

// layStages lays out the coefficients of S.
func (c *count) layStages(r float64, k int) {
	rising, slope, bending := 1.0, 0.0, 0.0
	for j := range k {
		c.rising[j], c.slope[j], c.bending[j] = rising, slope, bending
		at := c.events + float64(j)
		q := r / at
		rising *= at / float64(j+1)
		slope += q
		bending += q * (1 - q)
	}
}

// stageSum is ln S and its derivatives by ln r and ln α.
type stageSum struct{ log, r, alpha, rr, rAlpha, alphaAlpha float64 }

// stages sums S at y, where q = T/(α+T).
func (c *count) stages(y, q float64, k int) stageSum {
	var all, r, a, rr, ra, aa float64
	power := 1.0
	for j := range k {
		e := c.rising[j] * power
		dr, da := c.slope[j], -float64(j)*(1-q)
		all += e
		r += e * dr
		a += e * da
		rr += e * (c.bending[j] + dr*dr)
		ra += e * dr * da
		aa += e * (da*q + da*da)
		power *= y
	}
	r, a = r/all, a/all
	return stageSum{math.Log(all), r, a, rr/all - r*r, ra/all - r*a, aa/all - a*a}
}
