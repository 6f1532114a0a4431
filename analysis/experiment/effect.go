package experiment

import (
	"cmp"
	"math"

	"gonum.org/v1/gonum/stat/distuv"
)

// Effect is what the audience brings of one thing: orders, revenue or margin, per person in it and in total.
type Effect struct {
	Got      float64  `json:"mean_not_held_out"`
	Held     float64  `json:"mean_held_out"`
	Plain    Estimate `json:"plain"`            // the difference of the means
	Adjusted Estimate `json:"adjusted"`         // the same with less noise, by what people had brought before
	Removed  float64  `json:"variance_removed"` // by that, as a share
	Cautious float64  `json:"cautious_error"`   // of Adjusted, by which ranges and verdicts go
	Cut      Cut      `json:"outliers_cut"`
	Total    float64  `json:"total"` // of all who were not held out
	Range    *Range   `json:"range,omitempty"`
	Totals   *Range   `json:"total_range,omitempty"` // both ranges are nil while nothing can be said
	P        float64  `json:"p"`                     // holds whenever one looks; not corrected for other audiences
	// Reshuffled is the p-value by dealing the lots anew, of who looks once; nil where there is no finding to confirm.
	Reshuffled *float64 `json:"reshuffled,omitempty"`
	Reach      Reach    `json:"reach"`
	Verdict    Verdict  `json:"verdict"`
	Lack       Lack     `json:"lack,omitempty"` // why it is too early to tell, where nothing else is lacking

	people float64 // compared
	got    float64 // who were not held out
	least  float64 // value that Reshuffled could have had
}

// effectOf works out what is known of an effect before verdicts; ready says that there is enough to give one.
func effectOf(all []People, of measure, ready bool) Effect {
	e := Effect{P: 1, Verdict: TooEarly}
	e.Got, e.Held, e.got = means(all, of)
	from := strata(all, of)
	for _, s := range from {
		e.people += s.got.number + s.held.number
	}
	theta := coefficients(from)
	e.Plain, e.Adjusted = estimate(from, [values]float64{}), estimate(from, theta)
	e.Total = e.Adjusted.Difference * e.got
	if plain := e.Plain.Error; plain > 0 {
		e.Removed = max(0, 1-e.Adjusted.Error*e.Adjusted.Error/(plain*plain))
	}
	e.Cautious, e.Cut = max(e.Adjusted.Error, pooled(from, theta)), cut(from)
	if ready {
		e.P = evidence(e.z(), e.people)
	}
	if e.P <= 1-Level {
		p, least := reshuffle(from, theta)
		e.Reshuffled, e.least = &p, least
	}
	return e
}

// means are those of the two sides, whatever the share of the lots was, and how many were not held out.
func means(all []People, of measure) (got, held, people float64) {
	heldPeople := 0.0
	for _, p := range all {
		number := float64(max(0, p.Number))
		if p.Held {
			held, heldPeople = held+number*of(p.After), heldPeople+number
		} else {
			got, people = got+number*of(p.After), people+number
		}
	}
	return ratio(got, people), ratio(held, heldPeople), people
}

// z is the adjusted difference in cautious errors, as a normal deviate of the same probability.
func (e Effect) z() float64 {
	if e.Cautious <= 0 {
		return 0
	}
	const most = 37 // beyond it probabilities are too small to be told from 0
	t := e.Adjusted.Difference / e.Cautious
	tail := distuv.StudentsT{Sigma: 1, Nu: e.Adjusted.Freedom}.CDF(-math.Abs(t))
	if tail <= 0 {
		return math.Copysign(most, t)
	}
	return math.Copysign(min(most, -distuv.UnitNormal.Quantile(tail)), t)
}

// anytime is the range of the adjusted difference that holds whenever one looks.
func (e Effect) anytime(alpha float64) Range {
	half := e.Cautious * student(distuv.UnitNormal.Survival(boundary(e.people, alpha)), e.Adjusted.Freedom)
	return Range{Low: e.Adjusted.Difference - half, High: e.Adjusted.Difference + half, Level: 1 - alpha}
}

// decide gives the verdict at a level; found says whether the difference is a finding at it.
func (e *Effect) decide(alpha float64, found bool) {
	e.Lack = ""
	if e.Cautious > 0 {
		r := e.anytime(alpha)
		e.Range, e.Totals = &r, &Range{Low: r.Low * e.got, High: r.High * e.got, Level: r.Level}
	}
	e.Reach = e.reach(alpha)
	switch {
	case found && !e.firm(alpha):
		e.Verdict, e.Lack = TooEarly, Firmness
	case found && e.Adjusted.Difference > 0:
		e.Verdict = Helps
	case found:
		e.Verdict = Harms
	case e.Reach.Share != nil && *e.Reach.Share <= Worth:
		e.Verdict = NoEffect
	default:
		e.Verdict, e.Lack = TooEarly, Clarity
	}
}

// firm says whether a finding stands without the bell curve: dealing the lots anew hardly ever gives as large a difference, as
// seldom as the boundary asks, and with outliers cut the difference has the same sign.
func (e Effect) firm(alpha float64) bool {
	asked := 2 * distuv.UnitNormal.Survival(boundary(e.people, alpha))
	const handful = 5 // of deals: fewer are too few to measure a chance by
	if e.Reshuffled == nil || *e.Reshuffled > max(asked, handful*e.least) {
		return false
	}
	return cmp.Compare(e.Cut.Difference, 0) == cmp.Compare(e.Adjusted.Difference, 0)
}
