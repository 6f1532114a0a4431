package klaviyotest_test

import (
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/perennial-cvo/perennial/connectors/klaviyo/klaviyotest"
)

// ask makes one request and returns the answer.
func ask(s *klaviyotest.Server, method, path string, body any) *httptest.ResponseRecorder {
	text, _ := json.Marshal(map[string]any{"data": body})
	r := httptest.NewRequest(method, path, strings.NewReader(string(text)))
	r.Header.Set("Authorization", "Klaviyo-API-Key "+s.Key())
	r.Header.Set("Revision", "2026-07-15")
	w := httptest.NewRecorder()
	s.ServeHTTP(w, r)
	return w
}

func people(n, size int, email string) map[string]any {
	var all []any
	for i := range n {
		all = append(all, map[string]any{"type": "profile", "attributes": map[string]any{
			"email": fmt.Sprintf("p%d%s", i, email), "properties": map[string]any{"x": strings.Repeat("x", size)},
		}})
	}
	return map[string]any{"type": "profile-bulk-import-job", "attributes": map[string]any{"profiles": map[string]any{"data": all}}}
}

// TestLimitsOfWhichOnlyTheDescriptionsSpeak shows that the fake keeps what no file can express.
func TestLimitsOfWhichOnlyTheDescriptionsSpeak(t *testing.T) {
	s := klaviyotest.New(nil, klaviyotest.Options{})
	const imports = "/api/profile-bulk-import-jobs"
	require.Equal(t, 202, ask(s, "POST", imports, people(10_000, 1, "@example.com")).Code)
	require.Equal(t, 400, ask(s, "POST", imports, people(10_001, 1, "@example.com")).Code, "10,000 profiles")
	require.Equal(t, 413, ask(s, "POST", imports, people(60, 90_000, "@example.com")).Code, "5 MB")
	require.Equal(t, 400, ask(s, "POST", imports, people(1, 100_000, "@example.com")).Code, "100 KB a profile")
	refused := ask(s, "POST", imports, people(3, 1, "@nowhere"))
	require.Equal(t, 400, refused.Code)
	require.Contains(t, refused.Body.String(), "/data/attributes/profiles/data/2/attributes/email")

	ids := make([]map[string]string, 1_001)
	for i := range ids {
		ids[i] = map[string]string{"type": "profile", "id": s.People()[0].ID}
	}
	path := "/api/lists/" + s.Newsletter() + "/relationships/profiles"
	require.Equal(t, 204, ask(s, "POST", path, ids[:1_000]).Code)
	require.Equal(t, 400, ask(s, "POST", path, ids).Code, "1,000 profiles")
	require.Equal(t, 400, ask(s, "GET", "/api/lists?page[size]=11", nil).Code)
	require.Equal(t, 400, ask(s, "GET", "/api/profiles?page[size]=101", nil).Code)
}

// TestSuppressionsAreFilteredAsKlaviyoDoes shows that lists are asked for one at a time, and never with what holds for all.
func TestSuppressionsAreFilteredAsKlaviyoDoes(t *testing.T) {
	s := klaviyotest.New(nil, klaviyotest.Options{})
	require.NoError(t, s.UnsubscribeFrom("press@example.com", s.Newsletter()))
	const at = "greater-or-equal(subscriptions.email.marketing."
	const list = ",equals(subscriptions.email.marketing.list_suppressions.list_id,"
	for filter, want := range map[string]int{
		at + "suppression.timestamp,2020-01-01T00:00:00Z)":                                                       200,
		at + "list_suppressions.timestamp,2020-01-01T00:00:00Z)" + list + `"` + s.Newsletter() + `")`:            200,
		at + "list_suppressions.timestamp,2020-01-01T00:00:00Z)":                                                 400,
		at + "suppression.timestamp,2020-01-01T00:00:00Z)" + list + `"` + s.Newsletter() + `")`:                  400,
		at + "suppression.timestamp,yesterday)":                                                                  400,
		at + "list_suppressions.timestamp,2020-01-01T00:00:00Z)" + list + `"nowhere")`:                           404,
		at + "suppression.timestamp,2020-01-01T00:00:00Z)," + at + "suppression.timestamp,2020-01-01T00:00:00Z)": 400,
	} {
		answer := ask(s, "GET", "/api/profiles?"+url.Values{"filter": {filter}}.Encode(), nil)
		require.Equal(t, want, answer.Code, filter)
		if want == 200 {
			require.Equal(t, strings.Contains(filter, "list_id"), strings.Contains(answer.Body.String(), "press@example.com"), filter)
		}
	}
}

