package listmonk

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"time"

	"github.com/perennial-cvo/perennial/connectors"
	"github.com/perennial-cvo/perennial/connectors/httpapi"
)

// The words of listmonk.
const (
	single       = "single"
	confirmed    = "confirmed"
	unsubscribed = "unsubscribed"
	enabled      = "enabled"
)

// list is a mailing list; within a person's lists it carries the person's subscription too.
type list struct {
	ID      int       `json:"id"`
	Name    string    `json:"name"`
	Type    string    `json:"type"`
	Optin   string    `json:"optin"`
	Tags    []string  `json:"tags"`
	Status  string    `json:"subscription_status"`
	Changed time.Time `json:"subscription_updated_at"`
}

// person is a subscriber.
type person struct {
	ID      int                        `json:"id"`
	UUID    string                     `json:"uuid"`
	Email   string                     `json:"email"`
	Status  string                     `json:"status"`
	Attribs map[string]json.RawMessage `json:"attribs"`
	Lists   []list                     `json:"lists"`
}

// apiError is a refusal in listmonk's own words. Status codes alone do not tell what is wrong: wrong keys are 403, missing
// records 400, and wrong values 500.
type apiError struct {
	Status  int
	Message string
}

// Error returns the words, or the status where there are none.
func (e *apiError) Error() string {
	if e.Message == "" {
		return fmt.Sprintf("status %d", e.Status)
	}
	return e.Message
}

// classify says what a refusal means, in words made harmless. Nil leaves an answer to the rules that hold for every API.
func classify(r httpapi.Response, harmless func(string) string) *connectors.Error {
	var body struct {
		Message string `json:"message"`
	}
	if r.JSON {
		_ = json.Unmarshal(r.Body, &body) // a refusal without a message is judged by its status
	}
	err := &connectors.Error{Kind: connectors.KindPermanent, Err: &apiError{Status: r.Status, Message: harmless(body.Message)}}
	switch {
	case r.Status == http.StatusForbidden && r.JSON:
		err.Kind = connectors.KindCredentials
		err.Remedy = "check username and token of the API user"
		if permission, denied := afterFold(harmless(body.Message), "permission denied: "); denied {
			err.Permission = permission
			err.Remedy = "grant " + permission + " to the API user's role under Admin > User roles"
		}
	case r.Status == http.StatusConflict:
		err.Kind = connectors.KindRecord
	case r.Status == http.StatusInternalServerError && isHopeless(body.Message):
	case r.Status == http.StatusBadRequest, r.Status == http.StatusRequestURITooLong, r.Status == http.StatusRequestHeaderFieldsTooLarge:
	case r.Status == http.StatusNotFound:
		err.Remedy = "check the address: there is no listmonk API under it"
	default:
		return nil
	}
	return err
}

// isHopeless reports whether the database refused the values, which it will do again, or the importer is busy, which is no
// reason to ask again at once.
func isHopeless(message string) bool {
	for _, text := range []string{"invalid input value", "violates foreign key", "invalid byte sequence", "unsupported Unicode escape", alreadyRunning} {
		if strings.Contains(message, text) {
			return true
		}
	}
	return false
}

// afterFold returns what stands behind the words, whatever their case.
func afterFold(text, words string) (string, bool) {
	at := strings.Index(strings.ToLower(text), words)
	if at < 0 {
		return "", false
	}
	return text[at+len(words):], true
}

// refusal returns what listmonk itself said, or nil where the failure is of another nature.
func refusal(err error) *apiError {
	var e *apiError
	if errors.As(err, &e) {
		return e
	}
	return nil
}

// isMissing reports whether a permission is missing, as opposed to a wrong token.
func isMissing(err error) bool {
	var e *connectors.Error
	return errors.As(err, &e) && e.Kind == connectors.KindCredentials && e.Permission != ""
}

func saysAny(err error, status int, text string) bool {
	e := refusal(err)
	return e != nil && e.Status == status && strings.Contains(e.Message, text)
}

// api speaks to listmonk.
type api struct{ client *httpapi.Client }

