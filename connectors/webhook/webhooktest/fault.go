package webhooktest

import (
	"encoding/json"
	"net/http"
	"strconv"
	"time"
)

// FaultKind says how the receiver misbehaves.
type FaultKind string

// The kinds of fault.
const (
	TooManyRequests FaultKind = "429"
	ServerError     FaultKind = "503 HTML"
	CutBody         FaultKind = "cut body"    // carried out, and half of the answer
	BrokenJSON      FaultKind = "broken JSON" // carried out, and half of the JSON
	HTMLPage        FaultKind = "HTML page"   // a sign-in page in place of the receiver
	Hang            FaultKind = "hang"        // no answer until the client goes away
	LostAnswer      FaultKind = "lost answer" // carried out, then the connection dies
	LateAnswer      FaultKind = "late answer" // carried out, and no answer until the client goes away
	Unprocessable   FaultKind = "422"
)

// Fault tells the receiver to misbehave.
type Fault struct {
	Kind       FaultKind
	Times      int
	RetryAfter time.Duration // for TooManyRequests: sent in whole seconds; 0 sends no header
	Writes     bool          // befalls no ping
}

// Fault makes the receiver misbehave.
func (s *Server) Fault(f Fault) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.faults = append(s.faults, f)
}

// takeFault returns the oldest fault that befalls a request.
func (s *Server) takeFault(write bool) (Fault, bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for i := range s.faults {
		f := &s.faults[i]
		if f.Times > 0 && (write || !f.Writes) {
			f.Times--
			return *f, true
		}
	}
	return Fault{}, false
}

func (f Fault) carriesOut() bool {
	return f.Kind == CutBody || f.Kind == BrokenJSON || f.Kind == LostAnswer || f.Kind == LateAnswer
}

// status is what is recorded as answered.
func (f Fault) status() int {
	switch f.Kind {
	case TooManyRequests:
		return http.StatusTooManyRequests
	case ServerError:
		return http.StatusServiceUnavailable
	case Unprocessable:
		return http.StatusUnprocessableEntity
	case BrokenJSON, HTMLPage:
		return http.StatusOK
	default:
		return 0
	}
}

// spoil answers as the fault says.
func (f Fault) spoil(w http.ResponseWriter, r *http.Request, a reply) {
	whole, _ := json.Marshal(a.body)
	switch f.Kind {
	case TooManyRequests:
		if f.RetryAfter > 0 {
			w.Header().Set("Retry-After", strconv.Itoa(int(f.RetryAfter.Seconds())))
		}
		w.WriteHeader(http.StatusTooManyRequests)
	case ServerError, HTMLPage:
		w.Header().Set("Content-Type", "text/html; charset=utf-8")
		w.WriteHeader(f.status())
		_, _ = w.Write([]byte("<!DOCTYPE html>\n<html><body>Please sign in.</body></html>"))
	case Unprocessable:
		reply{f.status(), map[string]string{"message": "somebody in it is not acceptable"}}.send(w)
	case BrokenJSON:
		w.Header().Set("Content-Type", "application/json")
		_, _ = w.Write(whole[:len(whole)/2])
	case CutBody:
		w.Header().Set("Content-Type", "application/json")
		w.Header().Set("Content-Length", strconv.Itoa(len(whole)))
		_, _ = w.Write(whole[:len(whole)/2])
		panic(http.ErrAbortHandler)
	case LostAnswer:
		panic(http.ErrAbortHandler)
	default: // Hang, LateAnswer
		<-r.Context().Done()
	}
}
