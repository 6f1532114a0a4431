package embedded

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"sort"
	"strconv"
)

// oldest is the first major version that Perennial and its driver work with.
const oldest = 14

// Binaries are the programs of one PostgreSQL.
type Binaries struct {
	Dir   string // holds postgres, initdb and pg_ctl
	Major int
}

// places are where systems keep the server's programs, apart from PATH.
var places = []string{
	"/usr/lib/postgresql/*/bin", // Debian
	"/usr/pgsql-*/bin",          // Red Hat, from PostgreSQL's own packages
	"/usr/libexec/postgresql*",  // Alpine
	"/usr/lib/postgresql*/bin",  // openSUSE
	"/opt/homebrew/opt/postgresql@*/bin",
	"/usr/local/opt/postgresql@*/bin",
	"/home/linuxbrew/.linuxbrew/opt/postgresql@*/bin",
	"/Applications/Postgres.app/Contents/Versions/*/bin",
	"/usr/local/pgsql/bin",
}

// Find returns the PostgreSQL of this machine, newest first: those on PATH and in the usual places, then copies that were
// downloaded into dataDir.
func Find(ctx context.Context, dataDir string) []Binaries {
	dirs := filepath.SplitList(os.Getenv("PATH"))
	for _, pattern := range places {
		found, _ := filepath.Glob(pattern) // only a malformed pattern is an error
		dirs = append(dirs, found...)
	}
	all := inspectAll(ctx, dirs)
	copies, _ := filepath.Glob(filepath.Join(downloads(dataDir), "*", "bin"))
	return append(all, inspectAll(ctx, copies)...)
}

func inspectAll(ctx context.Context, dirs []string) []Binaries {
	var all []Binaries
	for _, dir := range dirs {
		if binaries, err := inspect(ctx, dir); err == nil && binaries.Major >= oldest {
			all = append(all, binaries)
		}
	}
	sort.SliceStable(all, func(a, b int) bool { return all[a].Major > all[b].Major })
	return all
}

var versionText = regexp.MustCompile(`\(PostgreSQL\) (\d+)`)

// inspect tells which PostgreSQL is in dir.
func inspect(ctx context.Context, dir string) (Binaries, error) {
	for _, name := range []string{"postgres", "initdb", "pg_ctl"} {
		if _, err := exec.LookPath(filepath.Join(dir, name)); err != nil {
			return Binaries{}, fmt.Errorf("binaries: %w", err)
		}
	}
	out, err := exec.CommandContext(ctx, filepath.Join(dir, "postgres"), "--version").Output()
	if err != nil {
		return Binaries{}, fmt.Errorf("postgres --version: %w", err)
	}
	match := versionText.FindSubmatch(out)
	if match == nil {
		return Binaries{}, fmt.Errorf("postgres --version: %q is no version", out)
	}
	major, err := strconv.Atoi(string(match[1]))
	if err != nil {
		return Binaries{}, fmt.Errorf("postgres --version: %w", err)
	}
	return Binaries{Dir: dir, Major: major}, nil
}

// choose returns the binaries for a data directory: those of the version that made its cluster, else the newest.
func choose(ctx context.Context, opts Options) (Binaries, error) {
	made, err := clusterMajor(opts.DataDir)
	if err != nil {
		return Binaries{}, err
	}
	all := Find(ctx, opts.DataDir)
	if opts.Binaries != "" {
		given, err := inspect(ctx, opts.Binaries)
		if err != nil {
			return Binaries{}, err
		}
		all = []Binaries{given}
	}
	if ctx.Err() != nil { // what was asked for its version had no time to answer
		return Binaries{}, fmt.Errorf("binaries: %w", context.Cause(ctx))
	}
	if len(all) == 0 {
		return Binaries{}, fmt.Errorf("%w (version %d or newer): install PostgreSQL with the system's package manager, run `perennial postgres ensure`, which fetches it, or set database.url to a server", ErrNoBinaries, oldest)
	}
	if made == 0 {
		return all[0], nil
	}
	var have []int
	for _, binaries := range all {
		if binaries.Major == made {
			return binaries, nil
		}
		have = append(have, binaries.Major)
	}
	return Binaries{}, fmt.Errorf("%w of version %d, which made the database in %s; there is %v; the data is untouched; install PostgreSQL %d, or run `perennial postgres ensure`", ErrNoBinaries, made, opts.DataDir, have, made)
}

// clusterMajor returns the major version that made the cluster, or 0 where there is none yet.
func clusterMajor(dataDir string) (int, error) {
	text, err := os.ReadFile(filepath.Join(clusterDir(dataDir), "PG_VERSION"))
	if os.IsNotExist(err) {
		return 0, nil
	}
	if err != nil {
		return 0, fmt.Errorf("cluster version: %w", err)
	}
	var major int
	if _, err := fmt.Sscanf(string(text), "%d", &major); err != nil {
		return 0, fmt.Errorf("cluster version: %q in %s is none", text, clusterDir(dataDir))
	}
	return major, nil
}

// The layout of a data directory.
func clusterDir(dataDir string) string { return filepath.Join(dataDir, "cluster") }
func downloads(dataDir string) string  { return filepath.Join(dataDir, "binaries") }
