package experiment

import "math"

// tuned is for how many people intervals that hold whenever one looks are narrowest. They are hardly wider for a quarter or
// the tenfold of it. It is fixed beforehand: chosen by what is seen, it would void the promise.
const tuned = 2000

// mixture is the variance of the normal mixture that makes it so: (-2 ln a + ln(1 - 2 ln a)) / tuned, a = 1 - Level
// (Waudby-Smith, Arbour, Sinha, Kennedy and Ramdas 2024).
func mixture() float64 {
	twice := -2 * math.Log(1-Level)
	return (twice + math.Log1p(twice)) / tuned
}

// boundary is how many standard errors around an estimate from so many people hold the truth at all times together, but for
// the probability alpha: the asymptotic confidence sequence of Waudby-Smith and others (2024), theorem 2.2.
func boundary(people, alpha float64) float64 {
	m := people * mixture()
	return math.Sqrt(2 * (m + 1) / m * (math.Log1p(m)/2 - math.Log(alpha)))
}

// evidence is the least alpha for which the boundary is not beyond z: a p-value that holds whenever one looks.
func evidence(z, people float64) float64 {
	m := people * mixture()
	return min(1, math.Exp(math.Log1p(m)/2-z*z*m/(2*(m+1))))
}

// Range holds the truth with probability Level at all times together, so that looking every day fools nobody.
type Range struct {
	Low   float64 `json:"low"`
	High  float64 `json:"high"`
	Level float64 `json:"level"` // higher than Level where several audiences are judged at once
}
