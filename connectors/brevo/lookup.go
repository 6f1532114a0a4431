package brevo

import (
	"context"
	"errors"
	"net/url"
	"strconv"
	"sync"
	"time"

	"golang.org/x/sync/errgroup"

	"github.com/perennial-cvo/perennial/connectors"
)

const (
	contactsPage = 1000 // contacts in one answer, the most that Brevo gives
	membersPage  = 500
	// clockMargin is how far Brevo's clock may be from ours where it does not tell its own.
	clockMargin = 10 * time.Minute
)

// reading is what a walk goes through, the oldest contact first.
type reading struct {
	path  string    // of all contacts where empty
	since time.Time // only those modified after it, where it is not zero
}

// place is where a walk stands. Count is how many there were: where that shrinks, somebody was deleted and those behind
// moved forward, so the walk steps back as far.
type place struct{ Offset, Count int }

// page is how many contacts one answer holds.
func (r reading) page() int {
	if r.path == "" {
		return contactsPage
	}
	return membersPage
}

// walkPage reads the page of contacts at a place and returns the next place, and how many contacts are left behind it.
func (d *destination) walkPage(ctx context.Context, r reading, at place) (p contactPage, next place, left int, err error) {
	path, limit := r.path, r.page()
	if path == "" {
		path = "/contacts"
	}
	query := url.Values{"limit": {strconv.Itoa(limit)}, "offset": {strconv.Itoa(at.Offset)}, "sort": {"asc"}}
	if !r.since.IsZero() {
		query.Set("modifiedSince", r.since.UTC().Format("2006-01-02T15:04:05.000Z"))
	}
	if p, err = d.api.page(ctx, "contacts", path, query); err != nil {
		return p, at, 0, err
	}
	next = place{Offset: at.Offset + len(p.Contacts), Count: p.Count}
	if gone := at.Count - p.Count; at.Count > 0 && gone > 0 {
		next.Offset = max(0, at.Offset-gone)
		p.Contacts = nil
		return p, next, p.Count - next.Offset, nil
	}
	if len(p.Contacts) == 0 && at.Offset < p.Count {
		return p, at, 0, &connectors.Error{Kind: connectors.KindRetry, Op: "contacts", Err: errors.New("a page is empty though more were announced")}
	}
	return p, next, max(0, p.Count-next.Offset), nil
}

// walk reads contacts page by page and hands them to see, with the number of requests that the rest would take, until
// see has enough. It returns a moment before the walk, by Brevo's clock: whoever was modified after they were read was
// modified after that.
func (d *destination) walk(ctx context.Context, r reading, see func(contacts []contact, requests int) (enough bool)) (begin time.Time, err error) {
	var at place
	for left := 0; ; {
		asked := d.now()
		pages, err := d.walkPages(ctx, r, at, left)
		if err != nil {
			return begin, err
		}
		if begin.IsZero() {
			begin = asked.Add(-clockMargin)
			if said := pages[0].At; !said.IsZero() {
				begin = said.Add(asked.Sub(d.now()) - 2*time.Second) // the header has no parts of a second
			}
		}
		for _, p := range pages {
			expected := at.Offset + r.page()
			at, left = p.next, p.left
			if see(p.Contacts, (left+r.page()-1)/r.page()) || left == 0 {
				return begin, nil
			}
			if at.Offset != expected { // somebody was deleted, and those ahead are not where they were
				break
			}
		}
	}
}

// walkedPage is a page on a walk.
type walkedPage struct {
	contactPage
	next place
	left int
}

// walkPages reads the next pages of a walk: more than one at a time where many are left, so that a large account does not
// take as long as its answers do one after another.
func (d *destination) walkPages(ctx context.Context, r reading, at place, left int) ([]walkedPage, error) {
	pages := make([]walkedPage, max(1, min(left/r.page()/8, d.set.connections())))
	group, ctx := errgroup.WithContext(ctx)
	for i := range pages {
		group.Go(func() (err error) {
			p := &pages[i]
			p.contactPage, p.next, p.left, err = d.walkPage(ctx, r, place{Offset: at.Offset + i*r.page(), Count: at.Count})
			return err
		})
	}
	return pages, group.Wait()
}

