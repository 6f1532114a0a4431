package csvfile

import (
	"bytes"
	"compress/gzip"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"hash"
	"io"
	"os"
	"path/filepath"
	"slices"
	"sort"
	"strings"

	"golang.org/x/text/encoding"
	"golang.org/x/text/encoding/charmap"
	"golang.org/x/text/encoding/unicode"
	"golang.org/x/text/transform"

	"github.com/perennial-cvo/perennial/connectors/commerce"
)

// decoder returns the encoding by its name; a byte order mark in the file wins over it.
func decoder(name string) (encoding.Encoding, error) {
	switch strings.ToLower(strings.ReplaceAll(name, "_", "-")) {
	case "", "utf-8", "utf8":
		return encoding.Nop, nil
	case "latin-1", "latin1", "iso-8859-1":
		return charmap.ISO8859_1, nil
	case "windows-1252", "cp1252":
		return charmap.Windows1252, nil
	default:
		return nil, fmt.Errorf(`setting "encoding": %q is none of "utf-8", "latin-1", "windows-1252"`, name)
	}
}

// file is an open file as plain text.
type file struct {
	io.Reader
	closers []io.Closer
}

// Close closes the file and, where it is packed, the reader before it.
func (f *file) Close() error {
	var err error
	for _, c := range slices.Backward(f.closers) {
		err = errors.Join(err, c.Close())
	}
	return err
}

// open opens a file of the folder, unpacked and in UTF-8.
func (p *plan) open(name string) (*file, error) {
	raw, err := os.Open(filepath.Join(p.settings.Folder, name))
	if err != nil {
		return nil, fmt.Errorf("%s: %w", name, errors.Unwrap(err))
	}
	f := &file{Reader: raw, closers: []io.Closer{raw}}
	if strings.HasSuffix(strings.ToLower(name), ".gz") {
		packed, err := gzip.NewReader(raw)
		if err != nil {
			return nil, errors.Join(fmt.Errorf("%s: %w", name, err), f.Close())
		}
		f.Reader, f.closers = packed, append(f.closers, packed)
	}
	enc, err := decoder(p.settings.Encoding)
	if err != nil {
		return nil, errors.Join(err, f.Close())
	}
	f.Reader = transform.NewReader(f.Reader, unicode.BOMOverride(enc.NewDecoder()))
	return f, nil
}

// list returns the names of all files of a resource, sorted.
func (p *plan) list(resource commerce.Resource) ([]string, error) {
	t := p.tables[resource]
	if t == nil {
		return nil, nil
	}
	info, err := os.Stat(p.settings.Folder)
	if err != nil {
		return nil, fmt.Errorf("folder: %w", err)
	}
	if !info.IsDir() {
		return nil, fmt.Errorf("folder: %s is a file", p.settings.Folder)
	}
	if len(t.marks) > 0 {
		return p.recognised(t)
	}
	var names []string
	for _, pattern := range t.Files {
		paths, err := filepath.Glob(filepath.Join(p.settings.Folder, pattern))
		if err != nil {
			return nil, fmt.Errorf("files: %q: %w", pattern, err)
		}
		for _, path := range paths {
			name, err := filepath.Rel(p.settings.Folder, path)
			if err != nil {
				return nil, fmt.Errorf("files: %w", err)
			}
			names = append(names, filepath.ToSlash(name))
		}
	}
	sort.Strings(names)
	return slices.Compact(names), nil
}

// candidates are the files of the folder that a format looks into.
func (p *plan) candidates() ([]string, error) {
	entries, err := os.ReadDir(p.settings.Folder)
	if err != nil {
		return nil, fmt.Errorf("folder: %w", err)
	}
	var names []string
	for _, entry := range entries {
		name := strings.ToLower(entry.Name())
		if !entry.IsDir() && (strings.HasSuffix(name, ".csv") || strings.HasSuffix(name, ".csv.gz")) {
			names = append(names, entry.Name())
		}
	}
	return names, nil
}

// recognised returns the files whose first row is of the table's kind.
func (p *plan) recognised(t *table) ([]string, error) {
	names, err := p.candidates()
	if err != nil {
		return nil, err
	}
	var found []string
	for _, name := range names {
		first, err := p.firstRow(name)
		if err != nil && !errors.Is(err, io.EOF) {
			return nil, err
		}
		if t.marked(first) {
			found = append(found, name)
		}
	}
	return found, nil
}

func (p *plan) firstRow(name string) ([]string, error) {
	f, err := p.open(name)
	if err != nil {
		return nil, err
	}
	first, err := newRows(f, p.comma).next()
	if closed := f.Close(); err == nil && closed != nil && !errors.Is(closed, os.ErrClosed) {
		err = closed
	}
	if err != nil {
		return nil, fmt.Errorf("%s: %w", name, err)
	}
	return first.cells, nil
}

// edge is how much of a file's beginning and end goes into its fingerprint.
const edge = 64 << 10

// fingerprint changes when a file of the list or the way it is read changes: names, sizes, times, and the beginning and
// end of the content.
func (p *plan) fingerprint(names []string) (string, error) {
	sum := sha256.New()
	sum.Write([]byte(p.version))
	for _, name := range names {
		if err := p.fingerprintFile(sum, name); err != nil {
			return "", err
		}
	}
	return hex.EncodeToString(sum.Sum(nil)[:12]), nil
}

func (p *plan) fingerprintFile(sum hash.Hash, name string) error {
	f, err := os.Open(filepath.Join(p.settings.Folder, name))
	if err != nil {
		return fmt.Errorf("%s: %w", name, errors.Unwrap(err))
	}
	defer func() { _ = f.Close() }() // reading
	info, err := f.Stat()
	if err != nil {
		return fmt.Errorf("%s: %w", name, err)
	}
	sum.Write(fmt.Appendln(nil, name, info.Size(), info.ModTime().UnixNano()))
	var ends bytes.Buffer
	if _, err := io.Copy(&ends, io.NewSectionReader(f, 0, edge)); err != nil {
		return fmt.Errorf("%s: %w", name, err)
	}
	if _, err := io.Copy(&ends, io.NewSectionReader(f, max(edge, info.Size()-edge), edge)); err != nil {
		return fmt.Errorf("%s: %w", name, err)
	}
	sum.Write(ends.Bytes())
	return nil
}
