package brevo

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"net/http"
	"slices"
	"time"

	"github.com/perennial-cvo/perennial/connectors"
	"github.com/perennial-cvo/perennial/connectors/httpapi"
)

// importSize is how many bytes the people of one import may have. Brevo takes 10 MB and advises 8.
const importSize = 7_900_000

// row is one person in an import.
type row struct {
	Email      string         `json:"email"`
	Attributes map[string]any `json:"attributes,omitempty"`
}

// importBody is an import. It names no consent in any form. An attribute that is empty is left alone, for the word that
// would empty it is not sent.
type importBody struct {
	Rows          []json.RawMessage `json:"jsonBody"`
	Lists         []int64           `json:"listIds"`
	Update        bool              `json:"updateExistingContacts"`
	WithoutNotice bool              `json:"disableNotification"` // else Brevo mails the owner each time
}

// importGroups hands the groups in as imports and returns the job that tells of them and of those in doubt, or nothing. An
// import that was handed in before an error is not told of: it does no harm, and the next push finds what it did.
func (w *work) importGroups(ctx context.Context, groups [][]*task) (connectors.Job, error) {
	j := job{Version: jobVersion, Since: w.d.now().Unix(), Begin: w.begin.Unix()}
	for _, group := range groups {
		if err := w.d.importGroup(ctx, &j, group); err != nil {
			return "", err
		}
	}
	alike := map[string][]*task{}
	for _, t := range w.doubts {
		key := listKey(t.join) + "/" + listKey(t.leave)
		alike[key] = append(alike[key], t)
	}
	for _, key := range slices.Sorted(maps.Keys(alike)) {
		j.Parts = append(j.Parts, w.d.partOf(ctx, alike[key]))
	}
	if len(j.Parts) == 0 {
		return "", nil
	}
	return j.text()
}

// importGroup hands in people who join the same lists, in as many imports as their bytes demand.
func (d *destination) importGroup(ctx context.Context, j *job, group []*task) error {
	var rows []json.RawMessage
	size, from := 0, 0
	for i, t := range group {
		r := row{Email: t.change.Person.Email, Attributes: t.set}
		if t.create {
			var err error
			if r.Attributes, err = d.birthAttributes(ctx, t); err != nil {
				return err
			}
		}
		text, err := json.Marshal(r)
		if err != nil {
			return fmt.Errorf("import: %w", err)
		}
		if size+len(text) > importSize && len(rows) > 0 {
			if err := d.handIn(ctx, j, group[from:i], rows); err != nil {
				return err
			}
			rows, size, from = nil, 0, i
		}
		rows, size = append(rows, text), size+len(text)+1
	}
	return d.handIn(ctx, j, group[from:], rows)
}

// handIn sends one import. Where Brevo refuses it, the halves are sent by themselves until the one is found whom it does
// not take.
func (d *destination) handIn(ctx context.Context, j *job, tasks []*task, rows []json.RawMessage) error {
	body := importBody{Rows: rows, Lists: tasks[0].join, Update: true, WithoutNotice: true}
	process, err := send[struct {
		ID int64 `json:"processId"`
	}](ctx, d.api.contacts, httpapi.Request{Op: "import", Path: "/contacts/import", Idempotent: true}, body)
	switch {
	case err == nil:
		j.Processes = append(j.Processes, process.ID)
		j.Parts = append(j.Parts, d.partOf(ctx, tasks))
		return nil
	case isAboutList(err):
		return d.listGone("import")
	case !isAbout(err, http.StatusBadRequest, http.StatusRequestEntityTooLarge):
		return err
	case len(tasks) == 1:
		d.refuseOne(tasks[0], err)
		return nil
	}
	half := len(tasks) / 2
	if err := d.handIn(ctx, j, tasks[:half], rows[:half]); err != nil {
		return err
	}
	return d.handIn(ctx, j, tasks[half:], rows[half:])
}

// partOf is what a job remembers of people who are imported together.
func (d *destination) partOf(ctx context.Context, tasks []*task) part {
	p := part{Lists: tasks[0].join, Off: tasks[0].leave}
	schema, _ := d.knownSchema(ctx) // read before, by whoever planned
	for _, t := range tasks {
		wanted := int64(0)
		if d.writesAttributes() && t.change.Attributes != nil {
			values := map[string]string{}
			if audiences := audiencesText(t.change.Audiences); !d.writesLists() && audiences != "" {
				values[audiencesKey] = audiences
			}
			for key, text := range t.change.Attributes {
				if value, err := valueFor(schema[d.attributeName(key)], text); err == nil && text != "" {
					values[key] = textOf(value)
				}
			}
			wanted = digestOf(values)
		}
		p.add(t.change.Person.ID, t.contact.ID, t.change.Person.Email, wanted)
	}
	return p
}

// Resume asks about one import of a job, slowly, because Brevo answers a hundred such questions an hour to all who ask.
// When all are over, or have taken too long, everybody is read back: that an import is completed says nothing of whom it
// left out.
func (d *destination) Resume(ctx context.Context, text connectors.Job) (connectors.Result, error) {
	j, err := openJob(text)
	if err != nil {
		return connectors.Result{}, err
	}
	stuck := d.now().Sub(j.since()) > d.tune.stalled
	if len(j.Processes) == 0 || stuck {
		return d.verify(ctx, j)
	}
	if until := d.mayAsk(); until.After(d.now()) {
		return connectors.Result{Job: text, NotBefore: until}, nil
	}
	over, err := d.isOver(ctx, j.Processes[0])
	var e *connectors.Error
	switch {
	case errors.As(err, &e) && e.Kind == connectors.KindWait:
		d.askAfter(e.Until)
		return connectors.Result{Job: text, NotBefore: e.Until}, nil
	case err != nil:
		return connectors.Result{}, err
	case !over:
		return connectors.Result{Job: text, NotBefore: d.mayAsk()}, nil
	}
	if j.Processes = j.Processes[1:]; len(j.Processes) == 0 {
		return d.verify(ctx, j)
	}
	rest, err := j.text()
	return connectors.Result{Job: rest, NotBefore: d.mayAsk()}, err
}

// isOver asks whether an import is over. One that Brevo does not know any more is.
func (d *destination) isOver(ctx context.Context, process int64) (bool, error) {
	d.askAfter(d.now().Add(d.tune.poll))
	answer, err := d.api.others.Do(ctx, httpapi.Request{Op: "import state", Path: fmt.Sprintf("/processes/%d", process)})
	if isAbout(err, http.StatusNotFound) {
		return true, nil
	}
	if err != nil {
		return false, err
	}
	if wait := budget(answer); wait > 0 {
		d.askAfter(d.now().Add(wait))
	}
	var state struct {
		Status string `json:"status"`
	}
	if err := json.Unmarshal(answer.Body, &state); err != nil || state.Status == "" {
		return false, &connectors.Error{Kind: connectors.KindRetry, Op: "import state", Err: errors.New("the answer has another shape than Brevo's")}
	}
	switch state.Status {
	case "queued", "in_process", "processing":
		return false, nil
	default: // completed, or words for an end that are not in the reference
		return true, nil
	}
}

// mayAsk is when the next question about an import may be asked.
func (d *destination) mayAsk() time.Time {
	d.mu.Lock()
	defer d.mu.Unlock()
	return d.nextPoll
}

func (d *destination) askAfter(at time.Time) {
	d.mu.Lock()
	defer d.mu.Unlock()
	if at.After(d.nextPoll) {
		d.nextPoll = at
	}
}
