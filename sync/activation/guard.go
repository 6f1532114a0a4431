package activation

import (
	"fmt"
	"slices"
	"strings"
)

// Holds reports whether the guard stops a push that makes this difference.
func (g Guard) Holds(d Difference) bool {
	if d.Leave <= d.Unsubscribed || slices.ContainsFunc(g.Confirmed, func(name string) bool {
		return name == d.Audience.Key || strings.EqualFold(name, d.Audience.Name)
	}) {
		return false
	}
	if d.After == 0 {
		return true
	}
	before := d.Before - d.Unsubscribed
	return g.Shrink > 0 && before >= g.MinSize && float64(before-d.After) > g.Shrink*float64(before)
}

// HeldError is returned where the guard stopped a push. Nothing was sent, except that people who unsubscribed were taken
// out.
type HeldError struct {
	Destination string
	Held        []Hold
	Withdrawn   int // people who unsubscribed
}

// Error names the audiences, a line each, and the command that lets them pass.
func (e *HeldError) Error() string {
	lines := make([]string, len(e.Held))
	for i, h := range e.Held {
		lines[i] = fmt.Sprintf("%s would go from %d to %d members (if that is right: perennial push --confirm %s)",
			h.Audience.Name, h.Before, h.After, h.Audience.Key)
	}
	what := "held, nothing was sent"
	if e.Withdrawn > 0 {
		what = fmt.Sprintf("held (%d who unsubscribed were let go, nothing else was sent)", e.Withdrawn)
	}
	return what + ":\n  " + strings.Join(lines, "\n  ")
}
