package schematest

import (
	"encoding/json"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/stretchr/testify/require"
)

// exchange is one request that was recorded at a real shop with what it answered.
type exchange struct {
	file      string
	query     string
	variables map[string]any
	data      json.RawMessage
	errors    []map[string]any
}

// reference returns the folder of the reference, or ends the test.
func reference(t *testing.T) string {
	t.Helper()
	dir := os.Getenv("PERENNIAL_REFERENCE_DIR")
	if dir == "" {
		StopWithout(t, &Missing{What: "the reference", Err: os.ErrNotExist, Reference: true})
	}
	return dir
}

// recorded reads every exchange of the recorded files, each once.
func recorded(t *testing.T) []exchange {
	t.Helper()
	files, err := filepath.Glob(filepath.Join(reference(t), "fixtures", "shopify", "*.json"))
	require.NoError(t, err)
	var out []exchange
	seen := map[string]bool{}
	for _, file := range files {
		raw, err := os.ReadFile(file)
		require.NoError(t, err)
		var content any
		require.NoError(t, decodeNumbers(raw, &content))
		for _, e := range exchanges(content) {
			key, err := json.Marshal([]any{e.query, e.variables, e.data, e.errors})
			require.NoError(t, err)
			if !seen[string(key)] {
				e.file = filepath.Base(file)
				out, seen[string(key)] = append(out, e), true
			}
		}
	}
	return out
}

// exchanges finds requests beside their answers, wherever they lie in a recorded file.
func exchanges(content any) []exchange {
	var out []exchange
	switch c := content.(type) {
	case []any:
		for _, element := range c {
			out = append(out, exchanges(element)...)
		}
	case map[string]any:
		request := c
		if inner, ok := c["request"].(map[string]any); ok {
			request = inner
		}
		query, asks := request["query"].(string)
		if answer := answerOf(c); asks && answer != nil && strings.Contains(query, "{") {
			e := exchange{query: query}
			e.variables, _ = request["variables"].(map[string]any)
			if data, ok := answer["data"]; ok {
				e.data, _ = json.Marshal(data)
			}
			list, _ := answer["errors"].([]any)
			for _, one := range list {
				e.errors = append(e.errors, one.(map[string]any))
			}
			out = append(out, e)
		}
		for _, key := range slices.Sorted(maps.Keys(c)) {
			out = append(out, exchanges(c[key])...)
		}
	}
	return out
}

func answerOf(c map[string]any) map[string]any {
	for _, name := range []string{"response", "result", "payload", "body"} {
		inner, ok := c[name].(map[string]any)
		if !ok {
			continue
		}
		_, data := inner["data"]
		_, errors := inner["errors"]
		if data || errors {
			return inner
		}
		if deeper := answerOf(inner); deeper != nil {
			return deeper
		}
	}
	return nil
}

// static says that an error was found before anything ran.
func static(e exchange) bool {
	return len(e.errors) > 0 && slices.Contains([]string{
		"PARSE_ERROR", "selectionMismatch", "INVALID_VARIABLE", "undefinedField", "argumentLiteralsIncompatible",
		"missingRequiredArguments", "missingRequiredInputObjectAttribute", "argumentNotAccepted", "variableNotUsed",
	}, codeOf(e.errors[0]))
}

func codeOf(fault map[string]any) string {
	extensions, _ := fault["extensions"].(map[string]any)
	code, _ := extensions["code"].(string)
	return code
}

// unlike are recorded requests on which this version of the schema and the recorded one disagree, or whose recording
// was shortened by those who made it; by a part of their file's name.
func unlike() map[string]string {
	return map[string]string{
		"store-credit-account-parity":                   "a union was selected from without a selection in those versions; inputs grew fields",
		"store-credit-account-unknown-id-user-errors":   "the same union",
		"admin-node-customer-balance-node-read":         "the same union",
		"admin-platform-backup-region-update-access":    "the variable held a token and was taken out",
		"admin-platform-utility-roots":                  "a mutation of that version is gone",
		"return-node-read-after-write":                  "fields of one name in types that exclude each other are refused by the parser's stricter rule",
		"graphql-request-execution-operation-name":      "documents of several operations; the connector sends one",
		"customers__customer-order-summary-read-effect": "variables were not recorded",
		"customer-input-validation-parity":              "answers were shortened",
		"inventory-item-update":                         "answers were shortened",
		"tags-add-multi-resource":                       "answers were shortened",
		"orderCancel-restock-refundMethod-parity":       "the answer is of a longer document",
		"order-empty-state":                             "answers were shortened",
	}
}

