// Package woocommercetest is a fake WooCommerce shop. It speaks the wc/v3 REST API over an invented shop of package
// simulator and answers as recorded shops do: authentication, headers, paging with its quirks, exclusive dates, error
// bodies, what bumps a modification date and what does not, from version 8.9 to 11.0, on both kinds of order storage.
// It can be told to misbehave, and it remembers what it was asked.
package woocommercetest

import (
	"bytes"
	"compress/gzip"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"sync"
	"time"

	"github.com/perennial-cvo/perennial/connectors/simulator"
)

// Options say what kind of shop answers. The zero value is version 11.0.1 with HPOS storage at the root of its host.
type Options struct {
	Version  string // of WooCommerce, "8.9.3" to "11.0.1"; "" means 11.0.1
	Legacy   bool   // orders live in the posts table instead of HPOS
	SubPath  string // folder of the site below its host, such as "/shop"
	HomeURL  string // as the shop believes, the base of signatures and links; "" means where it was started
	Keys     []Key  // beside MainKey, ReadKey, WriteKey and PowerlessKey
	Statuses []string
	// NoCosts switches the cost of goods off.
	NoCosts bool
	// NoGzip answers uncompressed even to clients that take gzip.
	NoGzip bool
	// Forget keeps no record of requests, for benchmarks.
	Forget bool
	// Latency is waited before every answer.
	Latency time.Duration
	// Clock is a second clock by which OAuth timestamps may be right, beside the shop's own.
	Clock func() time.Time
}

// Server is the fake shop. It is an http.Handler and safe for concurrent use.
type Server struct {
	shop    *simulator.Shop
	opts    Options
	version [2]int
	routes  []route

	mu       sync.Mutex
	homeURL  string
	keys     map[string]Key
	nonces   map[string]bool
	faults   []*Fault
	requests []Request
	asked    int64 // requests so far; shuffles ties
	quirks   quirks
	altered  map[int64]map[string]string // fields of orders given as they are, by order
	lists    map[string]cachedList
	index    indexes
}

// New makes a fake over the shop. It listens nowhere until it is started or served by the caller.
func New(shop *simulator.Shop, opts Options) *Server {
	if opts.Version == "" {
		opts.Version = "11.0.1"
	}
	s := &Server{shop: shop, opts: opts, keys: map[string]Key{}, nonces: map[string]bool{}, altered: map[int64]map[string]string{}, lists: map[string]cachedList{}}
	if _, err := fmt.Sscanf(opts.Version, "%d.%d", &s.version[0], &s.version[1]); err != nil {
		panic("woocommercetest: version " + opts.Version)
	}
	s.homeURL = strings.TrimSuffix(opts.HomeURL, "/")
	if s.homeURL == "" {
		s.homeURL = "https://shop.example" + opts.SubPath
	}
	for _, key := range append([]Key{MainKey, ReadKey, WriteKey, PowerlessKey}, opts.Keys...) {
		s.keys[key.ConsumerKey] = key
	}
	s.routes = s.routing()
	return s
}

// Start serves the shop over plain http, where only OAuth is accepted. The caller closes what is returned.
func (s *Server) Start() *httptest.Server { return s.started(httptest.NewServer(s)) }

// StartTLS serves the shop over https with a certificate of its own; the returned server's Client trusts it.
func (s *Server) StartTLS() *httptest.Server { return s.started(httptest.NewTLSServer(s)) }

func (s *Server) started(server *httptest.Server) *httptest.Server {
	server.Config.ErrorLog = nil
	if s.opts.HomeURL == "" {
		s.SetHome(server.URL + s.opts.SubPath)
	}
	return server
}

// SetHome changes what the shop believes its address to be.
func (s *Server) SetHome(home string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.homeURL = strings.TrimSuffix(home, "/")
}

// Home is the address of the site, as settings of a source name it.
func (s *Server) Home() string { return s.home() }

// Shop is the invented shop behind the fake.
func (s *Server) Shop() *simulator.Shop { return s.shop }

func (s *Server) home() string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.homeURL
}

func (s *Server) api(path string) string { return s.home() + "/wp-json/wc/v3" + path }

func (s *Server) key(name string) *Key {
	s.mu.Lock()
	defer s.mu.Unlock()
	if key, ok := s.keys[name]; ok {
		return &key
	}
	return nil
}

// Revoke makes a key unknown, as when an owner deletes it.
func (s *Server) Revoke(consumerKey string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	delete(s.keys, consumerKey)
}

