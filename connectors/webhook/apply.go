package webhook

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"time"

	"github.com/perennial-cvo/perennial/connectors"
	"github.com/perennial-cvo/perennial/connectors/commerce"
	"github.com/perennial-cvo/perennial/connectors/httpapi"
)

// task is one person to be sent, and what is to be said of them once the receiver took the request.
type task struct {
	item    item
	outcome connectors.Outcome
}

// Apply sends people in requests of a batch each. An answer below 300 means that all of a request were taken, but for those
// whom it names as refused.
func (d *destination) Apply(ctx context.Context, changes []connectors.Change) (connectors.Result, error) {
	result, rest := d.prepare(changes)
	for len(rest) > 0 {
		chunk := rest[:min(d.batchSize(), len(rest))]
		outcomes, err := d.deliver(ctx, chunk)
		switch {
		case isTooLarge(err) && len(chunk) > 1:
			d.shrink(len(chunk) / 2)
			continue
		case isTooLarge(err):
			outcomes = []connectors.Outcome{{PersonID: chunk[0].outcome.PersonID, State: connectors.Refused, Reason: err.Error()}}
		case err != nil:
			return result, err
		}
		result.Outcomes = append(result.Outcomes, outcomes...)
		rest = rest[len(chunk):]
	}
	return result, nil
}

// prepare says who is sent how, and who is not.
func (d *destination) prepare(changes []connectors.Change) (connectors.Result, []task) {
	var result connectors.Result
	var tasks []task
	for _, c := range changes {
		outcome := connectors.Outcome{PersonID: c.Person.ID, State: connectors.Delivered}
		reason := d.gate(c)
		if reason != "" {
			outcome.State, outcome.Reason = connectors.Withheld, reason
		}
		switch {
		case reason == "":
			tasks = append(tasks, task{item: d.staying(c), outcome: outcome})
		case reason != connectors.ReasonNoEmail && len(c.Leave) > 0:
			tasks = append(tasks, task{item: d.leaving(c), outcome: outcome})
		default:
			result.Outcomes = append(result.Outcomes, outcome)
		}
	}
	return result, tasks
}

// gate says why a person is not sent, or sent as leaving only; nothing where they may be sent.
func (d *destination) gate(c connectors.Change) string {
	wanted := len(c.Audiences)+len(c.Attributes) > 0
	switch {
	case c.Person.Email == "" && c.Person.CustomerID == "":
		return connectors.ReasonNoEmail
	case wanted && c.Consent == commerce.ConsentUnsubscribed:
		return connectors.ReasonUnsubscribed
	case wanted && c.Consent != commerce.ConsentSubscribed && !d.unknown:
		return connectors.ReasonNoConsent
	default:
		return ""
	}
}

// deliver sends one request and reads the answer.
func (d *destination) deliver(ctx context.Context, tasks []task) ([]connectors.Outcome, error) {
	items := make([]item, len(tasks))
	for i, t := range tasks {
		items[i] = t.item
	}
	m := message{Type: typePeople, Timestamp: newest(items, d.now()), Data: data{Prefix: d.prefix, Store: d.store, People: items}}
	answer, err := d.post(ctx, "people", m)
	if err != nil {
		return nil, err
	}
	refused, err := d.refusals(answer)
	if err != nil {
		return nil, err
	}
	outcomes := make([]connectors.Outcome, len(tasks))
	for i, t := range tasks {
		outcomes[i] = t.outcome
		if words, ok := refused[t.item.Person.ID]; ok {
			outcomes[i].State, outcomes[i].Reason = connectors.Refused, words
		}
	}
	return outcomes, nil
}

// post sends a message. Whatever becomes of the answer, it may be sent again: it has an id.
func (d *destination) post(ctx context.Context, op string, m message) (httpapi.Response, error) {
	m.Timestamp = m.Timestamp.UTC().Truncate(time.Second)
	body, err := json.Marshal(m)
	if err != nil {
		return httpapi.Response{}, fmt.Errorf("%s: %w", op, err)
	}
	answer, err := d.client.Do(ctx, httpapi.Request{
		Op: op, Method: http.MethodPost, Path: d.path, Query: d.query, Body: body, Raw: true, Idempotent: true,
		Header: http.Header{headerID: {digest("msg_", string(body))}},
	})
	if err != nil {
		return answer, err
	}
	return answer, acceptable(op, answer)
}

func (d *destination) batchSize() int {
	d.mu.Lock()
	defer d.mu.Unlock()
	return d.batch
}

// shrink notes that the receiver takes no larger requests.
func (d *destination) shrink(size int) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.batch = min(d.batch, size)
}

// isTooLarge reports whether the receiver, or a proxy before it, takes no body of this size.
func isTooLarge(err error) bool {
	var status *httpapi.StatusError
	return errors.As(err, &status) && status.Status == http.StatusRequestEntityTooLarge
}

// Erase tells the receiver to forget a person.
func (d *destination) Erase(ctx context.Context, person connectors.Person) (string, error) {
	if person.Email == "" && person.CustomerID == "" {
		return "the receiver can know nothing of somebody without an address and a customer number", nil
	}
	who := subjectOf(person)
	m := message{Type: typeErase, Timestamp: d.now(), Data: data{Prefix: d.prefix, Store: d.store, Person: &who}}
	answer, err := d.post(ctx, "erasure", m)
	if err != nil {
		return "", err
	}
	refused, err := d.refusals(answer)
	if err != nil {
		return "", err
	}
	if words, ok := refused[who.ID]; ok {
		return "", &connectors.Error{
			Kind: connectors.KindPermanent, Op: "erasure", Err: fmt.Errorf("the receiver refused: %s", words),
			Remedy: "erase the person at the receiver by hand, then run this again without the destination",
		}
	}
	return fmt.Sprintf("%s was told to erase the person and answered %d; what it keeps is in its hands", d.client.Host(), answer.Status), nil
}

// keyOf reads the id of a person in an answer, which is text, or a number where the receiver made one of it.
func keyOf(raw json.RawMessage) string {
	var text string
	if json.Unmarshal(raw, &text) == nil {
		return text
	}
	return string(raw)
}
