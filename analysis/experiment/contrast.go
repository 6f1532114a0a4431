package experiment

import (
	"cmp"
	"slices"
)

// A point is what counts of one person: what they brought, and what they had brought in two times before.
const (
	outcome = iota
	before
	earlier
	values
)

type point struct {
	number float64 // of people alike
	value  [values]float64
}

// side is one of the two sides of a stratum.
type side struct {
	points []point
	number float64
	mean   [values]float64
	cov    [values][values]float64 // of one person, unbiased
}

// stratum is everybody whose lots were dealt by one share. Within it, chance alone decided who was held out.
type stratum struct {
	got, held side
	weight    float64 // its part of everybody
}

// strata divides people by the share of their lots. One in which a side has fewer than two people compares nothing, and
// is left out.
func strata(all []People, of measure) []stratum {
	byShare := map[float64]*stratum{}
	for _, p := range all {
		if p.Number <= 0 {
			continue
		}
		s := byShare[p.Share]
		if s == nil {
			s = &stratum{}
			byShare[p.Share] = s
		}
		to := &s.got
		if p.Held {
			to = &s.held
		}
		to.points = append(to.points, point{number: float64(p.Number), value: [values]float64{of(p.After), of(p.Before), of(p.Earlier)}})
		to.number += float64(p.Number)
	}
	shares := make([]float64, 0, len(byShare))
	everybody := 0.0
	for share, s := range byShare {
		if s.got.number >= 2 && s.held.number >= 2 {
			shares = append(shares, share)
			everybody += s.got.number + s.held.number
		}
	}
	slices.Sort(shares)
	out := make([]stratum, len(shares))
	for i, share := range shares {
		s := byShare[share]
		s.got.sum()
		s.held.sum()
		s.weight = (s.got.number + s.held.number) / everybody
		out[i] = *s
	}
	return out
}

// sum works out mean and covariance. The points are put in order first, so that theirs makes no difference.
func (s *side) sum() {
	slices.SortFunc(s.points, func(a, b point) int {
		return cmp.Or(slices.Compare(a.value[:], b.value[:]), cmp.Compare(a.number, b.number))
	})
	for _, p := range s.points {
		for i, v := range p.value {
			s.mean[i] += p.number * v / s.number
		}
	}
	for _, p := range s.points {
		for i := range values {
			for j := range values {
				s.cov[i][j] += p.number * (p.value[i] - s.mean[i]) * (p.value[j] - s.mean[j]) / (s.number - 1)
			}
		}
	}
}

// difference is that of the means of the two sides.
func difference(all []stratum) (d [values]float64) {
	for _, s := range all {
		for i := range values {
			d[i] += s.weight * (s.got.mean[i] - s.held.mean[i])
		}
	}
	return d
}

// coefficients are those of the times before that take most of the noise off the outcome: cov(Y, X) / var(X) of Deng, Xu, Kohavi
// and Walker (2013), over both sides of all strata together, each about its own means. That is the slope of the regression on
// sides and times before. A time that says nothing beside the other has the coefficient 0.
func coefficients(all []stratum) (theta [values]float64) {
	var cov [values][values]float64
	for _, s := range all {
		for _, of := range []side{s.got, s.held} {
			for i := range values {
				for j := range values {
					cov[i][j] += (of.number - 1) * of.cov[i][j]
				}
			}
		}
	}
	one := ratio(cov[outcome][before], cov[before][before])
	slope := ratio(cov[earlier][before], cov[before][before])
	const same = 1e-9 // so little of its variance is left where the second time repeats the first
	if rest := cov[earlier][earlier] - slope*cov[earlier][before]; rest > same*cov[earlier][earlier] {
		theta[earlier] = (cov[outcome][earlier] - slope*cov[outcome][before]) / rest
	}
	theta[before] = one - slope*theta[earlier]
	return theta
}

// ratio is nothing of nothing where there is nothing to divide by.
func ratio(a, b float64) float64 {
	if b <= 0 {
		return 0
	}
	return a / b
}

// variance is that of one person's outcome less theta times what they brought before.
func (s side) variance(theta [values]float64) float64 {
	v := theta
	v[outcome] = -1
	sum := 0.0
	for i := range values {
		for j := range values {
			sum += v[i] * v[j] * s.cov[i][j]
		}
	}
	return max(0, sum)
}
