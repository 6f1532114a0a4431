package csvfile

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"

	"github.com/perennial-cvo/perennial/connectors"
)

func (d *audienceFiles) memoryFile() string           { return "." + d.prefix + "-memory.csv" }
func (d *audienceFiles) everybodyFile() string        { return d.prefix + ".csv" }
func (d *audienceFiles) audienceFile(k string) string { return d.prefix + "-" + k + ".csv" }
func (d *audienceFiles) path(name string) string      { return filepath.Join(d.folder, name) }
func (d *audienceFiles) tempPattern() string          { return "." + d.prefix + "~*.tmp" }

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

// foreignError says that another shop writes to the folder.
type foreignError struct{ store string }

func (e *foreignError) Error() string { return "the folder holds the audiences of store " + e.store }

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
