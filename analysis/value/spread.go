package value

import (
	"math"
	"slices"

	"github.com/shopspring/decimal"
)

// Spread is how an amount is spread over customers.
type Spread struct {
	Customers int             `json:"customers"`
	Total     decimal.Decimal `json:"total"`
	Mean      decimal.Decimal `json:"mean"`
	Quantiles []Quantile      `json:"quantiles"`
	Bins      []Bin           `json:"bins"`
	Tenths    []Tenth         `json:"tenths"` // of the customers, who has most first
	// Gini is 0 where all have the same, and close to 1 where few have everything; nil where nobody has anything.
	Gini *float64 `json:"gini"`
}

// Quantile is the amount that a part of the customers does not exceed.
type Quantile struct {
	Part   float64         `json:"part"`
	Amount decimal.Decimal `json:"amount"`
}

// Bin counts the customers whose amount is at least From and below To; nil is no limit.
type Bin struct {
	From      *decimal.Decimal `json:"from"`
	To        *decimal.Decimal `json:"to"`
	Customers int              `json:"customers"`
	Total     decimal.Decimal  `json:"total"`
}

// Tenth is a tenth of the customers. Whoever has less than nothing counts as nothing in shares, so that they sum up to 1.
type Tenth struct {
	Customers int             `json:"customers"`
	Total     decimal.Decimal `json:"total"`
	Mean      decimal.Decimal `json:"mean"`
	Share     float64         `json:"share"`      // of everything; 0 where that is nothing
	Together  float64         `json:"cumulative"` // with the tenths before
}

// The parts of a spread; this project's own choices.
const (
	tenths   = 10
	fineness = 15   // bins up to the widest part
	most     = 0.95 // of the customers are told apart by bins; the others are in the last one
)

func parts() []float64 { return []float64{0.1, 0.25, 0.5, 0.75, 0.9, 0.95, 0.99} }

// spread is that of amounts in any order, which it sorts.
func spread(amounts []int64) Spread {
	slices.Sort(amounts)
	s := Spread{Customers: len(amounts), Quantiles: []Quantile{}, Bins: []Bin{}, Tenths: []Tenth{}}
	if len(amounts) == 0 {
		return s
	}
	total := sum(amounts)
	s.Total, s.Mean = amount(total), mean(total, len(amounts))
	for _, part := range parts() {
		s.Quantiles = append(s.Quantiles, Quantile{part, amount(quantile(amounts, part))})
	}
	s.Bins, s.Tenths, s.Gini = bins(amounts), cut(amounts), gini(amounts)
	return s
}

func sum(amounts []int64) (total int64) {
	for _, a := range amounts {
		total += a
	}
	return total
}

// quantile of sorted amounts, linearly interpolated (type 7 of Hyndman and Fan 1996).
func quantile(sorted []int64, part float64) int64 {
	place := part * float64(len(sorted)-1)
	at := min(int(place), len(sorted)-1)
	if at+1 == len(sorted) {
		return sorted[at]
	}
	return sorted[at] + int64(math.Round((place-float64(at))*float64(sorted[at+1]-sorted[at])))
}

// bins count sorted amounts between round limits; the first is of those below nothing, where there are any.
func bins(sorted []int64) []Bin {
	width := roundUp(float64(quantile(sorted, most)) / fineness)
	limits := []int64{0}
	for limits[len(limits)-1] <= quantile(sorted, most) {
		limits = append(limits, limits[len(limits)-1]+width)
	}
	var all []Bin
	at := 0
	until := func(b Bin, limit int64) {
		start := at
		for at < len(sorted) && sorted[at] < limit {
			at++
		}
		b.Customers, b.Total = at-start, amount(sum(sorted[start:at]))
		all = append(all, b)
	}
	if sorted[0] < 0 {
		until(Bin{To: limit(0)}, 0)
	}
	for i, from := range limits[:len(limits)-1] {
		until(Bin{From: limit(from), To: limit(limits[i+1])}, limits[i+1])
	}
	last := limits[len(limits)-1]
	if at < len(sorted) {
		until(Bin{From: limit(last)}, math.MaxInt64)
	}
	return all
}

func limit(ten int64) *decimal.Decimal {
	d := amount(ten)
	return &d
}

// roundUp is the next of 1, 2, 5, 10, 20 ... hundredths of the currency.
func roundUp(width float64) int64 {
	for power := int64(perUnit / 100); ; power *= 10 {
		for _, step := range []int64{1, 2, 5} {
			if float64(step*power) >= width {
				return step * power
			}
		}
	}
}

// cut makes tenths of sorted amounts, which differ by one customer at most; fewer than ten customers make fewer.
func cut(sorted []int64) []Tenth {
	n, whole := len(sorted), 0.0
	for _, a := range sorted {
		whole += float64(max(0, a))
	}
	var all []Tenth
	together := 0.0
	for part := range min(tenths, n) {
		from, to := part*n/min(tenths, n), (part+1)*n/min(tenths, n)
		own := sorted[n-to : n-from]
		t := Tenth{Customers: len(own), Total: amount(sum(own)), Mean: mean(sum(own), len(own))}
		for _, a := range own {
			t.Share += float64(max(0, a))
		}
		if whole > 0 {
			t.Share /= whole
		}
		together += t.Share
		t.Together = min(1, together)
		all = append(all, t)
	}
	return all
}

// gini is 2 sum(i x_i) / (n sum(x)) - (n + 1)/n over sorted amounts, what is below nothing taken as nothing.
func gini(sorted []int64) *float64 {
	var weighted, whole float64
	for i, a := range sorted {
		x := float64(max(0, a))
		weighted, whole = weighted+float64(i+1)*x, whole+x
	}
	if whole <= 0 {
		return nil
	}
	n := float64(len(sorted))
	g := max(0, 2*weighted/(n*whole)-(n+1)/n)
	return &g
}

// Amounts here are ten-thousandths, which become decimals with as many places.
const (
	places  = 4
	perUnit = 10_000
)

func amount(ten int64) decimal.Decimal { return decimal.New(ten, -places) }

func mean(total int64, of int) decimal.Decimal {
	if of == 0 {
		return decimal.Zero
	}
	return amount(total).DivRound(decimal.NewFromInt(int64(of)), places)
}
