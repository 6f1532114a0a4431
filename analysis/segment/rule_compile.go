package segment

import (
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/agnivade/levenshtein"
	"github.com/expr-lang/expr/ast"
	"github.com/expr-lang/expr/file"
	"github.com/expr-lang/expr/parser"
)

// The limits of one rule. There are no loops, so they bound the cost of an answer as well.
const (
	MaxRuleLength = 10_000 // bytes
	MaxRuleParts  = 1_000  // names, values and operators
)

// compiler turns the syntax tree of a rule into functions. Whatever part of the language it has no case for is refused, so
// the grammar is what is written here and nothing else.
type compiler struct {
	all    []Field
	fields map[string]Field
	used   map[string]bool
	source string
	parts  int
}

func newCompiler(presetIDs []string) *compiler {
	c := &compiler{all: Fields(), fields: map[string]Field{}, used: map[string]bool{}}
	if presetIDs == nil {
		for _, p := range append(Presets(), reduced...) {
			presetIDs = append(presetIDs, p.IDs()...)
		}
	}
	for _, f := range c.all {
		if f.Name == "rfm_segment" {
			f.Values = presetIDs
		}
		c.fields[f.Name] = f
	}
	return c
}

// value is a compiled part of a rule. One of the functions is set, by kind; a literal has its value beside them.
type value struct {
	kind    Kind // or truthKind
	test    test
	number  func(*Person) float64
	text    func(*Person) string
	list    func(*Person) []string
	field   *Field // where it is a field
	literal bool
	word    string  // of a text literal, as written
	items   []value // of a literal list
}

const truthKind Kind = "question"

// compile returns the test of a rule, and the rule in a form in which layout and comments are gone.
func (c *compiler) compile(source string) (test, string, error) {
	c.source = source
	if strings.TrimSpace(source) == "" {
		return nil, "", c.errorAt(0, `empty; write what has to be true, such as orders >= 2 and country == "DE"`)
	}
	if len(source) > MaxRuleLength {
		return nil, "", c.errorAt(0, fmt.Sprintf("%d bytes long, at most %d are possible", len(source), MaxRuleLength))
	}
	tree, err := parser.Parse(source)
	if err != nil {
		return nil, "", syntaxError(err)
	}
	v, err := c.value(tree.Node)
	if err != nil {
		return nil, "", err
	}
	if v.kind != truthKind {
		return nil, "", c.errorf(tree.Node, "%s is no answer; ask something that is true or false, such as orders >= 2", v.describe())
	}
	return v.test, tree.Node.String(), nil
}

// syntaxError says in our words what the parser could not read.
func syntaxError(err error) error {
	var at *file.Error
	if !errors.As(err, &at) {
		return &RuleError{Line: 1, Column: 1, Message: err.Error()}
	}
	message := "cannot be read here: " + at.Message
	if strings.Contains(at.Message, `Operator("=")`) {
		message = "one = is not enough; == compares"
	}
	return &RuleError{Line: max(at.Line, 1), Column: at.Column + 1, Message: message}
}

func (c *compiler) value(node ast.Node) (value, error) {
	if c.parts++; c.parts > MaxRuleParts {
		return value{}, c.errorf(node, "more than %d parts; make two segments of it", MaxRuleParts)
	}
	switch n := node.(type) {
	case *ast.BoolNode:
		return value{kind: truthKind, test: always(n.Value), literal: true}, nil
	case *ast.IntegerNode:
		return numberLiteral(float64(n.Value)), nil
	case *ast.FloatNode:
		return numberLiteral(n.Value), nil
	case *ast.StringNode:
		return value{kind: Text, literal: true, word: n.Value}, nil
	case *ast.ArrayNode:
		return c.array(n)
	case *ast.IdentifierNode:
		return c.name(n)
	case *ast.UnaryNode:
		return c.unary(n)
	case *ast.BinaryNode:
		return c.binary(n)
	case *ast.CallNode:
		return c.call(n)
	case *ast.BuiltinNode:
		return value{}, c.errorf(node, "%s() is not possible in a rule; the functions are %s", n.Name, functions)
	default:
		return value{}, c.errorf(node, "not possible in a rule; join questions about fields with and, or and not")
	}
}

func numberLiteral(x float64) value {
	return value{kind: Number, literal: true, number: func(*Person) float64 { return x }}
}

