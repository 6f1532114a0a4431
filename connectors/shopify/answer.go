package shopify

import (
	"errors"
	"fmt"
	"math"
	"net/http"
	"regexp"
	"slices"
	"strings"
	"time"

	"github.com/goccy/go-json"

	"github.com/perennial-cvo/perennial/connectors"
	"github.com/perennial-cvo/perennial/connectors/httpapi"
)

var (
	// errTooCostly marks a query that asks for more than one query may: ask for less.
	errTooCostly = errors.New("the query costs more than one query may")
	// errSearch marks a search that Shopify did not understand, so that what it found is not what was asked for.
	errSearch = errors.New("the search was not understood")
)

// envelope is a GraphQL answer. Shopify answers failures with status 200, and some with data beside them.
type envelope struct {
	Data       json.RawMessage `json:"data"`
	Errors     json.RawMessage `json:"errors"` // a list; a mere text where no query was run
	Extensions struct {
		Cost   *cost    `json:"cost"`
		Search []search `json:"search"`
	} `json:"extensions"`
}

// cost is the price of a query and the level of the bucket behind it.
type cost struct {
	Requested float64 `json:"requestedQueryCost"`
	Throttle  struct {
		Max       float64 `json:"maximumAvailable"`
		Available float64 `json:"currentlyAvailable"`
		Restore   float64 `json:"restoreRate"`
	} `json:"throttleStatus"`
}

// search is how Shopify understood one search.
type search struct {
	Warnings []struct {
		Field   string `json:"field"`
		Message string `json:"message"`
		Code    string `json:"code"`
	} `json:"warnings"`
}

// failing is one of the errors of an answer.
type failing struct {
	Message    string `json:"message"`
	Path       []any  `json:"path"`
	Extensions struct {
		Code     string  `json:"code"`
		Required string  `json:"requiredAccess"`
		Cost     float64 `json:"cost"`
		MaxCost  float64 `json:"maxCost"`
	} `json:"extensions"`
}

// graphError is an error in Shopify's own words.
type graphError struct {
	Code    string
	Path    string
	Message string // harmless
	cause   error  // errTooCostly or nil
}

// Error names code, place and message.
func (e *graphError) Error() string {
	text := e.Message
	if e.Code != "" {
		text = e.Code + ": " + text
	}
	if e.Path != "" {
		text = e.Path + ": " + text
	}
	return text
}

// Unwrap returns the sentinel, if any.
func (e *graphError) Unwrap() error { return e.cause }

// codeOf returns Shopify's own code in err's chain, such as "NOT_FOUND".
func codeOf(err error) string {
	var e *graphError
	if errors.As(err, &e) {
		return e.Code
	}
	return ""
}

// openEnvelope unpacks an answer; what is no envelope at all is empty.
func openEnvelope(body []byte) (e envelope) {
	if json.Unmarshal(body, &e) != nil {
		return envelope{}
	}
	return e
}

// failures returns the errors of an answer, the telling ones first.
func (e envelope) failures() []failing {
	if len(e.Errors) == 0 || string(e.Errors) == "null" {
		return nil
	}
	var list []failing
	if json.Unmarshal(e.Errors, &list) != nil {
		list = []failing{{Message: plainErrors(e.Errors)}}
	}
	for i := range list {
		if list[i].Extensions.Code == "" && list[i].Message == "Throttled" {
			list[i].Extensions.Code = "THROTTLED"
		}
	}
	slices.SortStableFunc(list, func(a, b failing) int { return rank(a) - rank(b) })
	return list
}

// plainErrors reads errors that are no list: a text, or texts by field.
func plainErrors(raw json.RawMessage) string {
	var text string
	if json.Unmarshal(raw, &text) == nil {
		return text
	}
	return string(raw)
}

func rank(f failing) int {
	order := []string{"THROTTLED", "SHOP_INACTIVE", "ACCESS_DENIED", "MAX_COST_EXCEEDED", "INTERNAL_SERVER_ERROR"}
	if at := slices.Index(order, f.Extensions.Code); at >= 0 {
		return at
	}
	return len(order)
}

