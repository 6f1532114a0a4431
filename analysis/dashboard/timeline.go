package dashboard

import (
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/perennial-cvo/perennial/analysis/report"
)

// longestTimeline is how many events of a person are shown.
const longestTimeline = 200

// timeline is what happened, the newest first.
type timeline struct {
	Events []event
	Before int // earlier events that are not shown
}

// event is one thing that happened.
type event struct {
	Day    string // local
	Time   string // local; empty where only the day is known
	Kind   string // one word: order, refund, review, segment, push, trial
	What   string
	Detail string
	Look   string // class of a tag: good, bad, warn or none
}

// timelineOf brings together everything that is dated.
func timelineOf(e report.Explanation, zone *time.Location) timeline {
	p := e.Person
	var all []event
	for _, part := range [][]event{orderEvents(p, e.Currency, zone), moneyBack(p, zone), opinions(p, zone), moves(p), pushes(e, zone), sides(p)} {
		all = append(all, part...)
	}
	slices.SortStableFunc(all, func(a, b event) int { return strings.Compare(b.Day+b.Time, a.Day+a.Time) })
	shown := min(len(all), longestTimeline)
	return timeline{Events: all[:shown], Before: len(all) - shown}
}

func dated(at time.Time, zone *time.Location) event {
	at = at.In(zone)
	return event{Day: at.Format(time.DateOnly), Time: at.Format("15:04")}
}

func orderEvents(p report.Person, currency string, zone *time.Location) []event {
	var all []event
	for _, o := range p.Orders {
		e := dated(o.PlacedAt, zone)
		e.Kind, e.What = "order", fmt.Sprintf("Order %s: %s %s", o.Number, report.Money(o.Total, o.Currency), o.Currency)
		if e.Look, e.Detail = "good", "counts with "+report.Money(o.Net, currency)+" net"; !o.Counted {
			e.Look, e.Detail = "warn", "does not count: "+o.Why
		}
		all = append(all, e)
	}
	return all
}

func moneyBack(p report.Person, zone *time.Location) []event {
	var all []event
	for _, r := range p.Refunds {
		e := dated(r.At, zone)
		e.Kind, e.Look, e.Detail = "refund", "bad", r.Reason
		e.What = "Refund of " + report.Money(r.Amount, r.Currency) + " " + r.Currency
		if r.Order != "" {
			e.What += " for order " + r.Order
		}
		all = append(all, e)
	}
	return all
}

func opinions(p report.Person, zone *time.Location) []event {
	var all []event
	for _, r := range p.Reviews {
		if r.At.IsZero() {
			continue
		}
		e := dated(r.At, zone)
		e.Kind, e.What, e.Detail = "review", fmt.Sprintf("Rated %d of 5", r.Rating), r.Text
		if r.Product != "" {
			e.What += ": " + r.Product
		}
		all = append(all, e)
	}
	return all
}

// moves are the segments that the person came to, and those that they left for none.
func moves(p report.Person) []event {
	var all []event
	for _, i := range p.History {
		set, _, _ := strings.Cut(i.Scheme, ":")
		name := i.Name
		if name == "" {
			name = i.Segment
		}
		detail := setNames()[set]
		before := func(j report.Interval) bool {
			return j.Scheme == i.Scheme && j.Last.AddDate(0, 0, 1).Equal(i.First) && !j.Last.IsZero()
		}
		if at := slices.IndexFunc(p.History, before); at < 0 || p.History[at].Segment != i.Segment {
			all = append(all, event{Day: dayText(i.First), Kind: "segment", What: "Came to " + name, Detail: detail})
		}
		if i.Last.IsZero() {
			continue
		}
		next := i.Last.AddDate(0, 0, 1)
		if !slices.ContainsFunc(p.History, func(j report.Interval) bool { return j.Scheme == i.Scheme && j.First.Equal(next) }) {
			all = append(all, event{Day: dayText(next), Kind: "segment", What: "Left " + name, Detail: detail})
		}
	}
	return all
}

// setNames say what people are divided by.
func setNames() map[string]string {
	return map[string]string{
		"rfm": "RFM group", "lifecycle": "stage of the lifecycle", "tier": "tier of value", "churn": "risk to be gone", "own": "segment of your own",
	}
}

// pushes are the last words of the destinations.
func pushes(x report.Explanation, zone *time.Location) []event {
	var all []event
	for _, d := range x.Person.Deliveries {
		if d.At.IsZero() {
			continue
		}
		e := dated(d.At, zone)
		e.Kind, e.What, e.Detail = "push", where(d.Destination)+": "+d.State, d.Reason
		if e.Look = "good"; d.State != "delivered" {
			e.Look = "warn"
		}
		all = append(all, e)
	}
	return all
}

// sides are the lots by which somebody is held out of an audience or not.
func sides(p report.Person) []event {
	var all []event
	for _, s := range p.Sides {
		name := s.Name
		if name == "" {
			name = s.Audience
		}
		e := event{Day: s.Since, Kind: "trial", What: "Due in " + name, Detail: "not held out: compared with those who are"}
		if s.Held {
			e.What, e.Detail, e.Look = "Held out of "+name, "by lot, to find out what the audience brings", "warn"
		}
		if s.Over {
			e.Detail += "; that is over"
		}
		all = append(all, e)
	}
	return all
}
