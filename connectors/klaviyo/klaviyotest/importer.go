package klaviyotest

import (
	"encoding/json"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"time"
)

// Limits of which only the descriptions speak.
const (
	peoplePerImport = 10_000
	bytesPerImport  = 5_000_000
	bytesPerPerson  = 100_000
)

// JobFault says how the next import goes wrong.
type JobFault string

// The ways in which imports go wrong.
const (
	JobStalls     JobFault = "job stalls"
	JobPartly     JobFault = "job fails partly"
	JobFailsOne   JobFault = "job fails for the second person"
	JobDoesNone   JobFault = "job ends with nothing done"
	JobCancelled  JobFault = "job is cancelled"
	JobLags       JobFault = "job is over before its writes show" // which they do after two more look-ups
	JobPartlyLags JobFault = "job fails partly, and the rest is over before its writes show"
	JobLies       JobFault = "job counts everybody and writes nobody"
)

// FailJob makes the next import go wrong.
func (s *Server) FailJob(f JobFault) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.jobFault = f
}

// record is one person as an import or a patch has them.
type record struct {
	Type       string `json:"type"`
	ID         string `json:"id"`
	Attributes struct {
		Email      string         `json:"email"`
		FirstName  *string        `json:"first_name"`
		LastName   *string        `json:"last_name"`
		Properties map[string]any `json:"properties"`
	} `json:"attributes"`
	Meta struct {
		Patch struct {
			Unset any `json:"unset"`
		} `json:"patch_properties"`
	} `json:"meta"`
}

func (r record) patch() patch {
	change := patch{Properties: r.Attributes.Properties}
	change.Meta.Patch.Unset = r.Meta.Patch.Unset
	return change
}

// importJob is an import at work. It is looked at once while it is processed, and carried out before the second look.
type importJob struct {
	id      string
	fault   JobFault
	records []record
	made    time.Time
	looks   int
	status  string
	done    []*person
	counted int   // people it says it wrote beyond those it did
	failed  []int // places of records
}

// startImport checks everything at once and takes all or nothing.
func (s *Server) startImport(c call) answer {
	if len(c.body) > bytesPerImport {
		return fail(http.StatusRequestEntityTooLarge, "payload_too_large", "The payload is larger than 5MB.", "/data")
	}
	in, wrong := decode[struct {
		Attributes struct {
			Profiles struct {
				Data []json.RawMessage `json:"data"`
			} `json:"profiles"`
		} `json:"attributes"`
	}](c)
	if wrong != nil {
		return *wrong
	}
	raw := in.Attributes.Profiles.Data
	if len(raw) == 0 || len(raw) > peoplePerImport {
		return fail(http.StatusBadRequest, "invalid", fmt.Sprintf("Between 1 and %d profiles can be given.", peoplePerImport), "/data/attributes/profiles/data")
	}
	job := &importJob{id: s.newID("J"), records: make([]record, len(raw)), made: s.opts.Now(), status: "queued", fault: s.jobFault}
	var problems []problem
	for i, one := range raw {
		at := fmt.Sprintf("/data/attributes/profiles/data/%d", i)
		switch err := json.Unmarshal(one, &job.records[i]); {
		case err != nil:
			problems = append(problems, problem{"invalid", "The profile has another shape.", at})
		case len(one) > bytesPerPerson:
			problems = append(problems, problem{"invalid", "The profile is larger than 100KB.", at})
		case !isAddress(job.records[i].Attributes.Email):
			problems = append(problems, problem{"invalid", "Invalid email address.", at + "/attributes/email"})
		}
	}
	if s.noPointers && len(problems) > 0 {
		return fail(http.StatusBadRequest, "invalid", "Some profile is not valid.", "")
	}
	if len(problems) > 0 {
		return failMany(http.StatusBadRequest, problems)
	}
	s.jobFault = ""
	s.jobs = append(s.jobs, job)
	a := done(c, job.render(c), "")
	a.status = http.StatusAccepted
	return a
}

