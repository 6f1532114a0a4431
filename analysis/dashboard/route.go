package dashboard

import (
	"net/http"
	"strings"
)

// page is one of the pages of a shop.
type page struct {
	key   string // in its address, and the name of its template
	title string
	// show gathers what the template needs beside the report.
	show func(r *http.Request, v *view) (any, error)
	// sheet is the table of the page for a spreadsheet, its heading first; nil where there is none.
	sheet func(r *http.Request, v *view) ([][]string, error)
}

// pages are those in the navigation, in its order.
func (s *Server) pages() []page {
	return []page{
		{"today", "Today", s.today, nil},
		{"segments", "Segments", s.segments, s.segmentSheet},
		{"movement", "Movement", s.movement, s.movementSheet},
		{"value", "Value", s.value, s.valueSheet},
		{"retention", "Retention", s.retention, s.retentionSheet},
		{"products", "Products", s.products, s.productSheet},
		{"people", "People", s.people, s.peopleSheet},
		{"audiences", "Audiences", s.audiences, s.audienceSheet},
		{"health", "Health", s.health, nil},
	}
}

// routes are all addresses, below the path of the dashboard.
func (s *Server) routes() http.Handler {
	inside := http.NewServeMux()
	inside.HandleFunc("GET /{$}", s.first)
	inside.HandleFunc("POST /logout", s.logout)
	inside.HandleFunc("GET /shops/{shop}/{$}", s.first)
	for _, p := range s.pages() {
		inside.HandleFunc("GET /shops/{shop}/"+p.key, s.page(p))
		if p.sheet != nil {
			inside.HandleFunc("GET /shops/{shop}/"+p.key+".csv", s.sheet(p))
		}
	}
	person := page{"customer", "Customer", s.customer, nil}
	inside.HandleFunc("GET /shops/{shop}/people/{person}", s.page(person))
	inside.HandleFunc("GET /", s.lost)

	outside := http.NewServeMux()
	outside.HandleFunc("GET /login", s.loginForm)
	outside.HandleFunc("POST /login", s.login)
	outside.Handle("/api/", s.api())
	outside.Handle("/", s.known(inside))

	all := http.NewServeMux()
	all.Handle("GET /assets/", s.assets()) // also where sessions cannot be read
	all.Handle("/", s.sessions.LoadAndSave(outside))
	return s.stripped(s.guarded(all))
}

// stripped takes the path of the dashboard off, whether a proxy has done so already or not.
func (s *Server) stripped(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if s.base != "" && r.URL.Path == s.base { // as people type it
			http.Redirect(w, r, s.base+"/", http.StatusSeeOther)
			return
		}
		if rest, under := strings.CutPrefix(r.URL.Path, s.base+"/"); under && s.base != "" {
			r = r.Clone(r.Context())
			r.URL.Path, r.URL.RawPath = "/"+rest, ""
		}
		next.ServeHTTP(w, r)
	})
}

// first leads to the first page of the shop that is asked for, or of the first shop.
func (s *Server) first(w http.ResponseWriter, r *http.Request) {
	shop := r.PathValue("shop")
	if shop == "" && len(s.Shops) > 0 {
		shop = s.Shops[0].Name
	}
	if s.boards[shop] == nil {
		s.lost(w, r)
		return
	}
	http.Redirect(w, r, s.links(shop).Page("today"), http.StatusSeeOther)
}

// lost answers for what there is not.
func (s *Server) lost(w http.ResponseWriter, r *http.Request) {
	s.trouble(w, r, http.StatusNotFound, "There is no such page", "The address is wrong, or the shop or person is not known any more.")
}
