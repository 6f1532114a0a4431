package report

import (
	"fmt"
	"time"

	"github.com/shopspring/decimal"

	"github.com/perennial-cvo/perennial/analysis"
	"github.com/perennial-cvo/perennial/analysis/rfm"
	"github.com/perennial-cvo/perennial/analysis/segment"
)

// ScoreLine is one of a person's three values in words.
type ScoreLine struct{ Name, Value, Score, Covers string }

// Stand is where a person stands in one set of segments, and why, in words.
type Stand struct {
	Title, Name     string // of the set, and of the segment
	Since           string // the day since when they are in it; empty where that is not known
	Meaning, Action string
	Lines           [][2]string // figures behind it, each with its name
	Notes           []string
}

// Day is the local day of the last analysis; empty before the first.
func (e Explanation) Day() string {
	if e.AsOf.IsZero() {
		return ""
	}
	return day(analysis.Day(e.AsOf, e.location()))
}

// Scores are the three values with the score each gives and what that score covers; none for somebody without scores.
func (e Explanation) Scores() []ScoreLine {
	person := e.Person
	if e.AsOf.IsZero() || person.R == 0 {
		return nil
	}
	basis, bins := analysis.Net, rfm.MaxBins
	if e.Rule != nil {
		basis, bins = e.Rule.Basis, e.Rule.Used
	}
	amount := person.Net
	if basis == analysis.Gross {
		amount = person.Gross
	}
	recency := analysis.Day(e.AsOf, e.location()) - analysis.Day(person.LastDay, time.UTC)
	t := e.Thresholds
	if t == nil {
		t = &analysis.Thresholds{}
	}
	return []ScoreLine{
		{"Recency", Of(recency, "day", "days"), score(person.R, bins), covers(t.Recency, person.R, wholeNumber)},
		{"Frequency", Of(person.Counted, "order", "orders"), score(person.F, bins), covers(t.Frequency, person.F, wholeNumber)},
		{"Monetary, " + string(basis), Money(amount, e.Currency), score(person.M, bins), covers(t.Monetary, person.M, e.tenThousandths)},
	}
}

// Unscored says why somebody has no scores.
func (e Explanation) Unscored() string {
	switch {
	case e.AsOf.IsZero():
		return "Nothing was analysed yet."
	case e.Person.Counted == 0:
		return "None: no order of this person counts as a purchase."
	default:
		return "None yet: the next analysis scores this person."
	}
}

func score(value, bins int) string { return fmt.Sprintf("%d of %d", value, bins) }

func wholeNumber(v int64) string { return group(fmt.Sprint(v)) }

func (e Explanation) tenThousandths(v int64) string { return Money(decimal.New(v, -4), e.Currency) }

// covers says which values got a score, and how many customers did.
func covers(ranges []rfm.Range, score int, write func(int64) string) string {
	if score < 1 || score > len(ranges) || ranges[score-1].Customers == 0 {
		return ""
	}
	r := ranges[score-1]
	span := write(r.Min)
	if r.Max != r.Min {
		span += " to " + write(r.Max)
	}
	return span + " (" + Of(r.Customers, "customer", "customers") + ")"
}

// Segment is the RFM group in which the person stands; ok is false where there is none.
func (e Explanation) Segment() (s Stand, ok bool) {
	d, ok := e.groups.find(analysis.SchemeRFM, e.Person.Segment)
	if !ok {
		return Stand{}, false
	}
	s = Stand{Title: "Segment", Name: d.Name, Meaning: d.Meaning, Action: d.Action}
	if why := e.because(); why != "" {
		s.Notes = []string{why}
	}
	return s, true
}

// because says which cell of the map the scores lead to.
func (e Explanation) because() string {
	if e.Rule == nil || e.Person.R == 0 {
		return ""
	}
	place := func(s int) int { return segment.Place(uint8(s), e.Rule.Used) }
	cell := fmt.Sprintf("%d%d%d", place(e.Person.R), place(e.Person.F), place(e.Person.M))
	text := "The map sends " + cell + " here."
	if preset, err := segment.FindPreset(e.Rule.Preset); err == nil && preset.Bins == e.Rule.Used && e.Rule.Used != segment.Fives {
		text = fmt.Sprintf("The map sends %d%d%d here.", e.Person.R, e.Person.F, e.Person.M) // the map has as many scores itself
	} else if e.Rule.Used != segment.Fives {
		text = fmt.Sprintf("With %s, the scores stand for %s on the map of fives, which sends it here.", Of(e.Rule.Used, "score", "scores"), cell)
	}
	if len(e.Rule.Segments) > 0 {
		text += " The configuration changes the map."
	}
	return text
}

// Audience is the name of the segment behind an audience key.
func (e Explanation) Audience(key string) string { return e.groups.audience(key) }
