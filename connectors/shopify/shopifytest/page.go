package shopifytest

import (
	"encoding/base64"
	"encoding/json"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"
)

const longestPage = 250

// window is the part of a connection that a request gets.
type window struct {
	nodes          []*object
	cursors        []string
	before, behind bool // more nodes before, behind
}

// page writes a connection: what was asked of its nodes, edges and pageInfo.
func (x *execution) page(c *connection, s *selection) error {
	w, err := c.window(x.call, s.args)
	if err != nil {
		return err
	}
	if x.call.bulk && x.most > 0 && len(w.nodes) > x.most {
		w.nodes, w.cursors = w.nodes[:x.most], w.cursors[:x.most]
	}
	fields := map[string]resolver{
		"pageInfo": func(*call, map[string]any) (any, error) { return w.info(), nil },
		"nodes":    value(w.nodes),
		"edges": func(*call, map[string]any) (any, error) {
			edges := make([]*object, len(w.nodes))
			for i, node := range w.nodes {
				edges[i] = c.edgeOf(node, w.cursors[i])
			}
			return edges, nil
		},
	}
	for name, r := range c.extra {
		fields[name] = r
	}
	before := x.used
	x.object(&object{typ: c.typ + "Connection", fields: fields, wrapper: true}, s.subs, nil)
	ways := 0.0
	for _, name := range []string{"nodes", "edges"} {
		if find(s.subs, name) != nil {
			ways++
		}
	}
	n := crowd(float64(len(w.nodes)))
	x.used = before + pageCost + n*(ways+x.used-before) // lists have averaged their nodes already
	return nil
}

func (c *connection) edgeOf(node *object, cursor string) *object {
	fields := map[string]resolver{"node": value(node), "cursor": value(cursor)}
	if c.edge != nil {
		for name, r := range c.edge(node) {
			fields[name] = r
		}
	}
	return &object{typ: c.typ + "Edge", fields: fields, wrapper: true}
}

func (w window) info() *object {
	var start, end any
	if len(w.cursors) > 0 {
		start, end = w.cursors[0], w.cursors[len(w.cursors)-1]
	}
	return simple("PageInfo", map[string]any{"hasNextPage": w.behind, "hasPreviousPage": w.before, "startCursor": start, "endCursor": end})
}

// window finds, sorts and cuts.
func (c *connection) window(call *call, args map[string]any) (window, error) {
	first, last, err := c.sizes(call, args)
	if err != nil {
		return window{}, err
	}
	places, err := c.ordered(call, args)
	if err != nil {
		return window{}, err
	}
	whole := len(places)
	from, to := 0, whole
	reverse, _ := args["reverse"].(bool) //nolint:errcheck // absent is false
	if !call.bulk {
		if from, to, err = c.between(places, args, reverse); err != nil {
			return window{}, err
		}
		if first >= 0 && to-from > first {
			to = from + first
		}
		if last >= 0 && to-from > last {
			from = to - last
		}
	}
	w := window{before: from > 0, behind: to < whole}
	for _, p := range places[from:to] {
		w.nodes = append(w.nodes, p.node)
		w.cursors = append(w.cursors, p.cursor())
	}
	if w.nodes == nil {
		w.nodes = []*object{}
	}
	return w, nil
}

// sizes reads first and last; -1 is none.
func (c *connection) sizes(call *call, args map[string]any) (first, last int, err error) {
	if call.bulk {
		return -1, -1, nil
	}
	most := c.most
	if most == 0 {
		most = longestPage
	}
	read := func(name string) (int, bool) {
		n, ok := args[name].(int64)
		if ok && n > most {
			err = badRequest(fmt.Sprintf("%s cannot exceed %d", name, most))
		}
		if !ok {
			return -1, false
		}
		return int(n), true
	}
	first, some := read("first")
	last, other := read("last")
	switch {
	case err != nil:
	case some && other:
		err = badRequest("providing both first and last is not supported")
	case !some && !other:
		err = badRequest("you must provide one of first or last")
	}
	return first, last, err
}

func badRequest(message string) error {
	return &failure{message: message, code: "BAD_REQUEST", top: true}
}

// place is where a node stands in the order of a connection.
type place struct {
	node *object
	id   int64
	key  any // string or float64; nil where the order is that of the items
}

