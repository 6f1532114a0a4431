package shopifytest

import (
	"bytes"
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"strconv"
	"unicode/utf8"

	"github.com/vektah/gqlparser/v2/ast"
)

// neverInBulk are mutations that cannot run in bulk.
var neverInBulk = map[string]bool{
	"bulkOperationRunMutation": true, "bulkOperationRunQuery": true, "bulkOperationCancel": true, "stagedUploadsCreate": true,
}

// runMutation starts a bulk mutation over an uploaded file. It is carried out once it is RUNNING.
func (s *Server) runMutation(args map[string]any, outcome FaultKind) (*object, []userError) {
	text, _ := args["mutation"].(string)         //nolint:errcheck // "" is refused
	path, _ := args["stagedUploadPath"].(string) //nolint:errcheck // "" is refused
	client, named := args["clientIdentifier"].(string)
	if named {
		if wrong := clientErrors(client); wrong != nil {
			return nil, wrong
		}
	}
	src, wrong := s.bulkMutationDocument(text)
	if wrong != nil {
		return nil, wrong
	}
	input, wrong := s.uploaded(path)
	if wrong != nil {
		return nil, wrong
	}
	return s.begin(&operation{typ: mutationType, text: text, outcome: outcome, document: src, input: input})
}

func clientErrors(client string) []userError {
	wrong := func(message string) []userError {
		return []userError{{field: []string{"clientIdentifier"}, message: message, code: "INVALID_MUTATION"}}
	}
	const shortest, longest = 10, 255
	switch n := utf8.RuneCountInString(client); {
	case n < shortest:
		return wrong(fmt.Sprintf("is too short (minimum is %d characters)", shortest))
	case n > longest:
		return wrong(fmt.Sprintf("is too long (maximum is %d characters)", longest))
	}
	return nil
}

// bulkMutationDocument reads a mutation and holds it against the rules for bulk mutations.
func (s *Server) bulkMutationDocument(text string) (*source, []userError) {
	if len(text) > longestDocument {
		message := fmt.Sprintf("is too large (%d bytes; maximum is %d bytes)", len(text), longestDocument)
		return nil, []userError{{field: []string{"query"}, message: message, code: "INVALID_MUTATION"}}
	}
	src, m := read(text, "")
	if m != nil {
		return nil, []userError{{message: "Failed to parse the mutation - " + m.message, code: "INVALID_MUTATION"}}
	}
	if src.operation.Operation != ast.Mutation {
		return nil, []userError{{message: "Invalid operation type. Only `mutation` operations are supported.", code: "INVALID_MUTATION"}}
	}
	wrong := func(message string) []userError { return []userError{{field: []string{"mutation"}, message: message}} }
	c := &compiler{fragments: src.fragments, variables: map[string]any{}}
	roots, err := c.collect(src.operation.SelectionSet, nil, nil, 0)
	if err != nil {
		return nil, wrong(err.Error())
	}
	var b bulkSurvey
	b.look(roots, 0, false)
	switch {
	case len(roots) != 1:
		return nil, wrong("You must specify a single top level mutation.")
	case neverInBulk[roots[0].name]:
		return nil, wrong("You must use an allowed mutation name.")
	case b.connections > 1:
		return nil, wrong("Bulk mutations cannot contain more than 1 connection.")
	}
	return src, nil
}

// carryOut runs a mutation for every line of its file, in another order than theirs.
func (s *Server) carryOut(o *operation) {
	var input [][]byte
	for _, line := range bytes.Split(o.input, []byte("\n")) {
		if len(bytes.TrimSpace(line)) > 0 {
			input = append(input, line)
		}
	}
	until := len(input)
	if o.outcome == BulkFailed || o.outcome == BulkTimeout || o.outcome == BulkDenied || o.outcome == BulkCanceled {
		until = (until + 1) / 2 // what had been done stays done
	}
	root, access := s.root(ast.Mutation, nil), s.may()
	order := rand.New(rand.NewPCG(uint64(o.id), 21)).Perm(len(input)) //nolint:gosec // an order that can be repeated
	lines := make([][]byte, 0, len(input))
	for _, at := range order[:until] {
		lines = append(lines, s.carryOutLine(o, input[at], at, &call{server: s, now: s.shop.Now(), access: access}, root))
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	o.lines, o.roots, o.ready = lines, len(lines), true
}

// carryOutLine runs the mutation with the variables of one line.
func (s *Server) carryOutLine(o *operation, input []byte, at int, c *call, root *object) []byte {
	end := `,"__lineNumber":` + strconv.Itoa(at) + `}`
	failed := func(m *mistake) []byte {
		b, err := json.Marshal([]any{m.json()})
		if err != nil {
			panic("shopifytest: line: " + err.Error())
		}
		return append(append([]byte(`{"errors":`), b...), end...)
	}
	var variables map[string]any
	decoder := json.NewDecoder(bytes.NewReader(input))
	decoder.UseNumber()
	if err := decoder.Decode(&variables); err != nil {
		return failed(&mistake{message: "Invalid JSON on line " + strconv.Itoa(at+1), code: "INVALID_JSON"})
	}
	d, m := o.document.with(variables)
	if m != nil {
		return failed(m)
	}
	x := &execution{call: c}
	x.run(root, d)
	s.judgeLine(o, variables, x, at)
	var line []byte
	if len(x.errors) > 0 {
		b, err := json.Marshal(x.errors)
		if err != nil {
			panic("shopifytest: line: " + err.Error())
		}
		line = append(append([]byte(`{"errors":`), b...), `,"data":`...)
	} else {
		line = append(line, `{"data":`...)
	}
	return append(append(line, escapeSlashes(x.out)...), end...)
}

// judgeLine lets the validator look at some of the lines.
func (s *Server) judgeLine(o *operation, variables map[string]any, x *execution, at int) {
	const sample = 50
	if s.opts.Validator == nil || x.broken || at >= sample {
		return
	}
	if wrong := s.opts.Validator.Request(o.text, variables); len(wrong) > 0 {
		s.violate(fmt.Errorf("bulk mutation line %d: %s", at, messageOf(wrong[0])))
		return
	}
	if err := s.opts.Validator.Answer(o.text, variables, x.out); err != nil {
		s.violate(fmt.Errorf("bulk mutation line %d: %w", at, err))
	}
}

func messageOf(wrong json.RawMessage) string {
	var e struct {
		Message string `json:"message"`
	}
	if err := json.Unmarshal(wrong, &e); err != nil {
		return string(wrong)
	}
	return e.Message
}
