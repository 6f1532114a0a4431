package shopify

import (
	"encoding/json"
	"fmt"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/perennial-cvo/perennial/connectors"
	"github.com/perennial-cvo/perennial/connectors/shopify/schematest"
	"github.com/perennial-cvo/perennial/connectors/shopify/shopifytest"
)

// TestClaimsQuery holds the question for the merchant's own tags against the schema of every version and the fitted cost.
func TestClaimsQuery(t *testing.T) {
	d := &destination{prefix: "perennial"}
	q := d.claimsQuery([]string{"champions", "at_risk"})
	for _, version := range schematest.Versions() {
		require.Empty(t, schematest.Validator(t, version).Request(q.Text, q.Variables), version)
	}
	points, err := shopifytest.Cost(q.Text, q.Variables)
	require.NoError(t, err)
	require.InDelta(t, points, q.Cost, 0.001)
}

// mutationAnswer is the answer of a mutation that the destination sends.
type mutationAnswer struct {
	payload
	Segment *segment `json:"segment"`
	Created *struct {
		Key string `json:"key"`
	} `json:"createdDefinition"`
}

// TestRecordedWrites reads what real shops answered to mutations of ours: none is taken for a success that was none.
func TestRecordedWrites(t *testing.T) {
	d := &destination{prefix: "perennial", api: recordedAPI(t)}
	ours := map[string]bool{
		"tagsAdd": true, "tagsRemove": true, "metafieldsSet": true, "metafieldsDelete": true, "segmentCreate": true,
		"segmentDelete": true, "metafieldDefinitionCreate": true,
	}
	seen, reasons := map[string]int{}, map[string]connectors.OutcomeState{}
	for file, answers := range recordings(t) {
		for _, answer := range answers {
			objectsIn(answer, func(object map[string]any) {
				for field, value := range object {
					content, is := value.(map[string]any)
					if _, answers := content["userErrors"]; !ours[field] || !is || !answers {
						continue
					}
					var a mutationAnswer
					require.NoError(t, json.Unmarshal(encoded(t, content), &a), file)
					v := d.judge(&a.payload)
					seen[fmt.Sprint(field, v.good())]++
					if !v.good() {
						reasons[v.reason] = v.state
						require.Nil(t, a.Node, file)
						require.Empty(t, a.Metafields, file)
						require.Nil(t, a.Segment, file)
					}
					if field == "tagsAdd" && v.good() && a.Node.ID != "" {
						require.Contains(t, a.Node.ID, "gid://shopify/", file)
					}
				}
			})
		}
	}
	for _, found := range []string{
		"tagsAddtrue", "tagsAddfalse", "tagsRemovetrue", "metafieldsSettrue", "metafieldsSetfalse", "metafieldsDeletetrue",
		"segmentCreatetrue", "segmentCreatefalse", "segmentDeletefalse", "metafieldDefinitionCreatetrue", "metafieldDefinitionCreatefalse",
	} {
		require.Positive(t, seen[found], found)
	}
	require.Equal(t, connectors.Refused, reasons["Namespace is too short (minimum is 3 characters)"])
	require.Equal(t, connectors.Refused, reasons["Segment limit reached. Delete an existing segment to create more."])
	require.Equal(t, connectors.Withheld, reasons[connectors.ReasonNotThere], "Customer does not exist")
	for reason := range reasons {
		require.NotEmpty(t, strings.TrimSpace(reason))
	}
}
