package mailchimptest

import (
	"archive/tar"
	"compress/gzip"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"net/url"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/perennial-cvo/perennial/connectors/simulator"
)

// ask makes one request of the audience, or of the API where the path begins with a slash, and returns status and body.
func ask(t *testing.T, s *Server, method, path, body string) (int, map[string]any) {
	t.Helper()
	if !strings.HasPrefix(path, "/") {
		path = "/lists/" + s.Audience() + strings.TrimSuffix("/"+path, "/")
	}
	r := httptest.NewRequest(method, "/3.0"+path, strings.NewReader(body))
	r.SetBasicAuth("any", s.Key())
	w := httptest.NewRecorder()
	s.ServeHTTP(w, r)
	var answer map[string]any
	if w.Body.Len() > 0 {
		require.NoError(t, json.Unmarshal(w.Body.Bytes(), &answer), "%s", w.Body)
	}
	return w.Code, answer
}

// texts is a JSON list of so many addresses.
func texts(n int) string {
	all := make([]string, n)
	for i := range all {
		all[i] = fmt.Sprintf(`"a%d@example.com"`, i)
	}
	return "[" + strings.Join(all, ",") + "]"
}

// TestLimitsOfTheProse holds the limits that no OpenAPI file states.
func TestLimitsOfTheProse(t *testing.T) {
	s := New(nil, Options{})
	s.Add("ann@example.com", Subscribed)
	ann, tag := "members/"+hash("ann@example.com"), fmt.Sprintf("segments/%d", s.AddTag("x"))
	patch := func(value string) string { return `{"merge_fields":{"FNAME":"` + value + `","SHOE":"40"}}` }
	operations := func(n int) string {
		return `{"operations":[` + strings.TrimSuffix(strings.Repeat(`{"method":"GET","path":"/ping"},`, n), ",") + `]}`
	}
	for _, tt := range []struct {
		method, path, body string
		want               int
	}{
		{"GET", "members?count=1000", "", 200},
		{"GET", "members?count=1001", "", 400},
		{"POST", tag, `{"members_to_add":` + texts(500) + `,"members_to_remove":` + texts(500) + `}`, 200},
		{"POST", tag, `{"members_to_add":` + texts(501) + `}`, 400},
		{"POST", tag, `{"members_to_remove":` + texts(501) + `}`, 400},
		{"POST", "/batches", operations(1000), 200},
		{"POST", "/batches", operations(1001), 400},
		{"POST", "merge-fields", `{"name":"n","type":"text","tag":"ABCDEFGHIJ"}`, 200},
		{"POST", "merge-fields", `{"name":"n","type":"text","tag":"ABCDEFGHIJK"}`, 400},
		{"POST", "merge-fields", `{"name":"n","type":"text","tag":"abcdefghij"}`, 400},
		{"PATCH", ann, patch(strings.Repeat("x", 255)), 200},
		{"PATCH", ann, patch(strings.Repeat("x", 256)), 400},
		{"POST", "segments", `{"name":"X","static_segment":[]}`, 400}, // differs from a tag in case only
	} {
		status, body := ask(t, s, tt.method, tt.path, tt.body)
		require.Equal(t, tt.want, status, "%s %s: %v", tt.method, tt.path, body)
	}
	for i := len(s.Fields()); i < MostFields; i++ {
		s.AddField(fmt.Sprintf("F%d", i), "f")
	}
	status, body := ask(t, s, "POST", "merge-fields", `{"name":"n","type":"text","tag":"ONEMORE"}`)
	require.Equal(t, 400, status)
	require.Contains(t, body["detail"], "30 merge fields")
	for range MostBatches - 1 {
		status, _ = ask(t, s, "POST", "/batches", operations(1))
		require.Equal(t, 200, status)
	}
	status, _ = ask(t, s, "POST", "/batches", operations(1))
	require.Equal(t, http.StatusTooManyRequests, status, "more than 500 are open")
}

func TestMoreThanTenConnectionsAreRefused(t *testing.T) {
	s := New(nil, Options{Latency: 50 * time.Millisecond})
	var group sync.WaitGroup
	statuses := make([]int, 2*MostConnections)
	for i := range statuses {
		group.Go(func() { statuses[i], _ = ask(t, s, "GET", "", "") })
	}
	group.Wait()
	require.Contains(t, statuses, http.StatusTooManyRequests)
	require.Contains(t, statuses, http.StatusOK)
	require.Greater(t, s.Connections(), MostConnections)
}

