package shopifytest

import (
	"encoding/json"
	"net/http"
	"slices"
	"strings"
)

// Request is one request as the shop saw it.
type Request struct {
	Method    string   `json:"method"`
	Path      string   `json:"path"`                // with the query, signatures included
	Operation string   `json:"operation,omitempty"` // name of the operation
	Roots     []string `json:"roots,omitempty"`     // root fields, one entry each
	Body      string   `json:"body,omitempty"`
	Status    int      `json:"status"`         // 0 where the connection died
	Code      string   `json:"code,omitempty"` // of the first error in an answer of GraphQL, such as THROTTLED
	Cost      float64  `json:"cost,omitempty"` // requestedQueryCost
	Write     bool     `json:"write,omitempty"`
}

// Requests lists what was asked, in order of arrival.
func (s *Server) Requests() []Request {
	s.mu.Lock()
	defer s.mu.Unlock()
	return slices.Clone(s.requests)
}

// Count is the number of requests of an operation or root field of this name ("" any), or whose path holds it.
func (s *Server) Count(name string) int {
	n := 0
	for _, r := range s.Requests() {
		if name == "" || r.Operation == name || slices.Contains(r.Roots, name) || strings.Contains(r.Path, name) {
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
func (s *Server) remember(r *http.Request, q *question, body []byte) int {
	if s.opts.Forget {
		return -1
	}
	record := Request{Method: r.Method, Path: r.URL.RequestURI(), Body: string(body), Write: writes(r, q)}
	if q != nil && q.document != nil {
		record.Operation, record.Cost = q.document.name, q.document.cost()
		for _, root := range q.document.roots {
			record.Roots = append(record.Roots, root.name)
		}
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.requests = append(s.requests, record)
	return len(s.requests) - 1
}

// writes reports whether a request is part of writing: a mutation that is no more than the start of a reading does not
// count, an upload does.
func writes(r *http.Request, q *question) bool {
	return q.writes() || strings.HasPrefix(r.URL.Path, uploadsPath)
}

// answered notes how the request went.
func (s *Server) answered(place int, a *answer) {
	var head struct {
		Errors []struct {
			Extensions struct {
				Code string `json:"code"`
			} `json:"extensions"`
		} `json:"errors"`
	}
	if len(a.body) > 10 && strings.HasPrefix(string(a.body[:10]), `{"errors":`) {
		_ = json.Unmarshal(a.body, &head) //nolint:errcheck // other errors have no code
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if place < 0 || place >= len(s.requests) {
		return
	}
	s.requests[place].Status = a.status
	if len(head.Errors) > 0 {
		s.requests[place].Code = head.Errors[0].Extensions.Code
	}
}
