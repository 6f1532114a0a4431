package csvfile

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"io"
	"maps"
	"path/filepath"
	"slices"
	"strings"
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
