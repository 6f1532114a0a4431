package klaviyo

import (
	"context"
	"maps"
	"net/http"
	"net/url"
	"slices"
	"time"

	"github.com/perennial-cvo/perennial/connectors"
	"github.com/perennial-cvo/perennial/connectors/commerce"
)

// consentAge is how old what Klaviyo said of a person's consent may be when the person is put on a list.
const consentAge = 5 * time.Minute

// skew is by how much Klaviyo's clock may be behind ours.
const skew = 5 * time.Minute

// judge looks at the profiles of a job whose imports are over, and reports where it is too early to say. Only who shows
// the properties that were written may be moved and called delivered; see trusted for who is not looked at. The others are
// refused where Klaviyo has words for it, and left to the next push where it has none.
func (d *destination) judge(ctx context.Context, j job) (tasks []*task, early bool, err error) {
	early = j.Why == "" && d.now().Sub(j.Ended) < d.times.grace
	people, trusted, err := d.look(ctx, j)
	if err != nil {
		return nil, false, err
	}
	tasks = d.tasksOf(j, j.People, people, trusted)
	if !slices.ContainsFunc(tasks, (*task).isLater) {
		return tasks, false, nil
	}
	if early {
		return nil, true, nil
	}
	refusals, err := d.refusals(ctx, j.Over)
	if err != nil {
		return nil, false, err
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
	return tasks, false, nil
}

// hear asks once whom imports that are over did not write, where they count some, and notes Klaviyo's words. Of those whom
// it does not name by then it is asked again at the end.
func (d *destination) hear(ctx context.Context, j *job) error {
	if j.Failed == 0 || j.Heard {
		return nil
	}
	refusals, err := d.refusals(ctx, j.Over)
	if err != nil {
		return err
	}
	for i, e := range j.People {
		j.People[i].Refused = refusals[e.Address]
	}
	j.Heard = true
	return nil
}

// look reads profiles of a job: at first a sample as large as one look-up holds. Where that shows what was written,
// Klaviyo's own count says that everybody was, and everybody's consent was read just now, the rest is trusted, but for
// those who were suppressed since: they are asked for. Otherwise everybody is looked at.
func (d *destination) look(ctx context.Context, j job) (people map[string]*profile, trusted bool, err error) {
	sample := j.sample(lookUpBatch)
	people, err = d.peopleOf(ctx, j, sample)
	if err != nil || len(sample) == len(j.People) {
		return people, false, err
	}
	shows := !slices.ContainsFunc(d.tasksOf(j, sample, people, false), (*task).isLater)
	if shows && j.Why == "" && j.Written == len(j.People) && d.now().Sub(j.Read) < consentAge {
		return people, true, d.addSuppressed(ctx, j.Read.Add(-skew), people)
	}
	if !shows && j.Why == "" && d.now().Sub(j.Ended) < d.times.grace {
		return people, false, nil // those who are missing make it too early, as those do who do not show it
	}
	people, err = d.peopleOf(ctx, j, j.People)
	return people, false, err
}

// sample returns n people of a job who were there before, spread over all of it, and those whom the imports made: they
// have to be found in any case.
func (j job) sample(n int) []entry {
	known := 0
	for _, e := range j.People {
		if e.Profile != "" {
			known++
		}
	}
	if known <= n {
		return j.People
	}
	var some []entry
	at := 0
	for _, e := range j.People {
		switch {
		case e.Profile == "":
			some = append(some, e)
		case at*n/known != (at+1)*n/known:
			some = append(some, e)
			at++
		default:
			at++
		}
	}
	return some
}

// addSuppressed reads the profiles of everybody who was suppressed since a moment, which whoever unsubscribes is too.
func (d *destination) addSuppressed(ctx context.Context, since time.Time, people map[string]*profile) error {
	cursor := ""
	for {
		answer, err := d.leftPage(ctx, since, "", cursor)
		if err != nil {
			return err
		}
		for _, p := range answer.Data {
			people[short(commerce.Email(p.Attributes.Email))] = &p
		}
		if next := answer.next(); next == "" || next == cursor {
			return nil
		}
		cursor = answer.next()
	}
}

// isLater reports whether a person is left to the next push.
func (t *task) isLater() bool { return t.outcome.State == connectors.RetryLater }

// finish moves people between lists, sends events, and answers for everybody.
func (d *destination) finish(ctx context.Context, tasks []*task) ([]connectors.Outcome, error) {
	if err := d.move(ctx, tasks); err != nil {
		return nil, err
	}
	if err := d.tell(ctx, tasks); err != nil {
		return nil, err
	}
	outcomes := make([]connectors.Outcome, len(tasks))
	for i, t := range tasks {
		outcomes[i] = t.outcome
	}
	return outcomes, nil
}

// tasksOf says what is left to do for people of a job. Who is trusted and was not looked at is as they shall be.
func (d *destination) tasksOf(j job, entries []entry, people map[string]*profile, trusted bool) []*task {
	tasks := make([]*task, len(entries))
	for i, e := range entries {
		p, read := people[e.Address]
		tasks[i] = j.taskOf(e)
		if read || !trusted {
			d.compare(tasks[i], e, p)
		}
	}
	return tasks
}

// taskOf is what is left to do for one person if everything was written.
func (j job) taskOf(e entry) *task {
	t := &task{id: e.Profile, news: e.News, outcome: connectors.Outcome{PersonID: e.Person, State: connectors.Delivered, RemoteID: e.Profile}}
	for _, place := range e.Leave {
		t.leave = append(t.leave, j.Lists[place])
	}
	for _, place := range e.Join {
		t.join = append(t.join, j.Lists[place])
	}
	return t
}

// compare holds a person against their profile. Whoever unsubscribed while the import was at work joins nothing and leaves
// what they were on.
func (d *destination) compare(t *task, e entry, p *profile) {
	if p != nil {
		t.id, t.outcome.RemoteID = p.ID, p.ID
	}
	if p == nil || digest(d.properties(*p)) != e.Want {
		t.leave = nil
		if e.Refused != "" {
			t.conclude(connectors.Refused, e.Refused)
			return
		}
		t.conclude(connectors.RetryLater, "")
		return
	}
	reason := d.gate(p, connectors.Change{Consent: e.Said})
	if reason != "" {
		t.news = nil
	}
	if reason != "" && (len(t.join) > 0 || d.attributesOnly() && len(d.audiencesOf(*p)) > 0) {
		t.leave = append(t.leave, t.join...)
		t.conclude(connectors.Withheld, reason)
	}
}

// peopleOf reads profiles of a job, by the digests of their addresses. Those who were there before are asked for by id;
// those whom the imports made are met by walking through what was imported.
func (d *destination) peopleOf(ctx context.Context, j job, entries []entry) (map[string]*profile, error) {
	people := map[string]*profile{}
	var ids []string
	for _, e := range entries {
		if e.Profile != "" {
			ids = append(ids, e.Profile)
		}
	}
	there, err := d.lookUp(ctx, "id", ids)
	if err != nil {
		return nil, err
	}
	for _, e := range entries {
		if p, ok := there.people[e.Profile]; ok {
			people[e.Address] = &p
		}
	}
	if len(ids) == len(entries) {
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
