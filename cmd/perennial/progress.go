package main

import (
	"fmt"
	"io"
	"log/slog"
	"os"
	"strings"
	"time"

	"github.com/schollz/progressbar/v3"
	"golang.org/x/term"
)

// progress shows how far a long step is, or what it waits for: a bar with counts and the time left on a terminal, a log
// line now and then otherwise.
type progress struct {
	board  *board // nil where lines are logged
	log    *slog.Logger
	now    func() time.Time
	prefix string // before the name of each step

	name    string
	bar     *progressbar.ProgressBar // nil while nobody knows how much there is
	from    int                      // what was done when began
	done    int
	total   int
	waits   string    // for what; "" is at work
	since   time.Time // of the wait
	logged  time.Time
	began   time.Time
	drawing bool
}

// newProgress draws where a terminal is there and nothing asks for silence.
func newProgress(g *globals, log *slog.Logger) *progress {
	p := &progress{log: log, now: time.Now}
	if !g.quiet {
		p.board = g.board
	}
	return p
}

// progress is the one of a step of this shop. Where several shops are at work, it says which.
func (s *shop) progress() *progress {
	p := newProgress(s.app.globals, s.app.log.With("store", s.cfg.Name))
	if len(s.app.selected()) > 1 {
		p.prefix = s.cfg.Name + ": "
	}
	return p
}

// isTerminal reports whether a stream is a terminal that can draw.
func isTerminal(stream any) bool {
	file, ok := stream.(*os.File)
	return ok && term.IsTerminal(int(file.Fd())) && os.Getenv("TERM") != "dumb"
}

// step reports that done of total units of name are behind us; total 0 means that nobody knows.
func (p *progress) step(name string, done, total int) {
	if p.board != nil {
		p.draw(name, func() { p.set(done, total) })
		return
	}
	began, attrs := p.start(name), []any{"step", name, "done", done}
	if total > 0 {
		attrs = append(attrs, "total", total, "left", remaining(p.now().Sub(began), done, total))
	}
	p.tell("progress", attrs)
}

// wait reports that the step called name can go on only when somebody else is ready: whom tells who.
func (p *progress) wait(name, whom string) {
	if p.board == nil {
		p.tell("waiting for "+whom, []any{"step", name, "since", p.now().Sub(p.start(name)).Round(time.Second)})
		return
	}
	p.draw(name, func() {
		if p.waits == "" {
			p.waits, p.since = whom, p.now()
		}
	})
}

// start returns when the step began, which is now where it is another one than the last.
func (p *progress) start(name string) time.Time {
	if name != p.name {
		p.name, p.began = name, p.now()
		p.logged = p.began
	}
	return p.began
}

// tell logs, every ten seconds at most.
func (p *progress) tell(message string, attrs []any) {
	if now := p.now(); now.Sub(p.logged) >= 10*time.Second {
		p.logged = now
		p.log.Info(message, attrs...)
	}
}

// remaining extrapolates the time left from the time spent.
func remaining(spent time.Duration, done, total int) time.Duration {
	if done <= 0 || total <= done {
		return 0
	}
	return time.Duration(float64(spent) / float64(done) * float64(total-done)).Round(time.Second)
}

// draw shows the step called name after f has changed it. The last one stays on the screen.
func (p *progress) draw(name string, f func()) {
	if p.drawing && name != p.name {
		p.finish()
	}
	p.board.update(p, func() {
		p.start(name)
		p.drawing = true
		f()
	})
}

// set moves the bar. An announced total is a hint only: one that is passed grows.
func (p *progress) set(done, total int) {
	if p.bar == nil || p.waits != "" { // the time left is that of the work alone
		p.from, p.began = done, p.now()
	}
	p.done, p.total, p.waits = done, total, ""
	if total <= 0 {
		return
	}
	limit := int64(max(done, total))
	switch {
	case p.bar != nil && p.bar.GetMax64() == limit:
	case p.bar != nil && !p.bar.IsFinished():
		p.bar.ChangeMax64(limit)
	default:
		p.bar = progressbar.NewOptions64(limit,
			progressbar.OptionSetWriter(io.Discard), // the board draws
			progressbar.OptionSetWidth(24),
			progressbar.OptionShowCount(),
			progressbar.OptionSetPredictTime(false), // its rate is that of the last seconds, and jumps
		)
	}
	_ = p.bar.Set(done) // it cannot fail within its limit
}

// text is what stands on the screen.
func (p *progress) text() string {
	name := fmt.Sprintf("%-24s", p.prefix+p.name)
	switch {
	case p.waits != "":
		text := name + " waiting for " + p.waits + ", " + p.now().Sub(p.since).Round(time.Second).String()
		if p.done > 0 {
			text += ", " + count(p.done) + " so far"
		}
		return text
	case p.bar == nil:
		return name + " " + count(p.done)
	}
	text := name + strings.TrimRight(strings.TrimLeft(p.bar.String(), "\r"), " ")
	if left := remaining(p.now().Sub(p.began), p.done-p.from, p.total-p.from); left > 0 {
		text += " " + left.String() + " left"
	}
	return text
}

// finish ends the line that is drawn; it stays, and the next one stands below it.
func (p *progress) finish() {
	if !p.drawing {
		return
	}
	p.board.update(p, func() { p.waits, p.total = "", 0 })
	p.board.keep(p)
	p.drawing, p.name, p.bar, p.done = false, "", nil, 0
}
