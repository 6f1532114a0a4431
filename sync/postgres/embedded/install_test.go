package embedded

import (
	"context"
	"errors"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

// bare makes the machine look as if it had no PostgreSQL.
func bare(t *testing.T) {
	t.Helper()
	before := places
	places = nil
	t.Cleanup(func() { places = before })
	t.Setenv("PATH", "/nonexistent")
}

// scripted is a PostgreSQL in name: enough to be found.
func scripted(t *testing.T, dir, version string) {
	t.Helper()
	require.NoError(t, os.MkdirAll(dir, 0o755))
	for _, name := range []string{"postgres", "initdb", "pg_ctl"} {
		script := "#!/bin/sh\necho '" + name + " (PostgreSQL) " + version + "'\n"
		require.NoError(t, os.WriteFile(filepath.Join(dir, name), []byte(script), 0o755))
	}
}

func TestFindPrefersTheNewestAndLeavesOutTheOld(t *testing.T) {
	bare(t)
	dir := t.TempDir()
	scripted(t, filepath.Join(dir, "a", "15", "bin"), "15.4 (Debian 15.4-1)")
	scripted(t, filepath.Join(dir, "a", "18", "bin"), "18beta1")
	scripted(t, filepath.Join(dir, "a", "13", "bin"), "13.2")
	scripted(t, filepath.Join(dir, "path"), "14.1")
	scripted(t, filepath.Join(downloads(dir), "17.5.0", "bin"), "17.5")
	require.NoError(t, os.MkdirAll(filepath.Join(dir, "a", "16", "bin"), 0o755))
	places = []string{filepath.Join(dir, "a", "*", "bin")}
	t.Setenv("PATH", filepath.Join(dir, "path"))
	var majors []int
	for _, binaries := range Find(t.Context(), dir) {
		majors = append(majors, binaries.Major)
	}
	require.Equal(t, []int{18, 15, 14, 17}, majors, "the machine's own first, then the downloaded")

	require.NoError(t, os.MkdirAll(clusterDir(dir), 0o755))
	require.NoError(t, os.WriteFile(filepath.Join(clusterDir(dir), "PG_VERSION"), []byte("15\n"), 0o644))
	fitting, err := choose(t.Context(), Options{DataDir: dir})
	require.NoError(t, err)
	require.Equal(t, 15, fitting.Major, "the version that made the cluster")
}

func TestEnsureTakesWhatIsThere(t *testing.T) {
	bare(t)
	dir := t.TempDir()
	scripted(t, filepath.Join(dir, "bin"), "16.1")
	places = []string{filepath.Join(dir, "bin")}
	got, err := Ensure(t.Context(), EnsureOptions{DataDir: filepath.Join(dir, "data"), BaseURL: "http://127.0.0.1:1"})
	require.NoError(t, err)
	require.Equal(t, Binaries{Dir: filepath.Join(dir, "bin"), Major: 16}, got)
}

func TestEnsureAsksThePackageManager(t *testing.T) {
	tests := []struct {
		name      string
		root      bool
		has       string
		installs  bool
		off       bool
		want      []string
		wantError []string
	}{
		{name: "apt as root", root: true, has: "apt-get", installs: true, want: []string{"apt-get update", "apt-get install -y --no-install-recommends postgresql-common", "apt-get install -y --no-install-recommends postgresql"}},
		{name: "dnf as root", root: true, has: "dnf", installs: true, want: []string{"dnf install -y postgresql-server"}},
		{name: "apk as root", root: true, has: "apk", installs: true, want: []string{"apk add --no-cache postgresql"}},
		{name: "pacman as root", root: true, has: "pacman", installs: true, want: []string{"pacman -Sy --noconfirm --needed postgresql"}},
		{name: "brew as a user", has: "brew", installs: true, want: []string{"brew install postgresql@17"}},
		{name: "brew refuses root", root: true, has: "brew", wantError: []string{"by hand"}},
		{name: "apt wants root", has: "apt-get", wantError: []string{"by hand", "database.url"}},
		{name: "not allowed", root: true, has: "apt-get", off: true, wantError: []string{"by hand"}},
		{name: "it fails, and so does the download", root: true, has: "apk", want: []string{"apk add --no-cache postgresql"}, wantError: []string{"apk: exit", "127.0.0.1:1", "by hand"}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			bare(t)
			dir := t.TempDir()
			places = []string{filepath.Join(dir, "bin")}
			var ran []string
			machine := system{
				root: tt.root,
				look: func(program string) (string, error) {
					if program == tt.has {
						return "/usr/bin/" + program, nil
					}
					return "", exec.ErrNotFound
				},
				run: func(_ context.Context, _ io.Writer, args []string) error {
					ran = append(ran, strings.Join(args, " "))
					if !tt.installs {
						return errors.New("exit status 1")
					}
					scripted(t, filepath.Join(dir, "bin"), "15.9")
					return nil
				},
			}
			opts := EnsureOptions{DataDir: filepath.Join(dir, "data"), BaseURL: "http://127.0.0.1:1", NoPackages: tt.off}
			got, err := ensure(t.Context(), opts, machine)
			require.Equal(t, tt.want, ran)
			if tt.wantError == nil {
				require.NoError(t, err)
				require.Equal(t, 15, got.Major)
				return
			}
			require.ErrorIs(t, err, ErrNoBinaries)
			for _, want := range tt.wantError {
				require.ErrorContains(t, err, want)
			}
		})
	}
}

func TestDebianMakesNoClusterOfItsOwn(t *testing.T) {
	dir := t.TempDir()
	restore := withoutDebianCluster(dir)
	text, err := os.ReadFile(filepath.Join(dir, "perennial-install.conf"))
	require.NoError(t, err)
	require.Equal(t, "create_main_cluster = false\n", string(text))
	restore()
	require.NoFileExists(t, filepath.Join(dir, "perennial-install.conf"))
	withoutDebianCluster("/nonexistent")()
}
