package listmonk

import (
	"context"
	"maps"
	"net/http"
	"strings"

	"golang.org/x/sync/errgroup"

	"github.com/perennial-cvo/perennial/connectors"
	"github.com/perennial-cvo/perennial/connectors/httpapi"
)

// createPeople creates those who are missing, without lists and without a status: lists given here could send opt-in
// mails.
func (d *destination) createPeople(ctx context.Context, tasks []*task) error {
	lists, err := d.knownLists(ctx)
	if err != nil {
		return err
	}
	group, ctx := errgroup.WithContext(ctx)
	group.SetLimit(connections)
	for _, t := range tasks {
		if t.create {
			group.Go(func() error { return d.createPerson(ctx, t, lists) })
		}
	}
	return group.Wait()
}

func (d *destination) createPerson(ctx context.Context, t *task, lists map[string]list) error {
	body := map[string]any{"email": t.change.Person.Email}
	if attribs := d.first(t); attribs != nil {
		body["attribs"] = attribs
	}
	if name := nameOf(t.change.Person); name != "" {
		body["name"] = name
	}
	made, err := write[person](ctx, d.api, httpapi.Request{
		Op: "new subscriber", Method: http.MethodPost, Path: "/api/subscribers", Idempotent: true,
	}, body)
	switch said := refusal(err); {
	case err == nil:
		t.id, t.object, t.outcome.RemoteID = made.ID, nil, made.remoteID()
	case said != nil && said.Status == http.StatusConflict:
		return d.planAgain(ctx, t, lists)
	case said != nil && isAboutRecord(err):
		t.conclude(connectors.Refused, said.Error())
		return nil
	}
	return err
}

// first are the attributes of somebody whom we create. They are marked as that, unless nothing is to be written there.
func (d *destination) first(t *task) map[string]any {
	if d.extent == connectors.OnlyLists {
		return nil
	}
	object := map[string]any{createdMark: true}
	maps.Copy(object, t.object)
	return map[string]any{d.prefix: object}
}

func nameOf(who connectors.Person) string {
	return withoutNUL(strings.TrimSpace(who.FirstName + " " + who.LastName))
}

// planAgain looks somebody up again who was not there a moment ago and is now.
func (d *destination) planAgain(ctx context.Context, t *task, lists map[string]list) error {
	people, err := d.lookUp(ctx, []connectors.Person{t.change.Person})
	if err != nil {
		return err
	}
	if _, known := people.of(t.change.Person); !known {
		t.conclude(connectors.RetryLater, "listmonk says that the address exists and does not find it")
		return nil
	}
	return d.plan(t, people, lists)
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

// lookAgain plans anew for those who change lists, where writing took its time: whoever pressed "unsubscribe" meanwhile
// keeps the row that says so and joins nothing. Of somebody withheld only now, the attributes just written are taken back,
// because nobody would remember them.
func (d *destination) lookAgain(ctx context.Context, tasks []*task) error {
	var movers []*task
	var who []connectors.Person
	for _, t := range tasks {
		if !t.final && !t.create && len(t.join)+len(t.leave) > 0 {
			movers, who = append(movers, t), append(who, t.change.Person)
		}
	}
	if len(movers) == 0 {
		return nil
	}
	people, err := d.lookUp(ctx, who)
	if err != nil {
		return err
	}
	lists, err := d.knownLists(ctx)
	if err != nil {
		return err
	}
	var rewrites []*task
	for _, t := range movers {
		p, known := people.of(t.change.Person)
		wrote := t.object != nil
		switch err := d.plan(t, people, lists); {
		case err != nil:
			return err
		case !known:
			t.conclude(connectors.RetryLater, "deleted in listmonk meanwhile")
		case t.outcome.State == connectors.Withheld && wrote && d.isMarked(p):
			rewrites = append(rewrites, &task{id: p.ID, object: d.bare(p)})
		case t.outcome.State == connectors.Unchanged:
			t.outcome.State = connectors.Delivered // by us, or by somebody else a moment before
		case t.object != nil:
			rewrites = append(rewrites, t) // somebody else wrote there meanwhile
		}
	}
	return d.writeAttributes(ctx, rewrites)
}
