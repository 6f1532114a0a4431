package listmonktest

import (
	"fmt"
	"maps"
	"net/http"
	"net/mail"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"
)

// The states of a subscription.
const (
	unconfirmed  = "unconfirmed"
	confirmed    = "confirmed"
	unsubscribed = "unsubscribed"
)

// subscriber is a person.
type subscriber struct {
	ID        int
	UUID      string
	Email     string
	Name      string
	Status    string // enabled, disabled, blocklisted
	Attribs   map[string]any
	Lists     map[int]*subscription
	CreatedAt time.Time
	UpdatedAt time.Time
}

// subscription is a person's row on a list.
type subscription struct {
	Status    string
	CreatedAt time.Time
	UpdatedAt time.Time
}

func (s *Server) addSubscriber(email, name, status string) *subscriber {
	s.lastPerson++
	now := s.opts.Now()
	p := &subscriber{
		ID: s.lastPerson, UUID: s.uuid(), Email: email, Name: name, Status: status, Attribs: map[string]any{},
		Lists: map[int]*subscription{}, CreatedAt: now, UpdatedAt: now,
	}
	s.subscribers = append(s.subscribers, p)
	s.byEmail[email] = p
	return p
}

func (s *Server) subscriber(id int) *subscriber {
	i, ok := slices.BinarySearchFunc(s.subscribers, id, func(p *subscriber, id int) int { return p.ID - id })
	if !ok {
		return nil
	}
	return s.subscribers[i]
}

// subscribe puts a person on a list as the bulk endpoint does: a status overwrites, no status leaves a row as it is.
func (s *Server) subscribe(p *subscriber, l *list, status string) *subscription {
	now := s.opts.Now()
	row := p.Lists[l.ID]
	switch {
	case row == nil:
		row = &subscription{Status: status, CreatedAt: now, UpdatedAt: now}
		if status == "" {
			row.Status = unconfirmed
		}
		p.Lists[l.ID] = row
	case status != "":
		row.Status, row.UpdatedAt = status, now
	}
	return row
}

// block puts a person on the blocklist and unsubscribes them everywhere.
func (s *Server) block(p *subscriber) {
	now := s.opts.Now()
	p.Status, p.UpdatedAt = "blocklisted", now
	for _, row := range p.Lists {
		row.Status, row.UpdatedAt = unsubscribed, now
	}
}

func (s *Server) showSubscriber(p *subscriber) map[string]any {
	lists := []map[string]any{}
	for _, id := range slices.Sorted(maps.Keys(p.Lists)) {
		l, row := s.list(id), p.Lists[id]
		lists = append(lists, map[string]any{
			"subscription_status": row.Status, "subscription_created_at": offset(row.CreatedAt),
			"subscription_updated_at": offset(row.UpdatedAt), "subscription_meta": map[string]any{},
			"id": l.ID, "uuid": l.UUID, "name": l.Name, "type": l.Type, "optin": l.Optin, "status": "active",
			"tags": l.Tags, "description": l.Description, "created_at": offset(l.CreatedAt), "updated_at": offset(l.UpdatedAt),
		})
	}
	return map[string]any{
		"id": p.ID, "created_at": zulu(p.CreatedAt), "updated_at": zulu(p.UpdatedAt), "uuid": p.UUID, "email": p.Email,
		"name": p.Name, "attribs": p.Attribs, "status": p.Status, "lists": lists,
	}
}

func (s *Server) getSubscribers(c call) answer {
	query := c.URL.Query()
	where := func(*subscriber) bool { return true }
	if text := query.Get("query"); text != "" {
		if !s.allowed(SubscribersSQL) {
			return fail(http.StatusForbidden, "Permission denied: "+SubscribersSQL)
		}
		parsed, err := parseWhere(text)
		if err != nil {
			return fail(http.StatusBadRequest, "Error preparing subscriber query: "+err.Error())
		}
		where = parsed
	}
	found, err := s.search(query.Get("search"), query["list_id"], where)
	if err != nil {
		return fail(http.StatusInternalServerError, "Error fetching Subscribers: pq: "+err.Error())
	}
	page, meta := pageOf(c, found)
	rows := []map[string]any{}
	for _, p := range page {
		rows = append(rows, s.showSubscriber(p))
	}
	meta.Results = rows
	return done(meta)
}