// Grant adds a key or changes what one may do.
func (s *Server) Grant(key Key) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.keys[key.ConsumerKey] = key
}

// since reports whether the shop's version is at least this one.
func (s *Server) since(major, minor int) bool {
	return s.version[0] > major || s.version[0] == major && s.version[1] >= minor
}

func (s *Server) costs() bool { return !s.opts.NoCosts && s.since(9, 5) }

// ServeHTTP answers one request.
func (s *Server) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	body, err := io.ReadAll(r.Body)
	if err != nil {
		return
	}
	fault := s.fault(r)
	record := s.remember(r, body)
	status := 0
	defer func() { s.answered(record, status) }()
	if !wait(r, s.opts.Latency) {
		return
	}
	if fault != nil && s.misbehaveBefore(w, r, fault, &status) {
		return
	}
	a := s.answer(r, body)
	if fault != nil && s.misbehaveAfter(w, r, fault, a, &status) {
		return
	}
	status = a.status
	s.send(w, r, a)
}

// answer finds the route and runs it.
func (s *Server) answer(r *http.Request, body []byte) *answer {
	c := &call{r: r, raw: r.URL.RawQuery, query: phpQuery(r.URL.RawQuery), body: body}
	c.f = parseFields(c.list("_fields"))
	path, ok := strings.CutPrefix(r.URL.Path, s.opts.SubPath)
	switch {
	case !ok:
		return notFoundPage()
	case strings.HasSuffix(path, "/index.php") && c.query.Has("rest_route"): // keys are not read in this form
		return s.rest(cannotView(http.StatusUnauthorized, "list resources").strangers())
	case path == "/wp-json" || path == "/wp-json/":
		return s.siteIndex(c)
	case !strings.HasPrefix(path, "/wp-json/"):
		return notFoundPage()
	case !strings.HasPrefix(path, "/wp-json/wc"):
		return s.rest(failure(http.StatusUnauthorized, "rest_not_logged_in", "You are not currently logged in.").strangers())
	}
	var refused *answer
	if c.key, refused = s.authenticate(r, c.query); refused != nil {
		return s.rest(refused)
	}
	if c.key != nil {
		if refused = c.key.allowed(r.Method); refused != nil {
			return s.rest(refused)
		}
	}
	path = strings.TrimSuffix(strings.TrimPrefix(path, "/wp-json"), "/")
	return s.dispatch(c, path)
}

// call is one request on its way to its route.
type call struct {
	r     *http.Request
	raw   string
	query url.Values
	body  []byte
	key   *Key
	f     fields
	ids   []int64 // from the path
	allow string
}

// list reads a parameter that may be a comma list or an array.
func (c *call) list(name string) []string {
	var all []string
	add := func(value string) {
		for _, part := range strings.Split(value, ",") {
			if part = strings.TrimSpace(part); part != "" {
				all = append(all, part)
			}
		}
	}
	add(c.query.Get(name))
	for n := 0; c.query.Has(fmt.Sprintf("%s[%d]", name, n)); n++ {
		add(c.query.Get(fmt.Sprintf("%s[%d]", name, n)))
	}
	return all
}

// send writes the answer with the headers of a real shop.
func (s *Server) send(w http.ResponseWriter, r *http.Request, a *answer) {
	h := w.Header()
	for name, values := range a.header {
		h[name] = values
	}
	h.Set("Server", "nginx/1.22.1")
	h.Set("Date", s.shop.Now().Format(http.TimeFormat))
	body := a.body
	zip := a.status == http.StatusOK || a.status == http.StatusForbidden || a.status == http.StatusNotFound // what nginx compresses
	if zip && !s.opts.NoGzip && strings.Contains(r.Header.Get("Accept-Encoding"), "gzip") && h.Get("Content-Encoding") == "" {
		h.Set("Content-Encoding", "gzip")
		body = compress(body)
	}
	w.WriteHeader(a.status)
	_, _ = w.Write(body) //nolint:errcheck // the client may be gone
}

var zippers = sync.Pool{New: func() any {
	z, _ := gzip.NewWriterLevel(nil, gzip.BestSpeed) //nolint:errcheck // the level is right
	return z
}}

func compress(body []byte) []byte {
	var out bytes.Buffer
	out.Grow(len(body)/6 + 64)
	z := zippers.Get().(*gzip.Writer)
	defer zippers.Put(z)
	z.Reset(&out)
	_, _ = z.Write(body) //nolint:errcheck // into memory
	_ = z.Close()        //nolint:errcheck // into memory
	return out.Bytes()
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
