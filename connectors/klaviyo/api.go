package klaviyo

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"regexp"
	"strings"
	"time"

	"github.com/perennial-cvo/perennial/connectors"
	"github.com/perennial-cvo/perennial/connectors/httpapi"
)

// mediaType labels what goes to Klaviyo and what comes back.
const mediaType = "application/vnd.api+json"

// endpoint is one operation of Klaviyo, each of which has an allowance and permissions of its own.
type endpoint int

// The endpoints. None of them subscribes anybody.
const (
	readAccount endpoint = iota
	readLists
	readList
	createList
	deleteList
	readMembers
	addMembers
	removeMembers
	readProfiles
	updateProfile
	startImport
	readImport
	readImported
	readErrors
	eraseProfile
	createEvents
)

// endpoints says of each how many requests a second and a minute it takes, and which scopes a key needs.
var endpoints = map[endpoint]struct {
	second, minute int
	scopes         string
}{
	readAccount:   {1, 15, "accounts:read"},
	readLists:     {75, 750, "lists:read"},
	readList:      {75, 750, "lists:read"},
	createList:    {10, 150, "lists:write"},
	deleteList:    {10, 150, "lists:write"},
	readMembers:   {75, 750, "lists:read profiles:read"},
	addMembers:    {10, 150, "lists:write profiles:write"},
	removeMembers: {10, 150, "lists:write profiles:write"},
	readProfiles:  {75, 750, "profiles:read"},
	updateProfile: {75, 750, "profiles:write"},
	startImport:   {10, 150, "lists:write profiles:write"},
	readImport:    {10, 150, "lists:read profiles:read"},
	readImported:  {10, 150, "profiles:read"},
	readErrors:    {10, 150, "profiles:read"},
	eraseProfile:  {3, 60, "data-privacy:write"},
	createEvents:  {10, 150, "events:write"},
}

func newQuotas() map[endpoint]*httpapi.Quota {
	quotas := map[endpoint]*httpapi.Quota{}
	for e, limits := range endpoints {
		quotas[e] = httpapi.NewQuota(
			httpapi.Limit{Count: limits.second, Window: time.Second}, httpapi.Limit{Count: limits.minute, Window: time.Minute},
		)
	}
	return quotas
}

// api speaks to Klaviyo.
type api struct {
	client *httpapi.Client
	quotas map[endpoint]*httpapi.Quota
}

// call is one request.
type call struct {
	op     string
	to     endpoint
	method string // GET where empty
	path   string
	query  url.Values
	body   any
	once   bool // must not be repeated where nobody knows whether it was carried out
}

// document is what Klaviyo answers.
type document[T any] struct {
	Data  T `json:"data"`
	Links struct {
		Next string `json:"next"`
	} `json:"links"`
}

// next is the cursor of the page behind this one, or nothing.
func (d document[T]) next() string {
	link, err := url.Parse(d.Links.Next)
	if err != nil {
		return ""
	}
	return link.Query().Get("page[cursor]")
}

// resource names a thing at Klaviyo.
type resource struct {
	Type string `json:"type"`
	ID   string `json:"id"`
}

// send makes one request whose answer carries nothing that matters.
func (a *api) send(ctx context.Context, c call) error {
	_, err := a.do(ctx, c)
	return err
}

// ask makes one request and decodes the answer.
func ask[T any](ctx context.Context, a *api, c call) (document[T], error) {
	var body document[T]
	answer, err := a.do(ctx, c)
	if err != nil {
		return body, err
	}
	if err := json.Unmarshal(answer.Body, &body); err != nil {
		return body, &connectors.Error{
			Kind: connectors.KindRetry, Op: c.op, Err: errors.New("the answer has another shape than Klaviyo's"),
			Remedy: "something between us and Klaviyo answers in its place: look at proxy and firewall",
		}
	}
	return body, nil
}

func (a *api) do(ctx context.Context, c call) (httpapi.Response, error) {
	r := httpapi.Request{
		Op: c.op, Method: c.method, Path: c.path, Query: c.query, Quota: a.quotas[c.to], Idempotent: !c.once, MayBeEmpty: c.method != "",
		ContentType: mediaType, Header: http.Header{"Accept": {mediaType}},
	}
	if c.body != nil {
		text, err := json.Marshal(map[string]any{"data": c.body})
		if err != nil {
			return httpapi.Response{}, fmt.Errorf("%s: %w", c.op, err)
		}
		r.Body = text
	}
	answer, err := a.client.Do(ctx, r)
	return answer, withScopes(err, endpoints[c.to].scopes)
}

// withScopes names the scopes that a request needs where Klaviyo refuses it for lack of one without saying which.
func withScopes(err error, scopes string) error {
	var e *connectors.Error
	if said := refusal(err); said != nil && said.Status == http.StatusForbidden && errors.As(err, &e) && e.Permission == "" {
		e.Permission = scopes
		e.Remedy = "make a key that has " + scopes + " under Settings > API keys"
	}
	return err
}

// apiError is a refusal in Klaviyo's own words.
type apiError struct {
	Status int
	Items  []errorItem
}

// errorItem is one of the things wrong with a request.
type errorItem struct {
	Code   string `json:"code"`
	Title  string `json:"title"`
	Detail string `json:"detail"`
	Source struct {
		Pointer   string `json:"pointer"`
		Parameter string `json:"parameter"`
	} `json:"source"`
}

// Error returns the first of the words, or the status where there are none.
func (e *apiError) Error() string {
	if len(e.Items) == 0 || e.Items[0].Detail == "" {
		return fmt.Sprintf("status %d", e.Status)
	}
	return e.Items[0].Detail
}

// refusal returns what Klaviyo itself said, or nil where the failure is of another nature.
func refusal(err error) *apiError {
	var e *apiError
	if errors.As(err, &e) {
		return e
	}
	return nil
}

// saysStatus reports whether Klaviyo itself refused with this status.
func saysStatus(err error, status int) bool {
	said := refusal(err)
	return said != nil && said.Status == status
}

var scopeShape = regexp.MustCompile(`\b[a-z][a-z-]*:(read|write|full)\b`)

// classify says what a refusal means, in words made harmless. Nil leaves an answer to the rules that hold for every API:
// patience at 429 and 5xx, and a page without JSON for what stands before Klaviyo.
func classify(r httpapi.Response, harmless func(string) string) *connectors.Error {
	var body struct {
		Errors []errorItem `json:"errors"`
	}
	if !r.JSON || r.Status >= 500 || r.Status == http.StatusTooManyRequests || r.Status == http.StatusRequestTimeout {
		return nil
	}
	_ = json.Unmarshal(r.Body, &body) // a refusal without words is judged by its status
	said := &apiError{Status: r.Status, Items: body.Errors}
	for i := range said.Items {
		said.Items[i].Detail = harmless(said.Items[i].Detail)
	}
	err := &connectors.Error{Kind: connectors.KindPermanent, Err: said}
	switch r.Status {
	case http.StatusUnauthorized:
		err.Kind, err.Remedy = connectors.KindCredentials, "make a new private key under Settings > API keys and set it as api_key"
	case http.StatusForbidden:
		err.Kind, err.Remedy = connectors.KindCredentials, "give the key the scopes that the README lists"
		if scopes := scopeShape.FindAllString(said.Error(), -1); len(scopes) > 0 {
			err.Permission = strings.Join(scopes, " ")
			err.Remedy = "make a key that has " + err.Permission + " under Settings > API keys"
		}
	case http.StatusConflict:
		err.Kind = connectors.KindRecord
	}
	return err
}
