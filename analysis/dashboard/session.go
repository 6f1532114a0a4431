package dashboard

import (
	"crypto/sha256"
	"crypto/subtle"
	"encoding/hex"
	"net/http"
	"time"

	"github.com/alexedwards/scs/v2"
	"github.com/alexedwards/scs/v2/memstore"
)

// How long a session lasts: at most, and without being used.
const (
	lifetime = 7 * 24 * time.Hour
	idle     = 24 * time.Hour
)

// owner is the key of a session under which stands by which password it was opened.
const owner = "owner"

func (s *Server) newSessions() *scs.SessionManager {
	m := scs.New()
	m.Store = memstore.New()
	if s.Sessions != nil {
		m.Store = s.Sessions
	}
	m.Lifetime, m.IdleTimeout = lifetime, idle
	m.HashTokenInStore = true
	m.Cookie.Name = "perennial"
	m.Cookie.HttpOnly = true
	m.Cookie.SameSite = http.SameSiteStrictMode
	m.Cookie.Secure = s.secure
	m.Cookie.Path = s.base + "/"
	m.ErrorFunc = func(w http.ResponseWriter, r *http.Request, err error) {
		s.Log.Error("session", "err", err)
		s.away(w, r)
	}
	return m
}

// known lets requests with a session through, and leads all others to the login.
func (s *Server) known(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if s.inside(r) {
			next.ServeHTTP(w, r)
			return
		}
		if r.Method != http.MethodGet && r.Method != http.MethodHead {
			s.trouble(w, r, http.StatusUnauthorized, "You are not logged in", "Log in and try again.")
			return
		}
		s.loginPage(w, r, http.StatusUnauthorized, "")
	})
}

// inside says whether a request belongs to a session that was opened by the password that holds.
func (s *Server) inside(r *http.Request) bool {
	by := s.sessions.GetString(r.Context(), owner)
	return s.Password != "" && subtle.ConstantTimeCompare([]byte(by), []byte(s.mark())) == 1
}

// mark tells one password from another, so that a new one ends all sessions of the old one.
func (s *Server) mark() string {
	sum := sha256.Sum256([]byte(s.Password))
	return hex.EncodeToString(sum[:])
}
