package clv

import (
	"fmt"
	"math"

	"gonum.org/v1/gonum/mathext"
)

// Spend is the repeat spend of N equal customers: the mean amount of an order day over so many days after the first.
type Spend struct {
	Repeats int
	Mean    float64 // in the shop's currency; refunds may have made it zero or negative
	N       int
}

// GammaGamma is the distribution of amounts: those of one customer are gamma(p, ν), and ν differs between customers as
// gamma(q, γ). P and Q have no unit, Gamma has that of the amounts (Fader and Hardie 2013, note 025, "The Gamma-Gamma model
// of monetary value").
type GammaGamma struct {
	P     float64 `json:"p"`
	Q     float64 `json:"q"`
	Gamma float64 `json:"gamma"`
}

// Mean is the expected amount of an order of a customer with so many repeat orders of such a mean amount,
// p(γ + x·z)/(px + q - 1): his own mean drawn towards that of all, the less the more he has ordered. It is infinite where
// px + q <= 1. A negative mean counts as zero, as no amount of the model is negative.
func (g GammaGamma) Mean(repeats int, mean float64) float64 {
	x := float64(repeats)
	below := g.P*x + g.Q - 1
	if below <= 0 {
		return math.Inf(1)
	}
	return g.P * (g.Gamma + x*max(0, mean)) / below
}

// SpendFit is a fitted distribution of amounts and what is to be known about the fitting.
type SpendFit struct {
	GammaGamma
	StdErr        GammaGamma `json:"std_err"` // standard errors, zero where unknown
	LogLikelihood float64    `json:"log_likelihood"`
	Iterations    int        `json:"iterations"`
	Gradient      float64    `json:"gradient"` // as in Fit
	Converged     bool       `json:"converged"`
	Finding       string     `json:"finding"`
	// Identified is false where the model has no finite mean or too little to go by; Expected then is the simple mean.
	Identified bool    `json:"identified"`
	Customers  int     `json:"customers"` // who were learnt from: with a repeat order and a positive mean
	Excluded   int     `json:"excluded"`  // customers with repeat orders whose mean is not positive
	Average    float64 `json:"average"`   // of all repeat order days of those learnt from
}

// Findings of a fit of amounts.
const (
	// FindingNoSpend stands where nobody has a repeat order with a positive amount.
	FindingNoSpend = "nobody has repeat orders of a positive amount; the amount of an order cannot be foretold"
	// FindingNoMean stands where q <= 1: the amounts spread so widely that the model has no mean.
	FindingNoMean = "amounts spread too widely for the gamma-gamma model to have a mean; simple means used"
	// FindingSpendEdge stands where the likelihood keeps rising towards an edge, as where every order has the same price.
	FindingSpendEdge = "amounts, or the number of them, do not suit the gamma-gamma model; simple means used"
	// FindingExcluded stands where somebody's repeat orders brought nothing.
	FindingExcluded = "customers whose repeat orders brought nothing, after refunds, were left out of the fit"
)

// Expected is the expected amount of the next order: the mean of the gamma-gamma model where it is identified, else the
// customer's own mean and that of all, the latter with the weight of one order. It is never negative and never NaN.
func (f SpendFit) Expected(repeats int, mean float64) float64 {
	if f.Identified {
		return f.Mean(repeats, mean)
	}
	return (float64(repeats)*max(0, mean) + f.Average) / (float64(repeats) + 1)
}

// FitSpend fits the gamma-gamma model by maximum likelihood to customers with repeat orders of a positive mean; others are
// left out, and counted. Scaling all amounts scales Gamma and every expected amount alike. It fails only on amounts that
// are not finite and on negative counts, naming the field.
func FitSpend(spend []Spend) (SpendFit, error) {
	var f SpendFit
	var repeats, total float64
	rows := make([]amount, 0, len(spend))
	most := 0
	for _, s := range spend {
		switch {
		case s.Repeats < 0:
			return f, fmt.Errorf("fit of spend: Repeats is negative: %d", s.Repeats)
		case s.N < 1:
			return f, fmt.Errorf("fit of spend: N is not positive: %d", s.N)
		case math.IsNaN(s.Mean) || math.IsInf(s.Mean, 0):
			return f, fmt.Errorf("fit of spend: Mean is not finite: %v", s.Mean)
		case s.Repeats > 0 && s.Mean <= 0:
			f.Excluded += s.N
		case s.Repeats > 0:
			f.Customers += s.N
			n := float64(s.N) * float64(s.Repeats)
			repeats += n
			total += n * s.Mean
			most = max(most, s.Repeats)
			rows = append(rows, amount{x: s.Repeats, mean: s.Mean, n: float64(s.N)})
		}
	}
	if f.Excluded > 0 {
		f.Finding = FindingExcluded
	}
	if f.Customers == 0 {
		f.Converged = true
		f.Finding = join(FindingNoSpend, f.Finding)
		return f, nil
	}
	f.Average = total / repeats
	f.climb(rows, most)
	return f, nil
}

