package browsertest

import (
	"archive/tar"
	"compress/gzip"
	"crypto/sha512"
	"encoding/base64"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/chromedp/chromedp"
	"github.com/stretchr/testify/require"
)

// The checker of what people who cannot see or use a mouse need, and its sum.
const (
	axePackage = "axe-core@4.14.1"
	axeSum     = "FHfa+lmNjQZfJz1q8wKqIDwC6DExcHt/pkjNQb09a3NPjCKg2rhu5qb2S4r76ASyFNNtuFooJpZe37OgudVGtQ=="
)

// axe returns the checker's script, which npm fetches once.
func axe(t *testing.T) string {
	t.Helper()
	cache, err := os.UserCacheDir()
	if err != nil {
		cache = os.TempDir()
	}
	kept := filepath.Join(cache, "perennial", strings.ReplaceAll(axePackage, "@", "-")+".tgz")
	packed, err := os.ReadFile(kept)
	if err != nil {
		packed = fetchAxe(t)
		require.NoError(t, os.MkdirAll(filepath.Dir(kept), 0o755)) //nolint:gosec // nothing secret
		require.NoError(t, os.WriteFile(kept, packed, 0o600))
	}
	sum := sha512.Sum512(packed)
	require.Equal(t, axeSum, base64.StdEncoding.EncodeToString(sum[:]), "%s is not %s; delete it", kept, axePackage)
	return unpacked(t, kept, "package/axe.min.js")
}

func fetchAxe(t *testing.T) []byte {
	t.Helper()
	npm, err := exec.LookPath("npm")
	if err != nil {
		absent(t, "there is no npm, which fetches "+axePackage)
	}
	dir := t.TempDir()
	pack := exec.CommandContext(t.Context(), npm, "pack", axePackage, "--silent", "--pack-destination", dir)
	pack.Dir = dir
	if said, err := pack.CombinedOutput(); err != nil {
		absent(t, axePackage+" cannot be had: "+string(said))
	}
	archives, err := filepath.Glob(filepath.Join(dir, "*.tgz"))
	require.NoError(t, err)
	require.Len(t, archives, 1)
	packed, err := os.ReadFile(archives[0])
	require.NoError(t, err)
	return packed
}

func unpacked(t *testing.T, archive, name string) string {
	t.Helper()
	file, err := os.Open(archive)
	require.NoError(t, err)
	defer func() { _ = file.Close() }()
	plain, err := gzip.NewReader(file)
	require.NoError(t, err)
	for entries := tar.NewReader(plain); ; {
		header, err := entries.Next()
		require.NoError(t, err, "%s is not in %s", name, archive)
		if header.Name == name {
			text, err := io.ReadAll(entries)
			require.NoError(t, err)
			return string(text)
		}
	}
}

// violation is what the checker finds wrong with a page.
type violation struct {
	ID, Impact, Help string
	Nodes            []struct {
		HTML, FailureSummary string
	}
}

// requireUsable holds that nothing serious keeps people from using the page.
func (b *browser) requireUsable(where string) {
	b.t.Helper()
	b.do(chromedp.Evaluate[chromedp.Void](b.axe))
	found := evaluate[[]violation](b, `axe.run(document, {resultTypes: ["violations"]}).then(r => r.violations
		.filter(v => v.impact === "serious" || v.impact === "critical")
		.map(v => ({ID: v.id, Impact: v.impact, Help: v.help, Nodes: v.nodes.slice(0, 3).map(n => ({HTML: n.html, FailureSummary: n.failureSummary}))})))`)
	for _, v := range found {
		for _, n := range v.Nodes {
			b.t.Errorf("%s: %s (%s): %s\n%s\n%s", where, v.ID, v.Impact, v.Help, n.HTML, n.FailureSummary)
		}
	}
}
