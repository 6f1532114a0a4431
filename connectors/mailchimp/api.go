package mailchimp

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"strconv"
	"strings"

	"github.com/perennial-cvo/perennial/connectors"
	"github.com/perennial-cvo/perennial/connectors/httpapi"
)

// The statuses of a contact. None of them is ever written, but for transactional at birth.
const (
	subscribed    = "subscribed"
	unsubscribed  = "unsubscribed"
	cleaned       = "cleaned"
	archived      = "archived"
	transactional = "transactional"
)

// apiError is a refusal in Mailchimp's own words, made harmless.
type apiError struct {
	Status int
	Title  string
	Detail string
}

// Error returns the words, or the status where there are none.
func (e *apiError) Error() string {
	switch {
	case e.Title == "" && e.Detail == "":
		return fmt.Sprintf("status %d", e.Status)
	case e.Title == "":
		return e.Detail
	}
	return strings.TrimSuffix(e.Title+": "+e.Detail, ": ")
}

// problem is the body of a refusal.
type problem struct {
	Title  string `json:"title"`
	Detail string `json:"detail"`
	Errors []struct {
		Field   string `json:"field"`
		Message string `json:"message"`
	} `json:"errors"`
}

// words reads a refusal.
func words(status int, body []byte, harmless func(string) string) *apiError {
	var p problem
	_ = json.Unmarshal(body, &p) // a refusal without words is told by its status
	for _, e := range p.Errors {
		p.Detail += " (" + strings.TrimPrefix(e.Field+": ", ": ") + e.Message + ")"
	}
	return &apiError{Status: status, Title: harmless(p.Title), Detail: harmless(p.Detail)}
}

// classify says what a refusal means. Nil leaves an answer to the rules that hold for every API. A 403 that is no JSON is
// how Mailchimp's outer wall answers too many requests.
func classify(r httpapi.Response, harmless func(string) string) *connectors.Error {
	said := words(r.Status, r.Body, harmless)
	err := &connectors.Error{Kind: connectors.KindPermanent, Err: said}
	switch {
	case r.Status == http.StatusUnauthorized:
		err.Kind, err.Remedy = connectors.KindCredentials, "make a new API key under Profile > Extras > API keys and set it"
	case r.Status == http.StatusForbidden && r.JSON:
		err.Kind, err.Permission = connectors.KindCredentials, role
		err.Remedy = "the key can do what its user can: give the user the role Manager or above under Account > Users"
	case r.Status == http.StatusForbidden:
		return &connectors.Error{Kind: connectors.KindWait, Err: errors.New("status 403 without an explanation, as comes of too many requests")}
	case r.Status == http.StatusTooManyRequests, r.Status == http.StatusRequestTimeout, r.Status == http.StatusTooEarly, r.Status >= 500:
		return nil
	case !r.JSON: // somebody else's words: that a page is missing does not say that a person is
		return &connectors.Error{
			Kind: connectors.KindPermanent, Err: fmt.Errorf("status %d without an explanation", r.Status),
			Remedy: "check the address: there is no Mailchimp API under it",
		}
	}
	return err
}

// role is what the user of the key must be to change contacts.
const role = "Manager"

// refusal returns what Mailchimp itself said for good, or nil where the failure is of another nature.
func refusal(err error) *apiError {
	var said *apiError
	if errors.As(err, &said) && connectors.KindOf(err) == connectors.KindPermanent {
		return said
	}
	return nil
}

func isStatus(err error, status int) bool {
	said := refusal(err)
	return said != nil && said.Status == status
}

// api speaks to Mailchimp about one audience, which it calls a list.
type api struct {
	client *httpapi.Client
	list   string
}

// path is an address below the list.
func (a *api) path(parts ...string) string {
	return strings.Join(append([]string{"/lists", a.list}, parts...), "/")
}

// ask makes one request, with a body where there is one, and decodes the answer.
func ask[T any](ctx context.Context, a *api, r httpapi.Request, body any) (T, error) {
	var value T
	if body != nil {
		text, err := json.Marshal(body)
		if err != nil {
			return value, fmt.Errorf("%s: %w", r.Op, err)
		}
		r.Body = text
	}
	answer, err := a.client.Do(ctx, r)
	if err != nil || len(answer.Body) == 0 {
		return value, err
	}
	if err := json.Unmarshal(answer.Body, &value); err != nil {
		return value, &connectors.Error{
			Kind: connectors.KindRetry, Op: r.Op, Err: errors.New("the answer has another shape than Mailchimp's"),
			Remedy: "check the address: something else may answer under it",
		}
	}
	return value, nil
}

// page is the query for one page of things.
func page(offset, count int, fields ...string) url.Values {
	return url.Values{
		"count": {strconv.Itoa(count)}, "offset": {strconv.Itoa(offset)}, "fields": {strings.Join(append(fields, "total_items"), ",")},
	}
}

// pages reads a list of things to its end, page by page.
func pages[T any](read func(offset int) ([]T, error)) ([]T, error) {
	var all []T
	for {
		some, err := read(len(all))
		if err != nil {
			return nil, err
		}
		all = append(all, some...)
		if len(some) < largestPage {
			return all, nil
		}
	}
}

// audience is what Mailchimp says of the list.
type audience struct {
	Name        string `json:"name"`
	DoubleOptin bool   `json:"double_optin"`
	Stats       struct {
		Members int `json:"member_count"`
	} `json:"stats"`
}

func (a *api) audience(ctx context.Context) (audience, error) {
	query := url.Values{"fields": {"id,name,double_optin,stats.member_count"}}
	return ask[audience](ctx, a, httpapi.Request{Op: "audience", Path: a.path(), Query: query}, nil)
}

// audiences lists the ids and names of all lists that the key can see, for people.
func (a *api) audiences(ctx context.Context) ([]string, error) {
	type lists struct {
		Lists []struct {
			ID   string `json:"id"`
			Name string `json:"name"`
		} `json:"lists"`
	}
	found, err := ask[lists](ctx, a, httpapi.Request{Op: "audiences", Path: "/lists", Query: page(0, 20, "lists.id", "lists.name")}, nil)
	var all []string
	for _, l := range found.Lists {
		all = append(all, fmt.Sprintf("%s (%s)", a.client.Harmless(l.ID), a.client.Harmless(l.Name)))
	}
	return all, err
}
