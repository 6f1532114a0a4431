package shopifytest

import (
	"encoding/json"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"
)

const tokenHeader = "X-Shopify-Access-Token"

// authorized reports whether the token is one of the shop's and has not expired.
func (s *Server) authorized(token string) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	until, ok := s.tokens[token]
	return ok && (until.IsZero() || s.clock().Before(until))
}

// unknownToken is the answer to a token that is not one of the shop's.
func unknownToken() *answer {
	const message = "[API] Invalid API key or access token (unrecognized login or wrong password)" //nolint:misspell // as recorded
	return jsonAnswer(http.StatusUnauthorized, map[string]any{"errors": message})
}

// Revoke makes every token unknown and refuses the app further ones, as when its owner uninstalls it.
func (s *Server) Revoke() {
	s.mu.Lock()
	defer s.mu.Unlock()
	clear(s.tokens)
	s.revoked = true
}

// ExpireTokens lets every token that was got by client credentials expire now; new ones are given.
func (s *Server) ExpireTokens() {
	s.mu.Lock()
	defer s.mu.Unlock()
	for token, until := range s.tokens {
		if !until.IsZero() {
			delete(s.tokens, token)
		}
	}
}

// Restrict takes scopes away from the app.
func (s *Server) Restrict(scopes ...string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.scopes = slices.DeleteFunc(s.scopes, func(scope string) bool { return slices.Contains(scopes, scope) })
}

// granted lists the scopes of the app, in order.
func (s *Server) granted() []string {
	s.mu.Lock()
	defer s.mu.Unlock()
	scopes := slices.Clone(s.scopes)
	slices.Sort(scopes)
	return scopes
}

// may answers whether a scope is granted; who may write may read.
func (s *Server) may() func(scope string) bool {
	scopes := s.granted()
	return func(scope string) bool {
		if slices.Contains(scopes, scope) {
			return true
		}
		thing, read := strings.CutPrefix(scope, "read_")
		return read && slices.Contains(scopes, "write_"+thing)
	}
}

// token answers a request for a token by client credentials, in a form or in JSON.
func (s *Server) token(r *http.Request, body []byte) *answer {
	if r.Method != http.MethodPost {
		return jsonAnswer(http.StatusNotFound, map[string]any{"errors": "Not Found"})
	}
	form, err := url.ParseQuery(string(body))
	if strings.Contains(r.Header.Get("Content-Type"), "json") {
		var fields map[string]string
		err = json.Unmarshal(body, &fields)
		form = url.Values{}
		for name, value := range fields {
			form.Set(name, value)
		}
	}
	refuse := func(code, description string) *answer {
		return jsonAnswer(http.StatusBadRequest, map[string]any{"error": code, "error_description": description})
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	switch {
	case err != nil || form.Get("grant_type") != "client_credentials":
		return refuse("unsupported_grant_type", "The grant type is not supported.")
	case form.Get("client_id") != s.opts.ClientID || form.Get("client_secret") != s.opts.ClientSecret:
		return refuse("invalid_client", "The client id or the client secret is not right.")
	case s.revoked:
		return refuse("app_not_installed", "The app is not installed on this shop.")
	}
	s.number++
	token := "shpat_fake" + strconv.FormatInt(s.number, 16) + strings.Repeat("0", 16)
	s.tokens[token] = s.clock().Add(s.opts.TokenLife)
	scopes := slices.Clone(s.scopes)
	slices.Sort(scopes)
	return jsonAnswer(http.StatusOK, map[string]any{
		"access_token": token, "scope": strings.Join(scopes, ","), "expires_in": int64(s.opts.TokenLife/time.Second) - 1,
	})
}
