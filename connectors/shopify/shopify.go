// Package shopify reads a Shopify shop through its Admin GraphQL API and writes our tags and metafields back to its
// customers.
//
// What is special about it: every request has a price in points, which a leaky bucket must hold. Large pulls are bulk
// operations, whose results are files of one record a line, lines of an order apart from it. Searches ignore what they
// do not know and say so only in a warning, which is an error here.
package shopify

import (
	"errors"
	"fmt"
	"net/url"
	"regexp"
	"strings"

	"github.com/perennial-cvo/perennial/config/secret"
	"github.com/perennial-cvo/perennial/connectors"
)

// Kind is the name of this connector in the configuration.
const Kind = "shopify"

// settings are what an owner may say about a shop.
type settings struct {
	Shop         string      `mapstructure:"shop"` // "alder.myshopify.com" once checked
	ClientID     string      `mapstructure:"client_id"`
	ClientSecret secret.Text `mapstructure:"client_secret"`
	AccessToken  secret.Text `mapstructure:"access_token"`
	APIVersion   string      `mapstructure:"api_version"`
	PageSize     int         `mapstructure:"page_size"`
	BulkFrom     int         `mapstructure:"bulk_from"`
	BulkChunk    int64       `mapstructure:"bulk_chunk"` // bytes
	Segments     bool        `mapstructure:"segments"`
	URL          string      `mapstructure:"url"` // https://<shop> unless the owner says otherwise
}

func defaults() settings {
	return settings{APIVersion: "2026-07", PageSize: 250, BulkFrom: 5000, BulkChunk: 8 << 20}
}

