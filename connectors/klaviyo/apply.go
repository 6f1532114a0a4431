package klaviyo

import (
	"context"
	"errors"
	"slices"
	"strings"
	"unicode"

	"github.com/perennial-cvo/perennial/connectors"
)

// task is what has to be done for one person.
type task struct {
	change  connectors.Change
	id      string         // of the profile, empty where it has to be made
	want    map[string]any // our properties as they shall stand
	set     map[string]any // those an import has to set, under their full names
	unset   []string       // and those it has to take away
	write   bool           // an import is needed
	join    []string       // ids of lists
	leave   []string       // ids of lists
	outcome connectors.Outcome
	news    *news // what is told of the person when they are confirmed, if anything
	final   bool  // the outcome stands, whatever becomes of the others
}

func (t *task) conclude(state connectors.OutcomeState, reason string) {
	t.outcome.State, t.outcome.Reason, t.final = state, reason, true
	t.write, t.join = false, nil
}

// putOff leaves a person to the next push, unless something else is decided already.
func (t *task) putOff(reason string) {
	if t.outcome.State == connectors.Delivered {
		t.conclude(connectors.RetryLater, reason)
	}
}

// Apply reads what Klaviyo has of the people. Whoever needs no other properties is put on lists and taken off them at
// once. The properties of the rest go in imports, which are a job; Resume moves those people when the imports are over.
func (d *destination) Apply(ctx context.Context, changes []connectors.Change) (connectors.Result, error) {
	var result connectors.Result
	if len(changes) == 0 {
		return result, nil
	}
	read := d.now().UTC()
	tasks, err := d.prepare(ctx, changes)
	now := slices.DeleteFunc(slices.Clone(tasks), func(t *task) bool { return t.write })
	if err == nil {
		err = d.move(ctx, now)
	}
	if err == nil {
		err = d.tell(ctx, now)
	}
	if err == nil {
		for _, t := range tasks {
			t.final = t.final || !t.write
		}
		result.Job, result.NotBefore, err = d.startImports(ctx, read, tasks)
	}
	for _, t := range tasks {
		if t.final {
			result.Outcomes = append(result.Outcomes, t.outcome)
		}
	}
	return result, err
}

// prepare reads what is there and says what has to be done.
func (d *destination) prepare(ctx context.Context, changes []connectors.Change) ([]*task, error) {
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
	there, err := d.lookUp(ctx, "email", slices.Compact(slices.Sorted(slices.Values(emails))))
	if err != nil {
		return tasks, err
	}
	for _, t := range tasks {
		if t.final {
			continue
		}
		if words, refused := there.refused[t.change.Person.Email]; refused {
			t.conclude(connectors.Refused, words)
			continue
		}
		var p *profile
		if one, known := there.people[t.change.Person.Email]; known {
			p = &one
		}
		if err := d.plan(t, p); err != nil {
			return tasks, err
		}
	}
	return tasks, nil
}

// plan compares what is desired for a person with what is there; p is nil where nobody is.
func (d *destination) plan(t *task, p *profile) error {
	c := t.change
	if p != nil {
		t.id, t.outcome.RemoteID = p.ID, p.ID
	}
	if len(c.Audiences)+len(c.Attributes) > 0 {
		if reason := d.gate(p, c); reason != "" {
			t.conclude(connectors.Withheld, reason)
			t.leave = d.listsOf(t, append(slices.Clone(c.Leave), c.Audiences...))
			t.final = len(t.leave) == 0
			return nil
		}
	}
	if err := d.planLists(t); err != nil {
		return err
	}
	t.news = d.newsOf(c, p)
	var now profile
	if p != nil {
		now = *p
	}
	t.want = d.desired(now, c)
	t.set, t.unset = d.difference(d.properties(now), t.want)
	creates := p == nil && len(c.Audiences)+len(c.Attributes) > 0
	t.write = creates || p != nil && len(t.set)+len(t.unset) > 0
	if !t.write && len(t.join)+len(t.leave) == 0 {
		t.conclude(connectors.Unchanged, "")
		t.final = t.news == nil
	}
	return nil
}

// planLists says which lists a person joins and leaves. Klaviyo does not tell in a look-up who is on which list, but
// joining and leaving again do no harm.
func (d *destination) planLists(t *task) error {
	c := t.change
	if d.attributesOnly() {
		return nil
	}
	for _, key := range c.Audiences {
		id, ok := d.listOf(key)
		if !ok {
			return &connectors.Error{Kind: connectors.KindPermanent, Op: "audience " + key, Err: errors.New("there is no list for it")}
		}
		t.join = append(t.join, id)
	}
	t.leave = d.listsOf(t, slices.DeleteFunc(slices.Clone(c.Leave), func(key string) bool { return slices.Contains(c.Audiences, key) }))
	return nil
}

// listsOf returns the lists of audiences that a person may be on: none where there is no profile.
func (d *destination) listsOf(t *task, keys []string) []string {
	var ids []string
	for _, key := range keys {
		if id, ok := d.listOf(key); ok && t.id != "" && !slices.Contains(ids, id) {
			ids = append(ids, id)
		}
	}
	return ids
}