// lookUp finds people by their e-mail addresses, which are normalised. Those whom Brevo does not know are missing in the
// answer. There is no question about many addresses, so many people are found by walking through all contacts, a thousand
// at a time, for as long as that takes fewer requests than asking for each. It returns a moment before it, as walk does.
func (d *destination) lookUp(ctx context.Context, emails []string) (found map[string]contact, begin time.Time, err error) {
	found, begin = map[string]contact{}, d.now().Add(-clockMargin)
	missing := map[string]bool{}
	for _, email := range emails {
		missing[email] = true
	}
	if len(missing) > 1 {
		begin, err = d.walk(ctx, reading{}, func(contacts []contact, requests int) bool {
			for _, c := range contacts {
				if missing[c.Email] {
					found[c.Email] = c
					delete(missing, c.Email)
				}
			}
			if requests == 0 { // everybody was seen
				clear(missing)
			}
			return len(missing) <= requests
		})
		if err != nil {
			return nil, begin, err
		}
	}
	contacts, err := together(ctx, d, missing, func(ctx context.Context, email string) (contact, bool, error) {
		c, known, err := d.api.one(ctx, email, "email_id")
		c.Email = email
		return c, known, err
	})
	for _, c := range contacts {
		found[c.Email] = c
	}
	return found, begin, err
}

// together asks for contacts one by one, several at a time, and returns those whom Brevo has.
func together[K comparable](
	ctx context.Context, d *destination, keys map[K]bool, ask func(context.Context, K) (contact, bool, error),
) ([]contact, error) {
	var mu sync.Mutex
	var found []contact
	group, ctx := errgroup.WithContext(ctx)
	group.SetLimit(d.set.connections())
	for key := range keys {
		group.Go(func() error {
			c, known, err := ask(ctx, key)
			if err != nil || !known {
				return err
			}
			mu.Lock()
			defer mu.Unlock()
			found = append(found, c)
			return nil
		})
	}
	return found, group.Wait()
}

// meetAgain reads contacts again who were to be modified since a moment: all who were, and where some of those wanted are
// not among them, everybody, as long as that takes fewer requests than asking for each. It hands to meet whomever it
// reads, and takes those whom it met out of wanted; who is left in it is not in Brevo any more. Where strangers are looked
// for too, people who were made meanwhile and whose ids are not known, it reads all who were modified.
func (d *destination) meetAgain(ctx context.Context, since time.Time, wanted map[int64]bool, strangers bool, meet func(contact)) error {
	left := 0 // requests that the rest of a walk would take
	for _, r := range []reading{{since: since}, {}} {
		modified := !r.since.IsZero()
		whole := modified && strangers
		if left > 0 || len(wanted) < 2 && !whole {
			break
		}
		_, err := d.walk(ctx, r, func(contacts []contact, requests int) bool {
			for _, c := range contacts {
				meet(c)
				delete(wanted, c.ID)
			}
			left = requests
			return len(wanted) <= requests && !whole
		})
		if err != nil {
			return err
		}
		if !modified && left == 0 {
			return nil // everybody was read
		}
	}
	contacts, err := together(ctx, d, wanted, func(ctx context.Context, id int64) (contact, bool, error) {
		return d.api.one(ctx, strconv.FormatInt(id, 10), "contact_id")
	})
	for _, c := range contacts {
		meet(c)
		delete(wanted, c.ID)
	}
	return err
}

// instant reads a time of Brevo, zero where it cannot be read.
func instant(text string) time.Time {
	for _, layout := range []string{time.RFC3339, "2006-01-02 15:04:05Z07:00"} { // both stand in Brevo's reference
		if at, err := time.Parse(layout, text); err == nil {
			return at.UTC()
		}
	}
	return time.Time{}
}
