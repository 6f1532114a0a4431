package woocommercetest

import (
	"bytes"
	_ "embed" // recorded pages
	"encoding/json"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"time"
)

// FaultKind is a way to misbehave.
type FaultKind string

// The kinds of fault. Each spoils one answer; which ones, the rest of the Fault says.
const (
	TooManyRequests FaultKind = "429"           // HTML, with Retry-After if given
	Error500        FaultKind = "500"           // HTML of a host
	Error502        FaultKind = "502"           // HTML of a host
	Error503        FaultKind = "503"           // HTML of a host
	Fatal           FaultKind = "fatal"         // PHP died: HTML, or JSON to those who accept it
	DatabaseDown    FaultKind = "database"      // 500, HTML or JSON
	Maintenance     FaultKind = "maintenance"   // 503 HTML with Retry-After: 600, as during every update
	Forbidden       FaultKind = "403"           // HTML of a firewall
	Captcha202      FaultKind = "captcha202"    // 202 HTML with SG-Captcha
	Captcha200      FaultKind = "captcha200"    // 200 HTML
	BadKey          FaultKind = "401"           // as if the key had never been
	Redirect        FaultKind = "redirect"      // to another host
	Empty           FaultKind = "empty"         // 200 JSON without a body
	Broken          FaultKind = "broken"        // 200 JSON that ends in the middle
	BOM             FaultKind = "bom"           // a byte order mark before the JSON
	PHPNotice       FaultKind = "notice"        // a notice before the JSON
	Cut             FaultKind = "cut"           // the connection dies in the middle of the right answer
	Lost            FaultKind = "lost"          // carried out, then the connection dies without an answer
	Dropped         FaultKind = "dropped"       // the connection dies and nothing is carried out
	Hang            FaultKind = "hang"          // nothing until the client goes away
	Slow            FaultKind = "slow"          // the right answer after Delay
	Drip            FaultKind = "drip"          // the right answer in sixteen parts over Delay
	Stall           FaultKind = "stall"         // half of the right answer, then nothing
	GzipBomb        FaultKind = "gzipbomb"      // a small body that swells to 512 MB
	Deep            FaultKind = "deep"          // a hundred thousand nested lists
	PlainText       FaultKind = "text"          // the right JSON as text/plain
	Forever         int       = 1_000_000_000   // for Fault.Times
	bombMegabytes             = 512             // what a bomb swells to
	defaultDelay              = 2 * time.Second // of slow answers
)

// Fault tells the shop to misbehave.
type Fault struct {
	Kind       FaultKind
	Times      int    // how many requests it befalls; 0 means one
	Skip       int    // how many matching requests pass before
	Method     string // only this method; "" any
	Path       string // only requests whose path and query hold this
	Writes     bool   // only requests that write
	RetryAfter string // header of 429 and 503, such as "7" or an HTTP date; "" none
	Delay      time.Duration
	Location   string // of a redirect; "" means another host
}

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
	s.faults, s.quirks = nil, quirks{}
	clear(s.altered)
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

func writes(method string) bool {
	return method != http.MethodGet && method != http.MethodHead && method != http.MethodOptions
}

