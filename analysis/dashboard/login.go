package dashboard

import (
	"errors"
	"net"
	"net/http"
	"strings"
	"sync"
	"time"

	"github.com/alexedwards/argon2id"
	"golang.org/x/time/rate"
)

var (
	errURL      = errors.New("the address of the dashboard is not one such as https://shop.example/perennial")
	errPassword = errors.New("the password of the dashboard is no argon2id hash; `perennial password` makes one")
)

// MinPassword is how many characters a password must have.
const MinPassword = 10

// HashPassword makes what a configuration keeps instead of a password.
func HashPassword(password string) (string, error) {
	if len([]rune(password)) < MinPassword {
		return "", errShort
	}
	return argon2id.CreateHash(password, argon2id.DefaultParams)
}

var errShort = errors.New("the password is too short: ten characters at least")

// checkHash refuses what no password can match.
func checkHash(hash string) error {
	if hash == "" {
		return nil
	}
	if _, _, _, err := argon2id.DecodeHash(hash); err != nil {
		return errPassword
	}
	return nil
}

// How often somebody may try: a few times at once, then slowly; all together less than it takes to guess.
const (
	triesAtOnce = 5
	pause       = 15 * time.Second
	allAtOnce   = 20
	allPause    = 3 * time.Second
	addresses   = 10_000 // kept in mind
)

// gate slows down who guesses.
type gate struct {
	now  func() time.Time
	all  *rate.Limiter
	one  sync.Mutex // a hash takes 64 MB: one at a time
	mu   sync.Mutex
	from map[string]*rate.Limiter
}

func newGate(now func() time.Time) *gate {
	return &gate{now: now, all: rate.NewLimiter(rate.Every(allPause), allAtOnce), from: map[string]*rate.Limiter{}}
}

// admits says whether somebody may try now.
func (g *gate) admits(address string) bool {
	g.mu.Lock()
	defer g.mu.Unlock()
	if len(g.from) >= addresses {
		clear(g.from)
	}
	if g.from[address] == nil {
		g.from[address] = rate.NewLimiter(rate.Every(pause), triesAtOnce)
	}
	now := g.now()
	return g.from[address].AllowN(now, 1) && g.all.AllowN(now, 1)
}

// matches says whether a password is the one with the hash.
func (g *gate) matches(password, hash string) bool {
	g.one.Lock()
	defer g.one.Unlock()
	ok, err := argon2id.ComparePasswordAndHash(password, hash)
	return err == nil && ok
}

// login opens a session.
func (s *Server) login(w http.ResponseWriter, r *http.Request) {
	if s.Password == "" {
		s.loginPage(w, r, http.StatusForbidden, noPassword)
		return
	}
	if !s.gate.admits(address(r)) {
		w.Header().Set("Retry-After", "15")
		s.loginPage(w, r, http.StatusTooManyRequests, "That was tried too often. Wait a quarter of a minute, then try again.")
		return
	}
	if !s.gate.matches(r.PostFormValue("password"), s.Password) {
		s.Log.Warn("dashboard: wrong password", "from", address(r))
		s.loginPage(w, r, http.StatusUnauthorized, "That is not the password.")
		return
	}
	if err := s.sessions.RenewToken(r.Context()); err != nil {
		s.Log.Error("session", "err", err)
		s.away(w, r)
		return
	}
	s.sessions.Put(r.Context(), owner, s.mark())
	http.Redirect(w, r, s.within(r.PostFormValue("to")), http.StatusSeeOther)
}

const noPassword = "No password is set, so nobody can log in. `perennial password` sets one."

// logout ends the session, also in the store: a stolen cookie opens nothing any more.
func (s *Server) logout(w http.ResponseWriter, r *http.Request) {
	if err := s.sessions.Destroy(r.Context()); err != nil {
		s.Log.Error("session", "err", err)
		s.away(w, r)
		return
	}
	http.Redirect(w, r, s.base+"/login", http.StatusSeeOther)
}

// within is a page of ours to which somebody wanted to go, or the first one.
func (s *Server) within(to string) string {
	if !strings.HasPrefix(to, "/") || strings.HasPrefix(to, "//") || strings.ContainsAny(to, "\\\r\n") {
		to = "/"
	}
	return s.base + to
}

// address is from where a request came to us; behind a proxy, all come from there.
func address(r *http.Request) string {
	host, _, err := net.SplitHostPort(r.RemoteAddr)
	if err != nil {
		return r.RemoteAddr
	}
	return host
}
