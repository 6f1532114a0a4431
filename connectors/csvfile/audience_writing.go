package csvfile

import (
	"bufio"
	"bytes"
	"context"
	"crypto/rand"
	"encoding/csv"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/perennial-cvo/perennial/connectors"
)

// edits are what is to be changed in a folder.
type edits struct {
	rows  map[string]*member // by key; nil takes the person out
	names map[string]string  // audiences that shall have a file
	gone  map[string]bool    // audiences that shall have none
	keep  bool               // where the memory is lost, files stay as they are until people come
}

// writing is one change of a folder. Everything is written beside what is there; then each file takes the place of the
// older one in a single step, the memory last. Cut anywhere, every file is the old one or the new, and the memory is the old
// one unless all others are new, so that the same change, tried again, does what is left.
type writing struct {
	*audienceFiles
	edits
	head  memoryHead
	lost  bool            // there was no memory
	empty bool            // nothing is left to be remembered
	same  map[string]bool // keys whose people were already as they shall be
	keys  []string        // of attributes in use
	all   []string        // audiences
	temps map[string]string
}

func (d *audienceFiles) memoryFile() string           { return "." + d.prefix + "-memory.csv" }
func (d *audienceFiles) everybodyFile() string        { return d.prefix + ".csv" }
func (d *audienceFiles) audienceFile(k string) string { return d.prefix + "-" + k + ".csv" }
func (d *audienceFiles) path(name string) string      { return filepath.Join(d.folder, name) }
func (d *audienceFiles) tempPattern() string          { return "." + d.prefix + "~*.tmp" }

// rewrite changes the folder, and tells who was already as they shall be.
func (d *audienceFiles) rewrite(ctx context.Context, e edits) (map[string]bool, error) {
	w := &writing{audienceFiles: d, edits: e, same: map[string]bool{}, temps: map[string]string{}}
	defer w.discard()
	if err := d.sweep(); err != nil {
		return nil, err
	}
	for _, step := range []func(context.Context) error{w.merge, w.derive, w.publish} {
		if err := step(ctx); err != nil {
			return nil, err
		}
	}
	return w.same, nil
}

// sweep takes away what a writing left that was cut off.
func (d *audienceFiles) sweep() error {
	left, err := filepath.Glob(d.path(d.tempPattern()))
	if err != nil {
		return fmt.Errorf("folder: %w", err)
	}
	for _, path := range left {
		if err := os.Remove(path); err != nil && !isMissing(err) {
			return fmt.Errorf("folder: %w", err)
		}
	}
	return nil
}

// open opens the memory; nil where none of this format is there.
func (w *writing) open() (*memoryReader, error) {
	w.head = memoryHead{format: w.layout.format, generation: strings.ToLower(rand.Text()[:10]), names: map[string]string{}}
	old, err := openMemory(w.path(w.memoryFile()))
	switch {
	case isMissing(err) || errors.Is(err, errDamaged) && w.keep:
		w.lost = true
		return nil, nil
	case err != nil:
		return nil, err
	case w.store != "" && old.head.store != "" && old.head.store != w.store:
		return nil, errors.Join(&foreignError{store: old.head.store}, old.close())
	case old.head.format != w.layout.format:
		w.keep = false // what stands there is of another format
		return nil, old.close()
	default:
		w.head = old.head
		return old, nil
	}
}

// foreignError says that another shop writes to the folder.
type foreignError struct{ store string }

func (e *foreignError) Error() string { return "the folder holds the audiences of store " + e.store }

// merge writes the new memory beside the old one.
func (w *writing) merge(ctx context.Context) error {
	old, err := w.open()
	if err != nil {
		return err
	}
	if old != nil {
		defer func() { _ = old.close() }() // reading
	}
	w.head.store = w.store
	maps.Copy(w.head.names, w.names)
	maps.DeleteFunc(w.head.names, func(key, _ string) bool { return w.gone[key] })
	var to *memoryWriter
	err = w.temporary(w.memoryFile(), func(file io.Writer) error {
		if to, err = newMemoryWriter(file, w.head); err != nil {
			return err
		}
		if err := w.mergeRows(ctx, old, to); err != nil {
			return err
		}
		return to.end()
	})
	if err != nil {
		return err
	}
	w.empty = to.count == 0 && len(w.head.names) == 0
	w.keys = slices.Sorted(maps.Keys(to.keys))
	maps.Copy(to.seen, asSet(slices.Collect(maps.Keys(w.head.names))))
	w.all, err = w.audiences(to.seen)
	return err
}

