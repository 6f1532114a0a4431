// Package webhooktest is a receiver of webhooks that lives in memory. It checks signatures with the convention's own library,
// drops messages and news that it had, keeps for each person what it was last told, starts a campaign for whom it hears to
// have entered an audience, and misbehaves on command.
package webhooktest

import (
	"bytes"
	"encoding/json"
	"io"
	"maps"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"

	standardwebhooks "github.com/standard-webhooks/standard-webhooks/libraries/go"
)

// Options describe the receiver.
type Options struct {
	Secret string // whsec_...
	// MaxBody is the largest body in bytes that is taken; 0 is no limit.
	MaxBody int
	// Refuse says why a person is refused, or nothing.
	Refuse func(email string) string
	// AnyTime takes messages however old their time stamp is, as for a sender whose clock is pretended.
	AnyTime bool
	// Own are contacts of the receiver's owner that have nothing to do with webhooks, by address.
	Own map[string]string
}

// Request is one request as it was received.
type Request struct {
	Method, Path, Body string
	Header             http.Header
	Status             int // as answered, 0 where the connection died
	Write              bool
}

// Contact is what the receiver knows of somebody.
type Contact struct {
	ID, CustomerID, Email, Consent string
	Audiences                      []string
	Attributes                     map[string]string
	Since                          time.Time
}

// News is that somebody entered or left an audience, once.
type News struct {
	ID, Email, What, Audience, Consent string
}

// Server is the receiver. It is safe for concurrent use.
type Server struct {
	mu       sync.Mutex
	opts     Options
	verifier *standardwebhooks.Webhook
	gone     bool
	faults   []Fault
	requests []Request
	contacts map[string]*Contact // by id
	messages map[string]bool     // ids that were had
	heard    map[string]bool     // of news
	news     []News
	erased   []string
}

// New starts a receiver. It panics on a secret that is none, which is a mistake of the caller.
func New(opts Options) *Server {
	verifier, err := standardwebhooks.NewWebhook(opts.Secret)
	if err != nil {
		panic("webhooktest: secret: " + err.Error())
	}
	return &Server{opts: opts, verifier: verifier, contacts: map[string]*Contact{}, messages: map[string]bool{}, heard: map[string]bool{}}
}

// body is a message as the documentation describes it.
type body struct {
	Type      string    `json:"type"`
	Timestamp time.Time `json:"timestamp"`
	Data      struct {
		People []person `json:"people"`
		Person subject  `json:"person"`
	} `json:"data"`
}

type subject struct {
	ID         string `json:"id"`
	CustomerID string `json:"customer_id"`
	Email      string `json:"email"`
}

type person struct {
	Person     subject           `json:"person"`
	Consent    string            `json:"consent"`
	Since      time.Time         `json:"since"`
	Entered    []event           `json:"entered"`
	Left       []event           `json:"left"`
	Audiences  []string          `json:"audiences"`
	Leave      []string          `json:"leave"`
	Attributes map[string]string `json:"attributes"`
	Drop       []string          `json:"drop"`
}

type event struct {
	ID       string `json:"id"`
	Audience string `json:"audience"`
	Name     string `json:"name"`
}

// reply is what goes back.
type reply struct {
	status int
	body   any
}

// ServeHTTP answers one request, or misbehaves.
func (s *Server) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	text, err := io.ReadAll(r.Body)
	if err != nil {
		return // the client went away
	}
	write := !bytes.HasPrefix(text, []byte(`{"type":"ping"`))
	fault, faulty := s.takeFault(write)
	var a reply
	if !faulty || fault.carriesOut() {
		a = s.answer(r, text)
	}
	status := a.status
	if faulty {
		status = fault.status()
	}
	s.record(Request{
		Method: r.Method, Path: r.URL.RequestURI(), Body: string(text), Header: r.Header.Clone(), Status: status, Write: write,
	})
	if faulty {
		fault.spoil(w, r, a)
		return
	}
	a.send(w)
}

func (a reply) send(w http.ResponseWriter) {
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(a.status)
	_ = json.NewEncoder(w).Encode(a.body)
}

func (s *Server) record(r Request) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.requests = append(s.requests, r)
}

