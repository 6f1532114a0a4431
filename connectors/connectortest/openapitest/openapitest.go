// Package openapitest judges what a connector asks and what its fake answers by the platform's own OpenAPI file. The
// files are not part of this repository; see New for where they come from. What a file says in prose only, such as how
// many people one call may hold, it cannot judge: that is the fake's duty.
package openapitest

import (
	"bytes"
	"compress/gzip"
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"

	"github.com/getkin/kin-openapi/openapi3"
	"github.com/getkin/kin-openapi/openapi3filter"
	"github.com/getkin/kin-openapi/routers"
	"github.com/getkin/kin-openapi/routers/gorillamux"
)

// Validator judges exchanges by one file. It is safe for concurrent use.
type Validator struct{ router routers.Router }

// loaded keeps the router of each file for the life of the process: reading one takes up to a second.
var loaded sync.Map // from path to func() (routers.Router, error)

// New returns the validator for a file of the folder specs in PERENNIAL_REFERENCE_DIR, which may be gzipped. Where the
// variable is unset the test is skipped, saying why; under PERENNIAL_REQUIRE_REFERENCE=1 it fails instead, and so it does
// wherever the file cannot be read.
func New(tb testing.TB, file string) *Validator {
	tb.Helper()
	folder := os.Getenv("PERENNIAL_REFERENCE_DIR")
	if folder == "" {
		const why = "the OpenAPI files are not here: PERENNIAL_REFERENCE_DIR is unset"
		if os.Getenv("PERENNIAL_REQUIRE_REFERENCE") == "1" {
			tb.Fatal(why + ", and PERENNIAL_REQUIRE_REFERENCE demands them")
		}
		tb.Skip(why)
	}
	path := filepath.Join(folder, "specs", file)
	once, _ := loaded.LoadOrStore(path, sync.OnceValues(func() (routers.Router, error) { return load(path) }))
	router, err := once.(func() (routers.Router, error))()
	if err != nil {
		tb.Fatalf("OpenAPI file %s: %v", file, err)
	}
	return &Validator{router: router}
}

// load reads a file and makes its paths findable under any host.
func load(path string) (routers.Router, error) {
	text, err := read(path)
	if err != nil {
		return nil, err
	}
	doc, err := openapi3.NewLoader().LoadFromData(text)
	if err != nil {
		return nil, err
	}
	for _, server := range doc.Servers {
		if server.URL, err = basePath(server.URL); err != nil {
			return nil, err
		}
		server.Variables = nil
	}
	return gorillamux.NewRouter(doc)
}

func read(path string) ([]byte, error) {
	file, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	defer file.Close() //nolint:errcheck // it was only read
	if !strings.HasSuffix(path, ".gz") {
		return io.ReadAll(file)
	}
	unpacked, err := gzip.NewReader(file)
	if err != nil {
		return nil, err
	}
	return io.ReadAll(unpacked)
}

// basePath returns the path under which a server has its API: a fake has another host.
func basePath(server string) (string, error) {
	_, rest, found := strings.Cut(server, "://")
	if !found {
		rest = server
	}
	if at := strings.IndexByte(rest, '/'); found && at < 0 {
		return "/", nil
	} else if found {
		rest = rest[at:]
	}
	parsed, err := url.Parse(rest)
	if err != nil {
		return "", err
	}
	return "/" + strings.Trim(parsed.Path, "/"), nil
}

// Check judges one exchange and returns what is wrong with it: a path, method, parameter, header or body that the file
// does not allow, credentials that are missing where it demands some, or an answer in another shape than it promises. An
// answer of 400 and above whose status the file does not list is allowed, because few files list them all; one below is
// not.
func (v *Validator) Check(r *http.Request, requestBody []byte, status int, header http.Header, responseBody []byte) error {
	ctx := context.WithoutCancel(r.Context())
	asked := r.Clone(ctx)
	asked.Body = io.NopCloser(bytes.NewReader(requestBody))
	asked.ContentLength = int64(len(requestBody))
	route, params, err := v.router.FindRoute(asked)
	if err != nil {
		return fmt.Errorf("%s %s: %w", r.Method, r.URL.Path, err)
	}
	options := &openapi3filter.Options{
		AuthenticationFunc: authenticate, IncludeResponseStatus: status < http.StatusBadRequest, SkipSettingDefaults: true,
		RejectWhenRequestBodyNotSpecified: true,
	}
	options.WithCustomSchemaErrorFunc(brief)
	request := &openapi3filter.RequestValidationInput{Request: asked, PathParams: params, Route: route, Options: options}
	if err := openapi3filter.ValidateRequest(ctx, request); err != nil {
		return fmt.Errorf("request %s %s: %w", r.Method, route.Path, err)
	}
	if err := unknownParameter(route, asked); err != nil {
		return fmt.Errorf("request %s %s: %w", r.Method, route.Path, err)
	}
	response := &openapi3filter.ResponseValidationInput{
		RequestValidationInput: request, Status: status, Header: header, Options: options,
		Body: io.NopCloser(bytes.NewReader(responseBody)),
	}
	if err := openapi3filter.ValidateResponse(ctx, response); err != nil {
		return fmt.Errorf("answer %d to %s %s: %w", status, r.Method, route.Path, err)
	}
	return nil
}

// brief says where a value is wrong and why, without the schema and the value, which fill pages.
func brief(err *openapi3.SchemaError) string {
	return fmt.Sprintf("/%s: %s", strings.Join(err.JSONPointer(), "/"), err.Reason)
}

// authenticate demands that credentials stand where the file wants them. Whether they are right is the fake's to say.
func authenticate(_ context.Context, input *openapi3filter.AuthenticationInput) error {
	r, scheme := input.RequestValidationInput.Request, input.SecurityScheme
	there := r.Header.Get("Authorization") != ""
	if scheme.Type == "apiKey" {
		switch scheme.In {
		case "header":
			there = r.Header.Get(scheme.Name) != ""
		case "query":
			there = r.URL.Query().Has(scheme.Name)
		}
	}
	if !there {
		return errors.New("no credentials")
	}
	return nil
}

// unknownParameter refuses query parameters that the file does not know: a platform ignores them, so a typing error
// would pass unseen.
func unknownParameter(route *routers.Route, r *http.Request) error {
	known := map[string]bool{}
	for _, list := range []openapi3.Parameters{route.PathItem.Parameters, route.Operation.Parameters} {
		for _, p := range list {
			known[p.Value.Name] = known[p.Value.Name] || p.Value.In == openapi3.ParameterInQuery
		}
	}
	for name := range r.URL.Query() {
		if !known[name] && !known[strings.TrimSuffix(name, "[]")] {
			return fmt.Errorf("the parameter %q is not in the file", name)
		}
	}
	return nil
}