// fault takes the fault that befalls the request, if any.
func (s *Server) fault(r *http.Request) *Fault {
	s.mu.Lock()
	defer s.mu.Unlock()
	for i, f := range s.faults {
		if f.Method != "" && f.Method != r.Method || f.Writes && !writes(r.Method) || !strings.Contains(r.URL.RequestURI(), f.Path) {
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

//go:embed testdata/recorded/err_maintenance.body.txt
var maintenancePage []byte

//go:embed testdata/recorded/err_flag_fatal.body.txt
var fatalPage []byte

//go:embed testdata/recorded/err_db_down.body.txt
var databaseDown []byte

//go:embed testdata/recorded/err_fatal_accept_json.json
var fatalRecord []byte

// misbehaveBefore answers instead of the shop; it reports whether it did.
func (s *Server) misbehaveBefore(w http.ResponseWriter, r *http.Request, f *Fault, status *int) bool {
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
	case GzipBomb:
		*status = http.StatusOK
		sendBomb(w)
		return true
	}
	a := s.instead(r, f)
	if a == nil {
		return false
	}
	*status = a.status
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
	case Captcha200:
		return hostPage(http.StatusOK, "Checking your browser", "")
	case Captcha202:
		a := hostPage(http.StatusAccepted, "Checking your browser", "")
		a.header.Set("SG-Captcha", "challenge")
		return a
	case Maintenance:
		return htmlAnswer(http.StatusServiceUnavailable, maintenancePage, "600").known()
	case Fatal, DatabaseDown:
		return s.rest(brokenPHP(r, f.Kind))
	case BadKey:
		return s.rest(cannotView(http.StatusUnauthorized, "list resources").strangers())
	case Redirect:
		a := hostPage(http.StatusMovedPermanently, "301 Moved Permanently", "")
		if f.Location == "" {
			f.Location = "https://elsewhere.example" + r.URL.RequestURI()
		}
		a.header.Set("Location", f.Location)
		return a
	case Deep:
		return s.rest(s.reply(http.StatusOK, bytes.Repeat([]byte("["), 100_000)))
	default:
		return nil
	}
}

// brokenPHP speaks JSON only to those who ask for it.
func brokenPHP(r *http.Request, kind FaultKind) *answer {
	wantsJSON := strings.Contains(r.Header.Get("Accept"), "application/json") || strings.Contains(r.Header.Get("Content-Type"), "application/json")
	switch {
	case kind == Fatal && wantsJSON:
		var record map[string]any
		if err := json.Unmarshal(fatalRecord, &record); err != nil {
			panic("woocommercetest: recording: " + err.Error())
		}
		body, _ := json.Marshal(record) //nolint:errcheck // just read
		return (&answer{status: http.StatusInternalServerError, header: http.Header{}, body: body}).known()
	case kind == Fatal:
		return htmlAnswer(http.StatusInternalServerError, fatalPage, "").known()
	case wantsJSON:
		return (&answer{status: http.StatusInternalServerError, header: http.Header{}, body: databaseDown}).known()
	default:
		page := strings.ReplaceAll(string(fatalPage), "There has been a critical error on this website.", "Error establishing a database connection")
		return htmlAnswer(http.StatusInternalServerError, []byte(page), "").known()
	}
}

// fatalJSON is what PHP says in JSON when it died with this message.
func fatalJSON(message string) *answer {
	b := []byte(`{"code":"internal_server_error","message":`)
	b = appendString(b, "<p>There has been a critical error on this website.</p>")
	b = append(b, `,"data":{"status":500,"error":{"type":1,"message":`...)
	b = appendString(b, message)
	b = append(b, `,"file":`...)
	b = appendString(b, "/var/www/html/wp-content/plugins/woocommerce/includes/rest-api/Controllers/Version3/class-wc-rest-customers-controller.php")
	b = append(b, `,"line":151}},"additional_errors":[]}`...)
	return (&answer{status: http.StatusInternalServerError, header: http.Header{}, body: b}).known()
}

func htmlAnswer(status int, body []byte, retryAfter string) *answer {
	a := &answer{status: status, header: http.Header{}, body: body}
	a.header.Set("Content-Type", "text/html; charset=UTF-8")
	if retryAfter != "" {
		a.header.Set("Retry-After", retryAfter)
	}
	return a
}

// hostPage is the page of a host or firewall in front of the shop.
func hostPage(status int, title, retryAfter string) *answer {
	return htmlAnswer(status, []byte("<html><head><title>"+title+"</title></head><body><h1>"+title+"</h1></body></html>"), retryAfter)
}

// misbehaveAfter spoils the right answer; it reports whether it sent one.
func (s *Server) misbehaveAfter(w http.ResponseWriter, r *http.Request, f *Fault, a *answer, status *int) bool {
	switch f.Kind {
	case Lost:
		panic(http.ErrAbortHandler)
	case Cut, Stall:
		s.sendHalf(w, r, a, f.Kind == Stall)
		return true
	case Drip:
		*status = a.status
		s.drip(w, r, a, f.Delay)
		return true
	case Empty:
		a.body = nil
	case Broken:
		a.body = a.body[:len(a.body)/2]
	case BOM:
		a.body = append([]byte("\xEF\xBB\xBF"), a.body...)
	case PHPNotice:
		notice := "<br />\n<b>Notice</b>:  Undefined index: foo in <b>/var/www/html/wp-content/plugins/some-plugin/some.php</b> on line <b>42</b><br />\n"
		a.body = append([]byte(notice), a.body...)
	case PlainText:
		a.header.Set("Content-Type", "text/plain; charset=UTF-8")
	}
	return false
}

// sendHalf sends half of the answer and then dies, or waits for the client to go away.
func (s *Server) sendHalf(w http.ResponseWriter, r *http.Request, a *answer, stall bool) {
	for name, values := range a.header {
		w.Header()[name] = values
	}
	w.Header().Set("Content-Length", strconv.Itoa(len(a.body)))
	w.WriteHeader(a.status)
	_, _ = w.Write(a.body[:len(a.body)/2])    //nolint:errcheck // the client may be gone
	_ = http.NewResponseController(w).Flush() //nolint:errcheck // the same
	if stall {
		<-r.Context().Done()
	}
	panic(http.ErrAbortHandler)
}

func (s *Server) drip(w http.ResponseWriter, r *http.Request, a *answer, over time.Duration) {
	const parts = 16
	if over == 0 {
		over = defaultDelay
	}
	for name, values := range a.header {
		w.Header()[name] = values
	}
	w.Header().Set("Date", s.shop.Now().Format(http.TimeFormat))
	w.WriteHeader(a.status)
	size := len(a.body)/parts + 1
	for part := range slices.Chunk(a.body, size) {
		if !wait(r, over/parts) {
			return
		}
		_, _ = w.Write(part)                      //nolint:errcheck // the client may be gone
		_ = http.NewResponseController(w).Flush() //nolint:errcheck // the same
	}
}

// sendBomb sends many small gzip members, each of a megabyte of blanks.
func sendBomb(w http.ResponseWriter) {
	member := compress(bytes.Repeat([]byte(" "), 1<<20))
	w.Header().Set("Content-Type", "application/json; charset=UTF-8")
	w.Header().Set("Content-Encoding", "gzip")
	for range bombMegabytes {
		if _, err := w.Write(member); err != nil {
			return
		}
	}
}
