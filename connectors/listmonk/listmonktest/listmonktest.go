// Package listmonktest is a listmonk that lives in memory. It answers as listmonk 6.2 was recorded to answer, with its
// unusual status codes, raw database messages and fuzzy searches, is filled with the newsletter of an invented shop, and
// misbehaves on command. It tells whom a campaign would mail, so that rules of consent can be proven.
package listmonktest

import (
	"fmt"
	"net/http"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/perennial-cvo/perennial/connectors/simulator"
)

// Permissions of an API role, as listmonk names them.
const (
	ListsGetAll       = "lists:get_all"
	ListsManageAll    = "lists:manage_all"
	SubscribersGetAll = "subscribers:get_all"
	SubscribersManage = "subscribers:manage"
	SubscribersImport = "subscribers:import"
	SubscribersSQL    = "subscribers:sql_query"
	CampaignsGet      = "campaigns:get"
	CampaignsManage   = "campaigns:manage"
)

// AllPermissions lists every permission that the fake knows.
func AllPermissions() []string {
	return []string{
		ListsGetAll, ListsManageAll, SubscribersGetAll, SubscribersManage, SubscribersImport, SubscribersSQL,
		CampaignsGet, CampaignsManage,
	}
}

// Options describe the listmonk. The zero value is usable.
type Options struct {
	Username    string           // of the API user; "perennial" where empty
	Token       string           // of the API user; "fake-listmonk-token" where empty
	Permissions []string         // of the API user's role; all where nil
	Version     string           // "v6.2.0" where empty
	Now         func() time.Time // the shop's clock where nil, or the real one
	Latency     time.Duration    // added to every answer
}

// Server is the fake. It is safe for concurrent use; requests are carried out one at a time.
type Server struct {
	simulator.Front

	mu   sync.Mutex
	opts Options
	shop *simulator.Shop

	lists       []*list
	subscribers []*subscriber // by ascending id
	byEmail     map[string]*subscriber
	lastList    int
	lastPerson  int
	lastUUID    int
	seeded      int    // how many of the shop's people have been looked at
	generation  uint64 // of the shop when they were
	newsletter  *list

	imports    importer
	campaigns  []*campaign
	optinMails []string

	role            string // the last one made through the API
	rolePermissions []string
}

// New starts a listmonk as it is after installation: two lists and two people. Where shop is not nil, there is a
// newsletter too, with everybody of the shop who ever subscribed, and people who come to the shop later subscribe later.
func New(shop *simulator.Shop, opts Options) *Server {
	if opts.Username == "" {
		opts.Username = "perennial"
	}
	if opts.Token == "" {
		opts.Token = "fake-listmonk-token"
	}
	if opts.Permissions == nil {
		opts.Permissions = AllPermissions()
	}
	if opts.Version == "" {
		opts.Version = "v6.2.0"
	}
	if opts.Now == nil {
		opts.Now = time.Now
		if shop != nil {
			opts.Now = shop.Now
		}
	}
	s := &Server{opts: opts, shop: shop, byEmail: map[string]*subscriber{}, imports: importer{Status: "none"}}
	s.install()
	return s
}

// install makes what a fresh listmonk has.
func (s *Server) install() {
	first := s.addList(listInput{Name: "Default list", Type: "private", Optin: "single", Tags: []string{"test"}})
	second := s.addList(listInput{Name: "Opt-in list", Type: "public", Optin: "double", Tags: []string{"test"}})
	john := s.addSubscriber("john@example.com", "John Doe", "enabled")
	anon := s.addSubscriber("anon@example.com", "Anon Doe", "enabled")
	john.Attribs = map[string]any{"city": "Bengaluru", "good": true, "type": "known"}
	anon.Attribs = map[string]any{"city": "Bengaluru", "good": true, "type": "unknown"}
	s.subscribe(john, first, "")
	s.subscribe(anon, second, "")
	if s.shop != nil {
		s.newsletter = s.addList(listInput{Name: "Newsletter", Type: "public", Optin: "single", Tags: []string{"shop"}})
		s.arrivals()
	}
}

// arrivals lets people sign up who have come to the shop since the last look.
func (s *Server) arrivals() {
	if s.shop == nil || (s.seeded > 0 && s.generation == s.shop.Generation()) {
		return
	}
	s.generation = s.shop.Generation()
	people := s.shop.Subscribers()
	for _, p := range people[min(s.seeded, len(people)):] {
		if p.State == simulator.Unknown || s.byEmail[p.Email] != nil {
			continue
		}
		person := s.addSubscriber(p.Email, p.Name, "enabled")
		person.Attribs = map[string]any{"source": "newsletter form", "shoe_size": float64(36 + person.ID%9)}
		person.CreatedAt, person.UpdatedAt = p.Since, p.Since
		row := s.subscribe(person, s.newsletter, "confirmed")
		row.CreatedAt, row.UpdatedAt = p.Since, p.Since
		switch p.State {
		case simulator.Unsubscribed:
			row.Status = unsubscribed
		case simulator.Blocklisted:
			s.block(person)
		}
	}
	s.seeded = len(people)
}

// Username is the API user's name.
func (s *Server) Username() string { return s.opts.Username }

// Token is the API user's token.
func (s *Server) Token() string { return s.opts.Token }

