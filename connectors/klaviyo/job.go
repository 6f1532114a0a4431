package klaviyo

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"slices"
	"time"

	"github.com/perennial-cvo/perennial/connectors"
	"github.com/perennial-cvo/perennial/connectors/commerce"
)

// jobVersion is that of the form in which jobs are written.
const jobVersion = 1

const (
	// firstPoll is the shortest time between two questions about an import, and longestPoll the longest.
	firstPoll   = time.Second
	longestPoll = 30 * time.Second
)

// job is people whose properties are being imported and who are to be moved between lists after that. It holds everything
// that another process needs to go on, and no addresses.
type job struct {
	Version int       `json:"v"`
	Read    time.Time `json:"b"` // before consent was read
	Started time.Time `json:"t"`
	Imports []string  `json:"i"`           // ids at Klaviyo, those not over yet
	Over    []string  `json:"o"`           // ids of those that are
	Ended   time.Time `json:"e"`           // when the last of them was, zero before
	Why     string    `json:"y"`           // what went wrong with one of them, if anything
	Written int       `json:"k"`           // how many people Klaviyo says that it wrote, in imports without any failure
	Failed  int       `json:"f,omitempty"` // how many people Klaviyo says that it did not write
	Heard   bool      `json:"h,omitempty"` // it was asked who they are
	Lists   []string  `json:"l"`           // ids of all lists that somebody joins or leaves
	People  []entry   `json:"p"`
}

// entry is one person of a job.
type entry struct {
	Person  int64                 `json:"n"`
	Profile string                `json:"r,omitempty"` // empty where the import makes it
	Address string                `json:"a"`           // digest of the address
	Want    string                `json:"w"`           // digest of our properties as they shall stand
	Join    []int                 `json:"j,omitempty"` // places among the lists
	Leave   []int                 `json:"x,omitempty"` // places among the lists
	Said    commerce.ConsentState `json:"c,omitempty"`
	News    *news                 `json:"u,omitempty"`
	Refused string                `json:"f,omitempty"` // Klaviyo's words, where it says that it did not write the person
}

// has reports whether a person is in the job.
func (j *job) has(t *task) bool {
	return slices.ContainsFunc(j.People, func(e entry) bool { return e.Person == t.change.Person.ID })
}

// text is the job as it is kept.
func (j *job) text() (connectors.Job, error) {
	return connectors.PackJob(j)
}

// openJob reads a job and checks it.
func openJob(text connectors.Job) (job, error) {
	var j job
	if err := connectors.UnpackJob(text, &j); err != nil {
		return j, err
	}
	if j.Version != jobVersion {
		return j, connectors.UnknownJob(fmt.Errorf("its version is %d", j.Version))
	}
	for _, e := range j.People {
		for _, place := range slices.Concat(e.Join, e.Leave) {
			if place < 0 || place >= len(j.Lists) {
				return j, connectors.UnknownJob(errors.New("it names a list that it does not have"))
			}
		}
	}
	return j, nil
}

// Resume asks whether the imports of a job are over. When all are, or when they take too long, it looks at the profiles,
// moves those who are as they shall be between lists, and says of the others what went wrong. Profiles may show what was
// written a little later than the import is over; for that it waits a while, but not for those whom Klaviyo says it refused.
func (d *destination) Resume(ctx context.Context, text connectors.Job) (connectors.Result, error) {
	j, err := openJob(text)
	if err != nil {
		return connectors.Result{}, err
	}
	over, err := d.await(ctx, &j)
	if err != nil {
		return connectors.Result{}, err
	}
	if !over {
		return d.askAgain(j, j.Started)
	}
	if j.Ended.IsZero() {
		j.Ended = d.now().UTC()
	}
	if err := d.hear(ctx, &j); err != nil {
		return connectors.Result{}, err
	}
	tasks, early, err := d.judge(ctx, j)
	if err != nil {
		return connectors.Result{}, err
	}
	if early {
		return d.askAgain(j, j.Ended)
	}
	outcomes, err := d.finish(ctx, tasks)
	return connectors.Result{Outcomes: outcomes}, err
}

// askAgain returns the job with a time to ask again, the later the longer it takes since it began.
func (d *destination) askAgain(j job, began time.Time) (connectors.Result, error) {
	pause := min(max(d.now().Sub(began)/2, d.times.poll), longestPoll)
	text, err := j.text()
	return connectors.Result{Job: text, NotBefore: d.now().Add(pause)}, err
}

// await asks for imports in their order and reports whether all are over. What takes too long counts as over.
func (d *destination) await(ctx context.Context, j *job) (bool, error) {
	for len(j.Imports) > 0 {
		state, counts, err := d.importState(ctx, j.Imports[0])
		if err != nil {
			return false, err
		}
		if state == running && d.now().Sub(j.Started) < d.times.stall {
			return false, nil
		}
		if state != complete {
			j.Why = "the import " + string(state)
		}
		j.Written, j.Failed = j.Written+counts.written, j.Failed+counts.failed
		j.Over, j.Imports = append(j.Over, j.Imports[0]), j.Imports[1:]
	}
	return true, nil
}

// importState is how far an import is, in words that tell why somebody was not written.
type importState string

// The states.
const (
	running   importState = "stands still at Klaviyo"
	complete  importState = "is over"
	cancelled importState = "was cancelled at Klaviyo"
	forgotten importState = "is not known at Klaviyo any more"
)

// tally is for how many people an import failed, and how many it wrote where it failed for nobody.
type tally struct{ written, failed int }

// importState asks how far an import is, and what came of it where it is over.
func (d *destination) importState(ctx context.Context, id string) (importState, tally, error) {
	answer, err := ask[imported](ctx, d.api, call{op: "profile import", to: readImport, path: "/api/profile-bulk-import-jobs/" + id})
	switch {
	case saysStatus(err, http.StatusNotFound):
		return forgotten, tally{}, nil
	case err != nil:
		return "", tally{}, err
	}
	switch counts := answer.Data.Attributes; counts.Status {
	case "complete":
		if counts.Failed > 0 {
			return complete, tally{failed: counts.Failed}, nil
		}
		return complete, tally{written: counts.Completed}, nil
	case "cancelled":
		return cancelled, tally{}, nil
	default: // queued, processing, and whatever they think of next
		return running, tally{}, nil
	}
}
