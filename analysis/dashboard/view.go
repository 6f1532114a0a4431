package dashboard

import (
	"bytes"
	"errors"
	"fmt"
	"net/http"
	"strconv"
	"time"

	"github.com/perennial-cvo/perennial/analysis/report"
	"github.com/perennial-cvo/perennial/connectors/commerce"
)

// view is what every page knows.
type view struct {
	Key    string // of the page
	Tab    string // of the page in the navigation that it belongs to
	Title  string
	Shop   string
	Shops  []string
	Pages  []tab
	Link   links
	Report *report.Report
	Status *report.StoreStatus
	ReadAt time.Time // when the figures were read
	Stale  string    // why they could not be read anew; empty where they were
	Sheet  string    // address of the page's table for a spreadsheet; empty where there is none
	Data   any       // the page's own
	// Refresh is after how many seconds the browser asks again, because something is being counted; 0: not by itself.
	Refresh int

	facts Facts
	terms *int
}

// tab is an entry of the navigation.
type tab struct {
	Title, Address string
	Here           bool
}

// Zone is the shop's time zone.
func (v *view) Zone() *time.Location {
	if v.Report == nil {
		return time.UTC
	}
	loc, err := commerce.Location(v.Report.Overview.TimeZone)
	if err != nil {
		return time.UTC
	}
	return loc
}

// Currency is that of the shop.
func (v *view) Currency() string { return v.Report.Overview.Currency }

// Analysed says whether there was an analysis yet.
func (v *view) Analysed() bool { return v.Report != nil && !v.Report.Segments.AsOf.IsZero() }

// edition tells figures of one night from those of another.
type edition struct {
	analysed time.Time // as of when
	ran      time.Time // when the last run ended, which may have analysed that day anew
}

func (v *view) edition() edition {
	e := edition{analysed: v.Report.Segments.AsOf}
	for _, run := range v.Status.Runs {
		if run.Ended.After(e.ran) {
			e.ran = run.Ended
		}
	}
	return e
}

// askedError is about a request that makes no sense; the text says what does.
type askedError struct{ text string }

func (e askedError) Error() string { return e.text }

// elsewhere leads to another page.
type elsewhere string

func (e elsewhere) Error() string { return "see " + string(e) }

var (
	errCounting   = errors.New("still being counted")
	errNobody     = errors.New("nobody is known by this address")
	errNoTemplate = errors.New("there is no template")
)

// whole reads a number out of a query; it returns preset where there is none.
func whole(r *http.Request, name string, preset, low, high int) (int, error) {
	text := r.URL.Query().Get(name)
	if text == "" {
		return preset, nil
	}
	n, err := strconv.Atoi(text)
	if err != nil || n < low || n > high {
		return 0, askedError{fmt.Sprintf("%s must be a number from %d to %d.", name, low, high)}
	}
	return n, nil
}

// view is the frame of a page of a shop.
func (s *Server) view(shop, key, title string) *view {
	v := &view{Key: key, Tab: key, Title: title, Shop: shop, Link: s.links(shop), facts: s.boards[shop].facts, terms: new(int)}
	for _, shop := range s.Shops {
		v.Shops = append(v.Shops, shop.Name)
	}
	for _, p := range s.pages() {
		v.Pages = append(v.Pages, tab{p.title, v.Link.Page(p.key), p.key == key})
	}
	return v
}

// fill gives a view what is told of its shop. It says no where there is nothing to show, and has answered then.
func (s *Server) fill(w http.ResponseWriter, r *http.Request, v *view) bool {
	state, err := s.boards[v.Shop].get(r.Context())
	switch {
	case state == nil && err != nil:
		s.away(w, r)
		return false
	case state == nil:
		w.Header().Set("Refresh", "2")
		s.render(w, http.StatusOK, "reading", v)
		return false
	case err != nil:
		v.Stale = "The database does not answer. These are the figures as last read; they are read anew as soon as it does."
	}
	v.Report, v.Status, v.ReadAt = &state.Report, &state.Status, state.at
	return true
}

