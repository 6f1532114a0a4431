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
)

// The orders of a walk.
const (
	oldestFirst = "asc"
	newestFirst = "desc"
)

// place is where a walk stands. Count is how many there were: where that shrinks, somebody was deleted and those behind
// moved forward, so the walk steps back as far.
type place struct{ Offset, Count int }

// walkPage reads the page of contacts at a place and returns the next place, and how many contacts are left behind it.
func (d *destination) walkPage(ctx context.Context, path, order string, at place) (p contactPage, next place, left int, err error) {
	limit := contactsPage
	if path != "/contacts" {
		limit = membersPage
	}
	query := url.Values{"limit": {strconv.Itoa(limit)}, "offset": {strconv.Itoa(at.Offset)}, "sort": {order}}
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
// see has enough.
func (d *destination) walk(ctx context.Context, order string, see func(contacts []contact, requests int) (enough bool)) error {
	var at place
	for {
		p, next, left, err := d.walkPage(ctx, "/contacts", order, at)
		if err != nil {
			return err
		}
		if see(p.Contacts, (left+contactsPage-1)/contactsPage) || left == 0 {
			return nil
		}
		at = next
	}
}

// lookUp finds people by their e-mail addresses, which are normalised. Those whom Brevo does not know are missing in the
// answer. There is no question about many addresses, so many people are found by walking through all contacts, a thousand
// at a time, for as long as that takes fewer requests than asking for each.
func (d *destination) lookUp(ctx context.Context, emails []string) (map[string]contact, error) {
	found, missing := map[string]contact{}, map[string]bool{}
	for _, email := range emails {
		missing[email] = true
	}
	if len(missing) > 1 {
		err := d.walk(ctx, oldestFirst, func(contacts []contact, requests int) bool {
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
			return nil, err
		}
	}
	var mu sync.Mutex
	group, ctx := errgroup.WithContext(ctx)
	group.SetLimit(connections)
	for email := range missing {
		group.Go(func() error {
			c, known, err := d.api.one(ctx, email, "email_id")
			if err != nil || !known {
				return err
			}
			mu.Lock()
			defer mu.Unlock()
			found[email] = c
			return nil
		})
	}
	return found, group.Wait()
}

// instant reads a time of Brevo, zero where it cannot be read.
func instant(text string) time.Time {
	at, err := time.Parse(time.RFC3339, text)
	if err != nil {
		return time.Time{}
	}
	return at.UTC()
}
