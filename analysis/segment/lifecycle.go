package segment

import (
	"errors"
	"fmt"
	"math"
	"slices"
)

// The stages of a customer's life with a shop.
const (
	Prospect  = "prospect"
	FirstTime = "first_time"
	Active    = "active"
	WonBack   = "won_back"
	Slipping  = "slipping"
	Lapsed    = "lapsed"
	Lost      = "lost"
)

// stages are in the order in which they are shown.
var stages = [...]Definition{
	{
		Prospect, "Prospect", "Known, and without an order that counts.",
		"Introduce the shop, answer what holds them back, and suggest a first purchase.", Ours,
	},
	{
		FirstTime, "First-Time", "Ordered on one day so far, and the next order is not overdue.",
		"Welcome them, help them get the most of the purchase, and suggest a second one early.", Ours,
	},
	{
		Active, "Active", "Ordered on several days, and the next order is not overdue.",
		"Keep it so: what goes with their favourites, a loyalty reward, no needless discounts.", Ours,
	},
	{
		WonBack, "Won Back", "Came back after having lapsed, and the next order is not overdue.",
		"Thank them for coming back, ask what brought them, and make the next order easy.", Ours,
	},
	{
		Slipping, "Slipping", "The next order is overdue.",
		"Remind them in time: what they may have run out of, what is new, a small reason to come now.", Ours,
	},
	{
		Lapsed, "Lapsed", "The next order is long overdue.",
		"Write personally, ask what went wrong, and offer a reason to return.", Ours,
	},
	{
		Lost, "Lost", "So long overdue that they will hardly come back by themselves.",
		"One last attempt to win them back, then leave them out of paid campaigns.", Ours,
	},
}

// Stages returns the lifecycle stages in the order in which they are shown. The caller may change the slice.
func Stages() []Definition { return slices.Clone(stages[:]) }

// Journey is what the lifecycle needs to know of one person, in local days since 1970-01-01.
type Journey struct {
	Days     int // distinct days with a counted order; 0: a prospect
	First    int // the first of them
	Previous int // the one before the last; means nothing below two days
	Last     int // the last of them
}

// Lifecycle decides stages. How long is long is measured by the interval that is expected of each person, in days,
//
//	e = max(MinInterval, (Weight * Interval + Last - First) / (Weight + Days - 1))
//
// the mean of the person's own gaps between purchase days and, counted as Weight gaps more, the shop's. So somebody with one
// purchase has the shop's interval, and somebody with many their own. An order is overdue, and the person slipping, more
// than ceil(Slipping * e) days after the last one; lapsed after ceil(Lapsed * e), lost after ceil(Lost * e).
//
// The stage depends on nothing else, so from one night to the next nobody changes it but who bought, whose orders changed
// or whose days have passed. That holds only while Interval stays: see ShopInterval.
type Lifecycle struct {
	Interval float64 `json:"interval"` // the shop's usual days from one purchase to the next
	Weight   float64 `json:"weight"`
	Slipping float64 `json:"slipping"`
	Lapsed   float64 `json:"lapsed"`
	Lost     float64 `json:"lost"`
}

// The project's own choice for what is left at zero. Where purchases come at random, one in five gaps is longer than 1.6
// times the mean, one in twenty than 3 times, one in four hundred than 6 times.
const (
	DefaultInterval = 90.0
	DefaultWeight   = 2.0
	DefaultSlipping = 1.6
	DefaultLapsed   = 3.0
	DefaultLost     = 6.0

	// MinInterval keeps who buys every day from slipping after a weekend, in days.
	MinInterval = 7.0
)

// WithDefaults returns the rule with what is zero filled in.
func (l Lifecycle) WithDefaults() Lifecycle {
	for value, standard := range map[*float64]float64{
		&l.Interval: DefaultInterval, &l.Weight: DefaultWeight,
		&l.Slipping: DefaultSlipping, &l.Lapsed: DefaultLapsed, &l.Lost: DefaultLost,
	} {
		if *value == 0 {
			*value = standard
		}
	}
	return l
}