func (s *Server) job(id string) *importJob {
	if i := slices.IndexFunc(s.jobs, func(j *importJob) bool { return j.id == id }); i >= 0 {
		return s.jobs[i]
	}
	return nil
}

// ForgetJobs lets all imports expire.
func (s *Server) ForgetJobs() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.jobs = nil
}

func (j *importJob) render(c call) map[string]any {
	attributes := map[string]any{
		"status": j.status, "created_at": j.made.UTC().Format(time.RFC3339), "total_count": len(j.records),
		"completed_count": len(j.done) + j.counted, "failed_count": len(j.failed), "expires_at": j.made.UTC().Add(7 * 24 * time.Hour).Format(time.RFC3339),
	}
	return map[string]any{"type": "profile-bulk-import-job", "id": j.id, "attributes": attributes, "links": self(c, "/api/profile-bulk-import-jobs/"+j.id)}
}

func (s *Server) getImport(c call) answer {
	j := s.job(c.id)
	if j == nil {
		return missing("profile-bulk-import-job", c.id)
	}
	j.looks++
	switch {
	case j.status == "queued":
		j.status = "processing"
	case j.status == "processing" && j.fault != JobStalls:
		s.carryOut(j)
	}
	return done(c, j.render(c), "")
}

// carryOut writes everybody whom the fault does not spare.
func (s *Server) carryOut(j *importJob) {
	j.status, j.counted, j.failed = "complete", 0, nil
	switch j.fault {
	case JobPartlyLags:
		for i := 1; i < len(j.records); i += 2 {
			j.failed = append(j.failed, i)
		}
		j.fault, j.counted, s.lagging, s.lag = JobPartly, len(j.records)-len(j.failed), j, 2
		return
	case JobLags:
		j.fault, j.counted, s.lagging, s.lag = "", len(j.records), j, 2
		return
	case JobLies:
		j.counted = len(j.records)
		return
	case JobDoesNone:
		return
	case JobCancelled:
		j.status = "cancelled"
		return
	}
	for i, r := range j.records {
		if j.fault == JobPartly && i%2 == 1 || j.fault == JobFailsOne && i == 1 {
			j.failed = append(j.failed, i)
			if j.fault == JobFailsOne {
				j.counted++ // it was worked off, if not written
			}
			continue
		}
		email := strings.ToLower(r.Attributes.Email)
		p := s.byEmail[email]
		if p == nil {
			p = s.addPerson(email)
		}
		if r.Attributes.FirstName != nil {
			p.FirstName = *r.Attributes.FirstName
		}
		if r.Attributes.LastName != nil {
			p.LastName = *r.Attributes.LastName
		}
		p.apply(r.patch(), false)
		j.done = append(j.done, p)
	}
}

// catchUp lets the writes of an import show that lagged behind.
func (s *Server) catchUp() {
	if s.lag--; s.lag == 0 && s.lagging != nil {
		s.carryOut(s.lagging)
		s.lagging = nil
	}
}

func (s *Server) getImported(c call) answer {
	j := s.job(c.id)
	if j == nil {
		return missing("profile-bulk-import-job", c.id)
	}
	return s.render(c, j.done)
}

func (s *Server) getImportErrors(c call) answer {
	j := s.job(c.id)
	if j == nil {
		return missing("profile-bulk-import-job", c.id)
	}
	page, next, wrong := paged(c.URL.Query(), j.failed, 20, 100)
	if wrong != nil {
		return *wrong
	}
	data := []any{}
	for _, place := range page {
		data = append(data, map[string]any{
			"type": "import-error", "id": fmt.Sprintf("%s-%d", j.id, place), "links": self(c, c.URL.Path),
			"attributes": map[string]any{
				"code": "invalid", "title": "Invalid input.", "detail": "The profile could not be written.",
				"source":           map[string]any{"pointer": "/data"},
				"original_payload": map[string]any{"email": j.records[place].Attributes.Email},
			},
		})
	}
	return done(c, data, next)
}
