// Package brevotest is a Brevo that lives in memory. It keeps the silences of the real one: attributes that do not exist
// and values of another type are ignored, imports leave out what they do not like and say "completed", and what can turn
// somebody's no into a yes does. It enforces the limits that stand in Brevo's prose only, is filled with the newsletter of
// an invented shop, and misbehaves on command. It tells whom a campaign would mail, so that rules of consent can be proven.
package brevotest

import (
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/perennial-cvo/perennial/connectors/simulator"
)

// wrongKey is the code of a refused key.
const wrongKey = "unauthorized" //nolint:misspell // Brevo's own word

// Options describe the account. The zero value is usable.
type Options struct {
	APIKey      string           // "fake-brevo-key" where empty
	Account     string           // its id; "5f0c1e" where empty
	Now         func() time.Time // the shop's clock where nil, or the real one
	Clock       func() time.Time // by which limits are counted; the real one where nil
	Latency     time.Duration    // added to every answer
	ImportDelay time.Duration    // between an import and its work, on Now
	Rate        int              // requests on contacts in any second, 10 where 0
	Hourly      int              // requests on everything else in any hour, 100 where 0
	Buyers      bool             // people of the shop who never subscribed are contacts too, on no list, as a plugin of the shop makes them
	// Validate, where set, judges every exchange; what it finds is kept for Complaints.
	Validate func(r *http.Request, requestBody []byte, status int, header http.Header, responseBody []byte) error
}

// Server is the fake. It is safe for concurrent use; requests are carried out one at a time.
type Server struct {
	simulator.Front

	mu       sync.Mutex
	opts     Options
	shop     *simulator.Shop
	jobFault JobFault

	contacts   []*contact // by ascending id
	byEmail    map[string]*contact
	byID       map[int64]*contact
	attributes []attribute
	folders    []*folder
	lists      []*list
	processes  []*process
	last       int64 // id given
	seeded     int   // how many of the shop's people have been looked at
	generation uint64
	newsletter *list
	notices    int // mails to the owner about imports

	recent []time.Time // requests on contacts within the last second
	hour   []time.Time // requests on contacts within the last hour
	others []time.Time // requests on everything else within the last hour
}

// New starts an account with a folder, a newsletter and the usual attributes. Where shop is not nil, everybody of the shop
// who ever subscribed is a contact, and people who come to the shop later subscribe later. See Options.Buyers for the rest.
func New(shop *simulator.Shop, opts Options) *Server {
	if opts.APIKey == "" {
		opts.APIKey = "fake-brevo-key"
	}
	if opts.Account == "" {
		opts.Account = "5f0c1e"
	}
	if opts.Clock == nil {
		opts.Clock = time.Now
	}
	if opts.Now == nil {
		opts.Now = time.Now
		if shop != nil {
			opts.Now = shop.Now
		}
	}
	if opts.Rate == 0 {
		opts.Rate = 10
	}
	if opts.Hourly == 0 {
		opts.Hourly = 100
	}
	s := &Server{opts: opts, shop: shop, byEmail: map[string]*contact{}, byID: map[int64]*contact{}}
	s.attributes = []attribute{
		{Name: "FIRSTNAME", Category: "normal", Type: "text"},
		{Name: "LASTNAME", Category: "normal", Type: "text"},
		{Name: "SHOE_SIZE", Category: "normal", Type: "float"},
		{Name: "BLACKLIST", Category: "global", Value: "COUNT[BLACKLISTED]"},
	}
	first := s.addFolder("Your First Folder")
	s.newsletter = s.addList("Newsletter", first.ID)
	s.arrivals()
	return s
}

// APIKey is the key that the account takes.
func (s *Server) APIKey() string { return s.opts.APIKey }

// ServeHTTP answers one request.
func (s *Server) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	if s.opts.Latency > 0 {
		time.Sleep(s.opts.Latency)
	}
	if strings.HasPrefix(r.URL.Path, simulator.SteerPath) {
		s.helm().Steer(w, r)
		return
	}
	s.Serve(w, r, simulator.Dialect{Answer: s.reply, Throttled: throttled, Judge: s.opts.Validate})
}

func (s *Server) reply(r *http.Request, body []byte) simulator.Reply {
	kept := httptest.NewRecorder()
	s.answer(kept, r, body)
	return recorded(kept)
}

func recorded(kept *httptest.ResponseRecorder) simulator.Reply {
	return simulator.Reply{Status: kept.Code, Header: kept.Header(), Body: kept.Body.Bytes()}
}

