package schedule

import (
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/robfig/cron/v3"
)

// wallTime is how an occurrence is written: the shop's wall clock without a zone. Later occurrences sort after earlier
// ones as text.
const wallTime = "2006-01-02T15:04"

// zoneSpan is more than any change of zone moves a wall clock. A stored time further ahead than this was written under a
// wrong clock and is not believed.
const zoneSpan = 27 * time.Hour

// errNever is the error of a spec that is well-formed and never comes.
var errNever = errors.New("it never comes")

// Due decides whether the scheduled run of a shop is due at now. The spec is read on the wall clock of loc, so a local day
// has the same runs whatever happens to its clock: an occurrence inside a spring gap comes at the end of the gap, one
// inside a repeated autumn hour comes the first time only. After downtime only the last missed occurrence is due. A shop
// that never ran is due at once.
//
// It returns the occurrence in question, which becomes Nightly.Done when its run has ended, whether it is due, and when
// to ask again: now itself where it is due.
func Due(spec string, loc *time.Location, now time.Time, nightly Nightly) (occurrence string, due bool, next time.Time, err error) {
	plan, err := parse(spec)
	if err != nil {
		return "", false, time.Time{}, err
	}
	wall := onWall(now, loc)
	last, err := lastUntil(plan, wall, loc)
	if err != nil {
		return "", false, time.Time{}, fmt.Errorf("schedule %q: %w", spec, err)
	}
	occurrence = last.Format(wallTime)
	done := believed(nightly.Done, wall)
	switch {
	case occurrence <= done:
		from := wall
		if day, err := time.Parse(wallTime, done); err == nil && day.After(wall) {
			from = day // inside a repeated hour whose first pass had the run
		}
		return occurrence, false, instant(firstAfter(plan, from, loc), loc), nil
	case now.Before(nightly.NextTry) && nightly.NextTry.Sub(now) < zoneSpan:
		return occurrence, false, nightly.NextTry, nil
	default:
		return occurrence, true, now, nil
	}
}

// Validate refuses a spec that is not five cron fields, that the parser cannot read, or that never comes.
func Validate(spec string) error {
	plan, err := parse(spec)
	if err != nil {
		return err
	}
	if plan.Next(time.Date(2025, 1, 1, 0, 0, 0, 0, time.UTC)).IsZero() {
		return fmt.Errorf("schedule %q: %w", spec, errNever)
	}
	return nil
}

// parse reads five fields. The parser panics on some specs, which is an error like any other here.
func parse(spec string) (plan cron.Schedule, err error) {
	defer func() {
		if recover() != nil {
			plan, err = nil, fmt.Errorf("schedule %q: not a cron spec", spec)
		}
	}()
	if fields := len(strings.Fields(spec)); fields != 5 || strings.ContainsAny(spec, "@=") {
		return nil, fmt.Errorf("schedule %q: want five fields: minute, hour, day of month, month, day of week", spec)
	}
	plan, err = cron.ParseStandard(spec)
	if err != nil {
		return nil, fmt.Errorf("schedule %q: %w", spec, err)
	}
	return plan, nil
}

// onWall returns the clock reading in loc, labelled UTC: a time line without gaps and repeats.
func onWall(now time.Time, loc *time.Location) time.Time {
	local := now.In(loc)
	return time.Date(local.Year(), local.Month(), local.Day(), local.Hour(), local.Minute(), local.Second(), 0, time.UTC)
}

// lastUntil returns the last occurrence not after wall.
func lastUntil(plan cron.Schedule, wall time.Time, loc *time.Location) (time.Time, error) {
	const day = 24 * time.Hour
	for _, window := range [...]time.Duration{time.Hour, day + time.Hour, 32 * day, 9 * 366 * day} { // nine years hold a leap day
		var last time.Time
		for at := plan.Next(wall.Add(-window)); !at.IsZero() && !at.After(wall); at = plan.Next(at) {
			if dayExists(at, loc) {
				last = at
			}
		}
		if !last.IsZero() {
			return last, nil
		}
	}
	return time.Time{}, errNever
}

// firstAfter returns the first occurrence after wall.
func firstAfter(plan cron.Schedule, wall time.Time, loc *time.Location) time.Time {
	at := plan.Next(wall)
	for !at.IsZero() && !dayExists(at, loc) {
		at = plan.Next(at)
	}
	return at
}

// dayExists is false for a day that a zone left out whole, as Samoa did when it crossed the date line.
func dayExists(wall time.Time, loc *time.Location) bool {
	year, month, day := wall.Date()
	return time.Date(year, month, day, 12, 0, 0, 0, loc).Day() == day
}

// believed returns done unless it lies so far ahead that the clock must have been wrong when it was stored.
func believed(done string, wall time.Time) string {
	if done > wall.Add(zoneSpan).Format(wallTime) {
		return ""
	}
	return done
}

// instant returns the first moment at which the wall clock of loc shows wall or later.
func instant(wall time.Time, loc *time.Location) time.Time {
	if wall.IsZero() {
		return time.Time{}
	}
	for at := wall.Add(-zoneSpan).In(loc); ; {
		_, offset := at.Zone()
		_, end := at.ZoneBounds()
		shown := wall.Add(-time.Duration(offset) * time.Second).In(loc)
		switch {
		case shown.Before(at):
			return at
		case end.IsZero() || shown.Before(end):
			return shown
		default:
			at = end
		}
	}
}