func TestStatusesAreAsTheDocumentationSays(t *testing.T) {
	s := New(nil, Options{})
	ann := "members/" + hash("ann@example.com") + "?skip_merge_validation=true"
	put := `{"email_address":"ann@example.com","status_if_new":"transactional","merge_fields":{"NOWHERE":"x"}}`
	status, _ := ask(t, s, "PATCH", ann, `{}`)
	require.Equal(t, 404, status, "PATCH creates nobody")
	status, _ = ask(t, s, "PUT", "members/"+hash("ann@example.com"), put)
	require.Equal(t, 400, status, "a field that is demanded is missing")
	status, body := ask(t, s, "PUT", ann, put)
	require.Equal(t, 200, status)
	require.Equal(t, Transactional, body["status"])
	require.NotContains(t, body["merge_fields"], "NOWHERE", "an unknown field is ignored")
	require.NoError(t, s.SetStatus("ann@example.com", Unsubscribed))
	_, body = ask(t, s, "PUT", ann, strings.Replace(put, "transactional", "subscribed", 1))
	require.Equal(t, Unsubscribed, body["status"], "status_if_new is for the new")
	status, body = ask(t, s, "PATCH", ann, `{"status":"subscribed"}`)
	require.Equal(t, 400, status)
	require.Equal(t, "Member In Compliance State", body["title"])
	status, _ = ask(t, s, "DELETE", strings.Split(ann, "?")[0], "")
	require.Equal(t, 204, status)
	require.Len(t, s.Contacts(), 1, "archived is not erased")
	status, _ = ask(t, s, "POST", strings.Split(ann, "?")[0]+"/actions/delete-permanent", "")
	require.Equal(t, 204, status)
	require.Empty(t, s.Contacts())
	status, body = ask(t, s, "PUT", ann, put)
	require.Equal(t, 400, status)
	require.Equal(t, "Forgotten Email Not Subscribed", body["title"])
}

func TestBatchIsAJob(t *testing.T) {
	s := New(nil, Options{})
	s.Add("ann@example.com", Subscribed)
	server := httptest.NewServer(s)
	t.Cleanup(server.Close)
	operation := func(method, email, id string) string {
		return fmt.Sprintf(`{"method":%q,"path":"/lists/%s/members/%s","operation_id":%q,"params":{"skip_merge_validation":"true"},"body":"{\"merge_fields\":{\"FNAME\":\"A\"}}"}`,
			method, s.Audience(), hash(email), id)
	}
	_, begun := ask(t, s, "POST", "/batches", `{"operations":[`+operation("PATCH", "ann@example.com", "0")+`,`+operation("PATCH", "bob@example.com", "1")+`]}`)
	require.Equal(t, "pending", begun["status"])
	path := fmt.Sprint("/batches/", begun["id"])
	_, state := ask(t, s, "GET", path, "")
	require.Equal(t, "started", state["status"])
	_, state = ask(t, s, "GET", path, "")
	require.Equal(t, "finished", state["status"])
	require.EqualValues(t, 2, state["finished_operations"])
	require.EqualValues(t, 1, state["errored_operations"])
	address := strings.Replace(fmt.Sprint(state["response_body_url"]), "http://example.com", server.URL, 1)
	require.Equal(t, map[string]int{"0": 200, "1": 404}, unpack(t, address))
	require.Empty(t, s.Violations())
	require.Equal(t, "A", s.Contacts()[0].Fields["FNAME"])
}

// unpack downloads a result and returns the status of each operation.
func unpack(t *testing.T, address string) map[string]int {
	t.Helper()
	r, err := http.Get(address)
	require.NoError(t, err)
	defer r.Body.Close()
	unpacked, err := gzip.NewReader(r.Body)
	require.NoError(t, err)
	statuses := map[string]int{}
	for files := tar.NewReader(unpacked); ; {
		header, err := files.Next()
		if err == io.EOF {
			return statuses
		}
		require.NoError(t, err)
		if header.Typeflag != tar.TypeReg {
			continue
		}
		var answers []struct {
			Status int    `json:"status_code"`
			ID     string `json:"operation_id"`
		}
		require.NoError(t, json.NewDecoder(files).Decode(&answers))
		for _, a := range answers {
			statuses[a.ID] = a.Status
		}
	}
}

