package brevo

import (
	"context"
	"net/http"
	"slices"
	"strconv"

	"github.com/perennial-cvo/perennial/connectors"
	"github.com/perennial-cvo/perennial/connectors/commerce"
)

// suspect is somebody of whom it is not known yet what an import or an update did for them.
type suspect struct {
	person  int64
	contact int64 // 0 for somebody who was to be created
	mark    int64
	wanted  int64
	lists   []int64
	off     []int64
}

// verification reads back what imports and updates did.
type verification struct {
	d         *destination
	byMark    map[int64][]*suspect // more than one where people share an address
	byContact map[int64]int64      // marks
	outcomes  []connectors.Outcome
	withdraw  []*task  // to take out of our audiences
	revived   []string // ids of contacts that the import made of people who were deleted meanwhile
	ignored   bool     // attributes did not arrive
}

// verify reads back everybody of a job and tells what became of them.
func (d *destination) verify(ctx context.Context, j job) (connectors.Result, error) {
	if err := d.meetOurs(ctx); err != nil {
		return connectors.Result{}, err
	}
	v := verification{d: d, byMark: map[int64][]*suspect{}, byContact: map[int64]int64{}}
	wanted := map[int64]bool{}
	for _, p := range j.Parts {
		for i, person := range p.People {
			s := &suspect{person: person, contact: p.Contacts[i], mark: p.Marks[i], wanted: p.Wanted[i], lists: p.Lists, off: p.Off}
			v.byMark[s.mark] = append(v.byMark[s.mark], s)
			if s.contact != 0 {
				v.byContact[s.contact], wanted[s.contact] = s.mark, true
			}
		}
	}
	if err := d.meetAgain(ctx, j.begin(), wanted, true, v.meet); err != nil {
		return connectors.Result{}, err
	}
	if err := v.tidy(ctx); err != nil {
		return connectors.Result{}, err
	}
	v.close()
	return connectors.Result{Outcomes: v.outcomes}, nil
}

// meet judges a contact, if it is one of those looked for.
func (v *verification) meet(c contact) {
	mark := int64(markOf(c.Email))
	if known, is := v.byContact[c.ID]; is { // perhaps under another address
		mark = known
	}
	revived := false
	for _, s := range v.byMark[mark] {
		if s.contact != 0 && s.contact != c.ID && v.isMadeByUs(c) {
			revived = true
			v.say(s, connectors.Withheld, connectors.ReasonNotThere)
		} else {
			v.judge(s, c)
		}
	}
	if revived {
		v.revived = append(v.revived, strconv.FormatInt(c.ID, 10))
	}
	delete(v.byMark, mark)
}

// isMadeByUs reports whether a contact has nothing that is not from us, as one has that an import made. Somebody who was
// deleted and signed up again meanwhile is on a list that is not ours.
func (v *verification) isMadeByUs(c contact) bool {
	ours := v.d.ourLists()
	foreign := slices.ContainsFunc(c.Lists, func(id int64) bool { return !ours[id] })
	return !foreign && len(c.Attributes) == len(v.d.standing(c))
}

// judge says what became of somebody.
func (v *verification) judge(s *suspect, c contact) {
	v.outcomes = append(v.outcomes, connectors.Outcome{PersonID: s.person, RemoteID: strconv.FormatInt(c.ID, 10)})
	o := &v.outcomes[len(v.outcomes)-1]
	moved := task{join: s.lists, leave: s.off}
	_, unmoved := moved.ignored(c)
	switch reason := v.d.gate(c, true, connectors.Change{Consent: commerce.ConsentSubscribed}); {
	case reason != "": // they said no meanwhile
		t := &task{contact: c}
		v.d.withdraw(t, reason)
		if !t.final {
			v.withdraw = append(v.withdraw, t)
		}
		o.State, o.Reason = connectors.Withheld, reason
	case unmoved:
		o.State, o.Reason = connectors.RetryLater, "Brevo did not put this person on the lists"
	case s.wanted != 0 && s.wanted != digestOf(v.d.standing(c)):
		o.State, o.Reason = connectors.RetryLater, "Brevo did not keep the attributes"
		v.ignored = true
	default:
		o.State = connectors.Delivered
	}
}

func (v *verification) say(s *suspect, state connectors.OutcomeState, reason string) {
	v.outcomes = append(v.outcomes, connectors.Outcome{PersonID: s.person, State: state, Reason: reason})
}

// tidy takes back what was done too much: contacts that an import made of people who had just been deleted, and places in
// audiences of people who had just said no.
func (v *verification) tidy(ctx context.Context) error {
	for _, id := range v.revived {
		if _, err := v.d.deleteContact(ctx, id); err != nil {
			return err
		}
	}
	return v.d.update(ctx, v.withdraw)
}

// close tells about those who were not met.
func (v *verification) close() {
	if v.ignored {
		v.d.forgetSchema() // somebody changed the attributes
	}
	v.d.mu.Lock()
	defer v.d.mu.Unlock()
	for mark, missing := range v.byMark {
		for _, s := range missing {
			if s.contact == 0 {
				v.d.dropped[uint64(mark)] = true // the next time it is asked for alone, and Brevo says why it does not take it
				v.say(s, connectors.RetryLater, "Brevo's import left this address out")
				continue
			}
			v.say(s, connectors.RetryLater, "deleted in Brevo meanwhile")
		}
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
