package klaviyo

import (
	"context"
	"maps"
	"net/http"
	"net/url"
	"slices"

	"github.com/perennial-cvo/perennial/connectors"
	"github.com/perennial-cvo/perennial/connectors/commerce"
)

// judge looks at every profile of a job whose imports are over. What Klaviyo says of an import is not relied on: only who
// shows the properties that were written may be moved and called delivered. The others are refused where Klaviyo has
// words for it, and left to the next push where it has none.
func (d *destination) judge(ctx context.Context, j job) ([]*task, error) {
	people, err := d.peopleOf(ctx, j)
	if err != nil {
		return nil, err
	}
	tasks := make([]*task, len(j.People))
	for i, e := range j.People {
		tasks[i] = d.taskOf(j, e, people[e.Address])
	}
	if !slices.ContainsFunc(tasks, (*task).isLater) {
		return tasks, nil
	}
	refusals, err := d.refusals(ctx, j.Over)
	if err != nil {
		return nil, err
	}
	why := j.Why
	if why == "" {
		why = "the import is over and did not write this person"
	}
	for i, e := range j.People {
		if !tasks[i].isLater() {
			continue
		}
		tasks[i].outcome.Reason = why
		if words, refused := refusals[e.Address]; refused {
			tasks[i].conclude(connectors.Refused, words)
		}
	}
	return tasks, nil
}

// isLater reports whether a person is left to the next push.
func (t *task) isLater() bool { return t.outcome.State == connectors.RetryLater }

// finish moves people between lists and tells about everybody.
func (d *destination) finish(ctx context.Context, tasks []*task) ([]connectors.Outcome, error) {
	if err := d.move(ctx, tasks); err != nil {
		return nil, err
	}
	outcomes := make([]connectors.Outcome, len(tasks))
	for i, t := range tasks {
		outcomes[i] = t.outcome
	}
	return outcomes, nil
}

// taskOf says what is left to do for one person. Whoever unsubscribed while the import was at work joins nothing and
// leaves what they were on.
func (d *destination) taskOf(j job, e entry, p *profile) *task {
	t := &task{id: e.Profile, outcome: connectors.Outcome{PersonID: e.Person, State: connectors.Delivered, RemoteID: e.Profile}}
	for _, place := range e.Leave {
		t.leave = append(t.leave, j.Lists[place])
	}
	for _, place := range e.Join {
		t.join = append(t.join, j.Lists[place])
	}
	if p != nil {
		t.id, t.outcome.RemoteID = p.ID, p.ID
	}
	if p == nil || digest(d.properties(*p)) != e.Want {
		t.leave = nil
		t.conclude(connectors.RetryLater, "")
		return t
	}
	if len(t.join) > 0 || d.attributesOnly() && len(d.audiencesOf(*p)) > 0 {
		if reason := d.gate(p, e.Said); reason != "" {
			t.leave = append(t.leave, t.join...)
			t.conclude(connectors.Withheld, reason)
		}
	}
	return t
}

// peopleOf reads the profiles of a job, by the digests of their addresses. Those who were there before are asked for by
// id; those whom the imports made are met by walking through what was imported.
func (d *destination) peopleOf(ctx context.Context, j job) (map[string]*profile, error) {
	people := map[string]*profile{}
	var ids []string
	made := 0
	for _, e := range j.People {
		if e.Profile != "" {
			ids = append(ids, e.Profile)
		} else {
			made++
		}
	}
	there, err := d.lookUp(ctx, "id", ids)
	if err != nil {
		return nil, err
	}
	for _, e := range j.People {
		if p, ok := there.people[e.Profile]; ok {
			people[e.Address] = &p
		}
	}
	if made == 0 {
		return people, nil
	}
	for _, id := range j.Over {
		err := walk(ctx, d.api, call{op: "imported profiles", to: readImported, path: "/api/profile-bulk-import-jobs/" + id + "/profiles", query: profileQuery()},
			func(p profile) { people[short(commerce.Email(p.Attributes.Email))] = &p })
		if err != nil && !saysStatus(err, http.StatusNotFound) {
			return nil, err
		}
	}
	return people, nil
}

// importError is what went wrong with one person of an import.
type importError struct {
	Attributes struct {
		Detail  string `json:"detail"`
		Title   string `json:"title"`
		Payload any    `json:"original_payload"`
	} `json:"attributes"`
}

// refusals reads what Klaviyo says of people whom it did not import, by the digests of their addresses.
func (d *destination) refusals(ctx context.Context, imports []string) (map[string]string, error) {
	words := map[string]string{}
	for _, id := range imports {
		c := call{op: "import errors", to: readErrors, path: "/api/profile-bulk-import-jobs/" + id + "/import-errors", query: url.Values{"page[size]": {"100"}}}
		err := walk(ctx, d.api, c, func(e importError) {
			text := d.api.client.Harmless(e.Attributes.Detail)
			if text == "" {
				text = d.api.client.Harmless(e.Attributes.Title)
			}
			words[short(commerce.Email(addressIn(e.Attributes.Payload)))] = text
		})
		if err != nil && !saysStatus(err, http.StatusNotFound) {
			return nil, err
		}
	}
	return words, nil
}

// addressIn finds the address in what Klaviyo gives back of a person, however deep it stands there.
func addressIn(payload any) string {
	object, _ := payload.(map[string]any)
	if email, is := object["email"].(string); is {
		return email
	}
	for _, key := range slices.Sorted(maps.Keys(object)) {
		if email := addressIn(object[key]); email != "" {
			return email
		}
	}
	return ""
}

// walk reads all pages of something.
func walk[T any](ctx context.Context, a *api, c call, each func(T)) error {
	for {
		page, err := ask[[]T](ctx, a, c)
		if err != nil {
			return err
		}
		for _, item := range page.Data {
			each(item)
		}
		next := page.next()
		if next == "" || next == c.query.Get("page[cursor]") {
			return nil
		}
		c.query.Set("page[cursor]", next)
	}
}
