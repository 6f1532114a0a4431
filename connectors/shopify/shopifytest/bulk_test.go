package shopifytest

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"mime/multipart"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

const runQuery = `mutation Run($query: String!) { bulkOperationRunQuery(query: $query) { bulkOperation { id status objectCount url } userErrors { field message code } } }`

const thingsAndParts = `{ things { edges { node { id name kind { __typename } parts { edges { node { id n } } } } } } }`

func (b *bench) start(inner string) string {
	b.t.Helper()
	r := b.ask(runQuery, map[string]any{"query": inner})
	require.Empty(b.t, r.Errors)
	require.Empty(b.t, dig(r.Data, "bulkOperationRunQuery", "userErrors"))
	require.Equal(b.t, "CREATED", dig(r.Data, "bulkOperationRunQuery", "bulkOperation", "status"))
	return dig(r.Data, "bulkOperationRunQuery", "bulkOperation", "id").(string)
}

func (b *bench) poll(id string) map[string]any {
	b.t.Helper()
	r := b.ask(`query Poll($id: ID!) { bulkOperation(id: $id) { id status type errorCode createdAt completedAt objectCount rootObjectCount fileSize url partialDataUrl query } }`, map[string]any{"id": id})
	require.Empty(b.t, r.Errors)
	return r.Data["bulkOperation"].(map[string]any)
}

func (b *bench) lines(address any) []map[string]any {
	b.t.Helper()
	text := bodyOf(b.t, b.get(address.(string)))
	require.False(b.t, strings.HasSuffix(text, "\n"), "the last line has no newline")
	var all []map[string]any
	for line := range strings.SplitSeq(text, "\n") {
		var v map[string]any
		require.NoError(b.t, json.Unmarshal([]byte(line), &v))
		all = append(all, v)
	}
	return all
}

func TestBulkLifeAndLines(t *testing.T) {
	b := newBench(t, Options{BulkDelay: 10 * time.Second})
	id := b.start(thingsAndParts)
	var seen []string
	for range 6 {
		o := b.poll(id)
		seen = append(seen, fmt.Sprint(o["status"], " ", o["objectCount"], "/", o["rootObjectCount"]))
		b.now = b.now.Add(2 * time.Second)
	}
	require.Equal(t, []string{"CREATED 0/0", "CREATED 0/0", "CREATED 0/0", "RUNNING 7/2", "RUNNING 7/2", "COMPLETED 15/5"}, seen)
	o := b.poll(id)
	require.Equal(t, "2026-07-01T12:00:00Z", o["createdAt"])
	require.Equal(t, "2026-07-01T12:00:10Z", o["completedAt"])
	text := bodyOf(t, b.get(o["url"].(string)))
	require.Equal(t, fmt.Sprint(len(text)), o["fileSize"])
	require.Equal(t, `{"id":"gid:\/\/shopify\/Thing\/1","name":"Thing 1","kind":{"__typename":"TipSale"}}`+"\n"+
		`{"id":"gid:\/\/shopify\/Part\/10","n":10,"__parentId":"gid:\/\/shopify\/Thing\/1"}`+"\n", text[:strings.Index(text, `{"id":"gid:\/\/shopify\/Part\/11"`)])
	require.Len(t, b.lines(o["url"]), 15)
	require.Equal(t, "BulkOperation", dig(b.ask(`query Q($id: ID!) { node(id: $id) { __typename ... on BulkOperation { status } } }`, map[string]any{"id": id}).Data, "node", "__typename"))
	require.Nil(t, b.ask(`{ bulkOperation(id: "gid://shopify/BulkOperation/0") { id } }`, nil).Data["bulkOperation"])
}

func TestBulkWithoutRowsHasNoFile(t *testing.T) {
	b := newBench(t, Options{})
	o := b.poll(b.start(`{ things(query: "id:99") { edges { node { id } } } }`))
	require.Equal(t, "COMPLETED", o["status"])
	require.Nil(t, o["url"])
	require.Equal(t, "0", o["objectCount"])
}

