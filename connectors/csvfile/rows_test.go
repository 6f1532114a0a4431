package csvfile

import (
	"bytes"
	"encoding/csv"
	"errors"
	"io"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"
)

func readAll(t require.TestingT, text string, comma byte) []row {
	in := newRows(strings.NewReader(text), comma)
	var all []row
	for {
		r, err := in.next()
		if errors.Is(err, io.EOF) {
			return all
		}
		require.NoError(t, err)
		all = append(all, r)
	}
}

func TestWhatAWriterWritesIsRead(t *testing.T) {
	cell := rapid.StringOfN(rapid.RuneFrom([]rune("ab1,;\" \n'\t\u00e9\u6587")), 0, 8, -1)
	rapid.Check(t, func(t *rapid.T) {
		width := rapid.IntRange(2, 5).Draw(t, "width")
		table := rapid.SliceOfN(rapid.SliceOfN(cell, width, width), 1, 8).Draw(t, "table")
		var want [][]string
		var text bytes.Buffer
		w := csv.NewWriter(&text)
		w.UseCRLF = rapid.Bool().Draw(t, "crlf")
		for _, cells := range table {
			if strings.TrimSpace(strings.Join(cells, "")) == "" {
				cells[0] = "x" // blank lines are skipped
			}
			for i := range cells {
				if w.UseCRLF { // the writer turns line ends within cells into CRLF too
					cells[i] = strings.ReplaceAll(cells[i], "\n", "")
				}
			}
			if strings.Join(cells, "") == "" {
				cells[0] = "x"
			}
			require.NoError(t, w.Write(cells))
			want = append(want, cells)
		}
		w.Flush()
		var got [][]string
		for _, r := range readAll(t, text.String(), ',') {
			require.Empty(t, r.reason)
			got = append(got, r.cells)
		}
		require.Empty(t, cmp.Diff(want, got))
	})
}

func TestRows(t *testing.T) {
	for _, tt := range []struct {
		name, text string
		comma      byte
		want       [][]string
		lines      []int
	}{
		{"plain", "a,b\n1,2\n", ',', [][]string{{"a", "b"}, {"1", "2"}}, []int{1, 2}},
		{"no line end at the end", "a,b\r\n1,2", ',', [][]string{{"a", "b"}, {"1", "2"}}, []int{1, 2}},
		{"blank lines", "\na,b\n\n \n1,2\n", ',', [][]string{{"a", "b"}, {"1", "2"}}, []int{2, 5}},
		{"line end in a cell", "a,\"x\ny\"\n1,2\n", ',', [][]string{{"a", "x\ny"}, {"1", "2"}}, []int{1, 3}},
		{"semicolons", "a;\"b;c\"\n", ';', [][]string{{"a", "b;c"}}, []int{1}},
		{"quote in a bare cell", "7\" frame,2\n", ',', [][]string{{`7" frame`, "2"}}, []int{1}},
		{"quote within a quoted cell", `"RECORD 7"" SINGLE",2`, ',', [][]string{{`RECORD 7" SINGLE`, "2"}}, []int{1}},
		{"empty last cell", "a,\n", ',', [][]string{{"a", ""}}, []int{1}},
		{"NUL", "a\x00b,2\n", ',', [][]string{{"ab", "2"}}, []int{1}},
		{"bytes of another encoding", "caf\xe9,2\n", ',', [][]string{{"caf\ufffd", "2"}}, []int{1}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			var got [][]string
			var lines []int
			for _, r := range readAll(t, tt.text, tt.comma) {
				require.Empty(t, r.reason)
				got, lines = append(got, r.cells), append(lines, r.line)
			}
			require.Equal(t, tt.want, got)
			require.Equal(t, tt.lines, lines)
		})
	}
}

func TestALongLineAfterAnOpenQuoteIsNotLost(t *testing.T) {
	got := readAll(t, "a,b\n9,\"oops\n9,"+strings.Repeat("x", maxRow)+"\n3,4\n", ',')
	require.Len(t, got, 4)
	require.Contains(t, got[1].reason, "never closed")
	require.Contains(t, got[2].reason, "longer than 1 MB")
	require.Equal(t, []int{2, 3, 4}, []int{got[1].line, got[2].line, got[3].line})
	require.Equal(t, []string{"3", "4"}, got[3].cells)
}

// A quote that nobody closes must not swallow the rest of the file, and neither must a line without an end.
func TestOneBadRowCostsOneRow(t *testing.T) {
	for name, bad := range map[string]string{
		"open quote": "9,\"oops",
		"long line":  "9," + strings.Repeat("x", maxRow),
	} {
		t.Run(name, func(t *testing.T) {
			got := readAll(t, "a,b\n1,2\n"+bad+"\n3,4\n5,6\n", ',')
			require.Len(t, got, 5)
			require.NotEmpty(t, got[2].reason)
			require.Equal(t, 3, got[2].line)
			require.NotEmpty(t, got[2].raw)
			require.Equal(t, []string{"3", "4"}, got[3].cells)
			require.Equal(t, 4, got[3].line)
			require.Equal(t, 5, got[4].line)
		})
	}
}
