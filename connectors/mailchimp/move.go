package mailchimp

import (
	"cmp"
	"context"
	"errors"
	"maps"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"sync"

	"golang.org/x/sync/errgroup"

	"github.com/perennial-cvo/perennial/connectors"
	"github.com/perennial-cvo/perennial/connectors/commerce"
	"github.com/perennial-cvo/perennial/connectors/httpapi"
)

// crowd are those who join and those who leave one tag.
type crowd struct{ join, leave []*task }

// mover changes tags, several at a time. One person may be in many changes.
type mover struct {
	*destination
	tasks sync.Mutex // held while a task is changed
}

// moveAll changes tags, whole crowds at a time. People who are yet to be stored join later. Whoever turns out to have
// unsubscribed meanwhile is taken out again.
func (d *destination) moveAll(ctx context.Context, tasks []*task) error {
	for range 2 {
		crowds := crowdsOf(tasks)
		if len(crowds) == 0 {
			return nil
		}
		if err := d.moveCrowds(ctx, crowds); err != nil {
			return err
		}
	}
	return nil
}

func (d *destination) moveCrowds(ctx context.Context, crowds map[int]*crowd) error {
	m := &mover{destination: d}
	group, ctx := errgroup.WithContext(ctx)
	group.SetLimit(d.set.Connections)
	for _, id := range slices.Sorted(maps.Keys(crowds)) {
		for c := *crowds[id]; len(c.join)+len(c.leave) > 0; {
			joining, leaving := min(d.set.TagBatch, len(c.join)), min(d.set.TagBatch, len(c.leave))
			part := crowd{c.join[:joining], c.leave[:leaving]}
			group.Go(func() error { return m.move(ctx, id, part) })
			c = crowd{c.join[joining:], c.leave[leaving:]}
		}
	}
	return group.Wait()
}

// crowdsOf sorts people by the tags that they join and leave.
func crowdsOf(tasks []*task) map[int]*crowd {
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
	return crowds
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
func (m *mover) move(ctx context.Context, id int, c crowd) error {
	body := map[string][]string{}
	for _, t := range c.join {
		body["members_to_add"] = append(body["members_to_add"], t.email())
	}
	for _, t := range c.leave {
		body["members_to_remove"] = append(body["members_to_remove"], t.email())
	}
	request := httpapi.Request{Op: "tag change", Method: http.MethodPost, Path: m.path("segments", strconv.Itoa(id)), Idempotent: true}
	answer, err := ask[moved](ctx, m.api, request, body)
	said := refusal(err)
	switch {
	case err == nil:
		return m.settle(ctx, id, c, answer)
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
	return m.halve(ctx, id, c, said)
}

// halve sends a refused change in two, or gives up on the one person in it.
func (m *mover) halve(ctx context.Context, id int, c crowd, said *apiError) error {
	parts := []crowd{{join: c.join}, {leave: c.leave}}
	switch {
	case len(c.join) > 0 && len(c.leave) > 0:
	case len(c.join) > 1:
		parts = []crowd{{join: c.join[:len(c.join)/2]}, {join: c.join[len(c.join)/2:]}}
	case len(c.leave) > 1:
		parts = []crowd{{leave: c.leave[:len(c.leave)/2]}, {leave: c.leave[len(c.leave)/2:]}}
	default:
		m.tasks.Lock()
		defer m.tasks.Unlock()
		for _, t := range slices.Concat(c.join, c.leave) {
			t.moved(id, len(c.join) > 0)
			t.doubt(connectors.Refused, said.Error())
		}
		return nil
	}
	for _, part := range parts {
		if err := m.move(ctx, id, part); err != nil {
			return err
		}
	}
	return nil
}

// settle notes who joined and left. About whoever is named among the errors, as those are who were not on the list, or is
// named nowhere, as after a change that was sent twice, Mailchimp is asked once more.
func (m *mover) settle(ctx context.Context, id int, c crowd, answer moved) error {
	why, confirmed, out := map[string]string{}, map[string]bool{}, map[string]string{}
	for _, p := range append(answer.Added, answer.Removed...) {
		confirmed[commerce.Email(p.Email)] = true
		out[commerce.Email(p.Email)] = m.gate(p, true, agreed)
	}
	for _, e := range answer.Errors {
		for _, email := range e.Emails {
			why[commerce.Email(email)] = m.client.Harmless(e.Error)
			confirmed[commerce.Email(email)] = false
		}
	}
	var emails []string
	for _, t := range slices.Concat(c.join, c.leave) {
		if !confirmed[t.email()] {
			emails = append(emails, t.email())
		}
	}
	people, err := m.lookUp(ctx, emails)
	if err != nil {
		return err
	}
	m.tasks.Lock()
	defer m.tasks.Unlock()
	for _, t := range c.join {
		t.moved(id, true)
		if no := out[t.email()]; no != "" && !t.final {
			t.conclude(connectors.Withheld, no)
			t.leave = slices.Compact(slices.Sorted(slices.Values(append(t.tags, id))))
		}
		t.settle(confirmed[t.email()] || people[t.email()].has(id), why[t.email()])
	}
	for _, t := range c.leave {
		t.moved(id, false)
		t.settle(confirmed[t.email()] || !people[t.email()].has(id), why[t.email()])
	}
	return nil
}

// settle notes that a change of a tag was answered. Where it is not as it should be, the next push looks at the person anew.
func (t *task) settle(right bool, words string) {
	if !right {
		t.doubt(connectors.RetryLater, cmp.Or(words, "Mailchimp did not confirm the change of a tag"))
	}
}

// moved takes a tag off what is to be joined, or left.
func (t *task) moved(id int, joined bool) {
	is := func(other int) bool { return other == id }
	if joined {
		t.join = slices.DeleteFunc(t.join, is)
	} else {
		t.leave = slices.DeleteFunc(t.leave, is)
	}
}

// doubt concludes what is not settled otherwise.
func (t *task) doubt(state connectors.OutcomeState, reason string) {
	if !t.final {
		t.conclude(state, reason)
	}
}
