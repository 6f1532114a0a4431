package schematest

import (
	"fmt"
	"strings"

	"github.com/vektah/gqlparser/v2/ast"
)

// What a bulk query may hold.
const (
	maxBulkBytes       = 65_535
	maxBulkConnections = 5
	maxBulkDepth       = 2 // connections inside connections, the outermost not counted
)

// Bulk returns the messages with which bulkOperationRunQuery would refuse a document, none where it would run it. A
// document that is not valid at all gives the first thing that is wrong with it.
func (j *Judge) Bulk(query string) []string {
	if len(query) > maxBulkBytes {
		return []string{fmt.Sprintf("Query is too large (%d bytes; maximum is %d bytes)", len(query), maxBulkBytes)}
	}
	document, fault := parse(query)
	if fault != nil {
		message, _, _ := strings.Cut(fault.Message, " at [")
		return []string{"Invalid bulk query: " + message}
	}
	operation := document.Operations[0]
	if operation.Operation != ast.Query {
		return []string{"Invalid operation type. Only `query` operations are supported."}
	}
	if found := j.document(document); len(found) > 0 {
		return []string{"Invalid bulk query: " + found[0].Message}
	}
	if len(operation.VariableDefinitions) > 0 {
		return []string{"Invalid bulk query: variables are not supported"}
	}
	b := &bulk{document: document}
	b.top(operation.SelectionSet)
	b.walk(operation.SelectionSet, place{})
	return b.messages()
}

// BulkMutation returns the messages with which bulkOperationRunMutation would refuse a mutation, none where it would run
// it over a file.
func (j *Judge) BulkMutation(mutation string) []string {
	if len(mutation) > maxBulkBytes {
		return []string{fmt.Sprintf("is too large (%d bytes; maximum is %d bytes)", len(mutation), maxBulkBytes)}
	}
	document, fault := parse(mutation)
	if fault != nil {
		return []string{"Failed to parse the mutation - " + fault.Message}
	}
	operation := document.Operations[0]
	if operation.Operation != ast.Mutation {
		return []string{"Invalid operation type. Only `mutation` operations are supported."}
	}
	if found := j.document(document); len(found) > 0 {
		return []string{"Failed to parse the mutation - " + found[0].Message}
	}
	b := &bulk{document: document}
	if len(b.fields(operation.SelectionSet)) != 1 {
		return []string{"You must specify a single top level mutation."}
	}
	b.walk(operation.SelectionSet, place{})
	if b.connections > 1 {
		return []string{"Bulk mutations cannot contain more than 1 connection."}
	}
	return nil
}

// bulk counts what a bulk query is judged by.
type bulk struct {
	document    *ast.QueryDocument
	roots       []string // top-level node and nodes fields
	connections int
	depth       int
	inList      bool
	paged       []string // connections that select nodes
	withoutID   []string // connections that hold others and whose nodes have no id
}

// place says where in a bulk query a selection stands.
type place struct {
	depth      int // connections around it
	list       bool
	connection string // the innermost one
	id         bool   // its node selects id
}

func (b *bulk) top(set ast.SelectionSet) {
	for _, field := range b.fields(set) {
		if field.Name == "node" || field.Name == "nodes" {
			b.roots = append(b.roots, field.Name)
		}
	}
}

func (b *bulk) walk(set ast.SelectionSet, in place) {
	for _, field := range b.fields(set) {
		if field.Definition == nil || len(field.SelectionSet) == 0 {
			continue
		}
		if !isConnection(field) {
			below := in
			below.list = in.list || field.Definition.Type.Elem != nil
			b.walk(field.SelectionSet, below)
			continue
		}
		b.connections++
		b.depth = max(b.depth, in.depth)
		b.inList = b.inList || in.list
		if in.depth > 0 && !in.id {
			b.withoutID = appendNew(b.withoutID, in.connection)
		}
		b.connection(field, in)
	}
}

// connection goes on below a connection, by edges and node alone.
func (b *bulk) connection(field *ast.Field, in place) {
	for _, part := range b.fields(field.SelectionSet) {
		if part.Name == "nodes" {
			b.paged = appendNew(b.paged, field.Name)
		}
		if part.Name != "edges" {
			continue
		}
		for _, edge := range b.fields(part.SelectionSet) {
			if edge.Name == "node" {
				b.walk(edge.SelectionSet, place{depth: in.depth + 1, connection: field.Name, id: b.selectsID(edge.SelectionSet)})
			}
		}
	}
}

func (b *bulk) selectsID(set ast.SelectionSet) bool {
	for _, field := range b.fields(set) {
		if field.Name == "id" && field.Alias == "id" && field.Definition.Type.NamedType == "ID" {
			return true
		}
	}
	return false
}

func (b *bulk) messages() []string {
	var out []string
	for _, root := range b.roots {
		out = append(out, fmt.Sprintf("Bulk queries cannot contain a top level `%s` field.", root))
	}
	if b.connections == 0 {
		out = append(out, "Bulk queries must contain at least one connection.")
	}
	if b.connections > maxBulkConnections {
		out = append(out, fmt.Sprintf("Bulk queries cannot contain more than %d connections.", maxBulkConnections))
	}
	if b.depth > maxBulkDepth {
		out = append(out, fmt.Sprintf("Bulk queries cannot contain connections with a nesting depth greater than %d.", maxBulkDepth))
	}
	if b.inList {
		out = append(out, "Queries that contain a connection field within a list field are not currently supported.")
	}
	if len(b.paged) > 0 {
		out = append(out, fmt.Sprintf("All connection fields in a bulk query must select their contents using 'edges' > 'node', e.g: "+
			"'%s { edges { node {'. Selecting via 'nodes' is not supported. Invalid connection fields: '%s'.",
			b.paged[0], strings.Join(b.paged, "', '")))
	}
	if len(b.withoutID) > 0 {
		out = append(out, "The parent 'node' field for a nested connection must select the 'id' field without an alias and must be of 'ID' "+
			"return type. Connection fields without 'id': "+strings.Join(b.withoutID, ", ")+".")
	}
	return out
}

// fields are the fields of a selection, those of its fragments among them.
func (b *bulk) fields(set ast.SelectionSet) []*ast.Field {
	var out []*ast.Field
	for _, selection := range set {
		switch s := selection.(type) {
		case *ast.Field:
			out = append(out, s)
		case *ast.InlineFragment:
			out = append(out, b.fields(s.SelectionSet)...)
		case *ast.FragmentSpread:
			out = append(out, b.fields(b.document.Fragments.ForName(s.Name).SelectionSet)...)
		}
	}
	return out
}

func isConnection(field *ast.Field) bool {
	return field.Definition.Type.Elem == nil && strings.HasSuffix(field.Definition.Type.NamedType, "Connection")
}

func appendNew(list []string, name string) []string {
	for _, known := range list {
		if known == name {
			return list
		}
	}
	return append(list, name)
}
