package faulttest

import (
	"errors"
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"

	"github.com/perennial-cvo/perennial/connectors/mailchimp/mailchimptest"
)

const canaryMailchimp = "canary00000000000000000000000k3y-us21"

// mailchimpFront is an audience of Mailchimp, where attributes of more than a few people go as batches.
type mailchimpFront struct{ *mailchimptest.Server }

func (f mailchimpFront) kind() string { return "mailchimp" }

func (f mailchimpFront) settings(address string) string {
	return fmt.Sprintf("url = %q\napi_key_env = \"FAULTTEST_MAILCHIMP\"\naudience = %q\nbulk_from = 4\nbatch = 25\ntag_batch = 15\n",
		address+mailchimptest.Path, f.Audience())
}

func (f mailchimpFront) env() []string { return []string{"FAULTTEST_MAILCHIMP=" + canaryMailchimp} }

func (f mailchimpFront) secrets() []string { return []string{canaryMailchimp, "Signature="} }

func (f mailchimpFront) sets() []string { return []string{"rfm", "own"} }

// ourTags are the ids of our tags, and ourFields the keys of our merge fields by their tags.
func (f mailchimpFront) ourTags() []int {
	var ids []int
	for _, t := range f.Tags() {
		if _, ours := ourName(t.Name); ours && t.Type == "static" {
			ids = append(ids, t.ID)
		}
	}
	return ids
}

func (f mailchimpFront) ourFields() map[string]string {
	keys := map[string]string{}
	for _, field := range f.Fields() {
		if key, ours := strings.CutPrefix(field.Help, "perennial:"); ours {
			keys[field.Tag], _, _ = strings.Cut(key, " ")
		}
	}
	return keys
}

func (f mailchimpFront) stands() map[string]standing {
	tags, keys, all := f.ourTags(), f.ourFields(), map[string]standing{}
	for _, c := range f.Contacts() {
		s := standing{attributes: fields{}}
		for _, id := range c.Tags {
			if slices.Contains(tags, id) {
				s.audiences = append(s.audiences, strconv.Itoa(id))
			}
		}
		for tag, value := range c.Fields {
			if key := keys[tag]; key != "" {
				s.attributes[key] = value
			}
		}
		if len(s.audiences)+len(s.attributes) > 0 {
			all[c.Email] = s
		}
	}
	return all
}

func (f mailchimpFront) foreign() map[string]string {
	tags, keys, all := f.ourTags(), f.ourFields(), map[string]string{}
	for _, c := range f.Contacts() {
		theirs := maps.Clone(c.Fields)
		maps.DeleteFunc(theirs, func(tag, _ string) bool { return keys[tag] != "" })
		carries := slices.DeleteFunc(slices.Clone(c.Tags), func(id int) bool { return slices.Contains(tags, id) })
		all["contact "+c.Email] = fmt.Sprint(c.Status, theirs, carries)
	}
	for _, t := range f.Tags() {
		if !slices.Contains(tags, t.ID) {
			all["tag "+t.Name] = fmt.Sprint(t.ID, t.Type)
		}
	}
	for _, field := range f.Fields() {
		if keys[field.Tag] == "" {
			all["field "+field.Tag] = field.Name
		}
	}
	return all
}

func (f mailchimpFront) made() []string {
	var names []string
	for _, t := range f.Tags() {
		if slices.Contains(f.ourTags(), t.ID) {
			names = append(names, "tag "+strings.ToLower(t.Name))
		}
	}
	for _, key := range f.ourFields() {
		names = append(names, "field "+key)
	}
	return names
}

func (f mailchimpFront) mailed() map[string]bool {
	all := map[string]bool{}
	for _, id := range f.ourTags() {
		for _, email := range f.Mailed(id) {
			all[email] = true
		}
	}
	return all
}

func (f mailchimpFront) willing(email string) bool {
	for _, c := range f.Contacts() {
		if c.Email == email {
			return c.Status == mailchimptest.Subscribed
		}
	}
	return false
}

func (f mailchimpFront) leave(email string) error {
	if !f.willing(email) {
		return errors.New("unsubscribe: not subscribed")
	}
	return f.SetStatus(email, mailchimptest.Unsubscribed)
}

func (f mailchimpFront) writes() []string {
	var all []string
	for _, r := range f.Requests() {
		if r.Write {
			all = append(all, r.Method+" "+r.Path)
		}
	}
	return all
}

func (f mailchimpFront) news() []tiding { return nil }
