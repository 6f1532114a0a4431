package dashboard

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"io"
	"maps"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/getkin/kin-openapi/openapi3"
	"github.com/getkin/kin-openapi/openapi3filter"
	"github.com/getkin/kin-openapi/routers"
	"github.com/getkin/kin-openapi/routers/gorillamux"
	"github.com/shopspring/decimal"
	"github.com/stretchr/testify/require"

	"github.com/perennial-cvo/perennial/analysis"
	"github.com/perennial-cvo/perennial/analysis/report"
	"github.com/perennial-cvo/perennial/analysis/segment"
)

const testToken = "a token as long as it has to be"

// described is what the document says.
func described(t *testing.T) (*openapi3.T, routers.Router) {
	t.Helper()
	doc, err := openapi3.NewLoader().LoadFromData(APIText())
	require.NoError(t, err)
	require.NoError(t, doc.Validate(t.Context()))
	router, err := gorillamux.NewRouter(doc)
	require.NoError(t, err)
	return doc, router
}

// apiShop is a shop whose API is open to who has the token.
func apiShop(t *testing.T) (*Server, *shopFacts) {
	t.Helper()
	f := teaShop(t)
	value := decimal.RequireFromString("120.50")
	f.people = []report.PersonRow{
		{
			ID: 7, Email: "ada@example.com", CustomerID: "11", Name: "Ada", Segment: "champions", R: 5, F: 5, M: 5, Stage: "active", Tier: "top",
			Churn: "low", Orders: 9, Net: decimal.RequireFromString("812.4"), FirstDay: readAt.AddDate(-1, 0, 0), LastDay: readAt, Value: &value,
		},
		{ID: 8, Email: "<b>@example.com"},
	}
	f.next, f.person = "more", report.Person{ID: 7, Email: "ada@example.com", FirstDay: readAt, LastDay: readAt}
	s := servedWith(t, f, Options{Password: testHash, Token: testToken})
	s.boards["tea"].facts = apiFacts{f}
	return s, f
}

// apiFacts is a shop in which two days of history can be asked for.
type apiFacts struct{ *shopFacts }

func (f apiFacts) Overview(context.Context) (report.Overview, error) { return f.report.Overview, f.err }

func (f apiFacts) Groups(ctx context.Context, scheme string) (report.Snapshot, error) {
	rules, _ := f.Rules(ctx)
	return report.Snapshot{AsOf: readAt, Scheme: scheme, Rule: rules[scheme]}, f.err
}

func (f apiFacts) Rules(context.Context) (map[string]string, error) {
	rule := `{"convention":"rank_min","bins":5,"used":5,"preset":"usual","basis":"net"}`
	return map[string]string{analysis.SchemeRFM: rule}, f.err
}

func (f apiFacts) Span(context.Context, string) (analysis.Span, bool, error) {
	last := analysis.Day(readAt, time.UTC)
	return analysis.Span{First: last - 60, Last: last}, true, f.err
}

func (f apiFacts) Moves(context.Context, string, int, int) ([]segment.Flow, error) {
	return []segment.Flow{{From: "hibernating", To: "champions", Customers: 3, Money: 10_000}}, f.err
}

func (f apiFacts) Worth(context.Context) (analysis.Worth, bool, error) {
	return analysis.Worth{}, false, f.err
}

func (f apiFacts) Course(context.Context, string) (analysis.Course, bool, error) {
	return analysis.Course{}, false, f.err
}

func (f apiFacts) CustomerOf(context.Context, int64) (analysis.Customer, bool, error) {
	return analysis.Customer{}, false, f.err
}

// Shop says that a first load is under way, so that nobody is explained by customers who are not here.
func (f apiFacts) Shop(context.Context) (analysis.Shop, error) {
	return analysis.Shop{Location: time.UTC}, f.err
}

func token(value string) func(*http.Request) {
	return func(r *http.Request) { r.Header.Set("Authorization", "Bearer "+value) }
}

