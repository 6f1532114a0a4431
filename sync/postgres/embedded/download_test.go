//go:build unix

package embedded

import (
	"archive/tar"
	"archive/zip"
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// entry is one file of an archive.
type entry struct {
	name, text, link string
	mode             int64
}

// jar packs files as the publisher does: a tar in xz in a zip.
func jar(t *testing.T, entries ...entry) []byte {
	t.Helper()
	var plain bytes.Buffer
	files := tar.NewWriter(&plain)
	for _, e := range entries {
		header := &tar.Header{Name: e.name, Mode: e.mode, Size: int64(len(e.text)), Typeflag: tar.TypeReg}
		if e.link != "" {
			header.Typeflag, header.Linkname = tar.TypeSymlink, e.link
		}
		require.NoError(t, files.WriteHeader(header))
		_, err := files.Write([]byte(e.text))
		require.NoError(t, err)
	}
	require.NoError(t, files.Close())
	return zipped(t, "postgres-test.txz", compress(t, plain.Bytes()))
}

func compress(t *testing.T, plain []byte) []byte {
	t.Helper()
	program, err := exec.LookPath("xz")
	if err != nil {
		skip(t, "archives are packed with xz, which is not installed")
	}
	cmd := exec.Command(program, "-z", "-c", "-0")
	cmd.Stdin = bytes.NewReader(plain)
	packed, err := cmd.Output()
	require.NoError(t, err)
	return packed
}

func zipped(t *testing.T, name string, content []byte) []byte {
	t.Helper()
	var out bytes.Buffer
	archive := zip.NewWriter(&out)
	file, err := archive.Create(name)
	require.NoError(t, err)
	_, err = file.Write(content)
	require.NoError(t, err)
	require.NoError(t, archive.Close())
	return out.Bytes()
}

// wrappers are programs that hand over to this machine's own.
func wrappers(real Binaries) []entry {
	entries := []entry{{name: "lib/real.so", text: "x", mode: 0o644}, {name: "lib/alias.so", link: "real.so"}}
	for _, name := range []string{"postgres", "initdb", "pg_ctl"} {
		script := fmt.Sprintf("#!/bin/sh\nexec %s/%s \"$@\"\n", real.Dir, name)
		entries = append(entries, entry{name: "./bin/" + name, text: script, mode: 0o755})
	}
	return entries
}

// mirror serves one archive with its checksum.
func mirror(t *testing.T, archive []byte, kind string) *httptest.Server {
	t.Helper()
	sums := map[string]string{}
	sum := sha256.Sum256(archive)
	sums[".sha256"] = hex.EncodeToString(sum[:])
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		path, suffix, _ := strings.Cut(r.URL.Path, ".jar")
		switch {
		case !strings.HasPrefix(path, "/mirror/io/zonky/test/postgres/embedded-postgres-binaries-"):
			http.NotFound(w, r)
		case suffix == "":
			_, _ = w.Write(archive)
		case suffix == kind:
			_, _ = fmt.Fprint(w, sums[suffix])
		case kind == "wrong" && suffix == ".sha256":
			_, _ = fmt.Fprint(w, strings.Repeat("0", 64))
		default:
			http.NotFound(w, r)
		}
	}))
	t.Cleanup(server.Close)
	return server
}

// machine returns the PostgreSQL that the tests run on.
func machine(t *testing.T) Binaries {
	t.Helper()
	requireBinaries(t)
	binaries, err := choose(t.Context(), options("/nonexistent"))
	require.NoError(t, err)
	return binaries
}

func TestAClusterOnDownloadedBinaries(t *testing.T) {
	real := machine(t)
	server := mirror(t, jar(t, wrappers(real)...), ".sha256")
	dir := filepath.Join(place(t), "data")
	before := places
	places = nil
	t.Cleanup(func() { places = before })
	t.Setenv("PATH", "/usr/bin:/bin")
	if len(Find(t.Context(), dir)) > 0 {
		t.Skip("PostgreSQL is among the system's own programs, so none would be downloaded")
	}
	_, err := Join(t.Context(), Options{DataDir: dir})
	require.ErrorIs(t, err, ErrNoBinaries)
	require.ErrorContains(t, err, "perennial postgres ensure")
	require.ErrorContains(t, err, "database.url")

	opts := EnsureOptions{DataDir: dir, BaseURL: server.URL + "/mirror/", NoPackages: true}
	got, err := Ensure(t.Context(), opts)
	require.NoError(t, err)
	require.Equal(t, real.Major, got.Major)
	server.Close()
	again, err := Ensure(t.Context(), opts)
	require.NoError(t, err, "a second call needs no network")
	require.Equal(t, got, again)
	c, err := Join(t.Context(), Options{DataDir: dir})
	require.NoError(t, err)
	require.Equal(t, "1", query(t, c.URL(), "SELECT 1"))
	require.NoError(t, c.Leave(t.Context()))
}

func TestDownloadUnderAStrictUmask(t *testing.T) {
	archive := jar(t, wrappers(machine(t))...)
	dir := filepath.Join(place(t), "data")
	before := syscall.Umask(0o077)
	defer syscall.Umask(before)
	got, err := Download(t.Context(), dir, mirror(t, archive, ".sha256").URL+"/mirror", 16)
	require.NoError(t, err)
	for path := got.Dir; path != filepath.Dir(dir); path = filepath.Dir(path) {
		info, err := os.Stat(path)
		require.NoError(t, err)
		require.NotZero(t, info.Mode()&0o001, "%s is closed to the user who runs the server", path)
	}
}

func TestDownloadRefuses(t *testing.T) {
	good := jar(t, entry{name: "bin/postgres", text: "#!/bin/sh\n", mode: 0o755})
	tests := []struct {
		name    string
		archive []byte
		kind    string
		want    string
	}{
		{"wrong checksum", good, "wrong", "checksums do not match"},
		{"no zip", []byte("<html>"), ".sha256", "zip"},
		{"cut zip", good[:len(good)/2], ".sha256", "zip"},
		{"no txz inside", zipped(t, "README", []byte("x")), ".sha256", "PostgreSQL 17"},
		{"no xz", zipped(t, "a.txz", []byte("x")), ".sha256", "unable to extract"},
		{"does not run", good, ".sha256", "does not run here"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			dir := t.TempDir()
			server := mirror(t, tt.archive, tt.kind)
			_, err := Download(t.Context(), dir, server.URL+"/mirror", 0)
			require.ErrorContains(t, err, tt.want)
			left, err := os.ReadDir(downloads(dir))
			require.NoError(t, err)
			require.Empty(t, left)
		})
	}
	t.Run("not published", func(t *testing.T) {
		_, err := Download(t.Context(), t.TempDir(), mirror(t, good, ".sha256").URL+"/elsewhere", 0)
		require.ErrorContains(t, err, "no version found")
	})
	t.Run("unknown version", func(t *testing.T) {
		_, err := Download(t.Context(), t.TempDir(), "http://127.0.0.1:1", 9)
		require.ErrorContains(t, err, "PostgreSQL 9")
	})
	t.Run("cancelled", func(t *testing.T) {
		silent := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) { <-r.Context().Done() }))
		defer silent.Close()
		defer silent.CloseClientConnections()
		ctx, cancel := context.WithTimeout(t.Context(), 50*time.Millisecond)
		defer cancel()
		_, err := Download(ctx, t.TempDir(), silent.URL, 0)
		require.ErrorIs(t, err, context.DeadlineExceeded)
	})
}
