package brevo

import (
	"context"
	"slices"

	"github.com/perennial-cvo/perennial/connectors"
)

// refresh looks again at whoever was modified since the look-up, where that took long: a walk through a large account
// takes minutes, in which people unsubscribe.
func (w *work) refresh(ctx context.Context) error {
	if w.d.now().Sub(w.asked) <= w.d.tune.fresh {
		return nil
	}
	byID := map[int64][]*task{}
	for _, t := range w.tasks {
		if !t.final && t.contact.ID != 0 {
			byID[t.contact.ID] = append(byID[t.contact.ID], t)
		}
	}
	if len(byID) == 0 {
		return nil
	}
	_, err := w.d.walk(ctx, reading{since: w.begin}, func(contacts []contact, _ int) bool {
		for _, c := range contacts {
			for _, t := range byID[c.ID] {
				w.d.plan(t, c, true, w.schema)
			}
		}
		return false
	})
	return err
}

// lookAgain reads back everybody to whom something was written. Brevo has no condition for a write, so whoever
// unsubscribed between the look-up and the write was put on lists by it: they are taken off again. And Brevo ignores what
// it does not like without a word, so nobody is delivered who does not show what was written.
func (w *work) lookAgain(ctx context.Context, tasks []*task) error {
	byID, wanted := map[int64][]*task{}, map[int64]bool{}
	for _, t := range tasks {
		if t.final && t.outcome.State == connectors.Delivered {
			byID[t.contact.ID] = append(byID[t.contact.ID], t)
			wanted[t.contact.ID] = true
		}
	}
	var leaving []*task
	err := w.d.meetAgain(ctx, w.begin, wanted, false, func(c contact) {
		for _, t := range byID[c.ID] {
			if w.judge(t, c); !t.final && t.outcome.State == connectors.Withheld {
				leaving = append(leaving, t)
			}
		}
		delete(byID, c.ID)
	})
	if err != nil {
		return err
	}
	for _, gone := range byID {
		for _, t := range gone {
			t.conclude(connectors.RetryLater, "deleted in Brevo meanwhile")
		}
	}
	return w.d.update(ctx, leaving)
}

// judge holds a contact against what was written to it.
func (w *work) judge(t *task, c contact) {
	t.contact = c
	if w.d.wants(t.change) {
		if reason := w.d.gate(c, true, t.change); reason != "" {
			w.d.withdraw(t, reason)
			return
		}
	}
	name, ignored := t.ignored(c)
	switch {
	case !ignored:
	case t.change.Attributes == nil && len(t.set) > 0: // a job could not tell whether it stands later
		w.d.forgetSchema()
		t.conclude(connectors.RetryLater, "Brevo took the value of "+name+" and did not keep it")
	default: // perhaps it shows a little later
		t.final = false
		w.doubts = append(w.doubts, t)
	}
}

// ignored reports whether something that was written does not stand, and names it where it is an attribute.
func (t *task) ignored(c contact) (attribute string, is bool) {
	for name, value := range t.set {
		if textOf(c.Attributes[name]) != textOf(value) {
			return name, true
		}
	}
	off := func(id int64) bool { return !slices.Contains(c.Lists, id) }
	on := func(id int64) bool { return slices.Contains(c.Lists, id) && !slices.Contains(c.Left, id) }
	return "", slices.ContainsFunc(t.join, off) || slices.ContainsFunc(t.leave, on)
}

// forget takes back what was concluded about people who were written to and not read back.
func forget(tasks []*task) {
	for _, t := range tasks {
		if t.outcome.State == connectors.Delivered {
			t.final = false
		}
	}
}
