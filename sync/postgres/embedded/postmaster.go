//go:build unix

package embedded

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"time"
)

// port names the socket file; nothing listens on a network.
const port = "5432"

// socketLimit is how long the path of a socket may be: systems allow 104 bytes and more.
const socketLimit = 100

// postmaster is what postmaster.pid says of a server that runs, or ran until it was killed.
type postmaster struct {
	pid       int
	socketDir string
	status    string
}

// readPidFile returns the zero value where there is no such file, or where it is being written.
func readPidFile(cluster string) (postmaster, error) {
	text, err := os.ReadFile(filepath.Join(cluster, "postmaster.pid"))
	if errors.Is(err, os.ErrNotExist) {
		return postmaster{}, nil
	}
	if err != nil {
		return postmaster{}, fmt.Errorf("postmaster.pid: %w", err)
	}
	lines := strings.Split(string(text), "\n")
	pid, _ := strconv.Atoi(strings.TrimSpace(lines[0])) // 0 where it is none
	if pid <= 0 {
		return postmaster{}, nil
	}
	found := postmaster{pid: pid}
	if len(lines) > 4 {
		found.socketDir = strings.TrimSpace(lines[4])
	}
	if len(lines) > 7 {
		found.status = strings.TrimSpace(lines[7])
	}
	return found, nil
}

func (p postmaster) ready() bool { return p.status == "ready" }

// runsIn reports whether the process is alive and a server of this cluster, not a stranger who was given the same number.
func (p postmaster) runsIn(ctx context.Context, cluster string) bool {
	return p.pid != 0 && isAlive(p.pid) && (serves(p.pid, cluster) || !canInspect() && reachable(ctx, p.socketDir))
}

func isAlive(pid int) bool {
	err := syscall.Kill(pid, 0)
	return err == nil || errors.Is(err, syscall.EPERM)
}

// canInspect is true where the system shows what each process works in.
func canInspect() bool {
	_, err := os.Stat("/proc/self/cwd")
	return err == nil
}

// serves reports whether a process is a PostgreSQL program that works in the cluster: the server itself or a child.
func serves(pid int, cluster string) bool {
	proc := filepath.Join("/proc", strconv.Itoa(pid))
	program, err := os.Readlink(filepath.Join(proc, "exe"))
	if err != nil || !strings.HasPrefix(filepath.Base(program), "postgres") {
		return false
	}
	works, err := os.Stat(filepath.Join(proc, "cwd"))
	if err != nil {
		return false
	}
	here, err := os.Stat(cluster)
	return err == nil && os.SameFile(works, here)
}

// reachable reports whether a server answers in a socket directory. Only an answer counts: the system accepts connections
// for a server that is dying.
func reachable(ctx context.Context, socketDir string) bool {
	if socketDir == "" {
		return false
	}
	dialer := net.Dialer{Timeout: time.Second}
	conn, err := dialer.DialContext(ctx, "unix", socketPath(socketDir))
	if err != nil {
		return false
	}
	defer func() { _ = conn.Close() }()            // nothing that matters was said
	wantsTLS := []byte{0, 0, 0, 8, 4, 210, 22, 47} // a question that every server answers with one byte, before any login
	if err := conn.SetDeadline(time.Now().Add(5 * time.Second)); err != nil {
		return false
	}
	if _, err := conn.Write(wantsTLS); err != nil {
		return false
	}
	_, err = conn.Read(make([]byte, 1))
	return err == nil
}

func socketPath(dir string) string { return filepath.Join(dir, ".s.PGSQL."+port) }

// clearStale makes way for a start after the server was killed: it ends children that outlived it, since two servers on
// the same files would ruin them, and removes a pid file whose number now belongs to a stranger, which the server itself
// would take for a running one.
func clearStale(ctx context.Context, cluster string, log *slog.Logger) error {
	if !canInspect() {
		return nil // the server's own check has to do
	}
	for left := orphans(cluster); len(left) > 0; left = orphans(cluster) {
		for _, pid := range left {
			log.Info("private database: ending what a killed server left", "pid", pid)
			_ = syscall.Kill(pid, syscall.SIGQUIT) // gone meanwhile, or seen again in the next round
		}
		if err := pause(ctx, 100*time.Millisecond); err != nil {
			return fmt.Errorf("processes %v of a killed server: %w", left, err)
		}
	}
	found, err := readPidFile(cluster)
	if err != nil || found.pid == 0 || !isAlive(found.pid) {
		return err
	}
	log.Info("private database: removing a stale pid file", "pid", found.pid)
	if err := os.Remove(filepath.Join(cluster, "postmaster.pid")); err != nil && !errors.Is(err, os.ErrNotExist) {
		return fmt.Errorf("stale postmaster.pid: %w", err)
	}
	return nil
}

// orphans lists the processes that serve the cluster.
func orphans(cluster string) []int {
	entries, err := os.ReadDir("/proc")
	if err != nil {
		return nil
	}
	var pids []int
	for _, entry := range entries {
		if pid, err := strconv.Atoi(entry.Name()); err == nil && serves(pid, cluster) {
			pids = append(pids, pid)
		}
	}
	return pids
}

// openSocketDir returns a directory for the socket that only the account can enter and whose path is short enough, empty
// of what a killed server left.
func (c *Cluster) openSocketDir() (string, error) {
	dir := filepath.Join(c.dataDir, "socket")
	if len(socketPath(dir)) <= socketLimit && !strings.ContainsAny(dir, ",") {
		if err := os.Mkdir(dir, 0o700); err != nil && !errors.Is(err, os.ErrExist) {
			return "", fmt.Errorf("socket directory: %w", err)
		}
		if err := c.who.own(dir); err != nil {
			return "", err
		}
	} else if short, err := c.shortSocketDir(); err != nil {
		return "", err
	} else {
		dir = short
	}
	for _, leftover := range []string{socketPath(dir), socketPath(dir) + ".lock"} {
		if err := os.Remove(leftover); err != nil && !errors.Is(err, os.ErrNotExist) {
			return "", fmt.Errorf("socket left over: %w", err)
		}
	}
	return dir, nil
}

// shortSocketDir returns a directory under /tmp. Its name follows from the data directory, so that the URL stays the same
// across starts, unless somebody else sits on that name.
func (c *Cluster) shortSocketDir() (string, error) {
	sum := sha256.Sum256([]byte(c.dataDir))
	dir := "/tmp/perennial-" + hex.EncodeToString(sum[:6])
	err := os.Mkdir(dir, 0o700)
	if err == nil {
		return dir, c.who.own(dir)
	}
	info, statErr := os.Lstat(dir)
	if statErr == nil && info.IsDir() && info.Mode().Perm() == 0o700 && int(info.Sys().(*syscall.Stat_t).Uid) == c.who.uid {
		return dir, nil
	}
	dir, err = os.MkdirTemp("/tmp", "perennial-")
	if err != nil {
		return "", fmt.Errorf("socket directory: %w", err)
	}
	return dir, c.who.own(dir)
}
