package klaviyotest

import (
	"encoding/json"
	"net/http"
	"regexp"
	"slices"
	"strings"
	"time"
)

// The consents.
const (
	subscribed      = "SUBSCRIBED"
	unsubscribed    = "UNSUBSCRIBED"
	neverSubscribed = "NEVER_SUBSCRIBED"
)

// person is a profile.
type person struct {
	ID, Email, FirstName, LastName string
	Since                          time.Time
	Properties                     map[string]any
	Consent                        string
	Suppressions                   []suppression
	Left                           []suppression // lists that the person left by themselves
}

type suppression struct {
	ListID string // of Left
	Reason string
	At     time.Time
}

func (s *Server) addPerson(email string) *person {
	p := &person{ID: s.newID("P"), Email: email, Since: s.opts.Now(), Properties: map[string]any{}, Consent: neverSubscribed}
	s.people = append(s.people, p)
	s.byID[p.ID], s.byEmail[p.Email] = p, p
	return p
}

func (s *Server) removePerson(p *person) {
	s.people = slices.DeleteFunc(s.people, func(o *person) bool { return o == p })
	delete(s.byID, p.ID)
	delete(s.byEmail, p.Email)
	for _, l := range s.lists {
		l.leave(p)
	}
}

func (s *Server) unsubscribe(p *person) {
	p.Consent = unsubscribed
	p.Suppressions = append(p.Suppressions, suppression{Reason: "UNSUBSCRIBE", At: s.opts.Now()})
}

// canReceive is what Klaviyo calls implicit consent: whoever is not suppressed.
func (p *person) canReceive() bool { return len(p.Suppressions) == 0 }

// addressShape is about what Klaviyo takes for an address.
var addressShape = regexp.MustCompile(`^[^@\s"<>,;:]+@[^@\s]+\.[^@\s.]{2,}$`)

func isAddress(email string) bool {
	return addressShape.MatchString(email) && !strings.Contains(email, "..")
}

// render shows a profile as the query asks for it.
func (p *person) render(c call) map[string]any {
	attributes := map[string]any{}
	wanted := strings.Split(c.URL.Query().Get("fields[profile]"), ",")
	show := func(name string, value any) {
		if wanted[0] == "" || slices.Contains(wanted, name) {
			attributes[name] = value
		}
	}
	show("email", p.Email)
	show("first_name", p.FirstName)
	show("last_name", p.LastName)
	show("properties", p.Properties)
	if c.URL.Query().Get("additional-fields[profile]") == "subscriptions" {
		attributes["subscriptions"] = map[string]any{"email": map[string]any{"marketing": p.marketing()}}
	}
	return map[string]any{"type": "profile", "id": p.ID, "attributes": attributes, "links": self(c, "/api/profiles/"+p.ID)}
}

func (p *person) marketing() map[string]any {
	suppressions, left := []any{}, []any{}
	for _, x := range p.Suppressions {
		suppressions = append(suppressions, map[string]any{"reason": x.Reason, "timestamp": x.At.UTC().Format(time.RFC3339)})
	}
	for _, x := range p.Left {
		left = append(left, map[string]any{"list_id": x.ListID, "reason": x.Reason, "timestamp": x.At.UTC().Format(time.RFC3339)})
	}
	m := map[string]any{
		"can_receive_email_marketing": p.canReceive(), "consent": p.Consent, "suppression": suppressions, "list_suppressions": left,
	}
	if p.Consent != neverSubscribed {
		m["consent_timestamp"] = p.Since.UTC().Format(time.RFC3339)
	}
	return m
}

// The filters of profiles: by who they are, and by when they were suppressed or left a list. Those who left are asked for
// one list at a time, and never together with those who were suppressed.
var (
	filterShape  = regexp.MustCompile(`^(any|equals)\((id|email),(.+)\)$`)
	leaversShape = regexp.MustCompile(`^greater-or-equal\(subscriptions\.email\.marketing\.(suppression|list_suppressions)\.timestamp,([^,()]+)\)` +
		`(?:,equals\(subscriptions\.email\.marketing\.list_suppressions\.list_id,"([^"]*)"\))?$`)
)

