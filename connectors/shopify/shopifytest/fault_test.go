package shopifytest

import (
	"encoding/json"
	"io"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

func TestBucketLeaks(t *testing.T) {
	b := newBench(t, Options{Bucket: struct{ Max, Restore float64 }{Max: 30, Restore: 10}})
	const costs13 = `{ things(first: 250) { nodes { id } } }` // 13, of which 5 are used
	r := b.ask(costs13, nil)
	require.Equal(t, 25.0, r.Extensions.Cost.ThrottleStatus.CurrentlyAvailable)
	b.ask(costs13, nil)
	b.ask(costs13, nil)
	r = b.ask(costs13, nil)
	require.Equal(t, 10.0, r.Extensions.Cost.ThrottleStatus.CurrentlyAvailable)
	r = b.ask(costs13, nil)
	require.Equal(t, http.StatusOK, r.Status)
	require.Equal(t, "Throttled", r.Errors[0].Message)
	require.Equal(t, "THROTTLED", r.Errors[0].Extensions["code"])
	require.Nil(t, r.Extensions.Cost.ActualQueryCost)
	require.NotContains(t, r.Text, `"data"`)
	require.Equal(t, 13.0, r.Extensions.Cost.RequestedQueryCost)
	b.now = b.now.Add(300 * time.Millisecond)
	require.Empty(t, b.ask(costs13, nil).Errors)
	b.now = b.now.Add(time.Hour)
	require.Equal(t, 25.0, b.ask(costs13, nil).Extensions.Cost.ThrottleStatus.CurrentlyAvailable, "it holds no more than its size")

	r = b.ask(`{ a: things(first: 250) { nodes { parts(first: 250) { nodes { a: list { n } b: list { n } c: list { n } d: list { n } e: list { n } f: list { n } g: list { n } h: list { n } } } } } }`, nil)
	require.Equal(t, "MAX_COST_EXCEEDED", r.Errors[0].Extensions["code"])
	require.Equal(t, 1000.0, r.Errors[0].Extensions["maxCost"])
	require.Greater(t, r.Errors[0].Extensions["cost"], 1000.0)
}

func TestTokens(t *testing.T) {
	b := newBench(t, Options{TokenLife: time.Hour})
	get := func(form url.Values) (int, map[string]any) {
		r := httptest.NewRequest(http.MethodPost, "/admin/oauth/access_token", strings.NewReader(form.Encode()))
		r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
		w := httptest.NewRecorder()
		b.ServeHTTP(w, r)
		var out map[string]any
		require.NoError(t, json.Unmarshal(w.Body.Bytes(), &out))
		return w.Code, out
	}
	right := url.Values{"grant_type": {"client_credentials"}, "client_id": {DefaultClientID}, "client_secret": {DefaultClientSecret}}
	status, out := get(right)
	require.Equal(t, http.StatusOK, status)
	require.Equal(t, 3599.0, out["expires_in"])
	require.Contains(t, out["scope"], "read_orders")
	token := out["access_token"].(string)
	ask := func(token string) int {
		return b.askAs(token, "/admin/api/2026-07/graphql.json", `{ one { id } }`, nil).Status
	}
	require.Equal(t, http.StatusOK, ask(token))
	require.Equal(t, http.StatusUnauthorized, ask("other"))
	require.Contains(t, b.askAs("", "/admin/api/2026-07/graphql.json", `{ one { id } }`, nil).Text, "[API] Invalid API key or access token")
	b.now = b.now.Add(time.Hour)
	require.Equal(t, http.StatusUnauthorized, ask(token), "it has expired")
	require.Equal(t, http.StatusOK, ask(DefaultAccessToken), "the old kind lives forever")
	_, out = get(right)
	token = out["access_token"].(string)
	b.Fault(Fault{Kind: TokenExpired})
	require.Equal(t, http.StatusUnauthorized, ask(token))
	wrong := url.Values{"grant_type": {"client_credentials"}, "client_id": {DefaultClientID}, "client_secret": {"x"}}
	status, out = get(wrong)
	require.Equal(t, http.StatusBadRequest, status)
	require.Equal(t, "invalid_client", out["error"])
	b.Revoke()
	require.Equal(t, http.StatusUnauthorized, ask(DefaultAccessToken))
	status, _ = get(right)
	require.Equal(t, http.StatusBadRequest, status)
}

func TestVersionsFallForward(t *testing.T) {
	b := newBench(t, Options{})
	for asked, want := range map[string]string{"2026-07": "2026-07", "2026-10": "2026-10", "2024-01": "2026-07", "2031-01": "2026-07", "unstable": "unstable"} {
		r := b.askAs(DefaultAccessToken, "/admin/api/"+asked+"/graphql.json", `{ one { id } }`, nil)
		require.Equal(t, want, r.Header.Get("X-Shopify-Api-Version"), asked)
	}
	b.Fault(Fault{Kind: FallForward})
	require.Equal(t, "2026-10", b.ask(`{ one { id } }`, nil).Header.Get("X-Shopify-Api-Version"))
	require.Equal(t, http.StatusNotFound, b.askAs(DefaultAccessToken, "/admin/api/2026-07/orders.json", `{ one { id } }`, nil).Status)
}

// Every kind of fault shows itself as its name says, befalls as many as it should, and can be chosen by name.
func TestFaults(t *testing.T) {
	b := newBench(t, Options{})
	server := httptest.NewServer(b)
	defer server.Close()
	client := server.Client()
	client.CheckRedirect = func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }
	client.Timeout = 5 * time.Second
	ask := func(query string) (int, string, error) {
		body, err := json.Marshal(map[string]any{"query": query})
		require.NoError(t, err)
		r, err := http.NewRequest(http.MethodPost, server.URL+"/admin/api/2026-07/graphql.json", strings.NewReader(string(body)))
		require.NoError(t, err)
		r.Header.Set(tokenHeader, DefaultAccessToken)
		answer, err := client.Do(r)
		if err != nil {
			return 0, "", err
		}
		defer answer.Body.Close()
		text, err := io.ReadAll(answer.Body)
		return answer.StatusCode, string(text), err
	}
	const query, write = `query Q { one { id } }`, `mutation M { nameSet(id: "a", name: "b") { thing { id } } }`
	for kind, want := range map[FaultKind]struct {
		status int
		text   string
	}{
		TooManyRequests: {429, "Too Many"}, Error500: {500, "html"}, Error502: {502, "html"}, Error503: {503, "html"}, Forbidden: {403, "html"},
		BadToken: {401, "[API]"}, Frozen: {402, "Unavailable"}, Locked: {423, "Locked"}, NotFound: {404, "Not Found"}, Redirect: {301, ""},
		HTML: {200, "<html>"}, Throttled: {200, "THROTTLED"}, InternalError: {200, "INTERNAL_SERVER_ERROR"}, AccessDenied: {200, `"data":{"one"`},
	} {
		b.Fault(Fault{Kind: kind, Skip: 1, Times: 2})
		var statuses []int
		for i := range 4 {
			status, text, err := ask(query)
			require.NoError(t, err, kind)
			statuses = append(statuses, status)
			if i == 1 || i == 2 {
				require.Contains(t, text, want.text, kind)
			} else {
				require.NotContains(t, text, "errors", kind)
			}
		}
		require.Equal(t, []int{200, want.status, want.status, 200}, statuses, kind)
	}
	for _, kind := range []FaultKind{Cut, Lost, Dropped} {
		b.forget()
		b.Fault(Fault{Kind: kind, Writes: true})
		_, _, err := ask(query)
		require.NoError(t, err, "only those that write")
		_, _, err = ask(write)
		require.Error(t, err, kind)
		require.Equal(t, kind != Dropped, b.written("a") == "b", kind)
	}
	b.Fault(Fault{Kind: Broken, Operation: "nameSet"})
	b.Fault(Fault{Kind: Empty, Operation: "Q"})
	_, text, err := ask(query)
	require.NoError(t, err)
	require.Empty(t, text)
	_, text, err = ask(write)
	require.NoError(t, err)
	require.False(t, json.Valid([]byte(text)))
	require.Zero(t, b.FaultsLeft())
	for _, kind := range FaultKinds() {
		b.Fault(Fault{Kind: kind, Times: Forever})
	}
	b.Mend()
	require.Zero(t, b.FaultsLeft())
}

