package shopifytest

import (
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"
)

// searched is one entry of extensions.search: what of a query was not understood.
type searched struct {
	path     []any
	query    string
	parsed   map[string]any
	warnings []any
}

// filter is what a search finds. What it does not understand it ignores, and warns.
func (c *connection) filter(call *call, items []*object, query string) ([]*object, error) {
	t := parseQuery(query)
	m := &matcher{connection: c}
	if err := m.check(t); err != nil {
		return nil, err
	}
	if len(m.warnings) > 0 {
		parsed, _ := t.json().(map[string]any) //nolint:errcheck // always
		call.search = append(call.search, searched{path: slices.Clone(call.path), query: query, parsed: parsed, warnings: m.warnings})
	}
	read := call.server.reader(c, call.now)
	found := make([]*object, 0, len(items))
	for _, o := range items {
		if fields, ok := read(o); ok && m.matches(t, fields) {
			found = append(found, o)
		}
	}
	return found, nil
}

type matcher struct {
	connection *connection
	warnings   []any
	never      map[*term]bool // compared with what no field can be
	ignored    map[*term]bool
}

func (m *matcher) warn(field, message, code string) {
	m.warnings = append(m.warnings, map[string]any{"field": field, "message": message, "code": code})
}

// check finds what is wrong with a query before anything is compared.
func (m *matcher) check(t *term) error {
	if m.never == nil {
		m.never, m.ignored = map[*term]bool{}, map[*term]bool{}
	}
	if t.op != "" {
		for _, part := range t.parts {
			if err := m.check(part); err != nil {
				return err
			}
		}
		return nil
	}
	c := m.connection
	switch {
	case t.field == "" && c.named:
		m.warn("default", "Input must use named search fields in this query.", "missing_named_field")
		m.ignored[t] = true
	case t.field == "":
	case t.comparator != "" && t.value == "":
		return fmt.Errorf("comparator without a value in %s", t.field)
	case c.search[t.field] == nil:
		m.warn(t.field, "Invalid search field for this query.", "invalid_field")
		m.ignored[t] = true
	case !c.accepts(t.field, t.value):
		m.warn(t.field, "Input `"+t.value+"` is not an accepted value.", "invalid_value")
		m.never[t] = true
	case c.times(t.field):
		return m.checkTime(t)
	}
	return nil
}

func (c *connection) accepts(field, value string) bool {
	if c.accept[field] == nil || value == "*" {
		return true
	}
	for _, part := range strings.Split(value, ",") {
		if !slices.Contains(c.accept[field], strings.ToUpper(part)) {
			return false
		}
	}
	return true
}

// times reports whether a field holds times, by its name.
func (c *connection) times(field string) bool {
	return strings.HasSuffix(field, "_at") || strings.HasSuffix(field, "_date") || c.days[field]
}

func (m *matcher) checkTime(t *term) error {
	if t.value == "*" {
		return nil
	}
	if _, ok := parseTime(t.value); !ok {
		if m.connection.strict {
			return badRequest("Invalid timestamp for query filter `" + t.field + "`.")
		}
		m.warn(t.field, "Input `"+t.value+"` is not an accepted value.", "invalid_value")
		m.never[t] = true
		return nil
	}
	if !t.quoted && len(t.value) > len(time.DateOnly) { // the colons of a time that is not quoted are taken for fields'
		m.never[t] = true
	}
	return nil
}

func parseTime(text string) (time.Time, bool) {
	for _, layout := range []string{time.RFC3339, "2006-01-02T15:04:05", "2006-01-02 15:04:05", time.DateOnly} {
		if t, err := time.Parse(layout, text); err == nil {
			return t.UTC(), true
		}
	}
	return time.Time{}, false
}

func (m *matcher) matches(t *term, fields func(string) any) bool {
	switch t.op {
	case "and":
		for _, part := range t.parts {
			if !m.matches(part, fields) {
				return false
			}
		}
		return true
	case "or":
		for _, part := range t.parts {
			if m.matches(part, fields) {
				return true
			}
		}
		return len(t.parts) == 0
	case "not":
		return m.ignored[t.parts[0]] || !m.matches(t.parts[0], fields)
	}
	if m.ignored[t] || m.never[t] {
		return m.ignored[t]
	}
	return m.compares(t, fields(t.field))
}

