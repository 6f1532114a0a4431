package main

import (
	"fmt"
	"io"
	"os"
	"slices"
	"strings"
	"sync"
	"time"

	"golang.org/x/term"
)

// How often a terminal is drawn anew: at most, and without news.
const (
	drawEvery = 100 * time.Millisecond
	tickEvery = 500 * time.Millisecond
)

// board shows on a terminal what is under way: one line for each shop at work, below everything that is printed
// meanwhile. Whatever is printed while lines stand has to go through it.
type board struct {
	out   io.Writer
	width func() int // columns of the terminal
	now   func() time.Time

	mu    sync.Mutex
	lines []*progress // that are under way
	drawn int         // how many of them stand on the screen
	last  time.Time   // when they were drawn
	stop  chan struct{}
}

// newBoard returns the board of a terminal, nil where the stream is none.
func newBoard(stream io.Writer) *board {
	if !isTerminal(stream) {
		return nil
	}
	return &board{out: stream, now: time.Now, width: func() int {
		file := stream.(*os.File) //nolint:errcheck // a terminal is a file
		if w, _, err := term.GetSize(int(file.Fd())); err == nil && w > 0 {
			return w
		}
		return 80
	}}
}

// above prints by f above the lines. A nil board only prints.
func (b *board) above(f func()) {
	if b == nil {
		f()
		return
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	b.clear()
	f()
	b.draw()
}

// through returns a writer that prints above the lines; what is written to it are whole lines.
func (b *board) through(w io.Writer) io.Writer {
	if b == nil {
		return w
	}
	return writerFunc(func(text []byte) (n int, err error) {
		b.above(func() { n, err = w.Write(text) })
		return n, err
	})
}

type writerFunc func([]byte) (int, error)

func (f writerFunc) Write(text []byte) (int, error) { return f(text) }

// update changes a progress by f and shows it.
func (b *board) update(p *progress, f func()) {
	b.mu.Lock()
	defer b.mu.Unlock()
	f()
	switch {
	case !slices.Contains(b.lines, p):
		b.lines = append(b.lines, p)
		b.tick()
	case b.now().Sub(b.last) < drawEvery:
		return
	}
	b.clear()
	b.draw()
}

// keep lets what a progress shows stand for good, and ends its line.
func (b *board) keep(p *progress) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.clear()
	_, _ = fmt.Fprintln(b.out, b.fit(p.text()))
	b.lines = slices.DeleteFunc(b.lines, func(line *progress) bool { return line == p })
	if len(b.lines) == 0 {
		close(b.stop)
	}
	b.draw()
}

// clear takes the lines off the screen.
func (b *board) clear() {
	if b.drawn == 0 {
		return
	}
	up := ""
	if b.drawn > 1 {
		up = fmt.Sprintf("\x1b[%dA", b.drawn-1)
	}
	_, _ = fmt.Fprint(b.out, "\r"+up+"\x1b[J") // drawing may fail; the work goes on
	b.drawn = 0
}

// draw puts the lines below what was printed.
func (b *board) draw() {
	var texts []string
	for _, p := range b.lines {
		texts = append(texts, b.fit(p.text()))
	}
	_, _ = fmt.Fprint(b.out, strings.Join(texts, "\n"))
	b.drawn, b.last = len(b.lines), b.now()
}

// fit shortens a line so that the terminal does not break it.
func (b *board) fit(line string) string {
	if runes, most := []rune(line), b.width()-1; len(runes) > most {
		return string(runes[:max(0, most)])
	}
	return line
}

// tick draws the lines now and then while there are any, so that one sees how long something takes.
func (b *board) tick() {
	if len(b.lines) > 1 {
		return
	}
	stop := make(chan struct{})
	b.stop = stop
	go func() {
		ticker := time.NewTicker(tickEvery)
		defer ticker.Stop()
		for {
			select {
			case <-stop:
				return
			case <-ticker.C:
				b.above(func() {})
			}
		}
	}()
}
