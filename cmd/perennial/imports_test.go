package main

import (
	"go/parser"
	"go/token"
	"io/fs"
	"path"
	"path/filepath"
	"strconv"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

const module = "github.com/perennial-cvo/perennial/"

// importRules is the table of docs/architecture.md: which of our own packages a package may import. Patterns are matched
// by path.Match; the first rule whose package matches decides, so fakes come before connectors.
var importRules = []struct {
	pkg string
	may []string
}{
	{"connectors/commerce", nil},
	{"config/secret", nil},
	{"sync/schedule", nil},
	{"sync/postgres/embedded", nil},
	{"config", []string{"config/secret"}},
	{"connectors", []string{"connectors/commerce", "config/secret"}},
	{"connectors/simulator", []string{"connectors", "connectors/commerce", "config/secret"}},
	{"connectors/httpapi", []string{"connectors", "config/secret"}},
	{"connectors/connectortest", []string{"connectors", "connectors/commerce", "connectors/simulator"}},
	{"connectors/all", []string{"connectors", "connectors/*"}},
	{"connectors/reviews", []string{"connectors", "connectors/commerce"}},
	{"connectors/*/*test", []string{"connectors/commerce", "connectors/simulator", "connectors/reviews/reviewstest"}},
	{"connectors/*", []string{"connectors", "connectors/commerce", "connectors/httpapi", "config/secret", "connectors/reviews"}},
	{"sync/ingest", []string{"connectors", "connectors/commerce"}},
	{"sync/activation", []string{"connectors", "connectors/commerce"}},
	{"sync/postgres/postgrestest", []string{"sync/postgres", "sync/postgres/embedded", "config/secret"}},
	{"sync/postgres", []string{
		"connectors", "connectors/commerce", "config/secret", "sync/ingest", "sync/activation", "sync/schedule",
		"analysis", "analysis/*",
	}},
	{"analysis", []string{"connectors/commerce", "analysis/rfm", "analysis/segment", "analysis/clv", "analysis/retention", "analysis/product", "analysis/value", "analysis/experiment"}},
	{"analysis/report", []string{
		"connectors/commerce", "analysis", "analysis/*", "sync/ingest", "sync/activation", "sync/schedule",
	}},
	{"analysis/dashboard", []string{
		"connectors/commerce", "analysis", "analysis/*", "sync/ingest", "sync/activation", "sync/schedule",
	}},
	{"analysis/*", []string{"connectors/commerce"}},
	{"cmd/shopsim", []string{"connectors/commerce", "connectors/simulator", "connectors/*/*test"}},
	{"cmd/perennial/browsertest", nil},
	{"cmd/perennial/faulttest", []string{"*", "*/*", "*/*/*"}},
	{"cmd/perennial", []string{"config", "config/*", "connectors", "connectors/*", "sync/*", "sync/postgres/embedded", "analysis", "analysis/*"}},
}

// notForMain are packages that only tests and the simulator's own command may use, whatever a pattern above allows.
var notForMain = []string{"connectors/connectortest", "connectors/simulator", "sync/postgres/postgrestest"}

// testsAlso may be imported by any test.
var testsAlso = []string{"connectors/connectortest", "connectors/simulator", "connectors/*/*test", "sync/postgres/postgrestest"}

func TestImports(t *testing.T) {
	root := filepath.Join("..", "..")
	seen := map[string]bool{}
	err := filepath.WalkDir(root, func(file string, entry fs.DirEntry, err error) error {
		require.NoError(t, err)
		if entry.IsDir() {
			if name := entry.Name(); name == "testdata" || strings.HasPrefix(name, ".") && len(name) > 2 {
				return fs.SkipDir
			}
			return nil
		}
		if !strings.HasSuffix(file, ".go") {
			return nil
		}
		relative, err := filepath.Rel(root, file)
		require.NoError(t, err)
		checkImports(t, file, filepath.ToSlash(relative))
		seen[path.Dir(filepath.ToSlash(relative))] = true
		return nil
	})
	require.NoError(t, err)
	require.Greater(t, len(seen), 15, "the walk found too few packages to mean anything")
}

func checkImports(t *testing.T, file, relative string) {
	t.Helper()
	parsed, err := parser.ParseFile(token.NewFileSet(), file, nil, parser.ImportsOnly)
	require.NoError(t, err)
	pkg, test := path.Dir(relative), strings.HasSuffix(relative, "_test.go")
	for _, spec := range parsed.Imports {
		name, err := strconv.Unquote(spec.Path.Value)
		require.NoError(t, err)
		imported, ours := strings.CutPrefix(name, module)
		if !ours || imported == pkg {
			continue
		}
		if !mayImport(pkg, imported, test) {
			t.Errorf("%s imports %s: the table of docs/architecture.md does not allow it", relative, imported)
		}
	}
}

// mayImport answers from the table. A test of the database, of a command or of a connector against it composes the house
// and may import what it composes; everywhere else tests get what their package gets, and the test packages.
func mayImport(pkg, imported string, test bool) bool {
	if test {
		if matchesAny(testsAlso, imported) || composes(pkg) {
			return true
		}
	} else if pkg == "cmd/perennial" && (matchesAny(notForMain, imported) || strings.HasSuffix(imported, "test") && strings.Count(imported, "/") == 2) {
		return false
	}
	for _, rule := range importRules {
		if ok, _ := path.Match(rule.pkg, pkg); ok {
			return matchesAny(rule.may, imported)
		}
	}
	return false
}

func composes(pkg string) bool {
	return strings.HasPrefix(pkg, "cmd/") || strings.HasPrefix(pkg, "sync/") || pkg == "connectors/csvfile" || pkg == "deploy"
}

func matchesAny(patterns []string, name string) bool {
	for _, pattern := range patterns {
		if ok, _ := path.Match(pattern, name); ok {
			return true
		}
	}
	return false
}

// TestImportRulesBite shows that the table refuses what it should.
func TestImportRulesBite(t *testing.T) {
	for _, c := range []struct {
		pkg, imported string
		test, allowed bool
	}{
		{"connectors/commerce", "connectors", false, false},
		{"connectors/woocommerce", "connectors/httpapi", false, true},
		{"connectors/woocommerce", "connectors/listmonk", false, false},
		{"connectors/woocommerce", "sync/postgres", false, false},
		{"connectors/woocommerce/woocommercetest", "connectors", false, false},
		{"connectors/woocommerce", "connectors/woocommerce/woocommercetest", false, false},
		{"connectors/woocommerce", "connectors/woocommerce/woocommercetest", true, true},
		{"analysis/rfm", "analysis/segment", false, false},
		{"analysis", "sync/postgres", false, false},
		{"cmd/perennial", "connectors/simulator", false, false},
		{"cmd/perennial", "connectors/listmonk/listmonktest", false, false},
		{"cmd/perennial", "sync/postgres", false, true},
		{"nowhere", "connectors", false, false},
	} {
		require.Equal(t, c.allowed, mayImport(c.pkg, c.imported, c.test), "%s imports %s (test %t)", c.pkg, c.imported, c.test)
	}
}
