package segment

import (
	"errors"
	"fmt"
	"math"
	"slices"

	"github.com/expr-lang/expr/ast"
)

// functions lists for people what can be called.
const functions = "known(field), has_any(list, [..]) and has_all(list, [..])"

// call compiles the functions.
func (c *compiler) call(n *ast.CallNode) (value, error) {
	callee, ok := n.Callee.(*ast.IdentifierNode)
	if !ok {
		return value{}, c.errorf(n, "not possible in a rule; the functions are %s", functions)
	}
	arguments := make([]value, len(n.Arguments))
	for i, node := range n.Arguments {
		var err error
		if arguments[i], err = c.value(node); err != nil {
			return value{}, err
		}
	}
	v, err := apply(callee.Value, arguments)
	if err != nil {
		return value{}, c.errorf(n, "%s", err)
	}
	return v, nil
}

func apply(function string, arguments []value) (value, error) {
	switch function {
	case "known":
		if len(arguments) != 1 || arguments[0].field == nil {
			return value{}, errors.New("known() takes one field, such as known(country)")
		}
		return value{kind: truthKind, test: isKnown(arguments[0])}, nil
	case "has_any", "has_all":
		if len(arguments) != 2 || arguments[0].field == nil || arguments[0].kind != List ||
			!arguments[1].literal || arguments[1].kind != List || arguments[1].items[0].kind != Text {
			return value{}, fmt.Errorf(`%s() takes a field that is a list, and texts, such as %s(categories, ["tea", "coffee"])`, function, function)
		}
		return has(arguments[0], arguments[1].items, function == "has_all")
	default:
		near := nearest(function, []string{"known", "has_any", "has_all"})
		if near != "" {
			return value{}, fmt.Errorf("%s() is no function; did you mean %s()?", function, near)
		}
		return value{}, fmt.Errorf("%s() is no function; the functions are %s", function, functions)
	}
}

func isKnown(v value) test {
	switch v.kind {
	case Text:
		return func(p *Person) truth { return answer(v.text(p) != "") }
	case List:
		return always(true)
	default:
		return func(p *Person) truth {
			return answer(!math.IsNaN(v.number(p)))
		}
	}
}

// has asks whether a list has any, or all, of some texts.
func has(list value, items []value, all bool) (value, error) {
	of := list.list
	if len(items) == 1 {
		wanted := fold(items[0].word)
		return value{kind: truthKind, test: func(p *Person) truth {
			return answer(slices.ContainsFunc(of(p), func(found string) bool { return fold(found) == wanted }))
		}}, nil
	}
	wanted := map[string]bool{}
	for _, item := range items {
		wanted[fold(item.word)] = true
	}
	if !all {
		return value{kind: truthKind, test: func(p *Person) truth {
			return answer(slices.ContainsFunc(of(p), func(found string) bool { return wanted[fold(found)] }))
		}}, nil
	}
	return value{kind: truthKind, test: func(p *Person) truth {
		found := of(p)
		for word := range wanted {
			if !slices.ContainsFunc(found, func(text string) bool { return fold(text) == word }) {
				return no
			}
		}
		return yes
	}}, nil
}
