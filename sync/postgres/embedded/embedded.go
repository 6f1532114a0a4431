// Package embedded runs the private PostgreSQL cluster that Perennial uses where no database is configured. Whichever
// process comes first starts it, others join, the last one out stops it. Who is in is a lock that the kernel gives back
// when a process dies, so a killed daemon leaves nothing to repair: the next start adopts the running server, or recovers
// what is left of it.
package embedded

import (
	"errors"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
)

// Options say where the cluster lives.
type Options struct {
	DataDir  string       // absolute; DefaultDataDir gives the usual place
	Binaries string       // directory that holds postgres, initdb and pg_ctl; empty: search
	Log      *slog.Logger // nil: silent
}

// ErrNoBinaries means that this machine has no PostgreSQL that fits.
var ErrNoBinaries = errors.New("no PostgreSQL on this machine")

// DefaultDataDir returns where the cluster lives when nothing else is configured: the directory that the service manager
// gives, /var/lib/perennial for root, the user's state directory otherwise.
func DefaultDataDir(getenv func(string) string, root bool) (string, error) {
	if dir := getenv("STATE_DIRECTORY"); filepath.IsAbs(dir) && !strings.Contains(dir, ":") {
		return dir, nil
	}
	if root {
		return "/var/lib/perennial", nil
	}
	if dir := getenv("XDG_STATE_HOME"); filepath.IsAbs(dir) {
		return filepath.Join(dir, "perennial"), nil
	}
	if dir := getenv("HOME"); filepath.IsAbs(dir) {
		return filepath.Join(dir, ".local", "state", "perennial"), nil
	}
	return "", errors.New("data directory: neither HOME nor XDG_STATE_HOME is set; set database.data_dir or database.url")
}

// checkPlace refuses a directory where a cluster would be in the way or could not be named to the server.
func checkPlace(dir string) error {
	if !filepath.IsAbs(dir) {
		return fmt.Errorf("data directory %q: not an absolute path; give the whole path", dir)
	}
	if strings.ContainsAny(dir, "\"$`\\\n\r") {
		return fmt.Errorf("data directory %q: quotes, $, ` and \\ cannot stand in its path; choose another", dir)
	}
	home, _ := os.UserHomeDir() // without one, no exception is made for it
	for parent := filepath.Clean(dir); ; parent = filepath.Dir(parent) {
		for _, mark := range []string{".git", "go.mod"} {
			_, err := os.Lstat(filepath.Join(parent, mark))
			if err == nil && (mark != ".git" || parent != home) {
				return fmt.Errorf("data directory %s: inside the source checkout %s, where a database is lost with the next clean-up; choose a directory outside", dir, parent)
			}
		}
		if parent == filepath.Dir(parent) {
			return nil
		}
	}
}

// makeDir makes a directory where there is none, with this mode whatever the umask.
func makeDir(dir string, mode os.FileMode) error {
	if _, err := os.Stat(dir); err == nil {
		return nil
	}
	if err := os.MkdirAll(dir, mode); err != nil {
		return err
	}
	return os.Chmod(dir, mode)
}
