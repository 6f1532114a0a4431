package retention

import "time"

const (
	secondsPerDay = 24 * 60 * 60
	monthsPerYear = 12
	daysPerWeek   = 7
	// toMonday is how far 1970-01-01, a Thursday, is from the Monday before.
	toMonday = 3
)

// Of returns the number of the period that a day belongs to: months since January 1970, or weeks since the one of
// 1970-01-01. Consecutive periods have consecutive numbers.
func (u Unit) Of(day int32) int32 {
	if u == Week {
		return floor(day+toMonday, daysPerWeek)
	}
	at := time.Unix(int64(day)*secondsPerDay, 0).UTC()
	return int32((at.Year()-1970)*monthsPerYear + int(at.Month()) - 1)
}

// Start returns the first day of a period.
func (u Unit) Start(period int32) int32 {
	if u == Week {
		return period*daysPerWeek - toMonday
	}
	at := time.Date(1970, time.January+time.Month(period), 1, 0, 0, 0, 0, time.UTC)
	return int32(at.Unix() / secondsPerDay)
}

func (u Unit) known() bool { return u == Month || u == Week }

func floor(a, b int32) int32 {
	q := a / b
	if a%b < 0 {
		q--
	}
	return q
}
