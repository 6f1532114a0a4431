package httpapi

import (
	"encoding/base64"
	"net/url"
	"regexp"
	"strings"
	"sync"
	"sync/atomic"
	"unicode"
	"unicode/utf8"

	"github.com/perennial-cvo/perennial/config/secret"
)

// snippet is how many bytes of foreign text an error may carry.
const snippet = 200

var (
	address = regexp.MustCompile(`[^\s"'<>@:;,()]+@[^\s"'<>@:;,()]+`)
	query   = regexp.MustCompile(`([?&;][\w%.\[\]-]{1,64}=)[^&;\s"'<>]+`)
	tag     = regexp.MustCompile(`<[^>]*>`)
)

// mask makes foreign text harmless: no secrets, no e-mail addresses, no query values, no control characters, short.
type mask struct {
	mu      sync.Mutex
	known   []secret.Text
	secrets atomic.Pointer[strings.Replacer]
}

func newMask(secrets []secret.Text) *mask {
	m := &mask{}
	m.hide(secrets...)
	return m
}

// hide adds secrets to those that are masked.
func (m *mask) hide(secrets ...secret.Text) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.known = append(m.known, secrets...)
	m.secrets.Store(replacer(m.known))
}

func replacer(secrets []secret.Text) *strings.Replacer {
	var pairs []string
	for _, s := range secrets {
		value := s.Reveal()
		if len(value) < 4 { // too short to be a secret, and replacing it would garble every text
			continue
		}
		for _, form := range []string{value, url.QueryEscape(value), url.PathEscape(value), base64.StdEncoding.EncodeToString([]byte(value))} {
			pairs = append(pairs, form, "***")
		}
	}
	return strings.NewReplacer(pairs...)
}

func (m *mask) text(text string) string {
	text = m.secrets.Load().Replace(strings.ToValidUTF8(text, ""))
	text = query.ReplaceAllString(text, "$1***")
	text = tag.ReplaceAllString(text, " ")
	text = address.ReplaceAllString(text, "(address)")
	text = strings.Map(func(r rune) rune {
		if unicode.IsControl(r) || unicode.Is(unicode.Cf, r) {
			return ' '
		}
		return r
	}, text)
	text = strings.Join(strings.Fields(text), " ")
	if len(text) <= snippet {
		return text
	}
	cut := snippet
	for cut > 0 && !utf8.RuneStart(text[cut]) {
		cut--
	}
	return text[:cut]
}

// Hide adds a secret that was got on the way, such as a token that expires, to those that no error or log may show.
func (c *Client) Hide(s secret.Text) { c.mask.hide(s) }

// Harmless makes foreign text fit for errors and logs: at most 200 bytes, on one line, without secrets, e-mail
// addresses, markup and query values.
func (c *Client) Harmless(text string) string { return c.mask.text(text) }
