package brevo

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"net/http"
	"slices"
	"strconv"
	"strings"

	"golang.org/x/sync/errgroup"

	"github.com/perennial-cvo/perennial/connectors"
	"github.com/perennial-cvo/perennial/connectors/httpapi"
)

// largestMove is how many people one change of a list may hold.
const largestMove = 150

// update is one person in an update of many. It names the contact by id, so that nobody can be created by it.
type update struct {
	ID         int64          `json:"id"`
	Attributes map[string]any `json:"attributes,omitempty"`
	Join       []int64        `json:"listIds,omitempty"`
	Leave      []int64        `json:"unlinkListIds,omitempty"`
}

// update writes attributes and lists of people who are there, many in one request.
func (d *destination) update(ctx context.Context, tasks []*task) error {
	group, sending := errgroup.WithContext(ctx)
	group.SetLimit(connections)
	for chunk := range slices.Chunk(tasks, d.set.Batch) {
		group.Go(func() error { return d.updateTogether(sending, chunk) })
	}
	if err := group.Wait(); err != nil {
		return err
	}
	err := d.prove(ctx, tasks)
	for _, t := range tasks {
		if err != nil && d.hasUnproven(t, nil) {
			t.final = false // nothing is known of them
		}
	}
	return err
}

// updateTogether sends one request. Brevo takes all or none, so where it refuses, the halves are sent by themselves until
// the one is found whom it does not take.
func (d *destination) updateTogether(ctx context.Context, tasks []*task) error {
	updates := make([]update, len(tasks))
	for i, t := range tasks {
		updates[i] = update{ID: t.contact.ID, Attributes: t.set, Join: t.join, Leave: t.leave}
	}
	_, err := send[struct{}](ctx, d.api.contacts, httpapi.Request{
		Op: "contact update", Path: "/contacts/batch", MayBeEmpty: true, Idempotent: true,
	}, map[string]any{"contacts": updates})
	switch {
	case err == nil:
		for _, t := range tasks {
			t.final = true
		}
		return nil
	case !isAbout(err, http.StatusBadRequest, http.StatusNotFound, http.StatusRequestEntityTooLarge):
		return err
	case isAboutList(err):
		return d.listGone("contact update")
	case len(tasks) == 1:
		d.refuseOne(tasks[0], err)
		return nil
	}
	half := len(tasks) / 2
	if err := d.updateTogether(ctx, tasks[:half]); err != nil {
		return err
	}
	return d.updateTogether(ctx, tasks[half:])
}

// refuseOne concludes about somebody whom Brevo did not take.
func (d *destination) refuseOne(t *task, err error) {
	said := refusal(err)
	if said.Status == http.StatusNotFound || said.Code == "document_not_found" {
		t.conclude(connectors.RetryLater, "deleted in Brevo meanwhile")
		return
	}
	t.conclude(connectors.Refused, said.Error())
}

// isAboutList reports whether a refusal names a list that is not there.
func isAboutList(err error) bool {
	said := refusal(err)
	return said != nil && strings.Contains(strings.ToLower(said.Message), "list") && strings.Contains(strings.ToLower(said.Message), "exist") &&
		!strings.Contains(strings.ToLower(said.Message), "contact")
}

func (d *destination) listGone(op string) error {
	d.forgetLists()
	return &connectors.Error{
		Kind: connectors.KindRetry, Op: op, Err: errors.New("a list of ours was deleted in Brevo meanwhile"),
		Remedy: "nothing to do: the next push makes it anew",
	}
}

// prove reads back one person for each attribute that this instance has not seen to arrive yet, because Brevo ignores
// what it does not like without a word. Whoever was to get an ignored one is not delivered.
func (d *destination) prove(ctx context.Context, tasks []*task) error {
	ignored := map[string]bool{}
	for _, t := range tasks {
		if t.outcome.State != connectors.Delivered || !t.final || !d.hasUnproven(t, ignored) {
			continue
		}
		c, known, err := d.api.one(ctx, strconv.FormatInt(t.contact.ID, 10), "contact_id")
		switch {
		case err != nil:
			return err
		case !known:
			t.conclude(connectors.RetryLater, "deleted in Brevo meanwhile")
			continue
		}
		d.compare(t, c, ignored)
	}
	if len(ignored) == 0 {
		return nil
	}
	d.forgetSchema() // somebody changed the attributes
	for _, t := range tasks {
		for name := range t.set {
			if ignored[name] && t.outcome.State == connectors.Delivered {
				t.conclude(connectors.RetryLater, "Brevo took the value of "+name+" and did not keep it")
				break
			}
		}
	}
	return nil
}