// page answers for one of the pages.
func (s *Server) page(p page) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		shop := r.PathValue("shop")
		if s.boards[shop] == nil {
			s.lost(w, r)
			return
		}
		v := s.view(shop, p.key, p.title)
		if !s.fill(w, r, v) {
			return
		}
		if p.sheet != nil {
			v.Sheet = v.Link.Sheet(p.key, r.URL.RawQuery)
		}
		var err error
		if v.Data, err = p.show(r, v); err != nil {
			s.failed(w, r, err)
			return
		}
		if v.Refresh > 0 {
			w.Header().Set("Refresh", strconv.Itoa(v.Refresh))
		}
		s.render(w, http.StatusOK, p.key, v)
	}
}

// failed answers for a page that could not be gathered.
func (s *Server) failed(w http.ResponseWriter, r *http.Request, err error) {
	var asked askedError
	var to elsewhere
	var day *report.DayError
	switch {
	case errors.As(err, &to):
		http.Redirect(w, r, string(to), http.StatusSeeOther)
	case errors.As(err, &asked):
		s.trouble(w, r, http.StatusBadRequest, "That cannot be shown", asked.text)
	case errors.As(err, &day):
		s.trouble(w, r, http.StatusBadRequest, "That cannot be shown", day.Text+". "+day.Remedy)
	case errors.Is(err, report.ErrCursor):
		s.trouble(w, r, http.StatusBadRequest, "There is no such place in the list", "Begin at its first page.")
	case errors.Is(err, errCounting):
		w.Header().Set("Retry-After", "10")
		s.trouble(w, r, http.StatusServiceUnavailable, "This is still being counted", "Ask for it again in a minute; it goes on being counted until then.")
	case errors.Is(err, errNobody):
		s.trouble(w, r, http.StatusNotFound, "Nobody is known by that", "The person may have been erased or merged, or never bought here.")
	case errors.Is(err, errAudience):
		s.trouble(w, r, http.StatusNotFound, "There is no such audience", "The segments tell the keys of all of them.")
	case r.Context().Err() != nil: // the browser has gone
	default:
		s.Log.Error("dashboard: page", "path", r.URL.Path, "err", err)
		s.away(w, r)
	}
}

// trouble answers with what happened and what to do.
func (s *Server) trouble(w http.ResponseWriter, r *http.Request, status int, what, remedy string) {
	if wantsJSON(r) {
		writeProblem(w, status, what, remedy)
		return
	}
	v := &view{Key: "trouble", Title: what, Link: s.links(""), Data: remedy, terms: new(int)}
	s.render(w, status, "trouble", v)
}

// away answers while the database is gone.
func (s *Server) away(w http.ResponseWriter, r *http.Request) {
	w.Header().Set("Retry-After", "10")
	s.trouble(w, r, http.StatusServiceUnavailable, "The figures cannot be read just now",
		"The database does not answer. Nothing is lost; this works again as soon as it does. `perennial status` and the log of the daemon say more.")
}

// loginPage asks for the password.
func (s *Server) loginPage(w http.ResponseWriter, r *http.Request, status int, problem string) {
	if wantsJSON(r) {
		writeProblem(w, status, "not logged in", "send a session or, under /api/v1, the token")
		return
	}
	to := r.URL.RequestURI()
	if r.Method == http.MethodPost {
		to = r.PostFormValue("to")
	} else if r.URL.Path == "/login" {
		to = "/"
	}
	if s.Password == "" {
		problem = noPassword
	}
	s.render(w, status, "login", &view{
		Key: "login", Title: "Log in", Link: s.links(""), Data: map[string]string{"Problem": problem, "To": to}, terms: new(int),
	})
}

func (s *Server) loginForm(w http.ResponseWriter, r *http.Request) {
	if s.inside(r) {
		http.Redirect(w, r, s.base+"/", http.StatusSeeOther)
		return
	}
	s.loginPage(w, r, http.StatusOK, "")
}

// render writes a page whole or not at all.
func (s *Server) render(w http.ResponseWriter, status int, name string, v *view) {
	var b bytes.Buffer
	err := errNoTemplate
	if t := s.templates[name]; t != nil {
		err = t.ExecuteTemplate(&b, "layout", v)
	}
	if err != nil {
		s.Log.Error("dashboard: template", "page", name, "err", err)
		http.Error(w, "This page cannot be shown; the log of the daemon says why.", http.StatusInternalServerError)
		return
	}
	w.Header().Set("Content-Type", "text/html; charset=utf-8")
	w.WriteHeader(status)
	_, _ = b.WriteTo(w) // the browser may have gone
}