// ordered lists what the search finds, in order.
func (c *connection) ordered(call *call, args map[string]any) ([]place, error) {
	items := c.items()
	query, _ := args["query"].(string) //nolint:errcheck // absent is empty
	if strings.TrimSpace(query) != "" && !c.asked {
		var err error
		if items, err = c.filter(call, items, query); err != nil {
			return nil, err
		}
	}
	places := make([]place, len(items))
	key, _ := args["sortKey"].(string) //nolint:errcheck // absent is empty
	by := c.sort[key]
	for i, node := range items {
		places[i] = place{node: node, id: int64(i + 1)}
		if n := number(node.id); n > 0 {
			places[i].id = n
		}
		if by != nil {
			places[i].key = sortable(by(node))
		}
	}
	if by != nil {
		slices.SortStableFunc(places, compare)
	}
	if reverse, _ := args["reverse"].(bool); reverse { //nolint:errcheck // absent is false
		slices.Reverse(places)
	}
	return places, nil
}

// number is the number at the end of a global id, 0 where there is none.
func number(gid string) int64 {
	tail, _, _ := strings.Cut(gid[strings.LastIndexByte(gid, '/')+1:], "?")
	n, err := strconv.ParseInt(tail, 10, 64)
	if err != nil {
		return 0
	}
	return n
}

// sortable makes values of one kind comparable. Nothing comes first.
func sortable(v any) any {
	switch v := v.(type) {
	case time.Time:
		if v.IsZero() {
			return ""
		}
		return v.UTC().Format(cursorTime)
	case string:
		return strings.ToLower(v)
	case int64:
		return float64(v)
	case int:
		return float64(v)
	case float64:
		return v
	default:
		return ""
	}
}

// cursorTime has the microseconds that an answered DateTime has not.
const cursorTime = "2006-01-02 15:04:05.000000"

func compare(a, b place) int {
	if n := compareKeys(a.key, b.key); n != 0 {
		return n
	}
	switch {
	case a.id < b.id:
		return -1
	case a.id > b.id:
		return 1
	}
	return 0
}

func compareKeys(a, b any) int {
	if x, ok := a.(float64); ok {
		if y, ok := b.(float64); ok {
			switch {
			case x < y:
				return -1
			case x > y:
				return 1
			}
			return 0
		}
	}
	x, _ := a.(string) //nolint:errcheck // nothing comes first
	y, _ := b.(string) //nolint:errcheck // nothing comes first
	return strings.Compare(x, y)
}

// keyset is a cursor without state: the last node seen by id and what it was sorted by.
type keyset struct {
	ID    int64 `json:"last_id"`
	Value any   `json:"last_value"`
}

func (p place) cursor() string {
	k := keyset{ID: p.id, Value: p.key}
	if p.key == nil {
		k.Value = strconv.FormatInt(p.id, 10)
	}
	b, err := json.Marshal(k)
	if err != nil {
		panic("shopifytest: cursor: " + err.Error())
	}
	return base64.StdEncoding.EncodeToString(b)
}

// between applies after and before.
func (c *connection) between(places []place, args map[string]any, reverse bool) (from, to int, err error) {
	to = len(places)
	if text, ok := args["after"].(string); ok {
		k, err := decodeCursor(text)
		if err != nil {
			return 0, 0, err
		}
		if i, found := seek(places, k, reverse); found {
			from = i + 1
		} else {
			from = i
		}
	}
	if text, ok := args["before"].(string); ok {
		k, err := decodeCursor(text)
		if err != nil {
			return 0, 0, err
		}
		to, _ = seek(places, k, reverse)
	}
	return from, max(from, to), nil
}

func decodeCursor(text string) (keyset, error) {
	var k keyset
	b, err := base64.StdEncoding.DecodeString(text)
	if err == nil {
		err = json.Unmarshal(b, &k)
	}
	if err != nil {
		return k, badRequest("Invalid cursor for current pagination sort.")
	}
	return k, nil
}

// seek finds the node of a cursor, or where it would stand: nodes may have gone or moved since.
func seek(places []place, k keyset, reverse bool) (int, bool) {
	sorted := len(places) > 0 && places[0].key != nil
	mark := place{id: k.ID}
	if sorted {
		mark.key = k.Value
	} else if i := slices.IndexFunc(places, func(p place) bool { return p.id == k.ID }); i >= 0 {
		return i, true
	}
	for i, p := range places {
		n := compare(p, mark)
		if reverse {
			n = -n
		}
		switch {
		case n == 0:
			return i, true
		case n > 0:
			return i, false
		}
	}
	return len(places), false
}
