package brevotest

import (
	"encoding/json"
	"fmt"
	"net/http"
	"net/mail"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/perennial-cvo/perennial/connectors/simulator"
)

const contactsPage = 1000

// contact is a person.
type contact struct {
	ID          int64
	Email       string
	Blacklisted bool
	Registered  bool // Brevo does not let it be deleted
	Lists       []int64
	Left        []int64 // lists of which they unsubscribed; they stand among Lists too
	Attributes  map[string]any
	Created     time.Time
	Modified    time.Time
}

// stamp writes a time as Brevo does.
func stamp(at time.Time) string { return at.UTC().Format("2006-01-02T15:04:05.000Z") }

func (c *contact) wire() map[string]any {
	return map[string]any{
		"id": c.ID, "email": c.Email, "emailBlacklisted": c.Blacklisted, "smsBlacklisted": false,
		"createdAt": stamp(c.Created), "modifiedAt": stamp(c.Modified),
		"listIds": notNil(c.Lists), "listUnsubscribed": notNil(c.Left), "attributes": c.Attributes,
	}
}

func notNil(ids []int64) []int64 {
	if ids == nil {
		return []int64{}
	}
	return ids
}

// reached reports whether a campaign to a list would reach the person.
func (c *contact) reached(list int64) bool {
	return !c.Blacklisted && slices.Contains(c.Lists, list) && !slices.Contains(c.Left, list)
}

// join puts a person on a list, which forgets that they left it.
func (c *contact) join(list int64) {
	if !slices.Contains(c.Lists, list) {
		c.Lists = append(c.Lists, list)
		slices.Sort(c.Lists)
	}
	c.Left = slices.DeleteFunc(c.Left, func(id int64) bool { return id == list })
}

// unlink takes a person off a list, which forgets too that they left it.
func (c *contact) unlink(list int64) {
	gone := func(id int64) bool { return id == list }
	c.Lists, c.Left = slices.DeleteFunc(c.Lists, gone), slices.DeleteFunc(c.Left, gone)
}

func (s *Server) addContact(email string) *contact {
	now := s.opts.Now()
	c := &contact{ID: s.nextID(), Email: email, Attributes: map[string]any{}, Created: now, Modified: now}
	s.contacts, s.byEmail[email], s.byID[c.ID] = append(s.contacts, c), c, c
	return c
}

func (s *Server) dropContact(c *contact) {
	s.contacts = slices.DeleteFunc(s.contacts, func(other *contact) bool { return other == c })
	delete(s.byEmail, c.Email)
	delete(s.byID, c.ID)
}

// arrivals lets people sign up who have come to the shop since the last look.
func (s *Server) arrivals() {
	if s.shop == nil || (s.seeded > 0 && s.generation == s.shop.Generation()) {
		return
	}
	s.generation = s.shop.Generation()
	people := s.shop.Subscribers()
	for _, p := range people[min(s.seeded, len(people)):] {
		if p.State == simulator.Unknown && !s.opts.Buyers || p.Email == "" || s.byEmail[p.Email] != nil {
			continue
		}
		c := s.addContact(p.Email)
		first, last, _ := strings.Cut(p.Name, " ")
		c.Attributes = map[string]any{"FIRSTNAME": first, "LASTNAME": last, "SHOE_SIZE": float64(36 + c.ID%9)}
		c.Created, c.Modified = p.Since, p.Since
		if p.State == simulator.Unknown {
			continue
		}
		c.join(s.newsletter.ID)
		c.Blacklisted = p.State != simulator.Subscribed
	}
	s.seeded = len(people)
}

// isAddress reports whether Brevo takes an address.
func isAddress(email string) bool {
	parsed, err := mail.ParseAddress(email)
	_, domain, _ := strings.Cut(email, "@")
	return err == nil && parsed.Address == email && strings.Contains(domain, ".")
}

// find returns a contact by address or id.
func (s *Server) find(identifier, kind string) *contact {
	if id, err := strconv.ParseInt(identifier, 10, 64); err == nil && (kind == "" || kind == "contact_id") {
		return s.byID[id]
	}
	return s.byEmail[strings.ToLower(identifier)]
}

// paging reads limit and offset and reports whether they are allowed.
func paging(c call, usual, most int) (limit, offset int, ok bool) {
	limit = usual
	if text := c.URL.Query().Get("limit"); text != "" {
		limit, _ = strconv.Atoi(text)
	}
	offset, _ = strconv.Atoi(c.URL.Query().Get("offset"))
	return limit, offset, limit >= 0 && limit <= most && offset >= 0
}

// cut returns one page of a list that is in ascending order; Brevo's usual order is descending.
func cut[T any](all []T, c call, limit, offset int) []T {
	if c.URL.Query().Get("sort") != "asc" {
		all = slices.Clone(all)
		slices.Reverse(all)
	}
	from := min(offset, len(all))
	return all[from:min(len(all), from+limit)]
}

var tooMany = fail(http.StatusBadRequest, "out_of_range", "Limit exceeds max value")

func (s *Server) getContacts(c call) answer {
	return contactsOf(s.contacts, c, contactsPage)
}