// TestRecorded holds the judge against real shops: it refuses what they refused in the same words, lets pass what they
// answered, and finds nothing wrong with their answers.
func TestRecorded(t *testing.T) {
	judge := Validator(t, "2026-07")
	seen := map[string]bool{}
	var refused, answered int
	for _, e := range recorded(t) {
		fault := disagreement(judge, e)
		switch {
		case fault == "" && static(e):
			refused++
		case fault == "":
			answered++
		case excused(e.file, seen):
		default:
			t.Errorf("%s: %s", e.file, fault)
		}
	}
	require.Greater(t, refused, 35)
	require.Greater(t, answered, 1400)
	for part := range unlike() {
		require.True(t, seen[part], "the excuse for %s is not needed", part)
	}
}

func excused(file string, seen map[string]bool) bool {
	for part := range unlike() {
		if strings.Contains(file, part) {
			seen[part] = true
			return true
		}
	}
	return false
}

func disagreement(judge *Judge, e exchange) string {
	found := judge.Request(e.query, e.variables)
	if !static(e) {
		if len(found) > 0 {
			return "was answered, and is refused: " + string(found[0])
		}
		if len(e.data) > 0 && len(e.errors) == 0 {
			if err := judge.Answer(e.query, e.variables, e.data); err != nil {
				return "answer: " + err.Error()
			}
		}
		return ""
	}
	var got []map[string]any
	for _, raw := range found {
		var one map[string]any
		if err := decodeNumbers(raw, &one); err != nil {
			return err.Error()
		}
		got = append(got, alike(one, e.query))
	}
	want := make([]map[string]any, len(e.errors))
	for i, one := range e.errors {
		want[i] = alike(one, e.query)
	}
	return cmp.Diff(want, got)
}

// alike takes out of an error what the recording does not decide: the order of lists that Shopify keeps in an order of
// its own, and places in a line that the recorded text lost.
func alike(fault map[string]any, query string) map[string]any {
	out := maps.Clone(fault)
	if codeOf(fault) != "INVALID_VARIABLE" {
		return out
	}
	if !strings.HasPrefix(query, "#graphql") {
		delete(out, "locations")
	}
	extensions := maps.Clone(fault["extensions"].(map[string]any))
	problems := slices.Clone(extensions["problems"].([]any))
	for i, p := range problems {
		problem := maps.Clone(p.(map[string]any))
		text := problem["explanation"].(string)
		if before, names, isList := strings.Cut(text, " one of: "); isList {
			problem["explanation"] = before + strings.Join(sorted(strings.Split(names, ", ")), ", ")
		}
		problems[i] = problem
	}
	slices.SortFunc(problems, func(a, b any) int { return strings.Compare(quoted(a), quoted(b)) })
	extensions["problems"] = problems
	out["extensions"] = extensions
	out["message"], _, _ = strings.Cut(fault["message"].(string), " for ")
	return out
}

// TestPlaces holds where a wrong variable is said to stand, which TestRecorded leaves out of recordings that lost lines.
func TestPlaces(t *testing.T) {
	judge := Validator(t, "2026-07")
	query := "#graphql\n  query Wanted($first: Int!, $id: ID!) {\n    customer(id: $id) { orders(first: $first) { nodes { id } } }\n  }"
	for _, c := range []struct {
		variables map[string]any
		want      []string
	}{
		{map[string]any{"first": 1, "id": "gid://shopify/Customer/1"}, nil},
		{map[string]any{"first": "1", "id": "gid://shopify/Customer/1"}, []string{
			`{"message":"Variable $first of type Int! was provided invalid value","locations":[{"line":2,"column":16}],` +
				`"extensions":{"code":"INVALID_VARIABLE","problems":[{"path":[],"explanation":"Could not coerce value \"1\" to Int"}],"value":"1"}}`,
		}},
		{map[string]any{"first": 1, "id": 5}, []string{
			`{"message":"Variable $id of type ID! was provided invalid value","locations":[{"line":2,"column":30}],` +
				`"extensions":{"code":"INVALID_VARIABLE","problems":[{"path":[],"explanation":"Could not coerce value 5 to ID"}],"value":5}}`,
		}},
	} {
		var got []string
		for _, raw := range judge.Request(query, c.variables) {
			got = append(got, string(raw))
		}
		require.Equal(t, c.want, got)
	}
}