// ask makes one request and decodes the data of the answer.
func ask[T any](ctx context.Context, a *api, r httpapi.Request) (T, error) {
	var body struct {
		Data T `json:"data"`
	}
	answer, err := a.client.Do(ctx, r)
	if err != nil {
		return body.Data, err
	}
	if err := json.Unmarshal(answer.Body, &body); err != nil {
		return body.Data, &connectors.Error{
			Kind: connectors.KindRetry, Op: r.Op, Err: errors.New("the answer has another shape than listmonk's"),
			Remedy: "check the address: something else may answer under it",
		}
	}
	return body.Data, nil
}

// write makes one request with a body.
func write[T any](ctx context.Context, a *api, r httpapi.Request, body any) (T, error) {
	text, err := json.Marshal(body)
	if err != nil {
		var none T
		return none, fmt.Errorf("%s: %w", r.Op, err)
	}
	r.Body = text
	return ask[T](ctx, a, r)
}

type page[T any] struct {
	Results []T `json:"results"`
	Total   int `json:"total"`
}

func (a *api) health(ctx context.Context) error {
	_, err := ask[bool](ctx, a, httpapi.Request{Op: "health", Path: "/health", Unsigned: true})
	return err
}

// version returns what listmonk says of itself, or nothing: not every role is told.
func (a *api) version(ctx context.Context) string {
	config, err := ask[struct {
		Version string `json:"version"`
	}](ctx, a, httpapi.Request{Op: "version", Path: "/api/config"})
	if err != nil {
		return ""
	}
	return a.client.Harmless(config.Version)
}

func (a *api) countLists(ctx context.Context) (int, error) {
	p, err := ask[page[list]](ctx, a, httpapi.Request{Op: "lists", Path: "/api/lists", Query: url.Values{"per_page": {"1"}}})
	return p.Total, err
}

// expected turns the refusal that an empty request earns into success.
func expected(err error) error {
	if e := refusal(err); e != nil && e.Status == http.StatusBadRequest {
		return nil
	}
	return err
}

func (a *api) tryCreateList(ctx context.Context) error {
	_, err := write[any](ctx, a, httpapi.Request{Op: "list permission", Method: http.MethodPost, Path: "/api/lists"}, map[string]string{"name": ""})
	return expected(err)
}

func (a *api) tryReadPeople(ctx context.Context) error {
	_, err := ask[page[person]](ctx, a, httpapi.Request{Op: "subscribers", Path: "/api/subscribers", Query: url.Values{"per_page": {"1"}}})
	return err
}

func (a *api) tryManagePeople(ctx context.Context) error {
	return expected(a.manage(ctx, "subscriber permission", "add", nil, nil))
}

func (a *api) trySQL(ctx context.Context) error {
	query := url.Values{"query": {"subscribers.id = 0"}, "per_page": {"1"}}
	_, err := ask[page[person]](ctx, a, httpapi.Request{Op: "subscriber query", Path: "/api/subscribers", Query: query})
	return err
}

func (a *api) tryImport(ctx context.Context) error {
	_, err := a.importState(ctx)
	return err
}

// people reads subscribers.
func (a *api) people(ctx context.Context, op string, query url.Values) (page[person], error) {
	return ask[page[person]](ctx, a, httpapi.Request{Op: op, Path: "/api/subscribers", Query: query})
}

// manage puts people on lists or takes them off. It never sends a status: with one, those who left would be subscribed
// again; without, their rows stay as they are.
func (a *api) manage(ctx context.Context, op, action string, people, lists []int) error {
	body := struct {
		IDs     []int  `json:"ids"`
		Action  string `json:"action"`
		Targets []int  `json:"target_list_ids"`
	}{IDs: notNil(people), Action: action, Targets: notNil(lists)}
	_, err := write[bool](ctx, a, httpapi.Request{Op: op, Method: http.MethodPut, Path: "/api/subscribers/lists"}, body)
	return err
}

func notNil(ids []int) []int {
	if ids == nil {
		return []int{}
	}
	return ids
}

// setAttributes replaces one named object among a person's attributes and leaves all others.
func (a *api) setAttributes(ctx context.Context, id int, name string, value any) error {
	body := map[string]any{"attribs": map[string]any{name: value}}
	request := httpapi.Request{Op: "subscriber attributes", Method: http.MethodPatch, Path: "/api/subscribers/" + strconv.Itoa(id), Idempotent: true}
	_, err := write[person](ctx, a, request, body)
	return err
}
