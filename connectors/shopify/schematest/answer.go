package schematest

import (
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"

	"github.com/vektah/gqlparser/v2/ast"
)

// Answer says what in the data of an answer the schema does not allow for the document that asked: a selected field that
// is missing, null where a value must be, a value of another type, a field that was not asked for. The data of an answer
// that is nothing but errors may be null. All faults are named, at most twenty.
func (j *Judge) Answer(query string, variables map[string]any, data json.RawMessage) error {
	document, fault := parse(query)
	if fault != nil {
		return errors.New(fault.Message)
	}
	if found := j.document(document); len(found) > 0 {
		return errors.New("the document itself is not valid: " + found[0].Message)
	}
	var decoded any
	if len(data) > 0 {
		if err := decodeNumbers(data, &decoded); err != nil {
			return fmt.Errorf("data: %w", err)
		}
	}
	if decoded == nil {
		return nil
	}
	values, err := normal(variables)
	if err != nil {
		return fmt.Errorf("variables: %w", err)
	}
	operation := document.Operations[0]
	root := j.schema.Query
	if operation.Operation == ast.Mutation {
		root = j.schema.Mutation
	}
	r := &reader{schema: j.schema, document: document, variables: values}
	r.object("data", decoded, root, []ast.SelectionSet{operation.SelectionSet})
	return r.fault()
}

const maxFaults = 20

// reader goes through an answer along the document.
type reader struct {
	schema    *ast.Schema
	document  *ast.QueryDocument
	variables map[string]any
	faults    []string
}

func (r *reader) fault() error {
	if len(r.faults) == 0 {
		return nil
	}
	return errors.New(strings.Join(r.faults[:min(len(r.faults), maxFaults)], "; "))
}

func (r *reader) refuse(path, format string, args ...any) {
	r.faults = append(r.faults, path+": "+fmt.Sprintf(format, args...))
}

// object holds an object of the answer against the selections that asked for it.
func (r *reader) object(path string, value any, t *ast.Definition, sets []ast.SelectionSet) {
	fields, isObject := value.(map[string]any)
	if !isObject {
		r.refuse(path, "%s instead of an object of type %s", kindOf(value), t.Name)
		return
	}
	if t.Kind != ast.Object {
		r.abstract(path, fields, t, sets)
		return
	}
	asked := r.collect(t, sets)
	for _, name := range slices.Sorted(maps.Keys(fields)) {
		if asked.fields[name] == nil {
			r.refuse(path+"."+name, "was not asked for on %s", t.Name)
		}
	}
	for _, name := range asked.order {
		place := path + "." + name
		got, given := fields[name]
		field := asked.fields[name][0]
		switch {
		case !given:
			r.refuse(place, "was asked for on %s and is missing", t.Name)
		case field.Name == "__typename":
			if got != t.Name {
				r.refuse(place, "is %v on an object of type %s", got, t.Name)
			}
		default:
			r.value(place, got, field.Definition.Type, asked.fields[name])
		}
	}
}

func (r *reader) value(path string, value any, want *ast.Type, fields []*ast.Field) {
	if value == nil {
		if want.NonNull {
			r.refuse(path, "null, but the type is %s", want)
		}
		return
	}
	if want.Elem != nil {
		list, isList := value.([]any)
		if !isList {
			r.refuse(path, "%s instead of a list", kindOf(value))
		}
		for i, element := range list {
			r.value(path+"["+strconv.Itoa(i)+"]", element, want.Elem, fields)
		}
		return
	}
	named := r.schema.Types[want.NamedType]
	switch named.Kind {
	case ast.Scalar:
		if fault := answerFault(named.Name, value); fault != "" {
			r.refuse(path, "%s", fault)
		}
	case ast.Enum:
		if name, isText := value.(string); !isText || named.EnumValues.ForName(name) == nil {
			r.refuse(path, "no value of the enum %s", named.Name)
		}
	default:
		sets := make([]ast.SelectionSet, len(fields))
		for i, field := range fields {
			sets[i] = field.SelectionSet
		}
		r.object(path, value, named, sets)
	}
}

