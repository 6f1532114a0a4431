package embedded

import (
	"archive/tar"
	"archive/zip"
	"context"
	"crypto/sha1"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"hash"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"time"

	"github.com/xi2/xz"
)

// DefaultBaseURL is where the archives of the zonky embedded-postgres project are published. A mirror has the same layout.
const DefaultBaseURL = "https://repo1.maven.org/maven2"

// releases are the archives by major version; newest is what a new cluster gets.
var releases = map[int]string{14: "14.18.0", 15: "15.13.0", 16: "16.9.0", 17: "17.5.0", 18: "18.3.0"}

const newest = 17

// Limits of an archive: several times what a real one needs.
const (
	archiveLimit = 300 << 20
	filesLimit   = 2 << 30
	countLimit   = 20_000
	stallLimit   = time.Minute
)

// Download fetches PostgreSQL binaries of a major version (0: the newest that Perennial knows) into the data directory,
// checks them against the published checksum, and tries them. A second call finds what the first one fetched.
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
	if baseURL == "" {
		baseURL = DefaultBaseURL
	}
	fresh, err := os.MkdirTemp(downloads(dataDir), "new-")
	if err != nil {
		return Binaries{}, fmt.Errorf("download: %w", err)
	}
	defer func() { _ = os.RemoveAll(fresh) }() // gone after the rename
	name := "embedded-postgres-binaries-" + platform(runtime.GOOS, runtime.GOARCH, isAlpine())
	address := fmt.Sprintf("%s/io/zonky/test/postgres/%s/%s/%s-%s.jar", strings.TrimRight(baseURL, "/"), name, release, name, release)
	archive := filepath.Join(fresh, "archive.jar")
	if err := fetchChecked(ctx, address, archive); err != nil {
		return Binaries{}, fmt.Errorf("download %s: %w", address, err)
	}
	if err := unpack(archive, filepath.Join(fresh, "files")); err != nil {
		return Binaries{}, fmt.Errorf("download %s: archive: %w", address, err)
	}
	if _, err := inspect(ctx, filepath.Join(fresh, "files", "bin")); err != nil {
		return Binaries{}, fmt.Errorf("download %s: it does not run here: %w", address, err)
	}
	if err := os.RemoveAll(target); err != nil { // did not run
		return Binaries{}, fmt.Errorf("download: %w", err)
	}
	if err := os.Rename(filepath.Join(fresh, "files"), target); err != nil {
		return Binaries{}, fmt.Errorf("download: %w", err)
	}
	return inspect(ctx, filepath.Join(target, "bin"))
}

// platform names an archive's system as the publisher does.
func platform(system, arch string, alpine bool) string {
	switch arch {
	case "arm64":
		arch = "arm64v8"
	case "386":
		arch = "i386"
	}
	if system == "linux" && alpine {
		arch += "-alpine"
	}
	return system + "-" + arch
}

func isAlpine() bool {
	_, err := os.Stat("/etc/alpine-release")
	return err == nil
}

// fetchChecked fetches address into path and compares it with the checksum published beside it.
func fetchChecked(ctx context.Context, address, path string) error {
	want, sum, err := checksum(ctx, address)
	if err != nil {
		return err
	}
	file, err := os.OpenFile(path, os.O_CREATE|os.O_EXCL|os.O_WRONLY, 0o600)
	if err != nil {
		return err
	}
	err = fetch(ctx, address, archiveLimit, io.MultiWriter(file, sum))
	if err := errors.Join(err, file.Close()); err != nil {
		return err
	}
	if got := hex.EncodeToString(sum.Sum(nil)); got != want {
		return fmt.Errorf("checksum %s, published is %s: it was changed or cut on its way; nothing of it is kept", got, want)
	}
	return nil
}

// checksum returns the strongest checksum that is published, and a hash that computes it.
func checksum(ctx context.Context, address string) (string, hash.Hash, error) {
	kinds := []struct {
		suffix string
		hash   func() hash.Hash
	}{{".sha256", sha256.New}, {".sha1", sha1.New}}
	for _, kind := range kinds {
		var text strings.Builder
		err := fetch(ctx, address+kind.suffix, 4096, &text)
		if errors.Is(err, errNotThere) {
			continue
		}
		if err != nil {
			return "", nil, fmt.Errorf("checksum: %w", err)
		}
		fields := strings.Fields(text.String())
		sum := kind.hash()
		if len(fields) == 0 || len(fields[0]) != 2*sum.Size() {
			return "", nil, fmt.Errorf("checksum: %s%s holds none", address, kind.suffix)
		}
		return strings.ToLower(fields[0]), sum, nil
	}
	return "", nil, fmt.Errorf("checksum: %w", errNotThere)
}

