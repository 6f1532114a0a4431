package brevo

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
	"github.com/perennial-cvo/perennial/connectors/commerce"
	"github.com/perennial-cvo/perennial/connectors/httpapi"
)

// contact is a person in Brevo.
type contact struct {
	ID          int64          `json:"id"`
	Email       string         `json:"email"`
	Blacklisted bool           `json:"emailBlacklisted"`
	Lists       []int64        `json:"listIds"`
	Left        []int64        `json:"listUnsubscribed"`
	Attributes  map[string]any `json:"attributes"`
	Created     string         `json:"createdAt"`
	Modified    string         `json:"modifiedAt"`
}

// list is one list; only single look-ups tell its folder.
type list struct {
	ID     int64  `json:"id"`
	Name   string `json:"name"`
	Folder int64  `json:"folderId"`
}

// apiError is a refusal in Brevo's own words.
type apiError struct {
	Status  int
	Code    string
	Message string
}

// Error returns the words, or what else there is.
func (e *apiError) Error() string {
	switch {
	case e.Message != "":
		return e.Message
	case e.Code != "":
		return e.Code
	}
	return fmt.Sprintf("status %d", e.Status)
}

// refusal returns what Brevo itself said, or nil where the failure is of another nature.
func refusal(err error) *apiError {
	var e *apiError
	if errors.As(err, &e) {
		return e
	}
	return nil
}

// isAbout reports whether Brevo refused what was sent, as opposed to the key or the moment, with one of the statuses.
func isAbout(err error, statuses ...int) bool {
	e := refusal(err)
	if e == nil || connectors.KindOf(err) != connectors.KindPermanent {
		return false
	}
	for _, status := range statuses {
		if e.Status == status {
			return true
		}
	}
	return false
}

// api speaks to Brevo. What is about contacts may be asked often; everything else a hundred times an hour, so it has a
// client of its own and one never waits for the budget of the other.
type api struct {
	contacts *client
	others   *client
}

// client makes requests that share an allowance.
type client struct {
	*httpapi.Client
	quota *httpapi.Quota // nil for none
}

// Do makes one request.
func (c *client) Do(ctx context.Context, r httpapi.Request) (httpapi.Response, error) {
	r.Quota = c.quota
	return c.Client.Do(ctx, r)
}

func newAPI(s settings, deps connectors.Deps, tune tuning) (*api, error) {
	a := api{contacts: &client{quota: httpapi.NewQuota(httpapi.Limit{Count: s.Rate, Window: time.Second})}, others: &client{}}
	fast := options(s, deps, tune)
	fast.Concurrency, fast.Interval, fast.Budget = s.connections(), interval(s.Rate), budget
	fast.Classify = func(r httpapi.Response) *connectors.Error { return classify(r, a.contacts.Harmless, deps.Now()) }
	slow := options(s, deps, tune)
	slow.Attempts = 2
	slow.Classify = func(r httpapi.Response) *connectors.Error { return classify(r, a.others.Harmless, deps.Now()) }
	var err error
	if a.contacts.Client, err = httpapi.New(fast); err != nil {
		return nil, err
	}
	if a.others.Client, err = httpapi.New(slow); err != nil {
		return nil, err
	}
	return &a, nil
}

// budget waits for the next window where this one is used up, by whomever; the windows of a second are kept by the quota.
// Brevo sends no Retry-After.
func budget(r httpapi.Response) time.Duration {
	remaining, err := strconv.Atoi(r.Header.Get("x-sib-ratelimit-remaining"))
	if err != nil || remaining > 0 {
		return 0
	}
	if wait := reset(r.Header); wait > time.Second {
		return wait
	}
	return 0
}

// reset is how long the window of the limit lasts still.
func reset(h http.Header) time.Duration {
	seconds, err := strconv.ParseFloat(h.Get("x-sib-ratelimit-reset"), 64)
	if err != nil || !(seconds > 0) || seconds > 24*3600 {
		return 0
	}
	return time.Duration(seconds * float64(time.Second))
}

