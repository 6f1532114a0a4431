package listmonktest

import (
	"maps"
	"net/http"
	"slices"
	"strconv"
	"strings"
)

// campaign is a mailing.
type campaign struct {
	ID     int
	UUID   string
	Name   string
	Lists  []int
	Status string
	Sent   []string // addresses, once it ran
	fields map[string]any
}

func (s *Server) createCampaign(c call) answer {
	fields := map[string]any{}
	if message := decode(c, &fields); message != "" {
		return fail(http.StatusBadRequest, message)
	}
	m := &campaign{ID: len(s.campaigns) + 2, UUID: s.uuid(), Status: "draft", fields: fields} // one is there from installation
	m.Name, _ = fields["name"].(string)
	ids, _ := fields["lists"].([]any)
	for _, id := range ids {
		if number, ok := id.(float64); ok {
			m.Lists = append(m.Lists, int(number))
		}
	}
	s.campaigns = append(s.campaigns, m)
	return done(s.showCampaign(m))
}

func (s *Server) showCampaign(m *campaign) map[string]any {
	lists := []map[string]any{}
	for _, id := range m.Lists {
		if l := s.list(id); l != nil {
			lists = append(lists, map[string]any{"id": l.ID, "name": l.Name})
		}
	}
	now := zulu(s.opts.Now())
	show := map[string]any{
		"id": m.ID, "created_at": now, "updated_at": now, "views": 0, "clicks": 0, "bounces": 0, "lists": lists,
		"media": []any{}, "started_at": nil, "to_send": 0, "sent": 0, "uuid": m.UUID, "status": m.Status, "name": m.Name,
		"type": "regular", "from_email": "shop <shop@example.com>", "body_source": nil, "altbody": nil, "send_at": nil,
		"content_type": "html", "tags": []any{}, "headers": []any{}, "attribs": map[string]any{}, "template_id": 1, "messenger": "email",
		"archive": false, "archive_slug": nil, "archive_template_id": nil, "archive_meta": map[string]any{},
	}
	for _, key := range []string{"subject", "body", "tags"} {
		if value, ok := m.fields[key]; ok {
			show[key] = value
		}
	}
	return show
}

func (s *Server) getCampaigns(c call) answer {
	page, meta := pageOf(c, s.campaigns)
	rows := []map[string]any{}
	for _, m := range page {
		rows = append(rows, s.showCampaign(m))
	}
	meta.Results = rows
	return done(meta)
}

// startCampaign mails at once, in memory.
func (s *Server) startCampaign(c call) answer {
	id, _ := strconv.Atoi(c.args[0])
	i := slices.IndexFunc(s.campaigns, func(m *campaign) bool { return m.ID == id })
	if i < 0 {
		return fail(http.StatusBadRequest, "Campaign not found")
	}
	var in struct {
		Status string `json:"status"`
	}
	if message := decode(c, &in); message != "" {
		return fail(http.StatusBadRequest, message)
	}
	m := s.campaigns[i]
	m.Status, m.Sent = in.Status, s.reached(m.Lists...)
	return done(s.showCampaign(m))
}

// reached lists the addresses that a campaign to the lists mails: nobody who is blocklisted, but those who are disabled;
// on single opt-in lists everybody who did not unsubscribe, on double opt-in lists only who confirmed.
func (s *Server) reached(lists ...int) []string {
	var all []string
	for _, p := range s.subscribers {
		if p.Status == "blocklisted" {
			continue
		}
		for _, id := range lists {
			l, row := s.list(id), p.Lists[id]
			if l == nil || row == nil || row.Status == unsubscribed || (l.Optin == "double" && row.Status != confirmed) {
				continue
			}
			all = append(all, p.Email)
			break
		}
	}
	return all
}

// leaveByLink is the one-click unsubscription of a mail: POST /subscription/<campaign>/<subscriber>. With blocklist=true the
// person asks never to be mailed again: they leave every list, and the moment of their own record stays as it was.
func (s *Server) leaveByLink(r *http.Request) answer {
	parts := strings.Split(strings.Trim(r.URL.Path, "/"), "/")
	if r.Method != http.MethodPost || len(parts) != 3 {
		return fail(http.StatusNotFound, "404 unknown endpoint")
	}
	for _, m := range s.campaigns {
		for _, p := range s.subscribers {
			if m.UUID != parts[1] || p.UUID != parts[2] {
				continue
			}
			ids := m.Lists
			if r.FormValue("blocklist") == "true" {
				p.Status, ids = "blocklisted", slices.Collect(maps.Keys(p.Lists))
			}
			for _, id := range ids {
				if row := p.Lists[id]; row != nil && row.Status != unsubscribed {
					row.Status, row.UpdatedAt = unsubscribed, s.opts.Now()
				}
			}
			return done(true)
		}
	}
	return fail(http.StatusBadRequest, "not found")
}

func (s *Server) createRole(c call) answer {
	var in struct {
		Name        string   `json:"name"`
		Permissions []string `json:"permissions"`
	}
	if message := decode(c, &in); message != "" {
		return fail(http.StatusBadRequest, message)
	}
	s.role = in.Name
	s.rolePermissions = in.Permissions
	now := zulu(s.opts.Now())
	return done(map[string]any{
		"id": 2, "created_at": now, "updated_at": now, "type": "user", "name": in.Name, "permissions": in.Permissions, "lists": nil,
	})
}

// createUser answers as listmonk does; the fake has one API user all the same, whose role Restrict narrows.
func (s *Server) createUser(c call) answer {
	var in map[string]any
	if message := decode(c, &in); message != "" {
		return fail(http.StatusBadRequest, message)
	}
	now := zulu(s.opts.Now())
	return done(map[string]any{
		"id": 3, "created_at": now, "updated_at": now, "username": in["username"], "password": s.opts.Token, "password_login": true,
		"email": nil, "name": in["name"], "type": in["type"], "status": in["status"], "avatar": nil, "twofa_type": "none",
		"loggedin_at": nil, "user_role": map[string]any{"id": in["user_role_id"], "name": s.role, "permissions": s.rolePermissions},
		"list_role": nil,
	})
}
