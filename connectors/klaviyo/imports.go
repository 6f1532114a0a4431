package klaviyo

import (
	"context"
	"encoding/json"
	"net/http"
	"slices"
	"time"

	"github.com/perennial-cvo/perennial/connectors"
)

const (
	// importSize is how many bytes of people one import holds; Klaviyo takes 5 MB in all.
	importSize = 4_800_000
	// personSize is how many bytes Klaviyo takes of one person.
	personSize = 100_000
	// profilesAt is how Klaviyo's pointers to people in an import begin.
	profilesAt = "/data/attributes/profiles/data/"
)

// imported is the job of Klaviyo that works an import through.
type imported struct {
	ID         string `json:"id"`
	Attributes struct {
		Status    string    `json:"status"`
		Total     int       `json:"total_count"`
		Completed int       `json:"completed_count"`
		Failed    int       `json:"failed_count"`
		Created   time.Time `json:"created_at"`
	} `json:"attributes"`
}

// record is one person as an import has them.
func (t *task) record() (json.RawMessage, error) {
	attributes := map[string]any{"email": t.change.Person.Email}
	if t.id == "" {
		if name := t.change.Person.FirstName; name != "" {
			attributes["first_name"] = name
		}
		if name := t.change.Person.LastName; name != "" {
			attributes["last_name"] = name
		}
	}
	if len(t.set) > 0 {
		attributes["properties"] = t.set
	}
	one := map[string]any{"type": "profile", "attributes": attributes}
	if len(t.unset) > 0 { // a null would be passed over
		one["meta"] = map[string]any{"patch_properties": map[string]any{"unset": t.unset}}
	}
	return json.Marshal(one)
}

// startImports hands over whoever has something to write, in as many imports as number and size demand, and returns the
// job that stands for all of them; read is before their consent was. Where a later import cannot be handed over, its people are tried again next time, for
// the earlier ones are at work already.
func (d *destination) startImports(ctx context.Context, read time.Time, tasks []*task) (connectors.Job, time.Time, error) {
	j := job{Version: jobVersion, Read: read}
	var batch []*task
	var records []json.RawMessage
	size := 0
	flush := func() error {
		err := d.startImport(ctx, &j, batch, records)
		if err != nil && len(j.Imports) > 0 && ctx.Err() == nil {
			for _, t := range batch {
				if !t.final && !j.has(t) {
					t.conclude(connectors.RetryLater, "Klaviyo did not take the import: "+d.api.client.Harmless(err.Error()))
				}
			}
			err = nil
		}
		batch, records, size = nil, nil, 0
		return err
	}
	for _, t := range tasks {
		if !t.write {
			continue
		}
		record, err := t.record()
		if err != nil || len(record) > personSize {
			t.conclude(connectors.Refused, "the attributes are larger than Klaviyo takes")
			continue
		}
		if len(batch) == d.batch || size+len(record)+1 > importSize {
			if err := flush(); err != nil {
				return "", time.Time{}, err
			}
		}
		batch, records, size = append(batch, t), append(records, record), size+len(record)+1
	}
	if err := flush(); err != nil || len(j.People) == 0 {
		return "", time.Time{}, err
	}
	j.Started = d.now().UTC()
	text, err := j.text()
	return text, d.now().Add(d.times.poll), err
}

// startImport hands over one import. Klaviyo takes all of it or nothing: whom it points at is left out and the rest tried
// once more; if that fails too, or it points at nobody, the halves are tried by themselves.
func (d *destination) startImport(ctx context.Context, j *job, tasks []*task, records []json.RawMessage) error {
	if len(tasks) == 0 {
		return nil
	}
	err := d.sendImport(ctx, j, tasks, records)
	if !saysStatus(err, http.StatusBadRequest) {
		return err
	}
	if bad := pointed(refusal(err), profilesAt, len(tasks)); len(bad) > 0 {
		for place, words := range bad {
			tasks[place].conclude(connectors.Refused, words)
		}
		left := make([]json.RawMessage, 0, len(records))
		for i, r := range records {
			if _, out := bad[i]; !out {
				left = append(left, r)
			}
		}
		tasks, records = without(tasks, bad), left
		if len(tasks) == 0 {
			return nil
		}
		if err = d.sendImport(ctx, j, tasks, records); !saysStatus(err, http.StatusBadRequest) {
			return err
		}
	}
	if len(tasks) == 1 {
		tasks[0].conclude(connectors.Refused, refusal(err).Error())
		return nil
	}
	half := len(tasks) / 2
	if err := d.startImport(ctx, j, tasks[:half], records[:half]); err != nil {
		return err
	}
	return d.startImport(ctx, j, tasks[half:], records[half:])
}

// sendImport hands people over and notes them in the job.
func (d *destination) sendImport(ctx context.Context, j *job, tasks []*task, records []json.RawMessage) error {
	body := map[string]any{
		"type": "profile-bulk-import-job", "attributes": map[string]any{"profiles": map[string]any{"data": records}},
	}
	begun, err := ask[imported](ctx, d.api, call{
		op: "profile import", to: startImport, method: http.MethodPost, path: "/api/profile-bulk-import-jobs", body: body,
	})
	if err != nil {
		return err
	}
	j.Imports = append(j.Imports, begun.Data.ID)
	for _, t := range tasks {
		j.People = append(j.People, j.entry(t))
	}
	return nil
}

// entry is what a job keeps of a person: no address, but what it takes to find them again.
func (j *job) entry(t *task) entry {
	e := entry{Person: t.change.Person.ID, Profile: t.id, Want: digest(t.want), Said: t.change.Consent, News: t.news}
	e.Address = short(t.change.Person.Email)
	e.Join, e.Leave = j.places(t.join), j.places(t.leave)
	return e
}

// places returns where lists stand among those of the job, which takes up those it does not have yet.
func (j *job) places(lists []string) []int {
	var places []int
	for _, id := range lists {
		at := slices.Index(j.Lists, id)
		if at < 0 {
			at, j.Lists = len(j.Lists), append(j.Lists, id)
		}
		places = append(places, at)
	}
	return places
}