var errNotThere = errors.New("not published there")

// fetch copies the body of address to out. A server that falls silent ends it, a slow one does not.
func fetch(ctx context.Context, address string, limit int64, out io.Writer) error {
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	stalled := time.AfterFunc(stallLimit, func() { cancel(fmt.Errorf("no byte for %s", stallLimit)) })
	defer stalled.Stop()
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, address, nil)
	if err != nil {
		return err
	}
	answer, err := http.DefaultClient.Do(request)
	if err != nil {
		return err
	}
	defer func() { _ = answer.Body.Close() }() // read to its end or given up
	switch {
	case answer.StatusCode == http.StatusNotFound:
		return errNotThere
	case answer.StatusCode != http.StatusOK:
		return fmt.Errorf("answer %s", answer.Status)
	}
	alive := writer(func(data []byte) (int, error) {
		stalled.Reset(stallLimit)
		return out.Write(data)
	})
	copied, err := io.Copy(alive, io.LimitReader(answer.Body, limit+1))
	if err == nil && copied > limit {
		err = fmt.Errorf("more than %d bytes", limit)
	}
	return err
}

type writer func([]byte) (int, error)

func (w writer) Write(data []byte) (int, error) { return w(data) }

// unpack puts the files of the txz inside the jar into dir, and none outside it.
func unpack(archive, dir string) error {
	jar, err := zip.OpenReader(archive)
	if err != nil {
		return err
	}
	defer func() { _ = jar.Close() }() // only read
	for _, entry := range jar.File {
		if !strings.HasSuffix(entry.Name, ".txz") {
			continue
		}
		packed, err := entry.Open()
		if err != nil {
			return err
		}
		defer func() { _ = packed.Close() }() // only read
		plain, err := xz.NewReader(packed, 0)
		if err != nil {
			return fmt.Errorf("%s: %w", entry.Name, err)
		}
		return untar(tar.NewReader(plain), dir)
	}
	return errors.New("no .txz inside")
}

func untar(files *tar.Reader, dir string) error {
	if err := makeDir(dir, 0o755); err != nil {
		return err
	}
	root, err := os.OpenRoot(dir) // refuses every path that leads out
	if err != nil {
		return err
	}
	defer func() { _ = root.Close() }() // files are closed one by one
	var bytes int64
	for count := 0; ; count++ {
		entry, err := files.Next()
		if errors.Is(err, io.EOF) {
			return nil
		}
		if err != nil {
			return err
		}
		bytes += entry.Size
		if count > countLimit || bytes > filesLimit {
			return errors.New("too large")
		}
		if err := put(root, entry, files); err != nil {
			return fmt.Errorf("%s: %w", entry.Name, err)
		}
	}
}

func put(root *os.Root, entry *tar.Header, content io.Reader) error {
	name := filepath.Clean(entry.Name)
	if !filepath.IsLocal(name) {
		return errors.New("path that leads out")
	}
	switch entry.Typeflag {
	case tar.TypeDir:
		return openDirs(root, name)
	case tar.TypeSymlink, tar.TypeReg:
		if err := openDirs(root, filepath.Dir(name)); err != nil {
			return err
		}
	default:
		return fmt.Errorf("entry of type %q", entry.Typeflag)
	}
	if entry.Typeflag == tar.TypeSymlink {
		if !filepath.IsLocal(filepath.Join(filepath.Dir(name), entry.Linkname)) || filepath.IsAbs(entry.Linkname) {
			return errors.New("link that leads out")
		}
		return root.Symlink(entry.Linkname, name)
	}
	mode := 0o644 | os.FileMode(entry.Mode)&0o111
	file, err := root.OpenFile(name, os.O_CREATE|os.O_EXCL|os.O_WRONLY, mode)
	if err != nil {
		return err
	}
	_, err = io.Copy(file, content)
	return errors.Join(err, file.Chmod(mode), file.Close())
}

// openDirs makes a directory and its parents, open to every user whatever the umask.
func openDirs(root *os.Root, name string) error {
	if name == "." {
		return nil
	}
	if err := openDirs(root, filepath.Dir(name)); err != nil {
		return err
	}
	if err := root.Mkdir(name, 0o755); err != nil {
		if errors.Is(err, os.ErrExist) {
			return nil
		}
		return err
	}
	return root.Chmod(name, 0o755)
}
