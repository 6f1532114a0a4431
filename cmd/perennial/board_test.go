package main

import (
	"fmt"
	"io"
	"log/slog"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"
)

// screen is a terminal that understands what a board does to it.
type screen struct {
	width int
	lines [][]rune
	row   int
	col   int
}

func newScreen(width int) *screen { return &screen{width: width, lines: [][]rune{nil}} }

func (s *screen) Write(text []byte) (int, error) {
	for rest := string(text); rest != ""; {
		var up int
		switch {
		case strings.HasPrefix(rest, "\x1b[J"):
			s.lines = append(s.lines[:s.row:s.row], s.lines[s.row][:min(s.col, len(s.lines[s.row]))])
			rest = rest[3:]
		case strings.HasPrefix(rest, "\x1b["):
			if _, err := fmt.Sscanf(rest, "\x1b[%dA", &up); err != nil {
				return 0, fmt.Errorf("unknown escape %q", rest[:min(8, len(rest))])
			}
			s.row -= up
			rest = rest[strings.IndexByte(rest, 'A')+1:]
		default:
			r := []rune(rest)[0]
			s.put(r)
			rest = rest[len(string(r)):]
		}
	}
	return len(text), nil
}

func (s *screen) put(r rune) {
	switch r {
	case '\r':
		s.col = 0
		return
	case '\n':
		s.row, s.col = s.row+1, 0
	default:
		if s.col == s.width { // a real one breaks the line
			s.row, s.col = s.row+1, 0
		}
	}
	for len(s.lines) <= s.row {
		s.lines = append(s.lines, nil)
	}
	if r != '\n' {
		s.lines[s.row] = append(s.lines[s.row][:s.col], r)
		s.col++
	}
}

func (s *screen) text() string {
	var text []string
	for _, line := range s.lines {
		text = append(text, strings.TrimRight(string(line), " "))
	}
	return strings.Join(text, "\n")
}

// onScreen is a board whose terminal is a screen.
func onScreen(width int) (*board, *screen) {
	s := newScreen(width)
	return &board{out: s, now: time.Now, width: func() int { return width }}, s
}

func TestShopsAtWorkHaveALineEach(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b, screen := onScreen(100)
		g := &globals{streams: streams{out: screen, err: screen}, board: b}
		log := slog.New(slog.NewTextHandler(b.through(screen), &slog.HandlerOptions{ReplaceAttr: func(_ []string, a slog.Attr) slog.Attr {
			if a.Key == slog.TimeKey {
				return slog.Attr{}
			}
			return a
		}}))
		alder, wren := &progress{board: b, now: time.Now, prefix: "alder: "}, &progress{board: b, now: time.Now, prefix: "wren: "}
		alder.step("products", 56, 56)
		wren.step("products", 3, 0)
		alder.step("orders", 10, 100)
		wren.wait("orders", "the shop")
		time.Sleep(8 * time.Second)
		alder.step("orders", 50, 100)
		time.Sleep(4 * time.Second)
		synctest.Wait()
		require.Equal(t, []string{
			"alder: products          100% |████████████████████████| (56/56)",
			"wren: products           3",
			"alder: orders             50% |████████████            | (50/100) 15s left",
			"wren: orders             waiting for the shop, 12s",
		}, strings.Split(screen.text(), "\n"), "it is not frozen while it waits")

		g.printf("alder: read %d records\n", 156)
		log.Warn("something")
		wren.step("orders", 200, 150) // an announced total is a hint only
		wren.wait("orders", "the shop")
		time.Sleep(time.Second)
		synctest.Wait()
		require.Equal(t, []string{
			"alder: products          100% |████████████████████████| (56/56)",
			"wren: products           3",
			"alder: read 156 records",
			"level=WARN msg=something",
			"alder: orders             50% |████████████            | (50/100) 16s left",
			"wren: orders             waiting for the shop, 1s, 200 so far",
		}, strings.Split(screen.text(), "\n"))

		wren.finish()
		alder.step("orders", 100, 100)
		alder.finish()
		alder.finish()
		require.Equal(t, []string{
			"alder: products          100% |████████████████████████| (56/56)",
			"wren: products           3",
			"alder: read 156 records",
			"level=WARN msg=something",
			"wren: orders             100% |████████████████████████| (200/200)",
			"alder: orders            100% |████████████████████████| (100/100)",
			"",
		}, strings.Split(screen.text(), "\n"), "the next line starts clean")
	})
}

func TestBoardFitsTheTerminal(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b, screen := onScreen(40)
		p := &progress{board: b, now: time.Now}
		for done := range 50 {
			p.step("a step of which there is much to tell", done, 50)
			time.Sleep(drawEvery)
		}
		p.finish()
		require.Equal(t, "a step of which there is much to tell\n", screen.text(), "no line is broken in two")
	})
}

func TestBoardOfManyAtOnce(*testing.T) {
	b, _ := onScreen(80)
	b.out = io.Discard
	var all sync.WaitGroup
	for i := range 4 {
		all.Go(func() {
			p := &progress{board: b, now: time.Now, prefix: fmt.Sprint(i, " ")}
			for done := range 200 {
				p.step(fmt.Sprint("step ", done/50), done, 200)
				p.wait(p.name, "the shop")
				b.above(func() {})
			}
			p.finish()
		})
	}
	all.Wait()
}

func TestNoBoardWithoutTerminal(t *testing.T) {
	var out strings.Builder
	require.Nil(t, newBoard(&out))
	var none *board
	none.above(func() { out.WriteString("a") })
	_, err := none.through(&out).Write([]byte("b"))
	require.NoError(t, err)
	require.Equal(t, "ab", out.String())
}
