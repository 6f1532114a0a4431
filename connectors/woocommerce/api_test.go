package woocommerce

import (
	"bytes"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"net/http"
	"net/url"
	"sort"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/perennial-cvo/perennial/config/secret"
	"github.com/perennial-cvo/perennial/connectors"
	"github.com/perennial-cvo/perennial/connectors/commerce"
)

func TestSettings(t *testing.T) {
	good := func() connectors.Settings {
		return connectors.Settings{"url": "https://shop.example/sub/", "consumer_key": testKey, "consumer_secret": secret.New(testSecret)}
	}
	_, err := New().NewSource(good(), connectors.Deps{})
	require.NoError(t, err)
	bad := []struct {
		key   string
		value any
		names string
	}{
		{"url", "", "url"},
		{"url", "shop.example", "url"},
		{"url", "ftp://shop.example", "url"},
		{"url", "https://ann:" + testSecret + "@shop.example", "url"},
		{"consumer_key", "", "consumer_key"},
		{"consumer_key", testSecret, "swapped"},
		{"page_size", 0, "page_size"},
		{"page_size", 101, "page_size"},
		{"page_size", "many", "page_size"},
		{"interval", "-1s", "interval"},
		{"timeout", "1ms", "timeout"},
		{"consent_meta_key", "a b", "consent_meta_key"},
		{"oauth_url", "here", "oauth_url"},
		{"no_such", 1, "no_such"},
	}
	for _, tt := range bad {
		s := good()
		s[tt.key] = tt.value
		_, err := New().NewSource(s, connectors.Deps{})
		require.ErrorContains(t, err, tt.names, "%s = %v", tt.key, tt.value)
		require.Equal(t, connectors.KindPermanent, connectors.KindOf(err))
		require.NotContains(t, err.Error(), testSecret)
		_, err = New().NewDestination(s, connectors.Deps{})
		require.ErrorContains(t, err, tt.names)
	}
	s := good()
	s["url"], s["allow_query_auth"] = "http://shop.example", true
	_, err = New().NewSource(s, connectors.Deps{})
	require.ErrorContains(t, err, "allow_query_auth")
	for _, prefix := range []string{"_perennial", "Perennial", "a b", "wp-x", "_"} {
		_, err = New().NewDestination(good(), connectors.Deps{Prefix: prefix})
		require.ErrorContains(t, err, "prefix", prefix)
	}
	set := settings{URL: "https://shop.example/sub/wp-json/wc/v3/", PageSize: 100, Timeout: time.Minute}
	require.NoError(t, set.check())
	require.Equal(t, "https://shop.example/sub", set.URL)
}

func TestFactoryDescribesItself(t *testing.T) {
	f := New()
	require.Equal(t, "woocommerce", f.Kind)
	require.False(t, f.NeedsConsent)
	counting := 0
	for status, counts := range f.Statuses {
		if counts {
			counting++
			require.Contains(t, []string{"processing", "completed"}, status)
		}
	}
	require.Equal(t, 2, counting)
	for _, field := range f.Fields {
		require.NotEmpty(t, field.Title)
		require.Equal(t, strings.HasPrefix(field.Name, "consumer_"), field.Secret, field.Name)
	}
}

