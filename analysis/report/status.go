package report

import (
	"context"
	"fmt"
	"io"
	"maps"
	"slices"
	"strings"
	"time"
)

// StoreStatus is how one shop is doing.
type StoreStatus struct {
	Now         time.Time     `json:"now"`
	Incomplete  *Gap          `json:"incomplete,omitempty"` // nil where all orders are known
	Overview    Overview      `json:"overview"`
	Deliveries  []Delivery    `json:"deliveries"`
	Runs        []Run         `json:"runs"` // newest first
	Quarantined []Quarantined `json:"quarantined"`
	Warnings    []string      `json:"warnings"`
}

// CollectStatus gathers the status of one shop.
func CollectStatus(ctx context.Context, facts Facts, now time.Time) (StoreStatus, error) {
	s := StoreStatus{Now: now}
	var err error
	if s.Overview, err = facts.Overview(ctx); err != nil {
		return StoreStatus{}, fmt.Errorf("overview: %w", err)
	}
	s.Incomplete = missing(s.Overview)
	if s.Deliveries, err = delivered(ctx, facts); err != nil {
		return StoreStatus{}, err
	}
	if s.Runs, err = facts.Runs(ctx, listed); err != nil {
		return StoreStatus{}, fmt.Errorf("runs: %w", err)
	}
	if s.Quarantined, err = facts.Quarantine(ctx, listed); err != nil {
		return StoreStatus{}, fmt.Errorf("quarantine: %w", err)
	}
	segments, err := segmentation(ctx, facts, s.Overview)
	if err != nil {
		return StoreStatus{}, err
	}
	s.Warnings = append(warnings(s.Overview, segments), Holds(s.Deliveries, s.Overview)...)
	s.Overview.Resources, s.Runs = list(s.Overview.Resources), list(s.Runs)
	s.Quarantined, s.Warnings = list(s.Quarantined), list(s.Warnings)
	return s, nil
}

// Status writes how every shop is doing: how far its data is, what ran and runs next, what is held or set aside.
func Status(w io.Writer, shops []StoreStatus, width int, colour bool) error {
	p := newPage(w, width, colour)
	if len(shops) == 0 {
		p.say(plain, "", "No shop is configured. `perennial init` adds one.")
	}
	for i, s := range shops {
		if i > 0 {
			p.line("")
			p.line(p.paint(dim, strings.Repeat("-", p.width)))
		}
		p.store(s)
	}
	return p.done("status")
}

func (p *page) store(s StoreStatus) {
	o, loc := s.Overview, location(s.Overview)
	p.line(p.paint(bold, cells.Truncate(title(o), p.width, "…")))
	p.gap(s.Incomplete)
	p.say(plain, "", "%s Now %s, %s. %s", load(o, loc), s.Now.In(loc).Format(stamp), zone(o), next(o, loc))
	p.resources(o, loc)
	if len(s.Deliveries) > 0 {
		p.heading("Destinations")
		p.table([]align{left, right, right, right, right, right, left}, destinations(s.Deliveries, loc))
		for _, d := range s.Deliveries {
			p.kept(d, loc)
		}
	}
	p.runs(s.Runs, loc)
	p.quarantine(s.Quarantined, o.Quarantined)
	if len(s.Warnings) > 0 {
		p.heading("Please note")
		for _, warning := range s.Warnings {
			p.say(yellow, "  ! ", "%s", warning)
		}
	}
}

func load(o Overview, loc *time.Location) string {
	switch {
	case !o.Loaded:
		return "The first load is under way or waiting."
	case o.LoadedAt.IsZero():
		return "The first load is complete."
	default:
		return "First load complete since " + o.LoadedAt.In(loc).Format(stamp) + "."
	}
}

func next(o Overview, loc *time.Location) string {
	if o.NextRun.IsZero() {
		return "No run is planned."
	}
	return "Next run " + o.NextRun.In(loc).Format(stamp) + "."
}

// resources writes how far each resource is.
func (p *page) resources(o Overview, loc *time.Location) {
	if len(o.Resources) == 0 {
		return
	}
	p.heading("Data: %s", people(o))
	rows := []row{{dim, []string{"", "stored", "last complete", "under way"}}}
	for _, r := range o.Resources {
		rows = append(rows, row{plain, []string{r.Name, Count(r.Records), when(r.SyncedAt, loc), r.Progress()}})
	}
	p.table([]align{left, right, left, left}, rows)
}

