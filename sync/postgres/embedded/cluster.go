//go:build unix

package embedded

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"time"
)

// Cluster is the private cluster as one process has joined it. It is not safe for concurrent use.
type Cluster struct {
	dataDir  string
	binaries Binaries
	who      account
	log      *slog.Logger

	gate  lock // held while somebody joins, leaves or starts the server
	users lock // shared by all who are in

	socketDir string
	password  string
	launched  bool // this process started a server
	left      bool
}

// stopLimit is how long the last one out waits for an orderly stop before it orders an immediate one, from which the next
// start recovers.
const stopLimit = 30 * time.Second

// Join makes the cluster where there is none, starts it where it does not run, and keeps it running until Leave or the
// end of this process. It returns when the server accepts connections.
func Join(ctx context.Context, opts Options) (*Cluster, error) {
	if err := checkPlace(opts.DataDir); err != nil {
		return nil, err
	}
	who, err := chooseAccount(opts.DataDir)
	if err != nil {
		return nil, err
	}
	binaries, err := choose(ctx, opts)
	if err != nil {
		return nil, err
	}
	if err := who.prepare(opts.DataDir); err != nil {
		return nil, err
	}
	c := &Cluster{dataDir: filepath.Clean(opts.DataDir), binaries: binaries, who: who, log: opts.Log}
	if c.log == nil {
		c.log = slog.New(slog.DiscardHandler)
	}
	if err := c.enter(ctx); err != nil {
		return nil, errors.Join(fmt.Errorf("private database: %w", err), c.abandon(ctx))
	}
	return c, nil
}

// URL returns how to connect. It holds the password.
func (c *Cluster) URL() string {
	query := url.Values{"host": {c.socketDir}, "port": {port}, "sslmode": {"disable"}}
	address := url.URL{Scheme: "postgres", User: url.UserPassword(owner, c.password), Path: "/" + database, RawQuery: query.Encode()}
	return address.String()
}

// Revive starts the server again where it died under those who use it; the URL stays the same. It does nothing where the
// server runs.
func (c *Cluster) Revive(ctx context.Context) error {
	if c.left {
		return errors.New("private database: left already")
	}
	return c.inGate(ctx, func() error { return c.ensureRunning(ctx) })
}

// Leave gives the cluster back and, if nobody else is in, stops it. Leaving twice is harmless.
func (c *Cluster) Leave(ctx context.Context) error {
	if c.left {
		return nil
	}
	c.left = true
	defer c.gate.drop()
	defer c.users.drop()
	return c.inGate(ctx, func() error {
		alone, err := c.users.alone()
		if err != nil || !alone {
			return err
		}
		return c.stop(ctx)
	})
}

// inGate runs step while nobody else joins, leaves or starts the server.
func (c *Cluster) inGate(ctx context.Context, step func() error) error {
	if err := c.gate.take(ctx); err != nil {
		return err
	}
	defer func() { _, _ = c.gate.try(syscall.LOCK_UN) }() // closing the file does it otherwise
	return step()
}

func (c *Cluster) enter(ctx context.Context) error {
	var err error
	if c.gate, err = openLock(filepath.Join(c.dataDir, "gate.lock"), c.who); err != nil {
		return err
	}
	if c.users, err = openLock(filepath.Join(c.dataDir, "users.lock"), c.who); err != nil {
		return err
	}
	return c.inGate(ctx, func() error {
		if c.password, err = c.readPassword(); err != nil {
			return err
		}
		if err := c.create(ctx); err != nil {
			return err
		}
		return c.ensureRunning(ctx)
	})
}

// abandon undoes a Join that did not succeed: a server that only this process would have used is stopped.
func (c *Cluster) abandon(ctx context.Context) error {
	defer c.gate.drop()
	defer c.users.drop()
	if !c.launched {
		return nil
	}
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), stopLimit)
	defer cancel()
	return c.inGate(ctx, func() error {
		if alone, err := c.users.alone(); err != nil || !alone {
			return err
		}
		return c.stop(ctx)
	})
}

// ensureRunning starts or adopts the server and leaves this process among its users.
func (c *Cluster) ensureRunning(ctx context.Context) error {
	running, err := c.adopt(ctx)
	if err == nil && !running {
		err = c.start(ctx)
	}
	if err != nil {
		return err
	}
	return c.users.share()
}

