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
