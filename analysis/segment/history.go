package segment

import (
	"cmp"
	"slices"
)

// Open is the last day of a membership that still stands.
const Open = 1<<31 - 1

// Interval is one membership: a person was in a segment of one scheme from a local day to a local day, both included, in
// days since 1970-01-01. The intervals of one person in one scheme do not overlap; they are the record of history.
type Interval struct {
	Person  int64
	Segment string
	First   int
	Last    int // Open while it stands
}

// Covers says whether the membership stood on a day.
func (i Interval) Covers(day int) bool { return i.First <= day && day <= i.Last }

// On returns everybody's segment on a day. The order of the intervals is irrelevant.
func On(history []Interval, day int) map[int64]string {
	members := map[int64]string{}
	for _, i := range history {
		if i.Covers(day) {
			members[i.Person] = i.Segment
		}
	}
	return members
}

// Change says whether somebody entered or left a segment.
type Change string

// The changes.
const (
	Entered Change = "entered"
	Left    Change = "left"
)

// Event is one person entering a segment or leaving it.
type Event struct {
	Person  int64
	Day     int // the first day in the segment, or the first day no longer in it
	Change  Change
	Segment string
	Other   string // where a leaver went or who enters came from; empty for none
}

// Events lists who entered and who left which segment after one day and up to another, in order of day and person, leaving
// before entering. A membership that goes on without a gap under a new version of the rules is no event.
func Events(history []Interval, after, upTo int) []Event {
	stays := join(history)
	var events []Event
	for at, stay := range stays {
		before, next := "", ""
		if at > 0 && stays[at-1].Person == stay.Person && stays[at-1].Last+1 == stay.First {
			before = stays[at-1].Segment
		}
		if at+1 < len(stays) && stays[at+1].Person == stay.Person && stay.Last+1 == stays[at+1].First {
			next = stays[at+1].Segment
		}
		if after < stay.First && stay.First <= upTo {
			events = append(events, Event{stay.Person, stay.First, Entered, stay.Segment, before})
		}
		if stay.Last < Open && after <= stay.Last && stay.Last < upTo {
			events = append(events, Event{stay.Person, stay.Last + 1, Left, stay.Segment, next})
		}
	}
	slices.SortFunc(events, func(a, b Event) int {
		return cmp.Or(cmp.Compare(a.Day, b.Day), cmp.Compare(a.Person, b.Person), -cmp.Compare(a.Change, b.Change))
	})
	return events
}

// join sorts by person and day, and makes one stay of intervals in the same segment that follow each other directly.
func join(history []Interval) []Interval {
	sorted := slices.Clone(history)
	slices.SortFunc(sorted, func(a, b Interval) int {
		return cmp.Or(cmp.Compare(a.Person, b.Person), cmp.Compare(a.First, b.First))
	})
	stays := sorted[:0]
	for _, i := range sorted {
		if n := len(stays); n > 0 && stays[n-1].Person == i.Person && stays[n-1].Segment == i.Segment && stays[n-1].Last+1 == i.First {
			stays[n-1].Last = i.Last
			continue
		}
		stays = append(stays, i)
	}
	return stays
}

// Steps counts the moves between each of the days and the next, for Backtest and Transitions; the days must be ascending. It
// is Between without money for every pair of them, in one pass over the history.
func Steps(history []Interval, days []int) [][]Move {
	if len(days) < 2 {
		return nil
	}
	sorted := slices.Clone(history)
	slices.SortFunc(sorted, func(a, b Interval) int {
		return cmp.Or(cmp.Compare(a.Person, b.Person), cmp.Compare(a.First, b.First))
	})
	steps := make([]Movement, len(days)-1)
	for i := range steps {
		steps[i] = Movement{}
	}
	stood := make([]string, len(days))
	for len(sorted) > 0 {
		person, n := sorted[0].Person, 0
		clear(stood)
		for ; n < len(sorted) && sorted[n].Person == person; n++ {
			from, _ := slices.BinarySearch(days, sorted[n].First)
			for at := from; at < len(days) && sorted[n].Covers(days[at]); at++ {
				stood[at] = sorted[n].Segment
			}
		}
		for i := range steps {
			if stood[i] != "" || stood[i+1] != "" {
				steps[i].Add(stood[i], stood[i+1])
			}
		}
		sorted = sorted[n:]
	}
	moves := make([][]Move, len(steps))
	for i, step := range steps {
		moves[i] = step.Moves()
	}
	return moves
}