// amount are n customers with x repeats of a mean amount, in units of the average of all.
type amount struct {
	x         int
	mean, log float64
	n         float64
}

func (f *SpendFit) climb(rows []amount, most int) {
	byRepeats := make([]float64, most+1)
	logs := 0.0
	for i := range rows {
		row := &rows[i]
		row.mean /= f.Average
		row.log = math.Log(row.mean)
		logs += row.n * row.log
		byRepeats[row.x] += row.n
	}
	n := float64(f.Customers)
	s := climb(func(theta [4]float64) point {
		return gammaGammaLikelihood(rows, byRepeats, theta)
	}, [4]float64{math.Log(2), math.Log(3), 0}, 3, n)
	errs, ok := s.stdErrs()
	f.GammaGamma = GammaGamma{math.Exp(s.theta[0]), math.Exp(s.theta[1]), math.Exp(s.theta[2]) * f.Average}
	f.StdErr = GammaGamma{f.P * errs[0], f.Q * errs[1], f.Gamma * errs[2]}
	// The density of an amount is per unit of currency, that of a share of the average is not.
	f.LogLikelihood = s.value - n*math.Log(f.Average)
	f.Iterations, f.Gradient, f.Converged = s.iterations, s.gradient, s.converged()
	f.Identified = f.Converged && f.Q > 1 && !s.atEdge() && ok
	switch {
	case !f.Converged:
		f.Finding = join(FindingNotConverged, f.Finding)
	case s.atEdge() || !ok:
		f.Finding = join(FindingSpendEdge, f.Finding)
	case f.Q <= 1:
		f.Finding = join(FindingNoMean, f.Finding)
	}
}

// gammaGammaLikelihood, with gradient and Hessian by ln p, ln q, ln γ, is the sum of
//
//	lnΓ(px+q) - lnΓ(px) - lnΓ(q) + q ln γ + (px-1) ln z + px ln x - (px+q) ln(γ+xz)
//
// (Fader and Hardie 2013). Gamma functions are taken once for every number of repeats.
func gammaGammaLikelihood(rows []amount, byRepeats []float64, theta [4]float64) point {
	p, q, gamma := math.Exp(theta[0]), math.Exp(theta[1]), math.Exp(theta[2])
	var sum point
	g, h := &sum.grad, &sum.hess
	lnQ, _ := math.Lgamma(q)
	digammaQ, trigammaQ := mathext.Digamma(q), trigamma(q)
	for repeats, n := range byRepeats {
		if n == 0 {
			continue
		}
		x := float64(repeats)
		all, own := p*x+q, p*x
		lnAll, _ := math.Lgamma(all)
		lnOwn, _ := math.Lgamma(own)
		digammaAll, trigammaAll := mathext.Digamma(all), trigamma(all)
		// xz/γ and γ+xz stand for each other: -(px+q) ln(γ+xz) + q ln γ = -(px+q) ln(1+xz/γ) - px ln γ.
		sum.value += n * (lnAll - lnOwn - lnQ + own*(math.Log(x)-theta[2]))
		gp := own * (digammaAll - mathext.Digamma(own) + math.Log(x) - theta[2])
		gq := q * (digammaAll - digammaQ)
		g[0] += n * gp
		g[1] += n * gq
		g[2] -= n * own
		h[0][0] += n * (gp + own*own*(trigammaAll-trigamma(own)))
		h[0][1] += n * own * q * trigammaAll
		h[0][2] -= n * own
		h[1][1] += n * (gq + q*q*(trigammaAll-trigammaQ))
	}
	for i := range rows {
		row := &rows[i]
		n, x := row.n, float64(row.x)
		own := p * x
		all := own + q
		ratio := x * row.mean / gamma
		log, share := math.Log1p(ratio), ratio/(1+ratio)
		sum.value += n * ((own-1)*row.log - all*log)
		gp := own * (row.log - log)
		g[0] += n * gp
		g[1] -= n * q * log
		g[2] += n * all * share
		h[0][0] += n * gp
		h[0][2] += n * own * share
		h[1][1] -= n * q * log
		h[1][2] += n * q * share
		h[2][2] -= n * all * share * (1 - share)
	}
	mirror(h)
	return sum
}