func (c *compiler) array(n *ast.ArrayNode) (value, error) {
	list := value{kind: List, literal: true}
	for _, node := range n.Nodes {
		item, err := c.value(node)
		if err != nil {
			return value{}, err
		}
		if !item.literal || item.kind != Text && item.kind != Number || len(list.items) > 0 && item.kind != list.items[0].kind {
			return value{}, c.errorf(node, `a list has either texts or numbers, such as ["DE", "AT"]`)
		}
		list.items = append(list.items, item)
	}
	if len(list.items) == 0 {
		return value{}, c.errorf(n, `an empty list; write what it may be, such as ["DE", "AT"]`)
	}
	return list, nil
}

func (c *compiler) name(n *ast.IdentifierNode) (value, error) {
	f, ok := c.fields[n.Value]
	if !ok {
		return value{}, c.errorf(n, "%q is not something a rule can ask about; %s", n.Value, c.suggest(n.Value))
	}
	c.used[f.Name] = true
	return value{kind: f.Kind, field: &f, number: f.number, text: f.text, list: f.list}, nil
}

func (c *compiler) unary(n *ast.UnaryNode) (value, error) {
	v, err := c.value(n.Node)
	if err != nil {
		return value{}, err
	}
	switch {
	case (n.Operator == "not" || n.Operator == "!") && v.kind == truthKind:
		inner := v.test
		return value{kind: truthKind, test: func(p *Person) truth { return yes - inner(p) }}, nil
	case n.Operator == "not" || n.Operator == "!":
		return value{}, c.errorf(n, "%s needs a question after it, and %s is none; parentheses may help: not (orders == 1)", n.Operator, v.describe())
	case v.kind == Number:
		if n.Operator == "+" {
			return v, nil
		}
		number := v.number
		return value{kind: Number, literal: v.literal, number: func(p *Person) float64 { return -number(p) }}, nil
	default:
		return value{}, c.errorf(n, "%s needs a number after it, and this is %s", n.Operator, v.describe())
	}
}

func (c *compiler) binary(n *ast.BinaryNode) (value, error) {
	left, err := c.value(n.Left)
	if err != nil {
		return value{}, err
	}
	right, err := c.value(n.Right)
	if err != nil {
		return value{}, err
	}
	v, err := combine(n.Operator, left, right)
	if err != nil {
		var located *RuleError
		if errors.As(err, &located) {
			return value{}, err
		}
		return value{}, c.errorf(n, "%s", err)
	}
	return v, nil
}

// describe says for people what a value is.
func (v value) describe() string {
	what := map[Kind]string{Number: "a number", Text: "a text", List: "a list", Day: "a day", truthKind: "a question"}[v.kind]
	if v.field != nil {
		return fmt.Sprintf("%s, %s", v.field.Name, what)
	}
	return what
}

// suggest names what was perhaps meant, or all that there is.
func (c *compiler) suggest(name string) string {
	names := make([]string, len(c.all))
	for i, f := range c.all {
		names[i] = f.Name
	}
	if near := nearest(name, names); near != "" {
		return fmt.Sprintf("did you mean %s?", near)
	}
	return "the names are " + strings.Join(names, ", ")
}

// nearest returns the first of the words that takes the fewest changes of a letter to get to, where a third of the letters
// or fewer have to change; a word that begins or ends with what was given is near as well.
func nearest(given string, words []string) string {
	best, near := len(given)/3+1, ""
	given = strings.ToLower(given)
	for _, word := range words {
		if d := levenshtein.ComputeDistance(given, word); d < best {
			best, near = d, word
		}
	}
	for _, word := range words {
		if near == "" && len(given) > 2 && (strings.HasPrefix(word, given) || strings.HasSuffix(word, given)) {
			near = word
		}
	}
	return near
}

// parseDay reads a day as rules write it.
func parseDay(text string) (float64, error) {
	day, err := time.Parse(time.DateOnly, text)
	if err != nil {
		return 0, fmt.Errorf("%q is not a day; write it as year, month and day, such as \"2026-01-31\"", text)
	}
	return float64(day.Unix() / (24 * 60 * 60)), nil
}

func (c *compiler) errorf(node ast.Node, format string, args ...any) error {
	return c.errorAt(node.Location().From, fmt.Sprintf(format, args...))
}

// errorAt makes an error at a place given in characters from the beginning.
func (c *compiler) errorAt(from int, message string) error {
	e := &RuleError{Line: 1, Column: 1, Message: message}
	for at, r := range []rune(c.source) {
		if at == from {
			break
		}
		e.Column++
		if r == '\n' {
			e.Line, e.Column = e.Line+1, 1
		}
	}
	return e
}
