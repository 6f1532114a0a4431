package mailchimp

import (
	"context"
	"net/http"
	"slices"

	"golang.org/x/sync/errgroup"

	"github.com/perennial-cvo/perennial/connectors"
	"github.com/perennial-cvo/perennial/connectors/httpapi"
)

// Apply reads what Mailchimp has of the people and writes the difference: tags first, for whole crowds at a time, then
// merge fields, of few people at once and of many as a job.
func (d *destination) Apply(ctx context.Context, changes []connectors.Change) (connectors.Result, error) {
	if len(changes) == 0 {
		return connectors.Result{}, nil
	}
	tasks, err := d.prepare(ctx, changes)
	if err != nil {
		return connectors.Result{}, err
	}
	job, err := d.carryOut(ctx, tasks)
	result := connectors.Result{Job: job}
	for _, t := range tasks {
		if t.done() {
			result.Outcomes = append(result.Outcomes, t.outcome)
		}
	}
	if job != "" {
		result.NotBefore = d.now().Add(d.timing.poll)
	}
	return result, err
}

// prepare reads what is there and says what has to be done.
func (d *destination) prepare(ctx context.Context, changes []connectors.Change) ([]*task, error) {
	tasks, emails := begin(changes)
	if len(emails) == 0 {
		return tasks, nil
	}
	if d.set.Mode != connectors.OnlyLists {
		if err := d.learnFields(ctx); err != nil { // before the look-up, which keeps what is ours
			return nil, err
		}
	}
	people, err := d.lookUp(ctx, emails)
	if err != nil {
		return nil, err
	}
	var admitted []connectors.Change
	for _, t := range tasks {
		p, known := people[t.email()]
		if !t.final && d.gate(p, known, t.change) == "" {
			admitted = append(admitted, t.change)
		}
	}
	if err := d.makeFields(ctx, admitted); err != nil {
		return nil, err
	}
	for _, t := range tasks {
		if t.final {
			continue
		}
		p, known := people[t.email()]
		if err := d.plan(t, p, known); err != nil {
			return nil, err
		}
	}
	return tasks, nil
}

// carryOut does the tasks, or as much of them as is no job.
func (d *destination) carryOut(ctx context.Context, tasks []*task) (connectors.Job, error) {
	if err := d.moveAll(ctx, tasks); err != nil {
		return "", err
	}
	var writers []*task
	for _, t := range tasks {
		if t.writes() {
			writers = append(writers, t)
		}
	}
	if len(writers) >= d.set.BulkFrom {
		return d.submit(ctx, writers)
	}
	if err := d.writeEach(ctx, writers); err != nil {
		return "", err
	}
	return "", d.moveAll(ctx, writers) // whom we stored, and who turned out to have unsubscribed meanwhile
}

// clear does what is left after answers were read: it tags whom a batch stored, and takes those out who turned out to have
// unsubscribed meanwhile.
func (d *destination) clear(ctx context.Context, tasks []*task) error {
	if err := d.moveAll(ctx, tasks); err != nil {
		return err
	}
	return d.writeEach(ctx, slices.DeleteFunc(slices.Clone(tasks), func(t *task) bool { return !t.writes() }))
}

// writeEach writes merge fields one person after another, several at a time.
func (d *destination) writeEach(ctx context.Context, tasks []*task) error {
	group, ctx := errgroup.WithContext(ctx)
	group.SetLimit(d.set.Connections)
	for _, t := range tasks {
		group.Go(func() error { return d.write(ctx, t) })
	}
	return group.Wait()
}

// write writes one person's merge fields, and once more where it turns out that they are out of every audience.
func (d *destination) write(ctx context.Context, t *task) error {
	for range 2 {
		if err := d.writeOnce(ctx, t); err != nil || !t.writes() {
			return err
		}
	}
	return nil
}

func (d *destination) writeOnce(ctx context.Context, t *task) error {
	method, body := t.request()
	request := httpapi.Request{
		Op: "contact", Method: method, Path: d.path("members", hash(t.email())), Idempotent: true,
		Query: map[string][]string{skipValidation: {"true"}},
	}
	p, err := ask[person](ctx, d.api, request, body)
	if said := refusal(err); said != nil {
		t.conclude(judge(said))
		return nil
	}
	if err == nil {
		d.confirm(t, p, tagsIn(d.knownFields()))
	}
	return err
}

// skipValidation lets a contact be written whose audience demands other merge fields.
const skipValidation = "skip_merge_validation"

// request is what is sent about one person. A status is given to nobody but whom Mailchimp does not know, and then not that
// of a subscriber.
func (t *task) request() (method string, body map[string]any) {
	body = map[string]any{"merge_fields": t.values}
	if t.values == nil {
		body["merge_fields"] = map[string]string{}
	}
	if !t.create {
		return http.MethodPatch, body
	}
	body["email_address"], body["status_if_new"] = t.email(), transactional
	return http.MethodPut, body
}

// judge says what a refusal of one person means.
func judge(said *apiError) (connectors.OutcomeState, string) {
	switch {
	case said.Status == http.StatusNotFound:
		return connectors.Withheld, connectors.ReasonNotThere
	case said.Status >= 500, said.Status == http.StatusTooManyRequests, said.Status == http.StatusForbidden, said.Status == http.StatusRequestTimeout:
		return connectors.RetryLater, said.Error()
	default: // such as "Member In Compliance State", which only the person can end
		return connectors.Refused, said.Error()
	}
}

// confirm holds the answer about a person against what was sent. Somebody who unsubscribed since we looked is out.
func (d *destination) confirm(t *task, p person, tags []string) {
	if p.ID != "" {
		t.outcome.RemoteID = p.ID
	}
	switch no := d.gate(p, true, agreed); {
	case no != "" && len(t.change.Audiences)+len(t.change.Attributes) > 0:
		d.withhold(t, p, no)
	case d.set.Mode != connectors.OnlyLists && p.sum(tags) != t.sum:
		d.forgetFields()
		t.conclude(connectors.RetryLater, "Mailchimp took the merge fields and did not keep them")
	default:
		t.create, t.values = false, nil
	}
}
