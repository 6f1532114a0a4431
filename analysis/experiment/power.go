package experiment

import (
	"cmp"
	"math"
	"slices"

	"gonum.org/v1/gonum/stat/distuv"
)

// Reach is how small an effect a trial can find, and what it takes to find one of Worth.
type Reach struct {
	// Smallest is the least difference per person that is found, with chance Power, among the people seen so far; nil where
	// that cannot be said.
	Smallest *float64 `json:"smallest"`
	Share    *float64 `json:"smallest_share"` // the same as a share of what people bring who are held out
	People   int      `json:"people"`         // that it takes to find an effect of Worth; 0 where that cannot be said
	// Weeks is how long it takes until so many are seen, or until there are enough people to say anything, if people go on
	// coming in as they do; nil where that cannot be said.
	Weeks *int `json:"weeks"`
}

// beyond is from how many people on the need is as good as endless.
const beyond = 1e9

// reach works out what a trial can find at a level.
func (e Effect) reach(alpha float64) Reach {
	var out Reach
	if e.Cautious <= 0 {
		return out
	}
	base := e.Held
	if base <= 0 {
		base = e.Got
	}
	chance := distuv.UnitNormal.Quantile(Power)
	found := func(people float64) float64 {
		return (boundary(people, alpha) + chance) * e.Cautious * math.Sqrt(e.people/people)
	}
	smallest := found(e.people)
	out.Smallest = &smallest
	if base <= 0 {
		return out
	}
	share := smallest / base
	out.Share = &share
	low, high := e.people, e.people
	for found(high) > Worth*base && high < beyond {
		low, high = high, 2*high
	}
	if high >= beyond {
		return out
	}
	for range 60 { // halves away more than a float64 holds
		if middle := (low + high) / 2; found(middle) > Worth*base {
			low = middle
		} else {
			high = middle
		}
	}
	out.People = int(math.Ceil(high))
	return out
}

// minimum is how many people have to be seen before anything can be said; 0 where that cannot be said.
func (r Result) minimum() int {
	least := min(r.Share, 1-r.Share)
	if least <= 0 {
		return 0
	}
	need := MinPeople / least
	if seen := r.Got.People + r.Held.People; seen > 0 {
		if buyers := r.Got.Buyers + r.Held.Buyers; buyers > 0 {
			need = max(need, MinBuyers/least*float64(seen)/float64(buyers))
		}
	}
	return int(math.Ceil(min(need, beyond)))
}

// weeks is in how many weeks so many people have been seen for a whole window, if as many come in as did in the last weeks;
// nil where that is not known.
func (r Result) weeks(people int) *int {
	if r.until != 0 || people <= 0 {
		return nil
	}
	entries := slices.SortedFunc(slices.Values(r.entries), func(a, b Entry) int { return cmp.Compare(a.Day, b.Day) })
	so := 0
	for _, e := range entries {
		if so += e.Got + e.Held; so >= people {
			return inWeeks(e.Day + Window - r.asOf)
		}
	}
	rate := r.rate()
	if rate <= 0 {
		return nil
	}
	days := math.Ceil(float64(people-so)/rate) + Window
	if days > math.MaxInt32 {
		return nil
	}
	return inWeeks(int32(days))
}

// rate is how many people a day came in lately, without those of the first day, who had gathered before.
func (r Result) rate() float64 {
	const lately, least = 56, 7 // days
	from := max(r.since+1, r.asOf-lately)
	if r.asOf-from < least {
		return 0
	}
	people := 0
	for _, e := range r.entries {
		if e.Day >= from {
			people += e.Got + e.Held
		}
	}
	return float64(people) / float64(r.asOf-from)
}

func inWeeks(days int32) *int {
	weeks := int(max(0, days)+6) / 7
	return &weeks
}