// abstract finds the type of an object whose field is an interface or a union: by its __typename where that was asked
// for, else by its global id, else it is any type that the object fits.
func (r *reader) abstract(path string, fields map[string]any, t *ast.Definition, sets []ast.SelectionSet) {
	possible := r.schema.GetPossibleTypes(t)
	if name := r.typename(sets); name != "" {
		for _, candidate := range possible {
			if fields[name] == candidate.Name {
				r.object(path, fields, candidate, sets)
				return
			}
		}
		r.refuse(path+"."+name, "%v is no type that %s may be", fields[name], t.Name)
		return
	}
	before := len(r.faults)
	var first []string
	for _, candidate := range byGlobalID(possible, fields["id"]) {
		r.object(path, fields, candidate, sets)
		if len(r.faults) == before {
			return
		}
		if first == nil {
			first = slices.Clone(r.faults[before:])
		}
		r.faults = r.faults[:before]
	}
	r.refuse(path, "fits none of the types that %s may be", t.Name)
	r.faults = append(r.faults, first...)
}

// byGlobalID puts the type that an id names first.
func byGlobalID(possible []*ast.Definition, id any) []*ast.Definition {
	text, _ := id.(string)
	parts := strings.Split(text, "/")
	for i, candidate := range possible {
		if len(parts) == 5 && parts[3] == candidate.Name {
			return slices.Concat(possible[i:i+1], possible[:i], possible[i+1:])
		}
	}
	return possible
}

// typename returns the name under which the selections ask for __typename whatever the type is.
func (r *reader) typename(sets []ast.SelectionSet) string {
	for _, set := range sets {
		for _, selection := range set {
			if field, isField := selection.(*ast.Field); isField && field.Name == "__typename" && r.wanted(field.Directives) {
				return field.Alias
			}
		}
	}
	return ""
}

// asked are the fields of one object in the order they were asked for; a name may be asked for several times.
type asked struct {
	order  []string
	fields map[string][]*ast.Field
}

func (r *reader) collect(t *ast.Definition, sets []ast.SelectionSet) asked {
	out := asked{fields: map[string][]*ast.Field{}}
	for _, set := range sets {
		r.add(&out, t, set)
	}
	return out
}

func (r *reader) add(out *asked, t *ast.Definition, set ast.SelectionSet) {
	for _, selection := range set {
		switch s := selection.(type) {
		case *ast.Field:
			if r.wanted(s.Directives) {
				if out.fields[s.Alias] == nil {
					out.order = append(out.order, s.Alias)
				}
				out.fields[s.Alias] = append(out.fields[s.Alias], s)
			}
		case *ast.InlineFragment:
			if r.wanted(s.Directives) && r.applies(t, s.TypeCondition) {
				r.add(out, t, s.SelectionSet)
			}
		case *ast.FragmentSpread:
			if fragment := r.document.Fragments.ForName(s.Name); r.wanted(s.Directives) && r.applies(t, fragment.TypeCondition) {
				r.add(out, t, fragment.SelectionSet)
			}
		}
	}
}

func (r *reader) applies(t *ast.Definition, condition string) bool {
	if condition == "" || condition == t.Name {
		return true
	}
	return slices.ContainsFunc(r.schema.GetImplements(t), func(d *ast.Definition) bool { return d.Name == condition })
}

// wanted says whether the directives skip and include let a selection stand.
func (r *reader) wanted(directives ast.DirectiveList) bool {
	for _, directive := range directives {
		if directive.Name != "skip" && directive.Name != "include" {
			continue
		}
		condition := directive.Arguments.ForName("if")
		if condition == nil {
			continue
		}
		holds, err := condition.Value.Value(r.variables)
		if err == nil && holds == (directive.Name == "skip") {
			return false
		}
	}
	return true
}
