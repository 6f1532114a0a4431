package simulator

import (
	"bytes"
	"io"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"sync"
)

// Front stands before the fake of an e-mail platform, which embeds it: it misbehaves on command and keeps what was asked.
// It is safe for concurrent use.
type Front struct {
	mu       sync.Mutex
	fault    Fault
	revoked  bool
	requests []Request
	wrong    []error
}

// Request is one request as it was received.
type Request struct {
	Method string `json:"method"`
	Path   string `json:"path"` // with the query
	Body   string `json:"body"`
	Status int    `json:"status"` // as answered, 0 where the connection died
	Write  bool   `json:"write"`
}

// Reply is an answer as it goes over the wire.
type Reply struct {
	Status int
	Header http.Header
	Body   []byte
}

func (a Reply) send(w http.ResponseWriter) {
	for name, values := range a.Header {
		w.Header()[name] = values
	}
	w.WriteHeader(a.Status)
	_, _ = w.Write(a.Body)
}

// WithRetryAfter adds when to come back, where the fault tells a time.
func (a Reply) WithRetryAfter(f Fault) Reply {
	if f.RetryAfter > 0 {
		a.Header = a.Header.Clone()
		a.Header.Set("Retry-After", strconv.Itoa(int(f.RetryAfter.Seconds())))
	}
	return a
}

// Dialect is how a platform speaks.
type Dialect struct {
	// Answer carries a request out.
	Answer func(r *http.Request, body []byte) Reply
	// Throttled refuses a request as one too many.
	Throttled func(Fault) Reply
	// Judge, where set, says what is wrong with an exchange.
	Judge func(r *http.Request, body []byte, status int, header http.Header, answer []byte) error
}

// Serve answers one request as the platform does, or badly where a fault befalls it.
func (f *Front) Serve(w http.ResponseWriter, r *http.Request, speaks Dialect) {
	body, err := io.ReadAll(io.LimitReader(r.Body, 64<<20))
	if err != nil {
		return // the client went away
	}
	r.Body = io.NopCloser(bytes.NewReader(body))
	kept := Request{Method: r.Method, Path: r.URL.RequestURI(), Body: string(body), Write: r.Method != http.MethodGet && r.Method != http.MethodHead}
	fault, faulty := f.takeFault(kept.Write)
	if faulty && !fault.carriesOut() {
		kept.Status = fault.refuse(w, r, speaks.Throttled)
		f.keep(kept, nil)
		return
	}
	reply := speaks.Answer(r, body)
	if faulty {
		f.keep(kept, nil)
		fault.spoil(w, reply)
		return
	}
	if speaks.Judge != nil {
		err = speaks.Judge(r, body, reply.Status, reply.Header, reply.Body)
	}
	kept.Status = reply.Status
	f.keep(kept, err)
	reply.send(w)
}

// keep notes a request and what was wrong with it.
func (f *Front) keep(r Request, wrong error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.requests = append(f.requests, r)
	if wrong != nil {
		f.wrong = append(f.wrong, wrong)
	}
}

func (f *Front) takeFault(write bool) (Fault, bool) {
	f.mu.Lock()
	defer f.mu.Unlock()
	befalls := f.fault.take(write)
	return f.fault, befalls
}

// Fault makes the next requests go wrong. It replaces an earlier command.
func (f *Front) Fault(fault Fault) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.fault = fault
}

// Revoke makes the key invalid.
func (f *Front) Revoke() {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.revoked = true
}

// Revoked reports whether the key is invalid.
func (f *Front) Revoked() bool {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.revoked
}

// Restore ends a fault and makes the key good again.
func (f *Front) Restore() {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.fault, f.revoked = Fault{}, false
}

// Requests returns everything asked so far, in order of arrival.
func (f *Front) Requests() []Request {
	f.mu.Lock()
	defer f.mu.Unlock()
	return slices.Clone(f.requests)
}

// ForgetRequests makes Requests start anew.
func (f *Front) ForgetRequests() {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.requests = nil
}

// Wrong returns everything that the judge found.
func (f *Front) Wrong() []error {
	f.mu.Lock()
	defer f.mu.Unlock()
	return slices.Clone(f.wrong)
}

// MatchPath reports whether a path is one of a pattern, in which each * stands for one part, and returns those parts.
func MatchPath(pattern, path string) (parts []string, ok bool) {
	want, got := strings.Split(pattern, "/"), strings.Split(path, "/")
	if len(want) != len(got) {
		return nil, false
	}
	for i := range want {
		switch {
		case want[i] == "*":
			parts = append(parts, got[i])
		case want[i] != got[i]:
			return nil, false
		}
	}
	return parts, true
}
