// Package mailchimptest is a Mailchimp audience that lives in memory. It answers as the Marketing API 3.0 does, enforces
// the limits that only its documentation states, is filled with the newsletter of an invented shop, works through batches
// as jobs that can stall or fail, and misbehaves on command. It tells whom a campaign to a tag would mail, so that rules of
// consent can be proven.
package mailchimptest

import (
	"fmt"
	"net/http"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/perennial-cvo/perennial/connectors/simulator"
)

// The limits that the documentation states.
const (
	MostConnections = 10   // at a time
	MostPerPage     = 1000 // things in one page
	MostPerTag      = 500  // added, and removed, in one change of a tag
	MostOperations  = 1000 // in one batch
	MostBatches     = 500  // open at a time
	MostFields      = 30   // merge fields of an audience
	MostTags        = 50   // shown with a contact
	LongestTag      = 10   // characters of a merge tag
	LongestText     = 255  // bytes of a text
)

// Path is where the API begins, below the address of the server; the setting url of the connector ends with it.
const Path = "/3.0"

// Validator judges one exchange, as a check against the OpenAPI file does.
type Validator func(r *http.Request, requestBody []byte, status int, header http.Header, responseBody []byte) error

// Options describe the audience. The zero value is usable.
type Options struct {
	Key      string           // "fake-mailchimp-key-us21" where empty
	Audience string           // its id; "1a2b3c4d5e" where empty
	Now      func() time.Time // the shop's clock where nil, or the real one
	Latency  time.Duration    // added to every answer
	Validate Validator        // of every exchange that is no commanded fault; none where nil
	Polls    int              // how often a batch is asked for before it is finished; 1 where zero
}

// Server is the fake. It is safe for concurrent use; requests are carried out one at a time.
type Server struct {
	open atomic.Int64 // connections now
	most atomic.Int64 // connections ever at a time

	simulator.Front

	mu         sync.Mutex
	opts       Options
	shop       *simulator.Shop
	restricted bool
	batchFault BatchFault
	violations []string

	members    map[string]*member // by hash
	order      []*member          // by age
	segments   []*segment         // by age
	fields     []*field           // by age
	batches    []*batch           // by age
	last       int                // id given
	forgotten  map[string]bool    // hashes of those deleted for good
	seeded     int                // how many of the shop's people have been looked at
	generation uint64             // of the shop when they were
}

// New starts an audience as an owner has it: names as merge fields, one more that is demanded of everybody, a tag of theirs.
// Where shop is not nil, everybody of it who ever subscribed is there too, and people who come to it later subscribe later.
func New(shop *simulator.Shop, opts Options) *Server {
	if opts.Key == "" {
		opts.Key = "fake-mailchimp-key-us21"
	}
	if opts.Audience == "" {
		opts.Audience = "1a2b3c4d5e"
	}
	if opts.Polls == 0 {
		opts.Polls = 1
	}
	if opts.Now == nil {
		opts.Now = time.Now
		if shop != nil {
			opts.Now = shop.Now
		}
	}
	s := &Server{opts: opts, shop: shop, members: map[string]*member{}, forgotten: map[string]bool{}}
	for _, f := range []field{{Tag: "FNAME", Name: "First Name"}, {Tag: "LNAME", Name: "Last Name"}, {Tag: "SHOE", Name: "Shoe size", Required: true}} {
		f.Type = "text"
		s.addField(f)
	}
	s.addSegment("VIP", "static")
	s.addSegment("perennial: lookalikes", "saved")
	s.arrivals()
	return s
}

// arrivals lets people sign up who have come to the shop since the last look.
func (s *Server) arrivals() {
	if s.shop == nil || (s.seeded > 0 && s.generation == s.shop.Generation()) {
		return
	}
	s.generation = s.shop.Generation()
	status := map[simulator.SubscriberState]string{
		simulator.Subscribed: Subscribed, simulator.Unsubscribed: Unsubscribed, simulator.Blocklisted: Cleaned,
	}
	people := s.shop.Subscribers()
	for i, p := range people[min(s.seeded, len(people)):] {
		if status[p.State] == "" || s.members[hash(p.Email)] != nil {
			continue
		}
		m := s.addMember(p.Email, status[p.State])
		first, last, _ := strings.Cut(p.Name, " ")
		m.Merge["FNAME"], m.Merge["LNAME"], m.Changed = first, last, p.Since
		if m.Status == Unsubscribed {
			m.Left = p.Since
		}
		if i%3 == 0 {
			m.Tags[s.segments[0].ID] = true
		}
	}
	s.seeded = len(people)
}

// Key is the API key.
func (s *Server) Key() string { return s.opts.Key }

// Audience is the id of the audience.
func (s *Server) Audience() string { return s.opts.Audience }

