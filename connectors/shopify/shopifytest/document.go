package shopifytest

import (
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/vektah/gqlparser/v2/ast"
	"github.com/vektah/gqlparser/v2/gqlerror"
	"github.com/vektah/gqlparser/v2/lexer"
	"github.com/vektah/gqlparser/v2/parser"
)

// document is a request that is ready to be answered: fragments put in, variables too, what is skipped left out.
type document struct {
	operation ast.Operation
	name      string
	roots     []*selection
}

// selection is one field that is asked, on objects of all the types in on.
type selection struct {
	key, name string
	on        []string
	args      map[string]any
	subs      []*selection
	leaf      bool
	at        *ast.Position
}

// mistake is an error of a document, as Shopify words it; line 0 is an error without place.
type mistake struct {
	message, code string
	line, column  int
	more          map[string]any
}

func (m *mistake) Error() string { return m.message }

func (m *mistake) json() map[string]any {
	e := map[string]any{"message": m.message}
	if m.line > 0 {
		e["locations"] = []any{map[string]any{"line": m.line, "column": m.column}}
	}
	extensions := map[string]any{"code": m.code}
	for k, v := range m.more {
		extensions[k] = v
	}
	e["extensions"] = extensions
	return e
}

// source is a document that was read and has no variables yet.
type source struct {
	operation *ast.OperationDefinition
	fragments map[string]*ast.FragmentDefinition
}

// read parses a document. name chooses one of several operations.
func read(query, name string) (*source, *mistake) {
	parsed, err := parser.ParseQuery(&ast.Source{Input: query})
	if err != nil {
		return nil, syntaxError(query, err)
	}
	op := parsed.Operations.ForName(name)
	switch {
	case len(parsed.Operations) == 0:
		return nil, &mistake{message: "syntax error, unexpected end of file", code: "PARSE_ERROR"}
	case op == nil && name != "":
		return nil, &mistake{message: fmt.Sprintf("No operation named %q", name), code: "OPERATION_NOT_FOUND"}
	case op == nil:
		return nil, &mistake{message: "An operation name is required", code: "OPERATION_NAME_REQUIRED"}
	}
	src := &source{operation: op, fragments: map[string]*ast.FragmentDefinition{}}
	for _, f := range parsed.Fragments {
		src.fragments[f.Name] = f
	}
	return src, nil
}

// with puts variables in.
func (src *source) with(variables map[string]any) (*document, *mistake) {
	c := &compiler{fragments: src.fragments, variables: map[string]any{}}
	if m := c.bind(src.operation, variables); m != nil {
		return nil, m
	}
	d := &document{operation: src.operation.Operation, name: src.operation.Name}
	var err error
	if d.roots, err = c.collect(src.operation.SelectionSet, nil, nil, 0); err != nil {
		return nil, &mistake{message: err.Error(), code: "INVALID_DOCUMENT"}
	}
	return d, nil
}

// compile reads a document and puts variables in.
func compile(query, name string, variables map[string]any) (*document, *mistake) {
	src, m := read(query, name)
	if m != nil {
		return nil, m
	}
	return src.with(variables)
}

// syntaxError words what is wrong as Shopify does: an end too early stands at the last token.
func syntaxError(query string, err error) *mistake {
	var g *gqlerror.Error
	m := &mistake{message: "syntax error", code: "PARSE_ERROR"}
	if errors.As(err, &g) && len(g.Locations) > 0 {
		m.line, m.column = g.Locations[0].Line, g.Locations[0].Column
	}
	if !strings.Contains(err.Error(), "<EOF>") {
		m.message = fmt.Sprintf("syntax error, unexpected token at [%d, %d]", m.line, m.column)
		return m
	}
	m.line, m.column = 0, 0
	lex := lexer.New(&ast.Source{Input: query})
	for {
		token, err := lex.ReadToken()
		if err != nil || token.Kind == lexer.EOF {
			break
		}
		m.line, m.column = token.Pos.Line, token.Pos.Column
	}
	m.message = "syntax error, unexpected end of file"
	if m.line > 0 {
		m.message += fmt.Sprintf(" at [%d, %d]", m.line, m.column)
	}
	return m
}

type compiler struct {
	fragments map[string]*ast.FragmentDefinition
	variables map[string]any
}

// bind takes the variables that the operation declares, with their defaults. One that is missing and must not be is an
// error; types are the Validator's business.
func (c *compiler) bind(op *ast.OperationDefinition, given map[string]any) *mistake {
	for _, v := range op.VariableDefinitions {
		if value, ok := given[v.Variable]; ok && (value != nil || !v.Type.NonNull) {
			c.variables[v.Variable] = plain(value)
			continue
		}
		if v.DefaultValue != nil {
			value, err := v.DefaultValue.Value(nil)
			if err == nil {
				c.variables[v.Variable] = value
				continue
			}
		}
		if v.Type.NonNull {
			m := &mistake{message: fmt.Sprintf("Variable $%s of type %s was provided invalid value", v.Variable, v.Type), code: "INVALID_VARIABLE"}
			m.more = map[string]any{"value": nil, "problems": []any{map[string]any{"path": []any{}, "explanation": "Expected value to not be null"}}}
			if v.Position != nil {
				m.line, m.column = v.Position.Line, v.Position.Column
			}
			return m
		}
	}
	return nil
}

