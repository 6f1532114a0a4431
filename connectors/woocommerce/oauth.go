package woocommerce

import (
	"crypto/hmac"
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/perennial-cvo/perennial/config/secret"
)

// signer adds the key to a request. It replaces what an earlier attempt left, so every attempt has its own nonce and
// time: WooCommerce refuses a nonce that it has seen.
type signer struct {
	key, secret secret.Text
	inQuery     bool   // Basic auth in the query instead of the header
	oauth       bool   // plain http
	base        string // the shop's address as configured
	home        string // the address by which WordPress knows itself
	now         func() time.Time
}

func (s *signer) sign(r *http.Request) error {
	switch {
	case s.oauth:
		s.signOAuth(r)
	case s.inQuery:
		q := r.URL.Query()
		q.Set("consumer_key", s.key.Reveal())
		q.Set("consumer_secret", s.secret.Reveal())
		r.URL.RawQuery = q.Encode()
	default:
		r.SetBasicAuth(s.key.Reveal(), s.secret.Reveal())
	}
	return nil
}

// signOAuth signs with one-legged OAuth 1.0a (RFC 5849, section 3.4), HMAC-SHA256, in the query string. WooCommerce
// computes the signature over its home URL, not over the host of the request.
func (s *signer) signOAuth(r *http.Request) {
	q := r.URL.Query()
	for name := range q {
		if strings.HasPrefix(name, "oauth_") {
			q.Del(name)
		}
	}
	q.Set("oauth_consumer_key", s.key.Reveal())
	q.Set("oauth_timestamp", strconv.FormatInt(s.now().Unix(), 10))
	q.Set("oauth_nonce", rand.Text())
	q.Set("oauth_signature_method", "HMAC-SHA256")
	target := url.URL{Scheme: r.URL.Scheme, Host: r.URL.Host, Path: r.URL.Path}
	address := s.home + strings.TrimPrefix(target.String(), s.base)
	text := r.Method + "&" + escape(address) + "&" + escape(normalise(q))
	mac := hmac.New(sha256.New, []byte(s.secret.Reveal()+"&"))
	mac.Write([]byte(text))
	q.Set("oauth_signature", base64.StdEncoding.EncodeToString(mac.Sum(nil)))
	r.URL.RawQuery = q.Encode()
}

// normalise joins the parameters in the order and spelling of RFC 5849, section 3.4.1.3.2.
func normalise(q url.Values) string {
	pairs := make([]string, 0, len(q))
	for name, values := range q {
		for _, value := range values {
			pairs = append(pairs, escape(name)+"="+escape(value))
		}
	}
	slices.Sort(pairs)
	return strings.Join(pairs, "&")
}

// escape is percent-encoding as RFC 3986 has it: a space is %20, a tilde stands for itself.
func escape(text string) string {
	return strings.ReplaceAll(url.QueryEscape(text), "+", "%20")
}
