package shopifytest

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

func TestSearch(t *testing.T) {
	b := newBench(t, Options{})
	for query, want := range map[string]string{
		"":                                    "1 2 3 4 5",
		"tag:t1":                              "1 3 5",
		"tag:T0":                              "2 4",
		"-tag:t1":                             "2 4",
		"NOT tag:t1 AND id:>2":                "4",
		"tag:t1 id:>=3":                       "3 5",
		"id:1 OR id:4":                        "1 4",
		"(id:1 OR id:4) tag:t0":               "4",
		"id:1,3":                              "1 3",
		"name:'Thing 3'":                      "3",
		"name:\"Thing 3\"":                    "3",
		"name:thing*":                         "1 2 3 4 5",
		"thing":                               "1 2 3 4 5",
		"parts:<2":                            "",
		"updated_at:>='2026-07-01T15:00:00Z'": "3 4 5",
		"updated_at:>'2026-07-01T15:00:00Z'":  "3 4 5", // as >=
		"updated_at:<'2026-07-01T15:00:00Z'":  "1 2",
		"updated_at:>='2026-07-01T15:00:00Z' updated_at:<='2026-07-01T16:00:00Z'": "3 4",
		"updated_at:>='2026-07-01T17:00:00+02:00' AND updated_at:<'2026-07-02'":   "3 4 5",
		"updated_at:>=2026-07-01T15:00:00Z":                                       "", // not quoted
		"seen_at:>='2026-07-01T15:00:00Z'":                                        "1 2 3 4 5",
		"seen_at:<'2026-07-01T23:00:00Z'":                                         "",
		"seen_at:'2026-07-01'":                                                    "1 2 3 4 5",
		"state:enabled":                                                           "1 2 3 4 5",
		"state:disabled":                                                          "",
	} {
		r := b.ask(`query Q($q: String) { things(first: 50, query: $q) { nodes { name } } }`, map[string]any{"q": query})
		require.Empty(t, r.Errors, query)
		require.Equal(t, want, names(r.Data["things"]), query)
		require.Empty(t, r.Extensions.Search, query)
	}
}

func TestSearchWarns(t *testing.T) {
	b := newBench(t, Options{})
	for query, c := range map[string]struct{ want, field, message, code string }{
		"made_up:value":          {"1 2 3 4 5", "made_up", "Invalid search field for this query.", "invalid_field"},
		"tag:t1 made_up:value":   {"1 3 5", "made_up", "Invalid search field for this query.", "invalid_field"},
		"state:NOT_A_STATE":      {"", "state", "Input `NOT_A_STATE` is not an accepted value.", "invalid_value"},
		"updated_at:>=yesterday": {"", "updated_at", "Input `yesterday` is not an accepted value.", "invalid_value"},
	} {
		r := b.ask(`query Q($q: String) { x: things(first: 50, query: $q) { nodes { name } } }`, map[string]any{"q": query})
		require.Equal(t, c.want, names(r.Data["x"]), query)
		require.Len(t, r.Extensions.Search, 1, query)
		s := r.Extensions.Search[0]
		require.Equal(t, query, s.Query)
		require.Equal(t, []any{"x"}, s.Path)
		require.Equal(t, c.field, s.Warnings[0].Field)
		require.Equal(t, c.message, s.Warnings[0].Message)
		require.Equal(t, c.code, s.Warnings[0].Code)
	}
	r := b.ask(`{ thingsCount(query: "someone@example.com") { count precision } }`, nil)
	require.Equal(t, map[string]any{"count": 5.0, "precision": "EXACT"}, r.Data["thingsCount"])
	require.Equal(t, "missing_named_field", r.Extensions.Search[0].Warnings[0].Code)
	require.Equal(t, map[string]any{"field": "default", "match_all": "someone@example.com"}, r.Extensions.Search[0].Parsed)
	require.Equal(t, "INTERNAL_SERVER_ERROR", b.ask(`{ things(first: 5, query: "updated_at:>=") { nodes { id } } }`, nil).Errors[0].Extensions["code"])
}

// The index sees a change only after the lag; until then it shows what it knew, or nothing of what is new.
func TestSearchLags(t *testing.T) {
	b := newBench(t, Options{Lag: time.Minute})
	now := b.shop.Now()
	for _, x := range b.things {
		x.updated = now.Add(-time.Hour)
	}
	search := func(q string) string {
		r := b.ask(`query Q($q: String) { things(first: 50, query: $q) { nodes { name tags } } }`, map[string]any{"q": q})
		return names(r.Data["things"])
	}
	require.Equal(t, "1 3 5", search("tag:t1"))
	b.things[0].tags, b.things[0].updated = []string{"t0"}, now
	b.add(6).updated = now
	require.Equal(t, "1 3 5", search("tag:t1"), "as it was")
	require.Equal(t, "2 4", search("tag:t0"))
	require.Equal(t, "", search("id:6"), "not yet")
	require.Equal(t, "1 2 3 4 5 6", names(b.ask(`{ things(first: 50) { nodes { name } } }`, nil).Data["things"]), "what is read without a search is as it is")
	b.shop.Wait(2 * time.Minute)
	require.Equal(t, "3 5", search("tag:t1"))
	require.Equal(t, "1 2 4 6", search("tag:t0"))
}
