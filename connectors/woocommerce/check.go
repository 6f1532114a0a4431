package woocommerce

import (
	"context"
	"errors"
	"fmt"
	"html"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/goccy/go-json"

	"github.com/perennial-cvo/perennial/connectors"
	"github.com/perennial-cvo/perennial/connectors/commerce"
	"github.com/perennial-cvo/perennial/connectors/httpapi"
)

// skewLimit is how far our clock and the shop's may differ without a word.
const skewLimit = 30 * time.Second

// wpIndex is what WordPress says of itself to anybody.
type wpIndex struct {
	Name       text       `json:"name"`
	Home       text       `json:"home"`
	Offset     amount     `json:"gmt_offset"`
	Zone       text       `json:"timezone_string"`
	Namespaces list[text] `json:"namespaces"`
}

type systemStatus struct {
	Environment struct {
		HomeURL text `json:"home_url"`
		StoreID text `json:"store_id"`
		Version text `json:"version"`
	} `json:"environment"`
	Settings struct {
		Currency text       `json:"currency"`
		HPOS     flag       `json:"HPOS_enabled"`
		Features list[text] `json:"enabled_features"`
	} `json:"settings"`
}

// Check asks the shop who it is and what the key may read.
func (s *source) Check(ctx context.Context) (connectors.Report, error) {
	var report connectors.Report
	index, err := s.index(ctx, &report)
	if err != nil {
		return report, err
	}
	status, err := s.status(ctx)
	if err != nil {
		return report, err
	}
	report.Shop = s.shop(index, status)
	s.judgeShop(&report, index, status)
	if err := s.checkReading(ctx, &report); err != nil {
		return report, err
	}
	return report, s.checkPaging(ctx, &report)
}

// index reads the public face of the site, without the key: WordPress refuses keys outside of WooCommerce's own paths.
// Where a security plugin hides it from strangers, what it would have told stays unknown; the shop itself may answer.
func (a *api) index(ctx context.Context, report *connectors.Report) (wpIndex, error) {
	const op = "site index"
	q := url.Values{"_fields": {"name,url,home,gmt_offset,timezone_string,namespaces"}}
	answer, err := a.http.Do(ctx, httpapi.Request{Op: op, Path: "wp-json/", Query: q, Unsigned: true})
	if status, _ := codeOf(err); status == http.StatusUnauthorized || status == http.StatusForbidden {
		note(report, connectors.Problem, op, "WordPress hides it from strangers, so the shop's name and time zone are unknown: days are those of the zone known before, else of UTC",
			"let everybody read /wp-json/ (a security plugin keeps it closed), or set time_zone for this store")
		return wpIndex{}, nil
	}
	if err != nil {
		return wpIndex{}, err
	}
	var index wpIndex
	if json.Unmarshal(answer.Body, &index) != nil {
		return index, &connectors.Error{Kind: connectors.KindPermanent, Op: op, Err: errors.New("no WordPress answers here"), Remedy: permalinks}
	}
	if !slices.Contains(index.Namespaces, "wc/v3") {
		return index, &connectors.Error{
			Kind: connectors.KindPermanent, Op: op, Err: errors.New("WordPress answers, but without WooCommerce's REST API wc/v3"),
			Remedy: "activate WooCommerce, and check that url names the site on which it runs",
		}
	}
	a.checkClock(answer.Date, report)
	return index, nil
}

func (a *api) checkClock(shop time.Time, report *connectors.Report) {
	if shop.IsZero() {
		return
	}
	skew := a.now().Sub(shop).Round(time.Second)
	switch {
	case skew.Abs() <= skewLimit:
		note(report, connectors.Fine, "clock", "agrees with the shop's", "")
	case !a.set.secure() && skew.Abs() > 14*time.Minute:
		note(report, connectors.Problem, "clock", fmt.Sprintf("differs from the shop's by %s: its signatures will be refused", skew), "set the wrong one of the two clocks")
	default:
		note(report, connectors.Notice, "clock", fmt.Sprintf("differs from the shop's by %s; the shop's clock counts", skew), "set the wrong one of the two clocks")
	}
}

func (a *api) status(ctx context.Context) (systemStatus, error) {
	var status systemStatus
	q := url.Values{"_fields": {"environment.home_url,environment.store_id,environment.version,settings.currency,settings.HPOS_enabled,settings.enabled_features"}}
	_, err := a.get(ctx, "system status", "system_status", q, &status)
	return status, err
}

func (a *api) shop(index wpIndex, status systemStatus) commerce.Shop {
	home := first(status.Environment.HomeURL, index.Home)
	// Older versions have no id of their own for the shop: after an update its address is still its former mark.
	identity, former := status.Environment.StoreID.trim(), []string{bareAddress(home)}
	if identity == "" {
		identity, former = bareAddress(home), nil
	}
	return commerce.Shop{
		Identity: identity, Former: former, Name: html.UnescapeString(index.Name.trim()), URL: home,
		Currency: strings.ToUpper(status.Settings.Currency.trim()), TimeZone: timeZone(index),
		Platform: "WooCommerce " + status.Environment.Version.trim(),
	}
}

// timeZone returns the IANA name that the shop is set to, or its fixed offset as "+05:30"; nothing where it is hidden.
func timeZone(index wpIndex) string {
	if index.Namespaces == nil {
		return ""
	}
	if zone := index.Zone.trim(); zone != "" {
		if _, err := time.LoadLocation(zone); err == nil {
			return zone
		}
	}
	minutes := int(index.Offset.Decimal.Mul(sixty).IntPart())
	sign := '+'
	if minutes < 0 {
		sign, minutes = '-', -minutes
	}
	return fmt.Sprintf("%c%02d:%02d", sign, minutes/60, minutes%60)
}

