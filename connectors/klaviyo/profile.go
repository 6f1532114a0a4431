package klaviyo

import (
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/perennial-cvo/perennial/connectors"
)

// profileFields are all that is asked for of a profile.
const profileFields = "email,properties,subscriptions.email.marketing"

// audiencesKey is the property that names the audiences where there are no lists.
const audiencesKey = "audiences"

// profile is a person in Klaviyo.
type profile struct {
	ID         string `json:"id"`
	Attributes struct {
		Email         string         `json:"email"`
		Properties    map[string]any `json:"properties"`
		Subscriptions struct {
			Email struct {
				Marketing *marketing `json:"marketing"`
			} `json:"email"`
		} `json:"subscriptions"`
	} `json:"attributes"`
}

// marketing is what Klaviyo knows of a person's consent to be mailed.
type marketing struct {
	CanReceive       bool              `json:"can_receive_email_marketing"`
	Consent          string            `json:"consent"`
	ConsentAt        *time.Time        `json:"consent_timestamp"`
	Suppressions     []suppression     `json:"suppression"`
	ListSuppressions []listSuppression `json:"list_suppressions"`
}

type suppression struct {
	Reason string    `json:"reason"`
	At     time.Time `json:"timestamp"`
}

type listSuppression struct {
	ListID string    `json:"list_id"`
	Reason string    `json:"reason"`
	At     time.Time `json:"timestamp"`
}

// mark is how the names of our properties begin.
func (d *destination) mark() string { return d.prefix + "_" }

// properties are ours of a profile, by their keys without the prefix.
func (d *destination) properties(p profile) map[string]any {
	ours := map[string]any{}
	for name, value := range p.Attributes.Properties {
		if key, is := strings.CutPrefix(name, d.mark()); is && value != nil {
			ours[key] = value
		}
	}
	return ours
}

// attributes are our properties as activation knows them.
func (d *destination) attributes(p profile) map[string]string {
	values := map[string]string{}
	for key, value := range d.properties(p) {
		if text, is := value.(string); is && key != audiencesKey {
			values[key] = text
		}
	}
	return values
}

// audiencesOf are the keys of the audiences that the property names.
func (d *destination) audiencesOf(p profile) []string {
	var keys []string
	list, _ := d.properties(p)[audiencesKey].([]any)
	for _, item := range list {
		if key, is := item.(string); is {
			keys = append(keys, key)
		}
	}
	return keys
}

// desired returns what of ours shall stand at a profile.
func (d *destination) desired(p profile, c connectors.Change) map[string]any {
	want := d.properties(p)
	if d.extent == connectors.OnlyLists {
		return want
	}
	if c.Attributes != nil {
		for key := range want {
			if key != audiencesKey {
				delete(want, key)
			}
		}
		for key, value := range c.Attributes {
			want[key] = value
		}
	}
	for _, key := range c.Drop {
		if _, stays := c.Attributes[key]; !stays {
			delete(want, key)
		}
	}
	delete(want, audiencesKey) // which stands from another mode where there are lists
	if d.attributesOnly() && len(c.Audiences) > 0 {
		var list []any
		for _, key := range slices.Compact(slices.Sorted(slices.Values(c.Audiences))) {
			list = append(list, key)
		}
		want[audiencesKey] = list
	}
	return want
}

// digest is a short mark of a state of our properties, by which it is known again.
func digest(properties map[string]any) string {
	text, err := json.Marshal(properties) // in the order of the keys
	if err != nil {
		return "unreadable" // cannot be: they came as JSON or are texts
	}
	return short(string(text))
}

func short(text string) string {
	sum := sha256.Sum256([]byte(text))
	return hex.EncodeToString(sum[:8])
}

// difference is what an import has to say to bring properties from one state to another: it leaves what it does not
// name, and takes no null for an answer.
func (d *destination) difference(now, want map[string]any) (set map[string]any, unset []string) {
	set = map[string]any{}
	for key, value := range want {
		if before, there := now[key]; !there || digest(map[string]any{"": before}) != digest(map[string]any{"": value}) {
			set[d.mark()+key] = value
		}
	}
	for _, key := range slices.Sorted(maps.Keys(now)) {
		if _, stays := want[key]; !stays {
			unset = append(unset, d.mark()+key)
		}
	}
	return set, unset
}
