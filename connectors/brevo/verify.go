package brevo

import (
	"context"
	"net/http"
	"slices"
	"strconv"
	"time"

	"github.com/perennial-cvo/perennial/connectors"
	"github.com/perennial-cvo/perennial/connectors/commerce"
)

// clockMargin is how far Brevo's clock and ours may differ.
const clockMargin = 24 * time.Hour

// suspect is somebody of whom it is not known yet what an import did for them.
type suspect struct {
	person  int64
	contact int64 // 0 for somebody who was to be created
	mark    int64
	wanted  int64
	lists   []int64
}

// verification reads back what imports did.
type verification struct {
	d         *destination
	since     time.Time
	byMark    map[int64]*suspect
	byContact map[int64]*suspect
	outcomes  []connectors.Outcome
	withdraw  []*task  // to take off our lists
	revived   []string // ids of contacts that the import made of people who were deleted meanwhile
	ignored   bool     // attributes did not arrive
}

// verify reads back everybody of a job and tells what became of them.
func (d *destination) verify(ctx context.Context, j job) (connectors.Result, error) {
	if err := d.meetOurs(ctx); err != nil {
		return connectors.Result{}, err
	}
	v := verification{d: d, since: j.since().Add(-clockMargin), byMark: map[int64]*suspect{}, byContact: map[int64]*suspect{}}
	for _, p := range j.Parts {
		for i, person := range p.People {
			s := &suspect{person: person, contact: p.Contacts[i], mark: p.Marks[i], wanted: p.Wanted[i], lists: p.Lists}
			v.byMark[s.mark] = s
			if s.contact != 0 {
				v.byContact[s.contact] = s
			}
		}
	}
	if err := v.read(ctx); err != nil {
		return connectors.Result{}, err
	}
	if err := v.tidy(ctx); err != nil {
		return connectors.Result{}, err
	}
	v.close()
	return connectors.Result{Outcomes: v.outcomes}, nil
}

// read walks through the contacts, the newest first, as long as that takes fewer requests than asking for each of those
// who were there before. Whoever was created is among the newest, or nowhere.
func (v *verification) read(ctx context.Context) error {
	whole := false
	err := v.d.walk(ctx, newestFirst, func(contacts []contact, requests int) bool {
		for _, c := range contacts {
			v.meet(c)
		}
		whole = requests == 0
		past := len(contacts) > 0 && instant(contacts[len(contacts)-1].Created).Before(v.since)
		unborn := len(v.byMark) > len(v.byContact)
		return len(v.byContact) <= requests && (past || !unborn)
	})
	if err != nil || whole {
		return err
	}
	for id := range v.byContact {
		c, known, err := v.d.api.one(ctx, strconv.FormatInt(id, 10), "contact_id")
		if err != nil {
			return err
		}
		if known {
			v.meet(c)
		}
	}
	return nil
}

// meet judges a contact, if it is one of those looked for.
func (v *verification) meet(c contact) {
	s := v.byMark[int64(markOf(c.Email))]
	if s == nil || c.Email == "" {
		s = v.byContact[c.ID]
	}
	if s == nil {
		return
	}
	delete(v.byMark, s.mark)
	delete(v.byContact, s.contact)
	if s.contact != 0 && s.contact != c.ID {
		v.revived = append(v.revived, strconv.FormatInt(c.ID, 10))
		v.say(s, connectors.Withheld, connectors.ReasonNotThere)
		return
	}
	remote := strconv.FormatInt(c.ID, 10)
	v.outcomes = append(v.outcomes, connectors.Outcome{PersonID: s.person, RemoteID: remote})
	o := &v.outcomes[len(v.outcomes)-1]
	missing := slices.ContainsFunc(s.lists, func(id int64) bool { return !slices.Contains(c.Lists, id) })
	switch reason := v.d.gate(c, true, commerce.ConsentSubscribed); {
	case reason != "": // they said no while the import was waiting
		o.State, o.Reason = connectors.Withheld, reason
		if living := v.d.livingOurs(c); len(living) > 0 {
			v.withdraw = append(v.withdraw, &task{contact: c, leave: living, change: connectors.Change{Person: connectors.Person{Email: c.Email}}})
		}
	case missing:
		o.State, o.Reason = connectors.RetryLater, "Brevo's import did not put this person on the lists"
	case s.wanted != 0 && s.wanted != digestOf(v.d.attributesOf(c)):
		o.State, o.Reason = connectors.RetryLater, "Brevo's import did not keep the attributes"
		v.ignored = true
	default:
		o.State = connectors.Delivered
	}
}

func (v *verification) say(s *suspect, state connectors.OutcomeState, reason string) {
	v.outcomes = append(v.outcomes, connectors.Outcome{PersonID: s.person, State: state, Reason: reason})
}

// tidy takes back what an import did too much: contacts that it made of people who had just been deleted, and places on
// lists of people who had just said no.
func (v *verification) tidy(ctx context.Context) error {
	for _, id := range v.revived {
		if _, err := v.d.deleteContact(ctx, id); err != nil {
			return err
		}
	}
	return v.d.move(ctx, v.withdraw)
}

// close tells about those who were not met.
func (v *verification) close() {
	if v.ignored {
		v.d.forgetSchema()
	}
	v.d.mu.Lock()
	defer v.d.mu.Unlock()
	for mark, s := range v.byMark {
		if s.contact == 0 {
			v.d.dropped[uint64(mark)] = true // the next time it is asked for alone, and Brevo says why it does not take it
			v.say(s, connectors.RetryLater, "Brevo's import left this address out")
			continue
		}
		v.say(s, connectors.RetryLater, "deleted in Brevo meanwhile")
	}
}

// deleteContact deletes a contact. It is false where Brevo does not allow that.
func (d *destination) deleteContact(ctx context.Context, id string) (bool, error) {
	err := d.remove(ctx, "contact removal", "/contacts/"+id)
	if isAbout(err, http.StatusMethodNotAllowed) {
		return false, nil
	}
	return err == nil, err
}
