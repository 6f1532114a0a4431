package mailchimptest

import (
	"crypto/md5" // by which Mailchimp addresses contacts
	"encoding/hex"
	"fmt"
	"maps"
	"net/http"
	"slices"
	"strings"
	"time"
)

// The statuses of a contact.
const (
	Subscribed    = "subscribed"
	Unsubscribed  = "unsubscribed"
	Cleaned       = "cleaned"
	Pending       = "pending"
	Transactional = "transactional"
	Archived      = "archived"
)

// member is a contact.
type member struct {
	ID      string // hash of the address
	Email   string
	Status  string
	Merge   map[string]any
	Tags    map[int]bool
	Changed time.Time
	Left    time.Time // when they unsubscribed, zero where they did not
}

// setStatus is what the person, a bounce or the owner does.
func (s *Server) setStatus(m *member, status string) {
	m.Status, m.Changed, m.Left = status, s.opts.Now(), time.Time{}
	if status == Unsubscribed {
		m.Left = m.Changed
	}
}

func hash(email string) string {
	sum := md5.Sum([]byte(strings.ToLower(email)))
	return hex.EncodeToString(sum[:])
}

func (s *Server) addMember(email, status string) *member {
	m := &member{ID: hash(email), Email: email, Status: status, Merge: map[string]any{}, Tags: map[int]bool{}, Changed: s.opts.Now()}
	if status == Unsubscribed {
		m.Left = m.Changed
	}
	s.members[m.ID] = m
	s.order = append(s.order, m)
	return m
}

func (s *Server) dropMember(m *member) {
	delete(s.members, m.ID)
	s.order = slices.DeleteFunc(s.order, func(o *member) bool { return o == m })
}

// show renders a contact; every merge field of the audience stands there, empty where there is no value.
func (s *Server) show(m *member) map[string]any {
	merge := map[string]any{}
	for _, f := range s.fields {
		merge[f.Tag] = ""
		if value, there := m.Merge[f.Tag]; there {
			merge[f.Tag] = value
		}
	}
	tags := s.tagsOf(m)
	return map[string]any{
		"id": m.ID, "email_address": m.Email, "status": m.Status, "merge_fields": merge, "tags": tags[:min(len(tags), MostTags)], "tags_count": len(tags),
		"list_id": s.opts.Audience, "last_changed": m.Changed.UTC().Format(time.RFC3339), "email_type": "html", "vip": false,
	}
}

// tagsOf are all tags of a contact, the oldest first.
func (s *Server) tagsOf(m *member) []any {
	tags := []any{}
	for _, seg := range s.segments {
		if m.Tags[seg.ID] {
			tags = append(tags, map[string]any{"id": seg.ID, "name": seg.Name})
		}
	}
	return tags
}

func (s *Server) getMemberTags(c call) answer {
	m := s.members[c.args[1]]
	if m == nil {
		return missing()
	}
	tags := s.tagsOf(m)
	some, refused := pageOf(c, tags)
	if refused != nil {
		return *refused
	}
	return s.filtered(c, map[string]any{"tags": some, "total_items": len(tags)})
}

func (s *Server) getMembers(c call) answer {
	query := c.URL.Query()
	status, left := query.Get("status"), query.Get("unsubscribed_since")
	if left != "" && status != Unsubscribed {
		return invalid("The resource submitted could not be validated.", complaint{"unsubscribed_since", "goes with the status unsubscribed only"})
	}
	var found []*member
	for _, m := range s.order {
		right := m.Status == status || status == "" && m.Status != Archived
		if right && isSince(m.Changed, query.Get("since_last_changed")) && isSince(m.Left, left) {
			found = append(found, m)
		}
	}
	if query.Get("sort_field") == "last_changed" {
		slices.SortStableFunc(found, func(a, b *member) int { return a.Changed.Compare(b.Changed) })
		if query.Get("sort_dir") == "DESC" {
			slices.Reverse(found)
		}
	}
	return s.listMembers(c, found)
}

// isSince reports whether something happened since a moment, which may be none. Mailchimp counts in seconds.
func isSince(at time.Time, moment string) bool {
	if moment == "" {
		return true
	}
	since, err := time.Parse(time.RFC3339, moment)
	return err == nil && !at.Before(since)
}

