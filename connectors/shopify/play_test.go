package shopify

import (
	"encoding/json"
	"fmt"
	"regexp"
	"strconv"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/perennial-cvo/perennial/connectors"
	"github.com/perennial-cvo/perennial/connectors/commerce"
)

// play is a shop that answers by a script: pages by operation name, and bulk operations in the order of outcomes.
type play struct {
	t        *testing.T
	count    int                                    // of any resource
	scopes   []string                               // granted
	pages    map[string]func(map[string]any) string // data by the name of the operation
	outcomes []outcome                              // of bulk operations; the last one for ever
	running  string                                 // nodes of the list of operations

	started []string // documents of bulk operations
	asked   []posed
}

type posed struct {
	name      string
	variables map[string]any
	text      string
}

// outcome is how a bulk operation ends.
type outcome struct {
	status, code   string
	file           []string // lines; nil: no address
	tail           string   // behind the last line; "\n" by default, "-" for nothing
	objects, roots int      // 0: as in the file
	start          string   // answer to the start in place of an operation
}

var (
	operationName = regexp.MustCompile(`(?:query|mutation)\s+(\w+)`)
	fileAddress   = regexp.MustCompile(`/_files/(\d+)`)
	byteRange     = regexp.MustCompile(`bytes=(\d+)-(\d+)`)
)

func (p *play) answer(h heard) told {
	if m := fileAddress.FindStringSubmatch(h.url); m != nil {
		return p.file(m[1], h.ranged)
	}
	var body struct {
		Query     string         `json:"query"`
		Variables map[string]any `json:"variables"`
	}
	require.NoError(p.t, json.Unmarshal([]byte(h.body), &body))
	name := ""
	if m := operationName.FindStringSubmatch(body.Query); m != nil {
		name = m[1]
	}
	p.asked = append(p.asked, posed{name: name, variables: body.Variables, text: body.Query})
	data := p.data(name, body.Query, body.Variables)
	if strings.HasPrefix(data, `{"errors"`) {
		return told{body: data}
	}
	return told{body: `{"data":` + data + `}`}
}

func (p *play) data(name, query string, variables map[string]any) string {
	if page := p.pages[name]; page != nil {
		return page(variables)
	}
	switch {
	case strings.HasPrefix(name, "Count"):
		root := strings.ToLower(strings.TrimPrefix(name, "Count"))
		return fmt.Sprintf(`{"%sCount":{"count":%d,"precision":"EXACT"}}`, root, p.count)
	case name == "AccessScopes":
		scopes := p.scopes
		if scopes == nil {
			scopes = []string{"read_orders", "read_all_orders", "read_customers", "read_products"}
		}
		var list []string
		for _, s := range scopes {
			list = append(list, `{"handle":"`+s+`"}`)
		}
		return `{"currentAppInstallation":{"accessScopes":[` + strings.Join(list, ",") + `]}}`
	case strings.Contains(query, "bulkOperationRunQuery("):
		return p.start(variables["query"].(string))
	case strings.Contains(query, "bulkOperations("):
		return `{"bulkOperations":{"nodes":[` + p.running + `]}}`
	case strings.Contains(query, "bulkOperation("):
		return `{"bulkOperation":` + p.operation(variables["id"].(string)) + `}`
	case name == "OrderRefunds":
		return nodesOf(variables, func(id string) string { return refundsOf(id) })
	case name == "Deletions":
		return `{"events":` + listOf(nil, "") + `}`
	case name == "InventoryCosts":
		return `{"inventoryItems":` + listOf(nil, "") + `}`
	}
	require.Failf(p.t, "nobody wrote an answer", "to %s", name)
	return ""
}

func (p *play) outcome(n int) outcome { return p.outcomes[min(n, len(p.outcomes)-1)] }

func (p *play) start(text string) string {
	o := p.outcome(len(p.started))
	p.started = append(p.started, text)
	if o.start != "" {
		return o.start
	}
	return `{"bulkOperationRunQuery":{"userErrors":[],"bulkOperation":` + p.operation(gid("BulkOperation", strconv.Itoa(len(p.started)))) + `}}`
}

