package listmonktest

import (
	"fmt"
	"maps"
	"net/url"
	"slices"
	"strconv"
	"strings"

	"github.com/perennial-cvo/perennial/connectors/simulator"
)

// Unsubscribe lets a person leave a list, as the link in a mail does.
func (s *Server) Unsubscribe(email string, listID int) error {
	return s.with(email, func(p *subscriber) error {
		row := p.Lists[listID]
		if row == nil {
			return fmt.Errorf("unsubscribe: not on list %d", listID)
		}
		row.Status, row.UpdatedAt = unsubscribed, s.opts.Now()
		return nil
	})
}

// Blocklist lets an admin put a person on the blocklist.
func (s *Server) Blocklist(email string) error {
	return s.with(email, func(p *subscriber) error { s.block(p); return nil })
}

// SetStatus lets an admin set the status of a person, such as "disabled".
func (s *Server) SetStatus(email, status string) error {
	return s.with(email, func(p *subscriber) error { p.Status, p.UpdatedAt = status, s.opts.Now(); return nil })
}

// ChangeEmail lets an admin correct the address of a person.
func (s *Server) ChangeEmail(email, to string) error {
	return s.with(email, func(p *subscriber) error {
		if s.byEmail[to] != nil {
			return fmt.Errorf("change of address: %s is taken", to)
		}
		s.change(p, to, subscriberInput{})
		return nil
	})
}

// Delete lets an admin delete a person.
func (s *Server) Delete(email string) error {
	return s.with(email, func(p *subscriber) error { s.drop(p.ID); return nil })
}

// Subscribe lets an admin put a person, who is made where missing, on a list with a status ("" is unconfirmed).
func (s *Server) Subscribe(email string, listID int, status string) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	l := s.list(listID)
	if l == nil {
		return fmt.Errorf("subscribe: no list %d", listID)
	}
	p := s.byEmail[email]
	if p == nil {
		p = s.addSubscriber(email, strings.ToUpper(email[:1])+email[1:], "enabled")
	}
	s.subscribe(p, l, status)
	return nil
}

func (s *Server) with(email string, do func(*subscriber) error) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.arrivals()
	p := s.byEmail[email]
	if p == nil {
		return fmt.Errorf("no subscriber %s", email)
	}
	return do(p)
}

// AddList lets an admin make a list and returns its id.
func (s *Server) AddList(name, optin string, tags ...string) int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.addList(listInput{Name: name, Type: "private", Optin: optin, Tags: tags}).ID
}

// Newsletter is the id of the shop's newsletter, 0 where there is none.
func (s *Server) Newsletter() int {
	if s.newsletter == nil {
		return 0
	}
	return s.newsletter.ID
}

// ListID returns the id of the first list with a name, 0 where there is none.
func (s *Server) ListID(name string) int {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, l := range s.lists {
		if l.Name == name {
			return l.ID
		}
	}
	return 0
}

// Mailed returns the addresses that a campaign to the lists would reach now.
func (s *Server) Mailed(lists ...int) []string {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.arrivals()
	return s.reached(lists...)
}

// OptinMails returns the addresses that were sent an opt-in mail, in order.
func (s *Server) OptinMails() []string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return slices.Clone(s.optinMails)
}

// Person is a subscriber as the outside may look at them.
type Person struct {
	ID      int            `json:"id"`
	UUID    string         `json:"uuid"`
	Email   string         `json:"email"`
	Name    string         `json:"name"`
	Status  string         `json:"status"`
	Attribs map[string]any `json:"attribs"`
	Lists   map[int]string `json:"lists"` // list id -> status of the subscription
}

// People returns everybody, by ascending id.
func (s *Server) People() []Person {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.arrivals()
	all := make([]Person, 0, len(s.subscribers))
	for _, p := range s.subscribers {
		lists := map[int]string{}
		for id, row := range p.Lists {
			lists[id] = row.Status
		}
		all = append(all, Person{ID: p.ID, UUID: p.UUID, Email: p.Email, Name: p.Name, Status: p.Status, Attribs: maps.Clone(p.Attribs), Lists: lists})
	}
	return all
}

// Mailing is a list as the outside may look at it.
type Mailing struct {
	ID    int      `json:"id"`
	Name  string   `json:"name"`
	Type  string   `json:"type"`
	Optin string   `json:"optin"`
	Tags  []string `json:"tags"`
}

// Lists returns every list, by ascending id.
func (s *Server) Lists() []Mailing {
	s.mu.Lock()
	defer s.mu.Unlock()
	all := make([]Mailing, 0, len(s.lists))
	for _, l := range s.lists {
		all = append(all, Mailing{ID: l.ID, Name: l.Name, Type: l.Type, Optin: l.Optin, Tags: slices.Clone(l.Tags)})
	}
	return all
}

// command is what a command may carry.
type command struct {
	Email      string `json:"email"`
	List       int    `json:"list"`
	Status     string `json:"status"`
	Permission string `json:"permission"`
	To         string `json:"to"`
	Import     string `json:"import"`
}

// helm is what tests and demos in other processes see and do under /_sim:
//
//	GET  /_sim/people, /_sim/lists, /_sim/requests, /_sim/optin, /_sim/mailed?list=3&list=4
//	POST /_sim/fault       {"kind":"429","times":2,"retry_after":1000000000,"writes":true}
//	POST /_sim/revoke, /_sim/restrict {"permission":"…"}
//	POST /_sim/unsubscribe {"email":"…","list":3}, /_sim/subscribe {"email":"…","list":3,"status":"confirmed"}
//	POST /_sim/blocklist, /_sim/delete {"email":"…"}, /_sim/status {"email":"…","status":"disabled"}
//	POST /_sim/address     {"email":"…","to":"…"}
//	POST /_sim/import      {"import":"job stalls"}
func (s *Server) helm() simulator.Helm[command] {
	return simulator.Helm[command]{Front: &s.Front, View: s.view, Obey: s.obey}
}

func (s *Server) view(what string, query url.Values) any {
	switch what {
	case "people":
		return s.People()
	case "lists":
		return s.Lists()
	case "optin":
		return s.OptinMails()
	case "mailed":
		var ids []int
		for _, text := range query["list"] {
			id, _ := strconv.Atoi(text)
			ids = append(ids, id)
		}
		return s.Mailed(ids...)
	}
	return nil
}

func (s *Server) obey(what string, in command) error {
	switch what {
	case "restrict":
		s.Restrict(in.Permission)
	case "unsubscribe":
		return s.Unsubscribe(in.Email, in.List)
	case "subscribe":
		return s.Subscribe(in.Email, in.List, in.Status)
	case "blocklist":
		return s.Blocklist(in.Email)
	case "status":
		return s.SetStatus(in.Email, in.Status)
	case "delete":
		return s.Delete(in.Email)
	case "address":
		return s.ChangeEmail(in.Email, in.To)
	case "import":
		s.SpoilImport(ImportFault(in.Import))
	default:
		return fmt.Errorf("no command %q", what)
	}
	return nil
}
