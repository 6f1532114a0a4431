// Package klaviyotest is a Klaviyo that lives in memory. It answers as revision 2026-07-15 of the API is described, keeps
// the limits of which only the descriptions speak, works imports through a little later, and misbehaves on command. It
// tells whom a campaign would mail, so that rules of consent can be proven.
package klaviyotest

import (
	"encoding/json"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/perennial-cvo/perennial/connectors/simulator"
)

// revision is the one that the fake speaks.
const revision = "2026-07-15"

// Scopes lists every scope that the fake knows.
func Scopes() []string {
	return []string{"accounts:read", "lists:read", "lists:write", "profiles:read", "profiles:write", "data-privacy:write", "events:write"}
}

// Options describe the account. The zero value is usable.
type Options struct {
	Key     string           // "fake-klaviyo-key" where empty
	Account string           // its id; "AbC123" where empty
	Scopes  []string         // of the key; all where nil
	Now     func() time.Time // the shop's clock where nil, or the real one
	Limits  bool             // requests beyond the limits of each endpoint are answered 429
	Clock   func() time.Time // by which limits are counted; Now where nil
	// PassRepeats passes over events that are there already, where otherwise they are refused with all of their request.
	// Klaviyo says the first of single events and the second of many.
	PassRepeats bool
	// Judge looks at every exchange that is answered in full and says what is wrong with it; see Wrong.
	Judge func(r *http.Request, body []byte, status int, header http.Header, answer []byte) error
}

// Server is the fake. It is safe for concurrent use; requests are carried out one at a time.
type Server struct {
	simulator.Front

	mu       sync.Mutex
	opts     Options
	shop     *simulator.Shop
	jobFault JobFault
	counters map[string]int

	people  []*person // by ascending id
	byID    map[string]*person
	byEmail map[string]*person
	lists   []*list
	jobs    []*importJob
	events  []Event
	told    map[string]bool // keys of events
	made    map[string]int  // lists made by day
	last    int
	// noPointers makes refusals of imports name nobody.
	noPointers bool
	lagging    *importJob // whose writes do not show yet
	lag        int        // look-ups until they do
	seeded     int        // how many of the shop's people have been looked at
	generation uint64     // of the shop when they were
}

// New starts an account with a newsletter list and two people who are no customers. Where shop is not nil, everybody of the
// shop whom an e-mail platform may know is there too, and people who come to the shop later come later.
func New(shop *simulator.Shop, opts Options) *Server {
	if opts.Key == "" {
		opts.Key = "fake-klaviyo-key"
	}
	if opts.Account == "" {
		opts.Account = "AbC123"
	}
	if opts.Scopes == nil {
		opts.Scopes = Scopes()
	}
	if opts.Now == nil {
		opts.Now = time.Now
		if shop != nil {
			opts.Now = shop.Now
		}
	}
	if opts.Clock == nil {
		opts.Clock = opts.Now
	}
	s := &Server{
		opts: opts, shop: shop, byID: map[string]*person{}, byEmail: map[string]*person{}, counters: map[string]int{}, made: map[string]int{},
		told: map[string]bool{},
	}
	newsletter := s.addList("Newsletter", "double_opt_in")
	s.addList("VIP: by hand", "single_opt_in")
	for _, email := range []string{"owner@example.com", "press@example.com"} {
		p := s.addPerson(email)
		p.Consent, p.Properties = subscribed, map[string]any{"Source": "by hand"}
		newsletter.join(p, s.opts.Now())
	}
	s.arrivals()
	return s
}

// arrivals lets people sign up who have come to the shop since the last look.
func (s *Server) arrivals() {
	if s.shop == nil {
		return
	}
	if s.seeded > 0 && s.generation == s.shop.Generation() {
		return
	}
	s.generation = s.shop.Generation()
	people := s.shop.Subscribers()
	for _, who := range people[min(s.seeded, len(people)):] {
		if who.State == simulator.Unknown || s.byEmail[who.Email] != nil {
			continue
		}
		p := s.addPerson(who.Email)
		p.Since, p.Properties = who.Since, map[string]any{"Shoe size": 36 + s.last%9, "perennials": "likes them"}
		p.FirstName, p.LastName, _ = strings.Cut(who.Name, " ")
		s.lists[0].join(p, who.Since)
		switch who.State {
		case simulator.Subscribed:
			p.Consent = subscribed
		case simulator.Unsubscribed:
			p.Consent = unsubscribed
			p.Suppressions = append(p.Suppressions, suppression{Reason: "UNSUBSCRIBE", At: who.Since})
		case simulator.Blocklisted:
			p.Suppressions = append(p.Suppressions, suppression{Reason: "SPAM_COMPLAINT", At: who.Since})
		}
	}
	s.seeded = len(people)
}

// Key is the private API key.
func (s *Server) Key() string { return s.opts.Key }