func TestPeopleOfTheShopAreThere(t *testing.T) {
	shop := simulator.New(simulator.Options{Customers: 40})
	s := New(shop, Options{})
	statuses := map[string]int{}
	for _, c := range s.Contacts() {
		statuses[c.Status]++
	}
	require.Positive(t, statuses[Subscribed])
	require.Positive(t, statuses[Unsubscribed])
	known := slices.ContainsFunc(shop.Subscribers(), func(p simulator.Subscriber) bool {
		return p.State == simulator.Unknown && slices.ContainsFunc(s.Contacts(), func(c Contact) bool { return c.Email == p.Email })
	})
	require.False(t, known)
}

func TestControl(t *testing.T) {
	s := New(nil, Options{})
	command := func(path, body string, want int) {
		t.Helper()
		w := httptest.NewRecorder()
		s.ServeHTTP(w, httptest.NewRequest("POST", "/_sim/"+path, strings.NewReader(body)))
		require.Equal(t, want, w.Code, "%s", w.Body)
	}
	command("add", `{"email":"ann@example.com","status":"subscribed"}`, 200)
	command("status", `{"email":"ann@example.com","status":"cleaned"}`, 200)
	command("status", `{"email":"bob@example.com","status":"cleaned"}`, 400)
	command("batch", `{"batch":"job stalls"}`, 200)
	command("fault", `{"kind":"403 HTML","times":1}`, 200)
	command("nothing", ``, 400)
	for _, view := range []string{"contacts", "tags", "fields", "requests", "mailed?tag=1"} {
		w := httptest.NewRecorder()
		s.ServeHTTP(w, httptest.NewRequest("GET", "/_sim/"+view, nil))
		require.Equal(t, 200, w.Code, view)
	}
	require.Equal(t, Cleaned, s.Contacts()[0].Status)
	w := httptest.NewRecorder()
	s.ServeHTTP(w, httptest.NewRequest("GET", "/3.0/ping", nil))
	require.Equal(t, http.StatusForbidden, w.Code)
	command("restrict", ``, 200)
	status, _ := ask(t, s, "POST", "segments", `{"name":"x","static_segment":[]}`)
	require.Equal(t, 403, status)
	command("revoke", ``, 200)
	status, _ = ask(t, s, "GET", "", "")
	require.Equal(t, 401, status)
	command("mend", ``, 200)
	status, body := ask(t, s, "POST", "segments", `{"name":"x","static_segment":[]}`)
	require.Equal(t, 200, status)
	command("tag", fmt.Sprintf(`{"email":"ann@example.com","tag":%v}`, body["id"]), 200)
	command("field", `{"email":"ann@example.com","field":"FNAME","value":"Ann"}`, 200)
	require.Equal(t, Contact{Email: "ann@example.com", Status: Cleaned, Fields: map[string]string{"FNAME": "Ann"}, Tags: []int{int(body["id"].(float64))}}, s.Contacts()[0])
	w = httptest.NewRecorder()
	s.ServeHTTP(w, httptest.NewRequest("DELETE", "/_sim/requests", nil))
	require.Equal(t, 200, w.Code)
	require.Empty(t, s.Requests())
}

// TestShopGoesOn is how a demo serves it: over the people of an invented shop, steered from outside.
func TestShopGoesOn(t *testing.T) {
	shop := simulator.New(simulator.Options{Customers: 200})
	s := New(shop, Options{})
	before := len(s.Contacts())
	require.Positive(t, before)
	start := shop.Now()
	shop.Advance(60)
	require.Greater(t, len(s.Contacts()), before, "who comes to the shop signs up here")
	i := slices.IndexFunc(s.Contacts(), func(c Contact) bool { return c.Status == Subscribed })
	who := s.Contacts()[i].Email
	w := httptest.NewRecorder()
	s.ServeHTTP(w, httptest.NewRequest("POST", "/_sim/unsubscribe", strings.NewReader(`{"email":"`+who+`"}`)))
	require.Equal(t, 200, w.Code, "%s", w.Body)
	since := "&unsubscribed_since=" + url.QueryEscape(start.AddDate(0, 0, 30).UTC().Format(time.RFC3339))
	status, body := ask(t, s, "GET", "members?status=unsubscribed&count=1000"+since, "")
	require.Equal(t, 200, status)
	require.Contains(t, fmt.Sprint(body), who)
	require.Less(t, body["total_items"], float64(before), "whoever left long ago is not told")
	status, _ = ask(t, s, "GET", "members?status=cleaned"+since, "")
	require.Equal(t, 400, status, "that question is about those who unsubscribed")
	status, body = ask(t, s, "GET", "members?status=cleaned&count=1000&since_last_changed="+url.QueryEscape(shop.Now().Format(time.RFC3339)), "")
	require.Equal(t, 200, status)
	require.Zero(t, body["total_items"])
}
