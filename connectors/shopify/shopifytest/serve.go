package shopifytest

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"maps"
	"net/http"
	"slices"
	"strings"
	"time"

	"github.com/vektah/gqlparser/v2/ast"
)

// answer is what is sent.
type answer struct {
	status int
	header http.Header
	body   []byte
}

func jsonAnswer(status int, v any) *answer {
	b, err := json.Marshal(v)
	if err != nil {
		panic("shopifytest: answer: " + err.Error())
	}
	return rawAnswer(status, b)
}

func rawAnswer(status int, body []byte) *answer {
	return &answer{status: status, header: http.Header{"Content-Type": {"application/json; charset=utf-8"}}, body: body}
}

// question is one request to the API on its way.
type question struct {
	Query     string         `json:"query"`
	Operation string         `json:"operationName"`
	Variables map[string]any `json:"variables"`

	document *document
	wrong    *mistake // of the document
}

// readQuestion decodes a request's body and its document.
func readQuestion(body []byte) (*question, error) {
	q := &question{}
	decoder := json.NewDecoder(bytes.NewReader(body))
	decoder.UseNumber()
	if err := decoder.Decode(q); err != nil {
		return nil, err
	}
	q.document, q.wrong = compile(q.Query, q.Operation, q.Variables)
	return q, nil
}

// named reports whether the operation or one of its root fields is called so.
func (q *question) named(name string) bool {
	if q == nil || q.document == nil {
		return false
	}
	return q.document.name == name || find(q.document.roots, name) != nil
}

// writes reports whether the shop may be another afterwards. Starting a bulk query changes nothing.
func (q *question) writes() bool {
	if q == nil || q.document == nil || q.document.operation != ast.Mutation {
		return false
	}
	return slices.ContainsFunc(q.document.roots, func(s *selection) bool {
		return s.name != "bulkOperationRunQuery" && s.name != "__typename"
	})
}

// ServeHTTP answers one request.
func (s *Server) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	var q *question
	if !strings.HasPrefix(r.URL.Path, filesPath) {
		body, err := io.ReadAll(r.Body)
		if err != nil {
			return
		}
		if strings.HasSuffix(r.URL.Path, "/graphql.json") {
			q, _ = readQuestion(body) //nolint:errcheck // answered below
		}
		r.Body = io.NopCloser(bytes.NewReader(body))
		s.serve(w, r, q, body)
		return
	}
	s.serve(w, r, nil, nil)
}

func (s *Server) serve(w http.ResponseWriter, r *http.Request, q *question, body []byte) {
	fault := s.fault(r, q)
	record := s.remember(r, q, body)
	a := &answer{}
	defer func() { s.answered(record, a) }()
	if !wait(r, s.opts.Latency) {
		return
	}
	if fault != nil && s.misbehaveBefore(w, r, fault, &a) {
		return
	}
	right := s.answer(r, q, body, fault)
	if fault != nil && s.misbehaveAfter(w, r, fault, right, &a) {
		return
	}
	a = right
	s.send(w, r, a)
}

// send writes the answer. Files know their parts.
func (s *Server) send(w http.ResponseWriter, r *http.Request, a *answer) {
	maps.Copy(w.Header(), a.header)
	if a.header.Get("Accept-Ranges") != "" && a.status == http.StatusOK {
		http.ServeContent(w, r, "", time.Time{}, bytes.NewReader(a.body))
		return
	}
	w.WriteHeader(a.status)
	_, _ = w.Write(a.body) //nolint:errcheck // the client may be gone
}

// answer finds who answers.
func (s *Server) answer(r *http.Request, q *question, body []byte, fault *Fault) *answer {
	if strings.HasPrefix(r.URL.Path, filesPath) {
		return s.filed(r)
	}
	if r.URL.Path == "/admin/oauth/access_token" {
		return s.token(r, body)
	}
	version, ok := strings.CutPrefix(r.URL.Path, "/admin/api/")
	version, graph := strings.CutSuffix(version, "/graphql.json")
	if !ok || !graph || r.Method != http.MethodPost {
		return jsonAnswer(http.StatusNotFound, map[string]any{"errors": "Not Found"})
	}
	if !s.authorized(r.Header.Get(tokenHeader)) {
		return unknownToken()
	}
	s.settle()
	a := s.graph(q, fault)
	a.header.Set("X-Shopify-Api-Version", s.version(version))
	a.header.Set("Date", s.clock().UTC().Format(http.TimeFormat))
	a.header.Set("X-Request-Id", fmt.Sprintf("00000000-0000-4000-8000-%012d", s.next()))
	return a
}

// version is the one that answers: an unknown or expired one falls forward.
func (s *Server) version(asked string) string {
	if asked == "unstable" || asked >= s.opts.Version && slices.Contains(s.opts.Versions, asked) {
		return asked
	}
	return s.opts.Version
}

// next numbers operations, files and requests.
func (s *Server) next() int64 {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.number++
	return s.number
}

// wait reports whether the client is still there afterwards.
func wait(r *http.Request, d time.Duration) bool {
	if d <= 0 {
		return true
	}
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
		return true
	case <-r.Context().Done():
		return false
	}
}
