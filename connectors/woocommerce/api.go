package woocommerce

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"time"

	"github.com/goccy/go-json"

	"github.com/perennial-cvo/perennial/config/secret"
	"github.com/perennial-cvo/perennial/connectors"
	"github.com/perennial-cvo/perennial/connectors/httpapi"
)

const root = "wp-json/wc/v3/"

// blindness is how far our clock is trusted where the server tells no time: a day too much is read, nothing is lost.
const blindness = 24 * time.Hour

// api speaks to one shop.
type api struct {
	http *httpapi.Client
	set  settings
	now  func() time.Time
	log  *slog.Logger
}

// newAPI wires the client; transport is nil but in tests.
func newAPI(set settings, deps connectors.Deps, transport http.RoundTripper) (*api, error) {
	if deps.Now == nil {
		deps.Now = time.Now
	}
	if deps.Log == nil {
		deps.Log = slog.New(slog.DiscardHandler)
	}
	a := &api{set: set, now: deps.Now, log: deps.Log}
	home := set.OAuthURL
	if home == "" {
		home = set.URL
	}
	s := &signer{
		key: set.ConsumerKey, secret: set.ConsumerSecret, inQuery: set.AllowQueryAuth, oauth: !set.secure(),
		base: set.URL, home: home, now: deps.Now,
	}
	client, err := httpapi.New(httpapi.Options{
		BaseURL: set.URL, Sign: s.sign, Classify: a.classify, Deps: deps, Transport: transport,
		Secrets:  []secret.Text{set.ConsumerKey, set.ConsumerSecret},
		Interval: set.Interval, HeaderTimeout: set.Timeout,
	})
	if err != nil {
		return nil, &connectors.Error{Kind: connectors.KindPermanent, Op: Kind + " settings", Err: err, Remedy: "correct this setting"}
	}
	a.http = client
	return a, nil
}

// listing is one page of a list as it came.
type listing struct {
	rows     []json.RawMessage
	total    int // as announced, 0 where not; wrong on pages past the end
	date     time.Time
	warnings []string
}

// list reads one page of a list.
func (a *api) list(ctx context.Context, op, path string, query url.Values) (listing, error) {
	answer, err := a.http.Do(ctx, httpapi.Request{Op: op, Path: root + path, Query: query, Shrinkable: true})
	if err != nil {
		return listing{}, err
	}
	l := listing{date: answer.Date, warnings: answer.Warnings}
	l.total, _ = strconv.Atoi(answer.Header.Get("X-Wp-Total"))
	if l.date.IsZero() {
		l.date = a.now().UTC().Add(-blindness)
	}
	if err := json.Unmarshal(answer.Body, &l.rows); err != nil {
		return listing{}, &connectors.Error{
			Kind: connectors.KindRetry, Op: op, Err: errors.New("a list was due, something else came"),
			Remedy: "a plugin changes the answers of the REST API: look which one",
		}
	}
	return l, nil
}

// get reads one object into target.
func (a *api) get(ctx context.Context, op, path string, query url.Values, target any) (httpapi.Response, error) {
	answer, err := a.http.Do(ctx, httpapi.Request{Op: op, Path: root + path, Query: query})
	if err != nil {
		return answer, err
	}
	if err := json.Unmarshal(answer.Body, target); err != nil {
		return answer, &connectors.Error{Kind: connectors.KindRetry, Op: op, Err: errors.New("the answer has an unknown shape")}
	}
	return answer, nil
}

// apiError is an error in WooCommerce's own words.
type apiError struct {
	Status  int
	Code    string
	Message string // harmless
}

func (e *apiError) Error() string {
	return fmt.Sprintf("status %d %s: %s", e.Status, e.Code, e.Message)
}

// codeOf returns status and code of the shop's own error in err's chain.
func codeOf(err error) (status int, code string) {
	var e *apiError
	if errors.As(err, &e) {
		return e.Status, e.Code
	}
	return 0, ""
}

// noRoute reports whether the shop does not know the address: an older version, or a plugin switched off.
func noRoute(err error) bool {
	_, code := codeOf(err)
	return code == "rest_no_route"
}

// gone reports whether the shop says that a record does not exist. An address that it does not know is not that.
func gone(err error) bool {
	status, code := codeOf(err)
	return status == http.StatusNotFound && strings.HasSuffix(code, "invalid_id")
}