// mergeRows goes through old and new people, both in order of their keys.
func (w *writing) mergeRows(ctx context.Context, old *memoryReader, to *memoryWriter) error {
	keys := slices.Sorted(maps.Keys(w.rows))
	last, count := "", 0
	for {
		if count++; count%1024 == 1 && ctx.Err() != nil {
			return ctx.Err()
		}
		key, r, err := "", (*member)(nil), io.EOF
		if old != nil {
			key, r, err = old.next()
		}
		end := errors.Is(err, io.EOF)
		if err != nil && !end {
			return err
		}
		if !end && key <= last {
			return errDamaged
		}
		last = key
		for len(keys) > 0 && (end || keys[0] < key) {
			if err := w.put(to, keys[0], nil); err != nil {
				return err
			}
			keys = keys[1:]
		}
		if end {
			return nil
		}
		if len(keys) > 0 && keys[0] == key {
			err, keys = w.put(to, key, r), keys[1:]
		} else {
			err = w.keepRow(to, key, r)
		}
		if err != nil {
			return err
		}
	}
}

// put writes what shall be of a person, of whom before is what was.
func (w *writing) put(to *memoryWriter, key string, before *member) error {
	fresh := w.rows[key]
	w.same[key] = fresh.equal(before)
	if fresh == nil {
		return nil
	}
	return w.keepRow(to, key, fresh)
}

// keepRow writes a person as they are, but for audiences that go.
func (w *writing) keepRow(to *memoryWriter, key string, r *member) error {
	if len(w.gone) > 0 {
		r.audiences = slices.DeleteFunc(r.audiences, func(audience string) bool { return w.gone[audience] })
	}
	if r.isEmpty() {
		return nil
	}
	return to.write(key, r)
}

func (r *member) equal(other *member) bool {
	if r == nil || other == nil {
		return r == other
	}
	return r.customer == other.customer && r.first == other.first && r.last == other.last && r.match == other.match &&
		slices.Equal(r.audiences, other.audiences) && maps.Equal(r.attributes, other.attributes)
}

// audiences are those that have or shall have a file: the known ones, and files that a lost memory left.
func (w *writing) audiences(known map[string]bool) ([]string, error) {
	files, err := filepath.Glob(w.path(w.audienceFile("*")))
	if err != nil {
		return nil, fmt.Errorf("folder: %w", err)
	}
	for _, path := range files {
		key := strings.TrimSuffix(strings.TrimPrefix(filepath.Base(path), w.prefix+"-"), ".csv")
		if audienceKey.MatchString(key) {
			known[key] = true
		}
	}
	maps.DeleteFunc(known, func(key string, _ bool) bool { return w.gone[key] })
	return slices.Sorted(maps.Keys(known)), nil
}

func asSet(keys []string) map[string]bool {
	set := map[string]bool{}
	for _, key := range keys {
		set[key] = true
	}
	return set
}

// derive writes all other files from the new memory.
func (w *writing) derive(ctx context.Context) error {
	if w.empty {
		return nil
	}
	from, err := openMemory(w.temps[w.memoryFile()])
	if err != nil {
		return err
	}
	defer func() { _ = from.close() }() // reading
	outputs := map[string]*csv.Writer{}
	return w.outputs(w.all, outputs, func() error { return w.fill(ctx, from, outputs) })
}

