// Package schematest brings Shopify's own Admin schema into tests: it loads the schema of a version, judges requests as
// Shopify judges them, checks answers against the document that asked for them, and knows what a bulk query may hold.
// The schema is not part of this repository; see Load for where it comes from.
package schematest

import (
	"errors"
	"fmt"
	"os"
	"sync"
	"testing"

	"github.com/vektah/gqlparser/v2"
	"github.com/vektah/gqlparser/v2/ast"
)

// Versions are the API versions that Load knows, oldest first.
func Versions() []string { return []string{"2026-07", "2026-10"} }

// loaded keeps the schema of each version for the life of the process, because reading one takes a good part of a second
// and tens of megabytes. Nobody changes a schema that was loaded.
var loaded = map[string]func() (*ast.Schema, error){
	"2026-07": sync.OnceValues(func() (*ast.Schema, error) { return load("2026-07") }),
	"2026-10": sync.OnceValues(func() (*ast.Schema, error) { return load("2026-10") }),
}

// Load returns the Admin schema of a version. It is read from the folder specs of PERENNIAL_REFERENCE_DIR where that is
// set, else from a pinned package that npm fetches once and whose sum is checked. Where neither can be had the test is
// skipped, saying why; under PERENNIAL_REQUIRE_REFERENCE=1 and in CI it fails instead.
func Load(t testing.TB, version string) *ast.Schema {
	t.Helper()
	get, known := loaded[version]
	if !known {
		t.Fatalf("no schema is known for version %q", version)
	}
	schema, err := get()
	StopWithout(t, err)
	return schema
}

// SDL returns the text of the schema that Load would load, for programs that are not written in Go.
func SDL(t testing.TB, version string) string {
	t.Helper()
	text, err := source(version)
	StopWithout(t, err)
	return text
}

func load(version string) (*ast.Schema, error) {
	text, err := source(version)
	if err != nil {
		return nil, err
	}
	schema, err := gqlparser.LoadSchema(&ast.Source{Name: "admin-" + version + ".graphql", Input: text})
	if err != nil {
		return nil, fmt.Errorf("schema %s: %w", version, err)
	}
	return schema, nil
}

// StopWithout ends the test where err says that something is not to be had: by a skip, unless a skip is forbidden. Any
// other error fails it.
func StopWithout(t testing.TB, err error) {
	t.Helper()
	var missing *Missing
	switch {
	case err == nil:
	case errors.As(err, &missing) && !missing.mayNot():
		t.Skip(err)
	default:
		t.Fatal(err)
	}
}

// Missing is the error of something from outside that a test wants and this machine cannot give.
type Missing struct {
	What string // such as "Shopify's schema 2026-07"
	Err  error  // why
	// Reference is true for what only the reference holds, Package for what only npm gives. CI demands all that npm gives.
	Reference, Package bool
}

// mayNot says that nothing may be missing here.
func (m *Missing) mayNot() bool {
	return os.Getenv("PERENNIAL_REQUIRE_REFERENCE") == "1" || !m.Reference && os.Getenv("CI") != ""
}

// Error says what is missing, why, and how to give it.
func (m *Missing) Error() string {
	how := "set PERENNIAL_REFERENCE_DIR, or install npm and be online"
	switch {
	case m.Reference:
		how = "set PERENNIAL_REFERENCE_DIR"
	case m.Package:
		how = "install node and npm, and be online"
	}
	return fmt.Sprintf("%s is not to be had: %s: %v", m.What, how, m.Err)
}

// Unwrap returns why.
func (m *Missing) Unwrap() error { return m.Err }