// held holds an exchange against the document.
func held(t *testing.T, router routers.Router, r *http.Request, w *httptest.ResponseRecorder) {
	t.Helper()
	route, params, err := router.FindRoute(r)
	require.NoError(t, err, r.URL)
	options := &openapi3filter.Options{AuthenticationFunc: openapi3filter.NoopAuthenticationFunc, IncludeResponseStatus: true}
	request := &openapi3filter.RequestValidationInput{Request: r, PathParams: params, Route: route, Options: options}
	asked := openapi3filter.ValidateRequest(t.Context(), request)
	if w.Code == http.StatusOK {
		require.NoError(t, asked, r.URL)
	}
	require.NoError(t, openapi3filter.ValidateResponse(t.Context(), &openapi3filter.ResponseValidationInput{
		RequestValidationInput: request, Status: w.Code, Header: w.Header(), Body: io.NopCloser(bytes.NewReader(w.Body.Bytes())), Options: options,
	}), "%s: %d %s", r.URL, w.Code, w.Body)
}

func TestAPIAnswersAsDescribed(t *testing.T) {
	_, router := described(t)
	for _, c := range []struct {
		path string
		code int
		says string
	}{
		{"/api/v1/openapi.yaml", 200, "openapi: 3.1.0"},
		{"/api/v1/shops", 200, `"name": "tea"`},
		{"/api/v1/shops?a=b", 400, "takes no parameters"},
		{"/api/v1/shops/tea/report", 200, `"bridge"`},
		{"/api/v1/shops/tea/report?a=b", 400, "takes no parameters"},
		{"/api/v1/shops/coffee/report", 404, "no such shop"},
		{"/api/v1/shops/tea/status", 200, `"runs"`},
		{"/api/v1/shops/tea/segments", 200, `"sets"`},
		{"/api/v1/shops/tea/segments/champions/people", 200, "ada@example.com"},
		{"/api/v1/shops/tea/segments/champions/people?limit=1000&cursor=x", 200, `"next": "more"`},
		{"/api/v1/shops/tea/segments/nobody/people", 404, "no such audience"},
		{"/api/v1/shops/tea/segments/champions/people?limit=1001", 400, "from 1 to 1000"},
		{"/api/v1/shops/tea/segments/champions/people?limit=-1", 400, "from 1 to 1000"},
		{"/api/v1/shops/tea/segments/champions/people?limit=9e9", 400, "from 1 to 1000"},
		{"/api/v1/shops/tea/segments/champions/people?limit=1&limit=2", 400, "once"},
		{"/api/v1/shops/tea/segments/champions/people?lmit=1", 400, "limit, cursor"},
		{"/api/v1/shops/tea/movement", 200, `"direction": "up"`},
		{"/api/v1/shops/tea/movement?set=rfm&from=2026-02-25&to=2026-03-20", 200, `"from": "2026-02-25"`},
		{"/api/v1/shops/tea/movement?set=own", 200, `"movements": []`},
		{"/api/v1/shops/tea/movement?from=2026-03-20&to=2026-02-25", 400, "is not before"},
		{"/api/v1/shops/tea/movement?from=1999-10-14", 400, "before the first analysis"},
		{"/api/v1/shops/tea/movement?set=none", 400, "rfm, lifecycle"},
		{"/api/v1/shops/tea/movement?from=yesterday", 400, "from must be a day"},
		{"/api/v1/shops/tea/movement?to=2026-02-30", 400, "to must be a day"},
		{"/api/v1/shops/tea/people?search=ada@example.com", 200, `"predicted_value": "120.5"`},
		{"/api/v1/shops/tea/people/7", 200, `"email": "ada@example.com"`},
		{"/api/v1/shops/tea/people/none", 400, "id is a number"},
		{"/api/v1/shops/tea/people/0", 400, "id is a number"},
		{"/api/v1/shops/tea/people/99999999999999999999", 400, "id is a number"},
		{"/api/v1/shops/tea/people/6", 404, "Nobody"},
	} {
		t.Run(c.path, func(t *testing.T) {
			s, _ := apiShop(t)
			r := httptest.NewRequest(http.MethodGet, c.path, http.NoBody)
			token(testToken)(r)
			w := httptest.NewRecorder()
			s.ServeHTTP(w, r)
			require.Equal(t, c.code, w.Code, w.Body)
			require.Contains(t, w.Body.String(), c.says)
			held(t, router, r, w)
		})
	}
}