// outputs opens a temporary file for each audience, one within the other, and one for everybody, and calls fill.
func (w *writing) outputs(audiences []string, to map[string]*csv.Writer, fill func() error) error {
	name, key := w.everybodyFile(), ""
	switch {
	case len(audiences) > 0:
		name, key = w.audienceFile(audiences[0]), audiences[0]
	case !w.layout.everybody || to[""] != nil:
		return fill()
	}
	return w.temporary(name, func(file io.Writer) error {
		lines := csv.NewWriter(file)
		to[key] = lines
		if err := lines.Write(w.layout.header(w.keys)); err != nil {
			return err
		}
		rest := audiences
		if key != "" {
			rest = audiences[1:]
		}
		if err := w.outputs(rest, to, fill); err != nil {
			return err
		}
		lines.Flush()
		return lines.Error()
	})
}

// fill writes everybody into the files that concern them.
func (w *writing) fill(ctx context.Context, from *memoryReader, outputs map[string]*csv.Writer) error {
	for {
		if from.count%1024 == 0 && ctx.Err() != nil {
			return ctx.Err()
		}
		key, r, err := from.next()
		if errors.Is(err, io.EOF) {
			return nil
		}
		if err != nil {
			return err
		}
		cells := w.layout.cells(key, r, w.keys)
		for _, audience := range r.audiences {
			if err := outputs[audience].Write(cells); err != nil {
				return err
			}
		}
		if everybody := outputs[""]; everybody != nil {
			if err := everybody.Write(cells); err != nil {
				return err
			}
		}
	}
}

// temporary writes a file beside the one whose place it shall take, whole and on the disk.
func (w *writing) temporary(name string, fill func(io.Writer) error) error {
	file, err := os.CreateTemp(w.folder, w.tempPattern())
	if err != nil {
		return fmt.Errorf("folder: %w", err)
	}
	w.temps[name] = file.Name()
	to := bufio.NewWriterSize(file, 1<<16)
	err = fill(to)
	if err == nil {
		err = to.Flush()
	}
	if err == nil {
		err = file.Sync()
	}
	if closed := file.Close(); err == nil {
		err = closed
	}
	return err
}

// publish puts the new files in the place of the old ones.
func (w *writing) publish(ctx context.Context) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	memory := w.memoryFile()
	for _, name := range slices.Sorted(maps.Keys(w.temps)) {
		if name == memory {
			continue
		}
		if err := os.Chmod(w.temps[name], 0o640); err != nil { //nolint:gosec // read by whoever uploads it
			return fmt.Errorf("folder: %w", err)
		}
		if err := w.replace(name); err != nil {
			return err
		}
	}
	for _, name := range w.superfluous() {
		if err := w.remove(name); err != nil {
			return err
		}
	}
	if w.empty {
		return w.remove(memory)
	}
	if err := w.replace(memory); err != nil {
		return err
	}
	return w.syncFolder()
}

// superfluous are the files of ours that shall not be there.
func (w *writing) superfluous() []string {
	var names []string
	for key := range w.gone {
		names = append(names, w.audienceFile(key))
	}
	if w.empty || !w.layout.everybody {
		names = append(names, w.everybodyFile())
	}
	if w.empty {
		for _, key := range w.all {
			names = append(names, w.audienceFile(key))
		}
	}
	return names
}

// replace gives a file its name, unless what has the name is the same.
func (w *writing) replace(name string) error {
	same, err := sameContent(w.temps[name], w.path(name))
	if err != nil {
		return err
	}
	if same || w.keep && w.lost && name != w.memoryFile() && exists(w.path(name)) {
		return nil
	}
	if err := w.step("replace " + name); err != nil {
		return err
	}
	if err := os.Rename(w.temps[name], w.path(name)); err != nil {
		return fmt.Errorf("folder: %w", err)
	}
	delete(w.temps, name)
	return nil
}

func (w *writing) remove(name string) error {
	if !exists(w.path(name)) {
		return nil
	}
	if err := w.step("remove " + name); err != nil {
		return err
	}
	if err := os.Remove(w.path(name)); err != nil && !isMissing(err) {
		return fmt.Errorf("folder: %w", err)
	}
	return nil
}