// classify says what a refusal means, in words made harmless. Nil leaves an answer to the rules that hold for every API.
func classify(r httpapi.Response, harmless func(string) string, now time.Time) *connectors.Error {
	var body struct {
		Code    string `json:"code"`
		Message string `json:"message"`
	}
	if r.JSON {
		_ = json.Unmarshal(r.Body, &body) // a refusal without a message is judged by its status
	}
	said := &apiError{Status: r.Status, Code: harmless(body.Code), Message: harmless(body.Message)}
	err := &connectors.Error{Kind: connectors.KindPermanent, Err: said}
	switch {
	case r.Status == http.StatusTooManyRequests:
		wait := reset(r.Header)
		if wait == 0 {
			return nil
		}
		err.Kind, err.Until = connectors.KindWait, now.Add(wait)
	case r.Status == http.StatusUnauthorized:
		err.Kind, err.Remedy = connectors.KindCredentials, "make a new API key under Settings > SMTP & API > API keys, and give it to api_key"
		if strings.Contains(strings.ToLower(body.Message), "ip address") {
			err.Remedy = "Brevo does not know the address of this machine: add it under Security > Authorised IPs, or switch that off for API keys"
		}
	case r.Status == http.StatusForbidden && r.JSON:
		err.Kind, err.Remedy = connectors.KindCredentials, "the account or the key may not do this: look into the messages of Brevo"
	case body.Code == "account_under_validation":
		err.Remedy = "Brevo is still validating the account: finish that in Brevo first"
	case r.Status >= 400 && r.Status < 500 && r.Status != http.StatusForbidden && r.Status != http.StatusRequestTimeout && r.Status != http.StatusTooEarly:
	default:
		return nil
	}
	return err
}

// ask makes one request and decodes the answer; an empty one leaves the zero value.
func ask[T any](ctx context.Context, c *client, r httpapi.Request) (T, error) {
	var value T
	answer, err := c.Do(ctx, r)
	if err != nil {
		return value, err
	}
	return value, decode(r.Op, answer, &value)
}

// decode reads an answer; an empty one leaves the value as it is.
func decode(op string, answer httpapi.Response, value any) error {
	if len(answer.Body) == 0 {
		return nil
	}
	if err := json.Unmarshal(answer.Body, value); err != nil {
		return &connectors.Error{
			Kind: connectors.KindRetry, Op: op, Err: errors.New("the answer has another shape than Brevo's"),
			Remedy: "check the address: something else may answer under it",
		}
	}
	return nil
}

// send makes one request with a body.
func send[T any](ctx context.Context, c *client, r httpapi.Request, body any) (T, error) {
	text, err := json.Marshal(body)
	if err != nil {
		var none T
		return none, fmt.Errorf("%s: %w", r.Op, err)
	}
	r.Method, r.Body = http.MethodPost, text
	return ask[T](ctx, c, r)
}

// made is the answer to what was created.
type made struct {
	ID int64 `json:"id"`
}

// contactPage is one page of contacts and how many there are in all.
type contactPage struct {
	Contacts []contact `json:"contacts"`
	Count    int       `json:"count"`
	At       time.Time `json:"-"` // when Brevo answered, by its own clock; zero where it does not say
}

// page reads contacts, of a list or of the whole account.
func (a *api) page(ctx context.Context, op, path string, query url.Values) (contactPage, error) {
	var p contactPage
	answer, err := a.contacts.Do(ctx, httpapi.Request{Op: op, Path: path, Query: query})
	if err == nil {
		err = decode(op, answer, &p)
	}
	p.At = answer.Date
	for i, c := range p.Contacts {
		p.Contacts[i].Email = commerce.Email(c.Email)
	}
	return p, err
}

// one reads one contact by e-mail address or id; known is false where there is none.
func (a *api) one(ctx context.Context, identifier, kind string) (c contact, known bool, err error) {
	c, err = ask[contact](ctx, a.contacts, httpapi.Request{
		Op: "contact look-up", Path: "/contacts/" + url.PathEscape(identifier), Query: url.Values{"identifierType": {kind}},
	})
	if isAbout(err, http.StatusNotFound, http.StatusBadRequest) { // 400 is said of what cannot be an address
		return contact{}, false, nil
	}
	c.Email = commerce.Email(c.Email)
	return c, err == nil, err
}