// search returns people by descending id: search is a regular expression over name and e-mail.
func (s *Server) search(search string, lists []string, where func(*subscriber) bool) ([]*subscriber, error) {
	expression, err := regexp.Compile("(?i)" + search)
	if err != nil {
		return nil, fmt.Errorf("invalid regular expression: %s", search)
	}
	var found []*subscriber
	for _, p := range slices.Backward(s.subscribers) {
		on := slices.ContainsFunc(lists, func(text string) bool { id, _ := strconv.Atoi(text); return p.Lists[id] != nil })
		if (len(lists) == 0 || on) && (expression.MatchString(p.Email) || expression.MatchString(p.Name)) && where(p) {
			found = append(found, p)
		}
	}
	return found, nil
}

// byPath finds the person of a path, or says why not.
func (s *Server) byPath(c call) (*subscriber, answer) {
	id, err := strconv.Atoi(c.args[0])
	if err != nil || id < 1 {
		return nil, fail(http.StatusBadRequest, "invalid ID")
	}
	if p := s.subscriber(id); p != nil {
		return p, answer{}
	}
	return nil, fail(http.StatusBadRequest, fmt.Sprintf("Subscriber (%d: ) not found", id))
}

func (s *Server) getSubscriber(c call) answer {
	p, no := s.byPath(c)
	if p == nil {
		return no
	}
	return done(s.showSubscriber(p))
}

type subscriberInput struct {
	Email      *string         `json:"email"`
	Name       *string         `json:"name"`
	Status     *string         `json:"status"`
	Attribs    *map[string]any `json:"attribs"`
	Lists      *[]int          `json:"lists"`
	Preconfirm bool            `json:"preconfirm_subscriptions"`
}

func text(p *string) string {
	if p == nil {
		return ""
	}
	return *p
}

// readInput decodes a person from JSON or a form.
func readInput(c call) (in subscriberInput, message string) {
	if strings.HasPrefix(c.Header.Get("Content-Type"), "application/x-www-form-urlencoded") {
		if err := c.ParseForm(); err != nil {
			return in, err.Error()
		}
		email, name := c.PostForm.Get("email"), c.PostForm.Get("name")
		in.Email, in.Name = &email, &name
		return in, ""
	}
	return in, decode(c, &in)
}

// address returns the cleaned e-mail address, or nothing where listmonk refuses it.
func address(email string) string {
	email = strings.ToLower(strings.TrimSpace(email))
	parsed, err := mail.ParseAddress(email)
	if err != nil || parsed.Address != email {
		return ""
	}
	return email
}

// complain checks a person as the database does, after listmonk itself found nothing wrong.
func complain(verb string, in subscriberInput) string {
	status := text(in.Status)
	if status != "" && status != "enabled" && status != "disabled" && status != "blocklisted" {
		return fmt.Sprintf("Error %s Subscriber: pq: invalid input value for enum subscriber_status: %q", verb, status)
	}
	if strings.ContainsRune(text(in.Name), 0) {
		return "Error " + verb + ` Subscriber: pq: invalid byte sequence for encoding "UTF8": 0x00`
	}
	return ""
}

func (s *Server) createSubscriber(c call) answer {
	in, message := readInput(c)
	if message != "" {
		return fail(http.StatusBadRequest, message)
	}
	email := address(text(in.Email))
	if email == "" {
		return fail(http.StatusBadRequest, "Invalid email.")
	}
	if message := complain("creating", in); message != "" {
		return fail(http.StatusInternalServerError, message)
	}
	if s.byEmail[email] != nil {
		s.lastPerson++ // the sequence in the database has moved all the same
		return fail(http.StatusConflict, "E-mail already exists.")
	}
	name, status := strings.TrimSpace(text(in.Name)), text(in.Status)
	if name == "" {
		local, _, _ := strings.Cut(email, "@")
		name = strings.ToUpper(local[:1]) + local[1:]
	}
	if status == "" {
		status = "enabled"
	}
	p := s.addSubscriber(email, name, status)
	if in.Attribs != nil && *in.Attribs != nil {
		p.Attribs = *in.Attribs
	}
	if in.Lists != nil {
		s.setLists(p, *in.Lists, in.Preconfirm)
	}
	return done(s.showSubscriber(p))
}

