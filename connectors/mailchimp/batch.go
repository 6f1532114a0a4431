package mailchimp

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"time"

	"github.com/perennial-cvo/perennial/connectors"
	"github.com/perennial-cvo/perennial/connectors/httpapi"
)

const (
	batchBytes  = 4 << 20     // of the bodies in one batch
	longestPoll = time.Minute // between two questions about a batch
)

// operation is one request in a batch.
type operation struct {
	Method string            `json:"method"`
	Path   string            `json:"path"`
	Params map[string]string `json:"params"`
	ID     string            `json:"operation_id"`
	Body   string            `json:"body"`
}

// operation is the request about one person, known by a place.
func (d *destination) operation(t *task, place int) (operation, error) {
	method, body := t.request()
	text, err := json.Marshal(body)
	if err != nil {
		return operation{}, fmt.Errorf("batch: %w", err)
	}
	return operation{
		Method: method, Path: d.path("members", hash(t.email())), Params: map[string]string{skipValidation: "true"},
		ID: strconv.Itoa(place), Body: string(text),
	}, nil
}

// submit hands the tasks to Mailchimp in batches bounded by count and bytes. Those whose batch was not taken are left to
// the next push; a failure that needs a person is told all the same.
func (d *destination) submit(ctx context.Context, tasks []*task) (connectors.Job, error) {
	j := job{Version: jobVersion, List: d.list, Tags: tagsIn(d.knownFields())}
	var failure error
	for len(tasks) > 0 && failure == nil {
		var operations []operation
		size := 0
		for len(operations) < min(len(tasks), d.set.Batch) && size < batchBytes {
			o, err := d.operation(tasks[len(operations)], len(operations))
			if err != nil {
				return "", err
			}
			operations, size = append(operations, o), size+len(o.Body)
		}
		var begun batchState
		begun, failure = ask[batchState](ctx, d.api, httpapi.Request{
			Op: "batch", Method: http.MethodPost, Path: "/batches", Idempotent: true, // patching twice does no harm
		}, map[string]any{"operations": operations})
		if failure == nil && begun.ID == "" {
			failure = &connectors.Error{Kind: connectors.KindRetry, Op: "batch", Err: errors.New("no id came with it")}
		}
		if failure == nil {
			j.Batches = append(j.Batches, newBatch(begun.ID, d.now(), tasks[:len(operations)]))
			tasks = tasks[len(operations):]
		}
	}
	if failure == nil || len(j.Batches) == 0 {
		text, err := j.text()
		return text, errors.Join(failure, err)
	}
	for _, t := range tasks {
		t.conclude(connectors.RetryLater, d.client.Harmless(failure.Error()))
	}
	text, err := j.text()
	if kind := connectors.KindOf(failure); kind == connectors.KindRetry || kind == connectors.KindWait {
		failure = ctx.Err()
	}
	return text, errors.Join(failure, err)
}

// newBatch notes who is in a batch.
func newBatch(id string, now time.Time, tasks []*task) batch {
	b := batch{ID: id, Since: now.UTC(), Join: map[int][]int{}}
	for place, t := range tasks {
		b.People, b.Sums = append(b.People, t.change.Person.ID), append(b.Sums, t.sum)
		switch {
		case t.final:
			if b.Out == nil {
				b.Out = map[int]string{}
			}
			b.Out[place] = t.outcome.Reason
		case len(t.change.Audiences)+len(t.change.Attributes) == 0:
			b.Bare = append(b.Bare, place)
		}
		for _, tag := range t.join {
			b.Join[tag] = append(b.Join[tag], place)
		}
	}
	return b
}

// batchState is how far Mailchimp is with a batch.
type batchState struct {
	ID       string `json:"id"`
	Status   string `json:"status"`
	Total    int    `json:"total_operations"`
	Finished int    `json:"finished_operations"`
	Errored  int    `json:"errored_operations"`
	Result   string `json:"response_body_url"`
}

// Resume looks after the first batch of a job that is not over. A batch that stands still too long is called off, so that
// it does not write old values some day, and its people are tried anew.
func (d *destination) Resume(ctx context.Context, text connectors.Job) (connectors.Result, error) {
	j, err := d.openJob(text)
	if err != nil {
		return connectors.Result{}, err
	}
	b := &j.Batches[0]
	state, err := ask[batchState](ctx, d.api, httpapi.Request{Op: "batch", Path: "/batches/" + url.PathEscape(b.ID)}, nil)
	switch {
	case isStatus(err, http.StatusNotFound):
		return d.over(j, b.later("Mailchimp does not know the batch any more"))
	case err != nil:
		return connectors.Result{}, err
	case state.Status == "finished":
		outcomes, err := d.finish(ctx, j, state)
		if err != nil {
			return connectors.Result{}, err
		}
		return d.over(j, outcomes)
	case state.Finished > b.Done:
		b.Done, b.Since = state.Finished, d.now().UTC()
	case d.now().Sub(b.Since) > d.timing.stall:
		d.log.WarnContext(ctx, "batch stands still and is called off", "finished", state.Finished, "people", len(b.People))
		if err := d.drop(ctx, b.ID); err != nil {
			return connectors.Result{}, err
		}
		return d.over(j, b.later("the batch stood still at Mailchimp"))
	}
	kept, err := j.text()
	pause := min(max(d.now().Sub(b.Since)/10, d.timing.poll), max(d.timing.poll, longestPoll))
	return connectors.Result{Job: kept, NotBefore: d.now().Add(pause)}, err
}

