package webhook

import (
	"bytes"
	"encoding/json"
	"errors"
	"mime"
	"net/http"
	"strings"

	"github.com/perennial-cvo/perennial/connectors"
	"github.com/perennial-cvo/perennial/connectors/httpapi"
)

// classify says what an answer of 400 and above means. Nil leaves it to the rules that hold for every API: 429 and 5xx are
// tried again.
func classify(r httpapi.Response, harmless func(string) string) *connectors.Error {
	err := &connectors.Error{
		Kind: connectors.KindPermanent, Err: &httpapi.StatusError{Status: r.Status, Text: harmless(string(r.Body[:min(len(r.Body), 1000)]))},
	}
	switch r.Status {
	case http.StatusUnauthorized:
		err.Kind, err.Remedy = connectors.KindCredentials, "give the receiver the same secret as perennial.toml has, and let it sign what it checks as the convention says"
	case http.StatusForbidden:
		if isPage(r.Body) {
			return nil
		}
		err.Kind, err.Remedy = connectors.KindCredentials, "give the receiver the same secret as perennial.toml has, or let it accept requests from here"
	case http.StatusGone:
		err.Remedy = "the receiver wants no more messages: correct url, or take the destination out of perennial.toml; nothing is lost, everybody waits"
	case http.StatusNotFound, http.StatusMethodNotAllowed:
		err.Remedy = "correct url: nothing takes webhooks there"
	case http.StatusBadRequest:
		err.Remedy = "look into the receiver's log: it does not take the signature, in which case compare the secrets, or the form of the message"
	case http.StatusRequestEntityTooLarge:
		err.Remedy = "let the receiver take larger requests, or set batch to fewer people"
	case http.StatusUnprocessableEntity:
		err.Kind = connectors.KindRecord // somebody in it: the push halves it until it is known who
	default:
		return nil
	}
	return err
}

// acceptable refuses answers below 300 that no receiver gave: a page for people in place of it, and JSON that is cut, of
// which nobody knows whether it named somebody.
func acceptable(op string, answer httpapi.Response) error {
	switch body := bytes.TrimSpace(answer.Body); {
	case isPage(body):
		return &connectors.Error{
			Kind: connectors.KindRetry, Op: op, Err: errors.New("a page of HTML came where the receiver was due"),
			Remedy: "something between us and the receiver answers in its place, such as a sign-in page or a firewall: open the address in a browser",
		}
	case isJSON(answer) && len(body) > 0 && !json.Valid(body):
		return &connectors.Error{
			Kind: connectors.KindRetry, Op: op, Err: errors.New("the answer is broken JSON"),
			Remedy: "the same is sent again under the same ids; if it keeps happening, look into the receiver's log",
		}
	}
	return nil
}

// isPage reports whether a body is a page for people.
func isPage(body []byte) bool {
	start := strings.ToLower(string(bytes.TrimSpace(body[:min(len(body), 512)])))
	return strings.HasPrefix(start, "<!doctype html") || strings.HasPrefix(start, "<html")
}

func isJSON(answer httpapi.Response) bool {
	media, _, err := mime.ParseMediaType(answer.Header.Get("Content-Type"))
	return err == nil && (media == "application/json" || strings.HasSuffix(media, "+json"))
}

// refusedField is what an answer says under "refused", nothing where it is no object of JSON.
func refusedField(answer httpapi.Response) []byte {
	var body struct {
		Refused json.RawMessage `json:"refused"`
	}
	if !isJSON(answer) || json.Unmarshal(answer.Body, &body) != nil {
		return nil
	}
	return bytes.TrimSpace(body.Refused)
}

// refusals are the people whom an answer names as refused, with the receiver's words. An answer need not be JSON, and
// whatever else stands in it is the receiver's own.
func (d *destination) refusals(answer httpapi.Response) (map[string]string, error) {
	said := refusedField(answer)
	if !bytes.HasPrefix(said, []byte("[")) {
		return nil, nil
	}
	var list []struct {
		Person json.RawMessage `json:"person"`
		Reason string          `json:"reason"`
	}
	if err := json.Unmarshal(said, &list); err != nil {
		return nil, &connectors.Error{
			Kind: connectors.KindPermanent, Op: "refused people in the answer", Err: errors.New("they are not written as agreed"),
			Remedy: `let the receiver answer {"refused": [{"person": "17", "reason": "..."}]}`,
		}
	}
	refused := map[string]string{}
	for _, r := range list {
		words := d.client.Harmless(r.Reason)
		if words == "" {
			words = "refused by the receiver without a reason"
		}
		refused[keyOf(r.Person)] = words
	}
	return refused, nil
}