func when(at time.Time, loc *time.Location) string {
	if at.IsZero() {
		return "never"
	}
	return at.In(loc).Format(stamp)
}

// Progress says how far an unfinished pull is; empty where it is finished.
func (r Resource) Progress() string {
	switch {
	case r.Done:
		return ""
	case r.Total > 0:
		return fmt.Sprintf("%s of %s, %s", Count(r.Read), Count(r.Total), Percent(min(1, float64(r.Read)/float64(r.Total))))
	case r.Read > 0:
		return Count(r.Read) + " read"
	default:
		return "not begun"
	}
}

func destinations(deliveries []Delivery, loc *time.Location) []row {
	rows := []row{{dim, []string{"", "delivered", "waiting", "withheld", "refused", "held", "last push"}}}
	for _, d := range deliveries {
		rows = append(rows, row{plain, []string{
			Where(d.Destination), Count(d.Delivered), Count(d.Waiting), Count(sum(d.Withheld)), Count(sum(d.Refused)), Count(len(d.Held)),
			when(d.PushedAt, loc),
		}})
	}
	return rows
}

// kept says of whom a destination has not what is desired, and why.
func (p *page) kept(d Delivery, loc *time.Location) {
	say := func(what, reasons string) {
		if reasons != "" {
			p.say(plain, "  ", "%s, %s: %s", Where(d.Destination), what, reasons)
		}
	}
	if d.Behind {
		p.say(yellow, "  ", "%s: these are the figures of %s, before the last analysis; the next push compares anew",
			Where(d.Destination), d.PushedAt.In(loc).Format(stamp))
	}
	if d.Unchanged > 0 {
		say("as they should be, when last compared", Count(d.Unchanged)+" people")
	}
	for _, r := range d.Retries {
		text := Count(r.People) + " " + orUnknown(r.Reason)
		if !r.NextTry.IsZero() {
			text += ", due from " + r.NextTry.In(loc).Format(stamp) + " on"
		}
		say("to be tried again", text)
	}
	if d.Pending > 0 {
		say("waiting for the platform", Count(d.Pending)+" in jobs that it has not finished")
	}
	say("refused", byReason(d.Refused))
	say("withheld", byReason(d.Withheld))
}

// byReason lists counts, the largest first.
func byReason(counts map[string]int) string {
	var parts []string
	for _, r := range reasons("", counts) {
		parts = append(parts, r.cells[1]+" "+orUnknown(strings.TrimPrefix(r.cells[0], ": ")))
	}
	return strings.Join(parts, ", ")
}

func orUnknown(reason string) string {
	if reason == "" {
		return "for a reason not told"
	}
	return reason
}

func sum(counts map[string]int) int {
	total := 0
	for _, n := range counts {
		total += n
	}
	return total
}

// runs writes the last runs with what they did, and what went wrong and what to do about it.
func (p *page) runs(runs []Run, loc *time.Location) {
	if len(runs) == 0 {
		return
	}
	p.heading("Runs, newest first")
	for _, r := range runs {
		look := plain
		if r.Error != "" {
			look = yellow
		}
		p.say(look, "  ", "%s  %s %s%s%s", r.Started.In(loc).Format(stamp), r.Kind, r.State, lasting(r), after(": ", Did(r.Counts)))
		if r.Error != "" {
			p.say(plain, "    ", "%s", r.Error)
		}
		if r.Remedy != "" {
			p.say(green, "    > ", "%s", r.Remedy)
		}
	}
}

func lasting(r Run) string {
	if r.Ended.IsZero() {
		return ""
	}
	return " in " + r.Ended.Sub(r.Started).Round(time.Second).String()
}

// Did lists what a run did, such as "300 read, 2 added"; nothing where it did nothing.
func Did(counts map[string]int) string {
	var parts []string
	for _, key := range slices.Sorted(maps.Keys(counts)) {
		if counts[key] != 0 {
			parts = append(parts, Count(counts[key])+" "+strings.ReplaceAll(key, "_", " "))
		}
	}
	return strings.Join(parts, ", ")
}

// after puts a mark before a text, where there is any.
func after(mark, text string) string {
	if text == "" {
		return ""
	}
	return mark + text
}
