package schematest

import (
	"encoding/json"
	"fmt"
	"strconv"
	"strings"
)

// The introspection of a schema, as far as it decides what is valid.
type introspection struct {
	Data struct {
		Schema struct {
			QueryType    named              `json:"queryType"`
			MutationType *named             `json:"mutationType"`
			Types        []introspected     `json:"types"`
			Directives   []introspectedRule `json:"directives"`
		} `json:"__schema"`
	} `json:"data"`
}

type named struct {
	Name string `json:"name"`
}

type introspected struct {
	Kind          string              `json:"kind"`
	Name          string              `json:"name"`
	IsOneOf       bool                `json:"isOneOf"`
	Fields        []introspectedField `json:"fields"`
	InputFields   []introspectedInput `json:"inputFields"`
	Interfaces    []named             `json:"interfaces"`
	EnumValues    []introspectedField `json:"enumValues"`
	PossibleTypes []named             `json:"possibleTypes"`
}

type introspectedField struct {
	Name              string              `json:"name"`
	Args              []introspectedInput `json:"args"`
	Type              introspectedType    `json:"type"`
	IsDeprecated      bool                `json:"isDeprecated"`
	DeprecationReason string              `json:"deprecationReason"`
}

type introspectedInput struct {
	Name         string           `json:"name"`
	Type         introspectedType `json:"type"`
	DefaultValue *string          `json:"defaultValue"`
}

type introspectedType struct {
	Kind   string            `json:"kind"`
	Name   string            `json:"name"`
	OfType *introspectedType `json:"ofType"`
}

type introspectedRule struct {
	Name      string              `json:"name"`
	Locations []string            `json:"locations"`
	Args      []introspectedInput `json:"args"`
}

// printSDL writes an introspection result in the schema language, without its descriptions.
func printSDL(result []byte) (string, error) {
	var in introspection
	if err := json.Unmarshal(result, &in); err != nil {
		return "", fmt.Errorf("introspection: %w", err)
	}
	schema := in.Data.Schema
	if schema.QueryType.Name == "" || len(schema.Types) == 0 {
		return "", fmt.Errorf("introspection: it names no types")
	}
	var out strings.Builder
	fmt.Fprintf(&out, "schema {\n  query: %s\n", schema.QueryType.Name)
	if schema.MutationType != nil {
		fmt.Fprintf(&out, "  mutation: %s\n", schema.MutationType.Name)
	}
	out.WriteString("}\n")
	for _, rule := range schema.Directives {
		if !isSpecified(rule.Name) {
			fmt.Fprintf(&out, "directive @%s%s on %s\n", rule.Name, printArguments(rule.Args), strings.Join(rule.Locations, " | "))
		}
	}
	for _, t := range schema.Types {
		if !strings.HasPrefix(t.Name, "__") && !isBuiltIn(t.Name) {
			printType(&out, t)
		}
	}
	return out.String(), nil
}

// isSpecified tells the directives and isBuiltIn the scalars that the language itself brings.
func isSpecified(directive string) bool {
	switch directive {
	case "skip", "include", "deprecated", "specifiedBy", "oneOf", "defer":
		return true
	}
	return false
}

func isBuiltIn(scalar string) bool {
	switch scalar {
	case "Int", "Float", "String", "Boolean", "ID":
		return true
	}
	return false
}

func printType(out *strings.Builder, t introspected) {
	switch t.Kind {
	case "SCALAR":
		fmt.Fprintf(out, "scalar %s\n", t.Name)
	case "UNION":
		fmt.Fprintf(out, "union %s = %s\n", t.Name, joinNames(t.PossibleTypes, " | "))
	case "ENUM":
		fmt.Fprintf(out, "enum %s {\n", t.Name)
		for _, value := range t.EnumValues {
			fmt.Fprintf(out, "  %s%s\n", value.Name, deprecation(value))
		}
		out.WriteString("}\n")
	case "INPUT_OBJECT":
		fmt.Fprintf(out, "input %s", t.Name)
		if t.IsOneOf {
			out.WriteString(" @oneOf")
		}
		out.WriteString(" {\n")
		for _, input := range t.InputFields {
			fmt.Fprintf(out, "  %s\n", printInput(input))
		}
		out.WriteString("}\n")
	case "OBJECT", "INTERFACE":
		printComposite(out, t)
	}
}

func printComposite(out *strings.Builder, t introspected) {
	word := map[string]string{"OBJECT": "type", "INTERFACE": "interface"}[t.Kind]
	fmt.Fprintf(out, "%s %s", word, t.Name)
	if len(t.Interfaces) > 0 {
		fmt.Fprintf(out, " implements %s", joinNames(t.Interfaces, " & "))
	}
	out.WriteString(" {\n")
	for _, field := range t.Fields {
		fmt.Fprintf(out, "  %s%s: %s%s\n", field.Name, printArguments(field.Args), field.Type, deprecation(field))
	}
	out.WriteString("}\n")
}

func printArguments(args []introspectedInput) string {
	if len(args) == 0 {
		return ""
	}
	var printed []string
	for _, arg := range args {
		printed = append(printed, printInput(arg))
	}
	return "(" + strings.Join(printed, ", ") + ")"
}

func printInput(input introspectedInput) string {
	text := input.Name + ": " + input.Type.String()
	if input.DefaultValue != nil {
		text += " = " + *input.DefaultValue
	}
	return text
}

// String returns the type as the language writes it, such as [String!]!.
func (t introspectedType) String() string {
	switch {
	case t.OfType == nil:
		return t.Name
	case t.Kind == "NON_NULL":
		return t.OfType.String() + "!"
	default:
		return "[" + t.OfType.String() + "]"
	}
}

func deprecation(field introspectedField) string {
	if !field.IsDeprecated {
		return ""
	}
	return " @deprecated(reason: " + strconv.Quote(field.DeprecationReason) + ")"
}

func joinNames(types []named, separator string) string {
	names := make([]string, len(types))
	for i, t := range types {
		names[i] = t.Name
	}
	return strings.Join(names, separator)
}