func TestBulkShufflesChildren(t *testing.T) {
	b := newBench(t, Options{Shuffle: true})
	lines := b.lines(b.poll(b.start(thingsAndParts))["url"])
	require.Len(t, lines, 15)
	at := map[string]int{}
	apart := false
	for i, line := range lines {
		at[line["id"].(string)] = i
		if parent, ok := line["__parentId"].(string); ok {
			place, there := at[parent]
			require.True(t, there, "a child stands behind its parent")
			apart = apart || i > place+2
		}
	}
	require.True(t, apart)
}

func TestBulkRunsFiveAtATime(t *testing.T) {
	b := newBench(t, Options{BulkDelay: time.Minute})
	var ids []string
	for range 5 {
		ids = append(ids, b.start(thingsAndParts))
	}
	r := b.ask(runQuery, map[string]any{"query": thingsAndParts})
	errs := dig(r.Data, "bulkOperationRunQuery", "userErrors").([]any)
	require.Equal(t, map[string]any{
		"field": nil, "code": "OPERATION_IN_PROGRESS",
		"message": "A bulk query operation for this app and shop is already in progress: " + strings.Join(ids, ", ") + ".",
	}, errs[0])
	list := func(query string) int {
		r := b.ask(`query Q($q: String) { bulkOperations(first: 50, query: $q) { nodes { id } } }`, map[string]any{"q": query})
		require.Empty(t, r.Extensions.Search)
		return len(dig(r.Data, "bulkOperations", "nodes").([]any))
	}
	require.Zero(t, list("status:running"), "those that are CREATED do not run")
	b.now = b.now.Add(40 * time.Second)
	require.Equal(t, 5, list("status:running"))
	require.Equal(t, 5, list("status:running operation_type:query"))
	require.Zero(t, list("status:running operation_type:mutation"))
	cancel := b.ask(`mutation C($id: ID!) { bulkOperationCancel(id: $id) { bulkOperation { status } userErrors { field message } } }`, map[string]any{"id": ids[0]})
	require.Equal(t, "CANCELING", dig(cancel.Data, "bulkOperationCancel", "bulkOperation", "status"))
	b.now = b.now.Add(time.Minute)
	require.Equal(t, "CANCELED", b.poll(ids[0])["status"])
	require.Equal(t, "COMPLETED", b.poll(ids[1])["status"])
	cancel = b.ask(`mutation C($id: ID!) { bulkOperationCancel(id: $id) { userErrors { message } } }`, map[string]any{"id": ids[1]})
	require.Contains(t, cancel.Text, "A bulk operation cannot be canceled when it is completed")
	b.start(thingsAndParts)
}

func TestBulkFails(t *testing.T) {
	for kind, want := range map[FaultKind]struct {
		status string
		code   any
		part   bool
	}{
		BulkFailed: {"FAILED", "INTERNAL_SERVER_ERROR", true}, BulkTimeout: {"FAILED", "TIMEOUT", true}, BulkDenied: {"FAILED", "ACCESS_DENIED", true},
		BulkCanceled: {"CANCELED", nil, false}, BulkExpired: {"EXPIRED", nil, false},
	} {
		b := newBench(t, Options{})
		b.Fault(Fault{Kind: kind, Operation: "bulkOperationRunQuery"})
		id := b.start(thingsAndParts)
		o := b.poll(id)
		require.Equal(t, want.status, o["status"], kind)
		require.Equal(t, want.code, o["errorCode"], kind)
		require.Nil(t, o["url"], kind)
		require.Equal(t, want.part, o["partialDataUrl"] != nil, kind)
		if want.part {
			require.Len(t, b.lines(o["partialDataUrl"]), 7)
		}
		require.Equal(t, "COMPLETED", b.poll(b.start(thingsAndParts))["status"], "the fault befell one")
	}
	b := newBench(t, Options{})
	b.Fault(Fault{Kind: BulkShort})
	o := b.poll(b.start(thingsAndParts))
	require.Equal(t, "15", o["objectCount"])
	require.Len(t, b.lines(o["url"]), 7)

	b = newBench(t, Options{})
	o = b.poll(b.start(`{ things { edges { node { id refusedTo } } } }`))
	require.Equal(t, "ACCESS_DENIED", o["errorCode"], "a scope that is missing fails the whole")
}

