// Package shopifytest is a fake Shopify shop. It answers GraphQL over an invented shop of package simulator as recorded
// shops do: cost and leaky bucket, bulk operations and their files, search with its whole-day filter and index lag,
// expiring tokens, tags, metafields and segments. It can be told to misbehave, and it remembers what it was asked.
package shopifytest

import (
	"encoding/json"

	_ "github.com/vektah/gqlparser/v2/ast" // the documents that it is asked are parsed, not guessed at
)

// Validator judges requests and answers by the true schema. Tests inject one; the demo runs without.
type Validator interface {
	// Request returns the errors that Shopify would answer a document with, none where it is valid.
	Request(query string, variables map[string]any) []json.RawMessage
	// Answer says what in the data of an answer the schema does not allow.
	Answer(query string, variables map[string]any, data json.RawMessage) error
}
