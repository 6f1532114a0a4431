package report

import (
	"fmt"
	"strings"
	"time"

	"github.com/perennial-cvo/perennial/sync/activation"
)

// Stop is what the guard stops at one destination: why, one reason for each audience, and the command that lets all of it
// pass; without a command, the reason says what to do.
type Stop struct {
	Why     []string
	Command string
}

// Stopped tells what the guard stops at a destination of a shop of which orders before since are not known; the zero moment
// where all are.
func (d Delivery) Stopped(since time.Time) Stop {
	var s Stop
	var keys []string
	for _, h := range d.Held {
		if h.Key != activation.History {
			keys = append(keys, h.Key)
			s.Why = append(s.Why, shrinking(h))
		} else if !since.IsZero() { // else all orders are known by now, and the next push is not held
			s.Why = append(s.Why, activation.Hold{Since: since}.History())
		}
	}
	if len(keys) > 0 { // all in one: by itself, each would be held with the others again
		s.Command = "perennial push --confirm " + strings.Join(keys, ",")
	}
	return s
}

// Holds are the warnings of what the guard stopped, and the command that lets it pass.
func Holds(deliveries []Delivery, o Overview) []string {
	var all []string
	for _, d := range deliveries {
		stop := d.Stopped(o.Since)
		for _, why := range stop.Why {
			all = append(all, fmt.Sprintf("The push to %s is held, because %s.", d.Destination, why))
		}
		switch {
		case stop.Command == "":
		case strings.Contains(stop.Command, ","):
			all = append(all, fmt.Sprintf("If all of that is right at %s: %s", d.Destination, stop.Command))
		default:
			all[len(all)-1] += " If that is right: " + stop.Command
		}
	}
	return all
}

func shrinking(h Held) string {
	if h.After == 0 {
		return fmt.Sprintf("the audience %q would be emptied of its %s", h.Name, Of(h.Before, "member", "members"))
	}
	return fmt.Sprintf("the audience %q would shrink from %s to %s", h.Name, Count(h.Before), Count(h.After))
}
