package schematest

import (
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

// bulkAnswer is what the start of a bulk operation was recorded to answer.
type bulkAnswer struct {
	Query    *bulkStart `json:"bulkOperationRunQuery"`
	Mutation *bulkStart `json:"bulkOperationRunMutation"`
}

type bulkStart struct {
	UserErrors []struct {
		Message string `json:"message"`
	} `json:"userErrors"`
}

// refusals are what was said against the document; what was said against the file or the moment is left out, because the
// document had been looked at before.
func (s *bulkStart) refusals() []string {
	var out []string
	for _, userError := range s.UserErrors {
		switch m := userError.Message; {
		case strings.Contains(m, "already in progress"), strings.Contains(m, "JSONL file"), strings.Contains(m, "input file"),
			strings.Contains(m, "characters)"):
		default:
			out = append(out, m)
		}
	}
	return out
}

// TestBulkMutationAgreesWithRecorded does the same for mutations. Since they were recorded, every mutation is allowed.
func TestBulkMutationAgreesWithRecorded(t *testing.T) {
	judge := Validator(t, "2026-07")
	taken, refused := map[string]bool{}, map[string]bool{}
	for _, e := range recorded(t) {
		var answer bulkAnswer
		inner, _ := e.variables["mutation"].(string)
		if inner == "" || len(e.data) == 0 || json.Unmarshal(e.data, &answer) != nil || answer.Mutation == nil {
			continue
		}
		want := answer.Mutation.refusals()
		if len(want) == 1 && want[0] == "You must use an allowed mutation name." {
			continue
		}
		require.Equal(t, want, judge.BulkMutation(inner), "%s\n%s", e.file, inner[:min(len(inner), 500)])
		if want == nil {
			taken[inner] = true
		} else {
			refused[strings.Join(want, "\n")] = true
		}
	}
	t.Log(len(taken), len(refused))
	require.GreaterOrEqual(t, len(taken), 3)
	require.GreaterOrEqual(t, len(refused), 4)
}

// TestBulkAgreesWithRecorded holds the checker against every bulk query that a real shop was asked to run.
func TestBulkAgreesWithRecorded(t *testing.T) {
	judge := Validator(t, "2026-07")
	taken, refused := map[string]bool{}, map[string]bool{}
	for _, e := range recorded(t) {
		var answer bulkAnswer
		inner, _ := e.variables["query"].(string)
		if inner == "" || len(e.data) == 0 || json.Unmarshal(e.data, &answer) != nil || answer.Query == nil {
			continue
		}
		want := answer.Query.refusals()
		require.Equal(t, want, judge.Bulk(inner), "%s\n%s", e.file, inner[:min(len(inner), 500)])
		if want == nil {
			taken[inner] = true
		} else {
			refused[strings.Join(want, "\n")] = true
		}
	}
	require.GreaterOrEqual(t, len(taken), 3)
	require.GreaterOrEqual(t, len(refused), 10)
}

// referenceQueries reads the documents of the reference.
func referenceQueries(t *testing.T) map[string]string {
	t.Helper()
	files, err := filepath.Glob(filepath.Join(reference(t), "reference", "shopify-queries", "*.graphql"))
	require.NoError(t, err)
	out := map[string]string{}
	for _, file := range files {
		text, err := os.ReadFile(file)
		require.NoError(t, err)
		out[filepath.Base(file)] = string(text)
	}
	require.NotEmpty(t, out)
	return out
}

func TestReferenceQueries(t *testing.T) {
	for _, version := range Versions() {
		judge := Validator(t, version)
		for name, text := range referenceQueries(t) {
			document, fault := parse(text)
			require.Nil(t, fault, name)
			found := judge.document(document)
			if version == "2026-07" && name == "customers_sms_consent_2026_10.graphql" {
				require.Equal(t, "undefinedField", found[0].Extensions["code"])
				continue
			}
			require.Empty(t, found, "%s in %s", name, version)
			switch {
			case strings.HasPrefix(name, "bulk_inner_mutation_"):
				require.Empty(t, judge.BulkMutation(text), "%s in %s", name, version)
			case strings.HasPrefix(name, "bulk_inner_"):
				require.Empty(t, judge.Bulk(text), "%s in %s", name, version)
			}
		}
	}
}

// TestBulkRules breaks each rule of bulk queries, and stays just inside of it.
func TestBulkRules(t *testing.T) {
	judge := Validator(t, "2026-10")
	for name, c := range map[string]struct{ query, message string }{
		"two deep": {`{orders{edges{node{id agreements{edges{node{id sales{edges{node{id}}}}}}}}}}`, ""},
		"five": {`{orders{edges{node{id lineItems{edges{node{id}}} agreements{edges{node{id}}} returns{edges{node{id}}}
			metafields{edges{node{id}}}}}}}`, ""},
		"id by fragment":       {`{orders{edges{node{...Id lineItems{edges{node{quantity}}}}}}} fragment Id on Order{id}`, ""},
		"no id at the leaves":  {`{orders{edges{node{id lineItems{edges{node{quantity}}}}}}}`, ""},
		"aliased id":           {`{orders{edges{node{key:id lineItems{edges{node{id}}}}}}}`, "without an alias"},
		"nodes below":          {`{orders{edges{node{id lineItems{nodes{id}}}}}}`, "Invalid connection fields: 'lineItems'"},
		"refund lines":         {`{orders{edges{node{id refunds{refundLineItems{edges{node{id}}}}}}}}`, "within a list field"},
		"top level nodes":      {`{nodes(ids:["gid://shopify/Order/1"]){id}}`, "top level `nodes`"},
		"variables":            {`query($q:String){orders(query:$q){edges{node{id}}}}`, "variables"},
		"not in the schema":    {`{orders{edges{node{id nothing}}}}`, "Field 'nothing' doesn't exist"},
		"below an object only": {`{orders{edges{node{id customer{id orders{edges{node{id}}}}}}}}`, ""},
		"large":                {`{orders{edges{node{id}}}}` + strings.Repeat(" ", 65_535), "too large"},
	} {
		t.Run(name, func(t *testing.T) {
			got := judge.Bulk(c.query)
			if c.message == "" {
				require.Empty(t, got)
				return
			}
			require.NotEmpty(t, got)
			require.Contains(t, got[0], c.message)
		})
	}
}
