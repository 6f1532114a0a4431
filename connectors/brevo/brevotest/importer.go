package brevotest

import (
	"encoding/json"
	"net/http"
	"slices"
	"strings"
	"time"
)

// importBytes is the most that an import may have.
const importBytes = 10 << 20

// JobFault says how the next import goes wrong.
type JobFault string

// The ways in which imports go wrong.
const (
	JobStalls   JobFault = "job stalls"
	JobPartly   JobFault = "job fails partly"
	JobDoesNone JobFault = "job ends with nothing done"
)

// process is an import at work.
type process struct {
	ID     int64
	Status string
	Due    time.Time
	Fault  JobFault
	In     importInput
}

type importInput struct {
	Rows []struct {
		Email      string         `json:"email"`
		Attributes map[string]any `json:"attributes"`
	} `json:"jsonBody"`
	Lists     []int64 `json:"listIds"`
	Update    *bool   `json:"updateExistingContacts"`
	Empty     bool    `json:"emptyContactsAttributes"`
	Blacklist bool    `json:"emailBlacklist"`
	Silent    bool    `json:"disableNotification"`
}

func (s *Server) startImport(c call) answer {
	var in importInput
	switch {
	case len(c.body) > importBytes:
		return fail(http.StatusBadRequest, "out_of_range", "jsonBody exceeds 10 MB")
	case json.Unmarshal(c.body, &in) != nil || len(in.Rows) == 0:
		return fail(http.StatusBadRequest, "missing_parameter", "fileUrl, fileBody or jsonBody is missing")
	case len(in.Lists) == 0:
		return fail(http.StatusBadRequest, "missing_parameter", "listIds or newList is missing")
	}
	if no, wrong := s.wrongLists(in.Lists); wrong {
		return no
	}
	p := &process{ID: s.nextID(), Status: "queued", Due: s.opts.Now().Add(s.opts.ImportDelay), Fault: s.jobFault, In: in}
	s.jobFault = ""
	s.processes = append(s.processes, p)
	return done(http.StatusAccepted, map[string]int64{"processId": p.ID})
}

// work carries out the imports that are due.
func (s *Server) work() {
	for _, p := range s.processes {
		if p.Status != "queued" || s.opts.Now().Before(p.Due) {
			continue
		}
		rows := p.In.Rows
		switch p.Fault {
		case JobStalls:
			p.Status = "in_process"
			continue
		case JobPartly:
			rows = rows[:len(rows)/2]
		case JobDoesNone:
			rows = nil
		}
		p.Status = "completed"
		for _, row := range rows {
			s.importOne(strings.ToLower(row.Email), row.Attributes, p.In)
		}
		if !p.In.Silent {
			s.notices++
		}
		p.In.Rows = nil
	}
}

// importOne creates or updates somebody and leaves out, without a word, whom it does not like.
func (s *Server) importOne(email string, attributes map[string]any, in importInput) {
	c := s.byEmail[email]
	switch {
	case !isAddress(email):
		return
	case c == nil:
		c = s.addContact(email)
		s.setAttributes(c, attributes, false)
	case in.Update == nil || *in.Update:
		s.setAttributes(c, attributes, in.Empty)
	}
	for _, id := range in.Lists {
		if s.list(id) != nil {
			c.join(id)
		}
	}
	c.Blacklisted = c.Blacklisted || in.Blacklist
	c.Modified = s.opts.Now()
}

func (s *Server) getProcess(c call) answer {
	i := slices.IndexFunc(s.processes, func(p *process) bool { return p.ID == c.id(0) })
	if i < 0 {
		return fail(http.StatusNotFound, "document_not_found", "Process ID does not exist")
	}
	p := s.processes[i]
	return done(http.StatusOK, map[string]any{"id": p.ID, "name": "IMPORTUSER", "status": p.Status})
}

// Job makes the next import go wrong.
func (s *Server) Job(f JobFault) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.jobFault = f
}

// Notices is how many mails about imports the owner got.
func (s *Server) Notices() int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.notices
}
