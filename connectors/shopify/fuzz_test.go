package shopify

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"log/slog"
	"maps"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/perennial-cvo/perennial/config/secret"
	"github.com/perennial-cvo/perennial/connectors"
	"github.com/perennial-cvo/perennial/connectors/commerce"
	"github.com/perennial-cvo/perennial/connectors/shopify/schematest"
)

// auditor passes requests on, notes the records that pages brought, and holds both against the schema.
type auditor struct {
	judge *schematest.Judge

	mu      sync.Mutex
	records map[string]map[string]bool // ids, by connection
	faults  []string
}

func (c *auditor) RoundTrip(r *http.Request) (*http.Response, error) {
	var asked struct {
		Query     string         `json:"query"`
		Variables map[string]any `json:"variables"`
	}
	if r.Body != nil {
		body, err := io.ReadAll(r.Body)
		if err != nil {
			return nil, err
		}
		r.Body = io.NopCloser(bytes.NewReader(body))
		if err := json.Unmarshal(body, &asked); err != nil {
			return nil, fmt.Errorf("request: %w", err)
		}
	}
	answer, err := http.DefaultTransport.RoundTrip(r)
	if err != nil {
		return nil, err
	}
	body, err := io.ReadAll(answer.Body)
	if err != nil {
		return nil, err
	}
	answer.Body = io.NopCloser(bytes.NewReader(body))
	c.note(asked.Query, asked.Variables, body)
	return answer, nil
}

func (c *auditor) note(query string, variables map[string]any, body []byte) {
	c.mu.Lock()
	defer c.mu.Unlock()
	for _, fault := range c.judge.Request(query, variables) {
		c.faults = append(c.faults, "request: "+string(fault))
	}
	var answer struct {
		Data   json.RawMessage
		Errors json.RawMessage
	}
	if err := json.Unmarshal(body, &answer); err != nil || len(answer.Errors) > 0 {
		c.faults = append(c.faults, fmt.Sprintf("answer: %v %s", err, answer.Errors))
		return
	}
	if err := c.judge.Answer(query, variables, answer.Data); err != nil {
		c.faults = append(c.faults, "answer: "+err.Error())
	}
	var roots map[string]json.RawMessage
	_ = json.Unmarshal(answer.Data, &roots)
	for root, raw := range roots {
		var page struct{ Nodes []struct{ ID string } }
		if json.Unmarshal(raw, &page) != nil {
			continue
		}
		if c.records[root] == nil {
			c.records[root] = map[string]bool{}
		}
		for _, node := range page.Nodes {
			c.records[root][tail(node.ID)] = true
		}
	}
}

// fuzzed returns a source before the mock server that reads in pages.
func fuzzed(t *testing.T, mock string, c *auditor) *source {
	t.Helper()
	set := defaults()
	set.Shop, set.URL, set.AccessToken, set.BulkFrom = "alder.myshopify.com", mock, secret.New("shpat_fuzz"), 1_000_000
	a, err := newAPI(set, connectors.Deps{Log: slog.New(slog.DiscardHandler), Now: time.Now, Prefix: "perennial"}, c)
	require.NoError(t, err)
	return newSource(a)
}

const mostPulls = 60 // for one resource; it has three pages, and three of whatever else is asked

// TestMock reads what a server invents that knows the schema and nothing else: nulls wherever they are allowed, odd
// texts, moments and amounts. Every record arrives or is set aside by name.
func TestMock(t *testing.T) {
	const version = "2026-07"
	judge := schematest.Validator(t, version)
	mock := startMock(t, version)
	seeds := 8
	if testing.Short() {
		seeds = 3
	}
	var taken, rejected int
	for seed := 1; seed <= seeds; seed++ {
		reseed(t, mock, strconv.Itoa(seed))
		for _, resource := range []commerce.Resource{commerce.Products, commerce.Customers, commerce.Orders} {
			t.Run(fmt.Sprintf("%s %d", resource, seed), func(t *testing.T) {
				c := &auditor{judge: judge, records: map[string]map[string]bool{}}
				s := fuzzed(t, mock, c)
				for _, from := range []connectors.Cursor{"", changesSince()} {
					clear(c.records)
					got, bad := pullAll(t, s, resource, from)
					for id := range c.records[string(resource)] {
						require.True(t, got[id] || bad[id], "%s came, and was neither taken nor set aside", id)
					}
					taken, rejected = taken+len(got), rejected+len(bad)
					fetchSome(t, s, resource, slices.Sorted(maps.Keys(got)))
				}
				_, err := s.Check(t.Context())
				require.True(t, err == nil || connectors.Remedy(err) != "", "%v", err)
				require.Empty(t, c.faults)
			})
		}
	}
	require.Greater(t, taken, 10*seeds)
	t.Logf("%d records taken, %d set aside", taken, rejected)
}

// changesSince is the cursor of an increment.
func changesSince() connectors.Cursor {
	return position{Since: time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)}.cursor()
}

