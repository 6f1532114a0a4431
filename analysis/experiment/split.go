package experiment

import (
	"math"

	"gonum.org/v1/gonum/stat/distuv"
)

// Split says whether as many people are held out as the shares foresee: it catches what goes wrong in the machinery.
type Split struct {
	People   int     `json:"people"`
	Held     int     `json:"held_out"`
	Expected float64 `json:"expected"` // to be held out
	P        float64 `json:"p"`        // of as large a deviation by chance
	Broken   bool    `json:"broken"`
}

// broken is how improbable a split must be to be called broken. With a comparison every day it is to be very improbable.
const broken = 0.0005

// splitOf is the chi-square test of one degree of freedom, for shares that may have changed: the square of (held - sum of
// shares) over the sum of share (1 - share).
func splitOf(all []Entry) Split {
	s := Split{P: 1}
	variance := 0.0
	for _, e := range all {
		number := e.Got + e.Held
		if number <= 0 {
			continue
		}
		share := min(1, max(0, e.Share))
		s.People += number
		s.Held += e.Held
		s.Expected += share * float64(number)
		variance += share * (1 - share) * float64(number)
	}
	const least = 5 // people expected on the smaller side: below it the test says nothing
	if variance < least {
		return s
	}
	off := math.Abs(float64(s.Held) - s.Expected)
	s.P = distuv.ChiSquared{K: 1}.Survival(off * off / variance)
	s.Broken = s.P < broken
	return s
}
