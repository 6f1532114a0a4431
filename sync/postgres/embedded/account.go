//go:build unix

package embedded

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"os/user"
	"strconv"
	"strings"
	"syscall"
	"time"
)

// account is the user to whom the cluster belongs. PostgreSQL refuses to run as root.
type account struct {
	name     string
	uid, gid int
	other    bool // not the user of this process
}

// chooseAccount returns the owner of an existing cluster; for a new one this process's user or, for root, an
// unprivileged one.
func chooseAccount(dataDir string) (account, error) {
	me := account{name: strconv.Itoa(os.Getuid()), uid: os.Getuid(), gid: os.Getgid()}
	info, err := os.Stat(clusterDir(dataDir))
	switch {
	case err == nil:
		owner := info.Sys().(*syscall.Stat_t)
		if me.uid == int(owner.Uid) {
			return me, nil
		}
		if me.uid != 0 {
			return account{}, fmt.Errorf("data directory %s: its database belongs to user %d, this is user %d; run as that user or as root, or set database.data_dir", dataDir, owner.Uid, me.uid)
		}
		return account{name: strconv.Itoa(int(owner.Uid)), uid: int(owner.Uid), gid: int(owner.Gid), other: true}, nil
	case errors.Is(err, os.ErrPermission):
		return account{}, fmt.Errorf("data directory %s: %w; run as its owner or as root, or set database.data_dir", dataDir, err)
	case me.uid != 0:
		return me, nil
	}
	for _, name := range []string{"postgres", "_postgres", "nobody"} {
		if found, err := user.Lookup(name); err == nil {
			return unprivileged(found)
		}
	}
	return account{}, errors.New("private database: as root it needs an unprivileged user, and there is neither postgres nor nobody; create one, or set database.url")
}

func unprivileged(found *user.User) (account, error) {
	uid, err := strconv.Atoi(found.Uid)
	if err != nil {
		return account{}, fmt.Errorf("user %s: %w", found.Username, err)
	}
	gid, err := strconv.Atoi(found.Gid)
	if err != nil {
		return account{}, fmt.Errorf("user %s: %w", found.Username, err)
	}
	return account{name: found.Username, uid: uid, gid: gid, other: true}, nil
}

// own gives path to the account.
func (a account) own(path string) error {
	if !a.other {
		return nil
	}
	if err := os.Chown(path, a.uid, a.gid); err != nil {
		return fmt.Errorf("owner: %w", err)
	}
	return nil
}

// command prepares a program to run as the account, in dir, in a session of its own: Ctrl-C in a terminal does not reach
// it. The PG* variables of the caller stay out of it.
func (a account) command(ctx context.Context, dir, path string, args ...string) *exec.Cmd {
	cmd := exec.CommandContext(ctx, path, args...)
	cmd.Dir = dir
	cmd.Env = []string{"LC_ALL=C", "TZ=UTC", "HOME=" + dir, "PATH=" + os.Getenv("PATH")}
	for _, name := range []string{"LD_LIBRARY_PATH", "DYLD_LIBRARY_PATH"} {
		if value := os.Getenv(name); value != "" {
			cmd.Env = append(cmd.Env, name+"="+value)
		}
	}
	cmd.SysProcAttr = &syscall.SysProcAttr{Setsid: true}
	if a.other {
		cmd.SysProcAttr.Credential = &syscall.Credential{Uid: uint32(a.uid), Gid: uint32(a.gid)}
	}
	cmd.WaitDelay = 5 * time.Second
	return cmd
}

// run executes a prepared program and puts the end of what it said into the error.
func run(cmd *exec.Cmd, what string) error {
	out, err := cmd.CombinedOutput()
	if err != nil {
		return fmt.Errorf("%s: %w: %s", what, err, lastLines(string(out), 6))
	}
	return nil
}

func lastLines(text string, count int) string {
	lines := strings.Split(strings.TrimSpace(text), "\n")
	return strings.Join(lines[max(0, len(lines)-count):], "; ")
}

// prepare makes the data directory.
func (a account) prepare(dataDir string) error {
	mode := os.FileMode(0o700)
	if a.other {
		mode = 0o711 // the account passes through to what is its own
	}
	if err := makeDir(dataDir, mode); err != nil {
		return fmt.Errorf("data directory: %w; set database.data_dir to a place that you may write to", err)
	}
	if !a.other {
		return nil
	}
	if entries, err := os.ReadDir(dataDir); err == nil && len(entries) == 0 {
		if err := a.own(dataDir); err != nil {
			return err
		}
	}
	return nil
}

// canRun checks that the account can enter the data directory and run the binaries. To join a server that runs already,
// it need not.
func (a account) canRun(ctx context.Context, dataDir string, binaries Binaries) error {
	if !a.other {
		return nil
	}
	probe := a.command(ctx, dataDir, binaries.Dir+"/postgres", "--version")
	if err := probe.Run(); errors.Is(err, os.ErrPermission) {
		return fmt.Errorf("data directory %s: the user %s, to whom the database belongs when root runs Perennial, cannot enter it or run %s; choose a directory that every user may enter, such as /var/lib/perennial", dataDir, a.name, binaries.Dir)
	} else if err != nil {
		return fmt.Errorf("postgres as %s: %w", a.name, err)
	}
	return nil
}