func TestHowRequestsAreSigned(t *testing.T) {
	var seen []*http.Request
	serve := func(w http.ResponseWriter, r *http.Request) {
		seen = append(seen, r)
		if len(seen)%2 == 1 {
			answerJSON(w, 503, `{}`)
			return
		}
		answerJSON(w, 200, `[]`)
	}
	ask := func(t *testing.T, change ...func(*settings)) []*http.Request {
		seen = nil
		synctest.Test(t, func(t *testing.T) {
			_, err := setUp(t, serve, change...).list(t.Context(), "x", "orders", url.Values{"include": {"1,2"}, "search": {"a b~c"}})
			require.NoError(t, err)
		})
		return seen
	}
	t.Run("basic over https", func(t *testing.T) {
		for _, r := range ask(t) {
			user, password, ok := r.BasicAuth()
			require.True(t, ok)
			require.Equal(t, testKey, user)
			require.Equal(t, testSecret, password)
			require.NotContains(t, r.URL.RawQuery, "consumer")
		}
	})
	t.Run("in the query on demand", func(t *testing.T) {
		for _, r := range ask(t, func(s *settings) { s.AllowQueryAuth = true }) {
			require.Equal(t, testSecret, r.URL.Query().Get("consumer_secret"))
			require.Empty(t, r.Header.Get("Authorization"))
		}
	})
	t.Run("OAuth over http, anew at each attempt", func(t *testing.T) {
		requests := ask(t, func(s *settings) { s.URL, s.OAuthURL = "http://10.0.0.5:8080/sub", "http://shop.example/sub" })
		require.Len(t, requests, 2)
		nonces := map[string]bool{}
		for _, r := range requests {
			q := r.URL.Query()
			nonces[q.Get("oauth_nonce")] = true
			require.Empty(t, r.Header.Get("Authorization"))
			require.NotContains(t, r.URL.String(), testSecret)
			require.NotContains(t, r.URL.RawQuery, "%5B%5D", "lists go with commas")
			signature := q.Get("oauth_signature")
			q.Del("oauth_signature")
			require.Equal(t, wooSignature(r.Method, "http://shop.example/sub/wp-json/wc/v3/orders", q), signature)
		}
		require.Len(t, nonces, 2)
	})
}

// The sample of RFC 5849, section 3.4.1.3.2, as far as it has no names twice.
func TestNormalisation(t *testing.T) {
	q := url.Values{"b5": {"=%3D"}, "a3": {"2 q"}, "c@": {""}, "a2": {"r b"}, "c2": {""}, "tilde": {"~-._"}}
	require.Equal(t, "a2=r%20b&a3=2%20q&b5=%3D%253D&c%40=&c2=&tilde=~-._", normalise(q))
}

func serveSite(t *testing.T, change func(w http.ResponseWriter, r *http.Request) bool) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		if change != nil && change(w, r) {
			return
		}
		switch path := trailing(r); path {
		case "":
			require.Empty(t, r.Header.Get("Authorization"), "WordPress refuses the key here")
			answerJSON(w, 200, string(recorded(t, "wp_json_index.json")))
		case "system_status":
			answerJSON(w, 200, string(recorded(t, "system_status.json")))
		case "orders", "customers", "coupons", "products/reviews":
			answerJSON(w, 200, `[{"id":1}]`)
		case "products":
			answerJSON(w, 200, fmt.Sprintf(`[{"id":1%s}]`, r.URL.Query().Get("offset")))
		case "customers/batch":
			answerJSON(w, 200, `{"update":[]}`)
		default:
			answerJSON(w, 404, noRouteBody)
		}
	}
}

func TestCheckOfAGoodShop(t *testing.T) {
	s := newSource(setUp(t, serveSite(t, nil), func(set *settings) { set.URL = "https://127.0.0.1:8443" }).api)
	report, err := s.Check(t.Context())
	require.NoError(t, err)
	require.True(t, report.OK(), "%+v", report.Findings)
	require.Equal(t, commerce.Shop{
		Identity: "0f66761a-a60b-49c6-b2c8-f36f3f0bd4a3", Former: []string{"127.0.0.1:8443"}, Name: "Alder & Finch Test Shop", URL: "https://127.0.0.1:8443",
		Currency: "USD", TimeZone: "America/New_York", Platform: "WooCommerce 11.0.1",
	}, report.Shop)
	for _, f := range report.Findings {
		require.Equal(t, connectors.Fine, f.Level, "%+v", f)
	}
}

func finding(t *testing.T, r connectors.Report, subject string) connectors.Finding {
	t.Helper()
	for _, f := range r.Findings {
		if f.Subject == subject {
			return f
		}
	}
	require.Fail(t, "no finding", "%s in %+v", subject, r.Findings)
	return connectors.Finding{}
}

