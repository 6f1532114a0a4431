package dashboard

import (
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/perennial-cvo/perennial/analysis/report"
)

// note is something that needs attention, and what to do about it.
type note struct {
	Tag, Class string // such as "failed" and "bad"; empty: it is only good to know
	What       string
	Remedy     string
	Page       string // on which there is more
}

// Notes are what needs attention, the most urgent first: what failed, what is held, who is refused, what is behind, and what
// to know before believing the figures.
func (v *view) Notes() []note {
	return slices.Concat(v.failures(), v.holds(), v.refusals(), v.behind(), v.warnings())
}

// failures are the last runs of their kind that failed.
func (v *view) failures() []note {
	var notes []note
	for _, r := range v.LastRuns() {
		if r.Failed() {
			notes = append(notes, note{
				Tag: "failed", Class: "bad", What: fmt.Sprintf("%s, %s: %s.", r.Name, v.Moment(r.Ended), strings.TrimRight(r.Error, ".")),
				Remedy: report.Capital(r.Todo), Page: "health",
			})
		}
	}
	return notes
}

// holds are the pushes that the guard holds.
func (v *view) holds() []note {
	var notes []note
	for _, d := range v.Deliveries() {
		stop := v.Stopped(d)
		if len(stop.Why) == 0 {
			continue
		}
		n := note{
			Tag: "held", Class: "warn", Page: "audiences",
			What: fmt.Sprintf("The push to %s waits, because %s.", report.Where(d.Destination), strings.Join(stop.Why, ", and ")),
		}
		if stop.Command != "" {
			n.Remedy = "If that is right, this lets it pass: `" + stop.Command + "`"
		}
		notes = append(notes, n)
	}
	return notes
}

// refusals are the people whom a platform will not take.
func (v *view) refusals() []note {
	var notes []note
	for _, d := range v.Deliveries() {
		if n := total(d.Refused); n > 0 {
			notes = append(notes, note{
				Tag: "refused", Class: "warn", Page: "audiences",
				What:   fmt.Sprintf("%s will not take %s: %s.", report.Capital(report.Where(d.Destination)), report.Of(n, "person", "people"), strings.Join(words(d.Refused), "; ")),
				Remedy: "Mend in the shop what the platform names; they are not tried again before something changes for them.",
			})
		}
	}
	return notes
}

// behind are the destinations that no push has compared with the last analysis, where none is about to.
func (v *view) behind() []note {
	if len(v.UnderWay()) > 0 {
		return nil
	}
	var notes []note
	for _, d := range v.Deliveries() {
		if d.Behind && len(v.Stopped(d).Why) == 0 {
			notes = append(notes, note{
				Tag: "behind", Class: "warn", Page: "audiences",
				What:   fmt.Sprintf("%s: no push has compared it with the last analysis yet.", report.Capital(report.Where(d.Destination))),
				Remedy: "The next push does; `perennial push` does it now.",
			})
		}
	}
	return notes
}

// warnings are what to know before believing the figures, without what is said elsewhere on the page.
func (v *view) warnings() []note {
	all, overview := v.Report.Warnings, v.Report.Overview
	if v.Status != nil {
		all, overview = v.Status.Warnings, v.Status.Overview
	}
	if !v.Analysed() && v.Key != "health" && len(all) > 0 {
		all = all[1:] // that nothing was analysed yet stands above
	}
	held := report.Holds(v.Deliveries(), overview)
	var notes []note
	for _, w := range all {
		if !slices.Contains(held, w) {
			notes = append(notes, note{What: w, Page: "health"})
		}
	}
	return notes
}

// Deliveries are what stands at the destinations.
func (v *view) Deliveries() []report.Delivery {
	if v.Status != nil {
		return v.Status.Deliveries
	}
	return v.Report.Deliveries
}

func total(counts map[string]int) int {
	sum := 0
	for _, n := range counts {
		sum += n
	}
	return sum
}

// byNumber are the reasons of counts, the most frequent first.
func byNumber(counts map[string]int) []string {
	return slices.SortedFunc(maps.Keys(counts), func(a, b string) int {
		if counts[a] != counts[b] {
			return counts[b] - counts[a]
		}
		return strings.Compare(a, b)
	})
}

// words lists counts by reason.
func words(counts map[string]int) []string {
	var all []string
	for _, reason := range byNumber(counts) {
		all = append(all, fmt.Sprintf("%s %s", report.Count(counts[reason]), orUnknown(reason)))
	}
	return all
}

func orUnknown(reason string) string {
	if reason == "" {
		return "for a reason not told"
	}
	return reason
}
