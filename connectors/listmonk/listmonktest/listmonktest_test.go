package listmonktest_test

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/perennial-cvo/perennial/connectors/listmonk/listmonktest"
	"github.com/perennial-cvo/perennial/connectors/simulator"
)

// client talks to a fake as an API user would.
type client struct {
	*testing.T
	fake *listmonktest.Server
	url  string
}

func start(t *testing.T, shop *simulator.Shop) client {
	t.Helper()
	fake := listmonktest.New(shop, listmonktest.Options{})
	server := httptest.NewServer(fake)
	t.Cleanup(server.Close)
	return client{T: t, fake: fake, url: server.URL}
}

// ask returns the status and the text of an answer; status 0 where the connection died.
func (c client) ask(method, path string, body any) (int, string) {
	c.Helper()
	text, err := json.Marshal(body)
	require.NoError(c, err)
	r, err := http.NewRequestWithContext(c.Context(), method, c.url+path, bytes.NewReader(text))
	require.NoError(c, err)
	r.SetBasicAuth(c.fake.Username(), c.fake.Token())
	response, err := http.DefaultClient.Do(r)
	if err != nil {
		return 0, err.Error()
	}
	defer func() { _ = response.Body.Close() }()
	answer, err := io.ReadAll(response.Body)
	if err != nil {
		return 0, err.Error()
	}
	return response.StatusCode, string(answer)
}

func (c client) do(method, path string, body any) {
	c.Helper()
	status, answer := c.ask(method, path, body)
	require.Equal(c, http.StatusOK, status, answer)
}

func (c client) person(email string) listmonktest.Person {
	c.Helper()
	for _, p := range c.fake.People() {
		if p.Email == email {
			return p
		}
	}
	require.Fail(c, "no such person", email)
	return listmonktest.Person{}
}

func (c client) manage(action, status string, person, list int) {
	c.Helper()
	body := map[string]any{"ids": []int{person}, "action": action, "target_list_ids": []int{list}}
	if status != "" {
		body["status"] = status
	}
	c.do("PUT", "/api/subscribers/lists", body)
}

// TestConsentTraps shows that the fake has the traps of the real one, so that a connector that falls into them is seen.
func TestConsentTraps(t *testing.T) {
	c := start(t, nil)
	a, b := c.fake.AddList("A", "single"), c.fake.AddList("B", "single")
	double := c.fake.AddList("Double", "double")
	require.NoError(t, c.fake.Subscribe("ann@example.com", a, ""))
	ann := c.person("ann@example.com")
	require.Equal(t, []string{ann.Email}, c.fake.Mailed(a))
	require.NoError(t, c.fake.Unsubscribe(ann.Email, a))
	require.Empty(t, c.fake.Mailed(a))

	c.manage("add", "", ann.ID, a)
	require.Empty(t, c.fake.Mailed(a), "adding without a status leaves the row")
	c.manage("add", "", ann.ID, b)
	require.Equal(t, []string{ann.Email}, c.fake.Mailed(b), "another list forgets that they left the first")
	c.manage("remove", "", ann.ID, a)
	c.manage("add", "", ann.ID, a)
	require.Equal(t, []string{ann.Email}, c.fake.Mailed(a), "removing and adding forgets it too")
	require.NoError(t, c.fake.Unsubscribe(ann.Email, a))
	c.manage("add", "confirmed", ann.ID, a)
	require.Equal(t, []string{ann.Email}, c.fake.Mailed(a), "a status overwrites")

	require.NoError(t, c.fake.SetStatus(ann.Email, "disabled"))
	require.Equal(t, []string{ann.Email}, c.fake.Mailed(a), "disabled people are mailed")
	require.NoError(t, c.fake.Blocklist(ann.Email))
	require.Empty(t, c.fake.Mailed(a, b), "blocklisted ones are not")
	c.do("PUT", fmt.Sprintf("/api/subscribers/%d", ann.ID), map[string]any{"email": ann.Email, "status": "enabled"})
	require.Equal(t, "enabled", c.person(ann.Email).Status, "PUT lifts the blocklist")
	require.Empty(t, c.person(ann.Email).Lists, "and wipes the lists")

	c.manage("add", "", ann.ID, double)
	require.Empty(t, c.fake.OptinMails(), "bulk additions send no opt-in mail")
	require.Empty(t, c.fake.Mailed(double), "double opt-in lists mail only who confirmed")
	c.do("POST", "/api/subscribers", map[string]any{"email": "bob@example.com", "lists": []int{double}})
	c.do("PATCH", fmt.Sprintf("/api/subscribers/%d", ann.ID), map[string]any{"lists": []int{a}})
	c.do("PATCH", fmt.Sprintf("/api/subscribers/%d", ann.ID), map[string]any{"lists": []int{double}})
	require.Equal(t, []string{"bob@example.com", ann.Email}, c.fake.OptinMails())

	c.do("PUT", "/api/subscribers/query/lists", map[string]any{"action": "remove", "target_list_ids": []int{double}})
	require.Empty(t, c.person(ann.Email).Lists, "an empty query means everybody")
}

