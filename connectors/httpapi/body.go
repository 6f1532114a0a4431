package httpapi

import (
	"bufio"
	"compress/gzip"
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"time"
)

var (
	errTimeout  = errors.New("no answer in time")
	errTooSlow  = errors.New("the answer came too slowly")
	errTooLarge = errors.New("the answer is too large")
)

// A body that brings less than this over a long time is held to be stuck on purpose.
const (
	minimumRate = 64 // bytes per second
	rateGrace   = 60 * time.Second
)

// watchdog ends an attempt when nothing happens for too long.
type watchdog struct {
	timer  *time.Timer
	cancel context.CancelCauseFunc
}

func watch(cancel context.CancelCauseFunc, limit time.Duration) *watchdog {
	return &watchdog{cancel: cancel, timer: time.AfterFunc(limit, func() { cancel(errTimeout) })}
}

func (w *watchdog) stop() { w.timer.Stop() }

// idle turns the watch from waiting for headers to waiting between reads. It returns what to call at each read.
func (w *watchdog) idle(limit time.Duration) func(read int64) {
	w.timer.Reset(limit)
	start := time.Now()
	return func(read int64) {
		w.timer.Reset(limit)
		spent := time.Since(start)
		if spent > rateGrace && float64(read) < minimumRate*spent.Seconds() {
			w.cancel(errTooSlow)
		}
	}
}

// watchedReader reports each read.
type watchedReader struct {
	from io.Reader
	read int64
	tell func(read int64)
}

func (r *watchedReader) Read(p []byte) (int, error) {
	n, err := r.from.Read(p)
	r.read += int64(n)
	r.tell(r.read)
	return n, err
}

// readBody reads the whole answer, unpacked, and no more than limit bytes of it. net/http unpacks what it asked to be
// packed; a server that packs unasked is known by the magic bytes, not by its header.
func readBody(response *http.Response, tell func(int64), limit int64) ([]byte, error) {
	buffered := bufio.NewReaderSize(&watchedReader{from: response.Body, tell: tell}, 32<<10)
	var from io.Reader = buffered
	if magic, _ := buffered.Peek(2); len(magic) == 2 && magic[0] == 0x1f && magic[1] == 0x8b {
		unpacked, err := gzip.NewReader(buffered)
		if err != nil {
			return nil, fmt.Errorf("gzip body: %w", err)
		}
		from = unpacked
	}
	body, err := io.ReadAll(io.LimitReader(from, limit+1))
	if err != nil {
		return nil, fmt.Errorf("body: %w", err)
	}
	if int64(len(body)) > limit {
		return nil, fmt.Errorf("%w: more than %d bytes", errTooLarge, limit)
	}
	return body, nil
}
