package listmonk

import (
	"context"
	"errors"
	"maps"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"unicode"

	"golang.org/x/sync/errgroup"

	"github.com/perennial-cvo/perennial/connectors"
	"github.com/perennial-cvo/perennial/connectors/httpapi"
)

// Apply reads what listmonk has of the people, writes the difference, and calls a person delivered once everything that
// concerns them was confirmed.
func (d *destination) Apply(ctx context.Context, changes []connectors.Change) (connectors.Result, error) {
	var result connectors.Result
	for batch := range slices.Chunk(changes, largestBatch) {
		tasks, err := d.prepare(ctx, batch)
		if err == nil {
			err = d.carryOut(ctx, tasks)
		}
		for _, t := range tasks {
			if t.final || err == nil {
				result.Outcomes = append(result.Outcomes, t.outcome)
			}
		}
		if err != nil {
			return result, err
		}
	}
	return result, nil
}

// Resume has nothing to do: listmonk confirms at once.
func (d *destination) Resume(context.Context, connectors.Job) (connectors.Result, error) {
	return connectors.Result{}, &connectors.Error{Kind: connectors.KindPermanent, Op: "job", Err: errors.New("listmonk has no jobs of ours")}
}

// task is what has to be done for one person.
type task struct {
	change  connectors.Change
	id      int // in listmonk
	create  bool
	object  map[string]any // nil where our attributes stay
	join    []int
	leave   []int
	outcome connectors.Outcome
	final   bool // the outcome stands, whatever becomes of the others
}

func (t *task) conclude(state connectors.OutcomeState, reason string) {
	t.outcome.State, t.outcome.Reason, t.final = state, reason, true
	t.create, t.object, t.join = false, nil, nil
}

// prepare reads what is there and says what has to be done.
func (d *destination) prepare(ctx context.Context, changes []connectors.Change) ([]*task, error) {
	lists, err := d.knownLists(ctx)
	if err != nil {
		return nil, err
	}
	tasks, emails := make([]*task, len(changes)), []string{}
	for i, c := range changes {
		tasks[i] = &task{change: c, outcome: connectors.Outcome{PersonID: c.Person.ID, State: connectors.Delivered}}
		switch email := c.Person.Email; {
		case email == "":
			tasks[i].conclude(connectors.Withheld, connectors.ReasonNoEmail)
		case strings.ContainsFunc(email, unicode.IsControl):
			tasks[i].conclude(connectors.Refused, "the e-mail address holds a control character")
		default:
			emails = append(emails, email)
		}
	}
	people, err := d.lookUp(ctx, emails)
	if err != nil {
		return tasks, err
	}
	for _, t := range tasks {
		if t.final {
			continue
		}
		p, known := people[t.change.Person.Email]
		if err := d.plan(t, p, known, lists); err != nil {
			return tasks, err
		}
	}
	return tasks, nil
}

// plan compares what is desired for a person with what is there.
func (d *destination) plan(t *task, p person, known bool, lists map[string]list) error {
	c := t.change
	t.id, t.leave, t.join = p.ID, nil, nil
	if known {
		t.outcome.RemoteID = strconv.Itoa(p.ID)
	}
	if len(c.Audiences) > 0 || len(c.Attributes) > 0 {
		if reason := d.gate(p, known, c.Consent); reason != "" {
			t.conclude(connectors.Withheld, reason)
			t.leave = d.livingOurs(p) // out of every list of ours
			t.final = len(t.leave) == 0
			return nil
		}
	}
	for _, key := range c.Audiences {
		l, ok := lists[key]
		if !ok {
			return &connectors.Error{Kind: connectors.KindPermanent, Op: "audience " + key, Err: errors.New("there is no list for it")}
		}
		if l.Optin != single {
			return doubleOptin(l)
		}
		if _, there := p.row(l.ID); !there {
			t.join = append(t.join, l.ID)
		}
	}
	for _, key := range c.Leave {
		row, there := p.row(lists[key].ID)
		if there && row.Status != unsubscribed && !slices.Contains(c.Audiences, key) {
			t.leave = append(t.leave, row.ID)
		}
	}
	if object, differs := d.desired(p, c); differs && (known || len(c.Attributes) > 0) {
		t.object = object
	}
	t.create = !known && len(c.Audiences)+len(c.Attributes) > 0
	if !t.create && t.object == nil && len(t.join)+len(t.leave) == 0 {
		t.conclude(connectors.Unchanged, "")
	}
	return nil
}

// carryOut does the tasks: people first, then attributes, then, after another look, lists, leaving before joining.
func (d *destination) carryOut(ctx context.Context, tasks []*task) error {
	if err := d.createPeople(ctx, tasks); err != nil {
		return err
	}
	if err := d.writeAttributes(ctx, tasks); err != nil {
		return err
	}
	if err := d.lookAgain(ctx, tasks); err != nil {
		return err
	}
	if err := d.moveOnLists(ctx, "remove", tasks, func(t *task) []int { return t.leave }); err != nil {
		return err
	}
	return d.moveOnLists(ctx, "add", tasks, func(t *task) []int { return t.join })
}

