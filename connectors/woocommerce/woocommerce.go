// Package woocommerce reads a WooCommerce shop (8.9 to 11.0, either order storage) through its REST API wc/v3 and writes
// our tags back as customer meta.
//
// What is special about it: over https the key goes as Basic auth, over plain http every attempt is signed with OAuth
// 1.0a. Lists are walked by id with an overlap, because page numbers lose rows when an earlier row is deleted, and
// inside a window of modification times for the nightly increment. The end of a walk is a short page, never a total.
package woocommerce

import (
	"errors"
	"fmt"
	"net/url"
	"regexp"
	"strings"
	"time"

	"github.com/perennial-cvo/perennial/config/secret"
	"github.com/perennial-cvo/perennial/connectors"
)

// Kind is the name of this connector in the configuration.
const Kind = "woocommerce"

// settings are what an owner may say about a shop.
type settings struct {
	URL            string        `mapstructure:"url"`
	ConsumerKey    secret.Text   `mapstructure:"consumer_key"`
	ConsumerSecret secret.Text   `mapstructure:"consumer_secret"`
	AllowQueryAuth bool          `mapstructure:"allow_query_auth"`
	OAuthURL       string        `mapstructure:"oauth_url"`
	ConsentMetaKey string        `mapstructure:"consent_meta_key"`
	PageSize       int           `mapstructure:"page_size"`
	Interval       time.Duration `mapstructure:"interval"`
	Timeout        time.Duration `mapstructure:"timeout"`
}

// New returns the factory of WooCommerce shops: a source, and the shop's own tags as a destination.
func New() connectors.Factory {
	f := connectors.Factory{
		Kind:  Kind,
		Title: "WooCommerce",
		Fields: []connectors.Field{
			{Name: "url", Title: "Shop address", Help: "as visitors type it, such as https://shop.example or https://example.com/shop", Required: true},
			{Name: "consumer_key", Title: "Consumer key", Help: "WooCommerce > Settings > Advanced > REST API; begins with ck_", Secret: true, Required: true},
			{Name: "consumer_secret", Title: "Consumer secret", Help: "shown once beside the key; begins with cs_", Secret: true, Required: true},
			{Name: "consent_meta_key", Title: "Meta key of marketing consent", Help: "meta of customers or orders whose value is yes, 1, true or subscribed, or the opposite"},
			{Name: "allow_query_auth", Title: "Send the key in the address", Help: "only for servers that strip the Authorization header; https only", Default: "false"},
			{Name: "oauth_url", Title: "Home address for signatures", Help: "only over plain http, where WordPress knows itself by another address than url"},
			{Name: "page_size", Title: "Records per request", Help: "5 to 100", Default: "100"},
			{Name: "interval", Title: "Least time between requests", Help: "such as 500ms, to go easy on a small server", Default: "0s"},
			{Name: "timeout", Title: "Longest wait for an answer", Help: "such as 90s", Default: "90s"},
		},
		Statuses: statuses(),
	}
	f.NewSource = func(s connectors.Settings, d connectors.Deps) (connectors.Source, error) {
		a, err := open(f, s, d)
		if err != nil {
			return nil, err
		}
		return newSource(a), nil
	}
	f.NewDestination = func(s connectors.Settings, d connectors.Deps) (connectors.Destination, error) {
		a, err := open(f, s, d)
		if err != nil {
			return nil, err
		}
		return newDestination(a, d.Prefix)
	}
	return f
}

// statuses lists the order statuses of WooCommerce itself. Only an order that is paid for, or on its way to the
// customer with payment on delivery, is a purchase.
func statuses() map[string]bool {
	return map[string]bool{
		"processing": true, "completed": true,
		"pending": false, "on-hold": false, "cancelled": false, "refunded": false, "failed": false,
		"checkout-draft": false, "auto-draft": false, "trash": false,
	}
}

// open decodes and checks the settings, without network.
func open(f connectors.Factory, values connectors.Settings, deps connectors.Deps) (*api, error) {
	set := settings{PageSize: 100, Timeout: 90 * time.Second}
	if err := f.Decode(values, &set); err != nil {
		return nil, err
	}
	if err := set.check(); err != nil {
		return nil, &connectors.Error{
			Kind: connectors.KindPermanent, Op: Kind + " settings", Err: err, Remedy: "correct this setting",
		}
	}
	return newAPI(set, deps, nil)
}

var metaKey = regexp.MustCompile(`^[A-Za-z0-9_-]{1,100}$`)

func (s *settings) check() error {
	s.URL = strings.TrimSpace(s.URL)
	for _, tail := range []string{"/wp-json", "/wp-admin"} { // pasted with the API's or the back office's path
		if at := strings.Index(s.URL, tail); at > 0 {
			s.URL = s.URL[:at]
		}
	}
	s.URL = strings.TrimRight(s.URL, "/")
	if err := webAddress("url", s.URL); err != nil {
		return err
	}
	if s.OAuthURL = strings.TrimRight(strings.TrimSpace(s.OAuthURL), "/"); s.OAuthURL != "" {
		if err := webAddress("oauth_url", s.OAuthURL); err != nil {
			return err
		}
	}
	switch {
	case strings.HasPrefix(s.ConsumerKey.Reveal(), "cs_"), strings.HasPrefix(s.ConsumerSecret.Reveal(), "ck_"):
		return errors.New(`settings "consumer_key" and "consumer_secret" are swapped`)
	case s.AllowQueryAuth && !s.secure():
		return errors.New(`setting "allow_query_auth" needs an address that begins with https://`)
	case s.PageSize < 5 || s.PageSize > 100:
		return fmt.Errorf(`setting "page_size" is %d: 5 to 100 are possible`, s.PageSize)
	case s.Interval < 0:
		return errors.New(`setting "interval" is negative`)
	case s.Timeout < time.Second:
		return errors.New(`setting "timeout" is shorter than a second`)
	case s.ConsentMetaKey != "" && !metaKey.MatchString(s.ConsentMetaKey):
		return errors.New(`setting "consent_meta_key" is not the name of a meta field`)
	}
	return nil
}

func webAddress(name, address string) error {
	u, err := url.Parse(address)
	switch {
	case err != nil || u.Host == "" || (u.Scheme != "https" && u.Scheme != "http"):
		return fmt.Errorf("setting %q is not a web address beginning with https:// or http://", name)
	case u.User != nil || u.RawQuery != "" || u.Fragment != "":
		return fmt.Errorf("setting %q must not carry a user name, password, query or fragment", name)
	}
	return nil
}

func (s *settings) secure() bool { return strings.HasPrefix(s.URL, "https://") }
