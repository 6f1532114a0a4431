package mailchimptest

import (
	"net/http"
	"slices"
	"strconv"
	"strings"
	"time"
)

// segment is a tag (static) or a saved search.
type segment struct {
	ID      int
	Name    string
	Type    string
	Created time.Time
}

func (s *Server) addSegment(name, kind string) *segment {
	seg := &segment{ID: s.id(), Name: name, Type: kind, Created: s.opts.Now()}
	s.segments = append(s.segments, seg)
	return seg
}

func (s *Server) segment(id string) *segment {
	for _, seg := range s.segments {
		if strconv.Itoa(seg.ID) == id {
			return seg
		}
	}
	return nil
}

func (s *Server) showSegment(seg *segment) map[string]any {
	count := 0
	for _, m := range s.order {
		if m.Tags[seg.ID] && m.Status == Subscribed {
			count++
		}
	}
	at := seg.Created.UTC().Format(time.RFC3339)
	return map[string]any{
		"id": seg.ID, "name": seg.Name, "type": seg.Type, "member_count": count, "list_id": s.opts.Audience, "created_at": at, "updated_at": at,
	}
}

func (s *Server) getSegments(c call) answer {
	kind := c.URL.Query().Get("type")
	var found []*segment
	for _, seg := range s.segments {
		if kind == "" || seg.Type == kind {
			found = append(found, seg)
		}
	}
	some, refused := pageOf(c, found)
	if refused != nil {
		return *refused
	}
	rows := make([]any, len(some))
	for i, seg := range some {
		rows[i] = s.showSegment(seg)
	}
	return s.filtered(c, map[string]any{"segments": rows, "total_items": len(found), "list_id": s.opts.Audience})
}

func (s *Server) getSegment(c call) answer {
	seg := s.segment(c.args[1])
	if seg == nil {
		return missing()
	}
	return s.filtered(c, s.showSegment(seg))
}

func (s *Server) createSegment(c call) answer {
	var in struct {
		Name   string    `json:"name"`
		Static *[]string `json:"static_segment"`
	}
	if !c.decode(&in) || strings.TrimSpace(in.Name) == "" || in.Static == nil || len(*in.Static) > MostPerTag {
		return invalid("The resource submitted could not be validated.", complaint{"name", "This value should not be blank."})
	}
	for _, seg := range s.segments {
		if strings.EqualFold(seg.Name, in.Name) { // tags differ by more than case
			return problem(http.StatusBadRequest, "Bad Request", "Sorry, that tag already exists.")
		}
	}
	seg := s.addSegment(in.Name, "static")
	s.tag(seg, *in.Static)
	return done(s.showSegment(seg))
}

func (s *Server) changeSegment(c call) answer {
	seg := s.segment(c.args[1])
	var in struct {
		Add    []string `json:"members_to_add"`
		Remove []string `json:"members_to_remove"`
	}
	switch {
	case seg == nil:
		return missing()
	case !c.decode(&in) || seg.Type != "static":
		return invalid("The resource submitted could not be validated.")
	case len(in.Add) > MostPerTag || len(in.Remove) > MostPerTag:
		return invalid("The resource submitted could not be validated.", complaint{"members_to_add", "at most 500 at a time"})
	}
	added, strangers := s.tag(seg, in.Add)
	var removed []any
	for _, email := range in.Remove {
		m := s.members[hash(email)]
		if m == nil || !m.Tags[seg.ID] {
			strangers = append(strangers, email)
			continue
		}
		delete(m.Tags, seg.ID)
		removed = append(removed, s.showTagged(m))
	}
	errors := []any{}
	if len(strangers) > 0 {
		errors = append(errors, map[string]any{"email_addresses": strangers, "error": "Email addresses are not on the list, or not in the tag"})
	}
	return done(map[string]any{
		"members_added": notNil(added), "members_removed": notNil(removed), "errors": errors,
		"total_added": len(added), "total_removed": len(removed), "error_count": len(strangers),
	})
}

func notNil(rows []any) []any {
	if rows == nil {
		return []any{}
	}
	return rows
}

// tag gives a tag to people, and returns those who have it newly and the addresses that are not on the list. It says nothing
// of those who had it.
func (s *Server) tag(seg *segment, emails []string) (added []any, strangers []string) {
	for _, email := range emails {
		m := s.members[hash(email)]
		switch {
		case m == nil || m.Status == Archived:
			strangers = append(strangers, email)
		case !m.Tags[seg.ID]:
			m.Tags[seg.ID] = true
			added = append(added, s.showTagged(m))
		}
	}
	return added, strangers
}

// showTagged renders a contact as tags show it, whose statuses know no archive.
func (s *Server) showTagged(m *member) map[string]any {
	row := s.show(m)
	if m.Status == Archived {
		delete(row, "status")
	}
	return row
}

func (s *Server) deleteSegment(c call) answer {
	seg := s.segment(c.args[1])
	if seg == nil {
		return missing()
	}
	s.dropSegment(seg)
	return empty()
}

func (s *Server) dropSegment(seg *segment) {
	s.segments = slices.DeleteFunc(s.segments, func(o *segment) bool { return o == seg })
	for _, m := range s.order {
		delete(m.Tags, seg.ID)
	}
}

func (s *Server) getSegmentMembers(c call) answer {
	seg := s.segment(c.args[1])
	if seg == nil {
		return missing()
	}
	query := c.URL.Query()
	shown := map[string]bool{
		Subscribed: true, Pending: true, Unsubscribed: query.Get("include_unsubscribed") == "true",
		Cleaned: query.Get("include_cleaned") == "true", Transactional: query.Get("include_transactional") == "true",
	}
	var found []*member
	for _, m := range s.order {
		if m.Tags[seg.ID] && shown[m.Status] {
			found = append(found, m)
		}
	}
	return s.listMembers(c, found)
}
