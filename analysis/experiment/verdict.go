package experiment

import (
	"cmp"
	"slices"
)

// Verdict is what can be said of an audience.
type Verdict string

// The verdicts.
const (
	Broken   Verdict = "broken"    // the split is not as it was dealt: nothing can be trusted
	TooEarly Verdict = "too_early" // to tell
	NoEffect Verdict = "no_effect" // that could be measured, though one of Worth would have been found
	Helps    Verdict = "helps"
	Harms    Verdict = "harms"
)

// Lack is why it is too early to tell.
type Lack string

// What may lack.
const (
	Time     Lack = "time"      // the trial is younger than MinDays
	Numbers  Lack = "people"    // fewer than MinPeople of a side were seen for a whole window
	Buyers   Lack = "buyers"    // too few bought
	Clarity  Lack = "clarity"   // what was seen may be chance, and an effect of Worth may hide in it
	Firmness Lack = "certainty" // the difference hangs on few orders
)

// Arm is one side of a trial, seen for a whole window each.
type Arm struct {
	People  int     `json:"people"`
	Buyers  int     `json:"buyers"`
	Orders  int64   `json:"orders"`
	Revenue float64 `json:"revenue"`
	Margin  float64 `json:"margin"` // of orders whose cost is known
	costed  float64
}

// Result is what a trial says. Numbers of one person are those of one window.
type Result struct {
	Audience string  `json:"audience"`
	Share    float64 `json:"share"`
	Running  bool    `json:"running"`
	Days     int     `json:"days"`        // since it began, or as long as it went on
	Window   int     `json:"window_days"` // that each person is seen
	Split    Split   `json:"split"`
	Got      Arm     `json:"not_held_out"`
	Held     Arm     `json:"held_out"`
	Waiting  int     `json:"waiting"` // people whose window is not over, or was cut short when the trial was
	Revenue  Effect  `json:"revenue"`
	Orders   Effect  `json:"orders"`
	Margin   *Effect `json:"margin,omitempty"` // nil where no cost is known
	Costed   float64 `json:"costed"`           // the part of the revenue whose cost is known
	Verdict  Verdict `json:"verdict"`          // that of the revenue
	Lacks    []Lack  `json:"lacks"`
	Weeks    *int    `json:"weeks,omitempty"` // until enough people are seen to say anything; nil where they are, or that cannot be said

	since, until, asOf int32
	entries            []Entry
	ready              bool
}

// Judge says of every audience what it brings. They are judged together: the more there are, the more one of them has to
// show, so that the confidence is that of all verdicts on one thing, such as revenue, together (Holm 1979).
func Judge(trials []Facts) []Result {
	results := make([]Result, len(trials))
	for i, f := range trials {
		results[i] = Measure(f)
	}
	Decide(results)
	return results
}

// Measure works out what one trial shows by itself. Decide says what that means.
func Measure(f Facts) Result {
	end := f.AsOf
	if f.Until != 0 {
		end = min(end, f.Until)
	}
	if !(f.Share > 0 && f.Share < 1) { // nobody is held out, or everybody
		f.Share = 0
	}
	r := Result{
		Audience: f.Audience, Share: f.Share, Running: f.Until == 0, Days: int(max(0, end-f.Since)), Window: Window, Split: splitOf(f.Entries),
		Verdict: TooEarly, Lacks: []Lack{}, since: f.Since, until: f.Until, asOf: f.AsOf, entries: f.Entries,
	}
	for _, p := range f.People {
		if p.Held {
			r.Held.add(p)
		} else {
			r.Got.add(p)
		}
	}
	r.Waiting = max(0, r.Split.People-r.Got.People-r.Held.People)
	r.lacking(smaller(f.People))
	r.ready = len(r.Lacks) == 0 && !r.Split.Broken
	r.Revenue, r.Orders = effectOf(f.People, revenue, r.ready), effectOf(f.People, orders, r.ready)
	if costed := r.Got.costed + r.Held.costed; costed != 0 {
		m := effectOf(f.People, margin, r.ready)
		r.Margin, r.Costed = &m, min(1, max(0, ratio(costed, r.Got.Revenue+r.Held.Revenue)))
	}
	return r
}

func (a *Arm) add(p People) {
	number := int64(max(0, p.Number))
	a.People += int(number)
	if p.After.Orders > 0 {
		a.Buyers += int(number)
	}
	a.Orders += number * p.After.Orders
	a.Revenue += float64(number) * revenue(p.After)
	a.Margin += float64(number) * margin(p.After)
	a.costed += float64(number) * float64(p.After.Costed) / perUnit
}

// smaller is how many people the smaller side has, of those who can be compared.
func smaller(all []People) int {
	got, held := 0.0, 0.0
	for _, s := range strata(all, orders) {
		got, held = got+s.got.number, held+s.held.number
	}
	return int(min(got, held))
}

// lacking notes what there is too little of to say anything, where the smaller side has so many people.
func (r *Result) lacking(people int) {
	if r.Days < MinDays {
		r.Lacks = append(r.Lacks, Time)
	}
	if people < MinPeople {
		r.Lacks = append(r.Lacks, Numbers)
	}
	if of := r.Got.People + r.Held.People; of > 0 && (r.Got.Buyers+r.Held.Buyers)*people < MinBuyers*of {
		r.Lacks = append(r.Lacks, Buyers)
	}
}

// Decide gives the verdicts of all trials of a shop together, and states ranges at the level at which each was judged.
func Decide(results []Result) {
	for _, of := range []func(*Result) *Effect{
		func(r *Result) *Effect { return &r.Revenue },
		func(r *Result) *Effect { return &r.Orders },
		func(r *Result) *Effect { return r.Margin },
	} {
		judge(results, of)
	}
	for i := range results {
		r := &results[i]
		switch {
		case r.Split.Broken:
			r.Verdict = Broken
		case !r.ready:
			r.Verdict, r.Weeks = TooEarly, r.weeks(r.minimum())
		default:
			if r.Verdict = r.Revenue.Verdict; r.Revenue.Lack != "" {
				r.Lacks = []Lack{r.Revenue.Lack}
			}
		}
	}
}

// judge decides on the effects on one thing by Holm's method: the smallest p-value is held against (1 - Level) / n, the next
// against (1 - Level) / (n - 1) and so on, until one is larger. That one and all after it are judged at the same level.
func judge(results []Result, of func(*Result) *Effect) {
	order := make([]*Result, len(results))
	for i := range results {
		order[i] = &results[i]
	}
	p := func(r *Result) float64 {
		if e := of(r); e != nil {
			return e.P
		}
		return 1
	}
	slices.SortStableFunc(order, func(a, b *Result) int { return cmp.Compare(p(a), p(b)) })
	found, alpha := true, 0.0
	for place, r := range order {
		if found {
			alpha = (1 - Level) / float64(len(order)-place)
			found = p(r) <= alpha
		}
		if e := of(r); e != nil && r.ready {
			e.decide(alpha, found)
			e.Reach.Weeks = r.weeks(e.Reach.People)
		}
	}
}
