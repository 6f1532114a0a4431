package schematest

import (
	"fmt"
	"slices"
	"strings"

	"github.com/vektah/gqlparser/v2/ast"
	"github.com/vektah/gqlparser/v2/gqlerror"
	"github.com/vektah/gqlparser/v2/validator"
	"github.com/vektah/gqlparser/v2/validator/rules"
)

// walk visits a document as Shopify's server does and notes what it refuses, with the path to it.
type walk struct {
	schema *ast.Schema
	found  []*Error
	used   map[string]bool // variables
}

// document returns what is wrong with a document whatever its variables are.
func (j *Judge) document(document *ast.QueryDocument) []*Error {
	// The parser's own rules run first, because they also link fields to their definitions.
	others := validator.ValidateWithRules(j.schema, document, rules.NewDefaultRules())
	w := &walk{schema: j.schema}
	for _, operation := range document.Operations {
		w.operation(document, operation)
	}
	for _, fragment := range document.Fragments {
		w.selections(fragment.SelectionSet, []any{"fragment " + fragment.Name})
	}
	for _, other := range others {
		if !walked(other.Rule) {
			w.found = append(w.found, foreign(other))
		}
	}
	if len(w.found) == 0 { // a rule that the walk should have broken too is still a refusal
		for _, other := range others {
			w.found = append(w.found, foreign(other))
		}
	}
	return w.found
}

// walked says that the walk itself reports what this rule of the parser's is about.
func walked(rule string) bool {
	return slices.Contains([]string{
		"FieldsOnCorrectType", "KnownArgumentNames", "ProvidedRequiredArguments", "ValuesOfCorrectType", "ScalarLeafs",
		"NoUnusedVariables",
	}, rule)
}

// foreign gives an error that was found by a rule of the parser's the code of the server that Shopify runs.
func foreign(err *gqlerror.Error) *Error {
	code, known := map[string]string{
		"FragmentsOnCompositeTypes":    "fragmentOnNonCompositeType",
		"KnownDirectives":              "undefinedDirective",
		"KnownFragmentNames":           "useAndDefineFragment",
		"KnownTypeNames":               "undefinedType",
		"NoFragmentCycles":             "infiniteLoop",
		"NoUndefinedVariables":         "variableNotDefined",
		"NoUnusedFragments":            "useAndDefineFragment",
		"OverlappingFieldsCanBeMerged": "fieldConflict",
		"PossibleFragmentSpreads":      "cannotSpreadFragment",
		"UniqueArgumentNames":          "argumentNotUnique",
		"UniqueDirectivesPerLocation":  "directiveNotUniqueForLocation",
		"UniqueFragmentNames":          "fragmentNotUnique",
		"UniqueInputFieldNames":        "inputFieldNotUnique",
		"UniqueOperationNames":         "uniquelyNamedOperations",
		"UniqueVariableNames":          "variableNotUnique",
		"VariablesAreInputTypes":       "variableRequiresValidType",
		"VariablesInAllowedPosition":   "variableMismatch",
	}[err.Rule]
	if !known {
		code = "invalid"
	}
	out := &Error{Message: err.Message, Extensions: map[string]any{"code": code}}
	for _, place := range err.Locations {
		out.Locations = append(out.Locations, Location{Line: place.Line, Column: place.Column})
	}
	return out
}

func (w *walk) refuse(message string, place *ast.Position, path []any, extensions map[string]any) {
	w.found = append(w.found, &Error{Message: message, Locations: at(place), Path: path, Extensions: extensions})
}

func (w *walk) operation(document *ast.QueryDocument, operation *ast.OperationDefinition) {
	label := string(operation.Operation)
	title := label + " " + operation.Name
	if operation.Name == "" {
		title, label = label, "anonymous "+label
	} else {
		label = operation.Name
	}
	w.used = map[string]bool{}
	w.selections(operation.SelectionSet, []any{title})
	notice(document, operation.SelectionSet, w.used, map[string]bool{})
	for _, variable := range operation.VariableDefinitions {
		if !w.used[variable.Variable] {
			w.refuse(fmt.Sprintf("Variable $%s is declared by %s but not used", variable.Variable, label), operation.Position,
				[]any{title}, map[string]any{"code": "variableNotUsed", "variableName": variable.Variable})
		}
	}
}

