package csvfile

import (
	"bufio"
	"bytes"
	"context"
	"fmt"
	"io"
	"maps"
	"os"
	"slices"
)

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