func (s *Server) answer(r *http.Request, text []byte) reply {
	s.mu.Lock()
	defer s.mu.Unlock()
	switch {
	case s.gone:
		return reply{http.StatusGone, map[string]string{"message": "no more, thank you"}}
	case r.Method != http.MethodPost:
		return reply{http.StatusMethodNotAllowed, map[string]string{"message": "POST only"}}
	case s.opts.MaxBody > 0 && len(text) > s.opts.MaxBody:
		return reply{http.StatusRequestEntityTooLarge, map[string]string{"message": "request entity too large"}}
	}
	verify := s.verifier.Verify
	if s.opts.AnyTime {
		verify = s.verifier.VerifyIgnoringTimestamp
	}
	if err := verify(text, r.Header); err != nil {
		return reply{http.StatusUnauthorized, map[string]string{"message": err.Error()}}
	}
	var m body
	decoder := json.NewDecoder(bytes.NewReader(text))
	if err := decoder.Decode(&m); err != nil || m.Timestamp.IsZero() {
		return reply{http.StatusBadRequest, map[string]string{"message": "no message"}}
	}
	id := r.Header.Get("Webhook-Id")
	if s.messages[id] {
		return reply{http.StatusOK, s.verdict(m)}
	}
	s.messages[id] = true
	return reply{http.StatusOK, s.carryOut(m)}
}

// verdict names whom the receiver refuses, which it does again for a message that it had.
func (s *Server) verdict(m body) map[string]any {
	refused := []map[string]string{}
	for _, p := range m.Data.People {
		if reason := s.refuse(p.Person.Email); reason != "" {
			refused = append(refused, map[string]string{"person": p.Person.ID, "reason": reason})
		}
	}
	return map[string]any{"ok": true, "refused": refused}
}

func (s *Server) refuse(email string) string {
	if s.opts.Refuse == nil {
		return ""
	}
	return s.opts.Refuse(email)
}

func (s *Server) carryOut(m body) map[string]any {
	switch m.Type {
	case "people":
		for _, p := range m.Data.People {
			if s.refuse(p.Person.Email) == "" {
				s.take(p)
			}
		}
	case "erase":
		s.erase(m.Data.Person)
	}
	return s.verdict(m)
}

// take keeps the state of a person, unless it is older than what is known, and hears news once.
func (s *Server) take(p person) {
	for what, events := range map[string][]event{"entered": p.Entered, "left": p.Left} {
		for _, e := range events {
			if !s.heard[e.ID] {
				s.heard[e.ID] = true
				s.news = append(s.news, News{ID: e.ID, Email: p.Person.Email, What: what, Audience: e.Audience, Consent: p.Consent})
			}
		}
	}
	if known := s.contacts[p.Person.ID]; known != nil && p.Since.Before(known.Since) && !p.Since.IsZero() {
		return
	}
	if len(p.Audiences)+len(p.Attributes) == 0 {
		delete(s.contacts, p.Person.ID)
		return
	}
	s.contacts[p.Person.ID] = &Contact{
		ID: p.Person.ID, CustomerID: p.Person.CustomerID, Email: p.Person.Email, Consent: p.Consent,
		Audiences: p.Audiences, Attributes: p.Attributes, Since: p.Since,
	}
}

func (s *Server) erase(who subject) {
	s.erased = append(s.erased, who.ID)
	maps.DeleteFunc(s.contacts, func(id string, c *Contact) bool { return id == who.ID || c.Email == who.Email })
	s.news = slices.DeleteFunc(s.news, func(n News) bool { return n.Email == who.Email })
}

// Revoke gives the receiver another secret.
func (s *Server) Revoke() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.verifier, _ = standardwebhooks.NewWebhookRaw([]byte(strings.Repeat("another", 5))) // never fails
}

// Accept gives the receiver a secret of the caller's.
func (s *Server) Accept(secret string) error {
	verifier, err := standardwebhooks.NewWebhook(secret)
	s.mu.Lock()
	defer s.mu.Unlock()
	s.verifier = verifier
	return err
}

// Close lets the receiver answer that it wants no more.
func (s *Server) Close() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.gone = true
}

// Contacts returns everybody whom the receiver was told of, by ascending id.
func (s *Server) Contacts() []Contact {
	s.mu.Lock()
	defer s.mu.Unlock()
	all := make([]Contact, 0, len(s.contacts))
	for _, c := range s.contacts {
		all = append(all, *c)
	}
	slices.SortFunc(all, func(a, b Contact) int { return number(a.ID) - number(b.ID) })
	return all
}

func number(id string) int {
	n, _ := strconv.Atoi(id)
	return n
}

// Own returns the owner's own contacts.
func (s *Server) Own() map[string]string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return maps.Clone(s.opts.Own)
}

// News returns what was news, each once.
func (s *Server) News() []News {
	s.mu.Lock()
	defer s.mu.Unlock()
	return slices.Clone(s.news)
}

// Erased returns the ids of people who had to be forgotten.
func (s *Server) Erased() []string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return slices.Clone(s.erased)
}

// Requests returns everything asked so far, in order of arrival.
func (s *Server) Requests() []Request {
	s.mu.Lock()
	defer s.mu.Unlock()
	return slices.Clone(s.requests)
}
