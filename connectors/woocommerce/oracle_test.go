package woocommerce

import (
	"cmp"
	"crypto/tls"
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"

	gocmp "github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
	"github.com/shopspring/decimal"
	"github.com/stretchr/testify/require"

	"github.com/perennial-cvo/perennial/config/secret"
	"github.com/perennial-cvo/perennial/connectors"
	"github.com/perennial-cvo/perennial/connectors/commerce"
	"github.com/perennial-cvo/perennial/connectors/simulator"
	"github.com/perennial-cvo/perennial/connectors/woocommerce/woocommercetest"
)

// pullAll reads every resource to its end.
func pullAll(t *testing.T, s *source) (all commerce.Batch, warnings []string) {
	t.Helper()
	for _, offer := range s.Resources() {
		cursor := connectors.Cursor("")
		for {
			page, err := s.Pull(t.Context(), offer.Resource, connectors.Sweep, cursor)
			require.NoError(t, err)
			require.Empty(t, page.Rejected)
			b := page.Records
			all.Products, all.Coupons, all.Customers = append(all.Products, b.Products...), append(all.Coupons, b.Coupons...), append(all.Customers, b.Customers...)
			all.Orders, all.Lines, all.Refunds = append(all.Orders, b.Orders...), append(all.Lines, b.Lines...), append(all.Refunds, b.Refunds...)
			all.Reviews = append(all.Reviews, b.Reviews...)
			warnings = append(warnings, page.Warnings...)
			if page.Done {
				break
			}
			cursor = page.Next
		}
	}
	return all, warnings
}

// serveFake opens a source over a fake without a socket, by https.
func serveFake(t *testing.T, shop simulator.Options, opts woocommercetest.Options) (*source, *woocommercetest.Server) {
	t.Helper()
	f := woocommercetest.New(simulator.New(shop), opts)
	set := settings{
		URL: f.Home(), PageSize: 40, Timeout: time.Minute,
		ConsumerKey:    secret.New(woocommercetest.MainKey.ConsumerKey),
		ConsumerSecret: secret.New(woocommercetest.MainKey.ConsumerSecret),
	}
	a, err := newAPI(set, connectors.Deps{Now: f.Shop().Now}, tlsOnly{direct{f}})
	require.NoError(t, err)
	return newSource(a), f
}

// tlsOnly marks requests as come by https.
type tlsOnly struct{ direct }

func (d tlsOnly) RoundTrip(r *http.Request) (*http.Response, error) {
	r = r.Clone(r.Context())
	r.TLS = &tls.ConnectionState{}
	r.RequestURI = r.URL.RequestURI()
	return d.direct.RoundTrip(r)
}

// The whole of an invented shop arrives as it is, on old and new versions and in any time zone and currency.
func TestWholeShopAgainstTheOracle(t *testing.T) {
	tests := map[string]struct {
		shop simulator.Options
		opts woocommercetest.Options
	}{
		"11.0 HPOS":       {simulator.Options{Customers: 120, Seed: 3}, woocommercetest.Options{}},
		"11.0 legacy":     {simulator.Options{Customers: 60, Seed: 4, TimeZone: "Asia/Kolkata"}, woocommercetest.Options{Legacy: true}},
		"9.4":             {simulator.Options{Customers: 60, Seed: 5, Currency: "JPY", TimeZone: "Pacific/Auckland"}, woocommercetest.Options{Version: "9.4.1"}},
		"9.6 in a folder": {simulator.Options{Customers: 60, Seed: 6, Currency: "KWD", TimeZone: "+05:30"}, woocommercetest.Options{Version: "9.6.0", SubPath: "/shop"}},
		"8.9 legacy":      {simulator.Options{Customers: 60, Seed: 7, Currency: "EUR", TimeZone: "Europe/Berlin"}, woocommercetest.Options{Version: "8.9.3", Legacy: true}},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			s, f := serveFake(t, tt.shop, tt.opts)
			got, warnings := pullAll(t, s)
			require.Empty(t, warnings)
			want := f.Shop().Oracle(simulator.Policy{})
			forget(&want, tt.opts.Version)
			same(t, want.Orders, got.Orders, func(a commerce.Order) string { return a.ID })
			same(t, want.Lines, got.Lines, func(a commerce.Line) string { return a.OrderID + "/" + a.ID })
			same(t, want.Refunds, got.Refunds, func(a commerce.Refund) string { return a.ID })
			same(t, want.Products, got.Products, func(a commerce.Product) string { return a.ID })
			same(t, want.Coupons, got.Coupons, func(a commerce.Coupon) string { return a.ID })
			same(t, want.Customers, got.Customers, func(a commerce.Customer) string { return a.ID })
			same(t, want.Reviews, got.Reviews, func(a commerce.Review) string { return a.ID })
		})
	}
}

// forget takes out of the truth what the shop does not tell: a variation's share in its parent's name, categories and
// brand, costs before 9.5, and brands before 9.9.
func forget(o *simulator.Oracle, version string) {
	for i := range o.Products {
		p := &o.Products[i]
		if p.ParentID != "" {
			p.Name, p.Categories, p.Brands = variationName(*p), nil, nil
		}
		if strings.HasPrefix(version, "8.") || strings.HasPrefix(version, "9.") {
			p.Brands = nil
		}
	}
	if version == "" || version == "9.6.0" {
		return
	}
	for i := range o.Orders {
		o.Orders[i].Cost = decimal.NullDecimal{}
	}
	for i := range o.Lines {
		o.Lines[i].Cost = decimal.NullDecimal{}
	}
	for i := range o.Refunds {
		o.Refunds[i].Cost = decimal.NullDecimal{}
	}
	for i := range o.Products {
		o.Products[i].Cost = decimal.NullDecimal{}
	}
}

// variationName is what the shop calls a variation: what was chosen.
func variationName(p commerce.Product) string {
	var chosen []string
	for _, a := range p.Attributes {
		chosen = append(chosen, a.Options...)
	}
	return strings.Join(chosen, ", ")
}

func same[T any](t *testing.T, want, got []T, key func(T) string) {
	t.Helper()
	byKey := func(a, b T) int { return cmp.Compare(key(a), key(b)) }
	want, got = slices.SortedFunc(slices.Values(want), byKey), slices.SortedFunc(slices.Values(got), byKey)
	diff := gocmp.Diff(want, got, cmpopts.EquateEmpty(),
		gocmp.Comparer(func(a, b decimal.Decimal) bool { return a.Equal(b) }),
		gocmp.Comparer(func(a, b decimal.NullDecimal) bool {
			return a.Valid == b.Valid && (!a.Valid || a.Decimal.Equal(b.Decimal))
		}),
		gocmp.Comparer(func(a, b time.Time) bool { return a.Equal(b) }))
	if len(diff) > 3000 {
		diff = diff[:3000]
	}
	require.Empty(t, diff, "%T (-want +got)", want)
}