// createPeople creates those who are missing, without lists and without a status: lists given here could send opt-in
// mails.
func (d *destination) createPeople(ctx context.Context, tasks []*task) error {
	lists, err := d.knownLists(ctx)
	if err != nil {
		return err
	}
	for _, t := range tasks {
		if !t.create {
			continue
		}
		object := map[string]any{createdMark: true}
		maps.Copy(object, t.object)
		who := t.change.Person
		body := map[string]any{"email": who.Email, "attribs": map[string]any{d.prefix: object}}
		if name := strings.TrimSpace(who.FirstName + " " + who.LastName); name != "" {
			body["name"] = strings.ReplaceAll(name, "\x00", "")
		}
		made, err := write[person](ctx, d.api, httpapi.Request{
			Op: "new subscriber", Method: http.MethodPost, Path: "/api/subscribers", Idempotent: true,
		}, body)
		switch said := refusal(err); {
		case err == nil:
			t.id, t.object, t.outcome.RemoteID = made.ID, nil, strconv.Itoa(made.ID)
		case said != nil && said.Status == http.StatusConflict:
			err = d.planAgain(ctx, t, lists)
		case said != nil && isAboutRecord(err):
			t.conclude(connectors.Refused, said.Error())
			err = nil
		}
		if err != nil {
			return err
		}
	}
	return nil
}

// planAgain looks somebody up again who was not there a moment ago and is now.
func (d *destination) planAgain(ctx context.Context, t *task, lists map[string]list) error {
	people, err := d.lookUp(ctx, []string{t.change.Person.Email})
	if err != nil {
		return err
	}
	p, known := people[t.change.Person.Email]
	if !known {
		t.conclude(connectors.RetryLater, "listmonk says that the address exists and does not find it")
		return nil
	}
	t.create, t.object = false, nil
	return d.plan(t, p, known, lists)
}

// isAboutRecord reports whether a refusal concerns the one person sent and nobody else.
func isAboutRecord(err error) bool {
	kind := connectors.KindOf(err)
	return kind == connectors.KindPermanent || kind == connectors.KindRecord
}

func (d *destination) writeAttributes(ctx context.Context, tasks []*task) error {
	group, ctx := errgroup.WithContext(ctx)
	group.SetLimit(connections)
	for _, t := range tasks {
		if t.object == nil {
			continue
		}
		group.Go(func() error {
			err := d.api.setAttributes(ctx, t.id, d.prefix, t.object)
			if said := refusal(err); said != nil && isAboutRecord(err) {
				state := connectors.Refused
				if strings.Contains(said.Message, "not found") {
					state = connectors.RetryLater // deleted since we looked
				}
				t.conclude(state, said.Error()) // leaving lists goes on
				return nil
			}
			return err
		})
	}
	return group.Wait()
}

// lookAgain plans anew for those who change lists, where writing attributes took its time: whoever pressed "unsubscribe"
// meanwhile keeps the row that says so and joins nothing. Of somebody withheld only now, the attributes just written are
// taken back, because nobody would remember them.
func (d *destination) lookAgain(ctx context.Context, tasks []*task) error {
	var movers []*task
	var emails []string
	for _, t := range tasks {
		if !t.final && !t.create && t.object != nil && len(t.join)+len(t.leave) > 0 {
			movers, emails = append(movers, t), append(emails, t.change.Person.Email)
		}
	}
	if len(movers) == 0 {
		return nil
	}
	people, err := d.lookUp(ctx, emails)
	if err != nil {
		return err
	}
	lists, err := d.knownLists(ctx)
	if err != nil {
		return err
	}
	var regrets []*task
	for _, t := range movers {
		p, known := people[t.change.Person.Email]
		t.object = nil
		switch err := d.plan(t, p, known, lists); {
		case err != nil:
			return err
		case !known:
			t.conclude(connectors.RetryLater, "deleted in listmonk meanwhile")
		case t.outcome.State == connectors.Withheld && d.isMarked(p):
			regrets = append(regrets, &task{id: p.ID, object: d.bare(p)})
		}
	}
	return d.writeAttributes(ctx, regrets)
}

// moveOnLists does one action for all, one request for each list and batch.
func (d *destination) moveOnLists(ctx context.Context, action string, tasks []*task, lists func(*task) []int) error {
	byList := map[int][]*task{}
	for _, t := range tasks {
		for _, id := range lists(t) {
			byList[id] = append(byList[id], t)
		}
	}
	for _, id := range slices.Sorted(maps.Keys(byList)) {
		for chunk := range slices.Chunk(byList[id], d.listBatch) {
			if err := d.moveTogether(ctx, action, chunk, id); err != nil {
				return err
			}
		}
	}
	return nil
}

// moveTogether sends one request for many people. listmonk takes all or none, so where it stumbles over somebody who is
// gone, the halves are sent by themselves until that one is found.
func (d *destination) moveTogether(ctx context.Context, action string, tasks []*task, id int) error {
	ids := make([]int, len(tasks))
	for i, t := range tasks {
		ids[i] = t.id
	}
	err := d.api.manage(ctx, "list membership", action, ids, []int{id})
	switch {
	case saysAny(err, http.StatusInternalServerError, "subscriber_lists_list_id_fkey"):
		d.forgetLists()
		return &connectors.Error{
			Kind: connectors.KindRetry, Op: "list membership", Err: errors.New("the list was deleted in listmonk meanwhile"),
			Remedy: "nothing to do: the next push makes it anew",
		}
	case !saysAny(err, http.StatusInternalServerError, "subscriber_lists_subscriber_id_fkey"):
		return err
	case len(tasks) == 1:
		tasks[0].conclude(connectors.RetryLater, "deleted in listmonk meanwhile")
		return nil
	}
	half := len(tasks) / 2
	if err := d.moveTogether(ctx, action, tasks[:half], id); err != nil {
		return err
	}
	return d.moveTogether(ctx, action, tasks[half:], id)
}