// setLists makes exactly these lists the person's; rows that stay keep their status. Whoever comes new onto a double
// opt-in list is sent a mail at once.
func (s *Server) setLists(p *subscriber, ids []int, preconfirm bool) {
	for id := range p.Lists {
		if !slices.Contains(ids, id) {
			delete(p.Lists, id)
		}
	}
	for _, id := range ids {
		l := s.list(id)
		if l == nil || p.Lists[id] != nil { // unknown lists are dropped in silence
			continue
		}
		row := s.subscribe(p, l, "")
		switch {
		case p.Status == "blocklisted":
			row.Status = unsubscribed
		case preconfirm:
			row.Status = confirmed
		case l.Optin == "double":
			s.optinMails = append(s.optinMails, p.Email)
		}
	}
}

// replaceSubscriber is PUT: what is not sent is wiped.
func (s *Server) replaceSubscriber(c call) answer {
	p, no := s.byPath(c)
	if p == nil {
		return no
	}
	in, message := readInput(c)
	if message != "" {
		return fail(http.StatusBadRequest, message)
	}
	email := address(text(in.Email))
	if email == "" {
		return fail(http.StatusBadRequest, "Invalid email.")
	}
	if message := complain("updating", in); message != "" {
		return fail(http.StatusInternalServerError, message)
	}
	if other := s.byEmail[email]; other != nil && other != p {
		return fail(http.StatusConflict, "E-mail already exists.")
	}
	lists, attribs := []int{}, map[string]any{}
	if in.Lists != nil {
		lists = *in.Lists
	}
	if in.Attribs != nil && *in.Attribs != nil {
		attribs = *in.Attribs
	}
	in.Lists, in.Attribs = &lists, nil
	p.Attribs = attribs
	s.change(p, email, in)
	return done(s.showSubscriber(p))
}

// patchSubscriber is PATCH: only what is sent changes, and attributes merge at their top level.
func (s *Server) patchSubscriber(c call) answer {
	p, no := s.byPath(c)
	if p == nil {
		return no
	}
	in, message := readInput(c)
	if message != "" {
		return fail(http.StatusBadRequest, message)
	}
	if message := complain("updating", in); message != "" {
		return fail(http.StatusInternalServerError, message)
	}
	email := p.Email
	if in.Email != nil {
		if email = address(*in.Email); email == "" {
			return fail(http.StatusBadRequest, "Invalid email.")
		}
	}
	s.change(p, email, in)
	return done(s.showSubscriber(p))
}

func (s *Server) change(p *subscriber, email string, in subscriberInput) {
	delete(s.byEmail, p.Email)
	p.Email = email
	s.byEmail[email] = p
	p.UpdatedAt = s.opts.Now()
	if text(in.Name) != "" {
		p.Name = *in.Name
	}
	if status := text(in.Status); status == "blocklisted" {
		s.block(p)
	} else if status != "" {
		p.Status = status
	}
	if in.Attribs != nil {
		p.Attribs = maps.Clone(p.Attribs)
		maps.Copy(p.Attribs, *in.Attribs)
	}
	if in.Lists != nil {
		s.setLists(p, *in.Lists, in.Preconfirm)
	}
}

func (s *Server) blocklist(c call) answer {
	p, no := s.byPath(c)
	if p == nil {
		return no
	}
	s.block(p)
	return done(true)
}

func (s *Server) deleteSubscriber(c call) answer {
	id, err := strconv.Atoi(c.args[0])
	if err != nil || id < 1 {
		return fail(http.StatusBadRequest, "invalid ID")
	}
	s.drop(id)
	return done(true)
}

func (s *Server) drop(id int) {
	if p := s.subscriber(id); p != nil {
		delete(s.byEmail, p.Email)
		s.subscribers = slices.DeleteFunc(s.subscribers, func(q *subscriber) bool { return q == p })
	}
}
