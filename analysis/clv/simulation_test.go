package clv

import (
	"math"
	"math/rand/v2"

	"gonum.org/v1/gonum/stat/distuv"
)

// simulation invents customers as a model says; for the Pareto/NBD a and b are its s and beta.
type simulation struct {
	kind           Kind
	r, alpha, a, b float64
	k              int
}

// life is one customer: the moments of purchases in weeks from the first, and the age.
type life struct {
	at  []float64
	age float64
}

func (m simulation) customer(rng *rand.Rand, age int32) life {
	l := life{age: float64(age) / 7}
	rate := distuv.Gamma{Alpha: m.r, Beta: m.alpha, Src: rng}.Rand()
	end := math.Inf(1)
	var stop float64
	switch m.kind {
	case NBD:
	case ParetoNBD:
		end = distuv.Exponential{Rate: distuv.Gamma{Alpha: m.a, Beta: m.b, Src: rng}.Rand(), Src: rng}.Rand()
	default:
		stop = distuv.Beta{Alpha: m.a, Beta: m.b, Src: rng}.Rand()
	}
	if first(m.kind) == 1 && rng.Float64() < stop {
		return l
	}
	for at := 0.0; ; {
		for range max(1, m.k) {
			at += rng.ExpFloat64() / rate
		}
		if at > min(end, l.age) {
			return l
		}
		l.at = append(l.at, at)
		if rng.Float64() < stop {
			return l
		}
	}
}

// days are the stats as a shop keeps them: whole days, purchases on one day being one.
func (l life) days() Stats {
	s := Stats{Age: int32(math.Round(l.age * 7))}
	for _, at := range l.at {
		if day := min(int32(math.Ceil(at*7)), s.Age); day > s.Last {
			s.LogGaps += math.Log(float64(day-s.Last) / 7)
			s.Repeats++
			s.Last = day
		}
	}
	return s
}

// exact are the customers as they are, between the days.
func exact(lives []life) *sample {
	s := &sample{byRepeats: make([]float64, 1)}
	for _, l := range lives {
		last, gaps := 0.0, 0.0
		for _, at := range l.at {
			gaps += math.Log(at - last)
			last = at
		}
		for len(s.byRepeats) <= len(l.at) {
			s.byRepeats = append(s.byRepeats, 0)
		}
		s.times = append(s.times, last, l.age)
		at := int32(len(s.times) - 2)
		if last == l.age {
			at++
		}
		s.add(row{x: int32(len(l.at)), last: at, age: int32(len(s.times) - 1), n: 1}, gaps)
	}
	return s
}
