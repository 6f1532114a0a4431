package brevo

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/perennial-cvo/perennial/connectors"
	"github.com/perennial-cvo/perennial/connectors/commerce"
	"github.com/perennial-cvo/perennial/connectors/httpapi"
)

// Members reads one page of a list; where there are no lists, one page of all contacts, for those whom the attribute names.
func (d *destination) Members(ctx context.Context, audience connectors.Audience, cursor connectors.Cursor) (connectors.MemberPage, error) {
	if !d.writesLists() {
		return d.membersPage(ctx, reading{}, cursor, func(c contact) bool {
			return slices.Contains(audiencesIn(d.standing(c)[audiencesKey]), audience.Key)
		})
	}
	id, err := listID(audience)
	if err != nil {
		return connectors.MemberPage{}, err
	}
	if id == 0 {
		return connectors.MemberPage{}, &connectors.Error{Kind: connectors.KindPermanent, Op: "audience " + audience.Key, Err: errors.New("it has no list id")}
	}
	return d.membersPage(ctx, reading{path: fmt.Sprintf("/contacts/lists/%d/contacts", id)}, cursor, func(c contact) bool {
		return slices.Contains(c.Lists, id) || slices.Contains(c.Left, id)
	})
}

// Everybody reads one page of all contacts and returns those who have anything of ours, or whom Brevo does not mail.
func (d *destination) Everybody(ctx context.Context, cursor connectors.Cursor) (connectors.MemberPage, error) {
	return d.membersPage(ctx, reading{}, cursor, func(c contact) bool {
		ours := d.ourLists()
		return c.Blacklisted || d.writesAttributes() && len(d.standing(c)) > 0 ||
			slices.ContainsFunc(slices.Concat(c.Lists, c.Left), func(id int64) bool { return ours[id] })
	})
}

// Leavers reads one page of the contacts that were modified since a moment, which unsubscribing does too, and returns
// those who are blacklisted or left a list of ours or every list that is not ours. All this is asked of contacts, which
// may be asked often; Brevo's own list of who is blocked may be asked a hundred times an hour and tells nothing more.
func (d *destination) Leavers(ctx context.Context, since time.Time, cursor connectors.Cursor) (connectors.MemberPage, error) {
	return d.membersPage(ctx, reading{since: since}, cursor, func(c contact) bool {
		return d.consentOf(c).State == commerce.ConsentUnsubscribed
	})
}

func (d *destination) membersPage(ctx context.Context, r reading, cursor connectors.Cursor, isMember func(contact) bool) (connectors.MemberPage, error) {
	if err := d.meetOurs(ctx); err != nil {
		return connectors.MemberPage{}, err
	}
	at, err := openCursor(cursor)
	if err != nil {
		return connectors.MemberPage{}, err
	}
	p, next, left, err := d.walkPage(ctx, r, at)
	if err != nil {
		return connectors.MemberPage{}, err
	}
	out := connectors.MemberPage{Next: connectors.Cursor(fmt.Sprintf("%d.%d", next.Offset, next.Count)), Done: left == 0}
	for _, c := range p.Contacts {
		if isMember(c) {
			out.Members = append(out.Members, connectors.Member{
				RemoteID: strconv.FormatInt(c.ID, 10), Email: c.Email, Attributes: d.attributesOf(c),
				Consent: d.consentOf(c), Audiences: d.audiencesOf(c),
			})
		}
	}
	return out, nil
}

// openCursor reads where a walk stands.
func openCursor(cursor connectors.Cursor) (place, error) {
	if cursor == "" {
		return place{}, nil
	}
	offset, count, _ := strings.Cut(string(cursor), ".")
	at, err := strconv.Atoi(offset)
	many, also := strconv.Atoi(count)
	if err != nil || also != nil || at < 0 || many < 0 {
		return place{}, &connectors.Error{Kind: connectors.KindPermanent, Op: "members", Err: errors.New("the cursor is not ours")}
	}
	return place{Offset: at, Count: many}, nil
}

// audiencesOf returns the keys of the audiences in which a contact is.
func (d *destination) audiencesOf(c contact) []string {
	if !d.writesLists() {
		return audiencesIn(d.standing(c)[audiencesKey])
	}
	d.mu.Lock()
	defer d.mu.Unlock()
	var keys []string
	for _, key := range slices.Sorted(maps.Keys(d.lists)) {
		if id := d.lists[key]; slices.Contains(c.Lists, id) && !slices.Contains(c.Left, id) {
			keys = append(keys, key)
		}
	}
	return keys
}

// Erase deletes the contact. Whoever said no is kept without anything of ours, because deleting them would delete the no
// and the next import of anybody would mail them again; so is whom Brevo does not let be deleted.
func (d *destination) Erase(ctx context.Context, who connectors.Person) (string, error) {
	if who.Email == "" {
		return "Brevo: nothing to do, the person has no e-mail address", nil
	}
	c, known, err := d.api.one(ctx, who.Email, "email_id")
	switch {
	case err != nil:
		return "", err
	case !known:
		return "Brevo: nothing was there", nil
	case c.Blacklisted || len(c.Left) > 0:
		return d.strip(ctx, c, "it stays, because it says that the person does not want mail")
	}
	deleted, err := d.deleteContact(ctx, strconv.FormatInt(c.ID, 10))
	if err != nil {
		return "", err
	}
	if !deleted {
		return d.strip(ctx, c, "it stays, because Brevo does not allow to delete it")
	}
	return fmt.Sprintf("Brevo: contact %d was deleted", c.ID), nil
}

// strip takes away what is ours of a contact that stays.
func (d *destination) strip(ctx context.Context, c contact, why string) (string, error) {
	if err := d.meetOurs(ctx); err != nil {
		return "", err
	}
	u := update{ID: c.ID, Attributes: map[string]any{}, Leave: d.livingOurs(c)}
	for key := range d.standing(c) {
		u.Attributes[d.attributeName(key)] = ""
	}
	if len(u.Attributes)+len(u.Leave) == 0 {
		return fmt.Sprintf("Brevo: nothing of ours stood at contact %d; %s", c.ID, why), nil
	}
	_, err := send[struct{}](ctx, d.api.contacts, httpapi.Request{
		Op: "contact update", Path: "/contacts/batch", MayBeEmpty: true, Idempotent: true,
	}, map[string]any{"contacts": []update{u}})
	if err != nil && !isAbout(err, http.StatusNotFound) {
		return "", err
	}
	return fmt.Sprintf("Brevo: contact %d was taken off %d of our lists and our attributes were cleared; %s", c.ID, len(u.Leave), why), nil
}
