package dashboard

import (
	"time"

	"github.com/perennial-cvo/perennial/analysis/report"
	"github.com/perennial-cvo/perennial/sync/schedule"
)

// kind is what a kind of run does, in words.
type kind struct{ key, name string }

// kinds are those of a night, in its order; others follow as they come.
func kinds() []kind {
	return []kind{
		{"sync", "Reading the shop"},
		{"analyze", "Analysis"},
		{"worth", "What customers are worth"},
		{"course", "Where customers go next"},
		{"readback", "Look at the destinations"},
		{"push", "Push"},
		{"retention", "Who comes back"},
		{"forget", "Erasing a person"},
		{"purge", "Taking everything back"},
	}
}

// ran is one run in words.
type ran struct {
	report.Run
	Name  string
	State string
	Class string // good, bad, warn or empty
	Took  string // empty while it is under way
	Did   string
	Todo  string // empty where nothing went wrong
}

// Open says that a run is under way.
func (r ran) Open() bool { return r.Ended.IsZero() }

// Failed says that something went wrong about which somebody may have to do something.
func (r ran) Failed() bool { return r.Run.State == string(schedule.Failed) }

func inWords(r report.Run) ran {
	out := ran{Run: r, Name: kindName(r.Kind), Took: r.Took(), Did: report.Did(r.Counts), Todo: r.Remedy}
	switch schedule.State(r.State) {
	case schedule.Running:
		out.State = "under way"
	case schedule.Succeeded:
		out.State, out.Class = "done", "good"
	case schedule.Deferred:
		out.State, out.Class = "goes on later", "warn"
	case schedule.Held:
		out.State, out.Class = "held", "warn"
	case schedule.Failed:
		out.State, out.Class = "failed", "bad"
	default:
		out.State = r.State
	}
	if r.Error != "" && r.Remedy == "" {
		out.Todo = "Nothing: the next run tries again and goes on from there."
	}
	return out
}

func kindName(key string) string {
	for _, k := range kinds() {
		if k.key == key {
			return k.name
		}
	}
	return report.Capital(key)
}

// Runs are the last runs in words, newest first.
func (v *view) Runs() []ran {
	if v.Status == nil {
		return nil
	}
	var all []ran
	for _, r := range v.Status.Runs {
		all = append(all, inWords(r))
	}
	return all
}

// LastRuns are the last run of each kind, in the order of a night.
func (v *view) LastRuns() []ran {
	newest := map[string]ran{}
	var others []string
	for _, r := range v.Runs() {
		if _, known := newest[r.Kind]; !known {
			newest[r.Kind] = r
			others = append(others, r.Kind)
		}
	}
	var all []ran
	for _, k := range kinds() {
		if r, ok := newest[k.key]; ok {
			all = append(all, r)
			delete(newest, k.key)
		}
	}
	for _, key := range others {
		if r, ok := newest[key]; ok {
			all = append(all, r)
		}
	}
	return all
}

// UnderWay are the runs that have not ended.
func (v *view) UnderWay() []ran {
	var open []ran
	for _, r := range v.Runs() {
		if r.Open() {
			open = append(open, r)
		}
	}
	return open
}

// LastRead is when the shop was last read without a failure; zero where it was not among the last runs.
func (v *view) LastRead() time.Time {
	for _, r := range v.Runs() {
		if r.Kind == "sync" && r.Run.State == string(schedule.Succeeded) {
			return r.Ended
		}
	}
	return time.Time{}
}

// Moment writes a moment by the shop's clock, and how long ago it was; not that in a file, which is opened at any time.
func (v *view) Moment(t time.Time) string {
	text := at(t, v.Zone())
	switch {
	case t.IsZero() || v.Link.none:
		return text
	case t.After(v.ReadAt):
		return text + ", " + "in " + ahead(t.Sub(v.ReadAt))
	default:
		return text + ", " + since(t, v.ReadAt)
	}
}

// ahead says how long something will take.
func ahead(d time.Duration) string {
	switch {
	case d < time.Minute:
		return "a moment"
	case d < time.Hour:
		return report.Of(int(d.Minutes()), "minute", "minutes")
	case d < 48*time.Hour:
		return report.Of(int(d.Round(time.Hour).Hours()), "hour", "hours")
	default:
		return report.Of(int(d.Hours()/24), "day", "days")
	}
}
