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

// term is a node of a parsed query: an operator with its parts, or a field compared with a value.
type term struct {
	op    string // "and", "or", "not", or "" for a comparison
	parts []*term

	field, comparator, value string
	quoted                   bool
}

// parseQuery reads the search syntax: terms, field:value, comparators, quotes, AND, OR, NOT, "-" and parentheses.
func parseQuery(query string) *term {
	p := &queryParser{rest: query}
	t := p.or()
	return t
}

type queryParser struct{ rest string }

func (p *queryParser) space() { p.rest = strings.TrimLeft(p.rest, " \t\r\n") }

// word takes a keyword if it stands next.
func (p *queryParser) word(word string) bool {
	p.space()
	if len(p.rest) < len(word) || !strings.EqualFold(p.rest[:len(word)], word) {
		return false
	}
	if after := p.rest[len(word):]; after != "" && !strings.ContainsAny(after[:1], " \t\r\n(") {
		return false
	}
	p.rest = p.rest[len(word):]
	return true
}

func (p *queryParser) or() *term {
	parts := []*term{p.and()}
	for p.word("OR") {
		parts = append(parts, p.and())
	}
	return joined("or", parts)
}

func (p *queryParser) and() *term {
	var parts []*term
	for {
		p.space()
		if p.rest == "" || p.rest[0] == ')' {
			break
		}
		before := p.rest
		if p.word("OR") {
			p.rest = before
			break
		}
		if p.word("AND") {
			continue
		}
		parts = append(parts, p.not())
	}
	return joined("and", parts)
}

func joined(op string, parts []*term) *term {
	if len(parts) == 1 {
		return parts[0]
	}
	return &term{op: op, parts: parts}
}

func (p *queryParser) not() *term {
	if p.word("NOT") || strings.HasPrefix(p.rest, "-") && len(p.rest) > 1 && p.skip(1) {
		p.space()
		if p.rest == "" {
			return &term{op: "and"}
		}
		return &term{op: "not", parts: []*term{p.not()}}
	}
	if strings.HasPrefix(p.rest, "(") {
		p.skip(1)
		t := p.or()
		p.space()
		if strings.HasPrefix(p.rest, ")") {
			p.skip(1)
		}
		return t
	}
	return p.comparison()
}

func (p *queryParser) skip(n int) bool { p.rest = p.rest[n:]; return true }

func (p *queryParser) comparison() *term {
	t := &term{}
	text, quoted := p.value()
	t.value, t.quoted = text, quoted
	if quoted || !strings.HasPrefix(p.rest, ":") {
		return t
	}
	p.skip(1)
	t.field, t.value = text, ""
	for _, c := range []string{">=", "<=", ">", "<"} {
		if strings.HasPrefix(p.rest, c) {
			t.comparator = c
			p.skip(len(c))
			break
		}
	}
	t.value, t.quoted = p.whole()
	return t
}

// value reads to the next colon, blank or parenthesis, or what is in quotes.
func (p *queryParser) value() (string, bool) { return p.until(" \t\r\n():") }

// whole reads a value, in which colons may stand.
func (p *queryParser) whole() (string, bool) { return p.until(" \t\r\n()") }

func (p *queryParser) until(ends string) (string, bool) {
	if p.rest != "" && (p.rest[0] == '\'' || p.rest[0] == '"') {
		quote := p.rest[0]
		var b strings.Builder
		i := 1
		for ; i < len(p.rest) && p.rest[i] != quote; i++ {
			if p.rest[i] == '\\' && i+1 < len(p.rest) {
				i++
			}
			b.WriteByte(p.rest[i])
		}
		p.rest = p.rest[min(len(p.rest), i+1):]
		return b.String(), true
	}
	var b strings.Builder
	i := 0
	for ; i < len(p.rest) && !strings.ContainsRune(ends, rune(p.rest[i])); i++ {
		if p.rest[i] == '\\' && i+1 < len(p.rest) {
			i++
		}
		b.WriteByte(p.rest[i])
	}
	if i == 0 && p.rest != "" { // a colon that nothing stands before
		i = 1
	}
	p.rest = p.rest[i:]
	return b.String(), false
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

// json is the query as extensions.search shows it.
func (t *term) json() any {
	switch {
	case t.op == "not":
		return map[string]any{"not": t.parts[0].json()}
	case t.op != "":
		parts := make([]any, len(t.parts))
		for i, part := range t.parts {
			parts[i] = part.json()
		}
		return map[string]any{t.op: parts}
	}
	field := t.field
	if field == "" {
		field = "default"
	}
	names := map[string]string{">=": "gte", "<=": "lte", ">": "gt", "<": "lt"}
	if t.comparator != "" {
		return map[string]any{"field": field, "range": map[string]any{names[t.comparator]: t.value}}
	}
	return map[string]any{"field": field, "match_all": t.value}
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
