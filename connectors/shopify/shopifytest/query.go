package shopifytest

import "strings"

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
