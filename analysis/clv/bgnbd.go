package clv

import "math"

// betaGeometric are the models in which a customer may stop after an order: BG/NBD, MBG/NBD and MBG/CNBD-k.
type betaGeometric struct {
	kind Kind
	shape
	r, alpha, a, b float64
	errs           [most]float64
	stay           []float64 // see staying
}

// first is 1 for the models in which the first order may be the last.
func first(kind Kind) int {
	if kind == BGNBD {
		return 0
	}
	return 1
}

func (m *betaGeometric) Kind() Kind { return m.kind }

func (m *betaGeometric) Params() []Param {
	params := []Param{{"r", m.r, m.errs[0]}, {"alpha", m.alpha, m.errs[1]}, {"a", m.a, m.errs[2]}, {"b", m.b, m.errs[3]}}
	if m.kind == MBGCNBDK {
		params = append(params, Param{Name: "k", Value: float64(m.k)})
	}
	return params
}

func (m *betaGeometric) LogLikelihood(groups []Group) float64 {
	return newSample(groups).likelihood(gammaBeta{m.r, m.alpha, m.a, m.b}, m.shape).value
}

// belief is what is known of one customer who is alive: his rate of events is gamma(events, scale), his probability of
// stopping beta(a, b), and since the last order j events of the k for the next have passed with probability done[j].
type belief struct {
	events, scale, b float64
	done             [mostRegular]float64
	alive            float64
	past             int // how often he could have stopped
}

// believe updates the mixture by what one customer did (Bayes). The odds of having stopped are
// e^d/S, see sample.likelihood.
func (m *betaGeometric) believe(s Stats) belief {
	return m.believeAt(s.Repeats, weeks(float64(s.Last)), weeks(float64(s.Age)))
}

// believeAt is believe for times in weeks.
func (m *betaGeometric) believeAt(x int, last, age float64) belief {
	n := x + m.first
	b := belief{events: m.r + float64(m.k*x), scale: m.alpha + age, b: m.b + float64(n), alive: 1, past: n}
	b.done[0] = 1
	all := 1.0
	for j := 1; j < m.k; j++ {
		b.done[j] = b.done[j-1] * (b.events + float64(j-1)) / float64(j) * (age - last) / b.scale
		all += b.done[j]
	}
	for j := range m.k {
		b.done[j] /= all
	}
	if n > 0 {
		odds := m.a / (m.b + float64(n-1)) / all
		b.alive = 1 / (1 + odds*math.Exp(b.events*math.Log1p((age-last)/(m.alpha+last))))
	}
	return b
}

func (m *betaGeometric) Alive(s Stats) float64 { return m.believe(s).alive }

func (m *betaGeometric) Expected(s Stats, days float64) float64 {
	b := m.believe(s)
	return m.expect(&b, weeks(days))
}

func (m *betaGeometric) New(days float64) float64 { return m.Expected(Stats{}, days) }

// expect is the number of orders in so many weeks: P(alive) times the mean of W over the number of events,
// see ordersAfter; for the BG/NBD it is the conditional expectation of Fader, Hardie and Lee 2005.
func (m *betaGeometric) expect(b *belief, weeks float64) float64 {
	switch {
	case !(weeks > 0) || b.alive == 0:
		return 0
	case math.IsInf(weeks, 1) && m.a <= 1:
		return math.Inf(1)
	case math.IsInf(weeks, 1): // the mean of 1/p
		return b.alive * (m.a + b.b - 1) / (m.a - 1)
	}
	if m.k == 1 {
		return b.alive * m.ordersAfter(b, 0, weeks)
	}
	var orders float64
	for j, w := range b.done[:m.k] {
		if w > 0 {
			orders += w * m.ordersAfter(b, j, weeks)
		}
	}
	return b.alive * orders
}

func (m *betaGeometric) Discounted(s Stats, days, annualRate float64) float64 {
	_, _, discounted := m.foretell(s, days, annualRate)
	return discounted
}

// discounted integrates by parts: e^(-δt)·E(t) + δ∫ e^(-δu)·E(u) du, orders being E(t), those until the end.
func (m *betaGeometric) discounted(b *belief, end, force, orders float64) float64 {
	if force == 0 || !(end > 0) || b.alive == 0 {
		return orders
	}
	scale, upTo, rule := b.scale/max(1, b.events), min(end, 45/force), fine
	if force*end < 0.5 { // e^(-δu) is nearly a line
		rule = smooth(scale, upTo)
	}
	total := force * integrateBy(rule, scale, upTo, func(u float64) float64 {
		return math.Exp(-force*u) * m.expect(b, u)
	})
	if force*end < 45 {
		total += math.Exp(-force*end) * orders
	}
	return total
}

// foretell asks once for what alive, expected and discounted orders have in common.
func (m *betaGeometric) foretell(s Stats, days, annualRate float64) (alive, orders, discounted float64) {
	b, end, force := m.believe(s), weeks(days), discountForce(annualRate)
	if orders, discounted, ok := m.series(&b, end, force); ok {
		return b.alive, b.alive * orders, b.alive * discounted
	}
	orders = m.expect(&b, end)
	return b.alive, orders, m.discounted(&b, end, force, orders)
}

// NextOrder inverts the time until the missing events of the k have come. Who is alive orders again for certain, sooner or
// later, so that P(alive) is the probability that another order comes.
func (m *betaGeometric) NextOrder(s Stats, p float64) (float64, bool) {
	b := m.believe(s)
	if m.k == 1 {
		days, ok := lomax(b.events, b.scale, p)
		return days, ok && b.alive >= p
	}
	return m.nextRegular(&b, p)
}

// fitBetaGeometric starts from the fit without dropout, with much of it. Where that leads to too little to be told from none,
// the likelihood may have a second summit, which is looked for from little dropout.
func fitBetaGeometric(s *sample, plain summit, sh shape) summit {
	f := func(theta [most]float64) point {
		return s.likelihood(gammaBeta{math.Exp(theta[0]), math.Exp(theta[1]), math.Exp(theta[2]), math.Exp(theta[3])}, sh)
	}
	much, little := plain.theta, plain.theta
	much[1] -= math.Ln2 // who has not stopped orders more often than the average
	much[2], much[3] = math.Log(0.7), math.Log(2)
	little[2], little[3] = math.Log(0.02), math.Log(3)
	return climbAgain(f, much, little, plain, s.customers)
}

// climbAgain climbs from one start, and from another where the first gains less over the plain model than it has to.
func climbAgain(f func([most]float64) point, one, other [most]float64, plain summit, customers float64) summit {
	best := climb(f, one, most, customers)
	if best.value >= plain.value+akaike {
		return best
	}
	second := climb(f, other, most, customers)
	if second.value > best.value {
		best, second = second, best
	}
	best.iterations += second.iterations
	return best
}
