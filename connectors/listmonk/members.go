package listmonk

import (
	"context"
	"net/url"
	"slices"
	"strconv"

	"github.com/perennial-cvo/perennial/connectors"
	"github.com/perennial-cvo/perennial/connectors/commerce"
)

// Members reads one page of a list. The whole list at once would cost listmonk minutes and its memory. Where there are no
// lists, it reads a page of those who carry anything of ours, and names those who carry the audience.
func (d *destination) Members(ctx context.Context, audience connectors.Audience, cursor connectors.Cursor) (connectors.MemberPage, error) {
	if d.attributesOnly() {
		return d.carriers(ctx, cursor, func(keys []string) bool { return slices.Contains(keys, audience.Key) })
	}
	id, err := listID(audience)
	if err != nil {
		return connectors.MemberPage{}, err
	}
	at, err := pageOf(cursor)
	if err != nil {
		return connectors.MemberPage{}, err
	}
	people, err := d.listPage(ctx, id, at)
	if err != nil {
		return connectors.MemberPage{}, err
	}
	out := connectors.MemberPage{Next: connectors.Cursor(strconv.Itoa(at + 1)), Done: len(people) < membersPage}
	for _, who := range people {
		if row, there := who.row(id); there {
			out.Members = append(out.Members, d.member(who, d.consentOf(who, row)))
		}
	}
	return out, nil
}

// listPage reads one page of a list, or with the number 0, of all people.
func (d *destination) listPage(ctx context.Context, id, at int) ([]person, error) {
	query := url.Values{"per_page": {strconv.Itoa(membersPage)}, "page": {strconv.Itoa(at)}}
	if id > 0 {
		query.Set("list_id", strconv.Itoa(id))
	}
	p, err := d.api.people(ctx, "list members", query)
	return p.Results, err
}

// pageOf reads the number of a page out of a cursor.
func pageOf(cursor connectors.Cursor) (int, error) {
	if cursor == "" {
		return 1, nil
	}
	at, err := strconv.Atoi(string(cursor))
	if err != nil || at < 1 {
		return 0, notOurs()
	}
	return at, nil
}

func (d *destination) member(who person, consent commerce.Consent) connectors.Member {
	return connectors.Member{
		RemoteID: who.remoteID(), Email: commerce.Email(who.Email), Attributes: d.attributes(who), Consent: consent,
	}
}

// carriers reads one page of all people, or where the key may ask for them, of those who carry anything of ours, and keeps
// those whose audiences are wanted.
func (d *destination) carriers(ctx context.Context, cursor connectors.Cursor, wanted func(keys []string) bool) (connectors.MemberPage, error) {
	people, page, err := d.walk(ctx, cursor, "subscribers.attribs->"+quoteAll([]string{d.prefix})[0]+" IS NOT NULL")
	if err != nil {
		return page, err
	}
	for _, who := range people {
		if keys := d.audiencesOf(who); d.isMarked(who) && wanted(keys) {
			m := d.member(who, d.consentOf(who, list{}))
			m.Audiences = keys
			page.Members = append(page.Members, m)
		}
	}
	return page, nil
}

// rolled is a destination without lists: everybody is read back in one walk.
type rolled struct{ *destination }

// Everybody reads one page of those who carry anything of ours.
func (d rolled) Everybody(ctx context.Context, cursor connectors.Cursor) (connectors.MemberPage, error) {
	return d.carriers(ctx, cursor, func([]string) bool { return true })
}

// consentOf says what listmonk knows of a person on one list. Whom the gate would not let in again for a no of theirs, or
// of the platform, is out, though the row itself may say nothing of it.
func (d *destination) consentOf(p person, row list) commerce.Consent {
	consent := commerce.Consent{State: commerce.ConsentUnknown, At: row.Changed.UTC()}
	switch no := d.gate(p, true, connectors.Change{}); {
	case no == connectors.ReasonUnsubscribed || no == connectors.ReasonSuppressed:
		consent.State = commerce.ConsentUnsubscribed
	case isLiving(row):
		consent.State = commerce.ConsentSubscribed
	}
	return consent
}
