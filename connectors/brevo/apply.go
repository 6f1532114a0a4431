package brevo

import (
	"context"
	"net/mail"
	"slices"
	"strconv"
	"strings"
	"time"
	"unicode"

	"github.com/perennial-cvo/perennial/connectors"
)

// task is what has to be done for one person.
type task struct {
	change  connectors.Change
	contact contact // as it was found; without an id where there was none
	create  bool
	set     map[string]any // attributes to write, "" where one has to go
	join    []int64
	leave   []int64
	outcome connectors.Outcome
	final   bool // the outcome stands, whatever becomes of the others
}

func (t *task) conclude(state connectors.OutcomeState, reason string) {
	t.outcome.State, t.outcome.Reason, t.final = state, reason, true
	t.create, t.set, t.join, t.leave = false, nil, nil, nil
}

// Apply looks everybody up, writes the difference, and calls a person delivered once Brevo confirmed it. Many who join the
// same lists are imported: of them the job tells.
func (d *destination) Apply(ctx context.Context, changes []connectors.Change) (connectors.Result, error) {
	var result connectors.Result
	if len(changes) == 0 {
		return result, nil
	}
	w := work{d: d}
	err := w.prepare(ctx, changes)
	if err == nil {
		result.Job, err = w.carryOut(ctx)
	}
	for _, t := range w.tasks {
		if t.final {
			result.Outcomes = append(result.Outcomes, t.outcome)
		}
	}
	if result.Job != "" {
		result.NotBefore = d.now().Add(d.tune.poll / 4) // a small import takes seconds
	}
	return result, err
}

// work is one Apply.
type work struct {
	d      *destination
	tasks  []*task
	asked  time.Time // when the look-up began, by our clock
	begin  time.Time // a moment before it, by Brevo's
	schema map[string]attribute
	doubts []*task // of whom Brevo took what was written and does not show it
}

// prepare reads what is there and says what has to be done.
func (w *work) prepare(ctx context.Context, changes []connectors.Change) error {
	if err := w.d.meetOurs(ctx); err != nil {
		return err
	}
	w.asked, w.tasks = w.d.now(), make([]*task, len(changes))
	emails := []string{}
	for i, c := range changes {
		w.tasks[i] = &task{change: c, outcome: connectors.Outcome{PersonID: c.Person.ID, State: connectors.Delivered}}
		switch email := c.Person.Email; {
		case email == "":
			w.tasks[i].conclude(connectors.Withheld, connectors.ReasonNoEmail)
		case strings.ContainsFunc(email, unicode.IsControl):
			w.tasks[i].conclude(connectors.Refused, "the e-mail address holds a control character")
		default:
			emails = append(emails, email)
		}
	}
	people, begin, err := w.d.lookUp(ctx, emails)
	if err != nil {
		return err
	}
	w.begin = begin
	if w.d.writesAttributes() {
		if w.schema, err = w.d.ensureAttributes(ctx, changes); err != nil {
			return err
		}
	}
	for _, t := range w.tasks {
		if !t.final {
			c, known := people[t.change.Person.Email]
			w.d.plan(t, c, known, w.schema)
		}
	}
	return nil
}

// wants reports whether a change gives a person anything that is written here.
func (d *destination) wants(c connectors.Change) bool {
	return d.writesLists() && len(c.Audiences) > 0 || d.writesAttributes() && len(c.Attributes) > 0
}

// plan compares what is desired for a person with what is there.
func (d *destination) plan(t *task, c contact, known bool, schema map[string]attribute) {
	t.contact, t.create, t.set, t.join, t.leave = c, false, nil, nil, nil
	wants := d.wants(t.change)
	if known {
		t.outcome.RemoteID = strconv.FormatInt(c.ID, 10)
	}
	if wants {
		if reason := d.gate(c, known, t.change); reason != "" {
			d.withdraw(t, reason)
			return
		}
	}
	if d.writesLists() && !d.planLists(t) {
		return
	}
	if !d.writesLists() {
		t.leave = d.formerOf(c)
	}
	set, err := d.differences(c, t.change, schema)
	if err != nil {
		t.conclude(connectors.Refused, err.Error())
		return
	}
	t.set = set
	t.create = !known && wants
	if !t.create && len(t.set)+len(t.join)+len(t.leave) == 0 {
		t.conclude(connectors.Unchanged, "")
	}
}

// withdraw concludes about somebody who does not want mail, and takes them out of all audiences of ours.
func (d *destination) withdraw(t *task, reason string) {
	t.conclude(connectors.Withheld, reason)
	if d.writesLists() {
		t.leave = d.livingOurs(t.contact)
	} else {
		t.leave = d.formerOf(t.contact)
	}
	if d.standing(t.contact)[audiencesKey] != "" {
		t.set = map[string]any{d.attributeName(audiencesKey): ""}
	}
	t.final = len(t.leave)+len(t.set) == 0
}

