package segment

import (
	"errors"
	"fmt"
	"math"
	"slices"
	"strings"
)

// truth is the answer to a question, which may be open because something is not known (Kleene's logic of three values):
// "and" is the least of its answers, "or" the greatest, "not" turns them round.
type truth int8

const (
	no truth = iota
	open
	yes
)

type test func(*Person) truth

func answer(is bool) truth {
	if is {
		return yes
	}
	return no
}

func always(is bool) test {
	t := answer(is)
	return func(*Person) truth { return t }
}

// combine applies an operator. An error without a place is about the operator.
func combine(operator string, left, right value) (value, error) {
	switch operator {
	case "and", "&&", "or", "||":
		return joined(operator, left, right)
	case "==", "!=", "<", "<=", ">", ">=":
		return compare(operator, left, right)
	case "in":
		return within(left, right)
	case "contains", "startsWith", "endsWith":
		return matches(operator, left, right)
	case "+", "-", "*", "/":
		return reckon(operator, left, right)
	default:
		return value{}, fmt.Errorf("%s is not possible in a rule; compare with == != < <= > >= in contains startsWith endsWith, join with and or not", operator)
	}
}

func joined(operator string, left, right value) (value, error) {
	for _, side := range []value{left, right} {
		if side.kind != truthKind {
			return value{}, fmt.Errorf("%s joins questions, and %s is none", operator, side.describe())
		}
	}
	a, b := left.test, right.test
	if operator == "and" || operator == "&&" {
		return value{kind: truthKind, test: func(p *Person) truth {
			x := a(p)
			if x == no {
				return no
			}
			return min(x, b(p))
		}}, nil
	}
	return value{kind: truthKind, test: func(p *Person) truth {
		x := a(p)
		if x == yes {
			return yes
		}
		return max(x, b(p))
	}}, nil
}

func compare(operator string, left, right value) (value, error) {
	var err error
	if left, err = asDay(left, right); err != nil {
		return value{}, err
	}
	if right, err = asDay(right, left); err != nil {
		return value{}, err
	}
	switch {
	case left.kind == Number && right.kind == Number, left.kind == Day && right.kind == Day:
		return value{kind: truthKind, test: compareNumbers(operator, left.number, right.number)}, nil
	case left.kind == Text && right.kind == Text:
		return compareTexts(operator, left, right)
	case left.kind == List || right.kind == List:
		return value{}, fmt.Errorf(`%s does not work with a list; write "x" in a list, or has_any(list, ["x", "y"])`, operator)
	default:
		return value{}, fmt.Errorf("%s cannot be compared with %s", left.describe(), right.describe())
	}
}

// asDay reads a text literal as a day where it is compared with one.
func asDay(v, other value) (value, error) {
	if other.kind != Day || v.kind != Text || !v.literal {
		return v, nil
	}
	day, err := parseDay(v.word)
	if err != nil {
		return value{}, err
	}
	v = numberLiteral(day)
	v.kind = Day
	return v, nil
}

func compareNumbers(operator string, left, right func(*Person) float64) test {
	of := map[string]func(a, b float64) bool{
		"==": func(a, b float64) bool { return a == b }, "!=": func(a, b float64) bool { return a != b },
		"<": func(a, b float64) bool { return a < b }, "<=": func(a, b float64) bool { return a <= b },
		">": func(a, b float64) bool { return a > b }, ">=": func(a, b float64) bool { return a >= b },
	}[operator]
	return func(p *Person) truth {
		a, b := left(p), right(p)
		if math.IsNaN(a) || math.IsNaN(b) {
			return open
		}
		return answer(of(a, b))
	}
}

func compareTexts(operator string, left, right value) (value, error) {
	if left.literal {
		left, right = right, left
	}
	if left.field == nil || !right.literal {
		return value{}, errors.New(`compare a field with a text in quotes, such as country == "DE"`)
	}
	if operator != "==" && operator != "!=" {
		return value{}, fmt.Errorf("%s, a text, has no order; use == or !=", left.field.Name)
	}
	if err := left.field.allows(right.word); err != nil {
		return value{}, err
	}
	wanted, text, equal := fold(right.word), left.text, operator == "=="
	return value{kind: truthKind, test: func(p *Person) truth {
		found := text(p)
		if found == "" {
			return open
		}
		return answer((fold(found) == wanted) == equal)
	}}, nil
}