func TestRecordAndControl(t *testing.T) {
	b := newBench(t, Options{})
	b.ask(`query Some { one { id } }`, nil)
	b.ask(`mutation M { nameSet(id: "a", name: "b") { thing { id } } }`, nil)
	b.start(thingsAndParts)
	address, fields, order := b.place("POST")
	b.post(address, fields, order, "{}")
	control := httptest.NewServer(b.Control())
	defer control.Close()
	post := func(path string) int {
		r, err := http.Post(control.URL+path, "", nil)
		require.NoError(t, err)
		defer r.Body.Close()
		return r.StatusCode
	}
	require.Equal(t, http.StatusBadRequest, post("/fault?kind=nonsense"))
	require.Equal(t, http.StatusOK, post("/fault?kind=throttled&operation=Some"))
	require.Equal(t, "THROTTLED", b.ask(`query Some { one { id } }`, nil).Errors[0].Extensions["code"])
	require.Equal(t, http.StatusOK, post("/restrict?scopes=read_reports"))
	require.NotEmpty(t, b.ask(`{ secret }`, nil).Errors)

	var seen []Request
	r, err := http.Get(control.URL + "/requests")
	require.NoError(t, err)
	require.NoError(t, json.NewDecoder(r.Body).Decode(&seen))
	r.Body.Close()
	require.Equal(t, b.Requests(), seen)
	var writes []bool
	for _, s := range seen {
		writes = append(writes, s.Write)
		require.Equal(t, http.StatusOK, s.Status/100*100)
	}
	require.Equal(t, []bool{false, true, false, true, true, false, false}, writes)
	require.Equal(t, "Some", seen[0].Operation)
	require.Equal(t, []string{"one"}, seen[0].Roots)
	require.Equal(t, "THROTTLED", seen[5].Code)
	require.Equal(t, 2, b.Count("Some"))
	require.Equal(t, 1, b.Count("bulkOperationRunQuery"))
	require.Equal(t, http.StatusOK, post("/revoke"))
	require.Equal(t, http.StatusUnauthorized, b.ask(`{ one { id } }`, nil).Status)
}