// judgeShop says what of the shop's settings matters to us.
func (s *source) judgeShop(report *connectors.Report, index wpIndex, status systemStatus) {
	shop, version := report.Shop, status.Environment.Version.trim()
	switch v := number(version); {
	case v == 0:
		note(report, connectors.Notice, "version", "the shop does not tell it", "")
	case v < 809:
		note(report, connectors.Notice, "version", shop.Platform+" is older than 8.9, the oldest that was tried", "update WooCommerce")
	case v >= 1200:
		note(report, connectors.Notice, "version", shop.Platform+" is newer than what was tried", "")
	default:
		note(report, connectors.Fine, "version", shop.Platform, "")
	}
	storage := "legacy post storage"
	if status.Settings.HPOS {
		storage = "high-performance order storage"
	}
	note(report, connectors.Fine, "order storage", storage, "")
	if currencyCode.MatchString(shop.Currency) {
		note(report, connectors.Fine, "currency", shop.Currency, "")
	} else {
		note(report, connectors.Problem, "currency", "the shop names no currency", "set it under WooCommerce > Settings > General")
	}
	switch {
	case index.Namespaces == nil: // told already
	case index.Zone.trim() == shop.TimeZone:
		note(report, connectors.Fine, "time zone", shop.TimeZone, "")
	default:
		note(report, connectors.Notice, "time zone", "a fixed offset, "+shop.TimeZone+", which knows no summer time", "choose a city under Settings > General > Timezone in WordPress")
	}
	if !slices.Contains(status.Settings.Features, "cost_of_goods_sold") {
		note(report, connectors.Fine, "cost of goods", "not kept by this shop, so there is no margin", "")
	} else {
		note(report, connectors.Fine, "cost of goods", "kept by this shop", "")
	}
	s.judgeAddress(report, shop.URL)
	if s.set.ConsentMetaKey == "" {
		note(report, connectors.Fine, "marketing consent", "WooCommerce keeps none by itself, and no consent_meta_key is set", "")
	}
}

func (s *source) judgeAddress(report *connectors.Report, home string) {
	signedFor := s.set.OAuthURL
	if signedFor == "" {
		signedFor = s.set.URL
	}
	switch {
	case !s.set.secure():
		note(report, connectors.Notice, "connection", "plain http: requests are signed, but customers' data travels in the clear", "use https, unless this is a local network")
		if strings.TrimRight(home, "/") != signedFor {
			note(report, connectors.Notice, "home address", "WordPress knows itself as "+home, "if signatures are refused, set oauth_url to it")
		}
	case bareAddress(home) != bareAddress(s.set.URL):
		note(report, connectors.Notice, "home address", "WordPress knows itself as "+home, "set url to it, unless the shop is reached another way on purpose")
	}
}

// checkReading tries each list, and names those that the key may not read.
func (s *source) checkReading(ctx context.Context, report *connectors.Report) error {
	lists := []struct{ path, name string }{
		{"orders", "orders"}, {"customers", "customers"}, {"products", "products"}, {"products/reviews", "reviews"}, {"coupons", "coupons"},
	}
	for _, l := range lists {
		q := url.Values{"per_page": {"1"}, "_fields": {"id"}}
		_, err := s.list(ctx, l.name+" page", l.path, q)
		switch {
		case err == nil:
			note(report, connectors.Fine, "read "+l.name, "allowed", "")
		case connectors.KindOf(err) == connectors.KindCredentials:
			note(report, connectors.Problem, "read "+l.name, "the key may not read "+l.name, connectors.Remedy(err))
		case noRoute(err):
			note(report, connectors.Problem, "read "+l.name, "this shop does not hand out "+l.name, connectors.Remedy(err))
		default:
			return err
		}
	}
	return nil
}

// checkPaging sees that the second page differs from the first: a web server that drops the query gives one for ever.
func (s *source) checkPaging(ctx context.Context, report *connectors.Report) error {
	var pages [2]string
	for i := range pages {
		q := url.Values{"per_page": {"1"}, "offset": {strconv.Itoa(i)}, "orderby": {"id"}, "order": {"asc"}, "_fields": {"id"}}
		answer, err := s.list(ctx, "products page", "products", q)
		if err != nil {
			if connectors.KindOf(err) == connectors.KindCredentials || noRoute(err) {
				return nil // told already
			}
			return err
		}
		if len(answer.rows) == 0 {
			return nil
		}
		if len(answer.rows) > 1 {
			pages[0] = pages[1]
			break
		}
		pages[i] = string(answer.rows[0])
	}
	if pages[0] == pages[1] {
		note(report, connectors.Problem, "paging", "the second page of a list equals the first",
			"the web server or a cache drops the query of the address: let /wp-json/ through uncached and with its query string")
		return nil
	}
	note(report, connectors.Fine, "paging", "works", "")
	return nil
}

func note(r *connectors.Report, level connectors.Level, subject, text, remedy string) {
	r.Findings = append(r.Findings, connectors.Finding{Level: level, Subject: subject, Text: text, Remedy: remedy})
}

// number turns "11.0.1" into 1100 and what is no version into 0.
func number(version string) int {
	parts := strings.SplitN(version, ".", 3)
	if len(parts) < 2 {
		return 0
	}
	major, err := strconv.Atoi(parts[0])
	if err != nil {
		return 0
	}
	minor, _ := strconv.Atoi(strings.TrimRight(parts[1], "-abcdefghijklmnopqrstuvwxyz"))
	return major*100 + minor
}

// bareAddress is an address without its scheme and closing slash.
func bareAddress(address string) string {
	_, rest, found := strings.Cut(address, "://")
	if !found {
		rest = address
	}
	return strings.ToLower(strings.TrimRight(rest, "/"))
}
