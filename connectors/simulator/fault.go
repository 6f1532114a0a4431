package simulator

import (
	"net/http"
	"strconv"
	"time"
)

// FaultKind says how a fake of an e-mail platform misbehaves.
type FaultKind string

// The kinds of fault. After those that carry a request out, nobody knows whether it was.
const (
	TooManyRequests FaultKind = "429"         // in the platform's own words
	BareThrottle    FaultKind = "bare 429"    // without a body
	ThrottlePage    FaultKind = "429 HTML"    // as a wall before the platform sends it
	BareForbidden   FaultKind = "bare 403"    // without a body, as a firewall sends it
	ForbiddenPage   FaultKind = "403 HTML"    // as a wall before the platform sends it
	ServerError     FaultKind = "503 HTML"    // as a proxy sends it
	HTMLPage        FaultKind = "HTML page"   // status 200
	EmptyBody       FaultKind = "empty body"  // status 200 and said to be JSON
	Hang            FaultKind = "hang"        // no answer until the client goes away
	CutBody         FaultKind = "cut body"    // carried out, and half of the answer
	BrokenJSON      FaultKind = "broken JSON" // carried out, and the answer but for its end
	LostAnswer      FaultKind = "lost answer" // carried out, then the connection dies
)

// Fault is a command to misbehave.
type Fault struct {
	Kind       FaultKind     `json:"kind"`
	Times      int           `json:"times"`       // how many requests it befalls
	RetryAfter time.Duration `json:"retry_after"` // for TooManyRequests, in nanoseconds; 0 tells no time
	Standard   bool          `json:"standard"`    // tell the time in Retry-After, whatever header the platform has for it
	Writes     bool          `json:"writes"`      // befalls only requests that write
	After      int           `json:"after"`       // how many of those pass before
}

// take counts a request and reports whether the fault befalls it.
func (f *Fault) take(write bool) bool {
	switch {
	case f.Times <= 0 || f.Writes && !write:
		return false
	case f.After > 0:
		f.After--
		return false
	}
	f.Times--
	return true
}

// carriesOut reports whether the request is done all the same.
func (f Fault) carriesOut() bool {
	return f.Kind == CutBody || f.Kind == LostAnswer || f.Kind == BrokenJSON
}

// refuse answers a request that is not carried out, and returns the status, 0 where there was no answer. Throttled are the
// platform's own words.
func (f Fault) refuse(w http.ResponseWriter, r *http.Request, throttled func(Fault) Reply) int {
	var reply Reply
	switch f.Kind {
	case TooManyRequests:
		reply = throttled(f)
	case BareThrottle:
		reply = Reply{Status: http.StatusTooManyRequests}
	case ThrottlePage:
		reply = page(http.StatusTooManyRequests)
	case BareForbidden:
		reply = Reply{Status: http.StatusForbidden}
	case ForbiddenPage:
		reply = page(http.StatusForbidden)
	case ServerError:
		reply = page(http.StatusServiceUnavailable)
	case HTMLPage:
		reply = page(http.StatusOK)
	case EmptyBody:
		reply = Reply{Status: http.StatusOK, Header: http.Header{"Content-Type": {"application/json"}}}
	default: // Hang
		<-r.Context().Done()
		return 0
	}
	reply.send(w)
	return reply.Status
}

// page is what something else than the platform's API answers.
func page(status int) Reply {
	return Reply{
		Status: status, Header: http.Header{"Content-Type": {"text/html; charset=utf-8"}},
		Body: []byte("<html><head><title>Oops</title></head><body>Something is wrong.</body></html>"),
	}
}

// spoil sends an answer badly. One that has no body is lost.
func (f Fault) spoil(w http.ResponseWriter, reply Reply) {
	whole := len(reply.Body)
	switch {
	case whole == 0 || f.Kind == LostAnswer:
		panic(http.ErrAbortHandler)
	case f.Kind == BrokenJSON:
		reply.Body = reply.Body[:max(0, whole-2)] // some end with a line feed
		reply.send(w)
	default: // CutBody
		w.Header().Set("Content-Length", strconv.Itoa(whole))
		reply.Body = reply.Body[:whole/2]
		reply.send(w)
		_ = http.NewResponseController(w).Flush() // or a short half would be lost with the rest
		panic(http.ErrAbortHandler)
	}
}
