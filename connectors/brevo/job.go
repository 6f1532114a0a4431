package brevo

import (
	"encoding/json"
	"errors"
	"fmt"
	"hash/fnv"
	"maps"
	"slices"
	"time"

	"github.com/perennial-cvo/perennial/connectors"
)

// jobVersion is that of the form in which jobs are written.
const jobVersion = 1

// job is what another process needs to find out what became of imports. No address and no attribute stands in it: people
// are known again by the id of their contact or by a mark of their address.
type job struct {
	Version   int     `json:"v"`
	Since     int64   `json:"since"`     // when the imports were handed in, in seconds
	Begin     int64   `json:"begin"`     // a moment before that by Brevo's clock, in seconds
	Processes []int64 `json:"processes"` // those not known to be over yet
	Parts     []part  `json:"parts"`
}

// part is one import, or people of whom Brevo took an update and does not show it yet: what is brought to whom.
type part struct {
	Lists    []int64            `json:"lists"`
	Off      []int64            `json:"off,omitempty"` // lists that they leave
	People   connectors.Numbers `json:"people"`        // ours
	Contacts connectors.Numbers `json:"contacts"`      // Brevo's, 0 for those who were to be created
	Marks    connectors.Numbers `json:"marks"`         // of their addresses
	Wanted   connectors.Numbers `json:"wanted"`        // digests of all attributes of ours they shall have, 0 where none are pushed
}

// begin is a moment before anything was written, by Brevo's clock.
func (j job) begin() time.Time { return time.Unix(j.Begin, 0) }

// add notes somebody.
func (p *part) add(person, contact int64, email string, wanted int64) {
	p.People, p.Contacts = append(p.People, person), append(p.Contacts, contact)
	p.Marks, p.Wanted = append(p.Marks, int64(markOf(email))), append(p.Wanted, wanted)
}

// text is the job as it is kept.
func (j job) text() (connectors.Job, error) {
	text, err := json.Marshal(j)
	if err != nil {
		return "", fmt.Errorf("import job: %w", err)
	}
	return connectors.Job(text), nil
}

// openJob reads a job and checks it.
func openJob(text connectors.Job) (job, error) {
	var j job
	if err := json.Unmarshal([]byte(text), &j); err != nil {
		return j, connectors.UnknownJob(err)
	}
	if j.Version != jobVersion {
		return j, connectors.UnknownJob(fmt.Errorf("its version is %d", j.Version))
	}
	for _, p := range j.Parts {
		if n := len(p.People); len(p.Contacts) != n || len(p.Marks) != n || len(p.Wanted) != n {
			return j, connectors.UnknownJob(errors.New("it tells of some people more than of others"))
		}
	}
	return j, nil
}

func (j job) since() time.Time { return time.Unix(j.Since, 0) }

// markOf is a mark by which an address is known again.
func markOf(email string) uint64 {
	h := fnv.New64a()
	_, _ = h.Write([]byte(email)) // never fails
	return h.Sum64()
}

// digestOf is a mark of attributes, never 0.
func digestOf(attributes map[string]string) int64 {
	h := fnv.New64a()
	for _, key := range slices.Sorted(maps.Keys(attributes)) {
		_, _ = fmt.Fprintf(h, "%s\x00%s\x00", key, attributes[key]) // never fails
	}
	return int64(h.Sum64() | 1)
}
