package csvfile

import (
	"context"
	"encoding/csv"
	"errors"
	"io"
)

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
