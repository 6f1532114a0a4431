package woocommercetest

import (
	"crypto/hmac"
	"crypto/sha1" //nolint:gosec // OAuth 1.0a allows it and WooCommerce takes it
	"crypto/sha256"
	"encoding/base64"
	"hash"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"
)

// Key is a REST key of the shop.
type Key struct {
	ConsumerKey    string
	ConsumerSecret string
	Permissions    string // "read", "write" or "read_write"
	Powerless      bool   // belongs to a user without rights
}

// The keys that every fake shop knows.
var (
	MainKey      = Key{"ck_0000000000000000000000000000000000000a11", "cs_0000000000000000000000000000000000000a11", "read_write", false}
	ReadKey      = Key{"ck_0000000000000000000000000000000000000b22", "cs_0000000000000000000000000000000000000b22", "read", false}
	WriteKey     = Key{"ck_0000000000000000000000000000000000000c33", "cs_0000000000000000000000000000000000000c33", "write", false}
	PowerlessKey = Key{"ck_0000000000000000000000000000000000000d44", "cs_0000000000000000000000000000000000000d44", "read_write", true}
)

const oauthWindow = 15 * time.Minute

// authenticate finds the key of a request. No key and no refusal means that nobody is logged in.
func (s *Server) authenticate(r *http.Request, query url.Values) (*Key, *answer) {
	secure := s.secure(r)
	if name, secret, ok := r.BasicAuth(); ok && secure {
		return s.byBasic(name, secret)
	}
	if name, secret := query.Get("consumer_key"), query.Get("consumer_secret"); name != "" && secret != "" && secure {
		return s.byBasic(name, secret)
	}
	if query.Get("oauth_consumer_key") != "" {
		return s.byOAuth(r, query)
	}
	return nil, nil
}

func (s *Server) secure(r *http.Request) bool {
	return r.TLS != nil || r.Header.Get("X-Forwarded-Proto") == "https"
}

func (s *Server) byBasic(name, secret string) (*Key, *answer) {
	key := s.key(name)
	switch {
	case key == nil:
		return nil, nil // as if nothing had been sent
	case key.ConsumerSecret != secret:
		return nil, unauthenticated("Consumer secret is invalid.")
	default:
		return key, nil
	}
}

func (s *Server) byOAuth(r *http.Request, query url.Values) (*Key, *answer) {
	for _, name := range []string{"oauth_timestamp", "oauth_nonce", "oauth_signature", "oauth_signature_method"} {
		if query.Get(name) == "" {
			a := failure(http.StatusUnauthorized, "woocommerce_rest_authentication_missing_parameter", "Missing OAuth parameter "+name)
			return nil, a.strangers()
		}
	}
	key := s.key(query.Get("oauth_consumer_key"))
	if key == nil {
		return nil, unauthenticated("Consumer key is invalid.")
	}
	digest := map[string]func() hash.Hash{"HMAC-SHA256": sha256.New, "HMAC-SHA1": sha1.New}[query.Get("oauth_signature_method")]
	if digest == nil {
		return nil, unauthenticated("Invalid signature - signature method is invalid.")
	}
	mac := hmac.New(digest, []byte(key.ConsumerSecret+"&"))
	mac.Write([]byte(s.signatureBase(r, query)))
	if !hmac.Equal([]byte(base64.StdEncoding.EncodeToString(mac.Sum(nil))), []byte(query.Get("oauth_signature"))) {
		return nil, unauthenticated("Invalid signature - provided signature does not match.")
	}
	return key, s.checkNonce(key, query)
}

func (s *Server) checkNonce(key *Key, query url.Values) *answer {
	seconds, err := strconv.ParseInt(query.Get("oauth_timestamp"), 10, 64)
	if err != nil || !s.timely(time.Unix(seconds, 0)) {
		return unauthenticated("Invalid timestamp.")
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	nonce := key.ConsumerKey + " " + query.Get("oauth_nonce")
	if s.nonces[nonce] {
		return unauthenticated("Invalid nonce - nonce has already been used.")
	}
	s.nonces[nonce] = true
	return nil
}

// timely says whether a signature was made a short time ago by the shop's clock, or by the other one that it was given.
func (s *Server) timely(t time.Time) bool {
	near := func(now time.Time) bool { return now.Sub(t).Abs() <= oauthWindow }
	return near(s.shop.Now()) || s.opts.Clock != nil && near(s.opts.Clock())
}

// signatureBase is built over the home URL of the shop, whatever host the request came by.
func (s *Server) signatureBase(r *http.Request, query url.Values) string {
	home, err := url.Parse(s.home())
	if err != nil {
		return ""
	}
	var pairs []string
	for name, values := range query {
		if name == "oauth_signature" {
			continue
		}
		pairs = append(pairs, encode(name)+"="+encode(values[len(values)-1]))
	}
	slices.Sort(pairs)
	base := home.Scheme + "://" + home.Host + r.URL.Path
	return r.Method + "&" + encode(base) + "&" + encode(strings.Join(pairs, "&"))
}

// encode is the percent encoding of RFC 3986.
func encode(s string) string {
	return strings.ReplaceAll(strings.ReplaceAll(url.QueryEscape(s), "+", "%20"), "%7E", "~")
}

// phpQuery reads a query as PHP does: a[]=x becomes a[0], the last of equal names wins.
func phpQuery(raw string) url.Values {
	values := url.Values{}
	for _, part := range strings.Split(raw, "&") {
		if part == "" {
			continue
		}
		name, value, _ := strings.Cut(part, "=")
		name, _ = url.QueryUnescape(name)
		value, _ = url.QueryUnescape(value)
		if head, ok := strings.CutSuffix(name, "[]"); ok {
			n := 0
			for values.Has(head + "[" + strconv.Itoa(n) + "]") {
				n++
			}
			name = head + "[" + strconv.Itoa(n) + "]"
		}
		values.Set(name, value)
	}
	return values
}

// allowed says whether the key may do what the method means.
func (k *Key) allowed(method string) *answer {
	write := method != http.MethodGet && method != http.MethodHead && method != http.MethodOptions
	switch {
	case write && k.Permissions == "read":
		return unauthenticated("The API key provided does not have write permissions.").known()
	case !write && k.Permissions == "write":
		return unauthenticated("The API key provided does not have read permissions.").known()
	default:
		return nil
	}
}

func unauthenticated(message string) *answer {
	return failure(http.StatusUnauthorized, "woocommerce_rest_authentication_error", message).strangers()
}
