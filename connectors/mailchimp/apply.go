package mailchimp

import (
	"context"
	"errors"
	"maps"
	"net/http"
	"slices"
	"strconv"
	"strings"

	"golang.org/x/sync/errgroup"

	"github.com/perennial-cvo/perennial/connectors"
	"github.com/perennial-cvo/perennial/connectors/commerce"
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
	people, err := d.lookUp(ctx, emails)
	if err != nil {
		return nil, err
	}
	var admitted []connectors.Change
	for _, t := range tasks {
		p, known := people[t.email()]
		if !t.final && d.gate(p, known, t.change.Consent) == "" {
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

// writeEach writes merge fields one person after another, several at a time.
func (d *destination) writeEach(ctx context.Context, tasks []*task) error {
	group, ctx := errgroup.WithContext(ctx)
	group.SetLimit(connections)
	for _, t := range tasks {
		group.Go(func() error { return d.write(ctx, t) })
	}
	return group.Wait()
}

func (d *destination) write(ctx context.Context, t *task) error {
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
	switch no := d.gate(p, true, commerce.ConsentSubscribed); {
	case no != "" && len(t.change.Audiences)+len(t.change.Attributes) > 0:
		t.conclude(connectors.Withheld, no)
		t.leave = d.tagsOf(p)
	case d.set.Mode != modeLists && p.sum(tags) != t.sum:
		d.forgetFields()
		t.conclude(connectors.RetryLater, "Mailchimp took the merge fields and did not keep them")
	default:
		t.create, t.values = false, nil
	}
}

// crowd are those who join and those who leave one tag.
type crowd struct{ join, leave []*task }

// moveAll changes tags, whole crowds at a time. People who are yet to be stored join later.
func (d *destination) moveAll(ctx context.Context, tasks []*task) error {
	crowds := map[int]*crowd{}
	of := func(id int) *crowd {
		if crowds[id] == nil {
			crowds[id] = &crowd{}
		}
		return crowds[id]
	}
	for _, t := range tasks {
		if !t.create {
			for _, id := range t.join {
				of(id).join = append(of(id).join, t)
			}
		}
		for _, id := range t.leave {
			of(id).leave = append(of(id).leave, t)
		}
	}
	for _, id := range slices.Sorted(maps.Keys(crowds)) {
		for c := *crowds[id]; len(c.join)+len(c.leave) > 0; {
			joining, leaving := min(d.set.TagBatch, len(c.join)), min(d.set.TagBatch, len(c.leave))
			if err := d.move(ctx, id, crowd{c.join[:joining], c.leave[:leaving]}); err != nil {
				return err
			}
			c = crowd{c.join[joining:], c.leave[leaving:]}
		}
	}
	return nil
}

// moved is the answer to a change of a tag.
type moved struct {
	Added   []person `json:"members_added"`
	Removed []person `json:"members_removed"`
	Errors  []struct {
		Emails []string `json:"email_addresses"`
		Error  string   `json:"error"`
	} `json:"errors"`
}

// move sends one change of a tag. Where Mailchimp refuses it as a whole, the halves are sent by themselves until the one
// whom it dislikes is found.
func (d *destination) move(ctx context.Context, id int, c crowd) error {
	body := map[string][]string{}
	for _, t := range c.join {
		body["members_to_add"] = append(body["members_to_add"], t.email())
	}
	for _, t := range c.leave {
		body["members_to_remove"] = append(body["members_to_remove"], t.email())
	}
	request := httpapi.Request{Op: "tag change", Method: http.MethodPost, Path: d.path("segments", strconv.Itoa(id)), Idempotent: true}
	answer, err := ask[moved](ctx, d.api, request, body)
	said := refusal(err)
	switch {
	case err == nil:
		d.settle(id, c, answer)
		return nil
	case said == nil:
		return err
	case said.Status == http.StatusNotFound, strings.Contains(said.Detail, "does not exist for this list"):
		return &connectors.Error{
			Kind: connectors.KindRetry, Op: request.Op, Err: errors.New("the tag was deleted in Mailchimp meanwhile"),
			Remedy: "nothing to do: the next push makes it anew",
		}
	case said.Status != http.StatusBadRequest:
		return err
	}
	return d.halve(ctx, id, c, said)
}

// halve sends a refused change in two, or gives up on the one person in it.
func (d *destination) halve(ctx context.Context, id int, c crowd, said *apiError) error {
	parts := []crowd{{join: c.join}, {leave: c.leave}}
	switch {
	case len(c.join) > 0 && len(c.leave) > 0:
	case len(c.join) > 1:
		parts = []crowd{{join: c.join[:len(c.join)/2]}, {join: c.join[len(c.join)/2:]}}
	case len(c.leave) > 1:
		parts = []crowd{{leave: c.leave[:len(c.leave)/2]}, {leave: c.leave[len(c.leave)/2:]}}
	default:
		for _, t := range append(c.join, c.leave...) {
			t.moved(id)
			t.doubt(connectors.Refused, said.Error())
		}
		return nil
	}
	for _, part := range parts {
		if err := d.move(ctx, id, part); err != nil {
			return err
		}
	}
	return nil
}

// settle notes who joined and left. Who was not on the list comes back among the errors, and who is named nowhere was not
// moved: both are looked at anew by the next push.
func (d *destination) settle(id int, c crowd, answer moved) {
	why, confirmed := map[string]string{}, map[string]bool{}
	for _, e := range answer.Errors {
		for _, email := range e.Emails {
			why[commerce.Email(email)] = d.client.Harmless(e.Error)
		}
	}
	for _, p := range append(answer.Added, answer.Removed...) {
		confirmed[commerce.Email(p.Email)] = true
	}
	for _, t := range append(slices.Clone(c.join), c.leave...) {
		t.moved(id)
		switch words, refused := why[t.email()]; {
		case refused:
			t.doubt(connectors.RetryLater, words)
		case !confirmed[t.email()]:
			t.doubt(connectors.RetryLater, "Mailchimp did not confirm the change of a tag")
		}
	}
}

// moved takes a tag off what is to be joined and left.
func (t *task) moved(id int) {
	is := func(other int) bool { return other == id }
	t.join, t.leave = slices.DeleteFunc(t.join, is), slices.DeleteFunc(t.leave, is)
}

// doubt concludes what is not settled otherwise.
func (t *task) doubt(state connectors.OutcomeState, reason string) {
	if !t.final {
		t.conclude(state, reason)
	}
}
