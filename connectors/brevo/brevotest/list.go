package brevotest

import (
	"encoding/json"
	"net/http"
	"slices"
	"time"
)

const (
	membersPage = 500
	smallPage   = 50
	largestMove = 150
)

type folder struct {
	ID   int64
	Name string
}

type list struct {
	ID      int64
	Name    string
	Folder  int64
	Created time.Time
}

func (s *Server) addFolder(name string) *folder {
	f := &folder{ID: s.nextID(), Name: name}
	s.folders = append(s.folders, f)
	return f
}

func (s *Server) addList(name string, folder int64) *list {
	l := &list{ID: s.nextID(), Name: name, Folder: folder, Created: s.opts.Now()}
	s.lists = append(s.lists, l)
	return l
}

func (s *Server) list(id int64) *list {
	i := slices.IndexFunc(s.lists, func(l *list) bool { return l.ID == id })
	if i < 0 {
		return nil
	}
	return s.lists[i]
}

func (s *Server) folder(id int64) *folder {
	i := slices.IndexFunc(s.folders, func(f *folder) bool { return f.ID == id })
	if i < 0 {
		return nil
	}
	return s.folders[i]
}

// members are the contacts on a list, those who left it among them.
func (s *Server) members(id int64) []*contact {
	var all []*contact
	for _, c := range s.contacts {
		if slices.Contains(c.Lists, id) {
			all = append(all, c)
		}
	}
	return all
}

func (s *Server) listWire(l *list) map[string]any {
	n := len(s.members(l.ID))
	return map[string]any{"id": l.ID, "name": l.Name, "totalBlacklisted": 0, "totalSubscribers": n, "uniqueSubscribers": n}
}

func (s *Server) getFolders(c call) answer {
	limit, offset, ok := paging(c, 10, smallPage)
	if !ok {
		return tooMany
	}
	page := []map[string]any{}
	for _, f := range cut(s.folders, c, limit, offset) {
		page = append(page, map[string]any{"id": f.ID, "name": f.Name, "totalBlacklisted": 0, "totalSubscribers": 0, "uniqueSubscribers": 0})
	}
	return done(http.StatusOK, map[string]any{"folders": page, "count": len(s.folders)})
}

func (s *Server) createFolder(c call) answer {
	var in struct {
		Name string `json:"name"`
	}
	if json.Unmarshal(c.body, &in) != nil || in.Name == "" {
		return fail(http.StatusBadRequest, "missing_parameter", "Folder name is missing")
	}
	return done(http.StatusCreated, map[string]int64{"id": s.addFolder(in.Name).ID})
}

// deleteFolder deletes the lists of the folder with it.
func (s *Server) deleteFolder(c call) answer {
	id := c.id(0)
	if s.folder(id) == nil {
		return fail(http.StatusNotFound, "document_not_found", "Folder ID does not exist")
	}
	for _, l := range slices.Clone(s.lists) {
		if l.Folder == id {
			s.dropList(l.ID)
		}
	}
	s.folders = slices.DeleteFunc(s.folders, func(f *folder) bool { return f.ID == id })
	return done(http.StatusNoContent, nil)
}

func (s *Server) getFolderLists(c call) answer {
	limit, offset, ok := paging(c, 10, smallPage)
	if !ok {
		return tooMany
	}
	if s.folder(c.id(0)) == nil {
		return fail(http.StatusNotFound, "document_not_found", "Folder ID does not exist")
	}
	inside := slices.DeleteFunc(slices.Clone(s.lists), func(l *list) bool { return l.Folder != c.id(0) })
	page := []map[string]any{}
	for _, l := range cut(inside, c, limit, offset) {
		page = append(page, s.listWire(l))
	}
	return done(http.StatusOK, map[string]any{"lists": page, "count": len(inside)})
}

var noList = fail(http.StatusNotFound, "document_not_found", "List ID does not exist")

func (s *Server) createList(c call) answer {
	var in struct {
		Name   string `json:"name"`
		Folder int64  `json:"folderId"`
	}
	if json.Unmarshal(c.body, &in) != nil || in.Name == "" || s.folder(in.Folder) == nil {
		return fail(http.StatusBadRequest, "invalid_parameter", "Folder ID does not exist")
	}
	return done(http.StatusCreated, map[string]int64{"id": s.addList(in.Name, in.Folder).ID})
}

func (s *Server) getList(c call) answer {
	l := s.list(c.id(0))
	if l == nil {
		return noList
	}
	wire := s.listWire(l)
	wire["folderId"], wire["createdAt"] = l.Folder, stamp(l.Created)
	return done(http.StatusOK, wire)
}

func (s *Server) deleteList(c call) answer {
	if s.list(c.id(0)) == nil {
		return noList
	}
	s.dropList(c.id(0))
	return done(http.StatusNoContent, nil)
}

func (s *Server) dropList(id int64) {
	s.lists = slices.DeleteFunc(s.lists, func(l *list) bool { return l.ID == id })
	for _, c := range s.contacts {
		c.unlink(id)
	}
}

func (s *Server) getMembers(c call) answer {
	if s.list(c.id(0)) == nil {
		return noList
	}
	return contactsOf(s.members(c.id(0)), c, membersPage)
}

func (s *Server) addMembers(c call) answer {
	return s.move(c, func(p *contact, list int64) bool {
		was := slices.Contains(p.Lists, list)
		p.join(list)
		return !was
	})
}

func (s *Server) removeMembers(c call) answer {
	return s.move(c, func(p *contact, list int64) bool {
		was := slices.Contains(p.Lists, list)
		p.unlink(list)
		return was
	})
}

// move does something to people of a list. Those to whom nothing was to be done count as failures, as those do who are not
// there; where all are failures, the request is refused.
func (s *Server) move(c call, do func(p *contact, list int64) bool) answer {
	id := c.id(0)
	if s.list(id) == nil {
		return noList
	}
	var in struct {
		IDs []int64 `json:"ids"`
	}
	if json.Unmarshal(c.body, &in) != nil || len(in.IDs) == 0 {
		return fail(http.StatusBadRequest, "missing_parameter", "ids is missing")
	}
	if len(in.IDs) > largestMove {
		return fail(http.StatusBadRequest, "out_of_range", "A maximum of 150 ids can be passed")
	}
	success, failure := []int64{}, []int64{}
	for _, one := range in.IDs {
		if p := s.byID[one]; p != nil && do(p, id) {
			p.Modified = s.opts.Now()
			success = append(success, one)
		} else {
			failure = append(failure, one)
		}
	}
	if len(success) == 0 {
		return fail(http.StatusBadRequest, "invalid_parameter", "Contact already in list and/or does not exist")
	}
	return done(http.StatusCreated, map[string]any{"contacts": listing(success, failure)})
}

// listing leaves out what is empty: an empty array fits both kinds of the reference, which wants exactly one.
func listing(success, failure []int64) map[string]any {
	all := map[string]any{}
	if len(success) > 0 {
		all["success"] = success
	}
	if len(failure) > 0 {
		all["failure"] = failure
	}
	return all
}