func (p *play) operation(id string) string {
	number, err := strconv.Atoi(tail(id))
	require.NoError(p.t, err)
	o := p.outcome(number - 1)
	lines, roots, url := len(o.file), 0, "null"
	for _, l := range o.file {
		if !isChild([]byte(l)) {
			roots++
		}
	}
	if o.objects != 0 {
		lines, roots = o.objects, o.roots
	}
	if o.file != nil && o.status == "COMPLETED" {
		url = fmt.Sprintf(`"https://storage.example/_files/%d?sign=x"`, number)
	}
	code := "null"
	if o.code != "" {
		code = `"` + o.code + `"`
	}
	return fmt.Sprintf(`{"id":"%s","type":"QUERY","status":"%s","errorCode":%s,"createdAt":"%s","completedAt":null,
		"objectCount":"%d","rootObjectCount":"%d","fileSize":"1","url":%s,"partialDataUrl":"https://storage.example/_files/999?sign=x"}`,
		id, o.status, code, time.Now().UTC().Format(time.RFC3339), lines, roots, url)
}

func (p *play) file(number, ranged string) told {
	n, err := strconv.Atoi(number)
	require.NoError(p.t, err)
	require.NotEqual(p.t, 999, n, "partial results are never read")
	o := p.outcome(n - 1)
	body := strings.Join(o.file, "\n")
	switch o.tail {
	case "":
		body += "\n"
	case "-":
	default:
		body += o.tail
	}
	m := byteRange.FindStringSubmatch(ranged)
	require.NotNil(p.t, m, "files are read in parts")
	from, _ := strconv.Atoi(m[1])
	to, _ := strconv.Atoi(m[2])
	if from >= len(body) {
		return told{status: 416, header: map[string]string{"Content-Range": fmt.Sprintf("bytes */%d", len(body))}}
	}
	to = min(to, len(body)-1)
	return told{
		status: 206, kind: "application/jsonl", body: body[from : to+1],
		header: map[string]string{"Content-Range": fmt.Sprintf("bytes %d-%d/%d", from, to, len(body))},
	}
}

// questions returns what was asked by one operation.
func (p *play) questions(name string) []posed {
	var some []posed
	for _, q := range p.asked {
		if q.name == name {
			some = append(some, q)
		}
	}
	return some
}

// open makes a source over the play, as another process would.
func (p *play) open(change func(*settings)) *source {
	p.t.Helper()
	set := legacy()
	a, _ := wired(p.t, set, p.answer)
	a.set.BulkChunk = 1 << 20
	if change != nil {
		change(&a.set)
	}
	return newSource(a)
}

// bulk makes every pull a bulk operation, read in chunks of so many bytes.
func bulk(chunk int64) func(*settings) {
	return func(s *settings) { s.BulkFrom, s.BulkChunk = 0, chunk }
}

// harvest is what a pull brought.
type harvest struct {
	commerce.Batch
	rejected []connectors.Rejected
	deleted  []string
	warnings []string
	cursors  []connectors.Cursor
	settled  bool
	end      connectors.Cursor
}

// at is where a pull begins.
type at struct {
	resource commerce.Resource
	mode     connectors.Mode
	cursor   connectors.Cursor
}

// drain pulls to the end; each page by another instance, as after a crash.
func (p *play) drain(from at, change func(*settings)) (h harvest, err error) {
	p.t.Helper()
	if from.mode == "" {
		from.mode = connectors.Increment
	}
	for range 500 {
		page, err := p.open(change).Pull(p.t.Context(), from.resource, from.mode, from.cursor)
		if err != nil {
			return h, err
		}
		require.True(p.t, page.Done || !page.NotBefore.IsZero() || page.Next != from.cursor, "the cursor does not advance")
		h.take(from.cursor, page)
		if page.Done {
			h.end, h.settled = page.Next, page.Settled
			return h, nil
		}
		if !page.NotBefore.IsZero() {
			time.Sleep(time.Until(page.NotBefore))
		}
		from.cursor = page.Next
	}
	require.Fail(p.t, "the pull comes to no end")
	return h, nil
}

