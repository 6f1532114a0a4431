package clv

import "math"

// sample is a set of customers laid out for fitting: times are looked up, so that logarithms are taken once per day and
// not once per customer, and what depends on the number of repeats alone is added up beforehand.
type sample struct {
	times     []float64 // in weeks; rows refer to them
	rows      []row
	byRepeats []float64 // customers by number of repeats
	customers float64
	repeats   float64
	logGaps   float64
	exposure  float64 // sum of ages, in weeks
}

// row are n customers with x repeats; last and age are places in the sample's times.
type row struct {
	x, last, age int32
	n            float64
}

func newSample(groups []Group) *sample {
	s := &sample{rows: make([]row, 0, len(groups))}
	days, repeats := int32(0), 0
	for _, g := range groups {
		days, repeats = max(days, g.Age, g.Last), max(repeats, g.Repeats)
	}
	s.times = make([]float64, int(days)+1)
	for day := range s.times {
		s.times[day] = weeks(float64(day))
	}
	s.byRepeats = make([]float64, repeats+1)
	for _, g := range groups {
		s.add(row{x: int32(g.Repeats), last: g.Last, age: g.Age, n: float64(g.N)}, g.LogGaps)
	}
	return s
}

func (s *sample) add(r row, logGaps float64) {
	s.rows = append(s.rows, r)
	s.byRepeats[r.x] += r.n
	s.customers += r.n
	s.repeats += r.n * float64(r.x)
	s.exposure += r.n * s.times[r.age]
	s.logGaps += logGaps
}

// fitSample fits one model, or says why a simpler one stands in for it.
func fitSample(kind Kind, s *sample) Fit {
	if s.repeats == 0 {
		finding := FindingNoRepeats
		if s.customers == 0 {
			finding = FindingNoCustomers
		}
		return Fit{Model: &nbd{r: 0, alpha: 1}, Converged: true, Finding: finding}
	}
	plain := fitPlain(s, 1)
	if kind == NBD {
		fit := describe(kind, plain, 0)
		fit.Identified = fit.Converged
		return fit
	}
	var full, without summit
	k := 1
	switch kind {
	case ParetoNBD:
		full, without = fitPareto(s, plain), plain
	case MBGCNBDK:
		full, without, k = fitRegular(s, plain)
	default:
		full, without = fitBetaGeometric(s, plain, shape{k: 1, first: first(kind)}), plain
	}
	if full.value < without.value+akaike {
		fit := describe(NBD, plain, 0)
		fit.LogLikelihood = max(full.value, without.value)
		fit.Iterations += full.iterations
		fit.Finding = join(FindingNoChurn, fit.Finding)
		return fit
	}
	fit := describe(kind, full, k)
	fit.Identified = fit.Converged
	return fit
}

// describe makes a fit of a summit: back from logarithms to parameters, with findings.
func describe(kind Kind, s summit, k int) Fit {
	fit := Fit{LogLikelihood: s.value, Iterations: s.iterations, Gradient: s.gradient, Converged: s.converged()}
	errs, ok := s.stdErrs()
	var value, stdErr [5]float64
	for i := range s.dims {
		value[i] = math.Exp(s.theta[i])
		stdErr[i] = value[i] * errs[i]
	}
	value[most] = float64(k)
	fit.Model = build(kind, value, stdErr)
	switch {
	case !fit.Converged:
		fit.Finding = FindingNotConverged
	case s.atEdge():
		fit.Finding = FindingEdge
	}
	if !ok {
		fit.Finding = join(fit.Finding, FindingSingular)
	}
	return fit
}

func join(a, b string) string {
	if a == "" || b == "" {
		return a + b
	}
	return a + "; " + b
}

func build(kind Kind, v, e [5]float64) Model {
	errs := [most]float64(e[:most])
	switch kind {
	case NBD:
		return &nbd{r: v[0], alpha: v[1], errs: [2]float64{e[0], e[1]}}
	case ParetoNBD:
		return &paretoNBD{r: v[0], alpha: v[1], s: v[2], beta: v[3], errs: errs}
	}
	m := &betaGeometric{kind: kind, shape: shape{k: max(1, int(v[4])), first: first(kind)}, r: v[0], alpha: v[1], a: v[2], b: v[3], errs: errs}
	m.stay = staying(m.a, m.b)
	return m
}
