package woocommercetest

import (
	"encoding/json"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"time"
)

// Request is one request as the shop saw it.
type Request struct {
	Method string `json:"method"`
	Path   string `json:"path"` // with the query, secrets included
	Body   string `json:"body,omitempty"`
	Status int    `json:"status"` // 0 where the connection died
	Write  bool   `json:"write,omitempty"`
}

// Requests lists what was asked, in order of arrival.
func (s *Server) Requests() []Request {
	s.mu.Lock()
	defer s.mu.Unlock()
	return slices.Clone(s.requests)
}

// Count is the number of requests with this method ("" any) whose path and query hold the text.
func (s *Server) Count(method, path string) int {
	n := 0
	for _, r := range s.Requests() {
		if (method == "" || r.Method == method) && strings.Contains(r.Path, path) {
			n++
		}
	}
	return n
}

// ForgetRequests starts the record anew.
func (s *Server) ForgetRequests() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.requests = nil
}

// remember returns the place of the request in the record.
func (s *Server) remember(r *http.Request, body []byte) int {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.asked++
	if s.opts.Forget {
		return -1
	}
	s.requests = append(s.requests, Request{Method: r.Method, Path: r.URL.RequestURI(), Body: string(body), Write: writes(r.Method)})
	return len(s.requests) - 1
}

func (s *Server) answered(place, status int) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if place >= 0 && place < len(s.requests) {
		s.requests[place].Status = status
	}
}

// Control is a handler by which another process commands the fake. It is to be served beside the shop, below a prefix
// that is stripped:
//
//	POST   /fault?kind=429&times=3&skip=0&method=GET&path=orders&writes=1&retry_after=7&delay=2s&location=URL
//	POST   /mend                                  takes every fault away
//	POST   /quirk?per_page=10&dates=ignore&repeat=1
//	POST   /revoke?key=ck_...
//	GET    /requests                              what was asked, as JSON
//	DELETE /requests
func (s *Server) Control() http.Handler {
	mux := http.NewServeMux()
	mux.HandleFunc("POST /fault", s.controlFault)
	mux.HandleFunc("POST /mend", func(http.ResponseWriter, *http.Request) { s.Mend() })
	mux.HandleFunc("POST /quirk", func(_ http.ResponseWriter, r *http.Request) {
		rows, _ := strconv.Atoi(r.FormValue("per_page")) //nolint:errcheck // anything else is none
		s.IgnorePerPage(rows)
		s.IgnoreDates(r.FormValue("dates") == "ignore")
		s.RepeatPage(r.FormValue("repeat") != "")
	})
	mux.HandleFunc("POST /revoke", func(_ http.ResponseWriter, r *http.Request) { s.Revoke(r.FormValue("key")) })
	mux.HandleFunc("GET /requests", func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "application/json")
		_ = json.NewEncoder(w).Encode(s.Requests()) //nolint:errcheck // the client may be gone
	})
	mux.HandleFunc("DELETE /requests", func(http.ResponseWriter, *http.Request) { s.ForgetRequests() })
	return mux
}

func (s *Server) controlFault(w http.ResponseWriter, r *http.Request) {
	number := func(name string) int {
		n, _ := strconv.Atoi(r.FormValue(name)) //nolint:errcheck // anything else is zero
		return n
	}
	delay, err := time.ParseDuration(r.FormValue("delay"))
	if err != nil && r.FormValue("delay") != "" {
		http.Error(w, "delay: "+err.Error(), http.StatusBadRequest)
		return
	}
	kind := FaultKind(r.FormValue("kind"))
	if !slices.Contains(FaultKinds(), kind) {
		http.Error(w, "kind: not one of the known faults", http.StatusBadRequest)
		return
	}
	s.Fault(Fault{
		Kind: kind, Times: number("times"), Skip: number("skip"), Method: r.FormValue("method"), Path: r.FormValue("path"),
		Writes: r.FormValue("writes") != "", RetryAfter: r.FormValue("retry_after"), Delay: delay, Location: r.FormValue("location"),
	})
}

// FaultKinds lists every kind of fault.
func FaultKinds() []FaultKind {
	return []FaultKind{
		TooManyRequests, Error500, Error502, Error503, Fatal, DatabaseDown, Maintenance, Forbidden, Captcha202, Captcha200, BadKey,
		Redirect, Empty, Broken, BOM, PHPNotice, Cut, Lost, Dropped, Hang, Slow, Drip, Stall, GzipBomb, Deep, PlainText,
	}
}
