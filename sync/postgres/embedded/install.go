package embedded

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"os"
	"os/exec"
	"path/filepath"
)

// EnsureOptions say how missing binaries may be had.
type EnsureOptions struct {
	DataDir    string
	BaseURL    string       // of a mirror of the downloads; empty: where they are published
	NoPackages bool         // leave the system's package manager alone
	Out        io.Writer    // what the package manager says; nil: nowhere
	Log        *slog.Logger // nil: silent
}

// Ensure returns binaries that fit the data directory: those that are there, else the package manager's where this user
// may install packages, else a download into the data directory.
func Ensure(ctx context.Context, opts EnsureOptions) (Binaries, error) {
	system := system{look: exec.LookPath, run: runLoud, root: os.Geteuid() == 0}
	return ensure(ctx, opts, system)
}

// system is what Ensure uses of the machine.
type system struct {
	look func(program string) (string, error)
	run  func(ctx context.Context, out io.Writer, args []string) error
	root bool
}

func ensure(ctx context.Context, opts EnsureOptions, system system) (Binaries, error) {
	if opts.Log == nil {
		opts.Log = slog.New(slog.DiscardHandler)
	}
	if opts.Out == nil {
		opts.Out = io.Discard
	}
	if err := checkPlace(opts.DataDir); err != nil {
		return Binaries{}, err
	}
	wanted := Options{DataDir: opts.DataDir}
	binaries, err := choose(ctx, wanted)
	if err == nil || !errors.Is(err, ErrNoBinaries) {
		return binaries, err
	}
	var tried error
	if !opts.NoPackages {
		tried = install(ctx, opts, system)
		if binaries, err := choose(ctx, wanted); err == nil {
			return binaries, nil
		}
	}
	major, err := clusterMajor(opts.DataDir)
	if err != nil {
		return Binaries{}, err
	}
	opts.Log.Info("PostgreSQL is being downloaded", "dir", opts.DataDir)
	binaries, err = Download(ctx, opts.DataDir, opts.BaseURL, major)
	if err != nil {
		return Binaries{}, fmt.Errorf("%w: %w; install PostgreSQL by hand, or set database.url to a server", ErrNoBinaries, errors.Join(tried, err))
	}
	return binaries, nil
}

// manager is one package manager and how it installs a server.
type manager struct {
	program string
	root    bool // wants root; otherwise refuses it
	steps   [][]string
}

var managers = []manager{
	{"apt-get", true, [][]string{
		{"apt-get", "update"},
		{"apt-get", "install", "-y", "--no-install-recommends", "postgresql-common"},
		{"apt-get", "install", "-y", "--no-install-recommends", "postgresql"},
	}},
	{"dnf", true, [][]string{{"dnf", "install", "-y", "postgresql-server"}}},
	{"zypper", true, [][]string{{"zypper", "--non-interactive", "install", "postgresql-server"}}},
	{"apk", true, [][]string{{"apk", "add", "--no-cache", "postgresql"}}},
	{"pacman", true, [][]string{{"pacman", "-Sy", "--noconfirm", "--needed", "postgresql"}}},
	{"brew", false, [][]string{{"brew", "install", "postgresql@17"}}},
}

// install runs the first package manager that this user may use. A step that fails does not end it: an index that cannot
// be refreshed may be fresh enough. The error is that of the last step.
func install(ctx context.Context, opts EnsureOptions, system system) error {
	for _, manager := range managers {
		if manager.root != system.root {
			continue
		}
		if _, err := system.look(manager.program); err != nil {
			continue
		}
		opts.Log.Info("PostgreSQL is being installed", "with", manager.program)
		var err error
		for _, step := range manager.steps {
			restore := withoutDebianCluster("/etc/postgresql-common/createcluster.d")
			err = system.run(ctx, opts.Out, step)
			restore()
		}
		if err != nil {
			return fmt.Errorf("%s: %w", manager.program, err)
		}
		return nil
	}
	return nil
}

// withoutDebianCluster keeps Debian's package from making and starting a cluster of its own, which nobody asked for. The
// directory exists once postgresql-common is installed.
func withoutDebianCluster(dir string) (restore func()) {
	path := filepath.Join(dir, "perennial-install.conf")
	if err := os.WriteFile(path, []byte("create_main_cluster = false\n"), 0o644); err != nil {
		return func() {} // no such system, or not ours to change
	}
	return func() { _ = os.Remove(path) }
}

func runLoud(ctx context.Context, out io.Writer, args []string) error {
	cmd := exec.CommandContext(ctx, args[0], args[1:]...)
	cmd.Env = append(os.Environ(), "DEBIAN_FRONTEND=noninteractive", "HOMEBREW_NO_AUTO_UPDATE=1")
	cmd.Stdout, cmd.Stderr = out, out
	return cmd.Run()
}
