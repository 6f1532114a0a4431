package embedded

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"net"
	"os"
	"path/filepath"
	"strings"

	embeddedpostgres "github.com/fergusstrange/embedded-postgres"
)

// releases are the archives by major version; newest is what a new cluster gets.
var releases = map[int]string{14: "14.18.0", 15: "15.13.0", 16: "16.9.0", 17: "17.5.0", 18: "18.3.0"}

const newest = 17

// Download fetches PostgreSQL binaries of a major version (0: the newest that Perennial knows) into the data directory and
// tries them. baseURL is that of a mirror; empty means where the archives are published. A second call finds what the first
// one fetched.
func Download(ctx context.Context, dataDir, baseURL string, major int) (Binaries, error) {
	if major == 0 {
		major = newest
	}
	release, known := releases[major]
	if !known {
		return Binaries{}, fmt.Errorf("download: there is none for PostgreSQL %d", major)
	}
	target := filepath.Join(downloads(dataDir), release)
	if binaries, err := inspect(ctx, filepath.Join(target, "bin")); err == nil {
		return binaries, nil
	}
	for _, dir := range []string{dataDir, downloads(dataDir)} {
		if err := makeDir(dir, 0o711); err != nil { // whoever runs the server passes through
			return Binaries{}, fmt.Errorf("download: %w", err)
		}
	}
	fresh, err := os.MkdirTemp(downloads(dataDir), "new-")
	if err != nil {
		return Binaries{}, fmt.Errorf("download: %w", err)
	}
	defer func() { _ = os.RemoveAll(fresh) }() // gone after the rename
	files := filepath.Join(fresh, "files")
	fetched := fetch(ctx, fresh, baseURL, release)
	if ctx.Err() != nil {
		return Binaries{}, fmt.Errorf("download of PostgreSQL %s: %w", release, ctx.Err())
	}
	if _, err := os.Stat(files); err != nil {
		return Binaries{}, fmt.Errorf("download of PostgreSQL %s: %w", release, cmp.Or(fetched, err))
	}
	if err := openToAll(files); err != nil {
		return Binaries{}, fmt.Errorf("download of PostgreSQL %s: %w", release, err)
	}
	// What counts is that the programs run here; the library's own trial is refused to root, for one.
	if _, err := inspect(ctx, filepath.Join(files, "bin")); err != nil {
		return Binaries{}, fmt.Errorf("download of PostgreSQL %s: it does not run here: %w", release, errors.Join(fetched, err))
	}
	if err := os.RemoveAll(target); err != nil { // did not run
		return Binaries{}, fmt.Errorf("download: %w", err)
	}
	if err := os.Rename(files, target); err != nil {
		return Binaries{}, fmt.Errorf("download: %w", err)
	}
	return inspect(ctx, filepath.Join(target, "bin"))
}

// fetch lets the library fetch an archive, hold it against its published checksum and unpack it into dir/files. The library
// has no way to do only that: it goes on to make a cluster and start it, which is stopped at once. It knows no contexts
// either: when ctx ends first, what it still writes is removed with dir.
func fetch(ctx context.Context, dir, baseURL, release string) error {
	port, err := freePort(ctx)
	if err != nil {
		return err
	}
	config := embeddedpostgres.DefaultConfig().
		Version(embeddedpostgres.PostgresVersion(release)).
		CachePath(filepath.Join(dir, "cache")).
		BinariesPath(filepath.Join(dir, "files")).
		RuntimePath(filepath.Join(dir, "trial")).
		Port(port).
		Logger(io.Discard)
	if baseURL != "" {
		config = config.BinaryRepositoryURL(strings.TrimRight(baseURL, "/"))
	}
	ended := make(chan error, 1)
	go func() {
		server := embeddedpostgres.NewDatabase(config)
		err := server.Start()
		if err == nil {
			err = server.Stop()
		}
		ended <- err
	}()
	select {
	case err := <-ended:
		return err
	case <-ctx.Done():
		return ctx.Err()
	}
}

func freePort(ctx context.Context) (uint32, error) {
	listener, err := (&net.ListenConfig{}).Listen(ctx, "tcp", "127.0.0.1:0")
	if err != nil {
		return 0, fmt.Errorf("port: %w", err)
	}
	port := listener.Addr().(*net.TCPAddr).Port
	return uint32(port), listener.Close() //nolint:gosec // a port fits
}

// openToAll lets every user read and enter what was unpacked, whatever the umask: the server may run as another user.
func openToAll(dir string) error {
	return filepath.WalkDir(dir, func(path string, entry fs.DirEntry, err error) error {
		if err != nil || entry.Type()&fs.ModeSymlink != 0 {
			return err
		}
		info, err := entry.Info()
		if err != nil {
			return err
		}
		mode := info.Mode().Perm() | 0o444
		if entry.IsDir() || mode&0o100 != 0 {
			mode |= 0o111
		}
		return os.Chmod(path, mode)
	})
}
