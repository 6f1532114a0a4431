package csvfile

import (
	"bufio"
	"encoding/csv"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"maps"
	"os"
	"slices"
	"strconv"
	"strings"
)

// The memory of a folder is a file of lines in order of their keys: first what it is, then the audiences with their names, then
// a line for each person, then how many there are.
const (
	memoryKind = "perennial audiences 1"
	namesMark  = "audiences"
	fixedCells = 6
)

var errDamaged = errors.New("the memory of the folder is damaged")

// memoryHead is what the memory says of itself.
type memoryHead struct {
	format     string
	generation string // another one wherever the memory begins anew
	store      string
	names      map[string]string // of audiences, by key
}

// memoryReader reads a memory line by line.
type memoryReader struct {
	head  memoryHead
	file  *os.File
	lines *csv.Reader
	count int
}

// openMemory opens a memory. Its error is fs.ErrNotExist where there is none.
func openMemory(path string) (*memoryReader, error) {
	file, err := os.Open(path)
	if err != nil {
		return nil, fmt.Errorf("memory: %w", err)
	}
	m := &memoryReader{file: file, lines: csv.NewReader(bufio.NewReaderSize(file, 1<<18))}
	m.lines.FieldsPerRecord, m.lines.ReuseRecord = -1, true
	if err := m.readHead(); err != nil {
		return nil, errors.Join(err, m.close())
	}
	return m, nil
}

func (m *memoryReader) close() error { return m.file.Close() }

func (m *memoryReader) readHead() error {
	first, err := m.lines.Read()
	if err != nil || len(first) != 4 || first[0] != memoryKind {
		return errDamaged
	}
	m.head = memoryHead{format: first[1], generation: first[2], store: first[3], names: map[string]string{}}
	second, err := m.lines.Read()
	if err != nil || len(second)%2 != 1 || second[0] != namesMark {
		return errDamaged
	}
	for i := 1; i < len(second); i += 2 {
		m.head.names[second[i]] = second[i+1]
	}
	return nil
}

// next returns the next person; io.EOF after the last one, if none is missing.
func (m *memoryReader) next() (key string, r *member, err error) {
	cells, err := m.lines.Read()
	switch {
	case err != nil:
		return "", nil, errDamaged // the last line was due
	case len(cells) == 2 && cells[0] == "":
		if cells[1] != strconv.Itoa(m.count) {
			return "", nil, errDamaged
		}
		return "", nil, io.EOF
	case len(cells) < fixedCells || len(cells)%2 != 0:
		return "", nil, errDamaged
	}
	m.count++
	r = &member{customer: cells[1], first: cells[2], last: cells[3], match: cells[4], audiences: strings.Fields(cells[5])}
	if len(cells) > fixedCells {
		r.attributes = make(map[string]string, (len(cells)-fixedCells)/2)
		for i := fixedCells; i < len(cells); i += 2 {
			r.attributes[cells[i]] = cells[i+1]
		}
	}
	return cells[0], r, nil
}

// memoryWriter writes a memory and notes which attributes there are.
type memoryWriter struct {
	lines *csv.Writer
	count int
	keys  map[string]bool
	seen  map[string]bool // audiences
	cells []string
}

func newMemoryWriter(to io.Writer, h memoryHead) (*memoryWriter, error) {
	m := &memoryWriter{lines: csv.NewWriter(to), keys: map[string]bool{}, seen: map[string]bool{}}
	if err := m.lines.Write([]string{memoryKind, h.format, h.generation, h.store}); err != nil {
		return nil, fmt.Errorf("memory: %w", err)
	}
	names := []string{namesMark}
	for _, key := range slices.Sorted(maps.Keys(h.names)) {
		names = append(names, key, h.names[key])
	}
	if err := m.lines.Write(names); err != nil {
		return nil, fmt.Errorf("memory: %w", err)
	}
	return m, nil
}

func (m *memoryWriter) write(key string, r *member) error {
	m.count++
	m.cells = append(m.cells[:0], key, r.customer, r.first, r.last, r.match, strings.Join(r.audiences, " "))
	for _, name := range slices.Sorted(maps.Keys(r.attributes)) {
		m.keys[name] = true
		m.cells = append(m.cells, name, r.attributes[name])
	}
	for _, audience := range r.audiences {
		m.seen[audience] = true
	}
	return m.lines.Write(m.cells)
}

// end writes the last line.
func (m *memoryWriter) end() error {
	if err := m.lines.Write([]string{"", strconv.Itoa(m.count)}); err != nil {
		return err
	}
	m.lines.Flush()
	return m.lines.Error()
}

// isMissing reports whether there is no such file.
func isMissing(err error) bool { return errors.Is(err, fs.ErrNotExist) }