func TestCheckNamesWhatIsOdd(t *testing.T) {
	check := func(t *testing.T, change func(w http.ResponseWriter, r *http.Request) bool) (connectors.Report, error) {
		return newSource(setUp(t, serveSite(t, change)).api).Check(t.Context())
	}
	replace := func(path, from, to string) func(w http.ResponseWriter, r *http.Request) bool {
		file := map[string]string{"": "wp_json_index.json", "system_status": "system_status.json"}[path]
		return func(w http.ResponseWriter, r *http.Request) bool {
			if trailing(r) != path {
				return false
			}
			body := recorded(t, file)
			var small bytes.Buffer
			require.NoError(t, json.Compact(&small, body))
			require.True(t, strings.Contains(small.String(), from), from)
			answerJSON(w, 200, strings.Replace(small.String(), from, to, 1))
			return true
		}
	}
	t.Run("clock", func(t *testing.T) {
		report, err := check(t, func(w http.ResponseWriter, _ *http.Request) bool {
			w.Header().Set("Date", time.Now().Add(-90*time.Second).UTC().Format(http.TimeFormat))
			return false
		})
		require.NoError(t, err)
		require.Equal(t, connectors.Notice, finding(t, report, "clock").Level)
	})
	t.Run("fixed offset", func(t *testing.T) {
		report, err := check(t, replace("", `"gmt_offset":-5,"timezone_string":"America/New_York"`, `"gmt_offset":"5.5","timezone_string":""`))
		require.NoError(t, err)
		require.Equal(t, "+05:30", report.Shop.TimeZone)
		require.Equal(t, connectors.Notice, finding(t, report, "time zone").Level)
		_, err = report.Shop.Location()
		require.NoError(t, err)
	})
	t.Run("no currency", func(t *testing.T) {
		report, err := check(t, replace("system_status", `"currency":"USD"`, `"currency":""`))
		require.NoError(t, err)
		require.False(t, report.OK())
	})
	t.Run("old version", func(t *testing.T) {
		report, err := check(t, replace("system_status", `"version":"11.0.1"`, `"version":"7.9.0"`))
		require.NoError(t, err)
		require.Equal(t, connectors.Notice, finding(t, report, "version").Level)
	})
	t.Run("no store id", func(t *testing.T) {
		report, err := check(t, replace("system_status", `"store_id":"0f66761a-a60b-49c6-b2c8-f36f3f0bd4a3",`, ``))
		require.NoError(t, err)
		require.Equal(t, "127.0.0.1:8443", report.Shop.Identity)
		require.Empty(t, report.Shop.Former)
	})
	t.Run("no WooCommerce", func(t *testing.T) {
		_, err := check(t, replace("", `"wc/v3"`, `"wc/v9"`))
		require.Equal(t, connectors.KindPermanent, connectors.KindOf(err))
		require.Contains(t, connectors.Remedy(err), "activate WooCommerce")
	})
	t.Run("plain permalinks", func(t *testing.T) {
		_, err := check(t, func(w http.ResponseWriter, _ *http.Request) bool {
			w.Header().Set("Content-Type", "text/html")
			w.WriteHeader(404)
			return true
		})
		require.Contains(t, connectors.Remedy(err), "Permalinks")
	})
	t.Run("same page twice", func(t *testing.T) {
		report, err := check(t, func(w http.ResponseWriter, r *http.Request) bool {
			if trailing(r) != "products" {
				return false
			}
			answerJSON(w, 200, `[{"id":1}]`)
			return true
		})
		require.NoError(t, err)
		require.Equal(t, connectors.Problem, finding(t, report, "paging").Level)
	})
	t.Run("one list is forbidden", func(t *testing.T) {
		report, err := check(t, func(w http.ResponseWriter, r *http.Request) bool {
			if trailing(r) != "customers" {
				return false
			}
			answerError(t, w, "err_forbidden_role")
			return true
		})
		require.NoError(t, err)
		require.Equal(t, connectors.Problem, finding(t, report, "read customers").Level)
		require.Contains(t, finding(t, report, "read customers").Remedy, "administrator")
	})
	t.Run("no reviews and no products", func(t *testing.T) {
		report, err := check(t, func(w http.ResponseWriter, r *http.Request) bool {
			if path := trailing(r); path != "products/reviews" && path != "products" {
				return false
			}
			answerJSON(w, 404, noRouteBody)
			return true
		})
		require.NoError(t, err)
		require.Equal(t, connectors.Problem, finding(t, report, "read reviews").Level)
		require.Equal(t, connectors.Problem, finding(t, report, "read products").Level)
		require.Equal(t, connectors.Fine, finding(t, report, "read orders").Level)
	})
	t.Run("hidden from strangers", func(t *testing.T) {
		report, err := check(t, func(w http.ResponseWriter, r *http.Request) bool {
			if trailing(r) != "" {
				return false
			}
			answerJSON(w, 401, `{"code":"rest_login_required","message":"REST API restricted to authenticated users.","data":{"status":401}}`)
			return true
		})
		require.NoError(t, err)
		require.Equal(t, connectors.Problem, finding(t, report, "site index").Level)
		require.Contains(t, finding(t, report, "site index").Remedy, "time_zone")
		require.Empty(t, report.Shop.TimeZone)
		require.Equal(t, "https://127.0.0.1:8443", report.Shop.URL)
		require.Equal(t, "USD", report.Shop.Currency)
	})
}