// pullAll pulls to the end and returns the ids of the records that were taken and those that were set aside.
func pullAll(t *testing.T, s *source, resource commerce.Resource, cursor connectors.Cursor) (taken, rejected map[string]bool) {
	t.Helper()
	taken, rejected = map[string]bool{}, map[string]bool{}
	for range mostPulls {
		page, err := s.Pull(t.Context(), resource, connectors.Increment, cursor)
		require.NoError(t, err)
		for _, id := range rootIDs(page.Records, resource) {
			taken[id] = true
		}
		for _, r := range page.Rejected {
			require.NotEmpty(t, r.ID)
			require.Contains(t, r.Reason, "field", "the reason names the field")
			require.True(t, json.Valid(r.Raw), "%s", r.Raw)
			rejected[r.ID] = true
		}
		if page.Done {
			return taken, rejected
		}
		require.NotEqual(t, cursor, page.Next, "the cursor advances")
		cursor = page.Next
	}
	require.Fail(t, "the pull does not end")
	return nil, nil
}

// fetchSome reads records by their ids, as is done with those that a sweep missed. The server has a record for every id.
func fetchSome(t *testing.T, s *source, resource commerce.Resource, wanted []string) {
	t.Helper()
	wanted = wanted[:min(len(wanted), 20)]
	page, err := s.Fetch(t.Context(), resource, wanted)
	require.NoError(t, err)
	known := map[string]bool{}
	for _, id := range rootIDs(page.Records, resource) {
		known[id] = true
	}
	for _, r := range page.Rejected {
		known[r.ID] = true
	}
	for _, id := range wanted {
		require.True(t, known[id], "%s is there, and was neither read nor set aside", id)
		require.NotContains(t, page.Deleted, id)
	}
}

// rootIDs are those of the records of a page that are not children of others.
func rootIDs(batch commerce.Batch, resource commerce.Resource) []string {
	var out []string
	switch resource {
	case commerce.Customers:
		for _, c := range batch.Customers {
			out = append(out, c.ID)
		}
	case commerce.Orders:
		for _, o := range batch.Orders {
			out = append(out, o.ID)
		}
	default:
		for _, p := range batch.Products {
			out = append(out, p.ID)
		}
	}
	return out
}

// TestMockHostile reads from a server whose pages go on as chance will have it, with cursors that are null, or for ever
// at a cursor that stands still: a pull ends, by an error where it must.
func TestMockHostile(t *testing.T) {
	const version = "2026-10"
	judge := schematest.Validator(t, version)
	mock := startMock(t, version)
	seeds := 6
	if testing.Short() {
		seeds = 2
	}
	for _, paging := range []string{"chance", "still"} {
		ended := 0
		for seed := 1; seed <= seeds; seed++ {
			reseed(t, mock, fmt.Sprintf("%d?pages=%s", seed, paging))
			for _, resource := range []commerce.Resource{commerce.Products, commerce.Customers, commerce.Orders} {
				c := &auditor{judge: judge, records: map[string]map[string]bool{}}
				for _, from := range []connectors.Cursor{"", changesSince()} {
					if pullToEnd(t, fuzzed(t, mock, c), resource, from) != nil {
						ended++
					}
				}
				for _, fault := range c.faults {
					require.False(t, strings.HasPrefix(fault, "request"), fault)
				}
			}
		}
		require.Positive(t, ended, "some answers of these cannot be read to the end")
	}
}

// pullToEnd pulls until the end or an error, which it returns.
func pullToEnd(t *testing.T, s *source, resource commerce.Resource, cursor connectors.Cursor) error {
	t.Helper()
	for range mostPulls {
		page, err := s.Pull(t.Context(), resource, connectors.Increment, cursor)
		if err != nil || page.Done {
			return err
		}
		require.NotEqual(t, cursor, page.Next, "%s: the cursor does not advance", resource)
		cursor = page.Next
	}
	require.Fail(t, "the pull does not end", resource)
	return nil
}

// TestMockReadBack reads back what customers carry, and the shop's segments and definitions, from the same server.
func TestMockReadBack(t *testing.T) {
	const version = "2026-07"
	judge := schematest.Validator(t, version)
	mock := startMock(t, version)
	for seed := 1; seed <= 2; seed++ {
		for _, paging := range []string{"", "chance", "still"} {
			reseed(t, mock, fmt.Sprintf("%d?pages=%s", seed, paging))
			c := &auditor{judge: judge, records: map[string]map[string]bool{}}
			d, err := newDestination(fuzzed(t, mock, c).api, "perennial")
			require.NoError(t, err)
			cursor, ended := connectors.Cursor(""), false
			for pulls := 0; pulls < mostPulls && !ended; pulls++ {
				page, err := d.Everybody(t.Context(), cursor)
				if connectors.KindOf(err) == connectors.KindRetry { // nobody new, and more to come: not taken for the end
					ended = true
					break
				}
				require.NoError(t, err)
				for _, m := range page.Members {
					require.NotEmpty(t, m.CustomerID)
				}
				require.True(t, page.Done || page.Next != cursor, "the cursor does not advance")
				cursor, ended = page.Next, page.Done
			}
			require.True(t, ended, "the read-back does not end")
			_, err = d.segments(t.Context())
			require.NoError(t, err)
			require.NoError(t, d.readTypes(t.Context()))
			require.Empty(t, c.faults)
		}
	}
}
