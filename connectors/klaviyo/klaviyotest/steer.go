package klaviyotest

import (
	"fmt"
	"net/url"

	"github.com/perennial-cvo/perennial/connectors/simulator"
)

// command is what a command may carry.
type command struct {
	Email   string   `json:"email"`
	List    string   `json:"list"`
	Reason  string   `json:"reason"`
	Consent string   `json:"consent"`
	Name    string   `json:"name"`
	Value   any      `json:"value"`
	Scope   string   `json:"scope"`
	Job     JobFault `json:"job"`
}

// helm is what tests and demos in other processes see and do under /_sim:
//
//	GET  /_sim/people, /_sim/lists, /_sim/events, /_sim/requests, /_sim/mailed?list=ID
//	POST /_sim/fault       {"kind":"429","times":2,"retry_after":1000000000,"writes":true}
//	POST /_sim/job         {"job":"job stalls"}, which befalls the next import
//	POST /_sim/revoke, /_sim/restrict {"scope":"lists:write"}, /_sim/allow {"scope":"lists:write"}
//	POST /_sim/unsubscribe {"email":"…"}, from all mail, or with "list":"ID" from one list
//	POST /_sim/suppress    {"email":"…","reason":"HARD_BOUNCE"}, /_sim/consent {"email":"…","consent":"SUBSCRIBED"}
//	POST /_sim/property    {"email":"…","name":"…","value":…}, /_sim/delete {"email":"…"}
//	POST /_sim/delete-list {"list":"ID"}, /_sim/rename-list {"list":"ID","name":"…"}
func (s *Server) helm() simulator.Helm[command] {
	return simulator.Helm[command]{Front: &s.Front, View: s.view, Obey: s.obey}
}

func (s *Server) view(what string, query url.Values) any {
	switch what {
	case "people":
		return s.People()
	case "lists":
		return s.Lists()
	case "events":
		return s.Events()
	case "mailed":
		return s.Mailed(query.Get("list"))
	default:
		return nil
	}
}

func (s *Server) obey(what string, c command) error {
	switch what {
	case "job":
		s.FailJob(c.Job)
	case "restrict":
		s.Restrict(c.Scope)
	case "allow":
		s.Allow(c.Scope)
	case "unsubscribe":
		if c.List != "" {
			return s.UnsubscribeFrom(c.Email, c.List)
		}
		return s.Unsubscribe(c.Email)
	case "suppress":
		return s.Suppress(c.Email, c.Reason)
	case "consent":
		return s.SetConsent(c.Email, c.Consent)
	case "property":
		return s.SetProperty(c.Email, c.Name, c.Value)
	case "delete":
		return s.Delete(c.Email)
	case "delete-list":
		s.DeleteList(c.List)
	case "rename-list":
		s.RenameList(c.List, c.Name)
	default:
		return fmt.Errorf("no command %q", what)
	}
	return nil
}