// planLists says which lists a person joins and leaves. It is false where one of them is not known.
func (d *destination) planLists(t *task) bool {
	for _, key := range t.change.Audiences {
		id, known := d.list(key)
		if !known {
			t.conclude(connectors.RetryLater, "there is no list for "+key)
			return false
		}
		if !slices.Contains(t.contact.Lists, id) && !slices.Contains(t.join, id) {
			t.join = append(t.join, id)
		}
	}
	slices.Sort(t.join)
	for _, key := range t.change.Leave {
		id, known := d.list(key)
		if !known {
			t.conclude(connectors.RetryLater, "there is no list for "+key)
			return false
		}
		there := slices.Contains(t.contact.Lists, id) && !slices.Contains(t.contact.Left, id)
		if there && !slices.Contains(t.change.Audiences, key) && !slices.Contains(t.leave, id) {
			t.leave = append(t.leave, id)
		}
	}
	return true
}

// carryOut does the tasks and looks at what came of them. What is imported is started last, so that nobody waits for what
// fails before.
func (w *work) carryOut(ctx context.Context) (connectors.Job, error) {
	if err := w.refresh(ctx); err != nil {
		return "", err
	}
	groups, rest := w.d.groups(w.tasks)
	err := w.write(ctx, rest)
	if err == nil {
		err = w.lookAgain(ctx, rest)
	}
	if err != nil {
		forget(rest)
		return "", err
	}
	return w.importGroups(ctx, groups)
}

// write does what is not imported.
func (w *work) write(ctx context.Context, tasks []*task) error {
	var updates, moves, births []*task
	for _, t := range tasks {
		switch {
		case t.create:
			births = append(births, t)
		case len(t.set) > 0:
			updates = append(updates, t)
		default:
			moves = append(moves, t)
		}
	}
	batches := func(n int) int { return (n + w.d.set.Batch - 1) / w.d.set.Batch }
	if w.d.moving(moves) > batches(len(updates)+len(moves))-batches(len(updates)) {
		updates, moves = append(updates, moves...), nil // an update changes lists too
	}
	if err := w.d.move(ctx, moves); err != nil {
		return err
	}
	if err := w.d.update(ctx, updates); err != nil {
		return err
	}
	return w.d.createPeople(ctx, births)
}

// createFrom is how many people who have to be created are worth an import.
const createFrom = 20

// groups takes out those who are worth an import: many who join the same lists, and neither leave one nor lose an
// attribute, which an import cannot do.
func (d *destination) groups(tasks []*task) (groups [][]*task, rest []*task) {
	byLists := map[string][]*task{}
	taken := map[string]bool{} // an address is imported once
	var order []string
	for _, t := range tasks {
		email := t.change.Person.Email
		switch {
		case t.final:
		case d.set.ImportFrom == 0, len(t.join) == 0, len(t.leave) > 0, clears(t), t.create && !d.isImportable(t), taken[email]:
			rest = append(rest, t)
		default:
			taken[email] = true
			lists := listKey(t.join)
			if byLists[lists] == nil {
				order = append(order, lists)
			}
			byLists[lists] = append(byLists[lists], t)
		}
	}
	for _, lists := range order {
		group := byLists[lists]
		births := slices.DeleteFunc(slices.Clone(group), func(t *task) bool { return !t.create })
		switch {
		case len(group) >= d.set.ImportFrom:
			groups = append(groups, group)
		case len(births) >= createFrom:
			groups = append(groups, births)
			rest = append(rest, slices.DeleteFunc(group, func(t *task) bool { return t.create })...)
		default:
			rest = append(rest, group...)
		}
	}
	return groups, rest
}

func listKey(ids []int64) string {
	var b strings.Builder
	for _, id := range ids {
		b.WriteString(strconv.FormatInt(id, 10))
		b.WriteByte(' ')
	}
	return b.String()
}

// clears reports whether an attribute has to go.
func clears(t *task) bool {
	for _, value := range t.set {
		if value == "" {
			return true
		}
	}
	return false
}

// isImportable reports whether an address looks as if an import took it: one that it does not take it leaves out and says
// nothing, while a creation tells why.
func (d *destination) isImportable(t *task) bool {
	email := t.change.Person.Email
	parsed, err := mail.ParseAddress(email)
	d.mu.Lock()
	defer d.mu.Unlock()
	return err == nil && parsed.Address == email && !d.dropped[markOf(email)]
}
