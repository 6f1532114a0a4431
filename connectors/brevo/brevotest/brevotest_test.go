package brevotest_test

import (
	"bytes"
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/httptest"
	"net/url"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/perennial-cvo/perennial/connectors/brevo/brevotest"
	"github.com/perennial-cvo/perennial/connectors/simulator"
)

// caller asks a fake over no wire at all.
type caller struct {
	t    *testing.T
	fake *brevotest.Server
}

// ask returns the status and the decoded answer.
func (c caller) ask(method, path string, body any) (status int, answer any) {
	c.t.Helper()
	text, err := json.Marshal(body)
	require.NoError(c.t, err)
	r := httptest.NewRequestWithContext(c.t.Context(), method, path, bytes.NewReader(text))
	r.Header.Set("api-key", c.fake.APIKey())
	w := httptest.NewRecorder()
	c.fake.ServeHTTP(w, r)
	if w.Body.Len() > 0 {
		require.NoError(c.t, json.Unmarshal(w.Body.Bytes(), &answer))
	}
	return w.Code, answer
}

func (c caller) do(method, path string, body any) any {
	c.t.Helper()
	status, answer := c.ask(method, path, body)
	require.Less(c.t, status, 300, "%v", answer)
	return answer
}

// TestEverybodyOfTheShopIsThereWhereBuyersAre: a plugin of the shop makes a contact of whoever buys.
func TestEverybodyOfTheShopIsThereWhereBuyersAre(t *testing.T) {
	shop := simulator.New(simulator.Options{Customers: 60})
	signed, all := 0, map[string]bool{}
	for _, p := range shop.Subscribers() {
		all[p.Email] = true
		if p.State != simulator.Unknown {
			signed++
		}
	}
	require.Len(t, brevotest.New(shop, brevotest.Options{}).People(), signed)
	fake := brevotest.New(shop, brevotest.Options{Buyers: true})
	require.Len(t, fake.People(), len(all))
	require.Less(t, signed, len(all))
	shop.Advance(200)
	require.Greater(t, len(fake.People()), len(all), "people who come later are there later")
	mailed := fake.Mailed(fake.Newsletter())
	require.NotEmpty(t, mailed)
	require.Less(t, len(mailed), signed, "some said no, and who never said yes is on no list")
}

// TestTheFakeIsSteeredFromOutside uses every control path once, as another process does.
func TestTheFakeIsSteeredFromOutside(t *testing.T) {
	c := caller{t, brevotest.New(nil, brevotest.Options{})}
	list := c.fake.Newsletter()
	ann := map[string]any{"email": "ann@example.com", "list": list}
	c.do("POST", "/_sim/subscribe", ann)
	mailed := fmt.Sprintf("/_sim/mailed?list=%d", list)
	require.Equal(t, map[string]any{"data": []any{"ann@example.com"}}, c.do("GET", mailed, nil))
	c.do("POST", "/_sim/attribute", map[string]any{"email": "ann@example.com", "name": "FIRSTNAME", "value": "Ann"})
	require.Equal(t, "Ann", c.fake.People()[0].Attributes["FIRSTNAME"])
	c.do("POST", "/_sim/unsubscribe", ann)
	require.Equal(t, map[string]any{"data": nil}, c.do("GET", mailed, nil))
	c.do("POST", "/_sim/blacklist", ann)
	require.True(t, c.fake.People()[0].Blacklisted)
	c.do("POST", "/_sim/register", ann)
	status, _ := c.ask("DELETE", fmt.Sprintf("/v3/contacts/%d", c.fake.People()[0].ID), nil)
	require.Equal(t, http.StatusMethodNotAllowed, status)
	c.do("POST", "/_sim/delete", ann)
	require.Empty(t, c.fake.People())
	for _, view := range []string{"people", "lists", "requests", "attributes"} {
		c.do("GET", "/_sim/"+view, nil)
	}
	c.do("POST", "/_sim/job", map[string]any{"job": "job stalls"})
	c.do("POST", "/_sim/fault", map[string]any{"kind": "bare 429", "times": 1})
	status, _ = c.ask("GET", "/v3/contacts", nil)
	require.Equal(t, http.StatusTooManyRequests, status)
	c.do("POST", "/_sim/revoke", nil)
	status, _ = c.ask("GET", "/v3/contacts", nil)
	require.Equal(t, http.StatusUnauthorized, status)
	for _, odd := range []string{"nonsense", "subscribe", "unsubscribe"} {
		status, _ = c.ask("POST", "/_sim/"+odd, map[string]any{})
		require.Equal(t, http.StatusBadRequest, status, odd)
	}
	status, _ = c.ask("GET", "/_sim/nonsense", nil)
	require.Equal(t, http.StatusNotFound, status)
}

// TestLimitsThatStandInProseOnly: no OpenAPI file holds them.
func TestLimitsThatStandInProseOnly(t *testing.T) {
	now := time.Date(2026, 11, 2, 2, 0, 0, 0, time.UTC)
	c := caller{t, brevotest.New(nil, brevotest.Options{Clock: func() time.Time { return now }})}
	tooMany := func(path string) bool {
		status, _ := c.ask("GET", path, nil)
		return status == http.StatusTooManyRequests
	}
	for range 10 {
		require.False(t, tooMany("/v3/contacts"))
	}
	require.True(t, tooMany("/v3/contacts"), "ten in any second")
	for range 100 {
		require.False(t, tooMany("/v3/processes/1"), "what is not about contacts is counted by itself")
	}
	require.True(t, tooMany("/v3/processes/1"), "a hundred in any hour")
	now = now.Add(time.Second)
	require.False(t, tooMany("/v3/contacts"))
	require.True(t, tooMany("/v3/processes/1"))
	now = now.Add(time.Hour)
	require.False(t, tooMany("/v3/processes/1"))

	ids := make([]int64, 151)
	status, _ := c.ask("POST", fmt.Sprintf("/v3/contacts/lists/%d/contacts/add", c.fake.Newsletter()), map[string]any{"ids": ids})
	require.Equal(t, http.StatusBadRequest, status, "150 people in one change of a list")
	status, _ = c.ask("GET", "/v3/contacts?limit=1001", nil)
	require.Equal(t, http.StatusBadRequest, status)
}

func TestContactsAreToldByWhenTheyWereModified(t *testing.T) {
	now := time.Date(2026, 11, 2, 2, 0, 0, 0, time.UTC)
	c := caller{t, brevotest.New(nil, brevotest.Options{Now: func() time.Time { return now }})}
	for _, email := range []string{"a@example.com", "b@example.com", "c@example.com", "d@example.com"} {
		c.fake.Subscribe(email, c.fake.Newsletter())
	}
	moment := now
	now = now.Add(time.Minute)
	require.NoError(t, c.fake.Blacklist("a@example.com"))
	require.NoError(t, c.fake.Unsubscribe("c@example.com", c.fake.Newsletter()))
	c.do("POST", "/v3/contacts/batch", map[string]any{"contacts": []any{map[string]any{"email": "d@example.com", "attributes": map[string]any{"FIRSTNAME": "D"}}}})
	answer := c.do("GET", "/v3/contacts?sort=asc&modifiedSince="+url.QueryEscape(moment.Format("2006-01-02T15:04:05.000Z")), nil).(map[string]any)
	require.InDelta(t, 3, answer["count"], 0)
	status, _ := c.ask("GET", "/v3/contacts?modifiedSince=yesterday", nil)
	require.Equal(t, http.StatusBadRequest, status)
}
