// Package yotpo reads a shop's reviews from Yotpo.
//
// What is special about it: app key and secret are exchanged for a token, which travels in the query of every address
// and is got anew where Yotpo refuses it. The list can neither be asked for changes nor for deletions and is read whole
// every night, as package reviews describes; what it marks as deleted is deleted at once.
package yotpo

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"net/http"
	"net/url"
	"regexp"
	"strconv"
	"time"

	"github.com/goccy/go-json"

	"github.com/perennial-cvo/perennial/config/secret"
	"github.com/perennial-cvo/perennial/connectors"
	"github.com/perennial-cvo/perennial/connectors/httpapi"
	"github.com/perennial-cvo/perennial/connectors/reviews"
)

// Kind is the name of this connector in the configuration.
const Kind = "yotpo"

// settings are what an owner may say.
type settings struct {
	AppKey   secret.Text   `mapstructure:"app_key"`
	Secret   secret.Text   `mapstructure:"secret"`
	URL      string        `mapstructure:"url"`
	PageSize int           `mapstructure:"page_size"`
	Interval time.Duration `mapstructure:"interval"`
}

// New returns the factory of Yotpo: a source of reviews.
func New() connectors.Factory {
	f := connectors.Factory{
		Kind:    Kind,
		Title:   "Yotpo",
		Reviews: true,
		Fields: []connectors.Field{
			{Name: "app_key", Title: "App key", Help: "Yotpo > Settings > General settings; also called store ID", Secret: true, Required: true},
			{Name: "secret", Title: "Secret key", Help: "beside it: Get secret key; Yotpo sends a code first", Secret: true, Required: true},
			{Name: "page_size", Title: "Reviews per request", Help: "20 to 100", Default: "100"},
			{Name: "interval", Title: "Least time between requests", Help: "such as 500ms; Yotpo allows 5,000 requests a minute", Default: "20ms"},
			{Name: "url", Title: "Address of the API", Help: "for trials", Default: "https://api.yotpo.com"},
		},
	}
	f.NewSource = func(s connectors.Settings, d connectors.Deps) (connectors.Source, error) {
		set := settings{URL: "https://api.yotpo.com", PageSize: reviews.MostSize, Interval: 20 * time.Millisecond}
		if err := f.Decode(s, &set); err != nil {
			return nil, err
		}
		if err := set.check(); err != nil {
			return nil, reviews.Settings(Kind, err)
		}
		return newSource(set, d)
	}
	return f
}

var keyText = regexp.MustCompile(`^[A-Za-z0-9_-]{4,100}$`)

func (s *settings) check() error {
	if !keyText.MatchString(s.AppKey.Reveal()) {
		return errors.New(`setting "app_key" is not a key of letters and digits`)
	}
	if s.Interval < 0 {
		return errors.New(`setting "interval" is negative`)
	}
	return reviews.CheckSize(s.PageSize)
}

// identity is a stable mark of the account that does not tell its key.
func (s *settings) identity() string {
	sum := sha256.Sum256([]byte(s.AppKey.Reveal()))
	return Kind + " " + hex.EncodeToString(sum[:6])
}

// source reads the reviews of one account.
type source struct {
	reviews.Source
	*api
}

// api speaks to Yotpo about one account. It is used by one goroutine at a time.
type api struct {
	http  *httpapi.Client
	set   settings
	token secret.Text // as long as Yotpo takes it
}

func newSource(set settings, deps connectors.Deps) (*source, error) {
	if deps.Now == nil {
		deps.Now = time.Now
	}
	a := &api{set: set}
	client, err := httpapi.New(httpapi.Options{
		BaseURL: set.URL, Sign: a.sign, Classify: a.classify, Deps: deps, Secrets: []secret.Text{set.AppKey, set.Secret}, Interval: set.Interval,
	})
	if err != nil {
		return nil, reviews.Settings(Kind, err)
	}
	a.http = client
	return &source{Source: reviews.Source{Kind: Kind, Platform: a, Size: set.PageSize, Now: deps.Now}, api: a}, nil
}

// sign puts the token where Yotpo wants it.
func (a *api) sign(r *http.Request) error {
	q := r.URL.Query()
	q.Set("utoken", a.token.Reveal())
	r.URL.RawQuery = q.Encode()
	return nil
}

// classify says what to do about an answer of status 400 or above.
func (a *api) classify(r httpapi.Response) *connectors.Error {
	if !r.JSON {
		return nil
	}
	e := &connectors.Error{Err: &httpapi.StatusError{Status: r.Status, Text: a.http.Harmless(string(r.Body[:min(len(r.Body), 2000)]))}}
	switch r.Status {
	case http.StatusUnauthorized, http.StatusForbidden:
		e.Kind, e.Remedy = connectors.KindCredentials, "check app_key and secret: they stand in Yotpo under Settings > General settings"
	case http.StatusNotFound:
		e.Kind, e.Remedy = connectors.KindPermanent, "check app_key: Yotpo knows no such account"
	default:
		return nil
	}
	return e
}

// grant exchanges key and secret for a token.
func (a *api) grant(ctx context.Context) error {
	const op = "access token"
	body, err := json.Marshal(map[string]string{
		"client_id": a.set.AppKey.Reveal(), "client_secret": a.set.Secret.Reveal(), "grant_type": "client_credentials",
	})
	if err != nil {
		return reviews.Settings(Kind, errors.New("key and secret cannot be written"))
	}
	answer, err := a.http.Do(ctx, httpapi.Request{
		Op: op, Method: http.MethodPost, Path: "oauth/token", Body: body, Unsigned: true, Idempotent: true,
	})
	if err != nil {
		return err
	}
	var in struct {
		Token string `json:"access_token"`
	}
	if json.Unmarshal(answer.Body, &in) != nil || in.Token == "" {
		return &connectors.Error{Kind: connectors.KindRetry, Op: op, Err: errors.New("the answer holds no token")}
	}
	a.token = secret.New(in.Token)
	a.http.Hide(a.token)
	return nil
}

// List reads one page. A token that is refused is got anew, once.
func (a *api) List(ctx context.Context, number, size int) (reviews.Listing, error) {
	if !a.token.IsZero() {
		listing, err := a.list(ctx, number, size)
		if err == nil || connectors.KindOf(err) != connectors.KindCredentials {
			return listing, err
		}
	}
	if err := a.grant(ctx); err != nil {
		return reviews.Listing{}, err
	}
	return a.list(ctx, number, size)
}

func (a *api) list(ctx context.Context, number, size int) (reviews.Listing, error) {
	const op = "reviews page"
	q := url.Values{"page": {strconv.Itoa(number)}, "count": {strconv.Itoa(size)}}
	answer, err := a.http.Do(ctx, httpapi.Request{Op: op, Path: "v1/apps/" + a.set.AppKey.Reveal() + "/reviews", Query: q})
	if err != nil {
		return reviews.Listing{}, err
	}
	var l struct {
		Reviews []json.RawMessage `json:"reviews"`
	}
	if json.Unmarshal(answer.Body, &l) != nil || l.Reviews == nil {
		return reviews.Listing{}, &connectors.Error{Kind: connectors.KindRetry, Op: op, Err: errors.New("a list of reviews was due, something else came")}
	}
	return reviews.Listing{Rows: l.Reviews, Warnings: answer.Warnings}, nil
}