// everyPath is one request to each address of the API.
func everyPath(t *testing.T, doc *openapi3.T) []string {
	t.Helper()
	var all []string
	for path := range doc.Paths.Map() {
		all = append(all, strings.NewReplacer("{shop}", "tea", "{audience}", "champions", "{person}", "7").Replace(path))
	}
	slices.Sort(all)
	return all
}

func TestAPIErrorsOfEveryAddress(t *testing.T) {
	doc, router := described(t)
	for _, path := range everyPath(t, doc) {
		if strings.HasSuffix(path, "openapi.yaml") {
			continue
		}
		ask := func(t *testing.T, s *Server, change func(*http.Request), code int) *httptest.ResponseRecorder {
			t.Helper()
			r := httptest.NewRequest(http.MethodGet, path, http.NoBody)
			change(r)
			w := httptest.NewRecorder()
			s.ServeHTTP(w, r)
			require.Equal(t, code, w.Code, w.Body)
			require.Equal(t, "application/problem+json", w.Header().Get("Content-Type"))
			held(t, router, r, w)
			return w
		}
		t.Run(path, func(t *testing.T) {
			s, _ := apiShop(t)
			ask(t, s, func(*http.Request) {}, 401)
			require.Equal(t, `Bearer realm="perennial", error="invalid_token"`, ask(t, s, token("wrong"), 401).Header().Get("WWW-Authenticate"))
			for range triesAtOnce {
				asks(s, http.MethodGet, path, "", token("wrong"))
			}
			ask(t, s, token("wrong"), 429)
			if path == "/api/v1/shops" {
				return
			}
			s, f := apiShop(t)
			f.err = errors.New("dial tcp 127.0.0.1:5432: connection refused (password=geheim)")
			s.boards["tea"].looked = time.Time{}
			gone := ask(t, s, token(testToken), 503)
			require.NotContains(t, gone.Body.String(), "geheim")
			require.NotContains(t, gone.Body.String(), "5432")
			f.err = nil
			b := s.boards["tea"]
			b.last, b.err, b.reading = nil, nil, make(chan struct{})
			require.Contains(t, ask(t, s, token(testToken), 503).Body.String(), "being read")
		})
	}
}

// TestAPIIsDescribedWhole holds the addresses that are served and those in the document against each other.
func TestAPIIsDescribedWhole(t *testing.T) {
	doc, _ := described(t)
	s, _ := apiShop(t)
	served := []string{"GET " + apiBase + "/openapi.yaml"}
	for pattern := range s.apiRoutes() {
		served = append(served, pattern)
	}
	var written []string
	for path, item := range doc.Paths.Map() {
		for method := range item.Operations() {
			written = append(written, method+" "+path)
		}
	}
	require.ElementsMatch(t, served, written)
	for _, e := range s.endpoints() {
		var known []string
		for _, p := range doc.Paths.Value(apiBase + "/shops/{shop}" + e.path).Get.Parameters {
			if p.Value.In == openapi3.ParameterInQuery {
				known = append(known, p.Value.Name)
			}
		}
		require.ElementsMatch(t, e.query, known, e.path)
	}
}

