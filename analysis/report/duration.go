package report

import (
	"math"
	"time"
)

// Took is how long a run took, in words; empty while it is under way.
func (r Run) Took() string {
	if r.Ended.IsZero() {
		return ""
	}
	return lasted(r.Ended.Sub(r.Started))
}

// lasted writes how long something took, in words that an owner uses.
func lasted(d time.Duration) string {
	switch {
	case d < time.Second:
		return "under a second"
	case d < time.Minute:
		return Of(int(d.Seconds()), "second", "seconds")
	case d < time.Hour:
		return Of(int(math.Round(d.Minutes())), "minute", "minutes")
	}
	minutes := int(math.Round(d.Minutes()))
	text := Of(minutes/60, "hour", "hours")
	if rest := minutes % 60; rest > 0 {
		text += " " + Of(rest, "minute", "minutes")
	}
	return text
}
