package experiment

import (
	"math"

	"gonum.org/v1/gonum/stat/distuv"
)

// Estimate is what somebody who is not held out brings more than somebody who is, with the 95 % interval of who looks once.
type Estimate struct {
	Difference float64 `json:"difference"` // per person
	Error      float64 `json:"standard_error"`
	Freedom    float64 `json:"degrees_of_freedom"`
	Low        float64 `json:"low"`
	High       float64 `json:"high"`
}

// estimate compares the sides after theta times what people brought before is taken off: by Welch (1947), with the degrees of
// freedom of Welch and Satterthwaite over both sides of all strata. Theta of zero is the plain difference.
func estimate(all []stratum, theta [values]float64) Estimate {
	d := difference(all)
	e := Estimate{Difference: d[outcome] - theta[before]*d[before] - theta[earlier]*d[earlier]}
	variance, spread := 0.0, 0.0
	for _, s := range all {
		for _, of := range []side{s.got, s.held} {
			part := s.weight * s.weight * of.variance(theta) / of.number
			variance += part
			spread += part * part / (of.number - 1)
		}
	}
	if variance <= 0 || spread <= 0 {
		e.Low, e.High = e.Difference, e.Difference
		return e
	}
	e.Error, e.Freedom = math.Sqrt(variance), variance*variance/spread
	half := student((1-Level)/2, e.Freedom) * e.Error
	e.Low, e.High = e.Difference-half, e.Difference+half
	return e
}

// pooled is the standard error where both sides are taken to spread alike. Of orders with a long tail, a small side that happens
// to have none of the large ones looks poor and sure of it at once; this error does not shrink with it.
func pooled(all []stratum, theta [values]float64) float64 {
	variance := 0.0
	for _, s := range all {
		freedom := s.got.number + s.held.number - 2
		one := ((s.got.number-1)*s.got.variance(theta) + (s.held.number-1)*s.held.variance(theta)) / freedom
		variance += s.weight * s.weight * one * (1/s.got.number + 1/s.held.number)
	}
	return math.Sqrt(variance)
}

// student is the deviate beyond which a part of Student's distribution lies.
func student(tail, freedom float64) float64 {
	return -distuv.StudentsT{Sigma: 1, Nu: freedom}.Quantile(tail)
}