// classify says what to do about an answer of status 400 or above.
func (a *api) classify(r httpapi.Response) *connectors.Error {
	var body struct {
		Code    text `json:"code"`
		Message text `json:"message"`
	}
	if !r.JSON || json.Unmarshal(r.Body, &body) != nil || body.Code == "" {
		return a.classifyPage(r)
	}
	cause := &apiError{Status: r.Status, Code: a.http.Harmless(string(body.Code)), Message: a.http.Harmless(plain(string(body.Message)))}
	e := &connectors.Error{Kind: connectors.KindPermanent, Err: cause}
	switch s := r.Status; {
	case s == http.StatusUnauthorized:
		a.judge401(e, cause, r)
	case s == http.StatusForbidden:
		e.Kind, e.Permission = connectors.KindCredentials, "read"
		if !strings.HasSuffix(cause.Code, "cannot_view") {
			e.Permission = "write"
		}
		e.Remedy = "the user to whom the key belongs may not do this: give the key to an administrator or shop manager"
	case s == http.StatusNotFound && cause.Code != "rest_no_route":
		e.Kind = connectors.KindRecord
	case s == http.StatusNotFound:
		e.Remedy = "this WooCommerce does not know the address: update it, or check that the plugin is active"
	case s == http.StatusTooManyRequests, s >= 500:
		e.Kind, e.Remedy = connectors.KindRetry, "the shop has trouble; its error log under WooCommerce > Status > Logs says more"
	}
	return e
}

// classifyPage judges answers that are no error of WooCommerce.
func (a *api) classifyPage(r httpapi.Response) *connectors.Error {
	cause := &httpapi.StatusError{Status: r.Status, Text: a.http.Harmless(string(r.Body[:min(len(r.Body), 2000)]))}
	damaged := !r.JSON && strings.HasPrefix(r.Header.Get("Content-Type"), "application/json") // its own, but not whole
	switch {
	case damaged && r.Status < 500:
		return &connectors.Error{Kind: connectors.KindRetry, Err: cause, Remedy: "the answer broke off; if it keeps doing so, look into the error log of the site"}
	case r.Status == http.StatusNotFound:
		return &connectors.Error{Kind: connectors.KindPermanent, Err: cause, Remedy: permalinks}
	case r.Status == http.StatusUnauthorized:
		return &connectors.Error{
			Kind: connectors.KindCredentials, Err: cause,
			Remedy: "the server asks for a password of its own in front of WordPress: let /wp-json/ through without it",
		}
	default:
		return nil
	}
}

const permalinks = "there is no REST API at this address: check url, and in WordPress set Settings > Permalinks to anything but Plain"

// judge401 tells the causes of 401 apart, as far as WooCommerce lets them be told apart.
func (a *api) judge401(e *connectors.Error, cause *apiError, r httpapi.Response) {
	e.Kind = connectors.KindCredentials
	words := strings.ToLower(cause.Message)
	skewed := !r.Date.IsZero() && r.Date.Sub(a.now()).Abs() > 14*time.Minute
	switch {
	case strings.Contains(words, "write permission"):
		e.Permission = "write"
		e.Remedy = "the key may only read: edit it under WooCommerce > Settings > Advanced > REST API and choose Read/Write"
	case strings.Contains(words, "read permission"):
		e.Permission = "read"
		e.Remedy = "the key may only write: edit it under WooCommerce > Settings > Advanced > REST API and choose Read/Write"
	case strings.Contains(words, "nonce"):
		e.Kind, e.Remedy = connectors.KindRetry, "the signature was taken for a repetition; it is made anew"
	case !a.set.secure() && (strings.Contains(words, "timestamp") || skewed):
		e.Kind, e.Remedy = connectors.KindPermanent, "the clocks of this machine and of the shop differ by more than 15 minutes: set the wrong one"
	case strings.Contains(words, "signature"):
		e.Remedy = "check consumer_secret; if it is right, WordPress knows itself by another address than url: set oauth_url to the Site Address under Settings > General, or use https"
	case strings.HasSuffix(cause.Code, "authentication_error"):
		e.Remedy = "check consumer_key and consumer_secret, or make a new key under WooCommerce > Settings > Advanced > REST API"
	default:
		e.Remedy = "one of three: the consumer_key is unknown to this shop (make a new one); the web server strips the Authorization header (mend it, or set allow_query_auth = true); or WordPress takes the connection for plain http though url says https (a proxy must pass X-Forwarded-Proto)"
	}
}
