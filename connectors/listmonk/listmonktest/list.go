package listmonktest

import (
	"cmp"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"time"
)

// list is a mailing list.
type list struct {
	ID          int
	UUID        string
	Name        string
	Type        string
	Optin       string
	Tags        []string
	Description string
	CreatedAt   time.Time
	UpdatedAt   time.Time
}

type listInput struct {
	Name        string   `json:"name"`
	Type        string   `json:"type"`
	Optin       string   `json:"optin"`
	Tags        []string `json:"tags"`
	Description string   `json:"description"`
}

func (s *Server) addList(in listInput) *list {
	s.lastList++
	now := s.opts.Now()
	l := &list{
		ID: s.lastList, UUID: s.uuid(), Name: in.Name, Type: in.Type, Optin: in.Optin, Tags: slices.Clone(in.Tags),
		Description: in.Description, CreatedAt: now, UpdatedAt: now,
	}
	if l.Tags == nil {
		l.Tags = []string{}
	}
	s.lists = append(s.lists, l)
	return l
}

func (s *Server) list(id int) *list {
	for _, l := range s.lists {
		if l.ID == id {
			return l
		}
	}
	return nil
}

// show renders a list as the list endpoints do; the minimal form carries no counts.
func (s *Server) show(l *list, minimal bool) map[string]any {
	m := map[string]any{
		"id": l.ID, "created_at": zulu(l.CreatedAt), "updated_at": zulu(l.UpdatedAt), "uuid": l.UUID, "name": l.Name,
		"type": l.Type, "optin": l.Optin, "status": "active", "tags": l.Tags, "description": l.Description,
		"subscriber_count": 0, "subscriber_statuses": nil, "subscription_created_at": nil, "subscription_updated_at": nil,
	}
	if minimal {
		return m
	}
	statuses, count := map[string]int{}, 0
	for _, p := range s.subscribers {
		if row := p.Lists[l.ID]; row != nil {
			statuses[row.Status]++
			count++
		}
	}
	m["subscriber_count"], m["subscriber_statuses"] = count, statuses
	return m
}

func (s *Server) getLists(c call) answer {
	query := c.URL.Query()
	minimal := query.Get("minimal") == "true"
	var found []*list
	if s.allowed(ListsGetAll) {
		found = slices.Clone(s.lists)
	}
	if !minimal { // the minimal form ignores the tags asked for
		for _, tag := range query["tag"] {
			found = slices.DeleteFunc(found, func(l *list) bool { return !slices.Contains(l.Tags, tag) })
		}
	}
	if text := query.Get("query"); text != "" {
		found = slices.DeleteFunc(found, func(l *list) bool { return !resembles(l.Name, text) })
		slices.Reverse(found)
	}
	page, meta := pageOf(c, found)
	rows := []map[string]any{}
	for _, l := range page {
		rows = append(rows, s.show(l, minimal))
	}
	meta.Results = rows
	if minimal {
		meta.PerPage = len(found)
	}
	return done(meta)
}

// ignored are words that a full-text search leaves out.
var ignored = []string{"a", "an", "and", "at", "by", "for", "in", "is", "it", "of", "on", "or", "the", "to", "with"}

// resembles is the fuzzy search of names: it ignores punctuation, little words and case.
func resembles(name, text string) bool {
	words := func(text string) []string {
		return strings.FieldsFunc(strings.ToLower(text), func(r rune) bool { return strings.ContainsRune(" :;,.-_'\"()&", r) })
	}
	have := words(name)
	for _, word := range words(text) {
		if slices.Contains(ignored, word) {
			continue
		}
		if !slices.ContainsFunc(have, func(h string) bool { return strings.HasPrefix(h, word) }) {
			return false
		}
	}
	return true
}

func (s *Server) getList(c call) answer {
	id, err := strconv.Atoi(c.args[0])
	if err != nil || id < 1 {
		return fail(http.StatusBadRequest, "invalid ID")
	}
	l := s.list(id)
	if l == nil || !s.allowed(ListsGetAll) {
		return fail(http.StatusBadRequest, "List not found")
	}
	return done(s.show(l, false))
}

func (s *Server) createList(c call) answer {
	var in listInput
	if message := decode(c, &in); message != "" {
		return fail(http.StatusBadRequest, message)
	}
	if in.Name = strings.TrimSpace(in.Name); in.Name == "" || len(in.Name) > 2000 {
		return fail(http.StatusBadRequest, "Invalid name")
	}
	if in.Type != "private" && in.Type != "public" && in.Type != "temporary" {
		return fail(http.StatusInternalServerError, `Error creating List: pq: invalid input value for enum list_type: "`+in.Type+`"`)
	}
	if in.Optin != "single" && in.Optin != "double" {
		return fail(http.StatusInternalServerError, `Error creating List: pq: invalid input value for enum list_optin: "`+in.Optin+`"`)
	}
	return done(s.show(s.addList(in), false))
}

// updateList changes what is sent, but for the tags: those that are not sent are gone.
func (s *Server) updateList(c call) answer {
	id, err := strconv.Atoi(c.args[0])
	if err != nil || id < 1 {
		return fail(http.StatusBadRequest, "invalid ID")
	}
	var in listInput
	if message := decode(c, &in); message != "" {
		return fail(http.StatusBadRequest, message)
	}
	if in.Name = strings.TrimSpace(in.Name); in.Name == "" || len(in.Name) > 2000 {
		return fail(http.StatusBadRequest, "Invalid name")
	}
	l := s.list(id)
	if l == nil {
		return fail(http.StatusBadRequest, "List not found")
	}
	l.Name, l.Type, l.Optin = in.Name, cmp.Or(in.Type, l.Type), cmp.Or(in.Optin, l.Optin)
	l.Tags, l.Description, l.UpdatedAt = append([]string{}, in.Tags...), cmp.Or(in.Description, l.Description), s.opts.Now()
	return done(s.show(l, false))
}

func (s *Server) deleteList(c call) answer {
	id, err := strconv.Atoi(c.args[0])
	if err != nil || id < 1 {
		return fail(http.StatusBadRequest, "invalid ID")
	}
	s.lists = slices.DeleteFunc(s.lists, func(l *list) bool { return l.ID == id })
	for _, p := range s.subscribers {
		delete(p.Lists, id)
	}
	return done(true)
}