// level reads the bucket out of an answer.
func level(r httpapi.Response) (httpapi.Level, bool) {
	c := openEnvelope(r.Body).Extensions.Cost
	if c == nil || c.Throttle.Max <= 0 {
		return httpapi.Level{}, false
	}
	return httpapi.Level{Max: c.Throttle.Max, Available: c.Throttle.Available, Restore: c.Throttle.Restore}, true
}

// inspect finds the failures in an answer with status 200.
func (a *api) inspect(r httpapi.Response) *connectors.Error {
	e := openEnvelope(r.Body)
	if failures := e.failures(); len(failures) > 0 {
		return a.judge(failures[0], e)
	}
	for _, s := range e.Extensions.Search {
		for _, w := range s.Warnings {
			cause := fmt.Errorf("%w: %s %s: %s", errSearch, a.http.Harmless(w.Code), a.http.Harmless(w.Field), a.http.Harmless(w.Message))
			return &connectors.Error{
				Kind: connectors.KindPermanent, Err: cause,
				Remedy: "Shopify would have given all records for this filter, so nothing was taken: set api_version to one that knows it, or report this",
			}
		}
	}
	if len(e.Data) == 0 || string(e.Data) == "null" {
		return &connectors.Error{Kind: connectors.KindRetry, Err: errors.New("the answer holds neither data nor errors")}
	}
	return nil
}

// judge says what to do about an error of the API.
func (a *api) judge(f failing, e envelope) *connectors.Error {
	cause := &graphError{Code: a.http.Harmless(f.Extensions.Code), Path: a.http.Harmless(path(f.Path)), Message: a.http.Harmless(f.Message)}
	out := &connectors.Error{Kind: connectors.KindPermanent, Err: cause}
	switch cause.Code {
	case "THROTTLED":
		out.Kind, out.Until = connectors.KindWait, a.now().Add(e.Extensions.Cost.wait())
	case "MAX_COST_EXCEEDED":
		cause.cause = errTooCostly
		cause.Message = fmt.Sprintf("the query costs %g points, %g are allowed", f.Extensions.Cost, f.Extensions.MaxCost)
		out.Remedy = "set page_size to less"
	case "ACCESS_DENIED":
		a.denied(out, f)
	case "INTERNAL_SERVER_ERROR", "TIMEOUT", "SERVICE_UNAVAILABLE":
		out.Kind, out.Remedy = connectors.KindRetry, "Shopify has trouble; the next run goes on where this one stopped"
	case "SHOP_INACTIVE":
		out.Remedy = "the shop is frozen or closed: open it again in the Shopify admin; what was read is kept"
	case "NOT_FOUND", "RESOURCE_NOT_FOUND":
		out.Kind = connectors.KindRecord
	default:
		out.Remedy = fmt.Sprintf("API version %s does not take this request: set api_version to 2026-07, or report this", a.set.APIVersion)
	}
	return out
}

// wait is how long the bucket needs until it holds the price of what was asked.
func (c *cost) wait() time.Duration {
	if c == nil || c.Throttle.Restore <= 0 {
		return 2 * time.Second
	}
	lacking := max(0, min(c.Requested, c.Throttle.Max)-c.Throttle.Available)
	return time.Duration(math.Ceil(lacking/c.Throttle.Restore*1000)) * time.Millisecond
}

var scopeName = regexp.MustCompile(`\b(?:read|write)_[a-z_]+[a-z]\b`)

// denied explains an error of access: a scope, or customer data that an app must be allowed to see.
func (a *api) denied(out *connectors.Error, f failing) {
	out.Kind = connectors.KindCredentials
	scopes := scopeName.FindAllString(f.Extensions.Required+" "+f.Message, -1)
	slices.Sort(scopes)
	out.Permission = strings.Join(slices.Compact(scopes), ", ")
	switch {
	case out.Permission != "":
		out.Remedy = "grant the app the scope " + out.Permission + a.grant()
	case strings.Contains(f.Message, "not approved"):
		out.Permission, out.Remedy = "protected customer data", protectedData
	default:
		out.Remedy = "the app may not do this: look at its scopes with the command check"
	}
}

