package httpapi

import (
	"bufio"
	"bytes"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"

	"github.com/perennial-cvo/perennial/connectors"
)

// checkURL refuses an absolute address that is none, without repeating it.
func checkURL(r Request) error {
	if r.URL == "" {
		return nil
	}
	u, err := url.Parse(r.URL)
	if err != nil || u.Host == "" || (u.Scheme != "https" && u.Scheme != "http") {
		return &connectors.Error{Kind: connectors.KindPermanent, Op: r.Op, Err: errors.New("the address of the file is not a web address")}
	}
	return nil
}

// judgeFile decides about an answer from an absolute address. What the other side says is not repeated, because
// storage services repeat the signature that they dislike.
func (c *Client) judgeFile(r Request, answer Response, body []byte) (Response, *fault) {
	answer.Body = body
	switch {
	case answer.Status == http.StatusRequestedRangeNotSatisfiable && r.Span != nil && r.Span.From == fileSize(answer.Header, r.Span.From):
		answer.Body, answer.End = nil, true
		return answer, nil
	case answer.Status >= 300:
		return Response{}, c.fileFault(r, answer)
	case r.Raw, r.Span != nil:
		return answer, nil
	}
	return c.judgeFileJSON(r, answer, body)
}

func (c *Client) judgeFileJSON(r Request, answer Response, body []byte) (Response, *fault) {
	if len(body) == 0 && r.MayBeEmpty {
		return answer, nil
	}
	value, _, err := findJSON(answer.Header.Get("Content-Type"), body)
	if err != nil {
		return Response{}, c.notJSON(r, err, nil)
	}
	answer.Body, answer.JSON = value, true
	return answer, nil
}

func (c *Client) fileFault(r Request, answer Response) *fault {
	e := &connectors.Error{Kind: connectors.KindPermanent, Op: r.Op, Err: &StatusError{Status: answer.Status}}
	f := &fault{err: e, hint: retryAfter(answer, c.opts.Deps.Now())}
	switch s := answer.Status; {
	case s == http.StatusTooManyRequests, s == http.StatusRequestTimeout, s == http.StatusTooEarly, s >= 500:
		e.Kind, e.Remedy = connectors.KindRetry, "the place where the file lies has trouble or is busy; the next run goes on where this one stopped"
	}
	f.throttle = answer.Status == http.StatusTooManyRequests || answer.Status == http.StatusServiceUnavailable && f.hint.given
	f.unsent = f.throttle
	return f
}

// readSpan reads a part of a file, and says whether the file ends with it.
func readSpan(answer *http.Response, span Span, tell func(int64)) (body []byte, end bool, err error) {
	from := bufio.NewReaderSize(&watchedReader{from: answer.Body, tell: tell}, 64<<10)
	if answer.StatusCode != http.StatusPartialContent {
		if _, err := io.CopyN(io.Discard, from, span.From); errors.Is(err, io.EOF) {
			return nil, true, nil
		} else if err != nil {
			return nil, false, fmt.Errorf("body: %w", err)
		}
	} else if start, known := rangeStart(answer.Header); known && start != span.From {
		return nil, false, fmt.Errorf("body: bytes from %d on were asked for, those from %d on came: %w", span.From, start, io.ErrUnexpectedEOF)
	}
	part := bytes.NewBuffer(make([]byte, 0, max(0, min(span.Size, answer.ContentLength))+bytes.MinRead))
	read, err := part.ReadFrom(io.LimitReader(from, span.Size))
	if err != nil {
		return nil, false, fmt.Errorf("body: %w", err)
	}
	body = part.Bytes()
	if answer.StatusCode == http.StatusPartialContent {
		if read == 0 {
			return nil, false, fmt.Errorf("body: no byte of the part came: %w", io.ErrUnexpectedEOF)
		}
		return body, span.From+read == fileSize(answer.Header, -1), nil
	}
	if read < span.Size {
		return body, true, nil
	}
	_, err = from.Peek(1)
	return body, errors.Is(err, io.EOF), nil
}

func rangeStart(h http.Header) (start int64, known bool) {
	var end int64
	n, _ := fmt.Sscanf(h.Get("Content-Range"), "bytes %d-%d/", &start, &end)
	return start, n == 2
}

// fileSize returns the size of the whole file as Content-Range tells it, or the fallback.
func fileSize(h http.Header, fallback int64) int64 {
	var start, end, size int64
	text := h.Get("Content-Range")
	if n, _ := fmt.Sscanf(text, "bytes %d-%d/%d", &start, &end, &size); n == 3 {
		return size
	}
	if n, _ := fmt.Sscanf(text, "bytes */%d", &size); n == 1 {
		return size
	}
	return fallback
}
