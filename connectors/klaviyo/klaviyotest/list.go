package klaviyotest

import (
	"fmt"
	"net/http"
	"slices"
	"time"
)

// Limits of which only the descriptions speak.
const (
	listsPerDay   = 150
	peoplePerMove = 1_000
)

type list struct {
	ID, Name, OptIn string
	Made            time.Time
	members         []*person
	joined          map[*person]time.Time
}

func (s *Server) addList(name, optIn string) *list {
	l := &list{ID: s.newID("L"), Name: name, OptIn: optIn, Made: s.opts.Now(), joined: map[*person]time.Time{}}
	s.lists = append(s.lists, l)
	return l
}

func (l *list) join(p *person, at time.Time) {
	if !slices.Contains(l.members, p) {
		l.members = append(l.members, p)
		l.joined[p] = at
	}
}

func (l *list) leave(p *person) {
	l.members = slices.DeleteFunc(l.members, func(o *person) bool { return o == p })
}

func (s *Server) list(id string) *list {
	if i := slices.IndexFunc(s.lists, func(l *list) bool { return l.ID == id }); i >= 0 {
		return s.lists[i]
	}
	return nil
}

func (l *list) render(c call) map[string]any {
	return map[string]any{
		"type": "list", "id": l.ID, "links": self(c, "/api/lists/"+l.ID),
		"attributes": map[string]any{"name": l.Name, "created": l.Made.UTC().Format(time.RFC3339), "opt_in_process": l.OptIn},
	}
}

func (s *Server) getLists(c call) answer {
	page, next, wrong := paged(c.URL.Query(), s.lists, 10, 10)
	if wrong != nil {
		return *wrong
	}
	data := []any{}
	for _, l := range page {
		data = append(data, l.render(c))
	}
	return done(c, data, next)
}

func (s *Server) getList(c call) answer {
	l := s.list(c.id)
	if l == nil {
		return missing("list", c.id)
	}
	return done(c, l.render(c), "")
}

func (s *Server) createList(c call) answer {
	in, wrong := decode[struct {
		Attributes struct {
			Name  string `json:"name"`
			OptIn string `json:"opt_in_process"`
		} `json:"attributes"`
	}](c)
	if wrong != nil {
		return *wrong
	}
	if in.Attributes.Name == "" {
		return fail(http.StatusBadRequest, "invalid", "A list must have a name.", "/data/attributes/name")
	}
	now := s.opts.Now().UTC()
	day := now.Format(time.DateOnly)
	if s.made[day] >= listsPerDay {
		a := fail(http.StatusTooManyRequests, "throttled", "The daily limit of lists is reached.", "/data/")
		a.retryAfter = int(now.Truncate(24*time.Hour).Add(24*time.Hour).Sub(now)/time.Second) + 1
		return a
	}
	s.made[day]++
	optIn := in.Attributes.OptIn
	if optIn == "" {
		optIn = "double_opt_in"
	}
	a := done(c, s.addList(in.Attributes.Name, optIn).render(c), "")
	a.status = http.StatusCreated
	return a
}

func (s *Server) deleteList(c call) answer {
	if s.list(c.id) == nil {
		return missing("list", c.id)
	}
	s.lists = slices.DeleteFunc(s.lists, func(l *list) bool { return l.ID == c.id })
	return answer{status: http.StatusNoContent}
}

func (s *Server) getMembers(c call) answer {
	l := s.list(c.id)
	if l == nil {
		return missing("list", c.id)
	}
	return s.render(c, l.members, func(p *person, attributes map[string]any) {
		attributes["joined_group_at"] = l.joined[p].UTC().Format(time.RFC3339)
	})
}

func (s *Server) addMembers(c call) answer {
	return s.move(c, func(l *list, p *person) { l.join(p, s.opts.Now()) })
}

func (s *Server) removeMembers(c call) answer {
	return s.move(c, func(l *list, p *person) { l.leave(p) })
}

// move does something with up to 1,000 people and a list, or with none of them where one is unknown. Nobody's consent
// changes.
func (s *Server) move(c call, do func(*list, *person)) answer {
	l := s.list(c.id)
	if l == nil {
		return missing("list", c.id)
	}
	in, wrong := decode[[]struct {
		ID string `json:"id"`
	}](c)
	if wrong != nil {
		return *wrong
	}
	if len(in) > peoplePerMove {
		return fail(http.StatusBadRequest, "invalid", fmt.Sprintf("No more than %d profiles can be given.", peoplePerMove), "/data")
	}
	for _, one := range in {
		if s.byID[one.ID] == nil {
			return missing("profile", one.ID)
		}
	}
	for _, one := range in {
		do(l, s.byID[one.ID])
	}
	return answer{status: http.StatusNoContent}
}
