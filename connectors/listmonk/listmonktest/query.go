package listmonktest

import (
	"encoding/json"
	"errors"
	"fmt"
	"reflect"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"
)

// The SQL subset: conditions joined by AND and OR, with brackets, each one of
//
//	subscribers.email = 'a'             subscribers.email IN ('a', 'b')
//	subscribers.id < 3                  subscribers.status <> 'enabled'
//	subscribers.updated_at >= '2026-11-22T03:00:00Z'
//	subscribers.attribs->'a'->>'b' = 'c'
//	subscribers.attribs->>'a' IS NULL   ... IS NOT NULL
//	subscribers.attribs->'a'->'b' @> '["c"]'
//	subscribers.id IN (SELECT subscriber_id FROM subscriber_lists WHERE ...)
//
// listmonk puts the text behind an AND of its own, so an OR outside of brackets reaches over it: that is refused here.
const tail = " ORDER BY subscribers.id desc OFFSET $4 LIMIT (CASE WHEN $5 < 1 THEN NULL ELSE $5 END);"

var errSyntax = errors.New(`pq: syntax error at or near "ORDER"`)

var token = regexp.MustCompile(`'(?:[^']|'')*'|->>|->|@>|>=|<=|<>|[A-Za-z_][A-Za-z0-9_.]*|\d+|\S`)

var foreignTable = regexp.MustCompile(`(?i)\bfrom\s+([a-z_]+)`)

// row is what a condition looks at: a person, and within a sub-select one of their rows on lists.
type row struct {
	*subscriber
	list int
	on   *subscription
}

type condition func(row) bool

