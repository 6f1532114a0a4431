package klaviyo

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"maps"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/perennial-cvo/perennial/connectors"
)

const (
	largestEventBatch = 1_000     // events in one request
	eventsSize        = 4_800_000 // bytes of events in one request; Klaviyo takes 5 MB in all
	// eventsAt is how Klaviyo's pointers to events in a request begin.
	eventsAt = "/data/attributes/events-bulk-create/data/"
)

// news is what there is to tell of one person, with all it takes to do so in another process.
type news struct {
	Audiences  []told            `json:"a"`
	Since      time.Time         `json:"t"`
	Attributes map[string]string `json:"v,omitempty"`
}

// told is an audience that the person entered, or left.
type told struct {
	Key  string `json:"k"`
	Name string `json:"n,omitempty"`
	Left bool   `json:"x,omitempty"`
}

// newsOf returns what there is to tell of a change, or nil. Flows mail people for their events, so nothing is told of
// anybody whom the gate would not let into an audience, nor of who is not there and is not to come.
func (d *destination) newsOf(c connectors.Change, p *profile) *news {
	absent := p == nil && len(c.Audiences)+len(c.Attributes) == 0
	if !d.events || len(c.Entered)+len(c.Left) == 0 || absent || d.gate(p, c) != "" {
		return nil
	}
	d.mu.Lock()
	defer d.mu.Unlock()
	n := &news{Since: c.Since, Attributes: c.Attributes}
	for _, key := range c.Entered {
		n.Audiences = append(n.Audiences, told{Key: key, Name: d.names[key]})
	}
	for _, key := range c.Left {
		n.Audiences = append(n.Audiences, told{Key: key, Name: d.names[key], Left: true})
	}
	return n
}

// way says in the name of a metric, and in that of an event, which way somebody went.
func (a told) way() string {
	if a.Left {
		return "left"
	}
	return "entered"
}

// event is one event as it is sent. The profile is named by its id alone: an address would make one where there is none.
func (d *destination) event(t *task, a told) (json.RawMessage, error) {
	properties := map[string]any{"audience": a.Key, "audience_name": a.Name}
	for key, value := range t.news.Attributes {
		properties[d.mark()+key] = value
	}
	attributes := map[string]any{
		"properties": properties, "unique_id": d.eventID(t, a),
		"metric": map[string]any{"data": map[string]any{"type": "metric", "attributes": map[string]any{"name": d.metric(a)}}},
	}
	if since := t.news.Since; !since.IsZero() {
		properties["day"] = since.Format(time.DateOnly)
		attributes["time"] = since.UTC().Truncate(time.Second).Format(time.RFC3339)
	}
	return json.Marshal(map[string]any{"type": "event-bulk-create", "attributes": map[string]any{
		"profile": map[string]any{"data": map[string]any{"type": "profile", "id": t.id, "attributes": map[string]any{}}},
		"events":  map[string]any{"data": []any{map[string]any{"type": "event", "attributes": attributes}}},
	}})
}

func (d *destination) metric(a told) string { return d.prefix + ": " + a.way() + " audience" }

// eventID names an event by what it tells, so that at every try it is the same one. Klaviyo keeps one event of a profile,
// metric and name; without names it would keep one a second.
func (d *destination) eventID(t *task, a told) string {
	sum := sha256.Sum256([]byte(strings.Join([]string{
		d.prefix, d.store, strconv.FormatInt(t.outcome.PersonID, 10), a.Key, a.way(), strconv.FormatInt(t.news.Since.Unix(), 10),
	}, "\x00")))
	return hex.EncodeToString(sum[:16])
}

// tell sends the events of everybody who was confirmed, in as many requests as number and size demand. It goes before
// the answer, so that whoever is answered for was told of; where it fails, the same events are sent with the next try.
func (d *destination) tell(ctx context.Context, tasks []*task) error {
	var batch []json.RawMessage
	size := 0
	flush := func() error {
		err := d.sendEvents(ctx, batch)
		batch, size = nil, 0
		return err
	}
	for _, t := range tasks {
		if t.news == nil || t.outcome.State != connectors.Delivered && t.outcome.State != connectors.Unchanged {
			continue
		}
		for _, a := range t.news.Audiences {
			event, err := d.event(t, a)
			if err != nil {
				return fmt.Errorf("event: %w", err)
			}
			if len(batch) == d.eventBatch || size+len(event)+1 > eventsSize {
				if err := flush(); err != nil {
					return err
				}
			}
			batch, size = append(batch, event), size+len(event)+1
		}
	}
	return flush()
}

// sendEvents sends one request. Klaviyo takes all of it or nothing: events that it points at are left out and the rest is
// sent again, and where it points at none the halves are sent by themselves until that one is found. It refuses events
// that it has already, which is how a request ends that is sent again because its answer was lost.
func (d *destination) sendEvents(ctx context.Context, events []json.RawMessage) error {
	if len(events) == 0 {
		return nil
	}
	body := map[string]any{
		"type": "event-bulk-create-job", "attributes": map[string]any{"events-bulk-create": map[string]any{"data": events}},
	}
	err := d.api.send(ctx, call{op: "events", to: createEvents, method: http.MethodPost, path: "/api/event-bulk-create-jobs", body: body})
	if !saysStatus(err, http.StatusBadRequest) && !saysStatus(err, http.StatusConflict) {
		return err
	}
	if bad := pointed(refusal(err), eventsAt, len(events)); len(bad) > 0 {
		for _, place := range slices.Sorted(maps.Keys(bad)) {
			d.noteRefusal(ctx, bad[place])
		}
		var rest []json.RawMessage
		for i, event := range events {
			if _, out := bad[i]; !out {
				rest = append(rest, event)
			}
		}
		return d.sendEvents(ctx, rest)
	}
	if len(events) == 1 {
		d.noteRefusal(ctx, refusal(err).Error())
		return nil
	}
	half := len(events) / 2
	if err := d.sendEvents(ctx, events[:half]); err != nil {
		return err
	}
	return d.sendEvents(ctx, events[half:])
}

// noteRefusal logs that Klaviyo did not take an event, unless it has it already. The person is as they shall be all the
// same, and is not sent again for that.
func (d *destination) noteRefusal(ctx context.Context, words string) {
	if !strings.Contains(words, "unique_id") {
		d.log.WarnContext(ctx, "event refused by Klaviyo", "reason", words)
	}
}