// getProfiles lists profiles, all of them or those that a filter names.
func (s *Server) getProfiles(c call) answer {
	s.catchUp()
	people := s.people
	if filter := c.URL.Query().Get("filter"); filter != "" {
		passes := passing(filter)
		if passes == nil {
			return fail(http.StatusBadRequest, "invalid", "Invalid filter provided.", "")
		}
		if parts := leaversShape.FindStringSubmatch(filter); parts != nil && parts[3] != "" && s.list(parts[3]) == nil {
			return missing("list", parts[3])
		}
		people = slices.DeleteFunc(slices.Clone(s.people), func(p *person) bool { return !passes(p) })
	}
	return s.render(c, people)
}

// passing returns what a filter lets through, or nil where it is none.
func passing(filter string) func(*person) bool {
	if parts := filterShape.FindStringSubmatch(filter); parts != nil {
		var values []string
		if json.Unmarshal([]byte("["+strings.Trim(parts[3], "[]")+"]"), &values) != nil {
			return nil
		}
		return func(p *person) bool {
			return slices.Contains(values, map[string]string{"id": p.ID, "email": p.Email}[parts[2]])
		}
	}
	parts := leaversShape.FindStringSubmatch(filter)
	if parts == nil || (parts[1] == "suppression") != (parts[3] == "") {
		return nil
	}
	since, err := time.Parse(time.RFC3339, parts[2])
	if err != nil {
		return nil
	}
	return func(p *person) bool {
		all := p.Left
		if parts[1] == "suppression" {
			all = p.Suppressions
		}
		return slices.ContainsFunc(all, func(x suppression) bool { return x.ListID == parts[3] && !x.At.Truncate(time.Second).Before(since) })
	}
}

// render answers with one page of people, who may have more attributes there.
func (s *Server) render(c call, people []*person, more ...func(*person, map[string]any)) answer {
	page, next, wrong := paged(c.URL.Query(), people, 20, 100)
	if wrong != nil {
		return *wrong
	}
	data := []any{}
	for _, p := range page {
		one := p.render(c)
		for _, add := range more {
			add(p, one["attributes"].(map[string]any))
		}
		data = append(data, one)
	}
	return done(c, data, next)
}

// patch is how properties are changed.
type patch struct {
	Properties map[string]any
	Meta       struct {
		Patch struct {
			Unset any `json:"unset"`
		} `json:"patch_properties"`
	}
}

// apply changes properties. A null clears one only where it is said to: an import passes over it.
func (p *person) apply(change patch, nullClears bool) {
	for name, value := range change.Properties {
		switch {
		case value != nil:
			p.Properties[name] = value
		case nullClears:
			delete(p.Properties, name)
		}
	}
	switch unset := change.Meta.Patch.Unset.(type) {
	case string:
		delete(p.Properties, unset)
	case []any:
		for _, name := range unset {
			if key, is := name.(string); is {
				delete(p.Properties, key)
			}
		}
	}
}

func (s *Server) patchProfile(c call) answer {
	p := s.byID[c.id]
	if p == nil {
		return missing("profile", c.id)
	}
	in, wrong := decode[record](c)
	if wrong != nil {
		return *wrong
	}
	p.apply(in.patch(), true)
	return done(c, p.render(c), "")
}

// erase deletes a person. Exactly one identifier is taken.
func (s *Server) erase(c call) answer {
	in, wrong := decode[struct {
		Attributes struct {
			Profile struct {
				Data struct {
					ID         string `json:"id"`
					Attributes struct {
						Email string `json:"email"`
						Phone string `json:"phone_number"`
					} `json:"attributes"`
				} `json:"data"`
			} `json:"profile"`
		} `json:"attributes"`
	}](c)
	if wrong != nil {
		return *wrong
	}
	who := in.Attributes.Profile.Data
	given := 0
	for _, identifier := range []string{who.ID, who.Attributes.Email, who.Attributes.Phone} {
		if identifier != "" {
			given++
		}
	}
	if given != 1 {
		return fail(http.StatusBadRequest, "invalid", "Exactly one identifier must be given.", "/data/attributes/profile")
	}
	for _, p := range []*person{s.byID[who.ID], s.byEmail[who.Attributes.Email]} {
		if p != nil {
			s.removePerson(p)
		}
	}
	return answer{status: http.StatusAccepted}
}
