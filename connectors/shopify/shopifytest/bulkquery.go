package shopifytest

import (
	"bytes"
	"cmp"
	"fmt"
	"math/rand/v2"
	"slices"
	"strconv"
	"strings"

	"github.com/vektah/gqlparser/v2/ast"
)

const longestDocument = 65_535 // bytes of a document of a bulk operation

// runQuery starts a bulk query. What it finds is the shop as it is now.
func (s *Server) runQuery(c *call, args map[string]any, outcome FaultKind) (*object, []userError) {
	text, _ := args["query"].(string)       //nolint:errcheck // "" is refused
	group, _ := args["groupObjects"].(bool) //nolint:errcheck // absent is false
	d, wrong := s.bulkDocument(text)
	if len(wrong) > 0 {
		return nil, wrong
	}
	o := &operation{typ: queryType, text: text, outcome: outcome, carried: true, ready: true}
	x := &bulkExecution{execution: execution{
		call: &call{server: s, now: c.now, bulk: true, access: c.access}, known: map[string]*object{},
	}}
	x.roots(s.root(ast.Query, nil), d.roots)
	o.denied = len(x.errors) > 0
	if s.opts.Shuffle && !group {
		x.shuffle()
	}
	for _, l := range x.lines {
		o.lines = append(o.lines, l.body)
		if l.parent < 0 {
			o.roots++
		}
	}
	s.judgeBulk(text, d, c)
	return s.begin(o)
}

// bulkDocument reads a document and holds it against the rules for bulk queries.
func (s *Server) bulkDocument(text string) (*document, []userError) {
	wrong := func(message string) []userError {
		return []userError{{field: []string{"query"}, message: message, code: "INVALID"}}
	}
	if len(text) > longestDocument {
		return nil, wrong(fmt.Sprintf("Query is too large (%d bytes; maximum is %d bytes)", len(text), longestDocument))
	}
	d, m := compile(text, "", nil)
	switch {
	case m != nil:
		return nil, wrong("Invalid bulk query: " + m.message)
	case d.operation != ast.Query:
		return nil, wrong("Invalid operation type. Only `query` operations are supported.")
	}
	messages := bulkRules(d)
	if judge, ok := s.opts.Validator.(bulkJudge); ok {
		messages = judge.Bulk(text)
	}
	var all []userError
	for _, message := range messages {
		all = append(all, wrong(message)...)
	}
	return d, all
}

// bulkJudge is a validator that knows the rules for bulk queries by the schema, where the fake goes by names.
type bulkJudge interface {
	Bulk(query string) []string
}

// listFields are fields that answer a list of objects instead of a connection.
var listFields = []string{
	"fulfillments", "refunds", "transactions", "returnLineItemsList", "taxLines", "discountAllocations", "additionalFees", "addresses", "fees",
	"duties", "suggestedRefunds", "exchangeV2s", "disputes",
}

// bulkSurvey is what the rules are about.
type bulkSurvey struct {
	connections, depth int
	nodes, without     []string
	inList             bool
}

// look walks over the selections; parent is the connection they are in, if any.
func (b *bulkSurvey) look(all []*selection, depth int, list bool) (connections bool) {
	for _, s := range all {
		if !s.paged() {
			if !s.leaf && b.look(s.subs, depth, list || slices.Contains(listFields, s.name)) {
				connections = true
			}
			continue
		}
		connections = true
		b.connections++
		b.depth = max(b.depth, depth)
		b.inList = b.inList || list
		if find(s.subs, "nodes") != nil {
			b.nodes = append(b.nodes, s.name)
		}
		node := nodeOf(s)
		if b.look(node, depth+1, false) && !slices.ContainsFunc(node, func(f *selection) bool { return f.name == "id" && f.key == "id" }) {
			b.without = append(b.without, s.name)
		}
	}
	return connections
}

// nodeOf is what is asked of each node of a connection.
func nodeOf(s *selection) []*selection {
	if edges := find(s.subs, "edges"); edges != nil {
		if node := find(edges.subs, "node"); node != nil {
			return node.subs
		}
	}
	return nil
}

// bulkRules lists what of a document bulk queries do not take.
func bulkRules(d *document) []string {
	var b bulkSurvey
	b.look(d.roots, 0, false)
	var all []string
	for _, name := range []string{"node", "nodes"} {
		if find(d.roots, name) != nil {
			all = append(all, "Bulk queries cannot contain a top level `"+name+"` field.")
		}
	}
	switch {
	case b.connections == 0:
		all = append(all, "Bulk queries must contain at least one connection.")
	case len(b.nodes) > 0:
		all = append(all, fmt.Sprintf("All connection fields in a bulk query must select their contents using 'edges' > 'node', e.g: '%s { edges { node {'. Selecting via 'nodes' is not supported. Invalid connection fields: '%s'.", b.nodes[0], strings.Join(b.nodes, "', '")))
	}
	if b.connections > 5 {
		all = append(all, "Bulk queries cannot contain more than 5 connections.")
	}
	if b.depth > 2 {
		all = append(all, "Bulk queries cannot contain connections with a nesting depth greater than 2.")
	}
	if len(b.without) > 0 {
		all = append(all, "The parent 'node' field for a nested connection must select the 'id' field without an alias and must be of 'ID' return type. Connection fields without 'id': "+strings.Join(b.without, ", ")+".")
	}
	if b.inList {
		all = append(all, "Queries that contain a connection field within a list field are not currently supported.")
	}
	return all
}