// syncFolder brings the new names to the disk, where the system can do that.
func (w *writing) syncFolder() error {
	folder, err := os.Open(w.folder)
	if err != nil {
		return fmt.Errorf("folder: %w", err)
	}
	_ = folder.Sync() // not every file system knows it of folders
	return folder.Close()
}

// discard takes away what has not got its name.
func (w *writing) discard() {
	for _, path := range w.temps {
		_ = os.Remove(path) // the next writing sweeps
	}
}

func exists(path string) bool {
	_, err := os.Lstat(path)
	return err == nil
}

// sameContent compares two files, of which the second may be missing.
func sameContent(one, other string) (bool, error) {
	a, err := os.Open(one)
	if err != nil {
		return false, fmt.Errorf("folder: %w", err)
	}
	defer func() { _ = a.Close() }() // reading
	b, err := os.Open(other)
	if isMissing(err) {
		return false, nil
	}
	if err != nil {
		return false, fmt.Errorf("folder: %w", err)
	}
	defer func() { _ = b.Close() }() // reading
	if size, err := sameSize(a, b); err != nil || !size {
		return false, err
	}
	left, right := make([]byte, 1<<16), make([]byte, 1<<16)
	for {
		n, ended := io.ReadFull(a, left)
		m, endedToo := io.ReadFull(b, right)
		switch {
		case n != m || !bytes.Equal(left[:n], right[:m]):
			return false, nil
		case ended != nil && endedToo != nil: // the end of both: neither fails otherwise
			return true, nil
		}
	}
}

func sameSize(a, b *os.File) (bool, error) {
	one, err := a.Stat()
	if err != nil {
		return false, fmt.Errorf("folder: %w", err)
	}
	other, err := b.Stat()
	if err != nil {
		return false, fmt.Errorf("folder: %w", err)
	}
	return one.Size() == other.Size(), nil
}

// ensureFiles makes what is missing of the memory and the files of audiences.
func (d *audienceFiles) ensureFiles(ctx context.Context, names map[string]string) (memoryHead, error) {
	if h, err := d.readHead(); err == nil && d.complete(h, names) {
		return h, nil
	}
	if _, err := d.rewrite(ctx, edits{names: names, keep: true}); err != nil {
		return memoryHead{}, err
	}
	return d.readHead()
}

func (d *audienceFiles) readHead() (memoryHead, error) {
	m, err := openMemory(d.path(d.memoryFile()))
	if err != nil {
		return memoryHead{}, err
	}
	return m.head, m.close()
}

// complete reports whether nothing has to be made.
func (d *audienceFiles) complete(h memoryHead, names map[string]string) bool {
	if h.format != d.layout.format || h.store != d.store || d.layout.everybody && !exists(d.path(d.everybodyFile())) {
		return false
	}
	for key, name := range names {
		if known, ok := h.names[key]; !ok || known != name || !exists(d.path(d.audienceFile(key))) {
			return false
		}
	}
	return true
}

// explain says in words what to do about a folder.
func (d *audienceFiles) explain(err error) error {
	e := &connectors.Error{Kind: connectors.KindRetry, Op: "audience files", Err: err}
	var foreign *foreignError
	switch {
	case errors.Is(err, context.Canceled), errors.Is(err, context.DeadlineExceeded):
		return fmt.Errorf("audience files: %w", err)
	case errors.As(err, &foreign):
		e.Kind, e.Remedy = connectors.KindPermanent, "give each store a folder of its own"
	case errors.Is(err, errDamaged):
		_ = os.Remove(d.path(d.memoryFile())) // it is of no use
		e.Remedy = "nothing to do: the next push begins anew and writes everybody"
	case !exists(d.folder):
		e.Kind, e.Remedy = connectors.KindPermanent, "make the folder "+d.folder+", writable for Perennial"
	case errors.Is(err, fs.ErrPermission):
		e.Kind, e.Remedy = connectors.KindPermanent, "let Perennial write to the folder "+d.folder
	default:
		e.Remedy = "see that the disk has room and that the folder can be written to; every file is whole, and the next push does what is left"
	}
	return e
}