// Complaints returns what the validator found.
func (s *Server) Complaints() []error { return s.Wrong() }

// call is one request with the variable parts of its path.
type call struct {
	*http.Request
	args []string
	body []byte
}

// id returns a variable part as a number, 0 where it is none.
func (c call) id(at int) int64 {
	n, _ := strconv.ParseInt(c.args[at], 10, 64)
	return n
}

// answer is what goes back to the client.
type answer struct {
	status int
	body   any
}

func done(status int, body any) answer { return answer{status: status, body: body} }

// fail is a refusal in Brevo's form.
func fail(status int, code, message string) answer {
	return answer{status: status, body: map[string]string{"code": code, "message": message}}
}

func (a answer) send(w http.ResponseWriter) {
	if a.body == nil {
		w.WriteHeader(a.status)
		return
	}
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(a.status)
	_ = json.NewEncoder(w).Encode(a.body)
}

func (a answer) reply() simulator.Reply {
	kept := httptest.NewRecorder()
	a.send(kept)
	return recorded(kept)
}

type route struct {
	method, path string // a * stands for one variable part
	handle       func(*Server, call) answer
}

var routes = []route{
	{"GET", "/v3/contacts", (*Server).getContacts},
	{"POST", "/v3/contacts", (*Server).createContact},
	{"POST", "/v3/contacts/batch", (*Server).updateContacts},
	{"POST", "/v3/contacts/import", (*Server).startImport},
	{"GET", "/v3/contacts/attributes", (*Server).getAttributes},
	{"POST", "/v3/contacts/attributes/*/*", (*Server).createAttribute},
	{"GET", "/v3/contacts/folders", (*Server).getFolders},
	{"POST", "/v3/contacts/folders", (*Server).createFolder},
	{"DELETE", "/v3/contacts/folders/*", (*Server).deleteFolder},
	{"GET", "/v3/contacts/folders/*/lists", (*Server).getFolderLists},
	{"POST", "/v3/contacts/lists", (*Server).createList},
	{"GET", "/v3/contacts/lists/*", (*Server).getList},
	{"DELETE", "/v3/contacts/lists/*", (*Server).deleteList},
	{"GET", "/v3/contacts/lists/*/contacts", (*Server).getMembers},
	{"POST", "/v3/contacts/lists/*/contacts/add", (*Server).addMembers},
	{"POST", "/v3/contacts/lists/*/contacts/remove", (*Server).removeMembers},
	{"GET", "/v3/contacts/*", (*Server).getContact},
	{"DELETE", "/v3/contacts/*", (*Server).deleteContact},
	{"GET", "/v3/processes/*", (*Server).getProcess},
	{"GET", "/v3/account", (*Server).getAccount},
}

func (s *Server) answer(w http.ResponseWriter, r *http.Request, body []byte) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.arrivals()
	s.work()
	w.Header().Set("Date", s.opts.Now().UTC().Format(http.TimeFormat)) // of the clock that dates the contacts
	if refused, no := s.limit(w, r); no {
		refused.send(w)
		return
	}
	switch key := r.Header.Get("api-key"); {
	case key == "":
		fail(http.StatusUnauthorized, wrongKey, "authentication not found in headers").send(w)
		return
	case key != s.opts.APIKey || s.Revoked():
		fail(http.StatusUnauthorized, wrongKey, "Key not found").send(w)
		return
	}
	for _, route := range routes {
		if args, ok := simulator.MatchPath(route.path, r.URL.Path); ok && r.Method == route.method {
			route.handle(s, call{Request: r, args: args, body: body}).send(w)
			return
		}
	}
	fail(http.StatusNotFound, "document_not_found", "Route does not exist").send(w)
}

func (s *Server) getAccount(call) answer {
	return done(http.StatusOK, map[string]any{
		"organization_id": s.opts.Account, "email": "owner@example.com", "firstName": "Ann", "lastName": "Finch", "companyName": "Alder & Finch",
		"address":             map[string]any{"street": "1 Main St", "city": "Alder", "zipCode": "12345", "country": "US"},
		"plan":                []any{map[string]any{"type": "free", "creditsType": "sendLimit", "credits": 300}},
		"relay":               map[string]any{"enabled": true, "data": map[string]any{"userName": "owner@example.com", "relay": "smtp-relay.example.com", "port": 587}},
		"marketingAutomation": map[string]any{"enabled": false},
	})
}

func (s *Server) nextID() int64 {
	s.last++
	return s.last
}
