package schematest

import (
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/vektah/gqlparser/v2/ast"
)

// problem is one thing that is wrong with the value of a variable.
type problem struct {
	Path        []any  `json:"path"`
	Explanation string `json:"explanation"`
	Message     string `json:"message,omitempty"`
}

// variables holds the values of an operation's variables against their types: one error for each variable.
func (j *Judge) variables(operation *ast.OperationDefinition, values map[string]any) []*Error {
	var found []*Error
	for _, variable := range operation.VariableDefinitions {
		value, given := values[variable.Variable]
		if !given && (variable.DefaultValue != nil || !variable.Type.NonNull) {
			continue
		}
		problems := j.value(value, variable.Type, []any{})
		if len(problems) == 0 {
			continue
		}
		found = append(found, &Error{
			Message:    fmt.Sprintf("Variable $%s of type %s was provided invalid value%s", variable.Variable, variable.Type, said(problems)),
			Locations:  at(variable.Position),
			Extensions: map[string]any{"code": "INVALID_VARIABLE", "value": value, "problems": problems},
		})
	}
	return found
}

// said lists the problems that lie inside the value.
func said(problems []problem) string {
	var inside []string
	for _, p := range problems {
		if len(p.Path) > 0 {
			steps := make([]string, len(p.Path))
			for i, step := range p.Path {
				steps[i] = fmt.Sprint(step)
			}
			inside = append(inside, strings.Join(steps, ".")+" ("+p.Explanation+")")
		}
	}
	if len(inside) == 0 {
		return ""
	}
	return " for " + strings.Join(inside, ", ")
}

func (j *Judge) value(value any, want *ast.Type, path []any) []problem {
	if value == nil {
		if want.NonNull {
			return []problem{{Path: path, Explanation: "Expected value to not be null"}}
		}
		return nil
	}
	if want.Elem != nil {
		list, isList := value.([]any)
		if !isList {
			return j.value(value, want.Elem, path)
		}
		var found []problem
		for i, element := range list {
			found = append(found, j.value(element, want.Elem, slices.Concat(path, []any{i}))...)
		}
		return found
	}
	named := j.schema.Types[want.NamedType]
	switch named.Kind {
	case ast.InputObject:
		return j.inputObject(value, named, path)
	case ast.Enum:
		return enumValue(value, named, path)
	default:
		return scalarValue(value, named.Name, path)
	}
}

func (j *Judge) inputObject(value any, object *ast.Definition, path []any) []problem {
	fields, isObject := value.(map[string]any)
	if !isObject {
		return []problem{{Path: path, Explanation: fmt.Sprintf("Expected %s to be a key-value object.", quoted(value))}}
	}
	var found []problem
	for _, name := range slices.Sorted(maps.Keys(fields)) {
		place := slices.Concat(path, []any{name})
		if wanted := object.Fields.ForName(name); wanted != nil {
			found = append(found, j.value(fields[name], wanted.Type, place)...)
		} else {
			found = append(found, problem{Path: place, Explanation: "Field is not defined on " + object.Name})
		}
	}
	for _, wanted := range object.Fields {
		if _, given := fields[wanted.Name]; !given && wanted.Type.NonNull && wanted.DefaultValue == nil {
			found = append(found, problem{Path: slices.Concat(path, []any{wanted.Name}), Explanation: "Expected value to not be null"})
		}
	}
	if object.Directives.ForName("oneOf") != nil && len(fields) != 1 {
		found = append(found, problem{
			Path:        path,
			Explanation: fmt.Sprintf("'%s' requires exactly one argument, but %d were provided.", object.Name, len(fields)),
		})
	}
	return found
}

func enumValue(value any, enum *ast.Definition, path []any) []problem {
	if name, isText := value.(string); isText && enum.EnumValues.ForName(name) != nil {
		return nil
	}
	names := make([]string, len(enum.EnumValues))
	for i, v := range enum.EnumValues {
		names[i] = v.Name
	}
	return []problem{{Path: path, Explanation: fmt.Sprintf("Expected %s to be one of: %s", quoted(value), strings.Join(names, ", "))}}
}

func scalarValue(value any, scalar string, path []any) []problem {
	unfit := []problem{{Path: path, Explanation: fmt.Sprintf("Could not coerce value %s to %s", quoted(value), scalar)}}
	switch v := value.(type) {
	case bool:
		if scalar == "Boolean" || scalar == "JSON" {
			return nil
		}
	case json.Number:
		if isNumberFor(scalar, v.String()) {
			return nil
		}
	case string:
		if slices.Contains([]string{"Boolean", "Int", "Float"}, scalar) {
			return unfit
		}
		fault := textFault(scalar, v)
		switch {
		case fault == "":
			return nil
		case fault == mismatch:
			return unfit
		case scalar == "ID":
			return []problem{{Path: path, Explanation: fault, Message: fault}}
		default:
			return []problem{{Path: path, Explanation: fault}}
		}
	default:
		if scalar == "JSON" {
			return nil
		}
	}
	return unfit
}

func quoted(value any) string {
	raw, err := json.Marshal(value)
	if err != nil {
		return fmt.Sprint(value)
	}
	return string(raw)
}