func TestResultFiles(t *testing.T) {
	b := newBench(t, Options{})
	address := b.poll(b.start(thingsAndParts))["url"].(string)
	whole := b.get(address)
	require.Equal(t, http.StatusOK, whole.StatusCode)
	require.Equal(t, "application/jsonl", whole.Header.Get("Content-Type"))
	text := bodyOf(t, whole)
	part := b.get(address, "Range", "bytes=100-199")
	require.Equal(t, http.StatusPartialContent, part.StatusCode)
	require.Equal(t, text[100:200], bodyOf(t, part))
	require.Equal(t, fmt.Sprintf("bytes 100-199/%d", len(text)), part.Header.Get("Content-Range"))
	require.Equal(t, http.StatusRequestedRangeNotSatisfiable, b.get(address, "Range", fmt.Sprintf("bytes=%d-", len(text))).StatusCode)
	forged, _, _ := strings.Cut(address, "?")
	require.Equal(t, http.StatusForbidden, b.get(forged).StatusCode)
	b.Fault(Fault{Kind: ExpiredURL})
	require.Equal(t, http.StatusBadRequest, b.get(address).StatusCode)
	require.Equal(t, http.StatusOK, b.get(address).StatusCode)
	b.now = b.now.Add(8 * 24 * time.Hour)
	require.Contains(t, bodyOf(t, b.get(address)), "ExpiredToken")
}

const runMutation = `mutation Run($mutation: String!, $path: String!) { bulkOperationRunMutation(mutation: $mutation, stagedUploadPath: $path) { bulkOperation { id status } userErrors { field message code } } }`

const nameSet = `mutation Set($id: ID!, $name: String!) { nameSet(id: $id, name: $name) { thing { id } userErrors { field message } } }`

// place asks for a place to upload to, and answers its address and its parameters.
func (b *bench) place(method string) (string, map[string]string, []string) {
	b.t.Helper()
	r := b.ask(`mutation Stage($input: [StagedUploadInput!]!) { stagedUploadsCreate(input: $input) { stagedTargets { url resourceUrl parameters { name value } } userErrors { field message } } }`,
		map[string]any{"input": []any{map[string]any{"filename": "f.jsonl", "mimeType": "text/jsonl", "resource": "BULK_MUTATION_VARIABLES", "httpMethod": method}}})
	require.Empty(b.t, r.Errors)
	target := dig(r.Data, "stagedUploadsCreate", "stagedTargets").([]any)[0]
	fields, order := map[string]string{}, []string{}
	for _, p := range dig(target, "parameters").([]any) {
		name := dig(p, "name").(string)
		fields[name] = dig(p, "value").(string)
		order = append(order, name)
	}
	return dig(target, "url").(string), fields, order
}

func (b *bench) post(address string, fields map[string]string, order []string, body string) *http.Response {
	b.t.Helper()
	var form bytes.Buffer
	w := multipart.NewWriter(&form)
	for _, name := range order {
		require.NoError(b.t, w.WriteField(name, fields[name]))
	}
	part, err := w.CreateFormFile("file", "f.jsonl")
	require.NoError(b.t, err)
	_, err = io.WriteString(part, body)
	require.NoError(b.t, err)
	require.NoError(b.t, w.Close())
	r := httptest.NewRequest(http.MethodPost, strings.TrimPrefix(address, b.Home()), &form)
	r.Header.Set("Content-Type", w.FormDataContentType())
	rec := httptest.NewRecorder()
	b.ServeHTTP(rec, r)
	return rec.Result()
}