// hasUnproven reports whether a person was given an attribute of which nothing is known yet.
func (d *destination) hasUnproven(t *task, ignored map[string]bool) bool {
	d.mu.Lock()
	defer d.mu.Unlock()
	for name, value := range t.set {
		if value != "" && !d.proven[name] && !ignored[name] {
			return true
		}
	}
	return false
}

// compare holds what was written against what stands.
func (d *destination) compare(t *task, c contact, ignored map[string]bool) {
	d.mu.Lock()
	defer d.mu.Unlock()
	for name, value := range t.set {
		switch {
		case value == "":
		case textOf(c.Attributes[name]) == textOf(value):
			d.proven[name] = true
		default:
			ignored[name] = true
		}
	}
}

// move takes people off lists and puts them on lists, one request for each list and batch, leaving before joining.
func (d *destination) move(ctx context.Context, tasks []*task) error {
	for _, step := range []struct {
		action string
		lists  func(*task) []int64
	}{
		{"remove", func(t *task) []int64 { return t.leave }},
		{"add", func(t *task) []int64 { return t.join }},
	} {
		byList := map[int64][]*task{}
		for _, t := range tasks {
			for _, id := range step.lists(t) {
				byList[id] = append(byList[id], t)
			}
		}
		for _, id := range slices.Sorted(maps.Keys(byList)) {
			for chunk := range slices.Chunk(byList[id], min(d.set.Batch, largestMove)) {
				if err := d.moveTogether(ctx, step.action, id, chunk); err != nil {
					return err
				}
			}
		}
	}
	for _, t := range tasks {
		t.final = true
	}
	return nil
}

// moved is the answer to a change of a list.
type moved struct {
	Contacts struct {
		Success []any `json:"success"`
		Failure []any `json:"failure"`
	} `json:"contacts"`
}

// moveTogether changes one list. Who could not be moved "could be already in or out of the list, or doesn't exist", which
// Brevo does not tell apart, and where it holds for all it refuses the request; so they are looked at again.
func (d *destination) moveTogether(ctx context.Context, action string, id int64, tasks []*task) error {
	ids := make([]int64, len(tasks))
	for i, t := range tasks {
		ids[i] = t.contact.ID
	}
	answer, err := send[moved](ctx, d.api.contacts, httpapi.Request{
		Op: "list membership", Path: fmt.Sprintf("/contacts/lists/%d/contacts/%s", id, action), Idempotent: true,
	}, map[string][]int64{"ids": ids})
	confirmed := map[string]bool{}
	switch {
	case isAbout(err, http.StatusNotFound):
		return d.listGone("list membership")
	case isAbout(err, http.StatusBadRequest): // all of them failed
	case err != nil:
		return err
	}
	for _, value := range answer.Contacts.Success {
		confirmed[textOf(value)] = true
	}
	doubtful := slices.DeleteFunc(slices.Clone(tasks), func(t *task) bool { return confirmed[strconv.FormatInt(t.contact.ID, 10)] })
	return d.settle(ctx, action, id, doubtful)
}

// settle looks at people again of whom Brevo did not say that they were moved.
func (d *destination) settle(ctx context.Context, action string, id int64, tasks []*task) error {
	if len(tasks) == 0 {
		return nil
	}
	emails := make([]string, len(tasks))
	for i, t := range tasks {
		emails[i] = t.change.Person.Email
	}
	people, err := d.lookUp(ctx, emails)
	if err != nil {
		return err
	}
	for _, t := range tasks {
		c, known := people[t.change.Person.Email]
		if !known && action == "remove" || known && slices.Contains(c.Lists, id) == (action == "add") {
			continue
		}
		t.conclude(connectors.RetryLater, "Brevo did not change the list for this person")
	}
	return nil
}
