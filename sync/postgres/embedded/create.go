//go:build unix

package embedded

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
)

const (
	owner    = "perennial" // the role, and the database that it owns
	database = "perennial"
)

// readPassword returns the cluster's password, made at first use.
func (c *Cluster) readPassword() (string, error) {
	path := filepath.Join(c.dataDir, "password")
	text, err := os.ReadFile(path)
	if err == nil && len(strings.TrimSpace(string(text))) > 0 {
		return strings.TrimSpace(string(text)), nil
	}
	if err != nil && !errors.Is(err, os.ErrNotExist) {
		return "", fmt.Errorf("password: %w", err)
	}
	if made, err := clusterMajor(c.dataDir); err != nil || made != 0 {
		return "", errors.Join(err, fmt.Errorf("password: %s is missing, and without it nobody enters the database beside it; restore it from a backup", path))
	}
	password := rand.Text()
	return password, c.writeFile(path, password+"\n")
}

// writeFile puts a whole file in place, readable by the account alone.
func (c *Cluster) writeFile(path, text string) error {
	half := path + ".half"
	if err := os.Remove(half); err != nil && !errors.Is(err, os.ErrNotExist) {
		return fmt.Errorf("%s: %w", filepath.Base(path), err)
	}
	if err := os.WriteFile(half, []byte(text), 0o600); err != nil {
		return fmt.Errorf("%s: %w", filepath.Base(path), err)
	}
	if err := c.who.own(half); err != nil {
		return err
	}
	if err := os.Rename(half, path); err != nil {
		return fmt.Errorf("%s: %w", filepath.Base(path), err)
	}
	return nil
}

// create makes the cluster aside and renames it, so that a killed creation leaves nothing half-made in its place.
func (c *Cluster) create(ctx context.Context) error {
	if made, err := clusterMajor(c.dataDir); err != nil || made != 0 {
		return err
	}
	if err := c.who.canRun(ctx, c.dataDir, c.binaries); err != nil {
		return err
	}
	leftovers, _ := filepath.Glob(filepath.Join(c.dataDir, "new-*")) // only a malformed pattern is an error
	for _, dir := range leftovers {
		_ = os.RemoveAll(dir) // an earlier, killed creation may still write there; its name is never used again
	}
	fresh, err := os.MkdirTemp(c.dataDir, "new-")
	if err != nil {
		return fmt.Errorf("cluster: %w", err)
	}
	defer func() { _ = os.RemoveAll(fresh) }() // gone after the rename
	if err := c.who.own(fresh); err != nil {
		return err
	}
	c.log.Info("private database: making it", "dir", c.dataDir, "version", c.binaries.Major, "user", c.who.name)
	err = run(c.tool(ctx, "initdb", "-D", fresh, "--username="+owner, "--pwfile="+filepath.Join(c.dataDir, "password"),
		"--auth=scram-sha-256", "--encoding=UTF8", "--locale=C", "--data-checksums", "--no-instructions"), "cluster")
	if err != nil {
		return err
	}
	single := c.tool(ctx, "postgres", "--single", "-D", fresh, "postgres")
	single.Stdin = strings.NewReader("CREATE DATABASE " + database + "\n")
	if err := run(single, "database"); err != nil {
		return err
	}
	if err := appendText(filepath.Join(fresh, "postgresql.conf"), includeOurs); err != nil {
		return err
	}
	if err := os.Rename(fresh, clusterDir(c.dataDir)); err != nil {
		return fmt.Errorf("cluster: %w", err)
	}
	return nil
}

const includeOurs = `
# Perennial's settings, written anew at each start. What you set below them wins.
include_if_exists = 'perennial.conf'
`

func appendText(path, text string) error {
	file, err := os.OpenFile(path, os.O_APPEND|os.O_WRONLY, 0)
	if err != nil {
		return fmt.Errorf("settings: %w", err)
	}
	_, err = file.WriteString(text)
	if err := errors.Join(err, file.Close()); err != nil {
		return fmt.Errorf("settings: %w", err)
	}
	return nil
}

// configure writes our settings: a small machine that does other things too, no network, and no customer's data in the
// server's log.
func (c *Cluster) configure(socketDir string) error {
	quoted := `"` + strings.ReplaceAll(socketDir, "'", "''") + `"`
	return c.writeFile(filepath.Join(clusterDir(c.dataDir), "perennial.conf"), `# Written by Perennial at each start: changes here are lost. Put yours at the end of postgresql.conf.
listen_addresses = ''
port = `+port+`
unix_socket_directories = '`+quoted+`'
unix_socket_permissions = 0700
max_connections = 60
shared_buffers = '128MB'
work_mem = '16MB'
maintenance_work_mem = '128MB'
effective_cache_size = '512MB'
max_wal_size = '1GB'
wal_level = minimal
max_wal_senders = 0
wal_compression = on
checkpoint_timeout = '15min'
random_page_cost = 1.1
jit = off
timezone = 'UTC'
log_timezone = 'UTC'
log_checkpoints = off
log_error_verbosity = terse
log_min_error_statement = panic
log_parameter_max_length_on_error = 0
log_line_prefix = '%m [%p] '
`)
}