// ServeHTTP answers one request.
func (s *Server) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	if s.opts.Latency > 0 {
		time.Sleep(s.opts.Latency)
	}
	if strings.HasPrefix(r.URL.Path, simulator.SteerPath) {
		s.helm().Steer(w, r)
		return
	}
	s.Serve(w, r, simulator.Dialect{
		Answer: func(r *http.Request, _ []byte) simulator.Reply { return s.answer(r).reply() },
		Throttled: func(f Fault) simulator.Reply {
			return fail(http.StatusTooManyRequests, "too many requests").reply().WithRetryAfter(f)
		},
	})
}

// answer is what goes back to the client.
type answer struct {
	status int
	body   []byte
}

func (a answer) reply() simulator.Reply {
	return simulator.Reply{Status: a.status, Header: http.Header{"Content-Type": {"application/json"}}, Body: a.body}
}

func (s *Server) answer(r *http.Request) answer {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.arrivals()
	if len(r.URL.RawQuery) > 1<<20 {
		return answer{status: http.StatusRequestHeaderFieldsTooLarge, body: []byte("Request Header Fields Too Large")}
	}
	if r.URL.Path == "/health" || r.URL.Path == "/api/health" {
		return done(true)
	}
	if strings.HasPrefix(r.URL.Path, "/subscription/") {
		return s.leaveByLink(r)
	}
	if reason := s.refuse(r); reason != "" {
		return fail(http.StatusForbidden, reason)
	}
	for _, route := range routes {
		if args, ok := simulator.MatchPath(route.path, r.URL.Path); ok && r.Method == route.method {
			if !s.allowed(route.permission) {
				return fail(http.StatusForbidden, "permission denied: "+route.permission)
			}
			return route.handle(s, call{Request: r, args: args})
		}
	}
	return fail(http.StatusNotFound, "404 unknown endpoint")
}

// refuse says why a request is not let in, or nothing.
func (s *Server) refuse(r *http.Request) string {
	header := r.Header.Get("Authorization")
	if header == "" {
		return "invalid session"
	}
	user, token, ok := r.BasicAuth()
	if !ok {
		user, token, ok = strings.Cut(strings.TrimPrefix(header, "token "), ":")
	}
	if !ok || user != s.opts.Username || token != s.opts.Token || s.Revoked() {
		return "invalid API credentials"
	}
	return ""
}

func (s *Server) allowed(permission string) bool {
	return permission == "" || slices.Contains(s.opts.Permissions, permission)
}

// call is one request with the variable parts of its path.
type call struct {
	*http.Request
	args []string
}

type route struct {
	method, path string // a * stands for one variable part
	permission   string
	handle       func(*Server, call) answer
}

var routes = []route{
	{"GET", "/api/config", "", (*Server).config},
	{"GET", "/api/lists", "", (*Server).getLists},
	{"POST", "/api/lists", ListsManageAll, (*Server).createList},
	{"GET", "/api/lists/*", "", (*Server).getList},
	{"PUT", "/api/lists/*", ListsManageAll, (*Server).updateList},
	{"DELETE", "/api/lists/*", ListsManageAll, (*Server).deleteList},
	{"GET", "/api/subscribers", SubscribersGetAll, (*Server).getSubscribers},
	{"POST", "/api/subscribers", SubscribersManage, (*Server).createSubscriber},
	{"PUT", "/api/subscribers/lists", SubscribersManage, (*Server).manageLists},
	{"PUT", "/api/subscribers/lists/*", SubscribersManage, (*Server).manageLists},
	{"PUT", "/api/subscribers/query/lists", SubscribersManage, (*Server).manageListsByQuery},
	{"POST", "/api/subscribers/query/delete", SubscribersManage, (*Server).deleteByQuery},
	{"GET", "/api/subscribers/*", SubscribersGetAll, (*Server).getSubscriber},
	{"PUT", "/api/subscribers/*/blocklist", SubscribersManage, (*Server).blocklist},
	{"PUT", "/api/subscribers/*", SubscribersManage, (*Server).replaceSubscriber},
	{"PATCH", "/api/subscribers/*", SubscribersManage, (*Server).patchSubscriber},
	{"DELETE", "/api/subscribers/*", SubscribersManage, (*Server).deleteSubscriber},
	{"GET", "/api/import/subscribers", SubscribersImport, (*Server).importStatus},
	{"GET", "/api/import/subscribers/logs", SubscribersImport, (*Server).importLog},
	{"POST", "/api/import/subscribers", SubscribersImport, (*Server).importStart},
	{"DELETE", "/api/import/subscribers", SubscribersImport, (*Server).importStop},
	{"POST", "/api/roles/users", "", (*Server).createRole},
	{"POST", "/api/users", "", (*Server).createUser},
	{"GET", "/api/campaigns", CampaignsGet, (*Server).getCampaigns},
	{"POST", "/api/campaigns", CampaignsManage, (*Server).createCampaign},
	{"PUT", "/api/campaigns/*/status", CampaignsManage, (*Server).startCampaign},
}

func (s *Server) config(call) answer {
	return done(map[string]any{"version": s.opts.Version, "lang": "en", "messengers": []string{"email"}, "has_legacy_user": false})
}

func (s *Server) uuid() string {
	s.lastUUID++
	return fmt.Sprintf("00000000-0000-4000-8000-%012d", s.lastUUID)
}
