package dashboard

import (
	"bytes"
	"crypto/sha256"
	"crypto/subtle"
	_ "embed"
	"encoding/json"
	"net/http"
	"net/url"
	"slices"
	"strings"

	"github.com/perennial-cvo/perennial/analysis/report"
)

// apiBase is where the API begins, below the path of the dashboard.
const apiBase = "/api/v1"

// apiText describes the API. It is the same everywhere and tells nothing about a shop.
//
//go:embed openapi.yaml
var apiText []byte

// APIText returns the OpenAPI document of the API.
func APIText() []byte { return bytes.Clone(apiText) }

// endpoint is one address of the API, below that of a shop.
type endpoint struct {
	path  string
	query []string // parameters that it knows
	tell  func(r *http.Request, v *view) (any, error)
}

func (s *Server) endpoints() []endpoint {
	page := []string{"limit", "cursor"}
	return []endpoint{
		{"/report", nil, tellReport},
		{"/status", nil, tellStatus},
		{"/segments", nil, tellSegments},
		{"/segments/{audience}/people", page, tellAudience},
		{"/movement", []string{"set", "days", "from", "to"}, s.tellMovement},
		{"/people", append(page, "search"), tellPeople},
		{"/people/{person}", nil, tellPerson},
	}
}

// apiRoutes are the patterns of everything the API answers to.
func (s *Server) apiRoutes() map[string]http.Handler {
	routes := map[string]http.Handler{"GET " + apiBase + "/shops": http.HandlerFunc(s.tellShops)}
	for _, e := range s.endpoints() {
		routes["GET "+apiBase+"/shops/{shop}"+e.path] = s.told(e)
	}
	return routes
}

// api answers to who has the token, and to sessions. What describes it is open to everybody.
func (s *Server) api() http.Handler {
	inside, outside := http.NewServeMux(), http.NewServeMux()
	for pattern, h := range s.apiRoutes() {
		inside.Handle(pattern, h)
	}
	inside.HandleFunc("/", func(w http.ResponseWriter, r *http.Request) {
		if r.Method != http.MethodGet && r.Method != http.MethodHead {
			w.Header().Set("Allow", "GET, HEAD")
			writeProblem(w, http.StatusMethodNotAllowed, "This API only reads", "Ask with GET.")
			return
		}
		writeProblem(w, http.StatusNotFound, "There is no such address", "GET "+s.base+apiBase+"/openapi.yaml lists them all.")
	})
	outside.HandleFunc("GET "+apiBase+"/openapi.yaml", func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "application/yaml")
		_, _ = w.Write(apiText) // who asked may have gone
	})
	outside.Handle("/", s.trusted(inside))
	return outside
}

// trusted lets through who has the token or a session. Who tries token after token is put off, the right one among them: else
// there was no end to guessing.
func (s *Server) trusted(next http.Handler) http.Handler {
	tries := newGate(s.Now)
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		token, given := bearer(r)
		switch {
		case given && tries.spent(address(r)):
			w.Header().Set("Retry-After", "15")
			writeProblem(w, http.StatusTooManyRequests, "Wrong tokens were sent too often", "Wait a quarter of a minute, then send the right one.")
		case given && s.isToken(token), !given && s.inside(r):
			next.ServeHTTP(w, r)
		case given:
			tries.admits(address(r))
			s.Log.Warn("dashboard: wrong token", "from", address(r))
			s.stranger(w, ` error="invalid_token"`)
		default:
			s.stranger(w, "")
		}
	})
}

// stranger answers to who has neither the token nor a session.
func (s *Server) stranger(w http.ResponseWriter, why string) {
	w.Header().Set("WWW-Authenticate", `Bearer realm="perennial"`+strings.Replace(why, " ", ", ", 1))
	what, remedy := "The token is missing or wrong", "Send the token of the configuration as Authorization: Bearer TOKEN."
	if s.Token == "" {
		what, remedy = "No token is configured, so the API answers to nobody", "Set a token in the configuration, then send it as Authorization: Bearer TOKEN."
	}
	writeProblem(w, http.StatusUnauthorized, what, remedy)
}