func TestRecordedErrors(t *testing.T) {
	tests := []struct {
		name       string
		kind       connectors.Kind
		permission string
		remedy     string
	}{
		{"err_no_key", connectors.KindCredentials, "", "strips the Authorization header"},
		{"err_bad_secret", connectors.KindCredentials, "", "consumer_secret"},
		{"err_oauth_bad_signature", connectors.KindCredentials, "", "oauth_url"},
		{"err_readonly_write", connectors.KindCredentials, "write", "Read/Write"},
		{"err_forbidden_role", connectors.KindCredentials, "read", "administrator"},
		{"err_invalid_param", connectors.KindPermanent, "", ""},
		{"err_no_route", connectors.KindPermanent, "", "update it"},
		{"err_not_found_order", connectors.KindRecord, "", ""},
		{"err_maintenance", connectors.KindWait, "", "goes on at"},
		{"err_flag_e503", connectors.KindRetry, "", "trouble"},
		{"err_flag_e429", connectors.KindWait, "", "goes on at"},
		{"err_flag_fatal", connectors.KindRetry, "", "trouble"},
		{"err_flag_html200", connectors.KindRetry, "", "captcha"},
		{"err_flag_cut", connectors.KindRetry, "", "broke off"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				a := setUp(t, func(w http.ResponseWriter, _ *http.Request) { answerError(t, w, tt.name) })
				_, err := a.list(t.Context(), "orders page", "orders", nil)
				var e *connectors.Error
				require.ErrorAs(t, err, &e)
				require.Equal(t, tt.kind.String(), e.Kind.String(), err)
				require.Equal(t, tt.permission, e.Permission)
				require.Contains(t, e.Remedy, tt.remedy)
				require.Contains(t, err.Error(), "orders page")
				require.Less(t, len(err.Error()), 400)
			})
		})
	}
	for _, name := range []string{"err_flag_bom", "err_flag_notice"} {
		a := setUp(t, func(w http.ResponseWriter, _ *http.Request) { answerError(t, w, name) })
		l, err := a.list(t.Context(), "orders page", "orders", nil)
		require.NoError(t, err)
		require.Len(t, l.rows, 2)
		require.Len(t, l.warnings, 1)
	}
}