// compares reports whether a field's value is what the term says.
func (m *matcher) compares(t *term, v any) bool {
	switch v := v.(type) {
	case nil:
		return false
	case time.Time:
		return !v.IsZero() && m.comparesTime(t, v.UTC())
	case []string:
		return slices.ContainsFunc(v, func(text string) bool { return comparesText(t, text) })
	case bool:
		return t.value == "*" || strings.EqualFold(t.value, strconv.FormatBool(v))
	case int:
		return comparesNumber(t, float64(v))
	case int64:
		return comparesNumber(t, float64(v))
	case float64:
		return comparesNumber(t, v)
	case string:
		return comparesText(t, v)
	default:
		return false
	}
}

// comparesTime compares at the precision of the field: a day, or the instant. "later than" takes the instant itself, as
// shops were seen to do.
func (m *matcher) comparesTime(t *term, v time.Time) bool {
	if t.value == "*" {
		return true
	}
	bound, _ := parseTime(t.value)
	if m.connection.days[t.field] {
		v, bound = v.Truncate(24*time.Hour), bound.Truncate(24*time.Hour)
	}
	switch t.comparator {
	case ">", ">=":
		return !v.Before(bound)
	case "<":
		return v.Before(bound)
	case "<=":
		return !v.After(bound)
	}
	if len(t.value) == len(time.DateOnly) {
		return v.Truncate(24 * time.Hour).Equal(bound)
	}
	return v.Equal(bound)
}

func comparesNumber(t *term, v float64) bool {
	if t.value == "*" {
		return true
	}
	bound, err := strconv.ParseFloat(t.value, 64)
	if err != nil {
		return slices.ContainsFunc(strings.Split(t.value, ","), func(part string) bool {
			n, err := strconv.ParseFloat(part, 64)
			return err == nil && n == v
		})
	}
	switch t.comparator {
	case ">":
		return v > bound
	case ">=":
		return v >= bound
	case "<":
		return v < bound
	case "<=":
		return v <= bound
	}
	return v == bound
}

func comparesText(t *term, v string) bool {
	have, want := strings.ToLower(v), strings.ToLower(t.value)
	switch t.comparator {
	case ">":
		return have > want
	case ">=":
		return have >= want
	case "<":
		return have < want
	case "<=":
		return have <= want
	}
	if want == "*" {
		return have != ""
	}
	if t.field == "" { // words anywhere
		return slices.ContainsFunc(strings.Fields(have), func(word string) bool { return matchesPrefix(word, want) }) || have == want
	}
	if have == want || matchesPrefix(have, want) {
		return true
	}
	return !t.quoted && slices.Contains(strings.Split(want, ","), have)
}

func matchesPrefix(have, want string) bool {
	prefix, star := strings.CutSuffix(want, "*")
	return star && strings.HasPrefix(have, prefix) || have == want
}

// indexed is what the search index holds of an object.
type indexed struct {
	changed time.Time
	fields  map[string]any
}

// reader says what a search sees of an object: what it is, or while the index lags what it was when the index saw it
// last; false where the index has not seen it yet.
func (s *Server) reader(c *connection, now time.Time) func(*object) (func(string) any, bool) {
	live := func(o *object) func(string) any {
		return func(field string) any {
			if f := c.search[field]; f != nil {
				return f(o)
			}
			return nil
		}
	}
	if s.opts.Lag <= 0 {
		return func(o *object) (func(string) any, bool) { return live(o), true }
	}
	return func(o *object) (func(string) any, bool) {
		s.indexing.Lock()
		defer s.indexing.Unlock()
		index := s.indexes[c.typ]
		if index == nil {
			index = map[string]indexed{}
			s.indexes[c.typ] = index
		}
		entry, there := index[o.id]
		if !o.changed.After(now.Add(-s.opts.Lag)) && (!there || !entry.changed.Equal(o.changed)) {
			entry, there = indexed{changed: o.changed, fields: make(map[string]any, len(c.search))}, true
			for name, f := range c.search {
				entry.fields[name] = f(o)
			}
			index[o.id] = entry
		}
		return func(field string) any { return entry.fields[field] }, there
	}
}

// count answers a Count of what the query finds in a connection.
func (c *call) count(of *connection, args map[string]any) (any, error) {
	items := of.items()
	if query, _ := args["query"].(string); strings.TrimSpace(query) != "" { //nolint:errcheck // absent is empty
		var err error
		if items, err = of.filter(c, items, query); err != nil {
			return nil, err
		}
	}
	n, precision := int64(len(items)), "EXACT"
	if limit, ok := args["limit"].(int64); ok && n > limit {
		n, precision = limit, "AT_LEAST"
	}
	return simple("Count", map[string]any{"count": n, "precision": precision}), nil
}
