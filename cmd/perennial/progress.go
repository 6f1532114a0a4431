package main

import (
	"fmt"
	"io"
	"log/slog"
	"os"
	"time"

	"github.com/schollz/progressbar/v3"
	"golang.org/x/term"
)

// progress shows how far a long step is: a bar with counts and the time left on a terminal, a log line now and then
// otherwise.
type progress struct {
	out  io.Writer
	log  *slog.Logger
	bars bool
	now  func() time.Time

	name   string
	bar    *progressbar.ProgressBar
	logged time.Time
	began  time.Time
}

// newProgress draws bars where w is a terminal and nothing asks for silence.
func newProgress(g *globals, log *slog.Logger) *progress {
	return &progress{out: g.err, log: log, bars: !g.quiet && isTerminal(g.err), now: time.Now}
}

// isTerminal reports whether a stream is a terminal that can draw.
func isTerminal(stream any) bool {
	file, ok := stream.(*os.File)
	return ok && term.IsTerminal(int(file.Fd())) && os.Getenv("TERM") != "dumb"
}

// step reports that done of total units of name are behind us; total 0 means that nobody knows.
func (p *progress) step(name string, done, total int) {
	if p.bars {
		p.draw(name, done, total)
		return
	}
	now := p.now()
	if name != p.name {
		p.name, p.began, p.logged = name, now, now
	}
	if now.Sub(p.logged) < 10*time.Second {
		return
	}
	p.logged = now
	attrs := []any{"step", name, "done", done}
	if total > 0 {
		attrs = append(attrs, "total", total, "left", remaining(now.Sub(p.began), done, total))
	}
	p.log.Info("progress", attrs...)
}

// remaining extrapolates the time left from the time spent.
func remaining(spent time.Duration, done, total int) time.Duration {
	if done <= 0 || total <= done {
		return 0
	}
	return time.Duration(float64(spent) / float64(done) * float64(total-done)).Round(time.Second)
}

func (p *progress) draw(name string, done, total int) {
	if p.bar == nil || name != p.name {
		p.finish()
		p.name, p.began = name, p.now()
		limit := int64(total)
		if total <= 0 {
			limit = -1
		}
		p.bar = progressbar.NewOptions64(limit,
			progressbar.OptionSetWriter(p.out),
			progressbar.OptionSetDescription(fmt.Sprintf("%-22s", name)),
			progressbar.OptionSetWidth(24),
			progressbar.OptionShowCount(),
			progressbar.OptionSetPredictTime(true),
			progressbar.OptionThrottle(100*time.Millisecond),
		)
	}
	if total > 0 && p.bar.GetMax64() != int64(total) {
		p.bar.ChangeMax64(int64(total))
	}
	if total > 0 && done > total {
		done = total // an announced total is a hint only
	}
	_ = p.bar.Set(done) // drawing may fail; the work goes on
}

// finish ends the bar that is drawn, so that the next line starts clean.
func (p *progress) finish() {
	if p.bar == nil {
		return
	}
	_ = p.bar.Exit()
	_, _ = fmt.Fprintln(p.out)
	p.bar = nil
}
