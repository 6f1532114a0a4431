package brevo

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"slices"
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

// update writes attributes and lists of people who are there, many in one request. It says nothing of whether all of it stands.
func (d *destination) update(ctx context.Context, tasks []*task) error {
	group, sending := errgroup.WithContext(ctx)
	group.SetLimit(d.set.connections())
	for chunk := range slices.Chunk(tasks, d.set.Batch) {
		group.Go(func() error { return d.updateTogether(sending, chunk) })
	}
	return group.Wait()
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
	switch {
	case said.Status == http.StatusNotFound || said.Code == "document_not_found":
		t.conclude(connectors.RetryLater, "deleted in Brevo meanwhile")
	case t.outcome.State == connectors.Withheld: // they could not be taken off
		t.conclude(connectors.RetryLater, said.Error())
	default:
		t.conclude(connectors.Refused, said.Error())
	}
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

// steps are the changes of lists, leaving before joining.
var steps = []struct {
	action string
	lists  func(*task) []int64
}{
	{"remove", func(t *task) []int64 { return t.leave }},
	{"add", func(t *task) []int64 { return t.join }},
}

// byList sorts people by the lists that they join or leave.
func byList(tasks []*task, lists func(*task) []int64) map[int64][]*task {
	all := map[int64][]*task{}
	for _, t := range tasks {
		for _, id := range lists(t) {
			all[id] = append(all[id], t)
		}
	}
	return all
}

// largest is how many people one change of a list holds.
func (d *destination) largest() int { return min(d.set.Batch, largestMove) }

// moving is how many requests a move takes.
func (d *destination) moving(tasks []*task) int {
	requests := 0
	for _, step := range steps {
		for _, people := range byList(tasks, step.lists) {
			requests += (len(people) + d.largest() - 1) / d.largest()
		}
	}
	return requests
}

// move takes people off lists and puts them on lists, one request for each list and batch. Whether it did is not told by
// the answers: who could not be moved "could be already in or out of the list, or doesn't exist", and where that holds for
// all Brevo refuses the request. So everybody is looked at again.
func (d *destination) move(ctx context.Context, tasks []*task) error {
	for _, step := range steps {
		group, sending := errgroup.WithContext(ctx)
		group.SetLimit(d.set.connections())
		for id, people := range byList(tasks, step.lists) {
			for chunk := range slices.Chunk(people, d.largest()) {
				group.Go(func() error { return d.moveTogether(sending, step.action, id, chunk) })
			}
		}
		if err := group.Wait(); err != nil {
			return err
		}
	}
	for _, t := range tasks {
		t.final = true
	}
	return nil
}

// moveTogether changes one list.
func (d *destination) moveTogether(ctx context.Context, action string, id int64, tasks []*task) error {
	ids := make([]int64, len(tasks))
	for i, t := range tasks {
		ids[i] = t.contact.ID
	}
	_, err := send[struct{}](ctx, d.api.contacts, httpapi.Request{
		Op: "list membership", Path: fmt.Sprintf("/contacts/lists/%d/contacts/%s", id, action), Idempotent: true,
	}, map[string][]int64{"ids": ids})
	switch {
	case isAbout(err, http.StatusNotFound):
		return d.listGone("list membership")
	case isAbout(err, http.StatusBadRequest): // all were where they were to be, or do not exist
		return nil
	}
	return err
}
