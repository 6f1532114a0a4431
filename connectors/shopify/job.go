package shopify

import (
	"cmp"
	"errors"
	"fmt"
	"maps"
	"slices"

	"github.com/goccy/go-json"

	"github.com/perennial-cvo/perennial/connectors"
)

// jobVersion is that of the form in which jobs are written.
const jobVersion = 2

// job is work that lies at Shopify in files. It holds everything that another process needs to go on: the files with the
// operations that were started on them, and which line is about whom. Each file is over before the next one is started.
// Packed, a job of 100,000 people in sequence has some kilobytes.
type job struct {
	Version int                `json:"v"`
	People  connectors.Numbers `json:"people"`
	Failed  []failure          `json:"failed,omitempty"`
	Files   []sheet            `json:"files"` // those not over yet, in their order

	files  int      // while they are made: how many there will be, or more where one is too large
	places []target // where the next ones go, asked for already
}

// failure is what went wrong for some people in the same way.
type failure struct {
	State  connectors.OutcomeState `json:"state"`
	Reason string                  `json:"reason"`
	Places connectors.Numbers      `json:"places"` // among the people
}

// sheet is one uploaded file of variables, and the mutation that runs over it.
type sheet struct {
	Step      step               `json:"step"`
	Path      string             `json:"path"`
	Lines     connectors.Numbers `json:"lines"`               // places among the people, by line
	Operation string             `json:"operation,omitempty"` // global id, once it is started
}

// text is the job as it is kept.
func (j job) text() (connectors.Job, error) {
	text, err := json.Marshal(j)
	if err != nil {
		return "", fmt.Errorf("job: %w", err)
	}
	return connectors.Job(text), nil
}

// openJob reads a job and checks it.
func openJob(text connectors.Job) (job, error) {
	var j job
	if err := json.Unmarshal([]byte(text), &j); err != nil {
		return j, connectors.UnknownJob(err)
	}
	if j.Version != jobVersion {
		return j, connectors.UnknownJob(fmt.Errorf("its version is %d", j.Version))
	}
	for _, f := range j.Files {
		if !within(f.Lines, len(j.People)) || f.Path == "" {
			return j, connectors.UnknownJob(errors.New("a line is about nobody"))
		}
	}
	for _, f := range j.Failed {
		if !within(f.Places, len(j.People)) {
			return j, connectors.UnknownJob(errors.New("an outcome is about nobody"))
		}
	}
	return j, nil
}

// verdicts are those on all people so far, by place.
func (j job) verdicts() []verdict {
	verdicts := make([]verdict, len(j.People))
	for _, f := range j.Failed {
		for _, place := range f.Places {
			verdicts[place] = verdict{state: f.State, reason: f.Reason}
		}
	}
	return verdicts
}

// fail takes verdicts on people by place, those that are good left out.
func (j *job) fail(verdicts []verdict) {
	groups := map[verdict]connectors.Numbers{}
	for place, v := range verdicts {
		if !v.good() {
			groups[v] = append(groups[v], int64(place))
		}
	}
	j.Failed = nil
	for _, v := range slices.SortedFunc(maps.Keys(groups), func(a, b verdict) int { return cmp.Compare(groups[a][0], groups[b][0]) }) {
		j.Failed = append(j.Failed, failure{State: v.state, Reason: v.reason, Places: groups[v]})
	}
}

// outcomes tell about everybody when all files are over.
func (j job) outcomes() []connectors.Outcome {
	outcomes := make([]connectors.Outcome, len(j.People))
	for place, v := range j.verdicts() {
		outcomes[place] = wish{person: j.People[place]}.outcome(v)
	}
	return outcomes
}

// within says whether all are places among so many.
func within(places connectors.Numbers, n int) bool {
	for _, place := range places {
		if place < 0 || place >= int64(n) {
			return false
		}
	}
	return true
}