// New returns the factory of Shopify shops: a source, and the shop's own tags as a destination.
func New() connectors.Factory {
	f := factory()
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

// factory describes the kind; New adds what makes connectors of it.
func factory() connectors.Factory {
	return connectors.Factory{
		Kind:  Kind,
		Title: "Shopify",
		Fields: []connectors.Field{
			{Name: "shop", Title: "Shop name", Help: "the one that ends in myshopify.com, such as alder.myshopify.com; Shopify admin > Settings > Domains", Required: true},
			{Name: "client_id", Title: "Client ID", Help: "of your app in the Dev Dashboard: dev.shopify.com > Apps > your app > Settings", Way: wayApp},
			{Name: "client_secret", Title: "Client secret", Help: "stands below the client ID", Secret: true, Way: wayApp},
			{Name: "access_token", Title: "Access token", Help: "begins with shpat_; only of an app made in the Shopify admin before 2026, in place of client ID and secret", Secret: true, Way: wayToken},
			{Name: "api_version", Title: "API version", Help: "a quarter, such as 2026-07", Default: "2026-07"},
			{Name: "page_size", Title: "Records per request", Help: "1 to 250; orders take fewer where they would cost too much", Default: "250"},
			{Name: "bulk_from", Title: "Bulk operations from", Help: "so many records or more are read and written by a bulk operation, 0 means always", Default: "5000"},
			{Name: "bulk_chunk", Title: "Bytes of a bulk file per page", Help: "65536 to 67108864", Default: "8388608"},
			{Name: "segments", Title: "Make Shopify segments", Help: "true makes a customer segment in Shopify for every audience", Default: "false"},
			{Name: "url", Title: "Address of the API", Help: "only for trials: where the shop answers in place of https://<shop>"},
		},
		KnowsConsent: true,
		Statuses:     statuses(),
	}
}

// The ways in.
const (
	wayApp   = "An app in the Dev Dashboard: client ID and client secret"
	wayToken = "An app made in the Shopify admin before 2026: access token"
)

// statuses lists the order statuses of this kind of shop: the financial status in lower case, or cancelled. What was
// given back of an order is taken off by its refunds, so that a refunded one counts and comes to nothing.
func statuses() map[string]bool {
	return map[string]bool{
		"paid": true, "partially_paid": true, "partially_refunded": true, "refunded": true, "authorized": true,
		"pending": false, "expired": false, "voided": false, "cancelled": false, "unknown": false,
	}
}

// open decodes and checks the settings, without network.
func open(f connectors.Factory, values connectors.Settings, deps connectors.Deps) (*api, error) {
	set := defaults()
	if err := f.Decode(values, &set); err != nil {
		return nil, err
	}
	if err := set.check(); err != nil {
		return nil, refuse(err)
	}
	return newAPI(set, deps, nil)
}

func refuse(err error) error {
	return &connectors.Error{Kind: connectors.KindPermanent, Op: Kind + " settings", Err: err, Remedy: "correct this setting"}
}

var (
	shopName   = regexp.MustCompile(`^[a-z0-9][a-z0-9-]*\.myshopify\.com$`)
	adminPath  = regexp.MustCompile(`^admin\.shopify\.com/store/([a-z0-9][a-z0-9-]*)`)
	versioning = regexp.MustCompile(`^(20\d\d-(01|04|07|10)|unstable)$`)
)

func (s *settings) check() error {
	if err := s.checkShop(); err != nil {
		return err
	}
	if err := s.checkKey(); err != nil {
		return err
	}
	s.APIVersion = strings.TrimSpace(s.APIVersion)
	switch {
	case !versioning.MatchString(s.APIVersion):
		return errors.New(`setting "api_version" is not a quarter such as 2026-07`)
	case s.PageSize < 1 || s.PageSize > 250:
		return fmt.Errorf(`setting "page_size" is %d: 1 to 250 are possible`, s.PageSize)
	case s.BulkFrom < 0:
		return errors.New(`setting "bulk_from" is negative`)
	case s.BulkChunk < 64<<10 || s.BulkChunk > 64<<20:
		return fmt.Errorf(`setting "bulk_chunk" is %d: 65536 to 67108864 bytes are possible`, s.BulkChunk)
	}
	return s.checkURL()
}

// checkShop takes the name of the shop out of what people paste: the bare name, an address, or that of the admin.
func (s *settings) checkShop() error {
	name := strings.ToLower(strings.TrimSpace(s.Shop))
	if _, rest, found := strings.Cut(name, "://"); found {
		name = rest
	}
	if m := adminPath.FindStringSubmatch(name); m != nil {
		name = m[1]
	}
	name, _, _ = strings.Cut(name, "/")
	if name != "" && !strings.Contains(name, ".") {
		name += ".myshopify.com"
	}
	if !shopName.MatchString(name) {
		return errors.New(`setting "shop" is not a name that ends in .myshopify.com: it stands in the Shopify admin under Settings > Domains`)
	}
	s.Shop = name
	return nil
}

func (s *settings) checkKey() error {
	s.ClientID = strings.TrimSpace(s.ClientID)
	app := s.ClientID != "" || !s.ClientSecret.IsZero()
	switch {
	case app && !s.AccessToken.IsZero():
		return errors.New(`settings "client_id" and "client_secret" are one way in and "access_token" is another: set only one`)
	case strings.HasPrefix(s.AccessToken.Reveal(), "shpss_"):
		return errors.New(`setting "access_token" holds a client secret: set "client_id" and "client_secret"`)
	case strings.HasPrefix(s.ClientSecret.Reveal(), "shpat_"):
		return errors.New(`setting "client_secret" holds an access token: set "access_token" in its place`)
	case app && s.ClientID == "":
		return errors.New(`setting "client_id" is missing`)
	case app && s.ClientSecret.IsZero():
		return errors.New(`setting "client_secret" is missing`)
	case !app && s.AccessToken.IsZero():
		return errors.New(`settings "client_id" and "client_secret" are missing (or "access_token", of an app made in the admin before 2026)`)
	}
	return nil
}

func (s *settings) checkURL() error {
	s.URL = strings.TrimRight(strings.TrimSpace(s.URL), "/")
	if s.URL == "" {
		s.URL = "https://" + s.Shop
		return nil
	}
	u, err := url.Parse(s.URL)
	switch {
	case err != nil || u.Host == "" || (u.Scheme != "https" && u.Scheme != "http"):
		return errors.New(`setting "url" is not a web address beginning with https:// or http://`)
	case u.User != nil || u.RawQuery != "" || u.Fragment != "":
		return errors.New(`setting "url" must not carry a user name, password, query or fragment`)
	}
	return nil
}
