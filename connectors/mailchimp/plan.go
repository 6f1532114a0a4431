package mailchimp

import (
	"fmt"
	"hash/crc32"
	"maps"
	"slices"
	"strings"
	"unicode"
	"unicode/utf8"

	"github.com/perennial-cvo/perennial/connectors"
	"github.com/perennial-cvo/perennial/connectors/commerce"
)

// task is what has to be done for one person.
type task struct {
	change  connectors.Change
	create  bool
	values  map[string]string // by merge tag; what is to be written
	sum     uint32            // of what shall stand in all merge fields of ours then
	join    []int             // tags
	leave   []int
	tags    []int // of ours that they carry or are to join
	outcome connectors.Outcome
	final   bool // the outcome stands already; what is still to leave has to be left first
}

// done reports whether everything that concerns the person was confirmed, so that the outcome can be told.
func (t *task) done() bool {
	return !t.create && len(t.values)+len(t.join)+len(t.leave) == 0
}

// writes reports whether merge fields are to be written, or the person is to be stored.
func (t *task) writes() bool { return t.create || len(t.values) > 0 }

func (t *task) email() string { return t.change.Person.Email }

// conclude settles what becomes of the person. What they have to leave they leave all the same.
func (t *task) conclude(state connectors.OutcomeState, reason string) {
	t.outcome.State, t.outcome.Reason, t.final = state, reason, true
	t.create, t.values, t.join = false, nil, nil
}

// begin makes the tasks, and concludes those about whom Mailchimp need not be asked.
func begin(changes []connectors.Change) (tasks []*task, emails []string) {
	for _, c := range changes {
		t := &task{change: c, outcome: connectors.Outcome{PersonID: c.Person.ID, State: connectors.Delivered}}
		switch {
		case c.Person.Email == "":
			t.conclude(connectors.Withheld, connectors.ReasonNoEmail)
		case strings.ContainsFunc(c.Person.Email, unicode.IsControl) || !utf8.ValidString(c.Person.Email):
			t.conclude(connectors.Refused, "the e-mail address holds a control character")
		default:
			emails = append(emails, c.Person.Email)
		}
		tasks = append(tasks, t)
	}
	return tasks, emails
}

// gate says why nothing may be written about a person, or nothing. Whoever unsubscribed, or was cleaned because mail to
// them bounced, is out, whatever the shop says, for the shop's word may be older. Being subscribed is the consent where the
// shop says nothing. Who was deleted or archived is not brought back.
func (d *destination) gate(p person, known bool, c connectors.Change) (reason string) {
	said := c.Consent
	switch {
	case said == commerce.ConsentUnsubscribed:
		return connectors.ReasonUnsubscribed
	case known && p.Status == unsubscribed:
		return connectors.ReasonUnsubscribed
	case known && p.Status == cleaned:
		return connectors.ReasonSuppressed
	case known && p.Status == archived: // by the owner, who does not want them back
		return connectors.ReasonNotThere
	case !known && d.set.CreateMissing && c.MayCreate():
		return ""
	case !known:
		return connectors.ReasonNotThere
	case p.Status == subscribed || said == commerce.ConsentSubscribed:
		return ""
	default: // pending, or transactional as who only bought something
		return connectors.ReasonNoConsent
	}
}

// agreed stands for people whom the gate let in a moment ago: it asks about them once more whether they left meanwhile.
var agreed = connectors.Change{Consent: commerce.ConsentSubscribed}

// gives reports whether there is anything to give to a person, for which they must be there and agree.
func (d *destination) gives(c connectors.Change) bool {
	return len(c.Audiences) > 0 || len(c.Attributes) > 0 && d.set.Mode != connectors.OnlyLists
}

// plan compares what is desired for a person with what is there.
func (d *destination) plan(t *task, p person, known bool) error {
	c := t.change
	if known {
		t.outcome.RemoteID = p.ID
	}
	if d.gives(c) {
		if reason := d.gate(p, known, c); reason != "" {
			d.withhold(t, p, reason)
			return nil
		}
	}
	if known = known && p.Status != archived; !known {
		p = person{}
	}
	if err := d.planTags(t, p); err != nil {
		return err
	}
	if wrong := d.planValues(t, p); wrong != "" {
		t.conclude(connectors.Refused, wrong)
		return nil
	}
	t.create = !known && d.gives(c)
	if t.done() {
		t.conclude(connectors.Unchanged, "")
	}
	return nil
}

