package listmonk

import (
	"encoding/json"
	"fmt"
	"net/http"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/perennial-cvo/perennial/connectors"
	"github.com/perennial-cvo/perennial/connectors/commerce"
	"github.com/perennial-cvo/perennial/connectors/httpapi"
	"github.com/perennial-cvo/perennial/connectors/simulator"
)

func TestClassify(t *testing.T) {
	const other = connectors.Kind(-1) // left to the rules for every API
	cases := []struct {
		status     int
		message    string
		want       connectors.Kind
		permission string
	}{
		{403, "invalid session", connectors.KindCredentials, ""},
		{403, "invalid API credentials", connectors.KindCredentials, ""},
		{403, "Permission denied: subscribers:sql_query", connectors.KindCredentials, "subscribers:sql_query"},
		{403, "permission denied: campaigns:get", connectors.KindCredentials, "campaigns:get"},
		{400, "Subscriber (999999: ) not found", connectors.KindPermanent, ""},
		{400, "Invalid email.", connectors.KindPermanent, ""},
		{404, "404 unknown endpoint", connectors.KindPermanent, ""},
		{409, "E-mail already exists.", connectors.KindRecord, ""},
		{500, `Error creating List: pq: invalid input value for enum list_type: "weird"`, connectors.KindPermanent, ""},
		{500, `Error updating Subscribers: pq: insert or update on table "subscriber_lists" violates foreign key constraint "x"`, connectors.KindPermanent, ""},
		{500, `Error creating Subscriber: pq: invalid byte sequence for encoding "UTF8": 0x00`, connectors.KindPermanent, ""},
		{500, "Error updating Subscriber: pq: unsupported Unicode escape sequence", connectors.KindPermanent, ""},
		{500, "Error starting import: an import is already running", connectors.KindPermanent, ""},
		{500, "Error fetching Subscribers: pq: the database system is starting up", other, ""},
		{429, "", other, ""},
		{502, "", other, ""},
	}
	harmless := func(text string) string { return text }
	for _, tt := range cases {
		body, err := json.Marshal(map[string]string{"message": tt.message})
		require.NoError(t, err)
		got := classify(httpapi.Response{Status: tt.status, Body: body, JSON: true}, harmless)
		if tt.want == other {
			require.Nil(t, got, tt.message)
			continue
		}
		require.Equal(t, tt.want, got.Kind, tt.message)
		require.Equal(t, tt.permission, got.Permission)
		require.Equal(t, tt.message, refusal(got).Message)
	}
	require.Nil(t, classify(httpapi.Response{Status: 403, Body: []byte("<html>")}, harmless), "a firewall's page says nothing of the key")
	require.Equal(t, "status 414", refusal(classify(httpapi.Response{Status: 414, Body: []byte("<html>")}, harmless)).Error())
}

func TestOneRefusedWriteBlocksNobody(t *testing.T) {
	b := startBench(t)
	people := b.people(simulator.Subscribed)[:5]
	victim := fmt.Sprintf("/api/subscribers/%d", b.person(t, people[2].Email).ID)
	before(t, b, func(w http.ResponseWriter, r *http.Request) bool {
		if r.Method != "PATCH" || r.URL.Path != victim {
			return false
		}
		w.Header().Set("Content-Type", "application/json")
		w.WriteHeader(http.StatusInternalServerError)
		_, _ = fmt.Fprintf(w, `{"message":"Error updating Subscriber: pq: invalid input value for %s"}`, people[2].Email)
		return true
	})
	d := b.open(t)
	list := ensure(t, d, champions)[0]
	var changes []connectors.Change
	for _, p := range people {
		changes = append(changes, join(p, champions))
	}
	result, err := d.Apply(t.Context(), changes)
	require.NoError(t, err)
	require.Len(t, result.Outcomes, len(people))
	for _, o := range result.Outcomes {
		if o.PersonID != people[2].ID {
			require.Equal(t, connectors.Delivered, o.State)
			continue
		}
		require.Equal(t, connectors.Refused, o.State)
		require.Contains(t, o.Reason, "invalid input value")
		require.NotContains(t, o.Reason, people[2].Email, "a reason names nobody")
	}
	require.Len(t, b.members(list), len(people)-1)
}

// TestManyPeople counts requests: two look-ups for 500 people, before and after the attributes are written, and one list
// change for all, and one look-up and none that writes when nothing changed.
func TestManyPeople(t *testing.T) {
	b := startBench(t)
	var changes []connectors.Change
	for i := range 2*largestBatch + 10 {
		p := connectors.Person{ID: int64(i + 1), Email: fmt.Sprintf("many%d@example.com", i)}
		require.NoError(t, b.Subscribe(p.Email, b.Newsletter(), confirmed))
		changes = append(changes, join(p, champions))
	}
	d := b.open(t, connectors.Settings{"batch": defaultBatch, "list_batch": defaultListBatch})
	list := ensure(t, d, champions)[0]
	requests := func(method, part string) (n int) {
		for _, r := range b.Requests() {
			if r.Method == method && strings.Contains(r.Path, part) {
				n++
			}
		}
		return n
	}
	for _, want := range []connectors.OutcomeState{connectors.Delivered, connectors.Unchanged} {
		result, err := d.Apply(t.Context(), changes)
		require.NoError(t, err)
		require.Len(t, result.Outcomes, len(changes))
		for _, o := range result.Outcomes {
			require.Equal(t, want, o.State)
			require.NotEmpty(t, o.RemoteID)
		}
	}
	require.Len(t, b.members(list), len(changes))
	require.Equal(t, 2*3+3, requests("GET", "query="))
	require.Equal(t, 1, requests("PUT", "/api/subscribers/lists"))
	require.Equal(t, len(changes), requests("PATCH", "/api/subscribers/"))
}

// TestShopsWordAgainstPlatforms pins what the documentation says about people who left every list that is not ours.
func TestShopsWordAgainstPlatforms(t *testing.T) {
	b := startBench(t)
	d := b.open(t)
	ensure(t, d, champions)
	left := b.people(simulator.Unsubscribed)
	require.NotEmpty(t, left)
	for _, p := range left {
		c := join(p, champions)
		c.Consent = commerce.ConsentSubscribed
		require.Equal(t, connectors.ReasonUnsubscribed, apply(t, d, c).Reason)
	}
}
