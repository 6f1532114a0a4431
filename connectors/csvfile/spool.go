package csvfile

import (
	"bufio"
	"cmp"
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"hash/fnv"
	"io"
	"os"
	"slices"
	"sort"

	"github.com/perennial-cvo/perennial/connectors/commerce"
)

// spool holds the kept rows of all files of one resource in a temporary file without a name, which the system takes
// back whatever happens to us, and knows which rows belong together. In memory it keeps 16 bytes for a row.
type spool struct {
	plan     *plan
	table    *table
	resource commerce.Resource
	print    string // fingerprint of the files it was made of
	names    []string
	heads    []*head
	counts   []count
	file     *os.File
	entries  []entry // by group, and within a group in the order of the files
	groups   int
	skus     map[string]string // ids of products by SKU, to find the parents of variations

	window []byte // of the file, for reading neighbours at once
	start  int64
}

// count says what was found in one file.
type count struct {
	rows, left, bad int // read, left out by conditions, set aside
	odd             oddities
}

// entry is one row: the group it belongs to, named by the place of the group's first row, and its own place.
type entry struct {
	group uint64
	at    int64
}

// newSpool reads the files.
func newSpool(ctx context.Context, p *plan, resource commerce.Resource, names []string) (*spool, error) {
	file, err := os.CreateTemp("", "perennial-csv-")
	if err != nil {
		return nil, fmt.Errorf("temporary file: %w", err)
	}
	s := &spool{plan: p, table: p.tables[resource], resource: resource, names: names, file: file, skus: map[string]string{}}
	if err := os.Remove(file.Name()); err != nil {
		return nil, errors.Join(fmt.Errorf("temporary file: %w", err), s.close())
	}
	out := &spoolWriter{spool: s, out: bufio.NewWriterSize(file, 256<<10)}
	for i := range names {
		if err := out.addFile(ctx, i); err != nil {
			return nil, errors.Join(err, s.close())
		}
	}
	if err := out.out.Flush(); err != nil {
		return nil, errors.Join(fmt.Errorf("temporary file: %w", err), s.close())
	}
	s.group()
	return s, nil
}

func (s *spool) close() error {
	s.entries, s.window = nil, nil
	return s.file.Close()
}

// group sorts the entries so that the rows of one key stand together, groups in the order of their first rows.
func (s *spool) group() {
	byGroup := func(a, b entry) int { return cmp.Or(cmp.Compare(a.group, b.group), cmp.Compare(a.at, b.at)) }
	slices.SortFunc(s.entries, byGroup)
	for i := 0; i < len(s.entries); s.groups++ {
		key, first := s.entries[i].group, uint64(s.entries[i].at)
		for ; i < len(s.entries) && s.entries[i].group == key; i++ {
			s.entries[i].group = first
		}
	}
	slices.SortFunc(s.entries, byGroup)
}

// seek returns the index of the first entry of the first group at or after a place.
func (s *spool) seek(place uint64) int {
	return sort.Search(len(s.entries), func(i int) bool { return s.entries[i].group >= place })
}

// read returns the group that begins at an entry, and the index of the next one.
func (s *spool) read(i int) ([]record, int, error) {
	group := s.entries[i].group
	var recs []record
	for ; i < len(s.entries) && s.entries[i].group == group; i++ {
		rec, err := s.readRow(s.entries[i].at)
		if err != nil {
			return nil, i, fmt.Errorf("temporary file: %w", err)
		}
		recs = append(recs, rec)
	}
	return recs, i, nil
}

// A row in the spool: lengths of reason and raw, number of the file, line; then reason and raw.
const rowHead = 20

func (s *spool) readRow(at int64) (record, error) {
	head, err := s.bytes(at, rowHead)
	if err != nil {
		return record{}, err
	}
	reasonLen := int(binary.LittleEndian.Uint32(head))
	rawLen := int(binary.LittleEndian.Uint32(head[4:]))
	file := int(binary.LittleEndian.Uint32(head[8:]))
	line := int(binary.LittleEndian.Uint64(head[12:]))
	body, err := s.bytes(at+rowHead, reasonLen+rawLen)
	if err != nil {
		return record{}, err
	}
	rec := record{file: s.names[file], head: s.heads[file]}
	rec.line, rec.reason, rec.raw = line, string(body[:reasonLen]), slices.Clone(body[reasonLen:])
	if rec.reason == "" {
		cells, _ := split(rec.raw, s.plan.comma)
		rec.cells = (&rows{}).clean(cells)[:len(rec.head.names)]
	}
	return rec, nil
}