func TestWindowsAreCounted(t *testing.T) {
	now := time.Date(2026, 11, 22, 10, 0, 30, 0, time.UTC)
	s := klaviyotest.New(nil, klaviyotest.Options{Limits: true, Now: func() time.Time { return now }})
	first := ask(s, "GET", "/api/accounts", nil)
	require.Equal(t, []string{"15", "14", "31"}, []string{
		first.Header().Get("RateLimit-Limit"), first.Header().Get("RateLimit-Remaining"), first.Header().Get("RateLimit-Reset"),
	}, "of the minute")
	second := ask(s, "GET", "/api/accounts", nil)
	require.Equal(t, http.StatusTooManyRequests, second.Code)
	require.Equal(t, "2", second.Header().Get("Retry-After"))
	require.Empty(t, second.Header().Get("RateLimit-Limit"), "a refusal tells the time only")
	now = now.Add(time.Second)
	require.Equal(t, 200, ask(s, "GET", "/api/accounts", nil).Code)
}

func TestCampaignsReachWhoNeverSubscribed(t *testing.T) {
	s := klaviyotest.New(nil, klaviyotest.Options{})
	s.AddPerson("new@example.com")
	require.NoError(t, s.SetConsent("new@example.com", "NEVER_SUBSCRIBED"))
	who := s.People()[2]
	path := "/api/lists/" + s.Newsletter() + "/relationships/profiles"
	require.Equal(t, 204, ask(s, "POST", path, []any{map[string]string{"type": "profile", "id": who.ID}}).Code)
	require.Contains(t, s.Mailed(s.Newsletter()), who.Email)
	require.NoError(t, s.UnsubscribeFrom(who.Email, s.Newsletter()))
	require.NotContains(t, s.Mailed(s.Newsletter()), who.Email)
	ask(s, "DELETE", path, []any{map[string]string{"type": "profile", "id": who.ID}})
	ask(s, "POST", path, []any{map[string]string{"type": "profile", "id": who.ID}})
	require.NotContains(t, s.Mailed(s.Newsletter()), who.Email, "Klaviyo remembers who left a list")
}