// planTags says which tags a person joins and leaves.
func (d *destination) planTags(t *task, p person) error {
	for _, key := range t.change.Audiences {
		id, err := d.segmentOf(key)
		if err != nil {
			return err
		}
		if id != 0 && !p.has(id) && !slices.Contains(t.join, id) {
			t.join = append(t.join, id)
		}
	}
	t.tags = slices.Concat(d.tagsOf(p), t.join)
	for _, key := range t.change.Leave {
		if slices.Contains(t.change.Audiences, key) {
			continue
		}
		id, err := d.segmentOf(key)
		if err != nil {
			return err
		}
		if id != 0 && p.has(id) && !slices.Contains(t.leave, id) {
			t.leave = append(t.leave, id)
		}
	}
	return nil
}

// planValues says which merge fields are written, or what of them cannot be.
func (d *destination) planValues(t *task, p person) (wrong string) {
	if d.set.Mode == connectors.OnlyLists {
		return ""
	}
	want := map[string]string{}
	fields := d.knownFields()
	switch {
	case t.change.Attributes != nil:
		for _, tag := range fields {
			want[tag] = ""
		}
	default:
		for _, key := range t.change.Drop {
			if tag := fields[key]; tag != "" {
				want[tag] = ""
			}
		}
	}
	for key, value := range t.change.Attributes {
		value = strings.TrimSpace(value)
		if len(value) > longestValue {
			return fmt.Sprintf("the attribute %s has %d bytes, and a merge field holds %d", key, len(value), longestValue)
		}
		if tag := fields[key]; tag != "" {
			want[tag] = value
		}
	}
	if d.attributesOnly() {
		value := joined(t.change.Audiences)
		if len(value) > longestValue {
			return fmt.Sprintf("the keys of the audiences have %d bytes, and a merge field holds %d", len(value), longestValue)
		}
		if tag := fields[audiencesKey]; tag != "" {
			want[tag] = value
		}
	}
	t.set(p, want, fields)
	return ""
}

// set notes which merge fields are written so that what is wanted stands, and what stands in all of ours then.
func (t *task) set(p person, want, fields map[string]string) {
	then := person{Merge: map[string]any{}}
	for _, tag := range fields {
		then.Merge[tag] = p.value(tag)
	}
	t.values = map[string]string{}
	for tag, value := range want {
		then.Merge[tag] = value
		if p.value(tag) != then.value(tag) {
			t.values[tag] = value
		}
	}
	t.sum = then.sum(tagsIn(fields))
}

// withhold concludes that a person is given nothing, and takes them out of every audience of ours.
func (d *destination) withhold(t *task, p person, reason string) {
	t.conclude(connectors.Withheld, reason)
	t.leave = d.tagsOf(p)
	fields := d.knownFields()
	if tag := fields[audiencesKey]; d.attributesOnly() && p.ID != "" && p.Status != archived && tag != "" {
		t.set(p, map[string]string{tag: ""}, fields)
	}
}

// tagsIn returns merge tags in order.
func tagsIn(fields map[string]string) []string { return slices.Sorted(maps.Values(fields)) }

// sum is a mark of what stands in merge fields, by which an answer is held against what was sent: a value for a field that
// was deleted meanwhile is taken without a word and dropped.
func (p person) sum(tags []string) uint32 {
	h := crc32.NewIEEE()
	for _, tag := range tags {
		_, _ = fmt.Fprintf(h, "%s=%s\x00", tag, p.value(tag)) // never fails
	}
	return h.Sum32()
}

// tagsOf returns the tags of ours that a person carries, or may carry where Mailchimp does not show all.
func (d *destination) tagsOf(p person) []int {
	ours := d.ourTags()
	if p.hidesTags() {
		return slices.Sorted(maps.Keys(ours))
	}
	var ids []int
	for _, t := range p.Tags {
		if ours[t.ID] {
			ids = append(ids, t.ID)
		}
	}
	return ids
}