// Check says what is wrong with a rule, naming the setting and what it may be.
func (l Lifecycle) Check() error {
	l = l.WithDefaults()
	if !(l.Interval > 0 && l.Interval < 100*365) {
		return fmt.Errorf("lifecycle interval %g: must be a number of days above 0", l.Interval)
	}
	if !(l.Weight > 0 && l.Weight < 1000) {
		return fmt.Errorf("lifecycle weight %g: must be above 0 and below 1000", l.Weight)
	}
	if !(l.Slipping >= 1 && l.Slipping < l.Lapsed && l.Lapsed < l.Lost && l.Lost < 1000) {
		return errors.New("lifecycle limits: slipping, lapsed and lost must be ascending multiples of the interval, slipping at least 1")
	}
	return nil
}

// Standing is where somebody stands.
type Standing struct {
	Stage    string
	Until    int     // the last day on which the stage holds without another order; Open for ever
	Interval float64 // the days expected from the last purchase to the next; 0 for a prospect
}

// Stage returns where a person stands as of a day. It expects a checked rule with its defaults, and a day not before the
// last purchase.
func (l Lifecycle) Stage(j Journey, day int) Standing {
	if j.Days <= 0 {
		return Standing{Stage: Prospect, Until: Open}
	}
	expected := l.expected(j.Days, j.Last-j.First)
	passed := day - j.Last
	slipping, lapsed, lost := limit(l.Slipping, expected), limit(l.Lapsed, expected), limit(l.Lost, expected)
	switch {
	case passed > lost:
		return Standing{Lost, Open, expected}
	case passed > lapsed:
		return Standing{Lapsed, j.Last + lost, expected}
	case passed > slipping:
		return Standing{Slipping, j.Last + lapsed, expected}
	case j.Days == 1:
		return Standing{FirstTime, j.Last + slipping, expected}
	case j.Last-j.Previous > limit(l.Lapsed, l.expected(j.Days-1, j.Previous-j.First)):
		return Standing{WonBack, j.Last + slipping, expected}
	default:
		return Standing{Active, j.Last + slipping, expected}
	}
}

// expected is the interval expected after so many purchase days that span so many days.
func (l Lifecycle) expected(days, span int) float64 {
	return max(MinInterval, (l.Weight*l.Interval+float64(span))/(l.Weight+float64(days-1)))
}

// limit is a multiple of an interval in whole days, rounded up but for the noise of binary fractions.
func limit(multiple, interval float64) int { return int(math.Ceil(multiple*interval - 1e-9)) }

// MinRepeaters is how many customers with two purchase days or more it takes to measure the shop's interval.
const MinRepeaters = 10

// IntervalTolerance is how far, relative to what stands, the measured interval has to move before the standing one is
// given up.
const IntervalTolerance = 0.1

// ShopInterval measures the shop's usual interval in whole days: the median, over everybody with two purchase days or more,
// of the mean gap between theirs. What stands is kept while it is within IntervalTolerance of what is measured, so that
// the stages of everybody do not shift a little every night; 0 means that nothing stands. With fewer than MinRepeaters such
// customers it is what stands, or DefaultInterval. The order of the journeys is irrelevant.
func ShopInterval(journeys []Journey, standing float64) (interval float64, measured bool) {
	var gaps []float64
	for _, j := range journeys {
		if j.Days >= 2 {
			gaps = append(gaps, float64(j.Last-j.First)/float64(j.Days-1))
		}
	}
	if len(gaps) < MinRepeaters {
		if standing > 0 {
			return standing, false
		}
		return DefaultInterval, false
	}
	slices.Sort(gaps)
	median := (gaps[(len(gaps)-1)/2] + gaps[len(gaps)/2]) / 2
	return Settle(standing, max(1, math.Round(median)), IntervalTolerance), true
}

// Settle returns what stands while what was measured is within a tolerance of it, relative to what stands, and else what
// was measured. Zero stands for nothing.
func Settle(standing, measured, tolerance float64) float64 {
	if standing != 0 && math.Abs(measured-standing) <= tolerance*math.Abs(standing) {
		return standing
	}
	return measured
}
