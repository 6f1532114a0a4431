package schematest

import (
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"testing"

	"github.com/vektah/gqlparser/v2/ast"
	"github.com/vektah/gqlparser/v2/gqlerror"
	"github.com/vektah/gqlparser/v2/lexer"
	"github.com/vektah/gqlparser/v2/parser"
)

// Judge holds requests and answers against one version of the schema. It may be used from several goroutines.
type Judge struct {
	schema *ast.Schema
}

// Validator returns the judge of a version, skipping as Load does.
func Validator(t testing.TB, version string) *Judge {
	t.Helper()
	return &Judge{schema: Load(t, version)}
}

// Request returns the errors that Shopify would answer a document with, none where it is valid. They have the messages,
// places and codes that were recorded; errors of kinds that were not recorded have the same form.
func (j *Judge) Request(query string, variables map[string]any) []json.RawMessage {
	document, fault := parse(query)
	if fault != nil {
		return encode([]*Error{fault})
	}
	if found := j.document(document); len(found) > 0 {
		return encode(found)
	}
	if len(document.Operations) != 1 {
		return encode([]*Error{{Message: "An operation name is required"}})
	}
	values, err := normal(variables)
	if err != nil {
		return encode([]*Error{{Message: "variables: " + err.Error()}})
	}
	return encode(j.variables(document.Operations[0], values))
}

// Error is one error of an answer, as Shopify writes it.
type Error struct {
	Message    string         `json:"message"`
	Locations  []Location     `json:"locations,omitempty"`
	Path       []any          `json:"path,omitempty"`
	Extensions map[string]any `json:"extensions,omitempty"`
}

// Location is a place in a document, counted from 1.
type Location struct {
	Line   int `json:"line"`
	Column int `json:"column"`
}

func at(position *ast.Position) []Location {
	if position == nil {
		return nil
	}
	return []Location{{Line: position.Line, Column: position.Column}}
}

func encode(found []*Error) []json.RawMessage {
	var out []json.RawMessage
	for _, e := range found {
		raw, err := json.Marshal(e)
		if err != nil { // only of a value that cannot be said in JSON, and all of them came from JSON
			raw = json.RawMessage(`{"message":"unspeakable error"}`)
		}
		out = append(out, raw)
	}
	return out
}

// parse reads a document, or returns the error of one that cannot be read.
func parse(query string) (*ast.QueryDocument, *Error) {
	document, err := parser.ParseQuery(&ast.Source{Input: query})
	if err == nil {
		if len(document.Operations) == 0 {
			return nil, &Error{Message: "No operation defined", Extensions: map[string]any{"code": "PARSE_ERROR"}}
		}
		return document, nil
	}
	out := &Error{Message: "syntax error, " + err.Error(), Extensions: map[string]any{"code": "PARSE_ERROR"}}
	var fault *gqlerror.Error
	if errors.As(err, &fault) && len(fault.Locations) > 0 {
		place := Location{Line: fault.Locations[0].Line, Column: fault.Locations[0].Column}
		if strings.HasSuffix(fault.Message, "found <EOF>") {
			fault.Message, place = "unexpected end of file", lastToken(query)
		}
		out.Locations = []Location{place}
		out.Message = fmt.Sprintf("syntax error, %s at [%d, %d]", fault.Message, place.Line, place.Column)
	}
	return nil, out
}

// lastToken is where Shopify says that a document ends too early.
func lastToken(query string) Location {
	input := lexer.New(&ast.Source{Input: query})
	var last Location
	for {
		token, err := input.ReadToken()
		if err != nil || token.Kind == lexer.EOF {
			return last
		}
		last = Location{Line: token.Pos.Line, Column: token.Pos.Column}
	}
}

// normal brings variables into the form that decoding JSON with numbers kept as text gives.
func normal(variables map[string]any) (map[string]any, error) {
	raw, err := json.Marshal(variables)
	if err != nil {
		return nil, err
	}
	values := map[string]any{}
	return values, decodeNumbers(raw, &values)
}
