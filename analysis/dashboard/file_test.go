package dashboard

import (
	"bytes"
	"regexp"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/perennial-cvo/perennial/analysis/report"
)

// written is the file for reports.
func writtenFile(t *testing.T, reports ...report.Report) string {
	t.Helper()
	var b bytes.Buffer
	require.NoError(t, WriteFile(&b, reports...))
	return b.String()
}

// withoutStyle leaves out the style sheet, which changes often and says nothing.
func withoutStyle(t *testing.T, file string) string {
	t.Helper()
	before, rest, found := strings.Cut(file, "<style>")
	_, after, closed := strings.Cut(rest, "</style>")
	require.True(t, found && closed)
	return before + "<style></style>" + after
}

func TestFile(t *testing.T) {
	r, _ := told(t)
	file := writtenFile(t, r)
	require.Equal(t, file, writtenFile(t, r), "the same report makes the same file")
	golden(t, "file.html", []byte(withoutStyle(t, file)))
}

// TestFileStandsByItself: nothing comes from elsewhere, nothing leads anywhere, nothing is run.
func TestFileStandsByItself(t *testing.T) {
	r, _ := told(t)
	other := r
	other.Overview.Store = "coffee"
	for _, reports := range [][]report.Report{nil, {r}, {r, other}, {{}}, {{Overview: report.Overview{Store: "new", Loaded: true}}}} {
		file := writtenFile(t, reports...)
		for _, bad := range []string{"<script", "javascript:", "<img", "<iframe", "<form", "url(", "@import", "http://", "https://", " on", `href="/`, "src="} {
			if bad == " on" {
				require.NotRegexp(t, `<[^>]*\son[a-z]+=`, file)
				continue
			}
			require.NotContains(t, strings.ReplaceAll(file, "http-equiv", ""), bad)
		}
		require.NotContains(t, withoutStyle(t, file), "style=")
		seen := map[string]bool{}
		for _, led := range regexp.MustCompile(`href="([^"]*)"`).FindAllStringSubmatch(file, -1) {
			name, inside := strings.CutPrefix(led[1], "#")
			require.True(t, inside, led[1])
			require.Contains(t, file, ` id="`+name+`"`)
		}
		for _, id := range regexp.MustCompile(` id="([^"]*)"`).FindAllStringSubmatch(file, -1) {
			require.False(t, seen[id[1]], "the id %s stands twice", id[1])
			seen[id[1]] = true
		}
	}
}

// TestFileTellsOfNobody: the records that cannot be read name people by their ids, and are the only ones in a report that do.
func TestFileTellsOfNobody(t *testing.T) {
	r, _ := told(t)
	r.Quarantined = []report.Quarantined{{Resource: "customers", ID: "gid-4711", Reason: "address ada@example.com"}}
	file := withoutStyle(t, writtenFile(t, r))
	require.NotContains(t, file, "4711")
	require.NotContains(t, file, "@")
}

func TestFileTakesNamesForText(t *testing.T) {
	r, _ := told(t)
	r.Overview.Store, r.Overview.Shop = `<script>alert(1)</script>`, `"><img src=x>`
	r.Segments.Rows[0].Name = `</style><b>x</b>`
	file := writtenFile(t, r)
	require.NotContains(t, file, "<script")
	require.NotContains(t, file, "<img")
	require.NotContains(t, file, "<b>x")
	require.Equal(t, 1, strings.Count(file, "</style>"))
}

// TestFileHasEverySection: every page that is about all customers has its part of the file.
func TestFileHasEverySection(t *testing.T) {
	all, err := parse()
	require.NoError(t, err)
	var missing []string
	for _, part := range sections() {
		if all[part.Address] != nil && all["file"].Lookup("section-"+part.Address) == nil {
			missing = append(missing, part.Address)
		}
	}
	require.Empty(t, missing)
	for _, one := range all["file"].Templates() {
		name, is := strings.CutPrefix(one.Name(), "section-")
		require.True(t, !is || knownSection(name), "section-%s is in no file", name)
	}
}

func knownSection(name string) bool {
	for _, part := range sections() {
		if part.Address == name {
			return true
		}
	}
	return false
}