func (s *Server) listMembers(c call, found []*member) answer {
	some, refused := pageOf(c, found)
	if refused != nil {
		return *refused
	}
	rows := make([]any, len(some))
	for i, m := range some {
		rows[i] = s.show(m)
	}
	return s.filtered(c, map[string]any{"members": rows, "total_items": len(found), "list_id": s.opts.Audience})
}

func (s *Server) getMember(c call) answer {
	m := s.members[c.args[1]]
	if m == nil {
		return missing()
	}
	return s.filtered(c, s.show(m))
}

// memberInput is what a write of a contact may carry.
type memberInput struct {
	Email       string         `json:"email_address"`
	Status      string         `json:"status"`
	StatusIfNew string         `json:"status_if_new"`
	Merge       map[string]any `json:"merge_fields"`
}

func (s *Server) patchMember(c call) answer {
	m := s.members[c.args[1]]
	if m == nil {
		return missing()
	}
	var in memberInput
	if !c.decode(&in) {
		return problem(http.StatusBadRequest, "JSON Parse Error", "We encountered an unspecified JSON parsing error.")
	}
	return s.writeMember(c, m, in)
}

func (s *Server) putMember(c call) answer {
	var in memberInput
	if !c.decode(&in) {
		return problem(http.StatusBadRequest, "JSON Parse Error", "We encountered an unspecified JSON parsing error.")
	}
	m := s.members[c.args[1]]
	switch {
	case !isAddress(in.Email) || hash(in.Email) != c.args[1]:
		return invalid(fmt.Sprintf("%s looks fake or invalid, please enter a real email address.", in.Email))
	case s.forgotten[c.args[1]]:
		return problem(http.StatusBadRequest, "Forgotten Email Not Subscribed", in.Email+" was permanently deleted and cannot be re-imported. The contact must re-subscribe to get back on the list.")
	case m != nil && m.Status != Archived:
		return s.writeMember(c, m, in)
	}
	fresh := member{ID: c.args[1], Email: in.Email, Status: in.StatusIfNew, Merge: map[string]any{}, Tags: map[int]bool{}}
	if a := s.writeMember(c, &fresh, in); a.status != http.StatusOK {
		return a
	}
	if m != nil {
		m.Status = in.StatusIfNew // back from the archive
		return s.writeMember(c, m, in)
	}
	made := s.addMember(in.Email, in.StatusIfNew)
	made.Merge = fresh.Merge
	return done(s.show(made))
}

// writeMember changes what is sent. A merge field that the audience does not have is ignored without a word.
func (s *Server) writeMember(c call, m *member, in memberInput) answer {
	if in.Status == Subscribed && (m.Status == Unsubscribed || m.Status == Cleaned) {
		return problem(http.StatusBadRequest, "Member In Compliance State",
			m.Email+" is in a compliance state due to unsubscribe, bounce, or compliance review and cannot be subscribed.")
	}
	merge := maps.Clone(m.Merge)
	for _, f := range s.fields {
		value, sent := in.Merge[f.Tag]
		if !sent {
			continue
		}
		text, is := value.(string)
		if !is || len(text) > LongestText {
			return invalid("Your merge fields were invalid.", complaint{f.Tag, "Please enter a value of at most 255 bytes"})
		}
		merge[f.Tag] = text
	}
	for _, f := range s.fields {
		if f.Required && (merge[f.Tag] == nil || merge[f.Tag] == "") && c.URL.Query().Get("skip_merge_validation") != "true" {
			return invalid("Your merge fields were invalid.", complaint{f.Tag, "Please enter a value"})
		}
	}
	if in.Status != "" {
		s.setStatus(m, in.Status)
	}
	if !maps.Equal(m.Merge, merge) {
		m.Changed = s.opts.Now()
	}
	m.Merge = merge
	return done(s.show(m))
}

// isAddress is what Mailchimp takes for an address, roughly.
func isAddress(email string) bool {
	name, host, found := strings.Cut(email, "@")
	return found && name != "" && strings.Contains(host, ".") && !strings.Contains(email, "..") && !strings.ContainsAny(email, " \x00")
}

func (s *Server) archiveMember(c call) answer {
	m := s.members[c.args[1]]
	if m == nil || m.Status == Archived {
		return missing()
	}
	s.setStatus(m, Archived)
	return empty()
}

func (s *Server) eraseMember(c call) answer {
	m := s.members[c.args[1]]
	if m == nil {
		return missing()
	}
	s.dropMember(m)
	s.forgotten[m.ID] = true
	return empty()
}
