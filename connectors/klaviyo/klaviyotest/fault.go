package klaviyotest

import (
	"net/http"
	"slices"
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
	Bare403         FaultKind = "bare 403"    // status 403 without a body, as a firewall sends it
)

// Fault is a command to misbehave.
type Fault struct {
	Kind       FaultKind     `json:"kind"`
	Times      int           `json:"times"`       // how many requests it befalls
	RetryAfter time.Duration `json:"retry_after"` // for TooManyRequests, in nanoseconds; 0 sends no header
	Writes     bool          `json:"writes"`      // befalls only requests that write
	After      int           `json:"after"`       // how many of those pass before
}

// Fault makes the next requests go wrong. It replaces an earlier command.
func (s *Server) Fault(f Fault) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.fault = f
}

// Revoke makes the key invalid.
func (s *Server) Revoke() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.revoked = true
}

// Restrict takes a scope from the key.
func (s *Server) Restrict(scope string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	kept := []string{}
	for _, p := range s.opts.Scopes {
		if p != scope {
			kept = append(kept, p)
		}
	}
	s.opts.Scopes = kept
}

// Allow gives a scope to the key.
func (s *Server) Allow(scope string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.opts.Scopes = append(slices.Clone(s.opts.Scopes), scope)
}

func (s *Server) takeFault(write bool) (Fault, bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.fault.Times <= 0 || (s.fault.Writes && !write) {
		return Fault{}, false
	}
	if s.fault.After > 0 {
		s.fault.After--
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
func misbehave(w http.ResponseWriter, r *http.Request, f Fault) int {
	const page = "<html><head><title>Oops</title></head><body>Something is wrong.</body></html>"
	status := http.StatusOK
	switch f.Kind {
	case TooManyRequests:
		status = http.StatusTooManyRequests
		if f.RetryAfter > 0 {
			w.Header().Set("Retry-After", strconv.Itoa(int(f.RetryAfter.Seconds())))
		}
		fail(status, "throttled", "Request was throttled.", "/data/").send(w)
	case ServerError:
		status = http.StatusServiceUnavailable
		w.Header().Set("Content-Type", "text/html; charset=utf-8")
		w.WriteHeader(status)
		_, _ = w.Write([]byte(page))
	case HTMLPage:
		w.Header().Set("Content-Type", "text/html; charset=utf-8")
		_, _ = w.Write([]byte(page))
	case Bare403:
		status = http.StatusForbidden
		w.WriteHeader(status)
	case EmptyBody:
		w.Header().Set("Content-Type", mediaType)
		w.WriteHeader(status)
	default: // Hang
		<-r.Context().Done()
		return 0
	}
	return status
}

// spoil sends an answer badly.
func spoil(w http.ResponseWriter, f Fault, a answer) {
	switch f.Kind {
	case BrokenJSON:
		a.body = a.body[:max(0, len(a.body)-1)]
		a.send(w)
	case CutBody:
		w.Header().Set("Content-Length", strconv.Itoa(len(a.body)))
		a.body = a.body[:len(a.body)/2]
		a.send(w)
		panic(http.ErrAbortHandler)
	default: // LostAnswer
		panic(http.ErrAbortHandler)
	}
}
