package retention

import (
	"cmp"
	"fmt"
	"slices"
)

// Newcomers counts customers by something that their first order has: its campaign, coupon, a product, a category. A
// customer may be counted under several keys (an order of three products) and then stands in each.
//
// SQL: join the first orders with what they have, GROUP BY key; observed is first_day + N < as_of (N whole days have
// passed since the first day), returned is second_day - first_day <= N: count(*) FILTER (WHERE observed), count(*)
// FILTER (WHERE observed AND returned), count(*) FILTER (WHERE NOT observed).
type Newcomers struct {
	Key      string `json:"key"`      // what they began with; empty for everybody together
	Observed int    `json:"observed"` // whose first N days are over
	Returned int    `json:"returned"` // of those, who placed a second order within N days
	Young    int    `json:"young"`    // who became customers too lately to tell, and are left out
}

// Stickiness is how many newcomers stay, for one key.
type Stickiness struct {
	Newcomers
	Share         // Returned / Observed, with its interval
	Lift  float64 `json:"lift"` // Rate / rate of everybody; 0 where nobody returned at all
	// P is the two-sided p-value of the share being that of all others (pooled test of two shares), Q the same corrected
	// for looking at many keys (Benjamini & Hochberg 1995).
	P       float64 `json:"p"`
	Q       float64 `json:"q"`
	Verdict Verdict `json:"verdict"`
}

// Verdict says how a key compares with all other newcomers.
type Verdict string

// The verdicts. Better and Worse are told at Q of at most 5 %.
const (
	Better Verdict = "better"
	Worse  Verdict = "worse"
	Alike  Verdict = "no clear difference"
)

// falseDiscoveries is the part of the told differences that may be by chance.
const falseDiscoveries = 0.05

// Stick is the answer for all keys of one kind.
type Stick struct {
	All   Stickiness
	Keys  []Stickiness // most newcomers first, then by key
	Small int          // keys with fewer observed newcomers than the minimum, left out
}

// Stay compares keys with everybody. Keys with fewer than minimum observed newcomers are counted and left out: their rates
// are noise, and testing them would cost the others.
func Stay(all Newcomers, keys []Newcomers, minimum int) (Stick, error) {
	if err := all.check(all); err != nil {
		return Stick{}, err
	}
	out := Stick{All: Stickiness{Newcomers: all, Share: NewShare(all.Returned, all.Observed), Lift: 1, P: 1, Q: 1, Verdict: Alike}}
	for _, k := range keys {
		if err := k.check(all); err != nil {
			return Stick{}, err
		}
		if k.Observed < max(1, minimum) {
			out.Small++
			continue
		}
		s := Stickiness{Newcomers: k, Share: NewShare(k.Returned, k.Observed)}
		if out.All.Rate > 0 {
			s.Lift = s.Rate / out.All.Rate
		}
		s.P = apart(s.Share, NewShare(all.Returned-k.Returned, all.Observed-k.Observed))
		out.Keys = append(out.Keys, s)
	}
	judge(out.Keys)
	slices.SortFunc(out.Keys, func(a, b Stickiness) int {
		return cmp.Or(cmp.Compare(b.Observed, a.Observed), cmp.Compare(a.Key, b.Key))
	})
	return out, nil
}

func (n Newcomers) check(all Newcomers) error {
	if n.Returned < 0 || n.Young < 0 || n.Returned > n.Observed ||
		n.Observed > all.Observed || n.Returned > all.Returned || n.Observed-n.Returned > all.Observed-all.Returned {
		return fmt.Errorf("newcomers of %q: %d of %d returned, of everybody %d of %d", n.Key, n.Returned, n.Observed, all.Returned, all.Observed)
	}
	return nil
}

// judge corrects the p-values for their number and says what stands out.
func judge(keys []Stickiness) {
	slices.SortFunc(keys, func(a, b Stickiness) int { return cmp.Compare(a.P, b.P) })
	least := 1.0
	for i, k := range slices.Backward(keys) {
		least = min(least, k.P*float64(len(keys))/float64(i+1))
		keys[i].Q = least
		keys[i].Verdict = Alike
		if least <= falseDiscoveries && k.Lift != 1 {
			keys[i].Verdict = Worse
			if k.Lift > 1 {
				keys[i].Verdict = Better
			}
		}
	}
}
