package activation

import (
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/perennial-cvo/perennial/connectors"
)

// few is the size below which an ordinary night may empty an audience.
const few = 10

// Held returns the audiences for which the guard stops a push that makes these differences: those that would shrink too
// much, and those that would be emptied. An audience of a few people may be emptied where their number is not lost on the
// whole: in a small shop that happens every other night, while a mistake shows in the sum of all audiences of its scheme.
// The same holds for all audiences of a scheme that has other groups now because the shop grew. Where older orders are not
// known, all audiences are held as one.
func (g Guard) Held(differences []Difference) []Hold {
	sums := map[string]*sum{}
	all := sumOf(sums, "")
	for _, d := range differences {
		all.add(d)
		if d.Scheme != "" {
			sumOf(sums, d.Scheme).add(d)
		}
	}
	if !g.Since.IsZero() && !slices.Contains(g.Confirmed, History) {
		whole := connectors.Audience{Key: History, Name: History}
		return []Hold{{Audience: whole, Before: all.before, After: all.after, Since: g.Since}}
	}
	var held []Hold
	for _, d := range differences {
		if g.holds(d, sums[d.Scheme]) {
			held = append(held, Hold{Audience: d.Audience, Before: d.Before, After: d.After})
		}
	}
	return held
}

// sum is what becomes of the members of several audiences.
type sum struct{ before, after int }

func sumOf(sums map[string]*sum, scheme string) *sum {
	if sums[scheme] == nil {
		sums[scheme] = &sum{}
	}
	return sums[scheme]
}

func (s *sum) add(d Difference) {
	s.before += d.Before - d.Excused()
	s.after += d.After
}

// holds decides about one audience, by what becomes of those of its scheme together.
func (g Guard) holds(d Difference, all *sum) bool {
	if d.Leave <= d.Excused() || slices.ContainsFunc(g.Confirmed, func(name string) bool {
		return name == d.Audience.Key || strings.EqualFold(name, d.Audience.Name)
	}) {
		return false
	}
	lost := g.shrinks(all.before, all.after)
	if d.Regrouped && !lost {
		return false
	}
	before := d.Before - d.Excused()
	if d.After == 0 {
		return before >= few || lost || g.Shrink <= 0
	}
	return g.Shrink > 0 && before >= g.MinSize && g.shrinks(before, d.After)
}

// shrinks reports whether a number falls by a larger share than the guard lets pass.
func (g Guard) shrinks(before, after int) bool {
	return float64(before-after) > g.Shrink*float64(before)
}

// History says why a push is held whose shop does not show older orders, and what lets it pass.
func (h Hold) History() string {
	return fmt.Sprintf("orders before %s are not known, so whoever looks new may be an old customer (to push all the same: "+
		"perennial push --confirm %s; for good: short_history = true under guard)", h.Since.UTC().Format(time.DateOnly), History)
}

// HeldError is returned where the guard stopped a push. Nothing was sent, except that people who unsubscribed were taken
// out.
type HeldError struct {
	Destination string
	Held        []Hold
	Withdrawn   int // people who unsubscribed
}

// Confirmation is the command that lets all that is held pass: what is confirmed by itself is held with the others again.
func Confirmation(held []Hold) string {
	keys := make([]string, len(held))
	for i, h := range held {
		keys[i] = h.Audience.Key
	}
	return "perennial push --confirm " + strings.Join(keys, ",")
}

// Error names the audiences, a line each, and the command that lets them pass.
func (e *HeldError) Error() string {
	lines := make([]string, len(e.Held))
	for i, h := range e.Held {
		if h.Audience.Key == History {
			lines[i] = h.History()
			continue
		}
		lines[i] = fmt.Sprintf("%s would go from %d to %d members", h.Audience.Name, h.Before, h.After)
		if len(e.Held) == 1 {
			lines[i] += fmt.Sprintf(" (if that is right: %s)", Confirmation(e.Held))
		}
	}
	if len(lines) > 1 {
		lines = append(lines, "if all of that is right: "+Confirmation(e.Held))
	}
	what := "held, nothing was sent"
	if e.Withdrawn > 0 {
		what = fmt.Sprintf("held (%d who unsubscribed were let go, nothing else was sent)", e.Withdrawn)
	}
	return what + ":\n  " + strings.Join(lines, "\n  ")
}
