package listmonktest

import (
	"errors"
	"fmt"
	"regexp"
	"slices"
	"strconv"
	"strings"
)

// The SQL subset: conditions joined by AND, each one of
//
//	subscribers.email = 'a'             subscribers.email IN ('a', 'b')
//	subscribers.id = 3                  subscribers.status = 'enabled'
//	subscribers.attribs->'a'->>'b' = 'c'
//	subscribers.attribs->>'a' IS NULL   ... IS NOT NULL
const tail = " ORDER BY subscribers.id desc OFFSET $4 LIMIT (CASE WHEN $5 < 1 THEN NULL ELSE $5 END);"

var errSyntax = errors.New(`pq: syntax error at or near "ORDER"`)

var token = regexp.MustCompile(`'(?:[^']|'')*'|->>|->|[A-Za-z_][A-Za-z0-9_.]*|\d+|\S`)

var foreignTable = regexp.MustCompile(`(?i)\bfrom\s+([a-z_]+)`)

// parseWhere turns the text of a query into a condition.
func parseWhere(text string) (func(*subscriber) bool, error) {
	if strings.Count(text, "'")%2 == 1 {
		return nil, fmt.Errorf("pq: unterminated quoted string at or near %q", text[strings.LastIndex(text, "'"):]+tail)
	}
	if m := foreignTable.FindStringSubmatch(text); m != nil && !strings.Contains(text, ";") {
		if table := m[1]; table != "subscribers" && table != "lists" && table != "subscriber_lists" {
			return nil, fmt.Errorf("table '%s' is not allowed", table)
		}
	}
	p := &parser{tokens: token.FindAllString(text, -1)}
	var all []func(*subscriber) bool
	for {
		condition, err := p.condition()
		if err != nil {
			return nil, err
		}
		all = append(all, condition)
		if len(p.tokens) == 0 {
			return func(s *subscriber) bool {
				return !slices.ContainsFunc(all, func(c func(*subscriber) bool) bool { return !c(s) })
			}, nil
		}
		if !p.accept("AND") {
			return nil, errSyntax
		}
	}
}

type parser struct{ tokens []string }

func (p *parser) next() string {
	if len(p.tokens) == 0 {
		return ""
	}
	t := p.tokens[0]
	p.tokens = p.tokens[1:]
	return t
}

func (p *parser) accept(word string) bool {
	if len(p.tokens) > 0 && strings.EqualFold(p.tokens[0], word) {
		p.tokens = p.tokens[1:]
		return true
	}
	return false
}

// condition reads one comparison.
func (p *parser) condition() (func(*subscriber) bool, error) {
	operand, err := p.operand()
	if err != nil {
		return nil, err
	}
	switch {
	case p.accept("="):
		want, ok := literal(p.next())
		if !ok {
			return nil, errSyntax
		}
		return func(s *subscriber) bool { got, there := operand(s); return there && got == want }, nil
	case p.accept("IS"):
		not := p.accept("NOT")
		if !p.accept("NULL") {
			return nil, errSyntax
		}
		return func(s *subscriber) bool { _, there := operand(s); return there == not }, nil
	case p.accept("IN") && p.accept("("):
		return p.among(operand)
	}
	return nil, errSyntax
}

func (p *parser) among(operand func(*subscriber) (string, bool)) (func(*subscriber) bool, error) {
	wanted := map[string]bool{}
	for {
		want, ok := literal(p.next())
		if !ok {
			return nil, errSyntax
		}
		wanted[want] = true
		if p.accept(")") {
			return func(s *subscriber) bool { got, there := operand(s); return there && wanted[got] }, nil
		}
		if !p.accept(",") {
			return nil, errSyntax
		}
	}
}

// operand reads a column, or a path into the attributes. Its value is text; false stands for NULL.
func (p *parser) operand() (func(*subscriber) (string, bool), error) {
	switch column := strings.TrimPrefix(p.next(), "subscribers."); column {
	case "email":
		return func(s *subscriber) (string, bool) { return s.Email, true }, nil
	case "id":
		return func(s *subscriber) (string, bool) { return strconv.Itoa(s.ID), true }, nil
	case "status":
		return func(s *subscriber) (string, bool) { return s.Status, true }, nil
	case "attribs":
		return p.path()
	default:
		return nil, errSyntax
	}
}

func (p *parser) path() (func(*subscriber) (string, bool), error) {
	var keys []string
	for p.accept("->") {
		key, ok := literal(p.next())
		if !ok {
			return nil, errSyntax
		}
		keys = append(keys, key)
	}
	if !p.accept("->>") {
		return nil, errSyntax
	}
	last, ok := literal(p.next())
	if !ok {
		return nil, errSyntax
	}
	keys = append(keys, last)
	return func(s *subscriber) (string, bool) {
		var value any = s.Attribs
		for _, key := range keys {
			object, _ := value.(map[string]any)
			value = object[key]
		}
		if value == nil {
			return "", false
		}
		return fmt.Sprint(value), true
	}, nil
}

func literal(token string) (string, bool) {
	if strings.HasPrefix(token, "'") {
		return strings.ReplaceAll(token[1:len(token)-1], "''", "'"), true
	}
	_, err := strconv.Atoi(token)
	return token, err == nil
}
