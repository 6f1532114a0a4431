package analysis

import (
	"sort"
	"time"
)

const secondsPerDay = 24 * 60 * 60

// Day returns the local day of a moment, in days since 1970-01-01.
func Day(at time.Time, loc *time.Location) int {
	y, m, d := at.In(loc).Date()
	return int(time.Date(y, m, d, 0, 0, 0, 0, time.UTC).Unix() / secondsPerDay)
}

// Date returns a day, in days since 1970-01-01, as midnight UTC, for writing it down.
func Date(day int) time.Time { return time.Unix(int64(day)*secondsPerDay, 0).UTC() }

// StartOfDay returns the first instant of a local day. Where the clock skips midnight that is the moment after the gap;
// where midnight comes twice it is the first.
func StartOfDay(day int, loc *time.Location) time.Time {
	y, m, d := Date(day).Date()
	noon := time.Date(y, m, d, 12, 0, 0, 0, loc)
	const before = 16 * 60 * 60 // no change of the clock makes a morning longer
	seconds := sort.Search(before, func(i int) bool {
		return Day(noon.Add(time.Duration(i-before)*time.Second), loc) >= day
	})
	return noon.Add(time.Duration(seconds-before) * time.Second)
}