func (h *harvest) take(cursor connectors.Cursor, page connectors.Page) {
	h.cursors = append(h.cursors, cursor)
	h.Orders = append(h.Orders, page.Records.Orders...)
	h.Lines = append(h.Lines, page.Records.Lines...)
	h.Refunds = append(h.Refunds, page.Records.Refunds...)
	h.Customers = append(h.Customers, page.Records.Customers...)
	h.Products = append(h.Products, page.Records.Products...)
	h.rejected = append(h.rejected, page.Rejected...)
	h.deleted = append(h.deleted, page.Deleted...)
	h.warnings = append(h.warnings, page.Warnings...)
}

// inBubble runs a test in a time of its own, where waiting costs nothing.
func inBubble(t *testing.T, f func(t *testing.T)) {
	synctest.Test(t, func(t *testing.T) {
		time.Sleep(time.Until(time.Date(2026, 11, 22, 3, 0, 0, 0, time.UTC)))
		f(t)
	})
}

// listOf is a page of a connection.
func listOf(nodes []string, next string) string {
	info := `{"hasNextPage":false,"endCursor":null}`
	if next != "" {
		info = `{"hasNextPage":true,"endCursor":"` + next + `"}`
	}
	return `{"pageInfo":` + info + `,"nodes":[` + strings.Join(nodes, ",") + `]}`
}

// nodesOf answers nodes(ids).
func nodesOf(variables map[string]any, node func(id string) string) string {
	var nodes []string
	for _, id := range variables["ids"].([]any) {
		nodes = append(nodes, node(id.(string)))
	}
	return `{"nodes":[` + strings.Join(nodes, ",") + `]}`
}

// orderLine is an order as it stands in a file; more holds further fields.
func orderLine(id int, more string) string {
	return fmt.Sprintf(`{"__typename":"Order","id":"gid://shopify/Order/%d","name":"#%d","createdAt":"2026-01-02T03:04:05Z","processedAt":"2026-01-02T03:04:05Z",
"updatedAt":"2026-01-03T03:04:05Z","currencyCode":"EUR","displayFinancialStatus":"PAID","totalPriceSet":{"shopMoney":{"amount":"10.0","currencyCode":"EUR"}},
"subtotalPriceSet":{"shopMoney":{"amount":"10.0"}}%s}`, id, id, more)
}

// oneLine puts a line of a file on one line.
func oneLine(text string) string { return strings.ReplaceAll(text, "\n", "") }

// itemLine is a line item as it stands in a file.
func itemLine(id, order int, more string) string {
	return fmt.Sprintf(`{"__typename":"LineItem","id":"gid://shopify/LineItem/%d","name":"Thing","quantity":1,"originalTotalSet":{"shopMoney":{"amount":"10.0"}}%s,"__parentId":"gid://shopify/Order/%d"}`,
		id, more, order)
}

func fileOf(lines ...string) outcome {
	for i := range lines {
		lines[i] = oneLine(lines[i])
	}
	return outcome{status: "COMPLETED", file: lines}
}

// refundsOf is an order with one refund of 4 of 10.
func refundsOf(id string) string {
	return fmt.Sprintf(`{"id":"%s","taxesIncluded":false,"refunds":[{"id":"gid://shopify/Refund/%s9","processedAt":"2026-02-01T00:00:00Z","note":null,
"totalRefundedSet":{"shopMoney":{"amount":"4.0","currencyCode":"EUR"}},"duties":null,"refundLineItems":%s,"refundShippingLines":%s,"orderAdjustments":%s}]}`,
		id, tail(id), listOf([]string{`{"quantity":1,"restockType":"RETURN","subtotalSet":{"shopMoney":{"amount":"4.0"}},"totalTaxSet":{"shopMoney":{"amount":"0.0"}},
"lineItem":{"id":"gid://shopify/LineItem/1","product":null,"variant":null}}`}, ""), listOf(nil, ""), listOf(nil, ""))
}

func idsOf(orders []commerce.Order) []string {
	var ids []string
	for _, o := range orders {
		ids = append(ids, o.ID)
	}
	return ids
}
