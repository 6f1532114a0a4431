// Package judgeme reads a shop's reviews from Judge.me.
//
// What is special about it: the token travels in the query of every address, so no address of it is ever shown. The list
// can neither be asked for changes nor for deletions and is read whole every night, as package reviews describes.
package judgeme

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"time"

	"github.com/goccy/go-json"

	"github.com/perennial-cvo/perennial/config/secret"
	"github.com/perennial-cvo/perennial/connectors"
	"github.com/perennial-cvo/perennial/connectors/httpapi"
	"github.com/perennial-cvo/perennial/connectors/reviews"
)

// Kind is the name of this connector in the configuration.
const Kind = "judgeme"

// settings are what an owner may say.
type settings struct {
	ShopDomain string        `mapstructure:"shop_domain"`
	APIToken   secret.Text   `mapstructure:"api_token"`
	URL        string        `mapstructure:"url"`
	PageSize   int           `mapstructure:"page_size"`
	Interval   time.Duration `mapstructure:"interval"`
}

// New returns the factory of Judge.me: a source of reviews.
func New() connectors.Factory {
	f := connectors.Factory{
		Kind:    Kind,
		Title:   "Judge.me",
		Reviews: true,
		Fields: []connectors.Field{
			{Name: "shop_domain", Title: "Shop domain", Help: "as Judge.me knows the shop: with Shopify name.myshopify.com, else the shop's domain", Required: true},
			{Name: "api_token", Title: "Private API token", Help: "Judge.me > Settings > Integrations > View API tokens; the private one", Secret: true, Required: true},
			{Name: "page_size", Title: "Reviews per request", Help: "20 to 100", Default: "100"},
			{Name: "interval", Title: "Least time between requests", Help: "such as 500ms", Default: "250ms"},
			{Name: "url", Title: "Address of the API", Help: "for trials", Default: "https://api.judge.me"},
		},
	}
	f.NewSource = func(s connectors.Settings, d connectors.Deps) (connectors.Source, error) {
		set := settings{URL: "https://api.judge.me", PageSize: reviews.MostSize, Interval: 250 * time.Millisecond}
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

func (s *settings) check() error {
	domain := strings.ToLower(strings.TrimSpace(s.ShopDomain))
	for _, scheme := range []string{"https://", "http://"} {
		domain = strings.TrimPrefix(domain, scheme)
	}
	s.ShopDomain = strings.TrimRight(domain, "/")
	if s.ShopDomain == "" || strings.ContainsAny(s.ShopDomain, "/?#@ ") || !strings.Contains(s.ShopDomain, ".") {
		return errors.New(`setting "shop_domain" is not a domain such as name.myshopify.com`)
	}
	if s.Interval < 0 {
		return errors.New(`setting "interval" is negative`)
	}
	return reviews.CheckSize(s.PageSize)
}

// source reads the reviews of one shop.
type source struct {
	reviews.Source
	*api
}

// api speaks to Judge.me about one shop.
type api struct {
	http *httpapi.Client
	set  settings
}

func newSource(set settings, deps connectors.Deps) (*source, error) {
	if deps.Now == nil {
		deps.Now = time.Now
	}
	a := &api{set: set}
	client, err := httpapi.New(httpapi.Options{
		BaseURL: set.URL, Sign: a.sign, Classify: a.classify, Deps: deps, Secrets: []secret.Text{set.APIToken}, Interval: set.Interval,
	})
	if err != nil {
		return nil, reviews.Settings(Kind, err)
	}
	a.http = client
	return &source{Source: reviews.Source{Kind: Kind, Platform: a, Size: set.PageSize, Now: deps.Now}, api: a}, nil
}

// sign puts shop and token where Judge.me wants them.
func (a *api) sign(r *http.Request) error {
	q := r.URL.Query()
	q.Set("shop_domain", a.set.ShopDomain)
	q.Set("api_token", a.set.APIToken.Reveal())
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
		e.Kind = connectors.KindCredentials
		e.Remedy = "check api_token and shop_domain: copy the private token from Judge.me > Settings > Integrations > View API tokens"
	case http.StatusNotFound, http.StatusUnprocessableEntity:
		e.Kind = connectors.KindPermanent
		e.Remedy = "check shop_domain: Judge.me knows no shop by " + a.set.ShopDomain + ", or Judge.me is not installed there"
	default:
		return nil
	}
	return e
}

// list is one page as Judge.me gives it.
type list struct {
	Page    *int              `json:"current_page"`
	PerPage *int              `json:"per_page"`
	Reviews []json.RawMessage `json:"reviews"`
}

// List reads one page, and on the first how many reviews there are.
func (a *api) List(ctx context.Context, number, size int) (reviews.Listing, error) {
	const op = "reviews page"
	q := url.Values{"page": {strconv.Itoa(number)}, "per_page": {strconv.Itoa(size)}}
	answer, err := a.http.Do(ctx, httpapi.Request{Op: op, Path: "api/v1/reviews", Query: q})
	if err != nil {
		return reviews.Listing{}, err
	}
	var l list
	if err := json.Unmarshal(answer.Body, &l); err != nil || l.Reviews == nil {
		return reviews.Listing{}, &connectors.Error{Kind: connectors.KindRetry, Op: op, Err: errors.New("a list of reviews was due, something else came")}
	}
	if l.Page != nil && *l.Page != number || l.PerPage != nil && *l.PerPage != size {
		return reviews.Listing{}, &connectors.Error{
			Kind: connectors.KindPermanent, Op: op,
			Err:    fmt.Errorf("page %d of %d reviews was asked for, page %s of %s came", number, size, said(l.Page), said(l.PerPage)),
			Remedy: "set page_size to what the platform gives",
		}
	}
	listing := reviews.Listing{Rows: l.Reviews, Warnings: answer.Warnings}
	if number == 1 {
		listing.Total, err = a.count(ctx)
	}
	return listing, err
}

func said(n *int) string {
	if n == nil {
		return "no number"
	}
	return strconv.Itoa(*n)
}

// count asks how many reviews there are, 0 where Judge.me does not say.
func (a *api) count(ctx context.Context) (int, error) {
	answer, err := a.http.Do(ctx, httpapi.Request{Op: "count of reviews", Path: "api/v1/reviews/count"})
	if err != nil {
		if connectors.KindOf(err) == connectors.KindPermanent {
			err = nil // the list itself is there, and the count is no more than a hint
		}
		return 0, err
	}
	var body struct {
		Count int `json:"count"`
	}
	_ = json.Unmarshal(answer.Body, &body) // what has another shape tells no count
	return max(0, body.Count), nil
}
