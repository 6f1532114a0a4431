package klaviyotest

import (
	"fmt"
	"maps"
	"slices"
)

// UnsubscribeFrom lets a person leave one list by themselves. Klaviyo keeps the row and remembers.
func (s *Server) UnsubscribeFrom(email, listID string) error {
	return s.with(email, func(p *person) {
		p.Left = append(p.Left, suppression{ListID: listID, Reason: "UNSUBSCRIBE", At: s.opts.Now()})
	})
}

// Unsubscribe lets a person press the link in a mail, which holds for everything.
func (s *Server) Unsubscribe(email string) error { return s.with(email, s.unsubscribe) }

// Suppress stops all mail to a person, for a reason such as HARD_BOUNCE.
func (s *Server) Suppress(email, reason string) error {
	return s.with(email, func(p *person) {
		p.Suppressions = append(p.Suppressions, suppression{Reason: reason, At: s.opts.Now()})
	})
}

// SetConsent sets what Klaviyo knows of a person, such as NEVER_SUBSCRIBED.
func (s *Server) SetConsent(email, consent string) error {
	return s.with(email, func(p *person) { p.Consent = consent })
}

// SetProperty lets somebody at Klaviyo set a property by hand, or take it away with nil.
func (s *Server) SetProperty(email, name string, value any) error {
	return s.with(email, func(p *person) {
		p.apply(patch{Properties: map[string]any{name: value}}, true)
	})
}

// Delete lets somebody at Klaviyo delete a person.
func (s *Server) Delete(email string) error { return s.with(email, s.removePerson) }

// DeleteList lets somebody at Klaviyo delete a list.
func (s *Server) DeleteList(id string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.lists = slices.DeleteFunc(s.lists, func(l *list) bool { return l.ID == id })
}

// RenameList lets somebody at Klaviyo rename a list.
func (s *Server) RenameList(id, name string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if l := s.list(id); l != nil {
		l.Name = name
	}
}

// AddList makes a list by hand and returns its id.
func (s *Server) AddList(name string) string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.addList(name, "single_opt_in").ID
}

// HidePointers makes refusals of imports name nobody.
func (s *Server) HidePointers() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.noPointers = true
}

// AddPerson makes a subscribed person by hand.
func (s *Server) AddPerson(email string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.byEmail[email] == nil {
		s.addPerson(email).Consent = subscribed
	}
}

// Newsletter is the id of a list that nobody of ours made.
func (s *Server) Newsletter() string { return s.lists[0].ID }

func (s *Server) with(email string, do func(*person)) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.arrivals()
	p := s.byEmail[email]
	if p == nil {
		return fmt.Errorf("nobody has the address %s", email)
	}
	do(p)
	return nil
}

// Mailed returns the addresses that a campaign to a list would reach now: everybody on it who is not suppressed and has not
// left it, whether they ever subscribed or not.
func (s *Server) Mailed(listID string) []string {
	s.mu.Lock()
	defer s.mu.Unlock()
	all := []string{}
	if l := s.list(listID); l != nil {
		for _, p := range l.members {
			if p.canReceive() && !p.left(listID) {
				all = append(all, p.Email)
			}
		}
	}
	return all
}

func (p *person) left(listID string) bool {
	return slices.ContainsFunc(p.Left, func(x suppression) bool { return x.ListID == listID })
}

// Person is a profile as the outside may look at it.
type Person struct {
	ID         string         `json:"id"`
	Email      string         `json:"email"`
	Name       string         `json:"name"`
	Consent    string         `json:"consent"`
	Suppressed []string       `json:"suppressed"` // the reasons
	Left       []string       `json:"left"`       // ids of lists
	Properties map[string]any `json:"properties"`
}

// People returns everybody, by ascending id.
func (s *Server) People() []Person {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.arrivals()
	var all []Person
	for _, p := range s.people {
		one := Person{ID: p.ID, Email: p.Email, Name: p.FirstName + " " + p.LastName, Consent: p.Consent, Properties: maps.Clone(p.Properties)}
		for _, x := range p.Suppressions {
			one.Suppressed = append(one.Suppressed, x.Reason)
		}
		for _, x := range p.Left {
			one.Left = append(one.Left, x.ListID)
		}
		all = append(all, one)
	}
	return all
}

// List is a list as the outside may look at it.
type List struct {
	ID      string   `json:"id"`
	Name    string   `json:"name"`
	OptIn   string   `json:"opt_in"`
	Members []string `json:"members"` // addresses of those on it who have not left
}

// Lists returns every list, in the order in which they were made.
func (s *Server) Lists() []List {
	s.mu.Lock()
	defer s.mu.Unlock()
	var all []List
	for _, l := range s.lists {
		one := List{ID: l.ID, Name: l.Name, OptIn: l.OptIn}
		for _, p := range l.members {
			if !p.left(l.ID) {
				one.Members = append(one.Members, p.Email)
			}
		}
		all = append(all, one)
	}
	return all
}
