package mailchimptest

import (
	"net/http"
	"strconv"
	"time"
)

// FaultKind says how the fake misbehaves.
type FaultKind string

// The kinds of fault.
const (
	TooManyRequests FaultKind = "429"
	ServerError     FaultKind = "503 HTML"
	CutBody         FaultKind = "cut body"
	BrokenJSON      FaultKind = "broken JSON"
	HTMLPage        FaultKind = "HTML page"
	EmptyBody       FaultKind = "empty body"
	Hang            FaultKind = "hang"
	LostAnswer      FaultKind = "lost answer" // carried out, then the connection dies
	BareForbidden   FaultKind = "bare 403"    // no JSON, as the outer wall answers too many requests
	BareThrottle    FaultKind = "bare 429"
)

// Fault is a command to misbehave.
type Fault struct {
	Kind       FaultKind     `json:"kind"`
	Times      int           `json:"times"`       // how many requests it befalls
	RetryAfter time.Duration `json:"retry_after"` // for TooManyRequests, in nanoseconds; 0 sends no header
	Writes     bool          `json:"writes"`      // befalls only requests that write
}

// Fault makes the next requests go wrong. It replaces an earlier command.
func (s *Server) Fault(f Fault) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.fault = f
}

// FailBatch makes the next batch go wrong.
func (s *Server) FailBatch(f BatchFault) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.batchFault = f
}

// Revoke makes the key invalid.
func (s *Server) Revoke() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.revoked = true
}

// Restrict makes the user of the key one who may only look.
func (s *Server) Restrict() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.restricted = true
}

// Mend ends every fault, and makes the key good for everything again.
func (s *Server) Mend() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.fault, s.batchFault, s.revoked, s.restricted = Fault{}, "", false, false
}

func (s *Server) takeFault(write bool) (Fault, bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.fault.Times <= 0 || (s.fault.Writes && !write) {
		return Fault{}, false
	}
	s.fault.Times--
	return s.fault, true
}

// carriesOut reports whether the request is done all the same.
func (f Fault) carriesOut() bool {
	return f.Kind == CutBody || f.Kind == LostAnswer || f.Kind == BrokenJSON
}

// misbehave answers without having done anything, and returns the status.
func (s *Server) misbehave(w http.ResponseWriter, r *http.Request, f Fault) int {
	const page = "<html><head><title>Oops</title></head><body>Something is wrong.</body></html>"
	bare := map[FaultKind]int{
		ServerError: http.StatusServiceUnavailable, HTMLPage: http.StatusOK,
		BareForbidden: http.StatusForbidden, BareThrottle: http.StatusTooManyRequests,
	}
	status := bare[f.Kind]
	switch f.Kind {
	case TooManyRequests:
		status = http.StatusTooManyRequests
		if f.RetryAfter > 0 {
			w.Header().Set("Retry-After", strconv.Itoa(int(f.RetryAfter.Seconds())))
		}
		problem(status, "Too Many Requests", "You have exceeded the limit of 10 simultaneous connections.").send(w)
	case ServerError, HTMLPage, BareForbidden, BareThrottle:
		w.Header().Set("Content-Type", "text/html; charset=utf-8")
		w.WriteHeader(status)
		_, _ = w.Write([]byte(page))
	case EmptyBody:
		status = http.StatusOK
		w.Header().Set("Content-Type", "application/json")
		w.WriteHeader(status)
	default: // Hang
		<-r.Context().Done()
	}
	return status
}

// spoil sends an answer badly.
func spoil(w http.ResponseWriter, f Fault, a answer) {
	switch {
	case f.Kind == BrokenJSON && len(a.body) > 0:
		a.body = a.body[:len(a.body)-1]
		a.send(w)
	case f.Kind == CutBody && len(a.body) > 0:
		w.Header().Set("Content-Length", strconv.Itoa(len(a.body)))
		a.body = a.body[:len(a.body)/2]
		a.send(w)
		panic(http.ErrAbortHandler)
	default: // LostAnswer
		panic(http.ErrAbortHandler)
	}
}
