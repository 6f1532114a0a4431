package mailchimptest

import (
	"fmt"
	"maps"
	"net/http"
	"net/url"
	"slices"
	"strconv"

	"github.com/perennial-cvo/perennial/connectors/simulator"
)

// SetStatus sets the status of a contact, as the person, a bounce or the owner does.
func (s *Server) SetStatus(email, status string) error {
	return s.with(email, func(m *member) { s.setStatus(m, status) })
}

// Delete lets the owner delete a contact for good.
func (s *Server) Delete(email string) error {
	return s.with(email, func(m *member) { s.dropMember(m) })
}

// Untag lets the owner take a tag off a contact.
func (s *Server) Untag(email string, tag int) error {
	return s.with(email, func(m *member) { delete(m.Tags, tag) })
}

// Tag lets the owner tag a contact.
func (s *Server) Tag(email string, tag int) error {
	return s.with(email, func(m *member) { m.Tags[tag] = true })
}

// SetField lets the owner write a merge field of a contact.
func (s *Server) SetField(email, tag, value string) error {
	return s.with(email, func(m *member) { m.Merge[tag] = value })
}

// Add lets somebody sign up, or the owner import them, with a status.
func (s *Server) Add(email, status string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if m := s.members[hash(email)]; m != nil {
		s.setStatus(m, status)
		return
	}
	s.addMember(email, status)
}

func (s *Server) with(email string, do func(*member)) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.arrivals()
	m := s.members[hash(email)]
	if m == nil {
		return fmt.Errorf("no contact %s", email)
	}
	do(m)
	return nil
}

// AddTag lets the owner make a tag and returns its id.
func (s *Server) AddTag(name string) int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.addSegment(name, "static").ID
}

// RenameTag gives a tag another name, be it only in another case; the empty name deletes it.
func (s *Server) RenameTag(id int, name string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	seg := s.segment(strconv.Itoa(id))
	switch {
	case seg == nil:
	case name == "":
		s.dropSegment(seg)
	default:
		seg.Name = name
	}
}

// AddField lets the owner make a merge field.
func (s *Server) AddField(tag, name string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.addField(field{Tag: tag, Name: name, Type: "text"})
}

// DropField lets the owner delete a merge field and every value in it.
func (s *Server) DropField(tag string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.fields = slices.DeleteFunc(s.fields, func(f *field) bool { return f.Tag == tag })
	for _, m := range s.order {
		delete(m.Merge, tag)
	}
}

// Mailed returns the addresses that a campaign to a tag would reach now: those who carry it and are subscribed.
func (s *Server) Mailed(tag int) []string {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.arrivals()
	all := []string{}
	for _, m := range s.order {
		if m.Tags[tag] && m.Status == Subscribed {
			all = append(all, m.Email)
		}
	}
	return all
}

// Contact is a contact as the outside may look at it.
type Contact struct {
	Email  string            `json:"email"`
	Status string            `json:"status"`
	Fields map[string]string `json:"fields"` // merge tag -> value, the empty ones left out
	Tags   []int             `json:"tags"`
}

// Contacts returns everybody, the archived included, by age.
func (s *Server) Contacts() []Contact {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.arrivals()
	all := make([]Contact, 0, len(s.order))
	for _, m := range s.order {
		c := Contact{Email: m.Email, Status: m.Status, Fields: map[string]string{}, Tags: slices.Sorted(maps.Keys(m.Tags))}
		for tag, value := range m.Merge {
			if text := fmt.Sprint(value); text != "" {
				c.Fields[tag] = text
			}
		}
		all = append(all, c)
	}
	return all
}

// Tag is a tag or saved search as the outside may look at it.
type Tag struct {
	ID   int    `json:"id"`
	Name string `json:"name"`
	Type string `json:"type"`
}

// Tags returns every tag and saved search, by age.
func (s *Server) Tags() []Tag {
	s.mu.Lock()
	defer s.mu.Unlock()
	all := make([]Tag, 0, len(s.segments))
	for _, seg := range s.segments {
		all = append(all, Tag{ID: seg.ID, Name: seg.Name, Type: seg.Type})
	}
	return all
}

// Field is a merge field as the outside may look at it.
type Field struct {
	Tag  string `json:"tag"`
	Name string `json:"name"`
	Help string `json:"help"`
}

// Fields returns every merge field, by age.
func (s *Server) Fields() []Field {
	s.mu.Lock()
	defer s.mu.Unlock()
	all := make([]Field, 0, len(s.fields))
	for _, f := range s.fields {
		all = append(all, Field{Tag: f.Tag, Name: f.Name, Help: f.Help})
	}
	return all
}

// Batches returns how many batches Mailchimp knows.
func (s *Server) Batches() int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return len(s.batches)
}

// command is what a command may carry.
type command struct {
	Batch  BatchFault `json:"batch"`
	Email  string     `json:"email"`
	Status string     `json:"status"`
	Tag    int        `json:"tag"`
	Field  string     `json:"field"`
	Value  string     `json:"value"`
}

// control answers under /_sim, where tests and demos in other processes steer the fake:
//
//	GET  /_sim/contacts, /_sim/tags, /_sim/fields, /_sim/requests, /_sim/mailed?tag=3
//	POST /_sim/fault  {"kind":"429","times":2,"retry_after":1000000000,"writes":true}
//	POST /_sim/batch  {"batch":"job stalls"}
//	POST /_sim/revoke, /_sim/restrict
//	POST /_sim/mend   end every fault, and let the key be good for everything again
//	POST /_sim/unsubscribe {"email":"…"} as the link in a mail does, /_sim/status {"email":"…","status":"cleaned"}
//	POST /_sim/add    {"email":"…","status":"subscribed"} also for somebody who comes back
//	POST /_sim/delete {"email":"…"}, /_sim/tag and /_sim/untag {"email":"…","tag":3}
//	POST /_sim/field  {"email":"…","field":"PE_RFM","value":"111"}
//	DELETE /_sim/requests starts anew
func (s *Server) control(w http.ResponseWriter, r *http.Request) {
	if r.Method == http.MethodDelete && r.URL.Path == simulator.SteerPath+"requests" {
		s.ForgetRequests()
		return
	}
	simulator.Helm[command]{Front: &s.Front, View: s.view, Obey: s.obey}.Steer(w, r)
}

func (s *Server) view(what string, query url.Values) any {
	switch what {
	case "contacts":
		return s.Contacts()
	case "tags":
		return s.Tags()
	case "fields":
		return s.Fields()
	case "mailed":
		tag, _ := strconv.Atoi(query.Get("tag"))
		return s.Mailed(tag)
	}
	return nil
}

func (s *Server) obey(what string, in command) error {
	switch what {
	case "batch":
		s.FailBatch(in.Batch)
	case "restrict":
		s.Restrict()
	case "mend":
		s.Mend()
	case "unsubscribe":
		return s.SetStatus(in.Email, Unsubscribed)
	case "status":
		return s.SetStatus(in.Email, in.Status)
	case "add":
		s.Add(in.Email, in.Status)
	case "delete":
		return s.Delete(in.Email)
	case "tag":
		return s.Tag(in.Email, in.Tag)
	case "field":
		return s.SetField(in.Email, in.Field, in.Value)
	case "untag":
		return s.Untag(in.Email, in.Tag)
	default:
		return fmt.Errorf("no command %q", what)
	}
	return nil
}

// RenameField lets the owner give a merge field another name.
func (s *Server) RenameField(tag, name string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if f := s.field(tag); f != nil {
		f.Name = name
	}
}
