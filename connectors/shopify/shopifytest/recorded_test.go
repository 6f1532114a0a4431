package shopifytest

import (
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

// recording is one recorded request with its answer.
type recording struct {
	file      string
	query     string
	variables map[string]any
	answer    map[string]any
}

// recordings reads every request and answer out of the recorded files whose name holds the text.
func recordings(t *testing.T, name string) []recording {
	t.Helper()
	dir := os.Getenv("PERENNIAL_REFERENCE_DIR")
	if dir == "" {
		if os.Getenv("PERENNIAL_REQUIRE_REFERENCE") == "1" {
			t.Fatal("PERENNIAL_REFERENCE_DIR is not set, and recordings are required")
		}
		t.Skip("PERENNIAL_REFERENCE_DIR is not set: there are no recordings to compare with")
	}
	files, err := filepath.Glob(filepath.Join(dir, "fixtures", "shopify", "*"+name+"*.json"))
	require.NoError(t, err)
	require.NotEmpty(t, files)
	var all []recording
	for _, path := range files {
		b, err := os.ReadFile(path) //nolint:gosec // of the recordings
		require.NoError(t, err)
		var v any
		require.NoError(t, json.Unmarshal(b, &v))
		all = append(all, recordingsIn(filepath.Base(path), v)...)
	}
	return all
}

// recordingsIn looks for pairs anywhere in a file: files are laid out in several ways.
func recordingsIn(file string, v any) []recording {
	var all []recording
	switch v := v.(type) {
	case []any:
		for _, part := range v {
			all = append(all, recordingsIn(file, part)...)
		}
	case map[string]any:
		r := recording{file: file}
		r.query, _ = v["query"].(string)
		r.variables, _ = v["variables"].(map[string]any)
		if request, ok := v["request"].(map[string]any); ok {
			r.query, _ = request["query"].(string)
			r.variables, _ = request["variables"].(map[string]any)
		}
		for _, name := range []string{"response", "payload", "result"} {
			if answer, ok := v[name].(map[string]any); ok && r.query != "" {
				for _, inner := range []string{"payload", "body"} {
					if deeper, ok := answer[inner].(map[string]any); ok {
						answer = deeper
					}
				}
				r.answer = answer
				all = append(all, r)
			}
		}
		for _, part := range v {
			all = append(all, recordingsIn(file, part)...)
		}
	}
	return all
}

func dig(v any, path ...string) any {
	for _, name := range path {
		fields, _ := v.(map[string]any)
		v = fields[name]
	}
	return v
}

// The rule of costs is fitted: most recorded prices come out to the point.
func TestCostAgreesWithRecorded(t *testing.T) {
	seen := map[string]bool{}
	asked, right := 0, 0
	for _, r := range recordings(t, "") {
		want, ok := dig(r.answer, "extensions", "cost", "requestedQueryCost").(float64)
		b, err := json.Marshal(r.variables)
		require.NoError(t, err)
		key := r.query + string(b)
		if !ok || seen[key] {
			continue
		}
		seen[key] = true
		got, err := Cost(r.query, r.variables)
		if err != nil {
			continue // what was asked is not recorded whole
		}
		asked++
		if got == want {
			right++
		}
	}
	t.Logf("%d of %d prices are right to the point (%.1f %%)", right, asked, 100*float64(right)/float64(asked))
	require.Greater(t, asked, 1000)
	require.Greater(t, float64(right)/float64(asked), 0.93)
}

// What was actually answered costs what is recorded, where the whole page was not found.
func TestThrottleStatusAgreesWithRecorded(t *testing.T) {
	b := newBench(t, Options{})
	r := b.ask(`mutation { nameSet(id: "a", name: "b") { thing { id } userErrors { field } } }`, nil)
	require.Contains(t, r.Text, `"throttleStatus":{"currentlyAvailable":1990,"maximumAvailable":2000,"restoreRate":100}`)
	require.Contains(t, r.Text, `"requestedQueryCost":10`)
	require.Contains(t, r.Text, `"actualQueryCost":10`)
	r = b.ask(`{ things(first: 250) { nodes { id } } }`, nil)
	require.Equal(t, 13.0, r.Extensions.Cost.RequestedQueryCost, "as a recorded page of 250")
	require.Equal(t, 5.0, *r.Extensions.Cost.ActualQueryCost)
}

// Bulk queries that were refused are refused in the same words.
func TestBulkQueryRulesAgreeWithRecorded(t *testing.T) {
	compared := 0
	for _, r := range recordings(t, "bulk-operation-run-query") {
		inner, ok := r.variables["query"].(string)
		if !ok || dig(r.answer, "data", "bulkOperationRunQuery") == nil {
			continue
		}
		errs, _ := dig(r.answer, "data", "bulkOperationRunQuery", "userErrors").([]any)
		if len(errs) > 0 && dig(errs[0], "code") == "OPERATION_IN_PROGRESS" {
			continue
		}
		compared++
		_, wrong := New(newBench(t, Options{}).shop, Options{}).bulkDocument(inner)
		requireSameErrors(t, inner, errs, wrong)
	}
	require.Greater(t, compared, 15)
}

func requireSameErrors(t *testing.T, inner string, recorded []any, got []userError) {
	t.Helper()
	require.Len(t, got, len(recorded), inner)
	for i, e := range recorded {
		require.Equal(t, dig(e, "message"), got[i].message, inner)
		if code, ok := e.(map[string]any)["code"]; ok {
			if code == nil {
				code = ""
			}
			require.Equal(t, code, got[i].code, inner)
		}
		var path []any
		for _, part := range got[i].field {
			path = append(path, part)
		}
		want, _ := dig(e, "field").([]any)
		require.Equal(t, want, path, inner)
	}
}

// Bulk mutations that were refused are refused in the same words.
func TestBulkMutationRulesAgreeWithRecorded(t *testing.T) {
	compared := 0
	for _, r := range recordings(t, "bulk-operation-run-mutation") {
		inner, ok := r.variables["mutation"].(string)
		errs, _ := dig(r.answer, "data", "bulkOperationRunMutation", "userErrors").([]any)
		if !ok || len(errs) == 0 {
			continue
		}
		s := newBench(t, Options{})
		path, _ := r.variables["path"].(string)
		switch message := dig(errs[0], "message").(string); {
		case strings.Contains(message, "in progress"):
			continue
		case strings.Contains(message, "is empty"):
			s.uploads[path] = &upload{there: true, expires: base.Add(uploadLife)}
		case strings.Contains(message, "exceeds"):
			s.uploads[path] = &upload{there: true, expires: base.Add(uploadLife), body: make([]byte, largestUpload+1)}
		}
		compared++
		args := map[string]any{"mutation": inner, "stagedUploadPath": path}
		if client, ok := r.variables["clientIdentifier"].(string); ok {
			args["clientIdentifier"] = client
		}
		_, wrong := s.runMutation(args, "")
		requireSameErrors(t, inner, errs, wrong)
	}
	require.Greater(t, compared, 10)
}

// Requests that have no window, or that the parser refuses, fail as recorded.
func TestFailuresAgreeWithRecorded(t *testing.T) {
	compared := 0
	for _, r := range append(recordings(t, "bulk-operations-read-arg-validation"), recordings(t, "graphql-base-validation-unhappy-paths")...) {
		errs, _ := r.answer["errors"].([]any)
		search, _ := dig(r.answer, "extensions", "search").([]any)
		if !withoutSchema(errs) && len(search) == 0 {
			continue
		}
		compared++
		got := newBench(t, Options{}).ask(r.query, r.variables)
		var answered map[string]any
		require.NoError(t, json.Unmarshal([]byte(got.Text), &answered))
		require.Equal(t, r.answer["errors"], answered["errors"], r.query)
		require.Equal(t, dig(r.answer, "extensions", "search"), dig(answered, "extensions", "search"), r.query)
		if len(errs) > 0 {
			require.Equal(t, r.answer["data"], answered["data"], r.query)
		}
	}
	require.Greater(t, compared, 8)
}

// withoutSchema reports whether an error can be found without the schema.
func withoutSchema(errs []any) bool {
	if len(errs) == 0 {
		return false
	}
	switch dig(errs[0], "extensions", "code") {
	case "BAD_REQUEST", "RESOURCE_NOT_FOUND", "PARSE_ERROR":
		return true
	case "INVALID_VARIABLE":
		return dig(errs[0], "extensions", "value") == nil
	}
	return false
}
