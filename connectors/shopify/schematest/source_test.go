package schematest

import (
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/stretchr/testify/require"
	"github.com/vektah/gqlparser/v2"
	"github.com/vektah/gqlparser/v2/ast"
)

func TestLoad(t *testing.T) {
	for _, version := range Versions() {
		t.Run(version, func(t *testing.T) {
			schema := Load(t, version)
			require.Equal(t, "QueryRoot", schema.Query.Name)
			require.Equal(t, "Mutation", schema.Mutation.Name)
			require.NotNil(t, schema.Types["Order"].Fields.ForName("totalPriceSet"))
			require.Greater(t, len(schema.Types), 3000)
			require.Same(t, schema, Load(t, version), "a schema is loaded once in a process")
		})
	}
}

// outline is what of a schema decides whether a document is valid.
func outline(schema *ast.Schema) map[string]string {
	out := map[string]string{}
	for name, t := range schema.Types {
		if t.BuiltIn || strings.HasPrefix(name, "__") {
			continue
		}
		out[name] = string(t.Kind) + " implements " + strings.Join(sorted(t.Interfaces), ",") + " of " + strings.Join(sorted(t.Types), ",")
		for _, directive := range t.Directives {
			out[name] += " @" + directive.Name
		}
		for _, field := range t.Fields {
			out[name+"."+field.Name] = field.Type.String() + " default " + field.DefaultValue.String()
			for _, argument := range field.Arguments {
				out[name+"."+field.Name+"("+argument.Name+")"] = argument.Type.String() + " default " + argument.DefaultValue.String()
			}
		}
		for _, value := range t.EnumValues {
			out[name+" = "+value.Name] = ""
		}
	}
	for name, directive := range schema.Directives {
		out["@"+name] = directive.Name
	}
	return out
}

func sorted(list []string) []string {
	list = slices.Clone(list)
	slices.Sort(list)
	return list
}

// TestPackageSource fetches the schema by npm and holds it against the reference's.
func TestPackageSource(t *testing.T) {
	for _, version := range Versions() {
		t.Run(version, func(t *testing.T) {
			text, err := packageSource(version)
			StopWithout(t, err)
			fetched, err := gqlparser.LoadSchema(&ast.Source{Input: text})
			require.NoError(t, err)
			if os.Getenv("PERENNIAL_REFERENCE_DIR") == "" {
				require.Greater(t, len(fetched.Types), 3000)
				return
			}
			require.Empty(t, cmp.Diff(outline(Load(t, version)), outline(fetched)))
		})
	}
}

func TestSourceFollowsTheEnvironment(t *testing.T) {
	if _, err := packageSource("2026-07"); err != nil {
		StopWithout(t, err)
	}
	t.Setenv("PERENNIAL_REFERENCE_DIR", "")
	text, err := source("2026-07")
	require.NoError(t, err)
	require.True(t, strings.HasPrefix(text, "schema {\n  query: QueryRoot\n"))
}

// TestFetchWithoutNpm has neither a cache nor npm.
func TestFetchWithoutNpm(t *testing.T) {
	t.Setenv("XDG_CACHE_HOME", t.TempDir())
	t.Setenv("HOME", t.TempDir())
	t.Setenv("PATH", t.TempDir())
	_, err := packageSource("2026-07")
	var missing *Missing
	require.ErrorAs(t, err, &missing)
	require.ErrorContains(t, err, "PERENNIAL_REFERENCE_DIR")
}

// TestFetchChecksTheSum lets npm deliver something else.
func TestFetchChecksTheSum(t *testing.T) {
	tar, err := os.Stat("/bin/tar")
	if err != nil || tar.IsDir() {
		t.Skip("the invented npm packs with /bin/tar, which is not there")
	}
	t.Setenv("XDG_CACHE_HOME", t.TempDir())
	t.Setenv("HOME", t.TempDir())
	bin := t.TempDir()
	script := "#!/bin/sh\nfor last; do :; done\nmkdir -p package/dist/data && echo other | gzip >package/dist/data/admin_2026-07.json.gz && tar czf \"$last/x.tgz\" package\n"
	require.NoError(t, os.WriteFile(filepath.Join(bin, "npm"), []byte(script), 0o755))
	t.Setenv("PATH", bin+":/bin:/usr/bin")
	_, err = packageSource("2026-07")
	require.ErrorContains(t, err, "its sum is")
	var missing *Missing
	require.NotErrorAs(t, err, &missing, "a wrong sum fails the test, it does not skip it")
	kept, err := filepath.Glob(filepath.Join(os.Getenv("XDG_CACHE_HOME"), "perennial-test", "*", "*"))
	require.NoError(t, err)
	require.Empty(t, kept, "nothing wrong is kept")
}

// stopped is a test that notes how it was ended.
type stopped struct {
	testing.TB
	skipped, failed bool
}

func (*stopped) Helper()        {}
func (s *stopped) Skip(...any)  { s.skipped = true }
func (s *stopped) Fatal(...any) { s.failed = true }

func TestSkipIsForbiddenWhereAllMustBeThere(t *testing.T) {
	schema := &Missing{What: "schema", Err: os.ErrNotExist}
	recordings := &Missing{What: "recordings", Err: os.ErrNotExist, Reference: true}
	for _, c := range []struct {
		required, ci    string
		err             error
		skipped, failed bool
	}{
		{"", "", nil, false, false},
		{"", "", schema, true, false},
		{"", "", recordings, true, false},
		{"1", "", schema, false, true},
		{"1", "", recordings, false, true},
		{"", "true", schema, false, true},
		{"", "true", recordings, true, false},
		{"", "", os.ErrInvalid, false, true},
	} {
		t.Setenv("PERENNIAL_REQUIRE_REFERENCE", c.required)
		t.Setenv("CI", c.ci)
		s := &stopped{}
		StopWithout(s, c.err)
		require.Equal(t, [2]bool{c.skipped, c.failed}, [2]bool{s.skipped, s.failed}, "%q %q %v", c.required, c.ci, c.err)
	}
}