// parseWhere turns the text of a query into a condition.
func parseWhere(text string) (func(*subscriber) bool, error) {
	if strings.Count(text, "'")%2 == 1 {
		return nil, fmt.Errorf("pq: unterminated quoted string at or near %q", text[strings.LastIndex(text, "'"):]+tail)
	}
	for _, m := range foreignTable.FindAllStringSubmatch(text, -1) {
		if table := m[1]; table != "subscribers" && table != "lists" && table != "subscriber_lists" && !strings.Contains(text, ";") {
			return nil, fmt.Errorf("table '%s' is not allowed", table)
		}
	}
	p := &parser{tokens: token.FindAllString(text, -1)}
	where, err := p.all()
	if err != nil {
		return nil, err
	}
	if len(p.tokens) > 0 {
		return nil, errSyntax
	}
	return func(s *subscriber) bool { return where(row{subscriber: s}) }, nil
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

// any reads conditions joined by OR, as they stand in brackets.
func (p *parser) any() (condition, error) {
	one, err := p.all()
	for err == nil && p.accept("OR") {
		var other condition
		before := one
		if other, err = p.all(); err == nil {
			one = func(r row) bool { return before(r) || other(r) }
		}
	}
	return one, err
}

// all reads conditions joined by AND.
func (p *parser) all() (condition, error) {
	one, err := p.unit()
	for err == nil && p.accept("AND") {
		var other condition
		before := one
		if other, err = p.unit(); err == nil {
			one = func(r row) bool { return before(r) && other(r) }
		}
	}
	return one, err
}

// unit reads one comparison or what stands in brackets.
func (p *parser) unit() (condition, error) {
	if p.accept("(") {
		inner, err := p.any()
		if err == nil && !p.accept(")") {
			err = errSyntax
		}
		return inner, err
	}
	operand, err := p.operand()
	if err != nil {
		return nil, err
	}
	switch {
	case p.accept("IS"):
		not := p.accept("NOT")
		if !p.accept("NULL") {
			return nil, errSyntax
		}
		return func(r row) bool { return (operand(r) == nil) != not }, nil
	case p.accept("IN") && p.accept("("):
		return p.among(operand)
	}
	return p.comparison(operand)
}

// comparison reads an operator and a literal. A comparison with NULL holds for nobody.
func (p *parser) comparison(operand func(row) any) (condition, error) {
	operator := p.next()
	want, ok := literal(p.next())
	if !ok {
		return nil, errSyntax
	}
	if operator == "@>" {
		var wanted []any
		if json.Unmarshal([]byte(want), &wanted) != nil {
			return nil, fmt.Errorf("pq: invalid input syntax for type json")
		}
		return func(r row) bool { return contains(operand(r), wanted) }, nil
	}
	fits := map[string]func(int) bool{
		"=": func(c int) bool { return c == 0 }, "<>": func(c int) bool { return c != 0 },
		"<": func(c int) bool { return c < 0 }, ">": func(c int) bool { return c > 0 },
		"<=": func(c int) bool { return c <= 0 }, ">=": func(c int) bool { return c >= 0 },
	}[operator]
	if fits == nil {
		return nil, errSyntax
	}
	return func(r row) bool {
		order, known := compare(operand(r), want)
		return known && fits(order)
	}, nil
}

func contains(value any, wanted []any) bool {
	list, _ := value.([]any)
	return list != nil && !slices.ContainsFunc(wanted, func(w any) bool {
		return !slices.ContainsFunc(list, func(have any) bool { return reflect.DeepEqual(have, w) })
	})
}

// compare orders a value and a literal.
func compare(value any, want string) (order int, known bool) {
	switch v := value.(type) {
	case int:
		n, err := strconv.Atoi(want)
		return v - n, err == nil
	case time.Time:
		t, err := time.Parse(time.RFC3339Nano, want)
		return v.Compare(t), err == nil
	case string:
		return strings.Compare(v, want), true
	}
	return 0, false
}

// among reads a list of literals, or a sub-select over a person's rows on lists.
func (p *parser) among(operand func(row) any) (condition, error) {
	if p.accept("SELECT") {
		if !p.accept("subscriber_id") || !p.accept("FROM") || !p.accept("subscriber_lists") || !p.accept("WHERE") {
			return nil, errSyntax
		}
		inner, err := p.any()
		if err != nil || !p.accept(")") {
			return nil, errSyntax
		}
		return func(r row) bool {
			for id, on := range r.Lists {
				if inner(row{subscriber: r.subscriber, list: id, on: on}) {
					return true
				}
			}
			return false
		}, nil
	}
	wanted := map[string]bool{}
	for {
		want, ok := literal(p.next())
		if !ok {
			return nil, errSyntax
		}
		wanted[want] = true
		if p.accept(")") {
			return func(r row) bool { value := operand(r); return value != nil && wanted[fmt.Sprint(value)] }, nil
		}
		if !p.accept(",") {
			return nil, errSyntax
		}
	}
}

// operand reads a column, or a path into the attributes. Its value is nil for NULL.
func (p *parser) operand() (func(row) any, error) {
	name := p.next()
	if column, ok := strings.CutPrefix(name, "subscriber_lists."); ok {
		return rowColumn(column)
	}
	switch strings.TrimPrefix(name, "subscribers.") {
	case "email":
		return func(r row) any { return r.Email }, nil
	case "id":
		return func(r row) any { return r.ID }, nil
	case "status":
		return func(r row) any { return r.Status }, nil
	case "updated_at":
		return func(r row) any { return r.UpdatedAt }, nil
	case "attribs":
		return p.path()
	default:
		return nil, errSyntax
	}
}

// rowColumn is a column of a row on a list.
func rowColumn(column string) (func(row) any, error) {
	look := map[string]func(row) any{
		"list_id":    func(r row) any { return r.list },
		"status":     func(r row) any { return r.on.Status },
		"updated_at": func(r row) any { return r.on.UpdatedAt },
	}[column]
	if look == nil {
		return nil, errSyntax
	}
	return func(r row) any {
		if r.on == nil {
			return nil // nobody's rows are joined outside of a sub-select
		}
		return look(r)
	}, nil
}

// path reads keys into the attributes; the last arrow says whether the value is JSON or text.
func (p *parser) path() (func(row) any, error) {
	var keys []string
	asText := false
	for !asText && (p.accept("->") || p.acceptText(&asText)) {
		key, ok := literal(p.next())
		if !ok {
			return nil, errSyntax
		}
		keys = append(keys, key)
	}
	if len(keys) == 0 {
		return nil, errSyntax
	}
	return func(r row) any {
		var value any = r.Attribs
		for _, key := range keys {
			object, _ := value.(map[string]any)
			inner, there := object[key]
			if !there {
				return nil
			}
			value = inner
		}
		switch {
		case asText && value == nil:
			return nil
		case asText:
			return fmt.Sprint(value)
		case value == nil:
			return "null" // of JSON, which is something
		}
		return value
	}, nil
}

func (p *parser) acceptText(is *bool) bool {
	*is = p.accept("->>")
	return *is
}

func literal(token string) (string, bool) {
	if strings.HasPrefix(token, "'") {
		return strings.ReplaceAll(token[1:len(token)-1], "''", "'"), true
	}
	_, err := strconv.Atoi(token)
	return token, err == nil
}