// plain turns the numbers of decoded JSON into int64 and float64.
func plain(v any) any {
	switch v := v.(type) {
	case json.Number:
		if n, err := v.Int64(); err == nil {
			return n
		}
		f, _ := v.Float64() //nolint:errcheck // the decoder has checked it
		return f
	case float64:
		if v == float64(int64(v)) {
			return int64(v)
		}
	case []any:
		list := make([]any, len(v))
		for i := range v {
			list[i] = plain(v[i])
		}
		return list
	case map[string]any:
		fields := make(map[string]any, len(v))
		for k := range v {
			fields[k] = plain(v[k])
		}
		return fields
	}
	return v
}

const deepest = 100 // nested fragments and fields; beyond it a document turns in circles

// collect flattens a selection set, adding to what is there.
func (c *compiler) collect(set ast.SelectionSet, on []string, into []*selection, depth int) ([]*selection, error) {
	if depth > deepest {
		return nil, errors.New("the document is nested too deeply")
	}
	var err error
	for _, s := range set {
		switch s := s.(type) {
		case *ast.Field:
			if c.skipped(s.Directives) {
				continue
			}
			if into, err = c.field(s, on, into, depth); err != nil {
				return nil, err
			}
		case *ast.InlineFragment:
			if c.skipped(s.Directives) {
				continue
			}
			if into, err = c.collect(s.SelectionSet, narrowed(on, s.TypeCondition), into, depth+1); err != nil {
				return nil, err
			}
		case *ast.FragmentSpread:
			f := c.fragments[s.Name]
			if f == nil {
				return nil, fmt.Errorf("Fragment %s was used, but not defined", s.Name) //nolint:staticcheck // as Shopify words it
			}
			if c.skipped(s.Directives) {
				continue
			}
			if into, err = c.collect(f.SelectionSet, narrowed(on, f.TypeCondition), into, depth+1); err != nil {
				return nil, err
			}
		}
	}
	return into, nil
}

func narrowed(on []string, condition string) []string {
	if condition == "" || slices.Contains(on, condition) {
		return on
	}
	return append(slices.Clone(on), condition)
}

// field adds one field, or what it selects to the same field that is already there.
func (c *compiler) field(f *ast.Field, on []string, into []*selection, depth int) ([]*selection, error) {
	s := &selection{key: f.Alias, name: f.Name, on: on, leaf: len(f.SelectionSet) == 0, at: f.Position}
	for _, there := range into {
		if there.key == s.key && there.name == s.name && slices.Equal(there.on, on) {
			var err error
			there.subs, err = c.collect(f.SelectionSet, nil, there.subs, depth+1)
			return into, err
		}
	}
	s.args = make(map[string]any, len(f.Arguments))
	for _, a := range f.Arguments {
		if v, ok, err := c.value(a.Value); err != nil {
			return nil, err
		} else if ok {
			s.args[a.Name] = v
		}
	}
	var err error
	s.subs, err = c.collect(f.SelectionSet, nil, nil, depth+1)
	return append(into, s), err
}

// value puts variables in; false means a variable that was not given.
func (c *compiler) value(v *ast.Value) (any, bool, error) {
	if v.Kind == ast.Variable {
		value, ok := c.variables[v.Raw]
		return value, ok, nil
	}
	value, err := v.Value(c.variables)
	if v.Kind == ast.ListValue && value == nil {
		value = []any{}
	}
	if list, ok := value.([]any); ok && list == nil {
		value = []any{}
	}
	return value, true, err
}

func (c *compiler) skipped(directives ast.DirectiveList) bool {
	condition := func(name string) (bool, bool) {
		d := directives.ForName(name)
		if d == nil {
			return false, false
		}
		a := d.Arguments.ForName("if")
		if a == nil {
			return false, false
		}
		v, _, err := c.value(a.Value)
		yes, ok := v.(bool)
		return yes, ok && err == nil
	}
	if yes, ok := condition("skip"); ok && yes {
		return true
	}
	yes, ok := condition("include")
	return ok && !yes
}

// find is the first selection of this name.
func find(all []*selection, name string) *selection {
	for _, s := range all {
		if s.name == name {
			return s
		}
	}
	return nil
}

// paged reports whether the selection reads a connection.
func (s *selection) paged() bool {
	return find(s.subs, "edges") != nil || find(s.subs, "nodes") != nil || find(s.subs, "pageInfo") != nil && s.args["first"] != nil
}