func TestAPIToken(t *testing.T) {
	const path = "/api/v1/shops/tea/segments"
	t.Run("the right one opens", func(t *testing.T) {
		s, _ := apiShop(t)
		require.Equal(t, 200, asks(s, http.MethodGet, path, "", token(testToken)).Code)
		require.Equal(t, 200, asks(s, http.MethodGet, path, "", func(r *http.Request) { r.Header.Set("Authorization", "bearer  "+testToken) }).Code)
		require.Equal(t, 401, asks(s, http.MethodGet, path, "", func(r *http.Request) { r.Header.Set("Authorization", "Basic "+testToken) }).Code)
	})
	t.Run("so does a session, and a wrong token beside it does not", func(t *testing.T) {
		s, _ := apiShop(t)
		cookie := logIn(t, s)
		require.Equal(t, 200, asks(s, http.MethodGet, path, "", with(cookie)).Code)
		require.Equal(t, 401, asks(s, http.MethodGet, path, "", with(cookie), token("wrong")).Code)
	})
	t.Run("no token configured opens to none", func(t *testing.T) {
		s := servedWith(t, teaShop(t), Options{Password: testHash})
		for _, given := range []string{"", "x", testToken} {
			w := asks(s, http.MethodGet, path, "", token(given))
			require.Equal(t, 401, w.Code)
			require.Contains(t, w.Body.String(), "No token is configured")
		}
	})
	t.Run("guessing is put off, for who guesses alone", func(t *testing.T) {
		s, _ := apiShop(t)
		from := func(address string) func(*http.Request) {
			return func(r *http.Request) { r.RemoteAddr = address + ":9" }
		}
		for range triesAtOnce {
			require.Equal(t, 401, asks(s, http.MethodGet, path, "", token("wrong"), from("10.0.0.1")).Code)
		}
		require.Equal(t, 429, asks(s, http.MethodGet, path, "", token("wrong"), from("10.0.0.1")).Code)
		require.Equal(t, 429, asks(s, http.MethodGet, path, "", token(testToken), from("10.0.0.1")).Code)
		require.Equal(t, 200, asks(s, http.MethodGet, path, "", token(testToken), from("10.0.0.2")).Code)
		require.Equal(t, 401, asks(s, http.MethodGet, path, "", from("10.0.0.1")).Code, "who sends none has not guessed")
	})
	t.Run("the right one may come as often as it likes", func(t *testing.T) {
		s, _ := apiShop(t)
		for range 3 * allAtOnce {
			require.Equal(t, 200, asks(s, http.MethodGet, path, "", token(testToken)).Code)
		}
	})
}

func TestAPIOnlyReads(t *testing.T) {
	s, _ := apiShop(t)
	for _, method := range []string{http.MethodPost, http.MethodPut, http.MethodPatch, http.MethodDelete, http.MethodOptions} {
		w := asks(s, method, "/api/v1/shops", "", token(testToken))
		require.Equal(t, 405, w.Code, method)
		require.Equal(t, "GET, HEAD", w.Header().Get("Allow"))
		require.Contains(t, w.Body.String(), "only reads")
		require.Equal(t, 401, asks(s, method, "/api/v1/shops", "").Code)
	}
	require.Equal(t, 200, asks(s, http.MethodHead, "/api/v1/shops", "", token(testToken)).Code)
	for _, path := range []string{"/api/", "/api/v1/", "/api/v2/shops", "/api/v1/shops/", "/api/v1/shops/tea", "/api/v1/shops/tea/none"} {
		w := asks(s, http.MethodGet, path, "", token(testToken))
		require.Equal(t, 404, w.Code, path)
		require.Equal(t, "application/problem+json", w.Header().Get("Content-Type"), path)
		require.Equal(t, 401, asks(s, http.MethodGet, path, "").Code, path)
	}
}

func TestAPIListsAsAsked(t *testing.T) {
	s, f := apiShop(t)
	asks(s, http.MethodGet, "/api/v1/shops/tea/segments/tier_top/people?limit=5&cursor=abc", "", token(testToken))
	w := asks(s, http.MethodGet, "/api/v1/shops/tea/people?search=Ada%40Example.com", "", token(testToken))
	require.Equal(t, []report.Crowd{
		{Audience: "tier_top", Limit: 5, Cursor: "abc"}, {Search: "Ada@Example.com", Limit: usualList},
	}, f.asked)
	var page struct{ People []map[string]any }
	require.NoError(t, json.Unmarshal(w.Body.Bytes(), &page))
	require.Equal(t, "2026-03-21", page.People[0]["last_day"])
	require.NotContains(t, slices.Collect(maps.Keys(page.People[1])), "last_day")
}
