package clv

import (
	"math"

	"gonum.org/v1/gonum/integrate/quad"
	"gonum.org/v1/gonum/mathext"
)

// hypergeometric is Gauss's ₂F₁(a, b; c; z) for c > 0 and 0 <= z <= 1 (c > a+b at 1). A zero or negative whole a or b,
// with which the general algorithm may not return, is a polynomial; up to z = 0.9 the series is summed; beyond, gonum's
// transformations are used (Abramowitz and Stegun 1964, 15.1 and 15.3).
func hypergeometric(a, b, c, z float64) float64 {
	if z <= 0.9 || wholeAndNotPositive(a) || wholeAndNotPositive(b) {
		return hypergeometricSeries(a, b, c, z)
	}
	return mathext.Hypergeo(a, b, c, z)
}

func wholeAndNotPositive(x float64) bool { return x <= 0 && x == math.Trunc(x) }

// hypergeometricSeries sums (a)_i (b)_i / (c)_i zⁱ/i! until the terms are lost in rounding.
func hypergeometricSeries(a, b, c, z float64) float64 {
	sum, term := 1.0, 1.0
	for i := 0.0; i < 1e6; i++ {
		ratio := (a + i) * (b + i) / ((c + i) * (i + 1)) * z
		term *= ratio
		sum += term
		if term == 0 || math.Abs(ratio) < 1 && math.Abs(term) < 1e-16*(1-math.Abs(ratio))*math.Abs(sum) {
			break
		}
	}
	return sum
}

// trigamma is the derivative of the digamma function for x > 0: recurrence up to 15, then the asymptotic series
// (Abramowitz and Stegun 1964, 6.4.6 and 6.4.12).
func trigamma(x float64) float64 {
	var sum float64
	for ; x < 15; x++ {
		sum += 1 / (x * x)
	}
	y := 1 / (x * x)
	return sum + 1/x + y/2 + y/x*(1./6-y*(1./30-y*(1./42-y*(1./30-y*5/66))))
}

// softplus is ln(1+e^d), the sum of two terms given the logarithm of their ratio, and its derivative, the share of the
// second; neither overflows.
func softplus(d float64) (value, slope float64) {
	if d > 0 {
		e := math.Exp(-d)
		return d + math.Log1p(e), 1 / (1 + e)
	}
	e := math.Exp(d)
	return math.Log1p(e), e / (1 + e)
}

// integrate is the integral of f from 0 to end, f being smooth on the scale of ln(1+u/scale): Gauss and Legendre's rule on
// panels of that variable (Abramowitz and Stegun 1964, 25.4.30). A short span takes fewer places.
func integrate(scale, end float64, f func(u float64) float64) float64 {
	if math.Log1p(end/scale) <= 1 {
		return integrateBy(coarse, scale, end, f)
	}
	return integrateBy(fine, scale, end, f)
}

// smooth is the rule for what has no singularity nearer than iπ in that variable, as orders to come: 8 places are right to 13
// digits then, and 5 to 10 digits where the whole span is 1.
func smooth(scale, end float64) []node {
	if math.Log1p(end/scale) <= 1 {
		return brief
	}
	return coarse
}

func integrateBy(rule []node, scale, end float64, f func(u float64) float64) float64 {
	span := math.Log1p(end / scale)
	panels := math.Ceil(span / 2)
	var sum float64
	for i := range int(panels) {
		half := span / panels / 2
		middle := half * float64(2*i+1)
		for _, node := range rule {
			v := middle + half*node.at
			sum += half * node.weight * scale * math.Exp(v) * f(scale*math.Expm1(v))
		}
	}
	return sum
}

// node is a place and a weight of Gauss and Legendre's rule on -1 to 1.
type node struct{ at, weight float64 }

// The rules in use; they are tables.
var brief, coarse, fine = gaussLegendre(5), gaussLegendre(8), gaussLegendre(16)

func gaussLegendre(points int) []node {
	at, weight := make([]float64, points), make([]float64, points)
	quad.Legendre{}.FixedLocations(at, weight, -1, 1)
	rule := make([]node, points)
	for i := range rule {
		rule[i] = node{at[i], weight[i]}
	}
	return rule
}