// since leaves out the contacts that were not modified after the moment asked for.
func since(all []*contact, c call) (rest []*contact, ok bool) {
	text := c.URL.Query().Get("modifiedSince")
	if text == "" {
		return all, true
	}
	at, err := time.Parse(time.RFC3339, text)
	if err != nil {
		return nil, false
	}
	return slices.DeleteFunc(slices.Clone(all), func(p *contact) bool { return !p.Modified.After(at) }), true
}

func contactsOf(all []*contact, c call, most int) answer {
	limit, offset, ok := paging(c, 50, most)
	if !ok {
		return tooMany
	}
	if all, ok = since(all, c); !ok {
		return fail(http.StatusBadRequest, "invalid_parameter", "modifiedSince is not a valid date")
	}
	page := []map[string]any{}
	for _, p := range cut(all, c, limit, offset) {
		page = append(page, p.wire())
	}
	return done(http.StatusOK, map[string]any{"contacts": page, "count": len(all)})
}

var noContact = fail(http.StatusNotFound, "document_not_found", "Contact does not exist")

func (s *Server) getContact(c call) answer {
	kind := c.URL.Query().Get("identifierType")
	if kind == "email_id" && !isAddress(c.args[0]) {
		return fail(http.StatusBadRequest, "invalid_parameter", "Invalid email address")
	}
	p := s.find(c.args[0], kind)
	if p == nil {
		return noContact
	}
	wire := p.wire()
	wire["statistics"] = map[string]any{}
	return done(http.StatusOK, wire)
}

func (s *Server) deleteContact(c call) answer {
	p := s.find(c.args[0], c.URL.Query().Get("identifierType"))
	if p == nil {
		return noContact
	}
	if p.Registered {
		return fail(http.StatusMethodNotAllowed, "method_not_allowed", "You're not allowed to delete registered email contact")
	}
	s.dropContact(p)
	return done(http.StatusNoContent, nil)
}

// input is what requests say of a person. A consent that is named is written, whatever it was before.
type input struct {
	ID          int64          `json:"id"`
	Email       string         `json:"email"`
	Attributes  map[string]any `json:"attributes"`
	Blacklisted *bool          `json:"emailBlacklisted"`
	Join        []int64        `json:"listIds"`
	Unlink      []int64        `json:"unlinkListIds"`
	Update      bool           `json:"updateEnabled"`
}

// write does to a contact what a request says.
func (s *Server) write(c *contact, in input) {
	s.setAttributes(c, in.Attributes, true)
	for _, id := range in.Unlink {
		c.unlink(id)
	}
	for _, id := range in.Join {
		c.join(id)
	}
	if in.Blacklisted != nil {
		c.Blacklisted = *in.Blacklisted
	}
	c.Modified = s.opts.Now()
}

// wrongLists refuses lists that are not there.
func (s *Server) wrongLists(ids []int64) (answer, bool) {
	for _, id := range ids {
		if s.list(id) == nil {
			return fail(http.StatusBadRequest, "invalid_parameter", fmt.Sprintf("List ID %d does not exist", id)), true
		}
	}
	return answer{}, false
}

func (s *Server) createContact(c call) answer {
	var in input
	if json.Unmarshal(c.body, &in) != nil {
		return fail(http.StatusBadRequest, "invalid_parameter", "Invalid request body")
	}
	if !isAddress(in.Email) {
		return fail(http.StatusBadRequest, "invalid_parameter", "Invalid email address")
	}
	if no, wrong := s.wrongLists(in.Join); wrong {
		return no
	}
	p := s.byEmail[strings.ToLower(in.Email)]
	if p != nil && !in.Update {
		return fail(http.StatusBadRequest, "duplicate_parameter", "Unable to create contact, email is already associated with another Contact")
	}
	if p != nil {
		s.write(p, in)
		return done(http.StatusNoContent, nil)
	}
	p = s.addContact(strings.ToLower(in.Email))
	s.write(p, in)
	return done(http.StatusCreated, map[string]int64{"id": p.ID})
}

// updateContacts changes all or none.
func (s *Server) updateContacts(c call) answer {
	var in struct {
		Contacts []input `json:"contacts"`
	}
	if json.Unmarshal(c.body, &in) != nil || len(in.Contacts) == 0 {
		return fail(http.StatusBadRequest, "missing_parameter", "contacts is missing")
	}
	found := make([]*contact, len(in.Contacts))
	for i, one := range in.Contacts {
		found[i] = s.find(strconv.FormatInt(one.ID, 10), "contact_id")
		if one.Email != "" {
			found[i] = s.byEmail[strings.ToLower(one.Email)]
		}
		if found[i] == nil {
			return fail(http.StatusBadRequest, "document_not_found", "Contact does not exist")
		}
		for _, value := range one.Attributes {
			if text, is := value.(string); is && strings.ContainsRune(text, 0) {
				return fail(http.StatusBadRequest, "invalid_parameter", "Invalid attribute value")
			}
		}
		if no, wrong := s.wrongLists(slices.Concat(one.Join, one.Unlink)); wrong {
			return no
		}
	}
	for i, one := range in.Contacts {
		s.write(found[i], one)
	}
	return done(http.StatusNoContent, nil)
}
