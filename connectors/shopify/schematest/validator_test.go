package schematest

import (
	"sync"
	"testing"

	"github.com/stretchr/testify/require"
)

// TestJudgeIsShared uses one judge from several goroutines, as fakes do that serve requests; for the race detector.
func TestJudgeIsShared(t *testing.T) {
	judge := Validator(t, "2026-07")
	const query = `query Q($id: ID!) { node(id: $id) { ... on Order { ...O } } } fragment O on Order { id name tags }`
	id := map[string]any{"id": "gid://shopify/Order/1"}
	var together sync.WaitGroup
	for range 8 {
		together.Go(func() {
			for range 5 {
				if len(judge.Request(query, id)) > 0 {
					t.Error("refused")
				}
				if err := judge.Answer(query, id, []byte(`{"node":{"id":"gid://shopify/Order/1","name":"#1","tags":[]}}`)); err != nil {
					t.Error(err)
				}
			}
		})
	}
	together.Wait()
	require.NotEmpty(t, judge.Bulk(query))
}
