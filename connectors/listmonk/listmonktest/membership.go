package listmonktest

import (
	"fmt"
	"net/http"
)

type manageInput struct {
	IDs     []int  `json:"ids"`
	Action  string `json:"action"`
	Targets []int  `json:"target_list_ids"`
	Status  string `json:"status"`
	Query   string `json:"query"`
	ListIDs []int  `json:"list_ids"`
}

func (s *Server) manageLists(c call) answer {
	var in manageInput
	if message := decode(c, &in); message != "" {
		return fail(http.StatusBadRequest, message)
	}
	if len(in.IDs) == 0 {
		return fail(http.StatusBadRequest, "No IDs given.")
	}
	return s.manage(in)
}

// manageListsByQuery does the same to everybody who matches; an empty query matches everybody.
func (s *Server) manageListsByQuery(c call) answer {
	var in manageInput
	if message := decode(c, &in); message != "" {
		return fail(http.StatusBadRequest, message)
	}
	if !s.allowed(SubscribersSQL) {
		return fail(http.StatusForbidden, "Permission denied: "+SubscribersSQL)
	}
	where := func(*subscriber) bool { return true }
	if in.Query != "" {
		parsed, err := parseWhere(in.Query)
		if err != nil {
			return fail(http.StatusBadRequest, "Error preparing subscriber query: "+err.Error())
		}
		where = parsed
	}
	for _, p := range s.subscribers {
		on := len(in.ListIDs) == 0
		for _, id := range in.ListIDs {
			on = on || p.Lists[id] != nil
		}
		if on && where(p) {
			in.IDs = append(in.IDs, p.ID)
		}
	}
	return s.manage(in)
}

// manage carries out one action on all people and lists, or on none.
func (s *Server) manage(in manageInput) answer {
	if len(in.Targets) == 0 {
		return fail(http.StatusBadRequest, "No lists given.")
	}
	if in.Action != "add" && in.Action != "remove" && in.Action != "unsubscribe" {
		return fail(http.StatusBadRequest, "Invalid action.")
	}
	if in.Action == "add" {
		if message := s.objection(in); message != "" {
			return fail(http.StatusInternalServerError, "Error updating Subscribers: pq: "+message)
		}
	}
	for _, id := range in.IDs {
		p := s.subscriber(id)
		if p == nil {
			continue
		}
		for _, target := range in.Targets {
			switch row := p.Lists[target]; {
			case in.Action == "add":
				s.subscribe(p, s.list(target), in.Status)
			case in.Action == "remove":
				delete(p.Lists, target)
			case row != nil:
				row.Status, row.UpdatedAt = unsubscribed, s.opts.Now()
			}
		}
	}
	return done(true)
}

// objection is what the database would say to an addition, or nothing.
func (s *Server) objection(in manageInput) string {
	if in.Status != "" && in.Status != unconfirmed && in.Status != confirmed && in.Status != unsubscribed {
		return fmt.Sprintf("invalid input value for enum subscription_status: %q", in.Status)
	}
	const text = `insert or update on table "subscriber_lists" violates foreign key constraint "subscriber_lists_%s_id_fkey"`
	for _, id := range in.IDs {
		if s.subscriber(id) == nil {
			return fmt.Sprintf(text, "subscriber")
		}
	}
	for _, id := range in.Targets {
		if s.list(id) == nil {
			return fmt.Sprintf(text, "list")
		}
	}
	return ""
}

func (s *Server) deleteByQuery(c call) answer {
	var in manageInput
	if message := decode(c, &in); message != "" {
		return fail(http.StatusBadRequest, message)
	}
	if in.Query == "" {
		return fail(http.StatusBadRequest, "Invalid fields: query")
	}
	where, err := parseWhere(in.Query)
	if err != nil {
		return fail(http.StatusBadRequest, "Error preparing subscriber query: "+err.Error())
	}
	var gone []int
	for _, p := range s.subscribers {
		if where(p) {
			gone = append(gone, p.ID)
		}
	}
	for _, id := range gone {
		s.drop(id)
	}
	return done(true)
}