// over tells about the people of the first batch, and gives back the job where there are more batches. The next one, which
// may have waited for this one, stands still from now on at the earliest.
func (d *destination) over(j job, outcomes []connectors.Outcome) (connectors.Result, error) {
	if j.Batches = j.Batches[1:]; len(j.Batches) > 0 {
		j.Batches[0].Since = d.now().UTC()
	}
	rest, err := j.text()
	return connectors.Result{Outcomes: outcomes, Job: rest}, err
}

// later puts off everybody in a batch.
func (b batch) later(reason string) []connectors.Outcome {
	outcomes := make([]connectors.Outcome, len(b.People))
	for place, person := range b.People {
		outcomes[place] = connectors.Outcome{PersonID: person, State: connectors.RetryLater, Reason: reason}
	}
	return outcomes
}

// drop makes Mailchimp forget a batch: what it has not done it does not do any more, and the result, which is full of
// people, is gone.
func (d *destination) drop(ctx context.Context, id string) error {
	request := httpapi.Request{Op: "batch removal", Method: http.MethodDelete, Path: "/batches/" + url.PathEscape(id), MayBeEmpty: true}
	if _, err := ask[any](ctx, d.api, request, nil); err != nil && refusal(err) == nil {
		return err
	}
	return nil
}

// finish reads the result of the first batch of a job, and tags whom it stored. That a batch is finished says nothing: what
// counts is the answer about each person.
func (d *destination) finish(ctx context.Context, j job, state batchState) ([]connectors.Outcome, error) {
	b := j.Batches[0]
	if state.Finished < len(b.People) || state.Errored > 0 {
		d.log.WarnContext(ctx, "batch was not done whole", "people", len(b.People), "finished", state.Finished, "errored", state.Errored)
	}
	if d.attributesOnly() {
		if err := d.learnFields(ctx); err != nil {
			return nil, err
		}
	}
	tasks := b.tasks()
	answered := make([]bool, len(b.People))
	err := d.results(ctx, state.Result, func(r operationResult) {
		if place, err := strconv.Atoi(r.ID); err == nil && place >= 0 && place < len(tasks) && !answered[place] {
			answered[place] = true
			d.answer(tasks[place], r, j.Tags)
		}
	})
	if err != nil {
		return nil, err
	}
	for place, t := range tasks {
		if !answered[place] {
			t.conclude(connectors.RetryLater, "the batch ended without an answer for this person")
		}
	}
	if err := d.clear(ctx, tasks); err != nil {
		return nil, err
	}
	outcomes := make([]connectors.Outcome, len(tasks))
	for place, t := range tasks {
		outcomes[place] = t.outcome
	}
	return outcomes, nil
}

// tasks are those of the batch as far as it is known what was wanted of them: what was written is held against a sum.
func (b batch) tasks() []*task {
	tasks := make([]*task, len(b.People))
	for place, who := range b.People {
		tasks[place] = &task{create: true, sum: b.Sums[place], outcome: connectors.Outcome{PersonID: who, State: connectors.Delivered}}
		if !slices.Contains(b.Bare, place) {
			tasks[place].change.Attributes = map[string]string{"": ""} // there was something to give
		}
	}
	for tag, places := range b.Join {
		for _, place := range places {
			tasks[place].join = append(tasks[place].join, tag)
		}
	}
	for place, why := range b.Out {
		tasks[place].conclude(connectors.Withheld, why)
	}
	return tasks
}

// answer takes what Mailchimp answered about one person.
func (d *destination) answer(t *task, r operationResult, tags []string) {
	if r.Status < 200 || r.Status >= 300 {
		t.conclude(judge(words(r.Status, []byte(r.Response), d.client.Harmless)))
		return
	}
	var p person
	if json.Unmarshal([]byte(r.Response), &p) != nil || p.Email == "" {
		t.conclude(connectors.RetryLater, "Mailchimp's answer about this person cannot be read")
		return
	}
	t.change.Person.Email = p.Email
	d.confirm(t, p, tags)
}
