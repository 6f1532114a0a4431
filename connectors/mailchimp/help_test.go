package mailchimp

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"net/http"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/perennial-cvo/perennial/connectors"
	"github.com/perennial-cvo/perennial/connectors/httpapi"
	"github.com/perennial-cvo/perennial/connectors/mailchimp/mailchimptest"
)

// background is the context of a test, or of one run of a property.
func background(t require.TestingT) context.Context {
	if of, is := t.(*testing.T); is {
		return of.Context()
	}
	return context.Background()
}

func response(status int, body []byte, isJSON bool) httpapi.Response {
	return httpapi.Response{Status: status, Body: body, JSON: isJSON}
}

// crowdOf lets so many people subscribe, and returns them.
func (b *bench) crowdOf(n int) []connectors.Person {
	var people []connectors.Person
	for i := range n {
		p := connectors.Person{ID: int64(10_000 + i), Email: fmt.Sprintf("many%d@example.com", i)}
		b.Add(p.Email, mailchimptest.Subscribed)
		people = append(people, p)
	}
	return people
}

func joinAll(people []connectors.Person, audiences ...connectors.Audience) []connectors.Change {
	var all []connectors.Change
	for _, p := range people {
		all = append(all, join(p, audiences...))
	}
	return all
}

// usual are the batch sizes of the connector.
var usual = connectors.Settings{"batch": largestBatch, "tag_batch": largestTagBatch, "bulk_from": defaultBulkFrom}

// peek reads a request's body and puts it back.
func peek(t *testing.T, r *http.Request) string {
	t.Helper()
	body, err := io.ReadAll(r.Body)
	require.NoError(t, err)
	r.Body = io.NopCloser(bytes.NewReader(body))
	return string(body)
}
