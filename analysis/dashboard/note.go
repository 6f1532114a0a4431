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
	Bad    bool // something is broken; else it is good to know
	What   string
	Remedy string
	Page   string // on which there is more
}

// Notes are what needs attention, the most urgent first.
func (v *view) Notes() []note {
	notes := v.failures()
	warnings := v.Report.Warnings
	if v.Status != nil {
		warnings = v.Status.Warnings
	}
	if !v.Analysed() && len(warnings) > 0 {
		warnings = warnings[1:] // that nothing was analysed is said above
	}
	for _, w := range warnings {
		notes = append(notes, note{What: w, Page: "health"})
	}
	for _, d := range v.Deliveries() {
		if n := total(d.Refused); n > 0 {
			notes = append(notes, note{
				What:   fmt.Sprintf("%s refuses %s: %s.", report.Capital(report.Where(d.Destination)), report.Of(n, "person", "people"), strings.Join(words(d.Refused), "; ")),
				Remedy: "They are not tried again before something changes for them; mend in the shop what the platform names.", Page: "audiences",
			})
		}
		if d.Behind && len(v.UnderWay()) == 0 {
			notes = append(notes, note{
				What:   fmt.Sprintf("%s is behind: no push has compared it with the last analysis yet.", report.Capital(report.Where(d.Destination))),
				Remedy: "The next push does; `perennial push` does it now.", Page: "audiences",
			})
		}
	}
	return notes
}

// failures are the last runs of their kind that failed.
func (v *view) failures() []note {
	var notes []note
	for _, r := range v.LastRuns() {
		if r.Failed() {
			notes = append(notes, note{
				Bad: true, What: fmt.Sprintf("%s failed %s: %s.", r.Name, v.Moment(r.Ended), strings.TrimRight(r.Error, ".")), Remedy: report.Capital(r.Todo), Page: "health",
			})
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
