package klaviyotest

import (
	"fmt"
	"net/http"
	"slices"
	"strings"
	"time"
)

// Limits of which only the descriptions speak.
const (
	eventsPerRequest = 1_000
	bytesPerRequest  = 5_000_000
	bytesPerText     = 100_000
	metricName       = 128
)

// Event is something that was told of a person. Flows start by events.
type Event struct {
	ProfileID  string         `json:"profile_id"`
	Email      string         `json:"email"`
	Metric     string         `json:"metric"`
	UniqueID   string         `json:"unique_id"`
	At         time.Time      `json:"at"`
	Properties map[string]any `json:"properties"`
}

// key is what makes an event the same as another one: where it has no id, one of a profile and metric survives a second.
func (e Event) key() string {
	id := e.UniqueID
	if id == "" {
		id = e.At.UTC().Format(time.RFC3339)
	}
	return e.ProfileID + "\n" + e.Metric + "\n" + id
}

// Events returns every event, in the order in which they came.
func (s *Server) Events() []Event {
	s.mu.Lock()
	defer s.mu.Unlock()
	return slices.Clone(s.events)
}

// told is one profile with events as a request has them.
type told struct {
	Attributes struct {
		Profile struct {
			Data struct {
				ID         string `json:"id"`
				Attributes struct {
					Email string `json:"email"`
				} `json:"attributes"`
			} `json:"data"`
		} `json:"profile"`
		Events struct {
			Data []struct {
				Attributes struct {
					Properties map[string]any `json:"properties"`
					Time       *time.Time     `json:"time"`
					UniqueID   string         `json:"unique_id"`
					Metric     struct {
						Data struct {
							Attributes struct {
								Name string `json:"name"`
							} `json:"attributes"`
						} `json:"data"`
					} `json:"metric"`
				} `json:"attributes"`
			} `json:"data"`
		} `json:"events"`
	} `json:"attributes"`
}

// createEvents takes all events or none. An address that nobody has makes a profile.
func (s *Server) createEvents(c call) answer {
	if len(c.body) > bytesPerRequest {
		return fail(http.StatusRequestEntityTooLarge, "payload_too_large", "The payload is larger than 5MB.", "/data")
	}
	in, wrong := decode[struct {
		Attributes struct {
			Bulk struct {
				Data []told `json:"data"`
			} `json:"events-bulk-create"`
		} `json:"attributes"`
	}](c)
	if wrong != nil {
		return *wrong
	}
	var fresh []Event
	var problems []problem
	seen := map[string]bool{}
	for i, one := range in.Attributes.Bulk.Data {
		at := fmt.Sprintf("/data/attributes/events-bulk-create/data/%d/attributes", i)
		who, ok := s.subject(one)
		if !ok {
			problems = append(problems, problem{"invalid", "A profile must have a valid identifier.", at + "/profile/data"})
			continue
		}
		for k, e := range one.Attributes.Events.Data {
			event := Event{
				ProfileID: who.ProfileID, Email: who.Email, Metric: e.Attributes.Metric.Data.Attributes.Name,
				UniqueID: e.Attributes.UniqueID, At: s.opts.Now(), Properties: e.Attributes.Properties,
			}
			if e.Attributes.Time != nil {
				event.At = *e.Attributes.Time
			}
			if wrong := s.wrongWith(event, seen, fmt.Sprintf("%s/events/data/%d/attributes", at, k)); wrong != nil {
				problems = append(problems, *wrong)
			}
			seen[event.key()] = true
			fresh = append(fresh, event)
		}
	}
	switch {
	case len(problems) == 0 && len(fresh) == 0 || len(fresh) > eventsPerRequest:
		return fail(http.StatusBadRequest, "invalid", fmt.Sprintf("Between 1 and %d events can be given.", eventsPerRequest), "/data")
	case len(problems) > 0 && s.noPointers:
		return fail(http.StatusBadRequest, "invalid", "Some event is not valid.", "")
	case len(problems) > 0:
		return failMany(http.StatusBadRequest, problems)
	}
	for _, e := range fresh {
		s.keepEvent(e)
	}
	return answer{status: http.StatusAccepted}
}

// wrongWith says what is wrong with an event that stands at a place, if anything; seen are those before it.
func (s *Server) wrongWith(e Event, seen map[string]bool, here string) *problem {
	switch {
	case e.Metric == "" || len(e.Metric) >= metricName:
		return &problem{"invalid", "A metric must have a name of less than 128 characters.", here + "/metric"}
	case len(text(e.Properties)) > bytesPerText:
		return &problem{"invalid", "A text is larger than 100KB.", here + "/properties"}
	case e.UniqueID != "" && !s.opts.PassRepeats && (seen[e.key()] || s.told[e.key()]):
		return &problem{"duplicate", "The unique_id is repeated for this profile and metric.", here + "/unique_id"}
	default:
		return nil
	}
}

// subject says whom events are about: a profile, or the address of one to be made.
func (s *Server) subject(one told) (Event, bool) {
	given := one.Attributes.Profile.Data
	email := strings.ToLower(given.Attributes.Email)
	for _, p := range []*person{s.byID[given.ID], s.byEmail[email]} {
		if p != nil {
			return Event{ProfileID: p.ID, Email: p.Email}, true
		}
	}
	return Event{Email: email}, isAddress(email)
}

// keepEvent takes an event up unless it is there already.
func (s *Server) keepEvent(e Event) {
	if e.ProfileID == "" && s.byEmail[e.Email] == nil {
		s.addPerson(e.Email)
	}
	if e.ProfileID == "" {
		e.ProfileID = s.byEmail[e.Email].ID
	}
	if !s.told[e.key()] {
		s.told[e.key()] = true
		s.events = append(s.events, e)
	}
}
