package httpapi

import (
	"math/rand/v2"
	"net/http"
	"strconv"
	"strings"
	"time"

	"github.com/perennial-cvo/perennial/connectors"
)

const (
	longestBackOff = time.Minute
	longestHint    = 24 * time.Hour  // a Retry-After beyond this is taken for nonsense and cut
	throttleRest   = 5 * time.Minute // before the next run, where a busy side names no time
)

// hint is what Retry-After says.
type hint struct {
	given bool
	wait  time.Duration // never negative, at most longestHint
}

// retryAfter reads the Retry-After header: seconds, or a date, which is measured against the server's own clock.
func retryAfter(answer Response, now time.Time) hint {
	text := strings.TrimSpace(answer.Header.Get("Retry-After"))
	if text == "" {
		return hint{}
	}
	if seconds, err := strconv.ParseFloat(text, 64); err == nil {
		switch {
		case !(seconds > 0):
			return hint{}
		case seconds > longestHint.Seconds():
			return hint{given: true, wait: longestHint}
		}
		return hint{given: true, wait: time.Duration(seconds * float64(time.Second))}
	}
	at, err := http.ParseTime(text)
	if err != nil {
		return hint{}
	}
	if !answer.Date.IsZero() {
		now = answer.Date
	}
	wait := at.Sub(now)
	if wait <= 0 {
		return hint{}
	}
	return hint{given: true, wait: min(wait, longestHint)}
}

// plan says whether the request may be tried again and after which time. Without a hint the wait is drawn evenly from
// zero to the back-off (full jitter), with one it is never shorter than the hint.
func (c *Client) plan(r Request, f *fault, attempt int) (time.Duration, bool) {
	if f.err.Kind != connectors.KindRetry && f.err.Kind != connectors.KindWait {
		return 0, false
	}
	if attempt >= c.opts.Attempts || f.hint.wait > c.opts.MaxWait || !f.unsent && !repeatable(r) {
		return 0, false
	}
	ceiling := min(c.opts.BackOff<<(attempt-1), longestBackOff)
	if !f.hint.given {
		return time.Duration(rand.Int64N(int64(ceiling) + 1)), true
	}
	jitter := time.Duration(rand.Int64N(int64(c.opts.BackOff) + 1))
	return max(f.hint.wait, ceiling) + jitter, true
}

func repeatable(r Request) bool {
	switch r.Method {
	case http.MethodGet, http.MethodHead, http.MethodPut, http.MethodDelete, http.MethodOptions:
		return true
	default:
		return r.Idempotent
	}
}

// give turns the last fault into the error of the call: a side that asks for patience defers the run.
func (c *Client) give(_ Request, f *fault) error {
	if f.throttle && (f.err.Kind == connectors.KindRetry || f.err.Kind == connectors.KindWait) {
		f.err.Kind = connectors.KindWait
		rest := f.hint.wait
		if !f.hint.given {
			rest = throttleRest
		}
		if asked := c.opts.Deps.Now().Add(rest); f.err.Until.Before(asked) {
			f.err.Until = asked
		}
		f.err.Remedy = "nothing to do: the run goes on at " + f.err.Until.UTC().Format("2006-01-02 15:04 MST")
	}
	if f.heavy {
		return heavyError{f.err}
	}
	return f.err
}

func serverDate(h http.Header) time.Time {
	at, err := http.ParseTime(h.Get("Date"))
	if err != nil {
		return time.Time{}
	}
	return at.UTC()
}
