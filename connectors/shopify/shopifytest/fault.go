package shopifytest

import (
	"maps"
	"net/http"
	"net/http/httptest"
	"slices"
	"strconv"
	"strings"
	"time"
)

// FaultKind is a way to misbehave.
type FaultKind string

// The kinds of fault. Each spoils one answer; which ones, the rest of the Fault says.
const (
	TooManyRequests FaultKind = "429"        // HTML, with Retry-After if given
	Error500        FaultKind = "500"        // HTML of a host
	Error502        FaultKind = "502"        // HTML of a host
	Error503        FaultKind = "503"        // HTML of a host, with Retry-After if given
	Forbidden       FaultKind = "403"        // HTML of a firewall
	BadToken        FaultKind = "401"        // as if the token had never been
	Frozen          FaultKind = "frozen"     // 402: the bill was not paid
	Locked          FaultKind = "locked"     // 423: the shop is locked
	NotFound        FaultKind = "404"        // no shop of this name
	Redirect        FaultKind = "redirect"   // 301 to another shop
	HTML            FaultKind = "html"       // 200 with a page instead of JSON
	Empty           FaultKind = "empty"      // 200 JSON without a body
	Broken          FaultKind = "broken"     // 200 JSON that ends in the middle
	Cut             FaultKind = "cut"        // the connection dies in the middle of the right answer
	Lost            FaultKind = "lost"       // carried out, then the connection dies without an answer
	Dropped         FaultKind = "dropped"    // the connection dies and nothing is carried out
	Hang            FaultKind = "hang"       // nothing until the client goes away
	Slow            FaultKind = "slow"       // the right answer after Delay
	Throttled       FaultKind = "throttled"  // 200, whatever the bucket holds
	InternalError   FaultKind = "internal"   // 200 with INTERNAL_SERVER_ERROR and no data
	AccessDenied    FaultKind = "denied"     // 200 with ACCESS_DENIED beside the right data
	TokenExpired    FaultKind = "expired"    // tokens got by client credentials expire before this request
	FallForward     FaultKind = "forward"    // answered by a later version than asked
	ExpiredURL      FaultKind = "expiredurl" // the address of a file is too old

	BulkFailed   FaultKind = "bulkfailed"   // the operation ends FAILED with INTERNAL_SERVER_ERROR and partial data
	BulkTimeout  FaultKind = "bulktimeout"  // the operation ends FAILED with TIMEOUT and partial data
	BulkDenied   FaultKind = "bulkdenied"   // the operation ends FAILED with ACCESS_DENIED
	BulkCanceled FaultKind = "bulkcanceled" // the operation ends CANCELED, as those that stand still
	BulkExpired  FaultKind = "bulkexpired"  // the operation ends EXPIRED
	BulkShort    FaultKind = "bulkshort"    // the file has fewer lines than are counted

	Forever      int = 1_000_000_000   // for Fault.Times
	defaultDelay     = 2 * time.Second // of slow answers
)

// FaultKinds lists every kind of fault.
func FaultKinds() []FaultKind {
	return append([]FaultKind{
		TooManyRequests, Error500, Error502, Error503, Forbidden, BadToken, Frozen, Locked, NotFound, Redirect, HTML, Empty, Broken,
		Cut, Lost, Dropped, Hang, Slow, Throttled, InternalError, AccessDenied, TokenExpired, FallForward, ExpiredURL,
	}, bulkFaults...)
}

// bulkFaults befall the requests that start a bulk operation.
var bulkFaults = []FaultKind{BulkFailed, BulkTimeout, BulkDenied, BulkCanceled, BulkExpired, BulkShort}

// graphFaults befall requests of GraphQL.
var graphFaults = []FaultKind{Throttled, InternalError, AccessDenied, TokenExpired, FallForward}

// Fault tells the shop to misbehave.
type Fault struct {
	Kind       FaultKind
	Times      int    // how many requests it befalls; 0 means one
	Skip       int    // how many matching requests pass before
	Path       string // only requests whose path and query hold this
	Operation  string // only requests whose operation, or one of its root fields, is called this
	Writes     bool   // only requests that write
	RetryAfter string // header of 429 and 503, such as "7" or an HTTP date; "" none
	Delay      time.Duration
	Location   string // of a redirect; "" means another shop
}

// is reports whether there is a fault of this kind.
func (f *Fault) is(kind FaultKind) bool { return f != nil && f.Kind == kind }

// Fault makes the shop misbehave. Of several faults the first that fits a request befalls it.
func (s *Server) Fault(f Fault) {
	if f.Times == 0 {
		f.Times = 1
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.faults = append(s.faults, &f)
}

// Mend takes every fault away, lasting ones too.
func (s *Server) Mend() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.faults = nil
}

// FaultsLeft is how many requests are still to be befallen.
func (s *Server) FaultsLeft() int {
	s.mu.Lock()
	defer s.mu.Unlock()
	left := 0
	for _, f := range s.faults {
		left += f.Times
	}
	return left
}