// ServeHTTP answers one request. What begins with /_sim/ steers the fake; see helm.
func (s *Server) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	if strings.HasPrefix(r.URL.Path, simulator.SteerPath) {
		s.helm().Steer(w, r)
		return
	}
	s.Serve(w, r, simulator.Dialect{
		Answer: func(r *http.Request, body []byte) simulator.Reply {
			return s.answer(call{Request: r, body: body}).reply()
		},
		Throttled: func(f Fault) simulator.Reply {
			return fail(http.StatusTooManyRequests, "throttled", "Request was throttled.", "/data/").reply().WithRetryAfter(f)
		},
		Judge: s.opts.Judge,
	})
}

// call is one request with the variable part of its path.
type call struct {
	*http.Request
	body []byte
	id   string
}

// route is one operation, with its allowance and the scopes it needs.
type route struct {
	method, path   string // a * stands for the variable part
	scopes         string
	second, minute int
	handle         func(*Server, call) answer
}

var routes = []route{
	{"GET", "/api/accounts", "accounts:read", 1, 15, (*Server).getAccounts},
	{"GET", "/api/lists", "lists:read", 75, 750, (*Server).getLists},
	{"POST", "/api/lists", "lists:write", 10, 150, (*Server).createList},
	{"GET", "/api/lists/*", "lists:read", 75, 750, (*Server).getList},
	{"DELETE", "/api/lists/*", "lists:write", 10, 150, (*Server).deleteList},
	{"GET", "/api/lists/*/profiles", "lists:read profiles:read", 75, 750, (*Server).getMembers},
	{"POST", "/api/lists/*/relationships/profiles", "lists:write profiles:write", 10, 150, (*Server).addMembers},
	{"DELETE", "/api/lists/*/relationships/profiles", "lists:write profiles:write", 10, 150, (*Server).removeMembers},
	{"GET", "/api/profiles", "profiles:read", 75, 750, (*Server).getProfiles},
	{"PATCH", "/api/profiles/*", "profiles:write", 75, 750, (*Server).patchProfile},
	{"POST", "/api/profile-bulk-import-jobs", "lists:write profiles:write", 10, 150, (*Server).startImport},
	{"GET", "/api/profile-bulk-import-jobs/*", "lists:read profiles:read", 10, 150, (*Server).getImport},
	{"GET", "/api/profile-bulk-import-jobs/*/profiles", "profiles:read", 10, 150, (*Server).getImported},
	{"GET", "/api/profile-bulk-import-jobs/*/import-errors", "profiles:read", 10, 150, (*Server).getImportErrors},
	{"POST", "/api/event-bulk-create-jobs", "events:write", 10, 150, (*Server).createEvents},
	{"POST", "/api/data-privacy-deletion-jobs", "data-privacy:write", 3, 60, (*Server).erase},
}

func (s *Server) answer(c call) answer {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.arrivals()
	if c.Header.Get("Authorization") != "Klaviyo-API-Key "+s.opts.Key || s.Revoked() {
		return fail(http.StatusUnauthorized, "authentication_failed", "Incorrect authentication credentials.", "/data/")
	}
	if c.Header.Get("Revision") != revision {
		return fail(http.StatusBadRequest, "invalid", "A revision of the API must be named, and this is none.", "")
	}
	for _, rt := range routes {
		parts, ok := simulator.MatchPath(rt.path, c.URL.Path)
		if !ok || c.Method != rt.method {
			continue
		}
		for _, scope := range strings.Fields(rt.scopes) {
			if !slices.Contains(s.opts.Scopes, scope) {
				return fail(http.StatusForbidden, "permission_denied", "The API key lacks the scopes: "+rt.scopes, "/data/")
			}
		}
		spent, left := s.spend(rt)
		if spent != nil {
			return *spent
		}
		c.id = strings.Join(parts, "") // one at the most
		a := rt.handle(s, c)
		a.left = left
		return a
	}
	return fail(http.StatusNotFound, "not_found", "Not found.", "")
}

func (s *Server) getAccounts(c call) answer {
	address := map[string]any{"address1": "1 Main St", "city": "Alder", "country": "US"}
	return done(c, []any{map[string]any{
		"type": "account", "id": s.opts.Account, "links": self(c, "/api/accounts/"+s.opts.Account),
		"attributes": map[string]any{
			"test_account": false, "timezone": "UTC", "preferred_currency": "USD", "public_api_key": s.opts.Account, "locale": "en-US",
			"contact_information": map[string]any{
				"default_sender_name": "Alder & Finch", "default_sender_email": "hello@example.com", "organization_name": "Alder & Finch",
				"street_address": address,
			},
		},
	}}, "")
}

// newID makes ids that ascend.
func (s *Server) newID(kind string) string {
	s.last++
	return fmt.Sprintf("01FAKE%s%014d", kind, s.last)
}

// decode reads the data of a body, and returns an answer where it cannot.
func decode[T any](c call) (T, *answer) {
	var in struct {
		Data T `json:"data"`
	}
	if err := json.Unmarshal(c.body, &in); err != nil {
		a := fail(http.StatusBadRequest, "invalid", "The payload is no JSON of the right shape.", "/data")
		return in.Data, &a
	}
	return in.Data, nil
}
