package clv

// What is shown and pushed of a prediction is rounded, with the value that stands as an input, so that a quiet night pushes
// nothing. Value tiers and bands of churn are segments: analysis/segment makes them of values and of P(alive).

// Round rounds an amount in ten-thousandths to be shown and pushed: to a tenth of its power of ten up to twice that, to a
// fifth up to five times, to a half above, e.g. to 100, 110 ... 200, 220 ... 500, 550 of the currency, and never finer than
// a hundredth. For somebody to whom an amount has been shown, that one stands while the new one is no more than a whole step
// away: only a change by at least half a step, 2 to 5 % of the amount, shows.
func Round(amount, previous int64, shown bool) int64 {
	step := roundStep(amount)
	if shown && previous%roundStep(previous) == 0 && distance(amount, previous) <= max(step, roundStep(previous)) {
		return previous
	}
	half := step / 2
	if amount < 0 {
		half = -half
	}
	return (amount + half) / step * step
}

// roundStep is how far shown amounts are from each other around an amount.
func roundStep(amount int64) int64 {
	size, power := distance(amount, 0), int64(1_000)
	for size/power >= 10 {
		power *= 10
	}
	switch mantissa := size / power; {
	case mantissa < 2:
		return power / 10
	case mantissa < 5:
		return power / 5
	}
	return power / 2
}

func distance(a, b int64) int64 { return max(a-b, b-a) }

// weekSlack is how many days outside of its week a date may be before the week is given up.
const weekSlack = 3

// NextWeek is the Monday of the week of an expected day, for somebody whose expected week so far began on previous (0 for
// nobody's). The previous week stands while it is not over as of a day and the expected day is in it or at most 3 days
// outside: who waits for an order without placing one is expected a little later every day, and would otherwise change
// weeks as the days go by. An expected day that is past means the week of asOf.
func NextWeek(expected, asOf, previous int32) int32 {
	expected = max(expected, asOf)
	if previous != 0 && previous+6 >= asOf && expected >= previous-weekSlack && expected <= previous+6+weekSlack {
		return previous
	}
	return monday(expected)
}

// monday is the Monday on or before a day; 1970-01-05 was one.
func monday(day int32) int32 {
	since := (day - 4) % 7
	if since < 0 {
		since += 7
	}
	return day - since
}