// TestSteering commands the fake as another process does.
func TestSteering(t *testing.T) {
	s := klaviyotest.New(nil, klaviyotest.Options{})
	do := func(method, what, body string) (int, string) {
		w := httptest.NewRecorder()
		s.ServeHTTP(w, httptest.NewRequest(method, "/_sim/"+what, strings.NewReader(body)))
		return w.Code, w.Body.String()
	}
	see := func(what, part string) {
		t.Helper()
		code, body := do("GET", what, "")
		require.Equal(t, 200, code)
		require.Contains(t, body, part)
	}
	see("lists", `"name":"Newsletter"`)
	see("events", `{"data":`)
	see("mailed?list="+s.Newsletter(), "press@example.com")
	for _, c := range []struct{ command, body, view, part string }{
		{"unsubscribe", `{"email":"owner@example.com"}`, "people", `"suppressed":["UNSUBSCRIBE"]`},
		{"unsubscribe", `{"email":"press@example.com","list":"` + s.Newsletter() + `"}`, "people", `"left":["` + s.Newsletter() + `"]`},
		{"suppress", `{"email":"press@example.com","reason":"HARD_BOUNCE"}`, "people", "HARD_BOUNCE"},
		{"consent", `{"email":"press@example.com","consent":"NEVER_SUBSCRIBED"}`, "people", "NEVER_SUBSCRIBED"},
		{"property", `{"email":"press@example.com","name":"Hat","value":7}`, "people", `"Hat":7`},
		{"rename-list", `{"list":"` + s.Newsletter() + `","name":"Letters"}`, "lists", "Letters"},
		{"delete-list", `{"list":"` + s.Newsletter() + `"}`, "lists", "VIP"},
		{"delete", `{"email":"press@example.com"}`, "people", "owner@example.com"},
		{"job", `{"job":"job stalls"}`, "people", ""},
		{"restrict", `{"scope":"lists:read"}`, "people", ""},
	} {
		code, body := do("POST", c.command, c.body)
		require.Equal(t, 200, code, body)
		see(c.view, c.part)
	}
	_, people := do("GET", "people", "")
	require.NotContains(t, people, "press@example.com")
	require.Equal(t, 403, ask(s, "GET", "/api/lists", nil).Code)
	do("POST", "allow", `{"scope":"lists:read"}`)
	require.Equal(t, 200, ask(s, "GET", "/api/lists", nil).Code)
	do("POST", "fault", `{"kind":"429","times":1,"retry_after":2000000000}`)
	require.Equal(t, 429, ask(s, "GET", "/api/lists", nil).Code)
	do("POST", "revoke", "")
	require.Equal(t, 401, ask(s, "GET", "/api/lists", nil).Code)
	see("requests", `"status":401`)
	for _, bad := range [][3]string{{"GET", "nonsense", ""}, {"POST", "nonsense", "{}"}, {"POST", "suppress", `{"email":"nobody@example.com"}`}, {"POST", "job", "["}} {
		code, _ := do(bad[0], bad[1], bad[2])
		require.Contains(t, []int{400, 404}, code, bad)
	}
}

// TestEventsAreKeptAsKlaviyoKeepsThem holds events by profile, metric and second, unless they have ids.
func TestEventsAreKeptAsKlaviyoKeepsThem(t *testing.T) {
	now := time.Date(2026, 11, 22, 10, 0, 0, 0, time.UTC)
	events := func(n int, id, email string) map[string]any {
		var all []any
		for i := range n {
			attributes := map[string]any{
				"properties": map[string]any{"n": i}, "metric": map[string]any{"data": map[string]any{"type": "metric", "attributes": map[string]any{"name": "Moved"}}},
			}
			if id != "" {
				attributes["unique_id"] = fmt.Sprint(id, i)
			}
			all = append(all, map[string]any{"type": "event-bulk-create", "attributes": map[string]any{
				"profile": map[string]any{"data": map[string]any{"type": "profile", "attributes": map[string]any{"email": email}}},
				"events":  map[string]any{"data": []any{map[string]any{"type": "event", "attributes": attributes}}},
			}})
		}
		return map[string]any{"type": "event-bulk-create-job", "attributes": map[string]any{"events-bulk-create": map[string]any{"data": all}}}
	}
	for _, pass := range []bool{true, false} {
		s := klaviyotest.New(nil, klaviyotest.Options{Now: func() time.Time { return now }, PassRepeats: pass})
		const path = "/api/event-bulk-create-jobs"
		require.Equal(t, 202, ask(s, "POST", path, events(3, "", "owner@example.com")).Code)
		require.Len(t, s.Events(), 1, "one of a second survives")
		require.Equal(t, 202, ask(s, "POST", path, events(3, "x", "owner@example.com")).Code)
		require.Len(t, s.Events(), 4)
		again := ask(s, "POST", path, events(4, "x", "owner@example.com"))
		if pass {
			require.Equal(t, 202, again.Code)
			require.Len(t, s.Events(), 5)
		} else {
			require.Equal(t, 400, again.Code, "and none is taken")
			require.Contains(t, again.Body.String(), "/data/attributes/events-bulk-create/data/2/attributes")
			require.Len(t, s.Events(), 4)
		}
		require.Equal(t, 400, ask(s, "POST", path, events(1_001, "y", "owner@example.com")).Code, "1,000 events")
		require.Equal(t, 400, ask(s, "POST", path, events(0, "", "")).Code)
		require.Equal(t, 202, ask(s, "POST", path, events(1, "z", "New@example.com")).Code)
		require.Equal(t, "new@example.com", s.People()[2].Email, "an address makes a profile")
	}
}
