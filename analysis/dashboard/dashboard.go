// Package dashboard serves what there is to tell about shops as pages and as a read-only API, and writes the same as one
// file and as a mail. Everything is rendered on the server from package report, nothing comes from elsewhere, and nothing
// here changes a shop: the only thing ever written is a session.
package dashboard

import (
	"context"
	"html/template"
	"log/slog"
	"net/http"
	"net/url"
	"strings"
	"time"

	"github.com/alexedwards/scs/v2"

	"github.com/perennial-cvo/perennial/analysis/report"
)

// Facts is what the pages read of one shop; sync/postgres satisfies it.
type Facts interface {
	report.PersonFacts

	// People returns whom a crowd consists of, in its order, and the cursor of the next page; empty where there is none.
	People(ctx context.Context, c report.Crowd) (people []report.PersonRow, next string, err error)
}

// Shop is one shop whose pages are served.
type Shop struct {
	Name  string // as in the configuration; part of every address
	Facts Facts
	// Complete adds to a status what the configuration knows, such as the next run; nil adds nothing.
	Complete func(context.Context, *report.StoreStatus) error
}

// Options say what is served, and to whom.
type Options struct {
	Shops    []Shop
	Password string       // argon2id hash; nobody gets in where it is empty
	Token    string       // for the API; it answers to nobody where it is empty
	URL      string       // under which browsers reach the pages, such as https://shop.example/perennial; empty: directly
	Sessions scs.CtxStore // where sessions are kept; nil: in memory
	Now      func() time.Time
	Log      *slog.Logger
	Version  string
}

// Server is the dashboard: an http.Handler for everything under the path of Options.URL.
type Server struct {
	Options
	base     string // path under which browsers reach the pages, without a slash at its end
	secure   bool   // browsers reach the pages by https
	sessions *scs.SessionManager
	gate     *gate
	boards   map[string]*board

	templates map[string]*template.Template
	handler   http.Handler
}

// New makes a dashboard. It reads shops in the background until ctx ends. The error says what is wrong with the URL or the
// password.
func New(ctx context.Context, o Options) (*Server, error) {
	if o.Log == nil {
		o.Log = slog.New(slog.DiscardHandler)
	}
	if o.Now == nil {
		o.Now = time.Now
	}
	s := &Server{Options: o, boards: map[string]*board{}, gate: newGate(o.Now)}
	if err := s.locate(); err != nil {
		return nil, err
	}
	if err := checkHash(o.Password); err != nil {
		return nil, err
	}
	var err error
	if s.templates, err = parse(); err != nil {
		return nil, err
	}
	s.sessions = s.newSessions()
	for _, shop := range o.Shops {
		s.boards[shop.Name] = newBoard(ctx, shop, o)
	}
	s.handler = s.routes()
	return s, nil
}

// locate takes the path and the scheme out of the URL.
func (s *Server) locate() error {
	if s.URL == "" {
		return nil
	}
	u, err := url.Parse(s.URL)
	if err != nil || u.Scheme != "http" && u.Scheme != "https" || u.Host == "" || u.RawQuery != "" || u.Fragment != "" {
		return errURL
	}
	s.base, s.secure = strings.TrimRight(u.Path, "/"), u.Scheme == "https"
	return nil
}

// ServeHTTP answers one request.
func (s *Server) ServeHTTP(w http.ResponseWriter, r *http.Request) { s.handler.ServeHTTP(w, r) }