// bulkLine is one line of a result and the place of its parent, -1 for none.
type bulkLine struct {
	body   []byte
	parent int
}

// bulkExecution answers a document as lines, one for each node.
type bulkExecution struct {
	execution
	lines []bulkLine
}

// roots writes the nodes of the connections at the root, or below objects there.
func (x *bulkExecution) roots(root *object, all []*selection) {
	for _, s := range all {
		if s.leaf {
			continue
		}
		v := x.resolve(root, s)
		switch v := v.(type) {
		case *connection:
			x.connection(v, s, nil, -1)
		case *object:
			if v != nil {
				x.roots(v, s.subs)
			}
		}
	}
}

// resolve asks one field; an error is kept.
func (x *bulkExecution) resolve(o *object, s *selection) any {
	r := o.resolver(s.name)
	if r == nil {
		return nil
	}
	x.call.path = append(x.call.path, s.key)
	defer func() { x.call.path = x.call.path[:len(x.call.path)-1] }()
	v, err := r(x.call, s.args)
	if err != nil {
		x.fail(err, s)
		return nil
	}
	return v
}

// connection writes every node of a connection, each with its children behind it.
func (x *bulkExecution) connection(c *connection, s *selection, parent *object, place int) {
	w, err := c.window(x.call, s.args)
	if err != nil {
		x.fail(err, s)
		return
	}
	asked := nodeOf(s)
	for i, node := range w.nodes {
		x.node(node, asked, parent, place)
		w.nodes[i] = nil
		if node.fill != nil {
			node.fields = nil // or a shop of thousands stays in memory, field by field
		}
	}
}

func (x *bulkExecution) node(o *object, asked []*selection, parent *object, place int) {
	var nested []*selection
	plainly := make([]*selection, 0, len(asked)+1)
	for _, s := range x.chosen(o, asked) {
		if s.paged() {
			nested = append(nested, s)
			continue
		}
		plainly = append(plainly, s)
	}
	var own map[string]resolver
	if parent != nil {
		plainly = append(plainly, &selection{key: "__parentId", name: "__parentId", leaf: true})
		own = map[string]resolver{"__parentId": value(parent.id)}
	}
	x.out = x.out[:0]
	x.object(o, plainly, own)
	x.lines = append(x.lines, bulkLine{body: escapeSlashes(x.out), parent: place})
	here := len(x.lines) - 1
	for _, s := range nested {
		if c, ok := x.resolve(o, s).(*connection); ok && c != nil {
			x.connection(c, s, o, here)
		}
	}
}

// escapeSlashes copies a line with its slashes escaped, as Shopify writes files.
func escapeSlashes(line []byte) []byte { return bytes.ReplaceAll(line, []byte("/"), []byte(`\/`)) }

// shuffle lets every child stand anywhere behind its parent; roots keep their order.
func (x *bulkExecution) shuffle() {
	r := rand.New(rand.NewPCG(uint64(len(x.lines)), 20)) //nolint:gosec // an order that can be repeated
	type placed struct {
		bulkLine
		at float64
	}
	all := make([]placed, len(x.lines))
	for i, l := range x.lines {
		all[i] = placed{bulkLine: l, at: float64(i)}
		if l.parent >= 0 {
			above := all[l.parent].at
			all[i].at = above + (float64(len(x.lines))-above)*(1-r.Float64())
		}
	}
	slices.SortStableFunc(all, func(a, b placed) int { return cmp.Compare(a.at, b.at) })
	for i := range all {
		x.lines[i] = all[i].bulkLine
	}
}

// judgeBulk lets the validator look at the first nodes of a bulk query, put together as an ordinary answer.
func (s *Server) judgeBulk(text string, d *document, c *call) {
	if s.opts.Validator == nil {
		return
	}
	const sample = 25
	x := &execution{call: &call{server: s, now: c.now, bulk: true, access: c.access}, most: sample}
	x.run(s.root(ast.Query, nil), d)
	if x.broken || len(x.errors) > 0 {
		return
	}
	if err := s.opts.Validator.Answer(text, nil, x.out); err != nil {
		s.violate(fmt.Errorf("bulk answer of operation %s: %w", strconv.Quote(d.name), err))
	}
}