// bearer is the token that a request brings; given is false where it brings none.
func bearer(r *http.Request) (token string, given bool) {
	scheme, token, _ := strings.Cut(r.Header.Get("Authorization"), " ")
	return strings.TrimSpace(token), strings.EqualFold(scheme, "Bearer")
}

// isToken says whether a token is the right one, in the same time whatever is wrong with it.
func (s *Server) isToken(token string) bool {
	given, want := sha256.Sum256([]byte(token)), sha256.Sum256([]byte(s.Token))
	return s.Token != "" && subtle.ConstantTimeCompare(given[:], want[:]) == 1
}

// spent says whether somebody has to wait before they are admitted again.
func (g *gate) spent(address string) bool {
	g.mu.Lock()
	defer g.mu.Unlock()
	now, from := g.now(), g.from[address]
	return g.all.TokensAt(now) < 1 || from != nil && from.TokensAt(now) < 1
}

// told answers for one endpoint of a shop.
func (s *Server) told(e endpoint) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		b := s.boards[r.PathValue("shop")]
		if b == nil {
			writeProblem(w, http.StatusNotFound, "There is no such shop", "GET "+s.base+apiBase+"/shops lists them all.")
			return
		}
		if err := onlyKnown(r.URL.Query(), e.query); err != nil {
			s.failed(w, r, err)
			return
		}
		read, err := b.get(r.Context())
		switch {
		case err != nil: // a machine is not given figures of before: it could not tell
			s.away(w, r)
			return
		case read == nil:
			w.Header().Set("Retry-After", "5")
			writeProblem(w, http.StatusServiceUnavailable, "The figures are being read", "Ask again in a few seconds; a large shop takes half a minute.")
			return
		}
		v := s.view(b.name, "api", "")
		v.Report, v.Status, v.ReadAt = &read.Report, &read.Status, read.at
		what, err := e.tell(r, v)
		if err != nil {
			s.failed(w, r, err)
			return
		}
		s.writeJSON(w, what)
	})
}

// onlyKnown refuses parameters that an endpoint does not know, and those given twice: a slip of the pen would go unseen.
func onlyKnown(query url.Values, known []string) error {
	for name, values := range query {
		switch {
		case len(known) == 0:
			return askedError{"This address takes no parameters."}
		case !slices.Contains(known, name):
			return askedError{"The parameters here are " + strings.Join(known, ", ") + "."}
		case len(values) > 1:
			return askedError{"Every parameter may be given once."}
		}
	}
	return nil
}

// writeJSON writes an answer whole or not at all.
func (s *Server) writeJSON(w http.ResponseWriter, what any) {
	var b bytes.Buffer
	if err := report.JSON(&b, what); err != nil {
		s.Log.Error("dashboard: answer", "err", err)
		writeProblem(w, http.StatusInternalServerError, "This cannot be told", "The log of the daemon says why.")
		return
	}
	w.Header().Set("Content-Type", "application/json")
	_, _ = b.WriteTo(w) // who asked may have gone
}

// wantsJSON says that a request is one to the API, whose answers are for machines.
func wantsJSON(r *http.Request) bool { return strings.HasPrefix(r.URL.Path, "/api/") }

// problem is an error as RFC 9457 has it.
type problem struct {
	Title  string `json:"title"` // of the status
	Status int    `json:"status"`
	Detail string `json:"detail"` // what happened
	Remedy string `json:"remedy"` // what to do
}

func writeProblem(w http.ResponseWriter, status int, what, remedy string) {
	w.Header().Set("Content-Type", "application/problem+json")
	w.WriteHeader(status)
	_ = json.NewEncoder(w).Encode(problem{http.StatusText(status), status, what, remedy}) // who asked may have gone
}