// fits reports whether the fault may befall the request.
func (f *Fault) fits(r *http.Request, q *question) bool {
	switch {
	case slices.Contains(bulkFaults, f.Kind):
		if !q.named("bulkOperationRunQuery") && !q.named("bulkOperationRunMutation") {
			return false
		}
	case slices.Contains(graphFaults, f.Kind):
		if q == nil {
			return false
		}
	case f.Kind == ExpiredURL:
		if !strings.HasPrefix(r.URL.Path, filesPath) {
			return false
		}
	}
	return strings.Contains(r.URL.RequestURI(), f.Path) && (f.Operation == "" || q.named(f.Operation)) && (!f.Writes || writes(r, q))
}

// fault takes the fault that befalls the request, if any.
func (s *Server) fault(r *http.Request, q *question) *Fault {
	s.mu.Lock()
	defer s.mu.Unlock()
	for i, f := range s.faults {
		if !f.fits(r, q) {
			continue
		}
		if f.Skip > 0 {
			f.Skip--
			continue
		}
		found := *f
		if f.Times--; f.Times <= 0 {
			s.faults = slices.Delete(s.faults, i, i+1)
		}
		return &found
	}
	return nil
}

// misbehaveBefore answers instead of the shop; it reports whether it did.
func (s *Server) misbehaveBefore(w http.ResponseWriter, r *http.Request, f *Fault, sent **answer) bool {
	switch f.Kind {
	case Dropped:
		panic(http.ErrAbortHandler)
	case Hang:
		<-r.Context().Done()
		return true
	case Slow:
		delay := f.Delay
		if delay == 0 {
			delay = defaultDelay
		}
		return !wait(r, delay)
	case TokenExpired:
		s.ExpireTokens()
		return false
	}
	a := s.instead(r, f)
	if a == nil {
		return false
	}
	*sent = a
	s.send(w, r, a)
	return true
}

// instead is the whole answer of faults that never reach the shop.
func (s *Server) instead(r *http.Request, f *Fault) *answer {
	switch f.Kind {
	case TooManyRequests:
		return hostPage(http.StatusTooManyRequests, "Too Many Requests", f.RetryAfter)
	case Error500:
		return hostPage(http.StatusInternalServerError, "500 Internal Server Error", "")
	case Error502:
		return hostPage(http.StatusBadGateway, "502 Bad Gateway", "")
	case Error503:
		return hostPage(http.StatusServiceUnavailable, "503 Service Unavailable", f.RetryAfter)
	case Forbidden:
		return hostPage(http.StatusForbidden, "403 Forbidden", "")
	case HTML:
		return hostPage(http.StatusOK, "Something went wrong", "")
	case BadToken:
		return unknownToken()
	case Frozen:
		return jsonAnswer(http.StatusPaymentRequired, map[string]any{"errors": "Unavailable Shop"})
	case Locked:
		return jsonAnswer(http.StatusLocked, map[string]any{"errors": "Locked"})
	case NotFound:
		return jsonAnswer(http.StatusNotFound, map[string]any{"errors": "Not Found"})
	case ExpiredURL:
		return expiredFile()
	case Redirect:
		a := hostPage(http.StatusMovedPermanently, "301 Moved Permanently", "")
		if f.Location == "" {
			f.Location = "https://elsewhere.myshopify.com" + r.URL.RequestURI()
		}
		a.header.Set("Location", f.Location)
		return a
	default:
		return nil
	}
}

// hostPage is the page of a host or firewall in front of the shop.
func hostPage(status int, title, retryAfter string) *answer {
	a := &answer{status: status, header: http.Header{"Content-Type": {"text/html; charset=utf-8"}}}
	a.body = []byte("<!DOCTYPE html><html><head><title>" + title + "</title></head><body><h1>" + title + "</h1></body></html>")
	if retryAfter != "" {
		a.header.Set("Retry-After", retryAfter)
	}
	return a
}

// misbehaveAfter spoils the right answer; it reports whether it sent one.
func (s *Server) misbehaveAfter(w http.ResponseWriter, r *http.Request, f *Fault, a *answer, sent **answer) bool {
	if f.Kind == Cut || f.Kind == Empty || f.Kind == Broken {
		a = s.whole(r, a)
	}
	switch f.Kind {
	case Lost:
		panic(http.ErrAbortHandler)
	case Cut:
		sendHalf(w, a)
	case Empty:
		a.body = nil
	case Broken:
		a.body = a.body[:len(a.body)/2]
	case FallForward:
		later := s.opts.Versions[len(s.opts.Versions)-1]
		a.header.Set("X-Shopify-Api-Version", later)
	default:
		return false
	}
	*sent = a
	s.send(w, r, a)
	return true
}

// whole is an answer as it would be sent: of a file the part that was asked for.
func (s *Server) whole(r *http.Request, a *answer) *answer {
	w := httptest.NewRecorder()
	s.send(w, r, a)
	w.Header().Del("Content-Length")
	w.Header().Del("Accept-Ranges")
	return &answer{status: w.Code, header: w.Header(), body: w.Body.Bytes()}
}

// sendHalf sends half of the answer and then dies.
func sendHalf(w http.ResponseWriter, a *answer) {
	maps.Copy(w.Header(), a.header)
	w.Header().Set("Content-Length", strconv.Itoa(len(a.body)))
	w.WriteHeader(a.status)
	_, _ = w.Write(a.body[:len(a.body)/2])    //nolint:errcheck // the client may be gone
	_ = http.NewResponseController(w).Flush() //nolint:errcheck // the same
	panic(http.ErrAbortHandler)
}
