package shopify

import (
	"context"
	"embed"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"strings"
	"sync/atomic"
	"time"

	"github.com/goccy/go-json"

	"github.com/perennial-cvo/perennial/config/secret"
	"github.com/perennial-cvo/perennial/connectors"
	"github.com/perennial-cvo/perennial/connectors/httpapi"
)

//go:embed queries/*.graphql
var documents embed.FS

// api speaks to one shop.
type api struct {
	http   *httpapi.Client
	set    settings
	access *access
	ledger ledger
	now    func() time.Time
	log    *slog.Logger
	prefix string

	answered atomic.Pointer[string]    // the API version of the last answer
	told     atomic.Pointer[time.Time] // the shop's own time in the last answer
}

// newAPI wires the client; transport is nil but in tests.
func newAPI(set settings, deps connectors.Deps, transport http.RoundTripper) (*api, error) {
	if deps.Now == nil {
		deps.Now = time.Now
	}
	if deps.Log == nil {
		deps.Log = slog.New(slog.DiscardHandler)
	}
	a := &api{set: set, now: deps.Now, log: deps.Log, prefix: deps.Prefix}
	var err error
	if a.access, err = newAccess(set, deps, transport); err != nil {
		return nil, refuse(err)
	}
	a.http, err = httpapi.New(httpapi.Options{
		BaseURL: set.URL, Sign: a.access.sign, Classify: a.classify, Inspect: a.inspect, Bucket: level,
		Deps: deps, Transport: transport, Secrets: []secret.Text{set.ClientSecret, set.AccessToken},
	})
	if err != nil {
		return nil, refuse(err)
	}
	a.access.hide = a.http.Hide
	return a, nil
}

// text returns an embedded document by its file name without ".graphql". A name that is not there is a fault of the
// program.
func text(document string) string {
	content, err := documents.ReadFile("queries/" + document + ".graphql")
	if err != nil {
		panic(fmt.Sprintf("shopify: no document %q", document))
	}
	return string(content)
}

// query is a document with what is known about it.
type query struct {
	Op         string // short noun phrase for errors and logs, such as "orders page"
	Text       string
	Variables  map[string]any
	Cost       float64 // what it is believed to cost, in points
	Idempotent bool    // may be repeated when nobody knows whether it was executed
	Shrinkable bool    // the caller can ask for less: two failures are enough for httpapi.ErrHeavy
}

// ask runs an embedded document, named by its file, and decodes its data into target. The page size is the variable
// "first". Its errors are connectors.Error by kind; of those, MAX_COST_EXCEEDED is errTooCostly, a search that was not
// understood errSearch, and a failure of Shopify that a smaller page may avoid httpapi.ErrHeavy.
func (a *api) ask(ctx context.Context, document string, variables map[string]any, target any) error {
	first, paged := variables["first"].(int)
	body := text(document)
	return a.run(ctx, query{
		Op: strings.ReplaceAll(document, "_", " "), Text: body, Variables: variables, Cost: believed(document, first),
		Idempotent: !isMutation(body), Shrinkable: paged,
	}, target)
}

// isMutation looks at the first word that is no comment.
func isMutation(text string) bool {
	for line := range strings.Lines(text) {
		if line = strings.TrimSpace(line); line != "" && line[0] != '#' {
			return strings.HasPrefix(line, "mutation")
		}
	}
	return false
}

// run is ask for a document composed at run time, such as a batch of mutations under aliases.
func (a *api) run(ctx context.Context, q query, target any) error {
	body, err := json.Marshal(map[string]any{"query": q.Text, "variables": q.Variables})
	if err != nil {
		return &connectors.Error{Kind: connectors.KindPermanent, Op: q.Op, Err: fmt.Errorf("variables: %w", err)}
	}
	answer, err := a.send(ctx, q, body)
	if err != nil {
		return elsewhere(err)
	}
	a.noteVersion(answer)
	if !answer.Date.IsZero() {
		a.told.Store(&answer.Date)
	}
	e := openEnvelope(answer.Body)
	if c := e.Extensions.Cost; c != nil {
		a.ledger.learn(q.Op, q.Cost, c.Requested)
	}
	if err := json.Unmarshal(e.Data, target); err != nil {
		return &connectors.Error{
			Kind: connectors.KindRetry, Op: q.Op, Err: errors.New("the answer has an unknown shape"),
			Remedy: "the shop may answer in another API version: set api_version to one that Shopify supports",
		}
	}
	return nil
}

// send makes the request, and once more with a new token where Shopify refuses one that it gave us itself.
func (a *api) send(ctx context.Context, q query, body []byte) (httpapi.Response, error) {
	for renewed := false; ; renewed = true {
		token, err := a.access.ready(ctx)
		if err != nil {
			return httpapi.Response{}, err
		}
		answer, err := a.http.Do(ctx, httpapi.Request{
			Op: q.Op, Method: http.MethodPost, Path: "admin/api/" + a.set.APIVersion + "/graphql.json", Body: body,
			Cost: a.ledger.expect(q.Op, q.Cost), Idempotent: q.Idempotent, Shrinkable: q.Shrinkable,
		})
		var status *httpapi.StatusError
		if !errors.As(err, &status) || status.Status != http.StatusUnauthorized || renewed || !a.access.drop(token) {
			return answer, err
		}
		a.log.Info("the access token is no longer taken and is renewed", "op", q.Op)
	}
}

// present is the present moment by our clock, or by the shop's where ours is ahead of it: what changes from now on is
// stamped by the shop with a time no earlier than this one.
func (a *api) present() time.Time {
	now := a.now()
	if told := a.told.Load(); told != nil && told.Before(now) {
		now = *told
	}
	return now.UTC().Truncate(time.Second)
}

// noteVersion remembers which API version answered, and says once if it is not the one asked for.
func (a *api) noteVersion(answer httpapi.Response) {
	version := answer.Header.Get("X-Shopify-Api-Version")
	if version == "" {
		return
	}
	if before := a.answered.Swap(&version); (before == nil || *before != version) && version != a.set.APIVersion {
		a.log.Warn("another API version answers than was asked", "asked", a.set.APIVersion, "answered", a.http.Harmless(version))
	}
}
