package schematest

import (
	"fmt"
	"slices"

	"github.com/vektah/gqlparser/v2/ast"
)

// holder is what has an argument: a field, or an input object written in the document.
type holder struct {
	kind     string // "Field" or "InputObject"
	name     string
	position *ast.Position
}

// literal holds a value that is written in the document against the type of its argument. What is wrong inside an input
// object is refused there, at the innermost object that has it.
func (w *walk) literal(in holder, name string, value *ast.Value, want *ast.Type, path []any) {
	if reason := w.coerce(value, want); reason != "" {
		if reason == mismatch {
			reason = fmt.Sprintf("Argument '%s' on %s '%s' has an invalid value (%s). Expected type '%s'.",
				name, in.kind, in.name, printed(value), want)
			w.refuse(reason, in.position, path,
				map[string]any{"code": "argumentLiteralsIncompatible", "typeName": in.kind, "argumentName": name})
			return
		}
		w.refuse(reason, in.position, path, map[string]any{"code": "argumentLiteralsIncompatible", "typeName": "CoercionError"})
		return
	}
	w.objects(value, want, path)
}

// objects looks into the input objects of a value.
func (w *walk) objects(value *ast.Value, want *ast.Type, path []any) {
	if value.Kind == ast.ListValue && want.Elem != nil {
		for _, child := range value.Children {
			w.objects(child.Value, want.Elem, path)
		}
		return
	}
	object := w.schema.Types[want.Name()]
	if value.Kind != ast.ObjectValue || object == nil || object.Kind != ast.InputObject {
		return
	}
	for _, wanted := range object.Fields {
		if wanted.Type.NonNull && wanted.DefaultValue == nil && value.Children.ForName(wanted.Name) == nil {
			w.refuse(fmt.Sprintf("Argument '%s' on InputObject '%s' is required. Expected type %s", wanted.Name, object.Name, wanted.Type),
				value.Position, slices.Concat(path, []any{wanted.Name}), map[string]any{
					"code": "missingRequiredInputObjectAttribute", "argumentName": wanted.Name,
					"argumentType": wanted.Type.String(), "inputObjectType": object.Name,
				})
		}
	}
	if object.Directives.ForName("oneOf") != nil && len(value.Children) != 1 {
		w.refuse(fmt.Sprintf("'%s' requires exactly one argument, but %d were provided.", object.Name, len(value.Children)),
			value.Position, path, map[string]any{"code": "invalidOneOfInputObject", "inputObjectType": object.Name})
	}
	for _, given := range value.Children {
		place := slices.Concat(path, []any{given.Name})
		wanted := object.Fields.ForName(given.Name)
		if wanted == nil {
			w.refuse(fmt.Sprintf("InputObject '%s' doesn't accept argument '%s'", object.Name, given.Name), given.Position, place,
				map[string]any{"code": "argumentNotAccepted", "name": object.Name, "typeName": "InputObject", "argumentName": given.Name})
			continue
		}
		w.literal(holder{kind: "InputObject", name: object.Name, position: value.Position}, given.Name, given.Value, wanted.Type, place)
	}
}

// mismatch is the reason where Shopify names the expected type instead of one.
const mismatch = "mismatch"

// coerce says why a literal is not of a type, without looking into input objects; empty where it is.
func (w *walk) coerce(value *ast.Value, want *ast.Type) string {
	switch {
	case value.Kind == ast.Variable:
		return ""
	case value.Kind == ast.NullValue:
		if want.NonNull {
			return mismatch
		}
		return ""
	case want.Elem != nil && value.Kind == ast.ListValue:
		for _, child := range value.Children {
			if reason := w.coerce(child.Value, want.Elem); reason != "" {
				return reason
			}
		}
		return ""
	case want.Elem != nil:
		return w.coerce(value, want.Elem)
	case value.Kind == ast.ListValue:
		if want.NamedType == "JSON" {
			return ""
		}
		return mismatch
	}
	named := w.schema.Types[want.NamedType]
	switch named.Kind {
	case ast.InputObject:
		return unless(value.Kind == ast.ObjectValue)
	case ast.Enum:
		return unless(value.Kind == ast.EnumValue && named.EnumValues.ForName(value.Raw) != nil)
	default:
		return scalarLiteral(named.Name, value)
	}
}

func unless(fits bool) string {
	if fits {
		return ""
	}
	return mismatch
}

func scalarLiteral(scalar string, value *ast.Value) string {
	text := value.Kind == ast.StringValue || value.Kind == ast.BlockValue
	switch scalar {
	case "JSON":
		return ""
	case "Boolean":
		return unless(value.Kind == ast.BooleanValue)
	case "Int":
		return unless(value.Kind == ast.IntValue && isInt32(value.Raw))
	case "Float":
		return unless(value.Kind == ast.IntValue || value.Kind == ast.FloatValue)
	case "Decimal", "Money":
		if !text {
			return unless(value.Kind == ast.IntValue || value.Kind == ast.FloatValue)
		}
	case "UnsignedInt64", "BigInt":
		if !text {
			return unless(value.Kind == ast.IntValue)
		}
	case "ID":
		if value.Kind == ast.IntValue {
			return fmt.Sprintf("Invalid global id '%s'", value.Raw)
		}
	}
	if !text {
		return mismatch
	}
	return textFault(scalar, value.Raw)
}

// printed writes a value as Shopify repeats it.
func printed(value *ast.Value) string {
	var text string
	switch value.Kind {
	case ast.ListValue, ast.ObjectValue:
		for i, child := range value.Children {
			if i > 0 {
				text += ", "
			}
			if value.Kind == ast.ObjectValue {
				text += child.Name + ": "
			}
			text += printed(child.Value)
		}
		if value.Kind == ast.ListValue {
			return "[" + text + "]"
		}
		return "{" + text + "}"
	default:
		return value.String()
	}
}