// fold makes texts alike that differ in case alone. It copies nothing where there is nothing to change.
func fold(text string) string { return strings.ToLower(text) }

// allows refuses a text that a field never is.
func (f *Field) allows(word string) error {
	if len(f.Values) == 0 || slices.Contains(f.Values, fold(word)) {
		return nil
	}
	if near := nearest(word, f.Values); near != "" {
		return fmt.Errorf("%s is never %q; did you mean %q?", f.Name, word, near)
	}
	return fmt.Errorf("%s is never %q; it can be %s", f.Name, word, strings.Join(f.Values, ", "))
}

// within is the operator in: a number or a text in a literal list, or a text in a field that is a list.
func within(left, right value) (value, error) {
	switch {
	case right.kind != List:
		return value{}, fmt.Errorf(`in needs a list after it, such as ["DE", "AT"], and this is %s`, right.describe())
	case right.field != nil && left.kind == Text && left.literal:
		return has(right, []value{left}, false)
	case right.field != nil:
		return value{}, fmt.Errorf(`write a text in quotes before "in %s", such as "x" in %s`, right.field.Name, right.field.Name)
	case left.kind != right.items[0].kind:
		return value{}, fmt.Errorf("%s cannot be in a list of %ss", left.describe(), right.items[0].kind)
	case left.kind == Number:
		numbers, of := make([]float64, len(right.items)), left.number
		for i, item := range right.items {
			numbers[i] = item.number(nil)
		}
		return value{kind: truthKind, test: func(p *Person) truth {
			x := of(p)
			if math.IsNaN(x) {
				return open
			}
			return answer(slices.Contains(numbers, x))
		}}, nil
	case left.field == nil:
		return value{}, errors.New(`write a field before in, such as country in ["DE", "AT"]`)
	default:
		words, text := map[string]bool{}, left.text
		for _, item := range right.items {
			if err := left.field.allows(item.word); err != nil {
				return value{}, err
			}
			words[fold(item.word)] = true
		}
		return value{kind: truthKind, test: func(p *Person) truth {
			found := text(p)
			if found == "" {
				return open
			}
			return answer(words[fold(found)])
		}}, nil
	}
}

// matches are the operators that look into a text; contains works for lists too.
func matches(operator string, left, right value) (value, error) {
	if right.kind != Text || !right.literal {
		return value{}, fmt.Errorf("%s needs a text in quotes after it, and this is %s", operator, right.describe())
	}
	if left.kind == List && left.field != nil && operator == "contains" {
		return has(left, []value{right}, false)
	}
	if left.kind != Text || left.field == nil {
		return value{}, fmt.Errorf("%s needs a field that is a text before it, and this is %s", operator, left.describe())
	}
	of := map[string]func(text, part string) bool{
		"contains": strings.Contains, "startsWith": strings.HasPrefix, "endsWith": strings.HasSuffix,
	}[operator]
	part, text := fold(right.word), left.text
	return value{kind: truthKind, test: func(p *Person) truth {
		found := text(p)
		if found == "" {
			return open
		}
		return answer(of(fold(found), part))
	}}, nil
}

func reckon(operator string, left, right value) (value, error) {
	for _, side := range []value{left, right} {
		if side.kind != Number {
			return value{}, fmt.Errorf("%s reckons with numbers, and %s is none", operator, side.describe())
		}
	}
	a, b := left.number, right.number
	number := map[string]func(*Person) float64{
		"+": func(p *Person) float64 { return a(p) + b(p) },
		"-": func(p *Person) float64 { return a(p) - b(p) },
		"*": func(p *Person) float64 { return a(p) * b(p) },
		"/": func(p *Person) float64 {
			by := b(p)
			return known(by != 0, a(p)/by)
		},
	}[operator]
	return value{kind: Number, number: number}, nil
}
