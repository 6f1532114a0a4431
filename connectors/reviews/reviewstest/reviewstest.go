// Package reviewstest is what the fakes of review platforms have in common: the list of an invented shop's reviews in
// numbered pages, faults on command, and the record of what was asked.
package reviewstest

import (
	"bytes"
	"encoding/json"
	"io"
	"maps"
	"net/http"
	"net/http/httptest"
	"slices"
	"strconv"
	"sync"
	"time"

	"github.com/perennial-cvo/perennial/connectors/simulator"
)

// FaultKind says how the platform misbehaves.
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
	NoReviews       FaultKind = "no reviews"  // a whole answer whose list is empty
)

// Fault tells the platform to misbehave.
type Fault struct {
	Kind       FaultKind
	Times      int           // how many requests it befalls
	RetryAfter time.Duration // for TooManyRequests: sent in whole seconds; 0 sends no header
}

// Request is one request as it was recorded.
type Request struct {
	Method string
	Path   string // with the query
	Body   string
	Status int // as answered, 0 where the connection died
}

// Platform answers as one review platform does, over the reviews of an invented shop. It is safe for concurrent use.
type Platform struct {
	Shop *simulator.Shop
	// Answer is the platform's own dialect. It is called with nothing locked.
	Answer func(r *http.Request, body []byte) Answer

	mu       sync.Mutex
	faults   []Fault
	requests []Request
	altered  map[int64]map[string]any
}

// Answer is one answer in JSON.
type Answer struct {
	Status int
	Value  any
}

// Start serves the platform on localhost. The caller closes it.
func (p *Platform) Start() *httptest.Server { return httptest.NewServer(p) }

// Fault makes the platform misbehave.
func (p *Platform) Fault(f Fault) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.faults = append(p.faults, f)
}

// Requests returns everything that was asked.
func (p *Platform) Requests() []Request {
	p.mu.Lock()
	defer p.mu.Unlock()
	return slices.Clone(p.requests)
}

// Alter puts a value of its own into a field of a review, whatever the shop says.
func (p *Platform) Alter(review int64, field string, value any) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.altered == nil {
		p.altered = map[int64]map[string]any{}
	}
	if p.altered[review] == nil {
		p.altered[review] = map[string]any{}
	}
	p.altered[review][field] = value
}

// Page renders one page of the reviews, newest first.
func (p *Platform) Page(number, size int, render func(*simulator.Review) map[string]any) []map[string]any {
	all := slices.Clone(p.Shop.Reviews())
	slices.Reverse(all)
	from := min(max(0, number-1)*size, len(all))
	rows := []map[string]any{}
	p.mu.Lock()
	defer p.mu.Unlock()
	for _, v := range all[from:min(from+size, len(all))] {
		row := render(v)
		maps.Copy(row, p.altered[v.ID])
		rows = append(rows, row)
	}
	return rows
}

// Number reads a whole number above 0 from the query.
func Number(r *http.Request, name string, fallback int) int {
	if n, err := strconv.Atoi(r.URL.Query().Get(name)); err == nil && n > 0 {
		return n
	}
	return fallback
}

// ServeHTTP answers, or misbehaves.
func (p *Platform) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	body, err := io.ReadAll(r.Body)
	if err != nil {
		return
	}
	place := p.record(Request{Method: r.Method, Path: r.URL.RequestURI(), Body: string(body)})
	kind, retryAfter := p.fault()
	switch kind {
	case Hang:
		<-r.Context().Done()
		return
	case TooManyRequests:
		if retryAfter > 0 {
			w.Header().Set("Retry-After", strconv.Itoa(int(retryAfter.Seconds())))
		}
		p.page(w, place, http.StatusTooManyRequests)
		return
	case ServerError:
		p.page(w, place, http.StatusServiceUnavailable)
		return
	case HTMLPage:
		p.page(w, place, http.StatusOK)
		return
	}
	answer := p.Answer(r, body)
	text, err := json.Marshal(answer.Value)
	if err != nil {
		panic("reviewstest: " + err.Error())
	}
	p.answered(place, answer.Status)
	send(w, kind, answer.Status, text)
}

// send sends the answer, spoilt as the fault says.
func send(w http.ResponseWriter, kind FaultKind, status int, text []byte) {
	w.Header().Set("Content-Type", "application/json; charset=utf-8")
	switch kind {
	case LostAnswer:
		panic(http.ErrAbortHandler)
	case CutBody:
		w.Header().Set("Content-Length", strconv.Itoa(len(text)))
		w.WriteHeader(status)
		_, _ = w.Write(text[:len(text)/2])        //nolint:errcheck // the client may be gone
		_ = http.NewResponseController(w).Flush() //nolint:errcheck // the same
		panic(http.ErrAbortHandler)
	case BrokenJSON:
		text = text[:len(text)/2]
	case EmptyBody:
		text = nil
	case NoReviews:
		var whole map[string]any
		if json.NewDecoder(bytes.NewReader(text)).Decode(&whole) == nil && whole["reviews"] != nil {
			whole["reviews"] = []any{}
			text, _ = json.Marshal(whole) //nolint:errcheck // it was just read
		}
	}
	w.WriteHeader(status)
	_, _ = w.Write(text) //nolint:errcheck // the client may be gone
}

// page answers with a page for people, as something in front of the platform would.
func (p *Platform) page(w http.ResponseWriter, place, status int) {
	p.answered(place, status)
	w.Header().Set("Content-Type", "text/html")
	w.WriteHeader(status)
	_, _ = io.WriteString(w, "<html><body>Please wait.</body></html>") //nolint:errcheck // the client may be gone
}

func (p *Platform) record(r Request) int {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.requests = append(p.requests, r)
	return len(p.requests) - 1
}

func (p *Platform) answered(place, status int) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.requests[place].Status = status
}

// fault takes the fault that befalls a request, if any.
func (p *Platform) fault() (FaultKind, time.Duration) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if len(p.faults) == 0 {
		return "", 0
	}
	f := &p.faults[0]
	kind, retryAfter := f.Kind, f.RetryAfter
	if f.Times--; f.Times <= 0 {
		p.faults = slices.Delete(p.faults, 0, 1)
	}
	return kind, retryAfter
}
