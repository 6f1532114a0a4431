package main

import (
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/mattn/go-runewidth"

	"github.com/perennial-cvo/perennial/sync/activation"
	"github.com/perennial-cvo/perennial/sync/postgres"
)

// outcomes counts what a push did, by word.
func outcomes(s activation.Summary) map[string]int {
	counts := map[string]int{
		"delivered": s.Delivered, "unchanged": s.Unchanged, "refused": s.Refused, "retry_later": s.RetryLater,
		"pending": s.Pending, "stuck": s.Stuck, "withheld": total(s.Withheld),
	}
	maps.DeleteFunc(counts, func(_ string, n int) bool { return n == 0 })
	return counts
}

func total(counts map[string]int) int {
	sum := 0
	for _, n := range counts {
		sum += n
	}
	return sum
}

// tally says in one line what a push did.
func tally(s activation.Summary) string {
	parts := []string{count(s.Delivered) + " people delivered"}
	add := func(n int, what string) {
		if n > 0 {
			parts = append(parts, count(n)+" "+what)
		}
	}
	add(s.Plan.Unchanged+s.Unchanged, "already as they should be")
	add(total(s.Withheld), "withheld now")
	add(s.Refused, "refused")
	add(s.RetryLater, "to be tried again")
	add(s.Pending, "waiting for the platform")
	text := strings.Join(parts, ", ")
	if reasons := byReason(s.Plan.Withheld); reasons != "" {
		text += "; left out: " + reasons
	}
	return text
}

// byReason lists counts, largest first.
func byReason(counts map[string]int) string {
	reasons := slices.SortedFunc(maps.Keys(counts), func(a, b string) int {
		if counts[a] != counts[b] {
			return counts[b] - counts[a]
		}
		return strings.Compare(a, b)
	})
	parts := make([]string, len(reasons))
	for i, reason := range reasons {
		parts[i] = count(counts[reason]) + " " + activation.ReasonFor(reason, counts[reason])
	}
	return strings.Join(parts, ", ")
}

// count writes a number with its thousands apart.
func count(n int) string {
	text := fmt.Sprint(n)
	for i := len(text) - 3; i > 0 && text[i-1] != '-'; i -= 3 {
		text = text[:i] + "," + text[i:]
	}
	return text
}

// of writes a number and its noun.
func of(n int, noun string) string {
	if n != 1 {
		noun += "s"
	}
	return count(n) + " " + noun
}

// printPlan prints what a push would do.
func (s *shop) printPlan(destination string, plan activation.Plan) {
	people := "people"
	if plan.Changes == 1 {
		people = "person"
	}
	s.app.printf("%s -> %s: %s %s to write, %s as they should be\n", s.cfg.Name, destination, count(plan.Changes), people, count(plan.Unchanged))
	widest := 22
	for _, d := range plan.Audiences {
		widest = max(widest, runewidth.StringWidth(d.Audience.Name))
	}
	line := func(name, now, join, leave, then string) {
		s.app.printf("  %s %9s %9s %9s %9s\n", runewidth.FillRight(name, widest), now, join, leave, then)
	}
	line("audience", "now", "join", "leave", "then")
	for _, d := range plan.Audiences {
		line(d.Audience.Name, count(d.Before), count(d.Join), count(d.Leave), count(d.After))
	}
	if reasons := byReason(plan.Withheld); reasons != "" {
		s.app.printf("  left out: %s\n", reasons)
	}
	for _, d := range plan.Audiences {
		if d.HeldOut > 0 {
			s.app.printf("  %s: %s of those who leave are held out for proof from now on\n", d.Audience.Name, count(d.HeldOut))
		}
	}
	if reasons := byReason(plan.Refused); reasons != "" {
		s.app.printf("  refused by the platform, not tried again as they are: %s\n", reasons)
	}
	for _, r := range plan.Retries {
		s.app.printf("  to be tried again: %s %s, due from %s on\n", count(r.People), r.Reason, r.NextTry.UTC().Format("2006-01-02 15:04 MST"))
	}
	if plan.Pending > 0 {
		s.app.printf("  waiting for the platform: %s in jobs that it has not finished\n", count(plan.Pending))
	}
	for _, h := range plan.Held {
		if h.Audience.Key == activation.History {
			s.app.printf("  HELD: %s\n", h.History())
			continue
		}
		s.app.printf("  HELD: %s would go from %s to %s\n", h.Audience.Name, count(h.Before), count(h.After))
	}
	if held := plan.Held; len(held) > 0 && held[0].Audience.Key != activation.History {
		s.app.printf("  if that is right: %s\n", activation.Confirmation(held))
	}
}

// printWriting prints what a push would do for one person: the address, the way between audiences, and the attributes or why
// the person is taken out.
func (s *shop) printWriting(w postgres.Writing) error {
	name := func(audiences []string) string {
		if len(audiences) == 0 {
			return "-"
		}
		return strings.Join(audiences, ",")
	}
	what := w.Attributes
	if w.Reason != "" {
		what = w.Reason
	}
	s.app.printf("  %s: %s -> %s  %s\n", w.Address, name(w.Before), name(w.After), what)
	return nil
}