const windowSize = 16 << 10

// bytes returns n bytes of the file, valid until the next call.
func (s *spool) bytes(at int64, n int) ([]byte, error) {
	if at < s.start || at+int64(n) > s.start+int64(len(s.window)) {
		s.window = slices.Grow(s.window[:0], max(n, windowSize))[:max(n, windowSize)]
		read, err := s.file.ReadAt(s.window, at)
		s.window, s.start = s.window[:read], at
		if err != nil && !errors.Is(err, io.EOF) || read < n {
			return nil, errors.Join(err, io.ErrUnexpectedEOF)
		}
	}
	from := at - s.start
	return s.window[from : from+int64(n)], nil
}

// spoolWriter fills a spool.
type spoolWriter struct {
	spool *spool
	out   *bufio.Writer
	at    int64
}

// addFile reads one file into the spool.
func (w *spoolWriter) addFile(ctx context.Context, i int) error {
	s := w.spool
	f, err := s.plan.open(s.names[i])
	if err != nil {
		return err
	}
	defer func() { _ = f.Close() }() // reading
	in := newRows(f, s.plan.comma)
	first, err := in.next()
	switch {
	case errors.Is(err, io.EOF):
		return &permanent{fmt.Errorf("%s: the file is empty", s.names[i])}
	case err != nil:
		return fmt.Errorf("%s: %w", s.names[i], err)
	}
	h, err := s.table.bind(first.cells)
	if err != nil {
		return &permanent{fmt.Errorf("%s: %w", s.names[i], err)}
	}
	s.heads, s.counts = append(s.heads, h), append(s.counts, count{})
	for {
		if err := ctx.Err(); err != nil {
			return err
		}
		r, err := in.next()
		if errors.Is(err, io.EOF) {
			s.counts[i].odd = in.odd
			return nil
		}
		if err != nil {
			return fmt.Errorf("%s: %w", s.names[i], err)
		}
		if err := w.addRow(i, record{row: r, file: s.names[i], head: h}); err != nil {
			return fmt.Errorf("temporary file: %w", err)
		}
	}
}

// addRow keeps, leaves out or sets aside one row.
func (w *spoolWriter) addRow(file int, rec record) error {
	s := w.spool
	c := &s.counts[file]
	c.rows++
	rec.reason = ragged(rec)
	if rec.reason == "" {
		keep, err := s.plan.kept(s.table.Keep, rec)
		switch {
		case err != nil:
			rec.reason = err.Error()
		case !keep:
			c.left++
			return nil
		}
	} else {
		rec.reason = rec.place() + ": " + rec.reason
	}
	key := ""
	if rec.reason != "" {
		c.bad++
	} else {
		key = rec.text(s.table.key)
		if sku := rec.text("sku"); s.resource == commerce.Products && sku != "" {
			s.skus[sku] = key
		}
	}
	sum := fnv.New64a()
	if key == "" {
		sum.Write([]byte("\x00" + rec.place()))
	} else {
		sum.Write([]byte(key))
	}
	s.entries = append(s.entries, entry{group: sum.Sum64(), at: w.at})
	return w.write(file, rec)
}

// ragged says what is wrong with the number of cells. Empty cells beyond the last column are forgiven: spreadsheets
// write them.
func ragged(rec record) string {
	if rec.reason != "" {
		return rec.reason
	}
	have, want := len(rec.cells), len(rec.head.names)
	for have > want && rec.cells[have-1] == "" {
		have--
	}
	if have == want {
		return ""
	}
	return fmt.Sprintf("the row has %d cells, the first row of the file has %d", have, want)
}

func (w *spoolWriter) write(file int, rec record) error {
	head := make([]byte, rowHead, rowHead+len(rec.reason)+len(rec.raw))
	binary.LittleEndian.PutUint32(head, uint32(len(rec.reason)))
	binary.LittleEndian.PutUint32(head[4:], uint32(len(rec.raw)))
	binary.LittleEndian.PutUint32(head[8:], uint32(file))
	binary.LittleEndian.PutUint64(head[12:], uint64(rec.line))
	n, err := w.out.Write(append(append(head, rec.reason...), rec.raw...))
	w.at += int64(n)
	return err
}

// permanent marks an error that trying again will not mend.
type permanent struct{ error }

func (p *permanent) Unwrap() error { return p.error }
