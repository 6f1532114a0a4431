package analysis

import (
	"context"
	"slices"
	"strings"

	"github.com/perennial-cvo/perennial/analysis/segment"
)

// Record is the history of memberships, of which every question about movement is asked; sync/postgres satisfies it. Days are
// local days since 1970-01-01, and whoever is in a segment on a day was so by the analysis as of its start.
type Record interface {
	// Span returns of which days the memberships of a scheme are known; ok is false before the first.
	Span(ctx context.Context, scheme string) (span Span, ok bool, err error)

	// Moves returns who went from where to where in a scheme between two days, those who stayed included: customers and
	// their net revenue so far, in any order. Shares are left to segment.Matrix.
	Moves(ctx context.Context, scheme string, before, after int) ([]segment.Flow, error)

	// MovementSteps counts the moves between each of the days and the next; the days must be ascending.
	MovementSteps(ctx context.Context, scheme string, days []int) ([][]segment.Move, error)

	// Events calls each for everybody who entered or left a segment of a scheme after one day and up to another, in order
	// of day and person, leaving before entering. A membership that goes on without a gap under a new version of the rules
	// is no event. An error of each ends it and is returned.
	Events(ctx context.Context, scheme string, after, upTo int, each func(segment.Event) error) error
}

// Span is of which days the memberships of a scheme are known.
type Span struct {
	First   int   // day of the first analysis
	Last    int   // day of the last one
	Changes []int // days on which the rules were other than on the analysed day before, ascending
}

// Since is the day since when the rules hold that are in force on the last day.
func (s Span) Since() int {
	if n := len(s.Changes); n > 0 {
		return s.Changes[n-1]
	}
	return s.First
}

// ChangesIn are the days after one day and up to another on which the rules changed.
func (s Span) ChangesIn(after, upTo int) []int {
	var days []int
	for _, day := range s.Changes {
		if after < day && day <= upTo {
			days = append(days, day)
		}
	}
	return days
}

// Ranks are the segments of a scheme from the best to the worst, by which a move is one up or down: the order in which they
// are shown, the lowest risk first, and of the stages those that buy in time, those that are overdue, those that never
// bought. A segment of the owner's is no better than none, and there are no ranks.
func Ranks(scheme string, definitions []segment.Definition) []string {
	ids := make([]string, len(definitions))
	for i, d := range definitions {
		ids[i] = d.ID
	}
	switch {
	case scheme == segment.SchemeLifecycle:
		return []string{
			segment.Active, segment.WonBack, segment.FirstTime, segment.Slipping, segment.Lapsed, segment.Lost, segment.Prospect,
		}
	case scheme == segment.SchemeChurn:
		slices.Reverse(ids)
	case strings.HasPrefix(scheme, segment.SchemeOwn+":"):
		return nil
	}
	return ids
}