// adopt waits for a server that runs or is on its way. It returns false where none runs, or where one did that nobody
// could reach and nobody used.
func (c *Cluster) adopt(ctx context.Context) (bool, error) {
	unreachable := 0
	for {
		found, err := readPidFile(clusterDir(c.dataDir))
		if err != nil {
			return false, err
		}
		switch {
		case found.ready() && reachable(ctx, found.socketDir):
			c.socketDir = found.socketDir
			return true, nil
		case !found.runsIn(ctx, clusterDir(c.dataDir)):
			return false, nil
		case found.ready():
			unreachable++ // its directory was moved, or its socket removed
		}
		if unreachable > 20 {
			return false, c.stopUnreachable(ctx)
		}
		if err := pause(ctx, 50*time.Millisecond); err != nil {
			return false, fmt.Errorf("server on its way, process %d: %w", found.pid, err)
		}
	}
}

func (c *Cluster) stopUnreachable(ctx context.Context) error {
	alone, err := c.users.alone()
	if err != nil {
		return err
	}
	if !alone {
		return errors.Join(errors.New("the server runs but its socket is gone, and other processes use it; stop them, then start again"), c.users.share())
	}
	c.log.Info("private database: its socket is gone, starting it anew")
	return c.stop(ctx)
}

// start starts the server and waits until it accepts connections, whatever it has to recover first.
func (c *Cluster) start(ctx context.Context) error {
	cluster := clusterDir(c.dataDir)
	if err := c.who.canRun(ctx, c.dataDir, c.binaries); err != nil {
		return err
	}
	if err := clearStale(ctx, cluster, c.log); err != nil {
		return err
	}
	socketDir, err := c.openSocketDir()
	if err != nil {
		return err
	}
	if err := c.configure(socketDir); err != nil {
		return err
	}
	logFile, err := c.openServerLog()
	if err != nil {
		return err
	}
	c.launched = true
	for attempt := 1; ; attempt++ {
		err = run(c.tool(ctx, "pg_ctl", "start", "-D", cluster, "-l", logFile, "-w", "-t", "3600"), "server start")
		if err == nil {
			break
		}
		said := serverSaid(logFile)
		if attempt == 5 || !strings.Contains(said, "shared memory block") {
			return fmt.Errorf("%w: %s; the data in %s is untouched; %s says more", err, said, c.dataDir, logFile)
		}
		// Children of a killed server are still going.
		if err := pause(ctx, time.Second); err != nil {
			return err
		}
	}
	c.socketDir = socketDir
	c.log.Debug("private database started", "dir", c.dataDir, "version", c.binaries.Major)
	return nil
}

// stop stops the server if it runs: orderly, and at once where that takes too long.
func (c *Cluster) stop(ctx context.Context) error {
	cluster := clusterDir(c.dataDir)
	found, err := readPidFile(cluster)
	if err != nil || !found.runsIn(context.WithoutCancel(ctx), cluster) {
		return err
	}
	limited, cancel := context.WithTimeout(ctx, stopLimit)
	defer cancel()
	err = run(c.tool(limited, "pg_ctl", "stop", "-D", cluster, "-m", "fast", "-w", "-t", "60"), "server stop")
	if err == nil {
		c.log.Debug("private database stopped", "dir", c.dataDir)
		return nil
	}
	hard, cancel := context.WithTimeout(context.WithoutCancel(ctx), stopLimit)
	defer cancel()
	again := run(c.tool(hard, "pg_ctl", "stop", "-D", cluster, "-m", "immediate", "-w", "-t", "20"), "immediate server stop")
	if after, _ := readPidFile(cluster); again != nil && after.runsIn(context.WithoutCancel(ctx), cluster) {
		return errors.Join(err, again)
	}
	c.log.Warn("private database stopped at once, it recovers at the next start", "dir", c.dataDir)
	return nil
}

// tool prepares one of PostgreSQL's programs.
func (c *Cluster) tool(ctx context.Context, name string, args ...string) *exec.Cmd {
	return c.who.command(ctx, c.dataDir, filepath.Join(c.binaries.Dir, name), args...)
}

// openServerLog returns the server's log file, the previous one kept beside it once it has grown.
func (c *Cluster) openServerLog() (string, error) {
	const large = 5 << 20
	path := filepath.Join(c.dataDir, "postgres.log")
	if info, err := os.Stat(path); err == nil && info.Size() > large {
		if err := os.Rename(path, path+".1"); err != nil {
			return "", fmt.Errorf("server log: %w", err)
		}
	}
	file, err := os.OpenFile(path, os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o600)
	if err != nil {
		return "", fmt.Errorf("server log: %w", err)
	}
	return path, errors.Join(c.who.own(path), file.Close())
}

// serverSaid returns the end of the server's log.
func serverSaid(path string) string {
	text, err := os.ReadFile(path)
	if err != nil {
		return err.Error()
	}
	return lastLines(string(text), 5)
}
