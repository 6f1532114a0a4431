package woocommerce

import (
	"context"
	"errors"
	"html"
	"net/http"
	"strings"

	"github.com/goccy/go-json"

	"github.com/perennial-cvo/perennial/connectors"
	"github.com/perennial-cvo/perennial/connectors/httpapi"
)

const (
	firstBatch = 25  // customers in the first batch
	mostBatch  = 100 // what WooCommerce takes
)

// Apply writes the people's meta in batches, 25 at first and up to 100 while all goes well. Every item is checked before
// it is sent and confirmed by what the shop gives back.
func (d *destination) Apply(ctx context.Context, changes []connectors.Change) (connectors.Result, error) {
	var result connectors.Result
	items := make([]item, 0, len(changes))
	for _, c := range changes {
		it, said := d.itemFor(c)
		if said != nil {
			result.Outcomes = append(result.Outcomes, *said)
			continue
		}
		items = append(items, it)
	}
	for len(items) > 0 {
		n := distinct(items, d.size)
		outcomes, err := d.send(ctx, items[:n])
		result.Outcomes = append(result.Outcomes, outcomes...)
		if err != nil {
			return result, err
		}
		items = items[n:]
	}
	return result, nil
}

// distinct returns how many of the first items, up to most, have different customers.
func distinct(items []item, most int) int {
	seen := map[int64]bool{}
	for i, it := range items {
		if i == most || seen[it.ID] {
			return i
		}
		seen[it.ID] = true
	}
	return len(items)
}

// send writes one batch. Where the shop fails over it, both halves are tried alone, down to the one customer over whom
// it fails; that one is tried again in the next push.
func (d *destination) send(ctx context.Context, items []item) ([]connectors.Outcome, error) {
	body, err := json.Marshal(map[string][]item{"update": items})
	if err != nil {
		return nil, &connectors.Error{Kind: connectors.KindPermanent, Op: "customers batch", Err: err}
	}
	answer, err := d.post(ctx, body)
	if err == nil {
		d.size = min(d.size*2, mostBatch)
		return d.confirm(items, answer)
	}
	status, _ := codeOf(err)
	tooLarge := status == http.StatusRequestEntityTooLarge
	if !errors.Is(err, httpapi.ErrHeavy) && !tooLarge {
		return nil, err
	}
	d.size = max(1, len(items)/2)
	if len(items) == 1 {
		if status == http.StatusInternalServerError {
			return []connectors.Outcome{outcome(items[0], connectors.RetryLater, "the shop fails over this customer")}, nil
		}
		return nil, err
	}
	first, err := d.send(ctx, items[:len(items)/2])
	if err != nil {
		return first, err
	}
	second, err := d.send(ctx, items[len(items)/2:])
	return append(first, second...), err
}

// wcItemAnswer is a customer as written, or what was wrong with the item.
type wcItemAnswer struct {
	ID    ident `json:"id"`
	Meta  metas `json:"meta_data"`
	Error *struct {
		Code    text `json:"code"`
		Message text `json:"message"`
		Data    object[struct {
			Status ident `json:"status"`
		}] `json:"data"`
	} `json:"error"`
}

// confirm finds each item's answer. What is not confirmed is tried again in the next push.
func (d *destination) confirm(items []item, answer httpapi.Response) ([]connectors.Outcome, error) {
	var batch batchAnswer
	if err := json.Unmarshal(answer.Body, &batch); err != nil {
		return nil, &connectors.Error{Kind: connectors.KindRetry, Op: "customers batch", Err: errors.New("the answer has an unknown shape")}
	}
	answers := make([]wcItemAnswer, len(batch.Update))
	byID := map[int64]*wcItemAnswer{}
	for i, raw := range batch.Update {
		if json.Unmarshal(raw, &answers[i]) == nil && answers[i].ID != 0 {
			byID[int64(answers[i].ID)] = &answers[i]
		}
	}
	outcomes := make([]connectors.Outcome, len(items))
	for i, it := range items {
		got := byID[it.ID]
		if got == nil && len(answers) == len(items) && answers[i].ID == 0 && answers[i].Error != nil {
			got = &answers[i] // an item that failed may come without its id
		}
		outcomes[i] = d.judgeItem(it, got)
	}
	return outcomes, nil
}

func (d *destination) judgeItem(it item, got *wcItemAnswer) connectors.Outcome {
	switch {
	case got == nil:
		return outcome(it, connectors.RetryLater, "the shop did not confirm")
	case got.Error != nil:
		return d.judgeError(it, got)
	}
	for _, w := range it.Meta {
		value, there := got.Meta.get(w.Key)
		kept := there && w.Value != nil && (value == *w.Value || html.UnescapeString(value) == *w.Value)
		if w.Value == nil && there || w.Value != nil && !kept {
			return outcome(it, connectors.Refused, "the shop took the request but did not keep field "+w.Key)
		}
	}
	return outcome(it, connectors.Delivered, "")
}

func (d *destination) judgeError(it item, got *wcItemAnswer) connectors.Outcome {
	code, status := d.http.Harmless(string(got.Error.Code)), int64(got.Error.Data.V.Status)
	switch {
	case strings.HasSuffix(code, "invalid_id"):
		return outcome(it, connectors.Withheld, connectors.ReasonNotThere)
	case status >= 500 || status == http.StatusTooManyRequests:
		return outcome(it, connectors.RetryLater, code)
	default:
		return outcome(it, connectors.Refused, code+": "+d.http.Harmless(plain(string(got.Error.Message))))
	}
}

func outcome(it item, state connectors.OutcomeState, reason string) connectors.Outcome {
	return connectors.Outcome{PersonID: it.person, State: state, RemoteID: ident(it.ID).String(), Reason: reason}
}