// fussy is a validator that takes nothing that is called no.
type fussy struct{ answers int }

func (f *fussy) Request(query string, _ map[string]any) []json.RawMessage {
	if strings.Contains(query, "nope") {
		return []json.RawMessage{json.RawMessage(`{"message":"Field 'nope' doesn't exist on type 'QueryRoot'","extensions":{"code":"undefinedField"}}`)}
	}
	return nil
}

func (f *fussy) Answer(_ string, _ map[string]any, data json.RawMessage) error {
	f.answers++
	if strings.Contains(string(data), "Thing 5") {
		return io.ErrUnexpectedEOF
	}
	return nil
}

func TestValidatorJudgesBothWays(t *testing.T) {
	judge := &fussy{}
	b := newBench(t, Options{Validator: judge})
	r := b.ask(`{ nope }`, nil)
	require.Equal(t, "undefinedField", r.Errors[0].Extensions["code"])
	require.NotContains(t, r.Text, "data")
	b.ask(`{ one { name } }`, nil)
	require.Equal(t, 1, judge.answers)
	require.Empty(t, b.Violations())
	b.ask(`query Five { things(first: 9) { nodes { name } } }`, nil)
	require.Len(t, b.Violations(), 1)
	require.ErrorContains(t, b.Violations()[0], "Five")
	b.start(thingsAndParts)
	require.Len(t, b.Violations(), 2, "what is in bulk files is judged too")
}

// A download that dies, or is spoilt, is still the part that was asked for.
func TestFaultsOfFiles(t *testing.T) {
	b := newBench(t, Options{})
	address := b.poll(b.start(thingsAndParts))["url"].(string)
	text := bodyOf(t, b.get(address))
	b.Fault(Fault{Kind: Broken, Path: resultsPath})
	r := b.get(address, "Range", "bytes=100-299")
	require.Equal(t, http.StatusPartialContent, r.StatusCode)
	require.Equal(t, text[100:200], bodyOf(t, r))
	server := httptest.NewServer(b)
	defer server.Close()
	b.Fault(Fault{Kind: Cut, Path: resultsPath})
	ask, err := http.NewRequest(http.MethodGet, server.URL+strings.TrimPrefix(address, b.Home()), nil)
	require.NoError(t, err)
	ask.Header.Set("Range", "bytes=100-299")
	answer, err := http.DefaultClient.Do(ask)
	require.NoError(t, err)
	defer answer.Body.Close()
	got, err := io.ReadAll(answer.Body)
	require.ErrorIs(t, err, io.ErrUnexpectedEOF)
	require.Equal(t, text[100:200], string(got))
}