func TestBulkMutation(t *testing.T) {
	b := newBench(t, Options{BulkDelay: 4 * time.Second})
	address, fields, order := b.place("POST")
	var input []string
	for i := range 20 {
		name := fmt.Sprint("n", i)
		if i == 7 {
			name = ""
		}
		input = append(input, fmt.Sprintf(`{"id":"x%d","name":%q}`, i, name))
	}
	answer := b.post(address, fields, order, strings.Join(input, "\n"))
	require.Equal(t, http.StatusCreated, answer.StatusCode)
	require.Contains(t, bodyOf(t, answer), "<Key>"+fields["key"]+"</Key>")
	r := b.ask(runMutation, map[string]any{"mutation": nameSet, "path": fields["key"]})
	require.Empty(t, dig(r.Data, "bulkOperationRunMutation", "userErrors"))
	id := dig(r.Data, "bulkOperationRunMutation", "bulkOperation", "id").(string)
	require.Empty(t, b.set, "not before it runs")
	b.now = b.now.Add(3 * time.Second)
	require.Equal(t, "RUNNING", b.poll(id)["status"])
	require.Len(t, b.set, 19)
	b.now = b.now.Add(3 * time.Second)
	o := b.poll(id)
	require.Equal(t, "COMPLETED", o["status"])
	require.Equal(t, "20", o["objectCount"])
	lines := b.lines(o["url"])
	sorted := true
	numbers := map[float64]bool{}
	for i, line := range lines {
		n := line["__lineNumber"].(float64)
		numbers[n], sorted = true, sorted && int(n) == i
		if errs := dig(line, "data", "nameSet", "userErrors").([]any); n == 7 {
			require.Len(t, errs, 1)
			require.Nil(t, dig(line, "data", "nameSet", "thing"))
		} else {
			require.Equal(t, fmt.Sprintf("x%d", int(n)), dig(line, "data", "nameSet", "thing", "id"))
		}
	}
	require.Len(t, numbers, 20)
	require.False(t, sorted, "lines are not carried out in order")
}

func TestUploadsAreHeldAgainstTheirPolicy(t *testing.T) {
	b := newBench(t, Options{})
	try := func(change func(fields map[string]string)) int {
		address, fields, order := b.place("POST")
		change(fields)
		return b.post(address, fields, order, "{}").StatusCode
	}
	require.Equal(t, http.StatusCreated, try(func(map[string]string) {}))
	for _, name := range []string{"acl", "key", "policy", "x-goog-signature", "x-goog-date", "Content-Type", "success_action_status"} {
		require.Equal(t, http.StatusForbidden, try(func(fields map[string]string) { fields[name] = "other" }), name)
	}
	address, fields, order := b.place("POST")
	require.Contains(t, bodyOf(t, b.post(address, fields, order, "")), "EntityTooSmall")
	b.now = b.now.Add(25 * time.Hour)
	require.Equal(t, http.StatusForbidden, b.post(address, fields, order, "{}").StatusCode)
	r := b.ask(runMutation, map[string]any{"mutation": nameSet, "path": fields["key"]})
	require.Contains(t, r.Text, "NO_SUCH_FILE")
}

// The list starts with the newest unless it is reversed, unlike others.
func TestBulkOperationsStartWithTheNewest(t *testing.T) {
	b := newBench(t, Options{})
	var ids []any
	for range 3 {
		ids = append(ids, b.start(thingsAndParts))
		b.now = b.now.Add(time.Minute)
	}
	list := func(args string) (got []any) {
		r := b.ask(`{ bulkOperations(first: 9, `+args+`) { nodes { id } } }`, nil)
		for _, node := range dig(r.Data, "bulkOperations", "nodes").([]any) {
			got = append(got, dig(node, "id"))
		}
		return got
	}
	require.Equal(t, []any{ids[2], ids[1], ids[0]}, list("sortKey: CREATED_AT, reverse: false"))
	require.Equal(t, ids, list("sortKey: CREATED_AT, reverse: true"))
	require.Equal(t, []any{ids[2], ids[1], ids[0]}, list("query: \"status:completed\""))
}