// notice marks the variables that a selection uses, through its fragments too.
func notice(document *ast.QueryDocument, set ast.SelectionSet, used, seen map[string]bool) {
	for _, selection := range set {
		switch s := selection.(type) {
		case *ast.Field:
			// Shopify does not look into an argument that it refuses.
			accepted := slices.DeleteFunc(slices.Clone(s.Arguments), func(a *ast.Argument) bool {
				return s.Definition != nil && s.Definition.Arguments.ForName(a.Name) == nil
			})
			noticeArguments(accepted, s.Directives, used)
			notice(document, s.SelectionSet, used, seen)
		case *ast.InlineFragment:
			noticeArguments(nil, s.Directives, used)
			notice(document, s.SelectionSet, used, seen)
		case *ast.FragmentSpread:
			noticeArguments(nil, s.Directives, used)
			if fragment := document.Fragments.ForName(s.Name); fragment != nil && !seen[s.Name] {
				seen[s.Name] = true
				notice(document, fragment.SelectionSet, used, seen)
			}
		}
	}
}

func noticeArguments(arguments ast.ArgumentList, directives ast.DirectiveList, used map[string]bool) {
	for _, directive := range directives {
		arguments = slices.Concat(arguments, directive.Arguments)
	}
	for _, argument := range arguments {
		noticeValue(argument.Value, used)
	}
}

func noticeValue(value *ast.Value, used map[string]bool) {
	if value.Kind == ast.Variable {
		used[value.Raw] = true
	}
	for _, child := range value.Children {
		noticeValue(child.Value, used)
	}
}

func (w *walk) selections(set ast.SelectionSet, path []any) {
	for _, selection := range set {
		switch s := selection.(type) {
		case *ast.Field:
			w.field(s, slices.Concat(path, []any{s.Alias}))
		case *ast.InlineFragment:
			name := "..."
			if s.TypeCondition != "" {
				name += " on " + s.TypeCondition
			}
			w.selections(s.SelectionSet, slices.Concat(path, []any{name}))
		}
	}
}

func (w *walk) field(field *ast.Field, path []any) {
	if field.Definition == nil {
		if field.ObjectDefinition == nil { // of a type that does not exist: refused where the type is named
			return
		}
		parent := field.ObjectDefinition.Name
		w.refuse(fmt.Sprintf("Field '%s' doesn't exist on type '%s'", field.Name, parent), field.Position, path,
			map[string]any{"code": "undefinedField", "typeName": parent, "fieldName": field.Name})
		return
	}
	w.leaf(field, path)
	w.arguments(field, path)
	w.selections(field.SelectionSet, path)
}

// leaf refuses a composite field without a selection and a plain one with it.
func (w *walk) leaf(field *ast.Field, path []any) {
	returned := w.schema.Types[field.Definition.Type.Name()]
	if returned == nil || returned.IsLeafType() == (len(field.SelectionSet) == 0) {
		return
	}
	node := "field '" + field.Name + "'"
	message := fmt.Sprintf("Field must have selections (%s returns %s but has no selections. Did you mean '%s { ... }'?)",
		node, returned.Name, field.Name)
	if returned.IsLeafType() {
		message = fmt.Sprintf("Selections can't be made on %ss (%s returns %s but has selections)",
			strings.ToLower(string(returned.Kind)), node, returned.Name)
	}
	w.refuse(message, field.Position, path,
		map[string]any{"code": "selectionMismatch", "nodeName": node, "typeName": returned.Name})
}

func (w *walk) arguments(field *ast.Field, path []any) {
	var missing []string
	for _, wanted := range field.Definition.Arguments {
		if wanted.Type.NonNull && wanted.DefaultValue == nil && field.Arguments.ForName(wanted.Name) == nil {
			missing = append(missing, wanted.Name)
		}
	}
	if len(missing) > 0 {
		list := strings.Join(missing, ", ")
		w.refuse(fmt.Sprintf("Field '%s' is missing required arguments: %s", field.Name, list), field.Position, path,
			map[string]any{"code": "missingRequiredArguments", "className": "Field", "name": field.Name, "arguments": list})
	}
	for _, given := range field.Arguments {
		place := slices.Concat(path, []any{given.Name})
		wanted := field.Definition.Arguments.ForName(given.Name)
		if wanted == nil {
			w.refuse(fmt.Sprintf("Field '%s' doesn't accept argument '%s'", field.Name, given.Name), given.Position, place,
				map[string]any{"code": "argumentNotAccepted", "name": field.Name, "typeName": "Field", "argumentName": given.Name})
			continue
		}
		w.literal(holder{kind: "Field", name: field.Name, position: field.Position}, given.Name, given.Value, wanted.Type, place)
	}
}
