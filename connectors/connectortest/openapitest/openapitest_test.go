package openapitest_test

import (
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"testing"

	"github.com/getkin/kin-openapi/routers"
	"github.com/stretchr/testify/require"

	"github.com/perennial-cvo/perennial/connectors/connectortest/openapitest"
)

// small is an API with one operation behind a base path and a host that no fake has.
const small = `{
	"openapi": "3.0.2", "info": {"title": "small", "version": "1"},
	"servers": [{"url": "https://{place}.example.com/v3", "variables": {"place": {"default": "a"}}}],
	"security": [{"key": []}],
	"components": {"securitySchemes": {"key": {"type": "apiKey", "in": "header", "name": "api-key"}}},
	"paths": {"/things/{id}": {"post": {
		"parameters": [
			{"name": "id", "in": "path", "required": true, "schema": {"type": "string"}},
			{"name": "page[size]", "in": "query", "schema": {"type": "integer", "maximum": 100}},
			{"name": "revision", "in": "header", "required": true, "schema": {"type": "string"}}],
		"requestBody": {"required": true, "content": {"application/vnd.api+json": {"schema": {
			"type": "object", "required": ["name"], "properties": {"name": {"type": "string"}}}}}},
		"responses": {"201": {"description": "made", "content": {"application/vnd.api+json": {"schema": {
			"type": "object", "required": ["id"], "properties": {"id": {"type": "string"}}}}}}}
	}}}
}`

// exchange is one request with its answer, right as it stands.
type exchange struct {
	method, path, query, body string
	request, answer           http.Header
	status                    int
	answered                  string
}

func right() exchange {
	return exchange{
		method: http.MethodPost, path: "/v3/things/7", query: "page[size]=10", body: `{"name":"x"}`,
		request: http.Header{"Revision": {"1"}, "Api-Key": {"k"}, "Content-Type": {"application/vnd.api+json"}},
		answer:  http.Header{"Content-Type": {"application/vnd.api+json"}}, status: 201, answered: `{"id":"7"}`,
	}
}

func write(t *testing.T) {
	t.Helper()
	folder := t.TempDir()
	require.NoError(t, os.Mkdir(filepath.Join(folder, "specs"), 0o755))
	require.NoError(t, os.WriteFile(filepath.Join(folder, "specs", "small.json"), []byte(small), 0o600))
	t.Setenv("PERENNIAL_REFERENCE_DIR", folder)
}

func TestCheck(t *testing.T) {
	write(t)
	v := openapitest.New(t, "small.json")
	for name, c := range map[string]struct {
		change func(*exchange)
		want   string
	}{
		"all is right":        {func(*exchange) {}, ""},
		"a refusal not known": {func(e *exchange) { e.status, e.answered, e.answer = 429, "", http.Header{} }, ""},
		"a success not known": {func(e *exchange) { e.status = 202 }, "status is not supported"},
		"another base path":   {func(e *exchange) { e.path = "/things/7" }, "no matching operation"},
		"another method":      {func(e *exchange) { e.method = http.MethodDelete }, "method not allowed"},
		"no header":           {func(e *exchange) { e.request.Del("Revision") }, "revision"},
		"no credentials":      {func(e *exchange) { e.request.Del("Api-Key") }, "no credentials"},
		"a page too long":     {func(e *exchange) { e.query = "page[size]=101" }, "number must be at most 100"},
		"a mistyped question": {func(e *exchange) { e.query = "pagesize=10" }, `"pagesize" is not in the file`},
		"a body of its own":   {func(e *exchange) { e.body = `{"title":"x"}` }, `property "name" is missing`},
		"no body":             {func(e *exchange) { e.body = "" }, "value is required"},
		"another type":        {func(e *exchange) { e.request.Set("Content-Type", "text/csv") }, "Content-Type"},
		"a strange answer":    {func(e *exchange) { e.answered = `{"id":7}` }, "value must be a string"},
		"an untyped answer":   {func(e *exchange) { e.answer = http.Header{} }, "Content-Type"},
	} {
		t.Run(name, func(t *testing.T) {
			e := right()
			c.change(&e)
			r := httptest.NewRequest(e.method, e.path, nil)
			r.URL.RawQuery, r.Header = e.query, e.request
			err := v.Check(r, []byte(e.body), e.status, e.answer, []byte(e.answered))
			if c.want == "" {
				require.NoError(t, err)
				return
			}
			require.ErrorContains(t, err, c.want)
		})
	}
}

// TestFilesLoad reads every file that the connectors are judged by.
func TestFilesLoad(t *testing.T) {
	for file, path := range map[string]string{
		"klaviyo-trimmed.json":     "/api/lists",
		"klaviyo.json.gz":          "/api/lists",
		"mailchimp-trimmed.json":   "/3.0/lists",
		"brevo-trimmed-fixed.json": "/v3/contacts/lists",
	} {
		t.Run(file, func(t *testing.T) {
			v := openapitest.New(t, file)
			asked := func(path string) error {
				return v.Check(httptest.NewRequest(http.MethodGet, path, nil), nil, http.StatusOK, http.Header{}, nil)
			}
			require.ErrorIs(t, asked("/nowhere"), routers.ErrPathNotFound)
			require.ErrorContains(t, asked(path), "no credentials", "the path is known, and the request is judged")
		})
	}
}

// stopped records how a test would have ended.
type stopped struct {
	testing.TB
	skipped, failed bool
}

func (*stopped) Helper()                 {}
func (s *stopped) Skip(...any)           { s.skipped = true; panic(s) }
func (s *stopped) Fatal(...any)          { s.failed = true; panic(s) }
func (s *stopped) Fatalf(string, ...any) { s.failed = true; panic(s) }

func TestMissingFilesSkipOrFail(t *testing.T) {
	end := func(file string) *stopped {
		s := &stopped{}
		func() {
			defer func() { require.Same(t, s, recover()) }()
			openapitest.New(s, file)
		}()
		return s
	}
	t.Setenv("PERENNIAL_REFERENCE_DIR", "")
	t.Setenv("PERENNIAL_REQUIRE_REFERENCE", "")
	require.True(t, end("small.json").skipped)
	t.Setenv("PERENNIAL_REQUIRE_REFERENCE", "1")
	require.True(t, end("small.json").failed)
	t.Setenv("PERENNIAL_REQUIRE_REFERENCE", "")
	t.Setenv("PERENNIAL_REFERENCE_DIR", t.TempDir())
	require.True(t, end("small.json").failed, "a folder that is named must hold the files")
}