const protectedData = "let the app see protected customer data with name and e-mail: Dev Dashboard or Partner Dashboard > your app > API access; an app made in the Shopify admin needs a plan that includes it"

// grant says where scopes are granted.
func (a *api) grant() string {
	if a.set.AccessToken.IsZero() {
		return ": Dev Dashboard > your app > Versions > new version with this scope > Release, then approve it in the shop"
	}
	return ": Shopify admin > Settings > Apps > Develop apps > your app > Configuration, then install it again"
}

func path(steps []any) string {
	words := make([]string, len(steps))
	for i, s := range steps {
		words[i] = fmt.Sprint(s)
	}
	return strings.Join(words, ".")
}

// classify says what to do about an answer of status 400 or above.
func (a *api) classify(r httpapi.Response) *connectors.Error {
	e := openEnvelope(r.Body)
	failures := e.failures()
	if len(failures) > 0 && failures[0].Extensions.Code != "" {
		return a.judge(failures[0], e)
	}
	words := ""
	if len(failures) > 0 {
		words = failures[0].Message
	}
	switch {
	case r.Status == http.StatusUnauthorized:
		return &connectors.Error{Kind: connectors.KindCredentials, Err: a.statusError(r, words), Remedy: a.keyRemedy()}
	case r.Status == http.StatusForbidden && r.JSON:
		out := &connectors.Error{Err: a.statusError(r, words)}
		a.denied(out, failing{Message: words})
		return out
	}
	if out := shopStatus(r.Status, a.set); out != nil {
		out.Err = a.statusError(r, words)
		return out
	}
	return nil
}

func (a *api) keyRemedy() string {
	if a.set.AccessToken.IsZero() {
		return "Shopify refuses even a new token: see that the app is still installed in the shop"
	}
	return "the access_token is wrong or was revoked: if the app was uninstalled or its token deleted, make an app in the Dev Dashboard and set client_id and client_secret"
}

func (a *api) statusError(r httpapi.Response, words string) error {
	return &httpapi.StatusError{Status: r.Status, Text: a.http.Harmless(words)}
}

// shopStatus explains the statuses that speak about the shop as a whole; nil for others.
func shopStatus(status int, set settings) *connectors.Error {
	e := &connectors.Error{Kind: connectors.KindPermanent, Err: &httpapi.StatusError{Status: status}}
	switch status {
	case http.StatusPaymentRequired:
		e.Remedy = "the shop is frozen, because a bill of Shopify is not paid or the shop is paused: its owner can open it again in the Shopify admin; what was read is kept"
	case http.StatusNotFound:
		e.Remedy = fmt.Sprintf("there is no shop %s, or it does not know API version %s: check shop (Shopify admin > Settings > Domains, the name that ends in myshopify.com) and api_version", set.Shop, set.APIVersion)
	case http.StatusLocked:
		e.Remedy = "Shopify has locked the shop: ask Shopify's support; what was read is kept"
	default:
		return nil
	}
	return e
}

// elsewhere gives the refusal of a redirect a remedy that fits: the name leads to another shop.
func elsewhere(err error) error {
	var redirect *httpapi.RedirectError
	var e *connectors.Error
	if errors.As(err, &redirect) && errors.As(err, &e) {
		e.Remedy = "this name leads to another shop: set shop to the name that ends in myshopify.com under Settings > Domains in the Shopify admin; nothing was taken from " + redirect.Target
	}
	return err
}

// userError is what a mutation says of its input.
type userError struct {
	Field   []string `json:"field"`
	Message string   `json:"message"`
	Code    string   `json:"code"`
}

// refusedInput turns the user errors of a mutation into an error: nil where there are none.
func (a *api) refusedInput(op string, errs []userError) error {
	if len(errs) == 0 {
		return nil
	}
	first := errs[0]
	cause := &graphError{
		Code: a.http.Harmless(first.Code), Path: a.http.Harmless(strings.Join(first.Field, ".")), Message: a.http.Harmless(first.Message),
	}
	return &connectors.Error{Kind: connectors.KindPermanent, Op: op, Err: cause}
}
