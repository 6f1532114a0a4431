package listmonk

import (
	"context"
	"errors"
	"slices"
	"strings"
	"unicode"

	"github.com/perennial-cvo/perennial/connectors"
	"github.com/perennial-cvo/perennial/connectors/commerce"
)

// Apply reads what listmonk has of the people, writes the difference, and calls a person delivered once everything that
// concerns them was confirmed. Newcomers of a list, where there are many, become a job.
func (d *destination) Apply(ctx context.Context, changes []connectors.Change) (connectors.Result, error) {
	var result connectors.Result
	newcomers := job{}
	for batch := range slices.Chunk(changes, d.listBatch) {
		tasks, err := d.prepare(ctx, batch)
		if err == nil {
			tasks = d.queue(&newcomers, tasks)
			err = d.carryOut(ctx, tasks)
		}
		result.Outcomes = append(result.Outcomes, outcomes(tasks, err)...)
		if err != nil {
			return result, err
		}
	}
	if len(newcomers.Parts) == 0 {
		return result, nil
	}
	newcomers.Since = d.now()
	text, err := newcomers.text()
	result.Job, result.NotBefore = text, d.now()
	return result, err
}

// outcomes are those of all tasks, or where the work broke off, those that stand whatever became of the others.
func outcomes(tasks []*task, err error) []connectors.Outcome {
	var all []connectors.Outcome
	for _, t := range tasks {
		if t.final || err == nil {
			all = append(all, t.outcome)
		}
	}
	return all
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
	tasks, who := make([]*task, len(changes)), []connectors.Person{}
	for i, c := range changes {
		if d.extent == connectors.OnlyLists {
			c.Attributes = nil
		}
		tasks[i] = &task{change: c, outcome: connectors.Outcome{PersonID: c.Person.ID, State: connectors.Delivered}}
		switch email := c.Person.Email; {
		case email == "":
			tasks[i].conclude(connectors.Withheld, connectors.ReasonNoEmail)
		case strings.ContainsFunc(email, unicode.IsControl):
			tasks[i].conclude(connectors.Refused, "the e-mail address holds a control character")
		default:
			who = append(who, c.Person)
		}
	}
	people, err := d.lookUp(ctx, who)
	if err != nil {
		return tasks, err
	}
	for _, t := range tasks {
		if t.final {
			continue
		}
		if err := d.plan(t, people, lists); err != nil {
			return tasks, err
		}
	}
	return tasks, nil
}

// plan compares what is desired for a person with what is there.
func (d *destination) plan(t *task, people found, lists map[string]list) error {
	p, known := people.of(t.change.Person)
	c := t.change
	t.id, t.leave, t.join, t.object, t.create = p.ID, nil, nil, nil, false
	if known {
		t.outcome.RemoteID = p.remoteID()
	}
	if len(c.Audiences) > 0 || len(c.Attributes) > 0 {
		if known && p.Email != c.Person.Email && c.Consent == commerce.ConsentSubscribed {
			c.Consent = commerce.ConsentUnknown // it was said of another address
		}
		if reason := d.gate(p, known, c); reason != "" {
			t.conclude(connectors.Withheld, reason)
			t.leave = d.livingOurs(p) // out of every list of ours
			t.final = len(t.leave) == 0
			return nil
		}
	}
	if err := d.planLists(t, p, lists); err != nil {
		return err
	}
	if object, differs := d.desired(p, c); differs && (known || len(object) > 0) {
		t.object = object
	}
	t.create = !known && len(c.Audiences)+len(c.Attributes) > 0
	if !t.create && t.object == nil && len(t.join)+len(t.leave) == 0 {
		t.conclude(connectors.Unchanged, "")
	}
	return nil
}

// planLists says which lists a person joins and leaves. Where there are to be no lists, they leave those of another mode.
func (d *destination) planLists(t *task, p person, lists map[string]list) error {
	c := t.change
	stays := c.Audiences
	if d.attributesOnly() {
		stays = nil
	}
	for _, key := range stays {
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
	for _, key := range append(slices.Clone(c.Leave), c.Audiences...) {
		row, there := p.row(lists[key].ID)
		if there && row.Status != unsubscribed && !slices.Contains(stays, key) && !slices.Contains(t.leave, row.ID) {
			t.leave = append(t.leave, row.ID)
		}
	}
	return nil
}

// carryOut does the tasks: people first, then attributes, then, after another look, lists, leaving before joining.
func (d *destination) carryOut(ctx context.Context, tasks []*task) error {
	writes := slices.ContainsFunc(tasks, func(t *task) bool { return t.create || t.object != nil })
	if err := d.createPeople(ctx, tasks); err != nil {
		return err
	}
	if err := d.writeAttributes(ctx, tasks); err != nil {
		return err
	}
	if writes {
		if err := d.lookAgain(ctx, tasks); err != nil {
			return err
		}
	}
	if err := d.moveOnLists(ctx, "remove", tasks, func(t *task) []int { return t.leave }); err != nil {
		return err
	}
	return d.moveOnLists(ctx, "add", tasks, func(t *task) []int { return t.join })
}
