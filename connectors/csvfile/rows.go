package csvfile

import (
	"bufio"
	"bytes"
	"errors"
	"io"
	"strings"
	"unicode/utf8"
)

// Limits of one row: beyond them a row is set aside, so that one stray quote or one endless line cannot swallow a file.
const (
	maxRow   = 1 << 20
	maxLines = 1000 // lines of one row, in quoted cells
)

// row is one record of a file, as it came and split into cells.
type row struct {
	line   int
	raw    []byte
	cells  []string
	reason string // why it could not be split, empty where it could
}

// oddities counts what was repaired on the way.
type oddities struct {
	nul     int // NUL characters removed
	invalid int // cells with bytes that are not of the encoding
}

// rows splits text into records by the rules of RFC 4180, and forgives what spreadsheets and shops do: a quote within a
// bare cell, either kind of line end, blank lines. A quote that is never closed costs one line and not the rest of the
// file: the lines after it are read anew.
type rows struct {
	in      *bufio.Reader
	comma   byte
	line    int        // of the next line to be read
	pending []physical // lines read ahead in search of a closing quote
	odd     oddities
}

func newRows(in io.Reader, comma byte) *rows {
	return &rows{in: bufio.NewReaderSize(in, 64<<10), comma: comma, line: 1}
}

// physical is one line of the file, or the beginning of one that is too long.
type physical struct {
	text []byte
	err  error
}

var errLong = errors.New("the line is longer than 1 MB")

// next returns the next record; at the end of the file, io.EOF.
func (r *rows) next() (row, error) {
	for {
		first, err := r.readLine()
		if errors.Is(err, errLong) {
			r.line++
			return row{line: r.line - 1, raw: first, reason: err.Error()}, nil
		}
		if err != nil {
			return row{}, err
		}
		at := r.line
		r.line++
		if len(bytes.TrimSpace(first)) == 0 {
			continue
		}
		return r.record(at, first)
	}
}

// record splits the line at hand, reading on where a quoted cell goes over its end.
func (r *rows) record(at int, first []byte) (row, error) {
	text := first
	var ahead []physical
	for len(text) <= maxRow && len(ahead) <= maxLines {
		cells, open := split(text, r.comma)
		if !open {
			r.line += len(ahead)
			return row{line: at, raw: text, cells: r.clean(cells)}, nil
		}
		more, err := r.readLine()
		if errors.Is(err, io.EOF) {
			break // no quote closes it
		}
		long := errors.Is(err, errLong)
		if err != nil && !long {
			return row{}, err
		}
		ahead = append(ahead, physical{text: more, err: err})
		if long {
			break
		}
		text = append(text[:len(text):len(text)], more...)
	}
	r.pending = append(ahead, r.pending...)
	return row{line: at, raw: first, reason: "a quote is opened and never closed"}, nil
}

// readLine returns the next line with its end, from what was read ahead or from the file.
func (r *rows) readLine() ([]byte, error) {
	if len(r.pending) > 0 {
		line := r.pending[0]
		r.pending = r.pending[1:]
		return line.text, line.err
	}
	var line []byte
	long := false
	for {
		part, err := r.in.ReadSlice('\n')
		if len(line)+len(part) <= maxRow {
			line = append(line, part...)
		} else {
			long = true
		}
		switch {
		case errors.Is(err, bufio.ErrBufferFull):
			continue
		case err != nil && !errors.Is(err, io.EOF):
			return nil, err
		case long:
			return line[:min(len(line), 4<<10)], errLong
		case len(line) == 0 && err != nil:
			return nil, io.EOF
		}
		return line, nil
	}
}

// split cuts one record into cells; open says that a quoted cell is not closed at its end.
func split(text []byte, comma byte) (cells []string, open bool) {
	text = bytes.TrimRight(text, "\r\n")
	for {
		if len(text) == 0 || text[0] != '"' {
			end := bytes.IndexByte(text, comma)
			if end < 0 {
				return append(cells, string(text)), false
			}
			cells = append(cells, string(text[:end]))
			text = text[end+1:]
			continue
		}
		cell, rest, closed := quoted(text[1:], comma)
		if !closed {
			return nil, true
		}
		cells = append(cells, cell)
		if rest == nil {
			return cells, false
		}
		text = rest
	}
}

// quoted reads a cell up to its closing quote. A quote followed by neither a quote nor the end of the cell stands for
// itself. The rest is nil where the record ends with the cell.
func quoted(text []byte, comma byte) (cell string, rest []byte, closed bool) {
	var b strings.Builder
	for {
		at := bytes.IndexByte(text, '"')
		if at < 0 {
			return "", nil, false
		}
		b.Write(text[:at])
		text = text[at+1:]
		switch {
		case len(text) == 0:
			return b.String(), nil, true
		case text[0] == comma:
			return b.String(), text[1:], true
		case text[0] == '"':
			text = text[1:]
		}
		b.WriteByte('"')
	}
}

// clean takes out what the database cannot hold.
func (r *rows) clean(cells []string) []string {
	for i, cell := range cells {
		if strings.IndexByte(cell, 0) >= 0 {
			r.odd.nul += strings.Count(cell, "\x00")
			cell = strings.ReplaceAll(cell, "\x00", "")
		}
		if !utf8.ValidString(cell) {
			r.odd.invalid++
			cell = strings.ToValidUTF8(cell, "\uFFFD")
		}
		cells[i] = cell
	}
	return cells
}
