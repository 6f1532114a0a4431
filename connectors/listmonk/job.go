package listmonk

import (
	"cmp"
	"context"
	"errors"
	"maps"
	"slices"
	"time"

	"github.com/perennial-cvo/perennial/connectors"
)

const (
	// jobVersion is that of the form in which jobs are written.
	jobVersion = 1
	// importPatience is how long a part waits for the importer, or for its own import to end, before its people are
	// created one by one: an import takes minutes, and somebody else's may hang for ever.
	importPatience = time.Hour
	// importPause is how long to wait before asking for an import again.
	importPause = 2 * time.Second
)

// job is newcomers who wait for the importer, of which listmonk has one for everybody. It holds all that another process
// needs to go on, and so the people themselves: it is kept in our own database until it ends, which erasures wait for.
type job struct {
	Version int       `json:"v"`
	Since   time.Time `json:"since"`          // since when the first part waits, or is with the importer
	File    string    `json:"file,omitempty"` // under which the first part was given to the importer; empty while it waits
	Parts   []part    `json:"parts"`          // in their order
}

// part is newcomers of one list.
type part struct {
	List   int                 `json:"list"`
	People []connectors.Change `json:"people"`
}

// text is the job as it is kept: packed, because everybody's attributes have the same names.
func (j job) text() (connectors.Job, error) {
	j.Version = jobVersion
	return connectors.PackJob(j)
}

func openJob(text connectors.Job) (job, error) {
	var j job
	if err := connectors.UnpackJob(text, &j); err != nil {
		return j, err
	}
	if j.Version != jobVersion || len(j.Parts) == 0 {
		return j, connectors.UnknownJob(errors.New("it is not one of ours"))
	}
	return j, nil
}

// queue moves the newcomers of lists that have many to a job and returns the others. Somebody who comes to several lists
// goes with the fullest, and is put on the others when they are there.
func (d *destination) queue(j *job, tasks []*task) []*task {
	if d.importFrom == 0 || d.cannotImport() {
		return tasks
	}
	size := map[int]int{}
	for _, t := range tasks {
		if t.create {
			for _, id := range t.join {
				size[id]++
			}
		}
	}
	byList := map[int][]*task{}
	var rest []*task
	for _, t := range tasks {
		if !t.create || len(t.join) == 0 {
			rest = append(rest, t)
			continue
		}
		fullest := slices.MaxFunc(t.join, func(a, b int) int { return cmp.Or(size[a]-size[b], b-a) })
		byList[fullest] = append(byList[fullest], t)
	}
	for _, id := range slices.Sorted(maps.Keys(byList)) {
		if len(byList[id]) < d.importFrom {
			rest = append(rest, byList[id]...)
			continue
		}
		p := part{List: id}
		for _, t := range byList[id] {
			p.People = append(p.People, t.change)
		}
		j.Parts = append(j.Parts, p)
	}
	return rest
}

// Resume takes a job one step further: it gives the first part to the importer, or looks what became of it. Whatever the
// importer says, everybody is looked up: who is there is brought into the desired state like everybody else, and who is
// not is created singly, so that listmonk says of each what is wrong.
func (d *destination) Resume(ctx context.Context, text connectors.Job) (connectors.Result, error) {
	j, err := openJob(text)
	if err != nil {
		return connectors.Result{}, err
	}
	state, err := d.api.importState(ctx)
	switch {
	case isMissing(err):
		return d.finish(ctx, j, nil)
	case err != nil:
		return connectors.Result{}, err
	case d.now().Sub(j.Since) > importPatience:
		d.log.WarnContext(ctx, "listmonk's importer is busy for too long, its people are created one by one", "status", state.Status)
		return d.finish(ctx, j, nil)
	case state.busy():
		return connectors.Result{Job: text, NotBefore: d.now().Add(importPause)}, nil
	case j.File == "":
		return d.begin(ctx, j, text)
	}
	refused, err := d.review(ctx, j, state)
	if err != nil {
		return connectors.Result{}, err
	}
	return d.finish(ctx, j, refused)
}

// begin looks again who of the first part is missing, which may be long after the job was made, and gives them to the
// importer. The others are brought into the desired state.
func (d *destination) begin(ctx context.Context, j job, text connectors.Job) (connectors.Result, error) {
	tasks, err := d.prepare(ctx, j.Parts[0].People)
	if err != nil {
		return connectors.Result{}, err
	}
	var newcomers, rest []*task
	for _, t := range tasks {
		if t.create && slices.Contains(t.join, j.Parts[0].List) {
			newcomers = append(newcomers, t)
		} else {
			rest = append(rest, t)
		}
	}
	if err := d.carryOut(ctx, rest); err != nil {
		return connectors.Result{}, err
	}
	result := connectors.Result{Outcomes: outcomes(rest, nil)}
	if len(newcomers) == 0 {
		return d.next(result, j)
	}
	file, err := d.startImport(ctx, j.Parts[0].List, newcomers)
	switch {
	case isMissing(err):
		more, err := d.finish(ctx, j.with(newcomers), nil)
		more.Outcomes = append(result.Outcomes, more.Outcomes...)
		return more, err
	case isBusy(err) && len(rest) == 0: // somebody was faster
		return connectors.Result{Job: text, NotBefore: d.now().Add(importPause)}, nil
	case err != nil && !isBusy(err):
		return connectors.Result{}, err
	}
	j = j.with(newcomers)
	if j.File = file; file != "" {
		j.Since = d.now()
	}
	result.NotBefore = d.now().Add(importPause)
	result.Job, err = j.text()
	return result, err
}

// with is the job with others in its first part.
func (j job) with(newcomers []*task) job {
	p := part{List: j.Parts[0].List}
	for _, t := range newcomers {
		p.People = append(p.People, t.change)
	}
	j.Parts = append([]part{p}, j.Parts[1:]...)
	return j
}

// finish brings the first part into the desired state, without the importer. Those whom it refused, by person, are not
// tried again.
func (d *destination) finish(ctx context.Context, j job, refused map[int64]string) (connectors.Result, error) {
	tasks, err := d.prepare(ctx, j.Parts[0].People)
	if err != nil {
		return connectors.Result{}, err
	}
	for _, t := range tasks {
		if why, is := refused[t.change.Person.ID]; is && t.create {
			t.conclude(connectors.Refused, why)
		}
		if j.File != "" && t.outcome.State == connectors.Unchanged {
			t.outcome.State = connectors.Delivered // by the import
		}
	}
	if err := d.carryOut(ctx, tasks); err != nil {
		return connectors.Result{}, err
	}
	return d.next(connectors.Result{Outcomes: outcomes(tasks, nil)}, j)
}

// next goes on to the part behind the first, if there is one.
func (d *destination) next(result connectors.Result, j job) (connectors.Result, error) {
	j.Parts, j.File, j.Since = j.Parts[1:], "", d.now()
	if len(j.Parts) == 0 {
		return result, nil
	}
	var err error
	result.Job, err = j.text()
	result.NotBefore = d.now()
	return result, err
}