func TestFatalErrorHidesServerPaths(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		a := setUp(t, func(w http.ResponseWriter, _ *http.Request) {
			answerJSON(w, 500, string(recorded(t, "err_fatal_accept_json.json")))
		})
		_, err := a.list(t.Context(), "orders page", "orders", nil)
		require.NotContains(t, err.Error(), "/var/www")
		require.NotContains(t, err.Error(), "<p>")
		require.NotContains(t, a.log.String(), "/var/www")
	})
}

func TestOrderStatusesOfOldAndNewShops(t *testing.T) {
	for name, old := range map[string]bool{"9.6 and later": false, "before": true} {
		t.Run(name, func(t *testing.T) {
			s := newSource(setUp(t, func(w http.ResponseWriter, r *http.Request) {
				switch {
				case trailing(r) == "orders/statuses" && old:
					answerJSON(w, 404, noRouteBody)
				case trailing(r) == "orders/statuses":
					answerJSON(w, 200, string(recorded(t, "orders_statuses.json")))
				case trailing(r) == "reports/orders/totals":
					answerJSON(w, 200, string(recorded(t, "reports_orders_totals.json")))
				}
			}).api)
			statuses, err := s.orderStatuses(t.Context())
			require.NoError(t, err)
			require.Equal(t, "cancelled,checkout-draft,completed,failed,on-hold,pending,processing,refunded,trash", statuses)
		})
	}
}

func TestFetchBelievesOnlyInvalidID(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newSource(setUp(t, func(w http.ResponseWriter, r *http.Request) {
			switch path := trailing(r); path {
			case "orders/statuses":
				answerJSON(w, 200, string(recorded(t, "orders_statuses.json")))
			case "orders":
				require.Equal(t, "140,2,3,4,5", r.URL.Query().Get("include"))
				answerJSON(w, 200, "["+string(recorded(t, "order_coupon.json"))+"]")
			case "orders/2":
				answerError(t, w, "err_not_found_order")
			case "orders/3":
				answerJSON(w, 404, noRouteBody)
			case "orders/4":
				answerJSON(w, 500, `{"code":"internal_server_error"}`)
			case "orders/5": // its status went away with a plugin: no list has it
				answerJSON(w, 200, string(altered(t, "id", "5")))
			default:
				answerJSON(w, 404, noRouteBody)
			}
		}).api)
		page, err := s.Fetch(t.Context(), commerce.Orders, []string{"140", "2", "3", "4", "5", "x", "-1", ""})
		require.Equal(t, connectors.KindPermanent, connectors.KindOf(err), "an unknown address is no deletion")
		require.Equal(t, []string{"2"}, page.Deleted)
	})
}

// wooSignature computes the signature in the words of WooCommerce's own check: each name and value is encoded, its
// percent signs are encoded once more, and pairs are joined by an encoded = and &.
func wooSignature(method, address string, q url.Values) string {
	raw := func(s string) string { return strings.ReplaceAll(url.QueryEscape(s), "+", "%20") }
	names := make([]string, 0, len(q))
	for name := range q {
		names = append(names, name)
	}
	sort.Strings(names)
	var pairs []string
	for _, name := range names {
		key := strings.ReplaceAll(raw(name), "%", "%25")
		value := strings.ReplaceAll(raw(q.Get(name)), "%", "%25")
		pairs = append(pairs, key+"%3D"+value)
	}
	mac := hmac.New(sha256.New, []byte(testSecret+"&"))
	mac.Write([]byte(method + "&" + raw(address) + "&" + strings.Join(pairs, "%26")))
	return base64.StdEncoding.EncodeToString(mac.Sum(nil))
}

func TestDamagedErrorIsTransient(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		for _, body := range []string{"", noRouteBody[:40]} {
			a := setUp(t, func(w http.ResponseWriter, _ *http.Request) { answerJSON(w, 404, body) })
			_, err := a.list(t.Context(), "order statuses", "orders/statuses", nil)
			require.Equal(t, connectors.KindRetry, connectors.KindOf(err))
		}
	})
}
