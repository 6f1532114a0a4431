package dashboard

import (
	"html/template"
	"net/http"
	"slices"
	"strconv"
	"time"

	"github.com/shopspring/decimal"

	"github.com/perennial-cvo/perennial/analysis/chart"
	"github.com/perennial-cvo/perennial/analysis/experiment"
	"github.com/perennial-cvo/perennial/analysis/report"
	"github.com/perennial-cvo/perennial/analysis/segment"
	"github.com/perennial-cvo/perennial/sync/activation"
)

// audiences are what stands at the destinations: everything on it comes from the report, as in the file.
func (s *Server) audiences(*http.Request, *view) (any, error) { return nil, nil }

// audience is one audience over all destinations.
type audience struct {
	Key, Name string
	People    *int // who are in it by the last analysis; nil where that is not known
	Members   []*int
	Campaign  *segment.Play
}

// Standing are the audiences with their members at each destination, in the order of the groups; others follow.
func (v *view) Standing() []audience {
	var all []audience
	places := map[string]int{}
	destinations := v.Deliveries()
	add := func(key, name string, people *int) *audience {
		i, known := places[key]
		if !known {
			i = len(all)
			places[key] = i
			all = append(all, audience{Key: key, Name: name, People: people, Members: make([]*int, len(destinations))})
			if play, ok := segment.FindPlay(key); ok {
				all[i].Campaign = &play
			}
		}
		return &all[i]
	}
	for _, r := range v.groups() {
		add(r.Audience, r.Name, &r.Customers)
	}
	for i, d := range destinations {
		for _, a := range d.Audiences {
			add(a.Key, a.Name, nil).Members[i] = &a.Members
		}
	}
	return slices.DeleteFunc(all, audience.nowhere)
}

// nowhere says that no destination has the audience.
func (a audience) nowhere() bool {
	return !slices.ContainsFunc(a.Members, func(n *int) bool { return n != nil })
}

// groups are all segments of the last analysis.
func (v *view) groups() []report.SegmentRow {
	if !v.Analysed() {
		return nil
	}
	rows := slices.Clone(v.Report.Segments.Rows)
	for _, set := range v.Report.Sets {
		rows = append(rows, set.Rows...)
	}
	return rows
}

// Campaigns are those for the audiences that stand somewhere.
func (v *view) Campaigns() []audience {
	return slices.DeleteFunc(v.Standing(), func(a audience) bool { return a.Campaign == nil })
}

// Manners hold for every campaign.
func (v *view) Manners() []string { return segment.Manners() }

// Where names a destination.
func (v *view) Where(destination string) string { return report.Where(destination) }

// reason is why people are not at a destination, and what to do.
type reason struct {
	What   string
	People int
	Remedy string
}

// Withheld are the people withheld at a destination, by reason, most first.
func (v *view) Withheld(d report.Delivery) []reason {
	var all []reason
	for _, key := range byNumber(d.Withheld) {
		n := d.Withheld[key]
		all = append(all, reason{report.Capital(orUnknown(activation.ReasonFor(key, n))), n, activation.RemedyFor(key)})
	}
	return all
}

// Refused are the people refused at a destination, in its words, most first.
func (v *view) Refused(d report.Delivery) []reason {
	var all []reason
	for _, key := range byNumber(d.Refused) {
		all = append(all, reason{What: orUnknown(key), People: d.Refused[key]})
	}
	return all
}

// Sum adds up counts by reason.
func (v *view) Sum(counts map[string]int) int { return total(counts) }

// Stopped tells what the guard stops at a destination, and how to let it pass.
func (v *view) Stopped(d report.Delivery) report.Stop {
	return d.Stopped(v.Report.Overview.Since)
}

// Trials are the audiences of which a share is held out, in words and drawn.
func (v *view) Trials() []trial {
	var all []trial
	least, most := extent(v.Report.Trials)
	for _, t := range v.Report.Trials {
		one := trial{Trial: t}
		one.Head, one.Class = verdict(t)
		if len(t.Words) > 0 {
			one.Verdict, one.More = report.Capital(t.Words[0]), t.Words[1:]
		}
		if r := t.Revenue.Range; r != nil && t.Verdict != experiment.Broken {
			one.Drawn = chart.Interval(chart.Range{
				Title: t.Name + ", " + v.Currency() + " a person", Words: cash(r.Low, v) + " to " + cash(r.High, v) + ", most likely " + cash(t.Revenue.Adjusted.Difference, v),
				Low: r.Low, Value: t.Revenue.Adjusted.Difference, High: r.High, Least: least, Most: most, Class: one.Class,
				Label: func(at float64) string { return cash(at, v) },
			})
		}
		all = append(all, one)
	}
	return all
}

// trial is one audience that is compared with who is held out of it.
type trial struct {
	report.Trial
	Head    string // the verdict in a few words
	Class   string
	Verdict string
	More    []string
	Drawn   template.HTML // what it brings a person; empty while nothing can be said
}

// Early says that it is too early to tell: then the reasons are what there is to read.
func (t trial) Early() bool { return t.Trial.Verdict == experiment.TooEarly }

func verdict(t report.Trial) (head, class string) {
	switch t.Verdict {
	case experiment.Broken:
		return "do not trust it", "bad"
	case experiment.Helps:
		if t.Margin != nil && t.Margin.Verdict == experiment.Harms {
			return "sells more, earns less", "bad"
		}
		return "it helps", "good"
	case experiment.Harms:
		return "it harms", "bad"
	case experiment.NoEffect:
		return "no effect found", ""
	case experiment.TooEarly:
	}
	return "too early to tell", ""
}

// extent is the axis on which all trials can be compared.
func extent(trials []report.Trial) (least, most float64) {
	for _, t := range trials {
		if r := t.Revenue.Range; r != nil {
			least, most = min(least, r.Low), max(most, r.High)
		}
	}
	return least, most
}

func cash(amount float64, v *view) string {
	return report.Money(decimal.NewFromFloat(amount), v.Currency())
}

// audienceSheet lists what stands at the destinations, and who is not there and why.
func (s *Server) audienceSheet(_ *http.Request, v *view) ([][]string, error) {
	rows := [][]string{{"destination", "what", "key", "name or reason", "people", "from"}}
	for _, d := range v.Deliveries() {
		add := func(what, key, name string, people int, from time.Time) {
			when := ""
			if !from.IsZero() {
				when = at(from, v.Zone())
			}
			rows = append(rows, []string{d.Destination, what, key, name, strconv.Itoa(people), when})
		}
		add("delivered", "", "", d.Delivered, d.PushedAt)
		add("as they should be", "", "", d.Unchanged, d.PushedAt)
		add("waiting", "", "", d.Waiting, time.Time{})
		add("in jobs of the platform", "", "", d.Pending, time.Time{})
		for _, r := range d.Retries {
			add("to be tried again", "", r.Reason, r.People, r.NextTry)
		}
		for _, key := range byNumber(d.Withheld) {
			add("withheld", "", activation.ReasonFor(key, d.Withheld[key]), d.Withheld[key], time.Time{})
		}
		for _, key := range byNumber(d.Refused) {
			add("refused", "", key, d.Refused[key], time.Time{})
		}
		for _, h := range d.Held {
			add("held", h.Key, h.Name, h.After, time.Time{})
		}
		for _, a := range d.Audiences {
			add("audience", a.Key, a.Name, a.Members, time.Time{})
		}
	}
	return rows, nil
}
