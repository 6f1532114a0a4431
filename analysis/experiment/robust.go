package experiment

import (
	"cmp"
	"math"
	"math/rand/v2"
	"slices"
)

// kept is the part of those who bought whose outcomes are taken as they are where outliers are cut; the rest counts as if it
// had brought no more, or no less, than the last of these.
const kept = 0.99

// Cut is the estimate with outliers cut (winsorised). It is not what the audience brings, for large orders are money too; it
// shows whether the finding hangs on a few of them.
type Cut struct {
	Estimate
	From float64 `json:"from"` // the least outcome of one person that is not cut
	To   float64 `json:"to"`   // the largest
}

// cut limits outcomes to the quantiles of those that are not zero.
func cut(all []stratum) Cut {
	var points []point
	for _, s := range all {
		for _, of := range []side{s.got, s.held} {
			for _, p := range of.points {
				if p.value[outcome] != 0 {
					points = append(points, p)
				}
			}
		}
	}
	slices.SortFunc(points, func(a, b point) int { return cmp.Compare(a.value[outcome], b.value[outcome]) })
	var c Cut
	if len(points) > 0 {
		c.From, c.To = min(0, quantile(points, 1-kept)), max(0, quantile(points, kept))
	}
	limited := make([]stratum, len(all))
	for i, s := range all {
		limited[i] = stratum{got: s.got.limited(c), held: s.held.limited(c), weight: s.weight}
	}
	c.Estimate = estimate(limited, coefficients(limited))
	return c
}

// quantile is the least value up to which a part of the people, in order of their values, lies.
func quantile(points []point, part float64) float64 {
	number, so := 0.0, 0.0
	for _, p := range points {
		number += p.number
	}
	for _, p := range points {
		if so += p.number; so >= part*number {
			return p.value[outcome]
		}
	}
	return points[len(points)-1].value[outcome]
}

func (s side) limited(c Cut) side {
	out := side{points: slices.Clone(s.points), number: s.number}
	for i := range out.points {
		out.points[i].value[outcome] = min(c.To, max(c.From, out.points[i].value[outcome]))
	}
	out.sum()
	return out
}

// How often lots are dealt anew: often enough for a finding to be confirmed, and less often for very many people, of whom the
// mean is normal anyway.
const (
	deals     = 4_999
	fewest    = 999
	mostDealt = 100_000_000 // people in all deals together
)

// reshuffle deals the lots anew, again and again, as if the audience made no difference to anybody, and returns the two-sided
// p-value of the difference seen, in its standard errors, and the least it could have been (Fisher 1935; in standard errors
// after Janssen 1997, so that it holds for means where the sides spread differently). It needs no bell curve: amounts of orders
// with a long tail, of which the few who are held out have one by chance or none, are no trouble to it.
func reshuffle(all []stratum, theta [values]float64) (p, least float64) {
	decks := make([]deck, len(all))
	held := 0.0
	for i, s := range all {
		decks[i] = newDeck(s, theta)
		held += float64(decks[i].small)
	}
	times := int(min(deals, max(fewest, mostDealt/max(1, held))))
	seen := inErrors(decks)
	random := rand.New(rand.NewPCG(1, 2)) //nolint:gosec // the same answer every time
	above, below := 0, 0
	for range times {
		for i := range decks {
			decks[i].deal(random)
		}
		t := inErrors(decks)
		if t >= seen {
			above++
		}
		if t <= seen {
			below++
		}
	}
	of := float64(times + 1)
	return min(1, 2*float64(1+min(above, below))/of), 2 / of
}

// deck is the people of a stratum, those of the smaller side first.
type deck struct {
	value        []float64
	small        int
	sign, weight float64 // sign is 1 where the smaller side is the one that is not held out
	sum, squares float64 // of all
}

func newDeck(s stratum, theta [values]float64) deck {
	d := deck{sign: 1, weight: s.weight}
	first, second := s.got, s.held
	if second.number < first.number {
		first, second, d.sign = second, first, -1
	}
	d.small = int(first.number)
	d.value = make([]float64, 0, int(first.number+second.number))
	for _, of := range []side{first, second} {
		for _, p := range of.points {
			v := p.value[outcome] - theta[before]*p.value[before] - theta[earlier]*p.value[earlier]
			for range int(p.number) {
				d.value = append(d.value, v)
			}
		}
	}
	for _, v := range d.value {
		d.sum += v / float64(len(d.value))
	}
	for i := range d.value { // squares of large numbers would swallow small ones
		d.value[i] -= d.sum
	}
	d.sum = 0
	for _, v := range d.value {
		d.sum += v
		d.squares += v * v
	}
	return d
}

// deal brings other people to the front, every choice being as likely as any other.
func (d deck) deal(random *rand.Rand) {
	for i := range d.small {
		j := i + random.IntN(len(d.value)-i)
		d.value[i], d.value[j] = d.value[j], d.value[i]
	}
}

// inErrors is the difference between the sides in its standard errors.
func inErrors(decks []deck) float64 {
	difference, variance := 0.0, 0.0
	for _, d := range decks {
		sum, squares := 0.0, 0.0
		for _, v := range d.value[:d.small] {
			sum += v
			squares += v * v
		}
		n, m := float64(d.small), float64(len(d.value)-d.small)
		difference += d.weight * d.sign * (sum/n - (d.sum-sum)/m)
		variance += d.weight * d.weight * (spread(sum, squares, n) + spread(d.sum-sum, d.squares-squares, m))
	}
	if variance <= 0 {
		return math.Inf(int(math.Copysign(1, difference)))
	}
	return difference / math.Sqrt(variance)
}

// spread is the variance of a mean.
func spread(sum, squares, n float64) float64 { return max(0, squares-sum*sum/n) / (n - 1) / n }
