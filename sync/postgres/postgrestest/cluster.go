package postgrestest

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"os/exec"
	"os/user"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"syscall"
)

// prefix starts the name of every cluster's folder; the id of the test binary follows.
const prefix = "perennial-test-"

const password = "perennial-test"

// cluster is a PostgreSQL server in a folder of its own.
type cluster struct {
	bin   string // folder of initdb and pg_ctl
	dir   string // everything of the cluster, removed at the end
	owner *syscall.Credential
	alive io.Closer // the pipe that tells the watchdog that we live; collected as garbage, it would close
}

// startCluster makes a cluster, starts it on a free loopback port and returns its URL. A watchdog process ends it when
// this process has ended, by whatever means.
func startCluster() (c *cluster, address string, err error) {
	bin, err := findBinaries()
	if err != nil {
		return nil, "", err
	}
	owner, err := unprivileged()
	if err != nil {
		return nil, "", err
	}
	sweepStale(bin, owner)
	dir, err := os.MkdirTemp("", prefix+strconv.Itoa(os.Getpid())+"-")
	if err != nil {
		return nil, "", err
	}
	c = &cluster{bin: bin, dir: dir, owner: owner}
	if err := c.init(); err != nil {
		_ = os.RemoveAll(dir)
		return nil, "", err
	}
	if err := c.watch(); err != nil {
		_ = os.RemoveAll(dir)
		return nil, "", err
	}
	address, err = c.start()
	return c, address, err
}

// init makes the cluster's files.
func (c *cluster) init() error {
	if c.owner != nil {
		if err := os.Chown(c.dir, int(c.owner.Uid), int(c.owner.Gid)); err != nil {
			return err
		}
	}
	secretFile := filepath.Join(c.dir, "password")
	if err := os.WriteFile(secretFile, []byte(password), 0o644); err != nil { //nolint:gosec // no secret: a test's
		return err
	}
	return c.run("initdb", "-D", c.data(), "-U", "perennial", "-A", "scram-sha-256", "--pwfile", secretFile,
		"-E", "UTF8", "--locale=C", "--no-sync")
}

func (c *cluster) data() string { return filepath.Join(c.dir, "data") }

// start tries free ports until one is still free when the server takes it.
func (c *cluster) start() (string, error) {
	var last error
	for range 5 {
		port, err := freePort()
		if err != nil {
			return "", err
		}
		options := fmt.Sprintf("-p %d -c listen_addresses=127.0.0.1 -c unix_socket_directories='' -c fsync=off "+
			"-c synchronous_commit=off -c full_page_writes=off -c max_connections=200 -c shared_buffers=64MB "+
			"-c autovacuum_naptime=10s -c log_statement=none", port)
		last = c.run("pg_ctl", "-D", c.data(), "-w", "-t", "60", "-l", filepath.Join(c.dir, "log"), "-o", options, "start")
		if last == nil {
			return fmt.Sprintf("postgres://perennial:%s@127.0.0.1:%d/postgres?sslmode=disable", password, port), nil
		}
	}
	return "", last
}

// watch starts the process that waits for the end of this one: it reads a pipe that only this process can write to.
func (c *cluster) watch() error {
	script := `cat >/dev/null; "$0/pg_ctl" -D "$1/data" -m immediate -w stop; rm -rf "$1"`
	watchdog := exec.CommandContext(context.Background(), "/bin/sh", "-c", script, c.bin, c.dir)
	watchdog.Dir = "/"
	watchdog.SysProcAttr = &syscall.SysProcAttr{Credential: c.owner, Setsid: true}
	pipe, err := watchdog.StdinPipe()
	if err != nil {
		return err
	}
	c.alive = pipe
	return watchdog.Start()
}

// run runs a program of PostgreSQL as the cluster's owner. Its output goes to a file: a server that inherited a pipe
// would keep the reader waiting.
func (c *cluster) run(program string, arguments ...string) error {
	out, err := os.CreateTemp("", prefix+"output-")
	if err != nil {
		return err
	}
	defer func() { _ = out.Close(); _ = os.Remove(out.Name()) }()
	command := exec.CommandContext(context.Background(), filepath.Join(c.bin, program), arguments...)
	command.Dir = c.dir
	command.Stdout, command.Stderr = out, out
	command.Env = append(os.Environ(), "LC_ALL=C")
	command.SysProcAttr = &syscall.SysProcAttr{Credential: c.owner}
	if err := command.Run(); err != nil {
		said, _ := os.ReadFile(out.Name())
		log, _ := os.ReadFile(filepath.Join(c.dir, "log"))
		return fmt.Errorf("%s: %w: %s%s", program, err, bytes.TrimSpace(said), log)
	}
	return nil
}

// findBinaries returns the folder with PostgreSQL's programs: the one in PATH, else the newest installed.
func findBinaries() (string, error) {
	if dir := os.Getenv(binariesDir); dir != "" {
		return dir, nil
	}
	if path, err := exec.LookPath("initdb"); err == nil {
		if path, err = filepath.EvalSymlinks(path); err == nil {
			return filepath.Dir(path), nil
		}
	}
	found, err := filepath.Glob("/usr/lib/postgresql/*/bin/initdb")
	if err != nil || len(found) == 0 {
		return "", errors.New("PostgreSQL is not installed: install it, or set " + databaseURL)
	}
	slices.SortFunc(found, func(a, b string) int { return major(a) - major(b) })
	return filepath.Dir(found[len(found)-1]), nil
}

func major(path string) int {
	n, _ := strconv.Atoi(filepath.Base(filepath.Dir(filepath.Dir(path)))) // an odd name sorts first
	return n
}

// unprivileged returns whom a cluster belongs to when we are root, whom PostgreSQL refuses; else nil.
func unprivileged() (*syscall.Credential, error) {
	if os.Geteuid() != 0 {
		return nil, nil
	}
	for _, name := range []string{"postgres", "nobody"} {
		u, err := user.Lookup(name)
		if err != nil {
			continue
		}
		uid, err := strconv.ParseUint(u.Uid, 10, 32)
		if err != nil {
			continue
		}
		gid, err := strconv.ParseUint(u.Gid, 10, 32)
		if err != nil {
			continue
		}
		return &syscall.Credential{Uid: uint32(uid), Gid: uint32(gid)}, nil
	}
	return nil, errors.New("PostgreSQL refuses root, and there is no user postgres or nobody")
}

func freePort() (int, error) {
	listener, err := new(net.ListenConfig).Listen(context.Background(), "tcp", "127.0.0.1:0")
	if err != nil {
		return 0, err
	}
	defer func() { _ = listener.Close() }()
	return listener.Addr().(*net.TCPAddr).Port, nil
}

// sweepStale removes clusters whose test binary is gone and whose watchdog did not get to it.
func sweepStale(bin string, owner *syscall.Credential) {
	found, err := filepath.Glob(filepath.Join(os.TempDir(), prefix+"*"))
	if err != nil {
		return
	}
	for _, dir := range found {
		id, _, _ := strings.Cut(strings.TrimPrefix(filepath.Base(dir), prefix), "-")
		pid, err := strconv.Atoi(id)
		if err != nil || alive(pid) {
			continue
		}
		c := &cluster{bin: bin, dir: dir, owner: owner}
		_ = c.run("pg_ctl", "-D", c.data(), "-m", "immediate", "-w", "stop") // not running is as good
		_ = os.RemoveAll(dir)                                                // somebody else's stays
	}
}

func alive(pid int) bool {
	err := syscall.Kill(pid, 0)
	return err == nil || errors.Is(err, syscall.EPERM)
}