func TestImportOverwritesConsentOnlyWhenTold(t *testing.T) {
	for params, want := range map[string]string{
		`"overwrite_userinfo":true,"overwrite_subscription_status":false`: "unsubscribed",
		`"overwrite_subscription_status":true`:                            "confirmed",
		`"overwrite":true`:                                                "confirmed",
	} {
		c := start(t, nil)
		list := c.fake.AddList("A", "single")
		require.NoError(t, c.fake.Subscribe("one@example.com", list, ""))
		require.NoError(t, c.fake.Unsubscribe("one@example.com", list))
		label := fmt.Sprintf(`import params={"mode":"subscribe","delim":",","subscription_status":"confirmed","lists":[%d],%s}`, list, params)
		body, kind := upload(t, label)
		r, err := http.NewRequestWithContext(t.Context(), http.MethodPost, c.url+"/api/import/subscribers", bytes.NewReader(body))
		require.NoError(t, err)
		r.Header.Set("Content-Type", kind)
		r.SetBasicAuth(c.fake.Username(), c.fake.Token())
		response, err := http.DefaultClient.Do(r)
		require.NoError(t, err)
		require.NoError(t, response.Body.Close())
		_, status := c.ask("GET", "/api/import/subscribers", nil)
		require.Contains(t, status, `"imported":1`)
		require.Equal(t, want, c.person("one@example.com").Lists[list], params)
	}
}

func TestNewsletterOfAShop(t *testing.T) {
	shop := simulator.New(simulator.Options{Customers: 60})
	c := start(t, shop)
	states := map[simulator.SubscriberState]int{}
	mailed := strings.Join(c.fake.Mailed(c.fake.Newsletter()), " ") + " "
	for _, s := range shop.Subscribers() {
		states[s.State]++
		require.Equal(t, s.State == simulator.Subscribed, strings.Contains(mailed, s.Email+" "), s.State)
	}
	require.Len(t, c.fake.People(), 2+len(shop.Subscribers())-states[simulator.Unknown])

	require.NoError(t, c.fake.Delete(strings.Fields(mailed)[0]))
	count := len(c.fake.People())
	shop.Wait(time.Hour)
	require.GreaterOrEqual(t, len(c.fake.People()), count)
	require.NotContains(t, c.fake.Mailed(c.fake.Newsletter()), strings.Fields(mailed)[0], "who was erased does not come back")
}

func TestFaults(t *testing.T) {
	c := start(t, nil)
	for kind, want := range map[listmonktest.FaultKind]int{
		simulator.TooManyRequests: 429, simulator.ServerError: 503, simulator.HTMLPage: 200,
		simulator.EmptyBody: 200, simulator.BrokenJSON: 200, simulator.CutBody: 0, simulator.LostAnswer: 0,
	} {
		c.fake.Fault(listmonktest.Fault{Kind: kind, Times: 1, Writes: true})
		status, _ := c.ask("GET", "/api/lists", nil)
		require.Equal(t, 200, status, "reads are spared")
		status, answer := c.ask("POST", "/api/lists", map[string]any{"name": "x", "type": "private", "optin": "single"})
		require.Equal(t, want, status, kind)
		require.False(t, json.Valid([]byte(answer)) && kind != simulator.TooManyRequests, kind)
		status, _ = c.ask("POST", "/api/lists", map[string]any{"name": ""})
		require.Equal(t, 400, status, "the fault has passed")
	}
	c.fake.Revoke()
	status, answer := c.ask("GET", "/api/lists", nil)
	require.Equal(t, 403, status)
	require.Contains(t, answer, "invalid API credentials")
}

func TestControl(t *testing.T) {
	c := start(t, nil)
	list := c.fake.AddList("A", "single")
	c.do("POST", "/_sim/subscribe", map[string]any{"email": "ann@example.com", "list": list, "status": "confirmed"})
	status, answer := c.ask("GET", fmt.Sprintf("/_sim/mailed?list=%d", list), nil)
	require.Equal(t, 200, status)
	require.Contains(t, answer, "ann@example.com")
	c.do("POST", "/_sim/unsubscribe", map[string]any{"email": "ann@example.com", "list": list})
	require.Empty(t, c.fake.Mailed(list))
	c.do("POST", "/_sim/blocklist", map[string]any{"email": "ann@example.com"})
	require.Equal(t, "blocklisted", c.person("ann@example.com").Status)
	c.do("POST", "/_sim/fault", map[string]any{"kind": "429", "times": 1, "retry_after": int64(2 * time.Second)})
	status, _ = c.ask("GET", "/api/lists", nil)
	require.Equal(t, 429, status)
	for _, view := range []string{"people", "lists", "requests", "optin"} {
		c.do("GET", "/_sim/"+view, nil)
	}
	status, _ = c.ask("POST", "/_sim/nonsense", map[string]any{})
	require.Equal(t, 400, status)
	status, _ = c.ask("GET", "/_sim/nonsense", nil)
	require.Equal(t, 404, status)
	c.do("POST", "/_sim/restrict", map[string]any{"permission": listmonktest.SubscribersManage})
	status, answer = c.ask("POST", "/api/subscribers", map[string]any{"email": "x@example.com"})
	require.Equal(t, 403, status)
	require.Contains(t, answer, listmonktest.SubscribersManage)
}
