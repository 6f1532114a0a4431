package simulator

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strings"
)

// SteerPath is where tests and demos in other processes steer a fake: a GET looks at it, a POST is a command.
const SteerPath = "/_sim/"

// Helm is what a fake lets be seen and done from outside. C is what a command may carry. Every fake shows its requests and
// takes the commands fault, which carries a Fault, and revoke.
type Helm[C any] struct {
	Front *Front
	// View returns something else to look at, nil where there is none of that name.
	View func(what string, query url.Values) any
	// Obey carries another command out.
	Obey func(what string, command C) error
}

// Steer answers a request below SteerPath.
func (h Helm[C]) Steer(w http.ResponseWriter, r *http.Request) {
	what := strings.TrimPrefix(r.URL.Path, SteerPath)
	status, answer := http.StatusOK, map[string]any{"data": true}
	if r.Method == http.MethodGet {
		seen := h.view(what, r.URL.Query())
		if answer["data"] = seen; seen == nil {
			status, answer = http.StatusNotFound, map[string]any{"message": fmt.Sprintf("no view %q", what)}
		}
	} else if err := h.obey(what, r); err != nil {
		status, answer = http.StatusBadRequest, map[string]any{"message": err.Error()}
	}
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(status)
	_ = json.NewEncoder(w).Encode(answer) // whoever asked may be gone
}

func (h Helm[C]) view(what string, query url.Values) any {
	if what == "requests" {
		return h.Front.Requests()
	}
	return h.View(what, query)
}

func (h Helm[C]) obey(what string, r *http.Request) error {
	var fault Fault
	var own C
	text, err := io.ReadAll(r.Body)
	if len(text) > 0 && err == nil {
		err = errors.Join(json.Unmarshal(text, &fault), json.Unmarshal(text, &own))
	}
	switch {
	case err != nil:
		return fmt.Errorf("command: %w", err)
	case what == "fault":
		h.Front.Fault(fault)
	case what == "revoke":
		h.Front.Revoke()
	default:
		return h.Obey(what, own)
	}
	return nil
}
