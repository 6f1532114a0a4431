package shopify

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"regexp"
	"strings"
	"sync"
	"time"

	"github.com/goccy/go-json"

	"github.com/perennial-cvo/perennial/config/secret"
	"github.com/perennial-cvo/perennial/connectors"
	"github.com/perennial-cvo/perennial/connectors/httpapi"
)

// margin is how long before its end a token is renewed, so that no request is on its way with an expired one. A token
// that lives shorter than five margins is renewed when a fifth of its life is left.
const margin = 10 * time.Minute

// access gives the token that goes with every request: the one from the settings, or one got by client credentials,
// which is kept in memory only. It is safe for concurrent use.
type access struct {
	set  settings
	http *httpapi.Client
	now  func() time.Time
	hide func(secret.Text)

	mu    sync.Mutex
	token secret.Text
	until time.Time // when to renew; zero for a token that does not expire
}

func newAccess(set settings, deps connectors.Deps, transport http.RoundTripper) (*access, error) {
	s := &access{set: set, now: deps.Now, token: set.AccessToken}
	client, err := httpapi.New(httpapi.Options{
		BaseURL: set.URL, Classify: s.classify, Deps: deps, Transport: transport,
		Secrets: []secret.Text{set.ClientSecret, set.AccessToken},
	})
	if err != nil {
		return nil, err
	}
	s.http = client
	return s, nil
}

// ready sees that there is a token and returns it.
func (s *access) ready(ctx context.Context) (secret.Text, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if !s.set.AccessToken.IsZero() || !s.token.IsZero() && s.now().Before(s.until) {
		return s.token, nil
	}
	if err := s.fetch(ctx); err != nil {
		return secret.Text{}, err
	}
	return s.token, nil
}

// drop forgets a token that the shop refused, and reports whether another can be got.
func (s *access) drop(refused secret.Text) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	if !s.set.AccessToken.IsZero() {
		return false
	}
	if s.token.Equal(refused) {
		s.token, s.until = secret.Text{}, time.Time{}
	}
	return true
}

// sign puts the token on a request.
func (s *access) sign(r *http.Request) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	r.Header.Set("X-Shopify-Access-Token", s.token.Reveal())
	return nil
}

// fetch asks for a token by client credentials.
func (s *access) fetch(ctx context.Context) error {
	form := url.Values{
		"grant_type": {"client_credentials"}, "client_id": {s.set.ClientID}, "client_secret": {s.set.ClientSecret.Reveal()},
	}
	answer, err := s.http.Do(ctx, httpapi.Request{
		Op: "access token", Method: http.MethodPost, Path: "admin/oauth/access_token", Unsigned: true, Idempotent: true,
		Body: []byte(form.Encode()), ContentType: "application/x-www-form-urlencoded",
	})
	if err != nil {
		return elsewhere(err)
	}
	var grant struct {
		Token   string  `json:"access_token"`
		Expires float64 `json:"expires_in"` // seconds
	}
	if err := json.Unmarshal(answer.Body, &grant); err != nil || grant.Token == "" {
		return &connectors.Error{Kind: connectors.KindRetry, Op: "access token", Err: errors.New("the answer holds no token")}
	}
	life := time.Duration(grant.Expires * float64(time.Second))
	if life <= 0 {
		life = 24 * time.Hour
	}
	s.token = secret.New(grant.Token)
	s.until = s.now().Add(life - min(margin, life/5))
	s.hide(s.token)
	return nil
}

// oauthCode is how Shopify names the cause, in JSON or within a page for people.
var oauthCode = regexp.MustCompile(`\b(shop_not_permitted|application_cannot_be_found|app_not_installed|invalid_client|invalid_request|unauthori[sz]ed_client|unsupported_grant_type|access_denied)\b`)

// classify says why no token was given.
func (s *access) classify(r httpapi.Response) *connectors.Error {
	code := string(oauthCode.Find(r.Body))
	e := &connectors.Error{Kind: connectors.KindCredentials, Err: fmt.Errorf("status %d %s", r.Status, code)}
	switch {
	case code == "shop_not_permitted":
		e.Remedy = "the app and the shop must belong to the same organisation: make the app in the Dev Dashboard of the organisation that owns " + s.set.Shop + ", and install it in this shop"
	case code == "app_not_installed":
		e.Remedy = "install the app in the shop: Dev Dashboard > your app > Home > Install app, and choose " + s.set.Shop
	case code == "application_cannot_be_found":
		e.Remedy = "no app has this client_id: copy it from the Dev Dashboard > your app > Settings"
	case code == "unsupported_grant_type", strings.HasPrefix(code, "unauthor"):
		e.Remedy = "this app cannot ask for tokens by itself: make one in the Dev Dashboard of the organisation that owns the shop"
	case code != "", r.Status == http.StatusUnauthorized:
		e.Remedy = "check client_id and client_secret: they stand in the Dev Dashboard under your app > Settings; after a rotation the old secret is void"
	case r.Status == http.StatusTooManyRequests, r.Status >= 500:
		return nil
	default:
		return shopStatus(r.Status, s.set)
	}
	return e
}
