package brevotest

import (
	"errors"
	"fmt"
	"maps"
	"net/url"
	"slices"
	"strconv"
	"time"

	"github.com/perennial-cvo/perennial/connectors/simulator"
)

func (s *Server) with(email string, do func(*contact) error) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.arrivals()
	c := s.byEmail[email]
	if c == nil {
		return fmt.Errorf("no contact %s", email)
	}
	return do(c)
}

// Unsubscribe lets a person leave one list, in an account where that is possible for each list.
func (s *Server) Unsubscribe(email string, list int64) error {
	return s.with(email, func(c *contact) error {
		if !slices.Contains(c.Lists, list) {
			return fmt.Errorf("unsubscribe: not on list %d", list)
		}
		if !slices.Contains(c.Left, list) {
			c.Left = append(c.Left, list)
			c.Modified = s.opts.Now()
		}
		return nil
	})
}

// Blacklist lets a person leave everything, as the link in a mail does by default, or Brevo stop mailing them.
func (s *Server) Blacklist(email string) error {
	return s.with(email, func(c *contact) error {
		c.Blacklisted, c.Modified = true, s.opts.Now()
		return nil
	})
}

// Age lets time pass since everybody was modified.
func (s *Server) Age(by time.Duration) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, c := range s.contacts {
		c.Modified = c.Modified.Add(-by)
	}
}

// Register makes a contact one that Brevo does not let be deleted.
func (s *Server) Register(email string) error {
	return s.with(email, func(c *contact) error { c.Registered = true; return nil })
}

// Delete lets an admin delete a contact.
func (s *Server) Delete(email string) error {
	return s.with(email, func(c *contact) error { s.dropContact(c); return nil })
}

// Subscribe lets somebody, who is made where missing, join lists by hand.
func (s *Server) Subscribe(email string, lists ...int64) {
	s.mu.Lock()
	defer s.mu.Unlock()
	c := s.byEmail[email]
	if c == nil {
		c = s.addContact(email)
	}
	for _, id := range lists {
		c.join(id)
	}
	c.Modified = s.opts.Now()
}

// SetAttribute lets somebody change a value by hand.
func (s *Server) SetAttribute(email, name string, value any) error {
	return s.with(email, func(c *contact) error {
		if s.attribute(name) == nil {
			return fmt.Errorf("no attribute %s", name)
		}
		c.Attributes[name], c.Modified = value, s.opts.Now()
		return nil
	})
}

// DefineAttribute lets an admin make an attribute.
func (s *Server) DefineAttribute(name, category, kind string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.attributes = append(s.attributes, attribute{Name: name, Category: category, Type: kind})
}

// DropAttribute lets an admin delete an attribute and all its values.
func (s *Server) DropAttribute(name string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.attributes = slices.DeleteFunc(s.attributes, func(a attribute) bool { return a.Name == name })
	for _, c := range s.contacts {
		delete(c.Attributes, name)
	}
}

// Attributes returns the types of all attributes by name.
func (s *Server) Attributes() map[string]string {
	s.mu.Lock()
	defer s.mu.Unlock()
	all := map[string]string{}
	for _, a := range s.attributes {
		all[a.Name] = a.Type
	}
	return all
}

// AddList lets an admin make a list in the first folder, and returns its id.
func (s *Server) AddList(name string) int64 {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.addList(name, s.folders[0].ID).ID
}

// DropList lets an admin delete a list.
func (s *Server) DropList(id int64) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.dropList(id)
}

// RenameList lets an admin give a list another name.
func (s *Server) RenameList(id int64, name string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if l := s.list(id); l != nil {
		l.Name = name
	}
}

// Newsletter is the id of the shop's newsletter.
func (s *Server) Newsletter() int64 { return s.newsletter.ID }

// Mailed returns the addresses that a campaign to a list would reach now.
func (s *Server) Mailed(list int64) []string {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.arrivals()
	s.work()
	var all []string
	for _, c := range s.contacts {
		if c.reached(list) {
			all = append(all, c.Email)
		}
	}
	return all
}

// Person is a contact as the outside may look at them.
type Person struct {
	ID          int64          `json:"id"`
	Email       string         `json:"email"`
	Blacklisted bool           `json:"blacklisted"`
	Lists       []int64        `json:"lists"`
	Left        []int64        `json:"left"`
	Attributes  map[string]any `json:"attributes"`
}

// People returns everybody, by ascending id.
func (s *Server) People() []Person {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.arrivals()
	s.work()
	all := make([]Person, 0, len(s.contacts))
	for _, c := range s.contacts {
		all = append(all, Person{
			ID: c.ID, Email: c.Email, Blacklisted: c.Blacklisted, Lists: slices.Clone(notNil(c.Lists)), Left: slices.Clone(notNil(c.Left)),
			Attributes: maps.Clone(c.Attributes),
		})
	}
	return all
}

// Mailing is a list as the outside may look at it.
type Mailing struct {
	ID     int64  `json:"id"`
	Name   string `json:"name"`
	Folder string `json:"folder"`
}

// Lists returns every list, by ascending id.
func (s *Server) Lists() []Mailing {
	s.mu.Lock()
	defer s.mu.Unlock()
	all := make([]Mailing, 0, len(s.lists))
	for _, l := range s.lists {
		all = append(all, Mailing{ID: l.ID, Name: l.Name, Folder: s.folder(l.Folder).Name})
	}
	return all
}

// command is what a command may carry.
type command struct {
	Job   JobFault `json:"job"`
	Email string   `json:"email"`
	List  int64    `json:"list"`
	Name  string   `json:"name"`
	Value any      `json:"value"`
}

// helm is what tests and demos in other processes see and do under /_sim:
//
//	GET  /_sim/people, /_sim/lists, /_sim/requests, /_sim/mailed?list=3
//	GET  /_sim/attributes  types by name
//	POST /_sim/fault       {"kind":"429","times":2,"retry_after":1000000000,"writes":true}
//	POST /_sim/job         {"job":"job stalls"}
//	POST /_sim/revoke
//	POST /_sim/subscribe, /_sim/unsubscribe {"email":"…","list":3}
//	POST /_sim/blacklist, /_sim/register, /_sim/delete {"email":"…"}
//	POST /_sim/attribute   {"email":"…","name":"PERENNIAL_RFM","value":"111"}
func (s *Server) helm() simulator.Helm[command] {
	return simulator.Helm[command]{Front: &s.Front, View: s.view, Obey: s.obey}
}

func (s *Server) view(what string, query url.Values) any {
	switch what {
	case "people":
		return s.People()
	case "lists":
		return s.Lists()
	case "attributes":
		return s.Attributes()
	case "mailed":
		id, _ := strconv.ParseInt(query.Get("list"), 10, 64)
		return s.Mailed(id)
	}
	return nil
}

func (s *Server) listByID(id int64) *list {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.list(id)
}

func (s *Server) obey(what string, in command) error {
	switch what {
	case "job":
		s.Job(in.Job)
	case "subscribe":
		if in.Email == "" || s.listByID(in.List) == nil {
			return errors.New("subscribe: an address and a list are wanted")
		}
		s.Subscribe(in.Email, in.List)
	case "unsubscribe":
		return s.Unsubscribe(in.Email, in.List)
	case "register":
		return s.Register(in.Email)
	case "attribute":
		return s.SetAttribute(in.Email, in.Name, in.Value)
	case "blacklist":
		return s.Blacklist(in.Email)
	case "delete":
		return s.Delete(in.Email)
	default:
		return fmt.Errorf("no command %q", what)
	}
	return nil
}
