package shopifytest

import (
	"encoding/json"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"time"
)

// Control is a handler by which another process commands the fake. It is to be served beside the shop, below a prefix
// that is stripped:
//
//	POST   /fault?kind=throttled&times=3&skip=0&path=graphql&operation=bulkOperationRunQuery&writes=1&retry_after=7&delay=2s&location=URL
//	POST   /mend                                  takes every fault away
//	POST   /revoke                                takes every token away
//	POST   /restrict?scopes=read_all_orders,...   takes scopes away
//	GET    /requests                              what was asked, as JSON
//	DELETE /requests
//	GET    /violations                            what the validator found, as JSON
func (s *Server) Control() http.Handler {
	mux := http.NewServeMux()
	mux.HandleFunc("POST /fault", s.controlFault)
	mux.HandleFunc("POST /mend", func(http.ResponseWriter, *http.Request) { s.Mend() })
	mux.HandleFunc("POST /revoke", func(http.ResponseWriter, *http.Request) { s.Revoke() })
	mux.HandleFunc("POST /restrict", func(_ http.ResponseWriter, r *http.Request) {
		s.Restrict(strings.Split(r.FormValue("scopes"), ",")...)
	})
	mux.HandleFunc("GET /requests", func(w http.ResponseWriter, _ *http.Request) { show(w, s.Requests()) })
	mux.HandleFunc("DELETE /requests", func(http.ResponseWriter, *http.Request) { s.ForgetRequests() })
	mux.HandleFunc("GET /violations", func(w http.ResponseWriter, _ *http.Request) {
		all := []string{}
		for _, err := range s.Violations() {
			all = append(all, err.Error())
		}
		show(w, all)
	})
	return mux
}

func show(w http.ResponseWriter, v any) {
	w.Header().Set("Content-Type", "application/json")
	_ = json.NewEncoder(w).Encode(v) //nolint:errcheck // the client may be gone
}

func (s *Server) controlFault(w http.ResponseWriter, r *http.Request) {
	number := func(name string) int {
		n, _ := strconv.Atoi(r.FormValue(name)) //nolint:errcheck // anything else is zero
		return n
	}
	delay, err := time.ParseDuration(r.FormValue("delay"))
	if err != nil && r.FormValue("delay") != "" {
		http.Error(w, "delay: "+err.Error(), http.StatusBadRequest)
		return
	}
	kind := FaultKind(r.FormValue("kind"))
	if !slices.Contains(FaultKinds(), kind) {
		http.Error(w, "kind: not one of the known faults", http.StatusBadRequest)
		return
	}
	s.Fault(Fault{
		Kind: kind, Times: number("times"), Skip: number("skip"), Path: r.FormValue("path"), Operation: r.FormValue("operation"),
		Writes: r.FormValue("writes") != "", RetryAfter: r.FormValue("retry_after"), Delay: delay, Location: r.FormValue("location"),
	})
}
