package brevotest

import (
	"net/http"
	"net/http/httptest"
	"strconv"
	"time"
)

// FaultKind says how the fake misbehaves.
type FaultKind string

// The kinds of fault.
const (
	TooManyRequests FaultKind = "429" // with x-sib-ratelimit-reset, as Brevo tells the time
	BareTooMany     FaultKind = "429 without a body"
	BareForbidden   FaultKind = "403 without a body"
	ServerError     FaultKind = "503 HTML"
	CutBody         FaultKind = "cut body"
	BrokenJSON      FaultKind = "broken JSON"
	HTMLPage        FaultKind = "HTML page"
	EmptyBody       FaultKind = "empty body"
	Hang            FaultKind = "hang"
	LostAnswer      FaultKind = "lost answer" // carried out, then the connection dies
)

// Fault is a command to misbehave.
type Fault struct {
	Kind       FaultKind     `json:"kind"`
	Times      int           `json:"times"`       // how many requests it befalls
	RetryAfter time.Duration `json:"retry_after"` // for TooManyRequests, in nanoseconds; 0 tells no time
	Standard   bool          `json:"standard"`    // for TooManyRequests: in Retry-After, as a proxy tells the time
	Writes     bool          `json:"writes"`      // befalls only requests that write
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
	html := func(status int) int {
		w.Header().Set("Content-Type", "text/html; charset=utf-8")
		w.WriteHeader(status)
		_, _ = w.Write([]byte(page))
		return status
	}
	switch f.Kind {
	case TooManyRequests:
		name := "x-sib-ratelimit-reset"
		if f.Standard {
			name = "Retry-After"
		}
		if f.RetryAfter > 0 {
			w.Header().Set("x-sib-ratelimit-remaining", "0")
			w.Header().Set(name, strconv.Itoa(int(f.RetryAfter.Seconds())))
		}
		fail(http.StatusTooManyRequests, "bad_request", "You have exceeded the number of requests permitted").send(w)
		return http.StatusTooManyRequests
	case BareTooMany:
		w.WriteHeader(http.StatusTooManyRequests)
		return http.StatusTooManyRequests
	case BareForbidden:
		w.WriteHeader(http.StatusForbidden)
		return http.StatusForbidden
	case ServerError:
		return html(http.StatusServiceUnavailable)
	case HTMLPage:
		return html(http.StatusOK)
	case EmptyBody:
		w.Header().Set("Content-Type", "application/json")
		w.WriteHeader(http.StatusOK)
		return http.StatusOK
	default: // Hang
		<-r.Context().Done()
		return 0
	}
}

// spoil sends an answer badly. One that has no body is lost.
func spoil(w http.ResponseWriter, f Fault, kept *httptest.ResponseRecorder) {
	body := kept.Body.Bytes()
	if f.Kind == LostAnswer || len(body) == 0 {
		panic(http.ErrAbortHandler)
	}
	w.Header().Set("Content-Type", "application/json")
	if f.Kind == BrokenJSON {
		w.WriteHeader(kept.Code)
		_, _ = w.Write(body[:len(body)-2]) // the encoder ends with a line feed
		return
	}
	w.Header().Set("Content-Length", strconv.Itoa(len(body)))
	w.WriteHeader(kept.Code)
	_, _ = w.Write(body[:len(body)/2])
	panic(http.ErrAbortHandler)
}
