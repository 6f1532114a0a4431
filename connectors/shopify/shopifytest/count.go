package shopifytest

// count is a Count that is exact.
func count(n int64) *object {
	return simple("Count", map[string]any{"count": n, "precision": "EXACT"})
}

// countOf counts what a search finds, up to 10,000 unless another limit is named; null is none.
func countOf(scope, field string, of func(*call) *connection) resolver {
	return needs(scope, field, func(c *call, args map[string]any) (any, error) {
		if _, ok := args["limit"]; !ok {
			args = map[string]any{"query": args["query"], "limit": int64(10000)}
		}
		found := of(c)
		found.named = true
		return c.count(found, args)
	})
}