// ServeHTTP answers one request.
func (s *Server) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	open := s.open.Add(1)
	defer s.open.Add(-1)
	for most := s.most.Load(); open > most && !s.most.CompareAndSwap(most, open); most = s.most.Load() {
		continue
	}
	if s.opts.Latency > 0 {
		time.Sleep(s.opts.Latency)
	}
	if strings.HasPrefix(r.URL.Path, simulator.SteerPath) {
		s.control(w, r)
		return
	}
	if strings.HasPrefix(r.URL.Path, resultPath) {
		s.download(w, r)
		return
	}
	s.Serve(w, r, simulator.Dialect{
		Answer: func(r *http.Request, body []byte) simulator.Reply {
			if open > MostConnections {
				return crowded().reply()
			}
			return s.answer(r, body).reply()
		},
		Throttled: func(f Fault) simulator.Reply { return crowded().reply().WithRetryAfter(f) },
		Judge:     s.opts.Validate,
	})
}

func crowded() answer {
	return problem(http.StatusTooManyRequests, "Too Many Requests", "You have exceeded the limit of 10 simultaneous connections.")
}

// call is one request with the variable parts of its path.
type call struct {
	*http.Request
	body []byte
	args []string
}

type route struct {
	method, path string // a * stands for one variable part
	handle       func(*Server, call) answer
}

const list = Path + "/lists/*"

func routes() []route {
	return []route{
		{"GET", Path + "/ping", (*Server).ping},
		{"GET", Path + "/lists", (*Server).getLists},
		{"GET", list, (*Server).getList},
		{"GET", list + "/merge-fields", (*Server).getFields},
		{"POST", list + "/merge-fields", (*Server).createField},
		{"GET", list + "/segments", (*Server).getSegments},
		{"POST", list + "/segments", (*Server).createSegment},
		{"GET", list + "/segments/*", (*Server).getSegment},
		{"POST", list + "/segments/*", (*Server).changeSegment},
		{"DELETE", list + "/segments/*", (*Server).deleteSegment},
		{"GET", list + "/segments/*/members", (*Server).getSegmentMembers},
		{"GET", list + "/members", (*Server).getMembers},
		{"GET", list + "/members/*", (*Server).getMember},
		{"GET", list + "/members/*/tags", (*Server).getMemberTags},
		{"PATCH", list + "/members/*", (*Server).patchMember},
		{"PUT", list + "/members/*", (*Server).putMember},
		{"DELETE", list + "/members/*", (*Server).archiveMember},
		{"POST", list + "/members/*/actions/delete-permanent", (*Server).eraseMember},
		{"POST", Path + "/batches", (*Server).createBatch},
		{"GET", Path + "/batches/*", (*Server).getBatch},
		{"DELETE", Path + "/batches/*", (*Server).deleteBatch},
	}
}

func (s *Server) answer(r *http.Request, body []byte) answer {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.arrivals()
	_, key, _ := r.BasicAuth()
	switch {
	case key != s.opts.Key || s.Revoked():
		return problem(http.StatusUnauthorized, "API Key Invalid", "Your API key may be invalid, or you've attempted to access the wrong datacenter.")
	case s.restricted && r.Method != http.MethodGet:
		return problem(http.StatusForbidden, "Forbidden", "You are not permitted to access this resource.")
	}
	return s.carryOut(call{Request: r, body: body})
}

// carryOut finds who answers, also for operations of a batch.
func (s *Server) carryOut(c call) answer {
	for _, route := range routes() {
		args, ok := simulator.MatchPath(route.path, c.URL.Path)
		if !ok || c.Method != route.method {
			continue
		}
		if strings.HasPrefix(route.path, list) && args[0] != s.opts.Audience {
			return missing()
		}
		c.args = args
		return route.handle(s, c)
	}
	return missing()
}

func (s *Server) ping(call) answer {
	return done(map[string]any{"health_status": "Everything's Chimpy!"})
}

func (s *Server) getLists(c call) answer {
	return s.filtered(c, map[string]any{"lists": []any{s.showList()}, "total_items": 1})
}

func (s *Server) getList(c call) answer { return s.filtered(c, s.showList()) }

func (s *Server) showList() map[string]any {
	counts := map[string]int{}
	for _, m := range s.order {
		counts[m.Status]++
	}
	return map[string]any{
		"id": s.opts.Audience, "name": "Newsletter", "double_optin": false, "visibility": "prv",
		"stats": map[string]any{
			"member_count": counts[Subscribed], "unsubscribe_count": counts[Unsubscribed], "cleaned_count": counts[Cleaned],
			"merge_field_count": len(s.fields),
		},
	}
}

// Violations returns what the validator had to say, and who sent the key to strangers.
func (s *Server) Violations() []string {
	s.mu.Lock()
	defer s.mu.Unlock()
	all := slices.Clone(s.violations)
	for _, err := range s.Wrong() {
		all = append(all, err.Error())
	}
	return all
}

// Connections returns how many requests were on their way at a time at most.
func (s *Server) Connections() int { return int(s.most.Load()) }

func (s *Server) id() int {
	s.last++
	return s.last
}

func (s *Server) word(kind string) string { return fmt.Sprintf("%s%06d", kind, s.id()) }
